// How AMD's matrix cores hold the numbers of a transform, for monarch.h: where units of a plane lie, and what word i of each table is.
// Knows no stage and no tensor.
//
// A lane holds of a tile of 16 x 16 column lane % 16, rows 4 (lane / 16) + 0..3, and of its tables one vector of the same places.
#pragma once

// The unit of a plane where unit `u` of row (d1, d2) lies. It is linear over GF(2), so that a lane's part and a constant part are joined by
// ^. The masks were searched for: sixteen lanes that follow each other reach all of 32 banks, and 32 lanes all of 64, in all stages,
// and in the copies of N3 >= 4.
DEVICE constexpr u32 place(u32 d1, u32 d2, u32 u) {
    constexpr u32 D1[4] = {RADIX == 1 ? 2 : RADIX == 2 ? 1 : 9, RADIX == 1 ? 14 : RADIX == 2 ? 4 : 1, RADIX == 1 ? 9 : RADIX == 2 ? 9 : 5,
                           RADIX == 1 ? 4 : RADIX == 2 ? 10 : 19};
    constexpr u32 D2[4] = {RADIX == 4 ? 5 : 0, RADIX == 1 ? 0 : 1, RADIX == 1 ? 1 : RADIX == 2 ? 18 : 3, RADIX == 1 ? 7 : RADIX == 2 ? 21 : 8};
    u32 mask = 0;
    for (int i = 0; i < 4; i++) mask ^= (d1 >> i & 1) * D1[i] ^ (d2 >> i & 1) * D2[i];
    return ((d1 * 16 + d2) * UNITS + u) ^ mask;
}

// Factors are numbers of their own.
constexpr bool MERGED_SLOTS = false, MERGED_TILES = false;

// A row of a table has sixteen lanes of each quarter for each of RADIX tiles.
constexpr int ROW_STEP = 16 * QUARTERS;
DEVICE u32 seen_by(u32 lane) { return lane / 16 % QUARTERS * 16 + lane % 16; }

// Of a DFT matrix, real parts in the first half of a lane's vector: the row and the first of two columns.
DEVICE int dft_row(int i) { return i / 4 % 16; }
DEVICE int dft_column(int i) { return i / 64 % 4 * 4 + i % 2 * 2; }
DEVICE bool dft_imaginary(int i) { return i / 2 % 2; }

// Which word of a left operand is word i of a right one: the same.
DEVICE int right_word(int i) { return i; }

// Of factors between stages 1 and 2 and, for each n3, behind them: the bins k1 (or n2, the table being symmetric) and k2.
DEVICE int strip_first(int i) { return i / 64 % 4 * 4 + i % 4; }
DEVICE int strip_second(int i) { return i / 4 % 16; }

// Of factors across tiles, by quarters: the bin, and the tile counted from the second.
DEVICE int third_slot(int i) { return i % 16; }
DEVICE int third_tile(int i) { return i / 16; }

// Of tables by rows: the slot, the tile and the bin of stage 2.
DEVICE int row_slot(int i) { return i / 64 % QUARTERS * 4 + i % 4; }
DEVICE int row_tile(int i) { return i / (4 * ROW_STEP) % RADIX; }
DEVICE int second_bin(int i) { return i / 4 % 16; }

// Of an outer stage's matrix as left operand, in tiles of 128 words: row and first column; and which of its rows is what forward: a real
// part and then its imaginary one.
DEVICE int matrix_row(int i) { return i / 2 % 16; }
DEVICE int matrix_column(int i) { return i / 32 % 4 * 4 + i % 2 * 2; }
DEVICE int outer_bin(int row) { return row / 2; }
DEVICE bool outer_imaginary(int row) { return row % 2; }

// Of sums of products of bins, which lie as a spectrum does: the place of bin k3 of a tile's column k2, in complex numbers.
DEVICE int sum_place(int k2, int k3) { return (k3 / 4 * 16 + k2) * 4 + k3 % 4; }
