package dev.hadal.onednn;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.onednn.natives.HadalNative.StepList;
import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.AttentionMask;
import dev.hadal.op.Cast;
import dev.hadal.op.ClipGradient;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.Dropout;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.Lion;
import dev.hadal.op.MovingAverage;
import dev.hadal.op.NAdam;
import dev.hadal.op.Norm;
import dev.hadal.op.RmsNorm;
import dev.hadal.op.RmsProp;
import dev.hadal.op.Sgd;
import dev.hadal.op.Shadowed;
import dev.hadal.op.Softmax;
import dev.hadal.op.UpdateOp;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.ShortPointer;
import org.jspecify.annotations.Nullable;

/** Kernels of libhadal. */
final class HadalKernels {
    private static final float SELU_ABOVE = (float) Activation.Function.SELU_SCALE;
    private static final float SELU_BELOW = (float) (Activation.Function.SELU_SCALE * Activation.Function.SELU_ALPHA);

    /** Padding is zero, and adds nothing. */
    static Kernel norm(Norm op, Request r) {
        List<Layout> in = new ArrayList<>();
        for (int i = 0; i < r.operands().size(); i++) {
            Layout given = r.layout(i);
            in.add(given == null ? Layout.plain(r.type(i)) : given);
        }
        return new FunctionKernel(op, in, plain(r.results()), List.of(), Double.BYTES, (b, steps) -> {
            DoublePointer squares = new DoublePointer(b.scratch());
            HadalNative.memset(steps.list(), squares, 0, Double.BYTES);
            for (int i = 0; i < in.size(); i++) {
                long count = in.get(i).bytes() / Float.BYTES;
                HadalNative.norm(steps.list(), floats(b.input(i)), count, squares, floats(b.output(0)));
            }
        });
    }

    /** A rule of libhadal: its number in hadal.h, and its settings. */
    private record Rule(int number, float a, float b, float epsilon) {
        static Rule of(UpdateOp op) {
            if (op instanceof Sgd sgd) {
                return new Rule(sgd.momentum() == 0 ? 0 : sgd.nesterov() ? 2 : 1, sgd.momentum(), 0, 0);
            } else if (op instanceof RmsProp rms) {
                int number = 3 + (rms.centred() ? 2 : 0) + (rms.momentum() > 0 ? 1 : 0);
                return new Rule(number, rms.alpha(), rms.momentum(), rms.epsilon());
            } else if (op instanceof Adam adam) {
                return new Rule(adam.amsgrad() ? 8 : 7, adam.beta1(), adam.beta2(), adam.epsilon());
            } else if (op instanceof NAdam nadam) {
                return new Rule(9, nadam.beta1(), nadam.beta2(), nadam.epsilon());
            }
            Lion lion = (Lion) op;
            return new Rule(10, lion.beta1(), lion.beta2(), 0);
        }
    }

    /** The elementwise rules. Padding is zero, and stays so. */
    static Kernel update(UpdateOp op, Request r) {
        return update(op, op, r);
    }

    /** Likewise, with the shadow, which lies as the weights do. */
    static Kernel shadowed(Shadowed op, Request r) {
        return update(op, op.rule(), r);
    }

    private static Kernel update(Op node, UpdateOp op, Request r) {
        boolean shadowed = node instanceof Shadowed;
        Layout w = r.common();
        long count = w.bytes() / Float.BYTES;
        Rule rule = Rule.of(op);
        int moments = op.moments().size();
        List<Layout> in = new ArrayList<>(Collections.nCopies(2 + moments, w));
        in.add(Layout.plain(r.type(2 + moments)));
        in.add(Layout.plain(r.type(3 + moments)));
        List<Integer> takenOver = new ArrayList<>(List.of(0));
        for (int m = 0; m < moments; m++) {
            takenOver.add(2 + m);
        }
        List<Layout> out = new ArrayList<>(Collections.nCopies(1 + moments, w));
        if (shadowed) {
            takenOver.add(in.size());
            in.add(w.as(DType.BF16));
            out.add(w.as(DType.BF16));
        }
        return new FunctionKernel(node, in, out, takenOver, (b, steps) -> {
            copy(b, out, takenOver, steps);
            FloatPointer g = floats(b.input(1));
            FloatPointer norm = floats(b.input(2 + moments));
            FloatPointer hyper = floats(b.input(3 + moments));
            FloatPointer newW = floats(b.output(0));
            FloatPointer m0 = moments > 0 ? floats(b.output(1)) : null;
            FloatPointer m1 = moments > 1 ? floats(b.output(2)) : null;
            FloatPointer m2 = moments > 2 ? floats(b.output(3)) : null;
            ShortPointer shadow = shadowed ? new ShortPointer(b.output(1 + moments)) : null;
            HadalNative.update(
                    steps.list(),
                    rule.number,
                    newW,
                    g,
                    m0,
                    m1,
                    m2,
                    shadow,
                    count,
                    rule.a,
                    rule.b,
                    rule.epsilon,
                    hyper,
                    norm);
        });
    }

