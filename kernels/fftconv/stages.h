// The stages of a transform on tensor cores, by the warp, in planes in shared memory.
// Knows where a stage's numbers lie and what they are multiplied by, and nothing of tensors, gates or which warp does what.
//
// A product contracts the columns of a thread's results: as left operand they keep their rows, as right operand they are
// transposed. So two stages go from registers to registers, and f32 is rounded only where it becomes an operand again.
//
// Who includes it says how many THREADS a block has before.
// Macros (default): those of monarch.h, SCALED_ROWS (0: a spectrum has one scale; 1: each k1 of it has its own).
#pragma once
#include "fftconv/monarch.h"

#ifndef SCALED_ROWS
#define SCALED_ROWS 0
#endif

// Whether the n3 of slot `slot` of four, which is column `slot` of a lane, is 0 wherever these four stand.
DEVICE constexpr bool is_first(int slot) { return N3 <= 4 && slot % N3 == 0; }

// 16 x 16 complex operands: of either side, and of a matrix that is its own transpose, of both.
struct Operand { u32 re[4], im[4]; };
struct Dft { u32 re[4], im[4], minus_im[4]; };

// 16 x 16 complex results: halves of 8 columns, then rows (2) of two columns.
struct Tile {
    float re[2][4] = {}, im[2][4] = {};

    DEVICE Complex at(int row, int c) const { return {re[c / 2][2 * row + c % 2], im[c / 2][2 * row + c % 2]}; }
    DEVICE void set(int row, int c, Complex z) { re[c / 2][2 * row + c % 2] = z.re, im[c / 2][2 * row + c % 2] = z.im; }

    // Entry by entry, or by the conjugates.
    template <bool CONJUGATE> DEVICE void multiply_row(int row, const Complex (&w)[4]) {
#pragma unroll
        for (int c = 0; c < 4; c++) set(row, c, times(at(row, c), CONJUGATE ? conj(w[c]) : w[c]));
    }
    template <bool CONJUGATE> DEVICE void multiply_row(int row, Vector16 pairs) {
        Complex w[4];
#pragma unroll
        for (int c = 0; c < 4; c++) w[c] = halves(pairs.word[c]);
        multiply_row<CONJUGATE>(row, w);
    }
    DEVICE void multiply(float scale) {
#pragma unroll
        for (int i = 0; i < 8; i++) re[i / 4][i % 4] *= scale, im[i / 4][i % 4] *= scale;
    }
    // By factors of slots, which are 1 where n3 is 0.
    template <bool CONJUGATE> DEVICE void multiply_slots(int row, Vector16 pairs) {
#pragma unroll
        for (int c = 0; c < 4; c++) {
            Complex w = halves(pairs.word[c]);
            if (!is_first(c)) set(row, c, times(at(row, c), CONJUGATE ? conj(w) : w));
        }
    }
    DEVICE Operand rounded() const {
        Operand a;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int half = i / 2, row = i % 2;
            a.re[i] = cvt_rn_x2<ELEMENT>(re[half][2 * row], re[half][2 * row + 1]);
            a.im[i] = cvt_rn_x2<ELEMENT>(im[half][2 * row], im[half][2 * row + 1]);
        }
        return a;
    }
};

DEVICE void multiply_real(float (&sum)[2][4], const u32 (&a)[4], const u32 (&b)[4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) mma_m16n8k16(ELEMENT{}, sum[half], a, b[half], b[2 + half]);
}

// The same with words in the order of a right operand.
DEVICE void multiply_right(float (&sum)[2][4], const u32 (&a)[4], const u32 (&b)[4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) mma_m16n8k16(ELEMENT{}, sum[half], a, b[2 * half], b[2 * half + 1]);
}

// The operand's columns transformed, its rows kept; the matrix is a right operand.
template <bool INVERSE> DEVICE Tile transform_columns(const Operand& a, const Dft& f) {
    Tile d;
    multiply_right(d.re, a.re, f.re);
    multiply_right(d.im, a.re, INVERSE ? f.minus_im : f.im);
    multiply_right(d.re, a.im, INVERSE ? f.im : f.minus_im);
    multiply_right(d.im, a.im, f.re);
    return d;
}

// The same transposed: what was transformed are rows now.
template <bool INVERSE> DEVICE Tile transform_to_rows(const Operand& b, const Dft& f) {
    Tile d;
    multiply_real(d.re, f.re, b.re);
    multiply_real(d.im, INVERSE ? f.minus_im : f.im, b.re);
    multiply_real(d.re, INVERSE ? f.im : f.minus_im, b.im);
    multiply_real(d.im, f.re, b.im);
    return d;
}

// Asked for once a stage: places of one stage are not to stay in registers through the next.
DEVICE u32 own_lane() { return forgotten(threadIdx.x) % 32; }

