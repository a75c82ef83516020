// y = h rsqrt(mean(h^2) + epsilon) weight over rows of `hidden` elements, where h = x, or with RESIDUAL 1 h = round(x + residual), which
// is written too: x, residual, y, h (rows, hidden); weight (hidden); statistics in f32.
//
// Mapping: WARPS warps take a row, hold it in registers as it stands in memory, and end: a multiprocessor's other blocks load while these
// sum and store.
// Work: 4 flops an element (5 with RESIDUAL) over 2 elements moved (4 with RESIDUAL): bound by memory.
//
// Launch. block (32 WARPS), grid (rows); no dynamic shared memory.
// Arguments: x, residual (null without RESIDUAL), weight, y, h (null without RESIDUAL), rows, hidden, epsilon (f32).
// Macros: those of row.h, and RESIDUAL (0).
#include "rmsnorm/row.h"

#ifndef RESIDUAL
#define RESIDUAL 0
#endif

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void rmsnorm_forward(const ELEMENT* x, const ELEMENT* residual, const ELEMENT* weight, ELEMENT* y, ELEMENT* h, int rows, int hidden, float epsilon) {
    long long start = blockIdx.x * (long long)hidden;
    int shift = shift_of(start);
    bool at_end = is_at_end(blockIdx.x, rows, hidden);
    Row row, added;
    Vector16 scale[VECTORS];
    row.load(x + start, hidden, shift, at_end);
    if (RESIDUAL) added.load(residual + start, hidden, shift, at_end);
#pragma unroll
    for (int i = 0; i < VECTORS; i++) scale[i] = load_weight(weight, column_of(i, shift), hidden);
    row.trim(hidden, shift);
    if (RESIDUAL) added.trim(hidden, shift);
    float squares = 0, unused = 0;
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        float value[8];
        unpack<ELEMENT>(row.vector[i], value);
        if (RESIDUAL) {
            float other[8];
            unpack<ELEMENT>(added.vector[i], other);
#pragma unroll
            for (int j = 0; j < 8; j++) value[j] += other[j];
            store_vector(h + start, column_of(i, shift), value, hidden);
            row.vector[i] = pack<ELEMENT>(value);
            unpack<ELEMENT>(row.vector[i], value);
        }
#pragma unroll
        for (int j = 0; j < 8; j++) squares += value[j] * value[j];
    }
    group_sum(squares, unused, 0);
    float inverse = rsqrt_approx(squares / hidden + epsilon);
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        float value[8], w[8];
        unpack<ELEMENT>(row.vector[i], value), unpack<ELEMENT>(scale[i], w);
#pragma unroll
        for (int j = 0; j < 8; j++) value[j] *= inverse * w[j];
        store_vector(y + start, column_of(i, shift), value, hidden);
    }
}
