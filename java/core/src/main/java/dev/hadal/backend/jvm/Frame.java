package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Shifts.Tap;
import java.util.Arrays;

/**
 * How a block of images, or of lines of one image, is copied for a convolution: each phase of each channel into a plane,
 * line after line and image after image, with zeros for the padding. A line's end and the next line's start share their
 * zeros, and so do images. Then column q of a matrix product stands for one place of the target, each tap reads a plane
 * from its offset on, and no sum needs to know of borders. The price: a column or so per line stands for no place, and
 * what it holds is dropped.
 */
final class Frame {
    private final Shifts vertical;
    private final Shifts horizontal;
    private final int[] verticalPhases;
    private final int[] horizontalPhases;

    /** From line to line. */
    private final int pitch;

    /** The lines of an image, and from image to image. */
    private final int lineCount;

    private final int imagePitch;

    /** The values of one plane: all that the taps of any column read, and of those that fill up the last vector. */
    private final int plane;

    /** The values of all planes. */
    final int size;

    /** The columns of the largest block. */
    final int columns;

    /**
     * @param channels the most channels
     * @param images the most images in a block
     * @param lines the most target lines of each: all, or some if images = 1
     */
    Frame(Shifts vertical, Shifts horizontal, int channels, int images, int lines) {
        this.vertical = vertical;
        this.horizontal = horizontal;
        verticalPhases = vertical.sourcePhases();
        horizontalPhases = horizontal.sourcePhases();
        pitch = horizontal.lines + horizontal.span - horizontal.overlap;
        lineCount = lines + vertical.span - (lines == vertical.lines ? vertical.overlap : 0);
        imagePitch = lineCount * pitch;
        columns = columns(images, lines);
        plane = padded(columns) + vertical.span * pitch + horizontal.span;
        size = channels * verticalPhases.length * horizontalPhases.length * plane;
    }

    /** The columns that so many lines of so many images take. */
    int columns(int images, int lines) {
        return (images - 1) * imagePitch + (lines - 1) * pitch + horizontal.lines;
    }

    /** As many columns as whole vectors hold, whatever their length. */
    static int padded(int columns) {
        return (columns + 15) & -16;
    }

    /** Where column 0 of a channel reads under a tap. */
    int offset(int channel, Tap v, Tap h) {
        int row = channel * verticalPhases.length + Arrays.binarySearch(verticalPhases, v.phase());
        int index = row * horizontalPhases.length + Arrays.binarySearch(horizontalPhases, h.phase());
        return index * plane + (v.shift() - vertical.first) * pitch + (h.shift() - horizontal.first);
    }

    /**
     * Copies a block of the source.
     *
     * @param count the channels
     * @param xAt where the first channel of the first image begins
     * @param imageStride from image to image of x
     * @param line the first target line
     */
    void copy(int count, float[] x, int xAt, int imageStride, int images, int line, float[] to, int toAt) {
        int at = toAt;
        for (int c = 0; c < count; c++) {
            int channelAt = xAt + c * vertical.source * horizontal.source;
            for (int v : verticalPhases) {
                for (int h : horizontalPhases) {
                    copyPlane(x, channelAt, imageStride, images, line, v, h, to, at);
                    at += plane;
                }
            }
        }
    }

    /** One phase of one channel. */
    private void copyPlane(
            float[] x, int xAt, int imageStride, int images, int line, int v, int h, float[] to, int toAt) {
        int rowStride = vertical.sourceStep * horizontal.source;
        int before = Math.min(pitch, Math.max(0, -horizontal.first));
        int after = Math.max(before, Math.min(pitch, horizontal.sourceLines(h) - horizontal.first));
        int column = h + (before + horizontal.first) * horizontal.sourceStep;
        int first = line + vertical.first;
        int sourceLines = vertical.sourceLines(v);
        int end = toAt + plane;
        int at = toAt;
        for (int image = 0; image < images; image++) {
            int rowAt = xAt + image * imageStride + (v + first * vertical.sourceStep) * horizontal.source + column;
            for (int t = first; t < first + lineCount && at < end; t++) {
                int next = Math.min(at + pitch, end);
                if (t < 0 || t >= sourceLines) {
                    Arrays.fill(to, at, next, 0f);
                } else {
                    int from = Math.min(at + before, next);
                    int until = Math.min(at + after, next);
                    zero(to, at, from);
                    copyLine(x, rowAt, to, from, until);
                    zero(to, until, next);
                }
                rowAt += rowStride;
                at = next;
            }
        }
        Arrays.fill(to, at, end, 0f);
    }

    private void copyLine(float[] x, int xAt, float[] to, int from, int until) {
        int step = horizontal.sourceStep;
        if (step == 1) {
            System.arraycopy(x, xAt, to, from, until - from);
        } else {
            for (int i = from; i < until; i++) {
                to[i] = x[xAt + (i - from) * step];
            }
        }
    }

    /** Mostly one value or two, for which {@link Arrays#fill} takes too long a run-up. */
    private static void zero(float[] x, int from, int until) {
        for (int i = from; i < until; i++) {
            x[i] = 0f;
        }
    }

    /**
     * The places that columns stand for, as pieces of target lines.
     *
     * @param imageStride from image to image of the target
     * @param v and h: the phase of the target
     */
    void find(Places places, int column, int count, int imageStride, int images, int line, int lines, int v, int h) {
        places.clear(horizontal.targetStep);
        int width = horizontal.lines(h);
        int height = Math.min(lines, vertical.lines(v) - line);
        int image = column / imagePitch;
        int i = column % imagePitch / pitch;
        int j = column % pitch;
        for (int q = 0; q < count && image < images; q += pitch - j, j = 0, i++) {
            if (i == lineCount) {
                i = 0;
                image++;
            }
            if (image < images && i < height && j < width) {
                int row = v + (line + i) * vertical.targetStep;
                int at = image * imageStride + row * horizontal.target + h + j * horizontal.targetStep;
                places.add(q, Math.min(width - j, count - q), at);
            }
        }
    }

    /** The most pieces that so many columns fall into. */
    int pieces(int columns) {
        return columns / pitch + 2;
    }

    /** Pieces of lines: where each begins among the columns, how long it is, where it begins in the target. */
    static final class Places {
        private final int[] pieces;
        private int count;
        private int step;

        Places(int most) {
            pieces = new int[3 * most];
        }

        private void clear(int targetStep) {
            count = 0;
            step = targetStep;
        }

        private void add(int column, int length, int at) {
            pieces[3 * count] = column;
            pieces[3 * count + 1] = length;
            pieces[3 * count + 2] = at;
            count++;
        }

        /** Copies one channel's columns to its places in the target. */
        void write(float[] from, int fromAt, float[] target, int targetAt) {
            for (int p = 0; p < 3 * count; p += 3) {
                int column = fromAt + pieces[p];
                int at = targetAt + pieces[p + 2];
                if (step == 1) {
                    System.arraycopy(from, column, target, at, pieces[p + 1]);
                } else {
                    for (int i = 0; i < pieces[p + 1]; i++) {
                        target[at + i * step] = from[column + i];
                    }
                }
            }
        }

        /** Copies one channel's places in the target to their columns, and zeros to the others. */
        void read(float[] target, int targetAt, float[] to, int toAt, int columns) {
            Arrays.fill(to, toAt, toAt + columns, 0f);
            for (int p = 0; p < 3 * count; p += 3) {
                System.arraycopy(target, targetAt + pieces[p + 2], to, toAt + pieces[p], pieces[p + 1]);
            }
        }
    }
}
