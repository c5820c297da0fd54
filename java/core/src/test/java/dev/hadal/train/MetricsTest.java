package dev.hadal.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.nn.Layers;
import dev.hadal.nn.Loss;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Metrics.Average;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** By hand, and against the examples of scikit-learn's documentation. */
class MetricsTest {
    private static final double CLOSE = 1e-12;
    /** Three classes; the largest outputs are 0, 2, 1, 0, 0, 1, as in scikit-learn's example of f1_score. */
    private static final Tensor ANSWERS = matrix(6, 3, 9, 1, 0, 0, 1, 2, -1, 5, 4, 1, 0, 0, 3, 2, 1, 0, 2, 1);

    private static final Tensor TARGETS = labels(0, 1, 2, 0, 1, 2);

    private static Tensor matrix(int rows, int columns, float... values) {
        return Tensor.of(Shape.of(rows, columns), values);
    }

    private static Tensor column(float... values) {
        return Tensor.of(Shape.of(values.length), values);
    }

    private static Tensor labels(int... values) {
        return Tensor.of(Shape.of(values.length), values);
    }

    private static double value(Metric metric, Tensor output, Tensor target) {
        Metric.Accumulator accumulator = metric.start();
        accumulator.add(output, target);
        return accumulator.value();
    }

    private static ConfusionMatrix confusion(Tensor output, Tensor target) {
        ConfusionMatrix matrix = Metrics.confusionMatrix();
        matrix.add(output, target);
        return matrix;
    }

    private static void assertRefused(String words, Executable call) {
        String message =
                String.valueOf(assertThrows(RuntimeException.class, call).getMessage());
        assertTrue(message.contains(words), message);
    }

    @Test
    void accuracyCountsTheLargestOutput() {
        assertEquals(2 / 6.0, value(Metrics.accuracy(), ANSWERS, TARGETS), CLOSE);
        assertEquals("accuracy", Metrics.accuracy().name());
        // Of equal outputs the first is the answer.
        assertEquals(1, value(Metrics.accuracy(), matrix(1, 2, 1, 1), labels(0)), CLOSE);
        assertEquals(0, value(Metrics.accuracy(), matrix(1, 2, 1, 1), labels(1)), CLOSE);
        assertEquals(Double.NaN, Metrics.accuracy().start().value());
    }

    @Test
    void nanIsNoAnswer() {
        Tensor output = matrix(2, 2, Float.NaN, 1, 1, Float.NaN);
        assertEquals(1, value(Metrics.accuracy(), output, labels(1, 0)), CLOSE);
        assertEquals(1, confusion(output, labels(1, 0)).value(), CLOSE);
        assertEquals(0, value(Metrics.accuracy(), output, labels(0, 1)), CLOSE);
        assertEquals(Double.NaN, value(Metrics.auc(), output, labels(0, 1)));
        assertEquals(Double.NaN, value(Metrics.perplexity(), output, labels(0, 1)));
        assertEquals(Double.NaN, value(Metrics.meanSquaredError(), column(1, Float.NaN), column(1, 1)));
        assertEquals(Double.NaN, value(Metrics.rSquared(), column(1, Float.NaN), column(1, 2)));
    }

    @Test
    void oneLogitTellsTwoClassesApart() {
        Tensor logits = column(-1, 2, 3, -4);
        Tensor asFloats = Tensor.of(Shape.of(4, 1), 0, 1, 0, 0f);
        assertEquals(0.75, value(Metrics.accuracy(), logits, labels(0, 1, 0, 0)), CLOSE);
        assertEquals(0.75, value(Metrics.accuracy(), logits, asFloats), CLOSE);
        assertEquals(1, confusion(logits, asFloats).count(0, 1));
        // softplus(x) − x·target, summed over the four.
        double loss = Math.log1p(Math.exp(-1))
                + Math.log1p(Math.exp(-2))
                + Math.log1p(Math.exp(3))
                + Math.log1p(Math.exp(-4));
        assertEquals(Math.exp(loss / 4), value(Metrics.perplexity(), logits, asFloats), CLOSE);
    }

