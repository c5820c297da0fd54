package dev.hadal.cli;

import java.io.Console;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What standard output can show.
 *
 * @param interactive whether someone watches, so that a line may be drawn over
 * @param unicode whether its character set has more than ASCII
 * @param width in columns
 */
record Terminal(boolean interactive, Colors colors, boolean unicode, int width) {
    private static final int DEFAULT_WIDTH = 80;

    enum Colors {
        NONE,
        /** The palette of xterm, with 24 greys. */
        PALETTE,
        /** 24 bits. */
        TRUE
    }

    static Terminal detect() {
        boolean interactive = isInteractive(System.console());
        int width = interactive ? width(System.getenv()) : DEFAULT_WIDTH;
        return new Terminal(interactive, colors(interactive, System.getenv()), hasUnicode(), width);
    }

    /** As the environment has it; {@code NO_COLOR} (no-color.org) wins over all else. */
    static Colors colors(boolean interactive, Map<String, String> environment) {
        String term = environment.getOrDefault("TERM", "");
        String colorTerm = environment.getOrDefault("COLORTERM", "");
        boolean windowsTerminal = environment.containsKey("WT_SESSION");
        if (!interactive
                || !environment.getOrDefault("NO_COLOR", "").isEmpty()
                || (term.isEmpty() && !windowsTerminal)
                || term.equals("dumb")) {
            return Colors.NONE;
        }
        if (colorTerm.equals("truecolor") || colorTerm.equals("24bit") || windowsTerminal) {
            return Colors.TRUE;
        }
        return term.contains("256color") ? Colors.PALETTE : Colors.NONE;
    }

    /** From JDK 22 on there is a console without a terminal too, and a method to ask. */
    private static boolean isInteractive(@Nullable Console console) {
        if (console == null) {
            return false;
        }
        try {
            return (Boolean) Console.class.getMethod("isTerminal").invoke(console);
        } catch (ReflectiveOperationException before22) {
            return true;
        }
    }

    private static boolean hasUnicode() {
        String name = System.getProperty("stdout.encoding", System.getProperty("sun.stdout.encoding"));
        Charset charset = name == null ? Charset.defaultCharset() : Charset.forName(name);
        return charset.equals(StandardCharsets.UTF_8);
    }

    /** From {@code COLUMNS}, where it is exported, or else from {@code stty}, where there is one. */
    private static int width(Map<String, String> environment) {
        String columns = environment.getOrDefault("COLUMNS", "");
        if (columns.matches("[1-9][0-9]{0,3}")) {
            return Integer.parseInt(columns);
        }
        try {
            Process stty = new ProcessBuilder("stty", "size")
                    .redirectInput(Redirect.INHERIT)
                    .redirectError(Redirect.DISCARD)
                    .start();
            Matcher size = Pattern.compile("\\d+ ([1-9]\\d*)\\s*")
                    .matcher(new String(stty.getInputStream().readAllBytes(), StandardCharsets.US_ASCII));
            stty.waitFor(1, TimeUnit.SECONDS);
            return size.matches() ? Integer.parseInt(size.group(1)) : DEFAULT_WIDTH;
        } catch (IOException noStty) {
            return DEFAULT_WIDTH;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return DEFAULT_WIDTH;
        }
    }
}
