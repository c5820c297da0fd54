package dev.hadal.backend.jvm;

import dev.hadal.op.Window;
import java.util.ArrayList;
import java.util.List;

/**
 * One axis of a convolution as sums over shifted lines, so that strides and padding are gone once the source is copied.
 * With stride s, dilation d and padding p, output o reads input o·s + k·d − p under tap k:
 *
 * <ul>
 *   <li>Forward, the source falls into s phases of every s-th line. Target line t adds line t + ⌊(k·d − p)/s⌋ of phase
 *       (k·d − p) mod s.
 *   <li>Backward, the target falls into s phases. Line t of phase r adds source line t + (r + p − k·d)/s for each tap k
 *       where s divides that.
 * </ul>
 */
final class Shifts {

    /** Line t of a phase of the target adds line t + shift of a phase of the source, times tap k of the kernel. */
    record Tap(int k, int phase, int shift) {}

    final int sourceStep;
    final int targetStep;
    /** The lengths of the axis. */
    final int source;

    final int target;
    private final List<List<Tap>> taps;

    /** The lines t of a phase of the target: of phase 0, which has most. */
    final int lines;
    /** The smallest shift, and the largest less the smallest: a copy of the source holds lines + span of its lines. */
    final int first;

    final int span;
    /** How many zeros at the end of one copy can be those at the start of the next. */
    final int overlap;

    static Shifts forward(Window.Axis axis, int in, int out, int kernel) {
        List<Tap> taps = new ArrayList<>();
        for (int k = 0; k < kernel; k++) {
            int at = axis.in(0, k);
            taps.add(new Tap(k, Math.floorMod(at, axis.stride()), Math.floorDiv(at, axis.stride())));
        }
        return new Shifts(in, axis.stride(), out, 1, List.of(taps));
    }

    static Shifts backward(Window.Axis axis, int in, int out, int kernel) {
        List<List<Tap>> phases = new ArrayList<>();
        for (int r = 0; r < axis.stride(); r++) {
            List<Tap> taps = new ArrayList<>();
            for (int k = 0; k < kernel; k++) {
                int at = r - axis.in(0, k);
                if (Math.floorMod(at, axis.stride()) == 0) {
                    taps.add(new Tap(k, 0, Math.floorDiv(at, axis.stride())));
                }
            }
            phases.add(taps);
        }
        return new Shifts(out, 1, in, axis.stride(), phases);
    }

    private Shifts(int source, int sourceStep, int target, int targetStep, List<List<Tap>> taps) {
        this.source = source;
        this.sourceStep = sourceStep;
        this.target = target;
        this.targetStep = targetStep;
        this.taps = taps;
        lines = lines(0);
        List<Tap> all = taps.stream().flatMap(List::stream).toList();
        first = all.stream().mapToInt(Tap::shift).min().orElse(0);
        int last = all.stream().mapToInt(Tap::shift).max().orElse(0);
        span = last - first;
        int sourceLines =
                all.stream().mapToInt(t -> sourceLines(t.phase())).max().orElse(0);
        int zerosBefore = Math.max(0, -first);
        int zerosAfter = Math.max(0, lines + last - sourceLines);
        overlap = Math.min(span, Math.min(zerosBefore, zerosAfter));
    }

    /** The phases of the target. */
    int phases() {
        return targetStep;
    }

    List<Tap> taps(int phase) {
        return taps.get(phase);
    }

    /** The phases of the source that any tap reads, in order. */
    int[] sourcePhases() {
        return taps.stream()
                .flatMap(List::stream)
                .mapToInt(Tap::phase)
                .distinct()
                .sorted()
                .toArray();
    }

    int sourceLines(int phase) {
        return Math.max(0, Math.floorDiv(source - phase + sourceStep - 1, sourceStep));
    }

    /** The lines of one phase of the target. */
    int lines(int phase) {
        return Math.max(0, Math.floorDiv(target - phase + targetStep - 1, targetStep));
    }
}
