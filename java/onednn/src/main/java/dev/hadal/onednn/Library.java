package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_engine_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_get_effective_cpu_isa;
import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_default_flags;
import static org.bytedeco.dnnl.global.dnnl.dnnl_version;

import dev.hadal.backend.Backend.Availability;
import dev.hadal.onednn.natives.HadalNative;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import org.bytedeco.dnnl.dnnl_engine;
import org.bytedeco.dnnl.dnnl_stream;
import org.bytedeco.dnnl.dnnl_version_t;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/** The native libraries, loaded once for the life of the JVM. */
final class Library {
    private static final List<String> PUBLISHED =
            List.of("linux-x86_64", "linux-arm64", "macosx-x86_64", "macosx-arm64", "windows-x86_64");

    /** oneDNN's only CPU engine. */
    private final dnnl_engine engine = new dnnl_engine();

    /** CPU streams hold no state: primitives run in the calling thread, and any number of threads may share this. */
    private final dnnl_stream stream = new dnnl_stream();

    private final HadalNative.Availability hadal;

    // Of functions that libhadal calls without being linked with them.
    private final Pointer execute = Loader.addressof("dnnl_primitive_execute");
    private final Pointer sgemm = Loader.addressof("dnnl_sgemm");

    private Library(HadalNative.Availability hadal) {
        this.hadal = hadal;
        Status.check(dnnl_engine_create(engine, dnnl_cpu, 0), "creating a CPU engine");
        Status.check(dnnl_stream_create(stream, engine, dnnl_stream_default_flags), "creating a stream");
    }

    /** The attempt to load, made once. */
    private record Attempt(
            Availability availability, @Nullable Library library) {
        static final Attempt MADE = make();

        private static Attempt make() {
            if ("off".equals(System.getProperty("hadal.natives"))) {
                return new Attempt(
                        Availability.no("native libraries are switched off by -Dhadal.natives=off; leave it out"),
                        null);
            }
            try {
                Library library = alone(() -> {
                    Loader.load(dnnl.class);
                    return new Library(HadalNative.load());
                });
                return new Attempt(Availability.yes(library.detail()), library);
            } catch (LinkageError | RuntimeException e) {
                return new Attempt(Availability.no(diagnose(e)), null);
            }
        }
    }

    static Availability availability() {
        return Attempt.MADE.availability;
    }

    /**
     * The libraries.
     *
     * @throws IllegalStateException if they did not load; the message says why, and what to do
     */
    static Library get() {
        Library library = Attempt.MADE.library;
        if (library == null) {
            throw new IllegalStateException(Attempt.MADE.availability.detail());
        }
        return library;
    }

    dnnl_engine engine() {
        return engine;
    }

    dnnl_stream stream() {
        return stream;
    }

    /** The address of dnnl_primitive_execute. */
    Pointer execute() {
        return execute;
    }

    /** The address of dnnl_sgemm. */
    Pointer sgemm() {
        return sgemm;
    }

    /**
     * Whether the processor adds up products of bytes without losing any: older ones add pairs in 16 bits, which saturate.
     */
    boolean multipliesBytes() {
        int isa = dnnl_get_effective_cpu_isa();
        return has(isa, dnnl.dnnl_cpu_isa_avx512_core_vnni) || has(isa, dnnl.dnnl_cpu_isa_avx2_vnni);
    }

    private static boolean has(int isa, int wanted) {
        return (isa & wanted) == wanted;
    }

    /** Whether libhadal is there too, with the kernels that oneDNN lacks. */
    boolean hasHadal() {
        return hadal.available();
    }

    /**
     * Sets how many threads the calling thread's kernels use. Without libhadal nothing can: OpenMP then takes as many as
     * the process may use processors, whatever a plan asks for.
     */
    void useThreads(int count) {
        if (hadal.available()) {
            HadalNative.setThreads(count);
        }
    }

    // ---- loading ----

