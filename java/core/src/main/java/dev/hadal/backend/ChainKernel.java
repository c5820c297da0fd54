package dev.hadal.backend;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Fused.Part;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/**
 * The ops of a chain one after the other, each with a kernel of its own or a few with one, for a chain that no kernel
 * computes at once. What
 * leads from one to the next lies in the scratch memory, before the kernels' own scratch.
 */
public final class ChainKernel implements Kernel {
    private static final int ALIGNMENT = 64;

    private final Backend backend;
    private final List<Place> operands;
    private final List<Place> results;
    private final List<Link> links;

    /** A value of the chain. */
    private static final class Place {
        final Type type;
        /** Where it lies; null where its reader is to choose. */
        @Nullable
        Layout layout;

        Place(Type type, @Nullable Layout layout) {
            this.type = type;
            this.layout = layout;
        }

        Layout layout() {
            return Objects.requireNonNull(layout);
        }
    }

    private record Link(Kernel kernel, List<Place> in, List<Place> out) {}

    private ChainKernel(Backend backend, List<Place> operands, List<Place> results, List<Link> links) {
        this.backend = backend;
        this.operands = operands;
        this.results = results;
        this.links = links;
    }

    /**
     * Prepares a kernel for each op, or for several at once where the backend has one.
     *
     * @return empty if the backend has none for one of them
     */
    public static Optional<Kernel> prepare(Backend backend, Fused chain, List<Operand> inputs, int threads) {
        Preparation preparation = new Preparation(backend, threads);
        List<Place> operands = places(inputs);
        try {
            return preparation.kernel(operands, preparation.all(chain, operands));
        } catch (RuntimeException | Error e) {
            close(preparation.links);
            throw e;
        }
    }

    /**
     * Prepares a kernel for an op, and one for each conversion of an operand before it, and of a result after it.
     *
     * @param before by operand; empty where it is taken as it is
     * @param after by result
     * @return empty if the backend has none for one of them
     */
    public static Optional<Kernel> prepare(
            Backend backend,
            List<Optional<Op>> before,
            Op op,
            List<Optional<Op>> after,
            List<Operand> inputs,
            int threads) {
        Preparation preparation = new Preparation(backend, threads);
        List<Place> operands = places(inputs);
        try {
            List<Place> taken = preparation.converted(operands, before);
            List<Place> given = taken == null ? null : preparation.one(op, taken);
            List<Place> results = given == null ? null : preparation.converted(given, after);
            return preparation.kernel(operands, results);
        } catch (RuntimeException | Error e) {
            close(preparation.links);
            throw e;
        }
    }

    private static List<Place> places(List<Operand> inputs) {
        List<Place> places = new ArrayList<>();
        for (Operand o : inputs) {
            places.add(new Place(o.type(), o.layout()));
        }
        return places;
    }

    /** Goes through a chain, as far as there are kernels. */
    private record Preparation(Backend backend, int threads, List<Link> links) {
        Preparation(Backend backend, int threads) {
            this(backend, threads, new ArrayList<>());
        }

        /** The kernel that has been prepared, or none. */
        Optional<Kernel> kernel(List<Place> operands, @Nullable List<Place> results) {
            if (results == null) {
                close(links);
                return Optional.empty();
            }
            return Optional.of(new ChainKernel(backend, operands, results, links));
        }

        /** The converted values; null if there is no kernel for one of the conversions. */
        @Nullable
        List<Place> converted(List<Place> values, List<Optional<Op>> conversions) {
            List<Place> all = new ArrayList<>();
            for (int i = 0; i < values.size(); i++) {
                List<Place> one = List.of(values.get(i));
                List<Place> converted =
                        conversions.get(i).isPresent() ? one(conversions.get(i).orElseThrow(), one) : one;
                if (converted == null) {
                    return null;
                }
                all.addAll(converted);
            }
            return all;
        }

        /** One op's results; null if there is no kernel. */
        @Nullable
        List<Place> one(Op op, List<Place> in) {
            return append(List.of(new Part(op, in.size(), -1)), in);
        }

        /** The results; null if there is no kernel for one of the ops. */
        @Nullable
        List<Place> all(Fused chain, List<Place> operands) {
            List<Part> parts = chain.parts();
            List<Place> all = new ArrayList<>();
            List<Place> last = List.of();
            int next = 0;
            int from = 0;
            while (from < parts.size()) {
                int to = chain.keep() ? from + 1 : parts.size();
                List<Place> given = operands.subList(next, operands.size());
                List<Place> results = null;
                for (; results == null && to > from; to--) {
                    List<Part> some = parts.subList(from, to);
                    boolean tried = some.size() == parts.size() && some.size() > 1; // by the backend, in vain
                    results = tried ? null : append(some, operands(some, last, given));
                }
                if (results == null) {
                    return null;
                }
                for (Part p : parts.subList(from, to + 1)) {
                    next += p.at() < 0 ? p.operands() : p.operands() - 1;
                }
                from = to + 1;
                last = results;
                all.addAll(results);
            }
            return chain.keep() ? all : last;
        }

        /** Of ops from the middle of a chain: those of the first with the result before it, then what the others add. */
        private static List<Place> operands(List<Part> some, List<Place> before, List<Place> given) {
            List<Place> in = new ArrayList<>();
            int next = 0;
            Part first = some.get(0);
            for (int i = 0; i < first.operands(); i++) {
                in.add(i == first.at() ? before.get(0) : given.get(next++));
            }
            for (Part p : some.subList(1, some.size())) {
                in.addAll(given.subList(next, next + p.operands() - 1));
                next += p.operands() - 1;
            }
            return in;
        }

