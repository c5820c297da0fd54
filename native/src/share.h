/*
 * How work is shared among threads: by OpenMP, so that libhadal and oneDNN share one team. ThreadSanitizer does not know
 * libgomp's barriers and would report races that are none; for its tests, HADAL_STD_THREADS shares by std::thread.
 */
#pragma once

#include <stdint.h>

#ifdef HADAL_STD_THREADS
#include <thread>
#include <vector>
#else
#include <omp.h>
#endif

namespace hadal {

// Waking a team costs a microsecond or more; below these sizes one thread is done sooner.
constexpr int64_t kParallelElements = 32768;

#ifdef HADAL_STD_THREADS

inline int& thread_count() {
    static thread_local int count = (int)std::thread::hardware_concurrency();
    return count;
}

inline int max_threads() { return thread_count(); }
inline void set_max_threads(int n) { thread_count() = n; }

/** Calls f(thread, threads) in each of a team of threads. */
template <class F>
void in_team(F f) {
    const int64_t threads = max_threads();
    std::vector<std::thread> others;
    for (int64_t thread = 1; thread < threads; thread++) others.emplace_back([=, &f] { f(thread, threads); });
    f(int64_t{0}, threads);
    for (std::thread& each : others) each.join();
}

#else

inline int max_threads() { return omp_get_max_threads(); }
inline void set_max_threads(int n) { omp_set_num_threads(n); }

/** Calls f(thread, threads) in each of a team of threads. */
template <class F>
void in_team(F f) {
#pragma omp parallel
    f((int64_t)omp_get_thread_num(), (int64_t)omp_get_num_threads());
}

#endif

/**
 * Calls f(begin, end) for ranges that together are [0, n), one per thread, cut at multiples of grain. One thread just
 * calls it: a parallel region, even of that thread alone, takes ten times as long as a small kernel.
 */
template <class Range>
void share(int64_t n, int64_t grain, int64_t elements, Range f) {
    if (elements < kParallelElements || max_threads() == 1) {
        if (n > 0) f(int64_t{0}, n);
        return;
    }
    in_team([&](int64_t thread, int64_t threads) {
        int64_t grains = (n + grain - 1) / grain;
        int64_t begin = grains * thread / threads * grain;
        int64_t end = grains * (thread + 1) / threads * grain;
        if (end > n) end = n;
        if (begin < end) f(begin, end);
    });
}

}  // namespace hadal
