package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import java.util.List;

/**
 * A kernel over plain Java arrays. What varies is only {@link Body}: how to turn arrays and offsets into something that
 * runs.
 *
 * @param scratch bytes of f32 scratch
 * @param inPlace the operand whose memory each result may take over, or −1
 */
record HeapKernel(String implementation, List<Type> in, List<Type> out, long scratch, List<Integer> inPlace, Body body)
        implements Kernel {

    /** Binds the arrays; operands keep their order. */
    interface Body {
        Runnable bind(Span[] in, Span[] out, Span scratch);
    }

    HeapKernel(String implementation, List<Type> in, List<Type> out, Body body) {
        this(implementation, in, out, 0, List.of(), body);
    }

    HeapKernel withScratch(long floats) {
        return new HeapKernel(implementation, in, out, 4 * floats, inPlace, body);
    }

    HeapKernel withInPlace(Integer... operands) {
        return new HeapKernel(implementation, in, out, scratch, List.of(operands), body);
    }

    @Override
    public List<Layout> inputs() {
        return Layout.plain(in);
    }

    @Override
    public List<Layout> outputs() {
        return Layout.plain(out);
    }

    @Override
    public int inPlace(int output) {
        return output < inPlace.size() ? inPlace.get(output) : -1;
    }

    @Override
    public Bound bind(List<Region> inputs, List<Region> outputs, Region scratchRegion) {
        return new Ready(body.bind(Span.of(inputs), Span.of(outputs), Span.of(scratchRegion)));
    }

    private record Ready(Runnable body) implements Bound {
        @Override
        public void run() {
            body.run();
        }
    }
}
