package dev.hadal.backend;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Kernels one after the other, for what no kernel computes at once: the ops of a chain, or an op between conversions from
 * and to 8 bits. What leads from one to the next lies in the scratch memory, before the kernels' own scratch.
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
     * Prepares a kernel for each op.
     *
     * @return empty if the backend has none for one of them
     */
    public static Optional<Kernel> prepare(Backend backend, Fused chain, List<Operand> inputs, int threads) {
        List<Link> links = new ArrayList<>();
        try {
            List<Place> operands =
                    inputs.stream().map(o -> new Place(o.type(), o.layout())).toList();
            List<Place> results = chain.through(operands, (op, in) -> links(backend, op, in, threads, links));
            return Optional.of(new ChainKernel(backend, operands, results, links));
        } catch (NoKernel e) {
            close(links);
            return Optional.empty();
        } catch (RuntimeException | Error e) {
            close(links);
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
        List<Link> links = new ArrayList<>();
        try {
            List<Place> operands =
                    inputs.stream().map(o -> new Place(o.type(), o.layout())).toList();
            List<Place> taken = converted(backend, operands, before, threads, links);
            List<Place> given = links(backend, op, taken, threads, links);
            List<Place> results = converted(backend, given, after, threads, links);
            return Optional.of(new ChainKernel(backend, operands, results, links));
        } catch (NoKernel e) {
            close(links);
            return Optional.empty();
        } catch (RuntimeException | Error e) {
            close(links);
            throw e;
        }
    }

    private static List<Place> converted(
            Backend backend, List<Place> values, List<Optional<Op>> conversions, int threads, List<Link> links) {
        List<Place> all = new ArrayList<>(values);
        for (int i = 0; i < all.size(); i++) {
            if (conversions.get(i).isPresent()) {
                all.set(
                        i,
                        links(backend, conversions.get(i).orElseThrow(), List.of(all.get(i)), threads, links)
                                .get(0));
            }
        }
        return all;
    }

    private static List<Place> links(Backend backend, Op op, List<Place> in, int threads, List<Link> links) {
        List<Type> types = op.infer(in.stream().map(p -> p.type).toList());
        Kernel kernel = prepare(backend, op, in, types, threads).orElseThrow(NoKernel::new);
        return append(backend, kernel, in, links);
    }

    /** The backend declines an op. */
    private static final class NoKernel extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private static Optional<Kernel> prepare(Backend backend, Op op, List<Place> in, List<Type> types, int threads) {
        return backend.prepare(
                op, in.stream().map(p -> new Operand(p.type, p.layout)).toList(), types, threads);
    }

    /** Operands of the chain come as the kernel wants them; what an op gave is reordered if it must be. */
    private static List<Place> append(Backend backend, Kernel kernel, List<Place> in, List<Link> links) {
        List<Place> read = new ArrayList<>(in);
        for (int i = 0; i < in.size(); i++) {
            Place given = in.get(i);
            Layout wanted = kernel.inputs().get(i);
            boolean made = links.stream().anyMatch(link -> link.out.contains(given));
            if (!made) {
                given.layout = wanted;
            } else if (!given.layout().equals(wanted)) {
                Place moved = new Place(given.type, wanted);
                links.add(new Link(backend.reorder(given.layout(), wanted), List.of(given), List.of(moved)));
                read.set(i, moved);
            }
        }
        List<Place> written =
                kernel.outputs().stream().map(l -> new Place(l.type(), l)).toList();
        links.add(new Link(kernel, read, written));
        return written;
    }

    @Override
    public List<Layout> inputs() {
        return operands.stream().map(Place::layout).toList();
    }

    @Override
    public List<Layout> outputs() {
        return results.stream().map(Place::layout).toList();
    }

    /** What lies in the scratch memory. */
    private List<Place> between() {
        return links.stream()
                .flatMap(link -> link.out.stream())
                .filter(p -> !results.contains(p))
                .toList();
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
        return between().stream()
                        .filter(this::sharesScratch)
                        .mapToLong(ChainKernel::room)
                        .sum()
                + links.stream().mapToLong(link -> link.kernel.scratch()).max().orElse(0);
    }

    @Override
    public String implementation() {
        return links.stream().map(link -> link.kernel.implementation()).collect(Collectors.joining(", "));
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
        return places.stream().map(regions::get).map(Objects::requireNonNull).toList();
    }

    @Override
    public void close() {
        close(links);
    }

    private static void close(List<Link> links) {
        links.forEach(link -> link.kernel.close());
    }
}
