package dev.hadal.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run goes on from its last checkpoint, and ends as if it had never stopped. */
class ResumeTest {
    /** How often each run is killed; more in the long form. */
    private static final int KILLS = Integer.getInteger("hadal.test.kills", 5);

    private static final Backends JAVA = Backends.of(new JvmBackend()).withThreads(1);

    @TempDir
    Path dir;

    private static Map<String, Tensor> whole(String rule) {
        try (Trainer trainer = Killed.trainer(rule, JAVA)) {
            trainer.fit(Killed.data(), Fit.epochs(Killed.EPOCHS).augment(Killed.NOISE));
            return trainer.checkpoint().tensors();
        }
    }

    /** Killed at random instants, until it comes to its end; with the bits of the run that nobody killed. */
    @ParameterizedTest
    @ValueSource(strings = {"sgd", "adamw", "accumulation"})
    void aKilledRunEndsWithTheBitsOfOneThatWasNot(String rule) throws Exception {
        Philox random = new Philox(Long.getLong("hadal.test.seed", 1), 0);
        int kills = 0;
        Path done = dir.resolve("done.safetensors");
        Path never = Files.createDirectory(dir.resolve("never-killed"));
        Process unharmed = start(rule, never, 0);
        assertTrue(unharmed.waitFor(2, TimeUnit.MINUTES), "the run hangs");
        assertEquals(0, unharmed.exitValue(), () -> "the run failed, see " + never.resolve("log.txt"));
        while (!Files.exists(done)) {
            List<Path> before = files();
            Process process = start(rule, dir, 8);
            while (kills < KILLS && process.isAlive() && files().equals(before)) {
                Thread.sleep(1);
            }
            // The run has come to a step of its own, each of which takes about 10 ms, saving included.
            int wait = kills < KILLS ? random.below(1 + 400 / KILLS, kills) : 120_000;
            if (!process.waitFor(wait, TimeUnit.MILLISECONDS)) {
                assertTrue(kills < KILLS, "the run hangs");
                process.destroyForcibly().waitFor();
                kills++;
            } else {
                assertEquals(0, process.exitValue(), () -> "the run failed, see " + dir.resolve("log.txt"));
            }
        }
        assertEquals(
                Checkpoint.load(never.resolve("done.safetensors")).tensors(),
                Checkpoint.load(done).tensors(),
                "after " + kills + " kills");
        assertEquals(KILLS, kills, "the run came to its end before it was killed as often");
    }

