package dev.hadal.backend.jvm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.Hyper;
import dev.hadal.op.Norm;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Reshape;
import dev.hadal.op.UpdateOp;
import dev.hadal.op.UpdateRules;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is not a matrix product: at the ends of vectors, rows and chunks, in place, and on values of every size. */
class FastKernelsTest {
    /** A lone value, less than a vector, some vectors and a rest, more than a plain row, more than a chunk or two. */
    private static final int[] LENGTHS = {1, 7, 16, 49, 515, 8192, 8193, 20_000};

    /** Channels in one piece and in several, shorter and longer than a vector, and gathered first. */
    private static final List<Type> IMAGES = List.of(
            Type.f32(1, 1, 1, 1),
            Type.f32(5, 3),
            Type.f32(1, 70),
            Type.f32(130, 37),
            Type.f32(6, 5, 3, 3),
            Type.f32(6, 5, 4, 4),
            Type.f32(3, 4, 7, 7),
            Type.f32(2, 3, 40, 41),
            Type.f32(33, 19, 5));

    /** Problems, and how many units in the last place their kernels may be off. */
    private static final List<Problem> PROBLEMS = problems();

    private static final double UNITS = 64;

    private static List<Problem> problems() {
        List<Problem> all = new ArrayList<>();
        for (int n : LENGTHS) {
            Type x = Type.f32(n);
            all.add(Problem.reals(new WeightedSum(List.of(-0.3f)), x));
            all.add(Problem.reals(new WeightedSum(List.of(0.9f, 0.1f)), x, x));
            all.add(Problem.reals(new WeightedSum(List.of(1f, -2f, 1f, 0.5f)), x, x, x, x));
            for (Activation.Function f : Activation.Function.values()) {
                all.add(Problem.reals(new Activation(f), x));
                all.add(Problem.reals(new Activation.Backward(f), x, x));
            }
            all.add(Problem.reals(new Reshape(List.of(1, -1)), x));
            all.add(Problem.reals(new Norm(), x, Type.f32(3), x));
            for (UpdateOp rule : UpdateRules.ELEMENTWISE) {
                all.add(update(rule, n, 0.8));
                all.add(update(rule, n, Double.NaN));
            }
        }
        for (Type x : IMAGES) {
            Type c = Type.f32(x.shape().get(1));
            all.add(Problem.reals(new Bias(), x, c));
            all.add(Problem.reals(new Bias.Backward(), x));
            all.add(positive(Problem.reals(new BatchNorm(0.1f, 0.1f), x, c, c, c, c), 4));
            all.add(Problem.reals(new BatchNorm.Training(0.1f), x, c, c));
            all.add(positive(Problem.reals(new BatchNorm.Backward(0.1f), x, x, c, c, c), 4));
            if (x.shape().rank() == 4) {
                all.add(Problem.reals(new GlobalAveragePool(), x));
                all.add(Problem.reals(
                        new GlobalAveragePool.Backward(x.shape()),
                        Type.f32(x.shape().get(0), x.shape().get(1), 1, 1)));
            }
            if (x.shape().rank() == 4 && x.shape().get(2) > 2) {
                all.add(Problem.reals(new Pool(Pooling.Function.AVERAGE, 3, 2, Window.of(2, 1, 1)), x));
                Pooling average = new AdaptivePool(Pooling.Function.AVERAGE, 2, 3);
                all.add(Problem.reals(average, x));
                all.add(Problem.reals(
                        new Pooling.AverageBackward(average, x.shape()),
                        Type.f32(x.shape().get(0), x.shape().get(1), 2, 3)));
            }
            if (x.shape().rank() == 2) {
                all.add(labelled(new CrossEntropy(0), x));
                all.add(labelled(new CrossEntropy(0.1f), x));
                all.add(labelled(new CrossEntropy.Backward(new CrossEntropy(0.1f)), x, Type.f32(Shape.SCALAR)));
            }
        }
        return all;
    }

