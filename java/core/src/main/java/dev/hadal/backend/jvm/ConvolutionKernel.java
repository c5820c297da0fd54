package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.Frame.Places;
import dev.hadal.backend.jvm.Shifts.Tap;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Tile;
import dev.hadal.graph.Type;
import dev.hadal.op.Convolution;
import java.util.ArrayList;
import java.util.List;

/**
 * A convolution, forward or backward to its data. Per block of images it is a matrix product of the weights and the
 * block's {@link Frame}, in which the row of each channel and tap lies ready, so that none is ever copied out.
 * Backward with a stride, each phase of the target has a product of its own. Every value is one chain of sums in the
 * order of channels and taps, so that neither blocks nor threads change its bits.
 */
final class ConvolutionKernel {
    /** The values of a frame that stays in the second-level cache. */
    private static final int FRAME = 1 << 16;
    /** The values of a frame that a single target channel reads: in the first-level cache. */
    private static final int SMALL_FRAME = 1 << 12;
    /** The values of weights that stay in cache while a block's columns pass by. */
    private static final int WEIGHTS = 1 << 15;

    private final Correlation c;
    private final Machine machine;

    /** Whether a tile of several rows would be mostly empty, as in a depthwise convolution. */
    private final boolean single;

    private final int tileRows;
    private final int tileColumns;
    private final Blocks blocks;
    private final Frame frame;
    private final List<Phase> phases = new ArrayList<>();

    /** Target channels of a task, and of one pass over a block's columns. */
    private final int taskChannels;

    private final int passChannels;

    // The scratch: the weights in panels; for each lane a frame, and a pass's columns as they come out.
    private final int panels;
    private final int laneSize;

    static Kernel forward(Convolution op, List<Type> in, List<Type> out, Machine machine) {
        Correlation c = Correlation.forward(
                op, in.get(0).shape(), in.get(1).shape(), out.get(0).shape());
        return new ConvolutionKernel(c, machine).kernel(in, out);
    }

    static Kernel backwardData(Convolution op, List<Type> in, List<Type> out, Machine machine) {
        Correlation c = Correlation.backward(
                op, out.get(0).shape(), in.get(1).shape(), in.get(0).shape());
        return new ConvolutionKernel(c, machine).kernel(in, out);
    }

    /** One phase of the target: what each row of its product reads, which weights it takes, and their panels. */
    private record Phase(int vertical, int horizontal, int[] rows, int[] weights, int panelsAt) {}

    private ConvolutionKernel(Correlation c, Machine machine) {
        this.c = c;
        this.machine = machine.forWork(c.products() / 8);
        Tile tile = machine.simd().tile();
        single = 4 * c.targetChannels() <= tile.rows();
        tileRows = single ? 1 : tile.rows();

        int lanes = this.machine.lanes();
        int tasks = lanes == 1 ? 1 : 4 * lanes;
        blocks = Blocks.of(
                c, c.sourceChannels(), single ? SMALL_FRAME : FRAME, 4 * tile.columns(), ceilDiv(tasks, c.groups()));
        frame = new Frame(c.vertical(), c.horizontal(), c.sourceChannels(), blocks.images(), blocks.lines());
        tileColumns = single ? frame.columns : tile.columns();

        int parts = Math.min(ceilDiv(tasks, blocks.count() * c.groups()), ceilDiv(c.targetChannels(), 32));
        taskChannels = ceilDiv(ceilDiv(c.targetChannels(), parts), tileRows) * tileRows;
        int depth = c.sourceChannels() * c.w().sizeFrom(2);
        passChannels = Math.max(tileRows, Math.min(taskChannels, WEIGHTS / depth / tileRows * tileRows));

        int at = 0;
        for (int v = 0; v < c.vertical().phases(); v++) {
            for (int h = 0; h < c.horizontal().phases(); h++) {
                Phase phase = phase(v, h, at);
                phases.add(phase);
                at += c.groups() * panelRows() * phase.rows.length;
            }
        }
        panels = at;
        laneSize = frame.size + tileColumns + passChannels * tileColumns;
    }

    private Phase phase(int v, int h, int panelsAt) {
        List<Integer> rows = new ArrayList<>();
        List<Integer> weights = new ArrayList<>();
        for (int channel = 0; channel < c.sourceChannels(); channel++) {
            for (Tap vertical : c.vertical().taps(v)) {
                for (Tap horizontal : c.horizontal().taps(h)) {
                    rows.add(frame.offset(channel, vertical, horizontal));
                    weights.add(c.weight(0, channel, vertical.k(), horizontal.k()));
                }
            }
        }
        return new Phase(v, h, toArray(rows), toArray(weights), panelsAt);
    }

    private static int[] toArray(List<Integer> list) {
        return list.stream().mapToInt(i -> i).toArray();
    }

    /** The rows of one group's panels, filled up to whole tiles. */
    private int panelRows() {
        return ceilDiv(c.targetChannels(), tileRows) * tileRows;
    }

