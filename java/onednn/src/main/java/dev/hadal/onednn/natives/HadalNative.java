package dev.hadal.onednn.natives;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;
import org.jspecify.annotations.Nullable;

/**
 * libhadal's functions, one method each; native/include/hadal.h holds their formulas and promises.
 *
 * <p>Call {@link #load} first, and nothing else here unless it says {@code available}. As in C, nothing is checked:
 * a wrong pointer or length ends the JVM, so callers must know their buffers. JavaCPP writes the JNI code for this
 * class during the build (native/build.sh).
 */
@Platform(include = "hadal.h", link = "hadal")
@NoException
public final class HadalNative {
    /** The HADAL_ABI_VERSION that these methods are written for. */
    private static final int ABI_VERSION = 4;

    private HadalNative() {}

    /**
     * Whether libhadal can be called.
     *
     * @param detail what was loaded; or why nothing was, and how to mend that
     */
    public record Availability(boolean available, String detail) {}

    /** Loads libhadal, the first time; always answers, and the same each time. */
    public static Availability load() {
        return Loaded.RESULT;
    }

    private static final class Loaded {
        static final Availability RESULT = tryToLoad();
    }

    private static Availability tryToLoad() {
        // The first hides all native libraries at run time; the second leaves libhadal out of a build and its tests.
        for (String property : List.of("hadal.natives", "hadal.native")) {
            if ("off".equals(System.getProperty(property))) {
                return new Availability(false, "libhadal is switched off by -D" + property + "=off");
            }
        }
        try {
            // First, so that libhadal's need for libgomp.so.1 is met by the copy that oneDNN has brought.
            Loader.load(dnnl.class);
        } catch (LinkageError | RuntimeException e) {
            return new Availability(false, "libhadal shares oneDNN's OpenMP library, and oneDNN does not load: " + e);
        }
        String platform = Loader.getPlatform();
        if (packed("libhadal.so") == null) {
            return new Availability(
                    false,
                    "libhadal for " + platform + " is not on the class path: build on a machine with g++ and cmake,"
                            + " or add hadal-onednn with the classifier " + platform);
        }
        try {
            dropStaleCopy("libhadal.so");
            dropStaleCopy("libjniHadalNative.so");
            Loader.load(HadalNative.class);
            int version = abiVersion();
            return version == ABI_VERSION
                    ? new Availability(true, "libhadal " + version + " for " + isa())
                    : new Availability(
                            false,
                            "libhadal has interface version " + version + " where " + ABI_VERSION
                                    + " is needed: hadal-onednn and its " + platform
                                    + " jar are of different releases");
        } catch (LinkageError | RuntimeException | IOException e) {
            return new Availability(false, "libhadal does not load: " + e);
        }
    }

    /** Asked of the loader rather than of this class, whose module need not be the one that holds the libraries. */
    private static @Nullable URL packed(String library) {
        String directory = HadalNative.class.getPackageName().replace('.', '/') + "/" + Loader.getPlatform() + "/";
        return HadalNative.class.getClassLoader().getResource(directory + library);
    }

    /**
     * JavaCPP keeps unpacked libraries in the user's home, and unpacks again when size or time differ. In Hadal's
     * jars the time is always the same, for the sake of reproducible builds, and the size is rounded up to pages: a
     * rebuilt library would often lose to the copy of the one before it.
     */
    private static void dropStaleCopy(String library) throws IOException {
        URL packed = packed(library);
        if (packed == null) {
            return;
        }
        File copy = Loader.cacheResource(packed);
        try (InputStream content = packed.openStream()) {
            if (copy != null && !Arrays.equals(content.readAllBytes(), Files.readAllBytes(copy.toPath()))) {
                Files.delete(copy.toPath()); // what another JVM has loaded from it stays loaded
            }
        }
    }

    @Name("hadal_abi_version")
    private static native int abiVersion();

    /** The instruction set in use: avx512, avx2 or baseline. */
    @Name("hadal_isa")
    public static native @Cast("const char*") String isa();

    /** Sets the thread count of the calling thread's kernels, oneDNN's too; returns the one now in force. */
    @Name("hadal_set_threads")
    public static native int setThreads(int n);

