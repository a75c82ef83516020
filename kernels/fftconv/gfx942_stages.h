// The stages of a transform on AMD's matrix cores, by the wave, in planes in LDS.
// Knows where a stage's numbers lie and what they are multiplied by, and nothing of tensors, gates or which wave does what.
//
// A product leaves in a lane what is one lane's of either operand of the next one. With the matrix on the right, what was contracted
// goes to the lanes, and the next product contracts the other index; with the matrix on the left, the lanes keep theirs. So stages 1
// and 2 go from registers to registers by products of the first kind, stage 3 and its inverse by those of the second, every result lies
// where its operand lay, and f32 is rounded only where it becomes an operand again.
//
// Macros (default): those of monarch.h, SCALED_ROWS (0: a spectrum has one scale; 1: each k1 of it has its own).
#pragma once
#include "fftconv/monarch.h"

#ifndef SCALED_ROWS
#define SCALED_ROWS 0
#endif

using Pair = Vector<u32, 2>;

// A lane's vector of a table; as one value, which stays in registers where an array's elements may not.
using Words = Vector<u32, 4>;
DEVICE Words words_at(const Vector16* table, u32 at) { return __builtin_bit_cast(Words, table[at]); }

// Whether the n3 of the slot is 0 in all lanes.
DEVICE constexpr bool is_first(int slot) { return N3 <= 4 && slot % N3 == 0; }

// Asked for once a stage: places of one stage are not to stay in registers through the next.
DEVICE u32 own_lane() { return forgotten(lane_id()); }

// 16 x 16 complex operands, of either side, and a matrix that is its own transpose.
struct Operand { Pair re, im; };
struct Dft { Pair re, im, minus_im; };

DEVICE Dft load_dft(const Vector16* tables, u32 at) {
    Words v = words_at(tables, at + own_lane());
    Dft f = {v.xy, v.zw, v.zw};
    f.minus_im ^= 0x80008000;
    return f;
}

// 16 x 16 complex results: the rows of a lane.
struct Tile {
    Sum4 re = {}, im = {};

    // By one factor a row, or its conjugate.
    template <bool CONJUGATE> DEVICE void multiply_row(int row, Complex w) {
        Complex z = times({re[row], im[row]}, CONJUGATE ? conj(w) : w);
        re[row] = z.re, im[row] = z.im;
    }
    template <bool CONJUGATE> DEVICE void multiply(Words pairs) {
#pragma unroll
        for (int row = 0; row < 4; row++) multiply_row<CONJUGATE>(row, halves(pairs[row]));
    }
    // By factors of slots, which are 1 where n3 is 0.
    template <bool CONJUGATE> DEVICE void multiply_slots(Words pairs) {
#pragma unroll
        for (int row = 0; row < 4; row++)
            if (!is_first(row)) multiply_row<CONJUGATE>(row, halves(pairs[row]));
    }
    DEVICE Operand rounded() const {
        return {{cvt_x2<ELEMENT>(re[0], re[1]), cvt_x2<ELEMENT>(re[2], re[3])}, {cvt_x2<ELEMENT>(im[0], im[1]), cvt_x2<ELEMENT>(im[2], im[3])}};
    }
};

// d += a0 b0 + a1 b1.
DEVICE void multiply_add(Sum4& d, Pair a0, Pair a1, Pair b0, Pair b1) {
#if defined(__gfx950__)
    mfma_f32_16x16x32(ELEMENT{}, d, Vector16{a0[0], a0[1], a1[0], a1[1]}, Vector16{b0[0], b0[1], b1[0], b1[1]});
#else
    mfma_f32_16x16x16(ELEMENT{}, d, a0, b0);
    mfma_f32_16x16x16(ELEMENT{}, d, a1, b1);
#endif
}

// The operand's rows transformed, its columns kept.
template <bool INVERSE> DEVICE Tile transform_rows(const Operand& b, const Dft& f) {
    Tile d;
    multiply_add(d.re, f.re, INVERSE ? f.im : f.minus_im, b.re, b.im);
    multiply_add(d.im, INVERSE ? f.minus_im : f.im, f.re, b.re, b.im);
    return d;
}

// The same transposed: what was transformed are columns now.
template <bool INVERSE> DEVICE Tile transform_to_columns(const Operand& a, const Dft& f) {
    Tile d;
    multiply_add(d.re, a.re, a.im, f.re, INVERSE ? f.im : f.minus_im);
    multiply_add(d.im, a.re, a.im, INVERSE ? f.minus_im : f.im, f.re);
    return d;
}

