/*
 * Recurrent layers: oneDNN's matrix products, those with the input in one for all steps, and the cells of hadal.cpp
 * between them.
 */
#include <string.h>

#include "hadal.h"

namespace {

int64_t gates_of(int cell) { return cell == HADAL_LSTM ? 4 : cell == HADAL_GRU ? 3 : 1; }

/** Sets a state to its first value, or to zero. */
void start(float* state, const float* from, int64_t count) {
    if (from == nullptr) {
        memset(state, 0, count * sizeof(float));
    } else {
        memcpy(state, from, count * sizeof(float));
    }
}

void finish(const float* state, float* to, int64_t count) {
    if (to != nullptr) memcpy(to, state, count * sizeof(float));
}

}  // namespace

int64_t hadal_recurrent(hadal_dnnl_sgemm sgemm, int cell, int reverse, int64_t n, int64_t steps, int64_t input,
                        int64_t hidden, const int32_t* lengths, const float* x, const float* h0, const float* c0,
                        const float* weight_ih, const float* weight_hh, const float* bias_ih, const float* bias_hh,
                        float* y, float* h, float* c, float* kept, float* scratch) {
    const int64_t gates = gates_of(cell) * hidden, rows = n * steps;
    float* a = scratch;
    float* b = a + rows * gates;
    start(h, h0, n * hidden);
    if (c != nullptr) start(c, c0, n * hidden);
    int status = sgemm('N', 'T', rows, gates, input, 1, x, input, weight_ih, input, 0, a, gates);
    for (int64_t s = 0; s < steps && status == 0; s++) {
        int64_t t = reverse ? steps - 1 - s : s;
        status = sgemm('N', 'T', n, gates, hidden, 1, h, hidden, weight_hh, hidden, 0, b, gates);
        hadal_recurrent_step(cell, n, steps, hidden, t, lengths, a, b, bias_ih, bias_hh, h, c, y, kept);
    }
    return status == 0 ? HADAL_FINE : status;
}

int64_t hadal_recurrent_backward(hadal_dnnl_sgemm sgemm, int cell, int reverse, int64_t n, int64_t steps,
                                 int64_t input, int64_t hidden, const int32_t* lengths, const float* x,
                                 const float* h0, const float* c0, const float* weight_ih, const float* weight_hh,
                                 const float* y, const float* kept, const float* dy, const float* dh,
                                 const float* dc, float* dx, float* dh0, float* dc0, float* dweight_ih,
                                 float* dweight_hh, float* dbias_ih, float* dbias_hh, float* scratch) {
    const int64_t gates = gates_of(cell) * hidden, rows = n * steps, states = n * hidden;
    float* da = scratch;
    float* db = cell == HADAL_GRU ? da + rows * gates : nullptr;
    float* dproduct = db == nullptr ? da : db;  // of the product with the state
    float* before = dproduct + rows * gates;
    float* dstate = before + rows * hidden;
    float* dmemory = cell == HADAL_LSTM ? dstate + states : nullptr;
    start(dstate, dh, states);
    if (dmemory != nullptr) start(dmemory, dc, states);
    int status = 0;
    for (int64_t s = steps - 1; s >= 0 && status == 0; s--) {
        int64_t t = reverse ? steps - 1 - s : s;
        hadal_recurrent_step_backward(cell, n, steps, hidden, t, reverse ? t + 1 : t - 1, lengths, y, h0, c0, kept, dy,
                                      dstate, dmemory, da, db, before);
        status = sgemm('N', 'N', n, hidden, gates, 1, dproduct + t * gates, steps * gates, weight_hh, hidden, 1, dstate,
                       hidden);
    }
    if (status == 0) status = sgemm('N', 'N', rows, input, gates, 1, da, gates, weight_ih, input, 0, dx, input);
    if (status == 0) status = sgemm('T', 'N', gates, input, rows, 1, da, gates, x, input, 0, dweight_ih, input);
    if (status == 0)
        status = sgemm('T', 'N', gates, hidden, rows, 1, dproduct, gates, before, hidden, 0, dweight_hh, hidden);
    hadal_column_sums(da, rows, gates, dbias_ih);
    hadal_column_sums(dproduct, rows, gates, dbias_hh);
    finish(dstate, dh0, states);
    if (dmemory != nullptr) finish(dmemory, dc0, states);
    return status == 0 ? HADAL_FINE : status;
}
