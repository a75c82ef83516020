// What gemm's kernels for AMD's matrix cores share: which tile a block takes, how an operand's tile lies in LDS, the products of a
// wave, and the epilogue. Knows no order of loads and waits.
// A slice of K is 128 bytes of every row of an operand, so that a tile in LDS is (rows, 128) bytes whatever the element, K contiguous.
// Macros (default): ELEMENT (Bf16; Fp16, E4m3), OUTPUT (Bf16; Fp16), B_K_MAJOR (0), SCALES (0; 1 per tensor, 2 per row and column),
// TILE_M, TILE_N (256), WAVES_M (2), WAVES_N (4): a wave makes (TILE_M / WAVES_M, TILE_N / WAVES_N) of C.
#pragma once
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef OUTPUT
#define OUTPUT Bf16
#endif
#ifndef B_K_MAJOR
#define B_K_MAJOR 0
#endif
#ifndef SCALES
#define SCALES 0
#endif
#ifndef TILE_M
#define TILE_M 256
#endif
#ifndef TILE_N
#define TILE_N 256
#endif
#ifndef WAVES_M
#define WAVES_M 2
#endif
#ifndef WAVES_N
#define WAVES_N 4
#endif

constexpr int THREADS = WARP_THREADS * WAVES_M * WAVES_N;
constexpr int ROW_BYTES = 128, CHUNKS = ROW_BYTES / 16;   // a row's slice in LDS, and its vectors
constexpr int SLICE = ROW_BYTES / sizeof(ELEMENT);        // of K, in elements
constexpr int IN_VECTOR = 16 / sizeof(ELEMENT);

// Dies with an L2 each, of every board of this architecture; a run of tiles for one of them, and the height of its bands.
constexpr int CHIPLETS = 8, RUN = 64, BAND = 8;

DEVICE TilePlace tile_of_block(int m, int n) {
    int rows = ceil_div(m, TILE_M), columns = ceil_div(n, TILE_N);
    return tile_in_bands(tile_by_chiplet(blockIdx.x, rows * columns, CHIPLETS, RUN), rows, columns, BAND);
}

// d (16, 16), transposed, += a (16, 16 bytes a lane) b, in which lane l holds row l % 16 of a, column l % 16 of b, and the same part of K of both.
template <class T> DEVICE void multiply(Sum4& d, Vector16 a, Vector16 b) {
#if defined(__gfx950__)
    if constexpr (sizeof(T) == 2) return mfma_f32_16x16x32(T{}, d, b, a);
#endif
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        Vector<u32, 2> left = {a.word[i], a.word[i + 1]}, right = {b.word[i], b.word[i + 1]};
        if constexpr (sizeof(T) == 1) mfma_f32_16x16x32(T{}, d, right, left);
        else mfma_f32_16x16x16(T{}, d, right, left);
    }
}

// Four consecutive elements of C, of which `count` lie inside; `wide`: the address is a multiple of their size.
template <class T> DEVICE void store_four(T* to, Sum4 x, int count, bool wide) {
    Vector<u32, 2> pairs = {cvt_rn_x2<T>(x[0], x[1]), cvt_rn_x2<T>(x[2], x[3])};
    if (wide && count >= 4) *reinterpret_cast<Vector<u32, 2>*>(to) = pairs;
    else
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (i < count) to[i] = T{u16(pairs[i / 2] >> (i % 2 * 16))};
}

// Writes a 16 x 16 tile of sums whose first element is (row, column): the lane's part is one row and four consecutive columns.
DEVICE void store_tile(Sum4 sum, OUTPUT* c, long long c_pitch, int row, int column, int m, int n, const float* scale_a, const float* scale_b) {
    row += lane_id() % 16, column += lane_id() / 16 * 4;
    if (row >= m || column >= n) return;
    constexpr float UNIT = sizeof(ELEMENT) == 1 ? E4M3_SCALE * E4M3_SCALE : 1;
    float scale = UNIT * (SCALES == 1 ? scale_a[0] * scale_b[0] : SCALES == 2 ? scale_a[row] : 1);
#pragma unroll
    for (int i = 0; i < 4; i++) sum[i] *= SCALES == 2 ? scale * scale_b[min_int(column + i, n - 1)] : scale;
    store_four(c + row * c_pitch + column, sum, n - column, c_pitch % 4 == 0);
}
