package dev.hadal.train;

import dev.hadal.optim.Glob;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** Which weights are trained, by name: all but the frozen ones; the last pattern that matches decides. */
record Trained(List<Choice> choices) implements Predicate<String> {
    static final Trained ALL = new Trained(List.of());

    record Choice(Glob glob, boolean trained) {}

    Trained with(String pattern, boolean trained) {
        List<Choice> more = new ArrayList<>(choices);
        more.add(new Choice(new Glob(pattern), trained));
        return new Trained(List.copyOf(more));
    }

    @Override
    public boolean test(String weight) {
        boolean trained = true;
        for (Choice c : choices) {
            trained = c.glob.matches(weight) ? c.trained : trained;
        }
        return trained;
    }
}
