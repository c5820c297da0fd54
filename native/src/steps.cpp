/* Step lists. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hadal.h"
#include "share.h"

namespace {

/** Its arguments lie behind it. */
struct alignas(16) Step {
    Step* next;
    int64_t (*run)(const void* arguments);

    void* arguments() { return this + 1; }
};

int64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

}  // namespace

struct hadal_steps {
    Step* first;
    Step* last;
    int64_t count;
    int64_t fault;
};

hadal_steps* hadal_steps_create(void) { return (hadal_steps*)calloc(1, sizeof(hadal_steps)); }

void hadal_steps_destroy(hadal_steps* steps) {
    for (Step* step = steps->first; step != nullptr;) {
        Step* next = step->next;
        free(step);
        step = next;
    }
    free(steps);
}

void hadal_steps_add(hadal_steps* steps, int64_t (*run)(const void* arguments), const void* arguments, size_t bytes) {
    if (steps->count < 0) return;
    Step* step = (Step*)malloc(sizeof(Step) + bytes);
    if (step == nullptr) {
        steps->count = -1;
        return;
    }
    *step = {nullptr, run};
    memcpy(step->arguments(), arguments, bytes);
    (steps->first == nullptr ? steps->first : steps->last->next) = step;
    steps->last = step;
    steps->count++;
}

int64_t hadal_steps_count(const hadal_steps* steps) { return steps->count; }

int64_t hadal_steps_run(hadal_steps* steps, int threads, int64_t* nanos) {
    if (threads >= 1 && threads != hadal::max_threads()) hadal::set_max_threads(threads);
    int64_t position = 0;
    int64_t start = nanos == nullptr ? 0 : now();
    for (Step* step = steps->first; step != nullptr; step = step->next, position++) {
        int64_t result = step->run(step->arguments());
        if (result != HADAL_FINE) {
            steps->fault = result;
            return position;
        }
        if (nanos != nullptr) {
            int64_t end = now();
            nanos[position] = end - start;
            start = end;
        }
    }
    return -1;
}

int64_t hadal_steps_fault(const hadal_steps* steps) { return steps->fault; }

int64_t hadal_execute(hadal_dnnl_execute execute, const void* primitive, void* stream, int count,
                      const void* arguments) {
    int status = execute(primitive, stream, count, arguments);
    return status == 0 ? HADAL_FINE : status;
}
