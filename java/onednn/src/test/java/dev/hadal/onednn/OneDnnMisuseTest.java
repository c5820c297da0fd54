package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.train.MisuseSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnMisuseTest extends MisuseSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").withThreads(2);
    }
}
