// How passing rows come to gfx942's matrix cores in attention's backward pass, and how they meet a wave's own: of two matrices a tile of
// TILE_ROWS rows lies in LDS, as it is and turned; four waves bring the next to registers meanwhile. Knows no launch, and of what sees what
// as much as flash_mfma_backward.h says.
// Macros: those of mfma_rows.h.
#pragma once
#include "attention/flash_mfma_backward.h"

constexpr int ROW_CHUNKS = HEAD_DIM / 8, TURNED_CHUNKS = TILE_ROWS / 8;   // vectors in a row, and in a column
constexpr int STAGING = TILE_BYTES / 64;                   // threads that stage one matrix, four vectors each

// Rows lie (TILE_ROWS, HEAD_DIM); eight consecutive rows of one vector meet all banks.
DEVICE u32 row_place(u32 row, u32 chunk) { return row * ROW_CHUNKS + (chunk ^ row % 8); }
// Turned they lie (HEAD_DIM, TILE_ROWS), of sixteen rows first the eight that lanes below 32 multiply; eight columns of one vector meet all banks.
DEVICE u32 turned_place(u32 column, u32 chunk) {
    return column * TURNED_CHUNKS + (chunk ^ (column / (8 / TURNED_CHUNKS) ^ column / 8) % TURNED_CHUNKS);
}

// The passing rows of two matrices, in LDS.
struct Tile {
    Vector16 rows[2][TILE_BYTES / 16], turned[2][TILE_BYTES / 16];
};

struct Lds {
    Tile tile;
    __align__(16) float of_queries[2 * TILE_ROWS];
};

// A thread's part of the next tile: eight columns of four rows. The first waves stage one matrix, the next the other.
struct Staged {
    Vector16 part[4];

    DEVICE static bool stages() { return warp_index() < 2 * STAGING / WARP_THREADS; }
    DEVICE static bool second() { return warp_index() >= STAGING / WARP_THREADS; }
    // Sixteen lanes take eight blocks of columns side by side, two below each other.
    DEVICE static u32 column() { u32 at = threadIdx.x; return (at % 8 + at / 16 % (HEAD_DIM / 64) * 8) * 8; }
    DEVICE static u32 row() {
        u32 at = threadIdx.x % STAGING;
        return (at / 8 % 2 * 2 + at / 16 / (HEAD_DIM / 64) % 2 + at / 32 / (HEAD_DIM / 64) * 4) * 4;
    }

    DEVICE void load(const ELEMENT* a, const ELEMENT* b, int first, int rows, int d) {
        if (!stages()) return;
        BufferResource buffer = rows_from(second() ? b : a, first, rows, d);
#pragma unroll
        for (int i = 0; i < 4; i++)
            part[i] = buffer_load_dwordx4(buffer, int(column()) < d ? ((row() + i) * d + column()) * sizeof(ELEMENT) : OUTSIDE);
    }
    DEVICE void store(Tile& tile, bool turn_first, bool turn_second) const {
        if (!stages()) return;
        int matrix = second();
#pragma unroll
        for (int i = 0; i < 4; i++) tile.rows[matrix][row_place(row() + i, column() / 8)] = part[i];
        if (second() ? turn_second : turn_first) store_turned(tile.turned[matrix]);
    }
    DEVICE void store_turned(Vector16* turned) const {
        u32 four = row() / 4, chunk = four / 4 * 2 + four % 2, half = four / 2 % 2;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            u32 select = i % 2 ? 0x07060302 : 0x05040100;
            auto to = reinterpret_cast<Vector<u32, 2>*>(turned + turned_place(column() + i, chunk));
            to[half] = {v_perm_b32(part[1].word[i / 2], part[0].word[i / 2], select), v_perm_b32(part[3].word[i / 2], part[2].word[i / 2], select)};
        }
    }
};

// scores (32, 32) += tile of 32 passing rows times own rows.
DEVICE void multiply_rows(Sum16& scores, const Vector16* rows, int tile, const Rows& own) {
#pragma unroll
    for (int j = 0; j < STEPS; j++) multiply<ELEMENT>(scores, rows[row_place(tile * 32 + lane_id() % 32, 2 * j + lane_id() / 32)], own.step[j]);
}

// sums (HEAD_DIM, 32) += the same rows, turned, times weights.
DEVICE void add_products(Sum16 (&sums)[DIM_TILES], const Vector16* turned, int tile, const Sum16& weights) {
    Vector16 operand[2];
    round_to(operand, weights);
#pragma unroll
    for (int i = 0; i < DIM_TILES; i++)
#pragma unroll
        for (int j = 0; j < 2; j++)
            multiply<ELEMENT>(sums[i], turned[turned_place(i * 32 + lane_id() % 32, tile * 4 + 2 * j + lane_id() / 32)], operand[j]);
}

