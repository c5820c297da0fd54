package dev.hadal.model;

import dev.hadal.tensor.DType;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A model that has taken over tensors by name, and the report of what matched.
 *
 * @param model the network with what it took over
 * @param loaded the names that were taken over
 * @param missing what the network has, but the tensors do not
 * @param unexpected what the tensors have, but the network does not
 * @param mismatched what both have, in different types, each with both types
 */
public record Transfer(
        Model model, List<String> loaded, List<String> missing, List<String> unexpected, List<String> mismatched) {

    static Transfer of(Model model, Map<String, Tensor> tensors, UnaryOperator<String> rename) {
        Map<String, Tensor> renamed = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> {
            if (renamed.put(rename.apply(name), tensor) != null) {
                throw new IllegalArgumentException(
                        "two tensors are renamed to '" + rename.apply(name) + "'; one of them is '" + name + "'");
            }
        });
        List<String> loaded = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        List<String> mismatched = new ArrayList<>();
        Map<String, Tensor> values = new LinkedHashMap<>(model.values());
        model.values().forEach((name, own) -> {
            Tensor found = renamed.remove(name);
            if (found == null) {
                missing.add(name);
                return;
            }
            boolean widens = found.dtype() == DType.BF16 && own.dtype() == DType.F32;
            Tensor other = widens ? found.widened() : found;
            if (other.dtype() != own.dtype() || !other.shape().equals(own.shape())) {
                mismatched.add(name + ": the network has " + own + ", not " + other);
            } else {
                loaded.add(name);
                values.put(name, other);
            }
        });
        return new Transfer(model.withValues(values), loaded, missing, List.copyOf(renamed.keySet()), mismatched);
    }

    /**
     * The model, if everything matched.
     *
     * @throws IllegalArgumentException with the report, if something is missing, unexpected or mismatched
     */
    public Model complete() {
        if (missing.isEmpty() && unexpected.isEmpty() && mismatched.isEmpty()) {
            return model;
        }
        throw new IllegalArgumentException(toString());
    }

    /** The report: a line for each kind, left out where there is none. */
    @Override
    public String toString() {
        StringBuilder report = new StringBuilder(
                "loaded " + loaded.size() + " of " + model.values().size() + " tensors");
        append(report, "missing", missing);
        append(report, "unexpected", unexpected);
        append(report, "mismatched", mismatched);
        return report.toString();
    }

    private static void append(StringBuilder report, String what, List<String> names) {
        if (!names.isEmpty()) {
            report.append("; ").append(what).append(' ').append(names);
        }
    }
}