    private static Problem update(UpdateOp op, int n, double norm) {
        Type[] in = new Type[4 + op.moments().size()];
        Arrays.fill(in, Type.f32(n));
        in[in.length - 2] = Type.f32(Shape.SCALAR);
        in[in.length - 1] = Hyper.TYPE;
        Problem problem = Problem.reals(op, in);
        problem.values()[in.length - 2][0] = norm;
        double[] hyper = problem.values()[in.length - 1];
        hyper[Hyper.RATE] = 0.01;
        hyper[Hyper.DECAY] = 0.1;
        hyper[Hyper.L2] = 0.2;
        hyper[Hyper.CORRECTION1] = 5;
        hyper[Hyper.CORRECTION2] = 50;
        hyper[Hyper.CORRECTION3] = 0.5;
        hyper[Hyper.CLIP] = 0.5;
        hyper[Hyper.CLIP_VALUE] = 0.4;
        for (int m = 0; m < op.moments().size(); m++) {
            positive(problem, 2 + m);
            if (op.moments().get(m).equals("c")) { // else v − c² cancels
                double[] c = problem.values()[2 + m];
                Arrays.setAll(c, i -> (float) (0.1 * c[i]));
            }
        }
        return problem;
    }

    /** With an operand made positive, as variances are. */
    private static Problem positive(Problem problem, int operand) {
        double[] x = problem.values()[operand];
        Arrays.setAll(x, i -> Math.abs(x[i]));
        return problem;
    }

    /** With labels as the second operand. */
    private static Problem labelled(Op op, Type x, Type... rest) {
        List<Type> in = new ArrayList<>(List.of(x, Type.i32(x.shape().get(0))));
        in.addAll(List.of(rest));
        Problem problem = Problem.reals(op, in.toArray(Type[]::new));
        double[] labels = problem.values()[1];
        Arrays.setAll(labels, i -> i * 7 % x.shape().get(1));
        return problem;
    }

    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void isAccurate(Machine machine) {
        for (Problem problem : PROBLEMS) {
            // a channel's sum may be off by what all its terms are off
            double terms = Math.sqrt(problem.in().get(0).shape().size());
            problem.checkWithin(machine, UNITS + terms);
        }
    }

    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void givesTheSameBitsInPlace(Machine machine) {
        for (Problem problem : PROBLEMS) {
            float[][] expected = problem.run(machine);
            float[][] actual = problem.runInPlace(machine);
            for (int v = 0; v < expected.length; v++) {
                assertArrayEquals(expected[v], actual[v], problem.op() + " of " + problem.in());
            }
        }
    }

    @Test
    void threadsDoNotChangeTheBits() {
        List<Machine> machines = Machines.all();
        for (Problem problem : PROBLEMS) {
            float[][] one = problem.run(machines.get(0));
            float[][] two = problem.run(machines.get(1));
            for (int v = 0; v < one.length; v++) {
                assertArrayEquals(one[v], two[v], problem.op() + " of " + problem.in());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void normTakesValuesThatF32CannotSquare(Machine machine) {
        for (double size : new double[] {0, 1e-30, 1e-21, 1, 1e19, 1e30}) {
            double[] x = new double[9_000];
            Arrays.setAll(x, i -> (float) (size * (i % 5 - 2)));
            Problem problem = Problem.of(new Norm(), new double[][] {x}, Type.f32(x.length));
            double expected = problem.expected()[0][0];
            assertEquals(expected, problem.run(machine)[0][0], 4e-7 * expected, "values of size " + size);
        }
    }

    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void varianceIsTrueFarFromZero(Machine machine) {
        for (Type type : IMAGES) {
            Type c = Type.f32(type.shape().get(1));
            Problem problem = Problem.reals(new BatchNorm.Training(1e-5f), type, c, c);
            double[] x = problem.values()[0];
            Arrays.setAll(x, i -> (float) (1000 + x[i]));
            double[] expected = problem.expected()[2];
            float[] actual = problem.run(machine)[2];
            for (int i = 0; i < expected.length; i++) {
                assertTrue(
                        Math.abs(actual[i] - expected[i]) <= 1e-5 * expected[i],
                        actual[i] + " instead of " + expected[i] + " of " + type);
            }
        }
    }
}
