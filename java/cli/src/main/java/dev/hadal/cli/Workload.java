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
import java.util.Map;
import java.util.function.Consumer;

/**
 * A few ops to be timed on any backend. Operands and results lie as the kernels want them, as they do in the middle of
 * a network.
 */
record Workload(String name, String size, Consumer<Results> body) {

    private static final Convolution CONVOLUTION = new Convolution(Window.of(1, 1, 1), 1);
    private static final Shape IMAGES = Shape.of(32, 32, 28, 28);
    private static final Shape KERNELS = Shape.of(32, 32, 3, 3);

    static final List<Workload> ALL = List.of(
            new Workload("GEMM", "1024×1024×1024", Workload::gemm),
            new Workload("convolution, forward", "[32,32,28,28], 32 kernels 3×3", Workload::convolution),
            new Workload("convolution, backward", "the same", Workload::convolutionBackward),
            new Workload("batch norm, both ways", "[32,32,28,28]", Workload::batchNorm),
            new Workload("AdamW", "1,000,000 weights", Workload::adamw));

    private static void gemm(Results r) {
        Value a = r.operand("a", Shape.of(1024, 1024)), b = r.operand("b", Shape.of(1024, 1024));
        r.result(new MatMul(false, false).of(a, b), a);
    }

    private static void convolution(Results r) {
        Value x = r.operand("x", IMAGES), w = r.operand("w", KERNELS);
        r.result(CONVOLUTION.of(x, w), x);
    }

    private static void convolutionBackward(Results r) {
        Value x = r.operand("x", IMAGES), w = r.operand("w", KERNELS), dy = r.operand("dy", IMAGES);
        r.result(new Convolution.BackwardData(CONVOLUTION, IMAGES).of(dy, w), x);
        r.result(new Convolution.BackwardWeights(CONVOLUTION, KERNELS).of(x, dy), w);
    }

    private static void batchNorm(Results r) {
        float epsilon = 1e-5f;
        Value x = r.operand("x", IMAGES), dy = r.operand("dy", IMAGES);
        Value scale = r.operand("scale", Shape.of(32)), bias = r.operand("bias", Shape.of(32));
        List<Value> y = new BatchNorm.Training(epsilon).call(x, scale, bias);
        r.result(y.get(0), x);
        r.result(new BatchNorm.Backward(epsilon).of(x, dy, scale, y.get(1), y.get(2)), x);
    }

    private static void adamw(Results r) {
        Shape flat = Shape.of(1_000_000);
        Value w = r.operand("w", flat), g = r.operand("g", flat);
        Value m = r.operand("m", flat), v = r.operand("v", flat), norm = r.operand("norm", Shape.SCALAR);
        List<Value> updated = Optimizer.adamw().update().call(w, g, m, v, norm, r.hyper());
        r.commit(w, updated.get(0));
        r.commit(m, updated.get(1));
        r.commit(v, updated.get(2));
    }

    /**
     * Compiles the ops for these backends.
     *
     * @throws IllegalStateException if the first backend declines one of them
     */
    Ready prepare(Backends backends) {
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
    record Ready(Plan plan, Store store, Session session) implements AutoCloseable {
        void run() {
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
                like.forEach(
                        (name, operand) -> results.put(name, java.util.Objects.requireNonNull(placed.get(operand))));
                store.add("results", results);
            }
            Session session = plan.session(store);
            if (updates) {
                float[] hyper = new float[Hyper.TYPE.shape().size()];
                Optimizer.adamw().fill(hyper, 1, 1e-3, true, Clip.globalNorm(1));
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