    /** How many threads a kernel called from this thread may use. */
    @Name("hadal_threads")
    public static native int threads();

    /** ‖x‖², in double. */
    @Name("hadal_sum_of_squares")
    public static native double sumOfSquares(@Const FloatPointer x, @Cast("int64_t") long n);

    /**
     * One step of an optimizer on n weights; nothing is written if the norm is not finite.
     *
     * @param rule the number of a hadal_rule
     * @param m0 null, as m1 and m2, where the rule has no such moment
     */
    @Name("hadal_update")
    public static native void update(
            int rule,
            FloatPointer w,
            @Const FloatPointer g,
            @Nullable FloatPointer m0,
            @Nullable FloatPointer m1,
            @Nullable FloatPointer m2,
            @Cast("int64_t") long n,
            float a,
            float b,
            float epsilon,
            @Const FloatPointer hyper,
            @Const FloatPointer norm);

    /** The running average e of n weights; nothing is written if the norm is not finite. */
    @Name("hadal_moving_average")
    public static native void movingAverage(
            FloatPointer e, @Const FloatPointer w, @Cast("int64_t") long n, float beta, @Const FloatPointer norm);

    /** One tensor's gradient, no longer than the limit; y may be g. */
    @Name("hadal_clip_norm")
    public static native void clipNorm(@Const FloatPointer g, @Cast("int64_t") long n, float limit, FloatPointer y);

    /**
     * One step of a recurrent layer for a batch of sequences, after the products with the weights.
     *
     * @param cell 0 and 1 for simple networks of tanh and ReLU, 2 for an LSTM, 3 for a GRU
     * @param lengths null if every sequence takes all steps
     * @param c null but for an LSTM
     * @param kept null for a simple network
     */
    @Name("hadal_recurrent_step")
    public static native void recurrentStep(
            int cell,
            @Cast("int64_t") long n,
            @Cast("int64_t") long steps,
            @Cast("int64_t") long hidden,
            @Cast("int64_t") long t,
            @Const @Nullable IntPointer lengths,
            @Const FloatPointer a,
            @Const FloatPointer b,
            @Const FloatPointer biasA,
            @Const FloatPointer biasB,
            FloatPointer h,
            @Nullable FloatPointer c,
            FloatPointer y,
            @Nullable FloatPointer kept);

    /**
     * The same step backwards.
     *
     * @param before the step that comes before t as time runs; one that there is not if t is the first
     * @param db null but for a GRU
     */
    @Name("hadal_recurrent_step_backward")
    public static native void recurrentStepBackward(
            int cell,
            @Cast("int64_t") long n,
            @Cast("int64_t") long steps,
            @Cast("int64_t") long hidden,
            @Cast("int64_t") long t,
            @Cast("int64_t") long before,
            @Const @Nullable IntPointer lengths,
            @Const FloatPointer y,
            @Const @Nullable FloatPointer h0,
            @Const @Nullable FloatPointer c0,
            @Const @Nullable FloatPointer kept,
            @Const @Nullable FloatPointer dy,
            FloatPointer dh,
            @Nullable FloatPointer dc,
            FloatPointer da,
            @Nullable FloatPointer db,
            FloatPointer hBefore);

    /** The sums of a matrix's columns, each in double. */
    @Name("hadal_column_sums")
    public static native void columnSums(
            @Const FloatPointer x, @Cast("int64_t") long rows, @Cast("int64_t") long columns, FloatPointer y);

    /** y = above·x if x > 0, else below·(eˣ − 1); y may be x. */
    @Name("hadal_elu")
    public static native void elu(
            @Const FloatPointer x, @Cast("int64_t") long n, float above, float below, FloatPointer y);

    /** Its gradient, from y; dx may be y or dy. */
    @Name("hadal_elu_backward")
    public static native void eluBackward(
            @Const FloatPointer y,
            @Const FloatPointer dy,
            @Cast("int64_t") long n,
            float above,
            float below,
            FloatPointer dx);

