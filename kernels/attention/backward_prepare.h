// What comes before attention's backward pass on tiles of queries, of one tile by a block of 256 threads: LSE log2(e) and delta = sum dO O of
// each query, and the sums of dQ cleared.
//
// Mapping. HEAD / 8 lanes read a row, 16 bytes each. All that a thread reads is under way at once; where there is nothing of its own, it
// reads again what is beside it. O, which nobody reads again, gives way in L2.
// Macros: ELEMENT, HEAD (64, 128: what rows of at most so many elements are read as).
#pragma once
#include "tile/tile.h"

constexpr int THREADS = 256, QUERIES = 8192 / HEAD, LANES = HEAD / 8;
constexpr int ROWS = THREADS / LANES, TURNS = QUERIES / ROWS;

// What is read and written of all tiles: O, dO (heads, queries, head); LSE (heads, queries); statistics (tiles, 2, QUERIES): LSE log2(e), then
// delta; a query that sees no key, or is none, gets infinity, so that its weights are 0; sums of dQ; the counter of tiles that are taken.
struct Preparation {
    const ELEMENT *o, *d_o;
    const float* lse;
    float *statistics, *d_q_sums;
    u32* taken;
    int head;

    // A tile, by its number among all, of `rows` queries from `first` on, counted through all heads. Of dQ it has SUMS sums.
    template <int SUMS> DEVICE void prepare(long long tile, long long first, int rows) const {
        const float LOG2_E = 1.4426950408889634f;
        int lane = threadIdx.x % LANES, first_row = threadIdx.x / LANES, column = lane * 8;
        float logarithm = lse[first + min_int(threadIdx.x % QUERIES, rows - 1)] * LOG2_E;
        Vector16 o_parts[TURNS], d_o_parts[TURNS];
#pragma unroll
        for (int i = 0; i < TURNS; i++) {
            long long from = (first + min_int(first_row + i * ROWS, rows - 1)) * head + min_int(column, head - 8);
            o_parts[i] = ld_global_cs_nc(o + from);
            d_o_parts[i] = ld_global_nc(d_o + from);
        }
        Vector16* sums = reinterpret_cast<Vector16*>(d_q_sums + tile * SUMS);
#pragma unroll
        for (int i = threadIdx.x; i < SUMS / 4; i += THREADS) sums[i] = Vector16{{0, 0, 0, 0}};

        if (tile == 0 && threadIdx.x == 0) *taken = 0;
        float* out = statistics + tile * (2 * QUERIES);
        if (threadIdx.x < QUERIES) out[threadIdx.x] = threadIdx.x >= rows || logarithm == -INFINITE ? INFINITE : logarithm;
#pragma unroll
        for (int i = 0; i < TURNS; i++) {
            int row = first_row + i * ROWS;
            float x[8], y[8], sum = 0;
            unpack<ELEMENT>(o_parts[i], x);
            unpack<ELEMENT>(d_o_parts[i], y);
#pragma unroll
            for (int j = 0; j < 8; j++) sum += x[j] * y[j];
            sum = sum_across<LANES>(row < rows && column < head ? sum : 0);
            if (lane == 0) out[QUERIES + row] = sum;
        }
    }
};
