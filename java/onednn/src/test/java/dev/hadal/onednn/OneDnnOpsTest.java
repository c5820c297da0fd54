package dev.hadal.onednn;

import dev.hadal.graph.Fused;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Activation.Function;
import dev.hadal.op.AdaptivePool;
import dev.hadal.op.ArgMax;
import dev.hadal.op.AttentionMask;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Bias;
import dev.hadal.op.Binary;
import dev.hadal.op.Cast;
import dev.hadal.op.Clamp;
import dev.hadal.op.ClipGradient;
import dev.hadal.op.Compare;
import dev.hadal.op.Concat;
import dev.hadal.op.Constant;
import dev.hadal.op.Convolution;
import dev.hadal.op.CosineLoss;
import dev.hadal.op.CrossEntropy;
import dev.hadal.op.Dropout;
import dev.hadal.op.Expand;
import dev.hadal.op.FakeQuantize;
import dev.hadal.op.Gather;
import dev.hadal.op.GlobalAveragePool;
import dev.hadal.op.GroupNorm;
import dev.hadal.op.KlDivergence;
import dev.hadal.op.Lamb;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.LearnedStep;
import dev.hadal.op.MatMul;
import dev.hadal.op.Mixed;
import dev.hadal.op.Muon;
import dev.hadal.op.Norm;
import dev.hadal.op.OpSpecs;
import dev.hadal.op.PRelu;
import dev.hadal.op.Pad;
import dev.hadal.op.PointwiseLoss;
import dev.hadal.op.Pool;
import dev.hadal.op.Pooling;
import dev.hadal.op.Recurrent;
import dev.hadal.op.Reduce;
import dev.hadal.op.Reshape;
import dev.hadal.op.Resize;
import dev.hadal.op.RmsNorm;
import dev.hadal.op.ScatterAdd;
import dev.hadal.op.Slice;
import dev.hadal.op.Softmax;
import dev.hadal.op.SparseMatMul;
import dev.hadal.op.Split;
import dev.hadal.op.Subject;
import dev.hadal.op.Unary;
import dev.hadal.op.UpdateOp;
import dev.hadal.op.Where;
import dev.hadal.tensor.DType;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

@Tag("native")
class OneDnnOpsTest extends OpSpecs {
    private static final Set<Class<?>> NEED_LIBHADAL = Set.of(
            Dropout.Training.class,
            Pool.class,
            AdaptivePool.class,
            Pooling.MaxBackward.class,
            Pooling.AverageBackward.class,
            Norm.class,
            CrossEntropy.class,
            CrossEntropy.Backward.class,
            Recurrent.class,
            Recurrent.Backward.class,
            LayerNorm.class,
            LayerNorm.Backward.class,
            RmsNorm.class,
            RmsNorm.Backward.class,
            GroupNorm.class,
            GroupNorm.Backward.class,
            AttentionMask.class,
            AttentionMask.Backward.class,
            Softmax.class,
            Softmax.Backward.class,
            SparseMatMul.class);

    private static final Set<Class<?>> TENSOR_RULES = Set.of(Lamb.class, Muon.Direction.class, Muon.Apply.class);

    private static final Set<Class<?>> RARE = Set.of(
            ArgMax.class,
            Binary.class,
            Clamp.class,
            Compare.class,
            Constant.class,
            PRelu.class,
            PRelu.Backward.class,
            Reduce.class,
            Unary.class,
            Where.class,
            Expand.Backward.class,
            FakeQuantize.class,
            FakeQuantize.Backward.class,
            FakeQuantize.Dynamic.class,
            LearnedStep.class,
            LearnedStep.Backward.class,
            Cast.class,
            PointwiseLoss.class,
            PointwiseLoss.Backward.class,
            KlDivergence.class,
            KlDivergence.Backward.class,
            CosineLoss.class,
            CosineLoss.Backward.class);

    private static final Set<Class<?>> MOVES_OF_LIBHADAL = Set.of(
            Expand.class,
            Slice.class,
            Slice.Backward.class,
            Concat.class,
            Split.class,
            Split.Backward.class,
            Pad.class,
            Pad.Backward.class,
            Gather.class,
            Gather.Backward.class,
            ScatterAdd.class);

    private static final Set<Function> BY_LIBHADAL = EnumSet.of(
            Function.ELU, Function.SELU, Function.RELU6, Function.HARD_SIGMOID, Function.SOFTPLUS, Function.MISH);

    private static final Set<Function> BACKWARD_BY_LIBHADAL =
            EnumSet.of(Function.SELU, Function.GELU_TANH, Function.MISH);

    private static boolean isOddNearest(Op op) {
        return (op instanceof Resize r && r.mode() == Resize.Mode.NEAREST)
                || (op instanceof Resize.Backward b && b.forward().mode() == Resize.Mode.NEAREST);
    }

