package dev.hadal.tensor;

/**
 * Philox4x32-10, a counter-based random generator (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", 2011). The n-th value of a stream depends on the key and on n alone, so that neither the
 * number of threads nor the order of evaluation changes what is drawn.
 */
public final class Philox {
    private static final int M0 = 0xD2511F53;
    private static final int M1 = 0xCD9E8D57;
    private static final int W0 = 0x9E3779B9;
    private static final int W1 = 0xBB67AE85;
    private static final int ROUNDS = 10;

    private final int key0;
    private final int key1;
    private final int stream0;
    private final int stream1;
    private final int[] block = new int[4];
    private long blockIndex = -1;

    /**
     * @param key which generator: a seed
     * @param stream which sequence of that generator: a step, a layer's {@link #streamOf(String)}, …
     */
    public Philox(long key, long stream) {
        this.key0 = (int) key;
        this.key1 = (int) (key >>> 32);
        this.stream0 = (int) stream;
        this.stream1 = (int) (stream >>> 32);
    }

    /** A stable stream number for a name: 64-bit FNV-1a of its UTF-16 code units. */
    public static long streamOf(String name) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < name.length(); i++) {
            hash = (hash ^ name.charAt(i)) * 0x100000001b3L;
        }
        return hash;
    }

    /** The index-th 32 random bits. */
    public int bits(long index) {
        if (index >>> 2 != blockIndex) {
            blockIndex = index >>> 2;
            generate(key0, key1, (int) blockIndex, (int) (blockIndex >>> 32), stream0, stream1, block);
        }
        return block[(int) index & 3];
    }

    /** The index-th value of a uniform distribution over [0, 1), a multiple of 2⁻²⁴. */
    public float uniform(long index) {
        return (bits(index) >>> 8) * 0x1p-24f;
    }

    /** The index-th value of a uniform distribution over the integers 0 … bound − 1, for bound ≥ 1. */
    public int below(int bound, long index) {
        return (int) ((Integer.toUnsignedLong(bits(index)) * bound) >>> 32);
    }

    /** The index-th value of a standard normal distribution (Box and Muller 1958, from two uniforms). */
    public float normal(long index) {
        double u = 1.0 - (bits(2 * index) >>> 8) * 0x1p-24;
        double v = (bits(2 * index + 1) >>> 8) * 0x1p-24;
        return (float) (Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v));
    }

    /** A uniformly random permutation of 0 … n − 1, into the given array (Durstenfeld 1964). */
    public void shuffle(int[] order) {
        for (int i = order.length - 1; i > 0; i--) {
            int j = below(i + 1, i);
            int swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
    }

    /**
     * Four times 32 random bits, without an object that remembers them: of the block with that index, in that run of a
     * stream; run 0 is what an instance gives.
     */
    public static void block(long key, int index, int run, long stream, int[] out) {
        generate((int) key, (int) (key >>> 32), index, run, (int) stream, (int) (stream >>> 32), out);
    }

    /** Ten rounds of Philox4x32 on the counter (c0, c1, c2, c3) under the key (k0, k1). */
    static void generate(int k0, int k1, int c0, int c1, int c2, int c3, int[] out) {
        for (int round = 0; round < ROUNDS; round++) {
            long p0 = Integer.toUnsignedLong(M0) * Integer.toUnsignedLong(c0);
            long p1 = Integer.toUnsignedLong(M1) * Integer.toUnsignedLong(c2);
            c0 = (int) (p1 >>> 32) ^ c1 ^ k0;
            c1 = (int) p1;
            c2 = (int) (p0 >>> 32) ^ c3 ^ k1;
            c3 = (int) p0;
            k0 += W0;
            k1 += W1;
        }
        out[0] = c0;
        out[1] = c1;
        out[2] = c2;
        out[3] = c3;
    }
}
