package dev.hadal.op;

import dev.hadal.graph.Op;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.TestFactory;
import org.opentest4j.TestAbortedException;

/** Runs the specs from within a test, until a case fails. */
final class Hunt {
    private final OpSpecs specs;

    Hunt(Subject subject) {
        this.specs = new OpSpecs() {
            @Override
            protected Subject subject() {
                return subject;
            }
        };
    }

    Tally tally() {
        return specs.tally();
    }

    /** The specs as {@link OpSpecs} runs them. */
    static List<Class<?>> nestedSpecs() {
        return Arrays.stream(OpSpecs.class.getDeclaredClasses())
                .filter(c -> c.isAnnotationPresent(Nested.class))
                .sorted(Comparator.comparing(Class::getSimpleName))
                .toList();
    }

    /** What the first failing case says, of all specs that cover the op. */
    Optional<String> failureOf(Class<? extends Op> op) {
        return nestedSpecs().stream()
                .filter(nested -> covered(nested).contains(op))
                .flatMap(nested -> failureIn(nested, factory -> true).stream())
                .findFirst();
    }

    static List<Class<? extends Op>> covered(Class<?> nested) {
        return List.of(nested.getSuperclass().getAnnotation(Covers.class).value());
    }

    /** What the first failing case says, of one spec's factories. */
    Optional<String> failureIn(Class<?> nested, Predicate<String> factories) {
        try {
            Constructor<?> constructor = nested.getDeclaredConstructor(OpSpecs.class);
            constructor.setAccessible(true);
            Object spec = constructor.newInstance(specs);
            List<Method> methods = Arrays.stream(nested.getSuperclass().getDeclaredMethods())
                    .filter(m -> m.isAnnotationPresent(TestFactory.class) && factories.test(m.getName()))
                    .sorted(Comparator.comparing(Method::getName))
                    .toList();
            for (Method factory : methods) {
                factory.setAccessible(true);
                Optional<String> failure = ((Stream<?>) factory.invoke(spec))
                        .flatMap(test -> failure((DynamicTest) test).stream())
                        .findFirst();
                if (failure.isPresent()) {
                    return failure.map(f -> factory.getName() + ": " + f);
                }
            }
            return Optional.empty();
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("a spec has changed its form", e);
        }
    }

    private static Optional<String> failure(DynamicTest test) {
        try {
            test.getExecutable().execute();
            return Optional.empty();
        } catch (TestAbortedException declined) {
            return Optional.empty();
        } catch (AssertionError e) {
            if (!(e.getCause() instanceof AssertionError)) {
                throw e; // the machinery broke, nobody caught anything
            }
            return Optional.of(String.valueOf(e.getMessage()));
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
