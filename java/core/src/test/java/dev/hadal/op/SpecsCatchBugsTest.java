package dev.hadal.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Region;
import dev.hadal.backend.jvm.HeapMemory;
import dev.hadal.backend.jvm.JvmBackend;
import dev.hadal.backend.jvm.Reference;
import dev.hadal.backend.jvm.Reference.Formula;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Window.Axis;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Who watches the specs: backends with one deliberate bug each, which the specs must find. */
class SpecsCatchBugsTest {

    // ---- bugs in what is computed ----

    private static List<Mutant> wrongFormulas() {
        return List.of(
                Mutant.formula("padding before and after swapped", Convolution.class, SpecsCatchBugsTest::swapPadding),
                Mutant.formula("all groups read the first one", Convolution.class, SpecsCatchBugsTest::firstGroup),
                Mutant.formula(
                        "unread places left as they were", Convolution.BackwardData.class, SpecsCatchBugsTest::noFill),
                Mutant.formula(
                        "only the batch's first image",
                        Convolution.BackwardWeights.class,
                        SpecsCatchBugsTest::firstImage),
                Mutant.formula("the last of K products dropped", MatMul.class, SpecsCatchBugsTest::dropLast),
                Mutant.formula("a square b never transposed", MatMul.class, SpecsCatchBugsTest::plainSquare),
                Mutant.formula("rounds to bf16", MatMul.class, SpecsCatchBugsTest::bf16),
                Mutant.formula("cuts bf16 off instead of rounding", Mixed.class, SpecsCatchBugsTest::cutOff),
                Mutant.formula("casts to bf16 by cutting off", Cast.class, SpecsCatchBugsTest::cutOff),
                Mutant.formula("the zero point ignored", Quantized.class, SpecsCatchBugsTest::noZeroPoint),
                Mutant.formula("wraps around", Quantized.class, SpecsCatchBugsTest::wrapping),
                Mutant.formula("rounds down", Quantize.class, SpecsCatchBugsTest::floored),
                Mutant.formula("not cut off", FakeQuantize.class, SpecsCatchBugsTest::notCutOff),
                Mutant.formula("straight through all", FakeQuantize.Backward.class, SpecsCatchBugsTest::straight),
                Mutant.formula("one scale", FakeQuantize.Dynamic.class, SpecsCatchBugsTest::oneScaleForAll),
                Mutant.formula("the first step for all", LearnedStep.class, SpecsCatchBugsTest::firstStep),
                Mutant.formula("no share", LearnedStep.Backward.class, SpecsCatchBugsTest::noShare),
                Mutant.formula("the first scale for all", Dequantize.class, SpecsCatchBugsTest::firstScale),
                Mutant.formula("variance unbiased", BatchNorm.Training.class, SpecsCatchBugsTest::unbiased),
                Mutant.formula("variance as Σx²/m − μ² in f32", BatchNorm.Training.class, SpecsCatchBugsTest::onePass),
                Mutant.formula("epsilon forgotten", BatchNorm.class, SpecsCatchBugsTest::noEpsilon),
                Mutant.formula("dβ/m forgotten in dx", BatchNorm.Backward.class, SpecsCatchBugsTest::noMeanTerm),
                Mutant.formula("y ≥ 0 for y > 0", Activation.Backward.class, SpecsCatchBugsTest::throughZero),
                Mutant.formula("the last scale for all", WeightedSum.class, SpecsCatchBugsTest::oneScale),
                Mutant.formula("channels last", Bias.class, SpecsCatchBugsTest::channelsLast),
                Mutant.formula("the last image missing", Bias.Backward.class, SpecsCatchBugsTest::lastImageMissing),
                Mutant.formula("the mean over one too many", GlobalAveragePool.class, SpecsCatchBugsTest::oneTooMany),
                Mutant.formula("the sum's gradient", GlobalAveragePool.Backward.class, SpecsCatchBugsTest::notDivided),
                Mutant.formula("transposes", Reshape.class, SpecsCatchBugsTest::reversed),
                Mutant.formula("no largest logit subtracted", CrossEntropy.class, SpecsCatchBugsTest::overflowing),
                Mutant.formula("dloss ignored", CrossEntropy.Backward.class, SpecsCatchBugsTest::noLossGradient),
                Mutant.formula("squares summed in f32", Norm.class, SpecsCatchBugsTest::narrowSquares),
                Mutant.formula("the momentum's sign", Sgd.class, SpecsCatchBugsTest::negativeMomentum),
                Mutant.formula("takes all steps", Recurrent.class, SpecsCatchBugsTest::endless),
                Mutant.formula("one bias for both products", Recurrent.class, SpecsCatchBugsTest::oneBias),
                Mutant.formula("runs forth again", Recurrent.Backward.class, SpecsCatchBugsTest::forthAgain),
                Mutant.formula("forgets the last state", Recurrent.Backward.class, SpecsCatchBugsTest::stateless),
                Mutant.formula("steps whatever the norm", Sgd.class, SpecsCatchBugsTest::blindToNorm),
                Mutant.formula("epsilon inside the root", Adam.class, SpecsCatchBugsTest::epsilonInRoot),
                Mutant.formula("decay without the rate", Adam.class, SpecsCatchBugsTest::bareDecay));
    }

