package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.Reference;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Window.Axis;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What an honest kernel makes of each op that rounds to f32 after every operation and adds up in plain order:
 * no better than that, and no worse. The errors of this backend are what bounds are held against, lest they
 * grow loose.
 */
final class NaiveLoops {

    static Backend backend() {
        return new Stand("naive f32", NaiveLoops::kernel);
    }

    private static Kernel kernel(Op op, List<Type> in, List<Type> out) {
        if (op instanceof Dropout.Training d) {
            return new FormulaKernel("naive", in, out, dropout(d));
        }
        if (Mixed.inner(op) instanceof Fused chain) {
            List<Type> wide = in.stream().map(Mixed::widened).toList();
            return new FormulaKernel("naive", in, out, (x, y) -> chained(chain, wide, x, y));
        }
        Loops loops = loops(op, in, out);
        return new FormulaKernel(loops == null ? "reference" : "naive", in, out, formula(op, in, out, loops));
    }

    private static Formula formula(Op op, List<Type> in, List<Type> out, @Nullable Loops loops) {
        return loops == null ? Reference.formula(op, in, out).orElseThrow() : loops::runNarrow;
    }

    /** One op after the other. */
    private static void chained(Fused chain, List<Type> in, double[][] x, double[][] y) {
        record Typed(Type type, double[] values) {}
        List<Typed> operands = new ArrayList<>();
        for (int i = 0; i < x.length; i++) {
            operands.add(new Typed(in.get(i), x[i]));
        }
        List<Typed> results = chain.through(operands, (op, taken) -> {
            List<Type> types = taken.stream().map(Typed::type).toList();
            List<Type> out = op.infer(types);
            double[][] values =
                    out.stream().map(t -> new double[t.shape().size()]).toArray(double[][]::new);
            formula(op, types, out, loops(op, types, out))
                    .run(taken.stream().map(Typed::values).toArray(double[][]::new), values);
            return IntStream.range(0, values.length)
                    .mapToObj(i -> new Typed(out.get(i), values[i]))
                    .toList();
        });
        for (int i = 0; i < y.length; i++) {
            y[i] = results.get(i).values();
        }
    }

    /** Loops over f32 arrays. */
    interface Loops {
        void run(float[][] x, float[][] y);

        default void runNarrow(double[][] in, double[][] out) {
            float[][] x = new float[in.length][];
            for (int k = 0; k < in.length; k++) {
                x[k] = new float[in[k].length];
                for (int i = 0; i < x[k].length; i++) {
                    x[k][i] = (float) in[k][i];
                }
            }
            float[][] y = new float[out.length][];
            for (int k = 0; k < out.length; k++) {
                y[k] = new float[out[k].length];
            }
            run(x, y);
            for (int k = 0; k < out.length; k++) {
                for (int i = 0; i < y[k].length; i++) {
                    out[k][i] = y[k][i];
                }
            }
        }
    }

