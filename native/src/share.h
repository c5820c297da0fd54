/* How work is shared among threads. */
#pragma once

#include <omp.h>
#include <stdint.h>

namespace hadal {

// Waking a team costs a microsecond or more; below these sizes one thread is done sooner.
constexpr int64_t kParallelElements = 32768;

/**
 * Calls f(begin, end) for ranges that together are [0, n), one per thread, cut at multiples of grain. One thread just
 * calls it: a parallel region, even of that thread alone, takes ten times as long as a small kernel.
 */
template <class Range>
void share(int64_t n, int64_t grain, int64_t elements, Range f) {
    if (elements < kParallelElements || omp_get_max_threads() == 1) {
        if (n > 0) f(int64_t{0}, n);
        return;
    }
#pragma omp parallel
    {
        int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
        int64_t grains = (n + grain - 1) / grain;
        int64_t begin = grains * thread / threads * grain;
        int64_t end = grains * (thread + 1) / threads * grain;
        if (end > n) end = n;
        if (begin < end) f(begin, end);
    }
}

}  // namespace hadal
