package dev.hadal.cli;

import dev.hadal.compress.Compressed;
import dev.hadal.compress.Compressed.Candidate;
import dev.hadal.compress.Compressed.Layer;
import java.util.List;
import java.util.Locale;

/** What a compression tried and what became of each layer, as tables. */
final class CompressionTables {
    private CompressionTables() {}

    /** The least quality that the budget allows. */
    static double least(Compressed compressed) {
        return compressed.before().quality() - compressed.budget();
    }

    /** A row for each model that was measured. */
    static Table candidates(Compressed compressed) {
        Table table = new Table(
                Table.Column.words("model"),
                Table.Column.numbers(compressed.metric(), "%"),
                Table.Column.numbers("lost", "points"),
                Table.Column.numbers("on disk", "KiB"),
                Table.Column.numbers("weights", "KiB"),
                Table.Column.numbers("session", "KiB"),
                Table.Column.numbers("p50", "µs"),
                Table.Column.numbers("p99", "µs"));
        List<Candidate> all = compressed.tried();
        for (int i = 0; i < all.size(); i++) {
            Candidate c = all.get(i);
            table.row(
                    i + ": " + c.what()
                            + (i == compressed.chosen() ? ", chosen" : c.within() ? "" : ", beyond the budget"),
                    points(c.cost().quality()),
                    points(compressed.before().quality() - c.cost().quality()),
                    c.cost().fileBytes() / 1024.0,
                    c.cost().weightBytes() / 1024.0,
                    c.cost().sessionBytes() / 1024.0,
                    c.cost().p50() * 1e6,
                    c.cost().p99() * 1e6);
        }
        return table;
    }

    private static String points(double quality) {
        return String.format(Locale.ROOT, "%.2f", 100 * quality);
    }

    /** A row for each layer with weights. */
    static Table layers(Compressed compressed) {
        Table table = new Table(
                Table.Column.words("layer"),
                Table.Column.words("weight"),
                Table.Column.words("compressed"),
                Table.Column.words("type"),
                Table.Column.numbers("size", "bytes"),
                Table.Column.numbers("compressed", "bytes"),
                Table.Column.numbers("half pruned", "points"),
                Table.Column.numbers("int8", "points"));
        for (Layer l : compressed.layers()) {
            table.row(
                    l.path(),
                    l.before(),
                    l.after(),
                    l.type(),
                    String.format(Locale.ROOT, "%,d", l.bytesBefore()),
                    String.format(Locale.ROOT, "%,d", l.bytesAfter()),
                    Double.isNaN(l.pruningLoss()) ? "-" : points(l.pruningLoss()),
                    Double.isNaN(l.int8Loss()) ? "-" : points(l.int8Loss()));
        }
        return table;
    }
}
