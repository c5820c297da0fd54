package dev.hadal.run;

import static dev.hadal.nn.Layers.batchNorm;
import static dev.hadal.nn.Layers.conv2d;
import static dev.hadal.nn.Layers.globalAveragePool;
import static dev.hadal.nn.Layers.linear;
import static dev.hadal.nn.Layers.relu;
import static dev.hadal.nn.Layers.repeat;
import static dev.hadal.nn.Layers.residual;
import static dev.hadal.nn.Layers.sequential;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backend;
import dev.hadal.backend.Backends;
import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Memory;
import dev.hadal.backend.Operand;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.nn.Layer;
import dev.hadal.op.Activation;
import dev.hadal.op.Convolution;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class PlanTest {
    private static final Backends JAVA = Backends.of(new JvmBackend());
    private static final Layer DEEP = sequential(
            conv2d(4, 3).padded(),
            repeat(20, i -> residual(conv2d(4, 3).padded(), batchNorm(), relu())),
            globalAveragePool(),
            linear(3));
    private static final Shape IMAGE = Shape.of(2, 9, 7);

    private static Tensor random(int n, long seed) {
        Philox philox = new Philox(seed, 0);
        Shape shape = IMAGE.prepend(n);
        float[] x = new float[shape.size()];
        for (int i = 0; i < x.length; i++) {
            x[i] = philox.normal(i);
        }
        return Tensor.of(shape, x);
    }

    private static float[] predict(Model model, Backends backends, Tensor x) {
        try (Predictor predictor = Predictor.of(model, backends)) {
            return predictor.predict(x).floats();
        }
    }

    /** Java under another name, with memory that the real one does not know, and without the op given. */
    private record Partial(JvmBackend inner, Class<? extends Op> declined) implements Backend {
        @Override
        public String name() {
            return "partial";
        }

        @Override
        public int rank() {
            return 50;
        }

        @Override
        public Availability availability() {
            return Availability.yes("a test");
        }

        @Override
        public Optional<Kernel> prepare(Op op, List<Operand> inputs, List<Type> outputs, int threads) {
            return declined.isInstance(op) ? Optional.empty() : inner.prepare(op, inputs, outputs, threads);
        }

        @Override
        public Kernel reorder(Layout from, Layout to) {
            return inner.reorder(from, to);
        }

        @Override
        public String pool(DType dtype) {
            return inner.pool(dtype);
        }

        @Override
        public Memory allocate(String pool, long bytes) {
            return inner.allocate(pool, bytes);
        }
    }

    @Test
    void memoryIsSharedByValuesThatDoNotLiveTogether() {
        Model model = DEEP.model(IMAGE, 1);
        Graph graph = model.apply(new BatchSize(8)).graph();
        try (Plan plan = Plan.compile(graph, JAVA, Plan.Options.DEFAULT)) {
            long image = 4L * 8 * 4 * 9 * 7;
            long scratch =
                    plan.scratch.values().stream().mapToLong(Long::longValue).sum();
            assertTrue(
                    plan.sessionBytes() - scratch < 5 * image,
                    plan.sessionBytes() + " bytes for 20 residual blocks of " + image);
        }
    }

    @Test
    void anOpThatIsDeclinedRunsInJavaWithCopies() {
        Model model = DEEP.model(IMAGE, 2);
        Tensor x = random(3, 1);
        for (Class<? extends Op> declined : List.of(Convolution.class, WeightedSum.class, Activation.class)) {
            Backends mixed = Backends.of(new Partial(new JvmBackend(), declined));
            assertArrayEquals(predict(model, JAVA, x), predict(model, mixed, x), declined.getSimpleName());
            Graph graph = model.apply(new BatchSize(3)).graph();
            try (Plan plan = Plan.compile(graph, mixed, Plan.Options.DEFAULT)) {
                assertTrue(plan.fallbacks() >= 20, plan.fallbacks() + " fallbacks");
                assertTrue(plan.toString().contains("copy through the host"), plan.toString());
            }
            IllegalStateException e = assertThrows(
                    IllegalStateException.class, () -> Plan.compile(graph, mixed.required(), Plan.Options.DEFAULT));
            assertTrue(String.valueOf(e.getMessage()).contains("partial has no kernel for"), e.getMessage());
        }
    }

    @Test
    void stateAdvancesWhenItIsCommittedAndNotBefore() {
        Graph graph = new Graph();
        Value state = graph.leaf(Role.STATE, "s", Type.f32(2));
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(2));
        Value next = WeightedSum.average(state, x, 0.5f);
        graph.output("y", next);
        graph.commit(state, next);
        try (Plan plan = Plan.compile(graph, JAVA, Plan.Options.DEFAULT);
                Store store = new Store()) {
            store.add("states", plan.stored());
            store.write("s", Tensor.of(Shape.of(2), 8f, 16f));
            Session session = plan.session(store);
            session.write("x", new float[] {0, 0});
            assertArrayEquals(new float[] {4, 8}, run(session));
            assertArrayEquals(new float[] {4, 8}, run(session));
            assertEquals(Tensor.of(Shape.of(2), 8f, 16f), store.read("s"));
            session.commit();
            assertArrayEquals(new float[] {2, 4}, run(session));
            assertEquals(Tensor.of(Shape.of(2), 4f, 8f), store.read("s"));
        }
    }

    @Test
    void aProfileTimesEachStepAndComputesTheSame() {
        Model model = DEEP.model(IMAGE, 4);
        Graph graph = model.apply(new BatchSize(2)).graph();
        for (Backends backends : List.of(JAVA, Backends.of(new Partial(new JvmBackend(), Activation.class)))) {
            try (Plan plan = Plan.compile(graph, backends, Plan.Options.DEFAULT);
                    Store store = new Store()) {
                store.add("all", plan.stored());
                model.values().forEach(store::write);
                Session session = plan.session(store);
                session.write("x", random(2, 5));
                Profile profile = session.profile(3);
                assertEquals(
                        plan.steps.stream().map(Step::how).toList(),
                        profile.steps().stream().map(Profile.Timing::kernel).toList());
                for (int i = 0; i < plan.steps.size(); i++) {
                    String what = profile.steps().get(i).what();
                    assertTrue(plan.steps.get(i).toString().contains(what), what);
                    assertTrue(profile.steps().get(i).nanos() > 0, profile::toString);
                }
                assertTrue(profile.nanos() > profile.steps().get(0).nanos(), profile::toString);
                assertEquals(plan.steps.size() + 1, profile.toString().lines().count(), profile::toString);
                float[] y = session.read("y").floats();
                session.run();
                assertArrayEquals(session.read("y").floats(), y);
                assertThrows(IllegalArgumentException.class, () -> session.profile(0));
            }
        }
    }

    private static float[] run(Session session) {
        float[] y = new float[2];
        session.run();
        session.read("y", y);
        return y;
    }

    @Test
    void sessionsOfOnePlanRunAtOnce() throws Exception {
        Model model = DEEP.model(IMAGE, 3);
        List<float[]> expected = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            expected.add(predict(model, JAVA, random(2, i)));
        }
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try (Predictor predictor = Predictor.of(model, JAVA)) {
            List<Future<float[]>> answers = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                Tensor x = random(2, i % 4);
                answers.add(pool.submit(() -> predictor.predict(x).floats()));
            }
            for (int i = 0; i < 64; i++) {
                assertArrayEquals(expected.get(i % 4), answers.get(i).get());
            }
        } finally {
            pool.shutdown();
        }
    }

    private static Graph activation() {
        Graph graph = new Graph();
        Value x = graph.leaf(Role.INPUT, "x", Type.f32(2));
        graph.output("y", new Activation(Activation.Function.RELU).of(x));
        return graph;
    }

    @Test
    void aSecondThreadIsToldAndClosingWaitsForTheFirst() throws Exception {
        GatedBackend slow = new GatedBackend();
        ExecutorService pool = Executors.newFixedThreadPool(2);
        try (Store store = new Store()) {
            Plan plan = Plan.compile(activation(), Backends.of(slow), Plan.Options.DEFAULT);
            Session session = plan.session(store);
            Session idle = plan.session(store);
            session.write("x", new float[] {-1, 2});
            Future<?> first = pool.submit(session::run);
            slow.awaitArrival();
            IllegalStateException busy = assertThrows(IllegalStateException.class, session::run);
            assertTrue(String.valueOf(busy.getMessage()).contains("another thread"), busy.getMessage());
            Future<?> closing = pool.submit(plan::close);
            Thread.sleep(50);
            assertFalse(closing.isDone());
            assertThrows(IllegalStateException.class, idle::run);
            slow.open();
            first.get(20, TimeUnit.SECONDS);
            closing.get(20, TimeUnit.SECONDS);
            assertThrows(IllegalStateException.class, session::run);
            assertThrows(IllegalStateException.class, () -> plan.session(store));
            plan.close();
            session.close();
        } finally {
            pool.shutdown();
        }
    }

    private static void assertRefused(Class<? extends Exception> type, Executable call, String words) {
        String message = String.valueOf(assertThrows(type, call).getMessage());
        assertTrue(message.contains(words), message);
    }

    @Test
    void wrongNamesTypesAndLengthsAreNamed() {
        try (Store store = new Store();
                Plan plan = Plan.compile(activation(), JAVA, Plan.Options.DEFAULT);
                Session session = plan.session(store)) {
            assertRefused(IllegalArgumentException.class, () -> session.write("z", new float[2]), "no 'z', only [x]");
            assertRefused(
                    IllegalArgumentException.class,
                    () -> session.write("x", new float[1]),
                    "'x' is f32[2], but the array has 1");
            assertThrows(IllegalArgumentException.class, () -> session.write("x", new int[2]));
            assertThrows(IllegalArgumentException.class, () -> session.read("y", new float[1]));
        }
    }

    @Test
    void aPredictorChecksItsBatchAndItsLife() {
        Model model = DEEP.model(IMAGE, 4);
        Predictor predictor = Predictor.of(model, JAVA);
        assertRefused(
                IllegalArgumentException.class,
                () -> predictor.predict(Tensor.of(Shape.of(1, 2, 9, 8), new float[144])),
                "F32[N,2,9,7] with N >= 1, not F32[1,2,9,8]");
        assertThrows(IllegalArgumentException.class, () -> predictor.predict(Tensor.of(Shape.of(2), 1, 2)));
        for (int n = 1; n < 20; n++) {
            assertEquals(Shape.of(n, 3), predictor.predict(random(n, n)).shape());
        }
        predictor.close();
        predictor.close();
        assertThrows(IllegalStateException.class, () -> predictor.predict(random(1, 0)));
    }

    @Test
    void groupsAreContiguousAndTheirPaddingZero() {
        Store store = new Store();
        Backend java = JAVA.first();
        Type flat = store.add("weights", Map.of("w", new Store.Placement(java, Layout.plain(Type.f32(5)))));
        store.write("w", Tensor.of(Shape.of(5), 1f, 2f, 3f, 4f, 5f));
        float[] all = store.read("weights").floats();
        assertEquals(flat.shape().size(), all.length);
        float sum = 0;
        for (float v : all) {
            sum += v;
        }
        assertEquals(15f, sum);
        assertThrows(IllegalArgumentException.class, () -> store.write("w", Tensor.of(Shape.of(2), 1f, 2f)));
        store.close();
        assertThrows(IllegalStateException.class, () -> store.read("w"));
    }
}