    private static Formula swapPadding(Op op, List<Type> in, List<Type> out, Formula right) {
        Convolution c = (Convolution) op;
        Window w = c.window();
        Window swapped = new Window(swapped(w.height()), swapped(w.width()));
        return Reference.formula(new Convolution(swapped, c.groups()), in, out).orElseThrow();
    }

    private static Axis swapped(Axis a) {
        return new Axis(a.stride(), a.padAfter(), a.padBefore(), a.dilation());
    }

    private static Formula firstGroup(Op op, List<Type> in, List<Type> out, Formula right) {
        Shape x = in.get(0).shape();
        int groups = ((Convolution) op).groups();
        int length = x.sizeFrom(1) / groups;
        return changed(right, 0, values -> {
            for (int n = 0; n < x.get(0); n++) {
                for (int g = 1; g < groups; g++) {
                    int image = n * groups * length;
                    System.arraycopy(values, image, values, image + g * length, length);
                }
            }
        });
    }

    /** As a scatter without a fill before it. */
    private static Formula noFill(Op op, List<Type> in, List<Type> out, Formula right) {
        return then(right, (x, y) -> Arrays.setAll(y[0], i -> y[0][i] == 0 ? Double.NaN : y[0][i]));
    }

    private static Formula firstImage(Op op, List<Type> in, List<Type> out, Formula right) {
        int image = in.get(0).shape().sizeFrom(1);
        return changed(right, 0, x -> Arrays.fill(x, Math.min(image, x.length), x.length, 0));
    }

    private static Formula cutOff(Op op, List<Type> in, List<Type> out, Formula right) {
        return then(right, (x, y) -> {
            for (int o = 0; o < y.length; o++) {
                if (out.get(o).dtype() == DType.BF16) {
                    double[] values = op instanceof Cast ? x[0] : y[o];
                    Arrays.setAll(
                            y[o], i -> Float.intBitsToFloat(Float.floatToRawIntBits((float) values[i]) & 0xFFFF0000));
                }
            }
        });
    }

    /** A padded place holds 0, not what stands for 0. */
    private static Formula noZeroPoint(Op op, List<Type> in, List<Type> out, Formula right) {
        Quantized q = (Quantized) op;
        List<Quantization> operands = q.operands().stream()
                .map(x -> x.quantizes() ? new Quantization(x.dtype(), x.scales(), x.axis(), 0) : x)
                .toList();
        return Reference.formula(new Quantized(q.op(), operands, q.results()), in, out)
                .orElseThrow();
    }

    private static Formula wrapping(Op op, List<Type> in, List<Type> out, Formula right) {
        Quantized q = (Quantized) op;
        List<Quantization> none = Collections.nCopies(out.size(), Quantization.NONE);
        Quantized reals = new Quantized(q.op(), q.operands(), none);
        Formula real = Reference.formula(reals, in, reals.infer(in)).orElseThrow();
        return then(real, (x, y) -> {
            for (int o = 0; o < y.length; o++) {
                Quantization to = q.results().get(o);
                double[] values = y[o];
                if (to.quantizes()) {
                    Arrays.setAll(
                            values,
                            i -> to.dtype()
                                    .integer((byte) (int) (Math.rint(values[i] / to.scale(0)) + to.zeroPoint())));
                }
            }
        });
    }

