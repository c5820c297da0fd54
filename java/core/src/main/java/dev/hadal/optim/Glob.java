package dev.hadal.optim;

import java.util.regex.Pattern;

/**
 * A pattern of weights' paths, such as {@code layer1.0.conv.weight}: {@code *} stands for any characters but the dot,
 * {@code **} for any characters at all, {@code ?} for one that is no dot.
 */
public record Glob(String pattern) {

    public Glob {
        if (pattern.isEmpty()) {
            throw new IllegalArgumentException("a pattern of paths must not be empty; \"**\" matches all");
        }
    }

    /** Whether the whole path matches. */
    public boolean matches(String path) {
        return regex().matcher(path).matches();
    }

    private Pattern regex() {
        StringBuilder regex = new StringBuilder();
        for (int i = 0; i < pattern.length(); i++) {
            char c = pattern.charAt(i);
            if (c == '*' && i + 1 < pattern.length() && pattern.charAt(i + 1) == '*') {
                regex.append(".*");
                i++;
            } else if (c == '*') {
                regex.append("[^.]*");
            } else if (c == '?') {
                regex.append("[^.]");
            } else {
                regex.append(Pattern.quote(String.valueOf(c)));
            }
        }
        return Pattern.compile(regex.toString());
    }
}
