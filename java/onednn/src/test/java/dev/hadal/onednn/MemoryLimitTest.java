package dev.hadal.onednn;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What control groups leave of memory, told by files as the kernel writes them. */
class MemoryLimitTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path dir;

    private void group(String path, String... filesAndTexts) throws IOException {
        Path group = Files.createDirectories(dir.resolve(path));
        for (int i = 0; i < filesAndTexts.length; i += 2) {
            Files.writeString(group.resolve(filesAndTexts[i]), filesAndTexts[i + 1] + "\n");
        }
    }

    private MemoryLimit limit(String membership) throws IOException {
        return new MemoryLimit(dir, Files.writeString(dir.resolve("membership"), membership + "\n"));
    }

    private static void assertExact(MemoryLimit limit, long left, String... words) {
        assertTrue(limit.exists());
        assertDoesNotThrow(() -> limit.check(left, 7));
        OutOfMemoryError e = assertThrows(OutOfMemoryError.class, () -> limit.check(left + 1, 7));
        String message = String.valueOf(e.getMessage());
        for (String word : words) {
            assertTrue(message.contains(word), message);
        }
    }

    @Test
    void version2() throws IOException {
        group("", "memory.max", "1000000", "memory.current", "400000");
        group("", "memory.stat", "anon 300000\ninactive_file 40000\nactive_file 60000\nworkingset 5");
        assertExact(
                limit("0::/"),
                650_000, // less a twentieth, and the files' cache is no use of it
                "650,001 bytes",
                "1,000,000",
                "300,000 are in use (7 of them",
                "650,000 can be had",
                "microBatch",
                "smaller batch",
                "container's limit");
    }

    @Test
    void version1() throws IOException {
        group("memory/a", "memory.limit_in_bytes", "1000", "memory.usage_in_bytes", "500");
        group("memory/a", "memory.stat", "inactive_file 7\ntotal_inactive_file 100\ntotal_active_file 0");
        assertExact(limit("5:cpu,cpuacct:/b\n4:hugetlb,memory:/a\n0::/"), 550, "memory/a", "400");
    }

    /** Of a path of the host's, a container sees its own group alone, as the root. */
    @Test
    void theHostsPathIsNotSeen() throws IOException {
        group("memory", "memory.limit_in_bytes", "1000", "memory.usage_in_bytes", "0");
        assertExact(limit("4:memory:/docker/0123"), 950);
    }

    @Test
    void theTightestOfTheGroupsAboveHolds() throws IOException {
        group("", "memory.current", "0");
        group("slice", "memory.max", "2000", "memory.current", "1500");
        group("slice/service", "memory.max", "1000", "memory.current", "100");
        assertExact(limit("0::/slice/service"), 400, "slice is 2,000");
        group("slice", "memory.max", "max");
        assertExact(limit("0::/slice/service"), 850, "service is 1,000");
    }

    @Test
    void noneIsNone() throws IOException {
        group("", "memory.max", "max", "memory.current", "5");
        group("memory", "memory.limit_in_bytes", "9223372036854771712", "memory.usage_in_bytes", "5");
        for (String membership : List.of("0::/", "4:memory:/", "4:memory:/x/y", "0::/../..", "", "::", "nonsense")) {
            MemoryLimit limit = limit(membership);
            assertFalse(limit.exists(), membership);
            assertDoesNotThrow(() -> limit.check(Long.MAX_VALUE, 0), membership);
        }
        MemoryLimit elsewhere = new MemoryLimit(dir.resolve("none"), dir.resolve("none"));
        assertDoesNotThrow(() -> elsewhere.check(Long.MAX_VALUE, 0));
    }

    @Test
    @Tag("native")
    void aBlockBeyondTheLimitIsRefusedBeforeItIsAllocated() throws IOException {
        group("", "memory.max", "" + 20 * MIB, "memory.current", "" + 10 * MIB);
        MemoryLimit limit = limit("0::/");
        long held = NativeMemory.heldBytes();
        assertThrows(OutOfMemoryError.class, () -> NativeMemory.allocate(10 * MIB, limit));
        assertEquals(held, NativeMemory.heldBytes());
        NativeMemory.allocate(8 * MIB, limit).close();
        group("", "memory.max", "1");
        NativeMemory.allocate(MemoryLimit.SMALL - 1, limit).close();
    }
}
