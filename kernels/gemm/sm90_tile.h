// The tile of sm90_wgmma.cu: its macros, what follows from them, and shared memory by address. Knows no product and no store.
#pragma once
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef OUTPUT
#define OUTPUT Bf16
#endif
#ifndef B_K_MAJOR
#define B_K_MAJOR 0
#endif
#ifndef TILE_M
#define TILE_M 128
#endif
#ifndef TILE_N
#define TILE_N 256
#endif
#ifndef BLOCKS
#define BLOCKS 1
#endif
#ifndef PINGPONG
#define PINGPONG 0
#endif
#ifndef DEFER
#define DEFER 0
#endif
#ifndef STAGES
#define STAGES 4
#endif
#ifndef CLUSTER
#define CLUSTER 2
#endif
#ifndef BAND
#define BAND 8
#endif
#ifndef C_TMA
#define C_TMA 1
#endif
#ifndef A_POLICY
#define A_POLICY EVICT_NORMAL
#endif
#ifndef B_POLICY
#define B_POLICY EVICT_NORMAL
#endif
#ifndef C_PANELS
#define C_PANELS 2
#endif
#ifndef SCALES
#define SCALES 0
#endif
#ifndef PROMOTE
#define PROMOTE 0
#endif
#ifndef GROUPS
#define GROUPS 1
#endif
#ifndef GLU
#define GLU 0
#endif

constexpr int CONSUMERS = PINGPONG ? 2 : TILE_M / (64 * BLOCKS);
constexpr int THREADS = 128 * (1 + CONSUMERS);
constexpr int SLICE = 128 / sizeof(ELEMENT);             // elements of K a stage holds
constexpr int STEPS = 4;                                 // wgmma instructions a slice: 32 bytes of K each
constexpr int A_BYTES = TILE_M * 128, B_BYTES = TILE_N * 128, STAGE_BYTES = A_BYTES + B_BYTES;
constexpr int PANEL_BYTES = 64 * 128;                    // 64 rows or k of 128 bytes
constexpr int SUMS = TILE_N / 2;                         // a thread's accumulators for 64 rows
constexpr int KEPT = GLU ? SUMS / 2 : SUMS;              // of these what is stored
constexpr int WIDTH = 2 * KEPT;                          // columns of C that a tile becomes
constexpr int PANELS = (WIDTH + 63) / 64;

static_assert(!PINGPONG || TILE_M == 64 * BLOCKS, "taking turns, a warpgroup owns the whole tile");
static_assert(!PROMOTE || (BLOCKS == 1 && !PINGPONG && TILE_N <= 128), "promotion holds two sets of sums");
static_assert(!DEFER || (BLOCKS == 1 && !PINGPONG && !PROMOTE && C_TMA && SCALES < 2), "a tile put off takes the registers of all else");
static_assert(!DEFER || (C_PANELS >= 2 && PANELS % C_PANELS == 0 && PANELS <= STAGES), "every tile put off begins with the first panel");
static_assert(!GLU || (B_K_MAJOR && CLUSTER == 1 && !DEFER && !PROMOTE), "columns and their gates come in two boxes, and are one by the end of a tile");

struct Shape { int m, n, k; };

// Shared memory by address: stages, then the warpgroups' panels of C, then full and empty barriers.
struct Shared {
    u32 base;
    DEVICE u32 a(u32 stage) const { return base + stage * STAGE_BYTES; }
    DEVICE u32 b(u32 stage) const { return base + stage * STAGE_BYTES + A_BYTES; }
    DEVICE u32 c(u32 consumer, u32 panel) const { return base + STAGES * STAGE_BYTES + (consumer * C_PANELS + panel) * PANEL_BYTES; }
    // A warpgroup's own 64 rows of A in a stage: room for a panel of C once they are multiplied and no slice follows.
    DEVICE u32 spent(u32 consumer, u32 block, u32 stage) const {
        return a(stage) + ((PINGPONG ? 0 : consumer * BLOCKS) + block) * PANEL_BYTES;
    }
    DEVICE u32 full(u32 stage) const { return base + STAGES * STAGE_BYTES + CONSUMERS * C_PANELS * PANEL_BYTES + 8 * stage; }
    DEVICE u32 empty(u32 stage) const { return full(stage) + 8 * STAGES; }
};
