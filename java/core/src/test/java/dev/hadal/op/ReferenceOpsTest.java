package dev.hadal.op;

import dev.hadal.backend.jvm.JvmBackend;

/** The plain loops. */
class ReferenceOpsTest extends OpSpecs {
    @Override
    protected Subject subject() {
        return Subject.of(JvmBackend.reference());
    }
}
