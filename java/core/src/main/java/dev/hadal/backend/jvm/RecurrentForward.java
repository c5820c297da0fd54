package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.RecurrentKernels.sigmoid;
import static dev.hadal.backend.jvm.RecurrentKernels.tanh;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.RecurrentKernels.Parts;
import dev.hadal.backend.jvm.RecurrentKernels.Product;
import dev.hadal.graph.Type;
import dev.hadal.op.MatMul;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Recurrent.Extent;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A recurrent layer, forth. The final states are the running ones. */
final class RecurrentForward {
    private final Recurrent op;
    private final Extent e;
    private final int units;
    private final int gates;
    private final Machine machine;
    private final Product inputs;
    private final Product states;

    static @Nullable Kernel prepare(Recurrent op, OpTable.Job job) {
        RecurrentForward kernel = new RecurrentForward(op, job);
        long scratch = (long) kernel.gates * kernel.e.n() * (kernel.e.t() + 1)
                + Math.max(kernel.inputs.scratch(), kernel.states.scratch());
        if (scratch > Integer.MAX_VALUE / 2) {
            return null;
        }
        String name = "java " + op + " (" + job.machine().simd().name() + ")";
        return new HeapKernel(name, job.in(), job.out(), kernel::bind).withScratch(scratch);
    }

    private RecurrentForward(Recurrent op, OpTable.Job job) {
        this.op = op;
        e = Extent.of(job.in().get(0).shape(), job.in().get(2).shape());
        units = e.h();
        gates = op.cell().gates() * units;
        machine = RecurrentKernels.forStep(job.machine(), e);
        MatMul transposed = new MatMul(false, true);
        inputs = Product.of(transposed, Type.f32(e.n() * e.t(), e.i()), Type.f32(gates, e.i()), job.machine());
        states = Product.of(transposed, Type.f32(e.n(), units), Type.f32(gates, units), job.machine());
    }

    private Runnable bind(Span[] in, Span[] out, Span scratch) {
        return new Run(in, out, scratch);
    }

    private final class Run implements Runnable {
        private final @Nullable Span h0;
        private final @Nullable Span c0;
        private final @Nullable Span lengths;
        private final Span biasA;
        private final Span biasB;
        private final Span y;
        private final Span h;
        private final @Nullable Span c;
        private final @Nullable Span kept;
        private final Span a;
        private final Span b;
        private final Runnable multiplyInputs;
        private final Runnable multiplyStates;
        private final Workers.Body body = this::row;
        private int t;

        Run(Span[] in, Span[] out, Span scratch) {
            List<String> operands = op.operands();
            List<String> results = op.results();
            h0 = RecurrentKernels.named(operands, in, "h0");
            c0 = RecurrentKernels.named(operands, in, "c0");
            lengths = RecurrentKernels.named(operands, in, "lengths");
            biasA = in[3];
            biasB = in[4];
            y = out[0];
            h = out[1];
            c = RecurrentKernels.named(results, out, "c");
            kept = RecurrentKernels.named(results, out, "kept");
            Parts parts = new Parts(scratch);
            a = parts.take(e.n(), e.t(), gates);
            b = parts.take(e.n(), gates);
            Span rest = parts.take(0);
            multiplyInputs = inputs.bind(in[0], in[1], a, rest);
            multiplyStates = states.bind(h, in[2], b, rest);
        }

        @Override
        public void run() {
            RecurrentKernels.start(h, h0);
            if (c != null) {
                RecurrentKernels.start(c, c0);
            }
            multiplyInputs.run();
            for (int s = 0; s < e.t(); s++) {
                t = op.reverse() ? e.t() - 1 - s : s;
                multiplyStates.run();
                machine.forEach(e.n(), body);
            }
        }

        private void row(int n, int lane) {
            int row = n * e.t() + t;
            int yAt = y.offset() + row * units;
            int keep = op.cell().kept() * units;
            int keptAt = kept == null ? 0 : kept.offset() + row * keep;
            if (!RecurrentKernels.within(lengths, n, t)) {
                Arrays.fill(y.floats(), yAt, yAt + units, 0);
                if (kept != null) {
                    Arrays.fill(kept.floats(), keptAt, keptAt + keep, 0);
                }
                return;
            }
            int aAt = a.offset() + row * gates;
            int bAt = b.offset() + n * gates;
            add(a.floats(), aAt, biasA);
            add(b.floats(), bAt, biasB);
            int hAt = h.offset() + n * units;
            if (kept == null) {
                simple(aAt, bAt, hAt);
            } else if (c == null) {
                gru(aAt, bAt, hAt, kept.floats(), keptAt);
            } else {
                lstm(aAt, bAt, hAt, c.floats(), c.offset() + n * units, kept.floats(), keptAt);
            }
            System.arraycopy(h.floats(), hAt, y.floats(), yAt, units);
        }

        private void add(float[] x, int at, Span bias) {
            float[] values = bias.floats();
            int from = bias.offset();
            for (int k = 0; k < gates; k++) {
                x[at + k] += values[from + k];
            }
        }

        private void simple(int aAt, int bAt, int hAt) {
            float[] av = a.floats();
            float[] bv = b.floats();
            float[] hv = h.floats();
            boolean relu = op.cell() == Recurrent.Cell.RNN_RELU;
            for (int j = 0; j < units; j++) {
                float sum = av[aAt + j] + bv[bAt + j];
                hv[hAt + j] = relu ? Math.max(sum, 0) : tanh(sum);
            }
        }

        private void lstm(int aAt, int bAt, int hAt, float[] cv, int cAt, float[] keep, int at) {
            float[] av = a.floats();
            float[] bv = b.floats();
            float[] hv = h.floats();
            for (int j = 0; j < units; j++) {
                float i = sigmoid(av[aAt + j] + bv[bAt + j]);
                float f = sigmoid(av[aAt + units + j] + bv[bAt + units + j]);
                float g = tanh(av[aAt + 2 * units + j] + bv[bAt + 2 * units + j]);
                float o = sigmoid(av[aAt + 3 * units + j] + bv[bAt + 3 * units + j]);
                float cj = f * cv[cAt + j] + i * g;
                cv[cAt + j] = cj;
                hv[hAt + j] = o * tanh(cj);
                keep[at + j] = i;
                keep[at + units + j] = f;
                keep[at + 2 * units + j] = g;
                keep[at + 3 * units + j] = o;
                keep[at + 4 * units + j] = cj;
            }
        }

        private void gru(int aAt, int bAt, int hAt, float[] keep, int at) {
            float[] av = a.floats();
            float[] bv = b.floats();
            float[] hv = h.floats();
            for (int j = 0; j < units; j++) {
                float r = sigmoid(av[aAt + j] + bv[bAt + j]);
                float z = sigmoid(av[aAt + units + j] + bv[bAt + units + j]);
                float q = bv[bAt + 2 * units + j];
                float g = tanh(av[aAt + 2 * units + j] + r * q);
                hv[hAt + j] = (1 - z) * g + z * hv[hAt + j];
                keep[at + j] = r;
                keep[at + units + j] = z;
                keep[at + 2 * units + j] = g;
                keep[at + 3 * units + j] = q;
            }
        }
    }
}
