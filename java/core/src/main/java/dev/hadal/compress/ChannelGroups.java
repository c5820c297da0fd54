package dev.hadal.compress;

import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Value;
import dev.hadal.model.BatchSize;
import dev.hadal.model.Model;
import dev.hadal.model.Narrowed;
import dev.hadal.op.BatchNorm;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The channels of a network that can be taken out of it, in groups: those of a group go through the same weights. So all
 * convolutions whose outputs are added up in residual sums share a group, and the layers between two sums have one of their
 * own. Channels that are concatenated stay in the groups that they come from; groups of a convolution lose the same each, and
 * those of a depthwise one go with the channel they read; the groups of a group norm fall as wholes, and so do the heads of
 * attention; what a layer norm averages over stays. An op that is not known keeps everything that it reads or gives, and is
 * told. Printed, it is a table.
 */
public final class ChannelGroups {
    /** More than one, so that a batch is not taken for a single sample. */
    private static final int SAMPLES = 3;

    private final Graph graph;
    private final Coupling coupling;
    private final List<Group> groups;

    /**
     * Channels that go through the same weights.
     *
     * @param weights which, each with an axis
     */
    record Group(List<Axis> weights, List<Channel> channels) {}

    /** An axis of a weight or a state. */
    record Axis(String name, int axis, Role role) {
        @Override
        public String toString() {
            return name + "[" + axis + "]";
        }
    }

    /**
     * A channel.
     *
     * @param places its places along each of the group's axes
     */
    record Channel(int id, List<List<Integer>> places) {}

    private ChannelGroups(Graph graph) {
        this.graph = graph;
        coupling = new Coupling(graph);
        groups = groups();
    }

    public static ChannelGroups of(Model model) {
        return new ChannelGroups(model.apply(new BatchSize(SAMPLES)).graph());
    }

    private List<Group> groups() {
        Map<Integer, Map<Axis, List<Integer>>> channels = new TreeMap<>();
        for (Role role : List.of(Role.WEIGHT, Role.STATE)) {
            for (Value leaf : graph.leaves(role)) {
                for (int axis = 0; axis < leaf.shape().rank(); axis++) {
                    Axis where = new Axis(Graph.leafOf(leaf).name(), axis, role);
                    int[] along = coupling.channels(leaf, axis);
                    for (int i = 0; i < along.length; i++) {
                        channels.computeIfAbsent(along[i], c -> new LinkedHashMap<>())
                                .computeIfAbsent(where, w -> new ArrayList<>())
                                .add(i);
                    }
                }
            }
        }
        channels.remove(Coupling.FIXED);
        Map<List<Axis>, List<Channel>> alike = new LinkedHashMap<>();
        channels.forEach((id, places) -> alike.computeIfAbsent(List.copyOf(places.keySet()), k -> new ArrayList<>())
                .add(new Channel(id, List.copyOf(places.values()))));
        return alike.entrySet().stream()
                .filter(e -> e.getValue().size() > 1) // a channel alone must stay
                .map(e -> new Group(e.getKey(), e.getValue()))
                .toList();
    }

    /** Whether a weight is a batch norm's scale. */
    boolean isScale(String weight) {
        return graph.nodes().stream()
                .anyMatch(n -> n.op() instanceof BatchNorm
                        && n.input(1).node().op() instanceof Leaf leaf
                        && leaf.name().equals(weight));
    }

    List<Group> list() {
        return groups;
    }

    /** The names of the ops that keep all that they read and give, since they are not understood. */
    public List<String> notUnderstood() {
        return coupling.unknown();
    }

    /** The network without these channels. */
    Narrowed without(Model model, Set<Integer> dropped) {
        return Narrowing.of(model, graph, coupling, dropped);
    }

    /** A mask for each weight that hides all values at the places of these channels. */
    Map<String, Tensor> masks(Set<Integer> dropped) {
        Map<String, Tensor> masks = new LinkedHashMap<>();
        for (Value leaf : graph.leaves(Role.WEIGHT)) {
            float[] mask = new float[leaf.shape().size()];
            Arrays.fill(mask, 1);
            boolean hides = false;
            for (int axis = 0; axis < leaf.shape().rank(); axis++) {
                int[] along = coupling.channels(leaf, axis);
                int stride = leaf.shape().sizeFrom(axis + 1);
                for (int i = 0; i < mask.length; i++) {
                    if (dropped.contains(along[i / stride % along.length])) {
                        mask[i] = 0;
                        hides = true;
                    }
                }
            }
            if (hides) {
                masks.put(Graph.leafOf(leaf).name(), Tensor.of(leaf.shape(), mask));
            }
        }
        return masks;
    }

    /** The sum of |w|ᵖ over all values at each place along an axis. */
    static double[] sums(Model model, Axis axis, int p) {
        Tensor value = Objects.requireNonNull(model.values().get(axis.name));
        double[] sums = new double[value.shape().get(axis.axis)];
        int stride = value.shape().sizeFrom(axis.axis + 1);
        float[] w = value.floats();
        for (int i = 0; i < w.length; i++) {
            sums[i / stride % sums.length] += p == 1 ? Math.abs(w[i]) : (double) w[i] * w[i];
        }
        return sums;
    }

    /** How many channels there are in all groups. */
    public int channels() {
        return groups.stream().mapToInt(g -> g.channels.size()).sum();
    }

    /** A line for each group: how many channels it has, and along which axes of which weights they lie. */
    @Override
    public String toString() {
        StringJoiner lines = new StringJoiner("\n");
        for (Group g : groups) {
            lines.add(g.channels.size() + " channels: "
                    + g.weights.stream()
                            .filter(a -> a.role == Role.WEIGHT)
                            .map(Axis::toString)
                            .collect(Collectors.joining(", ")));
        }
        if (!notUnderstood().isEmpty()) {
            lines.add(
                    "kept, since not understood: all that " + String.join(", ", notUnderstood()) + " reads and gives");
        }
        return lines.toString();
    }
}
