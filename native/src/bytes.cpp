/*
 * Quantized values, compiled once per instruction set as kernels.cpp is, under the same rules. Sums of integers are exact,
 * and what is rounded after them is rounded the same everywhere.
 */
#if defined(__AVX512F__)
#include <immintrin.h>  // its functions are always inlined
#endif

#include "hadal.h"
#include "kernels.h"

namespace hadal {
namespace HADAL_NAMESPACE {
namespace {

/**
 * The nearest integer, ties to even, between least and greatest; NaN becomes 0 if that is between them. Adding and
 * subtracting 1.5·2²³ rounds what is smaller.
 */
inline int32_t rounded(float x, float least, float greatest) {
    const float round = 12582912.0f;
    x = x == x ? x : 0.0f;
    x = x < least ? least : x;
    x = x > greatest ? greatest : x;
    return (int32_t)((x + round) - round);
}

inline uint8_t byte_of(float x, const Bytes& to) {
    return (uint8_t)((uint8_t)(rounded(x, to.least, to.greatest) + to.zero) ^ to.flip);
}

}  // namespace

void quantize(const float* x, int64_t n, float inverse, const Bytes& to, uint8_t* q) {
    const Bytes t = to;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) q[i] = byte_of(x[i] * inverse, t);
}

void dequantize(const uint8_t* q, int64_t n, float scale, const Bytes& from, float* x) {
    const Bytes f = from;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) x[i] = scale * (float)((int32_t)(uint8_t)(q[i] ^ f.flip) - f.zero);
}

void add_bytes(const uint8_t* a, float scale_a, const Bytes& from_a, const uint8_t* b, float scale_b,
               const Bytes& from_b, int64_t n, const Bytes& to, uint8_t* y) {
    const Bytes fa = from_a, fb = from_b, t = to;
#pragma GCC ivdep  // y may be a or b, element by element
    for (int64_t i = 0; i < n; i++) {
        float x = scale_a * (float)((int32_t)(uint8_t)(a[i] ^ fa.flip) - fa.zero) +
                  scale_b * (float)((int32_t)(uint8_t)(b[i] ^ fb.flip) - fb.zero);
        y[i] = byte_of(x, t);
    }
}

// ---- pooling ----------------------------------------------------------------------------------------------

namespace {

constexpr int64_t kChannelsAtOnce = 64;

/** Calls f(c, n) for pieces of the channels. */
template <class F>
inline void in_pieces(int64_t channels, F f) {
    for (int64_t c = 0; c < channels; c += kChannelsAtOnce)
        f(c, channels - c < kChannelsAtOnce ? channels - c : kChannelsAtOnce);
}

/** y and index of one place, channel by channel. */
void max_of_large_window(const Pooling& p, int64_t row, int64_t column, const uint8_t* x, int flip, uint8_t* y,
                         int32_t* index) {
    for (int64_t c = 0; c < p.channels; c++) {
        int32_t best = -1;
        for (int32_t kh = 0; kh < p.rows.count[row]; kh++) {
            int32_t line = (p.rows.first[row] + kh * p.rows.step) * p.columns.in + p.columns.first[column];
            for (int32_t kw = 0; kw < p.columns.count[column]; kw++) {
                int32_t place = line + kw * p.columns.step;
                int32_t value = (uint8_t)(x[(int64_t)place * p.channels + c] ^ flip);
                if (value <= best) continue;
                best = value;
                index[column * p.channels + c] = place;
            }
        }
        y[column * p.channels + c] = (uint8_t)(best ^ flip);
    }
}

}  // namespace

