// How a transform of N points is cut up and where its numbers lie: what the convolution and the tables it reads must agree on.
// Knows no tensor core and no thread but the lane's place in a warp's fragments.
//
// A transform of M points has three stages, n = (n1 16 + n2) N3 + n3 to k = k1 + 16 k2 + 256 k3 (T. Dao et al., FlashFFTConv, 2023):
//   over n1, times w_256^(n2 k1), over n2, times w_M^(n3 (k1 + 16 k2)), over n3, where w_m = exp(-2 pi i / m).
// Two real sequences are the real and the imaginary plane of one complex one: the filter is real, so that they never mix.
// A plane is (n1 or k1, n2 or k2, slot) in 16 bits, and every stage leaves its results where its operands lay.
// The slots are the n3 of one pair; below 16 of them, those of several pairs side by side. Beyond HELD points a sequence is cut into
// RESIDUES pieces of M: transforms over t of sum_i w_RESIDUES^(i j) u[t + i M], times w_N^(j t), have the bins k of residue j. Where they are
// SHIFTED, that last factor is in a residue's own tables: its transform is the same for k1 + j / RESIDUES in place of k1.
//
// Transforms of OUTER N points have one stage more around these, n = n0 N + r to k = k0 + OUTER k' (outer.cu). A real sequence's results
// of k0 and OUTER - k0 mirror each other, so that the PARTS from 0 to OUTER / 2 are all there is: complex sequences of N over r, or their
// residues.
//
// Of a filter that passes every FOLD-th of FOLD N frequencies, sequences of FOLD N elements are folded: X[FOLD k] is the transform of N
// points of sum_i u[t + i N], and results repeat after N. The other FOLD - 1 blocks k mod FOLD of the decomposition cost nothing.
//
// Macros (default): TRANSFORM (4096: N; 256 to 32768, powers of two), HELD (16384: points that a block transforms at once at most),
// SHIFTED (0; 1), OUTER (1; 16, 32, 64, 128), FOLD (1; 2, 4, 8, 16), ELEMENT (Bf16; Fp16).
#pragma once
#include "tile/tile.h"

#ifndef TRANSFORM
#define TRANSFORM 4096
#endif
#ifndef HELD
#define HELD 16384
#endif
#ifndef SHIFTED
#define SHIFTED 0
#endif
#ifndef OUTER
#define OUTER 1
#endif
#ifndef FOLD
#define FOLD 1
#endif
#ifndef ELEMENT
#define ELEMENT Bf16
#endif

constexpr int N = TRANSFORM, RESIDUES = N > HELD ? N / HELD : 1;
constexpr int M = N / RESIDUES;
constexpr int N3 = M / 256, SLOTS = N3 < 16 ? 16 : N3, PAIRS = SLOTS / N3;
constexpr int RADIX = SLOTS / 16;                        // of the third stage beyond the 16 that the tensor cores do
constexpr int POINTS = 256 * SLOTS;                      // of a residue of all pairs
constexpr int PLANE = 2 * POINTS;                        // bytes
constexpr int UNITS = SLOTS / 4;                         // of 8 bytes, four slots, in a row of a plane

// Entries of the DFT matrix of 16 are multiples of this over 4: in bf16 they then err by 1.9e-4 instead of 9.0e-4, in fp16 by
// 1.3e-5 instead of 7.8e-5. The quarter keeps a spectrum as large as its signal. Six stages of it are undone by the scale.
template <class T> constexpr float DFT_SCALE = 1.132805f;
template <> constexpr float DFT_SCALE<Fp16> = 1.86034f;

// The same of matrices with factors in them, in a quarter: in bf16 they err by 1.1e-3 and would by 1.6e-3.
template <class T> constexpr float MERGED_SCALE = 0.9962f;
template <> constexpr float MERGED_SCALE<Fp16> = 1;

// The same of the outer stage's matrix, about 1 over the root of its order: in bf16 entries of 128 points err by 9.2e-4, in fp16 by 1.1e-4.
template <class T> constexpr float OUTER_SCALE = OUTER == 16 ? 1.132805f / 4 : OUTER == 32 ? 1.624545f / 8 : OUTER == 64 ? 1.62451f / 16 : 1.62477f / 16;
template <> constexpr float OUTER_SCALE<Fp16> = OUTER == 16 ? 1.860345f / 8 : OUTER == 32 ? 1.11521f / 8 : OUTER == 64 ? 1.83695f / 16 : 1.973465f / 16;

// Where pairs stand side by side, lanes see the same numbers of a table by slots: that many of each four differ. A row of such a table has
// sixteen times as many vectors for each of RADIX tiles.
constexpr int QUARTERS = N3 < 8 ? 1 : N3 == 8 ? 2 : 4;
constexpr int ROW_VECTORS = RADIX * 16 * QUARTERS;

// Where units lie in a plane, and which number of a table is which word of it: as the matrix cores want it.
#if defined(__HIP__)
#include "fftconv/gfx942_fragments.h"
#else
#include "fftconv/sm80_fragments.h"
#endif

// Factors that stand in matrices have no products of their own; such matrices take the places of the factors' tables, each with its inverse
// behind it. MERGED_SLOTS: those behind stage 2, w_M^(16 n3 k2) by n3 in its matrices and w_M^(n3 k1) by k1 in those of stage 3.
// MERGED_TILES: those across tiles, w_N3^(k p) by p.
constexpr int BOTH_WAYS = 128, OF_STRIP = MERGED_SLOTS ? BOTH_WAYS : 64, OF_ROW = MERGED_SLOTS ? BOTH_WAYS : ROW_VECTORS;

