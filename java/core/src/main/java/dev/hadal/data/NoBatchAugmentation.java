package dev.hadal.data;

/** y = x. */
enum NoBatchAugmentation implements BatchAugmentation {
    INSTANCE;

    @Override
    public void apply(Batch in, Batch out, Draws draws) {}
}
