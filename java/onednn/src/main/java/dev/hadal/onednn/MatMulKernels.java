package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.onednn.HadalKernels.FunctionKernel;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.MatMul;
import dev.hadal.op.Quantized;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.jspecify.annotations.Nullable;

/** Matrix products. A matrix that is stored transposed is a matrix with other strides. */
final class MatMulKernels {
    private static final @Nullable dnnl_memory_desc NO_BIAS = null;

    /**
     * Below so many rows of a, which is prediction, packing b takes as long as multiplying with it, and b is better packed
     * once and for all. Above, which may be training, a packed b gains little, and each step would have to bring b into a
     * second layout for the gradient of a, and the gradient of b into the first.
     */
    private static final int FEW_ROWS = 16;

    private static final long MOST_MULTIPLICATIONS = 32 * 32 * 32;
    private static final long MOST_OF_A_FACTOR = 4096; // what hadal_small_matmul takes

    static Kernel matmul(MatMul op, Request r) {
        Shape a = r.shape(0);
        Shape b = r.shape(1);
        boolean matrices = a.rank() == 2 && b.rank() == 2;
        if (!matrices && !op.isOneProduct(a, b)) {
            return batched(op, r);
        }
        int rows = a.size() / op.k(a);
        return isSmall(rows, op.k(a), op.n(b), r) ? small(op, rows, r) : single(op, op, Epilogue.NONE, r);
    }

    /** The product of two matrices, and more done to it. */
    static @Nullable Kernel matmul(Fused op, Epilogue more, Request r) {
        MatMul product = (MatMul) op.root();
        boolean channelsLast = !more.hasBias() || r.result(0).shape().rank() == 2;
        return channelsLast && product.isOneProduct(r.shape(0), r.shape(1)) ? single(op, product, more, r) : null;
    }

    /** The same of quantized values; null without a kernel that multiplies integers. */
    static @Nullable Kernel quantized(Quantized op, MatMul matmul, Epilogue more, Request r) {
        boolean channelsLast = !more.hasBias() || r.result(0).shape().rank() == 2;
        if (!channelsLast || !matmul.isOneProduct(r.shape(0), r.shape(1))) {
            return null;
        }
        Product product = product(matmul, more, r);
        PrimitiveDescriptor y = product.describe(r.layout(1));
        return y.implementation().contains("ref:") ? null : kernel(op, product, y, more, r);
    }

    private static Kernel single(Op op, MatMul matmul, Epilogue more, Request r) {
        Product product = product(matmul, more, r);
        Layout b = product.image() == null ? r.layout(1) : Layout.plain(r.type(1));
        return kernel(op, product, product.describe(b), more, r);
    }

    private static Product product(MatMul matmul, Epilogue more, Request r) {
        Shape a = r.shape(0);
        Shape b = r.shape(1);
        return new Product(matmul, r, a.size() / matmul.k(a), matmul.k(a), matmul.n(b), more);
    }

    private static Kernel kernel(Op op, Product product, PrimitiveDescriptor y, Epilogue more, Request r) {
        long[] image = product.image();
        boolean transposed = product.op.transposeB();
        Layout factor = columns(r.type(0), transposed ? image : null);
        Layout result = columns(r.result(0), transposed ? null : image);
        PrimitiveKernel.Builder kernel = new PrimitiveKernel.Builder(op, y)
                .in(DNNL_ARG_SRC, factor)
                .in(
                        DNNL_ARG_WEIGHTS,
                        image == null ? product.layout(y.memory(DNNL_ARG_WEIGHTS)) : columns(r.type(1), image));
        more.bind(kernel, r, 2, result);
        return kernel.out(DNNL_ARG_DST, result).build();
    }

    private static Layout columns(Type matrix, long @Nullable [] image) {
        return image == null ? Layout.plain(matrix) : OneDnnLayout.flattened(matrix, image);
    }

    /**
     * Whether libhadal multiplies faster than oneDNN gets going, which takes it 0.5 µs; at 32³ libhadal is done in a third
     * of the time.
     */
    private static boolean isSmall(long m, long k, long n, Request r) {
        boolean plain = r.layout(1) == null || Layout.plain(r.type(1)).equals(r.layout(1));
        boolean f32 = r.type(0).dtype() == DType.F32
                && r.type(1).dtype() == DType.F32
                && r.result(0).dtype() == DType.F32;
        long paddedColumns = (n + 15) / 16 * 16;
        return Library.get().hasHadal()
                && plain
                && f32
                && m * paddedColumns * k <= MOST_MULTIPLICATIONS
                && k * paddedColumns <= MOST_OF_A_FACTOR;
    }

    private static Kernel small(MatMul op, long m, Request r) {
        long k = op.k(r.shape(0));
        long n = op.n(r.shape(1));
        List<Layout> in = List.of(Layout.plain(r.type(0)), Layout.plain(r.type(1)));
        return new FunctionKernel(
                op,
                in,
                List.of(Layout.plain(r.result(0))),
                List.of(),
                (b, steps) -> HadalNative.smallMatmul(
                        steps.list(),
                        HadalKernels.floats(b.input(0)),
                        HadalKernels.floats(b.input(1)),
                        m,
                        k,
                        n,
                        op.transposeA() ? 1 : 0,
                        op.transposeB() ? 1 : 0,
                        HadalKernels.floats(b.output(0))));
    }

