package dev.hadal.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** One or two curves over the epochs, as SVG. */
final class Chart {
    private static final int WIDTH = 560, HEIGHT = 300;
    private static final int LEFT = 64, RIGHT = WIDTH - 16, TOP = 44, BOTTOM = HEIGHT - 40;
    /** Epochs up to which each has a dot. */
    private static final int DOTS = 60;

    private final String title;
    private final List<Epoch> history;
    private final List<Curve> curves;
    private final Axis across;
    private final Axis up;
    private final StringBuilder svg = new StringBuilder();

    /**
     * @param name of the numbers
     * @param label for the legend
     * @param style the class in the page's style sheet
     */
    record Curve(String name, String label, String style) {}

    Chart(String title, List<Epoch> history, List<Curve> curves) {
        this.title = title;
        this.history = history;
        this.curves = curves;
        double[] finite = curves.stream()
                .flatMapToDouble(c -> history.stream().mapToDouble(e -> e.get(c.name())))
                .filter(Double::isFinite)
                .sorted()
                .toArray();
        up = finite.length == 0 ? Axis.over(0, 1, 5) : Axis.over(finite[0], finite[finite.length - 1], 5);
        int first = history.get(0).number();
        int last = history.get(history.size() - 1).number();
        Axis epochs = Axis.over(first, Math.max(last, first + 1), 8);
        across = new Axis(epochs.from(), epochs.to(), Math.max(1, epochs.step()));
    }

    String svg() {
        add("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", WIDTH, HEIGHT, escaped(title));
        add("<text class=\"title\" x=\"%d\" y=\"18\">%s</text>", LEFT, escaped(title));
        axes();
        legend();
        curves.forEach(this::curve);
        hover();
        add("</svg>");
        return svg.toString();
    }

    private void axes() {
        for (double mark : up.marks()) {
            add("<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, RIGHT, y(mark), y(mark));
            add(
                    "<text class=\"mark\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%s</text>",
                    LEFT - 8, y(mark) + 4, up.label(mark));
        }
        add("<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT, RIGHT, BOTTOM, BOTTOM);
        add("<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT, LEFT, TOP, BOTTOM);
        for (double mark : across.marks()) {
            add(
                    "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>",
                    x(mark), x(mark), BOTTOM, BOTTOM + 4);
            add(
                    "<text class=\"mark\" text-anchor=\"middle\" x=\"%.1f\" y=\"%d\">%.0f</text>",
                    x(mark), BOTTOM + 17, mark);
        }
        add(
                "<text class=\"mark\" text-anchor=\"middle\" x=\"%d\" y=\"%d\">epoch</text>",
                (LEFT + RIGHT) / 2, HEIGHT - 6);
    }

    private void legend() {
        int x = LEFT;
        for (Curve curve : curves) {
            add("<line class=\"curve %s\" x1=\"%d\" x2=\"%d\" y1=\"32\" y2=\"32\"/>", curve.style(), x, x + 18);
            add("<text class=\"mark\" x=\"%d\" y=\"36\">%s</text>", x + 23, escaped(curve.label()));
            x += 40 + 7 * curve.label().length();
        }
    }

    /** A line through the numbers that are finite, interrupted where one is not. */
    private void curve(Curve curve) {
        StringBuilder path = new StringBuilder();
        boolean drawing = false;
        for (Epoch epoch : history) {
            double value = epoch.get(curve.name());
            if (Double.isFinite(value)) {
                path.append(
                        String.format(Locale.ROOT, "%s%.1f %.1f", drawing ? "L" : "M", x(epoch.number()), y(value)));
            }
            drawing = Double.isFinite(value);
        }
        add("<path class=\"curve %s\" d=\"%s\"/>", curve.style(), path);
        for (Epoch epoch : history.size() <= DOTS ? history : List.<Epoch>of()) {
            double value = epoch.get(curve.name());
            if (Double.isFinite(value)) {
                add(
                        "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>",
                        curve.style(), x(epoch.number()), y(value));
            }
        }
    }

    /** A column for each epoch, which knows where its line and what its text is. The page's script shows them. */
    private void hover() {
        add("<line class=\"here\" y1=\"%d\" y2=\"%d\"/>", TOP, BOTTOM);
        add("<text class=\"values\" text-anchor=\"end\" x=\"%d\" y=\"18\"></text>", RIGHT);
        for (int i = 0; i < history.size(); i++) {
            Epoch epoch = history.get(i);
            double here = x(epoch.number());
            double from = i == 0 ? LEFT : (x(history.get(i - 1).number()) + here) / 2;
            double to = i == history.size() - 1
                    ? RIGHT
                    : (here + x(history.get(i + 1).number())) / 2;
            List<String> values = new ArrayList<>();
            for (Curve curve : curves) {
                values.add(curve.label() + " " + number(epoch.get(curve.name())));
            }
            add(
                    "<rect class=\"hit\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" data-x=\"%.1f\" data-text=\"%s\"/>",
                    from,
                    TOP,
                    to - from,
                    BOTTOM - TOP,
                    here,
                    escaped("epoch " + epoch.number() + ": " + String.join(", ", values)));
        }
    }

    private double x(double epoch) {
        return LEFT + across.place(epoch) * (RIGHT - LEFT);
    }

    private double y(double value) {
        return BOTTOM - up.place(value) * (BOTTOM - TOP);
    }

    private void add(String format, Object... arguments) {
        svg.append(String.format(Locale.ROOT, format, arguments)).append('\n');
    }

    private static String number(double x) {
        double size = Math.abs(x);
        boolean plain = size == 0 || (size >= 1e-3 && size < 1e6);
        return !Double.isFinite(x)
                ? "–"
                : String.format(Locale.ROOT, !plain ? "%.3e" : size >= 1000 ? "%.0f" : "%.4f", x);
    }

    /** Text for XML, in elements or attributes. */
    static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
