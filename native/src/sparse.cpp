/*
 * Products with weights of which few blocks are kept. Compiled once per instruction set, as rows.cpp is, with
 * multiply-adds contracted where the processor fuses them; and once more for processors that multiply bf16.
 *
 * The rows of x are the lanes of the vectors, so that a block of weights, whatever its height, meets whole vectors. To
 * this end x is turned around first, into panels of a few vectors of rows that lie there input by input. Results are turned
 * back kSparseStrip outputs at a time. A few rows fill no vector: of those, the outputs of a block are the lanes.
 *
 * Include no header here that defines inline functions, for the reason given in kernels.cpp.
 */
#if defined(__AVX512BF16__)
#include <immintrin.h>  // its functions are inlined whatever happens, and leave nothing to the linker
#endif

#include "hadal.h"
#include "kernels.h"

namespace hadal {
namespace HADAL_NAMESPACE {
namespace {

// A tile is some outputs of some vectors of rows: as many sums as the registers hold. The lower the blocks, the more
// vectors share the load of an index.
#if defined(__AVX512F__)
constexpr int64_t kWidth = 16, kTall = 8, kTallVectors = 2, kLowVectors = 4, kFlatVectors = 8;
#elif defined(__AVX2__)
constexpr int64_t kWidth = 8, kTall = 4, kTallVectors = 2, kLowVectors = 2, kFlatVectors = 8;
#elif defined(__aarch64__)
constexpr int64_t kWidth = 4, kTall = 8, kTallVectors = 2, kLowVectors = 4, kFlatVectors = 8;
#else
constexpr int64_t kWidth = 4, kTall = 4, kTallVectors = 2, kLowVectors = 2, kFlatVectors = 8;
#endif
constexpr int64_t kStrip = kSparseStrip;

typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));
typedef uint32_t Words __attribute__((vector_size(kWidth * sizeof(float))));
typedef int32_t Integers __attribute__((vector_size(kWidth * sizeof(float))));

inline Vector all(float value) { return value - Vector{}; }

template <class V>
inline V load(const void* x) {
    V v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}

template <class V>
inline void store(void* y, V v) {
    __builtin_memcpy(y, &v, sizeof v);
}

inline float widened(float x) { return x; }

inline float widened(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    return load<float>(&bits);
}

/** To the nearest, ties to even; NaN stays NaN. */
inline uint16_t narrowed(float x) {
    const uint32_t bits = load<uint32_t>(&x);
    return (uint16_t)((x != x ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

int64_t first_outside(const int32_t* x, int64_t n, int64_t limit) {
    uint32_t signs = 0;
    for (int64_t i = 0; i < n; i++) signs |= (uint32_t)x[i] | ((uint32_t)limit - 1 - (uint32_t)x[i]);
    if (signs >> 31 == 0) return n;
    int64_t i = 0;
    while (0 <= x[i] && x[i] < limit) i++;
    return i;
}

// ---- turning ----------------------------------------------------------------------------------------------

/** v[0] … v[count − 1] hold, one after the other, a matrix of as many rows of kWidth values: turned around, in place. */
template <int64_t count, class V>
inline void turn(V* v) {
    Integers low, high;
#pragma GCC unroll 16
    for (int64_t lane = 0; lane < kWidth; lane++) {
        low[lane] = (int32_t)(lane % 2 * kWidth + lane / 2);
        high[lane] = (int32_t)(lane % 2 * kWidth + lane / 2 + kWidth / 2);
    }
#pragma GCC unroll 4
    for (int64_t bit = 1; bit < count; bit *= 2) {  // each time, the highest bit of a value's place becomes its lowest
        V next[count];
#pragma GCC unroll 16
        for (int64_t i = 0; i < count / 2; i++) {
            next[2 * i] = __builtin_shuffle(v[i], v[i + count / 2], low);
            next[2 * i + 1] = __builtin_shuffle(v[i], v[i + count / 2], high);
        }
#pragma GCC unroll 16
        for (int64_t i = 0; i < count; i++) v[i] = next[i];
    }
}

/** The first values of a word, of those that are left. */
template <class T>
inline uint32_t word(const T* x, int64_t left) {
    uint32_t bits = 0;
    __builtin_memcpy(&bits, x, (size_t)left * sizeof(T) < sizeof bits ? (size_t)left * sizeof(T) : sizeof bits);
    return bits;
}

/**
 * panel[k, i] = word k of row i of x, where a word is an f32 or two bf16; zero for i from `rows` to `lanes`. Or, if
 * `widen`, panel[2k, i] and panel[2k + 1, i] are those two in f32.
 */
template <class T, bool widen>
void pack(const void* x, int64_t in, int64_t rows, int64_t lanes, void* panel) {
    constexpr int64_t per_word = sizeof(uint32_t) / sizeof(T);
    const int64_t words = (in + per_word - 1) / per_word;
    for (int64_t first = 0; first < lanes; first += kWidth) {
        for (int64_t k = 0; k < words; k += kWidth) {
            const bool whole = (k + kWidth) * per_word <= in;
            Words square[kWidth];
            for (int64_t i = 0; i < kWidth; i++) {
                const T* row = (const T*)x + (first + i) * in + k * per_word;
                square[i] = Words{};
                if (first + i >= rows) continue;
                if (whole) {
                    square[i] = load<Words>(row);
                } else {
                    for (int64_t j = 0; k + j < words; j++)
                        square[i][j] = word(row + j * per_word, in - (k + j) * per_word);
                }
            }
            turn<kWidth>(square);
            for (int64_t j = 0; j < kWidth && k + j < words; j++) {
                uint32_t* to = (uint32_t*)panel + (k + j) * (widen ? 2 : 1) * lanes + first;
                store(to, widen ? square[j] << 16 : square[j]);
                if (widen) store(to + lanes, square[j] & 0xffff0000u);
            }
        }
    }
}

// ---- results ----------------------------------------------------------------------------------------------

/** act(z + bias) for sums of an output: a vector of them, or one. */
template <class V>
inline V activated(const Sparse& s, V z, int64_t output) {
    if (s.bias != nullptr) z += s.bias[output < s.out ? output : s.out - 1];
    return z < 0.0f ? z * s.slope : z;
}

/** Writes one row's outputs from `first` on, as many of a strip as there are. */
inline void put(const Sparse& s, int64_t row, int64_t first, const float* z) {
    const int64_t count = s.out - first < kStrip ? s.out - first : kStrip, at = row * s.out + first;
    if (s.bf16) {
        uint16_t narrow[kStrip];
        for (int64_t r = 0; r < kStrip; r++) narrow[r] = narrowed(z[r]);
        __builtin_memcpy((uint16_t*)s.y + at, narrow, (size_t)count * sizeof *narrow);
    } else if (count == kStrip) {
        __builtin_memcpy((float*)s.y + at, z, sizeof(float) * kStrip);
    } else {
        for (int64_t r = 0; r < count; r++) ((float*)s.y)[at + r] = z[r];
    }
}

/** v[r·vectors + j] are the sums of output first + r. */
template <int64_t vectors>
inline void finish(const Sparse& s, const Panel& x, int64_t first, const Vector* v) {
    for (int64_t j = 0; j < vectors && j * kWidth < x.rows; j++) {
        Vector turned[kStrip];
#pragma GCC unroll 8
        for (int64_t r = 0; r < kStrip; r++) turned[r] = activated(s, v[r * vectors + j], first + r);
        turn<kStrip>(turned);
        float z[kWidth * kStrip];
        __builtin_memcpy(z, turned, sizeof z);
        const int64_t count = x.rows - j * kWidth < kWidth ? x.rows - j * kWidth : kWidth;
        for (int64_t i = 0; i < count; i++) put(s, x.first + j * kWidth + i, first, z + i * kStrip);
    }
}

// ---- a panel ----------------------------------------------------------------------------------------------

/** Values of type T, and a panel of f32. */
template <class T>
struct Plain {
    /** sums[r·vectors + j] = Σ w·x over the blocks of a row of blocks, for the outputs of a block from `at` on. */
    template <int64_t rows, int64_t vectors>
    static inline void add(const Sparse& s, const Panel& x, int64_t block_row, int64_t at, Vector* sums) {
        for (int64_t b = s.starts[block_row]; b < s.starts[block_row + 1]; b++) {
            const T* w = (const T*)s.values + b * s.height + at;
            const float* from = (const float*)x.values + s.columns[b] * (vectors * kWidth);
            Vector xs[vectors];
#pragma GCC unroll 16
            for (int64_t j = 0; j < vectors; j++) xs[j] = load<Vector>(from + j * kWidth);
#pragma GCC unroll 8
            for (int64_t r = 0; r < rows; r++) {
                const Vector ws = all(widened(w[r]));
#pragma GCC unroll 16
                for (int64_t j = 0; j < vectors; j++) sums[r * vectors + j] += ws * xs[j];
            }
        }
    }
};

#if defined(__AVX512BF16__)

typedef uint16_t Halves __attribute__((vector_size(64)));

/** Of lane i: the lower or upper half of word i of the first vector, as p says, below that of the second, as q says. */
inline Halves pick(int p, int q) {
    Halves index;
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        index[2 * i] = (uint16_t)(2 * i + p);
        index[2 * i + 1] = (uint16_t)(32 + 2 * i + q);
    }
    return index;
}

/** bf16 by dot products of pairs: of blocks, whose weights are packed so, and of the inputs that they are for. */
struct Paired {
    template <int64_t rows, int64_t vectors>
    static inline void add(const Sparse& s, const Panel& x, int64_t block_row, int64_t at, Vector* sums) {
        const Halves picks[] = {pick(0, 0), pick(1, 0), pick(0, 1), pick(1, 1)};
        const int32_t *columns = s.columns + s.starts[block_row], *end = s.columns + s.starts[block_row + 1];
        const uint32_t* w = (const uint32_t*)s.packed + sparse_pairs(s.starts[block_row], block_row) * s.height + at;
        for (; columns < end; columns += 2, w += s.height) {
            const bool two = columns + 1 < end;
            const int32_t p = columns[0], q = columns[two ? 1 : 0];
            const uint32_t* from = (const uint32_t*)x.values + (p >> 1) * (vectors * kWidth);
            const uint32_t* beside = (const uint32_t*)x.values + (q >> 1) * (vectors * kWidth);
            const Words kept = Words{} + (two ? 0xffffffffu : 0xffffu);  // 0·NaN is not 0
            const Halves index = picks[(p & 1) + 2 * (q & 1)];
            Words xs[vectors];
#pragma GCC unroll 16
            for (int64_t j = 0; j < vectors; j++) {
                xs[j] = kept & (Words)__builtin_shuffle(load<Halves>(from + j * kWidth),
                                                        load<Halves>(beside + j * kWidth), index);
            }
#pragma GCC unroll 8
            for (int64_t r = 0; r < rows; r++) {
                const Words ws = Words{} + w[r];
#pragma GCC unroll 16
                for (int64_t j = 0; j < vectors; j++) {
                    sums[r * vectors + j] = (Vector)_mm512_dpbf16_ps((__m512)sums[r * vectors + j], (__m512bh)ws,
                                                                     (__m512bh)xs[j]);
                }
            }
        }
    }
};

/** The weights of each two blocks of a row of blocks, one below the other in a word; the last one's may be alone. */
void pair_up(const Sparse& s, int64_t begin, int64_t end, void* packed) {
    for (int64_t block_row = begin; block_row < end; block_row++) {
        uint32_t* to = (uint32_t*)packed + sparse_pairs(s.starts[block_row], block_row) * s.height;
        for (int64_t b = s.starts[block_row]; b < s.starts[block_row + 1]; b += 2, to += s.height) {
            const uint16_t* w = (const uint16_t*)s.values + b * s.height;
            const bool two = b + 1 < s.starts[block_row + 1];
            for (int64_t r = 0; r < s.height; r++) to[r] = w[r] | (two ? (uint32_t)w[s.height + r] << 16 : 0);
        }
    }
}

#endif

template <class Weights, int64_t rows, int64_t vectors>
void strips(const Sparse& s, const Panel& x, int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; strip++) {
        Vector v[kStrip * vectors];
        for (int64_t r = 0; r < kStrip; r += rows) {
            Vector sums[rows * vectors];
#pragma GCC unroll 16
            for (int64_t i = 0; i < rows * vectors; i++) sums[i] = Vector{};
            const int64_t output = strip * kStrip + r;
            if (output < s.out) Weights::template add<rows, vectors>(s, x, output / s.height, output % s.height, sums);
#pragma GCC unroll 16
            for (int64_t i = 0; i < rows * vectors; i++) v[r * vectors + i] = sums[i];
        }
        finish<vectors>(s, x, strip * kStrip, v);
    }
}

template <class Weights, int64_t rows, int64_t vectors>
inline void strips_of(int64_t given, const Sparse& s, const Panel& x, int64_t begin, int64_t end) {
    if constexpr (vectors > 1) {
        if (given < vectors) return strips_of<Weights, rows, vectors / 2>(given, s, x, begin, end);
    }
    strips<Weights, rows, vectors>(s, x, begin, end);
}

bool tall(int64_t height) { return height % kTall == 0; }
bool low(int64_t height) { return height % 4 == 0; }

template <class Weights>
void panel(const Sparse& s, const Panel& x, int64_t begin, int64_t end) {
    const int64_t vectors = x.lanes / kWidth;
    if (tall(s.height)) {
        strips_of<Weights, kTall, kTallVectors>(vectors, s, x, begin, end);
    } else if (low(s.height)) {
        strips_of<Weights, 4, kLowVectors>(vectors, s, x, begin, end);
    } else {
        strips_of<Weights, 1, kFlatVectors>(vectors, s, x, begin, end);
    }
}

int64_t lanes(int64_t height, int64_t rows) {
    int64_t vectors = tall(height) ? kTallVectors : low(height) ? kLowVectors : kFlatVectors;
    while (vectors > 1 && vectors / 2 * kWidth >= rows) vectors /= 2;
    return vectors * kWidth;
}

// ---- few rows ---------------------------------------------------------------------------------------------

// Weights of a block, as many as one load takes.
#if defined(__AVX2__)
constexpr int64_t kMany = 8;
#else
constexpr int64_t kMany = 4;
#endif
typedef float Four __attribute__((vector_size(16)));
typedef uint32_t FourWords __attribute__((vector_size(16)));
typedef uint16_t FourHalves __attribute__((vector_size(8)));
typedef float Many __attribute__((vector_size(kMany * sizeof(float))));
typedef uint32_t ManyWords __attribute__((vector_size(kMany * sizeof(uint32_t))));
typedef uint16_t ManyHalves __attribute__((vector_size(kMany * sizeof(uint16_t))));

template <class Block, class T>
inline Block weights(const T* w) {
    if constexpr (sizeof(Block) == sizeof(float)) {
        return widened(*w);
    } else if constexpr (sizeof(T) == sizeof(float)) {
        return load<Block>(w);
    } else if constexpr (sizeof(Block) == sizeof(Four)) {
        return (Block)(__builtin_convertvector(load<FourHalves>(w), FourWords) << 16);
    } else {
        return (Block)(__builtin_convertvector(load<ManyHalves>(w), ManyWords) << 16);
    }
}

/** y[r] = Σ w[b, r]·x[columns[b]]; sums that would wait for each other are spread over four. */
template <class Block, class T>
inline void dot(const T* w, int64_t height, const int32_t* columns, int64_t count, const T* x, float* y) {
    Block sums[4] = {};
    int64_t b = 0;
    for (; b + 4 <= count; b += 4) {
        asm volatile("");  // or g++ would build vectors of x value by value, which takes four times as long
#pragma GCC unroll 4
        for (int64_t i = 0; i < 4; i++) sums[i] += weights<Block>(w + (b + i) * height) * widened(x[columns[b + i]]);
    }
    for (; b < count; b++) sums[0] += weights<Block>(w + b * height) * widened(x[columns[b]]);
    store(y, (sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <class T>
void few(const Sparse& s, const void* x, int64_t rows, int64_t begin, int64_t end) {
    const int64_t lanes = s.height % kMany == 0 ? kMany : low(s.height) ? 4 : 1;
    for (int64_t strip = begin; strip < end; strip++) {
        for (int64_t row = 0; row < rows; row++) {
            float sums[kStrip] = {};
            for (int64_t r = 0; r < kStrip && strip * kStrip + r < s.out; r += lanes) {
                const int64_t output = strip * kStrip + r, block_row = output / s.height;
                const int64_t first = s.starts[block_row], count = s.starts[block_row + 1] - first;
                const T* w = (const T*)s.values + first * s.height + output % s.height;
                const T* xs = (const T*)x + row * s.in;
                (lanes == kMany ? dot<Many, T> : lanes == 4 ? dot<Four, T> : dot<float, T>)(w, s.height, s.columns + first, count, xs,
                                                                             sums + r);
            }
            for (int64_t r = 0; r < kStrip; r++) sums[r] = activated(s, sums[r], strip * kStrip + r);
            put(s, row, strip * kStrip, sums);
        }
    }
}

}  // namespace

extern const SparseKernels sparse = {first_outside, lanes, pack<float, false>, nullptr, panel<Plain<float>>, few<float>};
#if defined(__AVX512BF16__)
extern const SparseKernels sparse_bf16 = {first_outside, lanes, pack<uint16_t, false>, pair_up, panel<Paired>, few<uint16_t>};
#else
extern const SparseKernels sparse_bf16 = {first_outside, lanes, pack<uint16_t, true>, nullptr, panel<Plain<uint16_t>>, few<uint16_t>};
#endif

}  // namespace HADAL_NAMESPACE
}  // namespace hadal