    private static Process start(String rule, Path directory, int pause) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Dhadal.backend=java",
                "-cp",
                System.getProperty("java.class.path"),
                Killed.class.getName(),
                rule,
                directory.toString(),
                String.valueOf(pause)));
        Path log = directory.resolve("log.txt");
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
    }

    /** Stopped after any number of steps, in the middle of an epoch or at its end. */
    @Test
    void aStoppedRunGoesOn() {
        Map<String, Tensor> expected = whole("adamw");
        for (int stop : new int[] {1, 8, 9, 10, 31, 53}) {
            Path directory = dir.resolve("stop" + stop);
            try (Trainer trainer = Killed.trainer("adamw", JAVA)) {
                trainer.fit(Killed.data(), Killed.fit(directory).stopWhen(() -> trainer.steps() >= stop));
                assertEquals(stop, trainer.steps());
            }
            try (Trainer trainer = Killed.trainer("adamw", JAVA)) {
                List<Epoch> history = trainer.fit(Killed.data(), Killed.fit(directory));
                assertEquals(expected, trainer.checkpoint().tensors(), "stopped after " + stop);
                assertEquals(Killed.EPOCHS, history.size());
                assertEquals(Killed.EPOCHS, history.get(Killed.EPOCHS - 1).number());
            }
        }
    }

    @Test
    void aDamagedCheckpointIsPassedOver() throws IOException {
        try (Trainer trainer = Killed.trainer("sgd", JAVA)) {
            trainer.fit(Killed.data(), Killed.fit(dir).stopWhen(() -> trainer.steps() >= 4));
        }
        List<Path> files = files();
        assertEquals(2, files.size(), files.toString());
        byte[] newest = Files.readAllBytes(files.get(1));
        newest[newest.length / 2] ^= 4;
        Files.write(files.get(1), newest);
        try (Trainer trainer = Killed.trainer("sgd", JAVA)) {
            trainer.fit(Killed.data(), Killed.fit(dir));
            assertEquals(whole("sgd"), trainer.checkpoint().tensors());
        }
        for (Path file : files()) {
            Files.write(file, "cut".getBytes(StandardCharsets.UTF_8));
        }
        try (Trainer trainer = Killed.trainer("sgd", JAVA)) {
            UncheckedIOException e =
                    assertThrows(UncheckedIOException.class, () -> trainer.fit(Killed.data(), Killed.fit(dir)));
            assertTrue(String.valueOf(e.getMessage()).contains("no checkpoint in " + dir), e.getMessage());
        }
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> all = Files.list(dir)) {
            return all.filter(f -> f.toString().endsWith(".safetensors"))
                    .sorted()
                    .toList();
        }
    }

    /** A batch's number means nothing where batches are others. */
    @Test
    void otherBatchesAreRefusedAndTheCountGoesOn() {
        Fit small = Killed.fit(dir).batching(b -> b.size(10));
        try (Trainer trainer = Killed.trainer("sgd", JAVA)) {
            trainer.fit(Killed.data(), small.stopWhen(() -> trainer.steps() >= 4));
        }
        try (Trainer trainer = Killed.trainer("sgd", JAVA)) {
            String message = String.valueOf(
                    assertThrows(IllegalArgumentException.class, () -> trainer.fit(Killed.data(), Killed.fit(dir)))
                            .getMessage());
            assertTrue(message.contains("has 9 batches, but the checkpoint's had 17"), message);
            List<Integer> seen = new ArrayList<>();
            trainer.fit(Killed.data(), small.listener(new Listener() {
                @Override
                public void onStep(Progress progress) {
                    seen.add(progress.samples());
                }
            }));
            assertEquals(50, seen.get(0));
        }
    }

    @Test
    void theBestEpochIsKeptAndACheckpointIsAModel() throws IOException {
        Dataset data = Killed.data();
        try (Trainer trainer = Killed.trainer("adamw", JAVA)) {
            Checkpoints checkpoints = Checkpoints.in(dir).keepBest("val_loss");
            List<Epoch> history =
                    trainer.fit(data.take(40), Fit.epochs(12).validateOn(data).checkpoints(checkpoints));
            Epoch best = history.stream()
                    .min((a, b) -> Double.compare(a.validationLoss(), b.validationLoss()))
                    .orElseThrow();
            Checkpoint kept = Checkpoint.load(checkpoints.bestFile());
            assertEquals(2L * best.number(), kept.step());
            assertEquals(4, files().size());
            Model model = Model.load(checkpoints.bestFile());
            assertEquals(kept.model().values(), model.values());
            try (Trainer other = Trainer.of(model).backends(JAVA).build()) {
                assertEquals(
                        best.validationLoss(),
                        Objects.requireNonNull(other.evaluate(data).get("loss")),
                        1e-6);
            }
        }
    }

    @Test
    void anotherRunsCheckpointIsRefused() throws IOException {
        Checkpoint checkpoint;
        try (Trainer trainer = Killed.trainer("sgd", JAVA)) {
            checkpoint = trainer.checkpoint();
        }
        try (Trainer trainer = Killed.trainer("adamw", JAVA)) {
            Map<String, Tensor> before = trainer.checkpoint().tensors();
            String message =
                    String.valueOf(assertThrows(IllegalArgumentException.class, () -> trainer.resume(checkpoint))
                            .getMessage());
            assertTrue(message.contains("another network or optimizer"), message);
            Checkpoint without = trainer.checkpoint();
            trainer.step(
                    Killed.data().batch(0, 1, 2).x(),
                    Killed.data().batch(0, 1, 2).target());
            before.clear();
            before.putAll(trainer.checkpoint().tensors());
            without.facts().remove("planned_steps");
            assertThrows(IllegalArgumentException.class, () -> trainer.resume(without));
            assertEquals(before, trainer.checkpoint().tensors());
        }
        try (Trainer trainer = Killed.trainer("accumulation", JAVA)) {
            String message =
                    String.valueOf(assertThrows(IllegalArgumentException.class, () -> trainer.resume(checkpoint))
                            .getMessage());
            assertTrue(message.contains("this run has micro_batch 7, but the checkpoint's had 20"), message);
        }
        Path model = dir.resolve("model.safetensors");
        checkpoint.model().save(model);
        assertTrue(String.valueOf(assertThrows(dev.hadal.model.ModelFormatException.class, () -> Checkpoint.load(model))
                        .getMessage())
                .contains("is no checkpoint"));
    }
}
