package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Products with weights of which few blocks are kept: blocks of every height, in f32 and bf16, with what may follow. */
@Covers(SparseMatMul.class)
abstract class SparseMatMulSpec extends Spec {
    private static final Activation RELU = new Activation(Activation.Function.RELU);

    /** x: rows × in, W: out × in, and how many of a hundred blocks are kept; some block rows have none, some all. */
    record Case(List<Integer> rows, int in, int out, int height, int percent) {
        SparseMatMul op() {
            return new SparseMatMul(out);
        }

        Shape x() {
            List<Integer> dims = new ArrayList<>(rows);
            dims.add(in);
            return new Shape(dims);
        }

        /** The columns and the starts. */
        List<Tensor> pattern(Draw draw) {
            int blockRows = (out + height - 1) / height;
            List<Integer> columns = new ArrayList<>();
            int[] starts = new int[blockRows + 1];
            for (int r = 0; r < blockRows; r++) {
                int kept = r % 5 == 1 ? 0 : r % 5 == 3 ? 100 : percent;
                for (int k = 0; k < in; k++) {
                    if (draw.between(0, 99) < kept) {
                        columns.add(k);
                    }
                }
                starts[r + 1] = columns.size();
            }
            int[] all = columns.stream().mapToInt(Integer::intValue).toArray();
            return List.of(Tensor.of(Shape.of(all.length), all), Tensor.of(Shape.of(starts.length), starts));
        }

        Tensor[] integers(Draw draw, int bound) {
            List<Tensor> pattern = pattern(draw);
            Tensor values = draw.integers(bound, values(pattern));
            return new Tensor[] {draw.integers(bound, x()), values, pattern.get(0), pattern.get(1)};
        }

        Tensor[] normal(Draw draw) {
            List<Tensor> pattern = pattern(draw);
            Tensor values = draw.normal(values(pattern));
            return new Tensor[] {draw.normal(x()), values, pattern.get(0), pattern.get(1)};
        }

        private Shape values(List<Tensor> pattern) {
            return Shape.of(pattern.get(0).shape().size(), height);
        }
    }

    private static List<Case> cases() {
        List<Case> cases = new ArrayList<>();
        for (int height : new int[] {1, 2, 4, 8, 12, 16, 32}) {
            cases.add(new Case(List.of(1), 33, 40, height, 20));
            cases.add(new Case(List.of(17), 64, 70, height, 20));
            cases.add(new Case(List.of(130), 31, 96, height, 30));
        }
        cases.add(new Case(List.of(), 7, 5, 1, 50));
        cases.add(new Case(List.of(2, 3, 4), 16, 24, 8, 10));
        cases.add(new Case(List.of(300), 129, 100, 8, 10));
        cases.add(new Case(List.of(1100), 20, 33, 1, 20));
        cases.add(new Case(List.of(1), 1, 1, 1, 100));
        Draw draw = new Draw("sparse shapes");
        for (int i = 0; i < 12; i++) {
            int height = draw.between(1, 40);
            cases.add(new Case(List.of(draw.dim()), draw.dim(), draw.dim(), height, draw.between(0, 100)));
        }
        return cases;
    }

    private static final List<Case> EMPTY = List.of(
            new Case(List.of(0), 4, 8, 8, 50),
            new Case(List.of(3), 0, 8, 8, 50),
            new Case(List.of(3), 5, 7, 8, 0),
            new Case(List.of(20), 5, 7, 8, 0));

    @TestFactory
    Stream<DynamicTest> exact() {
        return Stream.of(cases(), EMPTY)
                .flatMap(cases -> each("exact", cases, (c, draw) -> exact(c.op(), c.integers(draw, 9))));
    }

    @TestFactory
    Stream<DynamicTest> boundedSums() {
        return each("bounded", cases(), (c, draw) -> boundedSums(c.op(), c.in(), c.normal(draw)));
    }

    /** x and the values in bf16, or one of them; the result in f32 or bf16. */
    @TestFactory
    Stream<DynamicTest> inBf16() {
        return each("bf16", cases(), (c, draw) -> {
            for (int way = 1; way < 8; way++) {
                Mixed op = new Mixed(c.op(), List.of((way & 4) != 0 ? DType.BF16 : DType.F32));
                exact(op, narrowed(c.integers(draw, 9), way));
                boundedSums(op, c.in(), narrowed(c.normal(draw), way));
            }
        });
    }

