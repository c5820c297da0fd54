package dev.hadal.optim;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** Some of the weights, by path: all, unless a pattern leaves some out. The last pattern that matches a path decides. */
public record Selection(List<Choice> choices) implements Predicate<String> {
    /** All of them. */
    public static final Selection ALL = new Selection(List.of());

    /** Whether the paths that match are taken. */
    public record Choice(Glob glob, boolean taken) {}

    public Selection {
        choices = List.copyOf(choices);
    }

    /** With one more pattern. */
    public Selection with(String pattern, boolean taken) {
        List<Choice> more = new ArrayList<>(choices);
        more.add(new Choice(new Glob(pattern), taken));
        return new Selection(more);
    }

    @Override
    public boolean test(String path) {
        boolean taken = true;
        for (Choice c : choices) {
            taken = c.glob.matches(path) ? c.taken : taken;
        }
        return taken;
    }
}
