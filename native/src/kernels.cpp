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
#if defined(__ARM_NEON)
#include <arm_neon.h>  // one instruction set: nothing to mix up
#endif

#include "hadal.h"
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

/** *sum_a = Σ a and *sum_ab = Σ a·(b − shift), in double. */
inline void products(const float* b, const float* a, double shift, int64_t n, double* sum_a, double* sum_ab) {
    double lanes[kLanes] = {}, lanes_b[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t lane = 0; lane < kLanes; lane++) {
            lanes[lane] += (double)a[i + lane];
            lanes_b[lane] += (double)a[i + lane] * ((double)b[i + lane] - shift);
        }
    for (int64_t lane = 0; i + lane < n; lane++) {
        lanes[lane] += (double)a[i + lane];
        lanes_b[lane] += (double)a[i + lane] * ((double)b[i + lane] - shift);
    }
    for (int64_t half = kLanes / 2; half > 0; half /= 2)
        for (int64_t lane = 0; lane < half; lane++) {
            lanes[lane] += lanes[lane + half];
            lanes_b[lane] += lanes_b[lane + half];
        }
    *sum_a = lanes[0];
    *sum_ab = lanes_b[0];
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

// ---- bf16 -------------------------------------------------------------------------------------------------

inline float wide(uint16_t x) { return float_of((uint32_t)x << 16); }

/** To the nearest, ties to even; NaN stays NaN. */
inline uint16_t narrowed(float x) {
    uint32_t bits = bits_of(x);
    uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    return (uint16_t)(x == x ? rounded : bits >> 16 | 0x40);
}

// For kernels of n values of either type: as kept, and as computed with. g++ counts the lanes of a loop over both types
// by the shorter one, finds n too few, and takes them one by one; so vectors of n are spelled out.
template <int64_t n>
struct Vectors {
    typedef float Floats __attribute__((vector_size(n * sizeof(float))));
    typedef int32_t Integers __attribute__((vector_size(n * sizeof(int32_t))));
    typedef uint32_t Words __attribute__((vector_size(n * sizeof(uint32_t))));
    typedef uint16_t Halves __attribute__((vector_size(n * sizeof(uint16_t))));
};

template <int64_t n>
inline void get(const float* x, float* y) {
    for (int64_t lane = 0; lane < n; lane++) y[lane] = x[lane];
}

template <int64_t n>
inline void get(const uint16_t* x, float* y) {
    using Halves = typename Vectors<n>::Halves;
    using Words = typename Vectors<n>::Words;
    Halves halves;
    __builtin_memcpy(&halves, x, sizeof halves);
    Words words = __builtin_convertvector(halves, Words) << 16;
    __builtin_memcpy(y, &words, sizeof words);
}

template <int64_t n>
inline void put(const float* x, float* y) {
    for (int64_t lane = 0; lane < n; lane++) y[lane] = x[lane];
}

template <int64_t n>
inline void put(const float* x, uint16_t* y) {
    using Halves = typename Vectors<n>::Halves;
    using Words = typename Vectors<n>::Words;
    Words bits;
    __builtin_memcpy(&bits, x, sizeof bits);
    Words nan = (Words)((bits & 0x7FFFFFFF) > 0x7F800000);
    Words rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    Words kept = (nan & (bits >> 16 | 0x40)) | (~nan & rounded);
    Halves halves = __builtin_convertvector(kept, Halves);
    __builtin_memcpy(y, &halves, sizeof halves);
}

void narrow(const float* x, int64_t n, uint16_t* y) {
    for (int64_t i = 0; i < n; i++) y[i] = narrowed(x[i]);
}

void widen(const uint16_t* x, int64_t n, float* y) {
    for (int64_t i = 0; i < n; i++) y[i] = wide(x[i]);
}

// ---- optimizers -------------------------------------------------------------------------------------------

/** ‖x‖² = Σᵢ xᵢ² */
double sum_of_squares(const float* x, int64_t n) {
    return sum(x, n, [](double element) { return element * element; });
}

/**
 *   d = clamp(g · clip, ±value) + λ₂·w
 *   w ← w − η·(s + λ·w),  with s = rule(d, m₀, m₁, m₂)
 */
template <int moments, class Rule>
inline void each(float* __restrict w, const float* __restrict g, float* __restrict m0, float* __restrict m1,
                 float* __restrict m2, int64_t n, const UpdateStep& step, Rule rule) {
    const UpdateStep s = step;
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * s.clip;
        gi = gi > s.value ? s.value : gi;
        gi = gi < -s.value ? -s.value : gi;
        float x0 = moments > 0 ? m0[i] : 0.0f, x1 = moments > 1 ? m1[i] : 0.0f, x2 = moments > 2 ? m2[i] : 0.0f;
        float si = rule(s, gi + s.l2 * w[i], x0, x1, x2);
        if (moments > 0) m0[i] = x0;
        if (moments > 1) m1[i] = x1;
        if (moments > 2) m2[i] = x2;
        w[i] = w[i] - s.rate * (si + s.decay * w[i]);
    }
}

using Step = const UpdateStep&;

/** β·m + (1−β)·x */
inline float average(float beta, float m, float x) { return beta * m + (1.0f - beta) * x; }

template <bool centred, bool momentum>
void rmsprop(float* w, const float* g, float* m0, float* m1, float* m2, int64_t n, Step step) {
    each<1 + centred + momentum>(w, g, m0, m1, m2, n, step, [](Step s, float d, float& v, float& x1, float& x2) {
        v = average(s.a, v, d * d);
        float variance = v;
        if (centred) {
            x1 = average(s.a, x1, d);
            variance = v - x1 * x1;
            variance = variance < 0.0f ? 0.0f : variance;
        }
        float si = d / (__builtin_sqrtf(variance) + s.epsilon);
        if (!momentum) return si;
        float& m = centred ? x2 : x1;
        m = s.b * m + si;
        return m;
    });
}