    /** The op, or those of a chain, which is declined for any of them. */
    private static boolean any(Op op, Predicate<Op> which) {
        return Mixed.inner(op) instanceof Fused chain
                ? chain.parts().stream().anyMatch(part -> which.test(part.op()))
                : which.test(op);
    }

    private static boolean needLibhadal(Op op) {
        return op instanceof UpdateOp
                || NEED_LIBHADAL.contains(op.getClass())
                || (op instanceof Activation a && BY_LIBHADAL.contains(a.function()))
                || (op instanceof Activation.Backward b && BACKWARD_BY_LIBHADAL.contains(b.function()));
    }

    private static boolean isBf16(Type type) {
        return type.dtype() == DType.BF16;
    }

    /** A cast between f32 and bf16. */
    private static boolean isNarrowing(Subject.Case c) {
        if (!(c.op() instanceof Cast)) {
            return false; // some ops have no operand
        }
        List<DType> types =
                List.of(c.inputs().get(0).dtype(), c.outputs().get(0).dtype());
        return Set.copyOf(types).equals(Set.of(DType.F32, DType.BF16));
    }

    /** Their operands are all bf16 or all f32, and so are their results. */
    private static final Set<Class<?>> ALIKE_IN_BF16 = Set.of(
            WeightedSum.class,
            Activation.class,
            Activation.Backward.class,
            GlobalAveragePool.class,
            GlobalAveragePool.Backward.class,
            Reshape.class,
            Dropout.class);

    private static final Set<Class<?>> PRODUCTS =
            Set.of(MatMul.class, Convolution.class, Convolution.BackwardData.class, Convolution.BackwardWeights.class);

    private static final Set<Class<?>> NORMS =
            Set.of(BatchNorm.class, BatchNorm.Training.class, BatchNorm.Backward.class);

    private static final Set<Class<?>> POOLS =
            Set.of(Pool.class, Pooling.MaxBackward.class, Pooling.AverageBackward.class);

    /** Whether bf16 comes where a network in mixed precision has it, and there is a kernel for just that. */
    private static boolean isUsualMixture(Subject.Case c) {
        Op op = Mixed.inner(c.op());
        List<Type> all =
                Stream.concat(c.inputs().stream(), c.outputs().stream()).toList();
        if (PRODUCTS.contains(op.getClass())) {
            return c.inputs().stream().allMatch(OneDnnOpsTest::isBf16);
        } else if (op instanceof SparseMatMul) {
            return isBf16(c.inputs().get(0))
                    && isBf16(c.inputs().get(1))
                    && Library.get().hasHadal();
        } else if (NORMS.contains(op.getClass())) {
            return all.stream().allMatch(t -> isBf16(t) == (t.shape().rank() > 1));
        } else if (op instanceof Bias) {
            return isBf16(c.inputs().get(0)) && isBf16(c.outputs().get(0));
        } else if (op instanceof Bias.Backward) {
            return isBf16(c.inputs().get(0));
        } else if (POOLS.contains(op.getClass())) {
            return isBf16(c.inputs().get(0)) && isBf16(c.outputs().get(0));
        }
        return ALIKE_IN_BF16.contains(op.getClass())
                && all.stream().allMatch(OneDnnOpsTest::isBf16)
                && !needLibhadal(op);
    }

    private static boolean hasBytes(Subject.Case c) {
        return Stream.concat(c.inputs().stream(), c.outputs().stream())
                .anyMatch(t -> t.dtype().isByte());
    }

    private static boolean mixes(Subject.Case c) {
        return Stream.concat(c.inputs().stream(), c.outputs().stream()).anyMatch(OneDnnOpsTest::isBf16);
    }

    @Override
    protected Subject subject() {
        return Subject.of(new OneDnnBackend())
                .withThreads(1, 2)
                .mayDecline(
                        "libhadal is not built",
                        c -> !Library.get().hasHadal() && any(c.op(), OneDnnOpsTest::needLibhadal))
                .mayDecline(
                        "optimizers' tensor rules are left to Java",
                        c -> TENSOR_RULES.contains(c.op().getClass())
                                || (c.op() instanceof ClipGradient clip && clip.adaptive()))
                .mayDecline(
                        "libhadal is not built, to move values",
                        c -> !Library.get().hasHadal() && any(c.op(), op -> MOVES_OF_LIBHADAL.contains(op.getClass())))
                .mayDecline("between conversions from and to 8 bits", OneDnnOpsTest::hasBytes)
                .mayDecline("oneDNN has another nearest place", c -> isOddNearest(c.op()))
                .countingOnly(kernel -> !kernel.implementation().endsWith("between bf16")
                        && !kernel.implementation().matches(".*quantize hadal.*, .*|.*, .*quantize hadal.*"))
                .mayDecline("in f32, between conversions", c -> mixes(c) && !isUsualMixture(c) && !isNarrowing(c))
                .mayDecline(
                        "rare, and left to Java",
                        c -> any(c.op(), op -> RARE.contains(op.getClass())) && !isNarrowing(c));
    }
}
