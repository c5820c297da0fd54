package dev.hadal.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.Value;
import dev.hadal.op.Activation;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Window;
import dev.hadal.run.Plan;
import dev.hadal.run.Session;
import dev.hadal.run.Store;
import dev.hadal.tensor.Philox;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A ReLU before a max pool and behind it are the same to the last bit. */
public class PoolFirstTest {
    private static final Type X = Type.f32(2, 16, 7, 9);
    private static final List<Pooling> POOLS = List.of(
            new Pool(Pooling.Function.MAX, 2, 2, Window.of(2, 0, 1)),
            new Pool(Pooling.Function.MAX, 3, 3, Window.of(1, 1, 1)),
            new Pool(Pooling.Function.MAX, 2, 3, Window.of(2, 1, 2)),
            new AdaptivePool(Pooling.Function.MAX, 3, 4));
    private static final List<Activation> RELUS =
            List.of(new Activation(Activation.Function.RELU), new Activation(Activation.Function.RELU6));
    /** Of which so few that windows hold some more than once. */
    private static final float[] VALUES = {-7, -1, -0f, 0, 0.5f, 1, 6, 8};

    protected List<Backends> backends() {
        return List.of(Backends.of(JvmBackend.reference()), Backends.of(new JvmBackend()));
    }

    private static Model model(Op... ops) {
        Graph graph = new Graph();
        Value v = graph.leaf(Role.INPUT, "x", X);
        for (Op op : ops) {
            v = op.call(v).get(0);
        }
        graph.output("y", v);
        return new Model(graph, Map.of());
    }

    private static List<String> names(Model model) {
        return model.graph().nodes().stream().map(n -> n.op().toString()).toList();
    }

    @Test
    void whatOnlyAMaxPoolReadsIsPooledFirst() {
        Op relu = RELUS.get(0);
        Op pool = POOLS.get(0);
        List<String> nodes = names(model(relu, pool).apply(new PoolFirst()));
        assertEquals(List.of(pool.toString(), relu.toString()), nodes.subList(1, 3));
    }

    @Test
    void whatMustNotMoveStays() {
        Op relu = RELUS.get(0);
        Op mean = new Pool(Pooling.Function.AVERAGE, 2, 2, Window.of(2, 0, 1));
        Op leaky = new Activation(Activation.Function.LEAKY_RELU); // two values may be rounded to one
        Model shown = model(relu, POOLS.get(0));
        shown.graph().output("relu", shown.graph().nodes().get(1).output(0));
        for (Model model : List.of(model(relu, mean), model(leaky, POOLS.get(0)), shown)) {
            assertEquals(names(model), names(model.apply(new PoolFirst())));
        }
    }

    @Test
    void valuesAndGradientsAreTheSame() {
        for (Backends backends : backends()) {
            for (Pooling pool : POOLS) {
                for (Activation relu : RELUS) {
                    Model model = model(relu, pool);
                    Model other = model.apply(new PoolFirst());
                    assertTrue(!names(model).equals(names(other)), "nothing was moved");
                    for (int nans : new int[] {0, 30}) {
                        List<float[]> expected = run(model, backends, nans);
                        List<float[]> actual = run(other, backends, nans);
                        for (int i = 0; i < expected.size(); i++) {
                            assertArrayEquals(expected.get(i), actual.get(i), relu + ", " + pool + " on " + backends);
                        }
                    }
                }
            }
        }
    }

    /** y and dx; dy = 1, 2, 3, … tells gradients apart. */
    private static List<float[]> run(Model model, Backends backends, int nans) {
        Graph graph = model.graph().rewrite(Graph.Rule.SAME);
        Value y = graph.output("y");
        Value dy = graph.leaf(Role.INPUT, "dy", y.type());
        Value x = graph.leaf("x");
        graph.output(
                "dx",
                Objects.requireNonNull(graph.differentiate(y, dy, Set.of(x)).get(x)));
        List<float[]> results = new ArrayList<>();
        try (Plan plan = Plan.compile(graph, backends, Plan.Options.DEFAULT);
                Store store = new Store();
                Session session = plan.session(store)) {
            session.write("x", values(X.shape(), nans));
            float[] gradient = new float[y.shape().size()];
            for (int i = 0; i < gradient.length; i++) {
                gradient[i] = i + 1;
            }
            session.write("dy", gradient);
            session.run();
            for (String name : List.of("y", "dx")) {
                float[] read = session.read(name).floats();
                for (int i = 0; i < read.length; i++) {
                    read[i] += 0f; // the sign of a zero means nothing
                }
                results.add(read);
            }
        }
        return results;
    }

    private static float[] values(Shape shape, int nans) {
        Philox random = new Philox(5, 0);
        float[] x = new float[shape.size()];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.below(x.length, i) < nans ? Float.NaN : VALUES[random.below(VALUES.length, x.length + i)];
        }
        return x;
    }
}