    private static @Nullable Loops loops(Op op, List<Type> in, List<Type> out) {
        if (in.isEmpty()) {
            return null;
        }
        Shape x = in.get(0).shape();
        if (op instanceof MatMul matmul) {
            return matmul(matmul, x, in.get(1).shape());
        } else if (op instanceof SparseMatMul product) {
            return sparse(product.geometry(x, in.get(1).shape()));
        } else if (op instanceof Convolution c) {
            return convolution(c, x, in.get(1).shape(), out.get(0).shape(), 0, 1, 2);
        } else if (op instanceof ConvolutionTranspose c) {
            return convolution(c.convolution(), out.get(0).shape(), in.get(1).shape(), x, 2, 1, 0);
        } else if (op instanceof Convolution.BackwardData c) {
            return convolution(c.forward(), c.x(), in.get(1).shape(), x, 2, 1, 0);
        } else if (op instanceof Convolution.BackwardWeights c) {
            return convolution(c.forward(), x, c.w(), in.get(1).shape(), 0, 2, 1);
        } else if (op instanceof WeightedSum sum) {
            return weightedSum(sum);
        } else if (op instanceof PointwiseLoss loss) {
            return mean(x.size(), loss.weighted(), (a, b) -> term(loss, a, b));
        } else if (op instanceof PointwiseLoss.Backward loss) {
            return slopes(x.size(), loss.forward().weighted(), (a, b) -> slope(loss.forward(), a, b));
        } else if (op instanceof KlDivergence loss) {
            return mean(x.get(0), loss.weighted(), (a, b) -> b == 0 ? 0 : b * ((float) Math.log(b) - a));
        } else if (op instanceof KlDivergence.Backward loss) {
            return slopes(x.get(0), loss.weighted(), (a, b) -> -b);
        } else if (op instanceof CosineLoss loss) {
            return cosine(loss.weighted(), x.get(x.rank() - 1), false);
        } else if (op instanceof CosineLoss.Backward loss) {
            return cosine(loss.weighted(), x.get(x.rank() - 1), true);
        } else if (op instanceof LayerNorm norm) {
            int width = x.sizeFrom(x.rank() - norm.axes());
            return groupNorm(width, width, 1, true, norm.epsilon());
        } else if (op instanceof LayerNorm.Backward norm) {
            int width = x.sizeFrom(x.rank() - norm.axes());
            return groupNormBackward(width, width, 1, true, norm.epsilon());
        } else if (op instanceof RmsNorm norm) {
            int width = x.sizeFrom(x.rank() - norm.axes());
            return groupNorm(width, width, 1, false, norm.epsilon());
        } else if (op instanceof RmsNorm.Backward norm) {
            int width = x.sizeFrom(x.rank() - norm.axes());
            return groupNormBackward(width, width, 1, false, norm.epsilon());
        } else if (op instanceof GroupNorm norm) {
            return groupNorm(x.sizeFrom(1) / norm.groups(), x.get(1), x.sizeFrom(2), true, norm.epsilon());
        } else if (op instanceof GroupNorm.Backward norm) {
            return groupNormBackward(x.sizeFrom(1) / norm.groups(), x.get(1), x.sizeFrom(2), true, norm.epsilon());
        } else if (op instanceof Softmax softmax) {
            return softmax(x, softmax.axis(), softmax.log());
        } else if (op instanceof Softmax.Backward softmax) {
            return softmaxBackward(
                    x, softmax.forward().axis(), softmax.forward().log());
        } else if (op instanceof Bias.Backward) {
            return (in1, out1) -> sumPerChannel(x, in1[0], out1[0]);
        } else if (op instanceof Activation f) {
            return activation(f);
        } else if (op instanceof Activation.Backward f) {
            return activationBackward(f);
        } else if (op instanceof GlobalAveragePool) {
            return pool(x.sizeFrom(2));
        } else if (op instanceof GlobalAveragePool.Backward b) {
            return poolBackward(b.x().sizeFrom(2));
        } else if (op instanceof Pooling p && p.function() != Pooling.Function.MAX) {
            return averages(p, x, false);
        } else if (op instanceof Pooling.AverageBackward b) {
            return averages(b.forward(), b.x(), true);
        } else if (op instanceof Pooling.MaxBackward b) {
            return maxBackward(b.x().sizeFrom(2), x.sizeFrom(2));
        } else if (op instanceof BatchNorm bn) {
            return normInference(bn, x);
        } else if (op instanceof BatchNorm.Training bn) {
            return normTraining(bn, x);
        } else if (op instanceof BatchNorm.Backward bn) {
            return normBackward(bn, x);
        } else if (op instanceof Resize r) {
            return resize(r, x, out.get(0).shape(), false);
        } else if (op instanceof Resize.Backward r) {
            return resize(r.forward(), r.x(), x, true);
        } else if (op instanceof Recurrent r) {
            return NaiveRecurrence.forward(r, Recurrent.Extent.of(x, in.get(2).shape()));
        } else if (op instanceof Recurrent.Backward r) {
            return NaiveRecurrence.backward(r, Recurrent.Extent.of(x, in.get(2).shape()));
        } else if (op instanceof Expand.Backward b) {
            return broadcastSum(b.x(), x);
        } else if (op instanceof Reduce r
                && (r.function() == Reduce.Function.SUM || r.function() == Reduce.Function.MEAN)) {
            return reduce(r, x);
        } else if (op instanceof CrossEntropy ce) {
            return crossEntropy(ce, x);
        } else if (op instanceof CrossEntropy.Backward ce) {
            return crossEntropyBackward(ce.forward(), x);
        } else if (op instanceof UpdateOp update && UpdateRules.ELEMENTWISE.contains(update)) {
            return update(update);
        }
        return null;
    }

