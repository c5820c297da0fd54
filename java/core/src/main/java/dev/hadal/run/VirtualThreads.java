package dev.hadal.run;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/** Tells virtual threads, which JDK 17 does not know. */
final class VirtualThreads {
    private static final @Nullable MethodHandle IS_VIRTUAL = find();

    private static @Nullable MethodHandle find() {
        if (Runtime.version().feature() < 21) { // and so is a search in vain, which would slow the JVM's start
            return null;
        }
        try {
            return MethodHandles.publicLookup()
                    .findVirtual(Thread.class, "isVirtual", MethodType.methodType(boolean.class));
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    /** Whether this is one: it would keep its carrier, and all that wait for it, as long as a native call lasts. */
    static boolean isCurrent() {
        try {
            return IS_VIRTUAL != null && (boolean) IS_VIRTUAL.invokeExact(Thread.currentThread());
        } catch (Throwable e) {
            throw new LinkageError("Thread.isVirtual", e);
        }
    }

    /** Does what takes long in a platform thread, and waits for it without an eye on interrupts. */
    static void leave(Runnable task) {
        if (!isCurrent()) {
            task.run();
            return;
        }
        try {
            CompletableFuture.runAsync(task, run -> new Thread(run, "hadal-predictor-compiler").start())
                    .join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            if (e.getCause() instanceof Error cause) {
                throw cause;
            }
            throw e;
        }
    }

    private VirtualThreads() {}
}
