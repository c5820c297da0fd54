package dev.hadal.onednn.natives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * libhadal through its binding, against the formulas in Java's double: that each argument arrives where it should.
 * How the kernels behave at every size, thread count and instruction set is tested in native/test.
 */
@Tag("variant")
class HadalNativeTest {
    private static final float POISON = 777.777f;
    private static final int N = 40_003; // enough for two threads

    @Test
    void loadingAlwaysAnswers() {
        HadalNative.Availability availability = HadalNative.load();
        assertFalse(availability.detail().isBlank());
        assertEquals(availability, HadalNative.load());
        String wanted = System.getProperty("hadal.native", "");
        if (wanted.equals("off") || System.getProperty("hadal.natives", "").equals("off")) {
            assertFalse(availability.available());
        } else if (wanted.equals("require")) {
            assertTrue(availability.available(), availability.detail());
        }
    }

    @Nested
    @Tag("native")
    class Functions {
        @BeforeEach
        void needTheLibrary() {
            assumeTrue(HadalNative.load().available(), HadalNative.load().detail());
        }

        @Test
        void isaIsOneOfThree() {
            assertTrue(Arrays.asList("baseline", "avx2", "avx512").contains(HadalNative.isa()), HadalNative.isa());
        }

        @Test
        void ceilingsAreMeasured() {
            int multiplyAdds = 0;
            int copy = 6;
            try (FloatPointer memory = new FloatPointer(N)) {
                assertTrue(HadalNative.peak(multiplyAdds, null, 0) > 1e6);
                assertTrue(HadalNative.peak(copy, memory, N) > 1e6);
                assertEquals(0, HadalNative.peak(copy, memory, 1));
            }
        }

        /** A second copy would keep a second pool of threads, and setThreads would not reach oneDNN's. */
        @Test
        void oneOpenMpLibraryServesBoth() throws IOException {
            Path maps = Path.of("/proc/self/maps");
            assumeTrue(Files.exists(maps), "only Linux lists what is loaded");
            try (Stream<String> lines = Files.lines(maps)) {
                Set<String> copies = lines.filter(line -> line.contains("libgomp") || line.contains("libomp"))
                        .map(line -> line.substring(line.indexOf('/')))
                        .collect(Collectors.toSet());
                assertEquals(1, copies.size(), copies::toString);
            }
        }

        @Test
        void threadsAreCountedPerCallingThread() throws InterruptedException {
            int before = HadalNative.threads();
            int[] elsewhere = new int[1];
            Thread other = new Thread(() -> elsewhere[0] = HadalNative.setThreads(before + 1));
            other.start();
            other.join();
            assertEquals(before + 1, elsewhere[0]);
            assertEquals(before, HadalNative.threads());
            assertEquals(before, HadalNative.setThreads(0), "0 threads changes nothing");
        }

        @Test
        void norm() {
            float[] x = normal(N, 1, 1);
            double expected = 0;
            for (float element : x) {
                expected += (double) element * element;
            }
            try (FloatPointer buffer = new FloatPointer(x);
                    DoublePointer squares = new DoublePointer(0.0);
                    FloatPointer norm = new FloatPointer(POISON)) {
                run(steps -> HadalNative.norm(steps, buffer, N, squares, norm));
                assertEquals(expected, squares.get(), 1e-12 * expected);
                assertEquals(Math.sqrt(expected), norm.get(), 1e-7 * Math.sqrt(expected));
            }
        }

        /** HADAL_ADAM */
        private static final int ADAM = 7;

        @ParameterizedTest
        @ValueSource(floats = {0.5f, Float.POSITIVE_INFINITY})
        void adam(float limit) {
            float[] w = normal(N, 2, 1);
            float[] g = normal(N, 3, 0.1f);
            float[] m = normal(N, 4, 0.01f);
            float[] v = squares(normal(N, 5, 0.01f));
            float beta1 = 0.9f;
            float beta2 = 0.999f;
            float epsilon = 1e-8f;
            float norm = 17;
            float[] hyper = {3e-3f, 0.05f, 3.7f, 333, limit, Float.NaN, Float.POSITIVE_INFINITY, 0};
            double[] w1 = new double[N];
            double[] m1 = new double[N];
            double[] v1 = new double[N];
            for (int i = 0; i < N; i++) {
                double gi = g[i] * Math.min(1, limit / (norm + 1e-6));
                m1[i] = beta1 * (double) m[i] + (1.0 - beta1) * gi;
                v1[i] = beta2 * (double) v[i] + (1.0 - beta2) * gi * gi;
                double step = m1[i] * hyper[2] / (Math.sqrt(v1[i] * hyper[3]) + epsilon);
                w1[i] = w[i] - hyper[0] * (step + hyper[1] * (double) w[i]);
            }
            try (FloatPointer pw = new FloatPointer(w);
                    FloatPointer pg = new FloatPointer(g);
                    FloatPointer pm = new FloatPointer(m);
                    FloatPointer pv = new FloatPointer(v);
                    FloatPointer ph = new FloatPointer(hyper);
                    FloatPointer pn = new FloatPointer(norm)) {
                run(steps ->
                        HadalNative.update(steps, ADAM, pw, pg, pm, pv, null, null, N, beta1, beta2, epsilon, ph, pn));
                assertClose(w1, pw);
                assertClose(m1, pm);
                assertClose(v1, pv);
            }
        }

