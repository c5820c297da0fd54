/*
 * libhadal: the kernels that oneDNN lacks, fused so that each is one pass over its buffers.
 *
 * Three promises hold for every function here.
 *  - Same bits everywhere: neither the instruction set nor the thread count changes a result. Sums run in
 *    double over blocks of a fixed size, added in block order, and no multiply-add is contracted. Where the
 *    processor's speed counts, in norms of rows, softmax along the last axis, cross entropy and GELU, the last bits are
 *    those of the instruction set: multiply-adds are fused where it can, and sums run in float over a few dozen values
 *    per lane.
 *  - No allocation but for step lists, no exception, no global state but the OpenMP thread count of the calling
 *    thread.
 *  - Pointers are the caller's affair: they are not checked, and different parameters must not overlap unless
 *    the function says that they may.
 *
 * Formulas use the papers' symbols; "←" overwrites a buffer.
 */
#ifndef HADAL_H
#define HADAL_H

#include <stddef.h>
#include <stdint.h>

#define HADAL_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the library --------------------------------------------------------------------------------------- */

/** Counts up with every incompatible change of this header; the binding refuses any version but its own. */
#define HADAL_ABI_VERSION 11

/** HADAL_ABI_VERSION as this library was built. */
HADAL_API int hadal_abi_version(void);

/**
 * The instruction set in use: "avx512", "avx2" or "baseline". Chosen once, when the library is loaded, as the
 * best that the processor and the environment variable HADAL_ISA (one of the same three words) both allow.
 */
HADAL_API const char* hadal_isa(void);

/**
 * Sets how many threads the calling thread's kernels use, these and oneDNN's alike: both take their team from
 * the same OpenMP library. Returns the number now in force; n < 1 changes nothing.
 */
HADAL_API int hadal_set_threads(int n);

/** How many threads a kernel called from this thread may use. */
HADAL_API int hadal_threads(void);

/* ---- step lists ------------------------------------------------------------------------------------------ */

/**
 * What is to be run again and again, with all its arguments: a call per run, instead of one per kernel. In C++,
 * hadal_step.h adds any function of this header.
 */
typedef struct hadal_steps hadal_steps;

/** What a step returns if it found nothing wrong; what else it returns, it tells. Steps that cannot fail return this. */
#define HADAL_FINE (-1)

/** An empty list, or null if there is no memory. */
HADAL_API hadal_steps* hadal_steps_create(void);

HADAL_API void hadal_steps_destroy(hadal_steps* steps);

/** Appends run(arguments), with a copy of so many bytes of arguments. */
HADAL_API void hadal_steps_add(hadal_steps* steps, int64_t (*run)(const void* arguments), const void* arguments,
                               size_t bytes);

/** How many steps there are; -1 once there was no memory for one. */
HADAL_API int64_t hadal_steps_count(const hadal_steps* steps);

/**
 * Runs the steps in order with so many threads (as hadal_set_threads), up to the first that does not return HADAL_FINE.
 * Returns that step's position, or -1 if all ran. If nanos is not null, it takes the nanoseconds of each step that ran.
 */
HADAL_API int64_t hadal_steps_run(hadal_steps* steps, int threads, int64_t* nanos);

/** What the step returned at which the last run stopped. */
HADAL_API int64_t hadal_steps_fault(const hadal_steps* steps);

/** dnnl_primitive_execute, with which libhadal is not linked. */
typedef int (*hadal_dnnl_execute)(const void* primitive, void* stream, int count, const void* arguments);

/** A primitive of oneDNN. Returns HADAL_FINE, or oneDNN's status. */
HADAL_API int64_t hadal_execute(hadal_dnnl_execute execute, const void* primitive, void* stream, int count,
                                const void* arguments);

/* ---- bf16 ---------------------------------------------------------------------------------------------- */

/** y = x rounded to bf16, the upper half of an f32: to the nearest, ties to even. NaN stays NaN. */
HADAL_API void hadal_narrow(const float* x, int64_t n, uint16_t* y);