DEVICE Unit& unit_at(u8* plane, u32 at) { return *reinterpret_cast<Unit*>(plane + at * 8); }

// The low or the high halves of two words.
DEVICE u32 join(u32 a, u32 b, int high) { return v_perm_b32(b, a, high ? 0x07060302 : 0x05040100); }

// Stages 1 and 2.

// What they are multiplied by: between them, and behind them a vector of each of a strip's four slots.
struct StripFactors {
    Dft f;
    Words first, slots[4];

    // The whole of it, which a strip asks for before its numbers are there.
    DEVICE void load(const Vector16* tables, u32 strip) {
        u32 lane = own_lane();
        f = load_dft(tables, DFT_TABLE);
        first = words_at(tables, FIRST_TABLE + lane);
#pragma unroll
        for (int slot = 0; slot < 4; slot++) slots[slot] = words_at(tables, STRIP_TABLE + (strip * 4 + slot) % N3 * 64 + lane);
    }
};

// Four slots of two planes, or their inverse times a scale, in place. The wave reads all of them before it writes any.
template <bool INVERSE> DEVICE void transform_strip(u8* planes, u32 strip, const StripFactors& factors, float scale) {
    u32 lane = own_lane(), row = lane / 16 * 4, column = lane % 16;
    u32 here = INVERSE ? place(column, row, strip) : place(row, column, strip);
    auto unit = [&](int plane, int row) -> Unit& { return unit_at(planes + plane * PLANE, here ^ (INVERSE ? place(0, row, 0) : place(row, 0, 0))); };
    Unit in[2][4];
#pragma unroll
    for (int i = 0; i < 8; i++) in[i / 4][i % 4] = unit(i / 4, i % 4);
    Tile slots[4];
#pragma unroll
    for (int slot = 0; slot < 4; slot++) {
        auto rows = [&](int plane) {
            const Unit(&v)[4] = in[plane];
            int word = slot / 2, high = slot % 2;
            return Pair{join(v[0].word[word], v[1].word[word], high), join(v[2].word[word], v[3].word[word], high)};
        };
        Tile between = transform_to_columns<INVERSE>({rows(0), rows(1)}, factors.f);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            Complex w = halves(factors.first[i]);
            between.multiply_row<INVERSE>(i, {w.re * scale, w.im * scale});
        }
        slots[slot] = transform_to_columns<INVERSE>(between.rounded(), factors.f);
        if (!INVERSE && !is_first(slot)) slots[slot].multiply<false>(factors.slots[slot]);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        unit(0, i) = {cvt_x2<ELEMENT>(slots[0].re[i], slots[1].re[i]), cvt_x2<ELEMENT>(slots[2].re[i], slots[3].re[i])};
        unit(1, i) = {cvt_x2<ELEMENT>(slots[0].im[i], slots[1].im[i]), cvt_x2<ELEMENT>(slots[2].im[i], slots[3].im[i])};
    }
}

// Stage 3.

// The numbers of RADIX tiles of a row: slot a of tile p is number RADIX a + p, so that a lane's are RADIX units side by side.
DEVICE void read_row(const u8* plane, u32 here, Operand (&tiles)[RADIX], Pair Operand::*part) {
    Unit unit[RADIX];
#pragma unroll
    for (int i = 0; i < RADIX; i++) unit[i] = unit_at(const_cast<u8*>(plane), here ^ place(0, 0, i));
    auto word = [&](int i) { return unit[i / 2].word[i % 2]; };
#pragma unroll
    for (int p = 0; p < RADIX; p++) {
        auto both = [&](int slot) { return join(word(RADIX * slot / 2 + p / 2), word(RADIX * (slot + 1) / 2 + p / 2), p % 2); };
        tiles[p].*part = RADIX == 1 ? Pair{word(0), word(1)} : Pair{both(0), both(2)};
    }
}

// The reverse, from results.
DEVICE void write_row(u8* plane, u32 here, const Tile (&tiles)[RADIX], Sum4 Tile::*part) {
    auto number = [&](int i) { return (tiles[i % RADIX].*part)[i / RADIX]; };
#pragma unroll
    for (int i = 0; i < RADIX; i++)
        unit_at(plane, here ^ place(0, 0, i)) = {cvt_x2<ELEMENT>(number(4 * i), number(4 * i + 1)), cvt_x2<ELEMENT>(number(4 * i + 2), number(4 * i + 3))};
}

