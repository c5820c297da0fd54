/*
 * The C API: chooses the instruction set, shares the work among threads, adds partial sums in order.
 *
 * Compiled for the baseline instruction set, since it runs before the processor is known.
 */
#include "hadal.h"

#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "share.h"

namespace hadal {
namespace {

// ---- dispatch ---------------------------------------------------------------------------------------------

bool supported(Isa isa) {
    switch (isa) {
#ifdef HADAL_X86
        case Isa::avx512_bf16:
            return supported(Isa::avx512) && __builtin_cpu_supports("avx512bf16");
        case Isa::avx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("fma");
        case Isa::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
        default:
            return isa == Isa::baseline;
    }
}

#ifdef HADAL_X86
/** Those of avx512, but where processors with products of bf16 have others. */
const Kernels avx512_bf16_kernels = [] {
    Kernels kernels = avx512::kernels;
    kernels.sparse_bf16 = &avx512_bf16::sparse_bf16;
    return kernels;
}();
#endif

const Kernels& kernels_of(Isa isa) {
    switch (isa) {
#ifdef HADAL_X86
        case Isa::avx512_bf16:
            return avx512_bf16_kernels;
        case Isa::avx512:
            return avx512::kernels;
        case Isa::avx2:
            return avx2::kernels;
#endif
        default:
            return baseline::kernels;
    }
}

const Kernels* best() {
#ifdef HADAL_X86
    __builtin_cpu_init();
#endif
    const char* limit = getenv("HADAL_ISA");
    bool no_avx = limit != nullptr && strcmp(limit, "baseline") == 0;
    bool no_avx512 = no_avx || (limit != nullptr && strcmp(limit, "avx2") == 0);
    if (!no_avx512 && supported(Isa::avx512_bf16)) return &kernels_of(Isa::avx512_bf16);
    if (!no_avx512 && supported(Isa::avx512)) return &kernels_of(Isa::avx512);
    if (!no_avx && supported(Isa::avx2)) return &kernels_of(Isa::avx2);
    return &baseline::kernels;
}

const Kernels* active = best();

// ---- threads ----------------------------------------------------------------------------------------------

// A block is what one call of a summing kernel covers. Fixed, or the sum would depend on the thread count.
constexpr int64_t kBlockElements = 16384;
constexpr int64_t kBlocksAtOnce = 1024;

constexpr int64_t kCacheLine = 64 / sizeof(float);

// So many weights are updated before they are rounded: 8 KB of them.
constexpr int64_t kUpdateRow = 2048;

/** Σ f(block) for the blocks in order, whichever thread computes them. */
template <class Block>
double ordered_sum(int64_t blocks, int64_t elements, Block f) {
    double partial[kBlocksAtOnce];
    double sum = 0.0;
    for (int64_t first = 0; first < blocks; first += kBlocksAtOnce) {
        int64_t count = blocks - first < kBlocksAtOnce ? blocks - first : kBlocksAtOnce;
        share(count, 1, elements, [&](int64_t begin, int64_t end) {
            for (int64_t b = begin; b < end; b++) partial[b] = f(first + b);
        });
        for (int64_t b = 0; b < count; b++) sum += partial[b];
    }
    return sum;
}

/** Subnormal numbers are zero while this lives, in this thread. */
class SubnormalsAreZero {
#if defined(__SSE2__)
    static unsigned state() { return __builtin_ia32_stmxcsr(); }
    static void set(unsigned state) { __builtin_ia32_ldmxcsr(state); }
    static constexpr unsigned kFlush = 0x8000 | 0x0040;  // results, and operands
    const unsigned before = state();
#elif defined(__aarch64__)
    static uint64_t state() {
        uint64_t fpcr;
        asm volatile("mrs %0, fpcr" : "=r"(fpcr));
        return fpcr;
    }
    static void set(uint64_t fpcr) { asm volatile("msr fpcr, %0" : : "r"(fpcr)); }
    static constexpr uint64_t kFlush = 1 << 24;
    const uint64_t before = state();
#else
#error "no way known to flush subnormal numbers on this processor"
#endif

public:
    SubnormalsAreZero() { set(before | kFlush); }
    ~SubnormalsAreZero() { set(before); }
    SubnormalsAreZero(const SubnormalsAreZero&) = delete;
    SubnormalsAreZero& operator=(const SubnormalsAreZero&) = delete;
};

Bins bins(const int32_t* axis) {
    const int32_t in = axis[0], out = axis[1];
    const int32_t* first = axis + 3;
    return {in, out, axis[2], first, first + out, first + 2 * out, first + 3 * out, first + 3 * out + in};
}

// What the gradient of a convolution's weights takes at once.
constexpr int64_t kCacheOfRows = 65536, kPlacesAtOnce = 64;

/** Calls f(pooling, row, x, y) for each row of y, or of x, with the offsets of its image and of the row itself. */
template <class Row>
void share_rows(const int32_t* rows, const int32_t* columns, int64_t images, int64_t channels, bool backward,
                Row f) {
    const Pooling pooling = {bins(rows), bins(columns), channels};
    const int64_t x = (int64_t)pooling.rows.in * pooling.columns.in * channels;
    const int64_t y = (int64_t)pooling.rows.out * pooling.columns.out * channels;
    const int64_t count = backward ? pooling.rows.in : pooling.rows.out;
    const int64_t length = (backward ? pooling.columns.in : pooling.columns.out) * channels;
    share(images * count, 1, images * x, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++)
            f(pooling, i % count, i / count * (backward ? y : x), i * length);
    });
}

