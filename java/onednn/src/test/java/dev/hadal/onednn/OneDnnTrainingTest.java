package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.train.TrainingSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnTrainingTest extends TrainingSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").required().withThreads(1);
    }
}
