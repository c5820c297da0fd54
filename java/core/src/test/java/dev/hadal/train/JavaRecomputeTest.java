package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaRecomputeTest extends RecomputeSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend()).required();
    }
}
