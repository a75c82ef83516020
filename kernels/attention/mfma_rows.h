// What attention's passes share on AMD's matrix cores: sizes, which queries a block takes, what a causal mask lets through, and the 32 rows that a wave owns, from memory to
// registers and from sums back to memory. Knows no softmax, and neither how other rows come to LDS nor how they are read from there.
//
// A wave owns 32 rows of one matrix or two. A product of other rows with them, (32, 32), leaves lane l those of row l % 32 with the rows
// 8 i + 4 (l / 32) + 0..3 of the others; and so they are, as they lie, the right operand of a product with the others turned, in which a
// lane keeps its row. Of sixteen others a lane's eight are 4 (l / 32) + 0..3 and 8 + 4 (l / 32) + 0..3.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD_DIM (128; 64): at least d, CAUSAL (0).
#pragma once
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef CAUSAL
#define CAUSAL 0
#endif

constexpr int WAVES = 8, THREADS = WAVES * WARP_THREADS, WAVE_ROWS = 32, BLOCK_ROWS = WAVES * WAVE_ROWS;
constexpr int DIM_TILES = HEAD_DIM / 32, STEPS = HEAD_DIM / 16;   // of a row: tiles of a sum, and products of depth 16
constexpr int CHIPLETS = 8;

// The queries of a block. Those of a head go to one die, whose L2 then holds its keys; those that see most come first.
struct QueryPart {
    int head, key_head, first;                             // first query

    DEVICE QueryPart(int heads, int key_heads, int n) {
        int tiles = ceil_div(n, BLOCK_ROWS), index = tile_by_chiplet(blockIdx.x, gridDim.x, CHIPLETS, tiles);
        head = index / tiles;
        key_head = head / heads * key_heads + head % heads / (heads / key_heads);
        first = (tiles - 1 - index % tiles) * BLOCK_ROWS;
    }
};

// How many keys a query sees; they are the first ones.
DEVICE int visible(int query, int n, int nk) {
    return CAUSAL ? min_int(nk, query + 1 + nk - n < 0 ? 0 : query + 1 + nk - n) : nk;
}

// Rows of a matrix from `first` on, of which those past `rows` read 0. All of them are less than 2 GiB.
DEVICE BufferResource rows_from(const ELEMENT* matrix, int first, int rows, int d) {
    return make_short_buffer(matrix + first * (long long)d, (rows - first) * d * int(sizeof(ELEMENT)));
}

// d (32, 32) += a (32, 8 elements a lane) b.
template <class T> DEVICE void multiply(Sum16& d, Vector16 a, Vector16 b) {
#if defined(__gfx950__)
    mfma_f32_32x32x16(T{}, d, a, b);
#else
    using Half = Vector<u32, 2>;
    mfma_f32_32x32x8(T{}, d, Half{a.word[0], a.word[1]}, Half{b.word[0], b.word[1]});
    mfma_f32_32x32x8(T{}, d, Half{a.word[2], a.word[3]}, Half{b.word[2], b.word[3]});
#endif
}

// The wave's rows in registers: step i has vectors 2 i + l / 32 of the row of lane l.
struct Rows {
    Vector16 step[STEPS];

    DEVICE void load(const ELEMENT* matrix, int first, int rows, int d) { load_row(rows_from(matrix, first, rows, d), lane_id() % 32 * d, d); }

    // The lane's row begins at this element.
    DEVICE void load_row(BufferResource buffer, u32 at, int d) {
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            u32 column = (2 * i + lane_id() / 32) * 8;
            step[i] = buffer_load_dwordx4(buffer, int(column) < d ? (at + column) * sizeof(ELEMENT) : OUTSIDE);
        }
    }
};

// Writes the row that this lane keeps, of sums (HEAD_DIM, 32) times `factor`.
DEVICE void store_row(const Sum16 (&sums)[DIM_TILES], float factor, ELEMENT* row, int d) {
#pragma unroll
    for (int i = 0; i < DIM_TILES * 4; i++) {
        int column = i * 8 + lane_id() / 32 * 4;
        Sum16 x = sums[i / 4];
        int r = i % 4 * 4;
        if (column < d)
            *reinterpret_cast<Vector<u32, 2>*>(row + column) = {cvt_rn_x2<ELEMENT>(x[r] * factor, x[r + 1] * factor),
                                                                cvt_rn_x2<ELEMENT>(x[r + 2] * factor, x[r + 3] * factor)};
    }
}
