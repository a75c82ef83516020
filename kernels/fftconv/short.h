// How a transform of 256 to 4096 points is cut up where its first stage takes sequences from memory and its last one leaves them there, and
// where its numbers lie: what sm80_short.cu and arrange_short.cu agree on. Knows no thread but the lane's place in a warp's fragments.
//
// N = N1 16 16, n = n1 256 + n2 16 + n3 to k = k1 + N1 k2 + 16 N1 k3, stages over n1, n2 and n3. N1 is what varies, so that 256 consecutive
// elements, a row, are numbers of one n1; the 16 rows of a block are those of PAIRS sequences, and a stage over n1 keeps these apart.
// Factors w_16N1^(n2 k1) and w_N^(n3 k1) stand in the matrices of stages 2 and 3, of which each k1 has its own; w_256^(n3 k2) is left.
#pragma once
#include "fftconv/monarch.h"

constexpr int N1 = N / 256;
static_assert(N1 <= 16, "a block has sixteen rows");

// Tables of vectors of four words, one vector a lane: matrices as operands, real parts and then imaginary ones, and factors as pairs of fp16.
constexpr int MATRIX_VECTORS = 64;
constexpr int ROWS_MATRIX = 0;                           // of stage 1
constexpr int BOTH_PARTS = ROWS_MATRIX + MATRIX_VECTORS; // of its inverse, for real results and then for imaginary ones, by halves of k1
constexpr int FACTORS = BOTH_PARTS + 2 * MATRIX_VECTORS; // w_256^(n3 k2), rows (2) of four columns
constexpr int BIN_MATRICES = FACTORS + 64;               // by k1: of stage 2, of stage 3, and of the inverses of stages 3 and 2
constexpr int OF_BIN = 4 * MATRIX_VECTORS;
constexpr int SHORT_TABLES = BIN_MATRICES + N1 * OF_BIN;

constexpr int BIN_VECTORS = 64;                          // of a spectrum: of one k1, rows (2) of lanes, four columns each

// Which n2 a slot of stage 2's contraction has: a lane has those of two vectors of stage 1, 64 elements apart, as the halves of an operand.
DEVICE constexpr int second_slot(int slot) { return slot % 4 + slot / 8 * 4 + slot / 4 % 2 * 8; }
