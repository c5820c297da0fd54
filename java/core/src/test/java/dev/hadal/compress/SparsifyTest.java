package dev.hadal.compress;

import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.model.ModelFormatException;
import dev.hadal.nn.Layer;
import dev.hadal.op.MatMul;
import dev.hadal.op.SparseMatMul;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Pruned linear layers computed sparse: the same answers, smaller files, and dense where that is faster. */
class SparsifyTest {
    private static final Layer PERCEPTRON = sequential(linear(130), relu(), linear(70), relu(), linear(10));
    private static final int INPUTS = 96;

    @TempDir
    Path directory;

    private static Model pruned(int height, double share) {
        Model model = PERCEPTRON.model(Shape.of(INPUTS), 3);
        return model.apply(Pruning.blocks(height, share).perLayer());
    }

    private static Tensor batch(int n) {
        float[] x = new float[n * INPUTS];
        Philox random = new Philox(4, 5);
        for (int i = 0; i < x.length; i++) {
            x[i] = random.normal(i);
        }
        return Tensor.of(Shape.of(n, INPUTS), x);
    }

    private static long sparseLayers(Model model) {
        return model.graph().nodes().stream()
                .filter(node -> node.op() instanceof SparseMatMul)
                .count();
    }

    private static float[] predict(Model model, Tensor x, boolean bf16) {
        Backends java = Backends.of("java");
        try (Predictor p = bf16 ? Predictor.bf16(model, java) : Predictor.of(model, java)) {
            return p.predict(x).floats();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 8, 16, 32})
    void theAnswersAreThoseOfTheDenseModel(int height) {
        Model dense = pruned(height, 0.95);
        Model sparse = dense.apply(Sparsify.forBatch(64));
        assertEquals(2, sparseLayers(sparse), "the last layer is too small");
        assertFalse(sparse.values().containsKey("0.weight"), "the dense weight is gone");
        for (int n : new int[] {1, 20}) {
            assertArrayEquals(predict(dense, batch(n), false), predict(sparse, batch(n), false), 1e-4f);
            assertArrayEquals(predict(dense, batch(n), true), predict(sparse, batch(n), true), 3e-2f);
        }
    }

    /** Stored as [inputs,outputs], and read twice. */
    @Test
    void aTransposedWeightThatIsShared() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(1, 80));
        Value w = graph.leaf(Role.WEIGHT, "w", Type.f32(80, 80));
        Value once = new MatMul(false, false).of(x, w);
        graph.output("y", new MatMul(false, false).of(once, w));
        float[] values = new float[80 * 80];
        for (int i = 0; i < 80; i++) {
            values[80 * i + 7 * i % 80] = i - 40;
        }
        Model dense = new Model(graph, Map.of("w", Tensor.of(Shape.of(80, 80), values)));
        Model sparse = dense.apply(Sparsify.forBatch(1));
        assertEquals(2, sparseLayers(sparse));
        assertEquals(3, sparse.values().size(), "one set of blocks");
        float[] in = new float[80];
        for (int i = 0; i < 80; i++) {
            in[i] = i;
        }
        Tensor row = Tensor.of(Shape.of(1, 80), in);
        assertArrayEquals(predict(dense, row, false), predict(sparse, row, false));
    }

    @Test
    void aSparseModelIsSavedAsItIsAndLoadsIntoAPredictor() throws IOException {
        Model dense = pruned(8, 0.9);
        Model sparse = dense.apply(Sparsify.forBatch(64));
        Path denseFile = directory.resolve("dense.safetensors");
        Path sparseFile = directory.resolve("sparse.safetensors");
        dense.save(denseFile);
        sparse.save(sparseFile);
        assertTrue(
                Files.size(sparseFile) < 0.3 * Files.size(denseFile),
                Files.size(sparseFile) + " of " + Files.size(denseFile) + " bytes");
        Model loaded = Model.load(sparseFile);
        assertEquals(sparse.values(), loaded.values());
        assertArrayEquals(predict(sparse, batch(3), false), predict(loaded, batch(3), false));
    }

    @Test
    void aFileWhoseBlocksLieNowhereIsRefused() throws IOException {
        Model sparse = pruned(8, 0.9).apply(Sparsify.forBatch(64));
        for (String name : List.of("0.weight.columns", "2.weight.starts")) {
            Map<String, Tensor> values = new LinkedHashMap<>(sparse.values());
            Tensor indices = Objects.requireNonNull(values.get(name));
            int[] wrong = indices.ints().clone();
            wrong[3] = 1 << 20;
            values.put(name, Tensor.of(indices.shape(), wrong));
            Path file = directory.resolve("wrong.safetensors");
            sparse.withValues(values).save(file);
            ModelFormatException e = assertThrows(ModelFormatException.class, () -> Model.load(file));
            assertTrue(String.valueOf(e.getMessage()).contains("1048576 at position 3"), e.getMessage());
        }
    }

    @Test
    void whatIsFasterDenseStaysDenseAndTheReportSaysWhy() {
        Model half = pruned(1, 0.5);
        assertEquals(half.values(), half.apply(Sparsify.forBatch(256)).values());
        assertEquals(0, sparseLayers(half.apply(Sparsify.forBatch(256))));
        String report = Sparsify.forBatch(256).report(half).toString();
        assertTrue(
                report.contains("dense is faster: 50.0 % kept in 1×1 blocks, and no more than 34 % would be as fast"),
                report);
        assertTrue(report.contains("dense: it is too small to matter"), report);
        Model unpruned = PERCEPTRON.model(Shape.of(INPUTS), 3);
        assertTrue(Sparsify.forBatch(1).report(unpruned).toString().contains("dense: it has no zeros"));
        Model images = sequential(conv2d(64, 3), flatten(), linear(10)).model(Shape.of(32, 6, 6), 3);
        SparsityReport ofImages = Sparsify.forBatch(1).report(images.apply(Pruning.magnitude(0.9)));
        assertEquals(
                "dense: only linear layers in f32 have sparse kernels",
                ofImages.rows().get(0).verdict());
        assertTrue(ofImages.rows().get(1).sparse(), ofImages.toString());
    }

    /** What is worth it depends on the batch, the type and the blocks. */
    @Test
    void theChoiceDependsOnBatchAndType() {
        Model model = pruned(1, 0.8);
        assertEquals(0, sparseLayers(model.apply(Sparsify.forBatch(1))));
        assertEquals(2, sparseLayers(model.apply(Sparsify.forBatch(256))));
        assertEquals(0, sparseLayers(model.apply(Sparsify.forBatch(256).inBf16())));
        SparsityReport blocks = Sparsify.forBatch(256).inBf16().report(pruned(32, 0.9));
        SparsityReport.Row first = blocks.rows().get(0);
        assertEquals(8, first.height(), "130 rows fill blocks of 8 better than those of 32");
        assertTrue(first.speedUp() > 5 && first.speedUp() < 9, blocks.toString());
    }
}