    private static Formula floored(Op op, List<Type> in, List<Type> out, Formula right) {
        Quantization to = ((Quantize) op).to();
        return (x, y) -> Arrays.setAll(y[0], i -> {
            double place = Math.floor(x[0][i] / to.scale(to.index(in.get(0).shape(), i))) + to.zeroPoint();
            return Math.max(to.least(), Math.min(to.greatest(), place));
        });
    }

    private static Formula notCutOff(Op op, List<Type> in, List<Type> out, Formula right) {
        Quantization grid = ((FakeQuantize) op).grid();
        return (x, y) -> Arrays.setAll(y[0], i -> {
            double scale = grid.scale(grid.index(in.get(0).shape(), i));
            return scale * Math.rint(x[0][i] / scale);
        });
    }

    private static Formula straight(Op op, List<Type> in, List<Type> out, Formula right) {
        return (x, y) -> Arrays.setAll(y[0], i -> x[1][i]);
    }

    private static Formula oneScaleForAll(Op op, List<Type> in, List<Type> out, Formula right) {
        return (x, y) -> {
            double largest = Arrays.stream(x[0]).map(Math::abs).max().orElse(0);
            double scale = FakeQuantize.scaleThatHolds((float) largest);
            Arrays.setAll(y[0], i -> scale * Math.rint(x[0][i] / scale));
        };
    }

    private static Formula firstStep(Op op, List<Type> in, List<Type> out, Formula right) {
        return changed(right, 1, step -> Arrays.fill(step, step[0]));
    }

    private static Formula noShare(Op op, List<Type> in, List<Type> out, Formula right) {
        double share = ((LearnedStep.Backward) op)
                .forward()
                .share(in.get(0).shape(), in.get(1).shape());
        return then(right, (x, y) -> Arrays.setAll(y[1], i -> y[1][i] / share));
    }

    private static Formula firstScale(Op op, List<Type> in, List<Type> out, Formula right) {
        Quantization from = ((Dequantize) op).from();
        return (x, y) -> Arrays.setAll(y[0], i -> from.scale(0) * (x[0][i] - from.zeroPoint()));
    }

    private static Formula dropLast(Op op, List<Type> in, List<Type> out, Formula right) {
        MatMul matmul = (MatMul) op;
        int k = matmul.k(in.get(0).shape());
        int m = matmul.m(in.get(0).shape());
        return changed(right, 0, a -> {
            for (int i = 0; i < m && k > 0; i++) {
                a[matmul.transposeA() ? (k - 1) * m + i : i * k + k - 1] = 0;
            }
        });
    }

    private static Formula plainSquare(Op op, List<Type> in, List<Type> out, Formula right) {
        Shape b = in.get(1).shape();
        MatMul plain = new MatMul(((MatMul) op).transposeA(), false);
        return b.rank() == 2 && b.get(0) == b.get(1)
                ? Reference.formula(plain, in, out).orElseThrow()
                : right;
    }

    private static Formula bf16(Op op, List<Type> in, List<Type> out, Formula right) {
        return then(
                right,
                (x, y) -> Arrays.setAll(
                        y[0], i -> Float.intBitsToFloat(Float.floatToIntBits((float) y[0][i]) & 0xFFFF0000)));
    }

    private static Formula unbiased(Op op, List<Type> in, List<Type> out, Formula right) {
        double m = count(in.get(0).shape());
        return then(right, (x, y) -> Arrays.setAll(y[2], c -> y[2][c] * (m > 1 ? m / (m - 1) : 1)));
    }

    private static Formula onePass(Op op, List<Type> in, List<Type> out, Formula right) {
        Shape shape = in.get(0).shape();
        return then(right, (x, y) -> {
            float[] squares = new float[y[2].length];
            for (int i = 0; i < x[0].length; i++) {
                squares[channel(shape, i)] += (float) (x[0][i] * x[0][i]);
            }
            Arrays.setAll(y[2], c -> squares[c] / (float) count(shape) - (float) (y[1][c] * y[1][c]));
        });
    }

    private static Formula noEpsilon(Op op, List<Type> in, List<Type> out, Formula right) {
        return Reference.formula(new BatchNorm(Float.MIN_NORMAL, 0.1f), in, out).orElseThrow();
    }

