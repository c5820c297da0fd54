package dev.hadal.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Dropout;
import dev.hadal.op.Expand;
import dev.hadal.op.MatMul;
import dev.hadal.op.Reshape;
import dev.hadal.op.Transpose;
import dev.hadal.run.Kernels;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Passes for models that only predict: each of them, and all together, change nothing that a network answers. */
class InferenceTest {
    private static final int GRAPHS = 1000;
    /** In so many of them each pass must find something to do. */
    private static final int FIRED = 50;

    private static final Inference INFERENCE = new Inference(Kernels::compute);
    private static final Backends JAVA = Backends.of(new JvmBackend()).withThreads(1);

    /** In double precision, what is left is the rounding of folded weights. */
    private static final double OF_WEIGHTS = 1e-6;

    /** In f32. */
    private static final double OF_VALUES = 1e-5;

    @Test
    void nothingChangesInThousandNetworks() {
        Map<String, Integer> fired = new LinkedHashMap<>();
        for (int seed = 0; seed < GRAPHS; seed++) {
            Model model = RandomGraphs.model(seed);
            Map<String, Tensor> inputs = RandomGraphs.inputs(model, seed);
            Map<String, double[]> expected = RandomGraphs.exact(model, inputs);
            Model used = model.apply(new DropUnused());
            for (Pass pass : INFERENCE.passes()) {
                Model before = pass instanceof DropUnused ? model : used;
                Model after = before.apply(pass);
                String name = pass.getClass().getSimpleName();
                if (!after.graph().toString().equals(before.graph().toString())) {
                    fired.merge(name, 1, Integer::sum);
                    assertClose(name + ", seed " + seed, OF_WEIGHTS, expected, RandomGraphs.exact(after, inputs));
                }
            }
            try (Predictor predictor = Predictor.of(model, JAVA)) {
                Map<String, double[]> answers = RandomGraphs.predicted(predictor, inputs);
                assertClose("all passes, seed " + seed, OF_VALUES, expected, answers);
            }
        }
        for (Pass pass : INFERENCE.passes()) {
            int times = fired.getOrDefault(pass.getClass().getSimpleName(), 0);
            assertTrue(times >= FIRED, () -> pass + " had something to do in " + times + " networks of " + GRAPHS);
        }
    }

    private static void assertClose(
            String what, double tolerance, Map<String, double[]> expected, Map<String, double[]> actual) {
        double error = RandomGraphs.error(expected, actual);
        assertTrue(error <= tolerance, () -> what + ": the answers are off by " + error);
    }

    /** What the networks above are made of, so that none of it goes untested unseen. */
    @Test
    void theNetworksHoldEveryOp() {
        Set<String> ops = new TreeSet<>();
        for (int seed = 0; seed < 100; seed++) {
            RandomGraphs.model(seed).graph().nodes().forEach(n -> ops.add(n.op().name()));
        }
        ops.removeIf(name -> name.matches("layer.*|head.*|[xz]"));
        assertEquals(
                "activation, batch_norm, bias, concat, constant, convolution, convolution_transpose, dropout, "
                        + "global_average_pool, matmul, pool, reshape, softmax, transpose, weighted_sum",
                String.join(", ", ops));
    }

    // ---- one pass at a time ----

    private static final Shape C = Shape.of(2);

    private static Value leaf(Graph graph, Role role, String name, Shape shape) {
        return graph.leaf(role, name, Type.f32(shape));
    }

    /** y = norm(a·wᵀ), with a weight and a norm of those names. */
    private static Value normed(Graph graph, Value a, String weight, String norm) {
        Value y = new MatMul(false, true)
                .of(a, leaf(graph, Role.WEIGHT, weight, Shape.of(2, a.shape().get(1))));
        return new BatchNorm(1e-5f, 0.1f)
                .of(
                        y,
                        leaf(graph, Role.WEIGHT, norm + ".weight", C),
                        leaf(graph, Role.WEIGHT, norm + ".bias", C),
                        leaf(graph, Role.STATE, norm + ".mean", C),
                        leaf(graph, Role.STATE, norm + ".variance", C));
    }

    /** A model whose every weight is 1, 2, 3, …; its variances are 4 and 9. */
    private static Model model(Graph graph) {
        Map<String, Tensor> values = new LinkedHashMap<>();
        for (Role role : List.of(Role.WEIGHT, Role.STATE)) {
            for (Value v : graph.leaves(role)) {
                float[] all = new float[v.shape().size()];
                for (int i = 0; i < all.length; i++) {
                    all[i] = v.node().op().name().endsWith("variance") ? (i + 2) * (i + 2) - 1e-5f : i + 1;
                }
                values.put(v.node().op().name(), Tensor.of(v.shape(), all));
            }
        }
        return new Model(graph, values);
    }

    private static List<String> ops(Model model) {
        List<String> names = new ArrayList<>();
        for (var node : model.graph().nodes()) {
            names.add(node.op().name());
        }
        return names;
    }

    /** s = (1/2, 2/3), so that the weight [[1, 2, 3], [4, 5, 6]] and the bias −s·μ + β follow. */
    @Test
    void aBatchNormBecomesWeightAndBiasOfTheSameNames() {
        Graph graph = new Graph();
        Value x = leaf(graph, Role.INPUT, "x", Shape.of(1, 3));
        graph.output("y", normed(graph, x, "w", "norm"));
        Model folded = model(graph).apply(new FoldBatchNorm());
        assertEquals(List.of("x", "w", "matmul", "norm.bias", "bias"), ops(folded));
        assertEquals(Set.of("w", "norm.bias"), folded.values().keySet());
        float[] w = Objects.requireNonNull(folded.values().get("w")).floats();
        assertArrayEquals(new float[] {0.5f, 1f, 1.5f, 8 / 3f, 10 / 3f, 4f}, w, 1e-5f);
        float[] b = Objects.requireNonNull(folded.values().get("norm.bias")).floats();
        assertArrayEquals(new float[] {0.5f, 2 / 3f}, b, 1e-5f);
    }

