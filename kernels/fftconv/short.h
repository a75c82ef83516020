// How a transform of 256 to 8192 points is cut up where its first stage takes sequences from memory and its last one leaves them there, and
// where its numbers lie: what sm80_short.cu or sm90_resident.cu and arrange_short.cu agree on. Knows no thread but the lane's place in a
// warp's fragments.
//
// N = N1 16 16, n = n1 256 + n2 16 + n3 to k = k1 + N1 k2 + 16 N1 k3, stages over n1, n2 and n3. N1 is what varies, so that 256 consecutive
// elements, a row, are numbers of one n1; 16 rows, or N1, are those of PAIRS sequences, and a stage over n1 keeps these apart.
// Factors w_16N1^(n2 k1) and w_N^(n3 k1) stand in the matrices of stages 2 and 3, of which each k1 has its own; w_256^(n3 k2) is left.
//
// Macros (default): those of monarch.h, RESIDENT (0; 1: tables are for sm90_resident.cu).
#pragma once
#include "fftconv/monarch.h"

#ifndef RESIDENT
#define RESIDENT 0
#endif

constexpr int N1 = N / 256;
constexpr int HELD_ROWS = N1 < 16 ? 16 : N1, ROW_TILES = HELD_ROWS / 16, EIGHTS = HELD_ROWS / 8;

// Factors stand in matrices but where all of them are 1.
constexpr bool MERGED_ROWS = N1 > 1;

// Tables of vectors of four words, one vector a lane: matrices as operands, real parts and then imaginary ones, and factors as pairs of fp16.
// Of stage 1, by tiles of k1 and of n1; of its inverse, by tiles of n1, for real results and then for imaginary ones, by eights of k1;
// w_256^(n3 k2), rows (2) of four columns, once more backward where that differs; and by k1 of stages 2 and 3, and of the inverses of stages
// 3 and 2 where these are not the same ones, transposed by a load.
constexpr int MATRIX_VECTORS = 64;
constexpr int ROWS_MATRIX = 0;
constexpr int BOTH_PARTS = ROWS_MATRIX + ROW_TILES * ROW_TILES * MATRIX_VECTORS;
constexpr int FACTORS = BOTH_PARTS + ROW_TILES * EIGHTS * MATRIX_VECTORS;
constexpr int BIN_MATRICES = FACTORS + (RESIDENT ? 2 : 1) * 64;
constexpr int OF_BIN = (RESIDENT ? 2 : 4) * MATRIX_VECTORS;
constexpr int SHORT_TABLES = BIN_MATRICES + N1 * OF_BIN;

constexpr int BIN_VECTORS = 64;                          // of a spectrum: of one k1, rows (2) of lanes, four columns each

// Which n2 and n3 the slots of an operand have. A lane has numbers that its stage 1 leaves together as the halves of an operand: n2 that are 4
// apart, which are 64 elements; and where tables are resident, neighbouring n3.
DEVICE constexpr int second_slot(int slot) { return RESIDENT ? slot : slot % 4 + slot / 8 * 4 + slot / 4 % 2 * 8; }
DEVICE constexpr int last_slot(int slot) { return RESIDENT ? slot % 8 * 2 + slot / 8 : slot; }
