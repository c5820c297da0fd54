package dev.hadal.compress;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaPruningTest extends PruningSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend()).required();
    }
}
