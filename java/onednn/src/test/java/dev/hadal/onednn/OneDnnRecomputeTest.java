package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.train.RecomputeSpec;
import org.junit.jupiter.api.Tag;

/** What oneDNN has no kernel for runs in Java, with copies between, which must be the same both times too. */
@Tag("native")
class OneDnnRecomputeTest extends RecomputeSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").withThreads(1);
    }
}
