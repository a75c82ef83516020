// Transposes a matrix of bytes to a row pitch that the copy engine accepts (a multiple of 16), so that an 8-bit B (K, N) runs on the
// kernels whose wgmma wants K contiguous: source (rows, columns) -> destination (columns, pitch).
//
// Mapping: a block moves 64 x 64 bytes through shared memory; a warp reads 32 consecutive bytes of a row and writes words of two rows.
// Work: no flops; 2 rows columns bytes, bound by memory and by the instructions that move single bytes, about one a clock and lane.
//
// Launch. block (256), grid (ceil(columns / 64), ceil(rows / 64)); no dynamic shared memory.
// Arguments: source, destination, rows, columns (also the source's pitch), pitch of the destination in bytes, at least `rows`.
//   What lies past `rows` in a word of the destination becomes 0, and beyond that word nothing is written: tensor maps end at `rows`.
#include "tile/tile.h"

constexpr int TILE = 64, PITCH = TILE + 2;               // bytes; so that words four rows apart lie two banks apart

extern "C" __global__ __launch_bounds__(256)
void gemm_transpose(const u8* __restrict__ source, u8* __restrict__ destination, int rows, int columns, long long pitch_bytes) {
    __shared__ u8 tile[TILE][PITCH];
    int row = blockIdx.y * TILE, column = blockIdx.x * TILE;
#pragma unroll
    for (int i = 0; i < TILE * TILE / 256; i++) {
        int at = threadIdx.x + i * 256, r = at / TILE, x = at % TILE;
        bool inside = row + r < rows && column + x < columns;
        tile[r][x] = inside ? source[(row + r) * (long long)columns + column + x] : 0;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE * TILE / 4 / 256; i++) {
        int at = threadIdx.x + i * 256, x = at / (TILE / 4), r = at % (TILE / 4) * 4;
        if (column + x >= columns || row + r >= rows) continue;
        u32 word = tile[r][x] | tile[r + 1][x] << 8 | tile[r + 2][x] << 16 | u32(tile[r + 3][x]) << 24;
        *reinterpret_cast<u32*>(destination + (column + x) * pitch_bytes + row + r) = word;
    }
}
