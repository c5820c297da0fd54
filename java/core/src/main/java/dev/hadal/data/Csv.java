package dev.hadal.data;

import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/**
 * Reads tables of numbers from comma-separated values (RFC 4180), UTF-8, plain or gzipped:
 *
 * <pre>
 *   Table wine = Csv.withHeader().separator(';').target("quality").read(path);
 *   Table iris = Csv.withHeader().labels("species").read(path);
 * </pre>
 *
 * Every column is an input, unless it is the target or ignored. A value that is missing, or no finite number where one is
 * needed, is an error that names its line and column.
 *
 * @param header whether the first record names the columns; else they are called 1, 2, …
 * @param separator between fields
 * @param target the column that is the target, or null
 * @param categorical whether the target's values are names of classes
 * @param categories these names, by their indices; if it is empty, they are found in the file
 * @param ignored columns to leave out
 */
public record Csv(
        boolean header,
        char separator,
        @Nullable String target,
        boolean categorical,
        List<String> categories,
        List<String> ignored) {

    public Csv {
        categories = List.copyOf(categories);
        ignored = List.copyOf(ignored);
        if (separator == '"' || separator == '\n' || separator == '\r') {
            throw new IllegalArgumentException("a quote or a line end cannot separate fields");
        }
        if (new HashSet<>(categories).size() < categories.size()) {
            throw new IllegalArgumentException("categories must differ from each other: " + categories);
        }
    }

    /** Files whose first record names the columns. */
    public static Csv withHeader() {
        return new Csv(true, ',', null, false, List.of(), List.of());
    }

    /** Files without that record; their columns are called 1, 2, … */
    public static Csv withoutHeader() {
        return new Csv(false, ',', null, false, List.of(), List.of());
    }

    /** What stands between fields; a comma unless said. */
    public Csv separator(char character) {
        return new Csv(header, character, target, categorical, categories, ignored);
    }

    /** Makes a column of numbers the target, f32 []. */
    public Csv target(String column) {
        return new Csv(header, separator, column, false, List.of(), ignored);
    }

    /**
     * Makes a column of names, or of class numbers, the target: i32 [], an index into the distinct values, which are
     * sorted; as numbers, if all of them are.
     */
    public Csv labels(String column) {
        return labels(column, List.of());
    }

    /** The same with given classes: those of the {@linkplain Table#categories training data}, for the test data. */
    public Csv labels(String column, List<String> categories) {
        return new Csv(header, separator, column, true, categories, ignored);
    }

    /** Leaves columns out. */
    public Csv ignore(String... columns) {
        List<String> all = new ArrayList<>(ignored);
        all.addAll(List.of(columns));
        return new Csv(header, separator, target, categorical, categories, all);
    }

    /**
     * Reads a file.
     *
     * @throws MalformedDataException if the file is not what it should be
     * @throws java.nio.file.NoSuchFileException if it is missing
     */
    public Table read(Path file) throws IOException {
        try (InputStream in = Gzip.open(file)) {
            return read(file.toString(), in);
        }
    }

    /** The same, from a stream, which is read to its end and closed. */
    public Table read(InputStream in) throws IOException {
        return read("csv", in);
    }

    private Table read(String file, InputStream stream) throws IOException {
        try (stream;
                BufferedReader in = new BufferedReader(new InputStreamReader(
                        Gzip.plain(stream),
                        StandardCharsets.UTF_8
                                .newDecoder()
                                .onMalformedInput(CodingErrorAction.REPORT)
                                .onUnmappableCharacter(CodingErrorAction.REPORT)))) {
            return table(file, new CsvRecords(file, in, separator));
        } catch (CharacterCodingException e) {
            throw new MalformedDataException(file, "it is not UTF-8 text", e);
        } catch (EOFException e) {
            throw new MalformedDataException(file, "its gzip data end early", e);
        } catch (ZipException e) {
            throw new MalformedDataException(file, "its gzip data are damaged: " + e.getMessage(), e);
        }
    }

    private Table table(String file, CsvRecords records) throws IOException {
        List<String> record = records.read();
        if (record == null) {
            throw new MalformedDataException(file, header ? "it has no header" : "it has no records");
        }
        List<String> names = header ? record : numbered(record.size());
        CsvColumns columns = new CsvColumns(file, names, this);
        record = header ? records.read() : record;
        while (record != null) {
            columns.add(records.line(), record);
            record = records.read();
        }
        return columns.table();
    }

    private static List<String> numbered(int count) {
        List<String> names = new ArrayList<>();
        for (int i = 1; i <= count; i++) {
            names.add(String.valueOf(i));
        }
        return names;
    }

    /** The columns that must exist. */
    Set<String> named() {
        Set<String> named = new HashSet<>(ignored);
        if (target != null) {
            named.add(target);
        }
        return named;
    }
}
