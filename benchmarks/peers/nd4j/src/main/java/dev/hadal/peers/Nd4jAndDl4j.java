package dev.hadal.peers;

import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.layers.PoolingType;
import org.deeplearning4j.nn.conf.layers.SubsamplingLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.weights.WeightInit;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.GradientUpdater;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions;

/** ND4J, and the networks of DL4J on top of it, with the natives that have oneDNN and AVX-512. */
public final class Nd4jAndDl4j {
    private Nd4jAndDl4j() {}

    public static void main(String[] args) throws Exception {
        Stopwatch stopwatch = new Stopwatch("DL4J 1.0.0-M2.1", args[0]);
        switch (args[0]) {
            case "mlp-f32" -> train(stopwatch, mlp(), Work.mlp(), 784);
            case "cnn-f32" -> train(stopwatch, cnn(), Work.cnn(), 1, 28, 28);
            case "adam" -> adam(stopwatch);
            case "add" -> {
                INDArray a = Nd4j.createFromArray(1f, 2f);
                INDArray b = Nd4j.createFromArray(3f, 4f);
                stopwatch.time(() -> a.add(b));
            }
            case "matmul16" -> {
                INDArray a = Nd4j.createFromArray(Work.random(256)).reshape(16, 16);
                stopwatch.time(() -> a.mmul(a));
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static NeuralNetConfiguration.ListBuilder layers() {
        return new NeuralNetConfiguration.Builder()
                .updater(new Adam(Work.RATE))
                .weightInit(WeightInit.RELU)
                .activation(Activation.RELU)
                .list();
    }

    private static MultiLayerConfiguration mlp() {
        return layers()
                .layer(new DenseLayer.Builder().nOut(1024).build())
                .layer(new DenseLayer.Builder().nOut(1024).build())
                .layer(classes())
                .setInputType(InputType.feedForward(784))
                .build();
    }

    private static MultiLayerConfiguration cnn() {
        return layers()
                .layer(new ConvolutionLayer.Builder(3, 3).nOut(32).build())
                .layer(new ConvolutionLayer.Builder(3, 3).nOut(64).build())
                .layer(new SubsamplingLayer.Builder(PoolingType.MAX)
                        .kernelSize(2, 2)
                        .stride(2, 2)
                        .build())
                .layer(new DenseLayer.Builder().nOut(128).build())
                .layer(classes())
                .setInputType(InputType.convolutional(28, 28, 1))
                .build();
    }

    private static OutputLayer classes() {
        return new OutputLayer.Builder(LossFunctions.LossFunction.MCXENT)
                .activation(Activation.SOFTMAX)
                .nOut(10)
                .build();
    }

    private static void train(Stopwatch stopwatch, MultiLayerConfiguration layers, Work work, long... sample)
            throws Exception {
        MultiLayerNetwork network = new MultiLayerNetwork(layers);
        network.init();
        INDArray[] x = new INDArray[work.images().length];
        INDArray[] target = new INDArray[x.length];
        long[] shape = new long[sample.length + 1];
        shape[0] = work.batch();
        System.arraycopy(sample, 0, shape, 1, sample.length);
        for (int b = 0; b < x.length; b++) {
            x[b] = Nd4j.create(work.images()[b], shape, 'c');
            target[b] = Nd4j.create(work.oneHot(b), new long[] {work.batch(), 10}, 'c');
        }
        int[] step = {0};
        stopwatch.train(() -> {
            int b = step[0]++ % x.length;
            network.fit(x[b], target[b]);
            return (float) network.score();
        });
    }

    private static void adam(Stopwatch stopwatch) throws Exception {
        INDArray w = Nd4j.rand(DataType.FLOAT, 1, Work.WEIGHTS);
        INDArray g = Nd4j.rand(DataType.FLOAT, 1, Work.WEIGHTS);
        INDArray moments = Nd4j.zeros(DataType.FLOAT, 1, 2L * Work.WEIGHTS);
        GradientUpdater<?> adam = new Adam(Work.RATE).instantiate(moments, true);
        adam.setStateViewArray(moments, new long[] {1, Work.WEIGHTS}, 'c', true);
        int[] step = {0};
        stopwatch.time(() -> {
            adam.applyUpdater(g, step[0]++, 0);
            return w.subi(g);
        });
    }
}
