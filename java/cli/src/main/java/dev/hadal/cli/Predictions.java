package dev.hadal.cli;

import dev.hadal.backend.Backends;
import dev.hadal.data.Batch;
import dev.hadal.data.Batches;
import dev.hadal.data.Batching;
import dev.hadal.data.Dataset;
import dev.hadal.model.Model;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * What a model says of each sample of a data set.
 *
 * @param outputs batch after batch: equal predictions are equal in every bit
 */
record Predictions(List<Tensor> outputs, List<Integer> truth) {
    private static final int BATCH = 250;

    static Predictions of(Model model, Dataset data, Backends backends) {
        List<Tensor> outputs = new ArrayList<>();
        List<Integer> truth = new ArrayList<>();
        try (Predictor predictor = Predictor.of(model, backends);
                Batches batches = Batching.of(BATCH).open(data)) {
            batches.startEpoch(0);
            while (batches.hasNext()) {
                Batch batch = batches.next();
                outputs.add(predictor.predict(batch.x()));
                for (int label : batch.target().ints()) {
                    truth.add(label);
                }
            }
        }
        return new Predictions(outputs, truth);
    }

    int size() {
        return truth.size();
    }

    /** The class whose output is largest. */
    int predicted(int sample) {
        Tensor output = outputs.get(sample / BATCH);
        int classes = output.shape().get(1);
        int from = sample % BATCH * classes;
        int best = 0;
        for (int c = 1; c < classes; c++) {
            best = output.floats()[from + c] > output.floats()[from + best] ? c : best;
        }
        return best;
    }

    boolean right(int sample) {
        return predicted(sample) == truth.get(sample);
    }

    double accuracy() {
        int right = 0;
        for (int i = 0; i < size(); i++) {
            right += right(i) ? 1 : 0;
        }
        return (double) right / size();
    }
}
