package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * A backend under test, and the list of what it may decline. Anything else that it declines fails the spec,
 * so that no fallback goes unseen.
 */
public final class Subject {

    /** One op at known types: what a backend is asked for. */
    public record Case(Op op, List<Type> inputs, List<Type> outputs) {

        static Case of(Op op, List<Type> inputs) {
            return new Case(op, inputs, op.infer(inputs));
        }

        /** Whether an operand or a result has no elements. */
        public boolean empty() {
            return inputs.stream().anyMatch(t -> t.shape().size() == 0)
                    || outputs.stream().anyMatch(t -> t.shape().size() == 0);
        }

        @Override
        public String toString() {
            return op + " of " + inputs + " to " + outputs;
        }
    }

    private final Backend backend;
    private final Map<String, Predicate<Case>> mayDecline = new LinkedHashMap<>();
    private Predicate<Kernel> own = kernel -> true;
    private List<Integer> threads = List.of(1);

    private Subject(Backend backend) {
        this.backend = backend;
    }

    public static Subject of(Backend backend) {
        return new Subject(backend);
    }

    /** Runs every case with each of these numbers of threads; one thread if nothing is said. */
    public Subject withThreads(Integer... counts) {
        threads = List.of(counts);
        return this;
    }

    /**
     * Which of the backend's kernels count as its own, for a backend with a fallback inside. A case that
     * falls back counts as declined, but is run all the same.
     */
    public Subject countingOnly(Predicate<Kernel> kernels) {
        own = kernels;
        return this;
    }

    /** Lets the backend decline some cases, for a reason that the op × backend table can tell. */
    public Subject mayDecline(String reason, Predicate<Case> which) {
        mayDecline.put(reason, which);
        return this;
    }

    Backend backend() {
        return backend;
    }

    List<Integer> threads() {
        return threads;
    }

    boolean owns(Kernel kernel) {
        return own.test(kernel);
    }

    /** Why the backend may decline this case, if it may. */
    Optional<String> excuse(Case c) {
        return mayDecline.entrySet().stream()
                .filter(e -> e.getValue().test(c))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    @Override
    public String toString() {
        return backend.name();
    }
}
