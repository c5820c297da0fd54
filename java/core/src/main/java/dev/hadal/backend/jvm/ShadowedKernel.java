package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.op.Shadowed;
import dev.hadal.tensor.Bf16;
import java.util.List;

/** A rule's update in one pass, which also rounds the new weights to their shadow, chunk by chunk. */
record ShadowedKernel(Shadowed op, List<Type> in, List<Type> out, Machine machine) implements Kernel {

    @Override
    public List<Layout> inputs() {
        return in.stream().map(Layout::plain).toList();
    }

    @Override
    public List<Layout> outputs() {
        return out.stream().map(Layout::plain).toList();
    }

    @Override
    public int inPlace(int output) {
        return output == out.size() - 1 ? in.size() - 1 : UpdateKernels.inPlace(out.size() - 1)[output];
    }

    @Override
    public String implementation() {
        return "java " + op.name();
    }

    @Override
    public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
        Region before = inputs.get(in.size() - 1);
        Region shadow = outputs.get(out.size() - 1);
        Span[] y = spans(outputs);
        short[] bits = ((HeapMemory) shadow.memory()).bf16();
        int bitsAt = (int) (shadow.offset() / Short.BYTES);
        float[] w = y[0].floats();
        int wAt = y[0].offset();
        Runnable update = UpdateKernels.bind(
                op.rule(), spans(inputs), y, machine, (at, n) -> Bf16.narrow(n, w, wAt + at, bits, bitsAt + at));
        short[] bitsBefore = ((HeapMemory) before.memory()).bf16();
        int beforeAt = (int) (before.offset() / Short.BYTES);
        int size = before.layout().type().shape().size();
        boolean elsewhere = bits != bitsBefore || bitsAt != beforeAt;
        return () -> {
            if (elsewhere) {
                System.arraycopy(bitsBefore, beforeAt, bits, bitsAt, size);
            }
            update.run();
        };
    }

    /** Of all but the shadow, which is the last. */
    private static Span[] spans(List<Region> regions) {
        return regions.subList(0, regions.size() - 1).stream().map(Span::of).toArray(Span[]::new);
    }
}
