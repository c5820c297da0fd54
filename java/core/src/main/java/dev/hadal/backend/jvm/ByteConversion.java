package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Simd;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantize;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;

/** Values of a shape from f32 to s8 or u8, and back. */
record ByteConversion(Quantization quantization, Shape shape, Simd simd) {

    /** Values that follow each other and have one scale. */
    private int run() {
        return quantization.isPerIndex() ? shape.sizeFrom(quantization.axis() + 1) : shape.size();
    }

    Runnable dequantizing(Region from, Region to) {
        byte[] q = ((HeapMemory) from.memory()).octets();
        float[] x = ((HeapMemory) to.memory()).floats();
        int qAt = (int) from.offset();
        int xAt = (int) (to.offset() / Float.BYTES);
        int run = run();
        int size = shape.size();
        Loops loops = simd.loops();
        boolean unsigned = quantization.dtype() == DType.U8;
        int zero = quantization.zeroPoint();
        return () -> {
            for (int at = 0; at < size; at += run) {
                float scale = quantization.scale(quantization.index(shape, at));
                loops.dequantize(run, q, qAt + at, unsigned, scale, zero, x, xAt + at);
            }
        };
    }

    Runnable quantizing(Region from, Region to) {
        float[] x = ((HeapMemory) from.memory()).floats();
        byte[] q = ((HeapMemory) to.memory()).octets();
        int xAt = (int) (from.offset() / Float.BYTES);
        int qAt = (int) to.offset();
        int run = run();
        int size = shape.size();
        int zero = quantization.zeroPoint();
        Loops loops = simd.loops();
        float least = quantization.least() - zero;
        float greatest = quantization.greatest() - zero;
        return () -> {
            for (int at = 0; at < size; at += run) {
                float inverse = 1 / quantization.scale(quantization.index(shape, at));
                loops.quantize(run, x, xAt + at, inverse, least, greatest, zero, q, qAt + at);
            }
        };
    }

    /** The kernel of {@link Quantize} or {@link dev.hadal.op.Dequantize}. */
    static Kernel kernel(Op op, Quantization quantization, Type in, Type out, Simd simd) {
        return new ConversionKernel(
                op.name(), new ByteConversion(quantization, in.shape(), simd), in, out, op instanceof Quantize);
    }

    private record ConversionKernel(String name, ByteConversion conversion, Type in, Type out, boolean narrows)
            implements Kernel {
        @Override
        public List<Layout> inputs() {
            return List.of(Layout.plain(in));
        }

        @Override
        public List<Layout> outputs() {
            return List.of(Layout.plain(out));
        }

        @Override
        public String implementation() {
            return "java " + name;
        }

        @Override
        public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
            Region x = inputs.get(0);
            Region y = outputs.get(0);
            Runnable run = narrows ? conversion.quantizing(x, y) : conversion.dequantizing(x, y);
            return run::run;
        }
    }
}