    private static Formula noMeanTerm(Op op, List<Type> in, List<Type> out, Formula right) {
        Shape shape = in.get(0).shape();
        float epsilon = ((BatchNorm.Backward) op).epsilon();
        return then(
                right,
                (x, y) -> Arrays.setAll(y[0], i -> {
                    int c = channel(shape, i);
                    return y[0][i] + x[2][c] / Math.sqrt(x[4][c] + epsilon) * y[2][c] / count(shape);
                }));
    }

    private static Formula throughZero(Op op, List<Type> in, List<Type> out, Formula right) {
        return changed(right, 0, y -> Arrays.setAll(y, i -> y[i] == 0 ? Double.MIN_VALUE : y[i]));
    }

    private static Formula oneScale(Op op, List<Type> in, List<Type> out, Formula right) {
        List<Float> scales = ((WeightedSum) op).scales();
        float last = scales.get(scales.size() - 1);
        WeightedSum wrong = new WeightedSum(scales.stream().map(s -> last).toList());
        return Reference.formula(wrong, in, out).orElseThrow();
    }

    private static Formula channelsLast(Op op, List<Type> in, List<Type> out, Formula right) {
        return (x, y) -> Arrays.setAll(y[0], i -> x[0][i] + x[1][i % x[1].length]);
    }

    private static Formula lastImageMissing(Op op, List<Type> in, List<Type> out, Formula right) {
        int image = in.get(0).shape().sizeFrom(1);
        return changed(right, 0, dy -> Arrays.fill(dy, Math.max(0, dy.length - image), dy.length, 0));
    }

    private static Formula oneTooMany(Op op, List<Type> in, List<Type> out, Formula right) {
        double plane = in.get(0).shape().sizeFrom(2);
        return then(right, (x, y) -> Arrays.setAll(y[0], i -> y[0][i] * plane / (plane + 1)));
    }

    private static Formula notDivided(Op op, List<Type> in, List<Type> out, Formula right) {
        double plane = out.get(0).shape().sizeFrom(2);
        return then(right, (x, y) -> Arrays.setAll(y[0], i -> y[0][i] * plane));
    }

    private static Formula reversed(Op op, List<Type> in, List<Type> out, Formula right) {
        return (x, y) -> Arrays.setAll(y[0], i -> x[0][x[0].length - 1 - i]);
    }

    private static Formula overflowing(Op op, List<Type> in, List<Type> out, Formula right) {
        Shape logits = in.get(0).shape();
        int classes = logits.get(logits.rank() - 1);
        return then(
                right,
                (x, y) -> Arrays.setAll(y[1], i -> {
                    float sum = 0;
                    for (int c = 0; c < classes; c++) {
                        sum += (float) Math.exp(x[0][i / classes * classes + c]);
                    }
                    return (float) Math.exp(x[0][i]) / sum;
                }));
    }

    private static Formula noLossGradient(Op op, List<Type> in, List<Type> out, Formula right) {
        return changed(right, in.size() - 1, dloss -> dloss[0] = 1);
    }

    private static Formula narrowSquares(Op op, List<Type> in, List<Type> out, Formula right) {
        return (x, y) -> {
            float sum = 0;
            for (double[] operand : x) {
                for (double v : operand) {
                    sum += (float) v * (float) v;
                }
            }
            y[0][0] = Math.sqrt(sum);
        };
    }

    private static Formula endless(Op op, List<Type> in, List<Type> out, Formula right) {
        return ((Recurrent) op).masked() ? changed(right, in.size() - 1, l -> Arrays.fill(l, 1e6)) : right;
    }

    /** As would do for every cell but a GRU, whose reset gate lies between them. */
    private static Formula oneBias(Op op, List<Type> in, List<Type> out, Formula right) {
        return (x, y) -> {
            double[][] copy = x.clone();
            copy[3] = new double[x[3].length];
            Arrays.setAll(copy[3], k -> x[3][k] + x[4][k]);
            copy[4] = new double[x[4].length];
            right.run(copy, y);
        };
    }

    private static Formula forthAgain(Op op, List<Type> in, List<Type> out, Formula right) {
        Recurrent.Backward b = (Recurrent.Backward) op;
        Recurrent f = b.forward();
        Recurrent forth = new Recurrent(f.cell(), false, f.initial(), f.masked());
        return Reference.formula(new Recurrent.Backward(forth, b.given()), in, out)
                .orElseThrow();
    }