// The wave's queries meet keys up to `end`; of k and v there are `rows`.
template <class Seen> DEVICE void meet_keys(Sum16 (&sums)[DIM_TILES], Lds& lds, const OwnQueries& own, const ELEMENT* k, const ELEMENT* v, int rows,
                                            int end, int d, const Seen& seen, float scale2) {
    Staged next;
    next.load(k, v, 0, rows, d);
    for (int key = 0; key < end; key += TILE_ROWS) {
        __syncthreads();
        next.store(lds.tile, true, false);
        __syncthreads();
        next.load(k, v, key + TILE_ROWS, rows, d);
        sched_barrier();
        if (seen.unseen(key)) continue;
#pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            float s_start = own.s_start, d_p_start = own.d_p_start;
            // Else the compiler keeps sixteen copies of each.
            pin(s_start), pin(d_p_start);
            Sum16 scores = s_start, d_p = d_p_start;
            seen.hide(scores, key, i);
            multiply_rows(scores, lds.tile.rows[0], i, own.q);
            multiply_rows(d_p, lds.tile.rows[1], i, own.d_o);
            weigh(scores, scale2);
            add_products(sums, lds.tile.turned[0], i, scores * d_p);
        }
    }
}

// The statistics of the next tile of queries, by the waves that stage no rows.
struct StagedStatistics {
    float value;

    DEVICE static int at() { return int(threadIdx.x) - 2 * STAGING; }
    DEVICE static bool stages() { return at() >= 0 && at() < 2 * TILE_ROWS; }
    DEVICE void load(const PassingQueries& queries, const Walk& walk) {
        int query = min_int(walk.query + at() % TILE_ROWS, queries.readable - 1);
        if (stages()) value = queries.of_head(walk.head)[at() / TILE_ROWS * queries.pitch + query];
    }
    DEVICE void store(float* lds) const {
        if (stages()) lds[at()] = value;
    }
};

// The statistics of the passing queries that this lane's part of a tile of 32 belongs to.
DEVICE Sum16 spread(const float* of_tile) {
    Sum16 x;
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] = of_tile[i / 4 * 8 + lane_id() / 32 * 4 + i % 4];
    return x;
}

// One walk over the queries, for dK, for dV, or for both.
template <bool WANT_K, bool WANT_V, class Seen>
DEVICE void walk_queries(Lds& lds, const OwnKeys& own, const PassingQueries& queries, Walk walk, const Seen& seen, float scale, float scale2) {
    Rows own_k, own_v;
    own_k.load(own.k, own.first, own.end, own.d);
    if (WANT_K) own_v.load(own.v, own.first, own.end, own.d);
    Sum16 k_sums[DIM_TILES] = {}, v_sums[DIM_TILES] = {};
    Walk ahead = walk;
    Staged next;
    StagedStatistics next_statistics;
    auto fetch = [&](const Walk& at) __attribute__((always_inline)) {
        long long before = at.head * queries.elements();
        next.load(queries.q + before, queries.d_o + before, at.query, queries.n, queries.d);
        next_statistics.load(queries, at);
    };
    fetch(walk);
    for (; walk.more(); walk.advance(queries.n)) {
        __syncthreads();
        next.store(lds.tile, WANT_K, WANT_V);
        next_statistics.store(lds.of_queries);
        __syncthreads();
        ahead.advance(queries.n);
        if (ahead.more()) fetch(ahead);
        sched_barrier();
        if (seen.unseen(walk.query)) continue;
#pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            Sum16 scores = spread(lds.of_queries + i * 32), d_p = spread(lds.of_queries + TILE_ROWS + i * 32);
            seen.hide(scores, walk.query, i);
            multiply_rows(scores, lds.tile.rows[0], i, own_k);
            if (WANT_K) multiply_rows(d_p, lds.tile.rows[1], i, own_v);
            weigh(scores, scale2);
            if (WANT_V) add_products(v_sums, lds.tile.turned[1], i, scores);
            if (WANT_K) add_products(k_sums, lds.tile.turned[0], i, scores * d_p);
        }
    }
    if (WANT_K) own.store_k(k_sums, scale);
    if (WANT_V) own.store_v(v_sums);
}

// For both sums at d = 128, registers are too few by some twenty.
template <class Seen>
DEVICE void meet_queries(Lds& lds, const OwnKeys& own, const PassingQueries& queries, Walk walk, const Seen& seen, float scale, float scale2) {
    if constexpr (HEAD_DIM == 64) {
        walk_queries<true, true>(lds, own, queries, walk, seen, scale, scale2);
    } else {
        walk_queries<true, false>(lds, own, queries, walk, seen, scale, scale2);
        walk_queries<false, true>(lds, own, queries, walk, seen, scale, scale2);
    }
}
