// The first and the last stage of transforms that short.h cuts up, between memory and operands, by the warp; and the factors between stages
// 2 and 3. Knows neither where vectors lie in shared memory nor which warp does what.
//
// Who includes it has stages.h and signals.h before, and says where vectors lie: backward_place.
#pragma once
#include "fftconv/short.h"

// Rows of a lane's fragments, of 16: those of an operand's columns 2 q, + 1, + 8, + 9; and the item and the element that a row begins with.
DEVICE constexpr int row_of(int i) { return i % 2 + i / 2 * 8; }
DEVICE constexpr int item_of(int row) { return row / N1 * 2; }
DEVICE constexpr int element_of(int row) { return row % N1 * 256; }

// A warp's columns are 64 of 32 rows, or two halves of 64 of 16 rows: what a pass of two has.
DEVICE constexpr int pass_row(int pass) { return ROW_TILES == 2 ? pass * 16 : 0; }
DEVICE constexpr int pass_column(int pass) { return ROW_TILES == 2 ? 0 : pass * 64; }

DEVICE Vector16& vector_at(u8* planes, u32 place) { return *reinterpret_cast<Vector16*>(planes + place * 16); }

// Vectors of eight elements, by passes, sequences of a pair, and rows.
struct Rows { Vector16 v[2][2][4]; };

DEVICE void load_rows(Rows& rows, const Signals& s) {
#pragma unroll
    for (int i = 0; i < 16; i++) {
        int pass = i / 8, part = i / 4 % 2, row = pass_row(pass) + row_of(i % 4);
        rows.v[pass][part][i % 4] = load_input(s, item_of(row) + part, element_of(row) + pass_column(pass));
    }
}

// Column g of a product is an element of the lane's vector; those of lanes g and g + 1 have neighbouring n2, and so are a word of stage 2's
// operand.
DEVICE u32 own_vector(u32 g) { return g & 4 | g << 1 & 2 | g >> 1 & 1; }

// w_256^(n3 k2), by the lane's columns.
struct Factors { Complex w[2][4]; };

DEVICE Factors load_factors(const Vector16* from, float scale) {
    Factors factors;
#pragma unroll
    for (int row = 0; row < 2; row++) {
        Vector16 pairs = from[row * 32 + own_lane()];
#pragma unroll
        for (int c = 0; c < 4; c++) {
            Complex w = halves(pairs.word[c]);
            factors.w[row][c] = {w.re * scale, w.im * scale};
        }
    }
    return factors;
}

template <bool CONJUGATE> DEVICE void multiply(Tile& d, const Factors& factors) {
#pragma unroll
    for (int row = 0; row < 2; row++) d.multiply_row<CONJUGATE>(row, factors.w[row]);
}

// The inverse of stage 1 contracts real and imaginary parts of eight rows at once, as words of both lie side by side: what these are multiplied
// by, for real and for imaginary results, by eights of the rows.
struct BothParts { u32 word[2][EIGHTS][4]; };

// `tables` is the lane's place.
DEVICE BothParts load_both_parts(const Vector16* tables) {
    BothParts a;
#pragma unroll
    for (int i = 0; i < 2 * EIGHTS; i++) {
        Vector16 v = tables[i * 32];
#pragma unroll
        for (int j = 0; j < 4; j++) a.word[i / EIGHTS][i % EIGHTS][j] = v.word[j];
    }
    return a;
}

// Results in vectors, by sequences of a pair, rows, and which of the two vectors of a row.
struct Results { Vector16 v[2][2][2]; };

DEVICE void transform_columns_out(Results& results, u8* planes, u32 here, const BothParts& a) {
#pragma unroll
    for (int two = 0; two < 4; two++) {
        float d[2][2][4] = {};                           // by parts, elements
#pragma unroll
        for (int eight = 0; eight < EIGHTS; eight++) {
            Vector16 b = vector_at(planes, here ^ backward_place(eight * 4, 0, two * 2));
#pragma unroll
            for (int i = 0; i < 4; i++) mma_m16n8k16(ELEMENT{}, d[i % 2][i / 2], a.word[i % 2][eight], b.word[i / 2 * 2], b.word[i / 2 * 2 + 1]);
        }
#pragma unroll
        for (int i = 0; i < 8; i++) results.v[i / 4][i / 2 % 2][i % 2].word[two] = cvt_rn_x2<ELEMENT>(d[i / 4][0][i % 4], d[i / 4][1][i % 4]);
        __syncwarp();
    }
}

// Where result i of a pass goes, or its gate comes from, and what is done there.
template <class F> DEVICE void for_each_result(int pass, F apply) {
#pragma unroll
    for (int i = 0; i < 8; i++) {
        int part = i / 4, row = pass_row(pass) + i / 2 % 2 * 8, vector = i % 2;
        apply(i, item_of(row) + part, element_of(row) + pass_column(pass) + vector * 32);
    }
}
