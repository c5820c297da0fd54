package dev.hadal.onednn;

import dev.hadal.op.OpSpecs;
import dev.hadal.op.Subject;

class OneDnnOpsTest extends OpSpecs {
    @Override
    protected Subject subject() {
        return Subject.of(new OneDnnBackend()).withThreads(1, 2);
    }
}
