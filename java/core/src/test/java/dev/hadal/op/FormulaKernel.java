package dev.hadal.op;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.backend.jvm.HeapMemory;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
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
        HeapMemory memory = (HeapMemory) region.memory();
        boolean floats = region.layout().type().dtype() == DType.F32;
        int offset = (int) (region.offset() / 4);
        for (int i = 0; i < values.length; i++) {
            if (floats) {
                memory.floats()[offset + i] = (float) values[i];
            } else {
                memory.ints()[offset + i] = (int) values[i];
            }
        }
    }

    private static double[] read(Region region) {
        HeapMemory memory = (HeapMemory) region.memory();
        Type type = region.layout().type();
        double[] values = new double[type.shape().size()];
        int offset = (int) (region.offset() / 4);
        for (int i = 0; i < values.length; i++) {
            values[i] = type.dtype() == DType.F32 ? memory.floats()[offset + i] : memory.ints()[offset + i];
        }
        return values;
    }
}