    // ---- products ----

    private static Loops matmul(MatMul op, Shape a, Shape b) {
        int m = op.m(a);
        int k = op.k(a);
        int n = op.n(b);
        int[] itemsOfA = MatMul.items(a, op.batch(a, b));
        int[] itemsOfB = MatMul.items(b, op.batch(a, b));
        return (x, y) -> {
            for (int row = 0; row < itemsOfA.length * m; row++) {
                int i = row % m;
                int aAt = itemsOfA[row / m] * m * k;
                int bAt = itemsOfB[row / m] * k * n;
                for (int j = 0; j < n; j++) {
                    for (int l = 0; l < k; l++) {
                        float left = x[0][aAt + (op.transposeA() ? l * m + i : i * k + l)];
                        y[0][row * n + j] += left * x[1][bAt + (op.transposeB() ? j * k + l : l * n + j)];
                    }
                }
            }
        };
    }

    private static Loops sparse(SparseMatMul.Geometry g) {
        return (x, y) -> {
            for (int n = 0; n < g.rows(); n++) {
                for (int o = 0; o < g.out(); o++) {
                    int row = o / g.height();
                    for (int b = (int) x[3][row]; b < x[3][row + 1]; b++) {
                        float factor = x[0][n * g.in() + (int) x[2][b]];
                        y[0][n * g.out() + o] += factor * x[1][b * g.height() + o % g.height()];
                    }
                }
            }
        };
    }

    private static Loops broadcastSum(Shape x, Shape dy) {
        int[] sources = Broadcast.sources(x.dims(), dy.dims());
        return (in, out) -> {
            for (int i = 0; i < sources.length; i++) {
                out[0][sources[i]] += in[0][i];
            }
        };
    }

    private static Loops reduce(Reduce op, Shape x) {
        Loops sum = broadcastSum(op.kept(x), x);
        return (in, out) -> {
            sum.run(in, out);
            if (op.function() == Reduce.Function.MEAN) {
                divide(out[0], (float) in[0].length / out[0].length);
            }
        };
    }

    /** With s and the distance from it in f32, too. */
    private static Loops resize(Resize op, Shape x, Shape y, boolean backward) {
        Resize.Tap[] rows = op.taps(x.get(2), y.get(2));
        Resize.Tap[] columns = op.taps(x.get(3), y.get(3));
        return (in, out) -> {
            for (int to = 0; to < y.size(); to++) {
                int i = to / columns.length % rows.length;
                int j = to % columns.length;
                for (int corner = 0; corner < 4; corner++) {
                    boolean down = corner > 1;
                    boolean right = corner % 2 == 1;
                    int row = down ? rows[i].upper() : rows[i].lower();
                    int column = right ? columns[j].upper() : columns[j].lower();
                    float r = narrowDistance(op, rows[i], i, x.get(2), y.get(2));
                    float c = narrowDistance(op, columns[j], j, x.get(3), y.get(3));
                    float weight = (down ? r : 1 - r) * (right ? c : 1 - c);
                    int from = (to / (rows.length * columns.length) * x.get(2) + row) * x.get(3) + column;
                    if (backward) {
                        out[0][from] += weight * in[0][to];
                    } else {
                        out[0][to] += weight * in[0][from];
                    }
                }
            }
        };
    }

    private static float narrowDistance(Resize op, Resize.Tap tap, int i, int from, int to) {
        float s = Math.max((i + 0.5f) * from / to - 0.5f, 0);
        return op.mode() == Resize.Mode.NEAREST || tap.upper() == tap.lower() ? 0 : s - tap.lower();
    }

