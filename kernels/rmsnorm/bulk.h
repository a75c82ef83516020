// A ring of tiles of GROUPS whole rows in shared memory, filled and emptied by the copy engine, for
// sm90_bulk_backward.cu. A tile of each of STREAMS tensors is under way for every stage, without a register held for it.
// Knows no formula. Macros: those of row.h (ALIGNED is 1: hidden is a multiple of 8), and STAGES (4).
#pragma once
#include "rmsnorm/row.h"

#ifndef STAGES
#define STAGES 4
#endif

template <int STREAMS> struct Tiles {
    const ELEMENT* source[STREAMS];
    unsigned char* memory;
    u32 full;                                            // the first of STAGES barriers
    int rows, hidden;

    DEVICE int count() const { return ceil_div(rows, GROUPS); }
    // Elements before a tile, and its bytes: the last one may be short.
    DEVICE long long first(int tile) const { return (long long)tile * GROUPS * hidden; }
    DEVICE u32 bytes(int tile) const { return min_int(rows - tile * GROUPS, GROUPS) * hidden * sizeof(ELEMENT); }
    DEVICE unsigned char* slot(u32 stage, int stream) const { return memory + (stage * STREAMS + stream) * (GROUPS * hidden * sizeof(ELEMENT)); }
    // This thread's row within a slot.
    DEVICE ELEMENT* row(u32 stage, int stream) const { return reinterpret_cast<ELEMENT*>(slot(stage, stream)) + group_index() * hidden; }

    DEVICE void fetch(u32 stage, int tile) const {
        if (tile >= count()) return;
        mbarrier_arrive_expect_tx(full + 8 * stage, STREAMS * bytes(tile));
#pragma unroll
        for (int i = 0; i < STREAMS; i++) cp_async_bulk(cvta_shared(slot(stage, i)), source[i] + first(tile), bytes(tile), full + 8 * stage);
    }
    DEVICE void start() const {
        if (threadIdx.x == 0) {
            for (int i = 0; i < STAGES; i++) mbarrier_init(full + 8 * i, 1);
            fence_mbarrier_init();
            for (int i = 0; i < STAGES; i++) fetch(i, blockIdx.x + i * gridDim.x);
        }
        __syncthreads();
    }
    // Stores a stream's slot, which every thread has written.
    DEVICE void store(u32 stage, int stream, ELEMENT* to, int tile) const {
        cp_async_bulk_store(to + first(tile), cvta_shared(slot(stage, stream)), bytes(tile));
        cp_async_bulk_commit_group();
    }
    // Fills the stage before `stage` again, once its stores have read it.
    DEVICE void refill(u32 stage, int tile) const {
        if (threadIdx.x || tile == blockIdx.x) return;
        cp_async_bulk_wait_group_read<0>();
        fetch(stage ? stage - 1 : STAGES - 1, tile + (STAGES - 1) * gridDim.x);
    }
};

DEVICE Vector16& vector_at(ELEMENT* row, int i) { return *reinterpret_cast<Vector16*>(row + column_of(i)); }
