// Scores of a stage, s = Q Kᵀ: by the warpgroup's products, and a second time by the warp's own, for 16 of its rows, where weights left
// their range and their scores are gone; that is rare, so that it is short rather than fast.
// With HELD_QUERIES a tile's queries stay in registers, D / 4 of them, so that no stage reads them from shared memory, whose room is free
// for the next tile's at once.
// Knows no softmax and no pipeline. Macros (default): HELD_QUERIES (0; 1), and those of attention/sm90_stream.h.
#pragma once
#include "attention/sm90_stream.h"

#ifndef HELD_QUERIES
#define HELD_QUERIES 0
#endif

constexpr int SCORE_STEPS = D / 16;                      // wgmma steps of Q Kᵀ

// What a thread holds of a warpgroup's queries: its operand of each step, if it holds them.
struct HeldQueries {
    u32 step[HELD_QUERIES ? SCORE_STEPS : 1][4];

    // From the queries at `q`, which may be overwritten afterwards.
    DEVICE void hold(u32 q, u32 thread) {
        u32 lane = thread % 32, row = q + (thread / 32 * 16 + lane % 16) * 128, swizzle = (lane & 7) << 4;
#pragma unroll
        for (int i = 0; i < SCORE_STEPS; i++)
            ldmatrix_x4(step[i], row + i / 4 * Q_PANEL + ((i % 4 * 32 + lane / 16 * 16) ^ swizzle));
        fence_proxy_async();
    }
};

// Starts the scores of a warpgroup's queries and a stage's keys, whose descriptors these are.
DEVICE void multiply_queries(float (&s)[TILE_N / 2], const HeldQueries& held, u64 q, u64 k) {
#pragma unroll
    for (int i = 0; i < SCORE_STEPS; i++) {
        u64 keys = k + (i / 4 * KV_PANEL + i % 4 * 32) / 16;
        if constexpr (HELD_QUERIES) wgmma_registers<0>(ELEMENT{}, s, held.step[i], keys, i);
        else wgmma<0, 0>(ELEMENT{}, s, q + (i / 4 * Q_PANEL + i % 4 * 32) / 16, keys, i);
    }
    wgmma_commit_group();
}

// Adds to s as wgmma leaves it, of the warp's 16 rows, what a step of these queries and of all keys at `k`, an address, makes.
DEVICE void multiply_step(float (&s)[TILE_N / 2], const u32 (&a)[4], u32 k, int step) {
    u32 lane = threadIdx.x % 32, swizzle = (lane & 7) << 4, row = k + (lane / 16 * 8 + lane % 8) * 128;
#pragma unroll
    for (int i = 0; i < TILE_N / 16; i++) {
        u32 b[4];
        ldmatrix_x4(b, row + step / 4 * KV_PANEL + i * 16 * 128 + ((step % 4 * 32 + lane / 8 % 2 * 16) ^ swizzle));
        mma_m16n8k16(ELEMENT{}, reinterpret_cast<float(&)[4]>(s[8 * i]), a, b[0], b[1]);
        mma_m16n8k16(ELEMENT{}, reinterpret_cast<float(&)[4]>(s[8 * i + 4]), a, b[2], b[3]);
    }
}

// The scores once more, of rows 16 warp of the queries, held or at `q`, and of all keys at `k`, addresses in shared memory.
DEVICE void multiply_again(float (&s)[TILE_N / 2], const HeldQueries& held, u32 q, u32 k, u32 warp) {
#pragma unroll
    for (int i = 0; i < TILE_N / 2; i++) s[i] = 0;
    if constexpr (HELD_QUERIES) {
#pragma unroll
        for (int step = 0; step < SCORE_STEPS; step++) multiply_step(s, held.step[step], k, step);
        fence_proxy_async();
        return;
    }
    u32 lane = threadIdx.x % 32, swizzle = (lane & 7) << 4, row = q + (warp * 16 + lane % 16) * 128;
#pragma unroll 1
    for (int step = 0; step < SCORE_STEPS; step++) {
        u32 a[4];
        ldmatrix_x4(a, row + step / 4 * Q_PANEL + ((step % 4 * 32 + lane / 16 * 16) ^ swizzle));
        multiply_step(s, a, k, step);
        // Keys are read before the copy engine may overwrite them; behind the loop it costs hydragen three registers in memory.
        fence_proxy_async();
    }
}
