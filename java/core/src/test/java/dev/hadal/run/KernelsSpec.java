package dev.hadal.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.Reference;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Convolution;
import dev.hadal.op.Hyper;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.MatMul;
import dev.hadal.op.Norm;
import dev.hadal.op.Softmax;
import dev.hadal.op.Window;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The direct kernels against the formulas, at sizes that are copied and at sizes that are not. */
public abstract class KernelsSpec {
    private static final float EPSILON = 1e-5f;
    private static final Window PADDED = Window.of(1, 1, 1);

    private final Random random = new Random(20261124);
    private Kernels kernels;

    protected abstract Backends backends();

    @BeforeEach
    void open() {
        kernels = Kernels.of(backends());
    }

    @AfterEach
    void close() {
        kernels.close();
    }

    // ---- what is expected ----

    private Tensor normal(int... dims) {
        Tensor t = Tensor.zeros(DType.F32, Shape.of(dims));
        for (int i = 0; i < t.floats().length; i++) {
            t.floats()[i] = (float) random.nextGaussian();
        }
        return t;
    }

    private Tensor positive(int... dims) {
        Tensor t = normal(dims);
        for (int i = 0; i < t.floats().length; i++) {
            t.floats()[i] = 0.5f + Math.abs(t.floats()[i]);
        }
        return t;
    }

    /** A place for a result, where nothing may be left as it is. */
    private static Tensor room(int... dims) {
        Tensor t = Tensor.zeros(DType.F32, Shape.of(dims));
        Arrays.fill(t.floats(), Float.NaN);
        return t;
    }

    private static double[][] formula(Op op, Tensor... in) {
        List<Type> types = new ArrayList<>();
        double[][] xs = new double[in.length][];
        for (int i = 0; i < in.length; i++) {
            types.add(new Type(in[i].dtype(), in[i].shape()));
            xs[i] = new double[in[i].shape().size()];
            for (int j = 0; j < xs[i].length; j++) {
                xs[i][j] = in[i].floats()[j];
            }
        }
        List<Type> results = op.infer(types);
        double[][] ys = results.stream().map(t -> new double[t.shape().size()]).toArray(double[][]::new);
        Reference.formula(op, types, results).orElseThrow().run(xs, ys);
        return ys;
    }

    private static void assertNear(double[] expected, Tensor actual) {
        float[] y = actual.floats();
        assertEquals(expected.length, y.length);
        for (int i = 0; i < y.length; i++) {
            int at = i;
            assertTrue(
                    Math.abs(y[i] - expected[i]) <= 1e-4 * (1 + Math.abs(expected[i])),
                    () -> "at " + at + ": " + y[at] + " instead of " + expected[at]);
        }
    }

    // ---- the named methods ----

    @Test
    void matmul() {
        for (int n : new int[] {1, 5, 16, 70, 200}) {
            Tensor a = normal(n, 17);
            Tensor b = normal(17, n + 1);
            Tensor y = room(n, n + 1);
            double[] expected = formula(new MatMul(false, false), a, b)[0];
            kernels.matmul(a, b, y);
            assertNear(expected, y);
            float[] array = new float[n * (n + 1)];
            kernels.matmul(n, n + 1, 17, a.floats(), b.floats(), array);
            assertNear(expected, Tensor.of(y.shape(), array));
        }
    }

    @Test
    void matmulOfBatches() {
        Tensor a = normal(3, 20, 5);
        Tensor b = normal(3, 5, 7);
        Tensor y = room(3, 20, 7);
        kernels.matmul(a, b, y);
        assertNear(formula(new MatMul(false, false), a, b)[0], y);
    }

