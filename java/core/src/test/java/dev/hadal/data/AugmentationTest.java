package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

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
        Sample small = new Sample(Shape.of(1, 9, 2), 0).at(0, 0, new float[18], 0);
        assertThrows(IllegalArgumentException.class, () -> Augmentation.shift(2).apply(small));
        assertThrows(
                IllegalStateException.class, () -> new Sample(Shape.of(1), 0).uniform(), "stands for no sample yet");
    }
}
