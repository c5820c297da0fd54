package dev.hadal.data;

/**
 * How a data set is cut into batches: {@code Batching.of(128).seed(1).shuffled(true).open(train)}.
 *
 * @param size samples in a batch
 * @param seed of all that is drawn at random
 * @param shuffled whether every epoch has an order of its own
 * @param dropLast whether a last batch that is not full is left out
 * @param augmentation what is done to every sample
 * @param threads how many threads prepare batches ahead of the caller; with none, {@code next()} does it
 */
public record Batching(
        int size, long seed, boolean shuffled, boolean dropLast, Augmentation augmentation, int threads) {

    public Batching {
        if (size < 1 || threads < 0) {
            throw new IllegalArgumentException(
                    "batches of " + size + " samples by " + threads + " threads; at least 1 and 0 are needed");
        }
    }

    /** In the order of the data, nothing augmented, the last batch as large as it comes, prepared by one thread. */
    public static Batching of(int size) {
        return new Batching(size, 0, false, false, Augmentation.none(), 1);
    }

    public Batching seed(long seed) {
        return new Batching(size, seed, shuffled, dropLast, augmentation, threads);
    }

    public Batching shuffled(boolean shuffled) {
        return new Batching(size, seed, shuffled, dropLast, augmentation, threads);
    }

    public Batching dropLast(boolean dropLast) {
        return new Batching(size, seed, shuffled, dropLast, augmentation, threads);
    }

    public Batching augmentation(Augmentation augmentation) {
        return new Batching(size, seed, shuffled, dropLast, augmentation, threads);
    }

    public Batching threads(int threads) {
        return new Batching(size, seed, shuffled, dropLast, augmentation, threads);
    }

    /** Starts the threads; {@link Batches#close} ends them. */
    public Batches open(Dataset data) {
        return new Batches(data, this);
    }
}
