package dev.hadal.onednn;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.Pointer;

/**
 * The owner of one native object. oneDNN's C API hands out bare pointers, which JavaCPP's garbage-collected deallocators
 * know nothing of: only {@link #close} frees.
 */
final class Handle<P extends Pointer> implements Life, AutoCloseable {
    private static final AtomicInteger LIVE = new AtomicInteger();

    private final P pointer;
    private final Consumer<P> destroy;
    private volatile boolean closed;

    private Handle(P pointer, Consumer<P> destroy) {
        this.pointer = pointer;
        this.destroy = destroy;
        LIVE.incrementAndGet();
    }

    /**
     * Calls one of the C functions that create an object.
     *
     * @param empty the null pointer that the function sets
     */
    static <P extends Pointer> Handle<P> create(String what, P empty, ToIntFunction<P> create, Consumer<P> destroy) {
        Status.check(create.applyAsInt(empty), what);
        return new Handle<>(empty, destroy);
    }

    /** The owner of what was created. */
    static <P extends Pointer> Handle<P> of(P pointer, Consumer<P> destroy) {
        return new Handle<>(pointer, destroy);
    }

    /** How many native objects exist. */
    static int live() {
        return LIVE.get();
    }

    /**
     * The object.
     *
     * @throws IllegalStateException after {@link #close}
     */
    P get() {
        checkOpen();
        return pointer;
    }

    @Override
    public void checkOpen() {
        if (closed) {
            throw new IllegalStateException("used after close");
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            destroy.accept(pointer);
            LIVE.decrementAndGet();
        }
    }
}
