package dev.hadal.op;

import dev.hadal.graph.Op;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What a backend has been seen to do, op by op: the row of the op × backend table. */
final class Tally {
    private static final class Row {
        int cases;
        int declined;
        int own;
        int fast;
        int plain;
        final Map<String, Integer> gaps = new TreeMap<>();
        final Set<String> implementations = new TreeSet<>();
        final Map<String, Double> worst = new TreeMap<>();
    }

    private final Map<String, Row> rows = new TreeMap<>();

    /** The op's name with its family's, such as {@code Convolution.BackwardData}. */
    static String nameOf(Class<?> op) {
        Class<?> family = op.getEnclosingClass();
        return (family == null ? "" : family.getSimpleName() + ".") + op.getSimpleName();
    }

    private synchronized Row row(Op op) {
        return rows.computeIfAbsent(nameOf(op.getClass()), name -> new Row());
    }

    synchronized void ran(Op op) {
        row(op).cases++;
    }

    synchronized void ran(Op op, String implementation) {
        row(op).implementations.add(implementation);
    }

    synchronized void declined(Op op) {
        row(op).declined++;
    }

    /** Notes that the backend ran a case by itself. */
    synchronized void own(Op op) {
        row(op).own++;
    }

    /** Notes that a case of some elements was left to another, and why. */
    synchronized void gap(Op op, String reason) {
        row(op).gaps.merge(reason, 1, Integer::sum);
    }

    /** Notes what the Java backend has for a case of some elements: a fast kernel, or the plain reference. */
    synchronized void java(Op op, boolean fast) {
        Row row = row(op);
        row.fast += fast ? 1 : 0;
        row.plain += fast ? 0 : 1;
    }

    /** The op × backend matrix: what runs each op, and every fallback as a gap. */
    synchronized String matrix(String backend) {
        String format = "%-30s %-15s %10s %10s  %s%n";
        StringBuilder table = new StringBuilder("op × backend; gaps are cases that the backend leaves to another\n");
        table.append(String.format(Locale.ROOT, format, "op", "java", backend, "gaps", "reasons"));
        List<String> gaps = new ArrayList<>();
        rows.forEach((name, row) -> {
            String java = row.plain == 0 ? "fast" : row.fast == 0 ? "reference only" : "fast in part";
            int count = row.gaps.values().stream().mapToInt(Integer::intValue).sum();
            table.append(String.format(
                    Locale.ROOT, format, name, java, row.own, count, String.join("; ", row.gaps.keySet())));
            if (count > 0) {
                gaps.add(row.own == 0 ? name : name + " in part");
            }
        });
        long whole = rows.values().stream().filter(r -> r.gaps.isEmpty()).count();
        return table
                + String.format(
                        Locale.ROOT,
                        "%d ops, %d by %s alone, %d gaps: %s%n",
                        rows.size(),
                        whole,
                        backend,
                        gaps.size(),
                        gaps.isEmpty() ? "none" : String.join(", ", gaps));
    }

    /** Notes how much of its bound an error took. */
    synchronized void error(Op op, String what, double share) {
        row(op).worst.merge(what, share, Math::max);
    }

    /** Whether the op has been run at all, or declined with an excuse. */
    synchronized boolean knows(Class<?> op) {
        Row row = rows.get(nameOf(op));
        return row != null && row.cases + row.declined > 0;
    }

    /** The largest share of its bound that each kind of error took, as "op y0". */
    synchronized Map<String, Double> worst() {
        Map<String, Double> all = new TreeMap<>();
        rows.forEach((name, row) -> row.worst.forEach((what, share) -> all.put(name + " " + what, share)));
        return all;
    }

    @Override
    public synchronized String toString() {
        StringBuilder table = new StringBuilder(String.format(
                Locale.ROOT,
                "%-28s %6s %8s  %-46s %s%n",
                "op",
                "cases",
                "declined",
                "worst error / bound",
                "implementations"));
        rows.forEach((name, row) -> {
            String worst = row.worst.entrySet().stream()
                    .map(e -> String.format(Locale.ROOT, "%s %.3f", e.getKey(), e.getValue()))
                    .reduce((a, b) -> a + ", " + b)
                    .orElse("-");
            table.append(String.format(
                    Locale.ROOT,
                    "%-28s %6d %8d  %-46s %s%n",
                    name,
                    row.cases,
                    row.declined,
                    worst,
                    implementations(row)));
        });
        return table.toString();
    }

    private static String implementations(Row row) {
        String all = String.join(", ", row.implementations);
        return all.length() <= 100 ? all : all.substring(0, 100) + "… (" + row.implementations.size() + ")";
    }
}
