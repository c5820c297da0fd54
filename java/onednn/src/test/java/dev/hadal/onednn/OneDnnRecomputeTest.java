package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.train.RecomputeSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnRecomputeTest extends RecomputeSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").required().withThreads(1);
    }
}
