/*
 * Kernels that compute rather than wait for memory: row norms, softmax, GELU. Compiled once per instruction set, as
 * kernels.cpp is, but written in vectors of the set's own width and with multiply-adds contracted where the processor
 * fuses them. So their last bits are those of the instruction set; the thread count changes none.
 *
 * Include no header here that defines inline functions, for the reason given in kernels.cpp.
 */
#include "gelu_tables.h"
#include "hadal.h"
#include "kernels.h"

namespace hadal {
namespace HADAL_NAMESPACE {
namespace {

constexpr float kInfinity = __builtin_inff();

// ---- vectors ----------------------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int64_t kWidth = 16;
#elif defined(__AVX2__)
constexpr int64_t kWidth = 8;
#else
constexpr int64_t kWidth = 4;
#endif

typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));
typedef int32_t Integers __attribute__((vector_size(kWidth * sizeof(float))));
typedef uint32_t Words __attribute__((vector_size(kWidth * sizeof(float))));

/** All of a vector, or the first values of one: what loads and stores are told. */
struct Whole {};
struct Part {
    int64_t count;
};

inline Vector all(float value) { return value - Vector{}; }

inline Vector load(const float* x, Whole, float = 0.0f) {
    Vector v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}

inline Vector load(const float* x, Part part, float fill = 0.0f) {
    Vector v = all(fill);
    for (int64_t i = 0; i < kWidth - 1; i++)
        if (i < part.count) v[i] = x[i];
    return v;
}

inline void store(float* y, Vector v, Whole) { __builtin_memcpy(y, &v, sizeof v); }

inline void store(float* y, Vector v, Part part) {
    for (int64_t i = 0; i < kWidth - 1; i++)
        if (i < part.count) y[i] = v[i];
}

/** a > b ? a : b, which g++ does not know for one instruction in vectors. */
inline Vector larger(Vector a, Vector b) {
#if defined(__AVX512F__)
    return __builtin_ia32_maxps512_mask(a, b, Vector{}, -1, 4);
#elif defined(__AVX2__)
    return __builtin_ia32_maxps256(a, b);
#elif defined(__SSE__)
    return __builtin_ia32_maxps(a, b);
#else
    return a > b ? a : b;
#endif
}

inline Integers bits_of(Vector x) { return (Integers)x; }

/** Calls f(i, Whole or Part) for vectors from i = 0 on that together are [0, n). */
template <class F>
inline void over(int64_t n, F f) {
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) f(i, Whole{});
    if (i < n) f(i, Part{n - i});
}

// Additions that wait for each other are spread over as many sums as hide their latency.
constexpr int64_t kSums = 4;

// So many vectors each sum adds up in float before it goes to double: a few roundings' worth of error. Exponentials,
// of which one may be most of the sum, get fewer.
constexpr int64_t kVectors = 32, kVectorsOfExponentials = 16;

/** All values of a vector in one, halves at a time. */
template <class Two>
inline float folded(Vector v, Two two) {
    typedef float Four __attribute__((vector_size(16)));
#if defined(__AVX2__)
    typedef float Eight __attribute__((vector_size(32)));
    Eight eight[sizeof v / sizeof(Eight)];
    __builtin_memcpy(eight, &v, sizeof v);
#if defined(__AVX512F__)
    eight[0] = two(eight[0], eight[1]);
#endif
    Four four[2];
    __builtin_memcpy(four, eight, sizeof four);
    four[0] = two(four[0], four[1]);
#else
    Four four[1] = {v};
#endif
    return two(two(four[0][0], four[0][2]), two(four[0][1], four[0][3]));
}

inline double total(Vector v) {
    return (double)folded(v, [](auto a, auto b) { return a + b; });
}

/** The processor fetches ahead within a page; rows often begin one. */
inline void prefetch(const float* x) { __builtin_prefetch(x); }

