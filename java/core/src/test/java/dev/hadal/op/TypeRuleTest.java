package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Graph;
import dev.hadal.graph.Leaf.Role;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.TypeException;
import dev.hadal.graph.Value;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation.Function;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Operands that do not fit: the message names the operand, what came, what was needed, and the layer. */
class TypeRuleTest {

    /** An op with operands that fit, and the operands' names as its messages have them. */
    record Rule(Op op, List<Type> fitting, String... names) {
        /** Convolution's backward ops leave its geometry, and what does not fit it, to the forward op. */
        String teller() {
            return op.name().startsWith("convolution") ? "convolution" : op.name();
        }

        @Override
        public String toString() {
            return op.name();
        }
    }

    private static final Type IMAGE = Type.f32(2, 6, 8, 9);
    private static final Type CHANNELS = Type.f32(6);
    private static final Type PLANE = Type.f32(8, 9);
    private static final Type PARAMETERS = Type.f32(5, 3);
    private static final PointwiseLoss HUBER = new PointwiseLoss(PointwiseLoss.Function.HUBER, 1, false);
    private static final Type SCALAR = Type.f32();
    private static final Convolution CONVOLUTION = new Convolution(Window.of(2, 1, 1), 2);
    private static final Type KERNELS = Type.f32(4, 3, 3, 3);
    private static final Type CONVOLVED = Type.f32(2, 4, 4, 5);

    /** They only move values. */
    private static final Set<Class<?>> ANY_TYPE = Set.of(
            Reshape.class,
            Expand.class,
            Transpose.class,
            Slice.class,
            Concat.class,
            Split.class,
            Gather.class,
            Cast.class);

    /** They take operands of almost any rank. */
    private static final Set<Class<?>> ANY_RANK = Set.of(
            Unary.class,
            Clamp.class,
            Binary.class,
            Compare.class,
            Where.class,
            Reduce.class,
            ArgMax.class,
            Norm.class,
            Reshape.class,
            Activation.class,
            MatMul.class,
            SparseMatMul.class,
            Mixed.class,
            Fused.class,
            Quantized.class,
            Quantize.class,
            Dequantize.class,
            FakeQuantize.class,
            FakeQuantize.Backward.class,
            FakeQuantize.Dynamic.class,
            LearnedStep.class,
            LearnedStep.Backward.class,
            Expand.class,
            Expand.Backward.class,
            Softmax.class,
            Slice.class,
            Cast.class,
            Gather.class,
            Gather.Backward.class,
            ScatterAdd.class,
            Dropout.class,
            Dropout.Training.class);

    private static final Pool MAX_POOL = new Pool(Pooling.Function.MAX, 3, 3, Window.of(2, 1, 1));
    private static final Type BYTES = new Type(DType.U8, Type.f32(2, 6, 8, 9).shape());
    private static final Type UPWARDS = Type.f32(6, 5, 3, 3);
    private static final Type POOLED = Type.f32(2, 6, 4, 5);
    private static final Slice SLICE = new Slice(3, 0, 3, 1);
    private static final Resize RESIZE = new Resize(5, 4, Resize.Mode.NEAREST);
    private static final Split SPLIT = new Split(1, List.of(2, 4));
    private static final Pad PAD = new Pad(List.of(0, 0, 1, 2), List.of(0, 0, 0, 0), 0.5f);

    private static final Recurrent LSTM = new Recurrent(Recurrent.Cell.LSTM, false, true, true);
    private static final Recurrent.Backward LSTM_BACKWARD = new Recurrent.Backward(LSTM, List.of("dy", "dc"));
    private static final Type STATE = Type.f32(2, 3);
    private static final List<Type> SEQUENCES = List.of(
            Type.f32(2, 4, 5), Type.f32(12, 5), Type.f32(12, 3), Type.f32(12), Type.f32(12), STATE, STATE, Type.i32(2));
    private static final List<Type> BACKWARD = List.of(
            Type.f32(2, 4, 5),
            Type.f32(12, 5),
            Type.f32(12, 3),
            STATE,
            STATE,
            Type.i32(2),
            Type.f32(2, 4, 3),
            Type.f32(2, 4, 15),
            Type.f32(2, 4, 3),
            STATE);

