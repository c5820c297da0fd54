package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Runs;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.RmsNorm;
import java.util.Arrays;

/** Layer, root-mean-square and group norm, group by group. */
final class GroupKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(
                LayerNorm.class,
                (op, j) -> norm(op.name(), Groups.of(op, j.in().get(0).shape()), j));
        table.put(
                RmsNorm.class,
                (op, j) -> norm(op.name(), Groups.of(op, j.in().get(0).shape()), j));
        table.put(
                GroupNorm.class,
                (op, j) -> norm(op.name(), Groups.of(op, j.in().get(0).shape()), j));
        table.put(
                LayerNorm.Backward.class,
                (op, j) -> backward(op.name(), Groups.of(op, j.in().get(0).shape()), j));
        table.put(
                RmsNorm.Backward.class,
                (op, j) -> backward(op.name(), Groups.of(op, j.in().get(0).shape()), j));
        table.put(
                GroupNorm.Backward.class,
                (op, j) -> backward(op.name(), Groups.of(op, j.in().get(0).shape()), j));
    }

    /** Enough values to be worth a task. */
    private static final int TASK = 1 << 12;

    static Kernel norm(String name, Groups g, OpTable.Job job) {
        Machine machine = job.machine().forWork((long) g.all() * g.width());
        int perTask = Math.max(1, TASK / g.width());
        return new HeapKernel(text(name, machine), job.in(), job.out(), (in, out, scratch) -> {
                    Forward forward = new Forward(g, in, out);
                    Loops[] loops = machine.perLane(new Loops[0], machine.simd()::loops);
                    double[][] sums = machine.perLane(new double[0][], () -> new double[2]);
                    Workers.Body body = (task, lane) -> {
                        int until = Math.min(g.all(), (task + 1) * perTask);
                        for (int group = task * perTask; group < until; group++) {
                            forward.run(loops[lane], sums[lane], group);
                        }
                    };
                    return () -> machine.forEach(Blocks.ceilDiv(g.all(), perTask), body);
                })
                .withInPlace(0);
    }

    private static String text(String name, Machine machine) {
        return "java " + name + " (" + machine.simd().name() + ")";
    }

    /**
     * μ from a first pass over the group, σ² and what rounding took from μ from a second, while the group is near. With
     * ρ = 1/√(σ² + ε): y = γ·ρ·(x − μ) + β.
     */
    private static final class Forward {
        private final Groups g;
        private final Runs whole;
        private final Runs plane;
        private final Span[] in;
        private final Span[] out;

        /** The bias of a norm that has none. */
        private final float[] zeros;

        Forward(Groups g, Span[] in, Span[] out) {
            this.g = g;
            this.in = in;
            this.out = out;
            whole = Runs.of(g.width());
            plane = Runs.of(g.plane());
            zeros = new float[g.centred() ? 0 : g.width()];
        }

        void run(Loops loops, double[] sums, int group) {
            Span x = in[0];
            int at = group * g.width();
            double m = g.width();
            float near = 0;
            if (g.centred()) {
                moments(loops, sums, x, at, 0);
                near = (float) (sums[0] / m);
            }
            moments(loops, sums, x, at, near);
            double difference = g.centred() ? sums[0] / m : 0;
            double variance = Math.max(0, sums[1] / m - difference * difference);
            double rho = 1 / Math.sqrt(variance + g.epsilon());
            if (g.centred()) {
                out[1].set(group, (float) (near + difference));
            }
            out[g.centred() ? 2 : 1].set(group, (float) variance);
            int scales = group % g.groups() * g.channels();
            if (g.plane() > 1) {
                planes(loops, at, scales, near, rho, difference);
            } else {
                values(loops, at, scales, near, (float) rho, (float) (rho * difference));
            }
        }

        private void moments(Loops loops, double[] sums, Span x, int at, float near) {
            sums[0] = 0;
            sums[1] = 0;
            loops.moments(whole, x.floats(), x.offset() + at, near, sums);
        }

        private void planes(Loops loops, int at, int scales, float near, double rho, double difference) {
            Span x = in[0];
            Span y = out[0];
            for (int c = 0; c < g.channels(); c++) {
                double a = in[1].get(scales + c) * rho;
                double bias = in[2].get(scales + c) - a * difference;
                int from = at + c * g.plane();
                loops.scale(
                        plane,
                        (float) a,
                        x.floats(),
                        x.offset() + from,
                        near,
                        (float) bias,
                        y.floats(),
                        y.offset() + from);
            }
        }

        private void values(Loops loops, int at, int scales, float near, float rho, float difference) {
            Span x = in[0];
            Span scale = in[1];
            Span y = out[0];
            loops.normalize(
                    g.width(),
                    x.floats(),
                    x.offset() + at,
                    near,
                    rho,
                    difference,
                    scale.floats(),
                    scale.offset() + scales,
                    g.centred() ? in[2].floats() : zeros,
                    g.centred() ? in[2].offset() + scales : 0,
                    y.floats(),
                    y.offset() + at);
        }
    }

    /** How many samples' terms of dγ and dβ are added in f32, at most. */
    private static final int MOST_IN_F32 = 64;

    private static final int BLOCKS = 16;

    /**
     * dx group by group; dγ and dβ first for each block of samples, then together, so that threads do not change their
     * bits.
     */
    static Kernel backward(String name, Groups g, OpTable.Job job) {
        Machine machine = job.machine().forWork((long) g.all() * g.width());
        int perBlock = Math.min(MOST_IN_F32, Blocks.ceilDiv(g.samples(), BLOCKS));
        int blocks = Blocks.ceilDiv(g.samples(), perBlock);
        int results = job.out().size() - 1;
        return new HeapKernel(text(name, machine), job.in(), job.out(), (in, out, scratch) -> {
                    Backward backward = new Backward(g, in, out, scratch);
                    Loops[] loops = machine.perLane(new Loops[0], machine.simd()::loops);
                    double[][] sums = machine.perLane(new double[0][], () -> new double[2]);
                    float[][] rows = machine.perLane(new float[0][], () -> new float[g.width()]);
                    Workers.Body body = (task, lane) -> {
                        int block = task / g.groups();
                        int until = Math.min(g.samples(), (block + 1) * perBlock);
                        backward.clear(block, task % g.groups());
                        for (int n = block * perBlock; n < until; n++) {
                            int group = n * g.groups() + task % g.groups();
                            backward.run(loops[lane], sums[lane], rows[lane], block, group);
                        }
                    };
                    return () -> {
                        machine.forEach(blocks * g.groups(), body);
                        for (int result = 1; result <= results; result++) {
                            backward.add(blocks, result);
                        }
                    };
                })
                .withScratch((long) blocks * results * g.scales())
                .withInPlace(1);
    }

    /**
     * With ρ = 1/√(σ² + ε) and g = γ·dy: dx = ρ·g − ρ·mean(g) − ρ³·(x − μ)·mean(g·(x − μ)); dγ = ρ·Σ dy·(x − μ), dβ = Σ
     * dy.
     */
    private static final class Backward {
        private final Groups g;
        private final Runs whole;
        private final Runs plane;
        private final Span[] in;
        private final Span[] out;
        private final float[] partial;
        private final int partialAt;
        private final int results;

        Backward(Groups g, Span[] in, Span[] out, Span scratch) {
            this.g = g;
            this.in = in;
            this.out = out;
            whole = Runs.of(g.width());
            plane = Runs.of(g.plane());
            partial = scratch.floats();
            partialAt = scratch.offset();
            results = out.length - 1;
        }

        /** Where the block's terms of a result begin, for the channels of a group. */
        private int at(int block, int result, int group) {
            return partialAt + (block * results + result - 1) * g.scales() + group % g.groups() * g.channels();
        }

        void clear(int block, int group) {
            for (int result = 1; result <= results; result++) {
                int at = at(block, result, group);
                Arrays.fill(partial, at, at + g.channels(), 0f);
            }
        }

        void run(Loops loops, double[] sums, float[] row, int block, int group) {
            float mean = g.centred() ? in[3].get(group) : 0;
            double rho = 1 / Math.sqrt(in[g.centred() ? 4 : 3].get(group) + g.epsilon());
            if (g.plane() > 1) {
                planes(loops, sums, block, group, mean, rho);
            } else {
                values(loops, sums, row, block, group, mean, rho);
            }
        }

        private void values(Loops loops, double[] sums, float[] row, int block, int group, float mean, double rho) {
            int at = group * g.width();
            int xAt = in[0].offset() + at;
            terms(loops, row, block, group, mean, (float) rho);
            sums[0] = 0;
            sums[1] = 0;
            loops.products(whole, in[0].floats(), xAt, mean, row, 0, sums);
            double m = g.width();
            double a = g.centred() ? -rho * sums[0] / m : 0;
            double b = -rho * rho * rho * sums[1] / m;
            loops.combine(
                    whole,
                    (float) rho,
                    row,
                    0,
                    (float) b,
                    in[0].floats(),
                    xAt,
                    mean,
                    (float) a,
                    out[0].floats(),
                    out[0].offset() + at);
        }

        /** g = γ·dy in the row, and the terms of dγ and dβ. */
        private void terms(Loops loops, float[] row, int block, int group, float mean, float rho) {
            float[] dy = in[1].floats();
            int dyAt = in[1].offset() + group * g.width();
            loops.normalizeBackward(
                    g.width(),
                    in[0].floats(),
                    in[0].offset() + group * g.width(),
                    mean,
                    rho,
                    dy,
                    dyAt,
                    in[2].floats(),
                    in[2].offset() + group % g.groups() * g.channels(),
                    partial,
                    at(block, 1, group),
                    row,
                    0);
            if (g.centred()) {
                int biasAt = at(block, 2, group);
                loops.combine(whole, 1, partial, biasAt, 1, dy, dyAt, 0, 0, partial, biasAt);
            }
        }

        private void planes(Loops loops, double[] sums, int block, int group, float mean, double rho) {
            Span x = in[0];
            Span dy = in[1];
            Span dx = out[0];
            int scales = group % g.groups() * g.channels();
            double sumG = 0;
            double sumGx = 0;
            for (int c = 0; c < g.channels(); c++) {
                int at = group * g.width() + c * g.plane();
                sums[0] = 0;
                sums[1] = 0;
                loops.products(plane, x.floats(), x.offset() + at, mean, dy.floats(), dy.offset() + at, sums);
                sumG += in[2].get(scales + c) * sums[0];
                sumGx += in[2].get(scales + c) * sums[1];
                partial[at(block, 1, group) + c] += (float) (rho * sums[1]);
                partial[at(block, 2, group) + c] += (float) sums[0];
            }
            double a = -rho * sumG / g.width();
            double b = -rho * rho * rho * sumGx / g.width();
            for (int c = 0; c < g.channels(); c++) {
                int at = group * g.width() + c * g.plane();
                loops.combine(
                        plane,
                        (float) (rho * in[2].get(scales + c)),
                        dy.floats(),
                        dy.offset() + at,
                        (float) b,
                        x.floats(),
                        x.offset() + at,
                        mean,
                        (float) a,
                        dx.floats(),
                        dx.offset() + at);
            }
        }

        void add(int blocks, int result) {
            for (int c = 0; c < g.scales(); c++) {
                double sum = 0;
                for (int block = 0; block < blocks; block++) {
                    sum += partial[partialAt + (block * results + result - 1) * g.scales() + c];
                }
                out[result].set(c, (float) sum);
            }
        }
    }

    private GroupKernels() {}
}