void update(int rule, float* w, const float* g, float* m0, float* m1, float* m2, int64_t n, Step step) {
    switch (rule) {
        case HADAL_SGD:
            return each<0>(w, g, m0, m1, m2, n, step, [](Step, float d, float&, float&, float&) { return d; });
        case HADAL_MOMENTUM:
            return each<1>(w, g, m0, m1, m2, n, step, [](Step s, float d, float& m, float&, float&) {
                m = s.a * m + d;
                return m;
            });
        case HADAL_NESTEROV:
            return each<1>(w, g, m0, m1, m2, n, step, [](Step s, float d, float& m, float&, float&) {
                m = s.a * m + d;
                return d + s.a * m;
            });
        case HADAL_RMSPROP:
            return rmsprop<false, false>(w, g, m0, m1, m2, n, step);
        case HADAL_RMSPROP_MOMENTUM:
            return rmsprop<false, true>(w, g, m0, m1, m2, n, step);
        case HADAL_CENTRED:
            return rmsprop<true, false>(w, g, m0, m1, m2, n, step);
        case HADAL_CENTRED_MOMENTUM:
            return rmsprop<true, true>(w, g, m0, m1, m2, n, step);
        case HADAL_ADAM:
            return each<2>(w, g, m0, m1, m2, n, step, [](Step s, float d, float& m, float& v, float&) {
                m = average(s.a, m, d);
                v = average(s.b, v, d * d);
                return m * s.c1 / (__builtin_sqrtf(v * s.c2) + s.epsilon);
            });
        case HADAL_AMSGRAD:
            return each<3>(w, g, m0, m1, m2, n, step, [](Step s, float d, float& m, float& v, float& x) {
                m = average(s.a, m, d);
                v = average(s.b, v, d * d);
                x = x > v ? x : v;
                return m * s.c1 / (__builtin_sqrtf(x * s.c2) + s.epsilon);
            });
        case HADAL_NADAM:
            return each<2>(w, g, m0, m1, m2, n, step, [](Step s, float d, float& m, float& v, float&) {
                m = average(s.a, m, d);
                v = average(s.b, v, d * d);
                return (m * s.c1 + d * s.c3) / (__builtin_sqrtf(v * s.c2) + s.epsilon);
            });
        case HADAL_LION:
            return each<1>(w, g, m0, m1, m2, n, step, [](Step s, float d, float& m, float&, float&) {
                float u = average(s.a, m, d);
                m = average(s.b, m, d);
                return (u > 0.0f ? 1.0f : 0.0f) - (u < 0.0f ? 1.0f : 0.0f);
            });
    }
}

// ---- recurrent networks -----------------------------------------------------------------------------------

/** σ(x) = 1 / (1 + e⁻ˣ), through eˣ where x is negative, so that no digits are lost. */
inline float sigmoid(float x) {
    float e = exp_of_negative(x < 0.0f ? x : -x);
    float s = 1.0f / (1.0f + e);
    return x < 0.0f ? e * s : s;
}

/** tanh x; near zero, where 1 − e⁻²ˣ would cancel, by the polynomial of Cephes' tanhf.c. */
inline float tanh(float x) {
    float size = __builtin_fabsf(x);
    float e = exp_of_negative(-2.0f * size);
    float large = (1.0f - e) / (1.0f + e);
    float z = x * x;
    float y = -5.70498872745e-3f * z + 2.06390887954e-2f;
    y = y * z + -5.37397155531e-2f;
    y = y * z + 1.33314422036e-1f;
    y = y * z + -3.33332819422e-1f;
    float small = y * z * x + x;
    return size < 0.625f ? small : x < 0.0f ? -large : large;
}

inline float relu(float x) { return x < 0.0f ? 0.0f : x; }

/** h ← f(a + b) */
template <float f(float)>
void simple(int64_t hidden, const float* a, const float* b, const float* bias_a, const float* bias_b, float* h) {
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) h[j] = f((a[j] + bias_a[j]) + (b[j] + bias_b[j]));
}

void lstm(int64_t hidden, const float* a, const float* b, const float* bias_a, const float* bias_b, float* h,
          float* c, float* kept) {
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        int64_t j1 = hidden + j, j2 = 2 * hidden + j, j3 = 3 * hidden + j;
        float i = sigmoid((a[j] + bias_a[j]) + (b[j] + bias_b[j]));
        float f = sigmoid((a[j1] + bias_a[j1]) + (b[j1] + bias_b[j1]));
        float g = tanh((a[j2] + bias_a[j2]) + (b[j2] + bias_b[j2]));
        float o = sigmoid((a[j3] + bias_a[j3]) + (b[j3] + bias_b[j3]));
        float cj = f * c[j] + i * g;
        c[j] = cj;
        h[j] = o * tanh(cj);
        kept[j] = i;
        kept[j1] = f;
        kept[j2] = g;
        kept[j3] = o;
        kept[4 * hidden + j] = cj;
    }
}

void gru(int64_t hidden, const float* a, const float* b, const float* bias_a, const float* bias_b, float* h,
         float* kept) {
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        int64_t j1 = hidden + j, j2 = 2 * hidden + j;
        float r = sigmoid((a[j] + bias_a[j]) + (b[j] + bias_b[j]));
        float z = sigmoid((a[j1] + bias_a[j1]) + (b[j1] + bias_b[j1]));
        float q = b[j2] + bias_b[j2];
        float g = tanh((a[j2] + bias_a[j2]) + r * q);
        h[j] = (1.0f - z) * g + z * h[j];
        kept[j] = r;
        kept[j1] = z;
        kept[j2] = g;
        kept[3 * hidden + j] = q;
    }
}

