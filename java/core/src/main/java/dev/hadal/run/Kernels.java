package dev.hadal.run;

import dev.hadal.backend.Backends;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.graph.WeightedSum;
import dev.hadal.op.Activation;
import dev.hadal.op.Adam;
import dev.hadal.op.BatchNorm;
import dev.hadal.op.Convolution;
import dev.hadal.op.Hyper;
import dev.hadal.op.LayerNorm;
import dev.hadal.op.MatMul;
import dev.hadal.op.Softmax;
import dev.hadal.op.Window;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The kernels alone: any op, at once, on one's own arrays. A {@link Tensor} is a view of an array, so an array with its
 * shape is what all methods take.
 *
 * <pre>{@code
 * try (Kernels kernels = Kernels.create()) {
 *     kernels.matmul(a, b, y);                                       // y = a·b, as PyTorch's matmul
 *     Tensor z = kernels.run(new Softmax(-1, false), y).get(0);      // any op of dev.hadal.op
 * }
 * }</pre>
 *
 * <p>An op is prepared when it is first called with operands of those types, and kept; of what has been prepared, the
 * {@value #CAPACITY} kernels used last remain, and of their memory no more than {@value #BYTES} bytes beside the one that
 * runs.
 *
 * <p>Results may be written over operands: what an op reads is what was there before the call. Two results may not share
 * an array.
 *
 * <p>Any number of threads may call at once; each call has private memory. Nobody may write to the arrays meanwhile.
 */
public final class Kernels implements AutoCloseable {
    private static final MatMul MATMUL = new MatMul(false, false);
    private static final int CAPACITY = 256;
    private static final long BYTES = 256L << 20;

    private final Backends backends;
    private final Map<Key, Prepared> prepared = new ConcurrentHashMap<>();
    private final AtomicLong held = new AtomicLong();
    /** How many kernels were prepared so far: the clock by which the one used longest ago is told. */
    private volatile long now;

    private volatile boolean closed;

    /** What a kernel is prepared for. */
    private record Key(Op op, List<Type> operands) {}

    private Kernels(Backends backends) {
        this.backends = backends;
    }

    /** Kernels of the best backend here. */
    public static Kernels create() {
        return of(Backends.automatic());
    }

    /**
     * Kernels of these backends: the first where it pays, pure Java for what is small or moves more than it computes,
     * since Java works on the arrays as they are; backends that are {@link Backends#required()}, the first for everything.
     */
    public static Kernels of(Backends backends) {
        return new Kernels(backends);
    }

    // ---- any op ----

    /**
     * Computes an op's results into new tensors.
     *
     * @throws IllegalArgumentException if the operands do not fit the op; the message names the operand, what came and
     *     what was needed
     * @throws IllegalStateException if this is closed
     */
    public List<Tensor> run(Op op, Tensor... operands) {
        List<Tensor> in = Arrays.asList(operands);
        Prepared ready = prepared(op, in);
        List<Tensor> out = new ArrayList<>();
        for (Type type : ready.results()) {
            out.add(zeros(type));
        }
        run(op, in, out);
        return out;
    }

    /**
     * Computes an op's results into tensors of one's own.
     *
     * @throws IllegalArgumentException if the operands do not fit the op, or the results do not fit what it computes
     * @throws IllegalStateException if this is closed
     */
    public void run(Op op, List<Tensor> operands, List<Tensor> results) {
        Prepared ready = prepared(op, operands);
        ready.check(results);
        Desk desk = ready.acquire();
        while (desk == null) { // dropped since
            ready = prepared(op, operands);
            desk = ready.acquire();
        }
        try {
            desk.run(operands, results);
        } finally {
            ready.release(desk);
        }
        if (held.get() > BYTES) {
            trim(ready);
        }
    }

    /** Computes one op in pure Java, and keeps nothing: for passes over models, that compute little and do so once. */
    public static List<Tensor> compute(Op op, List<Tensor> operands) {
        try (Kernels java = of(Backends.of("java"))) {
            return java.run(op, operands.toArray(Tensor[]::new));
        }
    }

    /** What runs for these operands: the name of a Java kernel, or the steps of a native plan with its copies. */
    public String implementation(Op op, Tensor... operands) {
        return prepared(op, Arrays.asList(operands)).implementation();
    }

    // ---- matrix products ----

    /** y = a·b, for […,M,K] and […,K,N], batches broadcast: PyTorch's {@code matmul}, ONNX's MatMul. */
    public void matmul(Tensor a, Tensor b, Tensor y) {
        run(MATMUL, List.of(a, b), List.of(y));
    }

    /** y = a·b, row by row: a is [m,k], b [k,n] and y [m,n]. */
    public void matmul(int m, int n, int k, float[] a, float[] b, float[] y) {
        matmul(Tensor.of(Shape.of(m, k), a), Tensor.of(Shape.of(k, n), b), Tensor.of(Shape.of(m, n), y));
    }

    /**
     * y ← α·A·B + β·y, BLAS' sgemm for matrices that lie row by row: A is [m,k], stored as [k,m] if transposed; B is [k,n],
     * stored as [n,k] if transposed; y is [m,n]. If β is 0, y is not read.
     */
    public void gemm(
            boolean transposeA,
            boolean transposeB,
            int m,
            int n,
            int k,
            float alpha,
            float[] a,
            float[] b,
            float beta,
            float[] y) {
        Tensor left = Tensor.of(transposeA ? Shape.of(k, m) : Shape.of(m, k), a);
        Tensor right = Tensor.of(transposeB ? Shape.of(n, k) : Shape.of(k, n), b);
        Tensor sum = Tensor.of(Shape.of(m, n), y);
        MatMul op = new MatMul(transposeA, transposeB);
        if (beta != 0) {
            Tensor product = run(op, left, right).get(0);
            run(new WeightedSum(List.of(alpha, beta)), List.of(product, sum), List.of(sum));
            return;
        }
        run(op, List.of(left, right), List.of(sum));
        if (alpha != 1) {
            run(new WeightedSum(List.of(alpha)), List.of(sum), List.of(sum));
        }
    }

    // ---- convolutions ----

    /** y = x ∗ w, for x: [N,C,H,W] and w: [O,C/groups,KH,KW]: PyTorch's {@code conv2d}, ONNX's Conv. */
    public void convolution(Tensor x, Tensor w, Window window, int groups, Tensor y) {
        run(new Convolution(window, groups), List.of(x, w), List.of(y));
    }

    /** The gradient of x, given that of y. */
    public void convolutionBackwardData(Tensor dy, Tensor w, Window window, int groups, Tensor dx) {
        Convolution forward = new Convolution(window, groups);
        run(new Convolution.BackwardData(forward, dx.shape()), List.of(dy, w), List.of(dx));
    }

    /** The gradient of w, given that of y. */
    public void convolutionBackwardWeights(Tensor x, Tensor dy, Window window, int groups, Tensor dw) {
        Convolution forward = new Convolution(window, groups);
        run(new Convolution.BackwardWeights(forward, dw.shape()), List.of(x, dy), List.of(dw));
    }

    // ---- normalizations ----

    /** y = γ·(x − μ)/√(σ² + ε) + β with given statistics, for x: [N,C,…] and all else [C]: ONNX's BatchNormalization. */
    public void batchNorm(Tensor x, Tensor scale, Tensor bias, Tensor mean, Tensor variance, float epsilon, Tensor y) {
        run(new BatchNorm(epsilon, 0), List.of(x, scale, bias, mean, variance), List.of(y));
    }

    /** The same with the batch's own statistics, which it writes to mean and (biased) variance. */
    public void batchNormTraining(
            Tensor x, Tensor scale, Tensor bias, float epsilon, Tensor y, Tensor mean, Tensor variance) {
        run(new BatchNorm.Training(epsilon), List.of(x, scale, bias), List.of(y, mean, variance));
    }

    /** The gradients of x, γ and β in training, given that of y. */
    public void batchNormBackward(
            Tensor x,
            Tensor dy,
            Tensor scale,
            Tensor mean,
            Tensor variance,
            float epsilon,
            Tensor dx,
            Tensor dscale,
            Tensor dbias) {
        run(new BatchNorm.Backward(epsilon), List.of(x, dy, scale, mean, variance), List.of(dx, dscale, dbias));
    }

    /** y = γ·(x − μ)/√(σ² + ε) + β over the last axes of x, those of γ and β: PyTorch's {@code layer_norm}. */
    public void layerNorm(Tensor x, Tensor scale, Tensor bias, float epsilon, Tensor y) {
        LayerNorm op = new LayerNorm(scale.shape().rank(), epsilon);
        List<Tensor> in = List.of(x, scale, bias);
        List<Type> results = prepared(op, in).results();
        run(op, in, List.of(y, zeros(results.get(1)), zeros(results.get(2))));
    }

    /** The same, which also writes μ and σ² (biased), of the shape of x's other axes. */
    public void layerNorm(Tensor x, Tensor scale, Tensor bias, float epsilon, Tensor y, Tensor mean, Tensor variance) {
        run(new LayerNorm(scale.shape().rank(), epsilon), List.of(x, scale, bias), List.of(y, mean, variance));
    }

    /** The gradients of x, γ and β, given that of y. */
    public void layerNormBackward(
            Tensor x,
            Tensor dy,
            Tensor scale,
            Tensor mean,
            Tensor variance,
            float epsilon,
            Tensor dx,
            Tensor dscale,
            Tensor dbias) {
        run(
                new LayerNorm.Backward(scale.shape().rank(), epsilon),
                List.of(x, dy, scale, mean, variance),
                List.of(dx, dscale, dbias));
    }

    // ---- elementwise ----

    /** y = eˣ / Σ eˣ along an axis, −1 being the last. */
    public void softmax(Tensor x, int axis, Tensor y) {
        run(new Softmax(axis, false), List.of(x), List.of(y));
    }

    /** y = x − log Σ eˣ along an axis. */
    public void logSoftmax(Tensor x, int axis, Tensor y) {
        run(new Softmax(axis, true), List.of(x), List.of(y));
    }

    /** y = max(x, 0) */
    public void relu(Tensor x, Tensor y) {
        activation(Activation.Function.RELU, x, y);
    }

    /** y = x·Φ(x), with the normal distribution's Φ. */
    public void gelu(Tensor x, Tensor y) {
        activation(Activation.Function.GELU, x, y);
    }

    /** y = f(x), with the function's usual α. */
    public void activation(Activation.Function function, Tensor x, Tensor y) {
        run(new Activation(function), List.of(x), List.of(y));
    }

    /**
     * dx = f′·dy
     *
     * @param known y if the function's {@linkplain Activation.Function#slopeFromResult slope is told from it}, else x
     */
    public void activationBackward(Activation.Function function, Tensor known, Tensor dy, Tensor dx) {
        run(new Activation.Backward(function), List.of(known, dy), List.of(dx));
    }

    // ---- updates ----

    /**
     * One step of AdamW on w, m and v, in place: PyTorch's {@code AdamW}.
     *
     * @param t the step's number, from 1 on
     */
    public void adamW(Tensor w, Tensor g, Tensor m, Tensor v, long t, AdamW settings) {
        Adam op = new Adam(settings.beta1, settings.beta2, settings.epsilon, false);
        float[] hyper = new float[Hyper.TYPE.shape().size()];
        hyper[Hyper.RATE] = settings.rate;
        hyper[Hyper.DECAY] = settings.weightDecay;
        hyper[Hyper.CLIP] = Float.POSITIVE_INFINITY;
        hyper[Hyper.CLIP_VALUE] = Float.POSITIVE_INFINITY;
        op.correct(t, hyper);
        Tensor unclipped = Tensor.of(Shape.SCALAR, 0f);
        Tensor scalars = Tensor.of(Hyper.TYPE.shape(), hyper);
        run(op, List.of(w, g, m, v, unclipped, scalars), List.of(w, m, v));
    }

    /** The settings of {@link #adamW}. */
    public record AdamW(float rate, float beta1, float beta2, float epsilon, float weightDecay) {

        /** β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸ and λ = 0.01, as PyTorch's. */
        public AdamW(float rate) {
            this(rate, 0.9f, 0.999f, 1e-8f, 0.01f);
        }
    }

    // ---- the cache ----

    // ---- what is held, for tests ----

    boolean holds(Op op, Tensor... operands) {
        return prepared.containsKey(new Key(op, types(op, Arrays.asList(operands))));
    }

    long bytes() {
        return held.get();
    }

    /** How many kernels are kept. */
    int size() {
        return prepared.size();
    }

    private Prepared prepared(Op op, List<Tensor> operands) {
        if (closed) {
            throw new IllegalStateException("these kernels are closed");
        }
        Key key = new Key(op, types(op, operands));
        Prepared ready = prepared.get(key);
        if (ready == null) {
            ready = prepare(key);
        }
        ready.usedAt(now);
        return ready;
    }

    private static Tensor zeros(Type type) {
        return Tensor.zeros(type.dtype(), type.shape());
    }

    private static List<Type> types(Op op, List<Tensor> tensors) {
        Type[] types = new Type[tensors.size()];
        for (int i = 0; i < types.length; i++) {
            Tensor t = tensors.get(i);
            if (t == null) {
                throw new IllegalArgumentException(op.name() + ": operand " + i + " is null");
            }
            types[i] = new Type(t.dtype(), t.shape());
        }
        return List.of(types);
    }

    private synchronized Prepared prepare(Key key) {
        Prepared ready = prepared.get(key);
        if (ready != null) {
            return ready;
        }
        if (closed) {
            throw new IllegalStateException("these kernels are closed");
        }
        ready = Prepared.of(key.op, key.operands, backends, held);
        now++;
        ready.usedAt(now);
        prepared.put(key, ready);
        trim(ready);
        return ready;
    }

    /** Drops what was used longest ago, until the rest is few enough and, but for this one, small enough. */
    private synchronized void trim(Prepared but) {
        while (prepared.size() > CAPACITY || (held.get() - but.bytes() > BYTES && prepared.size() > 1)) {
            prepared.entrySet().stream()
                    .filter(e -> e.getValue() != but)
                    .min(Comparator.comparingLong(e -> e.getValue().lastUse()))
                    .ifPresent(e -> {
                        prepared.remove(e.getKey());
                        e.getValue().drop();
                    });
        }
    }

    /** Frees all memory; calls that are under way end as usual, and free theirs. Closing twice does no harm. */
    @Override
    public synchronized void close() {
        closed = true;
        prepared.values().forEach(Prepared::drop);
        prepared.clear();
    }
}
