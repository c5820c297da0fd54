package dev.hadal.run;

import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;

/** How long each step of a plan takes, in the order in which they run. */
public record Profile(List<Timing> steps) {

    /**
     * One step.
     *
     * @param what the node that it computes, as the graph prints it, or why a reorder or a copy is there
     * @param kernel what runs: the backend and the kernel's implementation
     * @param nanos the median over the runs, in nanoseconds
     */
    public record Timing(String what, String kernel, long nanos) {}

    public Profile {
        steps = List.copyOf(steps);
    }

    /** All steps together. */
    public long nanos() {
        return steps.stream().mapToLong(Timing::nanos).sum();
    }

    /** A table: time, share, kernel, node. */
    @Override
    public String toString() {
        int width = steps.stream().mapToInt(s -> s.kernel.length()).max().orElse(0);
        long all = Math.max(nanos(), 1);
        StringJoiner lines = new StringJoiner("\n");
        for (Timing s : steps) {
            String padding = " ".repeat(width - s.kernel.length());
            lines.add(time(s.nanos)
                    + String.format(Locale.ROOT, " %5.1f %%   ", 100.0 * s.nanos / all)
                    + (s.kernel + padding + "   " + s.what));
        }
        return lines.add(time(nanos()) + " in " + steps.size() + " steps").toString();
    }

    private static String time(long nanos) {
        return String.format(Locale.ROOT, "%10.1f µs", nanos / 1e3);
    }
}
