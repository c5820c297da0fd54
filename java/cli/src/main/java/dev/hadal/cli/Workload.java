package dev.hadal.cli;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Convolution;
import dev.hadal.op.Hyper;
import dev.hadal.op.MatMul;
import dev.hadal.op.Window;
import dev.hadal.optim.Clip;
import dev.hadal.optim.Optimizer;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * A few ops to be timed on any backend. Operands and results lie as the kernels want them, as they do in the middle of
 * a network.
 */
public final class Workload {
    private static final Convolution CONVOLUTION = new Convolution(Window.of(1, 1, 1), 1);

    /** What the quickstart's table shows. */
    static final List<Workload> TABLE =
            List.of(gemm(1024), convolution(32), convolutionBackward(32), batchNorm(32), adamw(1_000_000));

    private final String name;
    private final String size;
    private final Consumer<Results> body;

    private Workload(String name, String size, Consumer<Results> body) {
        this.name = name;
        this.size = size;
        this.body = body;
    }

    /** What is computed. */
    public String name() {
        return name;
    }

    /** On operands of which shapes. */
    public String size() {
        return size;
    }

    /** The product of two square matrices. */
    public static Workload gemm(int n) {
        return new Workload("GEMM", n + "×" + n + "×" + n, r -> {
            Value a = r.operand("a", Shape.of(n, n));
            Value b = r.operand("b", Shape.of(n, n));
            r.result(new MatMul(false, false).of(a, b), a);
        });
    }

    /** 3×3 kernels over 32 images of 28×28, with as many channels in as out. */
    public static Workload convolution(int channels) {
        return new Workload("convolution, forward", images(channels) + ", 3×3 kernels", r -> {
            Value x = r.operand("x", images(channels));
            Value w = r.operand("w", Shape.of(channels, channels, 3, 3));
            r.result(CONVOLUTION.of(x, w), x);
        });
    }

    /** Both gradients of the same. */
    public static Workload convolutionBackward(int channels) {
        return new Workload("convolution, backward", "the same", r -> {
            Shape kernels = Shape.of(channels, channels, 3, 3);
            Value x = r.operand("x", images(channels));
            Value w = r.operand("w", kernels);
            Value dy = r.operand("dy", images(channels));
            r.result(new Convolution.BackwardData(CONVOLUTION, images(channels)).of(dy, w), x);
            r.result(new Convolution.BackwardWeights(CONVOLUTION, kernels).of(x, dy), w);
        });
    }

    /** Batch norm in training, forward and backward. */
    public static Workload batchNorm(int channels) {
        return new Workload("batch norm, both ways", images(channels).toString(), r -> {
            float epsilon = 1e-5f;
            Value x = r.operand("x", images(channels));
            Value dy = r.operand("dy", images(channels));
            Value scale = r.operand("scale", Shape.of(channels));
            Value bias = r.operand("bias", Shape.of(channels));
            List<Value> y = new BatchNorm.Training(epsilon).call(x, scale, bias);
            r.result(y.get(0), x);
            r.result(new BatchNorm.Backward(epsilon).of(x, dy, scale, y.get(1), y.get(2)), x);
        });
    }

    /** One fused update. */
    public static Workload adamw(int weights) {
        return new Workload("AdamW", String.format(Locale.ROOT, "%,d weights", weights), r -> {
            Shape flat = Shape.of(weights);
            Value w = r.operand("w", flat);
            Value g = r.operand("g", flat);
            Value m = r.operand("m", flat);
            Value v = r.operand("v", flat);
            Value norm = r.operand("norm", Shape.SCALAR);
            List<Value> updated = Optimizer.adamw().rule().update(w, g, List.of(m, v), norm, r.hyper());
            r.commit(w, updated.get(0));
            r.commit(m, updated.get(1));
            r.commit(v, updated.get(2));
        });
    }

    private static Shape images(int channels) {
        return Shape.of(32, channels, 28, 28);
    }

    /**
     * Compiles the ops for these backends.
     *
     * @throws IllegalStateException if the first backend declines one of them
     */
    public Ready prepare(Backends backends) {
        Results results = new Results();
        body.accept(results);
        Plan plan = Plan.compile(results.graph, backends.required(), new Plan.Options(null, results.like, true));
        Store store = new Store();
        try {
            return new Ready(plan, store, results.session(plan, store));
        } catch (RuntimeException | Error e) {
            plan.close();
            store.close();
            throw e;
        }
    }

    /** Compiled ops, with their memory. */
    public record Ready(Plan plan, Store store, Session session) implements AutoCloseable {
        /** Runs the ops once. */
        public void run() {
            session.run();
        }

        @Override
        public void close() {
            plan.close();
            store.close();
        }
    }

    /** Collects operands and results; each result lies like one of the operands. */
    private static final class Results {
        final Graph graph = new Graph();
        final Map<String, String> like = new LinkedHashMap<>();
        private boolean updates;

        Value operand(String name, Shape shape) {
            return graph.leaf(Role.WEIGHT, name, Type.f32(shape));
        }

        Value hyper() {
            updates = true;
            return graph.leaf(Role.SCALAR, "hyper", Hyper.TYPE);
        }

        void result(Value value, Value operand) {
            String name = "result " + like.size();
            graph.output(name, value);
            like.put(name, Graph.leafOf(operand).name());
        }

        void commit(Value operand, Value value) {
            graph.commit(operand, value);
        }

        Session session(Plan plan, Store store) {
            Map<String, Store.Placement> placed = new LinkedHashMap<>(plan.stored());
            store.add("operands", placed);
            placed.forEach((name, placement) ->
                    store.write(name, random(name, placement.layout().type())));
            if (!like.isEmpty()) {
                Map<String, Store.Placement> results = new LinkedHashMap<>();
                like.forEach((name, operand) -> results.put(name, Objects.requireNonNull(placed.get(operand))));
                store.add("results", results);
            }
            Session session = plan.session(store);
            if (updates) {
                float[] hyper = new float[Hyper.TYPE.shape().size()];
                Optimizer.adamw().settings("w", Shape.of(1, 1)).fill(hyper, 1, 1e-3, Clip.globalNorm(1));
                session.write("hyper", hyper);
            }
            return session;
        }

        /** Uniform in [0, 1), since a second moment is never negative. */
        private static Tensor random(String name, Type type) {
            Philox random = new Philox(1, Philox.streamOf(name));
            Tensor tensor = Tensor.zeros(DType.F32, type.shape());
            for (int i = 0; i < tensor.floats().length; i++) {
                tensor.floats()[i] = random.uniform(i);
            }
            return tensor;
        }
    }
}
