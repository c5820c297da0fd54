package dev.hadal.outside;

import static dev.hadal.nn.Layers.linear;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.optim.Optimizer;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.EarlyStopping;
import dev.hadal.train.Epoch;
import dev.hadal.train.Fit;
import dev.hadal.train.Listener;
import dev.hadal.train.Metric;
import dev.hadal.train.Progress;
import dev.hadal.train.Trainer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A metric and a listener as a user writes them, who sees only what is public. */
class OwnMetricTest {

    /** The share of targets of class 1 among those seen, whatever the network says. */
    record ShareOfOnes() implements Metric {
        @Override
        public String name() {
            return "ones";
        }

        @Override
        public boolean higherIsBetter() {
            return false;
        }

        @Override
        public Accumulator start() {
            return new Accumulator() {
                private long ones;
                private long all;

                @Override
                public void add(Tensor output, Tensor target) {
                    for (int label : target.ints()) {
                        ones += label;
                        all++;
                    }
                }

                @Override
                public double value() {
                    return (double) ones / all;
                }
            };
        }
    }

    @Test
    void isMeasuredMonitoredAndHeard() {
        int[] labels = new int[40];
        labels[3] = labels[17] = labels[39] = 1;
        Dataset data = Dataset.of(Tensor.zeros(DType.F32, Shape.of(40, 2)), 2, labels);
        List<Double> heard = new ArrayList<>();
        Listener listener = new Listener() {
            @Override
            public void onEpoch(Progress progress, Epoch epoch) {
                heard.add(epoch.get("ones"));
            }
        };
        try (Trainer trainer = Trainer.of(linear(2), Shape.of(2))
                .optimizer(Optimizer.sgd(0))
                .batch(16)
                .backends(Backends.of("java").withThreads(1))
                .build()) {
            List<Epoch> history = trainer.fit(
                    data,
                    Fit.epochs(5)
                            .metrics(new ShareOfOnes())
                            .validateOn(data.take(10))
                            .earlyStopping(EarlyStopping.on("val_ones").patience(2))
                            .listener(listener));
            assertEquals(3, history.size());
            assertEquals(List.of(0.075, 0.075, 0.075), heard);
            assertEquals(0.1, history.get(2).get("val_ones"));
            assertEquals(0.075, trainer.evaluate(data, new ShareOfOnes()).get("ones"));
        }
    }
}
