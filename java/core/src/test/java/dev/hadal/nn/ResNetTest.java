package dev.hadal.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.model.Model;
import dev.hadal.op.Convolution;
import dev.hadal.op.MatMul;
import dev.hadal.tensor.Shape;
import org.junit.jupiter.api.Test;

class ResNetTest {

    /** Weights and shortcuts as torchvision counts them. */
    @Test
    void resnet50HasTheWeightsOfThePaper() {
        Model model = ResNet.resnet50(1000).model(Shape.of(3, 64, 64), 1);
        assertEquals(25_557_032, model.parameters());
        assertEquals(53, count(model, Convolution.class));
        assertEquals(1, count(model, MatMul.class));
        assertEquals(Type.f32(1000), model.outputs().get(Model.OUTPUT));
        assertEquals(106, model.graph().leaves(Leaf.Role.STATE).size());
    }

    /** 20 layers on the main path, and two shortcuts; 269,722 weights in the paper, which has none in the shortcuts. */
    @Test
    void resnet20HasTwentyLayersAndTwoShortcuts() {
        Model model = ResNet.resnet20(16, 10).model(Shape.of(3, 32, 32), 1);
        assertEquals(19 + 2, count(model, Convolution.class));
        assertEquals(269_722 + (16 * 32) + (2 * 32) + (32 * 64) + (2 * 64), model.parameters());
    }

    @Test
    void refusesWhatIsNoNetwork() {
        assertThrows(IllegalArgumentException.class, () -> ResNet.small(0, 8, 10));
        assertThrows(IllegalArgumentException.class, () -> ResNet.small(1, 0, 10));
        assertThrows(IllegalArgumentException.class, () -> ResNet.small(1, 8, 0));
    }

    private static long count(Model model, Class<?> op) {
        return model.graph().nodes().stream()
                .map(Node::op)
                .filter(op::isInstance)
                .count();
    }
}