void recurrent(int cell, int64_t hidden, const float* a, const float* b, const float* bias_a, const float* bias_b,
               float* h, float* c, float* kept) {
    switch (cell) {
        case HADAL_RNN_TANH: return simple<tanh>(hidden, a, b, bias_a, bias_b, h);
        case HADAL_RNN_RELU: return simple<relu>(hidden, a, b, bias_a, bias_b, h);
        case HADAL_LSTM: return lstm(hidden, a, b, bias_a, bias_b, h, c, kept);
        case HADAL_GRU: return gru(hidden, a, b, bias_a, bias_b, h, kept);
    }
}

/** da = f′·dh, with f′ told from y. */
template <bool relu>
void simple_backward(int64_t hidden, const RecurrentRow& row) {
    const RecurrentRow r = row;
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        float d = r.dh[j] + (r.dy == nullptr ? 0.0f : r.dy[j]);
        r.da[j] = relu ? (r.y[j] > 0.0f ? d : 0.0f) : d * (1.0f - r.y[j] * r.y[j]);
        r.dh[j] = 0.0f;
    }
}

/** dc' = dc + dh·o·(1 − tanh² c); the gates' gradients are those of c ← f·c + i·g and h ← o·tanh c. */
void lstm_backward(int64_t hidden, const RecurrentRow& row) {
    const RecurrentRow r = row;
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        int64_t j1 = hidden + j, j2 = 2 * hidden + j, j3 = 3 * hidden + j;
        float i = r.kept[j], f = r.kept[j1], g = r.kept[j2], o = r.kept[j3];
        float tanh_c = tanh(r.kept[4 * hidden + j]);
        float c = r.c == nullptr ? 0.0f : r.c[j];
        float dh = r.dh[j] + (r.dy == nullptr ? 0.0f : r.dy[j]);
        float dc = r.dc[j] + dh * o * (1.0f - tanh_c * tanh_c);
        r.da[j] = dc * g * i * (1.0f - i);
        r.da[j1] = dc * c * f * (1.0f - f);
        r.da[j2] = dc * i * (1.0f - g * g);
        r.da[j3] = dh * tanh_c * o * (1.0f - o);
        r.dc[j] = dc * f;
        r.dh[j] = 0.0f;
    }
}

/** Those of h ← (1 − z)·n + z·h and n = tanh(a₂ + r·b₂). */
void gru_backward(int64_t hidden, const RecurrentRow& row) {
    const RecurrentRow r = row;
#pragma omp simd
    for (int64_t j = 0; j < hidden; j++) {
        int64_t j1 = hidden + j, j2 = 2 * hidden + j;
        float reset = r.kept[j], z = r.kept[j1], g = r.kept[j2], q = r.kept[3 * hidden + j];
        float dh = r.dh[j] + (r.dy == nullptr ? 0.0f : r.dy[j]);
        float dn = dh * (1.0f - z) * (1.0f - g * g);
        float dr = dn * q * reset * (1.0f - reset);
        float dz = dh * (r.h[j] - g) * z * (1.0f - z);
        r.da[j] = dr;
        r.da[j1] = dz;
        r.da[j2] = dn;
        r.db[j] = dr;
        r.db[j1] = dz;
        r.db[j2] = dn * reset;
        r.dh[j] = dh * z;
    }
}

void recurrent_backward(int cell, int64_t hidden, const RecurrentRow& row) {
    switch (cell) {
        case HADAL_RNN_TANH: return simple_backward<false>(hidden, row);
        case HADAL_RNN_RELU: return simple_backward<true>(hidden, row);
        case HADAL_LSTM: return lstm_backward(hidden, row);
        case HADAL_GRU: return gru_backward(hidden, row);
    }
}

void column_sums(const float* x, int64_t rows, int64_t columns, int64_t stride, float* y) {
    for (int64_t j = 0; j < columns; j += kLanes) {
        int64_t count = columns - j < kLanes ? columns - j : kLanes;
        double lanes[kLanes] = {};
        if (count == kLanes) {
            for (int64_t i = 0; i < rows; i++)
                for (int64_t lane = 0; lane < kLanes; lane++) lanes[lane] += (double)x[i * stride + j + lane];
        } else {
            for (int64_t i = 0; i < rows; i++)
                for (int64_t lane = 0; lane < count; lane++) lanes[lane] += (double)x[i * stride + j + lane];
        }
        for (int64_t lane = 0; lane < count; lane++) y[j + lane] = (float)lanes[lane];
    }
}

void relu_bias_backward(const float* y, const float* dy, int64_t rows, int64_t columns, float slope, float* dx,
                        float* sums) {
    for (int64_t j = 0; j < columns; j++) sums[j] = 0.0f;
    for (int64_t i = 0; i < rows; i++) {
        const float *ys = y + i * columns, *dys = dy + i * columns;
        float* dxs = dx + i * columns;
#pragma omp simd
        for (int64_t j = 0; j < columns; j++) {
            float g = dys[j], below = slope * g;
            float d = ys[j] > 0.0f ? g : below;
            dxs[j] = d;
            sums[j] += d;
        }
    }
}

// ---- elementwise ------------------------------------------------------------------------------------------

