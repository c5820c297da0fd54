package dev.hadal.run;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaServingTest extends ServingSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend()).withThreads(1);
    }

    @Override
    protected long heldBytes() {
        return 0;
    }

    @Override
    protected Class<?> races() {
        return Races.class;
    }
}
