package dev.hadal.cli;

import dev.hadal.compress.Compressed;
import dev.hadal.compress.Compressed.Candidate;
import dev.hadal.compress.Cost;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** What a compression tried and chose, as an HTML page: quality against latency and size, and both tables. */
final class CompressionPage {
    private static final int WIDTH = 560, HEIGHT = 320;
    private static final int LEFT = 64, RIGHT = WIDTH - 24, TOP = 40, BOTTOM = HEIGHT - 44;
    private static final int MARKS = 4;

    private final Compressed compressed;

    private CompressionPage(Compressed compressed) {
        this.compressed = compressed;
    }

    static String of(Compressed compressed, Map<String, String> facts) {
        CompressionPage page = new CompressionPage(compressed);
        String body = "<p><span class=\"key first\"></span>chosen <span class=\"key second\"></span>tried"
                + " <span class=\"key limit\"></span>the least " + HtmlPage.escaped(compressed.metric())
                + " that the budget allows. Further left is cheaper, further up is better.</p>\n<main>\n"
                + page.scatter("latency of one sample, µs (median)", c -> c.p50() * 1e6)
                + page.scatter("size on disk, KiB", c -> c.fileBytes() / 1024.0)
                + "</main>\n"
                + table(CompressionTables.candidates(compressed), compressed.chosen())
                + table(CompressionTables.layers(compressed), -1);
        return HtmlPage.of("A network, compressed", facts, body);
    }

    private static String table(Table table, int chosen) {
        StringBuilder html = new StringBuilder("<table>\n<tr>");
        table.heads().forEach(head -> html.append("<th>" + HtmlPage.escaped(head) + "</th>"));
        html.append("</tr>\n");
        List<List<String>> rows = table.rows();
        for (int i = 0; i < rows.size(); i++) {
            html.append(i == chosen ? "<tr class=\"chosen\">" : "<tr>");
            rows.get(i).forEach(cell -> html.append("<td>" + HtmlPage.escaped(cell) + "</td>"));
            html.append("</tr>\n");
        }
        return html.append("</table>\n").toString();
    }

    /** Each model as a dot, numbered as in the table: its quality over what it takes. */
    private String scatter(String title, ToDoubleFunction<Cost> taken) {
        List<Candidate> all = compressed.tried();
        double most = all.stream()
                .mapToDouble(c -> taken.applyAsDouble(c.cost()))
                .max()
                .orElse(1);
        double limit = CompressionTables.least(compressed);
        double low = Math.min(
                limit, all.stream().mapToDouble(c -> c.cost().quality()).min().orElse(0));
        double high = Math.max(
                limit, all.stream().mapToDouble(c -> c.cost().quality()).max().orElse(1));
        double margin = Math.max((high - low) / 10, 1e-6);
        Plot plot = new Plot(1.1 * most, low - margin, high + margin);
        plot.axes(compressed.metric() + " over " + title);
        plot.add(
                "<line class=\"limit\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
                LEFT, RIGHT, plot.y(limit), plot.y(limit));
        for (int i = 0; i < all.size(); i++) {
            Cost cost = all.get(i).cost();
            double x = plot.x(taken.applyAsDouble(cost));
            double y = plot.y(cost.quality());
            plot.add(
                    "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>%s</title></circle>",
                    i == compressed.chosen() ? "first" : "second",
                    x,
                    y,
                    HtmlPage.escaped(all.get(i).what()));
            plot.add("<text class=\"mark\" x=\"%.1f\" y=\"%.1f\">%d</text>", x + 8, y - 6, i);
        }
        return plot.svg();
    }

    /** Numbers from 0 to the right, and from low to high upwards. */
    private static final class Plot {
        private final double most;
        private final double low;
        private final double high;
        private final StringBuilder svg = new StringBuilder();

        Plot(double most, double low, double high) {
            this.most = most;
            this.low = low;
            this.high = high;
        }

        double x(double value) {
            return LEFT + value / most * (RIGHT - LEFT);
        }

        double y(double value) {
            return BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP);
        }

        void axes(String title) {
            add("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", WIDTH, HEIGHT, HtmlPage.escaped(title));
            add("<text class=\"title\" x=\"%d\" y=\"18\">%s</text>", LEFT, HtmlPage.escaped(title));
            for (int i = 0; i <= MARKS; i++) {
                double across = most * i / MARKS;
                double up = low + (high - low) * i / MARKS;
                add("<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, RIGHT, y(up), y(up));
                add(
                        "<text class=\"mark\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%.3f</text>",
                        LEFT - 8, y(up) + 4, up);
                add(
                        "<text class=\"mark\" text-anchor=\"middle\" x=\"%.1f\" y=\"%d\">%s</text>",
                        x(across), BOTTOM + 18, Table.number(across));
            }
        }

        void add(String format, Object... arguments) {
            svg.append(String.format(Locale.ROOT, format, arguments)).append('\n');
        }

        String svg() {
            return svg + "</svg>\n";
        }
    }
}
