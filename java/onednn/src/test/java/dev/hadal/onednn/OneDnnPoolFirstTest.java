package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.model.PoolFirstTest;
import java.util.List;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnPoolFirstTest extends PoolFirstTest {
    @Override
    protected List<Backends> backends() {
        return List.of(Backends.of("onednn").withThreads(1));
    }
}
