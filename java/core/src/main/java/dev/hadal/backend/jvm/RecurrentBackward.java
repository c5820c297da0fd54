package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.RecurrentKernels.tanh;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.RecurrentKernels.Parts;
import dev.hadal.backend.jvm.RecurrentKernels.Product;
import dev.hadal.graph.Type;
import dev.hadal.op.MatMul;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Recurrent.Cell;
import dev.hadal.op.Recurrent.Extent;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A recurrent layer, backwards. Step by step come da and db, the gradients of the products with the input and with the
 * state, which only a GRU has apart; all else is a product or a sum of those.
 */
final class RecurrentBackward {
    /** How many of a bias's gradients are summed up in one task. */
    private static final int COLUMNS = 64;

    private final Recurrent.Backward op;
    private final Cell cell;
    private final Extent e;
    private final int units;
    private final int gates;
    private final int keep;
    private final Machine machine;
    private final Machine sums;
    private final Product dh;
    private final Product dx;
    private final Product dInputWeights;
    private final Product dStateWeights;

    static @Nullable Kernel prepare(Recurrent.Backward op, OpTable.Job job) {
        RecurrentBackward kernel = new RecurrentBackward(op, job);
        long rows = (long) kernel.e.n() * kernel.e.t();
        long scratch = rows * kernel.gates * (kernel.cell == Cell.GRU ? 2 : 1)
                + rows * kernel.units
                + (long) kernel.e.n() * (kernel.gates + 3L * kernel.units);
        long products = 0;
        for (Product p : List.of(kernel.dh, kernel.dx, kernel.dInputWeights, kernel.dStateWeights)) {
            products = Math.max(products, p.scratch());
        }
        if (scratch + products > Integer.MAX_VALUE / 2) {
            return null;
        }
        String name = "java " + op + " (" + job.machine().simd().name() + ")";
        return new HeapKernel(name, job.in(), job.out(), kernel::bind).withScratch(scratch + products);
    }

    private RecurrentBackward(Recurrent.Backward op, OpTable.Job job) {
        this.op = op;
        cell = op.forward().cell();
        e = Extent.of(job.in().get(0).shape(), job.in().get(2).shape());
        units = e.h();
        gates = cell.gates() * units;
        keep = cell.kept() * units;
        machine = RecurrentKernels.forStep(job.machine(), e);
        int rows = e.n() * e.t();
        sums = job.machine().forWork((long) rows * gates);
        MatMul plain = new MatMul(false, false);
        MatMul transposed = new MatMul(true, false);
        dh = Product.of(plain, Type.f32(e.n(), gates), Type.f32(gates, units), job.machine());
        dx = Product.of(plain, Type.f32(rows, gates), Type.f32(gates, e.i()), job.machine());
        dInputWeights = Product.of(transposed, Type.f32(rows, gates), Type.f32(rows, e.i()), job.machine());
        dStateWeights = Product.of(transposed, Type.f32(rows, gates), Type.f32(rows, units), job.machine());
    }

    private Runnable bind(Span[] in, Span[] out, Span scratch) {
        return new Run(in, out, scratch);
    }

    private final class Run implements Runnable {
        private final @Nullable Span h0;
        private final @Nullable Span c0;
        private final @Nullable Span lengths;
        private final Span y;
        private final @Nullable Span kept;
        private final @Nullable Span dy;
        private final @Nullable Span dhLast;
        private final @Nullable Span dcLast;
        private final Span[] out;
        private final Span da;
        private final Span db;
        private final Span before;
        private final Span step;
        private final Span product;
        private final Span dState;
        private final Span dCell;
        private final Runnable multiplyStates;
        private final List<Runnable> atTheEnd;
        private final double[][] columnSums;
        private final Workers.Body body = this::row;
        private final Workers.Body sumColumns = this::sumColumns;
        private int t;