    @Test
    void gemm() {
        for (int[] size : new int[][] {{1, 3, 2}, {16, 16, 16}, {5, 33, 9}, {90, 80, 70}}) {
            int m = size[0];
            int n = size[1];
            int k = size[2];
            for (int t = 0; t < 4; t++) {
                boolean transposeA = t % 2 == 1;
                boolean transposeB = t / 2 == 1;
                Tensor a = transposeA ? normal(k, m) : normal(m, k);
                Tensor b = transposeB ? normal(n, k) : normal(k, n);
                double[] product = formula(new MatMul(transposeA, transposeB), a, b)[0];
                for (float[] factors : new float[][] {{1, 0}, {2, 0}, {1, 1}, {-0.5f, 3}}) {
                    Tensor y = factors[1] == 0 ? room(m, n) : normal(m, n);
                    double[] expected = new double[m * n];
                    for (int i = 0; i < expected.length; i++) {
                        double old = factors[1] == 0 ? 0 : factors[1] * y.floats()[i];
                        expected[i] = factors[0] * product[i] + old;
                    }
                    kernels.gemm(
                            transposeA,
                            transposeB,
                            m,
                            n,
                            k,
                            factors[0],
                            a.floats(),
                            b.floats(),
                            factors[1],
                            y.floats());
                    assertNear(expected, y);
                }
            }
        }
    }

    @Test
    void convolutions() {
        for (int[] size : new int[][] {{1, 2, 3, 5}, {4, 8, 16, 14}}) {
            int n = size[0];
            int c = size[1];
            int o = size[2];
            int side = size[3];
            Tensor x = normal(n, c, side, side);
            Tensor w = normal(o, c, 3, 3);
            Convolution op = new Convolution(PADDED, 1);
            Tensor y = room(n, o, side, side);
            kernels.convolution(x, w, PADDED, 1, y);
            assertNear(formula(op, x, w)[0], y);
            Tensor dy = normal(n, o, side, side);
            Tensor dx = room(n, c, side, side);
            kernels.convolutionBackwardData(dy, w, PADDED, 1, dx);
            assertNear(formula(new Convolution.BackwardData(op, x.shape()), dy, w)[0], dx);
            Tensor dw = room(o, c, 3, 3);
            kernels.convolutionBackwardWeights(x, dy, PADDED, 1, dw);
            assertNear(formula(new Convolution.BackwardWeights(op, w.shape()), x, dy)[0], dw);
        }
    }

    @Test
    void convolutionInGroups() {
        Tensor x = normal(2, 8, 6, 6);
        Tensor w = normal(8, 1, 3, 3);
        Tensor y = room(2, 8, 4, 4);
        kernels.convolution(x, w, Window.UNIT, 8, y);
        assertNear(formula(new Convolution(Window.UNIT, 8), x, w)[0], y);
    }

    @Test
    void batchNorm() {
        for (int side : new int[] {3, 40}) {
            Tensor x = normal(4, 5, side, side);
            Tensor scale = normal(5);
            Tensor bias = normal(5);
            Tensor given = normal(5);
            Tensor spread = positive(5);
            Tensor y = room(4, 5, side, side);
            kernels.batchNorm(x, scale, bias, given, spread, EPSILON, y);
            assertNear(formula(new BatchNorm(EPSILON, 0), x, scale, bias, given, spread)[0], y);

            Tensor mean = room(5);
            Tensor variance = room(5);
            kernels.batchNormTraining(x, scale, bias, EPSILON, y, mean, variance);
            double[][] training = formula(new BatchNorm.Training(EPSILON), x, scale, bias);
            assertNear(training[0], y);
            assertNear(training[1], mean);
            assertNear(training[2], variance);

            Tensor dy = normal(4, 5, side, side);
            Tensor dx = room(4, 5, side, side);
            Tensor dscale = room(5);
            Tensor dbias = room(5);
            kernels.batchNormBackward(x, dy, scale, mean, variance, EPSILON, dx, dscale, dbias);
            double[][] gradients = formula(new BatchNorm.Backward(EPSILON), x, dy, scale, mean, variance);
            assertNear(gradients[0], dx);
            assertNear(gradients[1], dscale);
            assertNear(gradients[2], dbias);
        }
    }

