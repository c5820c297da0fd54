package dev.hadal.backend.jvm.simd;

/** One way to write the innermost loops. */
public interface Simd {

    /** For the names of kernels, such as {@code vector 512}. */
    String name();

    Tile tile();

    Dots dots();

    Loops loops();
}
