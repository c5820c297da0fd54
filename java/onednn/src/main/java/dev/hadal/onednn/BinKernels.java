package dev.hadal.onednn;

import static dev.hadal.onednn.HadalKernels.floats;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.onednn.HadalKernels.FunctionKernel;
import dev.hadal.onednn.QuantizedKernels.Octets;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.Bins;
import dev.hadal.op.Pooling;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantized;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.ShortPointer;
import org.jspecify.annotations.Nullable;

/**
 * Pooling by libhadal, with the channels innermost as the convolutions leave them. oneDNN's own maximum loses NaN and
 * breaks ties as it likes, and its kernels know neither dilation nor bins of different sizes.
 */
final class BinKernels {

    static @Nullable Kernel forward(Pooling op, Request r) {
        if (!alike(r)) {
            return null;
        }
        Planes planes = new Planes(op, r.shape(0));
        List<Layout> in = List.of(OneDnnLayout.channelsLast(r.type(0)));
        List<Layout> out = r.results().stream().map(OneDnnLayout::channelsLast).toList();
        return new FunctionKernel(op, in, out, List.of(), 0, planes.constants(), (b, steps) -> {
            IntPointer rows = planes.rows();
            IntPointer columns = planes.columns();
            IntPointer index = op.function() == Pooling.Function.MAX ? new IntPointer(b.output(1)) : null;
            if (r.hasBf16()) {
                ShortPointer x = new ShortPointer(b.input(0));
                ShortPointer y = new ShortPointer(b.output(0));
                if (index == null) {
                    HadalNative.averagePool(steps.list(), x, rows, columns, planes.images, planes.channels, y);
                } else {
                    HadalNative.maxPool(steps.list(), x, rows, columns, planes.images, planes.channels, y, index);
                }
                return;
            }
            FloatPointer x = floats(b.input(0));
            FloatPointer y = floats(b.output(0));
            if (index == null) {
                HadalNative.averagePool(steps.list(), x, rows, columns, planes.images, planes.channels, y);
            } else {
                HadalNative.maxPool(steps.list(), x, rows, columns, planes.images, planes.channels, y, index);
            }
        });
    }

    /** Of quantized images. A maximum keeps the bytes, so it wants both sides quantized alike. */
    static @Nullable Kernel quantized(Quantized op, Pooling pooling, Request r) {
        Quantization from = op.operands().get(0);
        Quantization to = op.results().get(0);
        if (pooling.function() != Pooling.Function.MAX) {
            return average(op, pooling, r);
        }
        if (!from.equals(to)) {
            return null;
        }
        Planes planes = new Planes(pooling, r.shape(0));
        int flip = Octets.of(from).flip();
        return new FunctionKernel(
                op,
                List.of(OneDnnLayout.channelsLast(r.type(0))),
                r.results().stream().map(OneDnnLayout::channelsLast).toList(),
                List.of(),
                0,
                planes.constants(),
                (b, steps) -> HadalNative.maxPoolBytes(
                        steps.list(),
                        b.input(0),
                        planes.rows(),
                        planes.columns(),
                        planes.images,
                        planes.channels,
                        flip,
                        b.output(0),
                        new IntPointer(b.output(1))));
    }

    /** Means over whole planes: one bin. */
    static @Nullable Kernel quantizedMean(Quantized op, Request r) {
        return r.shape(0).rank() == 4 ? average(op, new AdaptivePool(Pooling.Function.AVERAGE, 1, 1), r) : null;
    }

