// After sm90_blocks_backward.cu: dQ from its sums, scaled, rounded and brought into order. As attention/backward_finish.cu, but tiles are
// those of bands.
//
// Mapping. A block takes a tile of queries through shared memory: in as fragments, out as rows.
// Work: reads 4, writes 2 HEAD bytes a query: bound by memory.
//
// Launch. block (256); grid (tiles of a head, heads), heads = B H, QUERIES = 8192 / HEAD.
// Arguments: bands; d_q_sums, f32 (heads, tiles, 4, 4, 128, 4): of part, group, thread and element; dQ (heads, L, head); L;
//   head, a multiple of 8 up to HEAD; scale.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD (64; 128).
#include "block_sparse_attention/bands.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD
#define HEAD 64
#endif

constexpr int THREADS = 256, QUERIES = 8192 / HEAD;
constexpr int PITCH = HEAD / 2 + 4;                      // of a row in words, so that the eight rows of a warp lie in different banks

extern "C" __global__ __launch_bounds__(THREADS)
void attention_blocks_backward_finish(const __grid_constant__ Bands bands, const float* d_q_sums, ELEMENT* d_q, int queries, int head,
                                      float scale) {
    __shared__ __align__(16) u32 rows[QUERIES * PITCH];
    QueryTile at = query_tile(bands, blockIdx.x, QUERIES);
    long long tile = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    const float4* sums = reinterpret_cast<const float4*>(d_q_sums + tile * (HEAD * QUERIES));
#pragma unroll
    for (int i = threadIdx.x; i < HEAD * QUERIES / 4; i += THREADS) {
        float4 four = __ldcs(sums + i);
        int part = i / 512, group = i / 128 % 4, warp = i / 32 % 4, lane = i % 32;
        int row = warp * 16 + lane / 4 + (HEAD == 64 ? part / 2 * 64 : 0);
        int word = (HEAD == 64 ? part % 2 : part) * 16 + group * 4 + lane % 4;
        rows[row * PITCH + word] = cvt_rn_x2<ELEMENT>(four.x * scale, four.y * scale);
        rows[(row + 8) * PITCH + word] = cvt_rn_x2<ELEMENT>(four.z * scale, four.w * scale);
    }
    __syncthreads();
#pragma unroll
    for (int i = threadIdx.x; i < HEAD * QUERIES / 8; i += THREADS) {
        int row = i / (HEAD / 8), column = i % (HEAD / 8) * 8;
        if (row >= at.rows || column >= head) continue;
        Vector16 eight = *reinterpret_cast<const Vector16*>(rows + row * PITCH + column / 2);
        st_global_cs(d_q + ((long long)blockIdx.y * queries + at.row + row) * head + column, eight);
    }
}
