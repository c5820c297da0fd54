package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.Frame.Places;
import dev.hadal.backend.jvm.Shifts.Tap;
import dev.hadal.backend.jvm.simd.Dots;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.graph.Type;
import dev.hadal.op.Convolution;
import java.util.Arrays;
import java.util.List;

/**
 * The gradient of a convolution's weights. Each is an inner product of a channel of dy with one of x under a tap; over a
 * block of images both lie in one piece, x as a {@link Frame} and dy in the frame's columns, with zeros where a column
 * stands for no place. The blocks are dealt out to a fixed number of parts, whose sums are added up in order, so that
 * threads do not change the bits.
 */
final class ConvolutionWeightsKernel {
    /** The values of x, or of dy, that stay in the second-level cache. */
    private static final int VALUES = 1 << 18;
    /** The columns of a block: enough for long sums, few enough for the first-level cache. */
    private static final int COLUMNS = 2048;
    /** The values that the sums of all parts may take. */
    private static final int SUMS = 1 << 20;
    /** The most parts: of 16, each thread of two, four or eight gets as many. */
    private static final int PARTS = 16;

    private final Correlation c;
    private final Machine machine;
    private final Blocks blocks;

    // A task: the channels of dy from one group, by those of x, summed over one part of the blocks.
    private final int parts;
    private final int dyChannels;
    private final int xChannels;
    private final int dyDivisions;
    private final int xDivisions;
    private final Frame frame;
    private final int[] rows;

    // The scratch: the sums of each part; for each lane a frame, and the columns of dy.
    private final int sums;
    private final int laneSize;
    private final int scratch;

    static Kernel prepare(Convolution op, List<Type> in, List<Type> out, Machine machine) {
        Correlation c = Correlation.forward(
                op, in.get(0).shape(), out.get(0).shape(), in.get(1).shape());
        ConvolutionWeightsKernel kernel = new ConvolutionWeightsKernel(c, machine);
        String name = "java convolution by inner products (" + machine.simd().name() + ")";
        return new HeapKernel(name, in, out, (x, y, s) -> kernel.new Run(x[0], x[1], y[0], s))
                .withScratch(kernel.scratch);
    }

    private ConvolutionWeightsKernel(Correlation c, Machine machine) {
        this.c = c;
        this.machine = machine.forWork(c.products() / 8);
        int phases = c.vertical().sourcePhases().length * c.horizontal().sourcePhases().length;
        blocks = Blocks.of(c, 1, phases * COLUMNS, COLUMNS / 2, 1);
        int columns = new Frame(c.vertical(), c.horizontal(), 1, blocks.images(), blocks.lines()).columns;

        int weights = c.w().size();
        parts = Math.max(1, Math.min(Math.min(PARTS, blocks.count()), SUMS / weights));
        int most = Math.max(4, VALUES / columns);
        xDivisions = ceilDiv(c.sourceChannels(), Math.max(1, most / phases));
        xChannels = ceilDiv(c.sourceChannels(), xDivisions);
        int tasks = this.machine.lanes() == 1 ? 1 : 2 * this.machine.lanes();
        int lacking = Math.min(ceilDiv(tasks, parts * c.groups() * xDivisions), ceilDiv(c.targetChannels(), 16));
        dyChannels = ceilDiv(c.targetChannels(), Math.max(lacking, ceilDiv(c.targetChannels(), most)));
        dyDivisions = ceilDiv(c.targetChannels(), dyChannels);

        frame = new Frame(c.vertical(), c.horizontal(), xChannels, blocks.images(), blocks.lines());
        rows = new int[xChannels * c.w().sizeFrom(2)];
        for (int channel = 0; channel < xChannels; channel++) {
            for (Tap v : c.vertical().taps(0)) {
                for (Tap h : c.horizontal().taps(0)) {
                    rows[c.weight(0, channel, v.k(), h.k())] = frame.offset(channel, v, h);
                }
            }
        }
        sums = parts == 1 ? 0 : parts * weights;
        laneSize = frame.size + dyChannels * Frame.padded(frame.columns);
        scratch = sums + this.machine.lanes() * laneSize;
    }