/** y = x in f32, exactly. */
HADAL_API void hadal_widen(const uint16_t* x, int64_t n, float* y);

/* ---- bytes --------------------------------------------------------------------------------------------- */

/*
 * Quantized values: real = scale·(q − zero), with q from 0 to 255. `flip` is 0 for u8. It is 0x80 for s8, whose bits
 * with the first one flipped are those of q + 128, and its zero is 128 more, too. Rounded to the nearest, ties to even;
 * what is beyond the range becomes its end, NaN becomes zero.
 */

/**
 * x and q: [outer, channels, inner], with a scale for each channel; or q: [outer, inner, channels] if `channels_last`.
 */
HADAL_API void hadal_quantize(const float* x, int64_t outer, int64_t channels, int64_t inner, const float* scales,
                              int zero, int flip, int channels_last, uint8_t* q);
HADAL_API void hadal_dequantize(const uint8_t* q, int64_t outer, int64_t channels, int64_t inner, const float* scales,
                                int zero, int flip, float* x);

/** y = a + b, or max(a + b, 0) if `rectified`; the scales are shares of y's. y may be a or b. */
HADAL_API void hadal_add_bytes(const uint8_t* a, float scale_a, int zero_a, int flip_a, const uint8_t* b, float scale_b,
                               int zero_b, int flip_b, int64_t n, int rectified, int zero, int flip, uint8_t* y);

/** y = table[x], of 256 entries. y may be x. */
HADAL_API void hadal_map_bytes(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y);

/** As hadal_max_pool and hadal_average_pool, see there; an average goes to `real` unless that is null, else to y. */
HADAL_API void hadal_max_pool_bytes(const uint8_t* x, const int32_t* rows, const int32_t* columns, int64_t images,
                                    int64_t channels, int flip, uint8_t* y, int32_t* index);
HADAL_API void hadal_average_pool_bytes(const uint8_t* x, int from_zero, int from_flip, const int32_t* rows,
                                        const int32_t* columns, int64_t images, int64_t channels, float scale, int zero,
                                        int flip, uint8_t* y, float* real);

/**
 * y = x·wᵀ·scales + bias, or max(…, 0) if `rectified`, with x: [m, k] of u8, w: [n, k] of s8, scales and bias: [n], and
 * sums in s32. To `real` unless that is null, else to y, with the inverse of its scale. bias may be null.
 */
HADAL_API void hadal_linear_bytes(const uint8_t* x, int64_t m, int64_t k, int from_zero, const int8_t* w, int64_t n,
                                  const float* scales, const float* bias, int rectified, float inverse, int zero,
                                  int flip, uint8_t* y, float* real);

/* ---- optimizers ---------------------------------------------------------------------------------------- */

/**
 * ‖x‖² = Σᵢ xᵢ², in double. Exact products, so only the additions round. NaN or ±Inf in x gives NaN or Inf.
 */
HADAL_API double hadal_sum_of_squares(const float* x, int64_t n);

/** s ← s + ‖x‖² and norm ← √s: the norm of several x, one call each, with s = 0 before the first. */
HADAL_API void hadal_norm(const float* x, int64_t n, double* s, float* norm);

/**
 * What a rule makes of d, the clipped and decayed gradient, with up to three moments and the settings a, b and ε.
 *
 *   SGD                      s = d
 *   MOMENTUM    a = μ        m₀ ← μ·m₀ + d,  s = m₀
 *   NESTEROV    a = μ        m₀ ← μ·m₀ + d,  s = d + μ·m₀
 *   RMSPROP     a = α        m₀ ← α·m₀ + (1−α)·d²,  s = d / (√m₀ + ε)
 *   RMSPROP_MOMENTUM  b = μ  then m₁ ← μ·m₁ + s,  s = m₁
 *   CENTRED     a = α        also m₁ ← α·m₁ + (1−α)·d,  s = d / (√max(m₀ − m₁², 0) + ε)
 *   CENTRED_MOMENTUM  b = μ  then m₂ ← μ·m₂ + s,  s = m₂
 *   ADAM        a, b = β₁,₂  m₀ ← β₁·m₀ + (1−β₁)·d,  m₁ ← β₂·m₁ + (1−β₂)·d²,  s = c₁·m₀ / (√(c₂·m₁) + ε)
 *   AMSGRAD                  also m₂ ← max(m₂, m₁),  s = c₁·m₀ / (√(c₂·m₂) + ε)
 *   NADAM                    as ADAM, but s = (c₁·m₀ + c₃·d) / (√(c₂·m₁) + ε)
 *   LION        a, b = β₁,₂  s = sign(β₁·m₀ + (1−β₁)·d),  m₀ ← β₂·m₀ + (1−β₂)·d
 */
