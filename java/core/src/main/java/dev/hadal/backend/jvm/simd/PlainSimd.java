package dev.hadal.backend.jvm.simd;

/**
 * Plain Java. HotSpot turns a loop into vector instructions only if every array in it is indexed alike, or else it must
 * assume that a store to one array changes another. So these loops copy what they work on into rows of their own; in
 * the first-level cache that costs little.
 */
public final class PlainSimd implements Simd {

    @Override
    public String name() {
        return "plain";
    }

    @Override
    public Tile tile() {
        return new PlainTile();
    }

    @Override
    public Dots dots() {
        return new PlainDots();
    }

    @Override
    public Loops loops() {
        return new PlainLoops();
    }
}
