package dev.hadal.peers;

import java.util.ArrayList;
import java.util.List;
import org.tensorflow.EagerSession;
import org.tensorflow.Graph;
import org.tensorflow.Operand;
import org.tensorflow.Output;
import org.tensorflow.Result;
import org.tensorflow.Session;
import org.tensorflow.TensorFlow;
import org.tensorflow.ndarray.Shape;
import org.tensorflow.ndarray.buffer.DataBuffers;
import org.tensorflow.op.Op;
import org.tensorflow.op.Ops;
import org.tensorflow.op.core.Placeholder;
import org.tensorflow.op.core.Variable;
import org.tensorflow.proto.ConfigProto;
import org.tensorflow.proto.GraphOptions;
import org.tensorflow.proto.RewriterConfig;
import org.tensorflow.types.TFloat32;
import org.tensorflow.types.TInt32;

/** TensorFlow Java in graph mode: one run of a session is a whole training step. Images lie NHWC, as it prefers. */
public final class TensorFlowJava {
    private static final ConfigProto ONE_THREAD = ConfigProto.newBuilder()
            .setIntraOpParallelismThreads(1)
            .setInterOpParallelismThreads(1)
            .build();
    private static final ConfigProto BF16 = ONE_THREAD.toBuilder()
            .setGraphOptions(GraphOptions.newBuilder()
                    .setRewriteOptions(RewriterConfig.newBuilder()
                            .setAutoMixedPrecisionOnednnBfloat16(RewriterConfig.Toggle.ON)))
            .build();

    private TensorFlowJava() {}

