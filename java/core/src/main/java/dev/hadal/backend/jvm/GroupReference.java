package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.RmsNorm;
import dev.hadal.op.Softmax;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** What is normalized within each sample: layer, root-mean-square and group norm; softmax. */
final class GroupReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(LayerNorm.class, (op, t) -> norm(Groups.of(op, t.x(0))));
        table.put(LayerNorm.Backward.class, (op, t) -> backward(Groups.of(op, t.x(0))));
        table.put(RmsNorm.class, (op, t) -> norm(Groups.of(op, t.x(0))));
        table.put(RmsNorm.Backward.class, (op, t) -> backward(Groups.of(op, t.x(0))));
        table.put(GroupNorm.class, (op, t) -> norm(Groups.of(op, t.x(0))));
        table.put(GroupNorm.Backward.class, (op, t) -> backward(Groups.of(op, t.x(0))));
        table.put(Softmax.class, (op, t) -> softmax(Lines.of(t.x(0), op.axis()), op.log()));
        table.put(
                Softmax.Backward.class,
                (op, t) -> softmaxBackward(
                        Lines.of(t.x(0), op.forward().axis()), op.forward().log()));
    }

    /** With a mean that is not subtracted, what is called the variance here is mean(x²). */
    static Formula norm(Groups g) {
        return (in, out) -> {
            double[] x = in[0];
            for (int r = 0; r < g.all(); r++) {
                int at = r * g.width();
                double mean = 0;
                for (int j = 0; j < g.width() && g.centred(); j++) {
                    mean += x[at + j] / g.width();
                }
                double variance = 0;
                for (int j = 0; j < g.width(); j++) {
                    variance += (x[at + j] - mean) * (x[at + j] - mean) / g.width();
                }
                for (int j = 0; j < g.width(); j++) {
                    int c = g.channel(r, j);
                    double bias = g.centred() ? in[2][c] : 0;
                    out[0][at + j] = in[1][c] * (x[at + j] - mean) / Math.sqrt(variance + g.epsilon()) + bias;
                }
                if (g.centred()) {
                    out[1][r] = mean;
                }
                out[g.centred() ? 2 : 1][r] = variance;
            }
        };
    }

    static Formula backward(Groups g) {
        return (in, out) -> {
            double[] x = in[0];
            double[] dy = in[1];
            double[] scale = in[2];
            double[] variance = in[g.centred() ? 4 : 3];
            for (int i = 1; i < out.length; i++) {
                Arrays.fill(out[i], 0);
            }
            for (int r = 0; r < g.all(); r++) {
                int at = r * g.width();
                double mean = g.centred() ? in[3][r] : 0;
                double rho = 1 / Math.sqrt(variance[r] + g.epsilon());
                double meanG = 0;
                double meanGx = 0;
                for (int j = 0; j < g.width(); j++) {
                    int c = g.channel(r, j);
                    double normal = rho * (x[at + j] - mean);
                    meanG += g.centred() ? scale[c] * dy[at + j] / g.width() : 0;
                    meanGx += scale[c] * dy[at + j] * normal / g.width();
                    out[1][c] += dy[at + j] * normal;
                    if (g.centred()) {
                        out[2][c] += dy[at + j];
                    }
                }
                for (int j = 0; j < g.width(); j++) {
                    double normal = rho * (x[at + j] - mean);
                    out[0][at + j] = rho * (scale[g.channel(r, j)] * dy[at + j] - meanG - normal * meanGx);
                }
            }
        };
    }

    static Formula softmax(Lines lines, boolean log) {
        return (in, out) -> {
            for (int line = 0; line < lines.count(); line++) {
                double max = Double.NEGATIVE_INFINITY;
                for (int k = 0; k < lines.length(); k++) {
                    max = Math.max(max, in[0][lines.at(line, k)]);
                }
                double sum = 0;
                for (int k = 0; k < lines.length(); k++) {
                    sum += Math.exp(in[0][lines.at(line, k)] - max);
                }
                for (int k = 0; k < lines.length(); k++) {
                    double z = in[0][lines.at(line, k)] - max;
                    out[0][lines.at(line, k)] = log ? z - Math.log(sum) : Math.exp(z) / sum;
                }
            }
        };
    }

    static Formula softmaxBackward(Lines lines, boolean log) {
        return (in, out) -> {
            double[] y = in[0];
            double[] dy = in[1];
            for (int line = 0; line < lines.count(); line++) {
                double sum = 0;
                for (int k = 0; k < lines.length(); k++) {
                    int i = lines.at(line, k);
                    sum += log ? dy[i] : dy[i] * y[i];
                }
                for (int k = 0; k < lines.length(); k++) {
                    int i = lines.at(line, k);
                    out[0][i] = log ? dy[i] - Math.exp(y[i]) * sum : y[i] * (dy[i] - sum);
                }
            }
        };
    }

    /** The lines of values along one axis: {@code length} values, {@code stride} from one to the next. */
    record Lines(int count, int length, int stride) {
        static Lines of(Shape x, int axis) {
            int a = axis < 0 ? axis + x.rank() : axis;
            int stride = x.sizeFrom(a + 1);
            int length = x.get(a);
            int outer = 1;
            for (int i = 0; i < a; i++) {
                outer *= x.get(i);
            }
            return new Lines(outer * stride, length, stride);
        }

        int at(int line, int k) {
            return line / stride * length * stride + k * stride + line % stride;
        }
    }

    private GroupReference() {}
}
