package dev.hadal.optim;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaOptimizerTest extends OptimizerSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend()).required();
    }

    @Override
    protected Backends loose() {
        return backends();
    }
}
