package dev.hadal.data;

/** x ← x + b, with one b ~ U(−most, most) for all values, in place. */
record Brightness(double most) implements Augmentation {

    Brightness {
        if (!(most >= 0 && Double.isFinite(most))) {
            throw new IllegalArgumentException(
                    "brightness changes by up to a finite amount of at least 0, not " + most);
        }
    }

    @Override
    public void apply(Sample sample) {
        float b = (float) sample.draws().between(-most, most);
        float[] x = sample.values();
        for (int i = sample.offset(), end = i + sample.shape().size(); i < end; i++) {
            x[i] += b;
        }
    }
}