    static List<Rule> rules() {
        return List.of(
                new Rule(CONVOLUTION, List.of(IMAGE, KERNELS), "x", "w"),
                new Rule(
                        new Convolution.BackwardData(CONVOLUTION, IMAGE.shape()),
                        List.of(CONVOLVED, KERNELS),
                        "dy",
                        "w"),
                new Rule(
                        new Convolution.BackwardWeights(CONVOLUTION, KERNELS.shape()),
                        List.of(IMAGE, CONVOLVED),
                        "x",
                        "dy"),
                new Rule(new MatMul(false, false), List.of(Type.f32(2, 3), Type.f32(3, 4)), "a", "b"),
                new Rule(new MatMul(true, false), List.of(Type.f32(3, 2), Type.f32(3, 4)), "a", "b"),
                new Rule(new MatMul(false, true), List.of(Type.f32(2, 3), Type.f32(4, 3)), "a", "b"),
                new Rule(
                        new BatchNorm(1e-5f, 0.1f),
                        List.of(IMAGE, CHANNELS, CHANNELS, CHANNELS, CHANNELS),
                        "x",
                        "scale",
                        "bias",
                        "mean",
                        "variance"),
                new Rule(new BatchNorm.Training(1e-5f), List.of(IMAGE, CHANNELS, CHANNELS), "x", "scale", "bias"),
                new Rule(
                        new BatchNorm.Backward(1e-5f),
                        List.of(IMAGE, IMAGE, CHANNELS, CHANNELS, CHANNELS),
                        "x",
                        "dy",
                        "scale",
                        "mean",
                        "variance"),
                new Rule(new Activation(Function.RELU), List.of(IMAGE), "x"),
                new Rule(new Activation.Backward(Function.TANH), List.of(IMAGE, IMAGE), "y", "dy"),
                new Rule(new Bias(), List.of(IMAGE, CHANNELS), "x", "b"),
                new Rule(new Bias.Backward(), List.of(IMAGE), "dy"),
                new Rule(new GlobalAveragePool(), List.of(IMAGE), "x"),
                new Rule(new GlobalAveragePool.Backward(IMAGE.shape()), List.of(Type.f32(2, 6, 1, 1)), "dy"),
                new Rule(new Reshape(List.of(0, -1)), List.of(IMAGE), "x"),
                new Rule(new CrossEntropy(0), List.of(Type.f32(4, 10), Type.i32(4)), "x", "labels"),
                new Rule(
                        new CrossEntropy.Backward(new CrossEntropy(0)),
                        List.of(Type.f32(4, 10), Type.i32(4), SCALAR),
                        "p",
                        "labels",
                        "dloss"),
                new Rule(new Norm(), List.of(IMAGE, CHANNELS), "operand 0", "operand 1"),
                new Rule(
                        new Adam(0.9f, 0.999f, 1e-8f, false),
                        List.of(PARAMETERS, PARAMETERS, PARAMETERS, PARAMETERS, SCALAR, Hyper.TYPE),
                        "w",
                        "g",
                        "m",
                        "v",
                        "norm",
                        "hyper"),
                new Rule(
                        new Sgd(0.9f, true),
                        List.of(PARAMETERS, PARAMETERS, PARAMETERS, SCALAR, Hyper.TYPE),
                        "w",
                        "g",
                        "m",
                        "norm",
                        "hyper"),
                new Rule(new WeightedSum(List.of(1f, 2f)), List.of(IMAGE, IMAGE), "operand 0", "operand 1"),
                new Rule(
                        new Lamb(0.9f, 0.999f, 1e-6f),
                        List.of(PARAMETERS, PARAMETERS, PARAMETERS, PARAMETERS, SCALAR, Hyper.TYPE),
                        "w",
                        "g",
                        "m",
                        "v",
                        "norm",
                        "hyper"),
                new Rule(
                        new Muon.Direction(0.9f, true),
                        List.of(PARAMETERS, PARAMETERS, PARAMETERS, SCALAR, Hyper.TYPE),
                        "w",
                        "g",
                        "m",
                        "norm",
                        "hyper"),
                new Rule(
                        new Muon.Apply(1),
                        List.of(PARAMETERS, PARAMETERS, SCALAR, Hyper.TYPE),
                        "w",
                        "x",
                        "norm",
                        "hyper"),
                new Rule(new ClipGradient(1, true), List.of(PARAMETERS, PARAMETERS), "w", "g"),
                new Rule(new MovingAverage(0.9f), List.of(PARAMETERS, PARAMETERS, SCALAR), "e", "w", "norm"),
                new Rule(
                        new RmsProp(0.9f, 1e-8f, 0.9f, true),
                        List.of(PARAMETERS, PARAMETERS, PARAMETERS, PARAMETERS, PARAMETERS, SCALAR, Hyper.TYPE),
                        "w",
                        "g",
                        "v",
                        "c",
                        "m",
                        "norm",
                        "hyper"),
                new Rule(
                        new NAdam(0.9f, 0.999f, 1e-8f, 0.004f),
                        List.of(PARAMETERS, PARAMETERS, PARAMETERS, PARAMETERS, SCALAR, Hyper.TYPE),
                        "w",
                        "g",
                        "m",
                        "v",
                        "norm",
                        "hyper"),
                new Rule(
                        new Lion(0.9f, 0.99f),
                        List.of(PARAMETERS, PARAMETERS, PARAMETERS, SCALAR, Hyper.TYPE),
                        "w",
                        "g",
                        "m",
                        "norm",
                        "hyper"),
                new Rule(new Expand(List.of(4, -1, 8, 9)), List.of(Type.f32(6, 1, 9)), "x"),
                new Rule(new Expand.Backward(CHANNELS.shape()), List.of(Type.f32(2, 6)), "dy"),
                new Rule(new LayerNorm(2, 1e-5f), List.of(IMAGE, PLANE, PLANE), "x", "scale", "bias"),
                new Rule(
                        new LayerNorm.Backward(2, 1e-5f),
                        List.of(IMAGE, IMAGE, PLANE, Type.f32(2, 6), Type.f32(2, 6)),
                        "x",
                        "dy",
                        "scale",
                        "mean",
                        "variance"),
                new Rule(new RmsNorm(2, 1e-5f), List.of(IMAGE, PLANE), "x", "scale"),
                new Rule(
                        new RmsNorm.Backward(2, 1e-5f),
                        List.of(IMAGE, IMAGE, PLANE, Type.f32(2, 6)),
                        "x",
                        "dy",
                        "scale",
                        "square"),
                new Rule(new GroupNorm(3, 1e-5f), List.of(IMAGE, CHANNELS, CHANNELS), "x", "scale", "bias"),
                new Rule(
                        new GroupNorm.Backward(3, 1e-5f),
                        List.of(IMAGE, IMAGE, CHANNELS, Type.f32(2, 3), Type.f32(2, 3)),
                        "x",
                        "dy",
                        "scale",
                        "mean",
                        "variance"),
                new Rule(new Softmax(-1, false), List.of(IMAGE), "x"),
                new Rule(new Softmax.Backward(new Softmax(1, false)), List.of(IMAGE, IMAGE), "y", "dy"),
                new Rule(new Softmax(-1, true), List.of(IMAGE), "x"),
                new Rule(new Softmax.Backward(new Softmax(1, true)), List.of(IMAGE, IMAGE), "y", "dy"),
                new Rule(LSTM, SEQUENCES, LSTM.operands().toArray(String[]::new)),
                new Rule(LSTM_BACKWARD, BACKWARD, LSTM_BACKWARD.operands().toArray(String[]::new)),
                new Rule(MAX_POOL, List.of(IMAGE), "x"),
                new Rule(new ConvolutionTranspose(Window.of(2, 1, 1), 2, 1, 0), List.of(IMAGE, UPWARDS), "x", "w"),
                new Rule(new Dropout(0.5f), List.of(IMAGE), "x"),
                new Rule(new Dropout.Training(0.5f, "drop"), List.of(IMAGE, Type.i32(4)), "x", "random"),
                new Rule(new AdaptivePool(Pooling.Function.AVERAGE, 3, 4), List.of(IMAGE), "x"),
                new Rule(
                        new Pooling.MaxBackward(MAX_POOL, IMAGE.shape()),
                        List.of(POOLED, Type.i32(2, 6, 4, 5)),
                        "dy",
                        "index"),
                new Rule(new Pooling.AverageBackward(MAX_POOL, IMAGE.shape()), List.of(POOLED), "dy"),
                new Rule(new Transpose(List.of(0, 2, 3, 1)), List.of(IMAGE), "x"),
                new Rule(SLICE, List.of(IMAGE), "x"),
                new Rule(new Cast(DType.I32), List.of(IMAGE), "x"),
                new Rule(RESIZE, List.of(IMAGE), "x"),
                new Rule(new Resize.Backward(RESIZE, IMAGE.shape()), List.of(Type.f32(2, 6, 5, 4)), "dy"),
                new Rule(new Gather(1), List.of(IMAGE, Type.i32(3)), "x", "indices"),
                new Rule(
                        new SparseMatMul(20),
                        List.of(Type.f32(5, 6), Type.f32(7, 8), Type.i32(7), Type.i32(4)),
                        "x",
                        "values",
                        "columns",
                        "starts"),
                new Rule(
                        new Gather.Backward(1, IMAGE.shape()),
                        List.of(Type.f32(2, 3, 8, 9), Type.i32(3)),
                        "dy",
                        "indices"),
                new Rule(
                        new ScatterAdd(1),
                        List.of(IMAGE, Type.i32(3), Type.f32(2, 3, 8, 9)),
                        "x",
                        "indices",
                        "updates"),
                new Rule(new Slice.Backward(SLICE, IMAGE.shape()), List.of(Type.f32(2, 6, 8, 3)), "dy"),
                new Rule(new Concat(1), List.of(IMAGE, Type.f32(2, 7, 8, 9)), "operand 0", "operand 1"),
                new Rule(SPLIT, List.of(IMAGE), "x"),
                new Rule(new Split.Backward(SPLIT, List.of(0), IMAGE.shape()), List.of(Type.f32(2, 2, 8, 9)), "dy0"),
                new Rule(PAD, List.of(IMAGE), "x"),
                new Rule(new Pad.Backward(PAD, IMAGE.shape()), List.of(Type.f32(2, 6, 9, 11)), "dy"),
                new Rule(HUBER, List.of(PARAMETERS, PARAMETERS), "x", "target"),
                new Rule(
                        new PointwiseLoss.Backward(HUBER),
                        List.of(PARAMETERS, PARAMETERS, SCALAR),
                        "x",
                        "target",
                        "dloss"),
                new Rule(
                        new KlDivergence(true), List.of(PARAMETERS, PARAMETERS, Type.f32(5)), "x", "target", "weights"),
                new Rule(
                        new KlDivergence.Backward(false),
                        List.of(PARAMETERS, PARAMETERS, SCALAR),
                        "x",
                        "target",
                        "dloss"),
                new Rule(new CosineLoss(false), List.of(PARAMETERS, PARAMETERS), "x", "target"),
                new Rule(
                        new CosineLoss.Backward(true),
                        List.of(PARAMETERS, PARAMETERS, Type.f32(5), SCALAR),
                        "x",
                        "target",
                        "weights",
                        "dloss"),
                new Rule(new PRelu(), List.of(IMAGE, CHANNELS), "x", "slope"),
                new Rule(new PRelu.Backward(), List.of(IMAGE, CHANNELS, IMAGE), "x", "slope", "dy"),
                new Rule(new Unary(Unary.Function.EXP), List.of(IMAGE), "x"),
                new Rule(new Clamp(0, 1), List.of(IMAGE), "x"),
                new Rule(new Binary(Binary.Function.ADD), List.of(IMAGE, IMAGE), "a", "b"),
                new Rule(new Compare(Compare.Function.LESS), List.of(IMAGE, IMAGE), "a", "b"),
                new Rule(new Where(), List.of(Type.i32(2, 6, 8, 9), IMAGE, IMAGE), "condition", "a", "b"),
                new Rule(new Reduce(Reduce.Function.SUM, List.of(2), false), List.of(IMAGE), "x"),
                new Rule(
                        new Mixed(new MatMul(false, false), List.of(DType.BF16)),
                        List.of(Type.f32(2, 3), Type.f32(3, 4)),
                        "a",
                        "b"),
                new Rule(
                        Fused.of(new MatMul(false, false), 2).then(new WeightedSum(List.of(1f, 1f)), 2, 1),
                        List.of(Type.f32(2, 3), Type.f32(3, 4), Type.f32(2, 4)),
                        "a",
                        "b",
                        "operand 0"),
                new Rule(
                        new Quantized(
                                new Concat(0),
                                List.of(Quantization.u8(0.5f, 3), Quantization.u8(0.25f, 3)),
                                List.of(Quantization.s8(1))),
                        List.of(BYTES, BYTES),
                        "operand 0",
                        "operand 1"),
                new Rule(new Quantize(Quantization.s8(1)), List.of(IMAGE), "x"),
                new Rule(new Dequantize(Quantization.u8(1, 3)), List.of(BYTES), "x"),
                new Rule(new FakeQuantize(Quantization.u8(1, 3)), List.of(IMAGE), "x"),
                new Rule(new FakeQuantize.Backward(Quantization.s8(1)), List.of(IMAGE, IMAGE), "x", "dy"),
                new Rule(new FakeQuantize.Dynamic(1), List.of(IMAGE), "x"),
                new Rule(new LearnedStep(DType.S8, 1, 0), List.of(IMAGE, CHANNELS), "x", "step"),
                new Rule(
                        new LearnedStep.Backward(new LearnedStep(DType.S8, 1, 0)),
                        List.of(IMAGE, CHANNELS, IMAGE),
                        "x",
                        "step",
                        "dy"),
                new Rule(new ArgMax(2, false), List.of(IMAGE), "x"),
                new Rule(new AttentionMask(1, true, true), List.of(IMAGE, Type.i32(2)), "x", "lengths"),
                new Rule(
                        new AttentionMask.Backward(new AttentionMask(1, false, true)),
                        List.of(IMAGE, Type.i32(2)),
                        "dy",
                        "lengths"),
                new Rule(
                        new Shadowed(new Sgd(0.9f, true)),
                        List.of(
                                PARAMETERS,
                                PARAMETERS,
                                PARAMETERS,
                                SCALAR,
                                Hyper.TYPE,
                                new Type(DType.BF16, PARAMETERS.shape())),
                        "w",
                        "g",
                        "m",
                        "norm",
                        "hyper",
                        "shadow"));
    }

