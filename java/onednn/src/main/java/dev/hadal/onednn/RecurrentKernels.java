package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_sgemm;

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
import java.util.stream.IntStream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * Recurrent layers: oneDNN's matrix products, those with the input in one for all steps, and libhadal's cells between
 * them. oneDNN's own recurrent primitives know neither lengths nor this order of axes and gates.
 */
final class RecurrentKernels {

    static Kernel forward(Recurrent op, Request r) {
        Extent e = Extent.of(r.shape(0), r.shape(2));
        long gates = (long) op.cell().gates() * e.h();
        long scratch = Float.BYTES * gates * e.n() * (e.t() + 1L);
        return new StepKernel(op, plain(types(r)), plain(r.results()), scratch, b -> forward(op, e, b));
    }

    private static Runnable forward(Recurrent op, Extent e, Binding binding) {
        Floats in = new Floats(op.operands(), binding::input);
        Floats out = new Floats(op.results(), binding::output);
        int rows = e.n() * e.t();
        int gates = op.cell().gates() * e.h();
        FloatPointer a = new FloatPointer(binding.scratch());
        FloatPointer b = a.getPointer((long) rows * gates);
        FloatPointer h = out.get("h");
        FloatPointer c = out.find("c");
        FloatPointer y = out.get("y");
        FloatPointer kept = out.find("kept");
        FloatPointer biasA = in.get("bias_ih");
        FloatPointer biasB = in.get("bias_hh");
        IntPointer lengths = in.lengths();
        Product inputs = new Product(false, true, rows, gates, e.i(), in.get("x"), e.i(), in.get("weight_ih"), 0, a);
        Product states = new Product(false, true, e.n(), gates, e.h(), h, e.h(), in.get("weight_hh"), 0, b);
        Runnable startH = start(h, in.find("h0"), e);
        Runnable startC = c == null ? () -> {} : start(c, in.find("c0"), e);
        int cell = code(op.cell());
        return () -> {
            startH.run();
            startC.run();
            inputs.run();
            for (int s = 0; s < e.t(); s++) {
                int t = op.reverse() ? e.t() - 1 - s : s;
                states.run();
                HadalNative.recurrentStep(cell, e.n(), e.t(), e.h(), t, lengths, a, b, biasA, biasB, h, c, y, kept);
            }
        };
    }

    static Kernel backward(Recurrent.Backward op, Request r) {
        Extent e = Extent.of(r.shape(0), r.shape(2));
        Cell cell = op.forward().cell();
        long rows = (long) e.n() * e.t();
        long gates = (long) cell.gates() * e.h();
        long scratch = Float.BYTES * (rows * (gates * (cell == Cell.GRU ? 2 : 1) + e.h()) + 2L * e.n() * e.h());
        return new StepKernel(op, plain(types(r)), plain(r.results()), scratch, b -> backward(op, e, b));
    }

