package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaMisuseTest extends MisuseSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend()).required().withThreads(2);
    }
}
