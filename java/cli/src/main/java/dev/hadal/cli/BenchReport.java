package dev.hadal.cli;

import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a benchmark found, as a table in Markdown and as an HTML page that needs nothing else.
 *
 * @param facts what a reader must know to compare: machine, versions, threads
 * @param natively the name of the native backend
 */
record BenchReport(Map<String, String> facts, Ceilings ceilings, String natively, List<Row> rows) {

    /** Some work, how long it took natively, and how long in Java. */
    record Row(Workload workload, Timing natively, Timing java) {

        /** Additions and multiplications, or else bytes, in a second, by 10⁹; runs in a second where neither is known. */
        private double speed(double seconds) {
            Workload.Cost cost = workload.cost();
            double work = cost.flops() > 0 ? cost.flops() * 1e-9 : cost.bytes() > 0 ? cost.bytes() * 1e-9 : 1;
            return work / seconds;
        }

        private String unit() {
            Workload.Cost cost = workload.cost();
            return cost.flops() > 0 ? "GFLOP/s" : cost.bytes() > 0 ? "GB/s" : "runs/s";
        }
    }

    /** The least time that the core could need, as a part of the time taken. */
    private double fraction(Row row, Timing timing) {
        return ceilings.leastSeconds(row.workload) / timing.median();
    }

    // ---- Markdown ----

    String markdown() {
        List<String> lines = new ArrayList<>();
        facts.forEach((what, value) -> lines.add("- " + what + ": " + value));
        lines.add("");
        lines.add("| work | size | type | " + natively + " | Java | times faster | " + natively
                + " reaches | of the ceiling |");
        lines.add("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for (Row row : rows) {
            double there = row.natively.median();
            double here = row.java.median();
            lines.add("| "
                    + String.join(
                            " | ",
                            row.workload.name(),
                            row.workload.size(),
                            row.workload.type().name().toLowerCase(Locale.ROOT),
                            time(row.natively),
                            time(row.java),
                            Table.number(here / there),
                            Table.number(row.speed(there)) + " " + row.unit(),
                            percent(fraction(row, row.natively)))
                    + " |");
        }
        lines.add("");
        lines.add("Medians, with the quartiles in brackets. The ceilings were measured in the same run: " + ceilings
                + ".");
        return String.join("\n", lines) + "\n";
    }

    /** In a unit that suits the median. */
    private static String time(Timing t) {
        if (Double.isNaN(t.median())) {
            return "-";
        }
        double unit = t.median() < 1e-3 ? 1e6 : 1e3;
        return Table.number(unit * t.median()) + " (" + Table.number(unit * t.low()) + "–"
                + Table.number(unit * t.high()) + ") " + (unit == 1e3 ? "ms" : "µs");
    }

    private static String percent(double fraction) {
        return Double.isFinite(fraction) ? String.format(Locale.ROOT, "%.0f %%", 100 * fraction) : "-";
    }

    // ---- HTML ----

    String html() {
        Map<String, String> all = new LinkedHashMap<>(facts);
        all.put("ceilings", ceilings.toString());
        StringBuilder body = new StringBuilder("<p>")
                .append("<span class=\"key first\"></span>" + HtmlPage.escaped(natively)
                        + " <span class=\"key second\"></span>Java")
                .append(" <span class=\"key limit\"></span>the ceiling of the core. Bars are medians, whiskers reach"
                        + " from quartile to quartile; longer is faster.</p>\n<main>\n");
        Map<String, List<Row>> groups = new LinkedHashMap<>();
        rows.forEach(row -> groups.computeIfAbsent(row.workload.name(), n -> new ArrayList<>())
                .add(row));
        groups.forEach((name, members) -> body.append(new Bars(name, members).svg()));
        return HtmlPage.of("Hadal, measured", all, body.append("</main>\n").toString());
    }

    /** The speeds of one kind of work, on operands of several sizes. */
    private final class Bars {
        private static final int WIDTH = 560, LEFT = 150, RIGHT = 430, TOP = 34, ROW = 40, BAR = 13;

        private final String title;
        private final List<Row> members;
        private final double longest;
        private final StringBuilder svg = new StringBuilder();

        Bars(String title, List<Row> members) {
            this.title = title;
            this.members = members;
            this.longest = members.stream()
                    .mapToDouble(r -> Math.max(Math.max(bar(r, r.natively), bar(r, r.java)), finite(ceiling(r))))
                    .max()
                    .orElse(1);
        }

        private double bar(Row row, Timing t) {
            return finite(row.speed(t.low()));
        }

        private static double finite(double x) {
            return Double.isFinite(x) ? x : 0;
        }

        private double ceiling(Row row) {
            return row.speed(ceilings.leastSeconds(row.workload));
        }

        String svg() {
            int height = TOP + ROW * members.size();
            add("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", WIDTH, height, HtmlPage.escaped(title));
            add(
                    "<text class=\"title\" x=\"0\" y=\"18\">%s, %s</text>",
                    HtmlPage.escaped(title), members.get(0).unit());
            for (int i = 0; i < members.size(); i++) {
                row(members.get(i), TOP + ROW * i);
            }
            add("</svg>");
            return svg.toString();
        }

        private void row(Row row, int y) {
            String label = row.workload.size() + (row.workload.type() == DType.F32 ? "" : " bf16");
            add("<text class=\"mark\" x=\"0\" y=\"%d\">%s</text>", y + BAR + 4, HtmlPage.escaped(label));
            one(row, row.natively, "first", y);
            one(row, row.java, "second", y + BAR + 2);
            double ceiling = ceiling(row);
            if (Double.isFinite(ceiling)) {
                double x = x(ceiling);
                add(
                        "<line class=\"limit\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>",
                        x, x, y - 2, y + 2 * BAR + 4);
            }
        }

        private void one(Row row, Timing t, String style, int y) {
            double speed = row.speed(t.median());
            if (!Double.isFinite(speed)) {
                add("<text class=\"mark\" x=\"%d\" y=\"%d\">not here</text>", LEFT, y + BAR - 2);
                return;
            }
            add(
                    "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                    style, LEFT, y, x(speed) - LEFT, BAR);
            double middle = y + BAR / 2.0;
            add(
                    "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\"/>",
                    x(row.speed(t.high())),
                    middle,
                    x(row.speed(t.low())),
                    x(row.speed(t.high())),
                    middle - 3,
                    x(row.speed(t.low())),
                    middle - 3);
            double fraction = fraction(row, t);
            add(
                    "<text class=\"mark\" x=\"%d\" y=\"%d\">%s%s</text>",
                    RIGHT + 12,
                    y + BAR - 2,
                    Table.number(speed),
                    Double.isFinite(fraction) ? ", " + percent(fraction) : "");
        }

        private double x(double speed) {
            return LEFT + speed / longest * (RIGHT - LEFT);
        }

        private void add(String format, Object... arguments) {
            svg.append(String.format(Locale.ROOT, format, arguments)).append('\n');
        }
    }
}