/** min(1, limit / (‖g‖ + 10⁻⁶)) */
float clip_factor(float limit, float norm) {
    float factor = limit / (norm + 1e-6f);
    return factor < 1.0f ? factor : 1.0f;
}

}  // namespace

bool select(Isa isa) {
    if (!supported(isa)) return false;
    active = &kernels_of(isa);
    return true;
}

}  // namespace hadal

// ---- the C API, documented in hadal.h ---------------------------------------------------------------------

using namespace hadal;

int hadal_abi_version(void) { return HADAL_ABI_VERSION; }

const char* hadal_isa(void) { return active->name; }

int hadal_set_threads(int n) {
    if (n >= 1) set_max_threads(n);
    return max_threads();
}

int hadal_threads(void) { return max_threads(); }

double hadal_sum_of_squares(const float* x, int64_t n) {
    int64_t blocks = (n + kBlockElements - 1) / kBlockElements;
    return ordered_sum(blocks, n, [=](int64_t block) {
        int64_t begin = block * kBlockElements;
        int64_t count = n - begin < kBlockElements ? n - begin : kBlockElements;
        return active->sum_of_squares(x + begin, count);
    });
}

void hadal_norm(const float* x, int64_t n, double* s, float* norm) {
    *s += hadal_sum_of_squares(x, n);
    *norm = (float)__builtin_sqrt(*s);
}

void hadal_update(int rule, float* w, const float* g, float* m0, float* m1, float* m2, uint16_t* shadow, int64_t n,
                  float a, float b, float epsilon, const float* hyper, const float* norm) {
    if (!__builtin_isfinite(*norm)) return;
    UpdateStep step = {a,        b,        epsilon,  hyper[0], hyper[1], hyper[7], clip_factor(hyper[4], *norm),
                       hyper[6], hyper[2], hyper[3], hyper[5]};
    auto from = [](float* m, int64_t begin) { return m == nullptr ? nullptr : m + begin; };
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        SubnormalsAreZero guard;
        // A shadow is written while the new w is still in the first-level cache.
        const int64_t row = shadow == nullptr ? end - begin : kUpdateRow;
        for (int64_t at = begin; at < end; at += row) {
            const int64_t count = end - at < row ? end - at : row;
            active->update(rule, w + at, g + at, from(m0, at), from(m1, at), from(m2, at), count, step);
            if (shadow != nullptr) active->narrow(w + at, count, shadow + at);
        }
    });
}

/** The gates and the values kept of a cell. */
static int64_t gates_of(int cell) { return cell == HADAL_LSTM ? 4 : cell == HADAL_GRU ? 3 : 1; }
static int64_t kept_of(int cell) { return cell == HADAL_LSTM ? 5 : cell == HADAL_GRU ? 4 : 0; }

// A unit's functions take about as long as that many additions.
static constexpr int64_t kCellWork = 16;

void hadal_recurrent_step(int cell, int64_t n, int64_t steps, int64_t hidden, int64_t t, const int32_t* lengths,
                          const float* a, const float* b, const float* bias_a, const float* bias_b, float* h,
                          float* c, float* y, float* kept) {
    const int64_t gates = gates_of(cell) * hidden, keep = kept_of(cell) * hidden;
    share(n, 1, n * hidden * kCellWork, [=](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++) {
            int64_t place = row * steps + t;
            float* state = h + row * hidden;
            if (lengths != nullptr && t >= lengths[row]) {
                memset(y + place * hidden, 0, hidden * sizeof(float));
                if (keep > 0) memset(kept + place * keep, 0, keep * sizeof(float));
                continue;
            }
            active->recurrent(cell, hidden, a + place * gates, b + row * gates, bias_a, bias_b, state,
                              c == nullptr ? nullptr : c + row * hidden,
                              kept == nullptr ? nullptr : kept + place * keep);
            memcpy(y + place * hidden, state, hidden * sizeof(float));
        }
    });
}

