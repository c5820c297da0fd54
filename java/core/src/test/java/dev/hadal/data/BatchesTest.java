package dev.hadal.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BatchesTest {

    @AfterEach
    void everyThreadHasEnded() {
        assertEquals(List.of(), dataThreads());
    }

    private static List<Thread> dataThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("hadal-data"))
                .toList();
    }

    @Test
    void givesEverySampleInOrderAndAShortLastBatch() {
        try (Batches batches = Batching.of(4).open(DatasetTest.counting(10))) {
            assertEquals(3, batches.batchesPerEpoch());
            assertEquals(10, batches.samplesPerEpoch());
            batches.startEpoch(0);
            for (int b = 0; b < 3; b++) {
                assertTrue(batches.hasNext());
                assertEquals(b, batches.nextIndex());
                Batch batch = batches.next();
                assertEquals(b < 2 ? 4 : 2, batch.size());
                assertEquals(Shape.of(batch.size(), 1), batch.x().shape());
                assertEquals(Shape.of(batch.size()), batch.target().shape());
                for (int i = 0; i < batch.size(); i++) {
                    assertEquals(4 * b + i, batch.x().floats()[i]);
                    assertEquals((4 * b + i) % 3, batch.target().ints()[i]);
                }
            }
            assertFalse(batches.hasNext());
            assertThrows(NoSuchElementException.class, batches::next);
        }
    }

    @Test
    void theShortLastBatchCanBeDropped() {
        try (Batches batches = Batching.of(4).dropLast(true).open(DatasetTest.counting(10))) {
            assertEquals(2, batches.batchesPerEpoch());
            assertEquals(8, batches.samplesPerEpoch());
            assertEquals(8, values(batches, 0).size());
        }
        Batching batching = Batching.of(4).dropLast(true);
        assertThrows(IllegalArgumentException.class, () -> batching.open(DatasetTest.counting(3)));
    }

    @Test
    void noSamplesMakeAnEpochWithoutBatches() {
        try (Batches batches = Batching.of(4).open(DatasetTest.counting(0))) {
            batches.startEpoch(0);
            assertFalse(batches.hasNext());
        }
    }

    @Test
    void aShuffleIsAPermutationThatSeedAndEpochDecide() {
        Batching batching = Batching.of(7).seed(1).shuffled(true);
        try (Batches batches = batching.open(DatasetTest.counting(100));
                Batches other = batching.seed(2).open(DatasetTest.counting(100))) {
            List<Float> first = values(batches, 0), second = values(batches, 1);
            assertEquals(100, new HashSet<>(first).size());
            assertEquals(100, new HashSet<>(second).size());
            assertNotEquals(first, second);
            assertEquals(first, values(batches, 0));
            assertNotEquals(first, values(other, 0));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void threadsDoNotChangeTheSequence(int threads) {
        for (int seed = 0; seed < 20; seed++) {
            Philox random = new Philox(seed, 0);
            Dataset data = images(1 + random.below(200, 0));
            Batching batching = Batching.of(1 + random.below(40, 1))
                    .seed(seed)
                    .shuffled(random.below(2, 2) == 1)
                    .augmentation(Augmentation.shift(2, -1)
                            .then(Augmentation.flip())
                            .then(Augmentation.affine().rotate(20).scale(0.8, 1.2))
                            .then(Augmentation.erase(0.5, 0))
                            .then(Augmentation.noise(0.1)));
            try (Batches plain = batching.threads(0).open(data);
                    Batches ahead = batching.threads(threads).open(data)) {
                for (int epoch = 0; epoch < 3; epoch++) {
                    plain.startEpoch(epoch);
                    ahead.startEpoch(epoch);
                    while (plain.hasNext()) {
                        assertEquals(plain.next(), ahead.next(), "seed " + seed + ", epoch " + epoch);
                    }
                    assertFalse(ahead.hasNext());
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void resumesAnywhere(int threads) {
        Dataset data = images(50);
        Batching batching =
                Batching.of(8).seed(3).shuffled(true).threads(threads).augmentation(Augmentation.shift(1));
        List<List<Float>> whole = new ArrayList<>();
        try (Batches batches = batching.open(data)) {
            batches.startEpoch(5);
            while (batches.hasNext()) {
                whole.add(list(batches.next()));
            }
        }
        for (int start = 0; start <= whole.size(); start++) {
            try (Batches batches = batching.open(data)) {
                batches.startEpoch(2);
                batches.next(); // leaves an epoch in its middle
                batches.startEpoch(5, start);
                assertEquals(5, batches.epoch());
                List<List<Float>> tail = new ArrayList<>();
                while (batches.hasNext()) {
                    assertEquals(start + tail.size(), batches.nextIndex());
                    tail.add(list(batches.next()));
                }
                assertEquals(whole.subList(start, whole.size()), tail);
            }
        }
    }

    @Test
    void augmentationIsSeenAndDiffersByEpoch() {
        float[] pixels = new float[100 * 49];
        for (int i = 0; i < 100; i++) {
            pixels[i * 49 + 24] = 1; // the centre
        }
        Dataset data = Dataset.of(Tensor.of(Shape.of(100, 1, 7, 7), pixels), 1, new int[100]);
        try (Batches batches =
                Batching.of(100).augmentation(Augmentation.shift(2, 0)).open(data)) {
            List<Float> first = values(batches, 0), second = values(batches, 1);
            assertNotEquals(first, second);
            assertEquals(100, first.stream().filter(v -> v == 1).count(), "every image still has its pixel");
            assertEquals(first, values(batches, 0));
            double mean = 0;
            for (int at = 0; at < first.size(); at++) {
                mean += first.get(at) * (at % 7 - 3) / 100;
            }
            assertEquals(0, mean, 0.6); // four deviations of √(2/100)
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void aBatchStaysUntilTheNext(int threads) throws InterruptedException {
        try (Batches batches = Batching.of(2).threads(threads).open(DatasetTest.counting(101))) {
            batches.startEpoch(0);
            for (int b = 0; b < 20; b++) {
                Batch batch = batches.next();
                List<Float> before = list(batch);
                Thread.sleep(2); // the threads fill all that they may
                assertEquals(before, list(batch));
                assertEquals(List.of(2f * b, 2f * b + 1), before);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3})
    void whatTheSourceThrowsReachesTheCallerInItsPlace(int threads) {
        UncheckedIOException broken = new UncheckedIOException(new NoSuchFileException("cat.png"));
        Dataset data = new Source(20) {
            @Override
            public void read(int index, Row row) {
                if (index == 9) {
                    throw broken;
                }
                super.read(index, row);
            }
        };
        try (Batches batches = Batching.of(4).threads(threads).open(data)) {
            for (int epoch = 0; epoch < 2; epoch++) {
                batches.startEpoch(epoch);
                assertEquals(List.of(0f, 1f, 2f, 3f), list(batches.next()));
                assertEquals(List.of(4f, 5f, 6f, 7f), list(batches.next()));
                SampleException e = assertThrows(SampleException.class, batches::next);
                assertSame(broken, e.getCause());
                assertEquals(9, e.index());
                assertEquals("sample 9: " + broken, e.getMessage());
                assertEquals(List.of(12f, 13f, 14f, 15f), list(batches.next()));
            }
        }
    }

    @Test
    void errorsAndAugmentationsAreNoDifferent() {
        Augmentation fails = sample -> {
            throw new AssertionError("no");
        };
        try (Batches batches = Batching.of(4).augmentation(fails).open(DatasetTest.counting(5))) {
            batches.startEpoch(0);
            SampleException e = assertThrows(SampleException.class, batches::next);
            assertInstanceOf(AssertionError.class, e.getCause());
            assertEquals(0, e.index());
        }
    }

    @Test
    void aLabelOutOfRangeIsNamed() {
        Dataset data = new Source(20) {
            @Override
            public void read(int index, Row row) {
                row.set(X, index);
                row.set(TARGET, index == 6 ? 3 : 0);
            }
        };
        try (Batches batches = Batching.of(20).open(data)) {
            batches.startEpoch(0);
            SampleException e = assertThrows(SampleException.class, batches::next);
            assertEquals(6, e.index());
            assertEquals(
                    "sample 6: java.lang.IllegalArgumentException: the class in target is 3, outside 0…2",
                    e.getMessage());
        }
    }

    @Test
    void onlyRealNumbersAreAugmented() {
        Dataset tokens = Dataset.of(Tensor.of(Shape.of(2, 3), new int[6]), Tensor.of(Shape.of(2), 0f, 1));
        Batching flipped = Batching.of(1).augmentation(Augmentation.flip());
        assertThrows(IllegalArgumentException.class, () -> flipped.open(tokens));
        try (Batches batches = Batching.of(2).open(tokens)) {
            batches.startEpoch(0);
            assertEquals(tokens.batch(0, 1), batches.next());
        }
    }

    @Test
    void closingEndsTheThreadsAndAllUse() {
        Batches batches = Batching.of(2).threads(3).open(DatasetTest.counting(1000));
        assertEquals(3, dataThreads().size());
        assertTrue(dataThreads().stream().allMatch(Thread::isDaemon));
        batches.startEpoch(0);
        batches.next();
        batches.close();
        assertEquals(List.of(), dataThreads());
        assertThrows(IllegalStateException.class, batches::next);
        assertThrows(IllegalStateException.class, batches::hasNext);
        assertThrows(IllegalStateException.class, () -> batches.startEpoch(0));
        batches.close();
    }

    @Test
    void closingWakesACallerThatWaits() throws InterruptedException {
        SlowSource data = new SlowSource();
        Batches batches = Batching.of(2).open(data);
        batches.startEpoch(0);
        List<Throwable> thrown = new ArrayList<>();
        Thread caller = new Thread(() -> thrown.add(assertThrows(IllegalStateException.class, batches::next)));
        caller.start();
        data.reading.await();
        Thread closer = new Thread(batches::close);
        closer.start();
        caller.join();
        assertEquals("these batches are closed", thrown.get(0).getMessage());
        assertTrue(closer.isAlive(), "close waits for the sample that is being read");
        data.mayEnd.countDown();
        closer.join();
    }

    @Test
    void interruptingACallerThatWaitsCancelsItsWait() throws InterruptedException {
        SlowSource data = new SlowSource();
        try (Batches batches = Batching.of(2).open(data)) {
            batches.startEpoch(0);
            Thread.currentThread().interrupt();
            assertThrows(CancellationException.class, batches::next);
            assertTrue(Thread.interrupted());
            assertTrue(batches.hasNext());
            data.mayEnd.countDown();
            assertEquals(List.of(0f, 1f), list(batches.next()), "nothing was lost");
            Thread.currentThread().interrupt();
        }
        assertTrue(Thread.interrupted(), "close leaves the interrupt for others");
    }

    @Test
    void misuseIsNamed() {
        try (Batches batches = Batching.of(2).open(DatasetTest.counting(5))) {
            assertThrows(IllegalStateException.class, batches::hasNext);
            assertThrows(IllegalStateException.class, batches::next);
            assertThrows(IllegalStateException.class, batches::epoch);
            assertThrows(IllegalArgumentException.class, () -> batches.startEpoch(-1));
            assertThrows(IllegalArgumentException.class, () -> batches.startEpoch(0, 4));
        }
        assertThrows(IllegalArgumentException.class, () -> Batching.of(0));
        assertThrows(IllegalArgumentException.class, () -> Batching.of(1).threads(-1));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void aSteadyStateMakesNoGarbage(int threads) {
        Dataset data = images(640).normalized(Normalization.learn(images(640))).take(630);
        Augmentation augmentation = Augmentation.shift(2)
                .then(Augmentation.flip())
                .then(Augmentation.rotate(10))
                .then(Augmentation.erase(0.5, 0))
                .then(Augmentation.contrast(0.1))
                .then(Augmentation.noise(0.1));
        Batching batching = Batching.of(32)
                .shuffled(true)
                .threads(threads)
                .augmentation(augmentation)
                .batchAugmentation(BatchAugmentation.either(BatchAugmentation.mixup(0.2), BatchAugmentation.cutmix(1)));
        try (Batches batches = batching.open(data)) {
            for (int epoch = 0; epoch < 30; epoch++) {
                values(batches, epoch);
            }
            int epochs = 20;
            long before = allocated();
            for (int epoch = 0; epoch < epochs; epoch++) {
                batches.startEpoch(epoch);
                while (batches.hasNext()) {
                    batches.next();
                }
            }
            long perBatch = (allocated() - before) / epochs / batches.batchesPerEpoch();
            assertTrue(perBatch < 200, () -> perBatch + " bytes per batch");
        }
    }

    /** By this thread and all that read data. */
    private static long allocated() {
        ThreadMXBean bean = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long sum = 0;
        for (Thread thread : dataThreads()) {
            sum += bean.getThreadAllocatedBytes(thread.getId());
        }
        return sum + bean.getCurrentThreadAllocatedBytes();
    }

    private static List<Float> values(Batches batches, int epoch) {
        List<Float> values = new ArrayList<>();
        batches.startEpoch(epoch);
        while (batches.hasNext()) {
            values.addAll(list(batches.next()));
        }
        return values;
    }

    private static List<Float> list(Batch batch) {
        List<Float> list = new ArrayList<>();
        for (float value : batch.x().floats()) {
            list.add(value);
        }
        return list;
    }

    /** Images [2,6,5] of random pixels. */
    private static Dataset images(int count) {
        Philox random = new Philox(7, 0);
        float[] x = new float[count * 60];
        int[] labels = new int[count];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.uniform(i);
            labels[i / 60] = random.below(10, i);
        }
        return Dataset.of(Tensor.of(Shape.of(count, 2, 6, 5), x), 10, labels);
    }

    /** A user's own source: sample i has the value i. */
    private static class Source implements Dataset {
        private final int size;

        Source(int size) {
            this.size = size;
        }

        @Override
        public int size() {
            return size;
        }

        @Override
        public List<Field> fields() {
            return List.of(Field.floats(X, Shape.of(1)), Field.labels(TARGET, Shape.SCALAR, 3));
        }

        @Override
        public void read(int index, Row row) {
            row.set(X, index);
            row.set(TARGET, index % 3);
        }
    }

    /** Reads its first sample until it may end. */
    private static final class SlowSource extends Source {
        final CountDownLatch reading = new CountDownLatch(1);
        final CountDownLatch mayEnd = new CountDownLatch(1);

        SlowSource() {
            super(10);
        }

        @Override
        public void read(int index, Row row) {
            reading.countDown();
            try {
                mayEnd.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            super.read(index, row);
        }
    }
}