void max_pool_bytes(const Pooling& p, int64_t row, const uint8_t* x, int flip, uint8_t* y, int32_t* index) {
    // Where in its window the largest lies is kept as two bytes, so that all lanes of a register are of use.
    for (int64_t column = 0; column < p.columns.out; column++) {
        const int32_t first = p.rows.first[row] * p.columns.in + p.columns.first[column];
        const int32_t high = p.rows.count[row], wide = p.columns.count[column];
        if (high > 256 || wide > 256) {
            max_of_large_window(p, row, column, x, flip, y, index);
            continue;
        }
        in_pieces(p.channels, [&](int64_t c, int64_t n) {
            uint8_t best[kChannelsAtOnce] = {}, at_row[kChannelsAtOnce] = {}, at_column[kChannelsAtOnce] = {};
            const uint8_t* at = x + (int64_t)first * p.channels + c;
            for (int64_t i = 0; i < n; i++) best[i] = (uint8_t)(at[i] ^ flip);
            for (int32_t kh = 0; kh < high; kh++) {
                for (int32_t kw = 0; kw < wide; kw++) {
                    const uint8_t* next = at + (int64_t)(kh * p.rows.step * p.columns.in + kw * p.columns.step) * p.channels;
                    for (int64_t i = 0; i < n; i++) {
                        uint8_t value = (uint8_t)(next[i] ^ flip);
                        bool larger = value > best[i];
                        at_row[i] = larger ? (uint8_t)kh : at_row[i];
                        at_column[i] = larger ? (uint8_t)kw : at_column[i];
                        best[i] = larger ? value : best[i];
                    }
                }
            }
            const int64_t to = column * p.channels + c;
            for (int64_t i = 0; i < n; i++) y[to + i] = (uint8_t)(best[i] ^ flip);
            for (int64_t i = 0; i < n; i++)
                index[to + i] = first + at_row[i] * p.rows.step * p.columns.in + at_column[i] * p.columns.step;
        });
    }
}

void average_pool_bytes(const Pooling& p, int64_t row, const uint8_t* x, const Bytes& from, float scale, const Bytes& to,
                        uint8_t* y, float* real) {
    for (int64_t column = 0; column < p.columns.out; column++) {
        const int32_t first = p.rows.first[row] * p.columns.in + p.columns.first[column];
        const float share = scale / ((float)p.rows.divisor[row] * (float)p.columns.divisor[column]);
        const int32_t places = p.rows.count[row] * p.columns.count[column];
        in_pieces(p.channels, [&](int64_t c, int64_t n) {
            int32_t sums[kChannelsAtOnce];
            for (int64_t i = 0; i < n; i++) sums[i] = -places * from.zero;
            for (int32_t kh = 0; kh < p.rows.count[row]; kh++) {
                int32_t place = first + kh * p.rows.step * p.columns.in;
                for (int32_t kw = 0; kw < p.columns.count[column]; kw++, place += p.columns.step) {
                    const uint8_t* next = x + (int64_t)place * p.channels + c;
                    for (int64_t i = 0; i < n; i++) sums[i] += (uint8_t)(next[i] ^ from.flip);
                }
            }
            const int64_t at = column * p.channels + c;
            if (real != nullptr) {
                for (int64_t i = 0; i < n; i++) real[at + i] = share * (float)sums[i];
            } else {
                for (int64_t i = 0; i < n; i++) y[at + i] = byte_of(share * (float)sums[i], to);
            }
        });
    }
}

// ---- products ---------------------------------------------------------------------------------------------

