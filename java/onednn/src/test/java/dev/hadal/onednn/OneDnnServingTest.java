package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.run.Races;
import dev.hadal.run.ServingSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnServingTest extends ServingSpec {
    private static final Backends ONEDNN = Backends.of("onednn").required().withThreads(1);

    @Override
    protected Backends backends() {
        return ONEDNN;
    }

    @Override
    protected long heldBytes() {
        return NativeMemory.heldBytes();
    }

    @Override
    protected Class<?> races() {
        return Main.class;
    }

    /** What the forked JVMs run. */
    public static final class Main {
        public static void main(String[] arguments) throws Exception {
            Races.run(ONEDNN, NativeMemory::heldBytes, arguments);
        }

        private Main() {}
    }
}