    private Kernel kernel(List<Type> in, List<Type> out) {
        String how = single ? "java direct convolution" : "java convolution " + tileRows + "x" + tileColumns;
        return new HeapKernel(
                        how + " (" + machine.simd().name() + ")", in, out, (x, y, s) -> new Run(x[0], x[1], y[0], s))
                .withScratch(panels + (long) machine.lanes() * laneSize);
    }

    private final class Run implements Runnable {
        private final Span source;
        private final Span w;
        private final Span target;
        private final float[] scratch;
        private final int panelsAt;
        private final Lane[] lanes;
        private final Workers.Body pack = this::pack;
        private final Workers.Body multiply = this::multiply;

        Run(Span source, Span w, Span target, Span scratch) {
            this.source = source;
            this.w = w;
            this.target = target;
            this.scratch = scratch.floats();
            panelsAt = scratch.offset();
            lanes = new Lane[machine.lanes()];
            for (int i = 0; i < lanes.length; i++) {
                lanes[i] = new Lane(this, panelsAt + panels + i * laneSize);
            }
        }

        @Override
        public void run() {
            machine.forEach(phases.size() * c.groups(), pack);
            machine.forEach(blocks.count() * c.groups() * ceilDiv(c.targetChannels(), taskChannels), multiply);
        }

        private void pack(int task, int lane) {
            int group = task % c.groups();
            Phase phase = phases.get(task / c.groups());
            int channelStride = c.weight(1, 0, 0, 0);
            int depth = phase.rows.length;
            for (int m = 0; m < panelRows(); m += tileRows) {
                int at = w.offset() + group * c.weights() + m * channelStride;
                int to = panelsAt + phase.panelsAt + (group * panelRows() + m) * depth;
                for (int r = 0; r < tileRows; r++) {
                    boolean there = m + r < c.targetChannels();
                    for (int k = 0; k < depth; k++) {
                        scratch[to + k * tileRows + r] =
                                there ? w.floats()[at + r * channelStride + phase.weights[k]] : 0f;
                    }
                }
            }
        }

        private void multiply(int task, int lane) {
            lanes[lane].run(task);
        }
    }

    /** One thread's part: it copies a block, multiplies it by a group's weights, and writes what comes out. */
    private final class Lane {
        private final Run run;
        private final Tile tile = machine.simd().tile();
        private final Loops loops = machine.simd().loops();
        private final Places places = new Places(frame.pieces(tileColumns));
        private final int frameAt;
        private final int productAt;

        Lane(Run run, int at) {
            this.run = run;
            frameAt = at;
            productAt = at + frame.size + tileColumns;
        }

        void run(int task) {
            int parts = ceilDiv(c.targetChannels(), taskChannels);
            int block = task / parts / c.groups();
            int group = task / parts % c.groups();
            int channel = task % parts * taskChannels;
            int sourceImage = c.source().sizeFrom(1);
            int at = blocks.image(block) * sourceImage
                    + group * c.sourceChannels() * c.source().sizeFrom(2);
            frame.copy(
                    c.sourceChannels(),
                    run.source.floats(),
                    run.source.offset() + at,
                    sourceImage,
                    blocks.images(block),
                    blocks.line(block),
                    run.scratch,
                    frameAt);
            int end = Math.min(c.targetChannels(), channel + taskChannels);
            for (int p = 0; p < phases.size(); p++) {
                for (int m = channel; m < end; m += passChannels) {
                    pass(phases.get(p), block, group, m, Math.min(passChannels, end - m));
                }
            }
        }

        /** All columns of a block for some of its target channels. */
        private void pass(Phase phase, int block, int group, int channel, int channels) {
            int columns = frame.columns(blocks.images(block), blocks.lines(block));
            int targetImage = c.target().sizeFrom(1);
            int plane = c.target().sizeFrom(2);
            int at = run.target.offset()
                    + blocks.image(block) * targetImage
                    + (group * c.targetChannels() + channel) * plane;
            for (int q = 0; q < columns; q += tileColumns) {
                product(phase, group, channel, channels, q);
                frame.find(
                        places,
                        q,
                        Math.min(tileColumns, columns - q),
                        targetImage,
                        blocks.images(block),
                        blocks.line(block),
                        blocks.lines(block),
                        phase.vertical,
                        phase.horizontal);
                for (int m = 0; m < channels; m++) {
                    places.write(run.scratch, productAt + m * tileColumns, run.target.floats(), at + m * plane);
                }
            }
        }

        private void product(Phase phase, int group, int channel, int channels, int column) {
            float[] s = run.scratch;
            int depth = phase.rows.length;
            int panel = run.panelsAt + phase.panelsAt + (group * panelRows() + channel) * depth;
            int from = frameAt + column;
            if (single) {
                for (int m = 0; m < channels; m++) {
                    int row = productAt + m * tileColumns;
                    loops.blend(tileColumns, depth, s, panel + m * depth, s, phase.rows, from, s, row);
                }
            } else {
                int rows = ceilDiv(channels, tileRows) * tileRows;
                tile.multiply(rows, depth, s, panel, s, phase.rows, from, s, productAt, tileColumns, false);
            }
        }
    }
}
