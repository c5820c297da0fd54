package dev.hadal.compress;

import dev.hadal.optim.Glob;
import java.util.ArrayList;
import java.util.List;

/**
 * How a network is quantized: {@code Int8.settings().ranges(RangeRule.leastSquares()).keep("0").corrected()}.
 *
 * @param ranges which range of a value its grid covers
 * @param corrects whether biases make up for what rounding the weights does to the mean of each channel
 * @param learns whether fake-quantized values and weights learn the step of their grid, instead of keeping that of calibration
 * @param kept layers that stay in f32, by path
 */
public record Int8(RangeRule ranges, boolean corrects, boolean learns, List<Glob> kept) {

    public Int8 {
        kept = List.copyOf(kept);
    }

    /** All layers, with ranges of least squares, biases corrected. */
    public static Int8 settings() {
        return new Int8(RangeRule.leastSquares(), true, false, List.of());
    }

    /** With other ranges. */
    public Int8 ranges(RangeRule rule) {
        return new Int8(rule, corrects, learns, kept);
    }

    /** With biases corrected, or as they are. */
    public Int8 corrected(boolean corrected) {
        return new Int8(ranges, corrected, learns, kept);
    }

    /** For training: steps that are weights, named after the value with {@code .step} behind. */
    public Int8 learnedSteps() {
        return new Int8(ranges, corrects, true, kept);
    }

    /** Keeps the layers whose path matches a pattern in f32, too: see {@link Glob}. */
    public Int8 keep(String pattern) {
        List<Glob> more = new ArrayList<>(kept);
        more.add(new Glob(pattern));
        return new Int8(ranges, corrects, learns, more);
    }

    boolean keeps(String path) {
        return kept.stream().anyMatch(glob -> glob.matches(path));
    }
}
