package dev.hadal.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A table in plain text: a title and a unit above each column, words to the left and numbers to the right. */
final class Table {
    private static final String GAP = "   ";

    private final List<Column> columns;
    private final List<List<String>> rows = new ArrayList<>();

    /** A column; the unit is empty where there is none. */
    record Column(String title, String unit, boolean toTheRight) {

        static Column words(String title) {
            return new Column(title, "", false);
        }

        static Column numbers(String title, String unit) {
            return new Column(title, unit, true);
        }

        private String pad(String cell, int width) {
            String padding = " ".repeat(width - length(cell));
            return toTheRight ? padding + cell : cell + padding;
        }
    }

    Table(Column... columns) {
        this.columns = List.of(columns);
    }

    /** Numbers are shown with three digits that count; NaN, for what could not be measured, as a dash. */
    void row(Object... cells) {
        if (cells.length != columns.size()) {
            throw new IllegalArgumentException(
                    "a row of this table has " + columns.size() + " cells, not " + cells.length);
        }
        List<String> row = new ArrayList<>();
        for (Object cell : cells) {
            row.add(cell instanceof Double number ? number(number) : cell.toString());
        }
        rows.add(row);
    }

    static String number(double x) {
        if (Double.isNaN(x)) {
            return "-";
        }
        double size = Math.abs(x);
        int decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 || size == 0 ? 2 : 3;
        return String.format(Locale.ROOT, "%." + decimals + "f", x);
    }

    /** The title and the unit of each column. */
    List<String> heads() {
        return columns.stream()
                .map(c -> c.unit.isEmpty() ? c.title : c.title + ", " + c.unit)
                .toList();
    }

    /** The cells as they are shown. */
    List<List<String>> rows() {
        return List.copyOf(rows);
    }

    List<String> lines() {
        List<List<String>> all = new ArrayList<>();
        all.add(columns.stream().map(Column::title).toList());
        if (columns.stream().anyMatch(c -> !c.unit.isEmpty())) {
            all.add(columns.stream().map(Column::unit).toList());
        }
        int head = all.size();
        all.addAll(rows);
        int[] widths = new int[columns.size()];
        for (List<String> row : all) {
            for (int c = 0; c < widths.length; c++) {
                widths[c] = Math.max(widths[c], length(row.get(c)));
            }
        }
        List<String> lines =
                new ArrayList<>(all.stream().map(r -> line(r, widths)).toList());
        lines.add(head, "-".repeat(lines.stream().mapToInt(Table::length).max().orElse(0)));
        return lines;
    }

    private String line(List<String> row, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int c = 0; c < widths.length; c++) {
            line.append(c == 0 ? "" : GAP).append(columns.get(c).pad(row.get(c), widths[c]));
        }
        return line.toString().stripTrailing();
    }

    private static int length(String text) {
        return text.codePointCount(0, text.length());
    }
}
