/*
 * What moves values and computes next to nothing: memory is what it waits for, so one build serves every
 * instruction set.
 */
#include <string.h>

#include "hadal.h"
#include "share.h"

using hadal::share;

namespace {

constexpr int64_t kSquare = 32;

struct Axis {
    int64_t length, from, to;
};

int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

/** Axes from the outermost in, as the target has them; those that can be walked as one are one. Never empty. */
int merge(Axis* axes, int rank) {
    int count = 0;
    for (int i = 0; i < rank; i++) {
        if (axes[i].length == 1) continue;
        Axis axis = axes[i];
        int at = count++;
        for (; at > 0 && magnitude(axes[at - 1].to) < magnitude(axis.to); at--) axes[at] = axes[at - 1];
        axes[at] = axis;
    }
    int merged = 0;
    for (int i = 0; i < count; i++) {
        Axis inner = axes[i];
        if (merged > 0 && axes[merged - 1].from == inner.length * inner.from &&
            axes[merged - 1].to == inner.length * inner.to) {
            axes[merged - 1] = {axes[merged - 1].length * inner.length, inner.from, inner.to};
        } else {
            axes[merged++] = inner;
        }
    }
    if (merged == 0) axes[merged++] = {1, 1, 1};
    return merged;
}

/** Rows side by side, in squares, so that each line of the cache is read once where a row is a column of x. */
template <class Value>
void copy_strip(const Value* x, Value* y, Axis across, int64_t columns, Axis row) {
    for (int64_t j0 = 0; j0 < row.length; j0 += kSquare) {
        int64_t j1 = j0 + kSquare < row.length ? j0 + kSquare : row.length;
        for (int64_t c = 0; c < columns; c++) {
            const Value* from = x + c * across.from;
            Value* to = y + c * across.to;
            if (row.to == 1) {
                for (int64_t j = j0; j < j1; j++) to[j] = from[j * row.from];
            } else {
                for (int64_t j = j0; j < j1; j++) to[j * row.to] = from[j * row.from];
            }
        }
    }
}

/** The position of the first index outside [0, rows), or −1. */
int64_t first_outside(const int32_t* indices, int64_t count, int64_t rows) {
    for (int64_t i = 0; i < count; i++)
        if (indices[i] < 0 || indices[i] >= rows) return i;
    return -1;
}

/** Of values of a width, by their bits. */
template <class Value>
void copy(const Value* x, Value* y, int rank, const int64_t* lengths, const int64_t* from_strides,
          const int64_t* to_strides) {
    Axis axes[HADAL_MAX_RANK + 1];
    int64_t elements = 1;
    for (int i = 0; i < rank; i++) {
        axes[i] = {lengths[i], from_strides[i], to_strides[i]};
        elements *= lengths[i];
    }
    if (elements == 0) return;
    int count = merge(axes, rank);
    Axis row = axes[--count];
    Axis across = {1, 0, 0};
    for (int i = 0; i < count && row.from != 1 && row.to == 1; i++) {
        if (axes[i].from != 1) continue;
        across = axes[i];
        for (count--; i < count; i++) axes[i] = axes[i + 1];
        break;
    }
    int64_t strips = (across.length + kSquare - 1) / kSquare;
    int64_t units = elements / row.length / across.length * strips;
    share(units, 1, elements, [&](int64_t first, int64_t last) {
        for (int64_t unit = first; unit < last; unit++) {
            int64_t strip = unit % strips * kSquare, rest = unit / strips;
            const Value* from = x + strip * across.from;
            Value* to = y + strip * across.to;
            for (int i = count - 1; i >= 0; i--) {
                int64_t place = rest % axes[i].length;
                rest /= axes[i].length;
                from += place * axes[i].from;
                to += place * axes[i].to;
            }
            if (row.from == 1 && row.to == 1) {
                memcpy(to, from, (size_t)row.length * sizeof(Value));
            } else {
                int64_t columns = across.length - strip;
                copy_strip(from, to, across, columns < kSquare ? columns : kSquare, row);
            }
        }
    });
}

}  // namespace

void hadal_copy(const void* x, void* y, int rank, const int64_t* lengths, const int64_t* from_strides,
                const int64_t* to_strides) {
    copy((const uint32_t*)x, (uint32_t*)y, rank, lengths, from_strides, to_strides);
}

void hadal_copy_bytes(const void* x, void* y, int rank, const int64_t* lengths, const int64_t* from_strides,
                      const int64_t* to_strides) {
    copy((const uint8_t*)x, (uint8_t*)y, rank, lengths, from_strides, to_strides);
}

void hadal_fill(void* target, int64_t n, uint32_t bits) {
    uint32_t* y = (uint32_t*)target;
    share(n, 16, n, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) y[i] = bits;
    });
}

int64_t hadal_gather(const void* source, const int32_t* indices, int64_t outer, int64_t rows, int64_t width,
                     int64_t count, void* target) {
    int64_t outside = first_outside(indices, count, rows);
    if (outside >= 0) return outside;
    const uint32_t* x = (const uint32_t*)source;
    uint32_t* y = (uint32_t*)target;
    share(outer * count, 1, outer * count * width, [=](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++)
            memcpy(y + row * width, x + (row / count * rows + indices[row % count]) * width,
                   (size_t)width * sizeof(uint32_t));
    });
    return -1;
}

int64_t hadal_scatter_add(float* y, const int32_t* indices, const float* updates, int64_t outer, int64_t rows,
                          int64_t width, int64_t count) {
    int64_t outside = first_outside(indices, count, rows);
    if (outside >= 0) return outside;
    // Each thread owns some columns, or some rows, of y, and meets the indices in their order.
    bool by_columns = width >= 16 * (int64_t)hadal::max_threads();
    share(by_columns ? width : rows, 1, outer * count * width, [=](int64_t first, int64_t end) {
        int64_t column = by_columns ? first : 0, columns = by_columns ? end - first : width;
        for (int64_t o = 0; o < outer; o++) {
            for (int64_t i = 0; i < count; i++) {
                if (!by_columns && (indices[i] < first || indices[i] >= end)) continue;
                float* to = y + (o * rows + indices[i]) * width + column;
                const float* from = updates + (o * count + i) * width + column;
#pragma omp simd
                for (int64_t j = 0; j < columns; j++) to[j] += from[j];
            }
        }
    });
    return -1;
}

void hadal_attention_mask(const float* x, const int32_t* lengths, int64_t n, int64_t heads, int64_t queries,
                          int64_t keys, int causal, float scale, float hidden, float* y) {
    const int64_t rows = n * heads * queries;
    share(rows, 1, rows * keys, [=](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; row++) {
            int64_t seen = keys;
            if (lengths != nullptr) seen = lengths[row / (heads * queries)];
            if (causal != 0 && seen > row % queries + 1 + keys - queries) seen = row % queries + 1 + keys - queries;
            if (seen > keys) seen = keys;
            if (seen < 0) seen = 0;
            const float* from = x + row * keys;
            float* to = y + row * keys;
            for (int64_t i = 0; i < seen; i++) to[i] = scale * from[i];
            for (int64_t i = seen; i < keys; i++) to[i] = hidden;
        }
    });
}
