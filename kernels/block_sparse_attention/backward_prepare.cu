// Before block-sparse attention's backward pass on tiles of queries: LSE log2(e) and delta = sum dO O of each query, and the sums of dQ
// cleared. As attention/backward_prepare.cu, but tiles are those of bands.
//
// Mapping. A block takes the QUERIES of a tile; HEAD / 8 lanes read a row, 16 bytes each.
// Work: reads O and dO, writes 4 HEAD + 8 bytes a query: bound by memory.
//
// Launch. block (256); grid (tiles of a head, heads), heads = B H, QUERIES = 8192 / HEAD.
// Arguments: bands; O, dO (heads, L, head); LSE (heads, L), f32; statistics, f32 (heads, tiles, 2, QUERIES): LSE log2(e), then delta;
//   a query that is none gets infinity, so that its weights are 0; d_q_sums, f32 (heads, tiles, HEAD QUERIES); taken, the counter of tiles
//   that sm90_blocks_backward.cu takes from; L; head, a multiple of 8 up to HEAD.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD (64; 128).
#include "block_sparse_attention/bands.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD
#define HEAD 64
#endif

constexpr int THREADS = 256, QUERIES = 8192 / HEAD, LANES = HEAD / 8;

extern "C" __global__ __launch_bounds__(THREADS)
void attention_blocks_backward_prepare(const __grid_constant__ Bands bands, const ELEMENT* o, const ELEMENT* d_o, const float* lse,
                                       float* statistics, float* d_q_sums, u32* taken, int queries, int head) {
    const float LOG2_E = 1.4426950408889634f;
    long long tile = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    QueryTile at = query_tile(bands, blockIdx.x, QUERIES);
    int lane = threadIdx.x % LANES;
    if (tile == 0 && threadIdx.x == 0) *taken = 0;
#pragma unroll
    for (int row = threadIdx.x / LANES; row < QUERIES; row += THREADS / LANES) {
        long long query = (long long)blockIdx.y * queries + at.row + row;
        bool exists = row < at.rows;
        float sum = 0;
        if (exists && lane * 8 < head) {
            float x[8], y[8];
            unpack<ELEMENT>(ld_global_nc(o + query * head + lane * 8), x);
            unpack<ELEMENT>(ld_global_nc(d_o + query * head + lane * 8), y);
#pragma unroll
            for (int i = 0; i < 8; i++) sum += x[i] * y[i];
        }
        sum = sum_across<LANES>(sum);
        if (lane == 0) {
            float* out = statistics + tile * (2 * QUERIES) + row;
            float logarithm = exists ? lse[query] * LOG2_E : INFINITE;
            out[0] = logarithm == -INFINITE ? INFINITE : logarithm;
            out[QUERIES] = sum;
        }
    }
    Vector16* sums = reinterpret_cast<Vector16*>(d_q_sums + tile * (HEAD * QUERIES));
#pragma unroll
    for (int i = threadIdx.x; i < HEAD * QUERIES / 4; i += THREADS) sums[i] = Vector16{{0, 0, 0, 0}};
}
