package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.compress.PruningSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnPruningTest extends PruningSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").withThreads(1);
    }
}
