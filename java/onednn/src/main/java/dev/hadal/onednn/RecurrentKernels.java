package dev.hadal.onednn;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Recurrent.Cell;
import dev.hadal.op.Recurrent.Extent;
import java.util.List;
import java.util.function.IntFunction;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.jspecify.annotations.Nullable;

/**
 * Recurrent layers by libhadal, with oneDNN's matrix products. oneDNN's own recurrent primitives know neither lengths nor
 * this order of axes and gates.
 */
final class RecurrentKernels {

    static Kernel forward(Recurrent op, Request r) {
        Extent e = Extent.of(r.shape(0), r.shape(2));
        long gates = (long) op.cell().gates() * e.h();
        long scratch = Float.BYTES * gates * e.n() * (e.t() + 1L);
        return new LayerKernel(op, plain(types(r)), plain(r.results()), scratch, (b, steps) -> {
            Floats in = new Floats(op.operands(), b::input);
            Floats out = new Floats(op.results(), b::output);
            HadalNative.recurrent(
                    steps.list(),
                    Library.get().sgemm(),
                    code(op.cell()),
                    op.reverse(),
                    e.n(),
                    e.t(),
                    e.i(),
                    e.h(),
                    in.lengths(),
                    in.get("x"),
                    in.find("h0"),
                    in.find("c0"),
                    in.get("weight_ih"),
                    in.get("weight_hh"),
                    in.get("bias_ih"),
                    in.get("bias_hh"),
                    out.get("y"),
                    out.get("h"),
                    out.find("c"),
                    out.find("kept"),
                    new FloatPointer(b.scratch()));
            steps.onFault(RecurrentKernels::failed);
        });
    }

    static Kernel backward(Recurrent.Backward op, Request r) {
        Extent e = Extent.of(r.shape(0), r.shape(2));
        Cell cell = op.forward().cell();
        long rows = (long) e.n() * e.t();
        long gates = (long) cell.gates() * e.h();
        long scratch = Float.BYTES * (rows * (gates * (cell == Cell.GRU ? 2 : 1) + e.h()) + 2L * e.n() * e.h());
        return new LayerKernel(op, plain(types(r)), plain(r.results()), scratch, (b, steps) -> {
            Floats in = new Floats(op.operands(), b::input);
            Floats out = new Floats(op.results(), b::output);
            HadalNative.recurrentBackward(
                    steps.list(),
                    Library.get().sgemm(),
                    code(cell),
                    op.forward().reverse(),
                    e.n(),
                    e.t(),
                    e.i(),
                    e.h(),
                    in.lengths(),
                    in.get("x"),
                    in.find("h0"),
                    in.find("c0"),
                    in.get("weight_ih"),
                    in.get("weight_hh"),
                    in.get("y"),
                    in.find("kept"),
                    in.find("dy"),
                    in.find("dh"),
                    in.find("dc"),
                    out.get("x"),
                    out.find("h0"),
                    out.find("c0"),
                    out.get("weight_ih"),
                    out.get("weight_hh"),
                    out.get("bias_ih"),
                    out.get("bias_hh"),
                    new FloatPointer(b.scratch()));
            steps.onFault(RecurrentKernels::failed);
        });
    }

    private static IllegalStateException failed(long status) {
        return new IllegalStateException(
                "oneDNN could not multiply the states of a recurrent layer: " + Status.text((int) status));
    }

    /** As libhadal counts them. */
    private static int code(Cell cell) {
        return switch (cell) {
            case RNN_TANH -> 0;
            case RNN_RELU -> 1;
            case LSTM -> 2;
            case GRU -> 3;
        };
    }

    /** Operands or results by name. */
    private record Floats(List<String> names, IntFunction<BytePointer> values) {

        @Nullable
        FloatPointer find(String name) {
            int at = names.indexOf(name);
            return at < 0 ? null : new FloatPointer(values.apply(at));
        }

        FloatPointer get(String name) {
            return new FloatPointer(values.apply(names.indexOf(name)));
        }

        @Nullable
        IntPointer lengths() {
            int at = names.indexOf("lengths");
            return at < 0 ? null : new IntPointer(values.apply(at));
        }
    }

    private static List<Type> types(Request r) {
        return r.operands().stream().map(Operand::type).toList();
    }

    private static List<Layout> plain(List<Type> types) {
        return types.stream().map(Layout::plain).toList();
    }

    private record LayerKernel(Op op, List<Layout> inputs, List<Layout> outputs, long scratch, BoundFunctions.Body body)
            implements Kernel {
        @Override
        public String implementation() {
            return op + " gemm, hadal:" + HadalNative.isa();
        }

        @Override
        public Bound bind(List<Region> inputRegions, List<Region> outputRegions, Region scratchRegion) {
            return new BoundFunctions(new Binding(this, inputRegions, outputRegions, scratchRegion), List.of(), body);
        }
    }

    private RecurrentKernels() {}
}
