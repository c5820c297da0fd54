package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Exponential;
import dev.hadal.op.CosineLoss;
import dev.hadal.op.KlDivergence;
import dev.hadal.op.PointwiseLoss;
import dev.hadal.tensor.Shape;
import org.jspecify.annotations.Nullable;

/** Losses that hold values against values, stretch by stretch of one weight. */
final class DistanceKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(PointwiseLoss.class, (op, j) -> mean(op, op.weighted(), elements(j), j));
        table.put(
                PointwiseLoss.Backward.class,
                (op, j) -> slopes(op.forward(), op.forward().weighted(), elements(j), j));
        table.put(KlDivergence.class, (op, j) -> mean(null, op.weighted(), samples(j), j));
        table.put(KlDivergence.Backward.class, (op, j) -> slopes(null, op.weighted(), samples(j), j));
        table.put(CosineLoss.class, (op, j) -> cosine(op.weighted(), j));
        table.put(CosineLoss.Backward.class, (op, j) -> cosineBackward(op.weighted(), j));
    }

    private static int elements(OpTable.Job job) {
        return job.in().get(0).shape().size();
    }

    private static int samples(OpTable.Job job) {
        return job.in().get(0).shape().get(0);
    }

    /** What one value costs, where it takes an exponential or a logarithm. */
    private static final int WORK = 8;

    /** Σ v·f(x, t) / divisor; f of the divergence if no function is named. */
    static Kernel mean(@Nullable PointwiseLoss function, boolean weighted, int divisor, OpTable.Job job) {
        int size = elements(job);
        int perSample = size / samples(job);
        Chunks chunks = new Chunks(size);
        Machine machine = job.machine().forWork((long) WORK * size);
        return new HeapKernel("java " + text(function), job.in(), job.out(), (in, out, scratch) -> {
            double[] sums = new double[chunks.count()];
            Workers.Body body = (task, lane) -> {
                int until = chunks.start(task) + chunks.length(task);
                sums[task] = 0;
                for (int i = chunks.start(task); i < until; ) {
                    int n = (weighted ? Math.min(until, (i / perSample + 1) * perSample) : until) - i;
                    double v = weighted ? in[2].get(i / perSample) : 1;
                    sums[task] += v * sum(function, n, in[0], in[1], i);
                    i += n;
                }
            };
            return () -> {
                machine.forEach(chunks.count(), body);
                double sum = 0;
                for (double part : sums) {
                    sum += part;
                }
                out[0].set(0, (float) (sum / divisor));
            };
        });
    }

    private static String text(@Nullable PointwiseLoss function) {
        return function == null ? "kl divergence" : function.toString();
    }

    private static double sum(@Nullable PointwiseLoss op, int n, Span x, Span t, int at) {
        double sum = 0;
        if (op == null) {
            for (int i = at; i < at + n; i++) {
                double p = t.get(i);
                sum += p == 0 ? 0 : p * (Math.log(p) - x.get(i));
            }
            return sum;
        }
        float delta = op.delta();
        switch (op.function()) {
            case MSE -> {
                for (int i = at; i < at + n; i++) {
                    double d = x.get(i) - t.get(i);
                    sum += d * d;
                }
            }
            case L1 -> {
                for (int i = at; i < at + n; i++) {
                    sum += Math.abs(x.get(i) - t.get(i));
                }
            }
            case HUBER -> {
                for (int i = at; i < at + n; i++) {
                    double d = Math.abs(x.get(i) - t.get(i));
                    sum += d <= delta ? d * d / 2 : delta * (d - delta / 2.0);
                }
            }
            case BCE_WITH_LOGITS -> {
                for (int i = at; i < at + n; i++) {
                    float xi = x.get(i);
                    double e = Exponential.ofNegative(-Math.abs(xi));
                    sum += Math.max(xi, 0) - (double) xi * t.get(i) + Math.log1p(e);
                }
            }
        }
        return sum;
    }

    /** dx = f′(x, t)·v·dloss / divisor; it may lie over x. */
    static Kernel slopes(@Nullable PointwiseLoss function, boolean weighted, int divisor, OpTable.Job job) {
        int size = elements(job);
        int perSample = size / samples(job);
        Chunks chunks = new Chunks(size);
        Machine machine = job.machine().forWork((long) WORK * size);
        return new HeapKernel("java " + text(function) + " backward", job.in(), job.out(), (in, out, scratch) -> {
                    Span dloss = in[in.length - 1];
                    Workers.Body body = (task, lane) -> {
                        int until = chunks.start(task) + chunks.length(task);
                        for (int i = chunks.start(task); i < until; ) {
                            int n = (weighted ? Math.min(until, (i / perSample + 1) * perSample) : until) - i;
                            double v = weighted ? in[2].get(i / perSample) : 1;
                            slope(function, n, in[0], in[1], i, (float) (v * dloss.get(0) / divisor), out[0]);
                            i += n;
                        }
                    };
                    return () -> machine.forEach(chunks.count(), body);
                })
                .withInPlace(0);
    }

    private static void slope(@Nullable PointwiseLoss op, int n, Span x, Span t, int at, float scale, Span dx) {
        if (op == null) {
            for (int i = at; i < at + n; i++) {
                dx.set(i, -t.get(i) * scale);
            }
            return;
        }
        float delta = op.delta();
        switch (op.function()) {
            case MSE -> {
                for (int i = at; i < at + n; i++) {
                    dx.set(i, 2 * (x.get(i) - t.get(i)) * scale);
                }
            }
            case L1 -> {
                for (int i = at; i < at + n; i++) {
                    dx.set(i, Math.signum(x.get(i) - t.get(i)) * scale);
                }
            }
            case HUBER -> {
                for (int i = at; i < at + n; i++) {
                    dx.set(i, Math.max(-delta, Math.min(delta, x.get(i) - t.get(i))) * scale);
                }
            }
            case BCE_WITH_LOGITS -> {
                for (int i = at; i < at + n; i++) {
                    float e = Exponential.ofNegative(-Math.abs(x.get(i)));
                    float sigmoid = (x.get(i) >= 0 ? 1 : e) / (1 + e);
                    dx.set(i, (sigmoid - t.get(i)) * scale);
                }
            }
        }
    }

    static Kernel cosine(boolean weighted, OpTable.Job job) {
        Rows rows = Rows.of(job.in().get(0).shape());
        Machine machine = job.machine().forWork(3L * elements(job));
        return new HeapKernel("java cosine loss", job.in(), job.out(), (in, out, scratch) -> {
            double[] losses = new double[rows.count];
            Workers.Body body = (row, lane) -> {
                Cosine c = Cosine.of(in[0], in[1], row * rows.width, rows.width);
                losses[row] = rows.weight(weighted, in, row) * (1 - c.cos());
            };
            return () -> {
                machine.forEach(rows.count, body);
                double sum = 0;
                for (double loss : losses) {
                    sum += loss;
                }
                out[0].set(0, (float) (sum / rows.count));
            };
        });
    }

    static Kernel cosineBackward(boolean weighted, OpTable.Job job) {
        Rows rows = Rows.of(job.in().get(0).shape());
        Machine machine = job.machine().forWork(5L * elements(job));
        return new HeapKernel("java cosine loss backward", job.in(), job.out(), (in, out, scratch) -> {
                    Span dloss = in[in.length - 1];
                    Workers.Body body = (row, lane) -> {
                        int at = row * rows.width;
                        Cosine c = Cosine.of(in[0], in[1], at, rows.width);
                        double scale = rows.weight(weighted, in, row) * dloss.get(0) / rows.count;
                        float a = (float) (scale * c.cos() / c.m);
                        float b = (float) (scale / Math.sqrt(c.m * c.n));
                        for (int i = at; i < at + rows.width; i++) {
                            out[0].set(i, a * in[0].get(i) - b * in[1].get(i));
                        }
                    };
                    return () -> machine.forEach(rows.count, body);
                })
                .withInPlace(0);
    }

    /** [N,…,D] */
    private record Rows(int count, int perSample, int width) {
        static Rows of(Shape x) {
            int width = x.get(x.rank() - 1);
            int count = x.size() / width;
            return new Rows(count, count / x.get(0), width);
        }

        double weight(boolean weighted, Span[] in, int row) {
            return weighted ? in[2].get(row / perSample) : 1;
        }
    }

    /** Σ x·t, Σ x² + ε and Σ t² + ε of a row. */
    private record Cosine(double dot, double m, double n) {
        static Cosine of(Span x, Span t, int at, int width) {
            double dot = 0;
            double m = CosineLoss.EPSILON;
            double n = CosineLoss.EPSILON;
            for (int i = at; i < at + width; i++) {
                double xi = x.get(i);
                double ti = t.get(i);
                dot += xi * ti;
                m += xi * xi;
                n += ti * ti;
            }
            return new Cosine(dot, m, n);
        }

        double cos() {
            return dot / Math.sqrt(m * n);
        }
    }

    private DistanceKernels() {}
}