    @Test
    void targetsToBeIgnoredDoNotCount() {
        Tensor with = labels(0, -100, 2, 0, 1, -100);
        Tensor without = labels(0, 2, 0, 1);
        Tensor output = matrix(4, 3, 9, 1, 0, -1, 5, 4, 1, 0, 0, 3, 2, 1);
        for (Metric metric : new Metric[] {
            Metrics.accuracy(), Metrics.topK(2), Metrics.f1(Average.MACRO), Metrics.auc(), Metrics.perplexity()
        }) {
            assertEquals(value(metric, output, without), value(metric, ANSWERS, with), CLOSE, metric.name());
        }
        assertEquals(Double.NaN, value(Metrics.accuracy(), column(1), labels(-100)));
        assertRefused("target -1.0 of row 0", () -> value(Metrics.accuracy(), column(1), labels(-1)));
    }

    /** As mixup leaves them: the likeliest class counts, and all of them in the cross-entropy. */
    @Test
    void distributionsOverTheClasses() {
        Tensor logits = matrix(2, 3, 0, 2, 0, 1, 0, 0);
        Tensor target = matrix(2, 3, 0.25f, 0.75f, 0, 0, 0.5f, 0.5f);
        assertEquals(0.5, value(Metrics.accuracy(), logits, target), CLOSE);
        assertEquals(1, confusion(logits, target).count(1, 0));
        double first = Math.log(2 + Math.exp(2)) - 0.75 * 2;
        double second = Math.log(2 + Math.exp(1));
        assertEquals(Math.exp((first + second) / 2), value(Metrics.perplexity(), logits, target), CLOSE);
    }

    /** A text of 2 × 3 characters, say. */
    @Test
    void sequencesHaveATargetForEachRow() {
        Tensor output = Tensor.of(Shape.of(2, 3, 3), ANSWERS.floats());
        Tensor target = Tensor.of(Shape.of(2, 3), TARGETS.ints());
        assertEquals(2 / 6.0, value(Metrics.accuracy(), output, target), CLOSE);
    }

    @Test
    void topKCountsTheKLargest() {
        // Ranks of the targets: 0, 1, 1, 0, 1, 1.
        assertEquals(2 / 6.0, value(Metrics.topK(1), ANSWERS, TARGETS), CLOSE);
        assertEquals(1, value(Metrics.topK(2), ANSWERS, TARGETS), CLOSE);
        // Ranks 0 to 3, the two equal outputs in the order of their classes.
        Tensor output = matrix(4, 4, 5, 3, 3, 1, 5, 3, 3, 1, 5, 3, 3, 1, 5, 3, 3, 1);
        Tensor target = labels(0, 1, 2, 3);
        for (int k = 1; k <= 5; k++) {
            assertEquals(Math.min(k, 4) / 4.0, value(Metrics.topK(k), output, target), CLOSE);
        }
        assertEquals(1, value(Metrics.topK(2), matrix(1, 4, 5, 3, 3, 1), labels(1)), CLOSE);
        assertEquals(0, value(Metrics.topK(2), matrix(1, 4, 5, 3, 3, 1), labels(2)), CLOSE);
        assertEquals("top_5", Metrics.topK(5).name());
        assertRefused("k of at least 1, not 0", () -> Metrics.topK(0));
    }

