package dev.hadal.run;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaKernelsTest extends KernelsSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend()).withThreads(2);
    }
}
