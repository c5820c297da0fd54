package dev.hadal.data;

import java.util.Arrays;
import java.util.concurrent.CancellationException;
import java.util.function.IntConsumer;
import java.util.function.Supplier;

/**
 * Threads that do numbered pieces of work ahead of one reader, who takes them in order. Piece n is done in slot
 * {@code n % slots}, which is free again when the reader has taken the piece after it. Without threads, the reader does
 * the work when it takes it. Nothing here allocates once it runs.
 */
final class Prefetch implements AutoCloseable {
    private final Thread[] threads;
    private final IntConsumer own;
    private final boolean[] done;
    private volatile boolean closed;

    // Guarded by this: released ≤ taken ≤ end, and claimed ≤ released + slots.
    private int end;
    /** Pieces before this one are done, or being worked on. */
    private int claimed;
    /** Pieces before this one have been taken by the reader. */
    private int taken;
    /** Pieces before this one have been taken, and are no longer in use. */
    private int released;
    /** How many are being worked on. */
    private int busy;

    /**
     * @param work gives each thread what it does with a number; it must not throw
     * @param name of the threads
     */
    Prefetch(int threads, int slots, String name, Supplier<IntConsumer> work) {
        this.own = work.get();
        this.done = new boolean[slots];
        this.threads = new Thread[threads];
        for (int i = 0; i < threads; i++) {
            IntConsumer mine = work.get();
            this.threads[i] = new Thread(() -> run(mine), name + "-" + i);
            this.threads[i].setDaemon(true);
            this.threads[i].start();
        }
    }

    /** Gives up what is left to do, lets {@code change} happen while no thread works, and goes on with start … end − 1. */
    synchronized void restart(int start, int end, Runnable change) {
        requireOpen();
        this.end = claimed; // so that no thread claims another
        while (busy > 0) {
            await();
        }
        change.run();
        Arrays.fill(done, false);
        claimed = start;
        taken = start;
        released = start;
        this.end = end;
        notifyAll();
    }

    /** Waits for the next piece, which is done when this returns; the one before it is released. */
    synchronized void take() {
        requireOpen();
        released = taken;
        notifyAll();
        int slot = taken % done.length;
        if (threads.length == 0) {
            own.accept(taken);
            claimed++;
            done[slot] = true;
        }
        while (!done[slot]) {
            await();
        }
        requireOpen();
        done[slot] = false;
        taken++;
    }

    boolean isClosed() {
        return closed;
    }

    void requireOpen() {
        if (closed) {
            throw new IllegalStateException("these batches are closed");
        }
    }

    /** Ends and joins the threads. */
    @Override
    public void close() {
        closed = true;
        synchronized (this) {
            notifyAll();
        }
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void run(IntConsumer work) {
        int piece = claim();
        while (piece >= 0) {
            work.accept(piece);
            finish(piece);
            piece = claim();
        }
    }

    /** The number of a piece to work on, or −1 after the end. */
    private synchronized int claim() {
        while (!closed && (claimed == end || claimed == released + done.length)) {
            try {
                wait();
            } catch (InterruptedException e) {
                // Nobody has a reason to interrupt this thread: closing is how it ends.
            }
        }
        if (closed) {
            return -1;
        }
        busy++;
        return claimed++;
    }

    private synchronized void finish(int piece) {
        busy--;
        done[piece % done.length] = true;
        notifyAll();
    }

    /** One wait of the reader, to be called in a loop. */
    @SuppressWarnings("WaitNotInLoop")
    private void await() {
        try {
            wait();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted while waiting for data");
        }
        requireOpen();
    }
}