    private static String rejection(Op op, List<Type> operands) {
        return message(TypeException.class, () -> op.infer(operands));
    }

    private static String message(Class<? extends Exception> expected, Executable failing) {
        return Objects.requireNonNullElse(assertThrows(expected, failing).getMessage(), "");
    }

    private static void assertSays(String message, Object... parts) {
        for (Object part : parts) {
            assertTrue(message.contains(part.toString()), () -> "'" + part + "' is not in: " + message);
        }
    }

    private static List<Type> with(List<Type> types, int k, Type other) {
        List<Type> changed = new ArrayList<>(types);
        changed.set(k, other);
        return changed;
    }

    /** A rule for every op there is, so that the tests below miss none. */
    @Test
    void everyOpHasARule() {
        List<Class<?>> ruled = rules().stream()
                .<Class<?>>map(r -> r.op().getClass())
                .distinct()
                .toList();
        List<String> missing = RegistryTest.ops().stream()
                .filter(op -> !ruled.contains(op) && op != Constant.class) // which has no operands
                .map(Tally::nameOf)
                .toList();
        assertEquals(List.of(), missing, "ops without a rule in this test");
    }

    @ParameterizedTest
    @MethodSource("rules")
    void fittingOperandsAreTaken(Rule rule) {
        assertTrue(rule.op().infer(rule.fitting()).size() >= 1);
    }

