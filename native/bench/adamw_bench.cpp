/*
 * Nanoseconds per parameter of an Adam step against what memory allows: a loop with the same four reads and
 * three writes and next to no arithmetic. Random data, since buffers of zeros read too fast.
 *
 *   adamw_bench [parameters = 10000000] [threads = 1]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

#include "hadal.h"
#include "kernels.h"

namespace {

/** n random floats, on huge pages if the system grants them and they are wanted. */
float* buffer(int64_t n, unsigned seed, float scale, bool huge) {
    const size_t page = 2 << 20, bytes = (n * sizeof(float) + page - 1) / page * page;
    void* memory = aligned_alloc(page, bytes);
    madvise(memory, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    float* x = static_cast<float*>(memory);
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> distribution(0.5f * scale, scale);
    for (int64_t i = 0; i < n; i++) x[i] = distribution(random);
    return x;
}

/** The traffic of AdamW with trivial arithmetic. */
__attribute__((noinline, optimize("O3"))) void stream(float* __restrict w, const float* __restrict g,
                                                      float* __restrict m, float* __restrict v, int64_t n) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; i++) {
        w[i] = 0.5f * w[i] + g[i];
        m[i] = 0.5f * m[i] + g[i];
        v[i] = 0.5f * v[i] + g[i];
    }
}

template <class Body>
void report(const char* name, int64_t n, Body body) {
    std::vector<double> times;
    double spent = 0;
    body();
    while (times.size() < 9 || spent < 0.7) {
        auto start = std::chrono::steady_clock::now();
        body();
        times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        spent += times.back();
    }
    std::sort(times.begin(), times.end());
    printf("  %-34s %7.3f best %7.3f median   %5.1f GB/s\n", name, times[0] / n * 1e9,
           times[times.size() / 2] / n * 1e9, 28.0 * n / times[0] / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
    const int64_t n = argc > 1 ? atoll(argv[1]) : 10000000;
    const int threads = hadal_set_threads(argc > 2 ? atoi(argv[2]) : 1);
    const float hyper[] = {1e-3f, 1e-2f, 1.1f, 1.2f, 1.0f, 0.0f, INFINITY, 0.0f}, norm = 2.0f;
    for (bool huge : {false, true}) {
        printf("%lld parameters, %d threads, %s pages: ns per parameter\n", (long long)n, threads,
               huge ? "2 MB" : "4 KB");
        float *w = buffer(n, 1, 1, huge), *g = buffer(n, 2, 0.1f, huge), *m = buffer(n, 3, 0.01f, huge),
              *v = buffer(n, 4, 0.01f, huge);
        uint16_t* shadow = (uint16_t*)buffer((n + 1) / 2, 5, 1, huge);
        report("stream: 4 reads, 3 writes", n, [&] { stream(w, g, m, v, n); });
        for (hadal::Isa isa : {hadal::Isa::baseline, hadal::Isa::avx2, hadal::Isa::avx512}) {
            if (!hadal::select(isa)) continue;
            char name[64];
            snprintf(name, sizeof name, "adamw, %s", hadal_isa());
            report(name, n, [&] { hadal_update(HADAL_ADAM, w, g, m, v, nullptr, nullptr, n, 0.9f, 0.999f, 1e-8f, hyper, &norm); });
            snprintf(name, sizeof name, "adamw and bf16 weights, %s", hadal_isa());
            report(name, n, [&] { hadal_update(HADAL_ADAM, w, g, m, v, nullptr, shadow, n, 0.9f, 0.999f, 1e-8f, hyper, &norm); });
            snprintf(name, sizeof name, "sum of squares, %s", hadal_isa());
            double sum = 0;
            report(name, n, [&] { sum += hadal_sum_of_squares(g, n); });
        }
        std::fill(g, g + n, 0.0f);
        std::fill(m, m + n, 1e-40f);
        std::fill(v, v + n, 1e-40f);
        report("adamw, subnormal moments, zero g", n, [&] {
            hadal_update(HADAL_ADAM, w, g, m, v, nullptr, nullptr, n, 0.9f, 0.999f, 1e-8f, hyper, &norm);
        });
        for (void* x : {(void*)w, (void*)g, (void*)m, (void*)v, (void*)shadow}) free(x);
    }
    return 0;
}
