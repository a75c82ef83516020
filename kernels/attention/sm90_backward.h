// What attention's backward passes on Hopper's tensor cores share: where a block keeps what in shared memory, the two warpgroups that hold
// sums of dK and dV for 64 keys each while tiles of queries pass, and the third, which computes dQ of each tile and adds it to global sums.
// sm90_flash_backward.cu says how they work together. Knows no mask, and not which tiles there are nor who fetches them.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD (128; 64), STAGES (2).
#pragma once
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD
#define HEAD 128
#endif
#ifndef STAGES
#define STAGES 2
#endif
constexpr int KEYS = 128, QUERIES = 8192 / HEAD;
constexpr int KV_STAGES = 2;                             // fewer, and the tile after would be fetched by who has still to free this one's
constexpr int PANELS = HEAD / 64;                        // of 64 columns, 128 bytes a row
constexpr int KEY_PANEL = KEYS * 128, QUERY_PANEL = QUERIES * 128;
constexpr int K_BYTES = PANELS * KEY_PANEL, Q_BYTES = PANELS * QUERY_PANEL;
constexpr int STATISTICS_BYTES = 2 * QUERIES * 4;
constexpr int STAGE_BYTES = 2 * Q_BYTES + STATISTICS_BYTES;
constexpr int DS_BYTES = 2 * QUERY_PANEL;                // a panel for the keys of each warpgroup
constexpr int PART_SUMS = 64 * 32, PARTS = 4;            // of dQ: what one product of the third warpgroup makes, and how many there are
constexpr int CHUNKS = QUERIES / 16;                     // k16 steps of the second products


// Shared memory by address.
struct Shared {
    u32 base;
    DEVICE u32 k(u32 stage) const { return base + stage * 2 * K_BYTES; }
    DEVICE u32 v(u32 stage) const { return k(stage) + K_BYTES; }
    DEVICE u32 q(u32 stage) const { return k(KV_STAGES) + stage * 2 * Q_BYTES; }
    DEVICE u32 d_o(u32 stage) const { return q(stage) + Q_BYTES; }
    DEVICE u32 d_s(u32 stage) const { return q(STAGES) + stage * DS_BYTES; }
    DEVICE u32 statistics(u32 stage) const { return d_s(STAGES) + stage * STATISTICS_BYTES; }
    DEVICE u32 barrier(u32 index) const { return statistics(STAGES) + 8 * index; }
    DEVICE u32 place(u32 stage) const { return barrier(2 * (2 * STAGES + KV_STAGES) + stage); }
    DEVICE u32 turn() const { return place(KV_STAGES); }     // the address of the counter that this block has still to raise, or 0
    DEVICE u32 full(u32 stage) const { return barrier(stage); }
    DEVICE u32 empty(u32 stage) const { return barrier(STAGES + stage); }
    DEVICE u32 kv_full(u32 stage) const { return barrier(2 * STAGES + stage); }
    DEVICE u32 kv_empty(u32 stage) const { return barrier(2 * STAGES + KV_STAGES + stage); }
    DEVICE u32 d_s_full(u32 stage) const { return barrier(2 * (STAGES + KV_STAGES) + stage); }
    DEVICE u32 d_s_empty(u32 stage) const { return barrier(2 * (STAGES + KV_STAGES) + STAGES + stage); }

    // The tile of keys that is or will be in `stage`; its row is negative after the last one.
    DEVICE TilePlace await_tile(u32 stage, u32 phase) const {
        TilePlace at;
        mbarrier_try_wait_parity(kv_full(stage), phase);
        ld_shared(place(stage), at.row, at.column);
        // From lane 0, so that the compiler knows them for uniform and keeps what follows from them out of the threads' registers.
        return {__shfl_sync(~0u, at.row, 0), __shfl_sync(~0u, at.column, 0)};
    }
};

// 64 of K's or V's rows times all of a tile's rows of Q or dO: d (64, QUERIES), begun and left under way.
DEVICE void multiply_rows(float (&d)[QUERIES / 2], u32 keys, u32 queries) {
    u64 a = wgmma_descriptor(keys, 16, 1024), b = wgmma_descriptor(queries, 16, 1024);
    wgmma_pin(d);
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < HEAD / 16; step++)
        wgmma<0, 0>(ELEMENT{}, d, a + (step / 4 * KEY_PANEL + step % 4 * 32) / 16, b + (step / 4 * QUERY_PANEL + step % 4 * 32) / 16, step);
    wgmma_commit_group();
    wgmma_pin(d);
}

