// How rmsnorm's kernels hold a row: WARPS warps a row, VECTORS vectors of 16 bytes a lane, and the row sums over these warps.
// Shared by the forward and backward kernels; knows no formula. A block has GROUPS groups of WARPS warps, each with a row of its own.
// Macros (default): ELEMENT (Bf16; Fp16), WARPS (4), VECTORS (4), with 8 WARP_THREADS WARPS VECTORS >= hidden, GROUPS (1), ALIGNED (1: hidden is
// a multiple of 8 and all bases of 16 bytes; 0: any), BLOCKS (1: how many blocks a multiprocessor must find registers for; left to itself,
// the compiler spills for more blocks than shared memory holds or than pay).
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

// Column of element j of the eight of this thread's vector i. Where rows are not aligned each element is moved by itself, and neighbours in
// a warp move neighbours in memory.
DEVICE int column_of(int i, int j = 0) {
    return ALIGNED ? (i * GROUP_THREADS + group_thread()) * 8 + j : (i * 8 + j) * GROUP_THREADS + group_thread();
}

// This thread's vector i of a row; what lies past `hidden` is 0. STREAM: nobody reads it again.
template <bool STREAM> DEVICE Vector16 load_vector(const ELEMENT* row, int i, int hidden) {
    Vector16 v = {};
    if (ALIGNED) {
        int column = column_of(i);
        if (column < hidden) v = STREAM ? ld_global_nc(row + column) : *reinterpret_cast<const Vector16*>(row + column);
    } else
#pragma unroll
        for (int j = 0; j < 8; j++)
            if (column_of(i, j) < hidden) v.word[j / 2] |= u32(row[column_of(i, j)].bits) << (j % 2 * 16);
    return v;
}

// This thread's part of a row, as it stands in memory.
struct Row {
    Vector16 vector[VECTORS];

    DEVICE void load(const ELEMENT* row, int hidden) {
#pragma unroll
        for (int i = 0; i < VECTORS; i++) vector[i] = load_vector<true>(row, i, hidden);
    }
};

DEVICE void store_vector(ELEMENT* row, int i, const float (&x)[8], int hidden) {
    if (ALIGNED) {
        int column = column_of(i);
        if (column < hidden) st_global_cs(row + column, pack<ELEMENT>(x));
    } else
#pragma unroll
        for (int j = 0; j < 8; j++)
            if (column_of(i, j) < hidden) cvt_rn(x[j], row[column_of(i, j)]);
}

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
DEVICE void store_partial(const float (&part)[VECTORS][8], float* block_sums, float* partial, int hidden) {
    partial += blockIdx.x * (long long)hidden;
    float* mine = GROUPS > 1 ? block_sums + group_index() * hidden : partial;
#pragma unroll
    for (int i = 0; i < VECTORS * 8; i++) {
        int column = column_of(i / 8, i % 8);
        if (column < hidden) mine[column] = part[i / 8][i % 8];
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