    /** The roles say where x, w and y of the forward convolution are: operand 0, operand 1, or 2 for the result. */
    private static Loops convolution(Convolution op, Shape x, Shape w, Shape y, int roleOfX, int roleOfW, int roleOfY) {
        Axis height = op.window().height();
        Axis width = op.window().width();
        int outPerGroup = w.get(0) / op.groups();
        return (in, out) -> {
            for (int oc = 0; oc < y.get(0) * y.get(1); oc++) {
                int n = oc / y.get(1);
                int o = oc % y.get(1);
                for (int place = 0; place < y.sizeFrom(2); place++) {
                    for (int tap = 0; tap < w.sizeFrom(1); tap++) {
                        int c = o / outPerGroup * w.get(1) + tap / w.sizeFrom(2);
                        int ih = height.in(place / y.get(3), tap / w.get(3) % w.get(2));
                        int iw = width.in(place % y.get(3), tap % w.get(3));
                        if (ih >= 0 && ih < x.get(2) && iw >= 0 && iw < x.get(3)) {
                            int[] at = new int[3];
                            at[roleOfX] = ((n * x.get(1) + c) * x.get(2) + ih) * x.get(3) + iw;
                            at[roleOfW] = o * w.sizeFrom(1) + tap;
                            at[roleOfY] = oc * y.sizeFrom(2) + place;
                            out[0][at[2]] += in[0][at[0]] * in[1][at[1]];
                        }
                    }
                }
            }
        };
    }

    // ---- elementwise ----

    private static Loops weightedSum(WeightedSum op) {
        return (x, y) -> {
            for (int i = 0; i < y[0].length; i++) {
                for (int t = 0; t < x.length; t++) {
                    y[0][i] += op.scales().get(t) * x[t][i];
                }
            }
        };
    }

    /** Sigmoid and tanh; of the others, the reference is as good as the best f32 loop. */
    private static @Nullable Loops activation(Activation op) {
        return switch (op.function()) {
            case SIGMOID -> (x, y) -> each(y[0], i -> 1 / (1 + (float) Math.exp(-x[0][i])));
            case TANH -> (x, y) -> each(y[0], i -> (float) Math.tanh(x[0][i]));
            case SILU -> (x, y) -> each(y[0], i -> x[0][i] / (1 + (float) Math.exp(-x[0][i])));
            default -> null;
        };
    }

    private static @Nullable Loops activationBackward(Activation.Backward op) {
        return switch (op.function()) {
            case SIGMOID -> (x, dx) -> each(dx[0], i -> x[1][i] * x[0][i] * (1 - x[0][i]));
            case TANH -> (x, dx) -> each(dx[0], i -> x[1][i] * (1 - x[0][i] * x[0][i]));
            default -> null;
        };
    }

    private interface Place {
        float value(int i);
    }

    private static void each(float[] y, Place place) {
        for (int i = 0; i < y.length; i++) {
            y[i] = place.value(i);
        }
    }

    // ---- sums and norms ----

    private static int channel(Shape x, int i) {
        return i / x.sizeFrom(2) % x.get(1);
    }

    private static void sumPerChannel(Shape shape, float[] x, float[] sums) {
        for (int i = 0; i < x.length; i++) {
            sums[channel(shape, i)] += x[i];
        }
    }

    private static float perChannel(Shape x) {
        return x.get(1) == 0 ? 0 : (float) x.size() / x.get(1);
    }

    private static void divide(float[] values, float by) {
        for (int i = 0; i < values.length; i++) {
            values[i] = by == 0 ? 0 : values[i] / by;
        }
    }

    private static Loops pool(int plane) {
        return (x, y) -> {
            for (int i = 0; i < x[0].length; i++) {
                y[0][i / plane] += x[0][i];
            }
            divide(y[0], plane);
        };
    }

    private static Loops poolBackward(int plane) {
        float inverse = 1f / plane;
        return (dy, dx) -> {
            for (int i = 0; i < dx[0].length; i++) {
                dx[0][i] = dy[0][i / plane] * inverse;
            }
        };
    }

