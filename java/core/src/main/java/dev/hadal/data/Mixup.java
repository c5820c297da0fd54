package dev.hadal.data;

import java.util.List;

/** x ← λ·x + (1 − λ)·x', with λ ~ Beta(α, α). */
record Mixup(double alpha) implements BatchAugmentation {

    Mixup {
        Pairs.positive(alpha);
    }

    @Override
    public List<Field> fields(List<Field> fields) {
        return Pairs.mixed(fields, "mixup");
    }

    @Override
    public void apply(Batch in, Batch out, Draws draws) {
        float lambda = (float) draws.beta(alpha);
        int shift = draws.below(out.size());
        Pairs.mix(out.x().floats(), out.stride(Dataset.X), out.size(), shift, lambda);
        Pairs.mixTargets(in, out, shift, lambda);
    }
}
