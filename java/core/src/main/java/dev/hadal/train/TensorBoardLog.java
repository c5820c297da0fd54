package dev.hadal.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Writes what TensorBoard shows: {@code step/loss}, {@code step/rate} and {@code step/gradient_norm} after each step,
 * and each number of an {@link Epoch} as {@code epoch/…}, all by the trainer's count of steps. Each training run is a
 * file of its own; give each a directory of its own to see them apart.
 */
final class TensorBoardLog implements Listener {
    private static final long FLUSH_NANOS = TimeUnit.SECONDS.toNanos(2);

    private final Path directory;
    private @Nullable EventFile file;
    private long lastFlush;

    TensorBoardLog(Path directory) {
        this.directory = directory;
    }

    private interface Writing {
        void run() throws IOException;
    }

    private void write(Writing writing) {
        try {
            writing.run();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write events for TensorBoard to " + directory, e);
        }
    }

    private static double now() {
        return System.currentTimeMillis() / 1000.0;
    }

    @Override
    public void onTrainStart(Progress progress) {
        write(() -> file = open());
    }

    /** TensorBoard knows its files by "tfevents", and takes them in the order of their names. */
    private EventFile open() throws IOException {
        Files.createDirectories(directory);
        double now = now();
        for (int other = 0; ; other++) {
            try {
                return new EventFile(
                        directory.resolve(String.format("events.out.tfevents.%010d.hadal.%d", (long) now, other)), now);
            } catch (FileAlreadyExistsException sameSecond) {
                // The next number is tried.
            }
        }
    }

    @Override
    public void onStep(Progress progress) {
        Trainer trainer = progress.trainer();
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("step/" + Epoch.LOSS, (double) trainer.loss());
        values.put("step/" + Epoch.RATE, trainer.rate());
        values.put("step/" + Epoch.GRADIENT_NORM, (double) trainer.gradientNorm());
        write(() -> {
            file().scalars(now(), trainer.steps(), values);
            if (System.nanoTime() - lastFlush > FLUSH_NANOS) {
                flush();
            }
        });
    }

    @Override
    public void onEpoch(Progress progress, Epoch epoch) {
        Map<String, Double> values = new LinkedHashMap<>();
        epoch.values().forEach((name, value) -> values.put("epoch/" + name, value));
        write(() -> {
            file().scalars(now(), progress.trainer().steps(), values);
            flush();
        });
    }

    private void flush() throws IOException {
        file().flush();
        lastFlush = System.nanoTime();
    }

    private EventFile file() {
        return Objects.requireNonNull(file, "onTrainStart comes first");
    }

    @Override
    public void onTrainEnd(Progress progress) {
        if (file != null) {
            write(file()::close);
            file = null;
        }
    }
}