/** eˣ − 1 = 2ⁿ·(eʳ − 1) + (2ⁿ − 1) for x ≤ 0, as above, without cancellation. */
inline float expm1_of_negative(float x) {
    const float round = 12582912.0f;
    float bounded = x < -30.0f ? -30.0f : x;
    float shifted = bounded * 1.44269504088896341f + round;
    float n = shifted - round;
    float r = bounded - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;

    float y = 1.9875691500e-4f * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * (r * r) + r;

    float power = float_of((bits_of(shifted) - bits_of(round) + 127) << 23);  // 2ⁿ
    return power * y + (power - 1.0f);
}

/** ln(1 + t) for 0 ≤ t ≤ 1: 2·artanh s with s = t/(2 + t), by its series. */
inline float log1p_of_share(float t) {
    float s = t / (2.0f + t);
    float z = s * s;
    float p = z * (1.0f / 15.0f) + 1.0f / 13.0f;
    p = p * z + 1.0f / 11.0f;
    p = p * z + 1.0f / 9.0f;
    p = p * z + 1.0f / 7.0f;
    p = p * z + 1.0f / 5.0f;
    p = p * z + 1.0f / 3.0f;
    return 2.0f * s + 2.0f * s * (z * p);
}

void elu(const float* x, int64_t n, float above, float below, float* y) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float xi = x[i];
        float curve = below * expm1_of_negative(xi > 0.0f ? 0.0f : xi);
        y[i] = xi > 0.0f ? above * xi : curve;
    }
}

void elu_backward(const float* y, const float* dy, int64_t n, float above, float below, float* dx) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (y[i] > 0.0f ? above : y[i] + below);
}

void clip(const float* x, int64_t n, float scale, float shift, float limit, float* y) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float v = scale * x[i] + shift;
        v = v < 0.0f ? 0.0f : v;  // in this order NaN passes
        y[i] = v > limit ? limit : v;
    }
}

/** max(x, 0) + ln(1 + e^−|x|) */
void softplus(const float* x, int64_t n, float* y) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float xi = x[i];
        y[i] = (xi > 0.0f ? xi : 0.0f) + log1p_of_share(exp_of_negative(-__builtin_fabsf(xi)));
    }
}

/** x·p/(p + q), with e = e^−|x|: p = 1 + 2e and q = 2e² if x > 0, else p = e² + 2e and q = 2. */
void mish(const float* x, int64_t n, float* y) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float xi = x[i];
        float e = exp_of_negative(-__builtin_fabsf(xi));
        float p = 2.0f * e + (xi > 0.0f ? 1.0f : e * e);
        float q = xi > 0.0f ? 2.0f * (e * e) : 2.0f;
        y[i] = xi * (p / (p + q));
    }
}

/** t + x·(1 − t²)·s, with t = p/(p + q) as above, 1 − t² = q·(2p + q)/(p + q)², and s = 1/(1 + e⁻ˣ). */
void mish_backward(const float* x, const float* dy, int64_t n, float* dx) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float xi = x[i];
        float e = exp_of_negative(-__builtin_fabsf(xi));
        float p = 2.0f * e + (xi > 0.0f ? 1.0f : e * e);
        float q = xi > 0.0f ? 2.0f * (e * e) : 2.0f;
        float s = (xi > 0.0f ? 1.0f : e) / (1.0f + e);
        float per = 1.0f / (p + q);
        dx[i] = dy[i] * (p * per + xi * ((q * per) * ((p + p + q) * per) * s));
    }
}

void weighted_sum(float a, const float* x, float b, const float* y, int64_t n, float* z) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) z[i] = a * x[i] + b * y[i];
}

// ---- loss -------------------------------------------------------------------------------------------------

/** Per row: (1−s)·w_label·(log S − z_label) + s/C · Σₖ wₖ·(log S − zₖ), and pₖ = exp(zₖ) / S. */
double cross_entropy(const float* logits, const int32_t* labels, int64_t begin, int64_t end,
                     const Targets& targets, float* probabilities) {
    const Targets t = targets;
    const int64_t classes = t.classes;
    double loss = 0.0;
    for (int64_t row = begin; row < end; row++) {
        const float* x = logits + row * classes;
        float* p = probabilities + row * classes;
        const int32_t label = labels[row];
        const bool known = 0 <= label && label < classes;
        const float x_label = known ? x[label] : kNaN;  // read before p overwrites it
        const double w_label = known && t.class_weights != nullptr ? (double)t.class_weights[label] : 1.0;

        // Σw·x. Without smoothing not even 0 · Σw·x: a logit of −Inf, which rules a class out, makes it NaN.
        double sum_w = (double)classes, sum_wx = 0.0;
        if (t.smoothing > 0.0f && t.class_weights == nullptr) {
            sum_wx = sum(x, classes, [](double element) { return element; });
        } else if (t.smoothing > 0.0f) {
            products(x, t.class_weights, 0.0, classes, &sum_w, &sum_wx);
        }

        const Softmax found = softmax_row(x, classes, false, p);
        if (label == t.ignore) continue;
        const double log_s = __builtin_log(found.sum);
        double row_loss = (1.0 - (double)t.smoothing) * w_label * (log_s - (double)(x_label - found.max));
        if (t.smoothing > 0.0f) {
            const double sum_wz = sum_wx - sum_w * (double)found.max;
            row_loss += (double)t.smoothing / (double)classes * (t.total_weight * log_s - sum_wz);
        }
        loss += t.sample_weights == nullptr ? row_loss : (double)t.sample_weights[row / t.places] * row_loss;
    }
    return loss;
}

