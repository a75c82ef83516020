// Scores of a stage a second time, by the warp's own products: for 16 of a warpgroup's rows, where weights left their range and their scores
// are gone. Rare, so that it is short rather than fast. Knows no softmax and no pipeline.
// Macros: those of attention/sm90_stream.h.
#pragma once
#include "attention/sm90_stream.h"

// s = Q Kᵀ as wgmma leaves it, of rows 16 warp of the queries at `q` and of all keys at `k`, addresses in shared memory.
DEVICE void multiply_again(float (&s)[TILE_N / 2], u32 q, u32 k, u32 warp) {
    u32 lane = threadIdx.x % 32, swizzle = (lane & 7) << 4;
    u32 q_row = q + (warp * 16 + lane % 16) * 128, k_row = k + (lane / 16 * 8 + lane % 8) * 128;
#pragma unroll
    for (int i = 0; i < TILE_N / 2; i++) s[i] = 0;
#pragma unroll 1
    for (int step = 0; step < D / 16; step++) {
        u32 column = step % 4 * 32, a[4];
        ldmatrix_x4(a, q_row + step / 4 * Q_PANEL + ((column + lane / 16 * 16) ^ swizzle));
#pragma unroll
        for (int i = 0; i < TILE_N / 16; i++) {
            u32 b[4];
            ldmatrix_x4(b, k_row + step / 4 * KV_PANEL + i * 16 * 128 + ((column + lane / 8 % 2 * 16) ^ swizzle));
            mma_m16n8k16(ELEMENT{}, reinterpret_cast<float(&)[4]>(s[8 * i]), a, b[0], b[1]);
            mma_m16n8k16(ELEMENT{}, reinterpret_cast<float(&)[4]>(s[8 * i + 4]), a, b[2], b[3]);
        }
        // Keys are read before the copy engine may overwrite them; behind the loop it costs hydragen three registers in memory.
        fence_proxy_async();
    }
}
