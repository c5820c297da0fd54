package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;
import static org.bytedeco.dnnl.global.dnnl.dnnl_reorder_primitive_desc_create;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Cast;
import dev.hadal.op.Reshape;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/** Kernels that compute nothing. */
final class CopyKernels {

    /** The values stay where they are, if the planner lets them. */
    static @Nullable Kernel reshape(Reshape op, Request r) {
        if (!r.hasOneDtype()) {
            return null;
        }
        Layout other = flattened(r);
        return other == null
                ? new Copy(Layout.plain(r.type(0)), Layout.plain(r.result(0)), 0)
                : new Copy(Objects.requireNonNull(r.layout(0)), other, 0);
    }

    /** Images become the rows of a matrix, or these images, without their channels being moved; null for all else. */
    private static @Nullable Layout flattened(Request r) {
        Shape x = r.shape(0);
        Shape y = r.result(0).shape();
        if (r.channelsLast() && y.rank() == 2 && y.get(0) == x.get(0)) {
            return OneDnnLayout.flattened(
                    r.result(0), LongStream.of(Descriptors.dims(x)).skip(1).toArray());
        }
        boolean back = OneDnnLayout.image(r.layout(0)) != null
                && Descriptors.fits(Objects.requireNonNull(r.layout(0)), Descriptors.dims(y));
        return back ? OneDnnLayout.channelsLast(r.result(0)) : null;
    }

    /** A value as it lies. */
    static @Nullable Kernel identity(Op op, Request r) {
        return !r.hasOneDtype() ? null : new Copy(r.common(), r.common(), 0);
    }

    /** From one layout to another of the same type; where two see the axes differently, by way of row-major. */
    static Kernel reorder(Layout from, Layout to) {
        if (!from.type().equals(to.type())) {
            throw new IllegalArgumentException("a reorder keeps the type: " + from.type() + ", " + to.type());
        }
        if (from.equals(to) || from.type().shape().size() == 0) {
            return new Copy(from, to, -1);
        }
        long[] dims = to instanceof OneDnnLayout l ? l.dims() : dims(from);
        boolean transposed = isTransposed(from) || isTransposed(to);
        boolean alike =
                isTransposed(from) == isTransposed(to) || from instanceof Layout.Plain || to instanceof Layout.Plain;
        if (!Descriptors.fits(from, dims) || !alike) {
            Layout plain = Layout.plain(from.type());
            return new TwoSteps(reorder(from, plain), reorder(plain, to));
        }
        try (Descriptors d = new Descriptors()) {
            dnnl_memory_desc source = described(d, from, dims, transposed);
            dnnl_memory_desc target = described(d, to, dims, transposed);
            PrimitiveDescriptor reorder = d.primitive((desc, engine, attributes) ->
                    dnnl_reorder_primitive_desc_create(desc, source, engine, target, engine, attributes));
            return new PrimitiveKernel.Builder("reorder", reorder)
                    .in(DNNL_ARG_FROM, from)
                    .out(DNNL_ARG_TO, to)
                    .build();
        }
    }

    private static boolean isTransposed(Layout layout) {
        return layout instanceof OneDnnLayout l && l.isTransposed();
    }

    /** A plain matrix may be seen with its axes exchanged. */
    private static dnnl_memory_desc described(Descriptors d, Layout layout, long[] dims, boolean transposed) {
        return transposed && layout instanceof Layout.Plain
                ? d.strided(layout.type().dtype(), dims, new long[] {1, dims[0]})
                : d.of(layout, dims);
    }

    /** Between f32 and bf16, as the value lies. */
    static @Nullable Kernel cast(Cast op, Request r) {
        Casting casting = Casting.of(r);
        if (casting == null) {
            return null;
        }
        long count = r.shape(0).size();
        dnnl_memory_desc source = r.descriptors().plain(r.type(0).dtype(), count);
        dnnl_memory_desc target = r.descriptors().plain(op.dtype(), count);
        PrimitiveDescriptor reorder = r.descriptors()
                .primitive((desc, engine, attributes) ->
                        dnnl_reorder_primitive_desc_create(desc, source, engine, target, engine, attributes));
        return new PrimitiveKernel.Builder(op, reorder)
                .in(DNNL_ARG_FROM, casting.from())
                .out(DNNL_ARG_TO, casting.to())
                .build();
    }

    private static long[] dims(Layout layout) {
        return layout instanceof OneDnnLayout l
                ? l.dims()
                : Descriptors.dims(layout.type().shape());
    }

    /** Results that are sums over nothing. */
    static Kernel zeros(List<Type> operands, List<Type> results) {
        return new Zeros(
                operands.stream().map(Layout::plain).toList(),
                results.stream().map(Layout::plain).toList());
    }

    /** The same bytes elsewhere, or where they are. */
    private record Copy(Layout from, Layout to, int operand) implements Kernel {
        @Override
        public List<Layout> inputs() {
            return List.of(from);
        }

        @Override
        public List<Layout> outputs() {
            return List.of(to);
        }

        @Override
        public int inPlace(int output) {
            return operand;
        }

        @Override
        public String implementation() {
            return "memcpy";
        }

        @Override
        public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
            Binding binding = new Binding(this, inputs, outputs, scratch);
            return new BoundBytes(
                    binding, List.of(new BoundBytes.Move(binding.input(0), binding.output(0), from.bytes())));
        }
    }

    private record Zeros(List<Layout> inputs, List<Layout> outputs) implements Kernel {
        @Override
        public String implementation() {
            return "memset";
        }

        @Override
        public Bound bind(List<Region> inputRegions, List<Region> outputRegions, Region scratch) {
            Binding binding = new Binding(this, inputRegions, outputRegions, scratch);
            return new BoundBytes(
                    binding,
                    IntStream.range(0, outputs.size())
                            .mapToObj(i -> new BoundBytes.Move(
                                    null, binding.output(i), outputs.get(i).bytes()))
                            .toList());
        }
    }

    /** The result of the first lies in the scratch memory, before the scratch that both share. */
    private record TwoSteps(Kernel first, Kernel second) implements Kernel {
        private static final int ALIGNMENT = 64;

        private long between() {
            return (first.outputs().get(0).bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }

        @Override
        public List<Layout> inputs() {
            return first.inputs();
        }

        @Override
        public List<Layout> outputs() {
            return second.outputs();
        }

        @Override
        public long scratch() {
            return between() + Math.max(first.scratch(), second.scratch());
        }

        @Override
        public String implementation() {
            return first.implementation() + ", " + second.implementation();
        }

        @Override
        public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
            Region middle = new Region(
                    scratch.memory(), scratch.offset(), first.outputs().get(0));
            Type rest = Type.f32(Math.toIntExact((scratch.layout().bytes() - between()) / Float.BYTES));
            Region shared = new Region(scratch.memory(), scratch.offset() + between(), Layout.plain(rest));
            Steps.Recorded one = (Steps.Recorded) first.bind(inputs, List.of(middle), shared);
            Steps.Recorded two = (Steps.Recorded) second.bind(List.of(middle), outputs, shared);
            return new InOrder(List.of(one, two));
        }

        @Override
        public void close() {
            first.close();
            second.close();
        }
    }

    private CopyKernels() {}
}
