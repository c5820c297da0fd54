package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.model.Recompute;
import dev.hadal.run.Plan;

/**
 * How much memory a training step may take for what it computes. The pass estimates what a graph takes; only its plan
 * knows padded layouts, reorders and scratch, so that its word counts.
 */
record ActivationMemory(long bytes) {
    /** So often a plan that takes too much is planned anew, the first times with an estimate lowered in proportion. */
    private static final int TRIALS = 8;

    private static final int PROPORTIONAL = 4;

    private static final double SAFETY = 0.98;

    private boolean unlimited() {
        return bytes == Long.MAX_VALUE;
    }

    /**
     * A plan for batches of n that takes no more.
     *
     * @throws IllegalArgumentException if there is none
     */
    Plan compile(Graph graph, int n, Backends backends, Plan.Options options) {
        Plan plan = compileAnyway(graph, backends, options);
        if (plan.sessionBytes() <= bytes) {
            return plan;
        }
        long least = plan.sessionBytes();
        plan.close();
        throw new IllegalArgumentException("a step on " + n + " samples takes at least " + least
                + " bytes of activation memory, however much is computed twice, but may take only " + bytes
                + "; take smaller batches, or parts of them with microBatch");
    }

    /** A plan that takes no more, or as little as possible. */
    Plan compileAnyway(Graph graph, Backends backends, Plan.Options options) {
        if (unlimited()) {
            return Plan.compile(graph, backends, options);
        }
        Recompute recompute = new Recompute(graph, graph.leaf(StepGraphs.LOSS_GRADIENT));
        long least = recompute.leastBytes();
        long estimate = bytes;
        for (int trial = 1; ; trial++) {
            Plan plan = Plan.compile(recompute.within(estimate), backends, options);
            long taken = plan.sessionBytes();
            if (taken <= bytes || estimate < least) {
                return plan;
            }
            plan.close();
            double lower = trial < PROPORTIONAL ? estimate * SAFETY * bytes / taken : (estimate + least) / 2.0;
            // Of no bytes at all the least is made, as for a budget that is too small: whatever that fits in suffices.
            estimate = trial < TRIALS && estimate > least ? Math.max(least, (long) lower) : 0;
        }
    }
}
