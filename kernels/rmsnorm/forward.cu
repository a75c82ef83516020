// y = h rsqrt(mean(h^2) + epsilon) weight over rows of `hidden` elements, where h = x, or with RESIDUAL 1 h = round(x + residual), which
// is written too: x, residual, y, h (rows, hidden); weight (hidden); statistics in f32.
//
// Mapping: WARPS warps hold a row in registers; a group takes every (grid GROUPS)-th row and loads its next row before it sums this one.
// Work: 4 flops an element (5 with RESIDUAL) over 2 elements moved (4 with RESIDUAL): bound by memory.
//
// Launch. block (32 WARPS GROUPS), grid (any, at most ceil(rows / GROUPS)); no dynamic shared memory.
// Arguments: x, residual (null without RESIDUAL), weight, y, h (null without RESIDUAL), rows, hidden, epsilon (f32).
// Macros: those of row.h, and RESIDUAL (0).
#include "rmsnorm/row.h"

#ifndef RESIDUAL
#define RESIDUAL 0
#endif

static_assert(WARPS == 1 || GROUPS == 1, "groups take different numbers of rows, and a row of several warps waits for the block");

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void rmsnorm_forward(const ELEMENT* x, const ELEMENT* residual, const ELEMENT* weight, ELEMENT* y, ELEMENT* h, int rows, int hidden, float epsilon) {
    int step = gridDim.x * GROUPS, turn = 0;
    long long row = blockIdx.x * GROUPS + group_index();
    Row scale, next, next_residual;
    scale.load(weight, hidden);
    if (row < rows) next.load(x + row * hidden, hidden);
    if (RESIDUAL && row < rows) next_residual.load(residual + row * hidden, hidden);
    for (; row < rows; row += step, turn++) {
        float value[VECTORS][8], squares = 0, unused = 0;
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            unpack<ELEMENT>(next.vector[i], value[i]);
            if (RESIDUAL) {
                float other[8];
                unpack<ELEMENT>(next_residual.vector[i], other);
#pragma unroll
                for (int j = 0; j < 8; j++) value[i][j] += other[j];
                store_vector(h + row * hidden, i, value[i], hidden);
                unpack<ELEMENT>(pack<ELEMENT>(value[i]), value[i]);
            }
#pragma unroll
            for (int j = 0; j < 8; j++) squares += value[i][j] * value[i][j];
        }
        if (row + step < rows) next.load(x + (row + step) * hidden, hidden);
        if (RESIDUAL && row + step < rows) next_residual.load(residual + (row + step) * hidden, hidden);
        group_sum(squares, unused, turn);
        float inverse = rsqrt_approx(squares / hidden + epsilon);
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            float w[8];
            unpack<ELEMENT>(scale.vector[i], w);
#pragma unroll
            for (int j = 0; j < 8; j++) value[i][j] *= inverse * w[j];
            store_vector(y + row * hidden, i, value[i], hidden);
        }
    }
}