    @ParameterizedTest
    @MethodSource("rules")
    void theNumberOfOperandsIsTold(Rule rule) {
        int n = rule.fitting().size();
        List<Type> more = new ArrayList<>(rule.fitting());
        more.add(IMAGE);
        boolean anyNumber = rule.op() instanceof Norm || rule.op() instanceof Concat;
        if (!anyNumber) {
            assertSays(rejection(rule.op(), more), rule.op().name(), n + 1);
        }
        if (n > 1 && anyNumber) {
            return;
        }
        assertSays(
                rejection(rule.op(), rule.fitting().subList(0, n - 1)),
                rule.op().name(),
                n - 1);
    }

    @Test
    void normTakesSomething() {
        assertSays(rejection(new Norm(), List.of()), "norm", "at least one");
    }

    @ParameterizedTest
    @MethodSource("rules")
    void theOperandOfAnotherTypeIsTold(Rule rule) {
        if (ANY_TYPE.contains(rule.op().getClass())) {
            return;
        }
        for (int k = 0; k < rule.fitting().size(); k++) {
            Type right = rule.fitting().get(k);
            Type wrong = new Type(right.dtype() == DType.F32 ? DType.I32 : DType.F32, right.shape());
            assertSays(
                    rejection(rule.op(), with(rule.fitting(), k, wrong)),
                    rule.teller(),
                    rule.names()[k],
                    wrong,
                    right.dtype().name().toLowerCase(java.util.Locale.ROOT));
        }
    }

    /** Operands of a rank that no op takes there, and, where another operand fixes the shape, of any other. */
    @ParameterizedTest
    @MethodSource("rules")
    void theOperandOfAnotherRankIsTold(Rule rule) {
        if (ANY_RANK.contains(rule.op().getClass())) {
            return;
        }
        for (int k = 0; k < rule.fitting().size(); k++) {
            Type right = rule.fitting().get(k);
            boolean free = k == 0
                    && (rule.op() instanceof Bias
                            || rule.op() instanceof LayerNorm
                            || rule.op() instanceof RmsNorm
                            || rule.op() instanceof GroupNorm
                            || rule.op() instanceof Bias.Backward
                            || rule.op() instanceof BatchNorm
                            || rule.op() instanceof BatchNorm.Training
                            || rule.op() instanceof BatchNorm.Backward);
            Type wrong =
                    free ? Type.f32(7) : new Type(right.dtype(), right.shape().prepend(3));
            assertSays(rejection(rule.op(), with(rule.fitting(), k, wrong)), rule.teller(), wrong.shape());
        }
    }

    /** Every dimension that two operands share, changed in one of them: both shapes are told. */
    static Stream<Object[]> mismatches() {
        Type image7 = Type.f32(2, 7, 8, 9);
        Type wide = Type.f32(2, 6, 8, 10);
        Type channels7 = Type.f32(7);
        Type other = Type.f32(5, 4);
        return Stream.of(
                new Object[] {0, 0, image7, List.of("[2,7,8,9]", "7 channels", "[4,3,3,3]", "takes 6")},
                new Object[] {0, 1, Type.f32(4, 2, 3, 3), List.of("[2,6,8,9]", "6 channels", "[4,2,3,3]", "takes 4")},
                new Object[] {0, 1, Type.f32(5, 3, 3, 3), List.of("5 output channels", "[5,3,3,3]", "groups=2")},
                new Object[] {0, 1, Type.f32(4, 3, 11, 3), List.of("[4,3,11,3]", "[2,6,8,9]", "stride 2 pad 1")},
                new Object[] {0, 1, Type.f32(4, 3, 3, 12), List.of("[4,3,3,12]", "[2,6,8,9]", "stride 2 pad 1")},
                new Object[] {0, 1, Type.f32(4, 3, 0, 3), List.of("[4,3,0,3]", "[2,6,8,9]")},
                new Object[] {1, 0, Type.f32(2, 4, 4, 6), List.of("dy", "[2,4,4,6]", "[2,4,4,5]")},
                new Object[] {1, 1, Type.f32(6, 3, 3, 3), List.of("dy", "[2,4,4,5]", "[2,6,4,5]")},
                new Object[] {2, 0, Type.f32(3, 6, 8, 9), List.of("dy", "[2,4,4,5]", "[3,4,4,5]")},
                new Object[] {2, 1, Type.f32(2, 4, 5, 5), List.of("dy", "[2,4,5,5]", "[2,4,4,5]")},
                new Object[] {3, 0, Type.f32(2, 4), List.of("inner", "a [2,4]", "b [3,4]")},
                new Object[] {4, 0, Type.f32(4, 2), List.of("inner", "a [4,2]ᵀ", "b [3,4]")},
                new Object[] {5, 1, Type.f32(4, 2), List.of("inner", "a [2,3]", "b [4,2]ᵀ")},
                new Object[] {6, 0, image7, List.of("scale", "[6]", "[7]")},
                new Object[] {6, 1, channels7, List.of("scale", "[7]", "[6]")},
                new Object[] {6, 2, channels7, List.of("bias", "[7]", "[6]")},
                new Object[] {6, 3, channels7, List.of("mean", "[7]", "[6]")},
                new Object[] {6, 4, channels7, List.of("variance", "[7]", "[6]")},
                new Object[] {7, 2, channels7, List.of("bias", "[7]", "[6]")},
                new Object[] {8, 1, wide, List.of("dy", "[2,6,8,10]", "[2,6,8,9]")},
                new Object[] {8, 2, channels7, List.of("scale", "[7]", "[6]")},
                new Object[] {8, 4, channels7, List.of("variance", "[7]", "[6]")},
                new Object[] {10, 1, wide, List.of("dy", "[2,6,8,10]", "[2,6,8,9]")},
                new Object[] {11, 1, channels7, List.of("b ", "[7]", "[6]")},
                new Object[] {14, 0, Type.f32(2, 7, 1, 1), List.of("dy", "[2,7,1,1]", "[2,6,1,1]")},
                new Object[] {16, 1, Type.i32(5), List.of("labels", "i32[5]", "i32[4]")},
                new Object[] {17, 1, Type.i32(5), List.of("labels", "i32[5]", "i32[4]")},
                new Object[] {17, 2, Type.f32(1), List.of("dloss", "[1]", "[]")},
                new Object[] {19, 1, other, List.of("g ", "[5,4]", "[5,3]")},
                new Object[] {19, 2, other, List.of("m ", "[5,4]", "[5,3]")},
                new Object[] {19, 3, other, List.of("v ", "[5,4]", "[5,3]")},
                new Object[] {19, 4, Type.f32(1), List.of("norm", "[1]", "[]")},
                new Object[] {19, 5, Type.f32(7), List.of("hyper", "[7]", "[8]")},
                new Object[] {20, 1, other, List.of("g ", "[5,4]", "[5,3]")},
                new Object[] {20, 2, other, List.of("m ", "[5,4]", "[5,3]")},
                new Object[] {20, 4, Type.f32(9), List.of("hyper", "[9]", "[8]")},
                new Object[] {21, 1, wide, List.of("operand 1", "[2,6,8,10]", "[2,6,8,9]")});
    }