void hadal_recurrent_step_backward(int cell, int64_t n, int64_t steps, int64_t hidden, int64_t t, int64_t before,
                                   const int32_t* lengths, const float* y, const float* h0, const float* c0,
                                   const float* kept, const float* dy, float* dh, float* dc, float* da, float* db,
                                   float* h_before) {
    const int64_t gates = gates_of(cell) * hidden, keep = kept_of(cell) * hidden;
    share(n, 1, n * hidden * kCellWork, [=](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++) {
            int64_t place = row * steps + t, length = lengths == nullptr ? steps : lengths[row];
            float* h = h_before + place * hidden;
            if (t >= length) {
                memset(da + place * gates, 0, gates * sizeof(float));
                if (db != nullptr) memset(db + place * gates, 0, gates * sizeof(float));
                memset(h, 0, hidden * sizeof(float));
                continue;
            }
            bool first = before < 0 || before >= steps || before >= length;
            int64_t earlier = row * steps + before;
            const float* from = !first ? y + earlier * hidden : h0 == nullptr ? nullptr : h0 + row * hidden;
            if (from == nullptr) {
                memset(h, 0, hidden * sizeof(float));
            } else {
                memcpy(h, from, hidden * sizeof(float));
            }
            const float* c = nullptr;
            if (cell == HADAL_LSTM) {
                c = !first ? kept + earlier * keep + 4 * hidden : c0 == nullptr ? nullptr : c0 + row * hidden;
            }
            active->recurrent_backward(
                cell, hidden,
                {y + place * hidden, h, c, kept == nullptr ? nullptr : kept + place * keep,
                 dy == nullptr ? nullptr : dy + place * hidden, dh + row * hidden,
                 dc == nullptr ? nullptr : dc + row * hidden, da + place * gates,
                 db == nullptr ? nullptr : db + place * gates});
        }
    });
}

void hadal_column_sums(const float* x, int64_t rows, int64_t columns, float* y) {
    share(columns, kCacheLine, rows * columns, [=](int64_t begin, int64_t end) {
        active->column_sums(x + begin, rows, end - begin, columns, y + begin);
    });
}

void hadal_narrow(const float* x, int64_t n, uint16_t* y) {
    share(n, 2 * kCacheLine, n, [&](int64_t begin, int64_t end) { active->narrow(x + begin, end - begin, y + begin); });
}

void hadal_widen(const uint16_t* x, int64_t n, float* y) {
    share(n, 2 * kCacheLine, n, [&](int64_t begin, int64_t end) { active->widen(x + begin, end - begin, y + begin); });
}

// Rows of a block: so many that the sums of the blocks are few beside the values.
static int64_t rows_of_block(int64_t columns) {
    int64_t rows = kBlockElements / columns;
    return rows < 16 ? 16 : rows;
}

int64_t hadal_relu_bias_backward_scratch(int64_t rows, int64_t columns) {
    int64_t per_block = rows_of_block(columns);
    return (rows + per_block - 1) / per_block * columns;
}

void hadal_relu_bias_backward(const float* y, const float* dy, int64_t rows, int64_t columns, float slope,
                              float* dx, float* db, float* scratch) {
    int64_t per_block = rows_of_block(columns);
    int64_t blocks = (rows + per_block - 1) / per_block;
    share(blocks, 1, rows * columns, [=](int64_t first, int64_t last) {
        for (int64_t block = first; block < last; block++) {
            int64_t begin = block * per_block, at = begin * columns;
            int64_t count = rows - begin < per_block ? rows - begin : per_block;
            active->relu_bias_backward(y + at, dy + at, count, columns, slope, dx + at, scratch + block * columns);
        }
    });
    active->column_sums(scratch, blocks, columns, columns, db);
}

void hadal_elu(const float* x, int64_t n, float above, float below, float* y) {
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->elu(x + begin, end - begin, above, below, y + begin);
    });
}

void hadal_elu_backward(const float* y, const float* dy, int64_t n, float above, float below, float* dx) {
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->elu_backward(y + begin, dy + begin, end - begin, above, below, dx + begin);
    });
}

void hadal_clip(const float* x, int64_t n, float scale, float shift, float limit, float* y) {
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->clip(x + begin, end - begin, scale, shift, limit, y + begin);
    });
}

void hadal_softplus(const float* x, int64_t n, float* y) {
    share(n, kCacheLine, n,
          [&](int64_t begin, int64_t end) { active->softplus(x + begin, end - begin, y + begin); });
}

void hadal_mish(const float* x, int64_t n, float* y) {
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) { active->mish(x + begin, end - begin, y + begin); });
}