    @Test
    void layerNorm() {
        for (int rows : new int[] {3, 400}) {
            Tensor x = normal(rows, 4, 8);
            Tensor scale = normal(4, 8);
            Tensor bias = normal(4, 8);
            Tensor y = room(rows, 4, 8);
            Tensor mean = room(rows);
            Tensor variance = room(rows);
            double[][] expected = formula(new LayerNorm(2, EPSILON), x, scale, bias);
            kernels.layerNorm(x, scale, bias, EPSILON, y);
            assertNear(expected[0], y);
            kernels.layerNorm(x, scale, bias, EPSILON, y, mean, variance);
            assertNear(expected[0], y);
            assertNear(expected[1], mean);
            assertNear(expected[2], variance);

            Tensor dy = normal(rows, 4, 8);
            Tensor dx = room(rows, 4, 8);
            Tensor dscale = room(4, 8);
            Tensor dbias = room(4, 8);
            kernels.layerNormBackward(x, dy, scale, mean, variance, EPSILON, dx, dscale, dbias);
            double[][] gradients = formula(new LayerNorm.Backward(2, EPSILON), x, dy, scale, mean, variance);
            assertNear(gradients[0], dx);
            assertNear(gradients[1], dscale);
            assertNear(gradients[2], dbias);
        }
    }

    @Test
    void softmaxAndItsLogarithm() {
        for (int n : new int[] {4, 300}) {
            Tensor x = normal(n, 20);
            for (int axis : new int[] {0, -1}) {
                Tensor y = room(n, 20);
                kernels.softmax(x, axis, y);
                assertNear(formula(new Softmax(axis, false), x)[0], y);
                kernels.logSoftmax(x, axis, y);
                assertNear(formula(new Softmax(axis, true), x)[0], y);
            }
        }
    }

    @Test
    void activations() {
        for (int n : new int[] {7, 20_000}) {
            Tensor x = normal(n);
            Tensor dy = normal(n);
            Tensor y = room(n);
            kernels.relu(x, y);
            assertNear(formula(new Activation(Activation.Function.RELU), x)[0], y);
            kernels.gelu(x, y);
            assertNear(formula(new Activation(Activation.Function.GELU), x)[0], y);
            for (Activation.Function f : Activation.Function.values()) {
                kernels.activation(f, x, y);
                assertNear(formula(new Activation(f), x)[0], y);
                Tensor known = f.slopeFromResult() ? y : x;
                Tensor dx = room(n);
                kernels.activationBackward(f, known, dy, dx);
                assertNear(formula(new Activation.Backward(f), known, dy)[0], dx);
            }
        }
    }

    /** Step after step, in place. */
    @Test
    void adamW() {
        Kernels.AdamW settings = new Kernels.AdamW(0.01f);
        Adam op = new Adam(0.9f, 0.999f, 1e-8f, false);
        for (int n : new int[] {10, 30_000}) {
            Tensor w = normal(n);
            Tensor m = Tensor.zeros(DType.F32, Shape.of(n));
            Tensor v = Tensor.zeros(DType.F32, Shape.of(n));
            for (int t = 1; t <= 3; t++) {
                float correction1 = (float) (1 / (1 - Math.pow(0.9f, t)));
                float correction2 = (float) (1 / (1 - Math.pow(0.999f, t)));
                float no = Float.POSITIVE_INFINITY;
                Tensor hyper = Tensor.of(Hyper.TYPE.shape(), 0.01f, 0.01f, correction1, correction2, no, 0, no, 0);
                Tensor g = normal(n);
                double[][] expected = formula(op, w, g, m, v, Tensor.of(Shape.SCALAR, 0f), hyper);
                kernels.adamW(w, g, m, v, t, settings);
                assertNear(expected[0], w);
                assertNear(expected[1], m);
                assertNear(expected[2], v);
            }
        }
    }

