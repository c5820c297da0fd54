package dev.hadal.op;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Tensor;
import java.util.List;

/** A formula as a kernel on Java arrays. */
record FormulaKernel(String implementation, List<Type> in, List<Type> out, Formula formula) implements Kernel {

    @Override
    public List<Layout> inputs() {
        return in.stream().map(Layout::plain).toList();
    }

    @Override
    public List<Layout> outputs() {
        return out.stream().map(Layout::plain).toList();
    }

    @Override
    public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
        return () -> {
            double[][] x = inputs.stream().map(FormulaKernel::read).toArray(double[][]::new);
            double[][] y = out.stream().map(t -> new double[t.shape().size()]).toArray(double[][]::new);
            formula.run(x, y);
            for (int o = 0; o < y.length; o++) {
                write(y[o], outputs.get(o));
            }
        };
    }

    private static void write(double[] values, Region region) {
        Tensor y = Truth.tensor(region.layout().type(), values);
        switch (y.dtype()) {
            case F32 -> region.memory().write(region.offset(), y.floats(), 0, values.length);
            case BF16 -> region.memory().write(region.offset(), y.bf16Bits(), 0, values.length);
            case I32 -> region.memory().write(region.offset(), y.ints(), 0, values.length);
            case S8, U8 -> region.memory().write(region.offset(), y.bytes(), 0, values.length);
        }
    }

    private static double[] read(Region region) {
        Type type = region.layout().type();
        Tensor x = Tensor.zeros(type.dtype(), type.shape());
        int count = type.shape().size();
        switch (type.dtype()) {
            case F32 -> region.memory().read(region.offset(), x.floats(), 0, count);
            case BF16 -> region.memory().read(region.offset(), x.bf16Bits(), 0, count);
            case I32 -> region.memory().read(region.offset(), x.ints(), 0, count);
            case S8, U8 -> region.memory().read(region.offset(), x.bytes(), 0, count);
        }
        return Truth.wide(x);
    }
}