void hadal_mish_backward(const float* x, const float* dy, int64_t n, float* dx) {
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->mish_backward(x + begin, dy + begin, end - begin, dx + begin);
    });
}

void hadal_gelu(const float* x, int64_t n, int tanh, float* y) {
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->gelu(x + begin, end - begin, tanh != 0, y + begin);
    });
}

void hadal_gelu_backward(const float* x, const float* dy, int64_t n, int tanh, float* dx) {
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->gelu_backward(x + begin, dy + begin, end - begin, tanh != 0, dx + begin);
    });
}

void hadal_small_matmul(const float* a, const float* b, int64_t m, int64_t k, int64_t n, int transpose_a,
                        int transpose_b, float* y) {
    active->small_matmul(a, b, m, k, n, transpose_a != 0, transpose_b != 0, y);
}

void hadal_convolution_weights(const float* x, const float* dy, int64_t images, int64_t channels, int64_t filters,
                               const int64_t* axes, float* dw) {
    auto axis = [=](const int64_t* a) { return ConvolutionAxis{a[0], a[1], a[2], a[3], a[4], a[5]}; };
    const ConvolutionGeometry g = {channels, filters, axis(axes), axis(axes + 6)};
    const int64_t row = (g.height.stride * g.width.in * channels + g.width.out * filters) * (int64_t)sizeof(float);
    // As many rows as the first-level cache nearly holds, but enough places to pay for loading and storing sums.
    int64_t rows = row > 0 ? kCacheOfRows / row : 1;
    if (rows * g.width.out < kPlacesAtOnce) rows = (kPlacesAtOnce + g.width.out - 1) / g.width.out;
    const int64_t units = g.height.taps * g.width.taps * (channels / kConvolutionBlock) *
                          ((filters + kConvolutionUnit - 1) / kConvolutionUnit);
    const int64_t x_image = g.height.in * g.width.in * channels, y_image = g.height.out * g.width.out * filters;
    share(units, 1, images * y_image, [&](int64_t begin, int64_t end) {
        bool more = false;
        for (int64_t image = 0; image < images; image++) {
            for (int64_t first = 0; first < g.height.out; first += rows) {
                const int64_t last = first + rows < g.height.out ? first + rows : g.height.out;
                active->convolution_weights(g, x + image * x_image, dy + image * y_image, first, last, begin, end,
                                            more, dw);
                more = true;
            }
        }
    });
}

// ---- products of sparse weights ----

// Panels that are packed together, and stay in the second-level cache while all outputs are computed.
static constexpr int64_t kPanels = 8;

// So few rows would leave most of a panel empty.
static constexpr int64_t kFewRows = 6;

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/** Of an instruction set: as many rows as are packed together, in lanes of panels. */
static int64_t rows_at_once(const SparseKernels& kernels, int64_t n, int64_t height) {
    const int64_t lanes = kernels.lanes(height, n);
    return n <= kPanels * lanes ? round_up(n, lanes) : kPanels * lanes;
}

static int64_t words_of_panels(const SparseKernels& kernels, int64_t n, int64_t in, int64_t height) {
    return round_up(rows_at_once(kernels, n, height) * round_up(in, 2), kCacheLine);
}

int64_t hadal_sparse_matmul_scratch(int64_t n, int64_t in, int64_t out, int64_t blocks, int64_t height, int bf16) {
    if (n <= kFewRows) return 0;
    const SparseKernels& kernels = bf16 != 0 ? *active->sparse_bf16 : *active->sparse;
    const int64_t pairs = sparse_pairs(blocks, (out + height - 1) / height);
    return words_of_panels(kernels, n, in, height) + (kernels.pack_values != nullptr ? pairs * height : 0);
}

/** The position of what is out of place among the columns, or behind them among the starts; HADAL_FINE if nothing is. */
static int64_t misplaced(const SparseKernels& kernels, const Sparse& s, int64_t blocks) {
    const int64_t column = kernels.first_outside(s.columns, blocks, s.in);
    if (column < blocks) return column;
    const int64_t count = (s.out + s.height - 1) / s.height + 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t least = i == 0 ? 0 : s.starts[i - 1];
        if (s.starts[i] < least || s.starts[i] > blocks) return blocks + i;
    }
    return HADAL_FINE;
}

