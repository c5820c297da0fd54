package dev.hadal.backend.jvm.simd;

/**
 * Which values a loop visits: {@code count} runs of {@code length} values each, {@code stride} from start to start.
 * One channel of [N,C,…] is N runs.
 */
public record Runs(int count, int stride, int length) {

    /** Values in one piece. */
    public static Runs of(int length) {
        return new Runs(1, length, length);
    }
}
