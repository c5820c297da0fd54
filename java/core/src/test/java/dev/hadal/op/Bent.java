package dev.hadal.op;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import java.util.List;

/** A right kernel on Java arrays that does not keep to the contract of kernels. */
record Bent(Kernel right, long scratch, int takesOver, Misbehaviour misbehaviour) implements Kernel {

    /** What a run does instead. */
    interface Misbehaviour {
        void run(List<Region> in, List<Region> out, Region scratch, Kernel.Bound right);
    }

    static Bent running(Kernel right, Misbehaviour misbehaviour) {
        return new Bent(right, right.scratch(), -1, misbehaviour);
    }

    @Override
    public List<Layout> inputs() {
        return right.inputs();
    }

    @Override
    public List<Layout> outputs() {
        return right.outputs();
    }

    @Override
    public int inPlace(int output) {
        return takesOver;
    }

    @Override
    public String implementation() {
        return "bent " + right.implementation();
    }

    @Override
    public Bound bind(List<Region> inputs, List<Region> outputs, Region scratchRegion) {
        Bound bound = right.bind(inputs, outputs, scratchRegion);
        return () -> misbehaviour.run(inputs, outputs, scratchRegion, bound);
    }
}