// Tables of vectors of four words, one vector a lane: DFT matrices as operands, and twiddle factors as pairs of fp16, whose
// rounding adds nothing to that of bf16. What a warp reads together lies together.
constexpr int DFT_TABLE = 0;                             // re, im of stages 1 and 2
constexpr int SLOTS_TABLE = 64;                          // the same of stage 3, of several pairs a block each; of several tiles, of stage 2
constexpr int FIRST_TABLE = 128;                         // w_256^(n2 k1), rows (2) of four columns
constexpr int THIRD_TABLE = 192;                         // w_N3^(k p), p = 1 to RADIX - 1
constexpr int STRIP_TABLE = THIRD_TABLE + (MERGED_TILES ? RADIX : 1) * BOTH_WAYS;  // w_M^(n3 (k1 + 16 k2)) by n3, rows (2) of k2, lanes, for stage 2
constexpr int ROW_TABLE = STRIP_TABLE + N3 * OF_STRIP;   // the same by rows of a k1, for stage 3
constexpr int BACK_TABLE = ROW_TABLE + 16 * OF_ROW;      // of shifted ones, the first and third of these tables for the way back
constexpr int OF_RESIDUE = BACK_TABLE + (SHIFTED ? 128 : 0);
constexpr int PIECE_TABLE = OF_RESIDUE;                  // of others, w_N^(j t) by residues j from 1 on
constexpr int TABLES = SHIFTED ? RESIDUES * OF_RESIDUE : PIECE_TABLE + (RESIDUES - 1) * M / 4;

constexpr int SPECTRUM = RESIDUES * 16 * ROW_VECTORS;    // vectors of a head: by residues, rows of a k1

// Sums of products of a residue's bins: columns of a fragment that a lane keeps when side by side pairs are added up, and floats of all.
constexpr int KEPT = QUARTERS, SUMS = 16 * RADIX * KEPT * 128;

// Of an outer stage.
constexpr int PARTS = OUTER / 2 + 1, TILES = OUTER / 16, WHOLE = OUTER * N;
constexpr int MATRIX = TILES * TILES * 32;               // vectors of its matrix as left operands: by rows / 16, columns / 16, lanes

// Four consecutive slots of a plane.
struct alignas(8) Unit { u32 word[2]; };

struct alignas(8) Complex { float re, im; };

DEVICE Complex times(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
DEVICE Complex conj(Complex a) { return {a.re, -a.im}; }
DEVICE u32 pair(Complex z) { return cvt_rn_x2<Fp16>(z.re, z.im); }
DEVICE Complex halves(u32 word) { return {cvt_f32(Fp16{u16(word)}), cvt_f32(Fp16{u16(word >> 16)})}; }

// The bits of 1.
template <class T> constexpr u32 ONE = 0x3f80;
template <> constexpr u32 ONE<Fp16> = 0x3c00;

// Eight products, each rounded once.
DEVICE Vector16 gated(Vector16 v, Vector16 gate) {
#pragma unroll
    for (int i = 0; i < 4; i++) v.word[i] = mul_rn_x2<ELEMENT>(v.word[i], gate.word[i]);
    return v;
}

// Eight sums, each rounded once.
DEVICE Vector16 sum(Vector16 a, Vector16 b) {
    constexpr u32 ONES = ONE<ELEMENT> * 0x10001;
#pragma unroll
    for (int i = 0; i < 4; i++) a.word[i] = fma_rn_x2<ELEMENT>(a.word[i], ONES, b.word[i]);
    return a;
}

// Eight differences, each rounded once.
DEVICE Vector16 difference(Vector16 a, Vector16 b) {
    constexpr u32 MINUS_ONES = ONE<ELEMENT> * 0x10001 | 0x80008000;
#pragma unroll
    for (int i = 0; i < 4; i++) a.word[i] = fma_rn_x2<ELEMENT>(b.word[i], MINUS_ONES, a.word[i]);
    return a;
}

// exp(-2 pi i numerator / denominator), denominators being powers of two.
DEVICE Complex root(int numerator, int denominator) {
    Complex w;
    sincospif(-2.0f * float(numerator & (denominator - 1)) / float(denominator), &w.im, &w.re);
    return w;
}

// The bin of the third stage that word i of a row of a spectrum holds. The passes of a DFT across four tiles leave the middle two in each
// other's place.
DEVICE int across(int tile) { return RADIX == 4 ? tile / 2 + tile % 2 * 2 : tile; }
DEVICE int third_bin(int i) { return row_slot(i) % N3 + 16 * across(row_tile(i)); }

// The power of two that brings the largest part of a spectrum into [1, 2).
DEVICE int exponent_of(float largest) { return int(__float_as_uint(largest) >> 23) - 127; }
DEVICE float power_of_two(int exponent) { return __uint_as_float(u32(127 + exponent) << 23); }

// What undoes the scales of a convolution's six stages of matrices, its transforms being N-fold, and folded ones FOLD N-fold.
template <bool MERGED = MERGED_SLOTS> DEVICE float undone_stages() {
    constexpr float FIRST = DFT_SCALE<ELEMENT> / 4, OTHERS = MERGED ? MERGED_SCALE<ELEMENT> / 4 : FIRST;
    return 1 / (FIRST * FIRST * OTHERS * OTHERS * OTHERS * OTHERS * N * FOLD);
}