    private static Formula stateless(Op op, List<Type> in, List<Type> out, Formula right) {
        int dh = ((Recurrent.Backward) op).operands().indexOf("dh");
        return dh < 0 ? right : changed(right, dh, d -> Arrays.fill(d, 0));
    }

    private static Formula negativeMomentum(Op op, List<Type> in, List<Type> out, Formula right) {
        return in.size() == 4 ? right : changed(right, 2, m -> Arrays.setAll(m, i -> -m[i]));
    }

    private static Formula blindToNorm(Op op, List<Type> in, List<Type> out, Formula right) {
        return changed(right, in.size() - 2, norm -> norm[0] = Double.isFinite(norm[0]) ? norm[0] : 1);
    }

    private static Formula epsilonInRoot(Op op, List<Type> in, List<Type> out, Formula right) {
        Adam adam = (Adam) op;
        int norm = in.size() - 2;
        int hyper = in.size() - 1;
        return then(
                right,
                (x, y) -> Arrays.setAll(y[0], i -> {
                    double m = y[1][i] * x[hyper][Hyper.CORRECTION1];
                    double v = y[2][i] * x[hyper][Hyper.CORRECTION2];
                    double step = m / Math.sqrt(v + adam.epsilon()) + x[hyper][Hyper.DECAY] * x[0][i];
                    return Double.isFinite(x[norm][0]) ? x[0][i] - x[hyper][Hyper.RATE] * step : y[0][i];
                }));
    }

    private static Formula bareDecay(Op op, List<Type> in, List<Type> out, Formula right) {
        int hyper = in.size() - 1;
        return then(
                right,
                (x, y) -> Arrays.setAll(
                        y[0], i -> y[0][i] - (1 - x[hyper][Hyper.RATE]) * x[hyper][Hyper.DECAY] * x[0][i]));
    }

    // ---- bugs in what today's families compute ----