    static Kernel movingAverage(MovingAverage op, Request r) {
        Layout w = r.common();
        long count = w.bytes() / Float.BYTES;
        List<Layout> in = List.of(w, w, Layout.plain(r.type(2)));
        return new FunctionKernel(op, in, List.of(w), List.of(0), (b, steps) -> {
            copy(b, List.of(w), List.of(0), steps);
            FloatPointer e = floats(b.output(0));
            FloatPointer newW = floats(b.input(1));
            FloatPointer norm = floats(b.input(2));
            HadalNative.movingAverage(steps.list(), e, newW, count, op.beta(), norm);
        });
    }

    /** By norm alone: what is adaptive looks at rows, which a layout may have torn apart. */
    static Kernel clipGradient(ClipGradient op, Request r) {
        Layout w = r.common();
        long count = w.bytes() / Float.BYTES;
        return new FunctionKernel(op, List.of(w, w), List.of(w), List.of(1), (b, steps) -> {
            FloatPointer g = floats(b.input(1));
            FloatPointer y = floats(b.output(0));
            HadalNative.clipNorm(steps.list(), g, count, op.limit(), y);
        });
    }

    /** libhadal updates in place: where results lie elsewhere, the old values are brought there first. */
    private static void copy(Binding b, List<Layout> layouts, List<Integer> operands, Steps steps) {
        for (int i = 0; i < operands.size(); i++) {
            steps.copy(b.input(operands.get(i)), b.output(i), layouts.get(i).bytes());
        }
    }

    /** One call that turns the x of an activation into its y, or y and dy into dx. */
    private interface Curve {
        void record(StepList steps, FloatPointer[] in, long count, FloatPointer out);
    }

    /**
     * The functions of which oneDNN loses NaN, or digits; and GELU, which is faster here with AVX-512.
     *
     * @param x where operand and result lie, both alike, in padding too
     */
    static Kernel activation(Activation op, Layout x) {
        return curve(
                op,
                x,
                1,
                switch (op.function()) {
                    case ELU -> (s, in, n, y) -> HadalNative.elu(s, in[0], n, 1, op.alpha(), y);
                    case SELU -> (s, in, n, y) -> HadalNative.elu(s, in[0], n, SELU_ABOVE, SELU_BELOW, y);
                    case RELU6 -> (s, in, n, y) -> HadalNative.clip(s, in[0], n, 1, 0, 6, y);
                    case HARD_SIGMOID -> (s, in, n, y) -> HadalNative.clip(s, in[0], n, 1 / 6f, 0.5f, 1, y);
                    case SOFTPLUS -> (s, in, n, y) -> HadalNative.softplus(s, in[0], n, y);
                    case MISH -> (s, in, n, y) -> HadalNative.mish(s, in[0], n, y);
                    case GELU -> (s, in, n, y) -> HadalNative.gelu(s, in[0], n, 0, y);
                    case GELU_TANH -> (s, in, n, y) -> HadalNative.gelu(s, in[0], n, 1, y);
                    default -> throw new IllegalArgumentException("libhadal has no " + op);
                });
    }