    @ParameterizedTest
    @MethodSource("mismatches")
    void bothShapesAreTold(int rule, int operand, Type wrong, List<String> parts) {
        Rule r = rules().get(rule);
        String e = rejection(r.op(), with(r.fitting(), operand, wrong));
        assertSays(e, r.op().name());
        assertSays(e, parts.toArray());
    }

    /** What the gradient is told from is named as what it is. */
    @Test
    void anActivationsGradientNamesItsOperand() {
        assertSays(rejection(new Activation.Backward(Function.SILU), List.of(Type.i32(6), CHANNELS)), "x must be f32");
        assertSays(rejection(new Activation.Backward(Function.ELU), List.of(Type.i32(6), CHANNELS)), "y must be f32");
    }

    @Test
    void matmulTellsWhatDoesNotBroadcast() {
        MatMul matmul = new MatMul(false, true);
        assertSays(rejection(matmul, List.of(CHANNELS, PARAMETERS)), "matmul", "a must be […,M,K]", "[6]");
        assertSays(rejection(matmul, List.of(PARAMETERS, CHANNELS)), "matmul", "b must be […,N,K]", "[6]");
        Type two = Type.f32(2, 5, 3);
        Type seven = Type.f32(7, 4, 3);
        assertSays(rejection(matmul, List.of(two, seven)), "a [2,5,3]", "b [7,4,3]", "2 against 7");
        assertEquals(List.of(Type.f32(7, 2, 5, 4)), matmul.infer(List.of(two, Type.f32(7, 1, 4, 3))));
    }

    @Test
    void movesTellWhatDoesNotFit() {
        assertSays(rejection(new Transpose(List.of(1, 0)), List.of(IMAGE)), "transpose", "[2,6,8,9]", "[1, 0]");
        assertSays(rejection(new Slice(4, 0, 1, 1), List.of(IMAGE)), "slice", "axis 4", "[2,6,8,9]");
        assertSays(rejection(new Slice(-5, 0, 1, 1), List.of(IMAGE)), "slice", "axis -5", "[2,6,8,9]");
        assertSays(rejection(new Concat(0), List.of(IMAGE, Type.f32(2, 6, 8, 8))), "concat", "[2,6,8,8]", "[2,6,8,9]");
        List<Type> beyond = List.of(IMAGE, Type.i32(3));
        assertSays(rejection(new Gather(4), beyond), "gather", "axis 4", "[2,6,8,9]");
        assertSays(rejection(new Gather(0), List.of(IMAGE, IMAGE)), "gather", "indices must be i32", "f32[2,6,8,9]");
        List<Type> sparse = List.of(IMAGE, Type.f32(7, 8), Type.i32(7), Type.i32(4));
        SparseMatMul product = new SparseMatMul(20);
        assertEquals(List.of(Type.f32(2, 6, 8, 20)), product.infer(sparse));
        assertSays(rejection(product, with(sparse, 0, SCALAR)), "x must be […,in]", "[]");
        assertSays(rejection(product, with(sparse, 1, Type.f32(7, 0))), "at least one row", "[7,0]");
        assertSays(rejection(product, with(sparse, 2, Type.i32(8))), "columns must be i32[7]", "i32[8]");
        assertSays(rejection(product, with(sparse, 3, Type.i32(3))), "starts must be i32[4]", "i32[3]");
        assertSays(rejection(product, with(sparse, 3, Type.f32(4))), "starts must be i32[4]", "f32[4]");
        List<Type> update = List.of(IMAGE, Type.i32(3), Type.f32(3, 6, 8, 8));
        assertSays(rejection(new ScatterAdd(0), update), "updates", "[3,6,8,8]", "[3,6,8,9]");
        assertSays(rejection(RESIZE, List.of(Type.f32(2, 6, 0, 9))), "resize", "[2,6,0,9]");
        assertSays(rejection(new Concat(0), List.of()), "concat", "at least one");
        assertSays(rejection(new Split(1, List.of(2, 3)), List.of(IMAGE)), "split", "[2, 3]", "5", "[2,6,8,9]");
        assertSays(rejection(PAD, List.of(CHANNELS)), "pad", "[6]", "[0, 0, 1, 2]");
        assertSays(rejection(new Slice.Backward(SLICE, IMAGE.shape()), List.of(IMAGE)), "dy", "[2,6,8,3]");
    }

    @Test
    void expandTellsWhatDoesNotFit() {
        assertSays(rejection(new Expand(List.of(2)), List.of(IMAGE)), "expand", "[2,6,8,9]", "[2]");
        assertSays(rejection(new Expand(List.of(-1, 6)), List.of(CHANNELS)), "[6]", "no axis", "[-1, 6]");
        assertSays(rejection(new Expand(List.of(3, 5)), List.of(CHANNELS)), "[6]", "[3, 5]", "6 against 5");
        Expand.Backward backward = new Expand.Backward(CHANNELS.shape());
        assertSays(rejection(backward, List.of(Type.f32(6, 5))), "expand_backward", "dy [6,5]", "x [6]");
    }

    @Test
    void transposedConvolutionTellsWhatDoesNotFit() {
        ConvolutionTranspose op = new ConvolutionTranspose(Window.of(2, 1, 1), 2, 1, 0);
        assertEquals(List.of(Type.f32(2, 10, 16, 17)), op.infer(List.of(IMAGE, UPWARDS)));
        assertSays(
                rejection(op, List.of(IMAGE, Type.f32(8, 5, 3, 3))), "[2,6,8,9]", "6 channels", "[8,5,3,3]", "takes 8");
        assertSays(rejection(op, List.of(Type.f32(2, 5, 8, 9), Type.f32(5, 5, 3, 3))), "5 channels", "groups=2");
        assertSays(rejection(op, List.of(Type.f32(2, 6, 1, 1), Type.f32(6, 5, 1, 1))), "stride 2 pad 1", "0x-1");
        assertSays(rejection(op, List.of(Type.f32(2, 6, 0, 9), UPWARDS)), "[2,6,0,9]");
        assertSays(
                badAttribute(() -> new ConvolutionTranspose(Window.of(2, 1, 1), 1, 2, 0)), "stride 2", "not 2 and 0");
        assertSays(badAttribute(() -> new ConvolutionTranspose(Window.UNIT, 0, 0, 0)), "groups", "0");
    }

