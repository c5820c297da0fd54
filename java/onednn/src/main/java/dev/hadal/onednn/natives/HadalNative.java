package dev.hadal.onednn.natives;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.zip.CRC32;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.ShortPointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.Const;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Opaque;
import org.bytedeco.javacpp.annotation.Platform;
import org.jspecify.annotations.Nullable;

/**
 * libhadal's functions, one method each; native/include/hadal.h holds their formulas and promises.
 *
 * <p>Call {@link #load} first, and nothing else here unless it says {@code available}. As in C, nothing is checked:
 * a wrong pointer or length ends the JVM, so callers must know their buffers. JavaCPP writes the JNI code for this
 * class during the build (native/build.sh).
 */
@Platform(
        include = {"hadal.h", "hadal_step.h"},
        link = "hadal")
@NoException
public final class HadalNative {
    /** The HADAL_ABI_VERSION that these methods are written for. */
    private static final int ABI_VERSION = 11;

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
        File copy = packed == null ? null : Loader.cacheResource(packed);
        if (packed != null && copy != null && !isCopy(packed, Files.readAllBytes(copy.toPath()))) {
            Files.delete(copy.toPath()); // what another JVM has loaded from it stays loaded
        }
    }

    /** A jar knows the checksum of what it holds, which spares each start the unpacking. */
    private static boolean isCopy(URL packed, byte[] copy) throws IOException {
        if (packed.openConnection() instanceof JarURLConnection jar) {
            JarEntry entry = jar.getJarEntry();
            CRC32 found = new CRC32();
            found.update(copy);
            return entry.getSize() == copy.length && entry.getCrc() == found.getValue();
        }
        try (InputStream content = packed.openStream()) {
            return Arrays.equals(content.readAllBytes(), copy);
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

    // ---- step lists ----

    /** A hadal_steps. */
    @Opaque
    @Name("hadal_steps")
    public static final class StepList extends Pointer {
        StepList(Pointer p) {
            super(p);
        }
    }

    /** An empty list, or null if there is no memory. */
    @Name("hadal_steps_create")
    public static native @Nullable StepList create();

    /** Frees a list. */
    @Name("hadal_steps_destroy")
    public static native void destroy(StepList steps);

    /** How many steps there are; −1 once there was no memory for one. */
    @Name("hadal_steps_count")
    public static native @Cast("int64_t") long count(@Const StepList steps);

    /**
     * Runs the steps, up to the first that finds a fault.
     *
     * @param threads how many each may use; 0 leaves that as it is
     * @param nanos null, or where the time of each step is to be put
     * @return where the run stopped, or −1
     */
    @Name("hadal_steps_run")
    public static native @Cast("int64_t") long run(
            StepList steps, int threads, @Cast("int64_t*") long @Nullable [] nanos);

    /** What the step told at which the last run stopped. */
    @Name("hadal_steps_fault")
    public static native @Cast("int64_t") long fault(@Const StepList steps);

    // ---- steps: each of these appends a call to a list, and calls nothing itself ----

    /** Copies bytes. */
    @Name("hadal_step<memcpy>::add")
    public static native void memcpy(
            StepList steps, @Cast("void*") Pointer to, @Cast("const void*") Pointer from, @Cast("size_t") long bytes);

    /** Sets bytes. */
    @Name("hadal_step<memset>::add")
    public static native void memset(StepList steps, @Cast("void*") Pointer to, int value, @Cast("size_t") long bytes);

    /**
     * A primitive of oneDNN. Its status is its fault.
     *
     * @param execute the address of dnnl_primitive_execute
     */
    @Name("hadal_step<hadal_execute>::add")
    public static native void execute(
            StepList steps,
            @Cast("hadal_dnnl_execute") Pointer execute,
            @Cast("const void*") Pointer primitive,
            @Cast("void*") Pointer stream,
            int count,
            @Cast("const void*") Pointer arguments);

    /** s ← s + ‖x‖² and norm ← √s. */
    @Name("hadal_step<hadal_norm>::add")
    public static native void norm(
            StepList steps, @Const FloatPointer x, @Cast("int64_t") long n, DoublePointer s, FloatPointer norm);

    /** y = x, of n values, in bf16. */
    @Name("hadal_step<hadal_narrow>::add")
    public static native void narrow(
            StepList steps, @Const FloatPointer x, @Cast("int64_t") long n, @Cast("uint16_t*") ShortPointer y);

    /** y = x, of n values, in f32. */
    @Name("hadal_step<hadal_widen>::add")
    public static native void widen(
            StepList steps, @Cast("const uint16_t*") ShortPointer x, @Cast("int64_t") long n, FloatPointer y);

    /**
     * q, of 8 bits, from x, [outer, channels, inner], with a scale for each channel.
     *
     * @param zero what stands for 0; with s8, 128 more
     * @param flip 0 for u8, 0x80 for s8
     * @param channelsLast 1 if q is [outer, inner, channels]
     */
    @Name("hadal_step<hadal_quantize>::add")
    public static native void quantize(
            StepList steps,
            @Const FloatPointer x,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long channels,
            @Cast("int64_t") long inner,
            @Const FloatPointer scales,
            int zero,
            int flip,
            int channelsLast,
            @Cast("uint8_t*") BytePointer q);

    /** The same backwards, with q: [outer, channels, inner]. */
    @Name("hadal_step<hadal_dequantize>::add")
    public static native void dequantize(
            StepList steps,
            @Cast("const uint8_t*") BytePointer q,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long channels,
            @Cast("int64_t") long inner,
            @Const FloatPointer scales,
            int zero,
            int flip,
            FloatPointer x);

    /** y = a + b, of n values of 8 bits; the scales are shares of y's. y may be a or b. */
    @Name("hadal_step<hadal_add_bytes>::add")
    public static native void addBytes(
            StepList steps,
            @Cast("const uint8_t*") BytePointer a,
            float scaleA,
            int zeroA,
            int flipA,
            @Cast("const uint8_t*") BytePointer b,
            float scaleB,
            int zeroB,
            int flipB,
            @Cast("int64_t") long n,
            int rectified,
            int zero,
            int flip,
            @Cast("uint8_t*") BytePointer y);

    /** y = table[x], of n bytes. */
    @Name("hadal_step<hadal_map_bytes>::add")
    public static native void mapBytes(
            StepList steps,
            @Cast("const uint8_t*") BytePointer table,
            @Cast("const uint8_t*") BytePointer x,
            @Cast("int64_t") long n,
            @Cast("uint8_t*") BytePointer y);

    /** As {@link #maxPool}, of 8 bits. */
    @Name("hadal_step<hadal_max_pool_bytes>::add")
    public static native void maxPoolBytes(
            StepList steps,
            @Cast("const uint8_t*") BytePointer x,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            int flip,
            @Cast("uint8_t*") BytePointer y,
            IntPointer index);

    /** As {@link #averagePool}, of 8 bits; to one of y and real, of which the other is null. */
    @Name("hadal_step<hadal_average_pool_bytes>::add")
    public static native void averagePoolBytes(
            StepList steps,
            @Cast("const uint8_t*") BytePointer x,
            int fromZero,
            int fromFlip,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            float scale,
            int zero,
            int flip,
            @Cast("uint8_t*") @Nullable BytePointer y,
            @Nullable FloatPointer real);

    /** y = x·wᵀ·scales + bias, of 8 bits; to one of y and real, of which the other is null. The bias may be. */
    @Name("hadal_step<hadal_linear_bytes>::add")
    public static native void linearBytes(
            StepList steps,
            @Cast("const uint8_t*") BytePointer x,
            @Cast("int64_t") long m,
            @Cast("int64_t") long k,
            int fromZero,
            @Cast("const int8_t*") BytePointer w,
            @Cast("int64_t") long n,
            @Const FloatPointer scales,
            @Const @Nullable FloatPointer bias,
            int rectified,
            float inverse,
            int zero,
            int flip,
            @Cast("uint8_t*") @Nullable BytePointer y,
            @Nullable FloatPointer real);

    /**
     * One step of an optimizer on n weights; nothing is written if the norm is not finite.
     *
     * @param rule the number of a hadal_rule
     * @param m0 null, as m1 and m2, where the rule has no such moment
     * @param shadow takes the new w, rounded to bf16; or null
     */
    @Name("hadal_step<hadal_update>::add")
    public static native void update(
            StepList steps,
            int rule,
            FloatPointer w,
            @Const FloatPointer g,
            @Nullable FloatPointer m0,
            @Nullable FloatPointer m1,
            @Nullable FloatPointer m2,
            @Nullable @Cast("uint16_t*") ShortPointer shadow,
            @Cast("int64_t") long n,
            float a,
            float b,
            float epsilon,
            @Const FloatPointer hyper,
            @Const FloatPointer norm);

    /** The running average e of n weights; nothing is written if the norm is not finite. */
    @Name("hadal_step<hadal_moving_average>::add")
    public static native void movingAverage(
            StepList steps,
            FloatPointer e,
            @Const FloatPointer w,
            @Cast("int64_t") long n,
            float beta,
            @Const FloatPointer norm);

    /** One tensor's gradient, no longer than the limit; y may be g. */
    @Name("hadal_step<hadal_clip_norm>::add")
    public static native void clipNorm(
            StepList steps, @Const FloatPointer g, @Cast("int64_t") long n, float limit, FloatPointer y);

    /**
     * A recurrent layer.
     *
     * @param sgemm the address of dnnl_sgemm
     * @param cell 0 and 1 for simple networks of tanh and ReLU, 2 for an LSTM, 3 for a GRU
     * @param lengths null if every sequence takes all steps
     * @param h0 null if zero
     * @param c0 null if zero
     * @param c null but for an LSTM
     * @param kept null for a simple network
     */
    @Name("hadal_step<hadal_recurrent>::add")
    public static native void recurrent(
            StepList steps,
            @Cast("hadal_dnnl_sgemm") Pointer sgemm,
            int cell,
            @Cast("int") boolean reverse,
            @Cast("int64_t") long n,
            @Cast("int64_t") long length,
            @Cast("int64_t") long input,
            @Cast("int64_t") long hidden,
            @Const @Nullable IntPointer lengths,
            @Const FloatPointer x,
            @Const @Nullable FloatPointer h0,
            @Const @Nullable FloatPointer c0,
            @Const FloatPointer weightIh,
            @Const FloatPointer weightHh,
            @Const FloatPointer biasIh,
            @Const FloatPointer biasHh,
            FloatPointer y,
            FloatPointer h,
            @Nullable FloatPointer c,
            @Nullable FloatPointer kept,
            FloatPointer scratch);

    /**
     * The same backwards.
     *
     * @param dh null if zero, as dc and dy
     * @param dh0 null if nobody asks, as dc0
     */
    @Name("hadal_step<hadal_recurrent_backward>::add")
    public static native void recurrentBackward(
            StepList steps,
            @Cast("hadal_dnnl_sgemm") Pointer sgemm,
            int cell,
            @Cast("int") boolean reverse,
            @Cast("int64_t") long n,
            @Cast("int64_t") long length,
            @Cast("int64_t") long input,
            @Cast("int64_t") long hidden,
            @Const @Nullable IntPointer lengths,
            @Const FloatPointer x,
            @Const @Nullable FloatPointer h0,
            @Const @Nullable FloatPointer c0,
            @Const FloatPointer weightIh,
            @Const FloatPointer weightHh,
            @Const FloatPointer y,
            @Const @Nullable FloatPointer kept,
            @Const @Nullable FloatPointer dy,
            @Const @Nullable FloatPointer dh,
            @Const @Nullable FloatPointer dc,
            FloatPointer dx,
            @Nullable FloatPointer dh0,
            @Nullable FloatPointer dc0,
            FloatPointer dweightIh,
            FloatPointer dweightHh,
            FloatPointer dbiasIh,
            FloatPointer dbiasHh,
            FloatPointer scratch);

    /** The sums of a matrix's columns, each in double. */
    @Name("hadal_step<hadal_column_sums>::add")
    public static native void columnSums(
            StepList steps,
            @Const FloatPointer x,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long columns,
            FloatPointer y);

    /** How many floats of scratch the function below needs. */
    @Name("hadal_relu_bias_backward_scratch")
    public static native @Cast("int64_t") long reluBiasBackwardScratch(
            @Cast("int64_t") long rows, @Cast("int64_t") long columns);

    /** The gradients of a bias and of a ReLU with a slope below 0; dx may be y or dy. */
    @Name("hadal_step<hadal_relu_bias_backward>::add")
    public static native void reluBiasBackward(
            StepList steps,
            @Const FloatPointer y,
            @Const FloatPointer dy,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long columns,
            float slope,
            FloatPointer dx,
            FloatPointer db,
            FloatPointer scratch);

    /** y = above·x if x > 0, else below·(eˣ − 1); y may be x. */
    @Name("hadal_step<hadal_elu>::add")
    public static native void elu(
            StepList steps, @Const FloatPointer x, @Cast("int64_t") long n, float above, float below, FloatPointer y);

    /** Its gradient, from y; dx may be y or dy. */
    @Name("hadal_step<hadal_elu_backward>::add")
    public static native void eluBackward(
            StepList steps,
            @Const FloatPointer y,
            @Const FloatPointer dy,
            @Cast("int64_t") long n,
            float above,
            float below,
            FloatPointer dx);

    /** y = min(max(scale·x + shift, 0), limit); y may be x. */
    @Name("hadal_step<hadal_clip>::add")
    public static native void clip(
            StepList steps,
            @Const FloatPointer x,
            @Cast("int64_t") long n,
            float scale,
            float shift,
            float limit,
            FloatPointer y);

    /** y = ln(1 + eˣ); y may be x. */
    @Name("hadal_step<hadal_softplus>::add")
    public static native void softplus(StepList steps, @Const FloatPointer x, @Cast("int64_t") long n, FloatPointer y);

    /** y = x·tanh ln(1 + eˣ); y may be x. */
    @Name("hadal_step<hadal_mish>::add")
    public static native void mish(StepList steps, @Const FloatPointer x, @Cast("int64_t") long n, FloatPointer y);

    /** Its gradient, from x; dx may be x or dy. */
    @Name("hadal_step<hadal_mish_backward>::add")
    public static native void mishBackward(
            StepList steps, @Const FloatPointer x, @Const FloatPointer dy, @Cast("int64_t") long n, FloatPointer dx);

    /** GELU, with erf or with tanh; y may be x. */
    @Name("hadal_step<hadal_gelu>::add")
    public static native void gelu(
            StepList steps, @Const FloatPointer x, @Cast("int64_t") long n, int tanh, FloatPointer y);

    /** Its gradient, from x; dx may be x or dy. */
    @Name("hadal_step<hadal_gelu_backward>::add")
    public static native void geluBackward(
            StepList steps,
            @Const FloatPointer x,
            @Const FloatPointer dy,
            @Cast("int64_t") long n,
            int tanh,
            FloatPointer dx);

    /** y = a·b, either stored transposed where that is not 0; k·n of at most 4096, n rounded up to a multiple of 16. */
    @Name("hadal_step<hadal_small_matmul>::add")
    public static native void smallMatmul(
            StepList steps,
            @Const FloatPointer a,
            @Const FloatPointer b,
            @Cast("int64_t") long m,
            @Cast("int64_t") long k,
            @Cast("int64_t") long n,
            int transposeA,
            int transposeB,
            FloatPointer y);

    /**
     * The gradient of a convolution's weights, in blocks of 16 filters and 16 channels.
     *
     * @param axes as hadal.h has it
     */
    @Name("hadal_step<hadal_convolution_weights>::add")
    public static native void convolutionWeights(
            StepList steps,
            @Const FloatPointer x,
            @Const FloatPointer dy,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            @Cast("int64_t") long filters,
            @Cast("const int64_t*") LongPointer axes,
            FloatPointer dw);

    /**
     * The mean cross entropy of softmax(logits) against labels, and that softmax; probabilities may be logits.
     *
     * @param classWeights may be null, as may sampleWeights
     * @param places the labels of a sample
     */
    @Name("hadal_step<hadal_cross_entropy>::add")
    public static native void crossEntropy(
            StepList steps,
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
    @Name("hadal_step<hadal_cross_entropy_backward>::add")
    public static native void crossEntropyBackward(
            StepList steps,
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
    @Name("hadal_step<hadal_group_norm>::add")
    public static native void groupNorm(
            StepList steps,
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
    @Name("hadal_step<hadal_group_norm_backward>::add")
    public static native void groupNormBackward(
            StepList steps,
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
    @Name("hadal_step<hadal_softmax>::add")
    public static native void softmax(
            StepList steps,
            @Const FloatPointer x,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long length,
            @Cast("int64_t") long inner,
            @Cast("int") boolean log,
            FloatPointer y);

    /** Its gradient from y; dx may be dy. */
    @Name("hadal_step<hadal_softmax_backward>::add")
    public static native void softmaxBackward(
            StepList steps,
            @Const FloatPointer y,
            @Const FloatPointer dy,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long length,
            @Cast("int64_t") long inner,
            @Cast("int") boolean log,
            FloatPointer dx);

    /** The mask of attention; lengths may be null, and y may be x. */
    @Name("hadal_step<hadal_attention_mask>::add")
    public static native void attentionMask(
            StepList steps,
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
    @Name("hadal_step<hadal_max_pool>::add")
    public static native void maxPool(
            StepList steps,
            @Const FloatPointer x,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            FloatPointer y,
            IntPointer index);

    /** Its gradient. */
    @Name("hadal_step<hadal_max_pool_backward>::add")
    public static native void maxPoolBackward(
            StepList steps,
            @Const FloatPointer dy,
            @Const IntPointer index,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            FloatPointer dx);

    /** The mean under each place of a kernel, likewise. */
    @Name("hadal_step<hadal_average_pool>::add")
    public static native void averagePool(
            StepList steps,
            @Const FloatPointer x,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            FloatPointer y);

    /** Its gradient. */
    @Name("hadal_step<hadal_average_pool_backward>::add")
    public static native void averagePoolBackward(
            StepList steps,
            @Const FloatPointer dy,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            FloatPointer dx);

    /** The same, of bf16. */
    @Name("hadal_step<hadal_max_pool_bf16>::add")
    public static native void maxPool(
            StepList steps,
            @Cast("const uint16_t*") ShortPointer x,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            @Cast("uint16_t*") ShortPointer y,
            IntPointer index);

    /** The same, of bf16. */
    @Name("hadal_step<hadal_max_pool_backward_bf16>::add")
    public static native void maxPoolBackward(
            StepList steps,
            @Cast("const uint16_t*") ShortPointer dy,
            @Const IntPointer index,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            @Cast("uint16_t*") ShortPointer dx);

    /** The same, of bf16. */
    @Name("hadal_step<hadal_average_pool_bf16>::add")
    public static native void averagePool(
            StepList steps,
            @Cast("const uint16_t*") ShortPointer x,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            @Cast("uint16_t*") ShortPointer y);

    /** The same, of bf16. */
    @Name("hadal_step<hadal_average_pool_backward_bf16>::add")
    public static native void averagePoolBackward(
            StepList steps,
            @Cast("const uint16_t*") ShortPointer dy,
            @Const IntPointer rows,
            @Const IntPointer columns,
            @Cast("int64_t") long images,
            @Cast("int64_t") long channels,
            @Cast("uint16_t*") ShortPointer dx);

    /** Copies a box of 4-byte values; strides count values. */
    @Name("hadal_step<hadal_copy>::add")
    public static native void copy(
            StepList steps,
            @Cast("const void*") Pointer x,
            @Cast("void*") Pointer y,
            int rank,
            @Cast("const int64_t*") LongPointer lengths,
            @Cast("const int64_t*") LongPointer fromStrides,
            @Cast("const int64_t*") LongPointer toStrides);

    /** The same of bytes. */
    @Name("hadal_step<hadal_copy_bytes>::add")
    public static native void copyBytes(
            StepList steps,
            @Cast("const void*") Pointer x,
            @Cast("void*") Pointer y,
            int rank,
            @Cast("const int64_t*") LongPointer lengths,
            @Cast("const int64_t*") LongPointer fromStrides,
            @Cast("const int64_t*") LongPointer toStrides);

    /** Sets n values to the one with those bits. */
    @Name("hadal_step<hadal_fill>::add")
    public static native void fill(
            StepList steps, @Cast("void*") Pointer y, @Cast("int64_t") long n, @Cast("uint32_t") int bits);

    /** Rows of x: [outer,rows,width] by their indices; or, as a fault, the position of the first that is not one. */
    @Name("hadal_step<hadal_gather>::add")
    public static native void gather(
            StepList steps,
            @Cast("const void*") Pointer x,
            @Const IntPointer indices,
            @Cast("int64_t") long outer,
            @Cast("int64_t") long rows,
            @Cast("int64_t") long width,
            @Cast("int64_t") long count,
            @Cast("void*") Pointer y);

    /**
     * y = act(x·Wᵀ + bias) with the blocks of W that are kept; or, as a fault, the position of the first column or, counted
     * on from those, start that is out of place. Bias may be null.
     */
    @Name("hadal_step<hadal_sparse_matmul>::add")
    public static native void sparseMatmul(
            StepList steps,
            @Const FloatPointer x,
            @Const FloatPointer values,
            @Const IntPointer columns,
            @Const IntPointer starts,
            @Const @Nullable FloatPointer bias,
            @Cast("int64_t") long n,
            @Cast("int64_t") long in,
            @Cast("int64_t") long out,
            @Cast("int64_t") long blocks,
            @Cast("int64_t") long height,
            float slope,
            FloatPointer y,
            FloatPointer scratch);

    /** The same of bf16, where y is f32, or bf16 if narrow is not 0. */
    @Name("hadal_step<hadal_sparse_matmul_bf16>::add")
    public static native void sparseMatmulBf16(
            StepList steps,
            @Cast("const uint16_t*") ShortPointer x,
            @Cast("const uint16_t*") ShortPointer values,
            @Const IntPointer columns,
            @Const IntPointer starts,
            @Const @Nullable FloatPointer bias,
            @Cast("int64_t") long n,
            @Cast("int64_t") long in,
            @Cast("int64_t") long out,
            @Cast("int64_t") long blocks,
            @Cast("int64_t") long height,
            float slope,
            int narrow,
            @Cast("void*") Pointer y,
            FloatPointer scratch);

    /** How many floats of scratch the two need, the second if bf16 is not 0. */
    @Name("hadal_sparse_matmul_scratch")
    public static native @Cast("int64_t") long sparseMatmulScratch(
            @Cast("int64_t") long n,
            @Cast("int64_t") long in,
            @Cast("int64_t") long out,
            @Cast("int64_t") long blocks,
            @Cast("int64_t") long height,
            int bf16);

    /** Adds updates: [outer,count,width] to the rows of y: [outer,rows,width]; its fault is that of {@link #gather}. */
    @Name("hadal_step<hadal_scatter_add>::add")
    public static native void scatterAdd(
            StepList steps,
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
    @Name("hadal_step<hadal_dropout>::add")
    public static native void dropout(
            StepList steps,
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
