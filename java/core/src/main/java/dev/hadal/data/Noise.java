package dev.hadal.data;

/** x ← x + σ·n, with n ~ N(0, 1) for each value, in place. */
record Noise(double deviation) implements Augmentation {

    Noise {
        if (!(deviation >= 0 && Double.isFinite(deviation))) {
            throw new IllegalArgumentException("noise has a finite deviation of at least 0, not " + deviation);
        }
    }

    @Override
    public void apply(Sample sample) {
        Draws draws = sample.draws();
        float sigma = (float) deviation;
        float[] x = sample.values();
        for (int i = sample.offset(), end = i + sample.shape().size(); i < end; i++) {
            x[i] += sigma * draws.normal();
        }
    }
}