    /**
     * JavaCPP unpacks libraries into a cache in the user's home, and JVMs that start at the same moment see each other's
     * half-written files. One at a time, then; where the cache cannot be locked, nothing can be unpacked there either.
     */
    private static synchronized <T> T alone(Supplier<T> load) {
        FileChannel lock = null;
        try {
            Path file = Loader.getCacheDir().toPath().resolve("hadal.lock");
            lock = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            lock.lock();
        } catch (IOException | OverlappingFileLockException e) {
            // Loading will work from what is there, or say what is wrong.
        }
        try {
            return load.get();
        } finally {
            close(lock);
        }
    }

    private static void close(@Nullable FileChannel lock) {
        if (lock != null) {
            try {
                lock.close();
            } catch (IOException e) {
                throw new IllegalStateException("the lock on JavaCPP's cache cannot be given back", e);
            }
        }
    }

    /** Why nothing was loaded, and what to do. */
    private static String diagnose(Throwable failure) {
        String platform = Loader.getPlatform();
        if (!PUBLISHED.contains(platform)) {
            return "oneDNN is published for " + PUBLISHED + ", not for " + platform;
        }
        for (String artifact : List.of("dnnl", "opencl")) {
            String library = System.mapLibraryName("jni" + (artifact.equals("opencl") ? "OpenCL" : artifact));
            String resource = "org/bytedeco/" + artifact + "/" + platform + "/" + library;
            if (Library.class.getClassLoader().getResource(resource) == null) {
                return "org.bytedeco:" + artifact + version(artifact) + " with the classifier " + platform
                        + " is missing from the class path; add it";
            }
        }
        StringBuilder text = new StringBuilder();
        for (Throwable t = failure; t != null; t = t.getCause()) {
            text.append(text.length() == 0 ? "" : ": ").append(t);
        }
        return remedy(text.toString()) + text;
    }

    /** {@code :3.11-1.5.13}, or nothing where the jar does not tell. */
    private static String version(String artifact) {
        try {
            return ":" + Loader.getVersion("org.bytedeco", artifact);
        } catch (IOException | RuntimeException e) {
            return "";
        }
    }

    private static String remedy(String failure) {
        if (failure.contains("GLIBC")) {
            return "oneDNN's libraries need glibc 2.34 or newer (RHEL 9, Ubuntu 22.04, Debian 12): ";
        }
        if (failure.contains("ld-linux") || failure.contains("musl")) {
            return "oneDNN's libraries need glibc, and this system has musl; use an image that is not Alpine: ";
        }
        if (failure.contains("Permission denied") || failure.contains("failed to map segment")) {
            return "the directory that libraries are unpacked to forbids execution; set"
                    + " -Dorg.bytedeco.javacpp.cachedir to one that does not: ";
        }
        return "oneDNN does not load: ";
    }

    // ---- what was loaded ----

    private String detail() {
        dnnl_version_t version = dnnl_version();
        return "oneDNN " + version.major() + "." + version.minor() + "." + version.patch() + ", "
                + isa(dnnl_get_effective_cpu_isa()) + "; " + hadal.detail();
    }

    private static String isa(int code) {
        return switch (code) {
            case dnnl.dnnl_cpu_isa_sse41 -> "sse41";
            case dnnl.dnnl_cpu_isa_avx -> "avx";
            case dnnl.dnnl_cpu_isa_avx2 -> "avx2";
            case dnnl.dnnl_cpu_isa_avx2_vnni -> "avx2_vnni";
            case dnnl.dnnl_cpu_isa_avx2_vnni_2 -> "avx2_vnni_2";
            case dnnl.dnnl_cpu_isa_avx512_core -> "avx512_core";
            case dnnl.dnnl_cpu_isa_avx512_core_vnni -> "avx512_core_vnni";
            case dnnl.dnnl_cpu_isa_avx512_core_bf16 -> "avx512_core_bf16";
            case dnnl.dnnl_cpu_isa_avx512_core_fp16 -> "avx512_core_fp16";
            case dnnl.dnnl_cpu_isa_avx512_core_amx -> "avx512_core_amx";
            case dnnl.dnnl_cpu_isa_avx512_core_amx_fp16 -> "avx512_core_amx_fp16";
            default -> String.format(Locale.ROOT, "isa 0x%x", code);
        };
    }
}
