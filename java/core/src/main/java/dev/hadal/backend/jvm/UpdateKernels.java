package dev.hadal.backend.jvm;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.graph.Type;
import dev.hadal.op.Adam;
import dev.hadal.op.Hyper;
import dev.hadal.op.Lion;
import dev.hadal.op.NAdam;
import dev.hadal.op.Norm;
import dev.hadal.op.RmsProp;
import dev.hadal.op.Sgd;
import dev.hadal.op.Shadowed;
import dev.hadal.op.UpdateOp;
import java.util.Arrays;
import java.util.List;

/** Optimizers' updates, each a single pass over the weights and their moments, and the norm that they need first. */
final class UpdateKernels {

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(Norm.class, (op, j) -> norm(j.in(), j.out(), j.machine()));
        for (Class<? extends UpdateOp> rule : List.of(Sgd.class, RmsProp.class, Adam.class, NAdam.class, Lion.class)) {
            table.put(rule, (op, j) -> update(op, j.in(), j.out(), j.machine()));
        }
        table.put(Shadowed.class, (op, j) -> new ShadowedKernel(op, j.in(), j.out(), j.machine()));
    }

    /** Between these, no square of a chunk that counts was rounded to zero, and none to infinity. */
    private static final double TINY = 1e-25;

    private static final double HUGE = 1e36;

    /** √(Σ‖xᵢ‖²), by sums over chunks that are added up in order. What f32 cannot square is squared in double precision. */
    static Kernel norm(List<Type> in, List<Type> out, Machine machine) {
        int operands = in.size();
        Chunks[] chunks = in.stream().map(t -> new Chunks(t.shape().size())).toArray(Chunks[]::new);
        int[] first = new int[operands + 1];
        for (int i = 0; i < operands; i++) {
            first[i + 1] = first[i] + chunks[i].count();
        }
        int tasks = first[operands];
        long size = in.stream().mapToLong(t -> t.shape().size()).sum();
        Machine sized = machine.forWork(size);
        return new HeapKernel("java norm (" + machine.simd().name() + ")", in, out, (x, y, scratch) -> {
            Loops[] loops = sized.perLane(new Loops[0], sized.simd()::loops);
            double[][] moments = sized.perLane(new double[0][], () -> new double[2]);
            double[] sums = new double[tasks];
            Workers.Body body = (task, lane) -> {
                int i = operand(first, task);
                int chunk = task - first[i];
                int at = x[i].offset() + chunks[i].start(chunk);
                moments[lane][1] = 0;
                loops[lane].moments(chunks[i].runs(chunk), x[i].floats(), at, 0, moments[lane]);
                double sum = moments[lane][1];
                sums[task] = TINY < sum && sum < HUGE ? sum : squares(chunks[i].length(chunk), x[i].floats(), at);
            };
            return () -> {
                sized.forEach(tasks, body);
                double sum = 0;
                for (double s : sums) {
                    sum += s;
                }
                y[0].set(0, (float) Math.sqrt(sum));
            };
        });
    }

    /** Which operand a task falls to. */
    private static int operand(int[] first, int task) {
        int i = 0;
        while (task >= first[i + 1]) {
            i++;
        }
        return i;
    }

    /** By four chains of additions that run side by side. */
    private static double squares(int n, float[] x, int at) {
        double s0 = 0;
        double s1 = 0;
        double s2 = 0;
        double s3 = 0;
        int i = at;
        for (; i + 4 <= at + n; i += 4) {
            s0 += (double) x[i] * x[i];
            s1 += (double) x[i + 1] * x[i + 1];
            s2 += (double) x[i + 2] * x[i + 2];
            s3 += (double) x[i + 3] * x[i + 3];
        }
        for (; i < at + n; i++) {
            s0 += (double) x[i] * x[i];
        }
        return (s0 + s1) + (s2 + s3);
    }

    /** A rule's step on n values from at on, in place of w and the moments; returns how many of them it did. */
    private interface Fused {
        int run(Loops loops, float clip, int at, int n);
    }

    /** The operands are w, g, the moments, the norm and the hyper block; the results w and the moments. */
    private static Kernel update(UpdateOp op, List<Type> in, List<Type> out, Machine machine) {
        return new HeapKernel("java " + op.name(), in, out, (x, y, scratch) -> bind(op, x, y, machine, (at, n) -> {}))
                .withInPlace(inPlace(out.size()));
    }

    /** Which operand each of w and the moments takes the place of. */
    static Integer[] inPlace(int results) {
        Integer[] inPlace = new Integer[results];
        Arrays.setAll(inPlace, o -> o == 0 ? 0 : o + 1);
        return inPlace;
    }

    /** What is to be done with n new values, from at on, while they are in the nearest cache. */
    interface Then {
        void run(int at, int n);
    }

    static Runnable bind(UpdateOp op, Span[] x, Span[] y, Machine machine, Then then) {
        Chunks chunks = new Chunks(x[0].size());
        Machine sized = machine.forWork(4L * x[0].size());
        UpdateRows.Step step = UpdateRows.step(op);
        UpdateRows[] rows = sized.perLane(new UpdateRows[0], () -> new UpdateRows(y.length - 1));
        Loops[] loops = sized.perLane(new Loops[0], sized.simd()::loops);
        Integer[] inPlace = inPlace(y.length);
        Span norm = x[x.length - 2];
        Span hyper = x[x.length - 1];
        Fused fused = fused(op, x[1], y, hyper);
        Workers.Body body = (task, lane) -> {
            int at = chunks.start(task);
            int n = chunks.length(task);
            for (int o = 0; o < y.length; o++) {
                copy(x[inPlace[o]], y[o], at, n);
            }
            if (Float.isFinite(norm.get(0))) {
                float clip = Hyper.clipFactor(norm.get(0), hyper.get(Hyper.CLIP));
                int done = fused.run(loops[lane], clip, at, n);
                rows[lane].update(step, x[1], y, hyper, clip, at + done, n - done);
                then.run(at, n);
            }
        };
        return () -> sized.forEach(chunks.count(), body);
    }

    /** For the commonest rules, a loop that keeps all in registers. */
    private static Fused fused(UpdateOp op, Span g, Span[] y, Span hyper) {
        if (op instanceof Adam adam && !adam.amsgrad()) {
            return (loops, clip, at, n) -> loops.adam(
                    adam,
                    hyper.floats(),
                    hyper.offset(),
                    clip,
                    n,
                    y[0].floats(),
                    y[0].offset() + at,
                    g.floats(),
                    g.offset() + at,
                    y[1].floats(),
                    y[1].offset() + at,
                    y[2].floats(),
                    y[2].offset() + at);
        } else if (op instanceof Sgd sgd && sgd.momentum() > 0) {
            return (loops, clip, at, n) -> loops.sgd(
                    sgd,
                    hyper.floats(),
                    hyper.offset(),
                    clip,
                    n,
                    y[0].floats(),
                    y[0].offset() + at,
                    g.floats(),
                    g.offset() + at,
                    y[1].floats(),
                    y[1].offset() + at);
        }
        return (loops, clip, at, n) -> 0;
    }

    private static void copy(Span x, Span y, int at, int n) {
        if (x.floats() != y.floats() || x.offset() != y.offset()) {
            System.arraycopy(x.floats(), x.offset() + at, y.floats(), y.offset() + at, n);
        }
    }

    private UpdateKernels() {}
}
