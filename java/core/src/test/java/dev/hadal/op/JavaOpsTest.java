package dev.hadal.op;

import dev.hadal.backend.jvm.JvmBackend;

/** Pure Java with its fast kernels; the plain loops behind them count as a fallback. */
class JavaOpsTest extends OpSpecs {
    @Override
    protected Subject subject() {
        return Subject.of(new JvmBackend())
                .withThreads(1, 2)
                .countingOnly(kernel -> !kernel.implementation().equals("reference"))
                .mayDecline("nothing to compute: the plain loops do that as fast", Subject.Case::empty);
    }
}
