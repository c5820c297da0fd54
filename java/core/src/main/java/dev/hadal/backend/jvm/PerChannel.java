package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.graph.Type;
import dev.hadal.tensor.Shape;
import java.util.List;

/**
 * A kernel over [N,C,…] with a task for each few channels. Where a channel is a value or a few of each image, as after a
 * linear layer, its values are first gathered into one piece, or else no loop over them would get going.
 */
final class PerChannel {
    /** Runs shorter than this are gathered. */
    private static final int SHORT = 16;
    /** The channels of a task: as a line of cache holds that many values, none is loaded for one of them alone. */
    private static final int CHANNELS = 16;

    /** What happens in one channel, once operands and results are bound. */
    interface Channel {
        void run(Loops loops, double[] sums, int channel);
    }

    interface Binding {
        /** Slices of the operands' shape lie as {@code channels} says; the others are a value per channel. */
        Channel bind(Channels channels, Span[] in, Span[] out);
    }

    static HeapKernel kernel(String op, List<Type> in, List<Type> out, Machine machine, Binding binding) {
        Type type = in.get(0);
        Shape shape = type.shape();
        boolean turns = shape.sizeFrom(2) < SHORT && shape.get(0) > 1;
        Channels channels = turns ? Channels.turned(shape) : Channels.of(shape);
        long ins = in.stream().filter(type::equals).count();
        long outs = out.stream().filter(type::equals).count();
        Machine sized = machine.forWork(shape.size());
        String name = "java " + op + " (" + machine.simd().name() + ")";
        return new HeapKernel(name, in, out, (x, y, scratch) -> {
                    int at = scratch.offset();
                    Span[] xs = turns ? turned(x, type, scratch.floats(), at) : x;
                    Span[] ys = turns ? turned(y, type, scratch.floats(), at + (int) ins * shape.size()) : y;
                    return new Run(shape, turns ? CHANNELS : 1, sized, binding.bind(channels, xs, ys), x, xs, y, ys);
                })
                .withScratch(turns ? (ins + outs) * shape.size() : 0);
    }

    /** In place of each slice of that type, one of the scratch. */
    private static Span[] turned(Span[] slices, Type type, float[] scratch, int at) {
        Span[] turned = slices.clone();
        int next = at;
        for (int i = 0; i < slices.length; i++) {
            if (slices[i].type().equals(type)) {
                turned[i] = new Span(scratch, slices[i].ints(), slices[i].bytes(), next, type);
                next += type.shape().size();
            }
        }
        return turned;
    }

    private static final class Run implements Runnable {
        /** The axes of [N,C,…], and a row's length. */
        private final int images;

        private final int channels;
        private final int plane;
        private final int width;
        private final int channelsPerTask;
        private final Machine machine;
        private final Channel channel;
        private final Span[] x;
        private final Span[] turnedX;
        private final Span[] y;
        private final Span[] turnedY;
        private final Loops[] loops;
        private final double[][] sums;
        private final Workers.Body body = this::run;

        Run(
                Shape shape,
                int channelsPerTask,
                Machine machine,
                Channel channel,
                Span[] x,
                Span[] turnedX,
                Span[] y,
                Span[] turnedY) {
            images = shape.get(0);
            channels = shape.get(1);
            plane = shape.sizeFrom(2);
            width = shape.sizeFrom(1);
            this.channelsPerTask = channelsPerTask;
            this.machine = machine;
            this.channel = channel;
            this.x = x;
            this.turnedX = turnedX;
            this.y = y;
            this.turnedY = turnedY;
            loops = machine.perLane(new Loops[0], machine.simd()::loops);
            sums = machine.perLane(new double[0][], () -> new double[2]);
        }

        @Override
        public void run() {
            machine.forEach(Blocks.ceilDiv(channels, channelsPerTask), body);
        }

        private void run(int task, int lane) {
            int from = task * channelsPerTask;
            int until = Math.min(channels, from + channelsPerTask);
            for (int i = 0; i < x.length; i++) {
                if (!x[i].equals(turnedX[i])) {
                    gather(x[i], from, until, turnedX[i]);
                }
            }
            for (int c = from; c < until; c++) {
                channel.run(loops[lane], sums[lane], c);
            }
            for (int i = 0; i < y.length; i++) {
                if (!y[i].equals(turnedY[i])) {
                    scatter(turnedY[i], from, until, y[i]);
                }
            }
        }

        private void gather(Span plain, int from, int until, Span turned) {
            int values = images * plane;
            for (int place = 0; place < values; place++) {
                int at = plain.offset() + place / plane * width + place % plane + from * plane;
                int to = turned.offset() + place + from * values;
                copy(until - from, plain.floats(), at, plane, turned.floats(), to, values);
            }
        }

        private void scatter(Span turned, int from, int until, Span plain) {
            int values = images * plane;
            for (int place = 0; place < values; place++) {
                int at = turned.offset() + place + from * values;
                int to = plain.offset() + place / plane * width + place % plane + from * plane;
                copy(until - from, turned.floats(), at, values, plain.floats(), to, plane);
            }
        }

        /** Channel by channel, as a row of them shares a line of cache. */
        private static void copy(int channels, float[] x, int xAt, int xStride, float[] y, int yAt, int yStride) {
            for (int c = 0; c < channels; c++) {
                y[yAt + c * yStride] = x[xAt + c * xStride];
            }
        }
    }

    private PerChannel() {}
}
