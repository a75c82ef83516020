// Before block-sparse attention's backward pass on tiles of queries: LSE log2(e) and delta = sum dO O of each query, and the sums of dQ
// cleared. As attention/backward_prepare.cu, but tiles are those of bands.
//
// Mapping. A block takes the QUERIES of a tile (attention/backward_prepare.h). The last tiles of all heads come last: most often they are
// the longest block's, with which the main kernel begins while L2 still has them.
// Work: reads O and dO, writes 4 HEAD + 8 bytes a query: bound by memory.
//
// Launch. block (256); grid (heads, tiles of a head), heads = B H, QUERIES = 8192 / HEAD.
// Arguments: bands; O, dO (heads, L, head); LSE (heads, L), f32; statistics, f32 (heads, tiles, 2, QUERIES): LSE log2(e), then delta;
//   a query that is none gets infinity, so that its weights are 0; d_q_sums, f32 (heads, tiles, HEAD QUERIES); taken, the counter of tiles
//   that sm90_blocks_backward.cu takes from; L; head, a multiple of 8 up to HEAD.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD (64; 128).
#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD
#define HEAD 64
#endif

#include "attention/backward_prepare.h"
#include "block_sparse_attention/bands.h"

// Four blocks an SM: for more of them ptxas saves registers, and uses the first rows before it asks for the last.
extern "C" __global__ __launch_bounds__(THREADS, 4)
void attention_blocks_backward_prepare(const __grid_constant__ Bands bands, const ELEMENT* o, const ELEMENT* d_o, const float* lse,
                                       float* statistics, float* d_q_sums, u32* taken, int queries, int head) {
    griddepcontrol_launch_dependents();
    long long tile = (long long)blockIdx.x * gridDim.y + blockIdx.y;
    QueryTile at = query_tile(bands, blockIdx.y, QUERIES);
    long long first = (long long)blockIdx.x * queries + at.row;
    Preparation{o, d_o, lse, statistics, d_q_sums, taken, head}.prepare<HEAD * QUERIES>(tile, first, at.rows);
}
