package dev.hadal.compress;

import dev.hadal.compress.ChannelGroups.Axis;
import dev.hadal.compress.ChannelGroups.Group;
import dev.hadal.compress.Pruning.Ramp;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.model.Model;
import dev.hadal.model.Narrowed;
import dev.hadal.model.Pass;
import dev.hadal.optim.Glob;
import dev.hadal.optim.Selection;
import dev.hadal.tensor.Shape;
import dev.hadal.train.Listener;
import dev.hadal.train.Progress;
import dev.hadal.train.Trainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Takes the least of a network's channels out, which leaves a smaller network of dense weights: {@code
 * ChannelPruning.of(0.5).apply(model)}. A channel goes through the whole network: with a convolution's output falls its bias
 * and its share of the norm, what later layers read of it, and what is added to it in a residual sum; see
 * {@link ChannelGroups}. Inputs, outputs, and what is not understood, stay.
 *
 * <p>As a listener of a training it sets the weights of these channels to zero, at once or gradually, and keeps them there;
 * {@link #apply} then takes the same ones out, after which the network computes what it did.
 *
 * @param share of all channels to take out, from 0 to less than 1
 * @param eachGroup whether each group loses this share, but for a last channel; else the channels of all groups compete, and
 *     each keeps at least a quarter of what it would keep alone
 * @param multiple of how many channels each group keeps a multiple, where it can
 * @param ramp when, while training; null for at once
 * @param selection the weights whose channels may be taken out
 */
public record ChannelPruning(
        double share,
        boolean eachGroup,
        Score score,
        int multiple,
        @Nullable Ramp ramp,
        Selection selection) implements Listener, Pass {
    /** Where groups compete, each keeps at least its share divided by this. */
    private static final double LEAST = 4;

    /** How channels are compared: by weights that are read or written along them, relative to those of their group. */
    public enum Score {
        /** The sum of their sizes. */
        L1,
        /** The root of the sum of their squares. */
        L2,
        /** The sizes of batch norms' scales (Liu et al. 2017); where there are none, L2. */
        SCALE
    }

    public ChannelPruning {
        if (!(share >= 0 && share < 1) || multiple < 1) {
            throw new IllegalArgumentException(
                    "a share of channels from 0 to less than 1 is taken out, and a multiple of"
                            + " at least 1 kept, not " + share + " and " + multiple);
        }
    }

    /** The least channels of the whole network, by their L2 norms. */
    public static ChannelPruning of(double share) {
        return new ChannelPruning(share, false, Score.L2, 1, null, Selection.ALL);
    }

    /** Takes the same share out of each group. */
    public ChannelPruning perGroup() {
        return new ChannelPruning(share, true, score, multiple, ramp, selection);
    }

    public ChannelPruning by(Score other) {
        return new ChannelPruning(share, eachGroup, other, multiple, ramp, selection);
    }

    /** Keeps a multiple of so many channels in each group: fast kernels like 8 or 16. */
    public ChannelPruning multipleOf(int channels) {
        return new ChannelPruning(share, eachGroup, score, channels, ramp, selection);
    }

    /** While training, gradually in its first half. */
    public ChannelPruning cubic() {
        return new ChannelPruning(share, eachGroup, score, multiple, new Ramp(0, -1), selection);
    }

    /** While training, gradually between two of its steps. */
    public ChannelPruning cubic(long fromStep, long toStep) {
        return new ChannelPruning(share, eachGroup, score, multiple, new Ramp(fromStep, toStep), selection);
    }

    /** Leaves all channels of the weights whose path matches a {@link Glob}. The last call that matches decides. */
    public ChannelPruning exclude(String pattern) {
        return new ChannelPruning(share, eachGroup, score, multiple, ramp, selection.with(pattern, false));
    }

    /** Takes some weights out of an earlier {@link #exclude}. */
    public ChannelPruning include(String pattern) {
        return new ChannelPruning(share, eachGroup, score, multiple, ramp, selection.with(pattern, true));
    }

    // ---- while training ----

    @Override
    public void onTrainStart(Progress progress) {
        if (ramp == null) {
            prune(progress.trainer(), share);
        }
    }

    @Override
    public void onStep(Progress progress) {
        double now = ramp == null ? Double.NaN : ramp.share(share, progress.step(), progress.plannedSteps());
        if (!Double.isNaN(now)) {
            prune(progress.trainer(), now);
        }
    }

    private void prune(Trainer trainer, double now) {
        Model model = trainer.model();
        ChannelGroups groups = ChannelGroups.of(model);
        trainer.mask(
                groups.masks(dropped(groups, model, weight -> selection.test(weight) && trainer.trains(weight), now)));
    }

    // ---- without training ----

    @Override
    public Model apply(Model model) {
        return narrowed(model).model();
    }

    /** The smaller network, and which channels it kept: {@link Trainer#narrowed} goes on training it. */
    public Narrowed narrowed(Model model) {
        ChannelGroups groups = ChannelGroups.of(model);
        return groups.without(model, dropped(groups, model, selection, share));
    }

    // ---- which channels ----

    private Set<Integer> dropped(ChannelGroups groups, Model model, Predicate<String> taken, double now) {
        List<Group> open = groups.list().stream()
                .filter(g -> g.weights().stream().allMatch(a -> a.role() == Role.STATE || taken.test(a.name())))
                .toList();
        Map<Group, Integer> most = new HashMap<>();
        List<Scored> all = new ArrayList<>();
        int channels = 0;
        for (Group g : open) {
            int size = g.channels().size();
            channels += size;
            most.put(g, Math.max(0, size - kept(size, eachGroup ? 1 - now : (1 - now) / LEAST)));
            all.addAll(scored(g, model, groups));
        }
        all.sort(Comparator.comparingDouble(Scored::score));
        long left = eachGroup ? channels : Math.round(now * channels);
        Set<Integer> dropped = new HashSet<>();
        for (Scored s : all) {
            int more = Objects.requireNonNull(most.get(s.group));
            if (more > 0 && left > 0) {
                dropped.add(s.channel);
                most.put(s.group, more - 1);
                left--;
            }
        }
        return dropped;
    }

    /** How many of a group's channels stay at least. */
    private int kept(int size, double rest) {
        int kept = Math.max(1, (int) Math.ceil(size * rest - 1e-9));
        return Math.min(size, (kept + multiple - 1) / multiple * multiple);
    }

    private record Scored(Group group, int channel, double score) {}

    /** Each channel's norm along each of the group's axes, over the mean of the group's, averaged. */
    private List<Scored> scored(Group group, Model model, ChannelGroups groups) {
        int size = group.channels().size();
        double[] scores = new double[size];
        List<Integer> axes = axes(group, model, groups);
        for (int k : axes) {
            boolean squares = score == Score.L2;
            double[] sums = ChannelGroups.sums(model, group.weights().get(k), squares ? 2 : 1);
            double[] norms = new double[size];
            for (int c = 0; c < size; c++) {
                for (int place : group.channels().get(c).places().get(k)) {
                    norms[c] += sums[place];
                }
                norms[c] = squares ? Math.sqrt(norms[c]) : norms[c];
            }
            double mean = Arrays.stream(norms).average().orElseThrow();
            for (int c = 0; c < size; c++) {
                scores[c] += mean == 0 ? 0 : norms[c] / mean / axes.size();
            }
        }
        List<Scored> scored = new ArrayList<>();
        for (int c = 0; c < size; c++) {
            scored.add(new Scored(group, group.channels().get(c).id(), scores[c]));
        }
        return scored;
    }

    /** The axes that are compared: of batch norms' scales if they are asked for and there are some, else of matrices. */
    private List<Integer> axes(Group group, Model model, ChannelGroups groups) {
        List<Integer> matrices = new ArrayList<>();
        List<Integer> scales = new ArrayList<>();
        for (int k = 0; k < group.weights().size(); k++) {
            Axis axis = group.weights().get(k);
            Shape shape =
                    Objects.requireNonNull(model.values().get(axis.name())).shape();
            if (axis.role() == Role.WEIGHT && shape.rank() > 1) {
                matrices.add(k);
            } else if (groups.isScale(axis.name())) {
                scales.add(k);
            }
        }
        return score == Score.SCALE && !scales.isEmpty() ? scales : matrices;
    }
}