    /** Random words do not fit into f32. */
    private static Formula dropout(Dropout.Training op) {
        return (x, y) -> {
            int[] words = new int[4];
            long seed = ((int) x[1][0] & 0xFFFFFFFFL) | ((long) x[1][1] << 32);
            for (int i = 0; i < y[0].length; i++) {
                Philox.block(seed, i / 4, (int) x[1][2], op.stream(), words);
                float m = (words[i % 4] >>> 8) * 0x1p-24f >= op.rate() ? 1 / (1 - op.rate()) : 0;
                y[0][i] = (float) x[0][i] * m;
            }
        };
    }

    private static Loops averages(Pooling op, Shape x, boolean backward) {
        Bins rows = op.rows(x);
        Bins columns = op.columns(x);
        int plane = rows.out() * columns.out();
        return (in, out) -> {
            for (int y = 0; y < x.get(0) * x.get(1) * plane; y++) {
                int oh = y % plane / columns.out();
                int ow = y % columns.out();
                float divisor = rows.divisor()[oh] * columns.divisor()[ow];
                for (int tap = 0; tap < rows.count()[oh] * columns.count()[ow]; tap++) {
                    int row = rows.at(oh, tap / columns.count()[ow]);
                    int at = (y / plane * x.get(2) + row) * x.get(3) + columns.at(ow, tap % columns.count()[ow]);
                    out[0][backward ? at : y] += in[0][backward ? y : at] / divisor;
                }
            }
        };
    }

    private static Loops maxBackward(int plane, int results) {
        return (in, out) -> {
            for (int i = 0; i < in[0].length; i++) {
                out[0][i / results * plane + (int) in[1][i]] += in[0][i];
            }
        };
    }

    private static Loops normInference(BatchNorm op, Shape shape) {
        return (x, y) -> fold(shape, op.epsilon(), x[0], x[1], x[2], x[3], x[4], y[0]);
    }

    /** x·s + (β − μ·s), with s = γ/√(σ² + ε) */
    private static void fold(
            Shape shape, float epsilon, float[] x, float[] scale, float[] bias, float[] mean, float[] var, float[] y) {
        for (int i = 0; i < y.length; i++) {
            int c = channel(shape, i);
            float s = scale[c] / (float) Math.sqrt(var[c] + epsilon);
            y[i] = x[i] * s + (bias[c] - mean[c] * s);
        }
    }

    private static Loops normTraining(BatchNorm.Training op, Shape shape) {
        return (x, y) -> {
            float[] mean = y[1];
            float[] variance = y[2];
            sumPerChannel(shape, x[0], mean);
            divide(mean, perChannel(shape));
            for (int i = 0; i < x[0].length; i++) {
                float centred = x[0][i] - mean[channel(shape, i)];
                variance[channel(shape, i)] += centred * centred;
            }
            divide(variance, perChannel(shape));
            fold(shape, op.epsilon(), x[0], x[1], x[2], mean, variance, y[0]);
        };
    }

    private static Loops normBackward(BatchNorm.Backward op, Shape shape) {
        float m = perChannel(shape);
        return (in, out) -> {
            float[] x = in[0];
            float[] dy = in[1];
            float[] normal = new float[x.length];
            float[] inverse = new float[in[4].length];
            for (int c = 0; c < inverse.length; c++) {
                inverse[c] = 1 / (float) Math.sqrt(in[4][c] + op.epsilon());
            }
            sumPerChannel(shape, dy, out[2]);
            for (int i = 0; i < x.length; i++) {
                int c = channel(shape, i);
                normal[i] = (x[i] - in[3][c]) * inverse[c];
                out[1][c] += dy[i] * normal[i];
            }
            for (int i = 0; i < x.length; i++) {
                int c = channel(shape, i);
                out[0][i] = in[2][c] * inverse[c] * (dy[i] - out[2][c] / m - normal[i] * out[1][c] / m);
            }
        };
    }

