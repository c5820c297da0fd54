package dev.hadal.backend.jvm.vector;

import dev.hadal.backend.jvm.simd.Dots;
import dev.hadal.backend.jvm.simd.Loops;
import dev.hadal.backend.jvm.simd.Simd;
import dev.hadal.backend.jvm.simd.Tile;
import jdk.incubator.vector.FloatVector;

/** Loops in the Vector API, with tiles that fit the registers. */
public final class VectorSimd implements Simd {
    private static final int LANES = FloatVector.SPECIES_PREFERRED.length();

    /** AVX2 has 16 registers of eight lanes; AVX-512, NEON and SVE have 32. */
    private static final boolean SIXTEEN_REGISTERS =
            LANES == 8 && System.getProperty("os.arch").equals("amd64");

    @Override
    public String name() {
        return "vector " + 32 * LANES;
    }

    @Override
    public Tile tile() {
        return SIXTEEN_REGISTERS ? new Tile4x2() : new Tile8x3();
    }

    @Override
    public Dots dots() {
        return SIXTEEN_REGISTERS ? new Dots2x4() : new Dots4x4();
    }

    @Override
    public Loops loops() {
        return new VectorLoops();
    }
}
