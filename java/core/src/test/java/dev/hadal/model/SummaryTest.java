package dev.hadal.model;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv1d;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.convTranspose2d;
import static dev.hadal.nn.Layers.dropout;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.lstm;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static dev.hadal.nn.Layers.transformerEncoderLayer;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.nn.Layer;
import dev.hadal.tensor.Shape;
import org.junit.jupiter.api.Test;

/** Numbers computed by hand. */
class SummaryTest {

    @Test
    void aConvolutionalNetwork() {
        Model model = sequential(
                        conv2d(4, 3).padded().biased(),
                        batchNorm(),
                        residual(conv2d(4, 3).padded().groups(2), relu()),
                        dropout(0.5),
                        globalAveragePool(),
                        linear(10))
                .model(Shape.of(3, 6, 5), 1);
        assertEquals("""
                layer     ops                           output     parameters  multiply-adds  activation bytes
                x         input                         [N,3,6,5]           0              0                 0
                0         convolution, bias             [N,4,6,5]         112          3,240               960
                1         batch_norm                    [N,4,6,5]           8              0               480
                2.body.0  convolution                   [N,4,6,5]          72          2,160               480
                2.body.1  relu                          [N,4,6,5]           0              0               480
                2         sum                           [N,4,6,5]           0              0               480
                3         dropout                       [N,4,6,5]           0              0                 0
                4         global_average_pool, reshape  [N,4]               0              0                16
                5         matmul, bias                  [N,10]             50             40                80
                total                                                     242          5,440             2,976""", model.summary().toString());
        assertEquals(model.parameters(), model.summary().parameters());
        assertEquals(
                model.summary(), model.apply(new BatchSize(7)).summary(), "does not depend on the batch of the graph");
    }

    @Test
    void otherConvolutions() {
        // 2 channels of 9 steps from 3 channels of 4 taps; the kernel, made an image of a row, is no activation.
        assertTotals(conv1d(2, 4), Shape.of(3, 12), 24, 2 * 9 * 12, 2 * 9 * 4);
        // Each of 3·4·4 values spread over 2 channels of 9 taps; 2 channels of 9·9.
        assertTotals(convTranspose2d(2, 3).stride(2), Shape.of(3, 4, 4), 54, 48 * 18, 2 * 81 * 4);
    }

    @Test
    void anLstm() {
        // 4 gates of 5 units, 3 inputs, 7 steps: y, h, c, and the five values that each unit keeps of each step.
        int bytes = 4 * (7 * 5 + 5 + 5 + 7 * 25);
        assertTotals(lstm(5), Shape.of(7, 3), 4 * 5 * (3 + 5 + 2), 7 * 20 * 8, bytes);
        Summary.Row row = lstm(5).model(Shape.of(7, 3), 1).summary().rows().get(1);
        assertEquals("[N,7,5]", row.output());
    }

    @Test
    void aTransformersLayer() {
        // 6 steps of 8 features; 2 heads; 16 features between.
        Layer layer = transformerEncoderLayer(2, 16);
        int parameters = 2 * 16 + (24 * 8 + 24) + (8 * 8 + 8) + (16 * 8 + 16) + (8 * 16 + 8);
        int projections = 6 * (24 * 8 + 8 * 8 + 16 * 8 + 8 * 16);
        int products = 2 * (2 * 6 * 6 * 4);
        Summary summary = layer.model(Shape.of(6, 8), 1).summary();
        assertEquals(parameters, summary.parameters());
        assertEquals(projections + products, summary.multiplyAdds());
        assertEquals(
                "[N,6,8]",
                summary.rows().stream()
                        .filter(row -> row.path().equals("self_attn.out_proj"))
                        .findFirst()
                        .orElseThrow()
                        .output());
        Summary.Row last = summary.rows().get(summary.rows().size() - 1);
        assertEquals("linear2 [reshape, matmul, bias] [N,6,8]", last.path() + " " + last.ops() + " " + last.output());
    }

    private static void assertTotals(
            Layer layer, Shape sample, long parameters, long multiplyAdds, long activationBytes) {
        Summary summary = layer.model(sample, 1).summary();
        assertEquals(parameters, summary.parameters());
        assertEquals(multiplyAdds, summary.multiplyAdds());
        assertEquals(activationBytes, summary.activationBytes());
    }
}
