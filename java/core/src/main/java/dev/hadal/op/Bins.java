package dev.hadal.op;

import java.util.Arrays;

/**
 * Which places of one axis each result of a pooling reads: every {@code step}-th from a first one on, none of them
 * outside the axis. Results read further on, the larger their index; so those that read a place lie side by side, but
 * for the gaps of a dilation.
 *
 * @param count how many places each result reads
 * @param divisor by how much an average over them divides, as far as this axis goes
 * @param from the first result that reads each place
 * @param until the one after the last that does; 0 if none does
 */
@SuppressWarnings("ArrayRecordComponent") // a view for loops, which change nothing
public record Bins(int step, int[] first, int[] count, int[] divisor, int[] from, int[] until) {

    /**
     * Those of a sliding kernel; taps in the padding are left out.
     *
     * @param divideByKernel whether averages count them all the same
     */
    static Bins sliding(Window.Axis axis, int kernel, int in, boolean divideByKernel) {
        int[] first = new int[axis.out(in, kernel)];
        int[] count = new int[first.length];
        for (int o = 0; o < first.length; o++) {
            int at = axis.in(o, 0);
            int before = at < 0 ? (axis.dilation() - 1 - at) / axis.dilation() : 0;
            first[o] = at + before * axis.dilation();
            int within = first[o] < in ? (in - 1 - first[o]) / axis.dilation() + 1 : 0;
            count[o] = Math.max(0, Math.min(kernel - before, within));
        }
        int[] divisor = count.clone();
        if (divideByKernel) {
            Arrays.fill(divisor, kernel);
        }
        return of(in, axis.dilation(), first, count, divisor);
    }

    /** As many as asked for, in parts of about the same size: from ⌊o·in/out⌋ to ⌈(o + 1)·in/out⌉, as PyTorch cuts. */
    static Bins adaptive(int in, int out) {
        int[] first = new int[out];
        int[] count = new int[out];
        for (int o = 0; o < out; o++) {
            first[o] = (int) ((long) o * in / out);
            count[o] = (int) (((o + 1L) * in + out - 1) / out) - first[o];
        }
        return of(in, 1, first, count, count);
    }

    private static Bins of(int in, int step, int[] first, int[] count, int[] divisor) {
        int[] from = new int[in];
        int[] until = new int[in];
        for (int o = first.length - 1; o >= 0; o--) {
            for (int k = 0; k < count[o]; k++) {
                int at = first[o] + k * step;
                from[at] = o;
                until[at] = Math.max(until[at], o + 1);
            }
        }
        return new Bins(step, first, count, divisor, from, until);
    }

    /** The number of results. */
    public int out() {
        return first.length;
    }

    /** The place that result o reads as its k-th. */
    public int at(int o, int k) {
        return first[o] + k * step;
    }
}