    private static List<Mutant> wrongFamilies() {
        return List.of(
                scaled("the variance over one value fewer", LayerNorm.class, 2, 1.01),
                skewed(
                        "epsilon forgotten",
                        LayerNorm.class,
                        (op, x, y) -> new LayerNorm(((LayerNorm) op).axes(), 1e-30f)),
                blind("the mean's term forgotten", LayerNorm.Backward.class, 3),
                skewed("epsilon forgotten", RmsNorm.class, (op, x, y) -> new RmsNorm(((RmsNorm) op).axes(), 1e-30f)),
                blind("scale ignored", RmsNorm.Backward.class, 2),
                skewed("one group", GroupNorm.class, (op, x, y) -> new GroupNorm(1, ((GroupNorm) op).epsilon())),
                blind("scale ignored", GroupNorm.Backward.class, 2),
                skewed("along the last axis", Softmax.class, (op, x, y) -> new Softmax(-1, ((Softmax) op).log())),
                skewed(
                        "along the last axis",
                        Softmax.Backward.class,
                        (op, x, y) -> new Softmax.Backward(new Softmax(
                                -1, ((Softmax.Backward) op).forward().log()))),
                skewed("no logarithm", Softmax.class, (op, x, y) -> new Softmax(((Softmax) op).axis(), false)),
                skewed(
                        "of softmax",
                        Softmax.Backward.class,
                        (op, x, y) -> new Softmax.Backward(
                                new Softmax(((Softmax.Backward) op).forward().axis(), false))),
                clamped("padding of maxima is 0", Pool.class),
                shifted("places off by one", Pooling.MaxBackward.class, 0),
                skewed("padding counts", Pooling.AverageBackward.class, SpecsCatchBugsTest::withPadding),
                scaled("bins a little off", AdaptivePool.class, 0, 1.01),
                skewed("no scale by 1/(1−p)", Dropout.Training.class, (op, x, y) -> null),
                shifted("another slice", Gather.class, 0),
                shifted("the output below", SparseMatMul.class, 0),
                blind("every weight is 1", SparseMatMul.class, 1),
                blind("what was there is lost", ScatterAdd.class, 0),
                shifted("another slice", Slice.class, 0),
                shifted("another place", Slice.Backward.class, 0),
                shifted("parts swapped", Concat.class, 0),
                shifted("parts swapped", Split.class, 0),
                skewed("filled with 0", Pad.class, (op, x, y) -> new Pad(((Pad) op).before(), ((Pad) op).after(), 0)),
                skewed(
                        "not moved",
                        Transpose.class,
                        (op, x, y) -> new Reshape(y.get(0).shape().dims())),
                skewed(
                        "always bilinear",
                        Resize.class,
                        (op, x, y) -> new Resize(((Resize) op).height(), ((Resize) op).width(), Resize.Mode.BILINEAR)),
                scaled("a weight a little off", Resize.Backward.class, 0, 1.0001),
                Mutant.formula("all of the batch read b's first", MatMul.class, SpecsCatchBugsTest::firstOfBatch),
                skewed(
                        "a mean is a sum",
                        Reduce.class,
                        (op, x, y) -> new Reduce(
                                sumOf(((Reduce) op).function()), ((Reduce) op).axes(), ((Reduce) op).keepDims())),
                shifted("the next place", ArgMax.class, 0),
                Mutant.formula("b broadcast from its end", Binary.class, SpecsCatchBugsTest::fromTheEnd),
                skewed("not strict", Compare.class, (op, x, y) -> new Compare(notStrict(((Compare) op).function()))),
                changedIn("true is 1 alone", Where.class, 0, v -> v == 1 ? 1 : 0),
                changedIn("slopes are positive", PRelu.class, 1, Math::abs),
                changedIn("slopes are positive", PRelu.Backward.class, 1, Math::abs),
                skewed(
                        "exact GELU for the other",
                        Activation.class,
                        (op, x, y) -> ((Activation) op).function() == Activation.Function.GELU_TANH
                                ? new Activation(Activation.Function.GELU)
                                : op),
                skewed("not divided", PointwiseLoss.class, (op, x, y) -> null),
                blind("dloss ignored", PointwiseLoss.Backward.class, -1),
                skewed("not divided", KlDivergence.class, (op, x, y) -> null),
                blind("dloss ignored", KlDivergence.Backward.class, -1),
                scaled("cosine a little off", CosineLoss.class, 0, 1.0001),
                skewed("class weights forgotten", CrossEntropy.class, SpecsCatchBugsTest::unweighted),
                Mutant.formula(
                        "what is ignored has a gradient", CrossEntropy.Backward.class, SpecsCatchBugsTest::attentive),
                skewed(
                        "not causal",
                        AttentionMask.class,
                        (op, x, y) ->
                                new AttentionMask(((AttentionMask) op).scale(), false, ((AttentionMask) op).padded())),
                blind("the norm ignored", MovingAverage.class, 2),
                blind("the weight's norm ignored", ClipGradient.class, 0),
                blind("the norm ignored", RmsProp.class, -2),
                blind("the norm ignored", NAdam.class, -2),
                blind("the norm ignored", Lion.class, -2),
                blind("the norm ignored", Shadowed.class, -3),
                blind("the norm ignored", Lamb.class, -2),
                blind("the norm ignored", Muon.Direction.class, -2),
                blind("the norm ignored", Muon.Apply.class, -2));
    }

    /** Another op of the same results; null stands for twice the first of them. */
    private interface Another {
        @Nullable
        Op of(Op op, List<Type> in, List<Type> out);
    }

    private static Mutant skewed(String bug, Class<? extends Op> victim, Another another) {
        return Mutant.formula(bug, victim, (op, in, out, right) -> {
            Op wrong = another.of(op, in, out);
            return wrong == null
                    ? then(right, (x, y) -> Arrays.setAll(y[0], i -> 2 * y[0][i]))
                    : Reference.formula(wrong, in, out).orElseThrow();
        });
    }

    private static Mutant scaled(String bug, Class<? extends Op> victim, int result, double by) {
        return Mutant.formula(
                bug,
                victim,
                (op, in, out, right) -> then(right, (x, y) -> Arrays.setAll(y[result], i -> by * y[result][i])));
    }

    /** Takes an operand for ones; a negative one counts from the last. */
    private static Mutant blind(String bug, Class<? extends Op> victim, int operand) {
        return Mutant.formula(
                bug,
                victim,
                (op, in, out, right) -> changed(right, Math.floorMod(operand, in.size()), x -> Arrays.fill(x, 1)));
    }