        Run(Span[] in, Span[] out, Span scratch) {
            List<String> names = op.operands();
            h0 = RecurrentKernels.named(names, in, "h0");
            c0 = RecurrentKernels.named(names, in, "c0");
            lengths = RecurrentKernels.named(names, in, "lengths");
            y = Objects.requireNonNull(RecurrentKernels.named(names, in, "y"));
            kept = RecurrentKernels.named(names, in, "kept");
            dy = RecurrentKernels.named(names, in, "dy");
            dhLast = RecurrentKernels.named(names, in, "dh");
            dcLast = RecurrentKernels.named(names, in, "dc");
            this.out = out;
            Parts parts = new Parts(scratch);
            da = parts.take(e.n(), e.t(), gates);
            db = cell == Cell.GRU ? parts.take(e.n(), e.t(), gates) : da;
            before = parts.take(e.n(), e.t(), units);
            step = parts.take(e.n(), gates);
            product = parts.take(e.n(), units);
            dState = parts.take(e.n(), units);
            dCell = parts.take(e.n(), units);
            Span rest = parts.take(0);
            multiplyStates = dh.bind(step, in[2], product, rest);
            atTheEnd = List.of(
                    dx.bind(da, in[1], out[0], rest),
                    dInputWeights.bind(da, in[0], out[1], rest),
                    dStateWeights.bind(db, before, out[2], rest));
            columnSums = sums.perLane(new double[0][], () -> new double[COLUMNS]);
        }

        @Override
        public void run() {
            RecurrentKernels.start(dState, dhLast);
            RecurrentKernels.start(dCell, dcLast);
            Arrays.fill(product.floats(), product.offset(), product.offset() + product.size(), 0);
            for (int s = e.t() - 1; s >= 0; s--) {
                t = op.forward().reverse() ? e.t() - 1 - s : s;
                machine.forEach(e.n(), body);
                multiplyStates.run();
            }
            if (op.forward().initial()) {
                for (int i = 0; i < dState.size(); i++) {
                    out[5].set(i, dState.get(i) + product.get(i));
                }
                if (cell == Cell.LSTM) {
                    RecurrentKernels.start(out[6], dCell);
                }
            }
            for (Runnable multiply : atTheEnd) {
                multiply.run();
            }
            sums.forEach(2 * Blocks.ceilDiv(gates, COLUMNS), sumColumns);
        }

        /** One sequence's step. What the product brought from the step after it is still to be added to dState. */
        private void row(int n, int lane) {
            int row = n * e.t() + t;
            int at = row * gates;
            float[] d = dState.floats();
            int dAt = dState.offset() + n * units;
            for (int j = 0; j < units; j++) {
                d[dAt + j] += product.get(n * units + j);
            }
            int hAt = before.offset() + row * units;
            if (!RecurrentKernels.within(lengths, n, t)) {
                Arrays.fill(da.floats(), da.offset() + at, da.offset() + at + gates, 0);
                Arrays.fill(db.floats(), db.offset() + at, db.offset() + at + gates, 0);
                Arrays.fill(step.floats(), step.offset() + n * gates, step.offset() + (n + 1) * gates, 0);
                Arrays.fill(before.floats(), hAt, hAt + units, 0);
                return;
            }
            int previous = op.forward().reverse() ? t + 1 : t - 1;
            boolean first = previous < 0 || previous >= e.t() || !RecurrentKernels.within(lengths, n, previous);
            state(before.floats(), hAt, first, h0, n * units, y, (n * e.t() + previous) * units);
            for (int j = 0; dy != null && j < units; j++) {
                d[dAt + j] += dy.get(row * units + j);
            }
            switch (cell) {
                case RNN_TANH, RNN_RELU -> simple(row, at, dAt);
                case LSTM -> lstm(n, row, first, (n * e.t() + previous) * keep + 4 * units, at, dAt);
                case GRU -> gru(row, hAt, at, dAt);
            }
            System.arraycopy(db.floats(), db.offset() + at, step.floats(), step.offset() + n * gates, gates);
        }