enum hadal_rule {
    HADAL_SGD,
    HADAL_MOMENTUM,
    HADAL_NESTEROV,
    HADAL_RMSPROP,
    HADAL_RMSPROP_MOMENTUM,
    HADAL_CENTRED,
    HADAL_CENTRED_MOMENTUM,
    HADAL_ADAM,
    HADAL_AMSGRAD,
    HADAL_NADAM,
    HADAL_LION
};

/**
 * One step of an optimizer, in one pass; the rules and their sources are documented in Hadal's update ops.
 *
 *   g' = clamp(g · min(1, limit / (‖g‖ + 10⁻⁶)), ±value)        as torch.nn.utils.clip_grad_norm_
 *   d  = g' + λ₂·w
 *   s  = what the rule says
 *   w ← w − η·(s + λ·w)
 *
 * hyper = { η, λ, c₁, c₂, limit, c₃, value, λ₂ }: what changes from step to step, read at the call. A limit or a
 * value of +Inf clips nothing; c's that a rule does not name are not read. norm points to ‖g‖; if that is not finite,
 * nothing is written, so the step can be replayed. Moments that a rule does not have may be null, and so may shadow: else
 * it takes the new w, rounded to the nearest bfloat16, of two the even one, in the same pass.
 *
 * Subnormal numbers count as zero here and are written as zero. The moments of a weight whose gradient has
 * died decay into that range within a thousand steps, stay there for good, and cost some processors 100
 * cycles each.
 */
HADAL_API void hadal_update(int rule, float* w, const float* g, float* m0, float* m1, float* m2, uint16_t* shadow,
                            int64_t n, float a, float b, float epsilon, const float* hyper, const float* norm);

/* ---- recurrent networks --------------------------------------------------------------------------------- */

/** Which cell: the formulas stand at hadal_recurrent_step. */
enum hadal_cell { HADAL_RNN_TANH = 0, HADAL_RNN_RELU = 1, HADAL_LSTM = 2, HADAL_GRU = 3 };

/**
 * One step of a recurrent layer, for a batch of sequences, after the products with the weights. With a = a[·,t,·] +
 * bias_a, the product with the input, and b = b + bias_b, the one with the state, in G blocks of `hidden`, as PyTorch
 * orders them:
 *
 *   RNN   (G = 1)   h ← tanh(a + b), or max(a + b, 0)
 *   LSTM  (G = 4)   i, f, o = σ(aₖ + bₖ) for k = 0, 1, 3      g = tanh(a₂ + b₂)      c ← f·c + i·g      h ← o·tanh c
 *   GRU   (G = 3)   r, z = σ(aₖ + bₖ) for k = 0, 1      n = tanh(a₂ + r·b₂)      h ← (1 − z)·n + z·h
 *
 * a: [n,steps,G·hidden], b: [n,G·hidden], h and c: [n,hidden], y: [n,steps,hidden], of which step t becomes h; kept:
 * [n,steps,K·hidden], of which step t becomes i, f, g, o, c (LSTM, K = 5) or r, z, n, b₂ (GRU, K = 4). c is null but
 * for an LSTM, and kept is null for an RNN. Where lengths is not null and t ≥ lengths[row], the row's states stay as
 * they are, and its y and kept are zero.
 */