static int64_t sparse_matmul(const SparseKernels& kernels, const void* x, Sparse s, int64_t n, int64_t blocks,
                             int64_t value_size, float* scratch) {
    const int64_t fault = misplaced(kernels, s, blocks);
    if (fault != HADAL_FINE) return fault;
    const int64_t strips = (s.out + kSparseStrip - 1) / kSparseStrip;
    const int64_t work = blocks * s.height * n + s.out * n;
    if (n <= kFewRows) {
        share(strips, 1, work, [&](int64_t begin, int64_t end) { kernels.few(s, x, n, begin, end); });
        return HADAL_FINE;
    }
    if (kernels.pack_values != nullptr) {
        float* packed = scratch + words_of_panels(kernels, n, s.in, s.height);
        share((s.out + s.height - 1) / s.height, 1, work,
              [&](int64_t begin, int64_t end) { kernels.pack_values(s, begin, end, packed); });
        s.packed = packed;
    }
    const int64_t at_once = rows_at_once(kernels, n, s.height);
    for (int64_t first = 0; first < n; first += at_once) {
        const int64_t rows = n - first < at_once ? n - first : at_once, whole = kernels.lanes(s.height, rows);
        // The last panel may be narrower.
        auto panel = [&](int64_t i) {
            const int64_t left = rows - i * whole, lanes = left < whole ? kernels.lanes(s.height, left) : whole;
            return Panel{scratch + i * whole * round_up(s.in, 2), lanes, first + i * whole, left < lanes ? left : lanes};
        };
        const int64_t panels = (rows + whole - 1) / whole;
        share(panels, 1, work, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; i++) {
                const Panel p = panel(i);
                kernels.pack((const char*)x + p.first * s.in * value_size, s.in, p.rows, p.lanes, (void*)p.values);
            }
        });
        share(panels * strips, 1, work, [&](int64_t begin, int64_t end) {
            while (begin < end) {
                const int64_t i = begin / strips, strip = begin % strips;
                const int64_t last = end - i * strips < strips ? end - i * strips : strips;
                kernels.panel(s, panel(i), strip, last);
                begin = i * strips + last;
            }
        });
    }
    return HADAL_FINE;
}

int64_t hadal_sparse_matmul(const float* x, const float* values, const int32_t* columns, const int32_t* starts,
                            const float* bias, int64_t n, int64_t in, int64_t out, int64_t blocks, int64_t height,
                            float slope, float* y, float* scratch) {
    const Sparse s = {values, nullptr, columns, starts, bias, in, out, height, slope, false, y};
    return sparse_matmul(*active->sparse, x, s, n, blocks, sizeof *x, scratch);
}

int64_t hadal_sparse_matmul_bf16(const uint16_t* x, const uint16_t* values, const int32_t* columns,
                                 const int32_t* starts, const float* bias, int64_t n, int64_t in, int64_t out,
                                 int64_t blocks, int64_t height, float slope, int narrow, void* y, float* scratch) {
    const Sparse s = {values, nullptr, columns, starts, bias, in, out, height, slope, narrow != 0, y};
    return sparse_matmul(*active->sparse_bf16, x, s, n, blocks, sizeof *x, scratch);
}

static Targets targets_of(int64_t places, int64_t classes, const float* class_weights,
                          const float* sample_weights, float smoothing, int32_t ignore) {
    double total = (double)classes;
    if (class_weights != nullptr) {
        total = 0.0;
        for (int64_t k = 0; k < classes; k++) total += (double)class_weights[k];
    }
    return {classes, places, class_weights, sample_weights, total, smoothing, ignore};
}

/** Σ w_label over the labels that count; those out of range make NaN of their row, so what they add is all the same. */
static double divisor(const int32_t* labels, int64_t rows, const Targets& t) {
    double sum = 0.0;
    for (int64_t row = 0; row < rows; row++) {
        if (labels[row] == t.ignore) continue;
        bool known = 0 <= labels[row] && labels[row] < t.classes;
        sum += known && t.class_weights != nullptr ? (double)t.class_weights[labels[row]] : 1.0;
    }
    return sum;
}

void hadal_moving_average(float* e, const float* w, int64_t n, float beta, const float* norm) {
    if (!__builtin_isfinite(*norm)) return;
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->weighted_sum(beta, e + begin, 1.0f - beta, w + begin, end - begin, e + begin);
    });
}

void hadal_clip_norm(const float* g, int64_t n, float limit, float* y) {
    float factor = clip_factor(limit, (float)__builtin_sqrt(hadal_sum_of_squares(g, n)));
    share(n, kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->weighted_sum(factor, g + begin, 0.0f, g + begin, end - begin, y + begin);
    });
}

void hadal_cross_entropy(const float* logits, const int32_t* labels, const float* class_weights,
                         const float* sample_weights, int64_t samples, int64_t places, int64_t classes,
                         float smoothing, int32_t ignore, float* loss, float* probabilities) {
    Targets targets = targets_of(places, classes, class_weights, sample_weights, smoothing, ignore);
    int64_t rows = samples * places;
    int64_t block_rows = classes < kBlockElements ? kBlockElements / (classes + 1) + 1 : 1;
    int64_t blocks = (rows + block_rows - 1) / block_rows;
    double sum = ordered_sum(blocks, rows * classes, [&](int64_t block) {
        int64_t begin = block * block_rows;
        int64_t end = rows - begin < block_rows ? rows : begin + block_rows;
        return active->cross_entropy(logits, labels, begin, end, targets, probabilities);
    });
    *loss = (float)(sum / divisor(labels, rows, targets));
}