/** dxₖ = (pₖ·Σ t·w − tₖ·wₖ) · scale · v, with t = (1−s)·onehot(label) + s/C; 0 where the label is ignored. */
void cross_entropy_backward(const float* probabilities, const int32_t* labels, int64_t begin, int64_t end,
                            const Targets& targets, double scale, float* dlogits) {
    const Targets t = targets;
    const int64_t classes = t.classes;
    const float off = t.smoothing / (float)classes;
    const float on = (1.0f - t.smoothing) + off;
    for (int64_t row = begin; row < end; row++) {
        const float* p = probabilities + row * classes;
        float* dx = dlogits + row * classes;
        const int32_t label = labels[row];
        if (label == t.ignore) {
            for (int64_t k = 0; k < classes; k++) dx[k] = 0.0f;
            continue;
        }
        const bool known = 0 <= label && label < classes;
        const double v = t.sample_weights == nullptr ? 1.0 : (double)t.sample_weights[row / t.places];
        const float row_scale = known ? (float)(scale * v) : kNaN;
        const float p_label = known ? p[label] : kNaN;  // read before dx overwrites it
        if (t.class_weights == nullptr) {
#pragma omp simd
            for (int64_t k = 0; k < classes; k++) dx[k] = (p[k] - off) * row_scale;
            if (known) dx[label] = (p_label - on) * row_scale;
        } else {
            const float w_label = known ? t.class_weights[label] : kNaN;
            const float total = (float)((1.0 - (double)t.smoothing) * (double)w_label +
                                        (double)t.smoothing / (double)classes * t.total_weight);
#pragma omp simd
            for (int64_t k = 0; k < classes; k++) dx[k] = (p[k] * total - off * t.class_weights[k]) * row_scale;
            if (known) dx[label] = (p_label * total - on * w_label) * row_scale;
        }
    }
}

// ---- normalization ----------------------------------------------------------------------------------------

void group_norm(const float* x, const float* scale, const float* bias, int64_t begin, int64_t end,
                const Groups& geometry, float* y, float* mean, float* variance) {
    const Groups g = geometry;
    if (g.plane == 1) {
        row_norm(x, scale, bias, begin, end, g, y, mean, variance);
        return;
    }
    const int64_t width = g.channels * g.plane;
    for (int64_t group = begin; group < end; group++) {
        const float* xs = x + group * width;
        float* ys = y + group * width;
        const float* gamma = scale + group % g.groups * g.channels;
        const float* beta = mean == nullptr ? nullptr : bias + group % g.groups * g.channels;

        double m = 0.0;
        if (mean != nullptr) {
            m = sum(xs, width, [](double element) { return element; }) / (double)width;
            mean[group] = (float)m;
        }
        double v = sum(xs, width, [m](double element) { return (element - m) * (element - m); });
        v /= (double)width;
        variance[group] = (float)v;
        const float mu = (float)m;
        const float rho = (float)(1.0 / __builtin_sqrt(v + (double)g.epsilon));

        for (int64_t c = 0; c < g.channels; c++) {
            const float a = gamma[c] * rho, b = beta == nullptr ? 0.0f : beta[c];
            const float* from = xs + c * g.plane;
            float* to = ys + c * g.plane;
#pragma omp simd
            for (int64_t j = 0; j < g.plane; j++) to[j] = (from[j] - mu) * a + b;
        }
    }
}

/** dx = ρ·γ·dy − ρ·mean(g) − ρ³·(x − μ)·mean(g·(x − μ)), with g = γ·dy; dγ = ρ·Σ dy·(x − μ), dβ = Σ dy. */
void group_norm_backward(const float* x, const float* dy, const float* scale, const float* mean,
                         const float* variance, int64_t begin, int64_t end, int64_t group,
                         const Groups& geometry, float* dx, float* const* sums) {
    const Groups g = geometry;
    if (g.plane == 1) {
        row_norm_backward(x, dy, scale, mean, variance, begin, end, group, g, dx, sums);
        return;
    }
    const int64_t width = g.channels * g.plane;
    const float* gamma = scale + group * g.channels;
    float* dscale = sums[0];
    float* dbias = sums[1];
    for (int64_t c = 0; c < g.channels; c++) dscale[c] = 0.0f;
    for (int64_t c = 0; c < g.channels && dbias != nullptr; c++) dbias[c] = 0.0f;

    for (int64_t sample = begin; sample < end; sample++) {
        const int64_t at = sample * g.groups + group;
        const float* xs = x + at * width;
        const float* dys = dy + at * width;
        float* dxs = dx + at * width;
        const float mu = mean == nullptr ? 0.0f : mean[at];
        const double rho = 1.0 / __builtin_sqrt((double)variance[at] + (double)g.epsilon);
        const float r = (float)rho;

        double sum_g = 0.0, sum_gx = 0.0;
        for (int64_t c = 0; c < g.channels; c++) {
            double sum_dy, sum_dyx;
            products(xs + c * g.plane, dys + c * g.plane, mu, g.plane, &sum_dy, &sum_dyx);
            sum_g += (double)gamma[c] * sum_dy;
            sum_gx += (double)gamma[c] * sum_dyx;
            dscale[c] += (float)(rho * sum_dyx);
            if (dbias != nullptr) dbias[c] += (float)sum_dy;
        }
        const float a = mean == nullptr ? 0.0f : (float)(rho * sum_g / (double)width);
        const float b = (float)(rho * rho * rho * sum_gx / (double)width);
        for (int64_t c = 0; c < g.channels; c++) {
            const float factor = gamma[c] * r;
            const float *from = xs + c * g.plane, *dfrom = dys + c * g.plane;
            float* to = dxs + c * g.plane;
#pragma omp simd
            for (int64_t j = 0; j < g.plane; j++) to[j] = dfrom[j] * factor - a - (from[j] - mu) * b;
        }
    }
}

// ---- softmax ----------------------------------------------------------------------------------------------

