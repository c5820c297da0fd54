package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.nn.RecurrenceSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnRecurrenceTest extends RecurrenceSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").required();
    }
}
