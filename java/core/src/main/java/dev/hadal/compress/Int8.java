package dev.hadal.compress;

import dev.hadal.optim.Selection;

/**
 * How a network is quantized: {@code Int8.settings().ranges(RangeRule.leastSquares()).keep("0").corrected()}.
 *
 * @param ranges which range of a value its grid covers
 * @param corrects whether biases make up for what rounding the weights does to the mean of each channel
 * @param learns whether fake-quantized values and weights learn the step of their grid, instead of keeping that of calibration
 * @param layers that may be quantized, by path; the others stay in f32
 */
public record Int8(RangeRule ranges, boolean corrects, boolean learns, Selection layers) {

    /** All layers, with ranges of least squares, biases corrected. */
    public static Int8 settings() {
        return new Int8(RangeRule.leastSquares(), true, false, Selection.ALL);
    }

    /** With other ranges. */
    public Int8 ranges(RangeRule rule) {
        return new Int8(rule, corrects, learns, layers);
    }

    /** With biases corrected, or as they are. */
    public Int8 corrected(boolean corrected) {
        return new Int8(ranges, corrected, learns, layers);
    }

    /** For training: steps that are weights, named after the value with {@code .step} behind. */
    public Int8 learnedSteps() {
        return new Int8(ranges, corrects, true, layers);
    }

    /** Keeps the layers whose path matches a pattern in f32, too: see {@link dev.hadal.optim.Glob}. */
    public Int8 keep(String pattern) {
        return new Int8(ranges, corrects, learns, layers.with(pattern, false));
    }
}
