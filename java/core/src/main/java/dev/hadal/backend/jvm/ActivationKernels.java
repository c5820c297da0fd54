package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.op.Activation;
import dev.hadal.op.Activation.Function;

/** The elementwise functions, one tight loop each: the formulas of {@link Function}, in its symbols. */
final class ActivationKernels {
    private static final float SELU_SCALE = (float) Function.SELU_SCALE;
    private static final float SELU_SLOPE = (float) (Function.SELU_SCALE * Function.SELU_ALPHA);
    private static final float SIXTH = 1 / 6f;
    private static final float ROOT_HALF = (float) Math.sqrt(0.5);
    private static final float ROOT_2_PER_PI = (float) Math.sqrt(2 / Math.PI);
    private static final float CUBIC = 0.044715f;

    /** φ(0) */
    private static final float DENSITY = (float) (1 / Math.sqrt(2 * Math.PI));

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Activation.Backward.class, (op, j) -> backward(op, j));
    }

    static Kernel forward(Activation op, OpTable.Job j) {
        return ElementwiseKernels.chunked(op.toString(), j.in(), j.out(), j.machine(), new Forward(op))
                .withInPlace(0);
    }

    private record Forward(Activation op) implements ElementwiseKernels.Binding {
        @Override
        public ElementwiseKernels.Chunk bind(Span[] in, Span y) {
            return new ForwardChunk(op, in[0], y);
        }
    }

    private record ForwardChunk(Activation op, Span x, Span y) implements ElementwiseKernels.Chunk {
        @Override
        public void run(Loops loops, Runs runs, int at) {
            int n = runs.length();
            int xAt = x.offset() + at;
            int yAt = y.offset() + at;
            if (op.function() == Function.RELU) {
                loops.relu(n, x.floats(), xAt, y.floats(), yAt);
            } else {
                int done = loops.activate(op.function(), n, x.floats(), xAt, y.floats(), yAt);
                forward(op, n - done, x.floats(), xAt + done, y.floats(), yAt + done);
            }
        }
    }

    private static void forward(Activation op, int n, float[] x, int xAt, float[] y, int yAt) {
        switch (op.function()) {
            case RELU, LEAKY_RELU -> {
                float alpha = op.alpha();
                for (int i = 0; i < n; i++) {
                    float xi = x[xAt + i];
                    y[yAt + i] = xi > 0 ? xi : alpha * xi;
                }
            }
            case ELU -> linearAbove0(n, 1, op.alpha(), x, xAt, y, yAt);
            case SELU -> linearAbove0(n, SELU_SCALE, SELU_SLOPE, x, xAt, y, yAt);
            case RELU6 -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = Math.min(Math.max(x[xAt + i], 0), 6);
                }
            }
            case SIGMOID -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = Curves.sigmoid(x[xAt + i]);
                }
            }
            case TANH -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = Curves.tanh(x[xAt + i]);
                }
            }
            case GELU -> {
                for (int i = 0; i < n; i++) {
                    float xi = x[xAt + i];
                    y[yAt + i] = xi * normal(xi);
                }
            }
            case GELU_TANH -> {
                for (int i = 0; i < n; i++) {
                    float xi = x[xAt + i];
                    y[yAt + i] = xi * nearNormal(xi);
                }
            }
            case SILU -> {
                for (int i = 0; i < n; i++) {
                    float xi = x[xAt + i];
                    y[yAt + i] = xi * Curves.sigmoid(xi);
                }
            }
            case HARD_SWISH -> {
                for (int i = 0; i < n; i++) {
                    float xi = x[xAt + i];
                    y[yAt + i] = xi * hardSigmoid(xi);
                }
            }
            case HARD_SIGMOID -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = hardSigmoid(x[xAt + i]);
                }
            }
            case SOFTPLUS -> {
                for (int i = 0; i < n; i++) {
                    y[yAt + i] = Curves.softplus(x[xAt + i]);
                }
            }
            case MISH -> {
                for (int i = 0; i < n; i++) {
                    float xi = x[xAt + i];
                    float p = mishPower(xi);
                    y[yAt + i] = xi * (p / (p + 2));
                }
            }
        }
    }

    /** a·x above 0, else b·(eˣ − 1) */
    private static void linearAbove0(int n, float a, float b, float[] x, int xAt, float[] y, int yAt) {
        for (int i = 0; i < n; i++) {
            float xi = x[xAt + i];
            y[yAt + i] = xi > 0 ? a * xi : b * Curves.expm1OfNegative(xi);
        }
    }

    private static float hardSigmoid(float x) {
        return Math.min(Math.max(x * SIXTH + 0.5f, 0), 1);
    }

    /** Φ(x) */
    private static float normal(float x) {
        return 0.5f + 0.5f * Curves.erf(x * ROOT_HALF);
    }

    /** (1 + t)/2 of {@link Function#GELU_TANH}, as 1 / (1 + e^(−2z)), which does not cancel. */
    private static float nearNormal(float x) {
        return Curves.sigmoid(2 * ROOT_2_PER_PI * (x + CUBIC * (x * x * x)));
    }

    /** p with tanh ln(1 + eˣ) = p/(p + 2): eˣ·(eˣ + 2), which need not grow when the quotient is 1. */
    private static float mishPower(float x) {
        float e = Curves.exp(Math.min(x, 20));
        return e * (e + 2);
    }

    private static Kernel backward(Activation.Backward op, OpTable.Job j) {
        return ElementwiseKernels.chunked(
                        op.toString(), j.in(), j.out(), j.machine(), (in, dx) -> (loops, runs, at) -> {
                            int n = runs.length();
                            int vAt = in[0].offset() + at;
                            int dyAt = in[1].offset() + at;
                            int dxAt = dx.offset() + at;
                            if (op.function() == Function.RELU) {
                                loops.reluBackward(n, in[0].floats(), vAt, in[1].floats(), dyAt, dx.floats(), dxAt);
                            } else {
                                float[] v = in[0].floats();
                                float[] dy = in[1].floats();
                                int done =
                                        loops.activateBackward(op.function(), n, v, vAt, dy, dyAt, dx.floats(), dxAt);
                                backward(op, n - done, v, vAt + done, dy, dyAt + done, dx.floats(), dxAt + done);
                            }
                        })
                .withInPlace(1);
    }

    /** From v, which is y or x. */
    private static void backward(
            Activation.Backward op, int n, float[] v, int vAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        switch (op.function()) {
            case RELU, LEAKY_RELU -> {
                float alpha = op.alpha();
                for (int i = 0; i < n; i++) {
                    dx[dxAt + i] = v[vAt + i] > 0 ? dy[dyAt + i] : alpha * dy[dyAt + i];
                }
            }
            case ELU -> linearAbove0Backward(n, 1, op.alpha(), v, vAt, dy, dyAt, dx, dxAt);
            case SELU -> linearAbove0Backward(n, SELU_SCALE, SELU_SLOPE, v, vAt, dy, dyAt, dx, dxAt);
            case RELU6 -> {
                for (int i = 0; i < n; i++) {
                    float y = v[vAt + i];
                    dx[dxAt + i] = y > 0 && y < 6 ? dy[dyAt + i] : 0;
                }
            }
            case SIGMOID -> {
                for (int i = 0; i < n; i++) {
                    float y = v[vAt + i];
                    dx[dxAt + i] = dy[dyAt + i] * y * (1 - y);
                }
            }
            case TANH -> {
                for (int i = 0; i < n; i++) {
                    float y = v[vAt + i];
                    dx[dxAt + i] = dy[dyAt + i] * (1 - y * y);
                }
            }
            case GELU -> {
                for (int i = 0; i < n; i++) {
                    float x = v[vAt + i];
                    float density = DENSITY * Curves.exp(-0.5f * x * x);
                    dx[dxAt + i] = dy[dyAt + i] * (normal(x) + x * density);
                }
            }
            case GELU_TANH -> {
                for (int i = 0; i < n; i++) {
                    float x = v[vAt + i];
                    float s = nearNormal(x);
                    float near0 = Math.min(Math.max(x, -10), 10); // beyond, 1 − t² is 0
                    float bend = 2 * ROOT_2_PER_PI * (1 + 3 * CUBIC * (near0 * near0));
                    dx[dxAt + i] = dy[dyAt + i] * (s + near0 * s * (1 - s) * bend);
                }
            }
            case SILU -> {
                for (int i = 0; i < n; i++) {
                    float x = v[vAt + i];
                    float s = Curves.sigmoid(x);
                    dx[dxAt + i] = dy[dyAt + i] * (s * (1 + x * (1 - s)));
                }
            }
            case HARD_SWISH -> {
                for (int i = 0; i < n; i++) {
                    float x = v[vAt + i];
                    float slope = Math.abs(x) < 3 ? x * SIXTH : 0;
                    dx[dxAt + i] = dy[dyAt + i] * (hardSigmoid(x) + slope);
                }
            }
            case HARD_SIGMOID -> {
                for (int i = 0; i < n; i++) {
                    dx[dxAt + i] = Math.abs(v[vAt + i]) < 3 ? dy[dyAt + i] * SIXTH : 0;
                }
            }
            case SOFTPLUS -> {
                for (int i = 0; i < n; i++) {
                    dx[dxAt + i] = dy[dyAt + i] * Curves.sigmoid(v[vAt + i]);
                }
            }
            case MISH -> {
                for (int i = 0; i < n; i++) {
                    float x = v[vAt + i];
                    float e = Curves.exp(Math.min(x, 20));
                    float p = e * (e + 2);
                    float q = 2 / (p + 2); // 1 − t; (1 − t²)·σ = q²·e·(1 + e)
                    dx[dxAt + i] = dy[dyAt + i] * (p / (p + 2) + x * (q * q * (e * (1 + e))));
                }
            }
        }
    }

    private static void linearAbove0Backward(
            int n, float a, float b, float[] y, int yAt, float[] dy, int dyAt, float[] dx, int dxAt) {
        for (int i = 0; i < n; i++) {
            float yi = y[yAt + i];
            dx[dxAt + i] = dy[dyAt + i] * (yi > 0 ? a : yi + b);
        }
    }

    private ActivationKernels() {}
}