/** totals[k] = the sum of what add(i, part, sums) adds to sums[k]; `add` must be given zeros to add where a part ends. */
template <int64_t kinds, int64_t vectors = kVectors, class Add>
inline void sum(int64_t n, double* totals, Add add) {
    constexpr int64_t kBlock = vectors * kSums * kWidth;
    for (int64_t k = 0; k < kinds; k++) totals[k] = 0.0;
    for (int64_t begin = 0; begin < n; begin += kBlock) {
        const int64_t end = n - begin < kBlock ? n : begin + kBlock;
        Vector sums[kSums][kinds];
#pragma GCC unroll 4
        for (int64_t s = 0; s < kSums; s++)
            for (int64_t k = 0; k < kinds; k++) sums[s][k] = Vector{};
        int64_t i = begin;
        for (; i + kSums * kWidth <= end; i += kSums * kWidth) {
#pragma GCC unroll 4
            for (int64_t s = 0; s < kSums; s++) add(i + s * kWidth, Whole{}, sums[s]);
        }
        for (; i + kWidth <= end; i += kWidth) add(i, Whole{}, sums[0]);
        if (i < end) add(i, Part{end - i}, sums[1]);
        for (int64_t k = 0; k < kinds; k++)
            totals[k] += total((sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]));
    }
}

/**
 * eˣ for x ≤ 0, within 2 units in the last place; NaN for NaN. Subnormal results may be 0.
 * x = n·ln 2 + r with |r| ≤ ln 2 / 2, as in kernels.cpp, and eʳ within 3.1·10⁻⁹ of it by the polynomial of degree 6
 * that begins 1 + r and whose largest relative error is smallest.
 */
inline Vector exp_of_negative(Vector x) {
    const float round = 12582912.0f;  // adding 1.5·2²³ leaves the nearest integer in the low bits
#if defined(__AVX512F__)
    x = larger(all(-104.0f), x);  // −Inf has no r; NaN stays
#endif
    Vector shifted = x * 1.44269504088896341f + round;
    Vector n = shifted - round;
    Vector r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;

    Vector y = 1.381454058e-3f * r + 8.3687454462e-3f;
    y = y * r + 4.1668388993e-2f;
    y = y * r + 1.6666521132e-1f;
    y = y * r + 4.9999994040e-1f;
    y = y * r + 1.0f;
    y = y * r + 1.0f;
#if defined(__AVX512F__)
    return __builtin_ia32_scalefps512_mask(y, n, Vector{}, -1, 4);  // y·2ⁿ, rounded as the mode says
#else
    Vector power = (Vector)(((Words)shifted << 23) + (127u << 23));  // 2ⁿ: the shift drops the bits of `round`
    return x < -87.0f ? Vector{} : power * y;
#endif
}

}  // namespace

// ---- normalization ----------------------------------------------------------------------------------------

void row_norm(const float* x, const float* scale, const float* bias, int64_t begin, int64_t end, const Groups& geometry,
              float* y, float* mean, float* variance) {
    const int64_t width = geometry.channels;
    for (int64_t row = begin; row < end; row++) {
        const float* xs = x + row * width;
        float* ys = y + row * width;
        const float* gamma = scale + row % geometry.groups * width;
        float mu = 0.0f;
        if (mean != nullptr) {
            double sum_x;
            sum<1>(width, &sum_x, [=](int64_t i, auto part, Vector* sums) { sums[0] += load(xs + i, part); });
            mean[row] = mu = (float)(sum_x / (double)width);
        }
        double squares;
        sum<1>(width, &squares, [=](int64_t i, auto part, Vector* sums) {
            Vector centred = load(xs + i, part, mu) - mu;
            sums[0] += centred * centred;
        });
        const double v = squares / (double)width;
        variance[row] = (float)v;
        const float rho = (float)(1.0 / __builtin_sqrt(v + (double)geometry.epsilon));
        if (mean != nullptr) {
            const float* beta = bias + row % geometry.groups * width;
            over(width, [=](int64_t i, auto part) {
                Vector hat = (load(xs + i, part) - mu) * rho;
                store(ys + i, hat * load(gamma + i, part) + load(beta + i, part), part);
            });
        } else {
            over(width, [=](int64_t i, auto part) {
                store(ys + i, load(xs + i, part) * rho * load(gamma + i, part), part);
            });
        }
    }
}

