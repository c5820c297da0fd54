package dev.hadal.examples;

import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.reshape;
import static dev.hadal.nn.Layers.sequential;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JavaOp;
import dev.hadal.backend.jvm.Span;
import dev.hadal.data.Csv;
import dev.hadal.data.Dataset;
import dev.hadal.data.Normalization;
import dev.hadal.graph.Node;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
import dev.hadal.model.Model;
import dev.hadal.model.SavedOp;
import dev.hadal.nn.Init;
import dev.hadal.nn.Layer;
import dev.hadal.nn.Loss;
import dev.hadal.op.Activation;
import dev.hadal.op.Activation.Function;
import dev.hadal.op.Binary;
import dev.hadal.op.Hyper;
import dev.hadal.op.Reduce;
import dev.hadal.op.UpdateOp;
import dev.hadal.optim.Optimizer;
import dev.hadal.optim.Schedule;
import dev.hadal.run.Predictor;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import dev.hadal.train.Fit;
import dev.hadal.train.Listener;
import dev.hadal.train.Metric;
import dev.hadal.train.Metrics;
import dev.hadal.train.Trainer;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An op, a layer, a loss, a metric and an update rule that Hadal does not have, in a network that estimates the size of a
 * tumour's largest nuclei from its other measurements.
 */
public final class OwnParts {
    /**
     * The R² to reach, chosen on seeds 1 to 10 (0.847 to 0.984) and on 2026, which missed a threshold of 0.95 that seed 1
     * alone had suggested; the mean reaches 0.
     */
    static final double THRESHOLD = 0.8;
    /** Played no part in the choice of network, settings or threshold; its first run gave 0.948. */
    static final long SEED = 2027;

    private OwnParts() {}

    public static void main(String[] args) throws IOException {
        run(SEED, Files.createTempFile("own-parts", ".safetensors"), System.out);
    }

    /** An op, y = x + sin²(a·x)/a (Ziyin, Hartwig and Ueda 2020), with its kernel and its gradient. */
    public record Snake(float a) implements JavaOp {
        @Override
        public String name() {
            return "examples.snake";
        }

        @Override
        public List<Type> infer(List<Type> in) {
            return likeTheFirst(name(), in, 1);
        }

        @Override
        public List<@Nullable Value> gradient(Node node, List<@Nullable Value> dy) {
            return List.of(new Backward(a).of(node.input(0), Objects.requireNonNull(dy.get(0))));
        }

        @Override
        public void compute(Span[] in, Span[] out) {
            for (int i = 0; i < out[0].size(); i++) {
                float x = in[0].get(i), sine = (float) Math.sin(a * x);
                out[0].set(i, x + sine * sine / a);
            }
        }

        /** dx = dy·(1 + sin(2a·x)), from x and dy. */
        public record Backward(float a) implements JavaOp {
            @Override
            public String name() {
                return "examples.snake_backward";
            }

            @Override
            public List<Type> infer(List<Type> in) {
                return likeTheFirst(name(), in, 2);
            }

            @Override
            public void compute(Span[] in, Span[] out) {
                for (int i = 0; i < out[0].size(); i++) {
                    out[0].set(i, in[1].get(i) * (1 + (float) Math.sin(2 * a * in[0].get(i))));
                }
            }
        }

        private static List<Type> likeTheFirst(String name, List<Type> in, int count) {
            if (in.size() != count || in.stream().anyMatch(type -> !type.equals(in.get(0)))) {
                throw new TypeException(name + " takes " + count + " operands of one type, but got " + in);
            }
            return List.of(in.get(0));
        }
    }

    /** Tells Hadal how the op is saved; named in META-INF/services. */
    public static final class Saved implements SavedOp.Provider {
        @Override
        public List<SavedOp> ops() {
            return List.of(new SavedOp("examples.snake", 1, Snake.class));
        }
    }

    /** A layer: the op behind a learned scale for each feature, from [N,features] to the same. */
    static Layer snake(float a) {
        return (scope, x) -> {
            Value scale = scope.weight("scale", Shape.of(x.shape().get(1)), Init.constant(1));
            return new Snake(a).of(new Binary(Binary.Function.MUL).of(x, scale));
        };
    }