/** With z = x − max(x) and S = Σ eᶻ: y = eᶻ / S, or y = z − log S. */
void softmax(const float* x, int64_t lines, int64_t length, int64_t stride, bool log, float* y) {
    if (stride == 1) {
        softmax_row(x, length, log, y);
        return;
    }
    float largest[kLinesAtOnce], factor[kLinesAtOnce];
    double s[kLinesAtOnce];
    for (int64_t l = 0; l < lines; l++) {
        largest[l] = -kInfinity;
        s[l] = 0.0;
    }
    for (int64_t k = 0; k < length; k++) {
        const float* xs = x + k * stride;
#pragma omp simd
        for (int64_t l = 0; l < lines; l++) largest[l] = xs[l] > largest[l] ? xs[l] : largest[l];
    }
    for (int64_t k = 0; k < length; k++) {
        const float* xs = x + k * stride;
        float* ys = y + k * stride;
#pragma omp simd
        for (int64_t l = 0; l < lines; l++) {
            const float z = xs[l] - largest[l], e = exp_of_negative(z);
            s[l] += (double)e;
            ys[l] = log ? z : e;
        }
    }
    for (int64_t l = 0; l < lines; l++) factor[l] = (float)(log ? __builtin_log(s[l]) : 1.0 / s[l]);
    for (int64_t k = 0; k < length; k++) {
        float* ys = y + k * stride;
#pragma omp simd
        for (int64_t l = 0; l < lines; l++) ys[l] = log ? ys[l] - factor[l] : ys[l] * factor[l];
    }
}

/** With s = Σ dy·y: dx = y·(dy − s). Of the logarithm, with s = Σ dy: dx = dy − eʸ·s. */
void softmax_backward(const float* y, const float* dy, int64_t lines, int64_t length, int64_t stride, bool log,
                      float* dx) {
    if (stride == 1) {
        softmax_row_backward(y, dy, length, log, dx);
        return;
    }
    double sums[kLinesAtOnce];
    for (int64_t l = 0; l < lines; l++) sums[l] = 0.0;
    for (int64_t k = 0; k < length; k++) {
        const float *ys = y + k * stride, *dys = dy + k * stride;
#pragma omp simd
        for (int64_t l = 0; l < lines; l++) sums[l] += log ? (double)dys[l] : (double)dys[l] * (double)ys[l];
    }
    for (int64_t k = 0; k < length; k++) {
        const float *ys = y + k * stride, *dys = dy + k * stride;
        float* dxs = dx + k * stride;
#pragma omp simd
        for (int64_t l = 0; l < lines; l++) {
            const float s = (float)sums[l];
            dxs[l] = log ? dys[l] - exp_of_negative(ys[l]) * s : ys[l] * (dys[l] - s);
        }
    }
}

// ---- pooling ----------------------------------------------------------------------------------------------

/** Calls f<n>(c) for channels [c, c + n), in vectors as wide as there are channels for. */
template <class Vector>
inline void over_channels(int64_t channels, Vector f) {
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) f.template run<kLanes>(c);
    for (; c + 8 <= channels; c += 8) f.template run<8>(c);
    for (; c < channels; c++) f.template run<1>(c);
}

/** y and index of one place. */
template <class T>
struct Largest {
    const Pooling& p;
    const T* x;
    int32_t first_row, row_count, first_column, column_count;
    T* y;
    int32_t* index;

    template <int64_t n>
    inline void run(int64_t c) const {
        const int32_t start = first_row * p.columns.in + first_column;
        typename Vectors<n>::Floats best{}, next{};  // unlike arrays, vectors stay in registers
        typename Vectors<n>::Integers found = start - typename Vectors<n>::Integers{};
        get<n>(x + (int64_t)start * p.channels + c, (float*)&best);
        for (int32_t kh = 0; kh < row_count; kh++) {
            int32_t place = (first_row + kh * p.rows.step) * p.columns.in + first_column;
            for (int32_t kw = 0; kw < column_count; kw++, place += p.columns.step) {
                get<n>(x + (int64_t)place * p.channels + c, (float*)&next);
                typename Vectors<n>::Integers larger = (next > best) | (next != next);
                best = larger ? next : best;
                found = larger ? place - typename Vectors<n>::Integers{} : found;
            }
        }
        put<n>((const float*)&best, y + c);
        __builtin_memcpy(index + c, &found, sizeof found);
    }
};

template <class T>
void max_pool(const Pooling& p, int64_t row, const T* x, T* y, int32_t* index) {
    for (int64_t column = 0; column < p.columns.out; column++) {
        over_channels(p.channels, Largest<T>{p, x, p.rows.first[row], p.rows.count[row], p.columns.first[column],
                                          p.columns.count[column], y + column * p.channels,
                                          index + column * p.channels});
    }
}

/** y of one place. */
template <class T>
struct Mean {
    const Pooling& p;
    const T* x;
    int32_t first_row, row_count, first_column, column_count;
    float divisor;
    T* y;

    template <int64_t n>
    inline void run(int64_t c) const {
        float sums[n] = {};
        for (int32_t kh = 0; kh < row_count; kh++) {
            int64_t place = (int64_t)(first_row + kh * p.rows.step) * p.columns.in + first_column;
            for (int32_t kw = 0; kw < column_count; kw++, place += p.columns.step) {
                float at[n];
                get<n>(x + place * p.channels + c, at);
                for (int64_t lane = 0; lane < n; lane++) sums[lane] += at[lane];
            }
        }
        for (int64_t lane = 0; lane < n; lane++) sums[lane] /= divisor;
        put<n>(sums, y + c);
    }
};