    @Test
    void aSharedWeightIsCopied() {
        Graph graph = new Graph();
        Value x = leaf(graph, Role.INPUT, "x", Shape.of(1, 2));
        Value once = normed(graph, x, "w", "a");
        Value twice = normed(graph, once, "w", "b");
        graph.output("y", new MatMul(false, true).of(twice, graph.leaf("w")));
        Model model = model(graph);
        Model folded = model.apply(new FoldBatchNorm());
        assertEquals(
                Set.of("w", "w~2", "w~3", "a.bias", "b.bias"), folded.values().keySet());
        assertEquals(model.values().get("w"), folded.values().get("w"));
    }

    /** Sites that are alike in all share what is folded. */
    @Test
    void aSharedLayerStaysShared() {
        Graph graph = new Graph();
        Value x = leaf(graph, Role.INPUT, "x", Shape.of(1, 2));
        graph.output("y", normed(graph, normed(graph, x, "w", "a"), "w", "a"));
        assertEquals(
                Set.of("w~2", "a.bias~2"),
                model(graph).apply(new FoldBatchNorm()).values().keySet());
    }

    @Test
    void whatOthersReadIsNotFolded() {
        Graph graph = new Graph();
        Value x = leaf(graph, Role.INPUT, "x", Shape.of(1, 3));
        Value y = normed(graph, x, "w", "norm");
        graph.output("y", y);
        graph.output("product", y.node().input(0));
        Model model = model(graph);
        assertEquals(ops(model), ops(model.apply(new FoldBatchNorm())));
        assertEquals(ops(model), ops(model.apply(new Fuse())));
    }

    @Test
    void identitiesVanish() {
        Graph graph = new Graph();
        Value x = leaf(graph, Role.INPUT, "x", Shape.of(4, 3, 2));
        Value flat = new Reshape(List.of(0, -1)).of(new Dropout(0.5f).of(x));
        Value back = new Reshape(List.of(0, 3, -1)).of(flat);
        Value turned = new Transpose(List.of(0, 2, 1)).of(new Transpose(List.of(0, 2, 1)).of(back));
        graph.output("y", turned);
        assertEquals(List.of("x"), ops(model(graph).apply(new DropIdentities())));
    }

    /** At another batch size it is none: 4·6 values are no [4, 6], but of this batch. */
    @Test
    void whatIsAnIdentityForThisBatchOnlyStays() {
        Graph graph = new Graph();
        Value x = leaf(graph, Role.INPUT, "x", Shape.of(4, 6));
        graph.output("y", new Reshape(List.of(4, 6)).of(x));
        graph.output("z", new Reshape(List.of(-1, 0, 1)).of(new Reshape(List.of(2, -1, 3)).of(x)));
        assertEquals(
                List.of("x", "reshape", "reshape", "reshape"), ops(model(graph).apply(new DropIdentities())));
    }

    @Test
    void aLargeExpansionIsLeftToEachRun() {
        for (int size : List.of(512, 513)) {
            Graph graph = new Graph();
            Value w = leaf(graph, Role.WEIGHT, "w", Shape.of(1, 1));
            Value large =
                    graph.append(new Expand(List.of(size, 512)), List.of(w)).get(0);
            graph.output("y", large);
            Graph folded =
                    model(graph).apply(new FoldConstants(Kernels::compute)).graph();
            boolean stays = folded.output("y").node().op() instanceof Expand;
            assertEquals(size > 512, stays, () -> size + ": " + folded);
        }
    }

    /** A value that is committed to is another in the next run. */
    @Test
    void whatChangesIsNoConstant() {
        Graph graph = new Graph();
        Value count = leaf(graph, Role.STATE, "count", Shape.of(1));
        Value next = WeightedSum.sum(List.of(count, count));
        graph.commit(count, next);
        graph.output("y", next);
        assertEquals(ops(model(graph)), ops(model(graph).apply(new FoldConstants(Kernels::compute))));
    }

    @Test
    void theReportCounts() {
        Graph graph = new Graph();
        Value x = leaf(graph, Role.INPUT, "x", Shape.of(1, 2));
        Value y = normed(graph, normed(graph, x, "w", "a"), "v", "b");
        new Dropout(0.5f).of(y);
        graph.output("y", new Dropout(0.5f).of(y));
        assertEquals(
                "unused nodes left out: 1, identities left out: 1, constants folded: 0, batch norms folded: 2, "
                        + "chains fused: 2",
                INFERENCE.report(model(graph)));
    }

    /** What has been fused is saved, read, and predicts the same; but is not trained again. */
    @Test
    void aFusedModelIsSaved(@TempDir Path dir) throws Exception {
        Model model = RandomGraphs.model(3);
        Map<String, Tensor> inputs = RandomGraphs.inputs(model, 3);
        Model fused = model.apply(INFERENCE);
        fused.save(dir.resolve("fused"));
        Model read = Model.load(dir.resolve("fused"));
        assertEquals(fused.graph().toString(), read.graph().toString());
        assertClose("read", OF_WEIGHTS, RandomGraphs.exact(model, inputs), RandomGraphs.exact(read, inputs));
        Value chain = read.graph().nodes().stream()
                .filter(n -> n.op() instanceof Fused)
                .findFirst()
                .orElseThrow()
                .output(0);
        Op op = chain.node().op();
        assertThrows(IllegalStateException.class, () -> op.gradient(chain.node(), List.of(chain)));
    }
}
