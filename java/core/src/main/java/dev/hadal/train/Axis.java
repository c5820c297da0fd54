package dev.hadal.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A range of numbers with round ones marked.
 *
 * @param step between marks: 1, 2 or 5 times a power of ten
 */
record Axis(double from, double to, double step) {

    /** Of about that many marks; a range that is empty is widened. */
    static Axis over(double least, double most, int marks) {
        double margin = least == most ? Math.max(Math.abs(least) * 0.1, 1e-9) : 0;
        double from = least - margin;
        double to = most + margin;
        double rough = (to - from) / marks;
        double power = Math.pow(10, Math.floor(Math.log10(rough)));
        double step =
                rough <= power ? power : rough <= 2 * power ? 2 * power : rough <= 5 * power ? 5 * power : 10 * power;
        return new Axis(from, to, step);
    }

    /** The round numbers in the range. */
    List<Double> marks() {
        List<Double> marks = new ArrayList<>();
        for (double i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9 * step; i++) {
            marks.add(i * step);
        }
        return marks;
    }

    /** A mark as text, with no more digits than tell it from the next. */
    String label(double mark) {
        double largest = Math.max(Math.abs(from), Math.abs(to));
        if (mark == 0) {
            return "0";
        }
        if (largest < 1e-3 || largest >= 1e6) {
            int digits = (int)
                    Math.max(0, Math.floor(Math.log10(Math.abs(mark)) + 1e-9) - Math.floor(Math.log10(step) + 1e-9));
            return String.format(Locale.ROOT, "%." + digits + "e", mark);
        }
        int decimals = (int) Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
        return String.format(Locale.ROOT, "%." + decimals + "f", mark);
    }

    /** Where a number lies, from 0 at one end to 1 at the other. */
    double place(double x) {
        return (x - from) / (to - from);
    }
}
