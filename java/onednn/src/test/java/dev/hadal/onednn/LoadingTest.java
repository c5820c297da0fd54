package dev.hadal.onednn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Operand;
import dev.hadal.graph.Type;
import dev.hadal.op.Convolution;
import dev.hadal.op.Window;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** How the libraries load, or why they do not, seen from JVMs of their own. */
@Tag("native")
class LoadingTest {
    private Path cache;

    @BeforeEach
    void emptyCache() throws IOException {
        Path target = Files.createDirectories(Path.of("target"));
        cache = Files.createTempDirectory(target, "native-cache").toAbsolutePath();
    }

    @AfterEach
    void deleteCache() throws IOException {
        try (Stream<Path> files = Files.walk(cache)) {
            files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        }
    }

    /** Says whether oneDNN is there, and if so proves it. */
    static final class Main {
        public static void main(String[] args) {
            Backend backend = new OneDnnBackend();
            System.out.println(backend.availability());
            if (backend.availability().available()) {
                Convolution op = new Convolution(Window.of(1, 1, 1), 1);
                List<Type> in = List.of(Type.f32(1, 3, 8, 8), Type.f32(8, 3, 3, 3));
                List<Operand> operands = in.stream().map(Operand::plain).toList();
                try (Kernel kernel =
                        backend.prepare(op, operands, op.infer(in), 1).orElseThrow()) {
                    System.out.println("prepared " + kernel.implementation());
                }
            }
        }

        private Main() {}
    }

    /** A JVM under way. */
    private record Jvm(Process process, Path log) {
        String output() throws IOException, InterruptedException {
            assertTrue(process.waitFor(10, TimeUnit.MINUTES), "still running");
            String output = Files.readString(log);
            assertEquals(0, process.exitValue(), output);
            return output;
        }
    }

    private Jvm start(Map<String, String> environment, String leftOut, String... options) throws IOException {
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-Xmx64m");
        command.add("-Dorg.bytedeco.javacpp.cachedir=" + cache);
        command.addAll(List.of(options));
        command.add("-cp");
        command.add(Stream.of(classPath.split(File.pathSeparator))
                .filter(entry -> !new File(entry).getName().matches(leftOut))
                .collect(Collectors.joining(File.pathSeparator)));
        command.add(Main.class.getName());
        File log = File.createTempFile("jvm", ".log", cache.toFile());
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log);
        builder.environment().putAll(environment);
        return new Jvm(builder.start(), log.toPath());
    }

    /** Leaves nothing out. */
    private static final String NOTHING = "";

    private static void assertSays(String output, String... parts) {
        for (String part : parts) {
            assertTrue(output.contains(part), () -> "'" + part + "' is not in: " + output);
        }
    }

    @Test
    void sixteenJvmsStartAtOnceOnAnEmptyCache() throws IOException, InterruptedException {
        List<Jvm> jvms = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            jvms.add(start(Map.of(), NOTHING));
        }
        for (Jvm jvm : jvms) {
            assertSays(jvm.output(), "available=true", "prepared convolution");
        }
    }

    @Test
    void hiddenLibrariesSayHowToFindThem() throws IOException, InterruptedException {
        assertSays(start(Map.of(), NOTHING, "-Dhadal.natives=off").output(), "available=false", "-Dhadal.natives=off");
    }

    @Test
    void missingLibrariesAreNamed() throws IOException, InterruptedException {
        for (String artifact : List.of("dnnl", "opencl")) {
            String natives = artifact + "-[0-9].*-[a-z0-9]+-(x86_64|arm64)\\.jar";
            assertSays(
                    start(Map.of(), natives).output(),
                    "available=false",
                    "org.bytedeco:" + artifact + ":",
                    "classifier");
        }
    }

    @Test
    void withoutAnyOfTheirJarsTheBackendStillAnswers() throws IOException, InterruptedException {
        assertSays(start(Map.of(), "(dnnl|opencl|javacpp)-.*").output(), "available=false", "org.bytedeco:javacpp");
    }

    @Test
    void withoutLibhadalOneDnnRuns() throws IOException, InterruptedException {
        assertSays(
                start(Map.of(), NOTHING, "-Dhadal.native=off").output(),
                "available=true",
                "-Dhadal.native=off",
                "prepared convolution");
    }

    @Test
    void withoutAvx512OneDnnRuns() throws IOException, InterruptedException {
        assertSays(
                start(Map.of("ONEDNN_MAX_CPU_ISA", "AVX2"), NOTHING).output(),
                "available=true",
                "avx2",
                "prepared convolution");
    }
}
