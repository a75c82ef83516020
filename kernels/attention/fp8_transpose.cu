// Vᵀ for sm90_flash.cu in 8 bits: out (heads, d, keys in whole TILEs) of V (heads, keys, d), with zeros beyond the last key.
// Of 16 keys, those at 0, 1, 8, 9 come first, then those at 2, 3, 10, 11, and so on: the order in which a thread holds their weights.
//
// Mapping. A block takes TILE keys of a head through shared memory; a thread writes 16 keys of one element of the head at a time.
// Work: reads and writes each byte once: bound by memory.
//
// Launch. block (256); grid (ceil(keys / TILE), heads).
// Arguments: V (heads, keys, d) and out, bytes; keys; d, a multiple of 16 up to WIDEST.
#include "tile/tile.h"

constexpr int THREADS = 256, TILE = 128, WIDEST = 128;

// Where a key's element lies in shared memory: groups of 16 keys start in different banks, since a warp reads eight of them at once.
DEVICE int place(int key, int element) { return key * WIDEST + (element ^ key / 16 * 16); }

extern "C" __global__ __launch_bounds__(THREADS)
void attention_fp8_transpose(const u8* v, u8* out, int keys, int d) {
    __shared__ __align__(16) u8 tile[TILE * WIDEST];
    int first = blockIdx.x * TILE, vectors = d / 16;
    const u8* from = v + (long long)blockIdx.y * keys * d;
    for (int i = threadIdx.x; i < TILE * vectors; i += THREADS) {
        int key = i / vectors, column = i % vectors * 16;
        Vector16 sixteen{{0, 0, 0, 0}};
        if (first + key < keys) sixteen = ld_global_nc(from + (long long)(first + key) * d + column);
        *reinterpret_cast<Vector16*>(tile + place(key, column)) = sixteen;
    }
    __syncthreads();
    long long pitch = (long long)gridDim.x * TILE;
    u8* to = out + blockIdx.y * d * pitch + first;
    for (int i = threadIdx.x; i < TILE / 16 * d; i += THREADS) {
        int row = i / (TILE / 16), group = i % (TILE / 16) * 16;
        const u8* column = tile + place(group, row);
        Vector16 sixteen;
#pragma unroll
        for (int w = 0; w < 4; w++)
            sixteen.word[w] = column[2 * w * WIDEST] | column[(2 * w + 1) * WIDEST] << 8 | column[(2 * w + 8) * WIDEST] << 16
                              | u32(column[(2 * w + 9) * WIDEST]) << 24;
        *reinterpret_cast<Vector16*>(to + row * pitch + group) = sixteen;
    }
}
