package dev.hadal.data;

import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Samples that all have the same {@link Field fields}, found by index. What a network reads is usually called
 * {@value #X}, and what it shall make of that {@value #TARGET}; several inputs are several fields.
 *
 * <p>Implement it to read from anywhere: {@link #size}, {@link #fields} and {@link #read} are enough. Sizes and fields
 * must not change, and several threads may read at once. A source that reads files may throw
 * {@link java.io.UncheckedIOException}.
 *
 * <pre>
 *   final class Squares implements Dataset {
 *       public int size() { return 100; }
 *       public List&lt;Field&gt; fields() {
 *           return List.of(Field.floats(X, Shape.of(1)), Field.floats(TARGET, Shape.of(1)));
 *       }
 *       public void read(int index, Row row) {
 *           row.set(X, index);
 *           row.set(TARGET, index * index);
 *       }
 *   }
 * </pre>
 */
public interface Dataset {
    /** The usual name of a network's input. */
    String X = "x";
    /** The usual name of what the network's output is compared with. */
    String TARGET = "target";
    /** The usual name of a sample's weight in the loss, f32 []. */
    String WEIGHT = "weight";

    /** How many samples there are. */
    int size();

    /** What every sample consists of; always the same list. */
    List<Field> fields();

    /** Writes every value of every field of a sample. */
    void read(int index, Row row);

    /**
     * The class of a sample: the single value of its field {@value #TARGET}. Override this where it can be had without
     * reading the whole sample.
     *
     * @throws IllegalArgumentException if the target is no single class index
     */
    default int label(int index) {
        Field target = field(TARGET);
        if (target.classes() == 0 || target.shape().size() != 1) {
            throw new IllegalArgumentException("one class index for a sample is needed, but the field is " + target);
        }
        return batch(index).target().ints()[0];
    }

    /**
     * The field of that name.
     *
     * @throws IllegalArgumentException if there is none
     */
    default Field field(String name) {
        for (Field field : fields()) {
            if (field.name().equals(name)) {
                return field;
            }
        }
        throw new IllegalArgumentException("no field " + name + " among " + fields());
    }

    default boolean has(String field) {
        return fields().stream().anyMatch(f -> f.name().equals(field));
    }

    /** The shape of one sample's {@value #X}: [C,H,W] for an image. */
    default Shape shape() {
        return field(X).shape();
    }

    /** How many classes {@value #TARGET} knows; 0 if it is no class index. */
    default int classes() {
        return has(TARGET) ? field(TARGET).classes() : 0;
    }

    /** The samples with these indices, read into tensors of their own. */
    default Batch batch(int... indices) {
        Batch batch = new Batch(fields(), indices.length);
        Row row = new Row(batch);
        for (int i = 0; i < indices.length; i++) {
            read(Subset.checkIndex(indices[i], this), row.at(batch, i));
        }
        return batch;
    }

    /**
     * The samples x: [N,…] with their classes; {@code x} is not copied.
     *
     * @throws IllegalArgumentException if there are not N labels, or one is not in 0 … classes − 1
     */
    static Dataset of(Tensor x, int classes, int... labels) {
        if (x.shape().rank() > 0 && x.shape().get(0) != labels.length) {
            throw new IllegalArgumentException("x " + x.shape() + " has "
                    + x.shape().get(0) + " samples, but there are " + labels.length + " labels");
        }
        return of(x, Tensor.of(Shape.of(labels.length), labels.clone()), classes);
    }

    /**
     * The samples x: [N,…] with class indices: [N], or [N,T] for a sequence. Neither is copied.
     *
     * @throws IllegalArgumentException if N differs, or an index is not in 0 … classes − 1
     */
    static Dataset of(Tensor x, Tensor target, int classes) {
        Labels.checked(target.ints(), classes);
        return new InMemory(Labels.inOrder(X, x, TARGET, target), classes);
    }

    /**
     * The samples x: [N,…] with targets: [N,…] that are numbers, or indices of no stated range. Neither is copied.
     *
     * @throws IllegalArgumentException if N differs
     */
    static Dataset of(Tensor x, Tensor target) {
        return of(Labels.inOrder(X, x, TARGET, target));
    }

    /**
     * Fields by their names. The first axis of each tensor counts the samples; none is copied.
     *
     * @throws IllegalArgumentException if there is none, or they do not have as many samples
     */
    static Dataset of(Map<String, Tensor> fields) {
        return new InMemory(fields, 0);
    }

    /** The first {@code count} samples. */
    default Dataset take(int count) {
        Subset.checkCount(count, this);
        return new Subset(this, IntStream.range(0, count).toArray());
    }

    /** The samples with these indices, in this order; an index may come more than once. */
    default Dataset subset(int... indices) {
        return new Subset(this, indices);
    }

    /** Draws {@code count} samples at random, without replacement. */
    default Split split(int count, long seed) {
        Subset.checkCount(count, this);
        int[] order = IntStream.range(0, size()).toArray();
        new Philox(seed, Philox.streamOf("split")).shuffle(order);
        return new Split(subset(Arrays.copyOf(order, count)), subset(Arrays.copyOfRange(order, count, order.length)));
    }

    /**
     * Draws {@code count} samples at random, without replacement, so that each class keeps its share as nearly as whole
     * samples allow.
     *
     * @throws IllegalArgumentException if {@value #TARGET} is no single class index
     */
    default Split stratifiedSplit(int count, long seed) {
        Subset.checkCount(count, this);
        ByClass classes = new ByClass(this);
        int[] left = classes.shares(count);
        int[] order = IntStream.range(0, size()).toArray();
        new Philox(seed, Philox.streamOf("stratified split")).shuffle(order);
        int[] drawn = new int[count], rest = new int[order.length - count];
        int d = 0, r = 0;
        for (int index : order) {
            if (left[classes.label(index)]-- > 0) {
                drawn[d++] = index;
            } else {
                rest[r++] = index;
            }
        }
        return new Split(subset(drawn), subset(rest));
    }

    /**
     * A weight for each class with which all that have samples count alike: w_c = N / (K·N_c), of N samples, N_c of them in
     * that class, and K classes that have samples; 0 for those that have none.
     */
    default float[] classWeights() {
        ByClass classes = new ByClass(this);
        int present = classes.present().length;
        float[] weights = new float[classes.classes()];
        for (int c = 0; c < weights.length; c++) {
            weights[c] = classes.count(c) == 0 ? 0 : (float) ((double) size() / present / classes.count(c));
        }
        return weights;
    }

    /** The same samples, each with a {@value #WEIGHT} of its own. */
    default Dataset weighted(float... weights) {
        return new Weighted(this, weights, false);
    }

    /** The same samples, with the {@value #WEIGHT} of their class: {@code data.weightedByClass(data.classWeights())}. */
    default Dataset weightedByClass(float... weights) {
        return new Weighted(this, weights, true);
    }

    /**
     * The same samples, each class index of {@value #TARGET} a distribution over the classes that is sure of it: f32
     * […,classes]. That is what validation data need whose training data are mixed.
     *
     * @throws IllegalArgumentException if {@value #TARGET} is no class index
     */
    default Dataset oneHot() {
        return new OneHot(this);
    }

    /** The same samples, {@value #X} normalised. Learn the normalisation from the training data, and test with it. */
    default Dataset normalized(Normalization normalization) {
        return normalized(X, normalization);
    }

    /** The same samples, an f32 field normalised. */
    default Dataset normalized(String field, Normalization normalization) {
        return new Normalized(this, field, normalization);
    }

    /** The same samples, every field that the map names normalised. */
    default Dataset normalized(Map<String, Normalization> normalizations) {
        Dataset data = this;
        for (Map.Entry<String, Normalization> entry : normalizations.entrySet()) {
            data = data.normalized(entry.getKey(), entry.getValue());
        }
        return data;
    }

    /** The samples that {@link #split} drew, and those it left. */
    record Split(Dataset drawn, Dataset rest) {}
}
