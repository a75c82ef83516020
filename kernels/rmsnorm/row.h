// How rmsnorm's kernels hold a row: WARPS warps a row, VECTORS vectors of 16 bytes a lane, and the row sums over these warps.
// Shared by the forward and backward kernels; knows no formula. A block of sm90_bulk_backward.cu has GROUPS groups of WARPS warps, each with
// a row of its own; elsewhere it has one.
// Macros (default): ELEMENT (Bf16; Fp16), WARPS (4), VECTORS (4), GROUPS (1), ALIGNED (1: hidden is a multiple of 8; 0: any), with
// 8 WARP_THREADS WARPS VECTORS >= hidden, and >= hidden + 7 where ALIGNED is 0; bases are of 16 bytes. BLOCKS (1: how many blocks a
// multiprocessor must find registers for; left to itself, the compiler spills for more blocks than shared memory holds or than pay).
#pragma once
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef WARPS
#define WARPS 4
#endif
#ifndef VECTORS
#define VECTORS 4
#endif
#ifndef GROUPS
#define GROUPS 1
#endif
#ifndef ALIGNED
#define ALIGNED 1
#endif
#ifndef BLOCKS
#define BLOCKS 1
#endif

constexpr int GROUP_THREADS = WARP_THREADS * WARPS;
constexpr int THREADS = GROUPS * GROUP_THREADS;

DEVICE int group_index() { return threadIdx.x / GROUP_THREADS; }
DEVICE int group_thread() { return threadIdx.x % GROUP_THREADS; }

// Elements of a row's first vector that belong to the row before it, if the row starts at element `start`: vectors are whole ones of
// memory, wherever a row starts.
DEVICE int shift_of(long long start) { return ALIGNED ? 0 : int(start % 8); }

// Whether a vector that this row ends in may reach past the last row.
DEVICE bool is_at_end(long long row, int rows, int hidden) { return (rows - 1 - row) * hidden < 8; }

// Column of the first element of this thread's vector i, of a row that starts `shift` elements into its first vector.
DEVICE int column_of(int i, int shift = 0) { return (i * GROUP_THREADS + group_thread()) * 8 - shift; }

// The eight elements of a row from `column` on; what lies outside is 0.
DEVICE Vector16 load_elements(const ELEMENT* row, int column, int hidden) {
    Vector16 v = {};
#pragma unroll
    for (int j = 0; j < 8; j++)
        if (u32(column + j) < u32(hidden)) v.word[j / 2] |= u32(row[column + j].bits) << (j % 2 * 16);
    return v;
}

// Of the weight, whose vectors are not the rows' unless these are aligned.
DEVICE Vector16 load_weight(const ELEMENT* weight, int column, int hidden) {
    if (!ALIGNED) return load_elements(weight, column, hidden);
    return column < hidden ? *reinterpret_cast<const Vector16*>(weight + column) : Vector16{};
}

DEVICE void store_vector(ELEMENT* row, int column, const float (&x)[8], int hidden) {
    if (column + 8 <= hidden && (ALIGNED || column >= 0)) *reinterpret_cast<Vector16*>(row + column) = pack<ELEMENT>(x);
    else if (!ALIGNED)
#pragma unroll
        for (int j = 0; j < 8; j++)
            if (u32(column + j) < u32(hidden)) cvt_rn(x[j], row[column + j]);
}

// This thread's part of a row, as it stands in memory.
struct Row {
    Vector16 vector[VECTORS];

    // By plain loads, as rows are stored by plain stores: with L1::no_allocate or L1::evict_first a H200 moves 3 to 6 % less. No branch
    // stands between them, which would wait for one before the next starts. `at_end`: what follows
    // the row may not be read.
    DEVICE void load(const ELEMENT* row, int hidden, int shift = 0, bool at_end = false) {
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            int column = column_of(i, shift);
            vector[i] = {};
            if (ALIGNED || !at_end ? column < hidden : column + 8 <= hidden) vector[i] = *reinterpret_cast<const Vector16*>(row + column);
        }
        if (!ALIGNED && at_end)
#pragma unroll
            for (int i = 0; i < VECTORS; i++)
                if (column_of(i, shift) + 8 > hidden) vector[i] = load_elements(row, column_of(i, shift), hidden);
    }
    // Makes 0 of what belongs to the rows around it.
    DEVICE void trim(int hidden, int shift) {
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            int column = column_of(i, shift);
            if (!ALIGNED && (column < 0 || column + 8 > hidden))
#pragma unroll
                for (int j = 0; j < 8; j++)
                    if (u32(column + j) >= u32(hidden)) vector[i].word[j / 2] &= j % 2 ? 0xffff : 0xffff0000;
        }
    }
};

struct alignas(8) SumPair { float x, y; };

// The group's sums of x and y, to every thread. `turn` alternates between rows, so that one barrier a row is enough; with several warps
// a row it is the block's, so that every group must pass here equally often.
DEVICE void group_sum(float& x, float& y, int turn) {
    x = warp_sum(x);
    y = warp_sum(y);
    if (WARPS == 1) return;
    __shared__ SumPair part[2][GROUPS][WARPS];
    SumPair* mine = part[turn & 1][group_index()];
    if (threadIdx.x % WARP_THREADS == 0) mine[group_thread() / WARP_THREADS] = {x, y};
    __syncthreads();
    x = y = 0;
#pragma unroll
    for (int i = 0; i < WARPS; i++) x += mine[i].x, y += mine[i].y;
}

// Adds the groups' parts of a row of f32, in the groups' order, and writes it to row blockIdx.x of `partial`.
// `block_sums` (GROUPS, hidden) is shared memory that nobody else uses any more; without a second group it is not touched.
DEVICE void store_partial(const float (&part)[VECTORS][8], float* block_sums, float* partial, int hidden, int shift = 0) {
    partial += blockIdx.x * (long long)hidden;
    float* mine = GROUPS > 1 ? block_sums + group_index() * hidden : partial;
#pragma unroll
    for (int i = 0; i < VECTORS * 8; i++) {
        int column = column_of(i / 8, shift) + i % 8;
        if (u32(column) < u32(hidden)) mine[column] = part[i / 8][i % 8];
    }
    if (GROUPS == 1) return;
    __syncthreads();
    for (int column = threadIdx.x; column < hidden; column += THREADS) {
        float sum = 0;
#pragma unroll
        for (int group = 0; group < GROUPS; group++) sum += block_sums[group * hidden + column];
        partial[column] = sum;
    }
}