template <class T>
void average_pool(const Pooling& p, int64_t row, const T* x, T* y) {
    for (int64_t column = 0; column < p.columns.out; column++) {
        float divisor = (float)p.rows.divisor[row] * (float)p.columns.divisor[column];
        over_channels(p.channels, Mean<T>{p, x, p.rows.first[row], p.rows.count[row], p.columns.first[column],
                                       p.columns.count[column], divisor, y + column * p.channels});
    }
}

/** Whether result o, one of those from[at] … until[at] − 1, reads that place: a dilation leaves gaps. */
inline bool reads(const Bins& bins, int32_t o, int64_t at) {
    int64_t distance = at - bins.first[o];
    return distance >= 0 && (bins.step == 1 || distance % bins.step == 0) &&
           distance / bins.step < bins.count[o];
}

/** dx of one place, from the results that read it. */
template <bool largest, class T>
struct Gathered {
    const Pooling& p;
    const T* dy;
    const int32_t* index;
    int64_t row, column;
    T* dx;

    template <int64_t n>
    inline void run(int64_t c) const {
        float sums[n] = {};
        const int32_t place = (int32_t)(row * p.columns.in + column);
        for (int32_t oh = p.rows.from[row]; oh < p.rows.until[row]; oh++) {
            if (!reads(p.rows, oh, row)) continue;
            for (int32_t ow = p.columns.from[column]; ow < p.columns.until[column]; ow++) {
                if (!reads(p.columns, ow, column)) continue;
                const int64_t at = ((int64_t)oh * p.columns.out + ow) * p.channels + c;
                float g[n];
                get<n>(dy + at, g);
                if (largest) {
#pragma omp simd
                    for (int64_t lane = 0; lane < n; lane++) {
                        float value = g[lane];  // in any case: a branch would go either way at random
                        sums[lane] += index[at + lane] == place ? value : 0.0f;
                    }
                } else {
                    float divisor = (float)p.rows.divisor[oh] * (float)p.columns.divisor[ow];
                    for (int64_t lane = 0; lane < n; lane++) sums[lane] += g[lane] / divisor;
                }
            }
        }
        put<n>(sums, dx + c);
    }
};

/** dx of a place that one result alone reads: dy or 0. */
template <class T>
struct Picked {
    const T* dy;
    const int32_t* index;
    int32_t place;
    T* dx;

    template <int64_t n>
    static inline void masks(const typename Vectors<n>::Integers& hit, typename Vectors<n>::Integers& mask) {
        mask = hit;
    }

    template <int64_t n>
    static inline void masks(const typename Vectors<n>::Integers& hit, typename Vectors<n>::Halves& mask) {
        mask = __builtin_convertvector(hit, typename Vectors<n>::Halves);
    }

    template <class Bits, int64_t n>
    inline void bits(int64_t c) const {
        typename Vectors<n>::Integers from;
        Bits mask, value;
        __builtin_memcpy(&from, index + c, sizeof from);
        __builtin_memcpy(&value, dy + c, sizeof value);
        masks<n>(from == place, mask);
        value &= mask;
        __builtin_memcpy(dx + c, &value, sizeof value);
    }

    template <int64_t n>
    inline void run(int64_t c) const {
        if (sizeof(T) == sizeof(float)) {
            bits<typename Vectors<n>::Integers, n>(c);
        } else {
            bits<typename Vectors<n>::Halves, n>(c);
        }
    }
};

constexpr int32_t kNone = -1, kSeveral = -2;

/** The result that reads a place, if it is the only one. */
inline int32_t reader(const Bins& bins, int64_t at) {
    int32_t found = kNone;
    for (int32_t o = bins.from[at]; o < bins.until[at]; o++) {
        if (!reads(bins, o, at)) continue;
        if (found != kNone) return kSeveral;
        found = o;
    }
    return found;
}

template <class T>
void max_pool_backward(const Pooling& p, int64_t row, const T* dy, const int32_t* index, T* dx) {
    const int32_t oh = reader(p.rows, row);
    for (int64_t column = 0; column < p.columns.in; column++, dx += p.channels) {
        const int32_t ow = reader(p.columns, column);
        if (oh == kSeveral || ow == kSeveral) {
            over_channels(p.channels, Gathered<true, T>{p, dy, index, row, column, dx});
        } else if (oh == kNone || ow == kNone) {
            __builtin_memset(dx, 0, p.channels * sizeof(T));
        } else {
            const int64_t at = ((int64_t)oh * p.columns.out + ow) * p.channels;
            const int32_t place = (int32_t)(row * p.columns.in + column);
            over_channels(p.channels, Picked<T>{dy + at, index + at, place, dx});
        }
    }
}

template <class T>
void average_pool_backward(const Pooling& p, int64_t row, const T* dy, T* dx) {
    for (int64_t column = 0; column < p.columns.in; column++)
        over_channels(p.channels, Gathered<false, T>{p, dy, nullptr, row, column, dx + column * p.channels});
}

// ---- dropout ----------------------------------------------------------------------------------------------

// A word of each of so many blocks, in the lower halves; no product reads what is in the upper ones.
#if defined(__AVX512F__)
constexpr int64_t kBlocks = 8;
#elif defined(__AVX2__)
constexpr int64_t kBlocks = 4;
#else
constexpr int64_t kBlocks = 2;
#endif
typedef uint64_t Words __attribute__((vector_size(kBlocks * sizeof(uint64_t))));
typedef int32_t Halves __attribute__((vector_size(sizeof(Words))));
typedef long long Products __attribute__((vector_size(sizeof(Words))));

