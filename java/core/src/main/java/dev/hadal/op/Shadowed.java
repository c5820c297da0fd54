package dev.hadal.op;

import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * An update that also keeps the weights' shadow, which mixed precision computes with: the new w, rounded to bf16. Its
 * operands are the rule's and the old shadow, its results the rule's and the new one. If the norm is not finite, that is
 * the old one, too. One pass.
 */
public record Shadowed(UpdateOp rule) implements Op {
    private static final Set<Class<?>> RULES = Set.of(Sgd.class, RmsProp.class, Adam.class, NAdam.class, Lion.class);

    public Shadowed {
        if (!covers(rule)) {
            throw new IllegalArgumentException(
                    rule + " has no form that keeps a shadow; cast the weights that it gives");
        }
    }

    /** Whether a rule has such a form: those whose elements are independent of each other. */
    public static boolean covers(UpdateRule rule) {
        return RULES.contains(rule.getClass());
    }

    @Override
    public String name() {
        return rule.name();
    }

    @Override
    public List<Type> infer(List<Type> in) {
        List<String> names = new ArrayList<>(List.of("w", "g"));
        names.addAll(rule.moments());
        names.addAll(List.of("norm", "hyper", "shadow"));
        Require.operands(name(), in, names.toArray(String[]::new));
        int last = in.size() - 1;
        List<Type> out = new ArrayList<>(rule.infer(in.subList(0, last)));
        Type shadow = new Type(DType.BF16, in.get(0).shape());
        Require.that(in.get(last).equals(shadow), "%s: the shadow must be %s, but is %s", name(), shadow, in.get(last));
        out.add(shadow);
        return out;
    }

    /**
     * Appends one step.
     *
     * @return the new w, the new moments, the new shadow
     */
    public List<Value> update(Value w, Value g, List<Value> moments, Value norm, Value hyper, Value shadow) {
        List<Value> operands = new ArrayList<>(List.of(w, g));
        operands.addAll(moments);
        operands.addAll(List.of(norm, hyper, shadow));
        return call(operands.toArray(Value[]::new));
    }

    @Override
    public String toString() {
        return rule + " and bf16";
    }
}
