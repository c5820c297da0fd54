package dev.hadal.backend.jvm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** An op on given operands: what a fast kernel makes of it, and what the reference does. */
record Problem(Op op, List<Type> in, List<Type> out, double[][] values) {
    private static final double EPSILON = 0x1p-23;
    /** Values begin at odd places, with a few that nobody may touch between them. */
    private static final int GAP = 13;

    private static final int CANARY = 0x7fc0beef; // a NaN

    static Problem of(Op op, double[][] values, Type... in) {
        return new Problem(op, List.of(in), op.infer(List.of(in)), values);
    }

    /** On uniform reals in [−1, 1). */
    static Problem reals(Op op, Type... in) {
        double[][] values = new double[in.length][];
        for (int i = 0; i < in.length; i++) {
            Philox random = new Philox(7, i);
            values[i] = new double[in[i].shape().size()];
            Arrays.setAll(values[i], l -> 2 * random.uniform(l) - 1);
        }
        return of(op, values, in);
    }

    /** On integers from −4 to 4, of which every sum of products is exact. */
    static Problem integers(Op op, Type... in) {
        Problem reals = reals(op, in);
        for (double[] x : reals.values) {
            Arrays.setAll(x, i -> Math.rint(4 * x[i]));
        }
        return reals;
    }

    double[][] expected() {
        return reference(values);
    }

    /** Σ|aᵢbᵢ| for each sum of products: what bounds its error. */
    double[][] magnitudes() {
        return reference(Arrays.stream(values)
                .map(x -> Arrays.stream(x).map(Math::abs).toArray())
                .toArray(double[][]::new));
    }

    private double[][] reference(double[][] x) {
        double[][] y = new double[out.size()][];
        Arrays.setAll(y, i -> new double[out.get(i).shape().size()]);
        Reference.formula(op, in, out).orElseThrow().run(x, y);
        return y;
    }

    /** Requires the very values of the reference. */
    void checkExactly(Machine machine) {
        double[][] expected = expected();
        float[][] actual = run(machine);
        for (int v = 0; v < expected.length; v++) {
            for (int i = 0; i < expected[v].length; i++) {
                assertEquals(expected[v][i], actual[v][i], place(machine, v, i));
            }
        }
    }

    /** Requires |err| ≤ 4·√K·ε·Σ|aᵢbᵢ| of sums of K products. */
    void checkSums(Machine machine, int k) {
        double[][] magnitudes = magnitudes();
        for (double[] bound : magnitudes) {
            Arrays.setAll(bound, i -> 4 * Math.sqrt(k) * EPSILON * bound[i]);
        }
        check(machine, magnitudes);
    }

    /** Requires errors up to so many units in the last place of 1, or of the value if it is larger. */
    void checkWithin(Machine machine, double units) {
        double[][] bounds = expected();
        for (double[] bound : bounds) {
            Arrays.setAll(bound, i -> units * EPSILON * Math.max(1, Math.abs(bound[i])));
        }
        check(machine, bounds);
    }

    private void check(Machine machine, double[][] bounds) {
        double[][] expected = expected();
        float[][] actual = run(machine);
        for (int v = 0; v < expected.length; v++) {
            for (int i = 0; i < expected[v].length; i++) {
                double error = Math.abs(actual[v][i] - expected[v][i]);
                int at = i;
                int value = v;
                assertTrue(
                        error <= bounds[v][i],
                        () -> place(machine, value, at) + ": " + actual[value][at] + " instead of "
                                + expected[value][at] + ", off by " + error);
            }
        }
    }

    private String place(Machine machine, int value, int i) {
        return op + " of " + in + " on " + machine.simd().name() + ", " + machine.threads() + " threads: result "
                + value + " at " + i;
    }

    /** Runs the fast kernel, twice, on memory full of NaN. */
    float[][] run(Machine machine) {
        return run(machine, false);
    }

    /** The same with the results over the operands that the kernel names, once. */
    float[][] runInPlace(Machine machine) {
        return run(machine, true);
    }

    private float[][] run(Machine machine, boolean inPlace) {
        try (Kernel kernel = FastKernels.prepare(op, in, out, machine).orElseThrow()) {
            List<Layout> layouts = new ArrayList<>(kernel.inputs());
            layouts.addAll(kernel.outputs());
            long[] at = new long[layouts.size() + 1];
            at[0] = 4 * GAP;
            for (int i = 0; i < layouts.size(); i++) {
                at[i + 1] = at[i] + layouts.get(i).bytes() + 4 * GAP;
            }
            HeapMemory floats = HeapMemory.ofFloats(at[layouts.size()]);
            HeapMemory ints = HeapMemory.ofInts(at[layouts.size()]);
            Arrays.fill(floats.floats(), Float.intBitsToFloat(CANARY));
            Arrays.fill(ints.ints(), CANARY);
            List<Region> regions = new ArrayList<>();
            for (int i = 0; i < layouts.size(); i++) {
                boolean isFloat = layouts.get(i).type().dtype() == DType.F32;
                int result = i - in.size();
                int over = inPlace && result >= 0 ? kernel.inPlace(result) : -1;
                regions.add(over >= 0 ? regions.get(over) : new Region(isFloat ? floats : ints, at[i], layouts.get(i)));
            }
            for (int i = 0; i < in.size(); i++) {
                write(values[i], regions.get(i));
            }
            HeapMemory scratch = HeapMemory.ofFloats(kernel.scratch());
            Arrays.fill(scratch.floats(), Float.NaN);
            Region scratchRegion = new Region(scratch, 0, Layout.plain(Type.f32((int) (kernel.scratch() / 4))));
            Kernel.Bound bound = kernel.bind(
                    regions.subList(0, in.size()), regions.subList(in.size(), regions.size()), scratchRegion);
            bound.run();
            if (!inPlace) {
                bound.run();
            }
            for (int i = 0; i <= layouts.size(); i++) {
                for (int l = 0; l < GAP; l++) {
                    int place = (int) (at[i] / 4) - GAP + l;
                    assertEquals(CANARY, Float.floatToRawIntBits(floats.floats()[place]), "wrote between the values");
                }
            }
            return regions.subList(in.size(), regions.size()).stream()
                    .map(Problem::read)
                    .toArray(float[][]::new);
        }
    }

    private static void write(double[] x, Region to) {
        HeapMemory memory = (HeapMemory) to.memory();
        int at = (int) (to.offset() / 4);
        for (int i = 0; i < x.length; i++) {
            if (to.layout().type().dtype() == DType.F32) {
                memory.floats()[at + i] = (float) x[i];
            } else {
                memory.ints()[at + i] = (int) x[i];
            }
        }
    }

    private static float[] read(Region from) {
        float[] x = new float[from.layout().type().shape().size()];
        from.memory().read(from.offset(), x, 0, x.length);
        return x;
    }
}