HADAL_API void hadal_recurrent_step(int cell, int64_t n, int64_t steps, int64_t hidden, int64_t t,
                                    const int32_t* lengths, const float* a, const float* b, const float* bias_a,
                                    const float* bias_b, float* h, float* c, float* y, float* kept);

/**
 * The same step backwards. In: dh and dc, the gradients of the states after the step, to which step t of dy is still to
 * be added if dy is not null. Out: in dh and dc what reaches the states before the step other than through b; in step
 * t of da and db: [n,steps,G·hidden] the gradients of a and b; and in step t of h_before: [n,steps,hidden] the state
 * before the step, which is y at step `before`, or h0 where that lies outside the sequence. h0 and c0 are null if zero,
 * dc and c0 but for an LSTM, and db but for a GRU, as it is da elsewhere. Past a row's length, da, db and h_before are
 * zero, and dh and dc stay.
 */
HADAL_API void hadal_recurrent_step_backward(int cell, int64_t n, int64_t steps, int64_t hidden, int64_t t,
                                             int64_t before, const int32_t* lengths, const float* y, const float* h0,
                                             const float* c0, const float* kept, const float* dy, float* dh,
                                             float* dc, float* da, float* db, float* h_before);

/** dnnl_sgemm, with which libhadal is not linked: C = alpha·A·B + beta·C, row-major. */
typedef int (*hadal_dnnl_sgemm)(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
                                const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c,
                                int64_t ldc);

/**
 * All steps of a recurrent layer, from the last to the first if reverse ≠ 0. x: [n,steps,input], weight_ih:
 * [G·hidden,input], weight_hh: [G·hidden,hidden]; h0 and c0 are null if zero; h and c become the states after the last
 * step. scratch: n·(steps + 1)·G·hidden floats. Returns HADAL_FINE, or oneDNN's status.
 */
HADAL_API int64_t hadal_recurrent(hadal_dnnl_sgemm sgemm, int cell, int reverse, int64_t n, int64_t steps,
                                  int64_t input, int64_t hidden, const int32_t* lengths, const float* x,
                                  const float* h0, const float* c0, const float* weight_ih, const float* weight_hh,
                                  const float* bias_ih, const float* bias_hh, float* y, float* h, float* c,
                                  float* kept, float* scratch);

/**
 * The same backwards. dh and dc are the gradients of the last states, and null if zero, as dy may be; results: dx and
 * the gradients of the weights, of the biases and, where not null, of the first states. scratch:
 * n·steps·(G·hidden·(GRU ? 2 : 1) + hidden) + 2·n·hidden floats.
 */
HADAL_API int64_t hadal_recurrent_backward(
    hadal_dnnl_sgemm sgemm, int cell, int reverse, int64_t n, int64_t steps, int64_t input, int64_t hidden,
    const int32_t* lengths, const float* x, const float* h0, const float* c0, const float* weight_ih,
    const float* weight_hh, const float* y, const float* kept, const float* dy, const float* dh, const float* dc,
    float* dx, float* dh0, float* dc0, float* dweight_ih, float* dweight_hh, float* dbias_ih, float* dbias_hh,
    float* scratch);

/** y[j] = Σᵢ x[i,j] for x: [rows,columns], in double, in the order of the rows. */
HADAL_API void hadal_column_sums(const float* x, int64_t rows, int64_t columns, float* y);

/**
 * The gradients of y = relu(x + b) over rows of columns, where relu has a slope below 0:
 *   dx[i,j] = dy[i,j] if y[i,j] > 0, else slope·dy[i,j]     db[j] = Σᵢ dx[i,j]
 * dx may be y or dy. The scratch holds as many floats as the function before says.
 */
HADAL_API int64_t hadal_relu_bias_backward_scratch(int64_t rows, int64_t columns);
HADAL_API void hadal_relu_bias_backward(const float* y, const float* dy, int64_t rows, int64_t columns, float slope,
                                        float* dx, float* db, float* scratch);

/* ---- elementwise --------------------------------------------------------------------------------------- */

