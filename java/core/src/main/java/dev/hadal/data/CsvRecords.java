package dev.hadal.data;

import java.io.IOException;
import java.io.Reader;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The records of a CSV file (RFC 4180): fields between separators, records between line ends, LF or CRLF. A field may
 * stand in double quotes, and then contain separators, line ends, and double quotes that are written twice.
 */
final class CsvRecords {
    private static final int END = -1;

    private final String file;
    private final Reader in;
    private final char separator;
    private final StringBuilder field = new StringBuilder();

    private int next;
    /** The line of the next character, from 1. */
    private int line = 1;
    /** The line on which the record that was read last begins. */
    private int start;

    CsvRecords(String file, Reader in, char separator) throws IOException {
        this.file = file;
        this.in = in;
        this.separator = separator;
        this.next = in.read();
        if (next == '\uFEFF') { // a byte order mark
            next = in.read();
        }
    }

    /** The next record's fields, or null after the last. Empty lines at the end of the file are no records. */
    @Nullable
    List<String> read() throws IOException {
        int empty = 0;
        start = line;
        while (next == '\n' || next == '\r') {
            advance();
            empty = empty == 0 ? start : empty;
        }
        if (next == END) {
            return null;
        }
        if (empty > 0) {
            throw new MalformedDataException(file, "line " + empty + " is empty");
        }
        List<String> fields = new ArrayList<>();
        fields.add(field());
        while (next == separator) {
            advance();
            fields.add(field());
        }
        if (next == '\r') {
            advance();
        }
        if (next != '\n' && next != END) {
            throw new MalformedDataException(file, "line " + line + " has a carriage return within it");
        }
        if (next == '\n') {
            advance();
        }
        return fields;
    }

    /** The line on which the last record begins. */
    int line() {
        return start;
    }

    private String field() throws IOException {
        field.setLength(0);
        if (next == '"') {
            quoted();
        } else {
            plain();
        }
        return field.toString();
    }

    private void plain() throws IOException {
        while (next != separator && next != '\n' && next != '\r' && next != END) {
            if (next == '"') {
                throw new MalformedDataException(
                        file, "line " + line + " has a quote within a field that does not begin with one");
            }
            take();
        }
    }

    private void quoted() throws IOException {
        int opened = line;
        advance();
        while (true) {
            if (next == END) {
                throw new MalformedDataException(file, "the quote that opens on line " + opened + " is never closed");
            }
            if (next == '"') {
                advance();
                if (next != '"') {
                    break;
                }
            }
            take();
        }
        if (next != separator && next != '\n' && next != '\r' && next != END) {
            throw new MalformedDataException(file, "line " + line + " has more after a closing quote");
        }
    }

    private void take() throws IOException {
        field.append((char) next);
        advance();
    }

    private void advance() throws IOException {
        line += next == '\n' ? 1 : 0;
        next = in.read();
    }
}