// One pass of a DFT of RADIX across tiles: sums and differences of those `half` apart.
template <bool INVERSE> DEVICE void butterfly(Tile (&d)[RADIX], int half) {
#pragma unroll
    for (int p = 0; p < RADIX; p++) {
        if (p & half) continue;
        Tile& a = d[p];
        Tile& b = d[p + half];
        Sum4 re = a.re - b.re, im = a.im - b.im;
        // The quarter turn between the two passes of a DFT of four.
        bool turn = RADIX == 4 && (INVERSE ? half == 1 && p == 2 : half == 2 && p == 1);
        a.re += b.re, a.im += b.im;
        b.re = !turn ? re : INVERSE ? -im : im, b.im = !turn ? im : INVERSE ? re : -re;
    }
}

// Rows of a k1 that a wave works on at once.
constexpr int ROWS = 4 / RADIX;

// What ROWS rows from k1 on are multiplied by: the spectrum's bins and, on the way back, the conjugate factors of stage 2.
struct RowFactors {
    Dft f;
    Words third[RADIX], bins[4], back[4];

    // `of_rows` are the rows' own bins of a spectrum. Asked for before the numbers are there.
    DEVICE void load(const Vector16* tables, const Vector16* of_rows) {
        u32 lane = own_lane(), own = seen_by(lane);
        f = load_dft(tables, SLOTS_TABLE);
#pragma unroll
        for (int p = 1; p < RADIX; p++) third[p] = words_at(tables, THIRD_TABLE + (p - 1) * 4 + lane / 16);
#pragma unroll
        for (int i = 0; i < 4; i++) bins[i] = words_at(of_rows, i * ROW_STEP + own);
    }
    // The rest, when the numbers are there: with tiles of four it has no registers before.
    DEVICE void load_back(const Vector16* tables, u32 k1) {
        u32 own = seen_by(own_lane());
#pragma unroll
        for (int i = 0; i < 4; i++) back[i] = words_at(tables, ROW_TABLE + k1 * ROW_VECTORS + i * ROW_STEP + own);
    }
};

// The lane's place in row k1.
DEVICE u32 place_in_row(u32 k1) {
    u32 lane = own_lane();
    return place(k1, lane % 16, lane / 16 * RADIX);
}

// Stage 3 of a row.
DEVICE void transform_row(const u8* planes, u32 here, const RowFactors& factors, Tile (&d)[RADIX]) {
    Operand a[RADIX];
    read_row(planes, here, a, &Operand::re);
    read_row(planes + PLANE, here, a, &Operand::im);
#pragma unroll
    for (int p = 0; p < RADIX; p++) {
        d[p] = transform_rows<false>(a[p], factors.f);
        if (p > 0) d[p].multiply<false>(factors.third[p]);
    }
#pragma unroll
    for (int half = RADIX / 2; half > 0; half /= 2) butterfly<false>(d, half);
}

// The inverse of stage 3 times the conjugate factors of stage 2, to where the row came from.
DEVICE void return_row(u8* planes, u32 here, const RowFactors& factors, const Words* back, Tile (&d)[RADIX]) {
#pragma unroll
    for (int half = 1; half < RADIX; half *= 2) butterfly<true>(d, half);
#pragma unroll
    for (int p = 0; p < RADIX; p++) {
        if (p > 0) d[p].multiply<true>(factors.third[p]);
        d[p] = transform_rows<true>(d[p].rounded(), factors.f);
        d[p].multiply_slots<true>(back[p]);
    }
    write_row(planes, here, d, &Tile::re);
    write_row(planes + PLANE, here, d, &Tile::im);
}

// Stage 3, the product with the spectrum, and the way back: in place, for ROWS k1. `scales` are the rows' own.
DEVICE void convolve_rows(u8* planes, u32 k1, RowFactors& factors, const Vector16* tables, const float* scales) {
    u32 here = place_in_row(k1);
    Tile d[ROWS][RADIX];
#pragma unroll
    for (int i = 0; i < ROWS; i++) transform_row(planes, here ^ place(i, 0, 0), factors, d[i]);
    factors.load_back(tables, k1);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        Tile& tile = d[i / RADIX][i % RADIX];
        tile.multiply<false>(factors.bins[i]);
        if (SCALED_ROWS) tile.re *= scales[i / RADIX], tile.im *= scales[i / RADIX];
    }
#pragma unroll
    for (int i = 0; i < ROWS; i++) return_row(planes, here ^ place(i, 0, 0), factors, factors.back + i * RADIX, d[i]);
}