    private static Mutant changedIn(String bug, Class<? extends Op> victim, int operand, DoubleUnaryOperator value) {
        return Mutant.formula(
                bug,
                victim,
                (op, in, out, right) -> changed(right, operand, x -> Arrays.setAll(x, i -> value.applyAsDouble(x[i]))));
    }

    /** The result's values one place on. */
    private static Mutant shifted(String bug, Class<? extends Op> victim, int result) {
        return Mutant.formula(
                bug,
                victim,
                (op, in, out, right) -> then(right, (x, y) -> {
                    double[] values = y[result].clone();
                    Arrays.setAll(y[result], i -> values[(i + 1) % values.length]);
                }));
    }

    private static Mutant clamped(String bug, Class<? extends Op> victim) {
        return Mutant.formula(
                bug,
                victim,
                (op, in, out, right) -> then(right, (x, y) -> Arrays.setAll(y[0], i -> Math.max(0, y[0][i]))));
    }

    private static Op withPadding(Op op, List<Type> in, List<Type> out) {
        Pooling.AverageBackward b = (Pooling.AverageBackward) op;
        return b.forward() instanceof Pool p
                ? new Pooling.AverageBackward(
                        new Pool(Pooling.Function.AVERAGE, p.kernelHeight(), p.kernelWidth(), p.window()), b.x())
                : op;
    }

    private static Formula firstOfBatch(Op op, List<Type> in, List<Type> out, Formula right) {
        Shape b = in.get(1).shape();
        int item = b.sizeFrom(b.rank() - 2);
        return changed(right, 1, x -> {
            for (int i = item; i < x.length && item > 0; i++) {
                x[i] = x[i % item];
            }
        });
    }

    private static Formula fromTheEnd(Op op, List<Type> in, List<Type> out, Formula right) {
        return changed(right, 1, b -> {
            double[] values = b.clone();
            Arrays.setAll(b, i -> values[b.length - 1 - i]);
        });
    }

    private static Reduce.Function sumOf(Reduce.Function f) {
        return f == Reduce.Function.MEAN ? Reduce.Function.SUM : f;
    }

    private static Compare.Function notStrict(Compare.Function f) {
        return f == Compare.Function.LESS ? Compare.Function.LESS_OR_EQUAL : f;
    }

    private static Op unweighted(Op op, List<Type> in, List<Type> out) {
        CrossEntropy c = (CrossEntropy) op;
        return new CrossEntropy(c.smoothing(), List.of(), c.weighted(), c.ignore());
    }

    private static Formula attentive(Op op, List<Type> in, List<Type> out, Formula right) {
        int ignored = ((CrossEntropy.Backward) op).forward().ignore();
        return then(right, (x, y) -> {
            int classes = x[1].length == 0 ? 1 : y[0].length / x[1].length;
            Arrays.setAll(y[0], i -> x[1][i / classes] == ignored ? x[0][i] : y[0][i]);
        });
    }

    private static double count(Shape x) {
        return x.get(1) == 0 ? 0 : (double) x.size() / x.get(1);
    }

    private static int channel(Shape x, int i) {
        return i / x.sizeFrom(2) % x.get(1);
    }

    /** The right formula, on an operand that has been tampered with. */
    private static Formula changed(Formula right, int operand, Consumer<double[]> tamper) {
        return (x, y) -> {
            double[][] copy = x.clone();
            copy[operand] = x[operand].clone();
            tamper.accept(copy[operand]);
            right.run(copy, y);
        };
    }

    /** The right formula, with its results tampered with. */
    private static Formula then(Formula right, BiConsumer<double[][], double[][]> tamper) {
        return (x, y) -> {
            right.run(x, y);
            tamper.accept(x, y);
        };
    }

    // ---- bugs in how a kernel behaves ----