// `from` is the lane's place in a table.
DEVICE Dft load_dft(const Vector16* from) {
    Vector16 re = from[0], im = from[32];
    Dft f;
#pragma unroll
    for (int i = 0; i < 4; i++) f.re[i] = re.word[i], f.im[i] = im.word[i], f.minus_im[i] = im.word[i] ^ 0x80008000;
    return f;
}

DEVICE Unit& unit_at(u8* plane, u32 at) { return *reinterpret_cast<Unit*>(plane + at * 8); }

// The low or the high halves of two words.
DEVICE u32 join(u32 a, u32 b, int high) { return __byte_perm(a, b, high ? 0x7632 : 0x5410); }

// Stages 1 and 2 of four slots, or their inverses in reverse, in place; `first` are the factors between them. A product leaves what it
// made in rows and what is to be contracted next in columns, so that the second one's results lie in lanes as the first one's operands.
template <bool INVERSE> DEVICE void transform_strip(u8* planes, u32 strip, const Dft& f, const Complex (&first)[2][4], const Vector16* tables) {
    u32 lane = own_lane(), g = order(lane / 4), q = order(lane % 4 * 2);
    u32 here = INVERSE ? place(g, q, strip) : place(q, g, strip);
    Unit in[2][4][2], out[2][4][2];                      // by plane, slots of the columns, and of the rows
#pragma unroll
    for (int i = 0; i < 16; i++) {
        u32 c = order(column(i / 2 % 4)), row = order(i % 2 * 8);
        in[i / 8][i / 2 % 4][i % 2] = unit_at(planes + i / 8 * PLANE, here ^ (INVERSE ? place(row, c, 0) : place(c, row, 0)));
    }
#pragma unroll
    for (int word = 0; word < 2; word++) {
        Tile slots[2];
#pragma unroll
        for (int high = 0; high < 2; high++) {
            Operand b;
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int c = i / 2 * 2, row = i % 2;
                b.re[i] = join(in[0][c][row].word[word], in[0][c + 1][row].word[word], high);
                b.im[i] = join(in[1][c][row].word[word], in[1][c + 1][row].word[word], high);
            }
            const Vector16* of_slot = tables + STRIP_TABLE + (strip * 4 + word * 2 + high) % N3 * OF_STRIP + lane;
            Dft second = MERGED_SLOTS ? load_dft(of_slot + (INVERSE ? BOTH_WAYS / 2 : 0)) : SHIFTED ? load_dft(tables + SLOTS_TABLE + lane) : f;
            Tile rows = transform_to_rows<INVERSE>(b, INVERSE ? second : f);
#pragma unroll
            for (int row = 0; row < 2; row++) rows.multiply_row<INVERSE>(row, first[row]);
            slots[high] = transform_to_rows<INVERSE>(rows.rounded(), INVERSE ? f : second);
#pragma unroll
            for (int row = 0; row < 2; row++)
                if (!MERGED_SLOTS && !INVERSE && !is_first(word * 2 + high)) slots[high].multiply_row<false>(row, of_slot[row * 32]);
        }
#pragma unroll
        for (int i = 0; i < 8; i++) {
            Complex a = slots[0].at(i % 2, i / 2), b = slots[1].at(i % 2, i / 2);
            out[0][i / 2][i % 2].word[word] = cvt_rn_x2<ELEMENT>(a.re, b.re);
            out[1][i / 2][i % 2].word[word] = cvt_rn_x2<ELEMENT>(a.im, b.im);
        }
        // All lanes have read what will be overwritten; and two slots at a time are as many as registers hold.
        __syncwarp();
    }
#pragma unroll
    for (int i = 0; i < 16; i++) {
        u32 c = order(column(i / 2 % 4)), row = order(i % 2 * 8);
        unit_at(planes + i / 8 * PLANE, here ^ (INVERSE ? place(row, c, 0) : place(c, row, 0))) = out[i / 8][i / 2 % 4][i % 2];
    }
}

// Stage 3.

// Which unit holds column c of a row, but for the lane's part.
DEVICE constexpr u32 unit_of(u32 c) { return RADIX == 1 ? 0 : RADIX == 2 ? c / 2 * 4 : column(c); }

// The RADIX numbers of column c, of which unit (u0, u1) for an even and an odd c hold the halves: as they lie in words. `same` selects a word
// as it is, which the compiler does not know: it would copy words to where each product wants its four, 51 times for the 16 of two rows.
DEVICE void read_row(const u8* plane, u32 from, int row, Operand (&a)[RADIX], u32 (Operand::*part)[4], u32 same) {
#pragma unroll
    for (int c = 0; c < 4; c += 2) {
        Unit even = unit_at(const_cast<u8*>(plane), from ^ place(0, row * 8, unit_of(c)));
        if (RADIX == 1) (a[0].*part)[row] = __byte_perm(even.word[0], 0, same), (a[0].*part)[2 + row] = __byte_perm(even.word[1], 0, same);
        if (RADIX == 1) return;
        Unit odd = RADIX == 2 ? Unit{even.word[1], 0} : unit_at(const_cast<u8*>(plane), from ^ place(0, row * 8, unit_of(c + 1)));
#pragma unroll
        for (int p = 0; p < RADIX; p++) (a[p].*part)[c + row] = join(even.word[p / 2], odd.word[p / 2], p % 2);
    }
}

