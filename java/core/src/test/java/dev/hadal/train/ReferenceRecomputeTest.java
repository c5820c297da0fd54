package dev.hadal.train;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;

/** By the plain loops. */
class ReferenceRecomputeTest extends RecomputeSpec {
    @Override
    protected Backends backends() {
        return Backends.of(JvmBackend.reference()).required();
    }
}
