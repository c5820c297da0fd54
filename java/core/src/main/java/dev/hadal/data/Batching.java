package dev.hadal.data;

/**
 * How a data set is cut into batches: {@code Batching.of(128).seed(1).shuffled(true).open(train)}.
 *
 * @param size samples in a batch
 * @param seed of all that is drawn at random
 * @param shuffled whether every epoch has an order of its own
 * @param dropLast whether a last batch that is not full is left out
 * @param balanced whether, instead, every place of an epoch gets a class at random, all that have samples being equally
 *     likely, and then one of its samples; one may come several times in an epoch, or not at all
 * @param augmentation what is done to every sample
 * @param batchAugmentation what is then done to every batch
 * @param threads how many threads prepare batches ahead of the caller; with none, {@code next()} does it
 */
public record Batching(
        int size,
        long seed,
        boolean shuffled,
        boolean dropLast,
        boolean balanced,
        Augmentation augmentation,
        BatchAugmentation batchAugmentation,
        int threads) {

    public Batching {
        if (size < 1 || threads < 0) {
            throw new IllegalArgumentException(
                    "batches of " + size + " samples by " + threads + " threads; at least 1 and 0 are needed");
        }
    }

    /** In the order of the data, nothing augmented, the last batch as large as it comes, prepared by one thread. */
    public static Batching of(int size) {
        return new Batching(size, 0, false, false, false, Augmentation.none(), BatchAugmentation.none(), 1);
    }

    public Batching size(int size) {
        return new Batching(size, seed, shuffled, dropLast, balanced, augmentation, batchAugmentation, threads);
    }

    public Batching seed(long seed) {
        return new Batching(size, seed, shuffled, dropLast, balanced, augmentation, batchAugmentation, threads);
    }

    public Batching shuffled(boolean shuffled) {
        return new Batching(size, seed, shuffled, dropLast, balanced, augmentation, batchAugmentation, threads);
    }

    public Batching dropLast(boolean dropLast) {
        return new Batching(size, seed, shuffled, dropLast, balanced, augmentation, batchAugmentation, threads);
    }

    public Batching balanced(boolean balanced) {
        return new Batching(size, seed, shuffled, dropLast, balanced, augmentation, batchAugmentation, threads);
    }

    public Batching augmentation(Augmentation augmentation) {
        return new Batching(size, seed, shuffled, dropLast, balanced, augmentation, batchAugmentation, threads);
    }

    public Batching batchAugmentation(BatchAugmentation batchAugmentation) {
        return new Batching(size, seed, shuffled, dropLast, balanced, augmentation, batchAugmentation, threads);
    }

    public Batching threads(int threads) {
        return new Batching(size, seed, shuffled, dropLast, balanced, augmentation, batchAugmentation, threads);
    }

    /** Starts the threads; {@link Batches#close} ends them. */
    public Batches open(Dataset data) {
        return new Batches(data, this);
    }
}
