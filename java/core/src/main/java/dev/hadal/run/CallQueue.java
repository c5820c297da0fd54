package dev.hadal.run;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Through here all calls of a {@link Predictor} come and go: those that run in their caller's thread are only counted,
 * the others wait for one of a few worker threads. When this is closed no call comes in any more, and once the last has
 * left, all is over.
 */
final class CallQueue {
    private static final AtomicInteger WORKERS = new AtomicInteger();
    private static final long IDLE_SECONDS = 10;

    private final int length;
    private final int workers;
    private final int most;
    private final long delay;
    private final Server server;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final Condition more = lock.newCondition();
    private final Condition over = lock.newCondition();
    private final Deque<Call<?>> waiting = new ArrayDeque<>();
    /** Those that wait and those that run. */
    private int calls;

    private int samples;
    private int threads;
    private int idle;
    /** Whether a worker is putting a batch together; no other takes calls meanwhile. */
    private boolean collecting;

    private boolean closed;
    private boolean ended;

    /** Whose queue it is. */
    interface Server {
        /** Answers calls; throws nothing. */
        void answer(List<Call<?>> calls);

        /** Called once, when the queue is closed and the last call has left. */
        void end();
    }

    /**
     * An empty queue.
     *
     * @param length how many calls may wait
     * @param workers how many threads serve them
     * @param most how many samples are collected; 0 for each call alone
     * @param delay how long a call waits for others, in nanoseconds
     * @param server answers calls
     */
    CallQueue(int length, int workers, int most, long delay, Server server) {
        this.length = length;
        this.workers = workers;
        this.most = most;
        this.delay = delay;
        this.server = server;
    }

    /** One of this queue's threads. They are not kept when idle, so that a predictor that is forgotten becomes garbage. */
    private final class Worker extends Thread {
        Worker() {
            super("hadal-predictor-" + WORKERS.incrementAndGet());
            setDaemon(true);
        }

        CallQueue queue() {
            return CallQueue.this;
        }

        @Override
        public void run() {
            try {
                for (List<Call<?>> batch = take(); !batch.isEmpty(); batch = take()) {
                    interrupted(); // if a function of a caller did that, it is not meant for the next call
                    try {
                        server.answer(batch);
                    } finally {
                        leave(batch.size());
                    }
                }
            } finally {
                workerEnds();
            }
        }
    }

    /** Whether this thread is one of the workers: it must not wait for itself. */
    boolean isWorker() {
        return Thread.currentThread() instanceof Worker worker && worker.queue() == this;
    }

    // ---- in and out ----

    /**
     * A call begins in the caller's own thread.
     *
     * @throws IllegalStateException if this is closed
     */
    void enter() {
        lock.lock();
        try {
            requireOpen();
            calls++;
        } finally {
            lock.unlock();
        }
    }

    /** So many calls are over. */
    void leave(int count) {
        lock.lock();
        try {
            calls -= count;
            endIfLast();
        } finally {
            lock.unlock();
        }
    }

    /**
     * A call waits for a worker.
     *
     * @throws IllegalStateException if this is closed
     * @throws UnansweredException.QueueFull if as many as may are waiting
     */
    void add(Call<?> call) {
        lock.lock();
        try {
            requireOpen();
            if (waiting.size() >= length) {
                dropAbandoned();
                if (waiting.size() >= length) {
                    throw new UnansweredException.QueueFull(waiting.size());
                }
            }
            waiting.add(call);
            samples += call.n;
            calls++;
            try {
                wake();
            } catch (RuntimeException | Error e) { // there is no thread, and none can be had
                waiting.removeLast();
                samples -= call.n;
                calls--;
                throw e;
            }
        } finally {
            lock.unlock();
        }
    }

    /** How many calls wait. */
    int waiting() {
        lock.lock();
        try {
            return waiting.size();
        } finally {
            lock.unlock();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw closed();
        }
    }

    private static IllegalStateException closed() {
        return new IllegalStateException("the predictor is closed");
    }