    private static Kernel average(Quantized op, Pooling pooling, Request r) {
        Quantization q = op.operands().get(0);
        Quantization to = op.results().get(0);
        Planes planes = new Planes(pooling, r.shape(0));
        Octets x = Octets.of(q);
        Octets y = Octets.of(to);
        float scale = to.quantizes() ? q.scale(0) / to.scale(0) : q.scale(0);
        return new FunctionKernel(
                op,
                List.of(OneDnnLayout.channelsLast(r.type(0))),
                List.of(OneDnnLayout.channelsLast(r.result(0))),
                List.of(),
                0,
                planes.constants(),
                (b, steps) -> HadalNative.averagePoolBytes(
                        steps.list(),
                        b.input(0),
                        x.zero(),
                        x.flip(),
                        planes.rows(),
                        planes.columns(),
                        planes.images,
                        planes.channels,
                        scale,
                        y.zero(),
                        y.flip(),
                        to.quantizes() ? b.output(0) : null,
                        to.quantizes() ? null : floats(b.output(0))));
    }

    static @Nullable Kernel maxBackward(Pooling.MaxBackward op, Request r) {
        if (!alike(r)) {
            return null;
        }
        Planes planes = new Planes(op.forward(), op.x());
        List<Layout> in = List.of(OneDnnLayout.channelsLast(r.type(0)), OneDnnLayout.channelsLast(r.type(1)));
        return new FunctionKernel(op, in, dx(r), List.of(), 0, planes.constants(), (b, steps) -> {
            IntPointer index = new IntPointer(b.input(1));
            IntPointer rows = planes.rows();
            IntPointer columns = planes.columns();
            if (r.hasBf16()) {
                ShortPointer dy = new ShortPointer(b.input(0));
                ShortPointer dx = new ShortPointer(b.output(0));
                HadalNative.maxPoolBackward(steps.list(), dy, index, rows, columns, planes.images, planes.channels, dx);
            } else {
                FloatPointer dy = floats(b.input(0));
                FloatPointer dx = floats(b.output(0));
                HadalNative.maxPoolBackward(steps.list(), dy, index, rows, columns, planes.images, planes.channels, dx);
            }
        });
    }

    static @Nullable Kernel averageBackward(Pooling.AverageBackward op, Request r) {
        if (!alike(r)) {
            return null;
        }
        Planes planes = new Planes(op.forward(), op.x());
        List<Layout> in = List.of(OneDnnLayout.channelsLast(r.type(0)));
        return new FunctionKernel(op, in, dx(r), List.of(), 0, planes.constants(), (b, steps) -> {
            IntPointer rows = planes.rows();
            IntPointer columns = planes.columns();
            if (r.hasBf16()) {
                ShortPointer dy = new ShortPointer(b.input(0));
                ShortPointer dx = new ShortPointer(b.output(0));
                HadalNative.averagePoolBackward(steps.list(), dy, rows, columns, planes.images, planes.channels, dx);
            } else {
                FloatPointer dy = floats(b.input(0));
                FloatPointer dx = floats(b.output(0));
                HadalNative.averagePoolBackward(steps.list(), dy, rows, columns, planes.images, planes.channels, dx);
            }
        });
    }

    /** Whether both images are of one dtype. */
    private static boolean alike(Request r) {
        return r.type(0).dtype() == r.result(0).dtype();
    }

    private static List<Layout> dx(Request r) {
        return List.of(OneDnnLayout.channelsLast(r.result(0)));
    }

    /** The planes of x, and which of their rows and columns are read where. */
    private static final class Planes {
        final int images;
        final int channels;
        private final NativeMemory rows;
        private final NativeMemory columns;

        Planes(Pooling op, Shape x) {
            images = x.get(0);
            channels = x.get(1);
            rows = axis(op.rows(x));
            columns = axis(op.columns(x));
        }

        /** As hadal.h has it. */
        private static NativeMemory axis(Bins bins) {
            int[] head = {bins.from().length, bins.out(), bins.step()};
            return NativeMemory.of(
                    Stream.of(head, bins.first(), bins.count(), bins.divisor(), bins.from(), bins.until())
                            .flatMapToInt(IntStream::of)
                            .toArray());
        }

        List<NativeMemory> constants() {
            return List.of(rows, columns);
        }

        IntPointer rows() {
            return new IntPointer(rows.at(0));
        }

        IntPointer columns() {
            return new IntPointer(columns.at(0));
        }
    }

    private BinKernels() {}
}
