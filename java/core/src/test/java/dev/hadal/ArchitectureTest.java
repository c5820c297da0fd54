package dev.hadal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import dev.hadal.graph.Op;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The package table of design.md ("Packages of hadal-core"). */
class ArchitectureTest {
    private static final String ROOT = "dev.hadal.";

    /** Each package, and those that it may use; through these, whatever they may use. */
    private static final Map<String, List<String>> MAY_USE = new LinkedHashMap<>();

    static {
        MAY_USE.put("tensor", List.of());
        MAY_USE.put("graph", List.of("tensor"));
        MAY_USE.put("op", List.of("graph"));
        MAY_USE.put("nn", List.of("op"));
        MAY_USE.put("model", List.of("op"));
        MAY_USE.put("backend", List.of("graph"));
        MAY_USE.put("backend.jvm", List.of("backend", "op"));
        MAY_USE.put("run", List.of("backend", "model"));
        MAY_USE.put("optim", List.of("op"));
        MAY_USE.put("data", List.of("tensor"));
        MAY_USE.put("train", List.of("nn", "optim", "data", "run"));
        MAY_USE.put("compress", List.of("train"));
    }

    /** Edges that the table lacks, as "class -> package", each with the reason why it may stay. */
    private static final Map<String, String> EXCEPTIONS = Map.of(
            "dev.hadal.backend.Backends -> backend.jvm",
            "selection ends with pure Java, which always answers, also where no ServiceLoader finds it",
            "dev.hadal.nn.Layer -> model",
            "layer.model(shape, seed) is how a user gets from one to the other; model knows no layer",
            "dev.hadal.nn.Network -> model",
            "the same, for a network of several inputs or outputs");

    /** The JDK, and the two libraries. ImageIO is in a module of the JDK that only image folders need. */
    private static final List<String> OUTSIDE = List.of("java.", "javax.imageio.", "org.slf4j.", "org.jspecify.");

    private static final JavaClasses CORE = new ClassFileImporter()
            .importUrl(Op.class.getProtectionDomain().getCodeSource().getLocation());

    /** The package in the table; the innermost one that encloses the class. */
    private static String home(JavaClass c) {
        String home = c.getPackageName().substring(ROOT.length());
        while (!MAY_USE.containsKey(home) && home.contains(".")) {
            home = home.substring(0, home.lastIndexOf('.'));
        }
        return home;
    }

    private static Set<String> reach(String home) {
        Set<String> reach = new TreeSet<>(Set.of(home));
        Objects.requireNonNull(MAY_USE.get(home)).forEach(next -> reach.addAll(reach(next)));
        return reach;
    }

    private static String outermost(JavaClass c) {
        return c.getEnclosingClass().map(ArchitectureTest::outermost).orElse(c.getName());
    }

    @Test
    void everyPackageIsInTheTable() {
        Set<String> homes = new TreeSet<>();
        CORE.stream().filter(c -> c.getPackageName().startsWith(ROOT)).forEach(c -> homes.add(home(c)));
        assertTrue(homes.size() >= 9, "the import found only " + homes);
        homes.removeAll(MAY_USE.keySet());
        assertEquals(Set.of(), homes, "packages that design.md does not know");
    }

    @Test
    void packagesUseWhatTheyMay() {
        List<String> forbidden = new ArrayList<>();
        Set<String> unused = new TreeSet<>(EXCEPTIONS.keySet());
        for (JavaClass c : CORE) {
            for (Dependency d : c.getDirectDependenciesFromSelf()) {
                JavaClass target = d.getTargetClass().getBaseComponentType();
                if (!target.getPackageName().startsWith(ROOT) || reach(home(c)).contains(home(target))) {
                    continue;
                }
                String edge = outermost(c) + " -> " + home(target);
                unused.remove(edge);
                if (!EXCEPTIONS.containsKey(edge)) {
                    forbidden.add(edge + ": " + d.getDescription());
                }
            }
        }
        assertEquals(List.of(), forbidden, "uses that the table forbids");
        assertEquals(Set.of(), unused, "exceptions that nothing needs any more");
    }

    /** Between packages, exceptions left out: what the table allows cannot run in circles, and is itself checked. */
    @Test
    void nothingRunsInCircles() {
        Map<String, Set<String>> uses = new TreeMap<>();
        for (JavaClass c : CORE) {
            for (Dependency d : c.getDirectDependenciesFromSelf()) {
                JavaClass target = d.getTargetClass().getBaseComponentType();
                if (target.getPackageName().startsWith(ROOT)
                        && !home(c).equals(home(target))
                        && !EXCEPTIONS.containsKey(outermost(c) + " -> " + home(target))) {
                    uses.computeIfAbsent(home(c), k -> new TreeSet<>()).add(home(target));
                }
            }
        }
        uses.keySet().forEach(start -> assertNoWayBack(start, start, List.of(start), uses));
    }

    private static void assertNoWayBack(String start, String at, List<String> way, Map<String, Set<String>> uses) {
        for (String next : uses.getOrDefault(at, Set.of())) {
            List<String> longer = new ArrayList<>(way);
            longer.add(next);
            assertTrue(!next.equals(start), () -> "a circle of packages: " + longer);
            if (!way.contains(next)) {
                assertNoWayBack(start, next, longer, uses);
            }
        }
    }

    /** Nothing native, nothing heavy: only the kernels on the Vector API know its module. */
    @Test
    void coreDependsOnNothingElse() {
        Set<String> foreign = new TreeSet<>();
        for (JavaClass c : CORE) {
            for (Dependency d : c.getDirectDependenciesFromSelf()) {
                JavaClass target = d.getTargetClass().getBaseComponentType();
                String name = target.getName();
                boolean vector = c.getPackageName().equals("dev.hadal.backend.jvm.vector")
                        && name.startsWith("jdk.incubator.vector.");
                if (!target.isPrimitive()
                        && !name.startsWith(ROOT)
                        && OUTSIDE.stream().noneMatch(name::startsWith)
                        && !vector) {
                    foreign.add(outermost(c) + " uses " + name);
                }
            }
        }
        assertEquals(Set.of(), foreign);
    }
}
