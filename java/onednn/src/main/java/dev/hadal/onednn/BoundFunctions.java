package dev.hadal.onednn;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Calls of libhadal at their memory. */
final class BoundFunctions implements Steps.Recorded {

    /** Appends the calls. */
    interface Body {
        void record(Binding binding, Steps steps);
    }

    private final Binding binding;
    private final List<NativeMemory> constants;
    private final Body body;
    private @Nullable Steps alone;

    /**
     * @param constants what the functions read besides, and the kernel frees
     */
    BoundFunctions(Binding binding, List<NativeMemory> constants, Body body) {
        this.binding = binding;
        this.constants = constants;
        this.body = body;
    }

    @Override
    public void record(Steps steps) {
        binding.neededBy(steps);
        constants.forEach(steps::needs);
        body.record(binding, steps);
    }

    @Override
    public void run() {
        if (alone == null) {
            binding.checkOpen();
            alone = new Steps(List.of(this), 0);
        }
        alone.run();
    }

    @Override
    public void close() {
        binding.close();
        if (alone != null) {
            alone.close();
        }
    }
}