    @Test
    void poolingTellsWhatDoesNotFit() {
        assertSays(rejection(MAX_POOL, List.of(Type.f32(2, 6, 0, 9))), "pool", "3x3", "[2,6,0,9]", "stride 2 pad 1");
        Pool tooWide = new Pool(Pooling.Function.AVERAGE, 3, 2, Window.of(1, 2, 1));
        assertSays(rejection(tooWide, List.of(IMAGE)), "3x2", "[2,6,8,9]", "pad 2", "no more than half");
        Pool blind = new Pool(Pooling.Function.MAX, 2, 2, Window.of(1, 2, 3));
        assertSays(rejection(blind, List.of(Type.f32(1, 1, 1, 9))), "2x2", "[1,1,1,9]", "dilation 3");
        AdaptivePool adaptive = new AdaptivePool(Pooling.Function.MAX, 3, 4);
        assertSays(rejection(adaptive, List.of(Type.f32(2, 6, 8, 0))), "adaptive_pool", "[2,6,8,0]", "4");
        Pooling.MaxBackward backward = new Pooling.MaxBackward(MAX_POOL, IMAGE.shape());
        assertSays(rejection(backward, List.of(Type.f32(2, 6, 4, 4), POOLED)), "dy", "[2,6,4,5]", "[2,6,4,4]");
        assertSays(rejection(backward, List.of(POOLED, Type.i32(2, 6, 4, 4))), "index", "[2,6,4,5]", "[2,6,4,4]");
    }

    @Test
    void whatDoesNotBroadcastIsTold() {
        List<Type> operands = List.of(IMAGE, Type.f32(7));
        assertSays(rejection(new Binary(Binary.Function.ADD), operands), "a [2,6,8,9]", "b [7]", "9 against 7");
        assertSays(rejection(new Compare(Compare.Function.LESS), operands), "a [2,6,8,9]", "b [7]", "9 against 7");
        assertSays(
                rejection(new Where(), List.of(Type.i32(5), IMAGE, SCALAR)),
                "condition [5]",
                "[2,6,8,9]",
                "5 against 9");
    }

    @Test
    void axesThatAreNotThereAreTold() {
        assertSays(
                rejection(new Reduce(Reduce.Function.SUM, List.of(4), false), List.of(IMAGE)), "[2,6,8,9]", "axis 4");
        assertSays(rejection(new Reduce(Reduce.Function.SUM, List.of(1, -3), false), List.of(IMAGE)), "twice");
        assertSays(
                rejection(new Reduce(Reduce.Function.MAX, List.of(), false), List.of(Type.f32(0))), "nothing", "[0]");
        assertSays(rejection(new ArgMax(-5, false), List.of(IMAGE)), "[2,6,8,9]", "axis -5");
        assertSays(rejection(new ArgMax(0, false), List.of(Type.f32(0))), "nothing", "[0]");
        assertSays(rejection(new Constant(DType.F32, List.of(2), 0), List.of(IMAGE)), "constant", "1 operands");
    }

    @Test
    void reshapeTellsWhatDoesNotFill() {
        assertSays(rejection(new Reshape(List.of(5, -1)), List.of(IMAGE)), "reshape", "[2,6,8,9]", "[5, -1]");
        assertSays(rejection(new Reshape(List.of(2, 431)), List.of(IMAGE)), "reshape", "[2,6,8,9]", "[2, 431]");
        assertSays(rejection(new Reshape(List.of(2, 0, 0)), List.of(CHANNELS)), "dimension 1", "[2, 0, 0]", "[6]");
    }

    @Test
    void weightsThatDoNotFitAreTold() {
        CrossEntropy weighted = new CrossEntropy(0, List.of(1f, 2f), true, -1);
        Type labels = Type.i32(4, 3);
        assertEquals(
                2,
                weighted.infer(List.of(Type.f32(4, 3, 2), labels, Type.f32(4))).size());
        assertSays(
                rejection(weighted, List.of(Type.f32(4, 3, 5), labels, Type.f32(4))),
                "2 class weights",
                "5 classes",
                "[4,3,5]");
        assertSays(rejection(weighted, List.of(Type.f32(4, 3, 2), labels, Type.f32(3))), "weights", "[4]", "[3]");
        assertSays(rejection(weighted, List.of(Type.f32(4, 3, 2), labels)), "weights", "2 operands");
    }

    @Test
    void axesAndGroupsThatDoNotFitAreTold() {
        assertSays(rejection(new Softmax(4, false), List.of(IMAGE)), "softmax", "axis 4", "[2,6,8,9]");
        assertSays(rejection(new Softmax(-5, true), List.of(IMAGE)), "log_softmax", "axis -5", "[2,6,8,9]");
        assertSays(rejection(new GroupNorm(4, 1e-5f), List.of(IMAGE, CHANNELS, CHANNELS)), "4 groups", "[2,6,8,9]");
        assertSays(rejection(new LayerNorm(5, 1e-5f), List.of(IMAGE, IMAGE, IMAGE)), "5 axes", "[2,6,8,9]");
    }

    @Test
    void reshapeKeepsDimensionsEvenOfNothing() {
        assertEquals(List.of(Type.f32(0, 432)), new Reshape(List.of(0, -1)).infer(List.of(Type.f32(0, 6, 8, 9))));
        assertEquals(List.of(Type.i32(2, 3)), new Reshape(List.of(0, 3)).infer(List.of(Type.i32(2, 3, 1))));
        assertEquals(List.of(Type.f32(0)), new Reshape(List.of(-1)).infer(List.of(Type.f32(2, 0))));
    }

    @Test
    void recurrentTellsBothShapes() {
        assertSays(rejection(LSTM, with(SEQUENCES, 1, Type.f32(12, 4))), "weight_ih", "[12,4]", "[12,5]");
        assertSays(rejection(LSTM, with(SEQUENCES, 2, Type.f32(9, 3))), "weight_hh", "[9,3]", "[12,3]");
        assertSays(rejection(LSTM, with(SEQUENCES, 4, Type.f32(3))), "bias_hh", "[3]", "[12]");
        assertSays(rejection(LSTM, with(SEQUENCES, 6, Type.f32(2, 4))), "c0", "[2,4]", "[2,3]");
        assertSays(rejection(LSTM, with(SEQUENCES, 7, Type.i32(4))), "lengths", "i32[4]", "i32[2]");
        assertSays(rejection(LSTM, with(SEQUENCES, 0, Type.f32(2, 0, 5))), "x ", "[2,0,5]", "at least one step");
        assertSays(rejection(LSTM, with(SEQUENCES, 2, Type.f32(0, 0))), "weight_hh", "[0,0]", "at least one unit");
        assertSays(rejection(LSTM_BACKWARD, with(BACKWARD, 7, Type.f32(2, 4, 12))), "kept", "[2,4,12]", "[2,4,15]");
        assertSays(rejection(LSTM_BACKWARD, with(BACKWARD, 9, Type.f32(3, 3))), "dc", "[3,3]", "[2,3]");
    }