/*
 * What oneDNN has too, but without NaN, or not to a few units in the last place. NaN stays NaN; results may be
 * written over any operand.
 */

/** y = above·x if x > 0, else below·(eˣ − 1): ELU with above = 1, SELU with λ and λ·α. */
HADAL_API void hadal_elu(const float* x, int64_t n, float above, float below, float* y);

/** dx = dy·(above if y > 0, else y + below), for below ≥ 0. */
HADAL_API void hadal_elu_backward(const float* y, const float* dy, int64_t n, float above, float below, float* dx);

/** y = min(max(scale·x + shift, 0), limit) */
HADAL_API void hadal_clip(const float* x, int64_t n, float scale, float shift, float limit, float* y);

/** y = ln(1 + eˣ) */
HADAL_API void hadal_softplus(const float* x, int64_t n, float* y);

/** y = x·tanh ln(1 + eˣ) */
HADAL_API void hadal_mish(const float* x, int64_t n, float* y);

/** dx = dy·(t + x·(1 − t²) / (1 + e⁻ˣ)), with t = tanh ln(1 + eˣ). */
HADAL_API void hadal_mish_backward(const float* x, const float* dy, int64_t n, float* dx);

/** y = x·Φ(x) with Φ(x) = ½·(1 + erf(x/√2)); if tanh ≠ 0, with ½·(1 + tanh z) and z = √(2/π)·(x + 0.044715·x³). */
HADAL_API void hadal_gelu(const float* x, int64_t n, int tanh, float* y);

/** dx = dy·f′(x), with f as above. */
HADAL_API void hadal_gelu_backward(const float* x, const float* dy, int64_t n, int tanh, float* dx);

/**
 * y = a·b for a: [m,k], or [k,m] if transpose_a, b: [k,n], or [n,k] if transpose_b, and y: [m,n], summed in the order of
 * k with fused multiply-adds. For k·n of at most 4096, with n rounded up to a multiple of 16; by one thread.
 */
HADAL_API void hadal_small_matmul(const float* a, const float* b, int64_t m, int64_t k, int64_t n, int transpose_a,
                                  int transpose_b, float* y);

/**
 * dw = the gradient of the weights of a convolution of one group, from x: [images,H,W,channels] and dy:
 * [images,H',W',filters], both channels and filters being multiples of 16. axes holds, for the height and then the width,
 * the sizes of x and y, the taps, the stride, the dilation and the padding before. dw: [filters / 16, channels / 16, taps,
 * 16 channels, 16 filters], as oneDNN's OIhw16i16o. Bits do not depend on the number of threads.
 */
HADAL_API void hadal_convolution_weights(const float* x, const float* dy, int64_t images, int64_t channels,
                                         int64_t filters, const int64_t* axes, float* dw);

/** e ← β·e + (1−β)·w, the running average of n weights; nothing is written if *norm is not finite. */
HADAL_API void hadal_moving_average(float* e, const float* w, int64_t n, float beta, const float* norm);

/** y = g · min(1, limit / (‖g‖ + 10⁻⁶)), of one tensor by itself; y may be g. */
HADAL_API void hadal_clip_norm(const float* g, int64_t n, float limit, float* y);

/* ---- loss ---------------------------------------------------------------------------------------------- */

/**
 * Mean cross entropy of softmax(logits) against class labels, with label smoothing s in [0, 1); C = classes,
 * w the weights of the classes and v those of the samples, each 1 where the pointer is null.
 *
 *   z = x − max(x)      S = Σₖ exp(zₖ)      pₖ = exp(zₖ) / S
 *   t = (1−s)·onehot(label) + s/C
 *   loss = Σ_rows v·(−Σₖ tₖ·wₖ·log pₖ) / Σ_rows w_label
 *
 * logits and probabilities: [samples, places, classes]; labels: [samples, places]; sample_weights: [samples];
 * loss: one float, summed in double; where zₖ < −87, exp(zₖ) counts as 0. probabilities may be logits (in
 * place). Rows whose label is `ignore` count in neither sum. Any other label outside [0, classes), a row that
 * counts and holds NaN or +Inf or nothing but −Inf, and no rows that count make the loss NaN; nothing is read
 * out of bounds.
 */