    /** Likewise, backward: SELU, which oneDNN lacks, and Mish and GELU with tanh, which it makes NaN or ∞ where x² is. */
    static Kernel activationBackward(Activation.Backward op, Layout x) {
        return curve(
                op,
                x,
                2,
                switch (op.function()) {
                    case SELU ->
                        (s, in, n, dx) -> HadalNative.eluBackward(s, in[0], in[1], n, SELU_ABOVE, SELU_BELOW, dx);
                    case MISH -> (s, in, n, dx) -> HadalNative.mishBackward(s, in[0], in[1], n, dx);
                    case GELU -> (s, in, n, dx) -> HadalNative.geluBackward(s, in[0], in[1], n, 0, dx);
                    case GELU_TANH -> (s, in, n, dx) -> HadalNative.geluBackward(s, in[0], in[1], n, 1, dx);
                    default -> throw new IllegalArgumentException("libhadal has no " + op);
                });
    }

    private static Kernel curve(Op op, Layout layout, int operands, Curve curve) {
        long count = layout.bytes() / Float.BYTES;
        List<Layout> in = Collections.nCopies(operands, layout);
        return new FunctionKernel(op, in, List.of(layout), List.of(operands - 1), (b, steps) -> {
            FloatPointer[] x = new FloatPointer[operands];
            Arrays.setAll(x, i -> floats(b.input(i)));
            FloatPointer y = floats(b.output(0));
            curve.record(steps.list(), x, count, y);
        });
    }

    /** Between f32 and bf16, as the value lies. */
    static @Nullable Kernel cast(Cast op, Request r) {
        Casting casting = Casting.of(r);
        if (casting == null) {
            return null;
        }
        long count = r.shape(0).size();
        return new FunctionKernel(op, List.of(casting.from()), List.of(casting.to()), List.of(), (b, steps) -> {
            if (op.dtype() == DType.BF16) {
                HadalNative.narrow(steps.list(), floats(b.input(0)), count, new ShortPointer(b.output(0)));
            } else {
                HadalNative.widen(steps.list(), new ShortPointer(b.input(0)), count, floats(b.output(0)));
            }
        });
    }

