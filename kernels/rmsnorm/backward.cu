// Gradients of y = h r weight with r = rsqrt(mean(h^2) + epsilon), from h and dy: with g = dy weight,
//   dh = r (g - h r^2 mean(g h)), plus, with RESIDUAL 1, dh_above, the gradient that reaches h from elsewhere; dh is x's and residual's gradient;
//   dweight = sum over rows of dy h r, left in parts that weight_gradient.cu adds up.
// h, dy, dh_above, dh (rows, hidden); weight (hidden); partial (grid, hidden) in f32; sums in f32; r is computed again rather than read.
//
// Mapping: as forward.cu; a thread keeps its columns' part of dweight in registers over all its rows, a block leaves one row of `partial`.
// Work: 11 flops an element over 3 elements moved (4 with RESIDUAL): bound by memory.
//
// Launch. block (32 WARPS GROUPS), grid (any, at most ceil(rows / GROUPS)), dynamic shared memory GROUPS hidden 4 bytes where GROUPS > 1, else 0;
//   then weight_gradient.cu.
// Arguments: h, dy, dh_above (null without RESIDUAL), weight, dh, partial, rows, hidden, epsilon (f32).
// Macros: those of row.h, and RESIDUAL (0).
#include "rmsnorm/row.h"

#ifndef RESIDUAL
#define RESIDUAL 0
#endif

static_assert(WARPS == 1 || GROUPS == 1, "groups take different numbers of rows, and a row of several warps waits for the block");

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void rmsnorm_backward(const ELEMENT* h, const ELEMENT* dy, const ELEMENT* dh_above, const ELEMENT* __restrict__ weight, ELEMENT* dh, float* partial,
                      int rows, int hidden, float epsilon) {
    extern __shared__ float block_sums[];
    int step = gridDim.x * GROUPS, turn = 0;
    long long row = blockIdx.x * GROUPS + group_index();
    Row h_row, dy_row, above;
    float dweight[VECTORS][8] = {};
    for (; row < rows; row += step, turn++) {
        h_row.load(h + row * hidden, hidden);
        dy_row.load(dy + row * hidden, hidden);
        if (RESIDUAL) above.load(dh_above + row * hidden, hidden);
        float squares = 0, products = 0;
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            float x[8], g[8], w[8];
            unpack<ELEMENT>(h_row.vector[i], x), unpack<ELEMENT>(dy_row.vector[i], g), unpack<ELEMENT>(load_vector<false>(weight, i, hidden), w);
#pragma unroll
            for (int j = 0; j < 8; j++) squares += x[j] * x[j], products += g[j] * w[j] * x[j];
        }
        group_sum(squares, products, turn);
        float r = rsqrt_approx(squares / hidden + epsilon), pull = r * r * products / hidden;
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            float x[8], g[8], w[8], out[8] = {};
            unpack<ELEMENT>(h_row.vector[i], x), unpack<ELEMENT>(dy_row.vector[i], g), unpack<ELEMENT>(load_vector<false>(weight, i, hidden), w);
            if (RESIDUAL) unpack<ELEMENT>(above.vector[i], out);
#pragma unroll
            for (int j = 0; j < 8; j++) {
                out[j] += r * (g[j] * w[j] - x[j] * pull);
                dweight[i][j] += g[j] * x[j] * r;
            }
            store_vector(dh + row * hidden, i, out, hidden);
        }
    }
    store_partial(dweight, block_sums, partial, hidden);
}