    // ---- any op ----

    @Test
    void anyOpIntoNewTensors() {
        Tensor x = Tensor.of(Shape.of(2), 3f, 4f);
        assertEquals(List.of(Tensor.of(Shape.SCALAR, 5f)), kernels.run(new Norm(), x));
    }

    /** Products by the thousand are worth a copy; single ones, and sums, are not. */
    @Test
    void smallOnesRunInJava() {
        MatMul op = new MatMul(false, false);
        assertTrue(kernels.implementation(op, normal(16, 16), normal(16, 16)).startsWith("java"));
        assertTrue(kernels.implementation(new Activation(Activation.Function.RELU), normal(100_000))
                .startsWith("java"));
        String large = kernels.implementation(op, normal(128, 128), normal(128, 128));
        assertEquals(!backends().first().name().equals("java"), large.contains(" -> "), large);
    }

    @Test
    void nanFlowsThrough() {
        for (int n : new int[] {16, 100}) {
            Tensor a = normal(n, n);
            a.floats()[n + 1] = Float.NaN;
            Tensor y = Tensor.zeros(DType.F32, Shape.of(n, n));
            kernels.matmul(a, normal(n, n), y);
            for (int i = 0; i < n * n; i++) {
                assertEquals(i / n == 1, Float.isNaN(y.floats()[i]), "row " + i / n);
            }
        }
    }

    // ---- results over operands ----

    @Test
    void resultsMayLieOverOperands() {
        for (int n : new int[] {8, 60, 150}) {
            Tensor a = normal(n, n);
            Tensor b = normal(n, n);
            double[] product = formula(new MatMul(false, false), a, b)[0];
            double[] square = formula(new MatMul(false, false), b, b)[0];
            kernels.matmul(a, b, a);
            assertNear(product, a);
            kernels.matmul(b, b, b);
            assertNear(square, b);
            Tensor x = normal(n, n);
            double[] columns = formula(new Softmax(0, false), x)[0];
            kernels.softmax(x, 0, x);
            assertNear(columns, x);
        }
    }

    @Test
    void resultsMayNotShareAnArray() {
        Tensor x = normal(4, 5, 3, 3);
        Tensor five = normal(5);
        Tensor same = room(5);
        Exception e = assertThrows(
                IllegalArgumentException.class,
                () -> kernels.batchNormTraining(x, five, five, EPSILON, room(4, 5, 3, 3), same, same));
        assertTrue(String.valueOf(e.getMessage()).contains("results 1 and 2 share an array"), e.getMessage());
    }

    // ---- misuse ----

    @Test
    @SuppressWarnings("NullAway") // a null operand is one of them
    void misfitsAreNamed() {
        String inner = assertThrows(
                        IllegalArgumentException.class, () -> kernels.matmul(room(2, 3), room(4, 5), room(2, 5)))
                .getMessage();
        assertEquals("matmul: the inner dimensions of a [2,3] and b [4,5] differ", inner);
        String result = assertThrows(
                        IllegalArgumentException.class, () -> kernels.matmul(room(2, 3), room(3, 5), room(5, 2)))
                .getMessage();
        assertTrue(String.valueOf(result).contains("computes [f32[2,5]], not [F32[5,2]]"), result);
        String length = assertThrows(
                        IllegalArgumentException.class,
                        () -> kernels.matmul(2, 2, 2, new float[4], new float[4], new float[5]))
                .getMessage();
        assertEquals("shape [2,2] takes 4 values, but the array has 5", length);
        assertThrows(IllegalArgumentException.class, () -> kernels.run(new Norm(), (Tensor) null));
        assertThrows(IllegalArgumentException.class, () -> kernels.run(new Norm(), List.of(normal(2)), List.of()));
        assertThrows(IllegalArgumentException.class, () -> kernels.softmax(Tensor.of(Shape.of(2), 1, 2), 0, room(2)));
    }

