package dev.hadal.op;

import dev.hadal.graph.TypeException;

/**
 * How a kernel slides over an image: the geometry of a convolution or a pooling, written once and handed to its
 * forward and backward kernels alike.
 */
public record Window(Axis height, Axis width) {

    /** Stride 1, no padding, no dilation. */
    public static final Window UNIT = of(1, 0, 1);

    /** The geometry of one spatial axis. */
    public record Axis(int stride, int padBefore, int padAfter, int dilation) {
        public Axis {
            if (stride < 1 || padBefore < 0 || padAfter < 0 || dilation < 1) {
                throw new IllegalArgumentException(
                        "a window needs stride >= 1, padding >= 0 and dilation >= 1, got stride " + stride
                                + ", padding " + padBefore + " and " + padAfter + ", dilation " + dilation);
            }
        }

        /** ⌊(in + padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, the number of positions of the kernel. */
        public int out(int in, int kernel) {
            if (!fits(in, kernel)) {
                throw new TypeException("a kernel of " + kernel + " with dilation " + dilation + " does not fit into "
                        + in + " with padding " + padBefore + " and " + padAfter);
            }
            return Math.toIntExact(room(in, kernel) / stride + 1);
        }

        /** Whether the kernel has a position at all. */
        public boolean fits(int in, int kernel) {
            return kernel >= 1 && room(in, kernel) >= 0;
        }

        private long room(int in, int kernel) {
            return (long) in + padBefore + padAfter - dilation * (kernel - 1L) - 1;
        }

        /** The input position under tap k of the kernel at output position o; outside [0, in) it lies in the padding. */
        public int in(int o, int k) {
            return o * stride - padBefore + k * dilation;
        }

        @Override
        public String toString() {
            return "stride " + stride + " pad " + padBefore + (padAfter == padBefore ? "" : "/" + padAfter)
                    + (dilation == 1 ? "" : " dilation " + dilation);
        }
    }

    /** The same stride, padding and dilation on both axes. */
    public static Window of(int stride, int padding, int dilation) {
        Axis axis = new Axis(stride, padding, padding, dilation);
        return new Window(axis, axis);
    }

    @Override
    public String toString() {
        return height.equals(width) ? height.toString() : height + " x " + width;
    }
}
