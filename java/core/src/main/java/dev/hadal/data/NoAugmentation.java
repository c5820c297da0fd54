package dev.hadal.data;

/** y = x. */
enum NoAugmentation implements Augmentation {
    INSTANCE;

    @Override
    public void apply(Sample sample) {}
}
