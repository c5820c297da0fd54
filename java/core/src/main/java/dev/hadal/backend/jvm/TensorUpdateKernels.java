package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.op.ClipGradient;
import dev.hadal.op.Hyper;
import dev.hadal.op.Lamb;
import dev.hadal.op.MovingAverage;
import dev.hadal.op.Muon;

/** What optimizers do with whole tensors. Sums over chunks are kept in double precision and added up in order. */
final class TensorUpdateKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Lamb.class, TensorUpdateKernels::lamb);
        table.put(Muon.Direction.class, TensorUpdateKernels::direction);
        table.put(Muon.Apply.class, TensorUpdateKernels::apply);
        table.put(ClipGradient.class, TensorUpdateKernels::clip);
        table.put(MovingAverage.class, TensorUpdateKernels::average);
    }

    /** The run-time scalars of one step. */
    private record Scalars(float rate, float decay, float c1, float c2, float clip, float value, float l2) {
        static Scalars of(Span norm, Span hyper) {
            return new Scalars(
                    hyper.get(Hyper.RATE),
                    hyper.get(Hyper.DECAY),
                    hyper.get(Hyper.CORRECTION1),
                    hyper.get(Hyper.CORRECTION2),
                    Hyper.clipFactor(norm.get(0), hyper.get(Hyper.CLIP)),
                    hyper.get(Hyper.CLIP_VALUE),
                    hyper.get(Hyper.L2));
        }

        float d(float w, float g) {
            return Math.max(-value, Math.min(value, g * clip)) + l2 * w;
        }
    }

    private static double sum(double[] parts) {
        double sum = 0;
        for (double p : parts) {
            sum += p;
        }
        return sum;
    }

    private static Kernel lamb(Lamb op, OpTable.Job job) {
        Chunks chunks = new Chunks(job.in().get(0).shape().size());
        Machine machine = job.machine().forWork(8L * job.in().get(0).shape().size());
        float beta1 = op.beta1();
        float beta2 = op.beta2();
        return new HeapKernel("java lamb", job.in(), job.out(), (x, y, scratch) -> {
                    double[] ofW = new double[chunks.count()];
                    double[] ofR = new double[chunks.count()];
                    return () -> {
                        boolean finite = Float.isFinite(x[4].get(0));
                        Scalars s = Scalars.of(x[4], x[5]);
                        machine.forEach(chunks.count(), (task, lane) -> {
                            double w2 = 0;
                            double r2 = 0;
                            int end = chunks.start(task) + chunks.length(task);
                            for (int i = chunks.start(task); i < end; i++) {
                                float w = x[0].get(i);
                                float m = x[2].get(i);
                                float v = x[3].get(i);
                                if (finite) {
                                    float d = s.d(w, x[1].get(i));
                                    m = beta1 * m + (1 - beta1) * d;
                                    v = beta2 * v + (1 - beta2) * (d * d);
                                }
                                y[1].set(i, m);
                                y[2].set(i, v);
                                double r = r(op, s, w, m, v);
                                w2 += (double) w * w;
                                r2 += r * r;
                            }
                            ofW[task] = w2;
                            ofR[task] = r2;
                        });
                        double lengthW = Math.sqrt(sum(ofW));
                        double lengthR = Math.sqrt(sum(ofR));
                        double phi = lengthW > 0 && lengthR > 0 ? lengthW / lengthR : 1;
                        float eta = finite ? (float) (s.rate * phi) : 0;
                        machine.forEach(chunks.count(), (task, lane) -> {
                            int end = chunks.start(task) + chunks.length(task);
                            for (int i = chunks.start(task); i < end; i++) {
                                float w = x[0].get(i);
                                y[0].set(i, finite ? w - eta * r(op, s, w, y[1].get(i), y[2].get(i)) : w);
                            }
                        });
                    };
                })
                .withInPlace(0, 2, 3);
    }

    /** r = m̂ / (√v̂ + ε) + λ·w */
    private static float r(Lamb op, Scalars s, float w, float m, float v) {
        return s.c1 * m / ((float) Math.sqrt(s.c2 * v) + op.epsilon()) + s.decay * w;
    }

    private static Kernel direction(Muon.Direction op, OpTable.Job job) {
        Chunks chunks = new Chunks(job.in().get(0).shape().size());
        Machine machine = job.machine().forWork(4L * job.in().get(0).shape().size());
        float mu = op.momentum();
        return new HeapKernel("java muon_direction", job.in(), job.out(), (x, y, scratch) -> {
                    double[] squares = new double[chunks.count()];
                    return () -> {
                        boolean finite = Float.isFinite(x[3].get(0));
                        Scalars s = Scalars.of(x[3], x[4]);
                        machine.forEach(chunks.count(), (task, lane) -> {
                            double sum = 0;
                            int end = chunks.start(task) + chunks.length(task);
                            for (int i = chunks.start(task); i < end; i++) {
                                float m = x[2].get(i);
                                float u = 0;
                                if (finite) {
                                    float d = s.d(x[0].get(i), x[1].get(i));
                                    m = mu * m + d;
                                    u = op.nesterov() ? d + mu * m : m;
                                }
                                y[0].set(i, m);
                                y[1].set(i, u);
                                sum += (double) u * u;
                            }
                            squares[task] = sum;
                        });
                        float factor = (float) (1 / (Math.sqrt(sum(squares)) + 1e-7));
                        machine.forEach(chunks.count(), (task, lane) -> {
                            int end = chunks.start(task) + chunks.length(task);
                            for (int i = chunks.start(task); i < end; i++) {
                                y[1].set(i, y[1].get(i) * factor);
                            }
                        });
                    };
                })
                .withInPlace(2, -1);
    }

    private static Kernel apply(Muon.Apply op, OpTable.Job job) {
        Chunks chunks = new Chunks(job.in().get(0).shape().size());
        Machine machine = job.machine().forWork(job.in().get(0).shape().size());
        float scale = op.scale();
        return new HeapKernel("java muon_apply", job.in(), job.out(), (x, y, scratch) -> {
                    Workers.Body body = (task, lane) -> {
                        boolean finite = Float.isFinite(x[2].get(0));
                        float rate = x[3].get(Hyper.RATE);
                        float decay = x[3].get(Hyper.DECAY);
                        int end = chunks.start(task) + chunks.length(task);
                        for (int i = chunks.start(task); i < end; i++) {
                            float w = x[0].get(i);
                            y[0].set(i, finite ? w - rate * (scale * x[1].get(i) + decay * w) : w);
                        }
                    };
                    return () -> machine.forEach(chunks.count(), body);
                })
                .withInPlace(0);
    }

    private static Kernel clip(ClipGradient op, OpTable.Job job) {
        int size = job.in().get(0).shape().size();
        int units = size == 0 ? 0 : op.units(job.in().get(0).shape());
        int unit = units == 0 ? 0 : size / units;
        Machine machine = job.machine().forWork(3L * size);
        return new HeapKernel("java clip_gradient", job.in(), job.out(), (x, y, scratch) -> {
                    Workers.Body body = (task, lane) -> {
                        int from = task * unit;
                        double g = Math.sqrt(squares(x[1], from, from + unit));
                        double factor = Math.min(1, op.limit() / (g + 1e-6));
                        if (op.adaptive()) {
                            double w = Math.sqrt(squares(x[0], from, from + unit));
                            double limit = op.limit() * Math.max(w, 1e-3);
                            factor = g > limit ? limit / g : 1;
                        }
                        for (int i = from; i < from + unit; i++) {
                            y[0].set(i, x[1].get(i) * (float) factor);
                        }
                    };
                    return () -> machine.forEach(units, body);
                })
                .withInPlace(1);
    }

    private static double squares(Span x, int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += (double) x.get(i) * x.get(i);
        }
        return sum;
    }

    private static Kernel average(MovingAverage op, OpTable.Job job) {
        Chunks chunks = new Chunks(job.in().get(0).shape().size());
        Machine machine = job.machine().forWork(job.in().get(0).shape().size());
        float beta = op.beta();
        return new HeapKernel("java moving_average", job.in(), job.out(), (x, y, scratch) -> {
                    Workers.Body body = (task, lane) -> {
                        boolean finite = Float.isFinite(x[2].get(0));
                        int end = chunks.start(task) + chunks.length(task);
                        for (int i = chunks.start(task); i < end; i++) {
                            float e = x[0].get(i);
                            y[0].set(i, finite ? beta * e + (1 - beta) * x[1].get(i) : e);
                        }
                    };
                    return () -> machine.forEach(chunks.count(), body);
                })
                .withInPlace(0);
    }

    private TensorUpdateKernels() {}
}
