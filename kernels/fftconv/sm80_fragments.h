// How NVIDIA's tensor cores hold the numbers of a transform, for monarch.h: where units of a plane lie, and what word i of each table is.
// Knows no stage and no tensor.
#pragma once

// Which index stands in a slot of the tensor cores' operands. A thread holds slots 2 q, 2 q + 1, 2 q + 8 and 2 q + 9: with one
// number a unit (N3 <= 16) these are to be one unit's, otherwise the units' own order will do.
DEVICE constexpr u32 order(u32 slot) {
    return RADIX == 1 ? (slot & 1) | (slot >> 3 & 1) << 1 | (slot >> 1 & 3) << 2 : slot;
}

// The unit of a plane where unit `u` of row (d1, d2) lies. It is linear over GF(2), so that a lane's part and a constant part
// are joined by ^. The masks spread what half a warp touches at once, in each of the stages and in the copies, over all banks.
DEVICE constexpr u32 place(u32 d1, u32 d2, u32 u) {
    constexpr u32 D1[4] = {RADIX == 1 ? 4 : RADIX == 2 ? 2 : 4, RADIX == 1 ? 0 : RADIX == 2 ? 1 : 2, RADIX == 1 ? 2 : RADIX == 2 ? 2 : 4, RADIX == 1 ? 8 : 0};
    constexpr u32 D2[4] = {RADIX == 4 ? 1 : 0, RADIX == 1 ? 0 : RADIX == 2 ? 5 : 8, RADIX == 1 ? 1 : RADIX == 2 ? 8 : 1, RADIX == 1 ? 10 : 0};
    u32 mask = 0;
    for (int i = 0; i < 4; i++) mask ^= (d1 >> i & 1) * D1[i] ^ (d2 >> i & 1) * D2[i];
    return ((d1 * 16 + d2) * UNITS + u) ^ mask;
}

// Matrices of slots are more than the L1 cache holds of longer transforms.
constexpr bool MERGED_SLOTS = RADIX == 1 && N3 > 1, MERGED_TILES = RADIX > 1;

// A row of a table has two rows of eight lanes' quarters for each of RADIX tiles.
constexpr int ROW_STEP = 8 * QUARTERS;
DEVICE u32 seen_by(u32 lane) { return lane / 4 * QUARTERS + lane % QUARTERS; }

// A lane's places in a fragment: rows row and row + 8, columns of slots column, + 1, + 8, + 9.
DEVICE constexpr u32 column(u32 c) { return (c & 1) + c / 2 * 8; }

// Of a DFT matrix: the row and the first of two columns, and whether it is their imaginary parts.
DEVICE int dft_row(int i) { return order(i / 4 % 32 / 4 + i % 2 * 8); }
DEVICE int dft_column(int i) { return order(i / 4 % 4 * 2 + i % 4 / 2 * 8); }
DEVICE bool dft_imaginary(int i) { return i / 128 % 2; }

// Which word of a left operand is word i of a right one, in whose lanes the two of a product follow each other.
DEVICE int right_word(int i) { return i / 4 * 4 + i % 2 * 2 + i / 2 % 2; }

// Of factors between stages 1 and 2 and, for each n3, behind them: the bins k1 (or n2, the table being symmetric) and k2.
DEVICE int strip_first(int i) { return order(i / 4 % 4 * 2 + column(i % 4)); }
DEVICE int strip_second(int i) { return order(i / 4 % 32 / 4 + i / 128 % 2 * 8); }

// Of factors across tiles: the bin, and the tile counted from the second.
DEVICE int third_slot(int i) { return order(i / 4 % 4 * 2 + column(i % 4)); }
DEVICE int third_tile(int i) { return i / 128; }

// Of tables by rows: the slot, the tile and the bin of stage 2.
DEVICE int row_slot(int i) { return order(i / 4 % QUARTERS * 2 + column(i % 4)); }
DEVICE int row_tile(int i) { return i / (8 * ROW_STEP) % RADIX; }
DEVICE int second_bin(int i) { return i / (4 * QUARTERS) % 8 + i / (4 * ROW_STEP) % 2 * 8; }

// Of an outer stage's matrix as left operand, in tiles of 128 words: row and first column; and which of its rows is what forward: eight real
// parts and then their imaginary ones.
DEVICE int matrix_row(int i) { return i / 4 % 32 / 4 + i % 2 * 8; }
DEVICE int matrix_column(int i) { return i / 4 % 4 * 2 + i % 4 / 2 * 8; }
DEVICE int outer_bin(int row) { return row / 16 * 8 + row % 8; }
DEVICE bool outer_imaginary(int row) { return row / 8 % 2; }

// Of sums of products of bins.

// The slot whose index is `idx`: the inverse of `order`.
DEVICE int slot_of(int idx) { return RADIX == 1 ? (idx & 1) | (idx >> 1 & 1) << 3 | (idx >> 2 & 3) << 1 : idx; }

// The lane of four and the kept column that have bin k3 of a tile.
DEVICE int quarter_of(int k3) {
    if (N3 >= 16) return slot_of(k3) / 2 % 4;
    return N3 == 8 ? k3 / 4 + k3 / 2 % 2 * 2 : N3 == 2 ? k3 * 2 : k3;
}
DEVICE int kept_of(int k3) {
    if (N3 >= 16) return slot_of(k3) % 2 + slot_of(k3) / 8 * 2;
    return N3 == 8 ? k3 % 2 : 0;
}

// The place of bin k3 of a tile's column k2, in complex numbers: by kept columns, lanes and rows.
DEVICE int sum_place(int k2, int k3) { return (kept_of(k3) * 32 + k2 % 8 * 4 + quarter_of(k3)) * 2 + k2 / 8; }
