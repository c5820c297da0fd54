/*
 * The arithmetic, compiled once per instruction set with HADAL_NAMESPACE set (see CMakeLists.txt).
 *
 * Plain loops that g++ turns into vector code. Two rules keep every instruction set at the same bits. No
 * multiply-add is contracted (-ffp-contract=off), so an element's result is what IEEE 754 says of the
 * formula, whatever the vector's width. And what is summed goes into kLanes partial sums, however many a
 * register holds.
 *
 * Include no header here that defines inline functions: the linker keeps one copy of each, which may be the
 * one compiled for AVX-512, and the processor without it then dies on that copy.
 */
#include "kernels.h"

namespace hadal {
namespace HADAL_NAMESPACE {
namespace {

constexpr float kInfinity = __builtin_inff();
constexpr float kNaN = __builtin_nanf("");

// As many floats as the widest register holds. Loops over `lane` are unrolled into registers.
constexpr int64_t kLanes = 16;

/** Σᵢ term(xᵢ), in double. */
template <class Term>
inline double sum(const float* x, int64_t n, Term term) {
    double lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t lane = 0; lane < kLanes; lane++) lanes[lane] += term((double)x[i + lane]);
    for (int64_t lane = 0; i + lane < n; lane++) lanes[lane] += term((double)x[i + lane]);
    for (int64_t half = kLanes / 2; half > 0; half /= 2)
        for (int64_t lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/** The largest xᵢ; −Inf if there is none. Of NaN it makes anything: exp(NaN − max) is NaN anyway. */
inline float max(const float* x, int64_t n) {
    float largest = -kInfinity;
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

inline uint32_t bits_of(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

inline float float_of(uint32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

/**
 * eˣ for x ≤ 0, within 1 unit in the last place; 0 for x < −87, where eˣ nears the subnormal range; NaN for
 * NaN.
 * x = n·ln 2 + r with |r| ≤ ln 2 / 2, and eʳ by the polynomial of Moshier's Cephes library (expf.c).
 */
inline float exp_of_negative(float x) {
    // Adding 1.5·2²³ leaves the nearest integer in the low bits of the sum.
    const float round = 12582912.0f;
    float shifted = x * 1.44269504088896341f + round;
    float n = shifted - round;
    float r = x - n * 0.693359375f;  // ln 2 in two parts; n times the first is exact
    r = r - n * -2.12194440e-4f;

    float y = 1.9875691500e-4f * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * (r * r) + r + 1.0f;

    float power = float_of((bits_of(shifted) - bits_of(round) + 127) << 23);  // 2ⁿ
    return x < -87.0f ? 0.0f : y * power;
}

// ---- optimizers -------------------------------------------------------------------------------------------

/** ‖x‖² = Σᵢ xᵢ² */
double sum_of_squares(const float* x, int64_t n) {
    return sum(x, n, [](double element) { return element * element; });
}

/**
 *   g' = g · clip
 *   m ← β₁·m + (1−β₁)·g'          m̂ = m · 1/(1−β₁ᵗ)
 *   v ← β₂·v + (1−β₂)·g'²         v̂ = v · 1/(1−β₂ᵗ)
 *   w ← w − η·(m̂ / (√v̂ + ε) + λ·w)
 */
void adamw(float* __restrict w, const float* __restrict g, float* __restrict m, float* __restrict v,
           int64_t n, const AdamwStep& step) {
    const AdamwStep s = step;
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * s.clip;
        float mi = s.beta1 * m[i] + (1.0f - s.beta1) * gi;
        float vi = s.beta2 * v[i] + (1.0f - s.beta2) * (gi * gi);
        float m_hat = mi * s.correction1;
        float v_hat = vi * s.correction2;
        m[i] = mi;
        v[i] = vi;
        w[i] = w[i] - s.rate * (m_hat / (__builtin_sqrtf(v_hat) + s.epsilon) + s.decay * w[i]);
    }
}

/**
 *   d  = g · clip + λ·w
 *   m ← μ·m + d
 *   w ← w − η·(nesterov ? d + μ·m : m)
 */
template <bool nesterov>
void momentum(float* __restrict w, const float* __restrict g, float* __restrict m, int64_t n, SgdStep s) {
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * s.clip + s.decay * w[i];
        float mi = s.momentum * m[i] + d;
        m[i] = mi;
        w[i] = w[i] - s.rate * (nesterov ? d + s.momentum * mi : mi);
    }
}

/** w ← w − η·(g · clip + λ·w) */
void descent(float* __restrict w, const float* __restrict g, int64_t n, SgdStep s) {
    for (int64_t i = 0; i < n; i++) w[i] = w[i] - s.rate * (g[i] * s.clip + s.decay * w[i]);
}

void sgd(float* w, const float* g, float* m, int64_t n, const SgdStep& step) {
    if (m == nullptr) {
        descent(w, g, n, step);
    } else if (step.nesterov) {
        momentum<true>(w, g, m, n, step);
    } else {
        momentum<false>(w, g, m, n, step);
    }
}

// ---- loss -------------------------------------------------------------------------------------------------

/** Per row: log S − (1−s)·z_label − s/C · Σₖ zₖ, and pₖ = exp(zₖ) / S. */
double cross_entropy(const float* logits, const int32_t* labels, int64_t rows, int64_t classes,
                     float smoothing, float* probabilities) {
    double loss = 0.0;
    for (int64_t row = 0; row < rows; row++) {
        const float* x = logits + row * classes;
        float* p = probabilities + row * classes;
        int32_t label = labels[row];
        bool known = 0 <= label && label < classes;
        float x_label = known ? x[label] : kNaN;  // read before p overwrites it

        // Σz = Σx − C·max. Without smoothing not even 0 · Σz: a logit of −Inf, which rules a class out,
        // makes it NaN.
        auto identity = [](double element) { return element; };
        float x_max = max(x, classes);
        double smoothed = 0.0;
        if (smoothing > 0.0f) {
            double sum_z = sum(x, classes, identity) - (double)classes * (double)x_max;
            smoothed = (double)smoothing / (double)classes * sum_z;
        }

#pragma omp simd
        for (int64_t k = 0; k < classes; k++) p[k] = exp_of_negative(x[k] - x_max);
        double s = sum(p, classes, identity);
        float per_s = (float)(1.0 / s);
        for (int64_t k = 0; k < classes; k++) p[k] *= per_s;

        double z_label = (double)(x_label - x_max);
        loss += __builtin_log(s) - (1.0 - (double)smoothing) * z_label - smoothed;
    }
    return loss;
}

/** dxₖ = (pₖ − tₖ) · scale, with t = (1−s)·onehot(label) + s/C. */
void cross_entropy_backward(const float* probabilities, const int32_t* labels, int64_t rows, int64_t classes,
                            float smoothing, float scale, float* dlogits) {
    const float off = smoothing / (float)classes;
    const float on = (1.0f - smoothing) + off;
    for (int64_t row = 0; row < rows; row++) {
        const float* p = probabilities + row * classes;
        float* dx = dlogits + row * classes;
        int32_t label = labels[row];
        bool known = 0 <= label && label < classes;
        float row_scale = known ? scale : kNaN;
        float p_label = known ? p[label] : kNaN;  // read before dx overwrites it
#pragma omp simd
        for (int64_t k = 0; k < classes; k++) dx[k] = (p[k] - off) * row_scale;
        if (known) dx[label] = (p_label - on) * scale;
    }
}

}  // namespace

#define HADAL_TEXT(x) #x
#define HADAL_NAME(x) HADAL_TEXT(x)
extern const Kernels kernels = {
    HADAL_NAME(HADAL_NAMESPACE), sum_of_squares, adamw, sgd, cross_entropy, cross_entropy_backward,
};

}  // namespace HADAL_NAMESPACE
}  // namespace hadal
