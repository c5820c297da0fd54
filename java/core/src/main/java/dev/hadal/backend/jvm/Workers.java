package dev.hadal.backend.jvm;

import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Hadal's own threads for the loops inside kernels: daemons, started when first needed, shared by all sessions. They run
 * one loop at a time. A caller that finds them busy, as another session or as one of them, runs its loop alone, so that
 * nobody ever waits for a thread that waits.
 */
final class Workers {
    private static final Workers SHARED = new Workers(Runtime.getRuntime().availableProcessors());
    private static final long SPIN_NANOS = 50_000;
    private static final int SPINS_PER_LOOK = 32;

    /** The body of a loop. */
    interface Body {
        /**
         * Runs one task of the loop.
         *
         * @param lane which thread of the loop this is, from 0 on; what scratch that thread uses is chosen by it
         */
        void run(int task, int lane);
    }

    private final Worker[] helpers;
    private int started;
    private final AtomicBoolean busy = new AtomicBoolean();

    // The loop that runs. Offering it to a worker publishes the plain fields.
    private @Nullable Body body;
    private int tasks;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    /** For at most that many threads, callers included. */
    Workers(int threads) {
        helpers = new Worker[threads - 1];
    }

    static Workers shared() {
        return SHARED;
    }

    /** The most threads that a loop gets. */
    int threads() {
        return helpers.length + 1;
    }

    /**
     * Runs the tasks 0 … tasks − 1, on up to that many threads, of which the caller is one, and returns when all are
     * done. Allocates nothing. Which thread runs a task is left to chance, so a task's result must not depend on it.
     * What a task throws, the caller gets; tasks not yet begun are then left out.
     */
    void forEach(int tasks, int threads, Body body) {
        int wanted = Math.min(Math.min(tasks, threads), threads()) - 1;
        if (wanted <= 0 || !busy.compareAndSet(false, true)) {
            for (int task = 0; task < tasks; task++) {
                body.run(task, 0);
            }
            return;
        }
        Throwable thrown;
        try {
            start(wanted);
            this.body = body;
            this.tasks = tasks;
            next.set(0);
            for (int i = 0; i < wanted; i++) {
                helpers[i].offer();
            }
            work(body, tasks, 0);
            for (int i = 0; i < wanted; i++) {
                helpers[i].finish();
            }
            thrown = failure.getAndSet(null);
        } finally {
            busy.set(false);
        }
        if (thrown instanceof Error error) {
            throw error;
        } else if (thrown instanceof RuntimeException exception) {
            throw exception;
        }
    }

    private void start(int wanted) {
        for (; started < wanted; started++) {
            helpers[started] = new Worker(started + 1);
        }
    }

    private void work(Body body, int tasks, int lane) {
        try {
            for (int task = next.getAndIncrement(); task < tasks; task = next.getAndIncrement()) {
                body.run(task, lane);
            }
        } catch (RuntimeException | Error e) {
            failure.compareAndSet(null, e);
            next.set(tasks);
        }
    }

    /** One thread: it spins for a moment after each loop, as the next is often near, and then sleeps. */
    private final class Worker implements Runnable {
        private static final int IDLE = 0;
        private static final int OFFERED = 1;
        private static final int RUNNING = 2;

        private final int lane;
        private final AtomicInteger state = new AtomicInteger(IDLE);
        private final Thread thread;
        private volatile boolean asleep;
        private volatile @Nullable Thread waiting;

        Worker(int lane) {
            this.lane = lane;
            thread = new Thread(null, this, "hadal-java-" + lane);
            thread.setDaemon(true);
            thread.setContextClassLoader(null);
            thread.start();
        }

        void offer() {
            state.set(OFFERED);
            if (asleep) {
                LockSupport.unpark(thread);
            }
        }

        /** Withdraws the offer if the worker has not come to it yet; else waits until it is done. */
        void finish() {
            if (state.compareAndSet(OFFERED, IDLE)) {
                return;
            }
            long start = System.nanoTime();
            while (state.get() != IDLE && System.nanoTime() - start < SPIN_NANOS) {
                spin();
            }
            if (state.get() != IDLE) {
                waiting = Thread.currentThread();
                while (state.get() != IDLE) {
                    LockSupport.park(this);
                }
                waiting = null;
            }
        }

        @Override
        public void run() {
            while (true) {
                await();
                if (state.compareAndSet(OFFERED, RUNNING)) {
                    work(Objects.requireNonNull(body), tasks, lane);
                    state.set(IDLE);
                    LockSupport.unpark(waiting);
                }
            }
        }

        private void await() {
            long start = System.nanoTime();
            while (state.get() != OFFERED && System.nanoTime() - start < SPIN_NANOS) {
                spin();
            }
            asleep = true;
            while (state.get() != OFFERED) {
                LockSupport.park(this);
            }
            asleep = false;
        }

        private static void spin() {
            for (int i = 0; i < SPINS_PER_LOOK; i++) {
                Thread.onSpinWait();
            }
        }
    }
}
