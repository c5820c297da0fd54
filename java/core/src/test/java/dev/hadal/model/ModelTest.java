package dev.hadal.model;

import static dev.hadal.nn.Layers.adaptiveAveragePool2d;
import static dev.hadal.nn.Layers.averagePool2d;
import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv1d;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.convTranspose2d;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.groupNorm;
import static dev.hadal.nn.Layers.instanceNorm;
import static dev.hadal.nn.Layers.layerNorm;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.logSoftmax;
import static dev.hadal.nn.Layers.maxPool1d;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.rmsNorm;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.sigmoid;
import static dev.hadal.nn.Layers.softmax;
import static dev.hadal.nn.Layers.tanh;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.data.Normalization;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.nn.Layer;
import dev.hadal.op.Reshape;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class ModelTest {
    /** Every op that a saved network may hold. */
    private static final Layer NET = sequential(
            conv2d(6, 3)
                    .window(new Window(new Window.Axis(2, 1, 0, 1), new Window.Axis(1, 2, 2, 2)))
                    .biased(),
            batchNorm(),
            relu(),
            residual(conv2d(8, 1).groups(2), sigmoid()).shortcut(conv2d(8, 1), tanh()),
            sequential(groupNorm(2), instanceNorm(), layerNorm(3), rmsNorm(), softmax(1), logSoftmax()),
            convTranspose2d(8, 3).stride(2).padding(1).extra(1).groups(2),
            conv2d(16, 3, 1).depthwise().padded(),
            conv2d(8, 3).dilation(2).padded(),
            sequential(
                    (scope, x) -> new Reshape(List.of(0, 0, -1)).of(x),
                    maxPool1d(3).stride(1).padding(1),
                    conv1d(8, 3).padded().biased(),
                    conv1d(8, 2).causal(),
                    (scope, x) -> new Reshape(List.of(0, 0, 8, -1)).of(x)),
            dropout(0.5),
            maxPool2d(2),
            averagePool2d(3).stride(1).padding(1).withoutPadding(),
            adaptiveAveragePool2d(2, 3),
            globalAveragePool(),
            flatten(),
            linear(4));

    private static final Shape IMAGE = Shape.of(3, 8, 9);

    @TempDir
    Path dir;

    private static void assertRefused(Class<? extends Exception> type, String words, Executable call) {
        String message = String.valueOf(assertThrows(type, call).getMessage());
        assertTrue(message.contains(words), message);
    }

    @Test
    void whatIsSavedIsLoaded() throws IOException {
        Model model = NET.model(IMAGE, 5);
        Path file = dir.resolve("net.safetensors");
        model.save(file);
        model.save(file);
        Model loaded = Model.load(file);
        assertEquals(model.graph().toString(), loaded.graph().toString());
        assertEquals(model.values(), loaded.values());
        assertEquals(Map.of(Model.INPUT, Type.f32(IMAGE)), loaded.inputs());
        assertFalse(Files.exists(dir.resolve("net.safetensors.tmp")));
    }

    /** What the data were normalised with goes with the weights, so that answers do not depend on who remembers it. */
    @Test
    void aModelCarriesItsNormalisation() throws IOException {
        Normalization learned = new Normalization(List.of(0.1f, -3f), List.of(0.7f, 1e-3f));
        Path file = dir.resolve("net.safetensors");
        sequential(linear(2))
                .model(Shape.of(2), 1)
                .withMetadata(learned.toMap("x"))
                .save(file);
        Model loaded = Model.load(file);
        assertEquals(Map.of("x", learned), Normalization.fromMap(loaded.metadata()));
        assertEquals(loaded.metadata(), loaded.apply(new BatchSize(3)).metadata());
    }

    @Test
    void everyPrefixOfAFileIsRefused() throws IOException {
        Path file = dir.resolve("net.safetensors");
        sequential(flatten(), linear(2)).model(Shape.of(3), 1).save(file);
        byte[] whole = Files.readAllBytes(file);
        Path cut = dir.resolve("cut.safetensors");
        for (int length = 0; length < whole.length; length++) {
            Files.write(cut, Arrays.copyOf(whole, length));
            assertThrows(ModelFormatException.class, () -> Model.load(cut), length + " bytes");
        }
    }

    @Test
    void everyFlippedBitIsNoticed() throws IOException {
        Path file = dir.resolve("net.safetensors");
        sequential(flatten(), linear(2)).model(Shape.of(3), 1).save(file);
        byte[] whole = Files.readAllBytes(file);
        Path damaged = dir.resolve("damaged.safetensors");
        for (int at = 0; at < whole.length; at++) {
            for (int bit = 0; bit < 8; bit++) {
                byte[] bytes = whole.clone();
                bytes[at] ^= (byte) (1 << bit);
                Files.write(damaged, bytes);
                assertThrows(ModelFormatException.class, () -> Model.load(damaged), "byte " + at);
            }
        }
    }

    @Test
    void tensorsFromElsewhereAreTakenOverByName() {
        Model source = sequential(linear(4), linear(3)).model(Shape.of(2), 1);
        Model target = sequential(linear(4), sequential(linear(5)), linear(7)).model(Shape.of(2), 2);
        Transfer transfer = target.withTensors(source.values(), name -> name.replaceFirst("^1\\.", "1.0."));
        assertEquals(List.of("0.weight", "0.bias"), transfer.loaded());
        assertEquals(List.of("2.weight", "2.bias"), transfer.missing());
        assertEquals(List.of(), transfer.unexpected());
        assertEquals(2, transfer.mismatched().size());
        assertTrue(transfer.mismatched().get(0).contains("F32[5,4], not F32[3,4]"), transfer.toString());
        assertEquals(source.values().get("0.weight"), transfer.model().values().get("0.weight"));
        assertEquals(target.values().get("2.weight"), transfer.model().values().get("2.weight"));
        assertRefused(IllegalArgumentException.class, "loaded 2 of 6 tensors; missing", transfer::complete);
        assertEquals(
                List.of("0.weight", "0.bias", "1.weight", "1.bias"),
                sequential(flatten())
                        .model(Shape.of(2), 1)
                        .withTensors(source.values(), n -> n)
                        .unexpected());
        assertEquals(
                source.values(),
                source.withTensors(source.values(), n -> n).complete().values());
        assertRefused(
                IllegalArgumentException.class,
                "two tensors are renamed to 'w'",
                () -> target.withTensors(source.values(), n -> "w"));
    }

    @Test
    void foreignAndNewerFilesAreNamed() throws IOException {
        Path file = dir.resolve("net.safetensors");
        Tensor w = Tensor.of(Shape.of(1), 1f);
        Safetensors.write(file, Map.of("w", w), Map.of());
        assertRefused(ModelFormatException.class, "no Hadal graph", () -> Model.load(file));

        String node = "{\"op\":\"%s\",\"version\":%d,\"path\":\"\",\"attributes\":{},\"inputs\":[]}";
        String graph = "{\"format\":1,\"nodes\":[" + node + "],\"outputs\":{}}";
        Safetensors.write(file, Map.of("w", w), Map.of("hadal.graph", String.format(graph, "warp", 1)));
        assertRefused(ModelFormatException.class, "unknown op 'warp'", () -> Model.load(file));
        Safetensors.write(file, Map.of("w", w), Map.of("hadal.graph", String.format(graph, "bias", 9)));
        assertRefused(ModelFormatException.class, "op 'bias' has version 9", () -> Model.load(file));

        Files.write(file, "PK\3\4 this is something else entirely".getBytes(StandardCharsets.UTF_8));
        assertRefused(ModelFormatException.class, "is not safetensors", () -> Model.load(file));
    }

    @Test
    void theSameSeedGivesTheSameWeights() {
        assertEquals(NET.model(IMAGE, 5).values(), NET.model(IMAGE, 5).values());
        assertFalse(NET.model(IMAGE, 5).values().equals(NET.model(IMAGE, 6).values()));
    }

    @Test
    void kaimingHasItsVariance() {
        Tensor w = sequential(linear(500)).model(Shape.of(400), 3).values().get("0.weight");
        double sum = 0;
        double squares = 0;
        for (float v : java.util.Objects.requireNonNull(w).floats()) {
            sum += v;
            squares += v * (double) v;
        }
        assertEquals(0, sum / 200_000, 5 * Math.sqrt(2.0 / 400 / 200_000));
        assertEquals(2.0 / 400, squares / 200_000, 2.0 / 400 * 0.02);
    }

    @Test
    void batchSizeAndTrainingAreVisibleInTheGraph() {
        Model model = sequential(conv2d(2, 3), batchNorm()).model(Shape.of(1, 4, 4), 1);
        assertEquals(
                """
                %0 = input x() : f32[5,1,4,4]
                %1 = weight 0.weight() : f32[2,1,3,3]   # 0
                %2 = convolution[stride 1 pad 0](%0, %1) : f32[5,2,2,2]   # 0
                %3 = weight 1.weight() : f32[2]   # 1
                %4 = weight 1.bias() : f32[2]   # 1
                %5 = state 1.running_mean() : f32[2]   # 1
                %6 = state 1.running_var() : f32[2]   # 1
                %7 = batch_norm_training(%2, %3, %4) : f32[5,2,2,2], f32[2], f32[2]   # 1
                %8 = weighted_sum[0.9, 0.1](%5, %7.1) : f32[2]   # 1
                %9 = weighted_sum[0.9, 0.10526316](%6, %7.2) : f32[2]   # 1
                output y = %7
                commit 1.running_mean = %8
                commit 1.running_var = %9""", model.apply(new BatchSize(5)).apply(new Training()).graph().toString());
    }

    @Test
    void dropoutDropsInTrainingAlone() {
        Model model = sequential(dropout(0.25), dropout(0.5)).model(Shape.of(3), 1);
        assertEquals("""
                %0 = input x() : f32[1,3]
                %1 = dropout[0.25](%0) : f32[1,3]   # 0
                %2 = dropout[0.5](%1) : f32[1,3]   # 1
                output y = %2""", model.graph().toString());
        assertEquals("""
                %0 = input x() : f32[1,3]
                %1 = scalar random() : i32[4]   # 0
                %2 = dropout_training[0.25](%0, %1) : f32[1,3]   # 0
                %3 = dropout_training[0.5](%2, %1) : f32[1,3]   # 1
                output y = %3""", model.apply(new Training()).graph().toString());
    }

    @Test
    void errorsNameTheLayer() {
        Layer tooSmall = sequential(conv2d(4, 3), sequential(conv2d(4, 7)));
        assertRefused(
                TypeException.class,
                "layer 1.0: convolution: the kernel of w [4,4,7,7] does not fit into x [1,4,4,4]",
                () -> tooSmall.model(Shape.of(1, 6, 6), 0));
        Layer unequal = sequential(residual(conv2d(5, 1)));
        assertRefused(
                TypeException.class,
                "layer 0: the body of this residual turns f32[1,1,6,6] into f32[1,5,6,6]",
                () -> unequal.model(Shape.of(1, 6, 6), 0));
        assertRefused(
                TypeException.class,
                "layer 0: linear takes [N,…,features], but got f32[1]",
                () -> sequential(linear(3)).model(Shape.SCALAR, 0));
        Graph graph = NET.model(IMAGE, 1).graph();
        assertRefused(IllegalArgumentException.class, "no value for weight 0.weight", () -> new Model(graph, Map.of()));
    }
}