    public static void main(String[] args) throws Exception {
        Stopwatch stopwatch = new Stopwatch("TensorFlow Java 1.1.0, TensorFlow " + TensorFlow.version(), args[0]);
        switch (args[0]) {
            case "mlp-f32" -> train(stopwatch, false, ONE_THREAD);
            case "mlp-bf16" -> train(stopwatch, false, BF16);
            case "cnn-f32" -> train(stopwatch, true, ONE_THREAD);
            case "cnn-bf16" -> train(stopwatch, true, BF16);
            case "adam" -> adam(stopwatch);
            case "add", "matmul16" -> call(stopwatch, args[0].equals("add"));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static void train(Stopwatch stopwatch, boolean cnn, ConfigProto config) throws Exception {
        Work work = cnn ? Work.cnn() : Work.mlp();
        Shape images = cnn ? Shape.of(work.batch(), 28, 28, 1) : Shape.of(work.batch(), 784);
        try (Graph graph = new Graph()) {
            Ops tf = Ops.create(graph);
            Placeholder<TFloat32> x = tf.placeholder(TFloat32.class, Placeholder.shape(images));
            Shape distributions = Shape.of(work.batch(), 10);
            Placeholder<TFloat32> target = tf.placeholder(TFloat32.class, Placeholder.shape(distributions));
            Network network = new Network(tf);
            Operand<TFloat32> y = cnn ? network.cnn(x) : network.mlp(x);
            Operand<TFloat32> loss =
                    tf.math.mean(tf.nn.softmaxCrossEntropyWithLogits(y, target).loss(), tf.constant(0));
            List<Op> updates = network.updates(graph, loss);

            TFloat32[] batches = new TFloat32[work.images().length];
            TFloat32[] targets = new TFloat32[batches.length];
            for (int b = 0; b < batches.length; b++) {
                batches[b] = TFloat32.tensorOf(images, DataBuffers.of(work.images()[b]));
                targets[b] = TFloat32.tensorOf(distributions, DataBuffers.of(work.oneHot(b)));
            }
            int[] step = {0};
            try (Session session = new Session(graph, config)) {
                run(session, network.initial);
                stopwatch.train(() -> {
                    int b = step[0]++ % batches.length;
                    Session.Runner runner = session.runner().feed(x, batches[b]).feed(target, targets[b]);
                    updates.forEach(runner::addTarget);
                    try (Result result = runner.fetch(loss).run()) {
                        return ((TFloat32) result.get(0)).getFloat();
                    }
                });
            }
        }
    }

    private static void run(Session session, List<Op> ops) {
        Session.Runner runner = session.runner();
        ops.forEach(runner::addTarget);
        runner.run().close();
    }

    /** Layers, the weights that they add, and how those begin. */
    private static final class Network {
        final List<Op> initial = new ArrayList<>();
        private final Ops tf;
        private final List<Variable<TFloat32>> weights = new ArrayList<>();

        Network(Ops tf) {
            this.tf = tf;
        }

        Operand<TFloat32> mlp(Operand<TFloat32> x) {
            Operand<TFloat32> h1 = tf.nn.relu(linear(x, 784, 1024));
            Operand<TFloat32> h2 = tf.nn.relu(linear(h1, 1024, 1024));
            return linear(h2, 1024, 10);
        }

        Operand<TFloat32> cnn(Operand<TFloat32> x) {
            Operand<TFloat32> h1 = tf.nn.relu(conv(x, 1, 32));
            Operand<TFloat32> h2 = tf.nn.relu(conv(h1, 32, 64));
            Operand<TInt32> two = tf.constant(new int[] {1, 2, 2, 1});
            Operand<TFloat32> pooled = tf.nn.maxPool(h2, two, two, "VALID");
            Operand<TFloat32> flat = tf.reshape(pooled, tf.constant(new int[] {-1, 9216}));
            return linear(tf.nn.relu(linear(flat, 9216, 128)), 128, 10);
        }

        private Operand<TFloat32> linear(Operand<TFloat32> x, long in, long out) {
            return tf.nn.biasAdd(tf.linalg.matMul(x, weight(in, in, out)), bias(out));
        }

        private Operand<TFloat32> conv(Operand<TFloat32> x, long in, long out) {
            Operand<TFloat32> w = weight(9 * in, 3, 3, in, out);
            return tf.nn.biasAdd(tf.nn.conv2d(x, w, List.of(1L, 1L, 1L, 1L), "VALID"), bias(out));
        }

        /** Drawn after He et al. (2015): the deviation is √(2 / inputs of a unit). */
        private Operand<TFloat32> weight(long inputs, long... shape) {
            Operand<TFloat32> normal = tf.random.truncatedNormal(tf.constant(shape), TFloat32.class);
            return variable(tf.math.mul(normal, tf.constant((float) Math.sqrt(2.0 / inputs))), shape);
        }

        private Operand<TFloat32> bias(long n) {
            return variable(tf.zeros(tf.constant(new long[] {n}), TFloat32.class), n);
        }

        private Variable<TFloat32> variable(Operand<TFloat32> value, long... shape) {
            Variable<TFloat32> variable = moment(value, shape);
            weights.add(variable);
            return variable;
        }

        private Variable<TFloat32> moment(Operand<TFloat32> value, long... shape) {
            Variable<TFloat32> variable = tf.variable(Shape.of(shape), TFloat32.class);
            initial.add(tf.assign(variable, value));
            return variable;
        }

        List<Op> updates(Graph graph, Operand<TFloat32> loss) {
            Output<?>[] gradients = graph.addGradients(
                    loss.asOutput(), weights.stream().map(Operand::asOutput).toArray(Output[]::new));
            List<Op> updates = new ArrayList<>();
            for (int i = 0; i < gradients.length; i++) {
                Variable<TFloat32> w = weights.get(i);
                long[] shape = w.shape().asArray();
                Operand<TFloat32> zeros = tf.zeros(tf.constant(shape), TFloat32.class);
                @SuppressWarnings("unchecked")
                Operand<TFloat32> gradient = (Operand<TFloat32>) (Operand<?>) gradients[i];
                updates.add(TensorFlowJava.adam(tf, w, moment(zeros, shape), moment(zeros, shape), gradient));
            }
            return updates;
        }
    }

    private static Op adam(
            Ops tf, Variable<TFloat32> w, Variable<TFloat32> m, Variable<TFloat32> v, Operand<TFloat32> gradient) {
        Operand<TFloat32> beta1 = tf.constant(0.9f);
        Operand<TFloat32> beta2 = tf.constant(0.999f);
        return tf.train.applyAdam(
                w, m, v, beta1, beta2, tf.constant((float) Work.RATE), beta1, beta2, tf.constant(1e-8f), gradient);
    }

    private static void adam(Stopwatch stopwatch) throws Exception {
        try (Graph graph = new Graph()) {
            Ops tf = Ops.create(graph);
            Network network = new Network(tf);
            long[] shape = {Work.WEIGHTS};
            List<Variable<TFloat32>> values = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                Operand<TFloat32> random = tf.random.randomUniform(tf.constant(shape), TFloat32.class);
                values.add(network.moment(random, shape));
            }
            Op update = adam(tf, values.get(0), values.get(1), values.get(2), values.get(3));
            try (Session session = new Session(graph, ONE_THREAD)) {
                run(session, network.initial);
                stopwatch.time(() -> {
                    session.runner().addTarget(update).run().close();
                    return null;
                });
            }
        }
    }

    /** Eager mode, whose results the session frees when they are out of reach. */
    private static void call(Stopwatch stopwatch, boolean add) throws Exception {
        try (EagerSession session = EagerSession.options().config(ONE_THREAD).build()) {
            Ops tf = Ops.create(session);
            if (add) {
                Operand<TFloat32> a = tf.constant(new float[] {1, 2});
                Operand<TFloat32> b = tf.constant(new float[] {3, 4});
                stopwatch.time(() -> tf.math.add(a, b));
            } else {
                Operand<TFloat32> a = tf.constant(Shape.of(16, 16), DataBuffers.of(Work.random(256)));
                stopwatch.time(() -> tf.linalg.matMul(a, a));
            }
        }
    }
}
