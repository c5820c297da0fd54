package dev.hadal.onednn;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the limits of this process's control groups leave of memory. A container that exceeds them is killed without a
 * word, so large blocks are checked before. Both versions of cgroups are read, as of Linux 6.1
 * (Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/memory.rst); elsewhere there is no limit.
 */
final class MemoryLimit {
    /** Blocks below it are not worth reading three files for. */
    static final long SMALL = 1 << 20;

    /** One part in so many of a limit is left to what the JVM itself needs meanwhile. */
    private static final int RESERVE = 20;

    private static final String V2 = "memory.max";
    private static final String V1 = "memory.limit_in_bytes";

    /** A control group's memory, all in bytes. */
    private record Group(Path directory, long limit, long used) {
        long free() {
            return limit - limit / RESERVE - used;
        }
    }

    private final List<Path> groups;

    /**
     * The limits of a process.
     *
     * @param mounted where the control groups' file systems are mounted: {@code /sys/fs/cgroup}
     * @param membership the file that tells which groups the process is in: {@code /proc/self/cgroup}
     */
    MemoryLimit(Path mounted, Path membership) {
        List<Path> found = new ArrayList<>();
        for (String line : lines(membership)) { // hierarchy:controllers:/path
            String[] parts = line.split(":", 3);
            if (parts.length == 3 && parts[0].equals("0") && parts[1].isEmpty()) {
                addWithParents(mounted, parts[2], V2, found);
            } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
                addWithParents(mounted.resolve("memory"), parts[2], V1, found);
            }
        }
        groups = List.copyOf(found);
    }

    /**
     * A limit of any group above holds, too. In a container the path may be the host's, of which nothing is to be seen;
     * then the container's own group is the root.
     */
    private static void addWithParents(Path root, String path, String limit, List<Path> found) {
        Path group = root.resolve(path.replaceFirst("^/+", "")).normalize();
        for (Path p = group; p != null && p.startsWith(root); p = p.getParent()) {
            if (Files.isReadable(p.resolve(limit))) {
                found.add(p);
            }
        }
    }

    /** Whether this process is in any group that could have a limit. */
    boolean exists() {
        return groups.stream().anyMatch(g -> limitOf(g) != Long.MAX_VALUE);
    }

    /**
     * Checks that so much more can be used.
     *
     * @throws OutOfMemoryError with both numbers and what to do, if it would exceed a limit
     */
    void check(long bytes, long held) {
        for (Path directory : groups) {
            Optional<Group> group = read(directory);
            if (group.isPresent() && bytes > group.get().free()) {
                throw new OutOfMemoryError(String.format(
                        "%,d bytes of native memory are needed, but the limit of %s is %,d bytes, of which %,d are in use"
                                + " (%,d of them by Hadal) and %,d can be had: use a smaller batch, let the trainer"
                                + " cut it by microBatch, or raise the container's limit",
                        bytes,
                        directory,
                        group.get().limit(),
                        group.get().used(),
                        held,
                        Math.max(0, group.get().free())));
            }
        }
    }

    private static Optional<Group> read(Path directory) {
        long limit = limitOf(directory);
        if (limit == Long.MAX_VALUE) {
            return Optional.empty();
        }
        boolean v2 = Files.exists(directory.resolve(V2));
        long used = number(directory.resolve(v2 ? "memory.current" : "memory.usage_in_bytes"), 0);
        // Cached files count as used, but the kernel drops them before it kills.
        String prefix = v2 ? "" : "total_";
        for (String line : lines(directory.resolve("memory.stat"))) {
            String[] pair = line.split(" ", 2);
            if (pair.length == 2
                    && (pair[0].equals(prefix + "inactive_file") || pair[0].equals(prefix + "active_file"))) {
                used -= parse(pair[1], 0);
            }
        }
        return Optional.of(new Group(directory, limit, Math.max(0, used)));
    }

    /** {@link Long#MAX_VALUE} for none; version 1 says so with the largest multiple of a page. */
    private static long limitOf(Path directory) {
        boolean v2 = Files.exists(directory.resolve(V2));
        long limit = number(directory.resolve(v2 ? V2 : V1), Long.MAX_VALUE);
        return limit > Long.MAX_VALUE / 2 ? Long.MAX_VALUE : limit;
    }

    private static long number(Path file, long otherwise) {
        List<String> lines = lines(file);
        return lines.isEmpty() ? otherwise : parse(lines.get(0), otherwise);
    }

    /** The number, or else what "max" and whatever a later kernel may write stand for. */
    private static long parse(String text, long otherwise) {
        try {
            return Long.parseLong(text.trim());
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }

    /** None if the file is not there or cannot be read: then nothing is known of a limit. */
    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file, StandardCharsets.UTF_8);
        } catch (IOException e) {
            return List.of();
        }
    }
}
