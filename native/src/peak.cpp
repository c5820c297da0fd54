/*
 * The ceilings of one core, for benchmarks to be held against: multiply-adds on registers alone, and streams through
 * memory. Intrinsics live in functions compiled for their instruction set and called only where there is one.
 */
#include <time.h>

#include "hadal.h"

#ifdef HADAL_X86
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

constexpr int kTries = 8;
constexpr double kSeconds = 0.02;  // of one try

double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/** The highest rate of several tries; f(n) does n steps. */
template <class Steps>
double best_rate(double work_of_a_step, Steps f) {
    int64_t steps = 1;
    double spent = 0.0;
    while (spent < kSeconds / 4) {
        steps *= 2;
        double start = now();
        f(steps);
        spent = now() - start;
    }
    steps = (int64_t)((double)steps * kSeconds / spent) + 1;
    double best = 0.0;
    for (int i = 0; i < kTries; i++) {
        double start = now();
        f(steps);
        double rate = (double)steps * work_of_a_step / (now() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

// As many sums as hide the latency of an instruction, and as registers hold. The empty asm keeps each in its register
// and the compiler from doing the loop's work ahead of it.
#define HADAL_REPEAT(accumulators, constraint, step)            \
    for (int64_t i = 0; i < n; i++) {                           \
        _Pragma("GCC unroll 32") for (int k = 0; k < (accumulators); k++) { \
            step;                                               \
            asm volatile("" : constraint(sums[k]));             \
        }                                                       \
    }

typedef float Four __attribute__((vector_size(16)));
constexpr int kFour = 12;

#ifdef __aarch64__
#define HADAL_REGISTER "+w"
#else
#define HADAL_REGISTER "+x"
#endif

/** One instruction where the baseline has a fused one (NEON), else two (SSE2). */
__attribute__((noinline, optimize("fp-contract=fast"))) void fma_baseline(int64_t n) {
    Four sums[kFour] = {}, a = {0.5f, 0.5f, 0.5f, 0.5f}, b = {0.25f, 0.25f, 0.25f, 0.25f};
    HADAL_REPEAT(kFour, HADAL_REGISTER, sums[k] = a * b + sums[k])
}

#ifdef HADAL_X86
constexpr int kAvx2 = 12, kAvx512 = 24;

__attribute__((noinline, target("avx2,fma"))) void fma_avx2(int64_t n) {
    __m256 sums[kAvx2] = {}, a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
    HADAL_REPEAT(kAvx2, "+x", sums[k] = _mm256_fmadd_ps(a, b, sums[k]))
}

__attribute__((noinline, target("avx512f"))) void fma_avx512(int64_t n) {
    __m512 sums[kAvx512] = {}, a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
    HADAL_REPEAT(kAvx512, "+v", sums[k] = _mm512_fmadd_ps(a, b, sums[k]))
}

__attribute__((noinline, target("avx512f,avx512bf16"))) void dot_bf16(int64_t n) {
    __m512 sums[kAvx512] = {};
    __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f00), b = (__m512bh)_mm512_set1_epi16(0x3e80);
    HADAL_REPEAT(kAvx512, "+v", sums[k] = _mm512_dpbf16_ps(sums[k], a, b))
}

__attribute__((noinline, target("avx512f,avx512vnni"))) void dot_int8(int64_t n) {
    __m512i sums[kAvx512] = {}, a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
    HADAL_REPEAT(kAvx512, "+v", sums[k] = _mm512_dpbusd_epi32(sums[k], a, b))
}

/** Four tiles of sums, two of each operand: 16 rows of 64 bytes each. */
struct __attribute__((packed)) TileShapes {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr double kTilesInAStep = 4.0 * 16 * 16;

/** Whether the kernel grants this process the tiles' state. */
bool tiles_granted() {
    const long request = 0x1023 /* ARCH_REQ_XCOMP_PERM */, tile_data = 18;
    return syscall(SYS_arch_prctl, request, tile_data) == 0;
}

__attribute__((noinline, target("amx-tile,amx-bf16"))) void tile_bf16(int64_t n) {
    const TileShapes shapes;
    _tile_loadconfig(&shapes);
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    _tile_zero(4); _tile_zero(5); _tile_zero(6); _tile_zero(7);
    for (int64_t i = 0; i < n; i++) {
        _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
}

__attribute__((noinline, target("amx-tile,amx-int8"))) void tile_int8(int64_t n) {
    const TileShapes shapes;
    _tile_loadconfig(&shapes);
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    _tile_zero(4); _tile_zero(5); _tile_zero(6); _tile_zero(7);
    for (int64_t i = 0; i < n; i++) {
        _tile_dpbssd(0, 4, 6); _tile_dpbssd(1, 4, 7);
        _tile_dpbssd(2, 5, 6); _tile_dpbssd(3, 5, 7);
    }
    _tile_release();
}
#endif

double f32() {
#ifdef HADAL_X86
    if (__builtin_cpu_supports("avx512f")) return best_rate(kAvx512 * 32.0, fma_avx512);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return best_rate(kAvx2 * 16.0, fma_avx2);
#endif
    return best_rate(kFour * 8.0, fma_baseline);
}

double bf16() {
#ifdef HADAL_X86
    if (__builtin_cpu_supports("avx512bf16")) return best_rate(kAvx512 * 64.0, dot_bf16);
#endif
    return 0.0;
}

double int8() {
#ifdef HADAL_X86
    if (__builtin_cpu_supports("avx512vnni")) return best_rate(kAvx512 * 128.0, dot_int8);
#endif
    return 0.0;
}

double tiles_of_bf16() {
#ifdef HADAL_X86
    if (__builtin_cpu_supports("amx-bf16") && tiles_granted()) return best_rate(kTilesInAStep * 64, tile_bf16);
#endif
    return 0.0;
}

double tiles_of_int8() {
#ifdef HADAL_X86
    if (__builtin_cpu_supports("amx-int8") && tiles_granted()) return best_rate(kTilesInAStep * 128, tile_int8);
#endif
    return 0.0;
}

/** The traffic of an Adam step with next to no arithmetic. */
__attribute__((optimize("O3"))) void stream(float* __restrict w, const float* __restrict g, float* __restrict m,
                                            float* __restrict v, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        w[i] = 0.5f * w[i] + g[i];
        m[i] = 0.5f * m[i] + g[i];
        v[i] = 0.5f * v[i] + g[i];
    }
}

__attribute__((optimize("O3"))) void copy(const float* __restrict x, float* __restrict y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = 0.5f * x[i];
}

}  // namespace

double hadal_peak(int kind, float* memory, int64_t n) {
    const int64_t quarter = n / 4 / 16 * 16, half = n / 2 / 16 * 16;
    auto streams = [=](int64_t steps) {
        for (int64_t i = 0; i < steps; i++)
            stream(memory, memory + quarter, memory + 2 * quarter, memory + 3 * quarter, quarter);
    };
    auto copies = [=](int64_t steps) {
        for (int64_t i = 0; i < steps; i++) copy(memory, memory + half, half);
    };
    switch (kind) {
        case HADAL_PEAK_F32: return f32();
        case HADAL_PEAK_BF16: return bf16();
        case HADAL_PEAK_INT8: return int8();
        case HADAL_PEAK_TILE_BF16: return tiles_of_bf16();
        case HADAL_PEAK_TILE_INT8: return tiles_of_int8();
        case HADAL_PEAK_STREAM: return quarter == 0 ? 0.0 : best_rate(28.0 * (double)quarter, streams);
        case HADAL_PEAK_COPY: return half == 0 ? 0.0 : best_rate(8.0 * (double)half, copies);
        default: return 0.0;
    }
}
