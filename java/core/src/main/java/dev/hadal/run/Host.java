package dev.hadal.run;

import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Tensor;

/** Copies between the host's tensors and plain regions. */
final class Host {

    static void write(Region to, Tensor value) {
        switch (value.dtype()) {
            case F32 ->
                to.memory().write(to.offset(), value.floats(), 0, value.shape().size());
            case I32 ->
                to.memory().write(to.offset(), value.ints(), 0, value.shape().size());
        }
    }

    static Tensor read(Region from) {
        Type type = from.layout().type();
        Tensor value = Tensor.zeros(type.dtype(), type.shape());
        read(from, value);
        return value;
    }

    static void read(Region from, Tensor into) {
        switch (into.dtype()) {
            case F32 ->
                from.memory().read(from.offset(), into.floats(), 0, into.shape().size());
            case I32 ->
                from.memory().read(from.offset(), into.ints(), 0, into.shape().size());
        }
    }

    private Host() {}
}
