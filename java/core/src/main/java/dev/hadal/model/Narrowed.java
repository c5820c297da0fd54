package dev.hadal.model;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A model of fewer channels than the one that it was made from, and which they were.
 *
 * @param kept for each weight and state, by name, the indices along each axis that are left of it, in order
 */
public record Narrowed(Model model, Map<String, List<List<Integer>>> kept) {

    public Narrowed {
        kept = Map.copyOf(kept);
    }

    /**
     * What is left of a value that lies as a weight or a state does, such as its moment.
     *
     * @param name of the weight or state
     * @throws IllegalArgumentException if there is none of that name
     */
    public Tensor slice(String name, Tensor value) {
        List<List<Integer>> axes = kept.get(name);
        if (axes == null) {
            throw new IllegalArgumentException("the model has no '" + name + "', only " + kept.keySet());
        }
        return slice(value, axes);
    }

    /** The values at these indices along each axis. */
    public static Tensor slice(Tensor value, List<List<Integer>> axes) {
        Shape shape = new Shape(axes.stream().map(List::size).toList());
        Tensor small = Tensor.zeros(value.dtype(), shape);
        int[] places = {0};
        for (int axis = 0; axis < axes.size(); axis++) {
            int[] further = new int[places.length * axes.get(axis).size()];
            int at = 0;
            for (int place : places) {
                for (int index : axes.get(axis)) {
                    further[at++] = place * value.shape().get(axis) + index;
                }
            }
            places = further;
        }
        for (int i = 0; i < places.length; i++) {
            switch (value.dtype()) {
                case F32 -> small.floats()[i] = value.floats()[places[i]];
                case BF16 -> small.bf16Bits()[i] = value.bf16Bits()[places[i]];
                case I32 -> small.ints()[i] = value.ints()[places[i]];
                case S8, U8 -> small.bytes()[i] = value.bytes()[places[i]];
            }
        }
        return small;
    }

    /** The slices of all values of a model, by name. */
    public static Map<String, Tensor> slices(Map<String, Tensor> values, Map<String, List<List<Integer>>> kept) {
        Map<String, Tensor> small = new LinkedHashMap<>();
        values.forEach((name, value) -> {
            List<List<Integer>> axes = kept.get(name);
            small.put(name, axes == null ? value : slice(value, axes));
        });
        return small;
    }
}
