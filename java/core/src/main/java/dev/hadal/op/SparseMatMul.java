package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * y = x·Wᵀ with x: […,in] and W: [outputs,in], of which few blocks are kept: block b holds {@code values[b]}, some
 * consecutive rows of the column {@code columns[b]} of W. Block row r of W, which is as many rows as a block has from
 * r times as many on, has the blocks from {@code starts[r]} up to {@code starts[r + 1]}. Blocks of one row make it CSR. If
 * W's last block row has fewer rows, the values beyond are not used.
 *
 * <p>What is not kept is left out: a NaN in x meets only the weights that are there. A run that meets a column or a start
 * out of place ends with an {@link IndexOutOfBoundsException} that tells it. It has no gradient: weights are trained dense,
 * under masks.
 */
public record SparseMatMul(int outputs) implements Op {

    public SparseMatMul {
        if (outputs < 1) {
            throw new IllegalArgumentException("a product has at least one output, not " + outputs);
        }
    }

    /** The sizes of a product: x as [rows,in], and how many blocks of what height there are. */
    public record Geometry(int rows, int in, int out, int blocks, int height) {

        public int blockRows() {
            return blockRows(out, height);
        }

        private static int blockRows(int out, int height) {
            return (int) (((long) out + height - 1) / height);
        }

        /**
         * Throws the error of the first column or start that is out of place.
         *
         * @throws IndexOutOfBoundsException if there is one
         */
        public void check(IntUnaryOperator columns, IntUnaryOperator starts) {
            for (int b = 0; b < blocks; b++) {
                int column = columns.applyAsInt(b);
                if (column < 0 || column >= in) {
                    throw misplaced(b, column);
                }
            }
            int least = 0;
            for (int r = 0; r <= blockRows(); r++) {
                int start = starts.applyAsInt(r);
                if (start < least || start > blocks) {
                    throw misplaced((long) blocks + r, start);
                }
                least = start;
            }
        }

        /** The error of what is out of place: at its position among the columns, or counted on from those, the starts. */
        public IndexOutOfBoundsException misplaced(long position, int value) {
            return new IndexOutOfBoundsException(
                    position < blocks
                            ? "sparse_matmul: column " + value + " at position " + position + " lies outside of 0 … "
                                    + (in - 1)
                            : "sparse_matmul: start " + value + " at position " + (position - blocks)
                                    + " is less than the one before, or outside of 0 … " + blocks);
        }
    }

    @Override
    public String name() {
        return "sparse_matmul";
    }

    @Override
    public List<Type> infer(List<Type> in) {
        Require.operands(name(), in, "x", "values", "columns", "starts");
        Shape x = Require.f32(name(), "x", in.get(0));
        Shape values = Require.f32(name(), "values", in.get(1), "blocks,height");
        Require.that(x.rank() >= 1, "sparse_matmul: x must be […,in], but is %s", x);
        int height = values.get(1);
        Require.that(height >= 1, "sparse_matmul: values must be blocks of at least one row, but are %s", values);
        indices("columns", in.get(2), values.get(0));
        indices("starts", in.get(3), Geometry.blockRows(outputs, height) + 1);
        return List.of(Type.f32(x.with(x.rank() - 1, outputs)));
    }

    private static void indices(String operand, Type type, int count) {
        Type wanted = new Type(DType.I32, Shape.of(count));
        Require.that(type.equals(wanted), "sparse_matmul: %s must be %s, but are %s", operand, wanted, type);
    }

    /** The sizes, given the shapes of x and the values. */
    public Geometry geometry(Shape x, Shape values) {
        int in = x.get(x.rank() - 1);
        return new Geometry(
                Shape.product(x.dims().subList(0, x.rank() - 1)), in, outputs, values.get(0), values.get(1));
    }

    @Override
    public String toString() {
        return name() + "[" + outputs + "]";
    }
}
