package dev.hadal.run;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** What one call of a prepared op works with. */
interface Desk extends AutoCloseable {

    /** Computes the results from the operands, all of the types that were prepared for. */
    void run(List<Tensor> in, List<Tensor> out);

    /** The bytes that it holds. */
    long bytes();

    @Override
    void close();

    /** For a kernel of a backend that computes in Java's arrays. */
    static Desk of(Backend java, Kernel kernel) {
        long bytes = Stream.concat(kernel.inputs().stream(), kernel.outputs().stream())
                .mapToLong(Layout::bytes)
                .sum();
        return bytes <= Copying.MOST ? new Copying(java, kernel, bytes) : new Direct(java, kernel);
    }

    private static Region scratch(Backend java, Kernel kernel) {
        return Compilation.scratch(java.allocate(java.pool(DType.F32), kernel.scratch()), kernel.scratch());
    }

    private static Region over(Backend java, Tensor values, Layout layout) {
        return new Region(Objects.requireNonNull(java.over(values)), 0, layout);
    }

    /** Bound to arrays of its own once and for all: of few values, copies cost less than binding. */
    final class Copying implements Desk {
        /** In bytes. */
        private static final long MOST = 1 << 14;

        private final Region[] in;
        private final Region[] out;
        private final Kernel.Bound bound;
        private final long bytes;

        private Copying(Backend java, Kernel kernel, long bytes) {
            in = kernel.inputs().stream().map(l -> own(java, l)).toArray(Region[]::new);
            out = kernel.outputs().stream().map(l -> own(java, l)).toArray(Region[]::new);
            bound = kernel.bind(List.of(in), List.of(out), scratch(java, kernel));
            this.bytes = bytes + kernel.scratch();
        }

        private static Region own(Backend java, Layout layout) {
            Type type = layout.type();
            return over(java, Tensor.zeros(type.dtype(), type.shape()), layout);
        }

        @Override
        public void run(List<Tensor> operands, List<Tensor> results) {
            for (int i = 0; i < in.length; i++) {
                Host.write(in[i], operands.get(i));
            }
            bound.run();
            for (int i = 0; i < out.length; i++) {
                Host.read(out[i], results.get(i), 0);
            }
        }

        @Override
        public long bytes() {
            return bytes;
        }

        @Override
        public void close() {
            bound.close();
        }
    }

    /** Bound to the caller's arrays in each call. */
    final class Direct implements Desk {
        private final Backend java;
        private final Kernel kernel;
        private final Region scratch;

        private Direct(Backend java, Kernel kernel) {
            this.java = java;
            this.kernel = kernel;
            scratch = scratch(java, kernel);
        }

        @Override
        public void run(List<Tensor> operands, List<Tensor> results) {
            List<Region> in = new ArrayList<>();
            for (int i = 0; i < operands.size(); i++) {
                Region x = over(java, operands.get(i), kernel.inputs().get(i));
                in.add(isOverwritten(i, operands, results) ? over(java, Host.read(x), x.layout()) : x);
            }
            List<Region> out = new ArrayList<>();
            for (int i = 0; i < results.size(); i++) {
                out.add(over(java, results.get(i), kernel.outputs().get(i)));
            }
            try (Kernel.Bound bound = kernel.bind(in, out, scratch)) {
                bound.run();
            }
        }

        /** Whether a result lies over an operand where the kernel does not know how to work in place. */
        private boolean isOverwritten(int operand, List<Tensor> operands, List<Tensor> results) {
            for (int i = 0; i < results.size(); i++) {
                if (results.get(i).sharesArrayWith(operands.get(operand)) && kernel.inPlace(i) != operand) {
                    return true;
                }
            }
            return false;
        }

        @Override
        public long bytes() {
            return scratch.layout().bytes();
        }

        @Override
        public void close() {}
    }

    /** The memory of a plan with this one op: everything is copied in and out. */
    final class OfSession implements Desk {
        private final Session session;
        private final String[] in;
        private final String[] out;
        private final long bytes;

        OfSession(Session session, String[] in, String[] out, long bytes) {
            this.session = session;
            this.in = in;
            this.out = out;
            this.bytes = bytes;
        }

        @Override
        public void run(List<Tensor> operands, List<Tensor> results) {
            for (int i = 0; i < in.length; i++) {
                session.write(in[i], operands.get(i));
            }
            session.run();
            for (int i = 0; i < out.length; i++) {
                session.read(out[i], results.get(i), 0);
            }
        }

        @Override
        public long bytes() {
            return bytes;
        }

        @Override
        public void close() {
            session.close();
        }
    }
}