// sums (64, HEAD) += p (64, QUERIES), in registers, times a tile of dO or Q; begun and left under way.
DEVICE void add_products(float (&sums)[HEAD / 2], const u32 (&p)[CHUNKS][4], u32 queries, u32 accumulate) {
    u64 b = wgmma_descriptor(queries, QUERY_PANEL, 1024);
    wgmma_pin(sums);
    wgmma_fence();
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) wgmma_registers<1>(ELEMENT{}, sums, p[c], b + c * 16 * 128 / 16, accumulate | c);
    wgmma_commit_group();
    wgmma_pin(sums);
}

// Two warpgroups' side: 64 keys each.
struct KeySums {
    Shared shared;
    Ring<STAGES> queries;
    Ring<KV_STAGES> tile;
    u32 index, thread;                                   // of the warpgroup among the two, of the thread in the warpgroup

    // Hands back a stage, by each thread for itself: all read statistics, which no product waits for.
    DEVICE void release(u32 stage) const { mbarrier_arrive(shared.empty(stage)); }

    // S to P. A thread's accumulator i stands at key 16 warp + lane / 4 + 8 (i / 2 % 2), query 8 (i / 4) + 2 (lane % 4) + i % 2.
    DEVICE void weigh(float (&s)[QUERIES / 2], float scale) const {
        u32 lse = shared.statistics(queries.stage) + thread % 4 * 8;
#pragma unroll
        for (int i = 0; i < QUERIES / 2; i += 4) {
            float left, right;
            ld_shared(lse + i * 8, left, right);
            s[i] = ex2_approx(s[i] * scale - left), s[i + 1] = ex2_approx(s[i + 1] * scale - right);
            s[i + 2] = ex2_approx(s[i + 2] * scale - left), s[i + 3] = ex2_approx(s[i + 3] * scale - right);
        }
    }

    // dP to dS, and both P and dS into the form of first operands, in the registers that they had.
    DEVICE void differentiate(const float (&p)[QUERIES / 2], float (&d_p)[QUERIES / 2], u32 (&p_operand)[CHUNKS][4],
                              u32 (&d_s_operand)[CHUNKS][4]) const {
        u32 delta = shared.statistics(queries.stage) + QUERIES * 4 + thread % 4 * 8;
#pragma unroll
        for (int i = 0; i < QUERIES / 2; i += 4) {
            float left, right;
            ld_shared(delta + i * 8, left, right);
            d_p[i] = p[i] * (d_p[i] - left), d_p[i + 1] = p[i + 1] * (d_p[i + 1] - right);
            d_p[i + 2] = p[i + 2] * (d_p[i + 2] - left), d_p[i + 3] = p[i + 3] * (d_p[i + 3] - right);
#pragma unroll
            for (int j = i; j < i + 4; j += 2) {
                p_operand[j / 8][j / 2 % 4] = cvt_rn_x2<ELEMENT>(p[j], p[j + 1]);
                d_s_operand[j / 8][j / 2 % 4] = cvt_rn_x2<ELEMENT>(d_p[j], d_p[j + 1]);
            }
        }
    }

    // Hands dS, as (queries, 64 keys), to the third warpgroup.
    DEVICE void hand_over(const u32 (&d_s)[CHUNKS][4]) const {
        u32 lane = thread % 32, warp = thread / 32;
        u32 row = lane % 8 + lane / 16 * 8, column_byte = warp * 32 + lane / 8 % 2 * 16;
        u32 address = shared.d_s(queries.stage) + index * QUERY_PANEL + row * 128 + (column_byte ^ (lane % 8 * 16));
#pragma unroll
        for (int c = 0; c < CHUNKS; c++) stmatrix_x4_trans(address + c * 16 * 128, d_s[c][0], d_s[c][1], d_s[c][2], d_s[c][3]);
        fence_proxy_async();
        __syncwarp();
        if (lane == 0) mbarrier_arrive(shared.d_s_full(queries.stage));
    }

    // Adds one tile of queries to the sums, of which those of dK are still under way at the end. hide(p, d_s) gets both operands,
    // (64 keys, QUERIES), to take from them what is not seen.
    template <class Hide> DEVICE void add_tile(float (&d_k)[HEAD / 2], float (&d_v)[HEAD / 2], float scale, u32 accumulate, const Hide& hide) {
        u32 rows = index * 64 * 128, stage = queries.stage;
        float s[QUERIES / 2], d_p[QUERIES / 2];
        u32 p_operand[CHUNKS][4], d_s_operand[CHUNKS][4];
        mbarrier_try_wait_parity(shared.full(stage), queries.phase);
        multiply_rows(s, shared.k(tile.stage) + rows, shared.q(stage));
        wgmma_wait_group<1>();
        wgmma_pin(d_k);
        if (accumulate) release((stage + STAGES - 1) % STAGES);
        multiply_rows(d_p, shared.v(tile.stage) + rows, shared.d_o(stage));
        wgmma_wait_group<1>();
        wgmma_pin(s);
        weigh(s, scale);
        wgmma_pin(s);
        // Needed before dS is stored; here its branch also keeps the exponentials above the next wait, under the product dP.
        mbarrier_try_wait_parity(shared.d_s_empty(queries.stage), queries.phase ^ 1);
        wgmma_wait_group<0>();
        wgmma_pin(d_p);
        differentiate(s, d_p, p_operand, d_s_operand);
        hide(p_operand, d_s_operand);
        add_products(d_v, p_operand, shared.d_o(stage), accumulate);
        hand_over(d_s_operand);
        add_products(d_k, d_s_operand, shared.q(stage), accumulate);
        wgmma_wait_group<1>();
        wgmma_pin(d_v);
        queries.advance();
    }