    /** Groups of {@code width} values; the scale of a value is that of its plane. */
    private static Loops groupNorm(int width, int scales, int plane, boolean centred, float epsilon) {
        return (in, out) -> {
            float[] x = in[0];
            float[] variance = out[centred ? 2 : 1];
            for (int group = 0; group < variance.length; group++) {
                float mean = 0;
                for (int i = group * width; i < (group + 1) * width && centred; i++) {
                    mean += x[i];
                }
                mean /= width;
                float sum = 0;
                for (int i = group * width; i < (group + 1) * width; i++) {
                    sum += (x[i] - mean) * (x[i] - mean);
                }
                variance[group] = width == 0 ? 0 : sum / width;
                if (centred) {
                    out[1][group] = width == 0 ? 0 : mean;
                }
                float deviation = (float) Math.sqrt(variance[group] + epsilon);
                for (int i = group * width; i < (group + 1) * width; i++) {
                    int c = i / plane % scales;
                    out[0][i] = (x[i] - mean) / deviation * in[1][c] + (centred ? in[2][c] : 0);
                }
            }
        };
    }

    private static Loops groupNormBackward(int width, int scales, int plane, boolean centred, float epsilon) {
        return (in, out) -> {
            float[] x = in[0];
            float[] dy = in[1];
            float[] variance = in[centred ? 4 : 3];
            for (int group = 0; group < variance.length; group++) {
                float mean = centred ? in[3][group] : 0;
                float deviation = (float) Math.sqrt(variance[group] + epsilon);
                float meanG = 0;
                float meanGx = 0;
                for (int i = group * width; i < (group + 1) * width; i++) {
                    int c = i / plane % scales;
                    float normal = (x[i] - mean) / deviation;
                    meanG += centred ? dy[i] * in[2][c] / width : 0;
                    meanGx += dy[i] * in[2][c] * normal / width;
                    out[1][c] += dy[i] * normal;
                    if (centred) {
                        out[2][c] += dy[i];
                    }
                }
                for (int i = group * width; i < (group + 1) * width; i++) {
                    float g = dy[i] * in[2][i / plane % scales];
                    out[0][i] = (g - meanG - (x[i] - mean) / deviation * meanGx) / deviation;
                }
            }
        };
    }

    /** What is done to each line along an axis, told the place of its first value. */
    private static void lines(Shape x, int axis, IntConsumer line) {
        int a = axis < 0 ? axis + x.rank() : axis;
        int stride = x.sizeFrom(a + 1);
        for (int i = 0; i < x.size(); i++) {
            if (i / stride % x.get(a) == 0) {
                line.accept(i);
            }
        }
    }

    private static Loops softmax(Shape shape, int axis, boolean log) {
        int stride = shape.sizeFrom((axis < 0 ? axis + shape.rank() : axis) + 1);
        int length = shape.get(axis < 0 ? axis + shape.rank() : axis);
        return (in, out) -> lines(shape, axis, first -> {
            float max = Float.NEGATIVE_INFINITY;
            float sum = 0;
            for (int k = 0; k < length; k++) {
                max = Math.max(max, in[0][first + k * stride]);
            }
            for (int k = 0; k < length; k++) {
                sum += (float) Math.exp(in[0][first + k * stride] - max);
            }
            for (int k = 0; k < length; k++) {
                float logp = in[0][first + k * stride] - max - (float) Math.log(sum);
                out[0][first + k * stride] = log ? logp : (float) Math.exp(logp);
            }
        });
    }

    private static Loops softmaxBackward(Shape shape, int axis, boolean log) {
        int stride = shape.sizeFrom((axis < 0 ? axis + shape.rank() : axis) + 1);
        int length = shape.get(axis < 0 ? axis + shape.rank() : axis);
        return (in, out) -> lines(shape, axis, first -> {
            float sum = 0;
            for (int k = 0; k < length; k++) {
                int i = first + k * stride;
                sum += in[1][i] * (log ? 1 : in[0][i]);
            }
            for (int k = 0; k < length; k++) {
                int i = first + k * stride;
                out[0][i] = log ? in[1][i] - (float) Math.exp(in[0][i]) * sum : in[0][i] * (in[1][i] - sum);
            }
        });
    }

    // ---- the loss ----

