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
constexpr int TILE_SUMS = HEAD * QUERIES + (DETERMINISTIC ? 32 : 0);

extern "C" __global__ __launch_bounds__(THREADS)
void attention_backward_prepare(const ELEMENT* o, const ELEMENT* d_o, const float* lse, float* statistics, float* d_q_sums, u32* taken, int queries, int head) {
    const float LOG2_E = 1.4426950408889634f;
    long long tile = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    int lane = threadIdx.x % LANES;
    if (tile == 0 && threadIdx.x == 0) *taken = 0;
#pragma unroll
    for (int row = threadIdx.x / LANES; row < QUERIES; row += THREADS / LANES) {
        int query = blockIdx.x * QUERIES + row;
        bool exists = query < queries;
        long long at = (long long)blockIdx.y * queries + query;
        float sum = 0;
        if (exists && lane * 8 < head) {
            float x[8], y[8];
            unpack<ELEMENT>(ld_global_nc(o + at * head + lane * 8), x);
            unpack<ELEMENT>(ld_global_nc(d_o + at * head + lane * 8), y);
#pragma unroll
            for (int i = 0; i < 8; i++) sum += x[i] * y[i];
        }
        sum = sum_across<LANES>(sum);
        if (lane == 0) {
            float* out = statistics + tile * (2 * QUERIES) + row;
            float logarithm = exists ? lse[at] * LOG2_E : INFINITE;
            out[0] = logarithm == -INFINITE ? INFINITE : logarithm;
            out[QUERIES] = sum;
        }
    }
    Vector16* sums = reinterpret_cast<Vector16*>(d_q_sums + tile * TILE_SUMS);
#pragma unroll
    for (int i = threadIdx.x; i < TILE_SUMS / 4; i += THREADS) sums[i] = Vector16{{0, 0, 0, 0}};
}
