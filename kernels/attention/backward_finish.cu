// After sm90_flash_backward.cu: dQ from its sums, scaled, rounded and brought into order.
//
// Mapping. A block takes a tile of queries through shared memory: in as fragments, out as rows.
// Work: reads 4, writes 2 HEAD bytes a query: bound by memory.
//
// Launch. block (256); grid (ceil(queries / QUERIES), heads), heads = B H, QUERIES = 8192 / HEAD.
// Arguments: d_q_sums, f32 (heads, tiles, 4, 4, 128, 4): of part, group, thread and element, with 32 words more a tile where
//   DETERMINISTIC; dQ (heads, queries, head); queries; head, a multiple of 8 up to HEAD; scale.
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

constexpr int THREADS = 256, QUERIES = 8192 / HEAD;
constexpr int TILE_SUMS = HEAD * QUERIES + (DETERMINISTIC ? 32 : 0);
constexpr int PITCH = HEAD / 2 + 4;                      // of a row in words, so that the eight rows of a warp lie in different banks

extern "C" __global__ __launch_bounds__(THREADS)
void attention_backward_finish(const float* d_q_sums, ELEMENT* d_q, int queries, int head, float scale) {
    __shared__ __align__(16) u32 rows[QUERIES * PITCH];
    long long tile = (long long)blockIdx.y * gridDim.x + blockIdx.x;
    const float4* sums = reinterpret_cast<const float4*>(d_q_sums + tile * TILE_SUMS);
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
        int row = i / (HEAD / 8), column = i % (HEAD / 8) * 8, query = blockIdx.x * QUERIES + row;
        if (query >= queries || column >= head) continue;
        Vector16 eight = *reinterpret_cast<const Vector16*>(rows + row * PITCH + column / 2);
        st_global_cs(d_q + ((long long)blockIdx.y * queries + query) * head + column, eight);
    }
}
