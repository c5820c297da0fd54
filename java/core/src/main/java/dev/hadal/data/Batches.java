package dev.hadal.data;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.List;
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
    /** What is read, and what comes of it. */
    private final List<Field> read;

    private final List<Field> fields;
    /** Those whose values must be class indices. */
    private final Field[] labels;

    private final boolean augmented;
    private final int count;
    private final int[] order;
    private final @Nullable ByClass classes;
    private final Slot[] slots;
    /** What an epoch ends with if its samples do not fill all batches. There is one at most, so slots can share it. */
    private final @Nullable Room shortRoom;

    private final Prefetch prefetch;

    private boolean started;
    private int epoch;
    private int next;

    Batches(Dataset data, Batching batching) {
        this.data = data;
        this.batching = batching;
        int size = batching.size();
        samples = data.size();
        read = List.copyOf(data.fields());
        fields = List.copyOf(batching.batchAugmentation().fields(read));
        labels = read.stream().filter(f -> f.classes() > 0).toArray(Field[]::new);
        augmented = batching.augmentation() != Augmentation.none();
        Shape shape = augmented ? augmentable(data) : Shape.SCALAR;
        int left = batching.dropLast() ? 0 : samples % size;
        count = samples / size + (left > 0 ? 1 : 0);
        if (count == 0 && samples > 0) {
            throw new IllegalArgumentException(
                    samples + " samples make no batch of " + size + " when a short last one is dropped");
        }
        order = new int[samples];
        classes = batching.balanced() ? new ByClass(data) : null;
        // One in use by the caller, and for each thread one to fill and one that is ready.
        slots = new Slot[2 * batching.threads() + 1];
        Arrays.setAll(slots, i -> new Slot(new Room(size)));
        shortRoom = left > 0 ? new Room(left) : null;
        prefetch = new Prefetch(batching.threads(), slots.length, "hadal-data", () -> {
            Sample sample = new Sample(shape, batching.seed());
            Row row = new Row(slots[0].room.in);
            Draws draws = new Draws(batching.seed(), "batch augmentation");
            return index -> fill(index, row, sample, draws);
        });
    }

    private static Shape augmentable(Dataset data) {
        Field x = data.field(Dataset.X);
        if (x.dtype() != DType.F32) {
            throw new IllegalArgumentException("an augmentation takes samples in F32, but the field is " + x);
        }
        return x.shape();
    }

    /** What every batch consists of. */
    public List<Field> fields() {
        return fields;
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
        if (classes != null) {
            drawBalanced(classes);
            return;
        }
        for (int i = 0; i < samples; i++) {
            order[i] = i;
        }
        if (batching.shuffled()) {
            new Philox(batching.seed(), Philox.streamOf("shuffle " + epoch)).shuffle(order);
        }
    }

    private void drawBalanced(ByClass classes) {
        int[] present = classes.present();
        Philox random = new Philox(batching.seed(), Philox.streamOf("balanced " + epoch));
        for (int i = 0; i < samples; i++) {
            int label = present[random.below(present.length, 2L * i)];
            order[i] = classes.member(label, random.below(classes.count(label), 2L * i + 1));
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
     * @throws SampleException if reading or augmenting it failed; the following call gives the
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
            throw failure.sample < 0
                    ? new SampleException(failure.cause)
                    : new SampleException(failure.sample, failure.cause);
        }
        return room(index).out;
    }

    /** Ends and joins the threads; a sample that is being read is read to its end first. */
    @Override
    public void close() {
        prefetch.close();
    }

    private void fill(int index, Row row, Sample sample, Draws draws) {
        Room room = room(index);
        Slot slot = slot(index);
        slot.failure = null;
        for (int i = 0; i < room.in.size() && !prefetch.isClosed(); i++) {
            int place = index * batching.size() + i;
            int from = order[place];
            try {
                data.read(from, row.at(room.in, i));
                checkLabels(row);
                if (augmented) {
                    int number = classes == null ? from : place;
                    batching.augmentation()
                            .apply(sample.at(epoch, number, row.floats(Dataset.X), row.offset(Dataset.X)));
                }
            } catch (Throwable e) {
                slot.failure = new Failure(from, e);
                return;
            }
        }
        if (!prefetch.isClosed()) {
            augmentBatch(index, room, slot, draws);
        }
    }

    private void augmentBatch(int index, Room room, Slot slot, Draws draws) {
        try {
            batching.batchAugmentation().apply(room.in, room.out, draws.at(epoch, index));
        } catch (Throwable e) {
            slot.failure = new Failure(-1, e);
        }
    }

    private void checkLabels(Row row) {
        for (Field field : labels) {
            int[] values = row.ints(field.name());
            int from = row.offset(field.name()), to = from + field.shape().size();
            for (int i = from; i < to; i++) {
                if (!Labels.valid(values[i], field.classes())) {
                    throw new IllegalArgumentException(
                            "the class in " + field.name() + " is " + Labels.range(values[i], field.classes()));
                }
            }
        }
    }

    private Room room(int index) {
        return shortRoom != null && index == count - 1 ? shortRoom : slot(index).room;
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

    /** The memory of a batch: as it is read, and as the caller gets it. Fields that stay as they are lie in both. */
    private final class Room {
        final Batch in;
        final Batch out;

        Room(int size) {
            in = new Batch(read, size);
            out = in.with(read, fields);
        }
    }

    private static final class Slot {
        final Room room;

        @Nullable
        Failure failure;

        Slot(Room room) {
            this.room = room;
        }
    }

    /** @param sample −1 if it was the augmentation of the whole batch */
    private record Failure(int sample, Throwable cause) {}
}