// The reverse, from results.
DEVICE void write_row(u8* plane, u32 to, int row, const Tile (&d)[RADIX], float (Tile::*part)[2][4]) {
    auto at = [&](int p, int c) { return (d[p].*part)[c / 2][2 * row + c % 2]; };
    if (RADIX == 1) {
        unit_at(plane, to ^ place(0, row * 8, 0)) = {cvt_rn_x2<ELEMENT>(at(0, 0), at(0, 1)), cvt_rn_x2<ELEMENT>(at(0, 2), at(0, 3))};
    } else if (RADIX == 2) {
#pragma unroll
        for (int c = 0; c < 4; c += 2)
            unit_at(plane, to ^ place(0, row * 8, unit_of(c))) = {cvt_rn_x2<ELEMENT>(at(0, c), at(RADIX - 1, c)), cvt_rn_x2<ELEMENT>(at(0, c + 1), at(RADIX - 1, c + 1))};
    } else {
#pragma unroll
        for (int c = 0; c < 4; c++)
            unit_at(plane, to ^ place(0, row * 8, unit_of(c))) = {cvt_rn_x2<ELEMENT>(at(0, c), at(RADIX / 2 - 1, c)), cvt_rn_x2<ELEMENT>(at(RADIX / 2, c), at(RADIX - 1, c))};
    }
}

// One pass of a DFT of RADIX across tiles: sums and differences of those `half` apart.
template <bool INVERSE> DEVICE void butterfly(Tile (&d)[RADIX], int half) {
#pragma unroll
    for (int p = 0; p < RADIX; p++) {
        if (p & half) continue;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            Complex a = d[p].at(i / 4, i % 4), b = d[p + half].at(i / 4, i % 4);
            Complex difference{a.re - b.re, a.im - b.im};
            // The quarter turn between the two passes of a DFT of four.
            bool turn = RADIX == 4 && (INVERSE ? half == 1 && p == 2 : half == 2 && p == 1);
            d[p].set(i / 4, i % 4, {a.re + b.re, a.im + b.im});
            d[p + half].set(i / 4, i % 4, !turn ? difference : INVERSE ? Complex{-difference.im, difference.re} : Complex{difference.im, -difference.re});
        }
    }
}

// Rows that a warp works on at once: with few tiles a row, one would wait for its own results.
constexpr int ROWS = RADIX == 1 ? 2 : 1;

// What rows of stage 3 are multiplied by, as one lane sees it: the matrix of all of them, and where its parts of those by tile and of the rows'
// own tables are.
struct Matrices {
    Dft f;
    const Vector16 *of_tiles, *of_rows;

    DEVICE Matrices(const Dft& f, const Vector16* tables, const Vector16* of_rows, u32 lane)
        : f(f), of_tiles(tables + THIRD_TABLE + lane), of_rows(of_rows + (MERGED_SLOTS ? lane : seen_by(lane))) {}

    // That of tile i of so many rows, or its inverse.
    template <bool INVERSE> DEVICE Dft third(int i) const {
        constexpr int WAY = INVERSE ? BOTH_WAYS / 2 : 0;
        if (MERGED_SLOTS) return load_dft(of_rows + i * OF_ROW + WAY);
        return MERGED_TILES ? load_dft(of_tiles + i % RADIX * BOTH_WAYS + WAY) : f;
    }
};

// Stage 3 for all k2 of ROWS k1 from a multiple of it on; `here` is the lane's place in the first of them.
DEVICE void transform_rows(const u8* planes, u32 here, const Matrices& matrices, Tile (&d)[ROWS][RADIX]) {
    Operand a[ROWS][RADIX];
    u32 same = forgotten(0x3210);
#pragma unroll
    for (int i = 0; i < 2 * ROWS; i++) {
        read_row(planes, here ^ place(i / 2, 0, 0), i % 2, a[i / 2], &Operand::re, same);
        read_row(planes + PLANE, here ^ place(i / 2, 0, 0), i % 2, a[i / 2], &Operand::im, same);
    }
#pragma unroll
    for (int i = 0; i < ROWS * RADIX; i++) d[i / RADIX][i % RADIX] = transform_columns<false>(a[i / RADIX][i % RADIX], matrices.third<false>(i));
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int half = RADIX / 2; half > 0; half /= 2) butterfly<false>(d[i], half);
}

