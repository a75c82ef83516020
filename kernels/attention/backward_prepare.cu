// Before attention's backward pass on tiles of queries: LSE log2(e) and delta = sum dO O of each query, and the sums of dQ cleared.
//
// Mapping. A block takes the QUERIES of a tile; HEAD / 8 lanes read a row, 16 bytes each.
// Work: reads O and dO, writes 4 HEAD + 8 bytes a query: bound by memory.
//
// Launch. block (256); grid (ceil(queries / QUERIES), heads), heads = B H, QUERIES = 8192 / HEAD.
// Arguments: O, dO (heads, queries, head); LSE (heads, queries), f32; statistics, f32 (heads, tiles, 2, QUERIES): LSE log2(e), then
//   delta; a query that sees no key, or is none, gets infinity, so that its weights are 0; d_q_sums, f32 (heads, tiles, HEAD QUERIES and,
//   where DETERMINISTIC, 32 words more); taken, the counter of tiles that sm90_flash_backward.cu takes from; queries;
//   head, a multiple of 8 up to HEAD.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD (128; 64), DETERMINISTIC (0).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD
#define HEAD 128
#endif
#ifndef DETERMINISTIC
#define DETERMINISTIC 0
#endif

constexpr int THREADS = 256, QUERIES = 8192 / HEAD, LANES = HEAD / 8;
constexpr int ROWS = THREADS / LANES, TURNS = QUERIES / ROWS;
constexpr int TILE_SUMS = HEAD * QUERIES + (DETERMINISTIC ? 32 : 0);

// Four blocks an SM: for more of them ptxas saves registers, and uses the first rows before it asks for the last.
extern "C" __global__ __launch_bounds__(THREADS, 4)
void attention_backward_prepare(const ELEMENT* o, const ELEMENT* d_o, const float* lse, float* statistics, float* d_q_sums, u32* taken, int queries, int head) {
    const float LOG2_E = 1.4426950408889634f;
    griddepcontrol_launch_dependents();
    long long tile = (long long)blockIdx.y * gridDim.x + blockIdx.x, first_query = (long long)blockIdx.y * queries + blockIdx.x * QUERIES;
    int rows = min_int(QUERIES, queries - blockIdx.x * QUERIES);
    int lane = threadIdx.x % LANES, first_row = threadIdx.x / LANES, column = lane * 8;

    // All that a thread reads is under way at once; where there is nothing of its own, it reads again what is beside it.
    float logarithm = lse[first_query + min_int(threadIdx.x % QUERIES, rows - 1)] * LOG2_E;
    Vector16 o_parts[TURNS], d_o_parts[TURNS];
#pragma unroll
    for (int i = 0; i < TURNS; i++) {
        long long from = (first_query + min_int(first_row + i * ROWS, rows - 1)) * head + min_int(column, head - 8);
        o_parts[i] = ld_global_cs_nc(o + from);
        d_o_parts[i] = ld_global_nc(d_o + from);
    }
    Vector16* sums = reinterpret_cast<Vector16*>(d_q_sums + tile * TILE_SUMS);
#pragma unroll
    for (int i = threadIdx.x; i < TILE_SUMS / 4; i += THREADS) sums[i] = Vector16{{0, 0, 0, 0}};

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
