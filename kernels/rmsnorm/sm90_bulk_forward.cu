// y = h rsqrt(mean(h^2) + epsilon) weight over rows of `hidden` elements, where h = x, or with RESIDUAL 1 h = round(x + residual), which
// is written too; as forward.cu, with the rows moved by Hopper's copy engine: x, residual, y, h (rows, hidden); weight (hidden).
//
// Mapping: a persistent block keeps STAGES tiles of GROUPS rows under way; WARPS warps take a row from shared memory, leave the result in
// its place, and one thread stores the tile. So 26 KB an SM, which the memory's latency asks for, cost no register.
// Work: 4 flops an element (5 with RESIDUAL) over 2 elements moved (4 with RESIDUAL): bound by memory.
//
// Launch. block (32 WARPS GROUPS), grid (at most ceil(rows / GROUPS); SMs times the blocks an SM holds);
//   dynamic shared memory STAGES (1 + RESIDUAL) GROUPS hidden 2 bytes. hidden is a multiple of 8, bases of 16 bytes.
// Arguments: x, residual (null without RESIDUAL), weight, y, h (null without RESIDUAL), rows, hidden, epsilon (f32).
// Macros: those of row.h and bulk.h, and RESIDUAL (0).
#ifndef RESIDUAL
#define RESIDUAL 0
#endif
#include "rmsnorm/bulk.h"

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void rmsnorm_forward(const ELEMENT* x, const ELEMENT* residual, const ELEMENT* weight, ELEMENT* y, ELEMENT* h, int rows, int hidden, float epsilon) {
    extern __shared__ __align__(128) unsigned char memory[];
    __shared__ u64 full[STAGES];
    Tiles<1 + RESIDUAL> tiles = {{x}, memory, cvta_shared(full), rows, hidden};
    if (RESIDUAL) tiles.source[RESIDUAL] = residual;
    tiles.start();
    Row scale;
    scale.load(weight, hidden);
    Ring<STAGES> ring;
    int turn = 0;
#pragma unroll 1
    for (int tile = blockIdx.x; tile < tiles.count(); tile += gridDim.x, turn++, ring.advance()) {
        ELEMENT *x_row = tiles.row(ring.stage, 0), *h_row = tiles.row(ring.stage, RESIDUAL);
        float value[VECTORS][8] = {}, squares = 0, unused = 0;
        mbarrier_try_wait_parity(tiles.full + 8 * ring.stage, ring.phase);
        tiles.refill(ring.stage, tile);
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            if (column_of(i) >= hidden) continue;
            unpack<ELEMENT>(vector_at(x_row, i), value[i]);
            if (RESIDUAL) {
                float other[8];
                unpack<ELEMENT>(vector_at(h_row, i), other);
#pragma unroll
                for (int j = 0; j < 8; j++) value[i][j] += other[j];
                vector_at(h_row, i) = pack<ELEMENT>(value[i]);
                unpack<ELEMENT>(pack<ELEMENT>(value[i]), value[i]);
            }
#pragma unroll
            for (int j = 0; j < 8; j++) squares += value[i][j] * value[i][j];
        }
        group_sum(squares, unused, turn);
        float inverse = rsqrt_approx(squares / hidden + epsilon);
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            float w[8];
            unpack<ELEMENT>(scale.vector[i], w);
#pragma unroll
            for (int j = 0; j < 8; j++) value[i][j] *= inverse * w[j];
            if (column_of(i) < hidden) vector_at(x_row, i) = pack<ELEMENT>(value[i]);
        }
        fence_proxy_async();
        __syncthreads();
        if (threadIdx.x) continue;
        tiles.store(ring.stage, 0, y, tile);
        if (RESIDUAL) tiles.store(ring.stage, 1, h, tile);
    }
    if (threadIdx.x == 0) cp_async_bulk_wait_group_read<0>();
}
