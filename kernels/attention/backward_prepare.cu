// Before attention's backward pass on tiles of queries: LSE log2(e) and delta = sum dO O of each query, and the sums of dQ cleared.
//
// Mapping. A block takes the QUERIES of a tile (backward_prepare.h).
// Work: reads O and dO, writes 4 HEAD + 8 bytes a query: bound by memory.
//
// Launch. block (256); grid (ceil(queries / QUERIES), heads), heads = B H, QUERIES = 8192 / HEAD.
// Arguments: O, dO (heads, queries, head); LSE (heads, queries), f32; statistics, f32 (heads, tiles, 2, QUERIES): LSE log2(e), then
//   delta; a query that sees no key, or is none, gets infinity, so that its weights are 0; d_q_sums, f32 (heads, tiles, HEAD QUERIES and,
//   where DETERMINISTIC, 32 words more); taken, the counter of tiles that sm90_flash_backward.cu takes from; queries;
//   head, a multiple of 8 up to HEAD.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD (128; 64), DETERMINISTIC (0).
#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD
#define HEAD 128
#endif
#ifndef DETERMINISTIC
#define DETERMINISTIC 0
#endif

#include "attention/backward_prepare.h"

constexpr int TILE_SUMS = HEAD * QUERIES + (DETERMINISTIC ? 32 : 0);

// Four blocks an SM: for more of them ptxas saves registers, and uses the first rows before it asks for the last.
extern "C" __global__ __launch_bounds__(THREADS, 4)
void attention_backward_prepare(const ELEMENT* o, const ELEMENT* d_o, const float* lse, float* statistics, float* d_q_sums, u32* taken, int queries, int head) {
    griddepcontrol_launch_dependents();
    long long tile = (long long)blockIdx.y * gridDim.x + blockIdx.x, first = (long long)blockIdx.y * queries + blockIdx.x * QUERIES;
    int rows = min_int(QUERIES, queries - blockIdx.x * QUERIES);
    Preparation{o, d_o, lse, statistics, d_q_sums, taken, head}.prepare<TILE_SUMS>(tile, first, rows);
}
