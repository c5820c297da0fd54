package dev.hadal.backend.jvm;

import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.op.Resize;
import dev.hadal.tensor.Shape;
import java.util.Arrays;

/** Images of another size. */
final class ResizeReference {

    static void define(OpTable<OpTable.Types, Formula> table) {
        table.put(Resize.class, (op, t) -> (in, out) -> {
            Arrays.fill(out[0], 0);
            visit(op, t.x(0), t.y(0), (x, y, weight) -> out[0][y] += weight * in[0][x]);
        });
        table.put(Resize.Backward.class, (op, t) -> (in, out) -> {
            Arrays.fill(out[0], 0);
            visit(op.forward(), op.x(), t.x(0), (x, y, weight) -> out[0][x] += weight * in[0][y]);
        });
    }

    /** One place of x, with its weight in one of y. */
    private interface Term {
        void at(int x, int y, double weight);
    }

    private static void visit(Resize op, Shape x, Shape y, Term term) {
        Resize.Tap[] rows = op.taps(x.get(2), y.get(2));
        Resize.Tap[] columns = op.taps(x.get(3), y.get(3));
        int width = x.get(3);
        for (int plane = 0; plane < y.get(0) * y.get(1); plane++) {
            for (int i = 0; i < rows.length; i++) {
                for (int j = 0; j < columns.length; j++) {
                    int from = plane * x.get(2) * width;
                    int to = (plane * rows.length + i) * columns.length + j;
                    Resize.Tap r = rows[i];
                    Resize.Tap c = columns[j];
                    int lower = from + r.lower() * width;
                    term.at(lower + c.lower(), to, (1 - r.distance()) * (1 - c.distance()));
                    if (c.distance() > 0) {
                        term.at(lower + c.upper(), to, (1 - r.distance()) * c.distance());
                    }
                    if (r.distance() > 0) {
                        int upper = from + r.upper() * width;
                        term.at(upper + c.lower(), to, r.distance() * (1 - c.distance()));
                        if (c.distance() > 0) {
                            term.at(upper + c.upper(), to, r.distance() * c.distance());
                        }
                    }
                }
            }
        }
    }

    private ResizeReference() {}
}
