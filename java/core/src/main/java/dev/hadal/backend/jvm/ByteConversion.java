package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Quantization;
import dev.hadal.op.Quantize;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;

/** Values of a shape from f32 to s8 or u8, and back. */
record ByteConversion(Quantization quantization, Shape shape) {

    /** Adding and subtracting 1.5·2²³ rounds what is smaller to the nearest integer, ties to even. */
    private static final float ROUNDING = 0x1.8p23f;

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
        boolean unsigned = quantization.dtype() == DType.U8;
        int zero = quantization.zeroPoint();
        return () -> {
            for (int at = 0; at < size; at += run) {
                float scale = quantization.scale(quantization.index(shape, at));
                if (unsigned) {
                    fromUnsigned(run, q, qAt + at, scale, zero, x, xAt + at);
                } else {
                    fromSigned(run, q, qAt + at, scale, zero, x, xAt + at);
                }
            }
        };
    }

    private static void fromUnsigned(int n, byte[] q, int qAt, float scale, int zero, float[] x, int xAt) {
        for (int i = 0; i < n; i++) {
            x[xAt + i] = scale * ((q[qAt + i] & 0xFF) - zero);
        }
    }

    private static void fromSigned(int n, byte[] q, int qAt, float scale, int zero, float[] x, int xAt) {
        for (int i = 0; i < n; i++) {
            x[xAt + i] = scale * (q[qAt + i] - zero);
        }
    }

    Runnable quantizing(Region from, Region to) {
        float[] x = ((HeapMemory) from.memory()).floats();
        byte[] q = ((HeapMemory) to.memory()).octets();
        int xAt = (int) (from.offset() / Float.BYTES);
        int qAt = (int) to.offset();
        int run = run();
        int size = shape.size();
        int zero = quantization.zeroPoint();
        float least = quantization.least() - zero;
        float greatest = quantization.greatest() - zero;
        return () -> {
            for (int at = 0; at < size; at += run) {
                float inverse = 1 / quantization.scale(quantization.index(shape, at));
                quantize(run, x, xAt + at, inverse, least, greatest, zero, q, qAt + at);
            }
        };
    }

    /** NaN stays NaN until it becomes the integer 0. */
    static void quantize(
            int n, float[] x, int xAt, float inverse, float least, float greatest, int zero, byte[] q, int qAt) {
        for (int i = 0; i < n; i++) {
            float clamped = Math.max(least, Math.min(greatest, x[xAt + i] * inverse));
            q[qAt + i] = (byte) ((int) (clamped + ROUNDING - ROUNDING) + zero);
        }
    }

    /** The kernel of {@link Quantize} or {@link dev.hadal.op.Dequantize}. */
    static Kernel kernel(Op op, Quantization quantization, Type in, Type out) {
        return new ConversionKernel(
                op.name(), new ByteConversion(quantization, in.shape()), in, out, op instanceof Quantize);
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