    @Test
    void useAfterCloseIsAnError() {
        kernels.matmul(normal(2, 2), normal(2, 2), room(2, 2));
        kernels.close();
        kernels.close();
        assertThrows(IllegalStateException.class, () -> kernels.matmul(normal(2, 2), normal(2, 2), room(2, 2)));
        assertThrows(IllegalStateException.class, () -> kernels.matmul(normal(3, 2), normal(2, 2), room(3, 2)));
    }

    // ---- the cache ----

    @Test
    void onlySoManyKernelsAreKept() {
        MatMul op = new MatMul(false, false);
        Tensor b = normal(1, 1);
        for (int m = 1; m <= 600; m++) {
            kernels.run(op, normal(1, 1), b); // the one that is always in use
            assertEquals(m, kernels.run(op, normal(m, 1), b).get(0).floats().length);
            assertTrue(kernels.size() <= 256, "size " + kernels.size());
        }
        assertEquals(256, kernels.size());
        assertTrue(kernels.holds(op, normal(1, 1), b), "what was used just now was dropped");
        assertTrue(kernels.holds(op, normal(600, 1), b) && !kernels.holds(op, normal(300, 1), b), "not the oldest");
    }

    @Test
    void onlySoManyBytesAreKept() {
        for (int m = 3000; m < 3012; m++) { // 36 MB each, where they are copied
            kernels.run(new MatMul(false, false), room(m, 8), room(8, 3000));
        }
        assertTrue(kernels.bytes() <= (256L << 20) + 40_000_000, kernels.bytes() + " bytes");
        assertNotEquals(0, kernels.size());
    }

    // ---- threads ----

    @Test
    void manyThreadsGetTheirOwnAnswers() throws InterruptedException, ExecutionException {
        int threads = 8;
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Future<?>> calls = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int seed = t;
                calls.add(pool.submit(() -> callAtRandom(new Random(seed))));
            }
            for (Future<?> call : calls) {
                call.get();
            }
        } finally {
            pool.shutdownNow();
        }
    }

    /** Products of integers, which are exact in any order; more kinds than are kept. */
    private void callAtRandom(Random random) {
        for (int call = 0; call < 1000; call++) {
            int m = 1 + random.nextInt(24);
            int k = 1 + random.nextInt(24);
            int n = random.nextInt(20) == 0 ? 300 : 1 + random.nextInt(3);
            float[] a = integers(random, m * k);
            float[] b = integers(random, k * n);
            float[] y = new float[m * n];
            kernels.matmul(m, n, k, a, b, y);
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    float sum = 0;
                    for (int l = 0; l < k; l++) {
                        sum += a[i * k + l] * b[l * n + j];
                    }
                    assertEquals(sum, y[i * n + j], "a product of " + m + "x" + k + " and " + k + "x" + n);
                }
            }
        }
    }

    private static float[] integers(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextInt(21) - 10;
        }
        return values;
    }

    /** Calls under way when all is closed end with the right answer; those that come later are refused. */
    @Test
    void closingWaitsForNobodyAndHarmsNobody() throws InterruptedException, ExecutionException {
        Tensor a = normal(150, 150);
        Tensor b = normal(150, 150);
        double[] expected = formula(new MatMul(false, false), a, b)[0];
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try {
            List<Future<?>> calls = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                calls.add(pool.submit(() -> {
                    Tensor y = room(150, 150);
                    try {
                        for (int i = 0; i < 100_000; i++) {
                            kernels.matmul(a, b, y);
                            assertNear(expected, y);
                        }
                        throw new AssertionError("nobody closed the kernels");
                    } catch (IllegalStateException closed) {
                        // as it should be
                    }
                }));
            }
            Thread.sleep(100);
            kernels.close();
            for (Future<?> call : calls) {
                call.get();
            }
        } finally {
            pool.shutdownNow();
        }
    }
}
