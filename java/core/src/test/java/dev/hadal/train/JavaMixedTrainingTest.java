package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaMixedTrainingTest extends MixedTrainingSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend()).required();
    }

    @Override
    protected Backends loose() {
        return backends();
    }
}
