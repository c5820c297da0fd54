package dev.hadal.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.model.Safetensors;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** What PyTorch 1.13 made of small networks, as a script in scripts/fixtures has written it, and networks like them. */
record Fixtures(Map<String, Tensor> tensors) {

    /** A layer that takes lengths, too. */
    interface Padded {
        Value apply(Scope scope, Value x, Value lengths);
    }

    /** Through a file of its own, as the resource may lie in a jar. */
    static Fixtures read(String resource) {
        try (InputStream in = Objects.requireNonNull(Fixtures.class.getResourceAsStream(resource))) {
            Path file = Files.createTempFile("fixtures", ".safetensors");
            try {
                Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
                return new Fixtures(Safetensors.read(file).tensors());
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Tensor get(String name) {
        return Objects.requireNonNull(tensors.get(name), name);
    }

    /** Those whose names begin so, by the rest of their names. */
    Map<String, Tensor> under(String prefix) {
        Map<String, Tensor> some = new LinkedHashMap<>();
        tensors.forEach((name, value) -> {
            if (name.startsWith(prefix)) {
                some.put(name.substring(prefix.length()), value);
            }
        });
        return some;
    }

    /** The layer with a case's weights, for a case's batch; it is padded if the case has lengths. */
    Model model(Layer layer, Padded padded, String fixture) {
        Shape x = get(fixture + "/x").shape();
        Type sample = Type.f32(x.get(1), x.get(2));
        Network masked = (scope, in) -> Map.of(
                "y",
                padded.apply(scope, Objects.requireNonNull(in.get("x")), Objects.requireNonNull(in.get("lengths"))));
        Model model = tensors.containsKey(fixture + "/lengths")
                ? masked.model(Map.of("x", sample, "lengths", Type.i32()), 1)
                : layer.model(sample, 1);
        Map<String, Tensor> weights = new LinkedHashMap<>();
        for (Value w : model.graph().leaves(Role.WEIGHT)) {
            String name = Graph.leafOf(w).name();
            weights.put(name, get(fixture + "/" + name));
        }
        return model.withValues(weights).apply(new BatchSize(x.get(0)));
    }

    /** The output and the gradients of x and of every weight are those of the case. */
    void assertAgrees(Model model, String fixture, Backends backends, double tolerance) {
        Graph graph = model.graph();
        Value y = graph.output("y");
        Value dy = graph.leaf(Role.INPUT, "dy", y.type());
        List<Value> wanted = new ArrayList<>(graph.leaves(Role.WEIGHT));
        wanted.add(graph.leaf("x"));
        graph.differentiate(y, dy, wanted)
                .forEach((v, dv) -> graph.output("d_" + Graph.leafOf(v).name(), dv));
        Map<String, Tensor> results = run(graph, model.values(), fixture, backends);
        assertEquals(wanted.size() + 1, results.size());
        results.forEach((name, value) -> assertClose(name, get(fixture + "/" + name), value, tolerance));
    }

    /** One run on a case's inputs. */
    Map<String, Tensor> run(Graph graph, Map<String, Tensor> weights, String fixture, Backends backends) {
        Graph live = graph.rewrite(Graph.Rule.SAME);
        Map<String, Tensor> results = new LinkedHashMap<>();
        try (Plan plan = Plan.compile(live, backends, Plan.Options.DEFAULT);
                Store store = Store.of(plan, weights);
                Session session = plan.session(store)) {
            for (Value input : live.leaves(Role.INPUT)) {
                String name = Graph.leafOf(input).name();
                session.write(name, get(fixture + "/" + name));
            }
            session.run();
            live.outputs().keySet().forEach(name -> results.put(name, session.read(name)));
        }
        return results;
    }

    /** Each value within a share of the tensor's largest. */
    static void assertClose(String what, Tensor expected, Tensor actual, double tolerance) {
        assertEquals(expected.shape(), actual.shape(), what);
        double scale = 0;
        for (float v : expected.floats()) {
            scale = Math.max(scale, Math.abs(v));
        }
        for (int i = 0; i < expected.floats().length; i++) {
            double error = Math.abs(expected.floats()[i] - actual.floats()[i]);
            assertTrue(
                    error <= tolerance * scale,
                    what + " at " + i + " is " + actual.floats()[i] + ", but PyTorch has " + expected.floats()[i]);
        }
    }
}