namespace {

// So many rows share a pass over γ, dγ and dβ, and stay in the cache from their sums to their gradients.
constexpr int64_t kRowsAtOnce = 1;

/** A row with what its gradient needs: dx = γ·dy·ρ − a − (x − μ)·b. */
struct NormRow {
    const float *x, *dy;
    float* dx;
    float mu, rho, a, b;
};

template <bool centred, int64_t rows>
inline void gradients(const NormRow* row, const float* gamma, int64_t n, float* dscale, float* dbias) {
    NormRow r[rows];
    for (int64_t k = 0; k < rows; k++) r[k] = row[k];
    over(n, [&](int64_t i, auto part) {
        const Vector g = load(gamma + i, part);
        Vector sum_dyx = load(dscale + i, part), sum_dy = centred ? load(dbias + i, part) : Vector{};
        Vector dx[rows];  // stored after all loads: rows of 4096 bytes look alike to the processor
#pragma GCC unroll 4
        for (int64_t k = 0; k < rows; k++) {
            Vector dy = load(r[k].dy + i, part), x = load(r[k].x + i, part);
            prefetch(r[k].x + rows * n + i);
            prefetch(r[k].dy + rows * n + i);
            prefetch(r[k].dx + rows * n + i);
            if (centred) x -= r[k].mu;
            if (centred) sum_dy += dy;
            dy *= r[k].rho;
            sum_dyx += dy * x;
            dx[k] = dy * g - x * r[k].b;
            if (centred) dx[k] -= r[k].a;
        }
#pragma GCC unroll 4
        for (int64_t k = 0; k < rows; k++) store(r[k].dx + i, dx[k], part);
        store(dscale + i, sum_dyx, part);
        if (centred) store(dbias + i, sum_dy, part);
    });
}

template <bool centred>
void norm_backward(const float* x, const float* dy, const float* gamma, const float* mean, const float* variance,
                   int64_t begin, int64_t end, int64_t group, const Groups& geometry, float* dx, float* dscale,
                   float* dbias) {
    const int64_t width = geometry.channels;
    for (int64_t first = begin; first < end; first += kRowsAtOnce) {
        const int64_t count = end - first < kRowsAtOnce ? end - first : kRowsAtOnce;
        NormRow rows[kRowsAtOnce];
        for (int64_t k = 0; k < count; k++) {
            const int64_t at = (first + k) * geometry.groups + group;
            const float *xs = x + at * width, *dys = dy + at * width;
            const float mu = centred ? mean[at] : 0.0f;
            double sums[2];  // Σ g and Σ g·(x − μ)
            sum<2>(width, sums, [=](int64_t i, auto part, Vector* s) {
                Vector g = load(dys + i, part) * load(gamma + i, part);
                if (centred) s[0] += g;
                s[1] += g * (load(xs + i, part) - mu);
            });
            const double rho = 1.0 / __builtin_sqrt((double)variance[at] + (double)geometry.epsilon);
            rows[k] = {xs, dys, dx + at * width, mu, (float)rho, (float)(rho * sums[0] / (double)width),
                       (float)(rho * rho * rho * sums[1] / (double)width)};
        }
        if (count == kRowsAtOnce) {
            gradients<centred, kRowsAtOnce>(rows, gamma, width, dscale, dbias);
        } else {
            for (int64_t k = 0; k < count; k++) gradients<centred, 1>(rows + k, gamma, width, dscale, dbias);
        }
    }
}

}  // namespace

/** dx = ρ·γ·dy − ρ·mean(g) − ρ³·(x − μ)·mean(g·(x − μ)), with g = γ·dy; dγ = ρ·Σ dy·(x − μ), dβ = Σ dy. */
void row_norm_backward(const float* x, const float* dy, const float* scale, const float* mean, const float* variance,
                       int64_t begin, int64_t end, int64_t group, const Groups& geometry, float* dx,
                       float* const* sums) {
    const float* gamma = scale + group * geometry.channels;
    for (int64_t c = 0; c < geometry.channels; c++) sums[0][c] = 0.0f;
    for (int64_t c = 0; c < geometry.channels && sums[1] != nullptr; c++) sums[1][c] = 0.0f;
    (mean != nullptr ? norm_backward<true> : norm_backward<false>)(x, dy, gamma, mean, variance, begin, end, group,
                                                                   geometry, dx, sums[0], sums[1]);
}

// ---- softmax ----------------------------------------------------------------------------------------------