    /** y = min(max(scale·x + shift, 0), limit); y may be x. */
    @Name("hadal_clip")
    public static native void clip(
            @Const FloatPointer x, @Cast("int64_t") long n, float scale, float shift, float limit, FloatPointer y);

    /** y = ln(1 + eˣ); y may be x. */
    @Name("hadal_softplus")
    public static native void softplus(@Const FloatPointer x, @Cast("int64_t") long n, FloatPointer y);

    /** y = x·tanh ln(1 + eˣ); y may be x. */
    @Name("hadal_mish")
    public static native void mish(@Const FloatPointer x, @Cast("int64_t") long n, FloatPointer y);

    /** Its gradient, from x; dx may be x or dy. */
    @Name("hadal_mish_backward")
    public static native void mishBackward(
            @Const FloatPointer x, @Const FloatPointer dy, @Cast("int64_t") long n, FloatPointer dx);

    /** The gradient of GELU with tanh, from x; dx may be x or dy. */
    @Name("hadal_gelu_tanh_backward")
    public static native void geluTanhBackward(
            @Const FloatPointer x, @Const FloatPointer dy, @Cast("int64_t") long n, FloatPointer dx);

    /**
     * The mean cross entropy of softmax(logits) against labels, and that softmax; probabilities may be logits.
     *
     * @param classWeights may be null, as may sampleWeights
     * @param places the labels of a sample
     */
    @Name("hadal_cross_entropy")
    public static native void crossEntropy(
            @Const FloatPointer logits,
            @Const IntPointer labels,
            @Const @Nullable FloatPointer classWeights,
            @Const @Nullable FloatPointer sampleWeights,
            @Cast("int64_t") long samples,
            @Cast("int64_t") long places,
            @Cast("int64_t") long classes,
            float smoothing,
            int ignore,
            FloatPointer loss,
            FloatPointer probabilities);

    /** Its gradient with respect to the logits; dlogits may be probabilities. */
    @Name("hadal_cross_entropy_backward")
    public static native void crossEntropyBackward(
            @Const FloatPointer probabilities,
            @Const IntPointer labels,
            @Const @Nullable FloatPointer classWeights,
            @Const @Nullable FloatPointer sampleWeights,
            @Const FloatPointer dloss,
            @Cast("int64_t") long samples,
            @Cast("int64_t") long places,
            @Cast("int64_t") long classes,
            float smoothing,
            int ignore,
            FloatPointer dlogits);

    /**
     * Normalization of groups of channels, or of rows: one group, and a plane of one value.
     *
     * @param bias null, and mean with it, for root-mean-square norm
     * @param channels of each group
     */
    @Name("hadal_group_norm")
    public static native void groupNorm(
            @Const FloatPointer x,
            @Const FloatPointer scale,
            @Const @Nullable FloatPointer bias,
            @Cast("int64_t") long samples,
            @Cast("int64_t") long groups,
            @Cast("int64_t") long channels,
            @Cast("int64_t") long plane,
            float epsilon,
            FloatPointer y,
            @Nullable FloatPointer mean,
            FloatPointer variance);

    /** How many floats of scratch the gradient below needs. */
    @Name("hadal_group_norm_scratch")
    public static native @Cast("int64_t") long groupNormScratch(
            @Cast("int64_t") long samples, @Cast("int64_t") long groups, @Cast("int64_t") long channels);

    /** Its gradient from the statistics; dbias is null where mean is, and dx may be dy. */
    @Name("hadal_group_norm_backward")
    public static native void groupNormBackward(
            @Const FloatPointer x,
            @Const FloatPointer dy,
            @Const FloatPointer scale,
            @Const @Nullable FloatPointer mean,
            @Const FloatPointer variance,
            @Cast("int64_t") long samples,
            @Cast("int64_t") long groups,
            @Cast("int64_t") long channels,
            @Cast("int64_t") long plane,
            float epsilon,
            FloatPointer dx,
            FloatPointer dscale,
            @Nullable FloatPointer dbias,
            FloatPointer scratch);