namespace {

constexpr int64_t kRowsAtOnce = 4;

/** products[r] = Σ x·w and sums[r] = Σ w of kRowsAtOnce rows of w. */
void dots(const uint8_t* x, const int8_t* w, int64_t k, int32_t* products, int32_t* sums) {
    for (int64_t r = 0; r < kRowsAtOnce; r++) {
        const int8_t* row = w + r * k;
        int32_t product = 0, sum = 0;
        for (int64_t i = 0; i < k; i++) {
            product += (int32_t)x[i] * (int32_t)row[i];
            sum += row[i];
        }
        products[r] = product;
        sums[r] = sum;
    }
}

#if defined(__AVX512F__)

#define HADAL_VNNI __attribute__((target("avx512vnni")))

/** The sum of the lanes. */
HADAL_VNNI inline int32_t total(__m512i x) {
    int32_t lanes[16];
    _mm512_storeu_si512(lanes, x);
    int32_t sum = 0;
    for (int lane = 0; lane < 16; lane++) sum += lanes[lane];
    return sum;
}

/** The same by one instruction for 64 products, which adds four of them to a sum exactly. */
template <bool summed>
HADAL_VNNI void dots_vnni(const uint8_t* x, const int8_t* w, int64_t k, int32_t* products, int32_t* sums) {
    __m512i p0 = _mm512_setzero_si512(), p1 = p0, p2 = p0, p3 = p0, s0 = p0, s1 = p0, s2 = p0, s3 = p0;
    const __m512i ones = _mm512_set1_epi8(1);
    const int8_t *w0 = w, *w1 = w + k, *w2 = w + 2 * k, *w3 = w + 3 * k;
    int64_t i = 0;
    for (; i + 64 <= k; i += 64) {
        __m512i at = _mm512_loadu_si512(x + i);
        __m512i a = _mm512_loadu_si512(w0 + i), b = _mm512_loadu_si512(w1 + i);
        __m512i c = _mm512_loadu_si512(w2 + i), d = _mm512_loadu_si512(w3 + i);
        p0 = _mm512_dpbusd_epi32(p0, at, a);
        p1 = _mm512_dpbusd_epi32(p1, at, b);
        p2 = _mm512_dpbusd_epi32(p2, at, c);
        p3 = _mm512_dpbusd_epi32(p3, at, d);
        if (summed) {
            s0 = _mm512_dpbusd_epi32(s0, ones, a);
            s1 = _mm512_dpbusd_epi32(s1, ones, b);
            s2 = _mm512_dpbusd_epi32(s2, ones, c);
            s3 = _mm512_dpbusd_epi32(s3, ones, d);
        }
    }
    if (i < k) {
        __mmask64 rest = ((__mmask64)1 << (k - i)) - 1;
        __m512i at = _mm512_maskz_loadu_epi8(rest, x + i);
        __m512i a = _mm512_maskz_loadu_epi8(rest, w0 + i), b = _mm512_maskz_loadu_epi8(rest, w1 + i);
        __m512i c = _mm512_maskz_loadu_epi8(rest, w2 + i), d = _mm512_maskz_loadu_epi8(rest, w3 + i);
        p0 = _mm512_dpbusd_epi32(p0, at, a);
        p1 = _mm512_dpbusd_epi32(p1, at, b);
        p2 = _mm512_dpbusd_epi32(p2, at, c);
        p3 = _mm512_dpbusd_epi32(p3, at, d);
        if (summed) {
            s0 = _mm512_dpbusd_epi32(s0, ones, a);
            s1 = _mm512_dpbusd_epi32(s1, ones, b);
            s2 = _mm512_dpbusd_epi32(s2, ones, c);
            s3 = _mm512_dpbusd_epi32(s3, ones, d);
        }
    }
    products[0] = total(p0);
    products[1] = total(p1);
    products[2] = total(p2);
    products[3] = total(p3);
    if (summed) {
        sums[0] = total(s0);
        sums[1] = total(s1);
        sums[2] = total(s2);
        sums[3] = total(s3);
    }
}

#endif

using Dots = void (*)(const uint8_t* x, const int8_t* w, int64_t k, int32_t* products, int32_t* sums);

/** The fastest here. */
Dots best(bool summed) {
#if defined(__AVX512F__)
    if (__builtin_cpu_supports("avx512vnni")) return summed ? dots_vnni<true> : dots_vnni<false>;
#endif
    (void)summed;
    return dots;
}

}  // namespace

void linear_bytes(const uint8_t* x, int64_t k, int zero, const int8_t* w, int64_t begin, int64_t end,
                  const float* scales, const float* bias, float least, float inverse, const Bytes& to, uint8_t* y,
                  float* real) {
    const Dots rows = best(zero != 0);
    for (int64_t o = begin; o < end; o += kRowsAtOnce) {
        int32_t products[kRowsAtOnce], sums[kRowsAtOnce] = {};
        int64_t count = end - o < kRowsAtOnce ? end - o : kRowsAtOnce;
        if (count == kRowsAtOnce) {
            rows(x, w + o * k, k, products, sums);
        } else {
            for (int64_t r = 0; r < count; r++) {
                products[r] = 0;
                for (int64_t i = 0; i < k; i++) {
                    products[r] += (int32_t)x[i] * (int32_t)w[(o + r) * k + i];
                    sums[r] += w[(o + r) * k + i];
                }
            }
        }
        for (int64_t r = 0; r < count; r++) {
            float v = (float)(products[r] - zero * sums[r]) * scales[o + r] + (bias == nullptr ? 0.0f : bias[o + r]);
            v = v < least ? least : v;
            if (real != nullptr) {
                real[o + r] = v;
            } else {
                y[o + r] = byte_of(v * inverse, to);
            }
        }
    }
}

}  // namespace HADAL_NAMESPACE
}  // namespace hadal