    /** A loss: the mean of ln cosh d = softplus(2d) − d − ln 2 of the errors d; its gradient follows from its ops'. */
    static final class LogCosh implements Loss {
        @Override
        public Type target(Type output) {
            return output;
        }

        @Override
        public Value apply(Value output, Value target) {
            Value d = new Binary(Binary.Function.SUB).of(output, target);
            Value twice = new Binary(Binary.Function.ADD).of(d, d);
            Value softplus = new Activation(Function.SOFTPLUS).of(twice);
            Value terms = new Binary(Binary.Function.SUB).of(softplus, d); // ln 2 changes no gradient
            return new Reduce(Reduce.Function.MEAN, List.of(), false).of(terms);
        }
    }

    /** A metric: the largest error. */
    static Metric worst() {
        return Metric.of("worst", false, () -> new Metric.Accumulator() {
            private double worst;

            @Override
            public void add(Tensor output, Tensor target) {
                for (int i = 0; i < output.shape().size(); i++) {
                    worst = Math.max(worst, Math.abs(output.floats()[i] - target.floats()[i]));
                }
            }

            @Override
            public double value() {
                return worst;
            }
        });
    }

    /** An update rule: m ← β·m + (1−β)·g, w ← w − η·sign m (Bernstein et al. 2018), with its kernel. */
    record Signum(float beta) implements UpdateOp, JavaOp {
        @Override
        public String name() {
            return "examples.signum";
        }

        @Override
        public List<String> moments() {
            return List.of("m");
        }

        @Override
        public void compute(Span[] in, Span[] out) {
            Span w = in[0], g = in[1], m = in[2], norm = in[3], hyper = in[4];
            boolean finite = Float.isFinite(norm.get(0)); // else nothing may change
            for (int i = 0; i < w.size(); i++) {
                float next = finite ? beta * m.get(i) + (1 - beta) * g.get(i) : m.get(i);
                out[1].set(i, next);
                out[0].set(i, finite ? w.get(i) - hyper.get(Hyper.RATE) * Math.signum(next) : w.get(i));
            }
        }
    }

    /** Trains, saves and loads again; gives R² of the test set, the share of the variance that is explained. */
    static double run(long seed, Path file, PrintStream out) throws IOException {
        Dataset table = Csv.withHeader()
                .target("worst radius")
                .ignore("worst perimeter", "worst area", "diagnosis")
                .read(Objects.requireNonNull(OwnParts.class.getResourceAsStream("breast-cancer.csv")));
        Dataset.Split halves = table.split(table.size() / 2, seed);
        Map<String, Normalization> normalizations = Map.of(
                Dataset.X, Normalization.learn(halves.drawn()),
                Dataset.TARGET, Normalization.learn(halves.drawn(), Dataset.TARGET));
        Dataset train = halves.drawn().normalized(normalizations);
        Dataset test = halves.rest().normalized(normalizations);

        Layer network = sequential(linear(32), snake(0.5f), linear(1), reshape());
        Map<String, Double> result;
        try (Trainer trainer = Trainer.of(network, train.shape())
                .loss(new LogCosh())
                .optimizer(Optimizer.of(new Signum(0.9f), 1).rate(Schedule.cosine(3e-3)))
                .batch(32)
                .seed(seed)
                .backends(Backends.automatic().withThreads(1))
                .build()) {
            trainer.fit(train, Fit.epochs(30).metrics(worst()).listener(Listener.printing(out)));
            result = trainer.evaluate(test, Metrics.rSquared(), worst());
            trainer.model().save(file);
        }
        out.println("test set: " + result + "; the mean of the training set explains nothing, R² about 0");

        try (Predictor predictor = Predictor.of(Model.load(file))) {
            out.printf(
                    "the first estimate, in deviations: %.3f, and the truth: %.3f%n",
                    predictor.predict(test.batch(0).x()).floats()[0],
                    test.batch(0).target().floats()[0]);
        }
        return Objects.requireNonNull(result.get("r2"));
    }
}
