package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.optim.OptimizerSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnOptimizerTest extends OptimizerSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").required().withThreads(1);
    }

    @Override
    protected Backends loose() {
        return Backends.of("onednn").withThreads(1);
    }
}
