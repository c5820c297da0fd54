package dev.hadal.data;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What {@link Mixup} and {@link Cutmix} share: who is mixed with whom, and what becomes of the targets. */
final class Pairs {
    private Pairs() {}

    /** The partner of sample i, whose partner is i. */
    static int partner(int i, int shift, int size) {
        return Math.floorMod(shift - i, size);
    }

    /** The given fields, with a distribution over the classes for a class index. */
    static List<Field> mixed(List<Field> fields, String what) {
        List<Field> mixed = new ArrayList<>();
        boolean x = false, target = false;
        for (Field field : fields) {
            boolean isX = field.name().equals(Dataset.X),
                    isTarget = field.name().equals(Dataset.TARGET);
            boolean index = isTarget && field.classes() > 0 && field.shape().rank() == 0;
            if (field.dtype() != DType.F32 && (isX || (isTarget && !index))) {
                throw new IllegalArgumentException(
                        what + " takes x in F32, and targets in F32 or one class index for a sample, not " + field);
            }
            x |= isX;
            target |= isTarget;
            mixed.add(index ? Field.floats(field.name(), Shape.of(field.classes())) : field);
        }
        if (!x || !target) {
            throw new IllegalArgumentException(what + " takes the fields x and target, not " + fields);
        }
        return List.copyOf(mixed);
    }

    /** target ← λ·target + (1 − λ)·target'. */
    static void mixTargets(Batch in, Batch out, int shift, float lambda) {
        Tensor to = out.target();
        if (in.target().dtype() == DType.F32) {
            mix(to.floats(), out.stride(Dataset.TARGET), out.size(), shift, lambda);
            return;
        }
        int[] labels = in.target().ints();
        float[] y = to.floats();
        int classes = out.stride(Dataset.TARGET);
        Arrays.fill(y, 0);
        for (int i = 0; i < labels.length; i++) {
            y[i * classes + labels[i]] += lambda;
            y[i * classes + labels[partner(i, shift, labels.length)]] += 1 - lambda;
        }
    }

    /** x ← λ·x + (1 − λ)·x', in place. */
    static void mix(float[] x, int stride, int size, int shift, float lambda) {
        for (int i = 0; i < size; i++) {
            int j = partner(i, shift, size);
            if (i < j) {
                for (int k = 0; k < stride; k++) {
                    float a = x[i * stride + k], b = x[j * stride + k];
                    x[i * stride + k] = lambda * a + (1 - lambda) * b;
                    x[j * stride + k] = lambda * b + (1 - lambda) * a;
                }
            }
        }
    }

    static double positive(double alpha) {
        if (!(alpha > 0 && Double.isFinite(alpha))) {
            throw new IllegalArgumentException("Beta(α, α) takes a positive α, not " + alpha);
        }
        return alpha;
    }
}
