package example;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Backends;
import java.util.List;

/** Runs the README's example, once this JVM is seen to be what the test means it to be. */
public class Outside {
    public static void main(String[] args) throws Exception {
        String path = Outside.class.getModule().isNamed() ? "named" : "unnamed";
        check(path.equals(args[0]), "runs in a module that is " + path);
        List<String> backends = Backends.installed().stream().map(Backend::name).toList();
        check(backends.contains("onednn"), "finds only the backends " + backends);
        QuickExample.main(new String[0]);
    }

    private static void check(boolean ok, String otherwise) {
        if (!ok) {
            throw new AssertionError(otherwise);
        }
    }
}
