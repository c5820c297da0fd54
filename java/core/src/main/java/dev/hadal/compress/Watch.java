package dev.hadal.compress;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.data.Dataset;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * Shows values inside a network while it predicts. A batch is at most so large that the values of interest take a bounded
 * amount of memory, whatever the network.
 */
final class Watch {
    private static final long FLOATS = 1 << 24;
    private static final int BATCH = 32;
    private static final String WATCHED = "watched/";

    private final Model model;
    private final Map<Value, String> names;
    private final int batch;

    /**
     * @param values f32 values of the model's graph
     */
    Watch(Model model, Collection<Value> values) {
        Map<Value, String> all = new LinkedHashMap<>();
        long floats = 0;
        for (Value v : Set.copyOf(values)) {
            all.put(v, v.node().op() instanceof Leaf leaf ? leaf.name() : WATCHED + v);
            floats += Model.sample(v.type()).shape().size();
        }
        this.names = all;
        this.batch = (int) Math.max(1, Math.min(BATCH, FLOATS / Math.max(1, floats)));
        this.model = model.withGraph(watched(model.graph(), all));
    }

    /** How many samples are looked at together. */
    int batch() {
        return batch;
    }

    private static Graph watched(Graph graph, Map<Value, String> names) {
        return graph.rewrite((node, inputs, target) -> {
            List<Value> results = target.append(node.op(), inputs);
            for (Value v : node.outputs()) {
                String name = node.op() instanceof Leaf ? null : names.get(v);
                if (name != null) {
                    target.output(name, results.get(v.index()));
                }
            }
            return results;
        });
    }

    /** Runs over all of the data; each value is shown with each batch. */
    void run(Dataset data, Backends backends, Calibration.Listener listener, BiConsumer<Value, Tensor> seen) {
        if (data.size() < 1) {
            throw new IllegalArgumentException("calibration takes at least one sample, but the data hold none");
        }
        try (Predictor predictor = Predictor.of(model, backends)) {
            for (int from = 0; from < data.size(); from += batch) {
                int count = Math.min(batch, data.size() - from);
                Map<String, Tensor> all = new LinkedHashMap<>(inputs(data, from, count));
                all.putAll(predictor.predict(all));
                names.forEach((value, name) -> seen.accept(value, Objects.requireNonNull(all.get(name))));
                listener.samples(from + count, data.size());
            }
        }
    }

    private Map<String, Tensor> inputs(Dataset data, int from, int count) {
        int[] indices = new int[count];
        for (int i = 0; i < count; i++) {
            indices[i] = from + i;
        }
        Batch samples = data.batch(indices);
        List<String> missing = new ArrayList<>(model.inputs().keySet());
        missing.removeAll(samples.fields());
        if (!missing.isEmpty()) {
            throw new IllegalArgumentException(
                    "the network takes the inputs " + missing + ", but the data hold " + samples.fields());
        }
        Map<String, Tensor> inputs = new LinkedHashMap<>();
        model.inputs().keySet().forEach(name -> inputs.put(name, samples.get(name)));
        return inputs;
    }
}