namespace {

/** The largest xᵢ; −Inf if there is none. Of NaN it makes anything: exp(NaN − max) is NaN anyway. */
inline float max(const float* x, int64_t n) {
    Vector largest[kSums];
    for (Vector& each : largest) each = all(-kInfinity);
    int64_t i = 0;
    for (; i + kSums * kWidth <= n; i += kSums * kWidth) {
#pragma GCC unroll 4
        for (int64_t s = 0; s < kSums; s++) largest[s] = larger(load(x + i + s * kWidth, Whole{}), largest[s]);
    }
    over(n - i, [&](int64_t j, auto part) { largest[0] = larger(load(x + i + j, part, -kInfinity), largest[0]); });
    Vector most = larger(larger(largest[0], largest[1]), larger(largest[2], largest[3]));
    return folded(most, [](auto a, auto b) { return a > b ? a : b; });
}

}  // namespace

/** With z = x − max(x) and S = Σ eᶻ: y = eᶻ / S, or y = z − log S. */
Softmax softmax_row(const float* x, int64_t n, bool log, float* y) {
    const float x_max = max(x, n);
    double s;
    if (log) {
        sum<1, kVectorsOfExponentials>(n, &s, [=](int64_t i, auto part, Vector* sums) {
            sums[0] += exp_of_negative(load(x + i, part, -kInfinity) - x_max);
        });
        const float log_s = (float)__builtin_log(s);
        over(n, [=](int64_t i, auto part) { store(y + i, (load(x + i, part) - x_max) - log_s, part); });
    } else {
        sum<1, kVectorsOfExponentials>(n, &s, [=](int64_t i, auto part, Vector* sums) {
            prefetch(x + n + i);
            prefetch(y + n + i);
            Vector e = exp_of_negative(load(x + i, part, -kInfinity) - x_max);
            store(y + i, e, part);
            sums[0] += e;
        });
        const float per_s = (float)(1.0 / s);
        over(n, [=](int64_t i, auto part) { store(y + i, load(y + i, part) * per_s, part); });
    }
    return {x_max, s};
}

/** With s = Σ dy·y: dx = y·(dy − s). Of the logarithm, with s = Σ dy: dx = dy − eʸ·s. */
void softmax_row_backward(const float* y, const float* dy, int64_t n, bool log, float* dx) {
    double total;
    if (log) {
        sum<1>(n, &total, [=](int64_t i, auto part, Vector* sums) { sums[0] += load(dy + i, part); });
        const float s = (float)total;
        over(n, [=](int64_t i, auto part) {
            store(dx + i, load(dy + i, part) - exp_of_negative(load(y + i, part)) * s, part);
        });
    } else {
        sum<1>(n, &total, [=](int64_t i, auto part, Vector* sums) {
            sums[0] += load(dy + i, part) * load(y + i, part);
        });
        const float s = (float)total;
        over(n, [=](int64_t i, auto part) {
            store(dx + i, load(y + i, part) * (load(dy + i, part) - s), part);
        });
    }
}

// ---- GELU -------------------------------------------------------------------------------------------------

namespace {

/** The polynomials of a table, at |x| = kPiece·t. NaN stays NaN. */
class Curve {
public:
    explicit Curve(const Pieces& pieces) {
        for (int64_t j = 0; j <= kDegree; j++) {
            for (int64_t part = 0; part < kParts; part++)
                coefficients_[j][part] = load(pieces.coefficients[j] + part * kWidth, Whole{});
        }
    }

    Vector position(Vector x) const {
        Vector t = (Vector)((Integers)x & 0x7fffffff) * (float)(1 / kPiece);
        return (float)(kPieces - 1) < t ? all(kPieces - 1) : t;
    }

    Vector at(Vector t) const {
        Vector shifted = t + 12582912.0f;  // leaves the nearest integer in the low bits
        Vector r = t - (shifted - 12582912.0f);
        Integers piece = (Integers)shifted & (kPieces - 1);
        Vector y = coefficient(kDegree, piece);
#pragma GCC unroll 4
        for (int64_t j = kDegree - 1; j >= 0; j--) y = y * r + coefficient(j, piece);
        return y;
    }

private:
    static constexpr int64_t kParts = kPieces / kWidth;
    Vector coefficients_[kDegree + 1][kParts];

