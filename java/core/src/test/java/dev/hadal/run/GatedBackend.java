package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.op.Activation;
import dev.hadal.tensor.DType;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** Java, with a gate before each run of an activation, and a count of what goes on. */
final class GatedBackend implements Backend {
    private final JvmBackend inner = new JvmBackend();
    /** Runs that are let go. */
    final Semaphore gate = new Semaphore(0);
    /** Those that have come to the gate. */
    final Semaphore arrived = new Semaphore(0);

    final AtomicInteger running = new AtomicInteger();
    final AtomicInteger mostRunning = new AtomicInteger();
    /** The threads that ran. */
    final Queue<String> threads = new ConcurrentLinkedQueue<>();

    /** How often an activation was prepared. */
    final AtomicInteger prepared = new AtomicInteger();
    /** Kernels of activations that are not closed. */
    final AtomicInteger kernels = new AtomicInteger();
    /** Activations in sessions that are not closed. */
    final AtomicInteger bound = new AtomicInteger();
    /** What happens while an activation is prepared for a batch of that size. */
    volatile Consumer<Integer> preparing = n -> {};

    void open() {
        gate.release(1_000_000);
    }

    void awaitArrival() throws InterruptedException {
        if (!arrived.tryAcquire(20, TimeUnit.SECONDS)) {
            throw new AssertionError("no run came to the gate");
        }
    }

    @Override
    public String name() {
        return "gated";
    }

    @Override
    public int rank() {
        return 1;
    }

    @Override
    public Availability availability() {
        return Availability.yes("a test");
    }

    @Override
    public Optional<Kernel> prepare(Op op, List<Operand> inputs, List<Type> outputs, int threadsOfARun) {
        Optional<Kernel> kernel = inner.prepare(op, inputs, outputs, threadsOfARun);
        if (activates(op)) {
            preparing.accept(outputs.get(0).shape().get(0));
            prepared.incrementAndGet();
            return kernel.map(Waiting::new);
        }
        return kernel;
    }

    /** An activation, or a chain with one. */
    private static boolean activates(Op op) {
        return op instanceof Activation
                || (op instanceof Fused chain && chain.epilogue().stream().anyMatch(p -> p.op() instanceof Activation));
    }

    @Override
    public Kernel reorder(Layout from, Layout to) {
        return inner.reorder(from, to);
    }

    @Override
    public String pool(DType dtype) {
        return inner.pool(dtype);
    }

    @Override
    public Memory allocate(String pool, long count) {
        return inner.allocate(pool, count);
    }

    private final class Waiting implements Kernel {
        private final Kernel kernel;

        Waiting(Kernel kernel) {
            this.kernel = kernel;
            kernels.incrementAndGet();
        }

        @Override
        public List<Layout> inputs() {
            return kernel.inputs();
        }

        @Override
        public List<Layout> outputs() {
            return kernel.outputs();
        }

        @Override
        public long scratch() {
            return kernel.scratch();
        }

        @Override
        public String implementation() {
            return "gated";
        }

        @Override
        public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
            Bound inside = kernel.bind(inputs, outputs, scratch);
            bound.incrementAndGet();
            return new Bound() {
                @Override
                public void run() {
                    pass(inside);
                }

                @Override
                public void close() {
                    inside.close();
                    bound.decrementAndGet();
                }
            };
        }

        private void pass(Bound inside) {
            mostRunning.accumulateAndGet(running.incrementAndGet(), Math::max);
            threads.add(Thread.currentThread().getName());
            arrived.release();
            try {
                if (!gate.tryAcquire() && !gate.tryAcquire(20, TimeUnit.SECONDS)) {
                    throw new AssertionError("the gate is shut");
                }
                inside.run();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            } finally {
                running.decrementAndGet();
            }
        }

        @Override
        public void close() {
            kernel.close();
            kernels.decrementAndGet();
        }
    }
}
