/*
 * The gradient of a convolution's weights. Compiled once per instruction set, in vectors of the set's own width and with
 * multiply-adds contracted, as rows.cpp is; the same rules hold.
 */
#include "hadal.h"
#include "kernels.h"

namespace hadal {
namespace HADAL_NAMESPACE {
namespace {

#if defined(__AVX512F__)
constexpr int64_t kWidth = 16, kChannels = 8;
#elif defined(__AVX2__)
constexpr int64_t kWidth = 8, kChannels = 4;
#else
constexpr int64_t kWidth = 4, kChannels = 4;
#endif

typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));

inline Vector load(const float* x) {
    Vector v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}

inline void store(float* y, Vector v) { __builtin_memcpy(y, &v, sizeof v); }

/** Places of y, row by row, and those of x that one tap pairs them with; steps in floats. */
struct Places {
    int64_t rows, columns;
    int64_t x_row, x_column, y_row, y_column;
};

/**
 * to[v][c] = Σ x[place,c]·dy[place,v], or that much more, for kChannels c and one or two vectors v, with every sum in a
 * register: ten loads for sixteen multiply-adds, of which a core does as many.
 */
template <int64_t vectors>
inline void tile(const float* x, const float* dy, const Places& places, bool more, float* const* to) {
    Vector sums[kChannels][vectors];
#pragma GCC unroll 8
    for (int64_t c = 0; c < kChannels; c++)
        for (int64_t v = 0; v < vectors; v++) sums[c][v] = Vector{};
    for (int64_t row = 0; row < places.rows; row++) {
        const float *xs = x + row * places.x_row, *dys = dy + row * places.y_row;
        for (int64_t column = 0; column < places.columns; column++) {
            Vector g[vectors];
            for (int64_t v = 0; v < vectors; v++) g[v] = load(dys + v * kWidth);
#pragma GCC unroll 8
            for (int64_t c = 0; c < kChannels; c++)
                for (int64_t v = 0; v < vectors; v++) sums[c][v] += xs[c] * g[v];
            xs += places.x_column;
            dys += places.y_column;
        }
    }
#pragma GCC unroll 8
    for (int64_t c = 0; c < kChannels; c++)
        for (int64_t v = 0; v < vectors; v++) {
            float* dw = to[v] + c * kConvolutionBlock;
            store(dw, more ? load(dw) + sums[c][v] : sums[c][v]);
        }
}

/** Those of [begin, end) whose place in x lies inside. */
inline void inside(const ConvolutionAxis& axis, int64_t tap, int64_t* begin, int64_t* end) {
    const int64_t shift = tap * axis.dilation - axis.pad;
    while (*begin < *end && *begin * axis.stride + shift < 0) ++*begin;
    while (*begin < *end && (*end - 1) * axis.stride + shift >= axis.in) --*end;
}

/** Fetches the i-th of n parts of a range into the second-level cache. */
inline void prefetch(const float* x, int64_t length, int64_t i, int64_t n) {
    constexpr int64_t kLine = 16;
    const int64_t lines = length / kLine;
    for (int64_t line = lines * i / n; line < lines * (i + 1) / n; line++) __builtin_prefetch(x + line * kLine, 0, 2);
}

}  // namespace

void convolution_weights(const ConvolutionGeometry& g, const float* x, const float* dy, int64_t first, int64_t last,
                         int64_t begin, int64_t end, bool more, float* dw) {
    const ConvolutionAxis &h = g.height, &w = g.width;
    const int64_t taps = h.taps * w.taps, c_blocks = g.channels / kConvolutionBlock;
    for (int64_t unit = begin; unit < end; unit++) {
        const int64_t tap = unit % taps, c_block = unit / taps % c_blocks, k = unit / taps / c_blocks * kConvolutionUnit;
        // The rows that are next, of this image or the one behind it; a fetch beyond the last does no harm.
        const int64_t part = unit - begin, parts = end - begin;
        prefetch(x + last * h.stride * w.in * g.channels, (last - first) * h.stride * w.in * g.channels, part, parts);
        prefetch(dy + last * w.out * g.filters, (last - first) * w.out * g.filters, part, parts);
        int64_t top = first, bottom = last, left = 0, right = w.out;
        inside(h, tap / w.taps, &top, &bottom);
        inside(w, tap % w.taps, &left, &right);
        const Places places = {bottom - top,       right - left, h.stride * w.in * g.channels,
                               w.stride * g.channels, w.out * g.filters, g.filters};
        const int64_t row = top * h.stride + tap / w.taps * h.dilation - h.pad;
        const int64_t column = left * w.stride + tap % w.taps * w.dilation - w.pad;
        const float* xs = x + (row * w.in + column) * g.channels + c_block * kConvolutionBlock;
        const float* dys = dy + (top * w.out + left) * g.filters;
        auto place = [&](int64_t filter, int64_t c) {
            const int64_t block = (filter / kConvolutionBlock * c_blocks + c_block) * taps + tap;
            return dw + (block * kConvolutionBlock + c) * kConvolutionBlock + filter % kConvolutionBlock;
        };
        for (int64_t c = 0; c < kConvolutionBlock; c += kChannels) {
            int64_t filter = k;
            const int64_t until = k + kConvolutionUnit < g.filters ? k + kConvolutionUnit : g.filters;
            for (; filter + 2 * kWidth <= until; filter += 2 * kWidth) {
                float* const to[] = {place(filter, c), place(filter + kWidth, c)};
                tile<2>(xs + c, dys + filter, places, more, to);
            }
            if (filter < until) {
                float* const to[] = {place(filter, c)};
                tile<1>(xs + c, dys + filter, places, more, to);
            }
        }
    }
}

}  // namespace HADAL_NAMESPACE
}  // namespace hadal