    /** A batch of products; oneDNN broadcasts axes of one element itself. */
    private static Kernel batched(MatMul op, Request r) {
        Shape a = r.shape(0);
        Shape b = r.shape(1);
        long[] batch = Descriptors.dims(new Shape(op.batch(a, b)));
        dnnl_memory_desc left = matrices(r, r.type(0), batch(a, batch.length), op.m(a), op.k(a), op.transposeA());
        dnnl_memory_desc right = matrices(r, r.type(1), batch(b, batch.length), op.k(a), op.n(b), op.transposeB());
        dnnl_memory_desc products = matrices(r, r.result(0), batch, op.m(a), op.n(b), false);
        PrimitiveDescriptor y = r.descriptors()
                .primitive((desc, engine, attributes) ->
                        dnnl_matmul_primitive_desc_create(desc, engine, left, right, NO_BIAS, products, attributes));
        return new PrimitiveKernel.Builder(op, y)
                .in(DNNL_ARG_SRC, Layout.plain(r.type(0)))
                .in(DNNL_ARG_WEIGHTS, Layout.plain(r.type(1)))
                .out(DNNL_ARG_DST, Layout.plain(r.result(0)))
                .build();
    }

    /** The batch of an operand with as many axes as that of the result. */
    private static long[] batch(Shape operand, int rank) {
        long[] batch = new long[rank];
        Arrays.fill(batch, 1);
        int missing = rank - (operand.rank() - 2);
        for (int axis = Math.max(0, missing); axis < rank; axis++) {
            batch[axis] = operand.get(axis - missing);
        }
        return batch;
    }

    private static dnnl_memory_desc matrices(
            Request r, Type type, long[] batch, long rows, long columns, boolean transposed) {
        long[] dims = Arrays.copyOf(batch, batch.length + 2);
        dims[batch.length] = rows;
        dims[batch.length + 1] = columns;
        long[] strides = Descriptors.rowMajor(dims);
        if (transposed) {
            strides[batch.length] = 1;
            strides[batch.length + 1] = rows;
        }
        return r.descriptors().strided(type.dtype(), dims, strides);
    }

    /** [m,k]·[k,n], with either factor stored as it is or transposed. */
    private record Product(MatMul op, Request r, long m, long k, long n, Epilogue more) {

        private Descriptors descriptors() {
            return r.descriptors();
        }

        /**
         * How b's columns lie if they are those of flattened images, and the columns of a or of the product with them: to
         * a product it is all the same, so that images need not be put in order, nor their gradients. Null if they lie in
         * order, or b in blocks, as quantized weights do. Nobody has laid out a weight at first; it then lies as the images do.
         */
        long @Nullable [] image() {
            boolean twoAxes = (op.transposeB() ? r.shape(0) : r.result(0).shape()).rank() == 2;
            boolean columns = op.transposeB() ? !op.transposeA() : !more.hasBias();
            if (!twoAxes || !columns || r.hasBytes()) {
                return null;
            }
            boolean free = r.layout(1) == null && op.transposeB() && m >= FEW_ROWS;
            return OneDnnLayout.image(r.layout(free ? 0 : 1));
        }

        PrimitiveDescriptor describe(@Nullable Layout b) {
            if (b == null && (m < FEW_ROWS || r.type(1).dtype() == DType.S8)) {
                return with(descriptors().any(r.type(1).dtype(), k, n));
            }
            if (b instanceof OneDnnLayout packed) {
                dnnl_memory_desc given = descriptors().of(packed, packed.dims());
                PrimitiveDescriptor kept = with(packed.isTransposed() ? given : stored(given));
                if (!kept.slow()) {
                    return kept;
                }
            }
            return with(matrix(r.type(1), k, n, op.transposeB()));
        }

        private PrimitiveDescriptor with(dnnl_memory_desc b) {
            dnnl_memory_desc a = matrix(r.type(0), m, k, op.transposeA());
            dnnl_memory_desc y = matrix(r.result(0), m, n, false);
            dnnl_memory_desc bias = more.hasBias() ? descriptors().plain(DType.F32, 1, n) : NO_BIAS;
            dnnl_primitive_attr attributes = more.attributes(
                    r,
                    descriptors(),
                    2,
                    dtype -> matrix(new Type(dtype, r.result(0).shape()), m, n, false));
            return descriptors()
                    .primitive((desc, engine, plain) ->
                            dnnl_matmul_primitive_desc_create(desc, engine, a, b, bias, y, attributes));
        }

        private dnnl_memory_desc matrix(Type type, long rows, long columns, boolean transposed) {
            return transposed
                    ? descriptors().transposed(descriptors().plain(type.dtype(), columns, rows))
                    : descriptors().plain(type.dtype(), rows, columns);
        }

        /** How b lies. Sums behind s8 weights let no axes be exchanged. */
        Layout layout(dnnl_memory_desc b) {
            return op.transposeB() && r.type(1).dtype() == DType.S8
                    ? OneDnnLayout.transposed(b, r.type(1))
                    : OneDnnLayout.of(stored(b), r.type(1));
        }

        /** From b as it is multiplied to b as it is stored, and back. */
        dnnl_memory_desc stored(dnnl_memory_desc b) {
            return op.transposeB() ? descriptors().transposed(b) : b;
        }
    }

    private MatMulKernels() {}
}