DEVICE u32 place_of_rows(u32 k1, u32 lane) { return place(k1, lane / 4, lane % 4 * (RADIX == 4 ? 2 : 1)); }

// What stage 3 left times the spectrum, or its conjugate.
template <bool CONJUGATE> DEVICE void filter_rows(Tile (&d)[ROWS][RADIX], const Vector16 (&bins)[ROWS * RADIX * 2]) {
#pragma unroll
    for (int i = 0; i < ROWS * RADIX * 2; i++) d[i / 2 / RADIX][i / 2 % RADIX].multiply_row<CONJUGATE>(i % 2, bins[i]);
}

// The inverse of stage 3 times the conjugate factors of stage 2, to where the rows came from.
DEVICE void return_rows(u8* planes, u32 here, const Matrices& matrices, Tile (&d)[ROWS][RADIX]) {
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int half = 1; half < RADIX; half *= 2) butterfly<true>(d[i], half);
#pragma unroll
    for (int i = 0; i < ROWS * RADIX; i++) {
        Tile& tile = d[i / RADIX][i % RADIX];
        tile = transform_columns<true>(tile.rounded(), matrices.third<true>(i));
        for (int row = 0; row < 2; row++)
            if (!MERGED_SLOTS) tile.multiply_slots<true>(row, matrices.of_rows[(2 * i + row) * ROW_STEP]);
    }
#pragma unroll
    for (int i = 0; i < 2 * ROWS; i++) {
        write_row(planes, here ^ place(i / 2, 0, 0), i % 2, d[i / 2], &Tile::re);
        write_row(planes + PLANE, here ^ place(i / 2, 0, 0), i % 2, d[i / 2], &Tile::im);
    }
}

// Past L1, which hardly holds the tables, where a lone block of a multiprocessor reads each bin once.
DEVICE void load_bins(Vector16 (&own)[ROWS * RADIX * 2], const Vector16* bins) {
    constexpr bool PAST_L1 = RESIDUES == 2 && !SHIFTED;
#pragma unroll
    for (int i = 0; i < ROWS * RADIX * 2; i++) own[i] = PAST_L1 ? ld_global_sector(bins + i * ROW_STEP) : bins[i * ROW_STEP];
}

// Stage 3, the product with the spectrum, and the way back: in place, for ROWS k1. `bins`, `scales` and `of_rows` are the rows' own of their
// tables.
DEVICE void convolve_rows(u8* planes, u32 k1, const Dft& f, const Vector16* bins, const float* scales, const Vector16* of_rows, const Vector16* tables) {
    u32 lane = own_lane(), here = place_of_rows(k1, lane);
    Vector16 own_bins[ROWS * RADIX * 2];                 // asked for first, as they come from afar
    load_bins(own_bins, bins + seen_by(lane));
    Matrices matrices(f, tables, of_rows, lane);
    float own_scales[ROWS];
    for (int i = 0; i < ROWS; i++) own_scales[i] = SCALED_ROWS ? scales[i] : 1;
    Tile d[ROWS][RADIX];
    transform_rows(planes, here, matrices, d);
    filter_rows<false>(d, own_bins);
    for (int i = 0; i < ROWS * RADIX; i++)
        if (SCALED_ROWS) d[i / RADIX][i % RADIX].multiply(own_scales[i / RADIX]);
    return_rows(planes, here, matrices, d);
}

// A residue's tables among those of all.
DEVICE const Vector16* of_residue(const Vector16* tables, u32 residue) { return SHIFTED ? tables + residue * OF_RESIDUE : tables; }

// Stages 1 and 2 of so many sets of two planes, or their inverses times a scale. Matrices of slots are the same for all residues, and the
// first one's are read.
template <bool INVERSE, int SETS> DEVICE void transform_strips(u8* planes, const Vector16* tables, float scale, u32 residue = 0) {
    const Vector16* own = of_residue(tables, residue);
    constexpr bool BACK = INVERSE && SHIFTED;
    Dft f = load_dft(own + (BACK ? BACK_TABLE : DFT_TABLE) + own_lane());
    Complex first[2][4];
#pragma unroll
    for (int row = 0; row < 2; row++) {
        Vector16 pairs = own[(BACK ? BACK_TABLE + 64 : FIRST_TABLE) + row * 32 + own_lane()];
        for (int c = 0; c < 4; c++) {
            Complex w = halves(pairs.word[c]);
            first[row][c] = {w.re * scale, w.im * scale};
        }
    }
#pragma unroll 1
    for (u32 strip = forgotten(threadIdx.x) / 32; strip < SETS * UNITS; strip += THREADS / 32)
        transform_strip<INVERSE>(planes + strip / UNITS * 2 * PLANE, strip % UNITS, f, first, MERGED_SLOTS ? tables : own);
}
