package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Bounds on errors must let honest f32 arithmetic pass, and be no looser than ten times its worst error. */
class BoundsTest {
    private static final double LOOSEST = 0.1;

    @Test
    void boundsAreNeitherTightNorLoose() {
        Hunt hunt = new Hunt(Subject.of(NaiveLoops.backend()));
        List<String> broken = Hunt.nestedSpecs().stream()
                .flatMap(nested -> hunt
                        .failureIn(
                                nested,
                                factory -> factory.startsWith("bounded")
                                        || factory.startsWith("gradient")
                                        || factory.startsWith("training"))
                        .stream())
                .toList();
        Map<String, Double> worst = worst(hunt.tally());
        StringBuilder table = new StringBuilder("worst errors of naive f32 loops, as shares of their bounds\n");
        worst.forEach((what, share) -> table.append(String.format(Locale.ROOT, "%-34s %.3f%n", what, share)));
        System.out.println(table);
        assertEquals(List.of(), broken, "bounds that honest arithmetic breaks");
        List<String> loose = worst.entrySet().stream()
                .filter(e -> e.getValue() < LOOSEST)
                .map(Map.Entry::toString)
                .toList();
        if (Draw.SEED == Draw.USUAL) { // the worst of one seed is not the worst of all
            assertEquals(List.of(), loose, "bounds looser than ten times the worst error");
        }
    }

    /** By op and result; of the networks' one tolerance, the worst of all its uses. */
    private static Map<String, Double> worst(Tally tally) {
        Map<String, Double> worst = new TreeMap<>();
        tally.worst()
                .forEach((what, share) -> worst.merge(what.endsWith(" net") ? "networks" : what, share, Math::max));
        return worst;
    }
}