    private static List<Mutant> wrongKernels() {
        return List.of(
                Mutant.kernel(
                        "adds to what was there",
                        MatMul.class,
                        k -> Bent.running(k, (in, out, scratch, right) -> {
                            float[] memory = floats(out.get(0));
                            float before = memory[at(out.get(0))];
                            right.run();
                            memory[at(out.get(0))] += before;
                        })),
                Mutant.kernel(
                        "leaves its first result unwritten",
                        Convolution.class,
                        k -> Bent.running(k, (in, out, scratch, right) -> {
                            float[] memory = floats(out.get(0));
                            float before = memory[at(out.get(0))];
                            right.run();
                            memory[at(out.get(0))] = before;
                        })),
                Mutant.kernel(
                        "scribbles on its operand",
                        Bias.class,
                        k -> Bent.running(k, (in, out, scratch, right) -> {
                            right.run();
                            floats(in.get(0))[at(in.get(0))] += 1;
                        })),
                Mutant.kernel(
                        "writes one value too many",
                        Activation.class,
                        k -> Bent.running(k, (in, out, scratch, right) -> {
                            right.run();
                            Type type = out.get(0).layout().type();
                            floats(out.get(0))[at(out.get(0)) + type.shape().size()] = 0;
                        })),
                Mutant.kernel(
                        "starts one value early",
                        Sgd.class,
                        k -> Bent.running(k, (in, out, scratch, right) -> {
                            right.run();
                            floats(out.get(0))[at(out.get(0)) - 1] = 0;
                        })),
                Mutant.kernel("is another the second time", Norm.class, k -> {
                    AtomicInteger runs = new AtomicInteger();
                    return Bent.running(k, (in, out, scratch, right) -> {
                        right.run();
                        floats(out.get(0))[at(out.get(0))] *= runs.getAndIncrement() % 2 == 0 ? 1 : 1 + 0x1p-23f;
                    });
                }),
                Mutant.kernel(
                        "expects zeros in its scratch",
                        CrossEntropy.class,
                        k -> new Bent(k, 4, -1, (in, out, scratch, right) -> {
                            right.run();
                            floats(out.get(0))[at(out.get(0))] += floats(scratch)[at(scratch)];
                        })),
                Mutant.kernel(
                        "needs more scratch than it says",
                        CrossEntropy.Backward.class,
                        k -> Bent.running(k, (in, out, scratch, right) -> {
                            right.run();
                            floats(scratch)[at(scratch)] = 1;
                        })),
                Mutant.kernel(
                        "clears its result first, and would work in place",
                        WeightedSum.class,
                        k -> new Bent(k, 0, 0, (in, out, scratch, right) -> {
                            int from = at(out.get(0));
                            int size = out.get(0).layout().type().shape().size();
                            Arrays.fill(floats(out.get(0)), from, from + size, 0);
                            right.run();
                        })));
    }

    private static float[] floats(Region region) {
        return ((HeapMemory) region.memory()).floats();
    }

    private static int at(Region region) {
        return (int) (region.offset() / 4);
    }

    // ---- the hunt ----

    static Stream<Mutant> mutants() {
        return Stream.of(wrongFormulas(), wrongFamilies(), wrongKernels()).flatMap(List::stream);
    }

    @ParameterizedTest
    @MethodSource("mutants")
    void theBugIsCaught(Mutant mutant) {
        Optional<String> verdict = new Hunt(Subject.of(mutant.backend())).failureOf(mutant.victim());
        assertTrue(verdict.isPresent(), "nobody noticed: " + mutant);
        System.out.println(mutant + "\n    caught by " + verdict.orElseThrow());
    }

    /** The hunters do not cry wolf: the same machinery without a bug passes. */
    @Test
    void noBugIsNotCaught() {
        Mutant healthy = Mutant.kernel("none", Bias.class, k -> k);
        assertEquals(Optional.empty(), new Hunt(Subject.of(healthy.backend())).failureOf(Bias.class));
    }

    @Test
    void anUnlistedRefusalIsCaught() {
        Mutant refusing = Mutant.kernel("declines", Bias.class, k -> null);
        String verdict =
                new Hunt(Subject.of(refusing.backend())).failureOf(Bias.class).orElse("nobody noticed");
        assertTrue(verdict.contains("must run") && verdict.contains("declines it"), verdict);
        Subject excused = Subject.of(refusing.backend()).mayDecline("all of it", c -> true);
        assertEquals(Optional.empty(), new Hunt(excused).failureOf(Bias.class));
    }

    @Test
    void aFallbackInsideTheBackendIsCaught() {
        Subject falling = Subject.of(JvmBackend.reference())
                .countingOnly(kernel -> !kernel.implementation().equals("reference"));
        String verdict = new Hunt(falling).failureOf(MatMul.class).orElse("nobody noticed");
        assertTrue(verdict.contains("leaves it to reference"), verdict);
    }
}