    static Kernel crossEntropy(CrossEntropy op, Request r) {
        Rows rows = Rows.of(r.shape(0));
        List<NativeMemory> weights = classWeights(op);
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(-1, 0), 0, weights, (b, steps) -> {
            FloatPointer x = floats(b.input(0));
            IntPointer labels = new IntPointer(b.input(1));
            FloatPointer classWeights =
                    weights.isEmpty() ? null : floats(weights.get(0).at(0));
            FloatPointer sampleWeights = op.weighted() ? floats(b.input(2)) : null;
            FloatPointer loss = floats(b.output(0));
            FloatPointer p = floats(b.output(1));
            HadalNative.crossEntropy(
                    steps.list(),
                    x,
                    labels,
                    classWeights,
                    sampleWeights,
                    rows.samples,
                    rows.places,
                    rows.classes,
                    op.smoothing(),
                    op.ignore(),
                    loss,
                    p);
        });
    }

    static Kernel crossEntropyBackward(CrossEntropy.Backward backward, Request r) {
        CrossEntropy op = backward.forward();
        Rows rows = Rows.of(r.shape(0));
        List<NativeMemory> weights = classWeights(op);
        return new FunctionKernel(backward, plain(types(r)), plain(r.results()), List.of(0), 0, weights, (b, steps) -> {
            FloatPointer p = floats(b.input(0));
            IntPointer labels = new IntPointer(b.input(1));
            FloatPointer classWeights =
                    weights.isEmpty() ? null : floats(weights.get(0).at(0));
            FloatPointer sampleWeights = op.weighted() ? floats(b.input(2)) : null;
            FloatPointer dloss = floats(b.input(op.weighted() ? 3 : 2));
            FloatPointer dx = floats(b.output(0));
            HadalNative.crossEntropyBackward(
                    steps.list(),
                    p,
                    labels,
                    classWeights,
                    sampleWeights,
                    dloss,
                    rows.samples,
                    rows.places,
                    rows.classes,
                    op.smoothing(),
                    op.ignore(),
                    dx);
        });
    }

    /** [N,…,C] */
    private record Rows(long samples, long places, long classes) {
        static Rows of(Shape x) {
            int classes = x.get(x.rank() - 1);
            return new Rows(x.get(0), x.size() / classes / x.get(0), classes);
        }
    }

    /** None if all count alike. */
    private static List<NativeMemory> classWeights(CrossEntropy op) {
        float[] weights = new float[op.classWeights().size()];
        for (int c = 0; c < weights.length; c++) {
            weights[c] = op.classWeights().get(c);
        }
        return weights.length == 0 ? List.of() : List.of(NativeMemory.of(weights));
    }

    /** How x is normalized: samples of groups of channels of planes. A row is one group of channels of one value. */
    private record Groups(long samples, long groups, long channels, long plane, float epsilon) {
        static Groups rows(Shape x, int axes, float epsilon) {
            int width = x.sizeFrom(x.rank() - axes);
            return new Groups(x.size() / width, 1, width, 1, epsilon);
        }

        static Groups of(Shape x, int groups, float epsilon) {
            return new Groups(x.get(0), groups, x.get(1) / groups, x.sizeFrom(2), epsilon);
        }
    }

    static Kernel layerNorm(LayerNorm op, Request r) {
        return norm(op, Groups.rows(r.shape(0), op.axes(), op.epsilon()), true, r);
    }

    static Kernel layerNormBackward(LayerNorm.Backward op, Request r) {
        return normBackward(op, Groups.rows(r.shape(0), op.axes(), op.epsilon()), true, r);
    }

    static Kernel rmsNorm(RmsNorm op, Request r) {
        return norm(op, Groups.rows(r.shape(0), op.axes(), op.epsilon()), false, r);
    }

    static Kernel rmsNormBackward(RmsNorm.Backward op, Request r) {
        return normBackward(op, Groups.rows(r.shape(0), op.axes(), op.epsilon()), false, r);
    }

    static Kernel groupNorm(GroupNorm op, Request r) {
        return norm(op, Groups.of(r.shape(0), op.groups(), op.epsilon()), true, r);
    }

    static Kernel groupNormBackward(GroupNorm.Backward op, Request r) {
        return normBackward(op, Groups.of(r.shape(0), op.groups(), op.epsilon()), true, r);
    }

    private static Kernel norm(Op op, Groups g, boolean centred, Request r) {
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(0), (b, steps) -> {
            FloatPointer x = floats(b.input(0));
            FloatPointer scale = floats(b.input(1));
            FloatPointer bias = centred ? floats(b.input(2)) : null;
            FloatPointer y = floats(b.output(0));
            FloatPointer mean = centred ? floats(b.output(1)) : null;
            FloatPointer variance = floats(b.output(centred ? 2 : 1));
            HadalNative.groupNorm(
                    steps.list(),
                    x,
                    scale,
                    bias,
                    g.samples,
                    g.groups,
                    g.channels,
                    g.plane,
                    g.epsilon,
                    y,
                    mean,
                    variance);
        });
    }

    private static Kernel normBackward(Op op, Groups g, boolean centred, Request r) {
        long scratch = HadalNative.groupNormScratch(g.samples, g.groups, g.channels) * Float.BYTES;
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(1), scratch, (b, steps) -> {
            FloatPointer x = floats(b.input(0));
            FloatPointer dy = floats(b.input(1));
            FloatPointer scale = floats(b.input(2));
            FloatPointer mean = centred ? floats(b.input(3)) : null;
            FloatPointer variance = floats(b.input(centred ? 4 : 3));
            FloatPointer dx = floats(b.output(0));
            FloatPointer dscale = floats(b.output(1));
            FloatPointer dbias = centred ? floats(b.output(2)) : null;
            FloatPointer sums = floats(b.scratch());
            HadalNative.groupNormBackward(
                    steps.list(),
                    x,
                    dy,
                    scale,
                    mean,
                    variance,
                    g.samples,
                    g.groups,
                    g.channels,
                    g.plane,
                    g.epsilon,
                    dx,
                    dscale,
                    dbias,
                    sums);
        });
    }

    static Kernel attentionMask(AttentionMask op, Request r) {
        return attentionMask(op, op, AttentionMask.NEVER, r);
    }

    static Kernel attentionMaskBackward(AttentionMask.Backward op, Request r) {
        return attentionMask(op, op.forward(), 0, r);
    }

    private static Kernel attentionMask(Op op, AttentionMask mask, float hidden, Request r) {
        Shape shape = r.shape(0);
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(0), (b, steps) -> {
            FloatPointer x = floats(b.input(0));
            IntPointer lengths = mask.padded() ? new IntPointer(b.input(1)) : null;
            FloatPointer y = floats(b.output(0));
            HadalNative.attentionMask(
                    steps.list(),
                    x,
                    lengths,
                    shape.get(0),
                    shape.get(1),
                    shape.get(2),
                    shape.get(3),
                    mask.causal(),
                    mask.scale(),
                    hidden,
                    y);
        });
    }

    /** x as [outer, length, inner], with the axis in the middle. */
    private record Lines(long outer, long length, long inner) {
        static Lines of(Shape x, int axis) {
            int a = axis < 0 ? axis + x.rank() : axis;
            long inner = x.sizeFrom(a + 1);
            return new Lines(x.size() / (x.get(a) * inner), x.get(a), inner);
        }
    }

    static Kernel softmax(Softmax op, Request r) {
        Lines lines = Lines.of(r.shape(0), op.axis());
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(0), (b, steps) -> {
            FloatPointer x = floats(b.input(0));
            FloatPointer y = floats(b.output(0));
            HadalNative.softmax(steps.list(), x, lines.outer, lines.length, lines.inner, op.log(), y);
        });
    }

    static Kernel softmaxBackward(Softmax.Backward op, Request r) {
        boolean log = op.forward().log();
        Lines lines = Lines.of(r.shape(0), op.forward().axis());
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(1), (b, steps) -> {
            FloatPointer y = floats(b.input(0));
            FloatPointer dy = floats(b.input(1));
            FloatPointer dx = floats(b.output(0));
            HadalNative.softmaxBackward(steps.list(), y, dy, lines.outer, lines.length, lines.inner, log, dx);
        });
    }

    /** Elements count in row-major order, so that is how they lie. */
    static Kernel dropout(Dropout.Training op, Request r) {
        long count = r.shape(0).size();
        return new FunctionKernel(op, plain(types(r)), plain(r.results()), List.of(0), (b, steps) -> {
            FloatPointer x = floats(b.input(0));
            IntPointer random = new IntPointer(b.input(1));
            FloatPointer y = floats(b.output(0));
            HadalNative.dropout(steps.list(), x, count, random, op.stream(), op.threshold(), op.scale(), y);
        });
    }

    private static List<Type> types(Request r) {
        return r.operands().stream().map(Operand::type).toList();
    }

    private static List<Layout> plain(List<Type> types) {
        return types.stream().map(Layout::plain).toList();
    }

    static FloatPointer floats(Pointer address) {
        return new FloatPointer(address);
    }

    /**
     * @param takenOver the operand whose memory each result may take over, or −1
     * @param constants what the function reads besides; the kernel frees it
     */
    record FunctionKernel(
            Op op,
            List<Layout> inputs,
            List<Layout> outputs,
            List<Integer> takenOver,
            long scratch,
            List<NativeMemory> constants,
            BoundFunctions.Body body)
            implements Kernel {
        FunctionKernel(
                Op op, List<Layout> inputs, List<Layout> outputs, List<Integer> takenOver, BoundFunctions.Body body) {
            this(op, inputs, outputs, takenOver, 0, body);
        }

        FunctionKernel(
                Op op,
                List<Layout> inputs,
                List<Layout> outputs,
                List<Integer> takenOver,
                long scratch,
                BoundFunctions.Body body) {
            this(op, inputs, outputs, takenOver, scratch, List.of(), body);
        }

        @Override
        public int inPlace(int output) {
            return output < takenOver.size() ? takenOver.get(output) : -1;
        }

        @Override
        public String implementation() {
            return op.name() + " hadal:" + HadalNative.isa();
        }

        @Override
        public Bound bind(List<Region> inputRegions, List<Region> outputRegions, Region scratchRegion) {
            return new BoundFunctions(new Binding(this, inputRegions, outputRegions, scratchRegion), constants, body);
        }

        @Override
        public void close() {
            constants.forEach(NativeMemory::close);
        }
    }

    private HadalKernels() {}
}
