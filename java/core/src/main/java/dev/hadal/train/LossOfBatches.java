package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.nn.Loss;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Tensor;

/** A loss as a graph of its own, made and freed for each batch: it is small beside the network. */
final class LossOfBatches implements Metric.Accumulator {
    private static final String OUTPUT = "output";
    private static final String TARGET = "target";
    private static final String LOSS = "loss";

    private final Loss loss;
    private double sum;
    private long samples;

    LossOfBatches(Loss loss) {
        this.loss = loss;
    }

    @Override
    public void add(Tensor output, Tensor target) {
        Graph graph = new Graph();
        Value y = graph.leaf(Role.INPUT, OUTPUT, new Type(output.dtype(), output.shape()));
        Value t = graph.leaf(Role.INPUT, TARGET, loss.target(y.type()));
        graph.output(LOSS, loss.apply(y, t));
        float[] value = new float[1];
        try (Plan plan = Plan.compile(graph, Backends.of("java").withThreads(1), Plan.Options.DEFAULT);
                Store none = new Store();
                Session session = plan.session(none)) {
            session.write(OUTPUT, output);
            session.write(TARGET, target);
            session.run();
            session.read(LOSS, value);
        }
        int n = output.shape().get(0);
        sum += (double) value[0] * n;
        samples += n;
    }

    @Override
    public double value() {
        return samples == 0 ? Double.NaN : sum / samples;
    }
}
