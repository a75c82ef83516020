// What attention's backward kernels for AMD's matrix cores share: the two passes' arithmetic, in which rows that a wave owns meet rows that pass.
// Knows neither how the passing rows come to LDS nor how they are read from there.
//
// Two kernels, and each result is summed in one place, so that the same bits come out every time and no sum goes through memory:
// the first owns queries, keys pass: dQ = scale sum dS K; it also leaves each query's LSE and delta = sum dO O to the second,
// which owns keys, and queries pass: dK = scale sum dS Q, dV = sum P dO. The price is that S and dP are computed twice, 14 flops where 10 would
// do; sums of dQ in memory would spare them, but dS would have to be turned through LDS, and 32 KB a tile added in memory.
// Either way S and dP come out as the passing rows by the own ones, so that P and dS, rounded, are right operands as they lie.
// Macros: those of mfma_rows.h.
#pragma once
#include "attention/mfma_rows.h"

constexpr int TILE_ROWS = 4096 / HEAD_DIM, TILE_BYTES = 8192;   // of passing rows of one matrix
constexpr int ROW_TILES = TILE_ROWS / 32;

// What the first kernel leaves to the second: (B H, 2, padded(N)), -LSE / scale and then -delta of each query, at which S and dP begin; of one
// that is none the former is -infinite, so that its weights are 0. (One that sees no key has +infinity there, and is hidden.)
DEVICE int padded(int n) { return ceil_div(n, BLOCK_ROWS) * BLOCK_ROWS; }

// The first query that sees a key; all later ones do too.
DEVICE int first_seeing(int key, int n, int nk) { return CAUSAL && key + n > nk ? key + n - nk : 0; }

// The keys of a block; those that most queries see come first.
struct KeyPart {
    int head, first;

    DEVICE KeyPart(int nk) {
        int tiles = ceil_div(nk, BLOCK_ROWS), index = tile_by_chiplet(blockIdx.x, gridDim.x, CHIPLETS, tiles);
        head = index / tiles, first = index % tiles * BLOCK_ROWS;
    }
};

// The queries that pass a block of keys: those of a head follow those of the one before, their statistics likewise, by two numbers each.
struct PassingQueries {
    const ELEMENT *q, *d_o;                                // the first to pass, of head 0
    const float* statistics;
    int n, head_rows, pitch, readable, d;                  // to pass; from head to head; between the two numbers; statistics from the first on

    DEVICE long long elements() const { return (long long)head_rows * d; }
    DEVICE const float* of_head(int head) const { return statistics + head * 2LL * pitch; }
};

// The tiles of queries that a block of keys meets: of each head that reads them, from the first that sees any.
struct Walk {
    int head, end, begin, query;

    DEVICE bool more() const { return head < end; }
    DEVICE void advance(int n) {
        query += TILE_ROWS;
        if (query >= n) query = begin, head++;
    }
};

// A wave's keys, rows from `first` on of those of a head, of which there are `end`, and where their gradients go.
struct OwnKeys {
    const ELEMENT *k, *v;
    ELEMENT *d_k, *d_v;
    int first, end, d;

    DEVICE int key() const { return first + lane_id() % 32; }
    DEVICE void store_k(const Sum16 (&sums)[DIM_TILES], float scale) const {
        if (key() < end) store_row(sums, scale, d_k + key() * (long long)d, d);
    }
    DEVICE void store_v(const Sum16 (&sums)[DIM_TILES]) const {
        if (key() < end) store_row(sums, 1, d_v + key() * (long long)d, d);
    }
};

// Hides passing rows of a tile of 32 from the own row, whose scores begin here, and so end, at -infinity: those before `first`, or those
// from `end` on.
DEVICE void hide_before(Sum16& scores, int first) {
    first -= lane_id() / 32 * 4;
#pragma unroll
    for (int i = 0; i < 16; i++)
        if (i / 4 * 8 + i % 4 < first) scores[i] = -INFINITE;
    // Without this the compiler makes no branch of it, and masks every tile.
    pin(scores);
}
DEVICE void hide_from(Sum16& scores, int end) {
    end -= lane_id() / 32 * 4;
#pragma unroll
    for (int i = 0; i < 16; i++)
        if (i / 4 * 8 + i % 4 >= end) scores[i] = -INFINITE;
    pin(scores);
}

// Those before `first` and those from `end` on, which is no less.
DEVICE void hide_outside(Sum16& scores, int first, int end) {
    u32 rows = end - first;
    first -= lane_id() / 32 * 4;
#pragma unroll
    for (int i = 0; i < 16; i++)
        if (u32(i / 4 * 8 + i % 4 - first) >= rows) scores[i] = -INFINITE;
    pin(scores);
}

// Which passing rows the wave's own ones see, counted from the first, has: unseen(row), whether nobody sees the tile of TILE_ROWS from there
// on, and hide(scores, row, i), by which scores of tile i of 32 in it become -infinity where the lane's row does not see them.
// Queries see the first keys:
struct SeenKeys {
    int seen, all_see, some_see;

    DEVICE bool unseen(int key) const { return key >= some_see; }
    DEVICE void hide(Sum16& scores, int key, int i) const {
        if (key + TILE_ROWS > all_see) hide_from(scores, seen - key - i * 32);
    }
};
// Keys are seen by the last queries:
struct SeeingQueries {
    int seen_from, all_seen_from, some_seen_from;

    DEVICE bool unseen(int query) const { return query + TILE_ROWS <= some_seen_from; }
    DEVICE void hide(Sum16& scores, int query, int i) const {
        if (query < all_seen_from) hide_before(scores, seen_from - query - i * 32);
    }
};

// S - LSE / scale to P; `scale2` is scale log2(e).
DEVICE void weigh(Sum16& scores, float scale2) {
    scores *= scale2;
#pragma unroll
    for (int i = 0; i < 16; i++) scores[i] = ex2_approx(scores[i]);
}

// Rounds a tile of 32 passing rows to two operands of depth 16.
DEVICE void round_to(Vector16 (&operand)[2], const Sum16& x) {
#pragma unroll
    for (int i = 0; i < 16; i += 2) operand[i / 8].word[i / 2 % 4] = cvt_x2<ELEMENT>(x[i], x[i + 1]);
}

// A wave's queries, of lane l query first + l % 32, and at what its sums of S and dP begin.
struct OwnQueries {
    Rows q, d_o;
    float s_start, d_p_start;

    DEVICE void load(const ELEMENT* q_rows, const ELEMENT* o_rows, const ELEMENT* d_o_rows, const float* lse, int first, int n, int d, float scale) {
        Rows o;
        o.load(o_rows, first, n, d), d_o.load(d_o_rows, first, n, d);
        float delta = 0;
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            float x[8], y[8];
            unpack<ELEMENT>(o.step[i], x), unpack<ELEMENT>(d_o.step[i], y);
#pragma unroll
            for (int j = 0; j < 8; j++) delta += x[j] * y[j];
        }
        // Only when O's registers are free.
        sched_barrier();
        q.load(q_rows, first, n, d);
        d_p_start = -delta - __shfl_xor_sync(~0u, delta, 32);
        int query = first + lane_id() % 32;
        s_start = (query < n ? lse[query] : INFINITE) * (-1 / scale);
    }
    // Both halves of the wave hold both numbers: the lower stores the one, the upper the other.
    DEVICE void leave(float* statistics, int pitch, int query, int end) const {
        int upper = lane_id() / 32;
        if (query < end) statistics[upper * pitch + query] = upper ? d_p_start : s_start;
    }
};
