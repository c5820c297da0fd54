package dev.hadal.train;

import dev.hadal.model.ModelFormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * When a run is saved while it trains, and where: {@code Checkpoints.in(dir).everySteps(500).keepBest("val_loss")}. A run
 * that is resumed ends with the bits of the run that was never interrupted: weights, moments, running statistics,
 * averaged weights, schedule, random numbers and the order of the data. Of the present epoch the loss is complete, too; its
 * metrics cover the steps since then. A run that is stopped is saved where it stopped.
 *
 * <p>A checkpoint is one safetensors file, written beside its place, forced to disk, and then renamed: whatever
 * happens meanwhile, the one before it stays. It carries a checksum; a damaged one is skipped with a warning.
 *
 * @param everySteps saves after so many steps as well as after each epoch; 0 for epochs alone
 * @param keepLast how many are kept
 * @param best the number of an {@link Epoch} whose best checkpoint is kept as {@code best.safetensors}; null for none
 * @param resume whether {@link Trainer#fit} goes on from the newest good one, if there is one
 */
public record Checkpoints(
        Path directory,
        int everySteps,
        int keepLast,
        @Nullable String best,
        boolean resume) {
    private static final Logger LOG = LoggerFactory.getLogger(Checkpoints.class);
    private static final String PREFIX = "step-";
    private static final String SUFFIX = ".safetensors";

    public Checkpoints {
        if (everySteps < 0 || keepLast < 1) {
            throw new IllegalArgumentException(
                    "checkpoints every " + everySteps + " steps, of which " + keepLast + " are kept; at least 0 and 1");
        }
    }

    /** After each epoch, the last three kept. */
    public static Checkpoints in(Path directory) {
        return new Checkpoints(directory, 0, 3, null, false);
    }

    public Checkpoints everySteps(int steps) {
        return new Checkpoints(directory, steps, keepLast, best, resume);
    }

    public Checkpoints keepLast(int count) {
        return new Checkpoints(directory, everySteps, count, best, resume);
    }

    /** Keeps the best of all epochs, too, by a number such as {@code val_loss}. */
    public Checkpoints keepBest(String monitor) {
        return new Checkpoints(directory, everySteps, keepLast, monitor, resume);
    }

    /** Goes on from the newest good checkpoint in the directory, or from the start if there is none. */
    public Checkpoints resuming() {
        return new Checkpoints(directory, everySteps, keepLast, best, true);
    }

    /** The file of the best epoch. */
    public Path bestFile() {
        return directory.resolve("best" + SUFFIX);
    }

    // ---- files ----

    void save(Checkpoint checkpoint) {
        try {
            Files.createDirectories(directory);
            checkpoint.save(directory.resolve(PREFIX + String.format("%010d", checkpoint.step()) + SUFFIX));
            List<Path> newestFirst = newestFirst();
            for (Path old : newestFirst.subList(Math.min(keepLast, newestFirst.size()), newestFirst.size())) {
                Files.delete(old);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("no checkpoint could be written to " + directory, e);
        }
    }

    void saveBest(Checkpoint checkpoint) {
        try {
            Files.createDirectories(directory);
            checkpoint.save(bestFile());
        } catch (IOException e) {
            throw new UncheckedIOException("no checkpoint could be written to " + directory, e);
        }
    }

    /**
     * The newest that is whole.
     *
     * @return empty if there has never been one
     * @throws UncheckedIOException if there are some, but none that can be read
     */
    Optional<Checkpoint> newest() {
        try {
            ModelFormatException damaged = null;
            for (Path file : newestFirst()) {
                try {
                    return Optional.of(Checkpoint.load(file));
                } catch (ModelFormatException e) {
                    LOG.warn("{}; trying the checkpoint before it", e.getMessage());
                    damaged = e;
                }
            }
            if (damaged != null) {
                throw damaged;
            }
            return Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException("no checkpoint in " + directory + " can be read", e);
        }
    }

    private List<Path> newestFirst() throws IOException {
        List<Path> files = new ArrayList<>();
        try (Stream<Path> all = Files.list(directory)) {
            all.filter(f -> f.getFileName().toString().matches(PREFIX + "\\d+" + SUFFIX.replace(".", "\\.")))
                    .forEach(files::add);
        } catch (NoSuchFileException e) {
            return files; // nothing has been saved yet
        }
        files.sort(Comparator.comparing((Path f) -> f.getFileName().toString()).reversed());
        return files;
    }
}
