package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class AugmentationTest {
    private static final int BEFORE = 5;

    @Test
    void shiftAgreesWithItsFormula() {
        for (Shape shape : List.of(Shape.of(1, 4, 5), Shape.of(3, 5, 4), Shape.of(2, 1, 4), Shape.of(1, 4, 1))) {
            for (int down = 1 - shape.get(1); down < shape.get(1); down++) {
                for (int right = 1 - shape.get(2); right < shape.get(2); right++) {
                    for (boolean repeatEdge : new boolean[] {true, false}) {
                        float[] x = numbered(shape);
                        float[] expected = shifted(x, shape, down, right, repeatEdge);
                        new Shift(3, repeatEdge, -7).move(x, BEFORE, shape, down, right);
                        String what = shape + " by " + down + "," + right + (repeatEdge ? " edge" : "");
                        assertArrayEquals(expected, x, what);
                    }
                }
            }
        }
    }

    /** y[c,i,j] = x[c,i−down,j−right], out of place; what lies before and after the sample stays. */
    private static float[] shifted(float[] x, Shape shape, int down, int right, boolean repeatEdge) {
        int h = shape.get(1), w = shape.get(2);
        float[] y = x.clone();
        for (int c = 0; c < shape.get(0); c++) {
            for (int i = 0; i < h; i++) {
                for (int j = 0; j < w; j++) {
                    int fromI = Math.max(0, Math.min(h - 1, i - down));
                    int fromJ = Math.max(0, Math.min(w - 1, j - right));
                    boolean inside = fromI == i - down && fromJ == j - right;
                    float value = x[BEFORE + (c * h + fromI) * w + fromJ];
                    y[BEFORE + (c * h + i) * w + j] = inside || repeatEdge ? value : -7;
                }
            }
        }
        return y;
    }

    private static float[] numbered(Shape shape) {
        float[] x = new float[BEFORE + shape.size() + 5];
        for (int i = 0; i < x.length; i++) {
            x[i] = i;
        }
        return x;
    }

    @Test
    void everyShiftIsEquallyLikely() {
        Shape shape = Shape.of(1, 7, 7);
        Sample sample = new Sample(shape, 1);
        int trials = 25_000;
        int[] seen = new int[25];
        double sumDown = 0, sumRight = 0;
        for (int i = 0; i < trials; i++) {
            float[] x = new float[49];
            x[3 * 7 + 3] = 1;
            Augmentation.shift(2).apply(sample.at(0, i, x, 0));
            int at = 0;
            while (x[at] != 1) {
                at++;
            }
            int down = at / 7 - 3, right = at % 7 - 3;
            seen[(down + 2) * 5 + right + 2]++;
            sumDown += down;
            sumRight += right;
        }
        // The deviation of one step is √2, that of a mean of n steps √(2/n) = 0.009; of one of the 25 counts, 31.
        assertEquals(0, sumDown / trials, 0.04);
        assertEquals(0, sumRight / trials, 0.04);
        for (int count : seen) {
            assertEquals(trials / 25.0, count, 140, () -> Arrays.toString(seen));
        }
    }

    @Test
    void everySecondImageIsFlipped() {
        Shape shape = Shape.of(2, 2, 3);
        Sample sample = new Sample(shape, 1);
        float[] mirrored = {2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9};
        float[] original = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
        int flips = 0;
        for (int i = 0; i < 10_000; i++) {
            float[] x = original.clone();
            Augmentation.flip().apply(sample.at(0, i, x, 0));
            flips += x[0] == 2 ? 1 : 0;
            assertArrayEquals(x[0] == 2 ? mirrored : original, x);
        }
        assertEquals(5000, flips, 250); // five deviations
    }

    @Test
    void anAffineChangeAgreesWithItsFormula() {
        for (int trial = 0; trial < 60; trial++) {
            Philox random = new Philox(trial, 1);
            Shape shape = Shape.of(1 + random.below(3, 0), 1 + random.below(7, 1), 1 + random.below(7, 2));
            double angle = 7 * random.normal(5), scale = 0.5 + 2 * random.uniform(12);
            double down = 3 * random.normal(7), right = 3 * random.normal(8);
            float[] image = new float[shape.size()];
            for (int i = 0; i < image.length; i++) {
                image[i] = random.normal(20 + i);
            }
            float[] y = new float[BEFORE + shape.size() + 1];
            Augmentation.affine().background(9).move(image, y, BEFORE, shape, angle, down, right, scale);
            assertArrayEquals(new float[BEFORE], Arrays.copyOf(y, BEFORE));
            assertEquals(0, y[BEFORE + shape.size()]);
            int at = BEFORE;
            for (int c = 0; c < shape.get(0); c++) {
                for (int i = 0; i < shape.get(1); i++) {
                    for (int j = 0; j < shape.get(2); j++) {
                        assertEquals(affine(image, shape, c, i, j, angle, down, right, scale), y[at++], 1e-4);
                    }
                }
            }
        }
    }

    /** Sums over all pixels, each with its bilinear weight, and over a wide border of background. */
    private static double affine(
            float[] x, Shape shape, int c, int i, int j, double angle, double down, double right, double scale) {
        int h = shape.get(1), w = shape.get(2);
        double di = (i - (h - 1) / 2.0 - down) / scale, dj = (j - (w - 1) / 2.0 - right) / scale;
        double fromI = Math.cos(-angle) * di + Math.sin(-angle) * dj + (h - 1) / 2.0;
        double fromJ = -Math.sin(-angle) * di + Math.cos(-angle) * dj + (w - 1) / 2.0;
        double sum = 0, weights = 0;
        for (int k = 0; k < h; k++) {
            for (int l = 0; l < w; l++) {
                double weight = Math.max(0, 1 - Math.abs(fromI - k)) * Math.max(0, 1 - Math.abs(fromJ - l));
                weights += weight;
                sum += weight * x[(c * h + k) * w + l];
            }
        }
        return sum + (1 - weights) * 9;
    }

    @Test
    void anAffineChangeOfNothingChangesNothing() {
        Shape shape = Shape.of(2, 4, 5);
        float[] x = numbered(shape);
        new Affine(0, 0, 1, 1, -1).apply(new Sample(shape, 1).at(0, 0, x, BEFORE));
        assertArrayEquals(numbered(shape), x);
    }

    @Test
    void aQuarterTurnIsClockwise() {
        float[] x = {1, 2, 3, 4}, y = new float[4];
        Augmentation.affine().move(x, y, 0, Shape.of(1, 2, 2), Math.PI / 2, 0, 0, 1);
        assertArrayEquals(new float[] {3, 1, 4, 2}, y, 1e-6f);
    }

    @Test
    void whatIsTurnedStaysWithinItsLimits() {
        Shape shape = Shape.of(1, 9, 9);
        Sample sample = new Sample(shape, 2);
        boolean turned = false;
        for (int i = 0; i < 200; i++) {
            float[] x = new float[81];
            x[4 * 9 + 4] = 1; // only a move shifts the centre
            Augmentation.affine().rotate(180).scale(1, 1).apply(sample.at(0, i, x, 0));
            assertEquals(1, x[4 * 9 + 4], 1e-6);
            float[] moved = new float[81];
            moved[4 * 9 + 4] = 1;
            Augmentation.affine().translate(2).apply(sample.at(1, i, moved, 0));
            for (int at = 0; at < 81; at++) {
                boolean near = Math.abs(at / 9 - 4) <= 2 && Math.abs(at % 9 - 4) <= 2;
                assertTrue(near || moved[at] == 0);
                turned |= moved[at] != 0 && at != 40;
            }
        }
        assertTrue(turned);
    }

    @Test
    void erasingFillsOneRectangle() {
        Shape shape = Shape.of(2, 12, 10);
        Sample sample = new Sample(shape, 3);
        int erased = 0;
        for (int trial = 0; trial < 4000; trial++) {
            float[] x = numbered(shape);
            Augmentation.erase(0.25, -7).apply(sample.at(0, trial, x, BEFORE));
            int count = 0, top = 99, bottom = -1, left = 99, right = -1;
            for (int p = 0; p < x.length; p++) {
                int inside = p - BEFORE;
                boolean gone = x[p] == -7;
                assertTrue(gone || x[p] == p);
                if (gone && inside < 120) {
                    assertEquals(-7, x[p + 120], "in both channels");
                    count++;
                    top = Math.min(top, inside / 10);
                    bottom = Math.max(bottom, inside / 10);
                    left = Math.min(left, inside % 10);
                    right = Math.max(right, inside % 10);
                }
            }
            erased += count > 0 ? 1 : 0;
            assertTrue(count == 0 || count == (bottom - top + 1) * (right - left + 1), "trial " + trial);
            assertTrue(count <= 0.4 * 120 + 12, "two to forty percent, and what rounding adds");
        }
        assertEquals(1000, erased, 140); // five deviations of √(4000·¼·¾) = 27
    }

    @Test
    void brightnessContrastAndNoiseFollowTheirFormulas() {
        Shape shape = Shape.of(2, 3, 4);
        Sample sample = new Sample(shape, 4);
        float brightest = 0, steepest = 0, flattest = 1;
        double sum = 0, squares = 0;
        int trials = 500;
        for (int trial = 0; trial < trials; trial++) {
            float[] x = numbered(shape);
            Augmentation.brightness(0.5).apply(sample.at(0, trial, x, BEFORE));
            float b = x[BEFORE] - BEFORE;
            brightest = Math.max(brightest, Math.abs(b));
            float[] y = numbered(shape);
            Augmentation.contrast(0.5).apply(sample.at(1, trial, y, BEFORE));
            float f = (y[BEFORE + 1] - y[BEFORE]);
            steepest = Math.max(steepest, f);
            flattest = Math.min(flattest, f);
            float[] z = numbered(shape);
            Augmentation.noise(0.1).apply(sample.at(2, trial, z, BEFORE));
            for (int p = 0; p < x.length; p++) {
                boolean inside = p >= BEFORE && p < BEFORE + 24;
                double mean = BEFORE + (p - BEFORE) / 12 * 12 + 5.5;
                assertEquals(inside ? p + b : p, x[p], 1e-5);
                assertEquals(inside ? mean + f * (p - mean) : p, y[p], 2e-5);
                sum += z[p] - p;
                squares += (z[p] - p) * (z[p] - p);
                assertTrue(inside || z[p] == p);
            }
        }
        assertTrue(brightest <= 0.5 && brightest > 0.48);
        assertTrue(steepest <= 1.50001 && steepest > 1.48 && flattest >= 0.49999 && flattest < 0.52);
        int n = 24 * trials;
        assertEquals(0, sum / n, 5 * 0.1 / Math.sqrt(n));
        assertEquals(0.01, squares / n, 5 * 0.01 * Math.sqrt(2.0 / n));
    }

    @Test
    void whatIsDrawnDependsOnSeedEpochAndSampleAlone() {
        Shape shape = Shape.of(1, 1, 1);
        Sample forwards = new Sample(shape, 1), backwards = new Sample(shape, 1);
        float[] nothing = new float[1];
        List<List<Float>> there = new ArrayList<>(), back = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            there.add(draws(forwards.at(i % 2, i, nothing, 0)));
            back.add(draws(backwards.at((99 - i) % 2, 99 - i, nothing, 0)));
        }
        Collections.reverse(back);
        assertEquals(there, back);
        assertEquals(100, there.stream().distinct().count());
        assertNotEquals(there.get(0), draws(new Sample(shape, 2).at(0, 0, nothing, 0)));
        assertNotEquals(there.get(0), draws(new Sample(shape, 1).at(1, 0, nothing, 0)));
        assertEquals(there.get(99), draws(new Sample(shape, 1).at(1, 99, nothing, 0)));
    }

    private static List<Float> draws(Sample sample) {
        return List.of(
                sample.uniform(), (float) sample.below(1000), sample.normal(), sample.uniform(), sample.normal());
    }

    @Test
    void theLastSampleOfAllHasDrawsOfItsOwn() {
        Sample sample = new Sample(Shape.of(1, 1, 1), 1);
        float[] nothing = new float[1];
        List<Float> last = draws(sample.at(0, Integer.MAX_VALUE, nothing, 0));
        assertNotEquals(last, draws(sample.at(0, Integer.MAX_VALUE - 1, nothing, 0)));
        assertNotEquals(last, draws(sample.at(0, 0, nothing, 0)));
    }

    @Test
    void thenAppliesOneAfterTheOther() {
        Augmentation plusOne = s -> s.values()[s.offset()]++;
        Augmentation timesTen = s -> s.values()[s.offset()] *= 10;
        float[] x = {1, 2};
        plusOne.then(timesTen).then(plusOne).apply(new Sample(Shape.of(1), 0).at(0, 0, x, 1));
        assertArrayEquals(new float[] {1, 31}, x);
    }

    @Test
    void whatDoesNotFitIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Augmentation.shift(-1));
        Sample row = new Sample(Shape.of(9), 0).at(0, 0, new float[9], 0);
        assertThrows(IllegalArgumentException.class, () -> Augmentation.shift(1).apply(row));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.flip().apply(row));
        for (Augmentation images :
                List.of(Augmentation.rotate(1), Augmentation.erase(1, 0), Augmentation.contrast(0))) {
            assertThrows(IllegalArgumentException.class, () -> images.apply(row));
        }
        assertThrows(IllegalArgumentException.class, () -> Augmentation.rotate(181));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.affine().scale(0, 1));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.erase(2, 0));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.brightness(-1));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.contrast(Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.noise(-1));
        Sample small = new Sample(Shape.of(1, 9, 2), 0).at(0, 0, new float[18], 0);
        assertThrows(IllegalArgumentException.class, () -> Augmentation.shift(2).apply(small));
        assertThrows(
                IllegalStateException.class, () -> new Sample(Shape.of(1), 0).uniform(), "stands for no sample yet");
    }
}
