package dev.hadal.backend.jvm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class WorkersTest {
    private final Workers workers = new Workers(4);

    @Test
    void runsEachTaskOnceInLanesOfTheirOwn() {
        for (int tasks = 0; tasks < 50; tasks++) {
            AtomicIntegerArray runs = new AtomicIntegerArray(tasks);
            AtomicIntegerArray inside = new AtomicIntegerArray(3);
            workers.forEach(tasks, 3, (task, lane) -> {
                assertEquals(1, inside.incrementAndGet(lane), "two threads in lane " + lane);
                runs.incrementAndGet(task);
                Thread.onSpinWait();
                inside.decrementAndGet(lane);
            });
            for (int i = 0; i < tasks; i++) {
                assertEquals(1, runs.get(i));
            }
        }
    }

    @Test
    void usesSeveralThreads() {
        CountDownLatch together = new CountDownLatch(4);
        workers.forEach(4, 4, (task, lane) -> {
            together.countDown();
            await(together);
        });
    }

    @Test
    void whatIsWrittenInATaskIsSeenAfterTheLoop() {
        int[] plain = new int[64];
        Workers.Body body = (task, lane) -> plain[task]++;
        for (int round = 1; round <= 20_000; round++) {
            workers.forEach(plain.length, 2, body);
            for (int seen : plain) {
                assertEquals(round, seen);
            }
        }
    }

    @Test
    void aLoopInALoopRunsWhereItIs() {
        AtomicInteger sum = new AtomicInteger();
        workers.forEach(
                8,
                4,
                (task, lane) -> workers.forEach(8, 4, (inner, innerLane) -> {
                    assertEquals(0, innerLane);
                    sum.incrementAndGet();
                }));
        assertEquals(64, sum.get());
    }

    @Test
    void manyCallersShareThem() throws Exception {
        ExecutorService callers = Executors.newFixedThreadPool(6);
        try {
            List<Callable<Integer>> calls = new ArrayList<>();
            for (int c = 0; c < 6; c++) {
                calls.add(() -> {
                    AtomicInteger sum = new AtomicInteger();
                    Workers.Body body = (task, lane) -> sum.addAndGet(task);
                    for (int round = 0; round < 5_000; round++) {
                        workers.forEach(round % 9, 4, body);
                    }
                    return sum.get();
                });
            }
            List<Future<Integer>> sums = callers.invokeAll(calls);
            for (Future<Integer> sum : sums) {
                assertEquals(sums.get(0).get(), sum.get());
            }
        } finally {
            callers.shutdownNow();
        }
    }

    @Test
    void whatATaskThrowsReachesTheCaller() {
        for (int culprit = 0; culprit < 8; culprit++) {
            IllegalStateException thrown = new IllegalStateException("task " + culprit);
            int task = culprit;
            Workers.Body body = (t, lane) -> {
                if (t == task) {
                    throw thrown;
                }
            };
            assertSame(thrown, assertThrows(IllegalStateException.class, () -> workers.forEach(8, 4, body)));
        }
        AtomicInteger runs = new AtomicInteger();
        workers.forEach(8, 4, (task, lane) -> runs.incrementAndGet());
        assertEquals(8, runs.get(), "a failed loop must not harm the next");
    }

    @Test
    void allocatesNothing() {
        Workers.Body body = (task, lane) -> Thread.onSpinWait();
        workers.forEach(4, 4, body);
        long[] threads = Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("hadal-java") || t == Thread.currentThread())
                .mapToLong(Thread::getId)
                .toArray();
        long allocated = Long.MAX_VALUE;
        for (int attempt = 0; attempt < 5 && allocated > 0; attempt++) {
            long before = allocatedBy(threads);
            for (int round = 0; round < 10_000; round++) {
                workers.forEach(4, 4, body);
            }
            allocated = allocatedBy(threads) - before;
        }
        assertTrue(allocated < 10_000, allocated + " bytes in 10,000 loops");
    }

    private static long allocatedBy(long[] threads) {
        return Arrays.stream(((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean())
                        .getThreadAllocatedBytes(threads))
                .sum();
    }

    @Test
    void idleThreadsSleep() throws InterruptedException {
        workers.forEach(4, 4, (task, lane) -> Thread.onSpinWait());
        Thread.sleep(200);
        assertTrue(
                Thread.getAllStackTraces().keySet().stream()
                        .filter(t -> t.getName().startsWith("hadal-java"))
                        .allMatch(t -> t.getState() == Thread.State.WAITING && t.isDaemon()),
                "every idle worker waits");
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(60, TimeUnit.SECONDS), "the other threads never came");
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
