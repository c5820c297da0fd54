/*
 * What one instruction set provides: serial kernels over one range or block. Threads, blocks and the C API are
 * hadal.cpp's business, so that kernels.cpp, compiled once per instruction set, holds arithmetic alone.
 */
#pragma once

#include <stdint.h>

namespace hadal {

/** Of which the last is avx512 to users, with products of bf16. */
enum class Isa { baseline, avx2, avx512, avx512_bf16 };

/** The scalars of an optimizer's step; `clip` is min(1, limit / (‖g‖ + 10⁻⁶)). */
struct UpdateStep {
    float a, b, epsilon, rate, decay, l2, clip, value, c1, c2, c3;
};

/** Samples of `groups` groups of `channels` channels of `plane` values; a group is normalized together. */
struct Groups {
    int64_t groups, channels, plane;
    float epsilon;
};

/** One axis of a pooling; see hadal.h. */
struct Bins {
    int32_t in, out, step;
    const int32_t *first, *count, *divisor, *from, *until;
};

/** The planes of a pooling and how they are read. */
struct Pooling {
    Bins rows, columns;
    int64_t channels;
};

/** One axis of a convolution: sizes of x and y, and how the window moves. */
struct ConvolutionAxis {
    int64_t in, out, taps, stride, dilation, pad;
};

/** Images with their channels innermost; `filters` are the channels of y. */
struct ConvolutionGeometry {
    int64_t channels, filters;
    ConvolutionAxis height, width;
};

/**
 * How bytes stand for numbers: with the bits of `flip` flipped they are integers, `zero` of which is 0. Distances from it
 * are between `least` and `greatest`.
 */
struct Bytes {
    int32_t zero;
    int flip;
    float least, greatest;
};

/** One row of a recurrent layer's step backwards: what hadal_recurrent_step_backward takes, at that row. */
struct RecurrentRow {
    const float *y, *h, *c, *kept, *dy;  // h and c before the step; c and dy may be null
    float *dh, *dc, *da, *db;
};

/** What the rows of logits are held against; weights that are null are 1. */
struct Targets {
    int64_t classes, places;
    const float* class_weights;
    const float* sample_weights;
    double total_weight;  // Σ w over the classes
    float smoothing;
    int32_t ignore;
};

/** A product with weights of which few blocks are kept: what hadal_sparse_matmul takes, but x. */
struct Sparse {
    const void* values;  // float or, like x, bf16
    const void* packed;  // the values, if SparseKernels packs them
    const int32_t *columns, *starts;
    const float* bias;  // may be null
    int64_t in, out, height;
    float slope;
    bool bf16;  // so is y
    void* y;
};

/** Rows of x, turned around, so many from the first on; of the panel's lanes, those beyond are zero. */
struct Panel {
    const void* values;
    int64_t lanes, first, rows;
};

// Outputs are computed so many at a time.
constexpr int64_t kSparseStrip = 8;

/** Where the pairs of a row of blocks begin, of which the first block is `start`: far enough for those of the rows before. */
constexpr int64_t sparse_pairs(int64_t start, int64_t block_row) { return start / 2 + block_row; }

/** The kernels for one type of x and weights. */
struct SparseKernels {
    /** The position of the first of n indices outside [0, limit); n if there is none. */
    int64_t (*first_outside)(const int32_t* x, int64_t n, int64_t limit);
    /** How many lanes a panel has that is to hold so many rows, or as many of them as a panel holds. */
    int64_t (*lanes)(int64_t height, int64_t rows);
    /** Turns rows of x into a panel, of so many words of 4 bytes as its lanes times `in`, rounded up to 2. */
    void (*pack)(const void* x, int64_t in, int64_t rows, int64_t lanes, void* panel);
    /** Packs the values of some rows of blocks; null where they are used as they lie. */
    void (*pack_values)(const Sparse& s, int64_t begin, int64_t end, void* packed);
    /** The strips of outputs from `begin` to `end` for the rows of a panel. */
    void (*panel)(const Sparse& s, const Panel& x, int64_t begin, int64_t end);
    /** The same, for all rows of x. */
    void (*few)(const Sparse& s, const void* x, int64_t rows, int64_t begin, int64_t end);
};

struct Kernels {
    const char* name;
    const SparseKernels *sparse, *sparse_bf16;
    double (*sum_of_squares)(const float* x, int64_t n);
    /** `rule` is a hadal_rule. */
    void (*update)(int rule, float* w, const float* g, float* m0, float* m1, float* m2, int64_t n,
                   const UpdateStep& step);
    void (*narrow)(const float* x, int64_t n, uint16_t* y);
    void (*widen)(const uint16_t* x, int64_t n, float* y);
    /** z = a·x + b·y; z may be x or y. */
    void (*weighted_sum)(float a, const float* x, float b, const float* y, int64_t n, float* z);
    /** One row of a recurrent layer's step; cell as in hadal.h. */
    void (*recurrent)(int cell, int64_t hidden, const float* a, const float* b, const float* bias_a,
                      const float* bias_b, float* h, float* c, float* kept);
    void (*recurrent_backward)(int cell, int64_t hidden, const RecurrentRow& row);
    /** Columns of a matrix with that stride from row to row. */
    void (*column_sums)(const float* x, int64_t rows, int64_t columns, int64_t stride, float* y);
    /** One block of rows; `sums` takes those of its columns. */
    void (*relu_bias_backward)(const float* y, const float* dy, int64_t rows, int64_t columns, float slope, float* dx,
                               float* sums);
    void (*elu)(const float* x, int64_t n, float above, float below, float* y);
    void (*elu_backward)(const float* y, const float* dy, int64_t n, float above, float below, float* dx);
    void (*clip)(const float* x, int64_t n, float scale, float shift, float limit, float* y);
    void (*softplus)(const float* x, int64_t n, float* y);
    void (*mish)(const float* x, int64_t n, float* y);
    void (*mish_backward)(const float* x, const float* dy, int64_t n, float* dx);
    void (*gelu)(const float* x, int64_t n, bool tanh, float* y);
    void (*gelu_backward)(const float* x, const float* dy, int64_t n, bool tanh, float* dx);
    /** k · n, with n rounded up to kLanesOfProduct, is at most kSmallProduct. */
    void (*small_matmul)(const float* a, const float* b, int64_t m, int64_t k, int64_t n, bool transpose_a,
                         bool transpose_b, float* y);
    /**
     * dw of the units from `begin` to `end` and the rows of y from `first` to `last` of one image, added to what is there
     * if `more`. A unit is one tap, kConvolutionBlock channels and up to kConvolutionUnit filters; taps come first, then
     * channels. dw: [filters / block, channels / block, taps, block channels, block filters].
     */
    void (*convolution_weights)(const ConvolutionGeometry& geometry, const float* x, const float* dy, int64_t first,
                                int64_t last, int64_t begin, int64_t end, bool more, float* dw);
    /** Returns the sum of the losses of the rows from `begin` to `end`. */
    double (*cross_entropy)(const float* logits, const int32_t* labels, int64_t begin, int64_t end,
                            const Targets& targets, float* probabilities);
    /** `scale` is dloss / Σ w_label. */
    void (*cross_entropy_backward)(const float* probabilities, const int32_t* labels, int64_t begin, int64_t end,
                                   const Targets& targets, double scale, float* dlogits);
    /** The groups from `begin` to `end`, counted over all samples. Without `mean`, root-mean-square norm. */
    void (*group_norm)(const float* x, const float* scale, const float* bias, int64_t begin, int64_t end,
                       const Groups& geometry, float* y, float* mean, float* variance);
    /** One group of the samples from `begin` to `end`; sums[0] and sums[1] take that group's dγ and dβ. */
    void (*group_norm_backward)(const float* x, const float* dy, const float* scale, const float* mean,
                                const float* variance, int64_t begin, int64_t end, int64_t group,
                                const Groups& geometry, float* dx, float* const* sums);
    /** `lines` ≤ kLinesAtOnce lines side by side, each of `length` values that lie `stride` apart. */
    void (*softmax)(const float* x, int64_t lines, int64_t length, int64_t stride, bool log, float* y);
    void (*softmax_backward)(const float* y, const float* dy, int64_t lines, int64_t length, int64_t stride,
                             bool log, float* dx);
    /** One row of y, from one image of x. */
    void (*max_pool)(const Pooling& pooling, int64_t row, const float* x, float* y, int32_t* index);
    void (*average_pool)(const Pooling& pooling, int64_t row, const float* x, float* y);
    /** One row of dx, from one image of dy. */
    void (*max_pool_backward)(const Pooling& pooling, int64_t row, const float* dy, const int32_t* index,
                              float* dx);
    void (*average_pool_backward)(const Pooling& pooling, int64_t row, const float* dy, float* dx);
    // The same, of bf16.
    void (*max_pool_bf16)(const Pooling& pooling, int64_t row, const uint16_t* x, uint16_t* y, int32_t* index);
    void (*average_pool_bf16)(const Pooling& pooling, int64_t row, const uint16_t* x, uint16_t* y);
    void (*max_pool_backward_bf16)(const Pooling& pooling, int64_t row, const uint16_t* dy, const int32_t* index,
                              uint16_t* dx);
    void (*average_pool_backward_bf16)(const Pooling& pooling, int64_t row, const uint16_t* dy, uint16_t* dx);
    void (*quantize)(const float* x, int64_t n, float inverse, const Bytes& to, uint8_t* q);
    void (*dequantize)(const uint8_t* q, int64_t n, float scale, const Bytes& from, float* x);
    void (*add_bytes)(const uint8_t* a, float scale_a, const Bytes& from_a, const uint8_t* b, float scale_b,
                      const Bytes& from_b, int64_t n, const Bytes& to, uint8_t* y);
    void (*max_pool_bytes)(const Pooling& pooling, int64_t row, const uint8_t* x, int flip, uint8_t* y, int32_t* index);
    /** To `real` unless it is null, else to `y`. */
    void (*average_pool_bytes)(const Pooling& pooling, int64_t row, const uint8_t* x, const Bytes& from, float scale,
                               const Bytes& to, uint8_t* y, float* real);
    /** The results from `begin` to `end` of one row x, likewise. */
    void (*linear_bytes)(const uint8_t* x, int64_t k, int zero, const int8_t* w, int64_t begin, int64_t end,
                         const float* scales, const float* bias, float least, float inverse, const Bytes& to,
                         uint8_t* y, float* real);
    /** Elements from `begin`, a multiple of four, to `end`. */
    void (*dropout)(const float* x, int64_t begin, int64_t end, const uint32_t* key, const uint32_t* counter,
                    uint32_t threshold, float scale, float* y);
};

constexpr int64_t kLinesAtOnce = 64;
constexpr int64_t kConvolutionBlock = 16, kConvolutionUnit = 32;
constexpr int64_t kSmallProduct = 4096, kLanesOfProduct = 16;

/** What bytes.cpp computes for the kernels of its instruction set. */
#ifdef HADAL_NAMESPACE
namespace HADAL_NAMESPACE {
void quantize(const float* x, int64_t n, float inverse, const Bytes& to, uint8_t* q);
void dequantize(const uint8_t* q, int64_t n, float scale, const Bytes& from, float* x);
void add_bytes(const uint8_t* a, float scale_a, const Bytes& from_a, const uint8_t* b, float scale_b,
               const Bytes& from_b, int64_t n, const Bytes& to, uint8_t* y);
void max_pool_bytes(const Pooling& pooling, int64_t row, const uint8_t* x, int flip, uint8_t* y, int32_t* index);
void average_pool_bytes(const Pooling& pooling, int64_t row, const uint8_t* x, const Bytes& from, float scale,
                        const Bytes& to, uint8_t* y, float* real);
void linear_bytes(const uint8_t* x, int64_t k, int zero, const int8_t* w, int64_t begin, int64_t end,
                  const float* scales, const float* bias, float least, float inverse, const Bytes& to, uint8_t* y,
                  float* real);
}
#endif

/** What rows.cpp and convolution.cpp compute for the kernels of its instruction set. */
#ifdef HADAL_NAMESPACE
namespace HADAL_NAMESPACE {
/** As group_norm and group_norm_backward, for planes of one value. */
void row_norm(const float* x, const float* scale, const float* bias, int64_t begin, int64_t end, const Groups& geometry,
              float* y, float* mean, float* variance);
void row_norm_backward(const float* x, const float* dy, const float* scale, const float* mean, const float* variance,
                       int64_t begin, int64_t end, int64_t group, const Groups& geometry, float* dx,
                       float* const* sums);
void gelu(const float* x, int64_t n, bool tanh, float* y);
void gelu_backward(const float* x, const float* dy, int64_t n, bool tanh, float* dx);
void small_matmul(const float* a, const float* b, int64_t m, int64_t k, int64_t n, bool transpose_a, bool transpose_b,
                  float* y);
void convolution_weights(const ConvolutionGeometry& geometry, const float* x, const float* dy, int64_t first,
                         int64_t last, int64_t begin, int64_t end, bool more, float* dw);
/** max(x) and Σ exp(x − max). */
struct Softmax {
    float max;
    double sum;
};
Softmax softmax_row(const float* x, int64_t n, bool log, float* y);
void softmax_row_backward(const float* y, const float* dy, int64_t n, bool log, float* dx);

extern const SparseKernels sparse, sparse_bf16;  // sparse.cpp's
}
#endif

namespace baseline { extern const Kernels kernels; }
namespace avx2 { extern const Kernels kernels; }
namespace avx512 { extern const Kernels kernels; }
namespace avx512_bf16 { extern const SparseKernels sparse_bf16; }

/** Makes `isa` the one in use; false, and no change, if this processor or this build lacks it. For tests. */
bool select(Isa isa);

}  // namespace hadal
