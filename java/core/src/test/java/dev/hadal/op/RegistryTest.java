package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.hadal.graph.Leaf;
import dev.hadal.graph.Op;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** No op goes without a spec, and no spec without being run. */
class RegistryTest {

    /** Every record in the packages of ops that is one, leaves excepted. */
    static List<Class<?>> ops() {
        List<Class<?>> ops = new ArrayList<>();
        for (String name : classesOf(Op.class, "dev.hadal.graph", "dev.hadal.op")) {
            Class<?> c = load(name);
            if (Op.class.isAssignableFrom(c) && c.isRecord() && c != Leaf.class) {
                ops.add(c);
            }
        }
        return ops;
    }

    /** The names of the classes that were compiled together with a class, found by their files. */
    private static List<String> classesOf(Class<?> sibling, String... packages) {
        try {
            URI root =
                    sibling.getProtectionDomain().getCodeSource().getLocation().toURI();
            List<String> names = new ArrayList<>();
            for (String p : packages) {
                try (Stream<Path> files = Files.list(Path.of(root).resolve(p.replace('.', '/')))) {
                    files.map(f -> f.getFileName().toString())
                            .filter(f -> f.endsWith(".class") && !f.equals("package-info.class"))
                            .map(f -> p + "." + f.substring(0, f.length() - ".class".length()))
                            .forEach(names::add);
                }
            }
            names.sort(Comparator.naturalOrder());
            return names;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static Class<?> load(String name) {
        try {
            return Class.forName(name, false, RegistryTest.class.getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    /** The specs that {@link OpSpecs} runs. */
    private static List<Class<?>> specs() {
        return Hunt.nestedSpecs().stream().<Class<?>>map(Class::getSuperclass).toList();
    }

    @Test
    void everyOpHasASpec() {
        assertFalse(ops().isEmpty(), "no ops found: the scan is broken");
        StringBuilder matrix = new StringBuilder("op × spec\n");
        List<String> without = new ArrayList<>();
        for (Class<?> op : ops()) {
            List<String> covering = Hunt.nestedSpecs().stream()
                    .filter(nested -> Hunt.covered(nested).contains(op))
                    .map(nested -> nested.getSuperclass().getSimpleName())
                    .toList();
            matrix.append(
                    String.format(Locale.ROOT, "%-30s %s%n", Tally.nameOf(op), covering.isEmpty() ? "NONE" : covering));
            if (covering.isEmpty()) {
                without.add(op.getName());
            }
        }
        System.out.println(matrix);
        assertEquals(List.of(), without, "ops that no spec covers; write one, and add it to OpSpecs");
    }

    @Test
    void everySpecIsRun() {
        List<String> idle = classesOf(RegistryTest.class, "dev.hadal.op").stream()
                .map(RegistryTest::load)
                .filter(c -> c != Spec.class && Spec.class.isAssignableFrom(c) && !c.isMemberClass())
                .filter(c -> !specs().contains(c))
                .map(Class::getSimpleName)
                .toList();
        assertEquals(List.of(), idle, "specs that OpSpecs does not run");
    }
}
