package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.op.Binary;
import dev.hadal.op.Clamp;
import dev.hadal.op.Compare;
import dev.hadal.op.Constant;
import dev.hadal.op.PRelu;
import dev.hadal.op.Unary;
import dev.hadal.op.Where;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** Arithmetic, elementwise, with and without broadcasting. */
final class ArithmeticKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Unary.class, (op, j) -> unary(op, j));
        table.put(Clamp.class, (op, j) -> clamp(op, j));
        table.put(Constant.class, (op, j) -> constant(op, j));
        table.put(Binary.class, (op, j) -> binary(op, j));
        table.put(Compare.class, (op, j) -> compare(op, j));
        table.put(Where.class, (op, j) -> where(j));
        table.put(PRelu.class, (op, j) -> prelu(j));
        table.put(PRelu.Backward.class, (op, j) -> preluBackward(j));
    }

    private static Kernel unary(Unary op, OpTable.Job j) {
        return ElementwiseKernels.chunked(
                        op.toString(),
                        j.in(),
                        j.out(),
                        j.machine(),
                        (in, y) -> (loops, runs, at) -> unary(
                                op, runs.length(), in[0].floats(), in[0].offset() + at, y.floats(), y.offset() + at))
                .withInPlace(0);
    }

    private static void unary(Unary op, int n, float[] x, int xAt, float[] y, int yAt) {
        switch (op.function()) {
            case EXP -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = Curves.exp(x[xAt + i]);
                }
            }
            case LOG -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = (float) Math.log(x[xAt + i]);
                }
            }
            case SQRT -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = (float) Math.sqrt(x[xAt + i]);
                }
            }
            case ABS -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = Math.abs(x[xAt + i]);
                }
            }
            case NEG -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = -x[xAt + i];
                }
            }
            case RECIPROCAL -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = 1 / x[xAt + i];
                }
            }
        }
    }

    private static Kernel clamp(Clamp op, OpTable.Job j) {
        return ElementwiseKernels.chunked(op.name(), j.in(), j.out(), j.machine(), (in, y) -> (loops, runs, at) -> {
                    for (int i = at; i < at + runs.length(); i++) {
                        y.set(i, Math.min(Math.max(in[0].get(i), op.min()), op.max()));
                    }
                })
                .withInPlace(0);
    }

    private static Kernel constant(Constant op, OpTable.Job j) {
        return new HeapKernel("java constant", j.in(), j.out(), (in, out, scratch) -> {
            Span y = out[0];
            int end = y.offset() + y.size();
            return op.dtype() == DType.F32
                    ? () -> Arrays.fill(y.floats(), y.offset(), end, op.value())
                    : () -> Arrays.fill(y.ints(), y.offset(), end, (int) op.value());
        });
    }

    private static Kernel binary(Binary op, OpTable.Job j) {
        return BroadcastRows.kernel(
                op.toString(),
                j.in(),
                j.out(),
                j.machine(),
                (n, in, at, y, yAt) -> binary(op, n, (float[]) in[0], at[0], (float[]) in[1], at[1], (float[]) y, yAt));
    }

    private static void binary(Binary op, int n, float[] a, int aAt, float[] b, int bAt, float[] y, int yAt) {
        switch (op.function()) {
            case ADD -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = a[aAt + i] + b[bAt + i];
                }
            }
            case SUB -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = a[aAt + i] - b[bAt + i];
                }
            }
            case MUL -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = a[aAt + i] * b[bAt + i];
                }
            }
            case DIV -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = a[aAt + i] / b[bAt + i];
                }
            }
            case POW -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = (float) Math.pow(a[aAt + i], b[bAt + i]);
                }
            }
            case MIN -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = Math.min(a[aAt + i], b[bAt + i]);
                }
            }
            case MAX -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = Math.max(a[aAt + i], b[bAt + i]);
                }
            }
        }
    }

    private static Kernel compare(Compare op, OpTable.Job j) {
        return BroadcastRows.kernel(
                op.toString(),
                j.in(),
                j.out(),
                j.machine(),
                (n, in, at, y, yAt) -> compare(op, n, (float[]) in[0], at[0], (float[]) in[1], at[1], (int[]) y, yAt));
    }

    private static void compare(Compare op, int n, float[] a, int aAt, float[] b, int bAt, int[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            float ai = a[aAt + i];
            float bi = b[bAt + i];
            boolean holds = switch (op.function()) {
                case EQUAL -> ai == bi;
                case NOT_EQUAL -> ai != bi;
                case LESS -> ai < bi;
                case LESS_OR_EQUAL -> ai <= bi;
                case GREATER -> ai > bi;
                case GREATER_OR_EQUAL -> ai >= bi;
            };
            y[yAt + i] = holds ? 1 : 0;
        }
    }

    private static Kernel where(OpTable.Job j) {
        return BroadcastRows.kernel(
                "where",
                j.in(),
                j.out(),
                j.machine(),
                (n, in, at, y, yAt) -> where(
                        n, (int[]) in[0], at[0], (float[]) in[1], at[1], (float[]) in[2], at[2], (float[]) y, yAt));
    }

    private static void where(
            int n, int[] condition, int cAt, float[] a, int aAt, float[] b, int bAt, float[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            y[yAt + i] = condition[cAt + i] != 0 ? a[aAt + i] : b[bAt + i];
        }
    }

    /** x as planes of one slope each: [batch, slopes, plane]. */
    private record Planes(int batch, int slopes, int plane) {
        static Planes of(Shape x, Shape slope) {
            int slopes = slope.get(0);
            return slopes == 1 ? new Planes(1, 1, x.size()) : new Planes(x.get(0), slopes, x.sizeFrom(2));
        }
    }

    private static Kernel prelu(OpTable.Job j) {
        Planes p = Planes.of(j.in().get(0).shape(), j.in().get(1).shape());
        return ElementwiseKernels.chunked("prelu", j.in(), j.out(), j.machine(), (in, y) -> (loops, runs, at) -> {
                    int end = at + runs.length();
                    for (int i = at; i < end; ) {
                        float slope = in[1].get(i / p.plane % p.slopes);
                        int planeEnd = Math.min(end, (i / p.plane + 1) * p.plane);
                        for (; i < planeEnd; i++) {
                            float x = in[0].get(i);
                            y.set(i, x > 0 ? x : slope * x);
                        }
                    }
                })
                .withInPlace(0);
    }

    /** A slope's gradient is one sum, in double, whatever the threads. */
    private static Kernel preluBackward(OpTable.Job j) {
        Planes p = Planes.of(j.in().get(0).shape(), j.in().get(1).shape());
        Machine sized = j.machine().forWork(j.in().get(0).shape().size());
        return new HeapKernel("java prelu_backward", j.in(), j.out(), (in, out, scratch) -> {
                    Workers.Body body = (c, lane) -> {
                        float slope = in[1].get(c);
                        double sum = 0;
                        for (int n = 0; n < p.batch; n++) {
                            int from = (n * p.slopes + c) * p.plane;
                            for (int i = from; i < from + p.plane; i++) {
                                float x = in[0].get(i);
                                float dy = in[2].get(i);
                                sum += x > 0 ? 0 : (double) x * dy;
                                out[0].set(i, x > 0 ? dy : slope * dy);
                            }
                        }
                        out[1].set(c, (float) sum);
                    };
                    return () -> sized.forEach(p.slopes, body);
                })
                .withInPlace(2, 1);
    }

    private ArithmeticKernels() {}
}
