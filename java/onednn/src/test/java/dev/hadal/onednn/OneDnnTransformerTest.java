package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.nn.TransformerSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnTransformerTest extends TransformerSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").required();
    }
}
