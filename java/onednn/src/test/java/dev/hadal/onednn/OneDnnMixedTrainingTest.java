package dev.hadal.onednn;

import dev.hadal.backend.Backends;
import dev.hadal.train.MixedTrainingSpec;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnMixedTrainingTest extends MixedTrainingSpec {
    @Override
    protected Backends backends() {
        return loose().required();
    }

    @Override
    protected Backends loose() {
        return Backends.of("onednn").withThreads(1);
    }
}
