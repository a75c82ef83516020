// Gradients of y = h r weight with r = rsqrt(mean(h^2) + epsilon), by backward.cu's formulas and to its layouts, with the rows moved by
// Hopper's copy engine.
//
// Mapping: a persistent block keeps STAGES tiles of GROUPS rows of h, dy and, with RESIDUAL 1, dh_above under way, which costs no register;
// WARPS warps take a row, both passes over it read shared memory, dh takes dy's place, and one thread stores the tile. A thread keeps its
// columns' part of dweight in registers over all its rows, a block leaves one row of `partial`.
// Work: 11 flops an element over 3 elements moved (4 with RESIDUAL): bound by memory.
//
// Launch. block (32 WARPS GROUPS), grid (at most ceil(rows / GROUPS); SMs times the blocks an SM holds), dynamic shared memory
//   STAGES (2 + RESIDUAL) GROUPS hidden 2 bytes; then weight_gradient.cu, as early as the device will. hidden is a multiple of 8, bases of 16 bytes.
// Arguments: h, dy, dh_above (null without RESIDUAL), weight, dh, partial, rows, hidden, epsilon (f32).
// Macros: those of row.h and bulk.h, and RESIDUAL (0).
#ifndef RESIDUAL
#define RESIDUAL 0
#endif
#include "rmsnorm/bulk.h"

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void rmsnorm_backward(const ELEMENT* h, const ELEMENT* dy, const ELEMENT* dh_above, const ELEMENT* weight, ELEMENT* dh, float* partial,
                      int rows, int hidden, float epsilon) {
    extern __shared__ __align__(128) unsigned char memory[];
    griddepcontrol_launch_dependents();
    __shared__ u64 full[STAGES];
    Tiles<2 + RESIDUAL> tiles = {{h, dy}, memory, cvta_shared(full), rows, hidden};
    if (RESIDUAL) tiles.source[1 + RESIDUAL] = dh_above;
    tiles.start();
    Row scale;
    scale.load(weight, hidden);
    Ring<STAGES> ring;
    int turn = 0;
    float dweight[VECTORS][8] = {};
#pragma unroll 1
    for (int tile = blockIdx.x; tile < tiles.count(); tile += gridDim.x, turn++, ring.advance()) {
        ELEMENT *h_row = tiles.row(ring.stage, 0), *dy_row = tiles.row(ring.stage, 1), *above_row = tiles.row(ring.stage, 1 + RESIDUAL);
        float squares = 0, products = 0;
        mbarrier_try_wait_parity(tiles.full + 8 * ring.stage, ring.phase);
        tiles.refill(ring.stage, tile);
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            if (column_of(i) >= hidden) continue;
            float x[8], g[8], w[8];
            unpack<ELEMENT>(vector_at(h_row, i), x), unpack<ELEMENT>(vector_at(dy_row, i), g), unpack<ELEMENT>(scale.vector[i], w);
#pragma unroll
            for (int j = 0; j < 8; j++) squares += x[j] * x[j], products += g[j] * w[j] * x[j];
        }
        group_sum(squares, products, turn);
        float r = rsqrt_approx(squares / hidden + epsilon), pull = r * r * products / hidden;
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            if (column_of(i) >= hidden || tile * GROUPS + group_index() >= rows) continue;
            float x[8], g[8], w[8], out[8] = {};
            unpack<ELEMENT>(vector_at(h_row, i), x), unpack<ELEMENT>(vector_at(dy_row, i), g), unpack<ELEMENT>(scale.vector[i], w);
            if (RESIDUAL) unpack<ELEMENT>(vector_at(above_row, i), out);
#pragma unroll
            for (int j = 0; j < 8; j++) {
                out[j] += r * (g[j] * w[j] - x[j] * pull);
                dweight[i][j] += g[j] * x[j] * r;
            }
            vector_at(dy_row, i) = pack<ELEMENT>(out);
        }
        fence_proxy_async();
        __syncthreads();
        if (threadIdx.x) continue;
        tiles.store(ring.stage, 1, dh, tile);
    }
    if (threadIdx.x == 0) cp_async_bulk_wait_group_read<0>();
    __syncthreads();
    store_partial(dweight, reinterpret_cast<float*>(memory), partial, hidden);
}
