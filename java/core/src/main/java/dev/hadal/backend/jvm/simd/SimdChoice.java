package dev.hadal.backend.jvm.simd;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The innermost loops that this JVM runs fastest, found once.
 *
 * @param detail what they are, and what would make them faster, for the log
 */
public record SimdChoice(Simd simd, String detail) {
    private static final String MODULE = "jdk.incubator.vector";
    private static final String REMEDY = "add --add-modules " + MODULE + " for matrix kernels three times as fast";
    private static final long PATIENCE_NANOS = 10_000_000_000L;

    public static SimdChoice best() {
        return Best.CHOICE;
    }

    private static final class Best {
        static final SimdChoice CHOICE = choose();
    }

    private static SimdChoice choose() {
        Module module = module();
        if (module == null) {
            return plain(REMEDY);
        }
        String mode = System.getProperty("java.vm.info", "");
        if (mode.contains("interpreted") || mode.contains("emulated-client")) {
            return plain("without -Xint and -XX:TieredStopAtLevel, the Vector API would be compiled, too");
        }
        Simd vector;
        try {
            SimdChoice.class.getModule().addReads(module);
            vector = Class.forName("dev.hadal.backend.jvm.vector.VectorSimd")
                    .asSubclass(Simd.class)
                    .getConstructor()
                    .newInstance();
        } catch (ReflectiveOperationException | LinkageError e) {
            return plain("its loops in the Vector API do not load: " + e);
        }
        return isCompiled(vector.tile())
                ? new SimdChoice(
                        vector, "pure Java, Vector API " + vector.name().replaceAll("\\D", "") + " bit")
                : plain("this JVM has the Vector API, but did not compile it within ten seconds");
    }

    /** The Vector API; null if it is not there. Not by findModule, which streams: that would slow the JVM's start. */
    private static @Nullable Module module() {
        for (Module module : ModuleLayer.boot().modules()) {
            if (MODULE.equals(module.getName())) {
                return module;
            }
        }
        return null;
    }

    private static SimdChoice plain(String reason) {
        return new SimdChoice(new PlainSimd(), "pure Java, auto-vectorised loops; " + reason);
    }

    /**
     * Runs a tile until the JIT has compiled it, which takes a second. Until then, and for ever where there is no C2
     * compiler, each vector is an object on the heap, and all is a hundred times slower than a plain loop.
     */
    private static boolean isCompiled(Tile tile) {
        int depth = 64;
        float[] a = new float[depth * tile.rows()];
        float[] b = new float[depth * tile.columns()];
        float[] c = new float[tile.rows() * tile.columns()];
        int[] rows = new int[depth];
        Arrays.setAll(rows, k -> k * tile.columns());
        long fast = (long) depth * c.length / 2; // nanoseconds at 4 GFLOP/s; as objects, it is 0.1
        long start = System.nanoTime();
        for (long now = start; now - start < PATIENCE_NANOS; ) {
            tile.multiply(tile.rows(), depth, a, 0, b, rows, 0, c, 0, tile.columns(), now % 2 == 0);
            long end = System.nanoTime();
            if (end - now < fast) {
                return true;
            }
            now = end;
        }
        return false;
    }
}
