package dev.hadal.backend.jvm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.graph.Type;
import dev.hadal.op.MatMul;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MatMulKernelTest {

    /** [m, k, n] around the edges of tiles, panels and blocks. */
    private static final int[][] SIZES = {
        {1, 1, 1},
        {7, 1, 47},
        {8, 16, 48},
        {9, 17, 49},
        {5, 3, 255},
        {33, 64, 257},
        {96, 256, 96},
        {97, 257, 97},
        {13, 513, 31},
        {200, 40, 300},
        {1, 300, 130},
        {130, 300, 1}
    };

    private static Problem problem(int[] size, boolean transposeA, boolean transposeB, boolean exact) {
        MatMul op = new MatMul(transposeA, transposeB);
        Type a = transposeA ? Type.f32(size[1], size[0]) : Type.f32(size[0], size[1]);
        Type b = transposeB ? Type.f32(size[2], size[1]) : Type.f32(size[1], size[2]);
        return exact ? Problem.integers(op, a, b) : Problem.reals(op, a, b);
    }

    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void isExactOnIntegers(Machine machine) {
        for (int[] size : SIZES) {
            for (int t = 0; t < 4; t++) {
                problem(size, t % 2 == 1, t / 2 == 1, true).checkExactly(machine);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void isAccurateOnReals(Machine machine) {
        for (int[] size : SIZES) {
            for (int t = 0; t < 4; t++) {
                problem(size, t % 2 == 1, t / 2 == 1, false).checkSums(machine, size[1]);
            }
        }
    }

    /** One row has a kernel of its own, which adds up in the same order. */
    @ParameterizedTest
    @MethodSource("dev.hadal.backend.jvm.Machines#all")
    void aRowAloneHasTheBitsThatItHasAmongOthers(Machine machine) {
        for (int n : new int[] {3, 64, 130}) {
            Problem many = problem(new int[] {97, 257, n}, false, true, false);
            double[][] values = {Arrays.copyOf(many.values()[0], 257), many.values()[1]};
            Problem one =
                    Problem.of(many.op(), values, Type.f32(1, 257), many.in().get(1));
            assertArrayEquals(Arrays.copyOf(many.run(machine)[0], n), one.run(machine)[0]);
        }
    }

    @Test
    void threadsDoNotChangeTheBits() {
        Problem problem = problem(new int[] {97, 257, 97}, false, true, false);
        Machine one = Machines.all().get(0);
        Machine two = Machines.all().get(1);
        assertEquals(1, one.threads());
        assertEquals(2, two.threads());
        assertArrayEquals(problem.run(one)[0], problem.run(two)[0]);
    }
}