    private static Tensor[] narrowed(Tensor[] in, int way) {
        for (int i = 0; i < 2; i++) {
            in[i] = (way >> i & 1) != 0 ? in[i].narrowed() : in[i];
        }
        return in;
    }

    /** A bias and a ReLU. */
    @TestFactory
    Stream<DynamicTest> inChains() {
        List<Case> matrices = cases().stream().filter(c -> c.rows().size() == 1).toList();
        return each("chain", matrices, (c, draw) -> {
            Fused product = Fused.of(c.op(), 4);
            Tensor[] in = c.integers(draw, 9);
            Tensor[] more = Arrays.copyOf(in, 5);
            more[4] = draw.integers(9, Shape.of(c.out()));
            exact(product.then(RELU, 1, 0), in);
            exact(product.then(new Bias(), 2, 0), more);
            exact(product.then(new Bias(), 2, 0).then(RELU, 1, 0), more);
        });
    }

    /** What is not kept is left out, so that it makes no NaN; what is kept passes NaN and infinities on. */
    @TestFactory
    Stream<DynamicTest> oddValues() {
        return each("exact", List.of(1, 20), (rows, draw) -> {
            float[] x = new float[rows * 3];
            for (int i = 0; i < rows; i++) {
                x[3 * i] = Float.NaN;
                x[3 * i + 1] = Float.NEGATIVE_INFINITY;
                x[3 * i + 2] = i;
            }
            List<Tensor> in = List.of(
                    Tensor.of(Shape.of(rows, 3), x),
                    Tensor.of(Shape.of(3, 1), 1f, 1f, 1f),
                    Tensor.of(Shape.of(3), 2, 0, 1),
                    Tensor.of(Shape.of(5), 0, 1, 2, 3, 3));
            bench().check(new SparseMatMul(4), in, y -> {
                for (int i = 0; i < rows; i++) {
                    assertEquals(i, y.get(0).floats()[4 * i]);
                    assertEquals(Float.NaN, y.get(0).floats()[4 * i + 1]);
                    assertEquals(Float.NEGATIVE_INFINITY, y.get(0).floats()[4 * i + 2]);
                    assertEquals(0, y.get(0).floats()[4 * i + 3]);
                }
            });
        });
    }

    /** A column or a start that is none ends the run, and the message tells it; nothing beside the arrays is read. */
    @TestFactory
    Stream<DynamicTest> exactlyTheBlocksThatThereAre() {
        List<Integer> wrong = List.of(6, -1, Integer.MAX_VALUE, Integer.MIN_VALUE);
        return each("misplaced", wrong, (index, draw) -> {
            for (int rows : new int[] {1, 20}) {
                Tensor x = draw.normal(Shape.of(rows, 6));
                Tensor values = draw.normal(Shape.of(5, 8));
                Tensor columns = Tensor.of(Shape.of(5), 0, 5, 1, 2, 3);
                Tensor starts = Tensor.of(Shape.of(4), 0, 2, 4, 5);
                Tensor wrongColumns = Tensor.of(Shape.of(5), 0, 5, 1, index, index);
                Tensor wrongStarts = Tensor.of(Shape.of(4), 0, 2, index, 5);
                SparseMatMul op = new SparseMatMul(24);
                misplaced("column " + index + " at position 3 ", op, x, values, wrongColumns, starts);
                misplaced("start " + index + " at position 2 ", op, x, values, columns, wrongStarts);
                misplaced("start 1 at position 2 ", op, x, values, columns, Tensor.of(Shape.of(4), 0, 2, 1, 5));
                Tensor[] narrow = {x.narrowed(), values.narrowed(), wrongColumns, starts};
                misplaced("column " + index + " at position 3 ", new Mixed(op, List.of(DType.F32)), narrow);
            }
        });
    }

    private void misplaced(String what, Op op, Tensor... operands) {
        IndexOutOfBoundsException e =
                assertThrows(IndexOutOfBoundsException.class, () -> bench().check(op, List.of(operands), y -> {}));
        String message = String.valueOf(e.getMessage());
        assertTrue(message.contains("sparse_matmul: " + what), message);
    }
}