    /** q·w of one class. */
    private static float target(CrossEntropy op, float label, int c, int classes) {
        float q = (c == label ? 1 - op.smoothing() : 0) + op.smoothing() / classes;
        return q * (op.classWeights().isEmpty() ? 1 : op.classWeights().get(c));
    }

    /** v/Σw[y] of one row, 0 if it does not count. */
    private static float share(CrossEntropy op, float[][] in, int row) {
        float sum = 0;
        for (float label : in[1]) {
            boolean counts = label != op.ignore();
            sum += counts && !op.classWeights().isEmpty() ? op.classWeights().get((int) label) : counts ? 1 : 0;
        }
        float v = op.weighted() ? in[2][row / (in[1].length / in[2].length)] : 1;
        return in[1][row] == op.ignore() ? 0 : v / sum;
    }

    private static Loops crossEntropy(CrossEntropy op, Shape x) {
        int classes = x.get(x.rank() - 1);
        return (in, out) -> {
            float loss = 0;
            for (int n = 0; n < in[1].length; n++) {
                float max = Float.NEGATIVE_INFINITY;
                float sum = 0;
                for (int i = n * classes; i < (n + 1) * classes; i++) {
                    max = Math.max(max, in[0][i]);
                }
                for (int i = n * classes; i < (n + 1) * classes; i++) {
                    sum += (float) Math.exp(in[0][i] - max);
                }
                float logSum = (float) Math.log(sum);
                float share = share(op, in, n);
                for (int c = 0; c < classes; c++) {
                    float logp = in[0][n * classes + c] - max - logSum;
                    out[1][n * classes + c] = (float) Math.exp(logp);
                    loss -= share == 0 ? 0 : share * target(op, in[1][n], c, classes) * logp;
                }
            }
            boolean counted = in[1].length == 0;
            for (float label : in[1]) {
                counted |= label != op.ignore();
            }
            out[0][0] = counted ? loss : Float.NaN;
        };
    }

    private static Loops crossEntropyBackward(CrossEntropy op, Shape p) {
        int classes = p.get(p.rank() - 1);
        return (in, out) -> {
            for (int n = 0; n < in[1].length; n++) {
                float sum = op.classWeights().isEmpty() ? 1 : 0;
                for (int c = 0; c < op.classWeights().size(); c++) {
                    sum += target(op, in[1][n], c, classes);
                }
                float factor = in[in.length - 1][0] * share(op, in, n);
                for (int c = 0; c < classes; c++) {
                    int i = n * classes + c;
                    out[0][i] = factor == 0 ? 0 : (in[0][i] * sum - target(op, in[1][n], c, classes)) * factor;
                }
            }
        };
    }

    private interface Pair {
        float of(float x, float target);
    }

    private static float term(PointwiseLoss op, float x, float t) {
        float d = Math.abs(x - t);
        return switch (op.function()) {
            case MSE -> d * d;
            case L1 -> d;
            case HUBER -> d <= op.delta() ? d * d / 2 : op.delta() * (d - op.delta() / 2);
            case BCE_WITH_LOGITS -> Math.max(x, 0) - x * t + (float) Math.log1p((float) Math.exp(-Math.abs(x)));
        };
    }

    private static float slope(PointwiseLoss op, float x, float t) {
        float d = x - t;
        return switch (op.function()) {
            case MSE -> 2 * d;
            case L1 -> Math.signum(d);
            case HUBER -> Math.max(-op.delta(), Math.min(op.delta(), d));
            case BCE_WITH_LOGITS -> 1 / (1 + (float) Math.exp(-x)) - t;
        };
    }

    private static float weight(boolean weighted, float[][] in, int i, int count) {
        return weighted ? in[2][i / (count / in[2].length)] : 1;
    }

    private static Loops mean(int divisor, boolean weighted, Pair term) {
        return (in, out) -> {
            for (int i = 0; i < in[0].length; i++) {
                out[0][0] += weight(weighted, in, i, in[0].length) * term.of(in[0][i], in[1][i]) / divisor;
            }
        };
    }

    private static Loops slopes(int divisor, boolean weighted, Pair slope) {
        return (in, out) -> {
            for (int i = 0; i < in[0].length; i++) {
                float scale = weight(weighted, in, i, in[0].length) * in[in.length - 1][0] / divisor;
                out[0][i] = slope.of(in[0][i], in[1][i]) * scale;
            }
        };
    }

