package dev.hadal.backend.jvm;

import dev.hadal.backend.Backend;
import dev.hadal.backend.ChainKernel;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.backend.jvm.simd.PlainSimd;
import dev.hadal.backend.jvm.simd.Simd;
import dev.hadal.backend.jvm.simd.SimdChoice;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Dequantize;
import dev.hadal.op.Mixed;
import dev.hadal.op.Quantize;
import dev.hadal.op.Quantized;
import dev.hadal.op.Shadowed;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/** Pure Java: runs everything, everywhere. Fast kernels where there are some, the plain reference where not. */
public final class JvmBackend implements Backend {
    public static final String NAME = "java";

    private static final String FLOATS = "f32";
    private static final String INTS = "i32";
    private static final String BF16 = "bf16";
    private static final String OCTETS = "int8";

    private final boolean fast;

    /** For {@link java.util.ServiceLoader}. */
    public JvmBackend() {
        this(true);
    }

    private JvmBackend(boolean fast) {
        this.fast = fast;
    }

    /** Without the fast kernels: the specification, at the specification's speed. */
    public static JvmBackend reference() {
        return new JvmBackend(false);
    }

    @Override
    public String name() {
        return fast ? NAME : "reference";
    }

    @Override
    public int rank() {
        return 0;
    }

    @Override
    public Availability availability() {
        return Availability.yes(fast ? FastKernels.detail() : "plain Java loops");
    }

    @Override
    public Optional<Kernel> prepare(Op op, List<Operand> inputs, List<Type> outputs, int threads) {
        List<Type> in = Operand.types(inputs);
        if (Mixed.inner(op) instanceof Fused chain) {
            return ChainKernel.prepare(this, Mixed.apart(chain, in, outputs), inputs, threads);
        }
        if (op instanceof Quantized || op instanceof Quantize || op instanceof Dequantize) {
            return quantized(op, in, outputs, threads);
        }
        if (anyBytes(in) || anyBytes(outputs)) {
            return quantized(Quantized.plain(op, in, outputs), in, outputs, threads);
        }
        boolean ownBf16 = fast && op instanceof Shadowed;
        if (!ownBf16 && MixedKernel.concerns(in, outputs)) {
            return compute(MixedKernel.wide(op), MixedKernel.wide(in), MixedKernel.wide(outputs), threads)
                    .map(kernel -> new MixedKernel(kernel, in, outputs, simd()));
        }
        return compute(Mixed.inner(op), in, outputs, threads);
    }

    private static boolean anyBytes(List<Type> types) {
        for (Type type : types) {
            if (type.dtype().isByte()) {
                return true;
            }
        }
        return false;
    }

    private Optional<Kernel> quantized(Op op, List<Type> in, List<Type> outputs, int threads) {
        if (op instanceof Quantize narrowing) {
            return Optional.of(ByteConversion.kernel(op, narrowing.to(), in.get(0), outputs.get(0), simd()));
        } else if (op instanceof Dequantize widening) {
            return Optional.of(ByteConversion.kernel(op, widening.from(), in.get(0), outputs.get(0), simd()));
        }
        Quantized quantized = (Quantized) op;
        Kernel own = fast ? ByteKernels.prepare(quantized, in, outputs, FastKernels.machine(threads)) : null;
        if (own != null) {
            return Optional.of(own);
        }
        List<Operand> operands = in.stream().map(Operand::plain).toList();
        return ChainKernel.prepare(this, quantized.before(), quantized.op(), quantized.after(), operands, threads);
    }

    private Simd simd() {
        return fast ? SimdChoice.best().simd() : new PlainSimd();
    }

    private Optional<Kernel> compute(Op op, List<Type> in, List<Type> outputs, int threads) {
        if (op instanceof JavaOp own) {
            return Optional.of(
                    new HeapKernel("own " + op.name(), in, outputs, (x, y, scratch) -> () -> own.compute(x, y)));
        }
        Optional<Kernel> kernel = fast ? FastKernels.prepare(op, in, outputs, threads) : Optional.empty();
        return kernel.isPresent() ? kernel : Reference.prepare(op, in, outputs);
    }

    @Override
    public Kernel reorder(Layout from, Layout to) {
        if (!from.equals(to)) {
            throw new IllegalArgumentException("the java backend knows plain layouts only, not " + from + " and " + to);
        }
        Type type = from.type();
        if (type.dtype().isByte()) {
            return copy(type);
        }
        return type.dtype() == DType.BF16
                ? new MixedKernel(copy(Mixed.widened(type)), List.of(type), List.of(type), simd())
                : copy(type);
    }

    private static Kernel copy(Type type) {
        return new HeapKernel("copy", List.of(type), List.of(type), (in, out, scratch) -> {
            Span x = in[0];
            Span y = out[0];
            return () -> System.arraycopy(x.array(), x.offset(), y.array(), y.offset(), x.size());
        });
    }

    @Override
    public String pool(DType dtype) {
        return switch (dtype) {
            case F32 -> FLOATS;
            case BF16 -> BF16;
            case I32 -> INTS;
            case S8, U8 -> OCTETS;
        };
    }

    @Override
    public Memory allocate(String pool, long bytes) {
        return switch (pool) {
            case FLOATS -> HeapMemory.ofFloats(bytes);
            case BF16 -> HeapMemory.ofBf16(bytes);
            case OCTETS -> HeapMemory.ofOctets(bytes);
            default -> HeapMemory.ofInts(bytes);
        };
    }

    @Override
    public Memory over(Tensor values) {
        return HeapMemory.over(values);
    }
}