HADAL_API void hadal_cross_entropy(const float* logits, const int32_t* labels, const float* class_weights,
                                   const float* sample_weights, int64_t samples, int64_t places,
                                   int64_t classes, float smoothing, int32_t ignore, float* loss,
                                   float* probabilities);

/**
 * dlogits = v · (p·Σₖ tₖ·wₖ − t·w) · dloss / Σ_rows w_label, with p, t, v and w as above; dloss: one float.
 * dlogits may be probabilities (in place). A label outside [0, classes) makes its row NaN, `ignore` makes it 0.
 */
HADAL_API void hadal_cross_entropy_backward(const float* probabilities, const int32_t* labels,
                                            const float* class_weights, const float* sample_weights,
                                            const float* dloss, int64_t samples, int64_t places,
                                            int64_t classes, float smoothing, int32_t ignore, float* dlogits);

/* ---- normalization ------------------------------------------------------------------------------------- */

/**
 * Normalization within each sample: of groups of channels (Wu and He 2018), or with one group and a plane of
 * one value, of rows (Ba, Kiros and Hinton 2016).
 *
 *   μ = mean(x)      σ² = mean((x − μ)²)      over a group's channels · plane values
 *   y = γ·(x − μ)/√(σ² + ε) + β
 *
 * x, y: [samples, groups, channels, plane]; scale γ and bias β: [groups, channels]; mean μ and variance σ²:
 * [samples, groups]. Where mean is null, so is bias, and μ and β are 0: root-mean-square
 * norm (Zhang and Sennrich 2019). y may be x (in place).
 */
HADAL_API void hadal_group_norm(const float* x, const float* scale, const float* bias, int64_t samples,
                                int64_t groups, int64_t channels, int64_t plane, float epsilon, float* y,
                                float* mean, float* variance);

/** How many floats of scratch the function below needs. */
HADAL_API int64_t hadal_group_norm_scratch(int64_t samples, int64_t groups, int64_t channels);

/**
 * Its gradient, from the statistics that it left.
 *
 *   ρ = 1/√(σ² + ε)      x̂ = ρ·(x − μ)      g = γ·dy      means over each group
 *   dx = ρ·(g − mean(g) − x̂·mean(g·x̂))      dγ = Σ dy·x̂      dβ = Σ dy
 *
 * Where mean is null, so is dbias, and mean(g) counts as 0. dx may be dy (in place).
 */
HADAL_API void hadal_group_norm_backward(const float* x, const float* dy, const float* scale,
                                         const float* mean, const float* variance, int64_t samples,
                                         int64_t groups, int64_t channels, int64_t plane, float epsilon,
                                         float* dx, float* dscale, float* dbias, float* scratch);

/**
 * Softmax along the second axis of x, y: [outer, length, inner], or its logarithm where log ≠ 0.
 *
 *   z = x − max(x)      S = Σ exp(z)      y = exp(z) / S      or y = z − log S
 *
 * Where z < −87, exp(z) counts as 0: what −Inf masks is exactly 0. What holds NaN or +Inf or nothing but −Inf
 * becomes NaN. y may be x (in place).
 */
HADAL_API void hadal_softmax(const float* x, int64_t outer, int64_t length, int64_t inner, int log, float* y);

/**
 * Its gradient from y: dx = y·(dy − Σ dy·y), or of the logarithm dx = dy − exp(y)·Σ dy. dx may be dy (in
 * place).
 */
HADAL_API void hadal_softmax_backward(const float* y, const float* dy, int64_t outer, int64_t length,
                                      int64_t inner, int log, float* dx);

/* ---- products of sparse weights --------------------------------------------------------------------------- */