    Vector coefficient(int64_t j, Integers piece) const {
#if defined(__AVX512F__)
        return __builtin_shuffle(coefficients_[j][0], coefficients_[j][1], piece);  // one instruction
#elif defined(__AVX2__)
        Vector low = __builtin_shuffle(coefficients_[j][0], coefficients_[j][1], piece);
        Vector high = __builtin_shuffle(coefficients_[j][2], coefficients_[j][3], piece);
        return (piece & (2 * (int32_t)kWidth)) != 0 ? high : low;
#else
        Vector y = {};
        for (int64_t lane = 0; lane < kWidth; lane++) y[lane] = coefficients_[j][piece[lane] / kWidth][piece[lane] % kWidth];
        return y;
#endif
    }
};

}  // namespace

void gelu(const float* x, int64_t n, bool tanh, float* y) {
    const Curve curve(tanh ? kTanhGelu : kGelu);
    over(n, [&](int64_t i, auto part) {
        Vector xs = load(x + i, part), t = curve.position(xs);
        store(y + i, (xs < 0.0f ? Vector{} : xs) - t * curve.at(t), part);
    });
}

void gelu_backward(const float* x, const float* dy, int64_t n, bool tanh, float* dx) {
    const Curve curve(tanh ? kTanhGeluSlope : kGeluSlope);
    over(n, [&](int64_t i, auto part) {
        Vector xs = load(x + i, part), slope = curve.at(curve.position(xs));
        store(dx + i, load(dy + i, part) * (xs < 0.0f ? slope : 1.0f - slope), part);
    });
}

// ---- small products ---------------------------------------------------------------------------------------

namespace {

/** `rows` rows of one vector's columns: y[i,·] = Σₖ a[i,k]·b[k,·]; `across` and `down` are a's strides. */
template <int64_t rows>
inline void columns_of(const float* a, int64_t across, int64_t down, const float* b, int64_t b_stride, int64_t k,
                       float* y, int64_t y_stride) {
    Vector sums[rows];
#pragma GCC unroll 8
    for (int64_t i = 0; i < rows; i++) sums[i] = Vector{};
    for (int64_t l = 0; l < k; l++) {
        const Vector bs = load(b + l * b_stride, Whole{});
#pragma GCC unroll 8
        for (int64_t i = 0; i < rows; i++) sums[i] += a[i * down + l * across] * bs;
    }
#pragma GCC unroll 8
    for (int64_t i = 0; i < rows; i++) store(y + i * y_stride, sums[i], Whole{});
}

}  // namespace

void small_matmul(const float* a, const float* b, int64_t m, int64_t k, int64_t n, bool transpose_a, bool transpose_b,
                  float* y) {
    const int64_t across = transpose_a ? m : 1, down = transpose_a ? 1 : k;
    const int64_t padded = (n + kWidth - 1) / kWidth * kWidth;
    // Columns that fill no vector are padded with zeros, and what is stored by columns is turned around.
    float packed[kSmallProduct], rest[8 * kWidth];
    const float* from = b;
    int64_t from_stride = n;
    if (transpose_b || padded != n) {
        for (int64_t l = 0; l < k; l++) {
            for (int64_t j = 0; j < n; j++) packed[l * padded + j] = transpose_b ? b[j * k + l] : b[l * n + j];
            for (int64_t j = n; j < padded; j++) packed[l * padded + j] = 0.0f;
        }
        from = packed;
        from_stride = padded;
    }
    for (int64_t i = 0; i < m;) {
        const int64_t rows = m - i >= 8 ? 8 : m - i >= 4 ? 4 : m - i >= 2 ? 2 : 1;
        const float* as = a + i * down;
        for (int64_t j = 0; j < n; j += kWidth) {
            const bool whole = n - j >= kWidth;
            float* to = whole ? y + i * n + j : rest;
            const int64_t to_stride = whole ? n : kWidth;
            switch (rows) {
                case 8: columns_of<8>(as, across, down, from + j, from_stride, k, to, to_stride); break;
                case 4: columns_of<4>(as, across, down, from + j, from_stride, k, to, to_stride); break;
                case 2: columns_of<2>(as, across, down, from + j, from_stride, k, to, to_stride); break;
                default: columns_of<1>(as, across, down, from + j, from_stride, k, to, to_stride);
            }
            for (int64_t r = 0; r < rows && !whole; r++)
                for (int64_t c = 0; c < n - j; c++) y[(i + r) * n + j + c] = rest[r * kWidth + c];
        }
        i += rows;
    }
}

}  // namespace HADAL_NAMESPACE
}  // namespace hadal