        @ParameterizedTest
        @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
        void aNormThatIsNotFiniteWritesNothing(float norm) {
            float[] before = normal(N, 9, 1);
            try (FloatPointer w = new FloatPointer(before);
                    FloatPointer g = new FloatPointer(before);
                    FloatPointer m = new FloatPointer(before);
                    FloatPointer v = new FloatPointer(before);
                    FloatPointer hyper = new FloatPointer(0.1f, 0.1f, 1, 1, 1, 1, 1, 1);
                    FloatPointer pn = new FloatPointer(norm)) {
                run(steps ->
                        HadalNative.update(steps, ADAM, w, g, m, v, null, null, N, 0.9f, 0.999f, 1e-8f, hyper, pn));
                for (FloatPointer buffer : new FloatPointer[] {w, m, v}) {
                    assertArrayEquals(before, read(buffer, N));
                }
            }
        }

        @ParameterizedTest
        @ValueSource(floats = {0, 0.1f})
        void crossEntropyAndItsGradient(float smoothing) {
            int rows = 37;
            int classes = 19;
            float[] x = normal(rows * classes, 10, 3);
            int[] labels = new Random(11).ints(rows, 0, classes).toArray();
            float dloss = 0.75f;
            double loss1 = 0;
            double[] p1 = new double[rows * classes];
            double[] dx1 = new double[rows * classes];
            for (int row = 0; row < rows; row++) {
                double s = 0;
                for (int k = 0; k < classes; k++) {
                    s += Math.exp(x[row * classes + k]);
                }
                for (int k = 0; k < classes; k++) {
                    int i = row * classes + k;
                    double t = (k == labels[row] ? 1.0 - smoothing : 0) + (double) smoothing / classes;
                    p1[i] = Math.exp(x[i]) / s;
                    dx1[i] = (p1[i] - t) * dloss / rows;
                    loss1 -= t * Math.log(p1[i]) / rows;
                }
            }
            try (FloatPointer px = new FloatPointer(x);
                    IntPointer pl = new IntPointer(labels);
                    FloatPointer loss = new FloatPointer(POISON);
                    FloatPointer pd = new FloatPointer(dloss);
                    FloatPointer p = new FloatPointer(poison(rows * classes));
                    FloatPointer dx = new FloatPointer(poison(rows * classes))) {
                run(steps -> HadalNative.crossEntropy(
                        steps, px, pl, null, null, rows, 1, classes, smoothing, -100, loss, p));
                assertEquals(loss1, loss.get(), 1e-6 * loss1);
                assertClose(p1, p);
                run(steps -> HadalNative.crossEntropyBackward(
                        steps, p, pl, null, null, pd, rows, 1, classes, smoothing, -100, dx));
                assertClose(dx1, dx);
            }
        }
    }

    /** A list of what is recorded, run once. */
    private static void run(Consumer<HadalNative.StepList> record) {
        HadalNative.StepList steps = Objects.requireNonNull(HadalNative.create());
        record.accept(steps);
        assertEquals(1, HadalNative.count(steps));
        assertEquals(-1, HadalNative.run(steps, 2, null));
        HadalNative.destroy(steps);
    }

    private static float[] normal(int n, long seed, float scale) {
        Random random = new Random(seed);
        float[] x = new float[n];
        for (int i = 0; i < n; i++) {
            x[i] = scale * (float) random.nextGaussian();
        }
        return x;
    }

    private static float[] squares(float[] x) {
        for (int i = 0; i < x.length; i++) {
            x[i] *= x[i];
        }
        return x;
    }

    private static float[] poison(int n) {
        float[] x = new float[n];
        Arrays.fill(x, POISON);
        return x;
    }

    private static float[] read(FloatPointer buffer, int n) {
        float[] x = new float[n];
        buffer.get(x);
        return x;
    }

    private static void assertClose(double[] expected, FloatPointer buffer) {
        float[] actual = read(buffer, expected.length);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], 2e-6 * Math.abs(expected[i]) + 2e-7, "element " + i);
        }
    }
}