/** The products of the lower halves: one instruction, which g++ does not find by itself. */
inline Words products_of(Words x, uint32_t factor) {
    const Words factors = factor - Words{};
#if defined(__AVX512F__)
    return (Words)__builtin_ia32_pmuludq512_mask((Halves)x, (Halves)factors, Products{}, -1);
#elif defined(__AVX2__)
    return (Words)__builtin_ia32_pmuludq256((Halves)x, (Halves)factors);
#elif defined(__SSE2__)
    return (Words)__builtin_ia32_pmuludq128((Halves)x, (Halves)factors);
#elif defined(__ARM_NEON)
    return (Words)vmull_u32(vmovn_u64((uint64x2_t)x), vmovn_u64((uint64x2_t)factors));
#else
    return (x & 0xFFFFFFFFu) * factors;
#endif
}

/** The words of kLanes blocks of Philox4x32-10 from the block `index` on, one after the other. */
inline void philox(uint32_t index, const uint32_t* key, const uint32_t* counter, uint32_t* words) {
    constexpr int64_t kChains = 2;  // side by side, because a round waits for the one before
    Words count = {}, order[2] = {};
    for (int64_t i = 0; i < kBlocks; i++) {
        count[i] = (uint64_t)i;
        order[i / (kBlocks / 2)][2 * i % kBlocks] = (uint64_t)i;
        order[i / (kBlocks / 2)][2 * i % kBlocks + 1] = (uint64_t)(kBlocks + i);
    }
    for (int64_t first = 0; first < kLanes; first += kChains * kBlocks) {
        Words c0[kChains], c1[kChains], c2[kChains], c3[kChains];
        for (int64_t chain = 0; chain < kChains; chain++) {
            c0[chain] = count + (index + (uint64_t)(first + chain * kBlocks));
            c1[chain] = counter[0] - Words{};
            c2[chain] = counter[1] - Words{};
            c3[chain] = counter[2] - Words{};
        }
        uint32_t k0 = key[0], k1 = key[1];
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
#pragma GCC unroll 2
            for (int64_t chain = 0; chain < kChains; chain++) {
                const Words p0 = products_of(c0[chain], 0xD2511F53u), p1 = products_of(c2[chain], 0xCD9E8D57u);
                c0[chain] = (p1 >> 32) ^ c1[chain] ^ k0;
                c2[chain] = (p0 >> 32) ^ c3[chain] ^ k1;
                c1[chain] = p1;
                c3[chain] = p0;
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
#pragma GCC unroll 2
        for (int64_t chain = 0; chain < kChains; chain++) {
            const Words low = (c0[chain] & 0xFFFFFFFFu) | c1[chain] << 32;
            const Words high = (c2[chain] & 0xFFFFFFFFu) | c3[chain] << 32;
            for (const Words& places : order) {
                const Words some = __builtin_shuffle(low, high, places);
                __builtin_memcpy(words, &some, sizeof some);
                words += 2 * kBlocks;
            }
        }
    }
}

/** yᵢ = xᵢ · (the upper 24 bits of word i ≥ threshold ? scale : 0) */
void dropout(const float* x, int64_t begin, int64_t end, const uint32_t* key, const uint32_t* counter,
             uint32_t threshold, float scale, float* y) {
    uint32_t words[4 * kLanes];
    for (int64_t i = begin; i < end; i += 4 * kLanes) {
        philox((uint32_t)(i / 4), key, counter, words);
        const float* from = x + i;
        float* to = y + i;
        if (end - i >= 4 * kLanes) {
#pragma omp simd
            for (int64_t k = 0; k < 4 * kLanes; k++)
                to[k] = from[k] * ((words[k] >> 8) >= threshold ? scale : 0.0f);
        } else {
            for (int64_t k = 0; k < end - i; k++)
                to[k] = from[k] * ((words[k] >> 8) >= threshold ? scale : 0.0f);
        }
    }
}

}  // namespace

#define HADAL_TEXT(x) #x
#define HADAL_NAME(x) HADAL_TEXT(x)
extern const Kernels kernels = {
    .name = HADAL_NAME(HADAL_NAMESPACE),
    .sparse = &sparse,
    .sparse_bf16 = &sparse_bf16,
    .sum_of_squares = sum_of_squares,
    .update = update,
    .narrow = narrow,
    .widen = widen,
    .weighted_sum = weighted_sum,
    .recurrent = recurrent,
    .recurrent_backward = recurrent_backward,
    .column_sums = column_sums,
    .relu_bias_backward = relu_bias_backward,
    .elu = elu,
    .elu_backward = elu_backward,
    .clip = clip,
    .softplus = softplus,
    .mish = mish,
    .mish_backward = mish_backward,
    .gelu = gelu,
    .gelu_backward = gelu_backward,
    .small_matmul = small_matmul,
    .convolution_weights = convolution_weights,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
    .group_norm = group_norm,
    .group_norm_backward = group_norm_backward,
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .max_pool = max_pool<float>,
    .average_pool = average_pool<float>,
    .max_pool_backward = max_pool_backward<float>,
    .average_pool_backward = average_pool_backward<float>,
    .max_pool_bf16 = max_pool<uint16_t>,
    .average_pool_bf16 = average_pool<uint16_t>,
    .max_pool_backward_bf16 = max_pool_backward<uint16_t>,
    .average_pool_backward_bf16 = average_pool_backward<uint16_t>,
    .quantize = quantize,
    .dequantize = dequantize,
    .add_bytes = add_bytes,
    .max_pool_bytes = max_pool_bytes,
    .average_pool_bytes = average_pool_bytes,
    .linear_bytes = linear_bytes,
    .dropout = dropout,
};

}  // namespace HADAL_NAMESPACE
}  // namespace hadal