    /** Ops whose results can be larger than their operands; those of the rest could never be too large. */
    static Stream<Rule> growing() {
        Type column = Type.f32(100_000, 1);
        Type row = Type.f32(1, 100_000);
        Type column4 = Type.f32(1, 1, 40_000, 1);
        return Stream.of(
                new Rule(new MatMul(false, false), List.of(column, row)),
                new Rule(new MatMul(true, false), List.of(row, row)),
                new Rule(new MatMul(false, true), List.of(column, column)),
                new Rule(new Binary(Binary.Function.ADD), List.of(column, row)),
                new Rule(new Compare(Compare.Function.LESS), List.of(column, row)),
                new Rule(new Where(), List.of(Type.i32(100_000, 1), row, SCALAR)),
                new Rule(new Expand(List.of(100_000, -1)), List.of(row)),
                new Rule(new Gather(0), List.of(row, Type.i32(100_000))),
                new Rule(new SparseMatMul(100_000), List.of(column, Type.f32(0, 100_000), Type.i32(0), Type.i32(2))),
                new Rule(new Concat(0), List.of(Type.f32(2_000_000_000), Type.f32(2_000_000_000))),
                new Rule(new Pad(List.of(2_000_000_000), List.of(2_000_000_000), 0), List.of(Type.f32(1))),
                new Rule(new Pad(List.of(0, 0), List.of(0, 99_999), 0), List.of(column)),
                new Rule(new Resize(50_000, 50_000, Resize.Mode.NEAREST), List.of(IMAGE)),
                new Rule(new AdaptivePool(Pooling.Function.MAX, 50_000, 50_000), List.of(IMAGE)),
                new Rule(
                        new Convolution(Window.of(1, 30_000, 1), 1),
                        List.of(Type.f32(1, 1, 3, 3), Type.f32(1, 1, 1, 1))),
                new Rule(
                        new Convolution(Window.of(1, 2_000_000_000, 1), 1),
                        List.of(Type.f32(1, 1, 3, 3), Type.f32(1, 1, 1, 1))),
                new Rule(
                        new ConvolutionTranspose(Window.of(60_000, 0, 1), 1, 0, 0),
                        List.of(column4, Type.f32(1, 1, 1, 1))),
                new Rule(
                        new ConvolutionTranspose(Window.of(1, 0, 1), 1, 0, 0),
                        List.of(column4, Type.f32(1, 1, 1, 90_000))),
                new Rule(
                        LSTM,
                        List.of(
                                Type.f32(20_000, 20_000, 1),
                                Type.f32(12, 1),
                                Type.f32(12, 3),
                                Type.f32(12),
                                Type.f32(12),
                                Type.f32(20_000, 3),
                                Type.f32(20_000, 3),
                                Type.i32(20_000))));
    }

    /** The result would not be a shape: that is the operands' fault, too. */
    @ParameterizedTest
    @MethodSource("growing")
    void tooManyElementsAreAnError(Rule rule) {
        Graph graph = new Graph();
        List<Value> operands = leaves(graph, rule.fitting());
        int before = graph.nodes().size();
        String e = message(
                TypeException.class, () -> graph.within("head.product", () -> graph.append(rule.op(), operands)));
        assertTrue(e.startsWith("layer head.product: " + rule.op().name()), e);
        assertSays(e, "2^31 - 1");
        assertEquals(before, graph.nodes().size());
    }

    private static List<Value> leaves(Graph graph, List<Type> types) {
        List<Value> leaves = new ArrayList<>();
        for (int k = 0; k < types.size(); k++) {
            leaves.add(graph.leaf(Role.INPUT, "x" + k, types.get(k)));
        }
        return leaves;
    }

    @ParameterizedTest
    @MethodSource("rules")
    void theNullOperandIsTold(Rule rule) {
        Graph graph = new Graph();
        List<Value> operands = leaves(graph, rule.fitting());
        int before = graph.nodes().size();
        for (int k = 0; k < operands.size(); k++) {
            List<Value> some = new ArrayList<>(operands);
            some.set(k, null);
            String wanted = "layer 0.body: " + rule.op().name() + ": operand " + k + " is null";
            Executable append = () -> graph.within("0.body", () -> graph.append(rule.op(), some));
            assertEquals(wanted, message(IllegalArgumentException.class, append));
            if (some.size() > 1) {
                Executable call = () -> graph.within("0.body", () -> rule.op().call(some.toArray(Value[]::new)));
                assertEquals(wanted, message(IllegalArgumentException.class, call));
            }
        }
        assertSays(
                message(IllegalArgumentException.class, () -> rule.op().call()),
                rule.op().name());
        assertEquals(before, graph.nodes().size());
    }

    /** In a graph, the message begins with the layer's path, and nothing has been appended. */
    @ParameterizedTest
    @MethodSource("rules")
    void theLayerIsTold(Rule rule) {
        if (rule.op() instanceof Cast) {
            return; // it takes anything
        }
        Graph graph = new Graph();
        List<Value> operands = new ArrayList<>();
        for (int k = 0; k < rule.fitting().size(); k++) {
            operands.add(graph.leaf(Role.INPUT, "x" + k, rule.fitting().get(k)));
        }
        Value bad = graph.leaf(
                Role.INPUT,
                "bad",
                rule.op() instanceof Reshape || rule.op() instanceof Gather
                        ? Type.f32()
                        : Type.i32(rule.op() instanceof CrossEntropy ? 3 : 1, 2, 3));
        operands.set(operands.size() - 1, bad);
        int before = graph.nodes().size();
        String e = message(
                TypeException.class, () -> graph.within("stage2.0.conv1", () -> graph.append(rule.op(), operands)));
        assertTrue(e.startsWith("layer stage2.0.conv1: " + rule.teller()), e);
        assertEquals(before, graph.nodes().size());
        assertEquals(
                e.substring("layer stage2.0.conv1: ".length()),
                message(TypeException.class, () -> graph.append(rule.op(), operands)));
    }

