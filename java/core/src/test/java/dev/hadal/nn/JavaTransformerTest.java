package dev.hadal.nn;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

class JavaTransformerTest extends TransformerSpec {
    @Override
    protected Backends backends() {
        return Backends.of(new JvmBackend());
    }
}
