package dev.hadal.op;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** The memory of one run, freed together. */
final class Desk implements AutoCloseable {
    private final Backend backend;
    private final List<Held> all = new ArrayList<>();
    private final List<Held> scratches = new ArrayList<>();

    Desk(Backend backend) {
        this.backend = backend;
    }

    Held keep(Held held) {
        all.add(held);
        return held;
    }

    /** Lays out operands; one that comes twice in the same layout lies there once, as in a plan. */
    List<Held> place(List<Tensor> operands, List<Layout> layouts) {
        IdentityHashMap<Tensor, Map<Layout, Held>> known = new IdentityHashMap<>();
        List<Held> placed = new ArrayList<>();
        for (int i = 0; i < operands.size(); i++) {
            Tensor operand = operands.get(i);
            placed.add(known.computeIfAbsent(operand, t -> new HashMap<>())
                    .computeIfAbsent(layouts.get(i), layout -> keep(placed(operand, layout))));
        }
        return placed;
    }

    private Held placed(Tensor operand, Layout layout) {
        Held plain = Held.plain(backend, operand);
        if (plain.layout().equals(layout)) {
            return plain;
        }
        try (plain) {
            return plain.to(layout);
        }
    }

    List<Held> room(List<Layout> layouts) {
        return layouts.stream().map(l -> keep(new Held(backend, l))).toList();
    }

    Kernel.Bound bind(Kernel kernel, List<Held> in, List<Held> out) {
        Held scratch = keep(Held.scratch(backend, kernel.scratch()));
        scratches.add(scratch);
        List<Region> inputs = in.stream().map(Held::region).toList();
        List<Region> outputs = out.stream().map(Held::region).toList();
        return kernel.bind(inputs, outputs, scratch.region());
    }

    void poison(List<Held> out, float value) {
        out.forEach(h -> h.poison(value));
        scratches.forEach(h -> h.poison(value));
    }

    void checkGuards(Kernel kernel) {
        all.forEach(h -> h.checkGuards("a value of " + kernel.implementation()));
    }

    @Override
    public void close() {
        all.forEach(Held::close);
    }
}