        /** Null if there is no kernel. */
        private @Nullable List<Place> append(List<Part> some, List<Place> in) {
            List<Operand> operands = new ArrayList<>();
            List<Type> types = new ArrayList<>();
            for (Place p : in) {
                operands.add(new Operand(p.type, p.layout));
                types.add(p.type);
            }
            Part first = some.get(0);
            if (some.size() == 1) {
                List<Type> out = first.op().infer(types);
                Optional<Kernel> kernel = backend.prepare(first.op(), operands, out, threads);
                return kernel.isPresent() ? append(kernel.get(), in) : null;
            }
            List<Part> chain = new ArrayList<>(some);
            chain.set(0, new Part(first.op(), first.operands(), -1));
            Fused fused = new Fused(chain, false);
            Optional<Kernel> kernel = backend.fuse(fused, operands, fused.infer(types), threads);
            return kernel.isPresent() ? append(kernel.get(), in) : null;
        }

        /** Operands of the chain come as the kernel wants them; what an op gave is reordered if it must be. */
        private List<Place> append(Kernel kernel, List<Place> in) {
            List<Place> read = new ArrayList<>(in);
            for (int i = 0; i < in.size(); i++) {
                Place given = in.get(i);
                Layout wanted = kernel.inputs().get(i);
                if (!isMade(given)) {
                    given.layout = wanted;
                } else if (!given.layout().equals(wanted)) {
                    Place moved = new Place(given.type, wanted);
                    links.add(new Link(backend.reorder(given.layout(), wanted), List.of(given), List.of(moved)));
                    read.set(i, moved);
                }
            }
            List<Place> written = new ArrayList<>();
            for (Layout layout : kernel.outputs()) {
                written.add(new Place(layout.type(), layout));
            }
            links.add(new Link(kernel, read, written));
            return written;
        }

        private boolean isMade(Place place) {
            for (Link link : links) {
                if (link.out.contains(place)) {
                    return true;
                }
            }
            return false;
        }
    }

    @Override
    public List<Layout> inputs() {
        return layouts(operands);
    }

    @Override
    public List<Layout> outputs() {
        return layouts(results);
    }

    private static List<Layout> layouts(List<Place> places) {
        List<Layout> layouts = new ArrayList<>();
        for (Place p : places) {
            layouts.add(p.layout());
        }
        return layouts;
    }

    /** What lies in the scratch memory. */
    private List<Place> between() {
        List<Place> between = new ArrayList<>();
        for (Link link : links) {
            for (Place p : link.out) {
                if (!results.contains(p)) {
                    between.add(p);
                }
            }
        }
        return between;
    }

    private static long room(Place place) {
        return (place.layout().bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /** Whether values of that type may lie in the scratch memory, which is that of f32. */
    private boolean sharesScratch(Place place) {
        return backend.pool(place.type.dtype()).equals(backend.pool(DType.F32));
    }

    @Override
    public long scratch() {
        long between = 0;
        for (Place p : between()) {
            between += sharesScratch(p) ? room(p) : 0;
        }
        long own = 0;
        for (Link link : links) {
            own = Math.max(own, link.kernel.scratch());
        }
        return between + own;
    }

    @Override
    public String implementation() {
        StringJoiner names = new StringJoiner(", ");
        for (Link link : links) {
            names.add(link.kernel.implementation());
        }
        return names.toString();
    }

    @Override
    public Bound bind(List<Region> inputs, List<Region> outputs, Region scratch) {
        IdentityHashMap<Place, Region> regions = new IdentityHashMap<>();
        for (int i = 0; i < inputs.size(); i++) {
            regions.put(operands.get(i), inputs.get(i));
        }
        for (int i = 0; i < outputs.size(); i++) {
            regions.put(results.get(i), outputs.get(i));
        }
        long next = scratch.offset();
        List<Bound> bound = new ArrayList<>();
        for (Place p : between()) {
            if (sharesScratch(p)) {
                regions.put(p, new Region(scratch.memory(), next, p.layout()));
                next += room(p);
            } else {
                Memory memory = backend.allocate(backend.pool(p.type.dtype()), room(p));
                bound.add(new Owner(memory));
                regions.put(p, new Region(memory, 0, p.layout()));
            }
        }
        long rest = scratch.offset() + scratch.layout().bytes() - next;
        Region left = new Region(scratch.memory(), next, Layout.plain(Type.f32(Math.toIntExact(rest / Float.BYTES))));
        for (Link link : links) {
            bound.add(link.kernel.bind(all(link.in, regions), all(link.out, regions), left));
        }
        return backend.inOrder(bound);
    }

    /** Frees memory together with the kernels that use it. */
    private record Owner(Memory memory) implements Bound {
        @Override
        public void run() {}

        @Override
        public void close() {
            memory.close();
        }
    }

    private static List<Region> all(List<Place> places, Map<Place, Region> regions) {
        List<Region> all = new ArrayList<>();
        for (Place p : places) {
            all.add(Objects.requireNonNull(regions.get(p)));
        }
        return all;
    }

    @Override
    public void close() {
        close(links);
    }

    private static void close(List<Link> links) {
        for (Link link : links) {
            link.kernel.close();
        }
    }
}
