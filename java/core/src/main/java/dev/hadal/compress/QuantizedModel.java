package dev.hadal.compress;

import dev.hadal.data.Dataset;
import dev.hadal.model.Model;

/** A network in 8 bits, and the network in f32 that it was made of. */
public final class QuantizedModel {
    private final Calibration calibration;
    private final FakeQuantized fake;
    private final Model model;

    QuantizedModel(Calibration calibration, FakeQuantized fake, Model model) {
        this.calibration = calibration;
        this.fake = fake;
        this.model = model;
    }

    /** The network in 8 bits. */
    public Model model() {
        return model;
    }

    /** What rounding did to each value of the network, on these samples. */
    public QuantizationReport report(Dataset samples) {
        return QuantizationReport.of(calibration, fake, samples);
    }
}