    /** Forgets calls whose callers no longer wait. */
    private void dropAbandoned() {
        waiting.removeIf(call -> {
            boolean abandoned = call.future.isDone();
            if (abandoned) {
                samples -= call.n;
                calls--;
            }
            return abandoned;
        });
    }

    private void endIfLast() {
        if (closed && calls == 0 && !ended) {
            ended = true;
            try {
                server.end();
            } finally {
                over.signalAll();
            }
        }
    }

    /**
     * Lets no call in from now on, and waits until those that are in have been answered. An interrupt makes it refuse
     * those that wait; it still waits for those that run. A worker, which is answering a call, does not wait.
     */
    void close() {
        lock.lock();
        try {
            closed = true;
            work.signalAll();
            more.signalAll();
            endIfLast();
        } finally {
            lock.unlock();
        }
        boolean interrupted = false;
        while (!isWorker() && !awaitEnd()) {
            interrupted = true;
            refuseWaiting();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** False if this thread was interrupted before. */
    private boolean awaitEnd() {
        lock.lock();
        try {
            while (!ended) {
                over.await();
            }
            return true;
        } catch (InterruptedException e) {
            return false;
        } finally {
            lock.unlock();
        }
    }

    private void refuseWaiting() {
        List<Call<?>> refused;
        lock.lock();
        try {
            refused = new ArrayList<>(waiting);
            waiting.clear();
            samples = 0;
        } finally {
            lock.unlock();
        }
        for (Call<?> call : refused) { // without the lock, since this may run functions of callers
            call.future.completeExceptionally(closed());
        }
        leave(refused.size());
    }

    // ---- workers ----

    /** Calls to answer together; none if this thread is needed no longer. */
    private List<Call<?>> take() {
        lock.lock();
        try {
            List<Call<?>> taken = new ArrayList<>();
            while (taken.isEmpty()) {
                if (!awaitWork()) {
                    return taken;
                }
                collecting = true;
                awaitMore();
                collecting = false;
                poll(taken);
                wake();
            }
            return taken;
        } finally {
            lock.unlock();
        }
    }

    private boolean awaitWork() {
        while (collecting || waiting.isEmpty()) {
            if (closed && waiting.isEmpty()) {
                return false;
            }
            idle++;
            try {
                if (!work.await(IDLE_SECONDS, TimeUnit.SECONDS) && waiting.isEmpty()) {
                    return false;
                }
            } catch (InterruptedException e) {
                // by a function that a caller attached to a future: not meant for this thread
            } finally {
                idle--;
            }
        }
        return true;
    }

    /** Until there are enough samples, or the first call has waited long enough. */
    private void awaitMore() {
        long left = delay - (System.nanoTime() - waiting.element().since);
        while (samples < most && left > 0 && !closed) {
            try {
                left = more.awaitNanos(left);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    /** As many as fit into one batch, but at least one, of those that are still waited for. */
    private void poll(List<Call<?>> taken) {
        int n = 0;
        for (Call<?> next = waiting.peek();
                next != null && (taken.isEmpty() || n + next.n <= most);
                next = waiting.peek()) {
            waiting.remove();
            samples -= next.n;
            if (next.future.isDone()) {
                calls--;
            } else {
                taken.add(next);
                n += next.n;
            }
        }
        endIfLast();
    }

    /** Sees to it that somebody takes what waits. */
    private void wake() {
        if (collecting) {
            if (samples >= most) {
                more.signal();
            }
        } else if (waiting.isEmpty()) {
            if (closed) {
                work.signalAll();
            }
        } else if (idle > 0) {
            work.signal();
        } else if (threads < workers) {
            start();
        }
    }

    private void start() {
        threads++;
        try {
            new Worker().start();
        } catch (RuntimeException | Error e) {
            threads--;
            if (threads == 0) {
                throw e;
            } // else the operating system gives no more threads: those that run must do
        }
    }

    private void workerEnds() {
        lock.lock();
        try {
            threads--;
            wake();
        } finally {
            lock.unlock();
        }
    }
}
