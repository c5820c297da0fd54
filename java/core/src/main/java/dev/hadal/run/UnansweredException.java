package dev.hadal.run;

import java.time.Duration;
import java.util.concurrent.locks.Lock;

/** A {@link Predictor} did not answer a call, though nothing is wrong with the call: asked again later, it may. */
public abstract sealed class UnansweredException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private UnansweredException(String message) {
        super(message);
    }

    /** As many calls as may wait were waiting. */
    public static final class QueueFull extends UnansweredException {
        private static final long serialVersionUID = 1;
        private final int waiting;

        QueueFull(int waiting) {
            super(waiting + " calls are waiting, which is as many as may; call again later, or make the queue longer");
            this.waiting = waiting;
        }

        /** How many calls were waiting. */
        public int waiting() {
            return waiting;
        }
    }

    /** The answer was not there at the call's deadline. */
    public static final class Late extends UnansweredException {
        private static final long serialVersionUID = 1;
        private final Duration deadline;

        Late(Duration deadline) {
            super("no answer within " + deadline.toNanos() / 1e6 + " ms");
            this.deadline = deadline;
        }

        /** How long the answer was waited for. */
        public Duration deadline() {
            return deadline;
        }
    }

    /** The calling thread was interrupted while it waited; it still is. */
    public static final class Interrupted extends UnansweredException {
        private static final long serialVersionUID = 1;

        private Interrupted() {
            super("the thread was interrupted while it waited for an answer");
        }

        /** Interrupts the thread once more, as whoever catches an {@link InterruptedException} takes that away. */
        static Interrupted again() {
            Thread.currentThread().interrupt();
            return new Interrupted();
        }

        /** Takes a lock; only who must wait for it can be interrupted. */
        static void lock(Lock lock) {
            try {
                if (!lock.tryLock()) {
                    lock.lockInterruptibly();
                }
            } catch (InterruptedException e) {
                throw again();
            }
        }
    }
}
