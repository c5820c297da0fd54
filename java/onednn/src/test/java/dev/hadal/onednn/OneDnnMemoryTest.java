package dev.hadal.onednn;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.graph.TypeException;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Trainer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Native memory and native objects: as many while training as after the first step, and none when all is closed. */
@Tag("native")
class OneDnnMemoryTest {
    private static final Layer NET = sequential(
            conv2d(16, 3).padded(),
            batchNorm(),
            relu(),
            residual(conv2d(16, 3).padded(), batchNorm()),
            globalAveragePool(),
            linear(4));
    private static final Shape IMAGE = Shape.of(3, 10, 10);
    private static final Backends ONEDNN = Backends.of("onednn").required().withThreads(1);

    private long bytes;
    private int objects;

    @BeforeEach
    void count() {
        bytes = NativeMemory.heldBytes();
        objects = Handle.live();
    }

    private void assertAllFreed() {
        assertEquals(bytes, NativeMemory.heldBytes());
        assertEquals(objects, Handle.live());
    }

    private static Tensor images(int n) {
        float[] x = new float[IMAGE.prepend(n).size()];
        for (int i = 0; i < x.length; i++) {
            x[i] = i % 7 - 3;
        }
        return Tensor.of(IMAGE.prepend(n), x);
    }

    @Test
    void aStepAllocatesNothingNative() {
        try (Trainer trainer = Trainer.of(NET, IMAGE).batch(8).backends(ONEDNN).build()) {
            Tensor labels = Tensor.of(Shape.of(8), 0, 1, 2, 3, 0, 1, 2, 3);
            trainer.step(images(8), labels);
            long held = NativeMemory.heldBytes();
            int live = Handle.live();
            assertTrue(held > bytes && live > objects, held + " bytes, " + live + " objects");
            for (int i = 0; i < 50; i++) {
                trainer.step(images(8), labels);
            }
            assertEquals(held, NativeMemory.heldBytes());
            assertEquals(live, Handle.live());
        }
        assertAllFreed();
    }

    @Test
    void aPredictorFreesTheManyPlansThatItMade() {
        Model model = NET.model(IMAGE, 1);
        try (Predictor predictor = Predictor.of(model, ONEDNN)) {
            for (int n = 1; n < 30; n++) {
                assertEquals(Shape.of(n, 4), predictor.predict(images(n)).shape());
            }
        }
        assertAllFreed();
    }

    @Test
    void whatFailsToCompileFreesWhatItMade() {
        assertThrows(
                TypeException.class,
                () -> Trainer.of(sequential(conv2d(4, 3), conv2d(2, 11)), IMAGE)
                        .backends(ONEDNN)
                        .build());
        assertThrows(
                IllegalArgumentException.class,
                () -> Trainer.of(NET, IMAGE).batch(0).backends(ONEDNN).build());
        assertAllFreed();
    }

    @Test
    void closedMemoryIsNotReadAndBoundsAreChecked() {
        NativeMemory memory = NativeMemory.allocate(64);
        assertThrows(IndexOutOfBoundsException.class, () -> memory.write(60, new float[2], 0, 2));
        assertThrows(IndexOutOfBoundsException.class, () -> memory.read(0, new float[2], 1, 2));
        assertThrows(IndexOutOfBoundsException.class, () -> memory.read(-4, new int[2], 0, 1));
        memory.close();
        memory.close();
        assertThrows(IllegalStateException.class, () -> memory.read(0, new float[2], 0, 2));
        assertAllFreed();
    }
}
