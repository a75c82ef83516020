// The stream that Hopper's flash attention lives on: the tiles of a launch and their order, where a block keeps what in shared memory,
// and the one thread that draws tiles and keeps queries, keys and values coming. Knows no softmax and no product.
// Values of 8 bits come transposed, since wgmma multiplies them only where keys are contiguous.
// Macros (default): ELEMENT (Bf16; Fp16, E4m3), D (128; 64, 256; 128 alone for E4m3), TILE_N (128: keys a stage), CONSUMERS (2; 3:
//   warpgroups of 64 queries), STAGES (2: of keys, and of values), CAUSAL (0), STAGED_O (1: O leaves through shared memory; 0),
//   Q_STAGES (1: tiles whose queries have room; 2).
#pragma once
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef D
#define D 128
#endif
#ifndef TILE_N
#define TILE_N 128
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef STAGES
#define STAGES 2
#endif
#ifndef CAUSAL
#define CAUSAL 0
#endif
#ifndef STAGED_O
#define STAGED_O 1
#endif
#ifndef Q_STAGES
#define Q_STAGES 1
#endif

constexpr int TILE_M = 64 * CONSUMERS, THREADS = 128 * (1 + CONSUMERS);
constexpr bool TRANSPOSED_VALUES = sizeof(ELEMENT) == 1;
constexpr int PANEL_WIDTH = 128 / sizeof(ELEMENT);       // elements of a 128-byte row
constexpr int PANELS = D / PANEL_WIDTH;                  // 128-byte columns that a tile is laid out in
constexpr int O_PANELS = !STAGED_O ? 0 : D < 128 ? 1 : 2;    // of a warpgroup's O, 64 columns each, that leave at once
constexpr u32 Q_PANEL = 64 * 128, KV_PANEL = TILE_N * 128;
constexpr u32 Q_BYTES = PANELS * Q_PANEL, KV_BYTES = PANELS * KV_PANEL;    // a warpgroup's queries; a block of keys or values

static_assert(!TRANSPOSED_VALUES || (D == 128 && TILE_N == 128), "keys and transposed values are one panel each");
constexpr int TILES = CONSUMERS * Q_STAGES;              // places for a warpgroup's queries
constexpr int KEY_READERS = TRANSPOSED_VALUES ? CONSUMERS : 4 * CONSUMERS;    // who hands a stage of keys back: warpgroups, or their warps

static_assert(8 * (2 * TILES + 4 * STAGES) + 16 * TILES <= 256 * Q_STAGES, "barriers and tiles have 256 bytes");

struct Shape { int heads, group, n, nk, band; float scale; };

// Shared memory by address: queries, output, keys, values, barriers, tiles. What belongs to a warpgroup goes by its index.
struct Shared {
    u32 base;
    DEVICE u32 q(u32 consumer) const { return base + consumer * Q_BYTES; }
    DEVICE u32 o(u32 consumer) const { return q(TILES) + consumer * O_PANELS * Q_PANEL; }
    DEVICE u32 k(u32 stage) const { return o(CONSUMERS) + stage * KV_BYTES; }
    DEVICE u32 v(u32 stage) const { return k(STAGES + stage); }
    DEVICE u32 barrier(u32 i) const { return k(2 * STAGES) + 8 * i; }
    DEVICE u32 k_full(u32 stage) const { return barrier(stage); }
    DEVICE u32 k_empty(u32 stage) const { return barrier(STAGES + stage); }
    DEVICE u32 v_full(u32 stage) const { return barrier(2 * STAGES + stage); }
    DEVICE u32 v_empty(u32 stage) const { return barrier(3 * STAGES + stage); }
    DEVICE u32 q_full(u32 consumer) const { return barrier(4 * STAGES + consumer); }
    DEVICE u32 q_empty(u32 consumer) const { return q_full(TILES + consumer); }
    DEVICE u32 tile(u32 consumer) const { return q_full(2 * TILES) + 16 * consumer; }

    DEVICE void initialise() const {
        for (int i = 0; i < TILES; i++) {
            mbarrier_init(q_full(i), 1);
            mbarrier_init(q_empty(i), 128);
        }
        for (int i = 0; i < STAGES; i++) {
            mbarrier_init(k_full(i), 1);
            mbarrier_init(k_empty(i), KEY_READERS);
            mbarrier_init(v_full(i), 1);
            mbarrier_init(v_empty(i), CONSUMERS);
        }
        fence_mbarrier_init();
    }
};

// How many keys query `row` sees; they are the first ones.
DEVICE int visible_keys(Shape s, int row) { return CAUSAL ? min_int(s.nk, row + 1 + s.nk - s.n) : s.nk; }