    private final class Run implements Runnable {
        private final Span x;
        private final Span dy;
        private final Span dw;
        private final float[] scratch;
        private final int sumsAt;
        private final Lane[] lanes;
        private final Workers.Body multiply = this::multiply;
        private final Loops loops = machine.simd().loops();
        private final Runs all = Runs.of(c.w().size());

        Run(Span x, Span dy, Span dw, Span scratch) {
            this.x = x;
            this.dy = dy;
            this.dw = dw;
            this.scratch = scratch.floats();
            sumsAt = scratch.offset();
            lanes = new Lane[machine.lanes()];
            for (int i = 0; i < lanes.length; i++) {
                lanes[i] = new Lane(this, sumsAt + sums + i * laneSize);
            }
        }

        @Override
        public void run() {
            machine.forEach(parts * c.groups() * dyDivisions * xDivisions, multiply);
            if (parts > 1) {
                float[] to = dw.floats();
                int at = dw.offset();
                System.arraycopy(scratch, sumsAt, to, at, all.length());
                for (int part = 1; part < parts; part++) {
                    loops.combine(all, 1, to, at, 1, scratch, sumsAt + part * all.length(), 0, 0, to, at);
                }
            }
        }

        private void multiply(int task, int lane) {
            lanes[lane].run(task);
        }
    }

    /** One thread's part: some channels of dw, summed over some of the blocks. */
    private final class Lane {
        private final Run run;
        private final Dots dots = machine.simd().dots();
        private final Places places = new Places(frame.pieces(frame.columns));
        private final int frameAt;
        private final int columnsAt;

        Lane(Run run, int at) {
            this.run = run;
            frameAt = at;
            columnsAt = at + frame.size;
        }

        void run(int task) {
            int part = task % parts;
            int xFrom = task / parts % xDivisions * xChannels;
            int group = task / parts / xDivisions % c.groups();
            int dyFrom = task / parts / xDivisions / c.groups() * dyChannels;
            int xCount = Math.min(xChannels, c.sourceChannels() - xFrom);
            int dyCount = Math.min(dyChannels, c.targetChannels() - dyFrom);
            int taps = c.w().sizeFrom(2);
            int depth = c.w().sizeFrom(1);

            int dyChannel = group * c.targetChannels() + dyFrom;
            int xChannel = group * c.sourceChannels() + xFrom;
            float[] to = parts == 1 ? run.dw.floats() : run.scratch;
            int at = (parts == 1 ? run.dw.offset() : run.sumsAt + part * c.w().size())
                    + dyChannel * depth
                    + xFrom * taps;
            for (int m = 0; m < dyCount; m++) {
                Arrays.fill(to, at + m * depth, at + m * depth + xCount * taps, 0f);
            }
            int end = (int) ((part + 1L) * blocks.count() / parts);
            for (int block = (int) ((long) part * blocks.count() / parts); block < end; block++) {
                int columns = copy(block, dyChannel, dyCount, xChannel, xCount);
                float[] s = run.scratch;
                dots.multiply(dyCount, xCount * taps, columns, s, columnsAt, columns, s, rows, frameAt, to, at, depth);
            }
        }

        /** Copies a block of x and dy; returns its columns. */
        private int copy(int block, int dyChannel, int dyCount, int xChannel, int xCount) {
            float[] s = run.scratch;
            int images = blocks.images(block);
            int line = blocks.line(block);
            int xImage = c.source().sizeFrom(1);
            int xAt = run.x.offset()
                    + blocks.image(block) * xImage
                    + xChannel * c.source().sizeFrom(2);
            frame.copy(xCount, run.x.floats(), xAt, xImage, images, line, s, frameAt);

            int lines = blocks.lines(block);
            int columns = frame.columns(images, lines);
            int dyImage = c.target().sizeFrom(1);
            int dyPlane = c.target().sizeFrom(2);
            int dyAt = run.dy.offset() + blocks.image(block) * dyImage + dyChannel * dyPlane;
            frame.find(places, 0, columns, dyImage, images, line, lines, 0, 0);
            int padded = Frame.padded(columns);
            for (int m = 0; m < dyCount; m++) {
                places.read(run.dy.floats(), dyAt + m * dyPlane, s, columnsAt + m * padded, padded);
            }
            return padded;
        }
    }
}
