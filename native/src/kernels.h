/*
 * What one instruction set provides: serial kernels over one range or block. Threads, blocks and the C API are
 * hadal.cpp's business, so that kernels.cpp, compiled once per instruction set, holds arithmetic alone.
 */
#pragma once

#include <stdint.h>

namespace hadal {

enum class Isa { baseline, avx2, avx512 };

/** The scalars of one AdamW step; `clip` is min(1, limit / (‖g‖ + 10⁻⁶)). */
struct AdamwStep {
    float beta1, beta2, epsilon, rate, decay, correction1, correction2, clip;
};

/** The scalars of one SGD step. */
struct SgdStep {
    float momentum, rate, decay, clip;
    bool nesterov;
};

struct Kernels {
    const char* name;
    double (*sum_of_squares)(const float* x, int64_t n);
    void (*adamw)(float* w, const float* g, float* m, float* v, int64_t n, const AdamwStep& step);
    void (*sgd)(float* w, const float* g, float* m, int64_t n, const SgdStep& step);
    /** Returns the sum of the rows' losses. */
    double (*cross_entropy)(const float* logits, const int32_t* labels, int64_t rows, int64_t classes,
                            float smoothing, float* probabilities);
    /** `scale` is dloss / rows. */
    void (*cross_entropy_backward)(const float* probabilities, const int32_t* labels, int64_t rows,
                                   int64_t classes, float smoothing, float scale, float* dlogits);
};

namespace baseline { extern const Kernels kernels; }
namespace avx2 { extern const Kernels kernels; }
namespace avx512 { extern const Kernels kernels; }

/** Makes `isa` the one in use; false, and no change, if this processor or this build lacks it. For tests. */
bool select(Isa isa);

}  // namespace hadal