    @Test
    void confusionMatrix() {
        ConfusionMatrix matrix = confusion(ANSWERS, TARGETS);
        long[][] expected = {{2, 0, 0}, {1, 0, 1}, {0, 2, 0}};
        for (int t = 0; t < 3; t++) {
            for (int p = 0; p < 3; p++) {
                assertEquals(expected[t][p], matrix.count(t, p), t + " taken for " + p);
            }
        }
        assertEquals(2 / 6.0, matrix.value(), CLOSE);
        assertEquals(2 / 3.0, matrix.precision(0), CLOSE);
        assertEquals(1, matrix.recall(0), CLOSE);
        assertEquals(0.8, matrix.f1(0), CLOSE);
        assertEquals(0, matrix.precision(1), CLOSE);
        assertEquals(0, matrix.f1(2), CLOSE);
        assertEquals(2, matrix.support(1));
        assertEquals(1, matrix.predictions(2));
    }

    @Test
    void theMatrixIsPrintedAsATable() {
        ConfusionMatrix matrix = Metrics.confusionMatrix("cat", "dog", "Löwe");
        matrix.add(ANSWERS, TARGETS);
        assertEquals("""
                target \\ predicted  cat  dog  Löwe  precision  recall      F1
                cat                   2    0     0     0.6667  1.0000  0.8000
                dog                   1    0     1     0.0000  0.0000  0.0000
                Löwe                  0    2     0     0.0000  0.0000  0.0000
                """, matrix.toString());
        assertRefused(
                "tells 3 classes apart, but the names are 2",
                () -> Metrics.confusionMatrix("cat", "dog").add(ANSWERS, TARGETS));
    }

    /** scikit-learn's examples: macro 0.26…, micro 0.33…. */
    @Test
    void f1() {
        assertEquals(0.8 / 3, value(Metrics.f1(Average.MACRO), ANSWERS, TARGETS), CLOSE);
        assertEquals(2 / 6.0, value(Metrics.f1(Average.MICRO), ANSWERS, TARGETS), CLOSE);
        // Three true positives, one false negative, two false positives.
        Tensor logits = column(1, 1, 1, -1, 1, 1, -1);
        Tensor target = labels(1, 1, 1, 1, 0, 0, 0);
        assertEquals(6 / 9.0, value(Metrics.f1(Average.BINARY), logits, target), CLOSE);
        assertEquals(0, value(Metrics.f1(Average.BINARY), column(-1), labels(0)), CLOSE);
        assertRefused("binary F1 is for two classes, not 3", () -> value(Metrics.f1(Average.BINARY), ANSWERS, TARGETS));
        // A class that neither occurs nor is answered does not count: of classes 0 to 2 only the first two.
        Tensor two = matrix(2, 3, 1, 0, 0, 0, 1, 0);
        assertEquals(1, value(Metrics.f1(Average.MACRO), two, labels(0, 1)), CLOSE);
        assertEquals(Double.NaN, Metrics.f1(Average.MACRO).start().value());
    }

    /** scikit-learn's example of roc_auc_score: 0.75. */
    @Test
    void aucOfTwoClasses() {
        Tensor target = labels(0, 0, 1, 1);
        assertEquals(0.75, value(Metrics.auc(), column(0.1f, 0.4f, 0.35f, 0.8f), target), CLOSE);
        assertEquals(0.75, value(Metrics.auc(), matrix(4, 2, 1, 1.1f, 0, 0.4f, -1, -0.65f, 0, 0.8f), target), CLOSE);
        // Equal scores count half: of four pairs, two are right and two equal.
        assertEquals(0.75, value(Metrics.auc(), column(1, 2, 2, 2), labels(0, 0, 1, 1)), CLOSE);
        assertEquals(0.5, value(Metrics.auc(), column(7, 7, 7), labels(0, 1, 0)), CLOSE);
        assertEquals(0, value(Metrics.auc(), column(1, 2), labels(1, 0)), CLOSE);
        assertEquals(Double.NaN, value(Metrics.auc(), column(1, 2), labels(1, 1)));
        assertEquals(Double.NaN, Metrics.auc().start().value());
    }

