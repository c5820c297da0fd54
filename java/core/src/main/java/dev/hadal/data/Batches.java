package dev.hadal.data;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.Arrays;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/**
 * A data set, batch after batch, epoch after epoch:
 *
 * <pre>
 *   batches.startEpoch(e);
 *   while (batches.hasNext()) {
 *       train(batches.next());
 *   }
 * </pre>
 *
 * What comes depends on the data, the {@link Batching} and the epoch alone, not on how many threads prepare it, nor on
 * where in the epoch one starts. All memory is allocated at the start. One thread at a time may call it; any may close
 * it.
 */
public final class Batches implements AutoCloseable {
    private final Dataset data;
    private final Batching batching;
    private final int samples;
    private final int sampleSize;
    private final int count;
    private final int[] order;
    private final Slot[] slots;
    /** What an epoch ends with if its samples do not fill all batches. There is one at most, so slots can share it. */
    private final @Nullable Batch shortBatch;

    private final Prefetch prefetch;

    private boolean started;
    private int epoch;
    private int next;

    Batches(Dataset data, Batching batching) {
        this.data = data;
        this.batching = batching;
        int size = batching.size();
        Shape shape = data.shape();
        samples = data.size();
        sampleSize = shape.size();
        int left = batching.dropLast() ? 0 : samples % size;
        count = samples / size + (left > 0 ? 1 : 0);
        if (count == 0 && samples > 0) {
            throw new IllegalArgumentException(
                    samples + " samples make no batch of " + size + " when a short last one is dropped");
        }
        order = new int[samples];
        // One in use by the caller, and for each thread one to fill and one that is ready.
        slots = new Slot[2 * batching.threads() + 1];
        Arrays.setAll(slots, i -> new Slot(batch(shape, size)));
        shortBatch = left > 0 ? batch(shape, left) : null;
        prefetch = new Prefetch(batching.threads(), slots.length, "hadal-data", () -> {
            Sample sample = new Sample(shape, batching.seed());
            return index -> fill(index, sample);
        });
    }

    private static Batch batch(Shape sample, int size) {
        return new Batch(Tensor.zeros(DType.F32, sample.prepend(size)), Tensor.zeros(DType.I32, Shape.of(size)));
    }

    public int batchesPerEpoch() {
        return count;
    }

    public int samplesPerEpoch() {
        return Math.min(samples, count * batching.size());
    }

    /** The epoch that runs; with {@link #nextIndex()} the position from which to resume. */
    public int epoch() {
        requireStarted();
        return epoch;
    }

    /** Which batch of the epoch {@link #next()} gives next. */
    public int nextIndex() {
        requireStarted();
        return next;
    }

    public void startEpoch(int epoch) {
        startEpoch(epoch, 0);
    }

    /** Leaves the present epoch, if there is one, and goes on with a batch of the given one. */
    public void startEpoch(int epoch, int batch) {
        prefetch.requireOpen();
        if (epoch < 0 || batch < 0 || batch > count) {
            throw new IllegalArgumentException("epoch " + epoch + ", batch " + batch + ": an epoch of at least 0, and a"
                    + " batch in 0…" + count + " are needed");
        }
        started = false;
        prefetch.restart(batch, count, () -> {
            this.epoch = epoch;
            drawOrder();
        });
        next = batch;
        started = true;
    }

    private void drawOrder() {
        for (int i = 0; i < samples; i++) {
            order[i] = i;
        }
        if (batching.shuffled()) {
            new Philox(batching.seed(), Philox.streamOf("shuffle " + epoch)).shuffle(order);
        }
    }

    /** Whether this epoch has another batch. */
    public boolean hasNext() {
        requireStarted();
        return next < count;
    }

    /**
     * The epoch's next batch, waiting for it if need be. It is valid until the next call of this method or of
     * {@link #startEpoch(int)}.
     *
     * @throws SampleException if reading or augmenting one of its samples failed; the following call gives the
     *     following batch
     * @throws java.util.concurrent.CancellationException if this thread is interrupted while it waits
     */
    public Batch next() {
        requireStarted();
        if (next == count) {
            throw new NoSuchElementException("epoch " + epoch + " has only " + count + " batches");
        }
        prefetch.take();
        int index = next++;
        Failure failure = slot(index).failure;
        if (failure != null) {
            throw new SampleException(failure.sample, failure.cause);
        }
        return target(index);
    }

    /** Ends and joins the threads; a sample that is being read is read to its end first. */
    @Override
    public void close() {
        prefetch.close();
    }

    private void fill(int index, Sample sample) {
        Batch batch = target(index);
        float[] x = batch.x().floats();
        int[] labels = batch.labels().ints();
        slot(index).failure = null;
        for (int i = 0; i < labels.length && !prefetch.isClosed(); i++) {
            int from = order[index * batching.size() + i];
            try {
                labels[i] = label(from);
                data.copy(from, x, i * sampleSize);
                batching.augmentation().apply(sample.at(epoch, from, x, i * sampleSize));
            } catch (Throwable e) {
                slot(index).failure = new Failure(from, e);
                return;
            }
        }
    }

    private int label(int index) {
        int label = data.label(index);
        if (!Labels.valid(label, data.classes())) {
            throw new IllegalArgumentException("label " + Labels.range(label, data.classes()));
        }
        return label;
    }

    private Batch target(int index) {
        return shortBatch != null && index == count - 1 ? shortBatch : slot(index).batch;
    }

    private Slot slot(int index) {
        return slots[index % slots.length];
    }

    private void requireStarted() {
        prefetch.requireOpen();
        if (!started) {
            throw new IllegalStateException("no epoch is running: call startEpoch first");
        }
    }

    private static final class Slot {
        final Batch batch;

        @Nullable
        Failure failure;

        Slot(Batch batch) {
            this.batch = batch;
        }
    }

    private record Failure(int sample, Throwable cause) {}
}
