package dev.hadal.backend.jvm;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.jvm.simd.PlainSimd;
import dev.hadal.backend.jvm.simd.Simd;
import dev.hadal.backend.jvm.simd.SimdChoice;
import java.util.List;

/** What every fast kernel is tested on: both kinds of loops, on one thread and on two. */
final class Machines {
    private static final Workers WORKERS = new Workers(2);

    static List<Machine> all() {
        Simd vector = SimdChoice.best().simd();
        boolean asked = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
        assertTrue(
                !asked || vector.name().startsWith("vector"), SimdChoice.best().detail());
        Simd plain = new PlainSimd();
        return List.of(
                new Machine(vector, WORKERS, 1),
                new Machine(vector, WORKERS, 2),
                new Machine(plain, WORKERS, 1),
                new Machine(plain, WORKERS, 2));
    }

    private Machines() {}
}