    private static Runnable backward(Recurrent.Backward op, Extent e, Binding binding) {
        Floats in = new Floats(op.operands(), binding::input);
        Floats out = new Floats(op.results(), binding::output);
        Cell cell = op.forward().cell();
        int rows = e.n() * e.t();
        int gates = cell.gates() * e.h();
        FloatPointer da = new FloatPointer(binding.scratch());
        FloatPointer db = cell == Cell.GRU ? da.getPointer((long) rows * gates) : null;
        FloatPointer dState = db == null ? da : db;
        FloatPointer before = dState.getPointer((long) rows * gates);
        FloatPointer dh = before.getPointer((long) rows * e.h());
        FloatPointer dc = cell == Cell.LSTM ? dh.getPointer((long) e.n() * e.h()) : null;
        FloatPointer weights = in.get("weight_hh");
        Product[] states = IntStream.range(0, e.t())
                .mapToObj(t -> new Product(
                        false,
                        false,
                        e.n(),
                        e.h(),
                        gates,
                        dState.getPointer((long) t * gates),
                        (long) e.t() * gates,
                        weights,
                        1,
                        dh))
                .toArray(Product[]::new);
        Product dx = new Product(false, false, rows, e.i(), gates, da, gates, in.get("weight_ih"), 0, out.get("x"));
        Product dInputWeights =
                new Product(true, false, gates, e.i(), rows, da, gates, in.get("x"), 0, out.get("weight_ih"));
        Product dStateWeights =
                new Product(true, false, gates, e.h(), rows, dState, gates, before, 0, out.get("weight_hh"));
        Runnable startH = start(dh, in.find("dh"), e);
        Runnable startC = dc == null ? () -> {} : start(dc, in.find("dc"), e);
        FloatPointer h0 = in.find("h0");
        FloatPointer c0 = in.find("c0");
        FloatPointer kept = in.find("kept");
        FloatPointer y = in.get("y");
        FloatPointer dy = in.find("dy");
        IntPointer lengths = in.lengths();
        FloatPointer dh0 = out.find("h0");
        FloatPointer dc0 = out.find("c0");
        FloatPointer dBiasA = out.get("bias_ih");
        FloatPointer dBiasB = out.get("bias_hh");
        int code = code(cell);
        int back = op.forward().reverse() ? 1 : -1;
        return () -> {
            startH.run();
            startC.run();
            for (int s = e.t() - 1; s >= 0; s--) {
                int t = op.forward().reverse() ? e.t() - 1 - s : s;
                HadalNative.recurrentStepBackward(
                        code, e.n(), e.t(), e.h(), t, t + back, lengths, y, h0, c0, kept, dy, dh, dc, da, db, before);
                states[t].run();
            }
            dx.run();
            dInputWeights.run();
            dStateWeights.run();
            HadalNative.columnSums(da, rows, gates, dBiasA);
            HadalNative.columnSums(dState, rows, gates, dBiasB);
            copy(dh, dh0, e);
            copy(dc, dc0, e);
        };
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

    /** Sets a state to its operand, or to zero. */
    private static Runnable start(FloatPointer state, @Nullable FloatPointer from, Extent e) {
        long bytes = (long) Float.BYTES * e.n() * e.h();
        return from == null ? () -> Pointer.memset(state, 0, bytes) : () -> Pointer.memcpy(state, from, bytes);
    }

    private static void copy(@Nullable FloatPointer from, @Nullable FloatPointer to, Extent e) {
        if (from != null && to != null) {
            Pointer.memcpy(to, from, (long) Float.BYTES * e.n() * e.h());
        }
    }

    /**
     * c = a·b + β·c for a: [m,k] and b: [k,n], either stored transposed; all but a are dense.
     *
     * @param stride from row to row of a as it is stored
     */
    private record Product(
            boolean transposeA,
            boolean transposeB,
            long m,
            long n,
            long k,
            FloatPointer a,
            long stride,
            FloatPointer b,
            float beta,
            FloatPointer c) {
        void run() {
            int status = dnnl_sgemm(
                    (byte) (transposeA ? 'T' : 'N'),
                    (byte) (transposeB ? 'T' : 'N'),
                    m,
                    n,
                    k,
                    1,
                    a,
                    stride,
                    b,
                    transposeB ? k : n,
                    beta,
                    c,
                    n);
            Status.check(status, "multiplying the states of a recurrent layer");
        }
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

    private interface Body {
        Runnable bind(Binding binding);
    }

    private record StepKernel(Op op, List<Layout> inputs, List<Layout> outputs, long scratch, Body body)
            implements Kernel {
        @Override
        public String implementation() {
            return op + " gemm, hadal:" + HadalNative.isa();
        }

        @Override
        public Bound bind(List<Region> inputRegions, List<Region> outputRegions, Region scratchRegion) {
            Binding binding = new Binding(this, inputRegions, outputRegions, scratchRegion);
            return binding.bound(body.bind(binding));
        }
    }

    private RecurrentKernels() {}
}
