package dev.hadal.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/** A text about all epochs so far, written anew after each; whoever reads it meanwhile sees the old one or the new. */
record HistoryFile(Path file, Function<List<Epoch>, String> text) implements Listener {

    @Override
    public void onEpoch(Progress progress, Epoch epoch) {
        Path whole = file.toAbsolutePath();
        Path part = whole.resolveSibling(whole.getFileName() + ".part");
        try {
            Files.writeString(part, text.apply(progress.history()));
            Files.move(part, whole, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    /** The names of all numbers, in the order in which they came up. */
    static Set<String> names(List<Epoch> history) {
        Set<String> names = new LinkedHashSet<>();
        history.forEach(e -> names.addAll(e.values().keySet()));
        return names;
    }

    /** A header and a line for each epoch (RFC 4180); what an epoch has no number for is empty. */
    static String csv(List<Epoch> history) {
        Set<String> names = names(history);
        StringBuilder text = new StringBuilder();
        List<String> header = new ArrayList<>(List.of("epoch"));
        names.forEach(name -> header.add(name.matches("[\\w .:-]+") ? name : '"' + name.replace("\"", "\"\"") + '"'));
        text.append(String.join(",", header)).append("\r\n");
        for (Epoch epoch : history) {
            text.append(epoch.number());
            for (String name : names) {
                text.append(',').append(epoch.values().containsKey(name) ? epoch.get(name) : "");
            }
            text.append("\r\n");
        }
        return text.toString();
    }
}
