package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaTrainingTest extends TrainingSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend()).required();
    }
}
