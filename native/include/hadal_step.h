/*
 * Turns a C function into a step of a list: hadal_step<hadal_softmax>::add(steps, x, outer, …) appends the call
 * hadal_softmax(x, outer, …).
 */
#ifndef HADAL_STEP_H
#define HADAL_STEP_H

#include <string.h> // memcpy and memset are steps, too

#include <type_traits>

#include "hadal.h"

template <auto Function>
struct hadal_step;

template <class Result, class... Arguments, Result (*Function)(Arguments...)>
struct hadal_step<Function> {
    static void add(hadal_steps* steps, Arguments... arguments) {
        auto call = [=]() -> int64_t {
            if constexpr (std::is_same_v<Result, int64_t>) {
                return Function(arguments...);
            } else {
                Function(arguments...);
                return HADAL_FINE;
            }
        };
        using Call = decltype(call);
        static_assert(std::is_trivially_copyable_v<Call>, "a list copies arguments byte by byte");
        hadal_steps_add(steps, [](const void* copy) { return (*static_cast<const Call*>(copy))(); }, &call, sizeof call);
    }
};

#endif
