package dev.hadal.backend.jvm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Convolution;
import dev.hadal.op.Window;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ConvolutionKernelTest {

    private record Case(Convolution op, Type x, Type w) {
        Type y() {
            return op.infer(List.of(x, w)).get(0);
        }

        Problem forward(boolean exact) {
            return problem(op, exact, x, w);
        }

        Problem backwardData(boolean exact) {
            return problem(new Convolution.BackwardData(op, x.shape()), exact, y(), w);
        }

        Problem backwardWeights(boolean exact) {
            return problem(new Convolution.BackwardWeights(op, w.shape()), exact, x, y());
        }

        private static Problem problem(Op op, boolean exact, Type... in) {
            return exact ? Problem.integers(op, in) : Problem.reals(op, in);
        }
    }

    private static Case of(int batch, int in, int height, int width, int out, int kernel, Window window, int groups) {
        return new Case(
                new Convolution(window, groups),
                Type.f32(batch, in, height, width),
                Type.f32(out, in / groups, kernel, kernel));
    }

    private static Window uneven(int strideH, int strideW, int before, int after, int dilation) {
        return new Window(
                new Window.Axis(strideH, before, after, dilation), new Window.Axis(strideW, after, before, dilation));
    }

    private static final List<Case> CASES = List.of(
            of(1, 1, 1, 1, 1, 1, Window.UNIT, 1),
            of(3, 2, 7, 7, 3, 3, Window.of(1, 1, 1), 1),
            of(2, 3, 9, 11, 8, 3, Window.of(2, 1, 1), 1),
            of(2, 3, 8, 10, 9, 1, Window.of(2, 0, 1), 1),
            of(1, 4, 12, 13, 17, 3, Window.of(3, 0, 1), 1),
            of(2, 2, 13, 9, 5, 3, Window.of(2, 2, 2), 1),
            of(2, 3, 6, 6, 4, 2, uneven(1, 2, 1, 0, 1), 1),
            of(1, 2, 11, 5, 3, 3, uneven(2, 1, 0, 3, 1), 1),
            of(1, 2, 5, 5, 3, 1, Window.of(1, 2, 1), 1),
            of(1, 2, 5, 6, 3, 1, Window.of(3, 2, 1), 1),
            of(2, 1, 4, 4, 2, 3, Window.of(4, 3, 2), 1),
            of(1, 3, 7, 7, 2, 7, Window.UNIT, 1),
            of(70, 5, 7, 7, 6, 3, Window.of(1, 1, 1), 1),
            // groups, and one channel to a group
            of(2, 6, 7, 9, 9, 3, Window.of(1, 1, 1), 3),
            of(5, 7, 9, 8, 7, 3, Window.of(2, 1, 1), 7),
            of(2, 5, 9, 8, 10, 3, Window.of(1, 1, 1), 5),
            // more channels than a pass, and than a task
            of(1, 40, 5, 6, 130, 3, Window.of(1, 1, 1), 1),
            of(2, 130, 4, 4, 24, 3, Window.of(1, 1, 1), 1),
            // images that are divided
            of(2, 16, 70, 75, 3, 3, Window.of(1, 1, 1), 1),
            of(1, 3, 150, 160, 8, 7, Window.of(2, 3, 1), 1),
            of(2, 3, 90, 90, 3, 5, Window.of(1, 2, 1), 3));

    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void isExactOnIntegers(Machine machine) {
        for (Case c : CASES) {
            c.forward(true).checkExactly(machine);
            c.backwardData(true).checkExactly(machine);
            c.backwardWeights(true).checkExactly(machine);
        }
    }

    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void isAccurateOnReals(Machine machine) {
        for (Case c : CASES) {
            int taps = c.w().shape().sizeFrom(1);
            int places = c.y().shape().sizeFrom(2) * c.x().shape().get(0);
            c.forward(false).checkSums(machine, taps);
            c.backwardData(false)
                    .checkSums(
                            machine, taps * c.y().shape().get(1) / c.x().shape().get(1) + 1);
            c.backwardWeights(false).checkSums(machine, places);
        }
    }

    @Test
    void threadsDoNotChangeTheBits() {
        Machine one = Machines.all().get(0);
        Machine two = Machines.all().get(1);
        for (Case c : CASES) {
            assertArrayEquals(c.forward(false).run(one)[0], c.forward(false).run(two)[0]);
            assertArrayEquals(
                    c.backwardData(false).run(one)[0], c.backwardData(false).run(two)[0]);
            assertArrayEquals(
                    c.backwardWeights(false).run(one)[0],
                    c.backwardWeights(false).run(two)[0]);
        }
    }
}