    private static Loops cosine(boolean weighted, int width, boolean backward) {
        return (in, out) -> {
            int rows = width == 0 ? 0 : in[0].length / width;
            for (int row = 0; row < rows; row++) {
                float dot = 0;
                float m = (float) CosineLoss.EPSILON;
                float n = (float) CosineLoss.EPSILON;
                for (int i = row * width; i < (row + 1) * width; i++) {
                    dot += in[0][i] * in[1][i];
                    m += in[0][i] * in[0][i];
                    n += in[1][i] * in[1][i];
                }
                float length = (float) Math.sqrt(m * n);
                float share = weight(weighted, in, row, rows) / rows;
                if (backward) {
                    for (int i = row * width; i < (row + 1) * width; i++) {
                        float d = in[0][i] * (dot / length) / m - in[1][i] / length;
                        out[0][i] = share * in[in.length - 1][0] * d;
                    }
                } else {
                    out[0][0] += share * (1 - dot / length);
                }
            }
        };
    }

    // ---- updates ----

    private static Loops update(UpdateOp op) {
        return (in, out) -> {
            int moments = op.moments().size();
            float[] hyper = in[3 + moments];
            float norm = in[2 + moments][0];
            float[] m = new float[3];
            for (int i = 0; i < out[0].length; i++) {
                for (int k = 0; k < moments; k++) {
                    m[k] = in[2 + k][i];
                }
                float w = in[0][i];
                if (Float.isFinite(norm)) {
                    float g = in[1][i] * Hyper.clipFactor(norm, hyper[Hyper.CLIP]);
                    g = Math.max(-hyper[Hyper.CLIP_VALUE], Math.min(hyper[Hyper.CLIP_VALUE], g));
                    float s = step(op, g + hyper[Hyper.L2] * w, m, hyper);
                    w -= hyper[Hyper.RATE] * (s + hyper[Hyper.DECAY] * w);
                }
                out[0][i] = w;
                for (int k = 0; k < moments; k++) {
                    out[1 + k][i] = m[k];
                }
            }
        };
    }

    private static float step(UpdateOp op, float d, float[] m, float[] hyper) {
        if (op instanceof Sgd sgd) {
            m[0] = sgd.momentum() * m[0] + d;
            return sgd.nesterov() ? d + sgd.momentum() * m[0] : m[0];
        } else if (op instanceof RmsProp rms) {
            m[0] = rms.alpha() * m[0] + (1 - rms.alpha()) * d * d;
            m[1] = rms.centred() ? rms.alpha() * m[1] + (1 - rms.alpha()) * d : m[1];
            float variance = rms.centred() ? Math.max(m[0] - m[1] * m[1], 0) : m[0];
            int last = rms.centred() ? 2 : 1;
            m[last] = rms.momentum() * m[last] + d / ((float) Math.sqrt(variance) + rms.epsilon());
            return m[last];
        } else if (op instanceof Lion lion) {
            float u = lion.beta1() * m[0] + (1 - lion.beta1()) * d;
            m[0] = lion.beta2() * m[0] + (1 - lion.beta2()) * d;
            return Math.signum(u);
        }
        Adam adam = op instanceof NAdam n ? new Adam(n.beta1(), n.beta2(), n.epsilon(), false) : (Adam) op;
        m[0] = adam.beta1() * m[0] + (1 - adam.beta1()) * d;
        m[1] = adam.beta2() * m[1] + (1 - adam.beta2()) * d * d;
        m[2] = adam.amsgrad() ? Math.max(m[2], m[1]) : 0;
        float root = (float) Math.sqrt((adam.amsgrad() ? m[2] : m[1]) * hyper[Hyper.CORRECTION2]);
        float ahead = op instanceof NAdam ? hyper[Hyper.CORRECTION3] * d : 0;
        return (m[0] * hyper[Hyper.CORRECTION1] + ahead) / (root + adam.epsilon());
    }

    private NaiveLoops() {}
}
