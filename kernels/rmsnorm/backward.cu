// Gradients of y = h r weight with r = rsqrt(mean(h^2) + epsilon), from h and dy: with g = dy weight,
//   dh = r (g - h r^2 mean(g h)), plus, with RESIDUAL 1, dh_above, the gradient that reaches h from elsewhere; dh is x's and residual's gradient;
//   dweight = sum over rows of dy h r, left in parts that weight_gradient.cu adds up.
// h, dy, dh_above, dh (rows, hidden); weight (hidden); partial (grid, hidden) in f32; sums in f32; r is computed again rather than read.
//
// Mapping: WARPS warps hold a row in registers and take every grid-th; a thread keeps its columns' part of dweight in registers over all its
// rows, a block leaves one row of `partial`.
// Work: 11 flops an element over 3 elements moved (4 with RESIDUAL): bound by memory.
//
// Launch. block (32 WARPS), grid (at most rows; a multiple of 8 or the rows where ALIGNED is 0, so that all rows of a block start alike),
//   dynamic shared memory 512 WARPS VECTORS bytes where ALIGNED is 0, else 0; then weight_gradient.cu, as early as the device will.
// Arguments: h, dy, dh_above (null without RESIDUAL), weight, dh, partial, rows, hidden, epsilon (f32).
// Macros: those of row.h, and RESIDUAL (0).
#include "rmsnorm/row.h"

#ifndef RESIDUAL
#define RESIDUAL 0
#endif

// This thread's vector i of the weight: from L1, or where that is put together from elements as the thread has kept it for itself.
DEVICE Vector16 weight_at(const ELEMENT* weight, const Vector16* kept, int i, int hidden) {
    return ALIGNED ? load_weight(weight, column_of(i), hidden) : kept[i * THREADS + threadIdx.x];
}

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void rmsnorm_backward(const ELEMENT* h, const ELEMENT* dy, const ELEMENT* dh_above, const ELEMENT* __restrict__ weight, ELEMENT* dh, float* partial,
                      int rows, int hidden, float epsilon) {
    extern __shared__ Vector16 kept[];
    griddepcontrol_launch_dependents();
    int shift = shift_of(blockIdx.x * (long long)hidden), turn = 0;
    Row h_row, dy_row, above;
    float dweight[VECTORS][8] = {};
    if (!ALIGNED)
#pragma unroll
        for (int i = 0; i < VECTORS; i++) kept[i * THREADS + threadIdx.x] = load_weight(weight, column_of(i, shift), hidden);
    for (long long row = blockIdx.x; row < rows; row += gridDim.x, turn++) {
        bool at_end = is_at_end(row, rows, hidden);
        h_row.load(h + row * hidden, hidden, shift, at_end);
        dy_row.load(dy + row * hidden, hidden, shift, at_end);
        if (RESIDUAL) above.load(dh_above + row * hidden, hidden, shift, at_end);
        h_row.trim(hidden, shift);
        dy_row.trim(hidden, shift);
        float squares = 0, products = 0;
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            float x[8], g[8], w[8];
            unpack<ELEMENT>(h_row.vector[i], x), unpack<ELEMENT>(dy_row.vector[i], g), unpack<ELEMENT>(weight_at(weight, kept, i, hidden), w);
#pragma unroll
            for (int j = 0; j < 8; j++) squares += x[j] * x[j], products += g[j] * w[j] * x[j];
        }
        group_sum(squares, products, turn);
        float r = rsqrt_approx(squares / hidden + epsilon), pull = r * r * products / hidden;
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            float x[8], g[8], w[8], out[8] = {};
            unpack<ELEMENT>(h_row.vector[i], x), unpack<ELEMENT>(dy_row.vector[i], g), unpack<ELEMENT>(weight_at(weight, kept, i, hidden), w);
            if (RESIDUAL) unpack<ELEMENT>(above.vector[i], out);
#pragma unroll
            for (int j = 0; j < 8; j++) {
                out[j] += r * (g[j] * w[j] - x[j] * pull);
                dweight[i][j] += g[j] * x[j] * r;
            }
            store_vector(dh + row * hidden, column_of(i, shift), out, hidden);
        }
    }
    store_partial(dweight, nullptr, partial, hidden, shift);
}
