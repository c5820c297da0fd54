package dev.hadal.nn;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.maxPool2d;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;

import java.util.ArrayList;
import java.util.List;

/**
 * Residual networks (He, Zhang, Ren and Sun 2016): stages of residual blocks, each stage on images half as large as the one
 * before. A block that changes the shape has a 1×1 convolution with batch norm as its shortcut.
 */
public final class ResNet {

    /**
     * ResNet-20 for small images, of three stages of three blocks of two 3×3 convolutions: from [N,C,H,W] to [N,classes].
     *
     * @param width the channels of the first stage, 16 in the paper; the others have twice and four times as many
     */
    public static Layer resnet20(int width, int classes) {
        return small(3, width, classes);
    }

    /**
     * The same with another number of blocks in each stage, 6·blocks + 2 layers deep.
     *
     * @throws IllegalArgumentException if one of the numbers is not positive
     */
    public static Layer small(int blocks, int width, int classes) {
        if (blocks < 1 || width < 1 || classes < 1) {
            throw new IllegalArgumentException(
                    "a residual network needs at least one block, channel and class, got blocks=" + blocks + ", width="
                            + width + ", classes=" + classes);
        }
        List<Layer> layers = new ArrayList<>(List.of(conv2d(width, 3).padded(), batchNorm(), relu()));
        for (int stage = 0; stage < 3; stage++) {
            for (int i = 0; i < blocks; i++) {
                int stride = stage > 0 && i == 0 ? 2 : 1;
                layers.add(block(width << stage, stride, stride > 1));
            }
        }
        layers.add(globalAveragePool());
        layers.add(linear(classes));
        return sequential(layers.toArray(Layer[]::new));
    }

    private static Layer block(int channels, int stride, boolean changes) {
        return summed(
                channels,
                stride,
                changes,
                conv2d(channels, 3).padded().stride(stride),
                batchNorm(),
                relu(),
                conv2d(channels, 3).padded(),
                batchNorm());
    }

    /**
     * ResNet-50 for large images, such as 224×224 (25.6 million weights at 1,000 classes): from [N,3,H,W] to [N,classes]. Its
     * blocks are bottlenecks, of which the 3×3 convolution strides, as in torchvision's.
     */
    public static Layer resnet50(int classes) {
        int[] blocks = {3, 4, 6, 3};
        List<Layer> layers = new ArrayList<>(List.of(
                conv2d(64, 7).padded().stride(2),
                batchNorm(),
                relu(),
                maxPool2d(3).stride(2).padding(1)));
        for (int stage = 0; stage < blocks.length; stage++) {
            for (int i = 0; i < blocks[stage]; i++) {
                layers.add(bottleneck(64 << stage, stage > 0 && i == 0 ? 2 : 1, i == 0));
            }
        }
        layers.add(globalAveragePool());
        layers.add(linear(classes));
        return sequential(layers.toArray(Layer[]::new));
    }

    private static Layer bottleneck(int channels, int stride, boolean changes) {
        return summed(
                4 * channels,
                stride,
                changes,
                conv2d(channels, 1),
                batchNorm(),
                relu(),
                conv2d(channels, 3).padded().stride(stride),
                batchNorm(),
                relu(),
                conv2d(4 * channels, 1),
                batchNorm());
    }

    private static Layer summed(int out, int stride, boolean changes, Layer... body) {
        Layers.Residual sum = residual(body);
        return sequential(changes ? sum.shortcut(conv2d(out, 1).stride(stride), batchNorm()) : sum, relu());
    }

    private ResNet() {}
}
