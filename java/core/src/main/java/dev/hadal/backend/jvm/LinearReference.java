package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.Convolution;
import dev.hadal.op.ConvolutionTranspose;
import dev.hadal.op.MatMul;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** Matrix product and convolution, as their definitions have them. */
final class LinearReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(MatMul.class, (op, t) -> matmul(op, t.x(0), t.x(1)));
        table.put(Convolution.class, (op, t) -> forward(op, t.x(0), t.x(1), t.y(0)));
        table.put(ConvolutionTranspose.class, (op, t) -> backwardData(op.convolution(), t.y(0), t.x(1), t.x(0)));
        table.put(Convolution.BackwardData.class, (op, t) -> backwardData(op.forward(), op.x(), t.x(1), t.x(0)));
        table.put(Convolution.BackwardWeights.class, (op, t) -> backwardWeights(op.forward(), t.x(0), op.w(), t.x(1)));
    }

    static Formula matmul(MatMul op, Shape a, Shape b) {
        int m = op.m(a);
        int k = op.k(a);
        int n = op.n(b);
        int[] itemsOfA = MatMul.items(a, op.batch(a, b));
        int[] itemsOfB = MatMul.items(b, op.batch(a, b));
        return (in, out) -> {
            for (int item = 0; item < itemsOfA.length; item++) {
                int aAt = itemsOfA[item] * m * k;
                int bAt = itemsOfB[item] * k * n;
                for (int i = 0; i < m; i++) {
                    for (int j = 0; j < n; j++) {
                        double sum = 0;
                        for (int l = 0; l < k; l++) {
                            sum += in[0][aAt + (op.transposeA() ? l * m + i : i * k + l)]
                                    * in[1][bAt + (op.transposeB() ? j * k + l : l * n + j)];
                        }
                        out[0][(item * m + i) * n + j] = sum;
                    }
                }
            }
        };
    }

    static Formula forward(Convolution op, Shape x, Shape w, Shape y) {
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            visit(op, x, w, y, (xi, wi, yi) -> out[0][yi] += in[0][xi] * in[1][wi]);
        };
    }

    static Formula backwardData(Convolution op, Shape x, Shape w, Shape y) {
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            visit(op, x, w, y, (xi, wi, yi) -> out[0][xi] += in[0][yi] * in[1][wi]);
        };
    }

    static Formula backwardWeights(Convolution op, Shape x, Shape w, Shape y) {
        return (in, out) -> {
            Arrays.fill(out[0], 0);
            visit(op, x, w, y, (xi, wi, yi) -> out[0][wi] += in[0][xi] * in[1][yi]);
        };
    }

    /** One product of a convolution: the positions of its operands and of the sum that it belongs to. */
    private interface Product {
        void at(int x, int w, int y);
    }

    /** All three kernels visit the same products; only what they add up differs. */
    private static void visit(Convolution op, Shape x, Shape w, Shape y, Product product) {
        Window.Axis height = op.window().height();
        Window.Axis width = op.window().width();
        int outPerGroup = w.get(0) / op.groups();
        for (int n = 0; n < y.get(0); n++) {
            for (int o = 0; o < y.get(1); o++) {
                for (int oh = 0; oh < y.get(2); oh++) {
                    for (int ow = 0; ow < y.get(3); ow++) {
                        for (int c = 0; c < w.get(1); c++) {
                            for (int kh = 0; kh < w.get(2); kh++) {
                                for (int kw = 0; kw < w.get(3); kw++) {
                                    int ih = height.in(oh, kh);
                                    int iw = width.in(ow, kw);
                                    if (ih < 0 || ih >= x.get(2) || iw < 0 || iw >= x.get(3)) {
                                        continue;
                                    }
                                    int ic = o / outPerGroup * w.get(1) + c;
                                    product.at(
                                            ((n * x.get(1) + ic) * x.get(2) + ih) * x.get(3) + iw,
                                            ((o * w.get(1) + c) * w.get(2) + kh) * w.get(3) + kw,
                                            ((n * y.get(1) + o) * y.get(2) + oh) * y.get(3) + ow);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private LinearReference() {}
}
