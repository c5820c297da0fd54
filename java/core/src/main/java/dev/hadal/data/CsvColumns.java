package dev.hadal.data;

import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Makes a {@link Table} of a CSV file's records. */
final class CsvColumns {
    /** How a missing number is written; a missing category is empty, or the question mark. */
    private static final Set<String> MISSING = Set.of("", "?", "na", "n/a", "nan", "null", "none");

    private static final int SHOWN = 40;

    private final String file;
    private final List<String> names;
    private final Csv how;
    private final int target;
    /** Columns of x. */
    private final int[] inputs;
    /** The categories that were found or given, with their indices. */
    private final Map<String, Integer> categories = new HashMap<>();

    private float[] x = new float[1024];
    private float[] numbers = new float[64];
    private int[] labels = new int[64];
    private int rows;

    CsvColumns(String file, List<String> names, Csv how) throws MalformedDataException {
        this.file = file;
        this.names = names;
        this.how = how;
        Set<String> distinct = new HashSet<>();
        for (String name : names) {
            if (!distinct.add(name)) {
                throw new MalformedDataException(file, "two columns are called " + shown(name));
            }
        }
        for (String name : how.named()) {
            if (!distinct.contains(name)) {
                throw new MalformedDataException(file, "no column " + shown(name) + " among " + names);
            }
        }
        target = names.indexOf(how.target());
        List<Integer> all = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            if (i != target && !how.ignored().contains(names.get(i))) {
                all.add(i);
            }
        }
        inputs = all.stream().mapToInt(Integer::intValue).toArray();
        how.categories().forEach(c -> categories.put(c, categories.size()));
    }

    void add(int line, List<String> record) throws MalformedDataException {
        if (record.size() != names.size()) {
            throw new MalformedDataException(
                    file, "line " + line + " has " + record.size() + " fields, but " + names.size() + " are needed");
        }
        x = room(x, (long) (rows + 1) * inputs.length);
        for (int i = 0; i < inputs.length; i++) {
            x[rows * inputs.length + i] = number(line, inputs[i], record.get(inputs[i]));
        }
        if (target >= 0 && how.categorical()) {
            if (rows == labels.length) {
                labels = Arrays.copyOf(labels, 2 * rows);
            }
            labels[rows] = category(line, record.get(target).strip());
        } else if (target >= 0) {
            numbers = room(numbers, rows + 1L);
            numbers[rows] = number(line, target, record.get(target));
        }
        rows++;
    }

    private float[] room(float[] values, long needed) throws MalformedDataException {
        if (needed > Integer.MAX_VALUE - 8) {
            throw new MalformedDataException(file, "it has more than 2^31 values");
        }
        return needed <= values.length
                ? values
                : Arrays.copyOf(values, (int) Math.min(Math.max(needed, 2L * values.length), Integer.MAX_VALUE - 8));
    }

    private float number(int line, int column, String field) throws MalformedDataException {
        String text = field.strip();
        refuseMissing(line, column, text, text.length() <= 4 && MISSING.contains(text.toLowerCase(Locale.ROOT)));
        float value;
        try {
            value = decimal(text) ? Float.parseFloat(text) : Float.NaN;
        } catch (NumberFormatException e) {
            value = Float.NaN;
        }
        if (Float.isNaN(value)) {
            throw new MalformedDataException(file, at(line, column) + " is " + shown(text) + ", which is no number");
        }
        if (Float.isInfinite(value)) {
            throw new MalformedDataException(file, at(line, column) + " is " + shown(text) + ", too large for F32");
        }
        return value;
    }

    /** Java would also read 1f, 0x1p3 and Infinity. */
    private static boolean decimal(String text) {
        return text.chars().allMatch(c -> (c >= '0' && c <= '9') || "+-.eE".indexOf(c) >= 0);
    }

    private int category(int line, String text) throws MalformedDataException {
        Integer label = categories.get(text);
        if (label == null) {
            refuseMissing(line, target, text, text.isEmpty() || text.equals("?"));
            if (!how.categories().isEmpty()) {
                throw new MalformedDataException(
                        file, at(line, target) + " is " + shown(text) + ", which is none of " + how.categories());
            }
            label = categories.size();
            categories.put(text, label);
        }
        return label;
    }

    private void refuseMissing(int line, int column, String text, boolean missing) throws MalformedDataException {
        if (missing) {
            throw new MalformedDataException(
                    file, at(line, column) + " is missing" + (text.isEmpty() ? "" : ": " + shown(text)));
        }
    }

    private String at(int line, int column) {
        return "line " + line + ", column " + shown(names.get(column));
    }

    /** Quoted, and not too long. */
    private static String shown(String text) {
        String part = text.length() > SHOWN ? text.substring(0, SHOWN) + "…" : text;
        return '"' + part.replaceAll("\\p{Cntrl}", "\uFFFD") + '"';
    }

    Table table() throws MalformedDataException {
        Tensor values = Tensor.of(Shape.of(rows, inputs.length), Arrays.copyOf(x, rows * inputs.length));
        List<String> columns = Arrays.stream(inputs).mapToObj(names::get).toList();
        if (target < 0) {
            return new Table(columns, values, null, List.of());
        }
        if (!how.categorical()) {
            return new Table(columns, values, Tensor.of(Shape.of(rows), Arrays.copyOf(numbers, rows)), List.of());
        }
        List<String> sorted = how.categories().isEmpty() ? sorted() : how.categories();
        int[] indices = new int[rows];
        int[] places = new int[sorted.size()];
        for (int c = 0; c < places.length; c++) {
            places[categories.getOrDefault(sorted.get(c), c)] = c;
        }
        for (int i = 0; i < rows; i++) {
            indices[i] = places[labels[i]];
        }
        return new Table(columns, values, Tensor.of(Shape.of(rows), indices), sorted);
    }

    /** The categories that were found: by number if all are numbers, else by text. */
    private List<String> sorted() throws MalformedDataException {
        if (categories.isEmpty()) {
            throw new MalformedDataException(
                    file, "there is no record to find the categories of column " + shown(names.get(target)) + " in");
        }
        List<String> sorted = new ArrayList<>(categories.keySet());
        sorted.sort(Comparator.naturalOrder());
        if (sorted.stream().allMatch(CsvColumns::isNumber)) {
            sorted.sort(Comparator.comparingDouble(Double::parseDouble));
        }
        return sorted;
    }

    private static boolean isNumber(String text) {
        try {
            return decimal(text) && !Double.isNaN(Double.parseDouble(text));
        } catch (NumberFormatException e) {
            return false;
        }
    }
}