/**
 * y = act(x·Wᵀ + bias) with x: [n, in], y: [n, out] and W: [out, in], of which blocks are kept of `height` values each,
 * one below the other in a column of W: block b is of the rows r·height … r·height + height − 1 of W if
 * starts[r] ≤ b < starts[r + 1], and of its column columns[b], and values: [blocks, height] holds it. All else in W is
 * zero and left out: a NaN in x meets only the weights that are kept. Blocks of height 1 make it CSR. Where out is no
 * multiple of height, what the last blocks hold beyond it is not used.
 *
 *   act(z) = z if z ≥ 0, else slope·z; NaN stays NaN      bias may be null
 *
 * Returns HADAL_FINE; or, with nothing written, the position of the first column outside [0, in), or, counted on from
 * `blocks`, that of the first start that is below the one before or outside [0, blocks]. Scratch: so many floats as the
 * function below says.
 */
HADAL_API int64_t hadal_sparse_matmul(const float* x, const float* values, const int32_t* columns,
                                      const int32_t* starts, const float* bias, int64_t n, int64_t in, int64_t out,
                                      int64_t blocks, int64_t height, float slope, float* y, float* scratch);

/** The same of bf16, added up in f32; y is f32, or bf16 if narrow ≠ 0. */
HADAL_API int64_t hadal_sparse_matmul_bf16(const uint16_t* x, const uint16_t* values, const int32_t* columns,
                                           const int32_t* starts, const float* bias, int64_t n, int64_t in,
                                           int64_t out, int64_t blocks, int64_t height, float slope, int narrow,
                                           void* y, float* scratch);

/** How many floats of scratch the functions above need. */
HADAL_API int64_t hadal_sparse_matmul_scratch(int64_t n, int64_t in, int64_t out, int64_t blocks, int64_t height,
                                              int bf16);

/* ---- pooling --------------------------------------------------------------------------------------------- */

/*
 * Images lie with their channels innermost: x is [images, H, W, channels], y is [images, H', W', channels]. Which
 * rows of x a row of y reads is told by `rows`, and likewise for `columns`, each as
 *
 *   { in, out, step, first[out], count[out], divisor[out], from[in], until[in] }
 *
 * with in = H and out = H' for rows, W and W' for columns: result o reads count[o] places, every step-th from
 * first[o] on; an average divides by the product of both divisors; place i is read by none but results
 * from[i] … until[i] − 1.
 */

/**
 * y = the largest value that it reads, and index = where in its plane that lies, as h·W + w. Of equal values the
 * first counts. NaN is larger than any value, and the last one counts.
 */
HADAL_API void hadal_max_pool(const float* x, const int32_t* rows, const int32_t* columns, int64_t images,
                              int64_t channels, float* y, int32_t* index);

/** dx = Σ dy over the results whose maximum was found there; in the order of the results. */
HADAL_API void hadal_max_pool_backward(const float* dy, const int32_t* index, const int32_t* rows,
                                       const int32_t* columns, int64_t images, int64_t channels, float* dx);

/** y = Σ x / divisor over what it reads, added up in row-major order. */
HADAL_API void hadal_average_pool(const float* x, const int32_t* rows, const int32_t* columns, int64_t images,
                                  int64_t channels, float* y);

/** dx = Σ dy / divisor over the results that read it; in the order of the results. */
HADAL_API void hadal_average_pool_backward(const float* dy, const int32_t* rows, const int32_t* columns,
                                           int64_t images, int64_t channels, float* dx);

/* The same, of bf16 values as uint16_t. */
HADAL_API void hadal_max_pool_bf16(const uint16_t* x, const int32_t* rows, const int32_t* columns, int64_t images,
                              int64_t channels, uint16_t* y, int32_t* index);
HADAL_API void hadal_max_pool_backward_bf16(const uint16_t* dy, const int32_t* index, const int32_t* rows,
                                       const int32_t* columns, int64_t images, int64_t channels, uint16_t* dx);
HADAL_API void hadal_average_pool_bf16(const uint16_t* x, const int32_t* rows, const int32_t* columns, int64_t images,
                                  int64_t channels, uint16_t* y);
HADAL_API void hadal_average_pool_backward_bf16(const uint16_t* dy, const int32_t* rows, const int32_t* columns,
                                           int64_t images, int64_t channels, uint16_t* dx);

