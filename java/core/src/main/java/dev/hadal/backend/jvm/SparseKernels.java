package dev.hadal.backend.jvm;

import static dev.hadal.backend.jvm.Blocks.ceilDiv;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.graph.Type;
import dev.hadal.op.SparseMatMul;
import dev.hadal.op.SparseMatMul.Geometry;
import java.util.Arrays;
import java.util.List;

/** Products with weights of which few blocks are kept, as the definition has them and fast. */
final class SparseKernels {
    /** Rows of x that are turned around together, to lie side by side input by input. */
    private static final int PANEL = 64;

    /** Below so many rows, turning them around takes longer than it gains. */
    private static final int FEW_ROWS = 16;

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(SparseMatMul.class, (op, t) -> formula(op.geometry(t.x(0), t.x(1))));
    }

    static void add(OpTable<OpTable.Job, Kernel> table) {
        table.put(SparseMatMul.class, (op, j) -> {
            Geometry g = op.geometry(j.x(0), j.x(1));
            Machine machine = j.machine().forWork((long) g.rows() * g.blocks() * g.height());
            return g.rows() < FEW_ROWS ? few(g, j.in(), j.out()) : panels(g, j.in(), j.out(), machine);
        });
    }

    private static Formula formula(Geometry g) {
        return (in, out) -> {
            g.check(b -> (int) in[2][b], r -> (int) in[3][r]);
            for (int n = 0; n < g.rows(); n++) {
                for (int o = 0; o < g.out(); o++) {
                    double sum = 0;
                    for (int b = (int) in[3][o / g.height()]; b < in[3][o / g.height() + 1]; b++) {
                        sum += in[1][b * g.height() + o % g.height()] * in[0][n * g.in() + (int) in[2][b]];
                    }
                    out[0][n * g.out() + o] = sum;
                }
            }
        };
    }

    private static void check(Geometry g, Span[] x) {
        g.check(b -> x[2].ints()[x[2].offset() + b], r -> x[3].ints()[x[3].offset() + r]);
    }

    /** Each block is added to its outputs, which lie side by side. */
    private static Kernel few(Geometry g, List<Type> in, List<Type> out) {
        return new HeapKernel("java sparse matmul", in, out, (x, y, scratch) -> () -> {
            check(g, x);
            for (int n = 0; n < g.rows(); n++) {
                int from = x[0].offset() + n * g.in();
                int to = y[0].offset() + n * g.out();
                Arrays.fill(y[0].floats(), to, to + g.out(), 0f);
                for (int row = 0; row < g.blockRows(); row++) {
                    int first = row * g.height();
                    int height = Math.min(g.height(), g.out() - first);
                    int end = x[3].ints()[x[3].offset() + row + 1];
                    for (int b = x[3].ints()[x[3].offset() + row]; b < end; b++) {
                        float factor = x[0].floats()[from + x[2].ints()[x[2].offset() + b]];
                        add(height, factor, x[1].floats(), x[1].offset() + b * g.height(), y[0].floats(), to + first);
                    }
                }
            }
        });
    }

    private static void add(int n, float factor, float[] w, int wAt, float[] sum, int sumAt) {
        for (int i = 0; i < n; i++) {
            sum[sumAt + i] += factor * w[wAt + i];
        }
    }

    /** Each output of a panel of rows is a blend of the inputs that its weights name. */
    private static Kernel panels(Geometry g, List<Type> in, List<Type> out, Machine machine) {
        int room = (g.in() + 1) * PANEL + g.blocks();
        return new HeapKernel("java sparse matmul", in, out, (x, y, scratch) -> {
                    Loops[] loops = machine.perLane(new Loops[0], machine.simd()::loops);
                    int[][] places = machine.perLane(new int[0][], () -> new int[g.blocks()]);
                    Workers.Body body = (panel, lane) -> {
                        int first = panel * PANEL;
                        int rows = Math.min(PANEL, g.rows() - first);
                        int panelAt = scratch.offset() + lane * room;
                        turn(g, x[0], first, rows, scratch.floats(), panelAt);
                        multiply(g, loops[lane], x, scratch.floats(), panelAt, places[lane], first, rows, y[0]);
                    };
                    return () -> {
                        check(g, x);
                        machine.forEach(ceilDiv(g.rows(), PANEL), body);
                    };
                })
                .withScratch((long) machine.lanes() * room);
    }

    /** Places beyond the last row hold what they held, and what becomes of it is dropped. */
    private static void turn(Geometry g, Span x, int first, int rows, float[] panel, int at) {
        for (int i = 0; i < rows; i++) {
            int from = x.offset() + (first + i) * g.in();
            for (int k = 0; k < g.in(); k++) {
                panel[at + k * PANEL + i] = x.floats()[from + k];
            }
        }
    }

    private static void multiply(
            Geometry g, Loops loops, Span[] x, float[] room, int panelAt, int[] places, int first, int rows, Span y) {
        int sumsAt = panelAt + g.in() * PANEL;
        int weightsAt = sumsAt + PANEL;
        for (int row = 0; row < g.blockRows(); row++) {
            int begin = x[3].ints()[x[3].offset() + row];
            int count = x[3].ints()[x[3].offset() + row + 1] - begin;
            for (int k = 0; k < count; k++) {
                places[k] = x[2].ints()[x[2].offset() + begin + k] * PANEL;
            }
            int end = Math.min(g.out(), (row + 1) * g.height());
            for (int o = row * g.height(); o < end; o++) {
                int from = x[1].offset() + begin * g.height() + o % g.height();
                for (int k = 0; k < count; k++) {
                    room[weightsAt + k] = x[1].floats()[from + k * g.height()];
                }
                loops.blend(PANEL, count, room, weightsAt, room, places, panelAt, room, sumsAt);
                for (int i = 0; i < rows; i++) {
                    y.floats()[y.offset() + (first + i) * g.out() + o] = room[sumsAt + i];
                }
            }
        }
    }

    private SparseKernels() {}
}