    // Rounds 64 rows of sums into this warpgroup's rows of V, which it has read; its threads have still to meet.
    DEVICE u32 stage_rows(const float (&sums)[HEAD / 2], float scale) const {
        u32 lane = thread % 32, warp = thread / 32;
        u32 panel = shared.v(tile.stage) + index * 64 * 128, row_byte = (warp * 16 + lane % 16) * 128, swizzle = lane % 8 * 16;
        bar_sync(1 + index, 128);
#pragma unroll
        for (int i = 0; i < HEAD / 16; i++) {
            u32 half[4];
#pragma unroll
            for (int j = 0; j < 4; j++) half[j] = cvt_rn_x2<ELEMENT>(sums[8 * i + 2 * j] * scale, sums[8 * i + 2 * j + 1] * scale);
            u32 column_byte = (i % 4 * 32 + lane / 16 * 16) ^ swizzle;
            stmatrix_x4(panel + i / 4 * KEY_PANEL + row_byte + column_byte, half[0], half[1], half[2], half[3]);
        }
        return panel;
    }
};

// The third warpgroup's side: dQ of each tile of queries in PARTS products of (64, 32).
struct QueryProducts {
    Shared shared;
    Ring<KV_STAGES> tile;
    Ring<STAGES> gradients;
    u32 thread;

    // Columns 32 part of all 64 queries, or, where a head has 64 columns, 32 (part % 2) of queries 64 (part / 2).
    DEVICE static void multiply(float (&d_q)[16], u32 d_s, u32 k, int part) {
        int row = PANELS == 1 ? part / 2 * 64 : 0, column = PANELS == 1 ? part % 2 * 32 : part * 32;
        u64 a = wgmma_descriptor(d_s, 16, 1024) + row * 128 / 16;
        u64 b = wgmma_descriptor(k, 16, 1024) + (column / 64 * KEY_PANEL + column % 64 * 2) / 16;
        wgmma_pin(d_q);
        wgmma_fence();
#pragma unroll
        for (int step = 0; step < KEYS / 16; step++)
            wgmma<0, 1>(ELEMENT{}, d_q, a + (step / 4 * QUERY_PANEL + step % 4 * 32) / 16, b + step * 16 * 128 / 16, step);
        wgmma_commit_group();
        wgmma_wait_group<0>();
        wgmma_pin(d_q);
    }

    // A thread's four accumulators 4i to 4i + 3 are added at 4 (128 i + thread) of the part.
    DEVICE void add(const float (&d_q)[16], float* sums) const {
#pragma unroll
        for (int i = 0; i < 16; i += 4) red_global_add(sums + i * 128 + thread * 4, d_q[i], d_q[i + 1], d_q[i + 2], d_q[i + 3]);
    }

    // Adds a tile's dQ to its sums, once `turn` has let it.
    template <class Turn> DEVICE void add_tile(float* to, const Turn& turn) const {
        // From lane 0 each time, so that the compiler knows them for uniform and keeps no descriptor in registers.
        u32 d_s = __shfl_sync(~0u, shared.d_s(gradients.stage), 0), k = __shfl_sync(~0u, shared.k(tile.stage), 0);
        turn();
        mbarrier_try_wait_parity(shared.d_s_full(gradients.stage), gradients.phase);
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            float d_q[16];
            multiply(d_q, d_s, k, part);
            if (part == PARTS - 1 && thread == 0) mbarrier_arrive(shared.d_s_empty(gradients.stage));
            add(d_q, to + part * PART_SUMS);
        }
    }
};

DEVICE void initialise(Shared shared) {
    for (int i = 0; i < STAGES; i++) {
        mbarrier_init(shared.full(i), 1);
        mbarrier_init(shared.empty(i), 256);
    }
    for (int i = 0; i < KV_STAGES; i++) {
        mbarrier_init(shared.kv_full(i), 1);
        mbarrier_init(shared.kv_empty(i), 3);
    }
    for (int i = 0; i < STAGES; i++) {
        mbarrier_init(shared.d_s_full(i), 8);
        mbarrier_init(shared.d_s_empty(i), 1);
    }
    st_shared_u64(shared.turn(), 0);
    fence_mbarrier_init();
}