void hadal_cross_entropy_backward(const float* probabilities, const int32_t* labels, const float* class_weights,
                                  const float* sample_weights, const float* dloss, int64_t samples,
                                  int64_t places, int64_t classes, float smoothing, int32_t ignore,
                                  float* dlogits) {
    Targets targets = targets_of(places, classes, class_weights, sample_weights, smoothing, ignore);
    int64_t rows = samples * places;
    double scale = (double)*dloss / divisor(labels, rows, targets);
    share(rows, 1, rows * classes, [&](int64_t begin, int64_t end) {
        active->cross_entropy_backward(probabilities, labels, begin, end, targets, scale, dlogits);
    });
}

// A block of samples sums up dγ and dβ in float before the blocks are added in double.
constexpr int64_t kNormBlocks = 16;
constexpr int64_t kSamplesInFloat = 64;

static int64_t samples_of_block(int64_t samples) {
    int64_t share = (samples + kNormBlocks - 1) / kNormBlocks;
    return share < kSamplesInFloat ? share : kSamplesInFloat;
}

int64_t hadal_group_norm_scratch(int64_t samples, int64_t groups, int64_t channels) {
    if (samples == 0) return 0;
    int64_t per_block = samples_of_block(samples);
    return (samples + per_block - 1) / per_block * groups * channels * 2;
}

void hadal_group_norm(const float* x, const float* scale, const float* bias, int64_t samples, int64_t groups,
                      int64_t channels, int64_t plane, float epsilon, float* y, float* mean,
                      float* variance) {
    Groups geometry = {groups, channels, plane, epsilon};
    share(samples * groups, 1, samples * groups * channels * plane, [&](int64_t begin, int64_t end) {
        active->group_norm(x, scale, bias, begin, end, geometry, y, mean, variance);
    });
}

void hadal_group_norm_backward(const float* x, const float* dy, const float* scale, const float* mean,
                               const float* variance, int64_t samples, int64_t groups, int64_t channels,
                               int64_t plane, float epsilon, float* dx, float* dscale, float* dbias,
                               float* scratch) {
    Groups geometry = {groups, channels, plane, epsilon};
    int64_t elements = samples * groups * channels * plane;
    int64_t per_block = samples == 0 ? 1 : samples_of_block(samples);
    int64_t blocks = (samples + per_block - 1) / per_block;
    int64_t all = groups * channels;
    share(blocks * groups, 1, elements, [=](int64_t first, int64_t last) {
        for (int64_t task = first; task < last; task++) {
            int64_t block = task / groups, group = task % groups;
            int64_t begin = block * per_block;
            int64_t end = samples - begin < per_block ? samples : begin + per_block;
            float* sums[2] = {scratch + 2 * block * all + group * channels, nullptr};
            if (dbias != nullptr) sums[1] = sums[0] + all;
            active->group_norm_backward(x, dy, scale, mean, variance, begin, end, group, geometry, dx, sums);
        }
    });
    active->column_sums(scratch, blocks, all, 2 * all, dscale);
    if (dbias != nullptr) active->column_sums(scratch + all, blocks, all, 2 * all, dbias);
}

/** Calls f(offset, lines) for the lines of [outer, length, inner] along its second axis, side by side. */
template <class Lines>
static void share_lines(int64_t outer, int64_t length, int64_t inner, Lines f) {
    int64_t pieces = (inner + kLinesAtOnce - 1) / kLinesAtOnce;
    share(outer * pieces, 1, outer * length * inner, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; task++) {
            int64_t first = task % pieces * kLinesAtOnce;
            int64_t lines = inner - first < kLinesAtOnce ? inner - first : kLinesAtOnce;
            f(task / pieces * length * inner + first, lines);
        }
    });
}

void hadal_softmax(const float* x, int64_t outer, int64_t length, int64_t inner, int log, float* y) {
    share_lines(outer, length, inner, [&](int64_t at, int64_t lines) {
        active->softmax(x + at, lines, length, inner, log != 0, y + at);
    });
}

void hadal_softmax_backward(const float* y, const float* dy, int64_t outer, int64_t length, int64_t inner,
                            int log, float* dx) {
    share_lines(outer, length, inner, [&](int64_t at, int64_t lines) {
        active->softmax_backward(y + at, dy + at, lines, length, inner, log != 0, dx + at);
    });
}