    /** The mean over classes of what comparing all pairs of probabilities gives. */
    @Test
    void aucOfSeveralClassesIsThatOfEachAgainstTheRest() {
        int n = 300;
        Philox random = new Philox(1, 2);
        float[] logits = new float[n * 4];
        int[] labels = new int[n];
        for (int i = 0; i < n; i++) {
            labels[i] = random.below(3, i); // class 3 never occurs, and does not count
            for (int c = 0; c < 4; c++) {
                // Few different values, so that many are equal.
                logits[i * 4 + c] = random.below(4, 1000 + 4L * i + c) + (c == labels[i] ? 1 : 0);
            }
        }
        double expected = 0;
        for (int c = 0; c < 3; c++) {
            double won = 0;
            long pairs = 0;
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    if (labels[i] == c && labels[j] != c) {
                        won += 0.5 + 0.5 * Math.signum(logOdds(logits, i, c) - logOdds(logits, j, c));
                        pairs++;
                    }
                }
            }
            expected += won / pairs / 3;
        }
        Metric.Accumulator auc = Metrics.auc().start();
        for (int from = 0; from < n; from += 7) {
            int to = Math.min(n, from + 7);
            auc.add(
                    matrix(to - from, 4, Arrays.copyOfRange(logits, 4 * from, 4 * to)),
                    labels(Arrays.copyOfRange(labels, from, to)));
        }
        assertEquals(expected, auc.value(), 1e-12);
        assertTrue(expected > 0.6 && expected < 0.95, "" + expected);
    }

    /** log-probability, to within its order; rounded, so that what should be equal is. */
    private static double logOdds(float[] logits, int row, int c) {
        double sum = 0;
        for (int k = 0; k < 4; k++) {
            sum += Math.exp(logits[row * 4 + k] - logits[row * 4 + c]);
        }
        return -Math.rint(1e9 * Math.log(sum)) / 1e9;
    }

    @Test
    void perplexity() {
        // Uniform over five classes: five.
        assertEquals(5, value(Metrics.perplexity(), matrix(2, 5, new float[10]), labels(1, 4)), CLOSE);
        // Probabilities ½ and ⅛ of the targets: √16.
        float ln = (float) Math.log(0.125);
        Tensor logits = matrix(2, 2, (float) Math.log(0.5), (float) Math.log(0.5), ln, (float) Math.log(0.875));
        assertEquals(4, value(Metrics.perplexity(), logits, labels(1, 0)), 1e-6);
    }

    @Test
    void errorsOfNumbers() {
        Tensor y = column(2.5f, 0, 2, 8);
        Tensor t = column(3, -0.5f, 2, 7);
        // scikit-learn's examples.
        assertEquals(0.375, value(Metrics.meanSquaredError(), y, t), CLOSE);
        assertEquals(0.5, value(Metrics.meanAbsoluteError(), y, t), CLOSE);
        assertEquals(1 - 1.5 / 29.1875, value(Metrics.rSquared(), y, t), CLOSE);
        assertEquals(0.5, value(Metrics.meanAbsoluteError(), Tensor.of(Shape.of(4, 1), y.floats()), t), CLOSE);
        assertRefused(
                "a target for each output, not outputs F32[4] with targets F32[3]",
                () -> value(Metrics.meanSquaredError(), y, column(1, 2, 3)));
        assertRefused(
                "not outputs F32[2,3] with targets F32[3,2]",
                () -> value(Metrics.rSquared(), matrix(2, 3, new float[6]), matrix(3, 2, new float[6])));
        assertEquals(Double.NaN, Metrics.meanSquaredError().start().value());
    }

    @Test
    void rSquaredOfSeveralColumnsAndOfConstants() {
        // scikit-learn's example: 0.96543… and 0.90816…, on average 0.93680….
        Tensor y = matrix(3, 2, 0, 2, -1, 2, 8, -5);
        Tensor t = matrix(3, 2, 0.5f, 1, -1, 1, 7, -6);
        assertEquals(0.936800526662277, value(Metrics.rSquared(), y, t), 1e-9);
        assertEquals(1, value(Metrics.rSquared(), column(3, 3), column(3, 3)), CLOSE);
        assertEquals(0, value(Metrics.rSquared(), column(3, 4), column(3, 3)), CLOSE);
        assertEquals(Double.NaN, value(Metrics.rSquared(), column(3), column(3)));
    }

    /** Far from zero, Σt² − (Σt)²/n would lose everything. */
    @Test
    void rSquaredCancelsNothing() {
        Tensor y = column(1_000_001, 1_000_002, 1_000_003, 1_000_004);
        Tensor t = column(1_000_001, 1_000_002, 1_000_003, 1_000_005);
        assertEquals(1 - 1 / 8.75, value(Metrics.rSquared(), y, t), 1e-9);
    }

    @Test
    void aLossThatIsNotTrainedOn() {
        Metric.Accumulator loss = Metrics.loss("ce", Loss.crossEntropy()).start();
        loss.add(matrix(2, 4, new float[8]), labels(0, 3));
        loss.add(matrix(1, 2, 0, (float) Math.log(3)), labels(0));
        assertEquals(Math.log(4), loss.value(), 1e-6); // ln 4 thrice
        loss.add(matrix(3, 4, new float[12]), labels(0, 0, 0));
        assertEquals(Math.log(4), loss.value(), 1e-6);
        loss.add(matrix(2, 2, 0, 0, 0, 0), labels(0, 0));
        assertEquals((6 * Math.log(4) + 2 * Math.log(2)) / 8, loss.value(), 1e-6);
    }

    /** Whatever the batches, the number is that of all samples. */
    @Test
    void batchesDoNotMatter() {
        for (Metric metric : new Metric[] {
            Metrics.accuracy(), Metrics.topK(2), Metrics.f1(Average.MACRO), Metrics.auc(), Metrics.perplexity()
        }) {
            Metric.Accumulator two = metric.start();
            two.add(matrix(2, 3, Arrays.copyOf(ANSWERS.floats(), 6)), labels(0, 1));
            two.add(matrix(4, 3, Arrays.copyOfRange(ANSWERS.floats(), 6, 18)), labels(2, 0, 1, 2));
            assertEquals(value(metric, ANSWERS, TARGETS), two.value(), CLOSE, metric.name());
        }
    }

    @Test
    void targetsThatAreNoClassesAreRefused() {
        assertRefused("target 3.0 of row 1", () -> value(Metrics.accuracy(), matrix(2, 3, new float[6]), labels(0, 3)));
        assertRefused("target 0.5 of row 0", () -> value(Metrics.auc(), column(1, 2), column(0.5f, 1)));
        assertRefused(
                "a target of class indices for each row, or one output for each target, not F32[2,3] with targets I32[4]",
                () -> value(Metrics.accuracy(), matrix(2, 3, new float[6]), labels(0, 1, 2, 0)));
    }

    /** Of 600 samples, in three batches: as the trainer measures it. */
    @Test
    void aPredictorIsMeasuredAsATrainerMeasures() {
        int n = 600;
        float[] x = new float[2 * n];
        int[] sides = new int[n];
        Philox random = new Philox(5, 0);
        for (int i = 0; i < n; i++) {
            x[2 * i] = random.normal(i);
            x[2 * i + 1] = random.normal(n + i);
            sides[i] = x[2 * i] > 0.3f ? 1 : 0;
        }
        Dataset data = Dataset.of(Tensor.of(Shape.of(n, 2), x), 2, sides);
        try (Trainer trainer = Trainer.of(Layers.linear(2), Shape.of(2))
                        .backends(Backends.of("java"))
                        .build();
                Predictor predictor = Predictor.of(trainer.model(), Backends.of("java"))) {
            double share =
                    Metrics.measure(predictor, data, Metrics.accuracy().start()).value();
            assertEquals(trainer.accuracy(data), share);
            assertTrue(share > 0 && share < 1, "accuracy " + share);
        }
    }
}
