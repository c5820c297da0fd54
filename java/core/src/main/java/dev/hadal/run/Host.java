package dev.hadal.run;

import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Tensor;

/** Copies between the host's tensors and plain regions. */
final class Host {

    static void write(Region to, Tensor value) {
        write(to, value, 0);
    }

    /** Fills a region with a tensor's values from an index on. */
    static void write(Region to, Tensor values, int from) {
        int count = to.layout().type().shape().size();
        switch (values.dtype()) {
            case F32 -> to.memory().write(to.offset(), values.floats(), from, count);
            case BF16 -> to.memory().write(to.offset(), values.bf16Bits(), from, count);
            case I32 -> to.memory().write(to.offset(), values.ints(), from, count);
            case S8, U8 -> to.memory().write(to.offset(), values.bytes(), from, count);
        }
    }

    static Tensor read(Region from) {
        Type type = from.layout().type();
        Tensor value = Tensor.zeros(type.dtype(), type.shape());
        read(from, value, 0);
        return value;
    }

    /** Copies a whole region to a tensor's values from an index on. */
    static void read(Region from, Tensor into, int at) {
        int count = from.layout().type().shape().size();
        switch (into.dtype()) {
            case F32 -> from.memory().read(from.offset(), into.floats(), at, count);
            case BF16 -> from.memory().read(from.offset(), into.bf16Bits(), at, count);
            case I32 -> from.memory().read(from.offset(), into.ints(), at, count);
            case S8, U8 -> from.memory().read(from.offset(), into.bytes(), at, count);
        }
    }

    private Host() {}
}