// Of f32 and bf16 alike, each with its kernel.

template <auto kernel, class T>
static void max_pool(const T* x, const int32_t* rows, const int32_t* columns, int64_t images, int64_t channels, T* y,
                     int32_t* index) {
    share_rows(rows, columns, images, channels, false,
               [=](const Pooling& pooling, int64_t row, int64_t image, int64_t at) {
                   (active->*kernel)(pooling, row, x + image, y + at, index + at);
               });
}

template <auto kernel, class T>
static void max_pool_backward(const T* dy, const int32_t* index, const int32_t* rows, const int32_t* columns,
                              int64_t images, int64_t channels, T* dx) {
    share_rows(rows, columns, images, channels, true,
               [=](const Pooling& pooling, int64_t row, int64_t image, int64_t at) {
                   (active->*kernel)(pooling, row, dy + image, index + image, dx + at);
               });
}

/** From the one side to the other: the mean, or its gradient. */
template <auto kernel, class T>
static void average_pool(const T* from, const int32_t* rows, const int32_t* columns, int64_t images, int64_t channels,
                         bool backward, T* to) {
    share_rows(rows, columns, images, channels, backward,
               [=](const Pooling& pooling, int64_t row, int64_t image, int64_t at) {
                   (active->*kernel)(pooling, row, from + image, to + at);
               });
}

void hadal_max_pool(const float* x, const int32_t* rows, const int32_t* columns, int64_t images, int64_t channels,
                    float* y, int32_t* index) {
    max_pool<&Kernels::max_pool>(x, rows, columns, images, channels, y, index);
}

void hadal_max_pool_backward(const float* dy, const int32_t* index, const int32_t* rows, const int32_t* columns,
                             int64_t images, int64_t channels, float* dx) {
    max_pool_backward<&Kernels::max_pool_backward>(dy, index, rows, columns, images, channels, dx);
}

void hadal_average_pool(const float* x, const int32_t* rows, const int32_t* columns, int64_t images,
                        int64_t channels, float* y) {
    average_pool<&Kernels::average_pool>(x, rows, columns, images, channels, false, y);
}

void hadal_average_pool_backward(const float* dy, const int32_t* rows, const int32_t* columns, int64_t images,
                                 int64_t channels, float* dx) {
    average_pool<&Kernels::average_pool_backward>(dy, rows, columns, images, channels, true, dx);
}

void hadal_max_pool_bf16(const uint16_t* x, const int32_t* rows, const int32_t* columns, int64_t images, int64_t channels,
                    uint16_t* y, int32_t* index) {
    max_pool<&Kernels::max_pool_bf16>(x, rows, columns, images, channels, y, index);
}

void hadal_max_pool_backward_bf16(const uint16_t* dy, const int32_t* index, const int32_t* rows, const int32_t* columns,
                             int64_t images, int64_t channels, uint16_t* dx) {
    max_pool_backward<&Kernels::max_pool_backward_bf16>(dy, index, rows, columns, images, channels, dx);
}

void hadal_average_pool_bf16(const uint16_t* x, const int32_t* rows, const int32_t* columns, int64_t images,
                        int64_t channels, uint16_t* y) {
    average_pool<&Kernels::average_pool_bf16>(x, rows, columns, images, channels, false, y);
}

void hadal_average_pool_backward_bf16(const uint16_t* dy, const int32_t* rows, const int32_t* columns, int64_t images,
                                 int64_t channels, uint16_t* dx) {
    average_pool<&Kernels::average_pool_backward_bf16>(dy, rows, columns, images, channels, true, dx);
}

// ---- bytes ------------------------------------------------------------------------------------------------

/** Of an 8-bit type, whose integers are least … 255 − least once their first bit is flipped, or not. */
static hadal::Bytes bytes(int zero, int flip) { return {zero, flip, (float)-zero, (float)(255 - zero)}; }

void hadal_quantize(const float* x, int64_t outer, int64_t channels, int64_t inner, const float* scales, int zero,
                    int flip, int channels_last, uint8_t* q) {
    const hadal::Bytes to = bytes(zero, flip);
    constexpr int64_t kPiece = 1024;
    if (channels == 1) {
        share(outer * inner, 64, outer * inner, [&](int64_t begin, int64_t end) {
            active->quantize(x + begin, end - begin, 1.0f / scales[0], to, q + begin);
        });
    } else if (!channels_last) {
        share(outer * channels, 1, outer * channels * inner, [&](int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; row++)
                active->quantize(x + row * inner, inner, 1.0f / scales[row % channels], to, q + row * inner);
        });
    } else {
        int64_t pieces = (inner + kPiece - 1) / kPiece;
        share(outer * pieces, 1, outer * channels * inner, [&](int64_t begin, int64_t end) {
            uint8_t line[kPiece];
            for (int64_t piece = begin; piece < end; piece++) {
                int64_t image = piece / pieces, first = piece % pieces * kPiece;
                int64_t count = inner - first < kPiece ? inner - first : kPiece;
                for (int64_t c = 0; c < channels; c++) {
                    const float* from = x + (image * channels + c) * inner + first;
                    uint8_t* to_place = q + (image * inner + first) * channels + c;
                    active->quantize(from, count, 1.0f / scales[c], to, line);
                    for (int64_t i = 0; i < count; i++) to_place[i * channels] = line[i];
                }
            }
        });
    }
}