    /** Softmax, or its logarithm, along the second of three axes; y may be x. */
    @Name("hadal_softmax")
    public static native void softmax(
            @Const FloatPointer x,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long length,
            @Cast("int64_t") long inner,
            @Cast("int") boolean log,
            FloatPointer y);

    /** Its gradient from y; dx may be dy. */
    @Name("hadal_softmax_backward")
    public static native void softmaxBackward(
            @Const FloatPointer y,
            @Const FloatPointer dy,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long length,
            @Cast("int64_t") long inner,
            @Cast("int") boolean log,
            FloatPointer dx);

    /** The mask of attention; lengths may be null, and y may be x. */
    @Name("hadal_attention_mask")
    public static native void attentionMask(
            @Const FloatPointer x,
            @Const @Nullable IntPointer lengths,
            @Cast("int64_t") long n,
            @Cast("int64_t") long heads,
            @Cast("int64_t") long queries,
            @Cast("int64_t") long keys,
            @Cast("int") boolean causal,
            float scale,
            float hidden,
            FloatPointer y);

    /**
     * The largest value under each place of a kernel, channels innermost.
     *
     * @param rows which rows of x each row of y reads, as hadal.h lays them out
     * @param columns likewise
     */
    @Name("hadal_max_pool")
    public static native void maxPool(
            @Const FloatPointer x,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            FloatPointer y,
            IntPointer index);

    /** Its gradient. */
    @Name("hadal_max_pool_backward")
    public static native void maxPoolBackward(
            @Const FloatPointer dy,
            @Const IntPointer index,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            FloatPointer dx);

    /** The mean under each place of a kernel, likewise. */
    @Name("hadal_average_pool")
    public static native void averagePool(
            @Const FloatPointer x,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            FloatPointer y);

    /** Its gradient. */
    @Name("hadal_average_pool_backward")
    public static native void averagePoolBackward(
            @Const FloatPointer dy,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            FloatPointer dx);

    /** Copies a box of 4-byte values; strides count values. */
    @Name("hadal_copy")
    public static native void copy(
            @Cast("const void*") Pointer x,
            @Cast("void*") Pointer y,
            int rank,
            @Cast("const int64_t*") long[] lengths,
            @Cast("const int64_t*") long[] fromStrides,
            @Cast("const int64_t*") long[] toStrides);

    /** Sets n values to the one with those bits. */
    @Name("hadal_fill")
    public static native void fill(@Cast("void*") Pointer y, @Cast("int64_t") long n, @Cast("uint32_t") int bits);

    /**
     * Rows of x: [outer,rows,width] by their indices.
     *
     * @return −1; or, with nothing written, the position of the first index outside of the rows
     */
    @Name("hadal_gather")
    public static native @Cast("int64_t") long gather(
            @Cast("const void*") Pointer x,
            @Const IntPointer indices,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long width,
            @Cast("int64_t") long count,
            @Cast("void*") Pointer y);

    /** Adds updates: [outer,count,width] to the rows of y: [outer,rows,width]; the result is as for {@link #gather}. */
    @Name("hadal_scatter_add")
    public static native @Cast("int64_t") long scatterAdd(
            FloatPointer y,
            @Const IntPointer indices,
            @Const FloatPointer updates,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long width,
            @Cast("int64_t") long count);

    /**
     * Drops values at random; y may be x.
     *
     * @param random the seed's low and high half, and the number of the run
     */
    @Name("hadal_dropout")
    public static native void dropout(
            @Const FloatPointer x,
            @Cast("int64_t") long n,
            @Const IntPointer random,
            @Cast("int64_t") long stream,
            int threshold,
            float scale,
            FloatPointer y);

    /**
     * What one core can do at most: operations, or bytes through n floats of memory, per second; 0 where the processor
     * lacks it. Takes a fifth of a second.
     *
     * @param kind the number of a hadal_peak_kind: multiply-adds of f32, dot products of bf16, of int8, the same two on
     *     tiles, a stream of four reads and three writes, a copy
     * @param memory overwritten; null and 0 where the kind needs none
     */
    @Name("hadal_peak")
    public static native double peak(int kind, @Nullable FloatPointer memory, @Cast("int64_t") long n);
}
