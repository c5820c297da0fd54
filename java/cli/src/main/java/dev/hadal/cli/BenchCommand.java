package dev.hadal.cli;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code hadal bench}. */
@Command(
        name = "bench",
        description = "Measures kernels and training steps, native against Java and against the ceilings of the core;"
                + " prints a table in Markdown, and writes an HTML page.",
        mixinStandardHelpOptions = true,
        versionProvider = Hadal.Version.class,
        showDefaultValues = true)
final class BenchCommand implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private int threads = 1;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            defaultValue = "0.5",
            description = "How long to measure each piece of work on each backend, after its warm-up.")
    private double seconds;

    @Option(names = "--only", paramLabel = "REGEX", description = "Only the work whose name or size it matches.")
    private @Nullable String only;

    @Option(names = "--all", description = "More kinds of work and more sizes, in a quarter of an hour.")
    private boolean all;

    @Option(
            names = "--html",
            paramLabel = "FILE",
            defaultValue = "hadal-bench.html",
            description = "Where to write the page.")
    private Path html = Path.of("hadal-bench.html");

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "1",
            description = "How many threads compute. Pin the command to as many cores, or the figures scatter.")
    void setThreads(int count) {
        if (count < 1) {
            throw new ParameterException(spec.commandLine(), "--threads must be at least 1, but is " + count);
        }
        threads = count;
    }

    @Override
    public Integer call() throws IOException, CommandException {
        List<Workload> chosen = chosen();
        Backend best = Backends.installed().get(0);
        boolean isNative = best.availability().available() && !best.name().equals("java");
        Backends java = Backends.of("java").withThreads(threads);
        List<Backends> sides = isNative ? List.of(Backends.of(best).withThreads(threads), java) : List.of(java);
        List<BenchReport.Row> rows = new ArrayList<>();
        try (Progress progress = new Progress(chosen.size())) {
            for (Workload workload : chosen) {
                progress.next(workload.toString());
                List<Timing> times = workload.times(sides, seconds);
                rows.add(new BenchReport.Row(
                        workload, isNative ? times.get(0) : Timing.NONE, times.get(times.size() - 1)));
            }
        }
        Ceilings ceilings = isNative ? Ceilings.measure(threads) : Ceilings.UNKNOWN;
        BenchReport report = new BenchReport(facts(best), ceilings, isNative ? best.name() : "native", rows);
        System.out.print(report.markdown());
        Files.writeString(html, report.html());
        System.out.println("\nThe same as a page: " + html.toAbsolutePath());
        return 0;
    }

    private List<Workload> chosen() throws CommandException {
        List<Workload> suite = all ? Workload.all() : Workload.few();
        if (only == null) {
            return suite;
        }
        try {
            Pattern pattern = Pattern.compile(only);
            List<Workload> chosen = suite.stream()
                    .filter(w -> pattern.matcher(w.toString()).find())
                    .toList();
            if (chosen.isEmpty()) {
                throw new CommandException("--only " + only + " matches none of " + suite);
            }
            return chosen;
        } catch (PatternSyntaxException e) {
            throw new ParameterException(spec.commandLine(), "--only: " + e.getMessage(), e);
        }
    }

    private Map<String, String> facts(Backend best) throws IOException {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("processor", processor());
        facts.put("threads", threads + " of " + Runtime.getRuntime().availableProcessors() + " processors");
        facts.put("native", best.name() + ", " + best.availability().detail());
        boolean vectors = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
        facts.put(
                "Java",
                System.getProperty("java.runtime.version") + ", Vector API " + (vectors ? "on" : "off") + ", "
                        + System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        facts.put(
                "when",
                ZonedDateTime.now(ZoneOffset.UTC).format(DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm 'UTC'")));
        return facts;
    }

    private static String processor() throws IOException {
        Path info = Path.of("/proc/cpuinfo");
        if (!Files.isReadable(info)) {
            return System.getProperty("os.arch");
        }
        return Files.readAllLines(info).stream()
                .filter(line -> line.startsWith("model name"))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse(System.getProperty("os.arch"));
    }

    /** A bar where someone watches. */
    private static final class Progress implements AutoCloseable {
        private final @Nullable ProgressBar bar;

        Progress(int steps) {
            Terminal terminal = Terminal.detect();
            bar = !terminal.interactive()
                    ? null
                    : new ProgressBarBuilder()
                            .setTaskName("bench")
                            .setInitialMax(steps)
                            .setStyle(terminal.unicode() ? ProgressBarStyle.UNICODE_BLOCK : ProgressBarStyle.ASCII)
                            .setConsumer(new ConsoleProgressBarConsumer(System.err, terminal.width() - 1))
                            .build();
        }

        void next(String what) {
            if (bar != null) {
                bar.step();
                bar.setExtraMessage(what);
            }
        }

        @Override
        public void close() {
            if (bar != null) {
                bar.close();
            }
        }
    }
}