void hadal_dequantize(const uint8_t* q, int64_t outer, int64_t channels, int64_t inner, const float* scales, int zero,
                      int flip, float* x) {
    const hadal::Bytes from = bytes(zero, flip);
    if (channels == 1) {
        share(outer * inner, 64, outer * inner, [&](int64_t begin, int64_t end) {
            active->dequantize(q + begin, end - begin, scales[0], from, x + begin);
        });
        return;
    }
    share(outer * channels, 1, outer * channels * inner, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++)
            active->dequantize(q + row * inner, inner, scales[row % channels], from, x + row * inner);
    });
}

void hadal_add_bytes(const uint8_t* a, float scale_a, int zero_a, int flip_a, const uint8_t* b, float scale_b,
                     int zero_b, int flip_b, int64_t n, int rectified, int zero, int flip, uint8_t* y) {
    const hadal::Bytes from_a = bytes(zero_a, flip_a), from_b = bytes(zero_b, flip_b);
    hadal::Bytes to = bytes(zero, flip);
    if (rectified) to.least = 0.0f;
    share(n, 64, n, [&](int64_t begin, int64_t end) {
        active->add_bytes(a + begin, scale_a, from_a, b + begin, scale_b, from_b, end - begin, to, y + begin);
    });
}

void hadal_map_bytes(const uint8_t* table, const uint8_t* x, int64_t n, uint8_t* y) {
    share(n, 64, n, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) y[i] = table[x[i]];
    });
}

void hadal_max_pool_bytes(const uint8_t* x, const int32_t* rows, const int32_t* columns, int64_t images,
                          int64_t channels, int flip, uint8_t* y, int32_t* index) {
    share_rows(rows, columns, images, channels, false,
               [=](const Pooling& pooling, int64_t row, int64_t image, int64_t at) {
                   active->max_pool_bytes(pooling, row, x + image, flip, y + at, index + at);
               });
}

void hadal_average_pool_bytes(const uint8_t* x, int from_zero, int from_flip, const int32_t* rows,
                              const int32_t* columns, int64_t images, int64_t channels, float scale, int zero, int flip,
                              uint8_t* y, float* real) {
    const hadal::Bytes from = bytes(from_zero, from_flip), to = bytes(zero, flip);
    share_rows(rows, columns, images, channels, false,
               [&](const Pooling& pooling, int64_t row, int64_t image, int64_t at) {
                   active->average_pool_bytes(pooling, row, x + image, from, scale, to, y == nullptr ? y : y + at,
                                              real == nullptr ? real : real + at);
               });
}

void hadal_linear_bytes(const uint8_t* x, int64_t m, int64_t k, int from_zero, const int8_t* w, int64_t n,
                        const float* scales, const float* bias, int rectified, float inverse, int zero, int flip,
                        uint8_t* y, float* real) {
    const hadal::Bytes to = bytes(zero, flip);
    const float least = rectified ? 0.0f : -__builtin_inff();
    constexpr int64_t kOutputs = 16;  // so many rows of w stay in the nearest cache for all rows of x
    share((n + kOutputs - 1) / kOutputs, 1, m * n * k, [&](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; block++) {
            int64_t first = block * kOutputs, last = first + kOutputs < n ? first + kOutputs : n;
            for (int64_t row = 0; row < m; row++)
                active->linear_bytes(x + row * k, k, from_zero, w, first, last, scales, bias, least, inverse, to,
                                     y == nullptr ? y : y + row * n, real == nullptr ? real : real + row * n);
        }
    });
}

void hadal_dropout(const float* x, int64_t n, const int32_t* random, int64_t stream, int threshold, float scale,
                   float* y) {
    const uint32_t key[] = {(uint32_t)random[0], (uint32_t)random[1]};
    const uint32_t counter[] = {(uint32_t)random[2], (uint32_t)stream, (uint32_t)((uint64_t)stream >> 32)};
    share(n, 4 * kCacheLine, n, [&](int64_t begin, int64_t end) {
        active->dropout(x, begin, end, key, counter, (uint32_t)threshold, scale, y);
    });
}
