package dev.hadal.cli;

import java.util.ArrayList;
import java.util.List;

/**
 * A grey picture with what was predicted and what it is, drawn in characters: two pixels, one above the other, are the
 * two colours of ▀, or their mean is a letter of a ramp from dark to light.
 *
 * @param grey from 0, black, to 1, row by row
 */
record TerminalImage(int width, int height, float[] grey, String predicted, String truth) {
    private static final String RAMP = " .:-=+*#%@";
    private static final String GAP = "  ";
    private static final String RESET = "\u001b[0m";
    private static final String GREEN = "\u001b[32m";
    private static final String RED = "\u001b[31m";

    TerminalImage {
        if (grey.length != width * height) {
            throw new IllegalArgumentException(
                    "a picture of " + width + "×" + height + " has " + width * height + " pixels, not " + grey.length);
        }
    }

    /** Pictures of one size, as many side by side as fit, each with its caption below. */
    static List<String> draw(List<TerminalImage> pictures, Terminal terminal) {
        List<String> lines = new ArrayList<>();
        int width = pictures.stream().mapToInt(TerminalImage::width).max().orElse(0);
        int perRow = Math.max(1, (terminal.width() + GAP.length()) / (width + GAP.length()));
        for (int first = 0; first < pictures.size(); first += perRow) {
            List<TerminalImage> row = pictures.subList(first, Math.min(first + perRow, pictures.size()));
            for (int y = 0; y < row.get(0).height; y += 2) {
                lines.add(line(row, y, terminal));
            }
            lines.add(captions(row, terminal));
            lines.add("");
        }
        return lines;
    }

    private static String line(List<TerminalImage> row, int y, Terminal terminal) {
        StringBuilder line = new StringBuilder();
        for (TerminalImage picture : row) {
            line.append(line.isEmpty() ? "" : GAP);
            if (terminal.colors() == Terminal.Colors.NONE || !terminal.unicode()) {
                picture.letters(y, line);
            } else {
                picture.blocks(y, terminal.colors(), line);
            }
        }
        return line.toString().stripTrailing();
    }

    private void letters(int y, StringBuilder line) {
        for (int x = 0; x < width; x++) {
            float mean = (pixel(x, y) + pixel(x, y + 1)) / 2;
            line.append(RAMP.charAt(Math.round(mean * (RAMP.length() - 1))));
        }
    }

    private void blocks(int y, Terminal.Colors colors, StringBuilder line) {
        String before = "";
        for (int x = 0; x < width; x++) {
            String color = "\u001b[38;" + code(pixel(x, y), colors) + ";48;" + code(pixel(x, y + 1), colors) + "m";
            line.append(color.equals(before) ? "" : color).append('▀');
            before = color;
        }
        line.append(RESET);
    }

    /** The rest of an escape sequence that begins with 38 or 48. */
    private static String code(float grey, Terminal.Colors colors) {
        if (colors == Terminal.Colors.TRUE) {
            int level = Math.round(grey * 255);
            return "2;" + level + ";" + level + ";" + level;
        }
        // The palette's greys are 232 … 255, between its black, 16, and its white, 231.
        int level = Math.round(grey * 25);
        return "5;" + (level == 0 ? 16 : level == 25 ? 231 : 231 + level);
    }

    private float pixel(int x, int y) {
        return y < height ? Math.min(Math.max(grey[y * width + x], 0), 1) : 0;
    }

    private static String captions(List<TerminalImage> row, Terminal terminal) {
        StringBuilder line = new StringBuilder();
        for (TerminalImage picture : row) {
            line.append(line.isEmpty() ? "" : GAP).append(picture.caption(terminal));
        }
        return line.toString().stripTrailing();
    }

    /** "predicted / truth ✓", cut or filled to the picture's width. */
    private String caption(Terminal terminal) {
        boolean right = predicted.equals(truth);
        String mark = terminal.unicode() ? (right ? "✓" : "✗") : right ? "+" : "x";
        String words = predicted + " / " + truth;
        int room = Math.max(0, width - 2);
        String shown = words.length() <= room ? words : words.substring(0, room);
        String padding = " ".repeat(Math.max(0, room - words.length()));
        return shown + " " + (terminal.colors() == Terminal.Colors.NONE ? mark : (right ? GREEN : RED) + mark + RESET)
                + padding;
    }
}
