package dev.hadal.backend;

import dev.hadal.backend.jvm.JvmBackend;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The backends that a plan may use, in the order in which they are asked, ending with pure Java, which always answers.
 *
 * @param require whether an op that the first backend declines is an error; otherwise a later backend runs it, with one
 *     log line
 * @param threads how many threads a run may use
 */
public record Backends(List<Backend> list, boolean require, int threads) {
    public Backends {
        list = List.copyOf(list);
        if (list.isEmpty() || threads < 1) {
            throw new IllegalArgumentException("at least one backend and one thread are needed");
        }
    }

    /** The backend named by the system property {@code hadal.backend} if there is one, else the best that runs here. */
    public static Backends automatic() {
        String chosen = System.getProperty("hadal.backend", "auto");
        return chosen.equals("auto") ? Automatic.CHOICE : of(chosen);
    }

    /** Pure Java alone: nothing native is loaded for it, so that a JVM is quickest at its first prediction. */
    public static Backends java() {
        return of(new JvmBackend());
    }

    /**
     * The backend of that name, with pure Java behind it.
     *
     * @throws IllegalArgumentException if there is none of that name
     * @throws IllegalStateException if it cannot run here; the message says why, and what to do
     */
    public static Backends of(String name) {
        if (name.equals(JvmBackend.NAME)) { // which needs no looking for
            return java();
        }
        List<Backend> installed = installed();
        Backend backend = installed.stream()
                .filter(b -> b.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no backend '" + name + "', only "
                        + installed.stream().map(Backend::name).toList()
                        + "; is its module on the class or module path?"));
        Backend.Availability availability = backend.availability();
        if (!availability.available()) {
            throw new IllegalStateException("backend '" + name + "' cannot run here: " + availability.detail());
        }
        return of(backend);
    }

    /** That backend, with pure Java behind it. */
    public static Backends of(Backend backend) {
        List<Backend> list = new ArrayList<>(List.of(backend));
        if (!(backend instanceof JvmBackend)) {
            list.add(new JvmBackend());
        }
        return new Backends(list, false, Runtime.getRuntime().availableProcessors());
    }

    /** Every backend that is installed, best first, whether it can run here or not. */
    public static List<Backend> installed() {
        return ServiceLoader.load(Backend.class).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparingInt(Backend::rank).reversed())
                .toList();
    }

    /** The same, with a fallback turned into an error. */
    public Backends required() {
        return new Backends(list, true, threads);
    }

    public Backends withThreads(int count) {
        return new Backends(list, require, count);
    }

    /** The backend that is asked first. */
    public Backend first() {
        return list.get(0);
    }

    @Override
    public String toString() {
        return list.stream().map(Backend::name).collect(Collectors.joining(", then ")) + ", " + threads + " threads";
    }

    /** The automatic choice, made and logged once. */
    private static final class Automatic {
        // Not in the outer class: setting up a log takes a JVM that has just started 25 ms.
        private static final Logger LOG = LoggerFactory.getLogger(Backends.class);

        static final Backends CHOICE = choose();

        private static Backends choose() {
            for (Backend backend : installed()) {
                Backend.Availability availability = backend.availability();
                if (availability.available()) {
                    Backends choice = of(backend);
                    LOG.info("backend {}: {}; {} threads", backend.name(), availability.detail(), choice.threads());
                    return choice;
                }
                LOG.warn("backend {} cannot run here: {}", backend.name(), availability.detail());
            }
            return java();
        }
    }
}