        /** The state before a step. */
        private void state(
                float[] to, int toAt, boolean first, @Nullable Span start, int startAt, Span later, int laterAt) {
            if (!first) {
                System.arraycopy(later.floats(), later.offset() + laterAt, to, toAt, units);
            } else if (start != null) {
                System.arraycopy(start.floats(), start.offset() + startAt, to, toAt, units);
            } else {
                Arrays.fill(to, toAt, toAt + units, 0);
            }
        }

        private void simple(int row, int at, int dAt) {
            float[] d = dState.floats();
            boolean relu = cell == Cell.RNN_RELU;
            for (int j = 0; j < units; j++) {
                float yj = y.get(row * units + j);
                float dj = d[dAt + j];
                da.set(at + j, relu ? (yj > 0 ? dj : 0) : dj * (1 - yj * yj));
                d[dAt + j] = 0;
            }
        }

        private void lstm(int n, int row, boolean first, int previousC, int at, int dAt) {
            Span k = Objects.requireNonNull(kept);
            float[] kv = k.floats();
            int kAt = k.offset() + row * keep;
            float[] d = dState.floats();
            float[] dc = dCell.floats();
            int dcAt = dCell.offset() + n * units;
            float[] g4 = da.floats();
            int gAt = da.offset() + at;
            for (int j = 0; j < units; j++) {
                float i = kv[kAt + j];
                float f = kv[kAt + units + j];
                float g = kv[kAt + 2 * units + j];
                float o = kv[kAt + 3 * units + j];
                float tanh = tanh(kv[kAt + 4 * units + j]);
                float c = first ? (c0 == null ? 0 : c0.get(n * units + j)) : k.get(previousC + j);
                float dh = d[dAt + j];
                float dcj = dc[dcAt + j] + dh * o * (1 - tanh * tanh);
                g4[gAt + j] = dcj * g * i * (1 - i);
                g4[gAt + units + j] = dcj * c * f * (1 - f);
                g4[gAt + 2 * units + j] = dcj * i * (1 - g * g);
                g4[gAt + 3 * units + j] = dh * tanh * o * (1 - o);
                dc[dcAt + j] = dcj * f;
                d[dAt + j] = 0;
            }
        }

        private void gru(int row, int hAt, int at, int dAt) {
            Span k = Objects.requireNonNull(kept);
            float[] kv = k.floats();
            int kAt = k.offset() + row * keep;
            float[] h = before.floats();
            float[] d = dState.floats();
            float[] a3 = da.floats();
            int aAt = da.offset() + at;
            float[] b3 = db.floats();
            int bAt = db.offset() + at;
            for (int j = 0; j < units; j++) {
                float r = kv[kAt + j];
                float z = kv[kAt + units + j];
                float g = kv[kAt + 2 * units + j];
                float q = kv[kAt + 3 * units + j];
                float dh = d[dAt + j];
                float dn = dh * (1 - z) * (1 - g * g);
                float dr = dn * q * r * (1 - r);
                float dz = dh * (h[hAt + j] - g) * z * (1 - z);
                a3[aAt + j] = dr;
                a3[aAt + units + j] = dz;
                a3[aAt + 2 * units + j] = dn;
                b3[bAt + j] = dr;
                b3[bAt + units + j] = dz;
                b3[bAt + 2 * units + j] = dn * r;
                d[dAt + j] = dh * z;
            }
        }

        /** A block of the columns of da, or of db. */
        private void sumColumns(int task, int lane) {
            Span d = task % 2 == 0 ? da : db;
            Span bias = out[3 + task % 2];
            int from = task / 2 * COLUMNS;
            int count = Math.min(COLUMNS, gates - from);
            double[] sum = columnSums[lane];
            Arrays.fill(sum, 0);
            float[] values = d.floats();
            for (int row = 0; row < e.n() * e.t(); row++) {
                int at = d.offset() + row * gates + from;
                for (int k = 0; k < count; k++) {
                    sum[k] += values[at + k];
                }
            }
            for (int k = 0; k < count; k++) {
                bias.set(from + k, (float) sum[k]);
            }
        }
    }
}
