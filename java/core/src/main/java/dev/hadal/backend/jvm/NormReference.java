package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** What averages over channels or planes. */
final class NormReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(BatchNorm.class, (op, t) -> inference(op, t.x(0)));
        table.put(BatchNorm.Training.class, (op, t) -> training(op, t.x(0)));
        table.put(BatchNorm.Backward.class, (op, t) -> backward(op, t.x(0)));
        table.put(GlobalAveragePool.class, (op, t) -> globalAverage(t.x(0)));
        table.put(GlobalAveragePool.Backward.class, (op, t) -> globalAverageBackward(op.x()));
    }

    static Formula inference(BatchNorm op, Shape x) {
        int plane = x.sizeFrom(2);
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                int c = i / plane % x.get(1);
                out[0][i] = in[1][c] * (in[0][i] - in[3][c]) / Math.sqrt(in[4][c] + op.epsilon()) + in[2][c];
            }
        };
    }

    static Formula training(BatchNorm.Training op, Shape x) {
        int plane = x.sizeFrom(2);
        int channels = x.get(1);
        int count = channels == 0 ? 0 : x.size() / channels;
        return (in, out) -> {
            double[] mean = out[1];
            double[] variance = out[2];
            Arrays.fill(mean, 0);
            Arrays.fill(variance, 0);
            for (int i = 0; i < in[0].length; i++) {
                mean[i / plane % channels] += in[0][i] / count;
            }
            for (int i = 0; i < in[0].length; i++) {
                int c = i / plane % channels;
                variance[c] += (in[0][i] - mean[c]) * (in[0][i] - mean[c]) / count;
            }
            for (int i = 0; i < in[0].length; i++) {
                int c = i / plane % channels;
                out[0][i] = in[1][c] * (in[0][i] - mean[c]) / Math.sqrt(variance[c] + op.epsilon()) + in[2][c];
            }
        };
    }

    static Formula backward(BatchNorm.Backward op, Shape shape) {
        int plane = shape.sizeFrom(2);
        int channels = shape.get(1);
        double m = channels == 0 ? 0 : (double) shape.size() / channels;
        return (in, out) -> {
            double[] x = in[0];
            double[] dy = in[1];
            double[] scale = in[2];
            double[] mean = in[3];
            double[] dscale = out[1];
            double[] dbias = out[2];
            double[] variance = in[4];
            Arrays.fill(dscale, 0);
            Arrays.fill(dbias, 0);
            for (int i = 0; i < x.length; i++) {
                int c = i / plane % channels;
                dbias[c] += dy[i];
                dscale[c] += dy[i] * (x[i] - mean[c]) / Math.sqrt(variance[c] + op.epsilon());
            }
            for (int i = 0; i < x.length; i++) {
                int c = i / plane % channels;
                double deviation = Math.sqrt(variance[c] + op.epsilon());
                double normal = (x[i] - mean[c]) / deviation;
                out[0][i] = scale[c] / deviation * (dy[i] - dbias[c] / m - normal * dscale[c] / m);
            }
        };
    }

    static Formula globalAverage(Shape x) {
        int plane = x.sizeFrom(2);
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            for (int i = 0; i < in[0].length; i++) {
                out[0][i / plane] += in[0][i] / plane;
            }
        };
    }

    static Formula globalAverageBackward(Shape x) {
        int plane = x.sizeFrom(2);
        return (in, out) -> {
            for (int i = 0; i < out[0].length; i++) {
                out[0][i] = in[0][i / plane] / plane;
            }
        };
    }

    private NormReference() {}
}