    /** Attributes that make no sense never become an op. */
    @Test
    void attributesAreChecked() {
        assertSays(badAttribute(() -> new Convolution(Window.UNIT, 0)), "groups", "0");
        assertSays(badAttribute(() -> new SparseMatMul(0)), "at least one output", "0");
        assertSays(badAttribute(() -> Window.of(0, 1, 1)), "stride", "0");
        assertSays(badAttribute(() -> Window.of(1, -1, 1)), "padding", "-1");
        assertSays(badAttribute(() -> Window.of(1, 0, 0)), "dilation", "0");
        assertSays(badAttribute(() -> new BatchNorm(0, 0.1f)), "epsilon", "0.0");
        assertSays(badAttribute(() -> new BatchNorm(1e-5f, 1.5f)), "momentum", "1.5");
        assertSays(badAttribute(() -> new BatchNorm(1e-5f, Float.NaN)), "momentum", "NaN");
        assertSays(badAttribute(() -> new CrossEntropy(1)), "smoothing", "1.0");
        assertSays(badAttribute(() -> new Adam(1, 0.9f, 1e-8f, false)), "Adam", "1.0");
        assertSays(badAttribute(() -> new NAdam(0.9f, 0.9f, 0, 0)), "NAdam", "epsilon", "0.0");
        assertSays(badAttribute(() -> new NAdam(0.9f, 0.9f, 1e-8f, -1)), "momentum decay", "-1.0");
        assertSays(badAttribute(() -> new RmsProp(0.9f, 1e-8f, 1, false)), "RMSprop", "momentum 1.0");
        assertSays(badAttribute(() -> new Lion(0.9f, 1)), "Lion", "1.0");
        assertSays(badAttribute(() -> new Lamb(0.9f, 1, 1)), "LAMB", "1.0");
        assertSays(badAttribute(() -> new Muon(1, true)), "Muon", "1.0");
        assertSays(badAttribute(() -> new ClipGradient(0, true)), "limit", "0.0");
        assertSays(badAttribute(() -> new MovingAverage(1)), "decay", "1.0");
        assertSays(badAttribute(() -> new Sgd(0, true)), "Nesterov", "0.0");
        assertSays(badAttribute(() -> new CrossEntropy(0, List.of(1f, -1f), false, 0)), "class weights", "-1.0");
        assertSays(badAttribute(() -> new LayerNorm(0, 1e-5f)), "axes", "0");
        assertSays(badAttribute(() -> new LayerNorm(1, 0)), "epsilon", "0.0");
        assertSays(badAttribute(() -> new RmsNorm(1, Float.NaN)), "epsilon", "NaN");
        assertSays(badAttribute(() -> new GroupNorm(0, 1e-5f)), "groups", "0");
        assertSays(badAttribute(() -> new GroupNorm(1, -1)), "epsilon", "-1.0");
        assertSays(badAttribute(() -> new Activation(Function.LEAKY_RELU, -0.1f)), "leaky_relu", ">= 0", "-0.1");
        assertSays(badAttribute(() -> new Activation(Function.ELU, Float.NaN)), "elu", ">= 0", "NaN");
        assertSays(badAttribute(() -> new Activation(Function.GELU, 1)), "gelu", "no alpha", "1.0");
        assertSays(badAttribute(() -> new Sgd(1, true)), "momentum", "1.0");
        assertSays(badAttribute(() -> new Dropout(1)), "rate", "1.0");
        assertSays(badAttribute(() -> new Dropout.Training(Float.NaN, "")), "rate", "NaN");
        assertSays(badAttribute(() -> new Pool(Pooling.Function.MAX, 0, 2, Window.UNIT)), "tap", "0x2");
        assertSays(badAttribute(() -> new AdaptivePool(Pooling.Function.MAX, 0, 1)), "bins", "0x1");
        assertSays(badAttribute(() -> new AdaptivePool(Pooling.Function.AVERAGE_WITHOUT_PADDING, 1, 1)), "padding");
        assertSays(badAttribute(() -> new Reshape(List.of(-1, -1))), "-1");
        assertSays(badAttribute(() -> new Reshape(List.of(-2))), "-2");
        assertSays(badAttribute(() -> new FakeQuantize(Quantization.NONE)), "fake_quantize", "s8 or u8");
        assertSays(badAttribute(() -> new FakeQuantize.Dynamic(-1)), "axis", "-1");
        assertSays(badAttribute(() -> new LearnedStep(DType.U8, 0, 256)), "zero point 256");
        assertSays(badAttribute(() -> new LearnedStep(DType.U8, -1, 0)), "axis", "-1");
        assertSays(badAttribute(() -> new Clamp(2, 1)), "min <= max", "2.0", "1.0");
        assertSays(badAttribute(() -> new Reduce(Reduce.Function.SUM, List.of(1, 1), true)), "once", "[1, 1]");
        assertSays(badAttribute(() -> new Constant(DType.I32, List.of(), 0.5f)), "integer", "0.5");
        assertSays(badAttribute(() -> new Transpose(List.of(0, 2))), "[0, 2]");
        assertSays(badAttribute(() -> new Slice(0, 0, 1, 0)), "step", "0");
        assertSays(badAttribute(() -> new Resize(0, 3, Resize.Mode.BILINEAR)), "0x3");
        assertSays(badAttribute(() -> new Split(0, List.of())), "[]");
        assertSays(badAttribute(() -> new Split(0, List.of(1, -1))), "[1, -1]");
        assertSays(badAttribute(() -> new Pad(List.of(1), List.of(), 0)), "[1]", "[]");
        assertSays(badAttribute(() -> new Pad(List.of(-1), List.of(0), 0)), "[-1]");
        assertSays(badAttribute(() -> new Expand(List.of(-2))), "-2");
        assertSays(badAttribute(() -> new WeightedSum(List.of())), "at least one");
        assertSays(badAttribute(() -> new Fused(List.of(), false)), "at least one op");
        Fused chain = Fused.of(new Bias(), 2);
        assertSays(badAttribute(() -> chain.then(new Bias(), 2, 2)), "part 1 of a chain", "at=2");
        assertSays(badAttribute(() -> chain.then(chain, 2, 0)), "part 1 of a chain", "op=bias");
        assertSays(badAttribute(() -> new Fused(List.of(new Fused.Part(new Bias(), 2, 0)), false)), "part 0", "at=0");
        assertSays(badAttribute(() -> new Recurrent.Backward(LSTM, List.of("dh", "dy"))), "[dh, dy]");
        assertSays(
                badAttribute(() -> new Recurrent.Backward(
                        new Recurrent(Recurrent.Cell.GRU, false, true, true), List.of("dy", "dc"))),
                "[dy, dc]");
    }

    private static String badAttribute(Executable construction) {
        return message(IllegalArgumentException.class, construction);
    }

    /** Positions of a kernel, against counting them one by one. */
    @Test
    void windowsCountTheirPositions() {
        for (int in = 0; in <= 12; in++) {
            for (int kernel = 1; kernel <= 5; kernel++) {
                for (int stride = 1; stride <= 3; stride++) {
                    for (int dilation = 1; dilation <= 3; dilation++) {
                        Window.Axis axis = new Window.Axis(stride, 2, 1, dilation);
                        int count = 0;
                        for (int start = -2; start + dilation * (kernel - 1) < in + 1; start += stride) {
                            count++;
                        }
                        assertEquals(count > 0, axis.fits(in, kernel));
                        if (count > 0) {
                            assertEquals(count, axis.out(in, kernel), axis + " of " + kernel + " over " + in);
                        }
                    }
                }
            }
        }
        Window.Axis absurd = new Window.Axis(1, 0, 0, 1 << 30);
        assertThrows(TypeException.class, () -> absurd.out(100, 5));
    }
}
