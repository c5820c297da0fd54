package dev.hadal.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON (RFC 8259), strictly: what safetensors headers and saved graphs are written in. Objects are maps in order, arrays
 * are lists, numbers are {@code Long} or {@code Double}. Core has no dependency that could read it.
 */
final class Json {
    private static final int MAX_DEPTH = 64;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /**
     * Reads one value.
     *
     * @throws ModelFormatException with the position, if the text is not JSON
     */
    static Object read(String text) throws ModelFormatException {
        Json json = new Json(text);
        Object value = json.value(0);
        json.space();
        if (json.at != text.length()) {
            throw json.error("the end of the text");
        }
        return value;
    }

    private Object value(int depth) throws ModelFormatException {
        space();
        if (depth > MAX_DEPTH) {
            throw error("at most " + MAX_DEPTH + " levels");
        }
        char c = at < text.length() ? text.charAt(at) : '\0';
        return switch (c) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            case 't' -> literal("true", true);
            case 'f' -> literal("false", false);
            default -> number();
        };
    }

    private Map<String, Object> object(int depth) throws ModelFormatException {
        Map<String, Object> map = new LinkedHashMap<>();
        at++;
        space();
        if (take('}')) {
            return map;
        }
        do {
            space();
            String key = string();
            space();
            expect(':');
            if (map.put(key, value(depth + 1)) != null) {
                throw error("each key once, not '" + key + "' twice");
            }
            space();
        } while (take(','));
        expect('}');
        return map;
    }

    private List<Object> array(int depth) throws ModelFormatException {
        List<Object> list = new ArrayList<>();
        at++;
        space();
        if (take(']')) {
            return list;
        }
        do {
            list.add(value(depth + 1));
            space();
        } while (take(','));
        expect(']');
        return list;
    }

    private String string() throws ModelFormatException {
        expect('"');
        StringBuilder s = new StringBuilder();
        while (!take('"')) {
            char c = next();
            if (c < ' ') {
                throw error("no control character in a string");
            }
            s.append(c == '\\' ? escaped() : c);
        }
        return s.toString();
    }

    private char escaped() throws ModelFormatException {
        char c = next();
        return switch (c) {
            case '"', '\\', '/' -> c;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> {
                int code = 0;
                for (int i = 0; i < 4; i++) {
                    int digit = Character.digit(next(), 16);
                    if (digit < 0) {
                        throw error("four hexadecimal digits");
                    }
                    code = code * 16 + digit;
                }
                yield (char) code;
            }
            default -> throw error("an escape sequence");
        };
    }

    /** -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
    private Object number() throws ModelFormatException {
        int from = at;
        take('-');
        boolean whole = true;
        boolean complete = take('0') || digits();
        if (complete && take('.')) {
            whole = false;
            complete = digits();
        }
        if (complete && (take('e') || take('E'))) {
            whole = false;
            if (!take('+')) {
                take('-');
            }
            complete = digits();
        }
        String number = text.substring(from, at);
        if (!complete) {
            at = from;
            throw error("a value");
        }
        try {
            if (whole) {
                return Long.valueOf(number);
            }
            return Double.valueOf(number);
        } catch (NumberFormatException e) {
            at = from;
            throw error("a number that fits 64 bits");
        }
    }

    /** Passes over digits, of which there must be one at least. */
    private boolean digits() {
        int from = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        return at > from;
    }

    private Object literal(String word, Object value) throws ModelFormatException {
        if (!text.startsWith(word, at)) {
            throw error(word);
        }
        at += word.length();
        return value;
    }

    private char next() throws ModelFormatException {
        if (at >= text.length()) {
            throw error("more text");
        }
        return text.charAt(at++);
    }

    private boolean take(char c) {
        boolean here = at < text.length() && text.charAt(at) == c;
        at += here ? 1 : 0;
        return here;
    }

    private void expect(char c) throws ModelFormatException {
        if (!take(c)) {
            throw error("'" + c + "'");
        }
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private ModelFormatException error(String wanted) {
        return new ModelFormatException("JSON: expected " + wanted + " at character " + at + " of " + text.length());
    }

    /** Writes maps, lists, strings, numbers and booleans. */
    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map<?, ?> map) {
            String separator = "{";
            for (Map.Entry<?, ?> e : map.entrySet()) {
                out.append(separator);
                write(String.valueOf(e.getKey()), out);
                out.append(':');
                write(e.getValue(), out);
                separator = ",";
            }
            out.append(map.isEmpty() ? "{}" : "}");
        } else if (value instanceof List<?> list) {
            String separator = "[";
            for (Object e : list) {
                out.append(separator);
                write(e, out);
                separator = ",";
            }
            out.append(list.isEmpty() ? "[]" : "]");
        } else if (value instanceof String s) {
            quote(s, out);
        } else {
            out.append(value);
        }
    }

    private static void quote(String s, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
