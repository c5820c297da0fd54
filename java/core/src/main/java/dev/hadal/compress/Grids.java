package dev.hadal.compress;

import dev.hadal.graph.Node;
import dev.hadal.graph.Value;
import dev.hadal.op.Concat;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.MatMul;
import dev.hadal.op.Quantization;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * The grid of every value of a region: u8 without zero point for what is never negative, u8 with one for what is, s8 for the
 * right-hand side of a product. What only moves values keeps their grid, and what is concatenated has the grid of the whole,
 * so that nothing is rounded twice.
 */
final class Grids {
    private final Region region;
    private final Function<Value, Range> ranges;
    private final Map<Value, Quantization> chosen = new HashMap<>();

    Grids(Region region, Function<Value, Range> ranges) {
        this.region = region;
        this.ranges = ranges;
    }

    Quantization of(Value v) {
        Quantization known = chosen.get(v);
        if (known == null) {
            known = choose(v);
            chosen.put(v, known);
        }
        return known;
    }

    private Quantization choose(Value v) {
        Node producer = v.node();
        if (Region.keepsItsGrid(producer.op()) && region.reads(region.unit(producer))) {
            return of(producer.input(0));
        }
        List<Node> readers = region.readers(v);
        if (readers.size() == 1 && readers.get(0).op() instanceof Concat && region.reads(region.unit(readers.get(0)))) {
            return of(readers.get(0).output(0));
        }
        Range range = ranges.apply(v);
        return isRightHandSide(v) ? symmetric(range) : covering(range);
    }

    private boolean isRightHandSide(Value v) {
        return region.readers(v).stream()
                .anyMatch(n -> (n.op() instanceof MatMul && n.input(1).equals(v))
                        || (Region.keepsItsGrid(n.op()) && n.outputs().stream().anyMatch(this::isRightHandSide)));
    }

    /** A grid from end to end of a range, with 0 on it. A range of nothing but 0 has the scale 1. */
    static Quantization covering(Range range) {
        float scale = scale(((double) range.max() - range.min()) / 255);
        int zero = (int) Math.max(0, Math.min(255, Math.rint(-range.min() / (double) scale)));
        return Quantization.u8(scale, zero);
    }

    private static Quantization symmetric(Range range) {
        return Quantization.s8(scale(Math.max(-(double) range.min(), range.max()) / 127));
    }

    private static float scale(double scale) {
        return scale == 0 ? 1 : (float) Math.max(Float.MIN_NORMAL, Math.min(Float.MAX_VALUE, scale));
    }

    /** The s8 grid that just holds a weight, with a scale for each index along the axis. */
    static Quantization ofWeight(float[] w, Shape shape, int axis) {
        float[] largest = new float[shape.get(axis)];
        int stride = shape.sizeFrom(axis + 1);
        for (int i = 0; i < w.length; i++) {
            int c = i / stride % largest.length;
            largest[c] = Math.max(largest[c], Math.abs(w[i]));
        }
        List<Float> scales = new ArrayList<>();
        for (float l : largest) {
            scales.add(FakeQuantize.scaleThatHolds(l));
        }
        return Quantization.s8(scales, axis);
    }
}