/* ---- attention ----------------------------------------------------------------------------------------- */

/**
 * The mask of attention: y = scale * x where a query sees a key, and hidden elsewhere, for x and y: [n, heads, queries,
 * keys]. A query sees the first lengths[sample] keys, all if lengths is null; if causal, of those the first
 * query + 1 + keys - queries. y may be x.
 */
HADAL_API void hadal_attention_mask(const float* x, const int32_t* lengths, int64_t n, int64_t heads, int64_t queries,
                                    int64_t keys, int causal, float scale, float hidden, float* y);

/* ---- movement ------------------------------------------------------------------------------------------ */

/** The most axes that hadal_copy takes. */
#define HADAL_MAX_RANK 32

/**
 * Copies a box of 4-byte values, of either type, bit by bit: y[Σ iₐ·toₐ] = x[Σ iₐ·fromₐ] for 0 ≤ iₐ < lengthₐ.
 * Strides count values; one of 0 repeats, and a negative one walks backwards. A box of no values copies none.
 */
HADAL_API void hadal_copy(const void* x, void* y, int rank, const int64_t* lengths, const int64_t* from_strides,
                          const int64_t* to_strides);

/** The same of bytes. */
HADAL_API void hadal_copy_bytes(const void* x, void* y, int rank, const int64_t* lengths, const int64_t* from_strides,
                                const int64_t* to_strides);

/** yᵢ = the value of those bits. */
HADAL_API void hadal_fill(void* y, int64_t n, uint32_t bits);

/**
 * y[o, i, ·] = x[o, indices[i], ·] with x: [outer, rows, width] and y: [outer, count, width], of 4-byte values
 * of either type. Returns HADAL_FINE; or, with nothing written, the position of the first index outside [0, rows).
 */
HADAL_API int64_t hadal_gather(const void* x, const int32_t* indices, int64_t outer, int64_t rows, int64_t width,
                               int64_t count, void* y);

/**
 * y[o, indices[i], ·] += updates[o, i, ·] for i = 0, 1, …, in that order whatever the number of threads.
 * Shapes and result as for hadal_gather.
 */
HADAL_API int64_t hadal_scatter_add(float* y, const int32_t* indices, const float* updates, int64_t outer,
                                    int64_t rows, int64_t width, int64_t count);

/* ---- dropout --------------------------------------------------------------------------------------------- */

/**
 * yᵢ = xᵢ · scale where the upper 24 of the i-th 32 random bits are at least the threshold, else xᵢ · 0.
 *
 * The bits are Philox4x32-10's (Salmon et al. 2011): word i mod 4 of the block with the counter
 * (⌊i/4⌋, random[2], stream's low half, stream's high half) under the key (random[0], random[1]). n < 2³³;
 * y may be x (in place).
 */
HADAL_API void hadal_dropout(const float* x, int64_t n, const int32_t* random, int64_t stream, int threshold,
                             float scale, float* y);

/* ---- ceilings ------------------------------------------------------------------------------------------- */

enum hadal_peak_kind {
    HADAL_PEAK_F32,       /* multiply-adds of f32, in the widest registers that the processor has */
    HADAL_PEAK_BF16,      /* dot products of bf16, added up in f32 */
    HADAL_PEAK_INT8,      /* dot products of 8-bit integers, added up in 32 bits */
    HADAL_PEAK_TILE_BF16, /* the same two on matrix tiles */
    HADAL_PEAK_TILE_INT8,
    HADAL_PEAK_STREAM, /* four reads and three writes of memory, as an Adam step has them */
    HADAL_PEAK_COPY    /* a read and a write */
};

/**
 * What one core can do at most, measured for a fifth of a second: operations per second on registers, of which a
 * multiply-add is two, or bytes per second through n floats of memory, which it overwrites. 0 where the processor
 * lacks it. HADAL_ISA does not hold it back.
 */
HADAL_API double hadal_peak(int kind, float* memory, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