// Tiles: within a band of heads, whose keys and values L2 can hold, the longest first.

// Its first query, and how many blocks of keys it reads: at least one, wholly masked where it sees none. No blocks: no tile.
struct Tile { int head, row, blocks; };

constexpr Tile NO_TILE{0, 0, 0};

// How many blocks of keys are read for a query, or for the last one if there is none so late.
DEVICE int blocks_seen(Shape s, int row) {
    int keys = visible_keys(s, min_int(row, s.n - 1));
    return keys > 0 ? (keys + TILE_N - 1) / TILE_N : 1;
}

DEVICE int tile_rows(Shape s) { return ceil_div(s.n, TILE_M); }

DEVICE Tile tile_at(Shape s, int index) {
    TilePlace place = tile_in_bands(index, s.heads, tile_rows(s), s.band);
    int row = (tile_rows(s) - 1 - place.column) * TILE_M;
    return {place.row, row, blocks_seen(s, row + TILE_M - 1)};
}

__device__ u32 tiles_drawn;

// The next tile of nobody yet. Each block draws until it gets none, so `tiles` draws a launch, the last of which wraps to 0.
DEVICE int draw_tile(int tiles) { return atomicInc(&tiles_drawn, tiles - 1) + gridDim.x; }

// Producer.

struct Producer {
    Shared shared;
    Shape shape;
    Ring<Q_STAGES> queries;
    Ring<STAGES> keys, values;

    // Tells a consumer which tile is next, and brings in its queries if there is one.
    DEVICE void pass_tile(const TensorMap& q_map, u32 consumer, Tile tile) const {
        u32 at = queries.stage * CONSUMERS + consumer, full = shared.q_full(at), to = shared.q(at), slot = shared.tile(at);
        mbarrier_try_wait_parity(shared.q_empty(at), queries.phase ^ 1);
        st_shared(slot, tile.head);
        st_shared(slot + 4, tile.row);
        st_shared(slot + 8, tile.blocks);
        mbarrier_arrive_expect_tx(full, tile.blocks ? Q_BYTES : 0);
        for (int panel = 0; panel < PANELS && tile.blocks; panel++)
            cp_async_bulk_tensor_3d(to + panel * Q_PANEL, q_map, full, panel * PANEL_WIDTH, tile.row + consumer * 64, tile.head);
    }

    template <bool TRANSPOSED>
    DEVICE void fetch_block(const TensorMap& map, Ring<STAGES>& ring, u32 to, u32 full, u32 empty, int block, int head) const {
        mbarrier_try_wait_parity(empty, ring.phase ^ 1);
        mbarrier_arrive_expect_tx(full, KV_BYTES);
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) {
            int column = panel * PANEL_WIDTH, row = block * TILE_N;
            cp_async_bulk_tensor_3d(to + panel * KV_PANEL, map, full, TRANSPOSED ? row : column, TRANSPOSED ? column : row, head);
        }
        ring.advance();
    }
    DEVICE void fetch_keys(const TensorMap& map, int block, int head) {
        u32 stage = keys.stage;
        fetch_block<false>(map, keys, shared.k(stage), shared.k_full(stage), shared.k_empty(stage), block, head);
    }
    DEVICE void fetch_values(const TensorMap& map, int block, int head) {
        u32 stage = values.stage;
        fetch_block<TRANSPOSED_VALUES>(map, values, shared.v(stage), shared.v_full(stage), shared.v_empty(stage), block, head);
    }

    // Keys go one block ahead of values, as the consumers use them; those of a tile's first block find room before its queries do.
    DEVICE void run(const TensorMap& q_map, const TensorMap& k_map, const TensorMap& v_map) {
        int tiles = tile_rows(shape) * shape.heads, index = blockIdx.x;
        while (index < tiles) {
            Tile tile = tile_at(shape, index);
            int head = tile.head / shape.group;
            index = draw_tile(tiles);                    // arrives while this tile is streamed
            fetch_keys(k_map, tile.blocks - 1, head);
            for (u32 consumer = 0; consumer < CONSUMERS; consumer++) pass_tile(q_map, consumer, tile);
            queries.advance();
#pragma unroll 1
            for (int block = tile.blocks - 1; block >= 0; block--) {
                if (block > 0) fetch_keys(k_map, block - 1, head);
                fetch_values(v_map, block, head);
            }
        }
        for (u32 consumer = 0; consumer < CONSUMERS; consumer++) pass_tile(q_map, consumer, NO_TILE);
    }
};
