package dev.hadal.nn;

import static dev.hadal.nn.Layers.concat;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.embedding;
import static dev.hadal.nn.Layers.flatten;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.reshape;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.transpose;
import static dev.hadal.nn.Layers.upsample;
import static dev.hadal.nn.Layers.zeroPad2d;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.op.Resize.Mode;
import dev.hadal.tensor.Shape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Layers that move values: their shapes, for any batch, and their saved form. */
class MovingLayersTest {

    @TempDir
    Path dir;

    /** The result for a batch of five, after the model was saved and loaded. */
    private Shape ofFive(Layer layer, Type sample) throws IOException {
        Model model = layer.model(sample, 1);
        Path file = dir.resolve("model.safetensors");
        model.save(file);
        Model loaded = Model.load(file);
        assertEquals(model.graph().toString(), loaded.graph().toString());
        return new BatchSize(5).apply(loaded).graph().output(Model.OUTPUT).shape();
    }

    @Test
    void shapesFollowTheBatch() throws IOException {
        Type image = Type.f32(3, 8, 6);
        assertEquals(Shape.of(5, 12, 12), ofFive(reshape(12, -1), image));
        assertEquals(Shape.of(5, 8, 6, 3), ofFive(transpose(0, 2, 3, 1), image));
        assertEquals(Shape.of(5, 7, 8, 6), ofFive(concat(1, conv2d(4, 1), relu()), image));
        assertEquals(Shape.of(5, 3, 16, 12), ofFive(upsample(2, Mode.BILINEAR), image));
        assertEquals(Shape.of(5, 3, 15, 9), ofFive(zeroPad2d(1, 2, 3, 4), image));
        assertEquals(Shape.of(5, 3, 12, 10), ofFive(zeroPad2d(2), image));
        assertEquals(Shape.of(5, 3, 8, 2), ofFive(linear(2), image));
        assertEquals(Shape.of(5, 7, 4), ofFive(embedding(10, 4), Type.i32(7)));
        assertEquals(Shape.of(5, 2), ofFive(sequential(embedding(10, 4), flatten(), linear(2)), Type.i32(7)));
    }

    @Test
    void weightsHaveTheirPlaces() {
        assertEquals(
                Set.of("0.weight", "1.0.weight", "1.1.weight", "1.1.bias"),
                sequential(embedding(10, 4), concat(2, embeddingLike(), linear(3)))
                        .model(Type.i32(7), 1)
                        .values()
                        .keySet());
    }

    private static Layer embeddingLike() {
        return new Linear(2, false);
    }

    @Test
    void misuseIsTold() {
        refused("embedding takes i32 ids", embedding(10, 4));
        refused("upsample takes [N,C,H,W]", upsample(2, Mode.NEAREST));
        refused("reshape takes dimensions of at least 1", reshape(0, 3));
        refused("linear takes [N,…,features]", sequential(reshape(), linear(2)), Shape.SCALAR);
    }

    private static void refused(String words, Layer layer) {
        refused(words, layer, Shape.of(3));
    }

    private static void refused(String words, Layer layer, Shape sample) {
        String message = String.valueOf(
                assertThrows(TypeException.class, () -> layer.model(sample, 1)).getMessage());
        assertTrue(message.contains(words), message);
    }
}
