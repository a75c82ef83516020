// What a work list is of: blocks of queries that see one range of keys, the work list that was made of them on the host, and
// the one thread that draws tiles from it and keeps queries, keys and values coming. Knows no softmax and no product.
// Shared memory, rings and most macros are those of attention/sm90_stream.h.
#pragma once
#include "attention/sm90_stream.h"

// Queries [row, row + rows) and keys [key, key + keys).
struct Block { u16 row, rows, key, keys; };

// Blocks in the order of their queries, of which they hold all: each query sees the keys of its own.
struct Blocks {
    static constexpr int MOST = 15;
    Block at[MOST];
    u32 count, packed;                                   // of the work list only: bit i says that segment i is more than one block
};

// The work list is of the same form: a segment's queries are cut into tiles, each of which meets all keys of the segment. Most keys first.
using Segments = Blocks;

struct Problem { int heads, tiles; float scale; };

// Its first query, the segment that it belongs to, and how many stages of keys it reads: at least one. No stages: no tile.
struct Place { int head, row, segment, stages; };

constexpr Place NOWHERE{0, 0, 0, 0};

// Tile `index` of the list: all heads of a segment before the next one, and tiles of a head side by side, since they share keys.
DEVICE Place place_at(const Segments& segments, int heads, int index) {
    for (int i = 0; i < segments.count; i++) {
        Block segment = segments.at[i];
        int tiles = ceil_div(segment.rows, TILE_M);
        if (index < tiles * heads) {
            int stages = ceil_div(segment.keys, TILE_N);
            return {index / tiles, segment.row + index % tiles * TILE_M, i, stages > 0 ? stages : 1};
        }
        index -= tiles * heads;
    }
    return NOWHERE;
}

// By one thread, before all threads meet.
DEVICE void make_barriers(Shared shared) {
    for (int i = 0; i < CONSUMERS; i++) {
        mbarrier_init(shared.q_full(i), 1);
        mbarrier_init(shared.q_empty(i), 1);
    }
    for (int i = 0; i < STAGES; i++) {
        mbarrier_init(shared.k_full(i), 1);
        mbarrier_init(shared.k_empty(i), CONSUMERS);
        mbarrier_init(shared.v_full(i), 1);
        mbarrier_init(shared.v_empty(i), CONSUMERS);
    }
    fence_mbarrier_init();
}

// `Queries` has fetch(to, full, row, head): 64 of a head's queries from a row on, zeros beyond the last, in panels of Q_PANEL bytes.
template <class Queries> struct Feeder {
    Shared shared;
    Problem problem;
    const Segments& segments;
    Queries source;
    Ring<1> queries;
    Ring<STAGES> keys, values;

    // Tells a consumer which tile is next, and brings in its queries if there is one.
    DEVICE void pass(u32 consumer, Place place) const {
        u32 full = shared.q_full(consumer), to = shared.q(consumer), slot = shared.tile(consumer);
        mbarrier_try_wait_parity(shared.q_empty(consumer), queries.phase ^ 1);
        st_shared(slot, place.head);
        st_shared(slot + 4, place.row);
        st_shared(slot + 8, place.segment);
        st_shared(slot + 12, place.stages);
        mbarrier_arrive_expect_tx(full, place.stages ? Q_BYTES : 0);
        if (place.stages) source.fetch(to, full, place.row + consumer * 64, place.head);
    }

    // What lies beyond the segment's last key is other keys, or zeros beyond the tensor: neither is seen.
    DEVICE void fetch(const TensorMap& map, Ring<STAGES>& ring, u32 to, u32 full, u32 empty, int key, int head) const {
        mbarrier_try_wait_parity(empty, ring.phase ^ 1);
        mbarrier_arrive_expect_tx(full, KV_BYTES);
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) cp_async_bulk_tensor_3d(to + panel * KV_PANEL, map, full, panel * 64, key, head);
        ring.advance();
    }
    DEVICE void fetch_keys(const TensorMap& map, int key, int head) {
        u32 stage = keys.stage;
        fetch(map, keys, shared.k(stage), shared.k_full(stage), shared.k_empty(stage), key, head);
    }
    DEVICE void fetch_values(const TensorMap& map, int key, int head) {
        u32 stage = values.stage;
        fetch(map, values, shared.v(stage), shared.v_full(stage), shared.v_empty(stage), key, head);
    }

    // Keys go one stage ahead of values, as the consumers use them; a tile's stages go from the last to the first, so that the one whose
    // end is masked is the one that nothing has to be rescaled for.
    DEVICE void run(const TensorMap& k_map, const TensorMap& v_map) {
        int index = blockIdx.x;
        while (index < problem.tiles) {
            Place place = place_at(segments, problem.heads, index);
            int first = segments.at[place.segment].key;
            index = draw_tile(problem.tiles);            // arrives while this tile is streamed
            fetch_keys(k_map, first + (place.stages - 1) * TILE_N, place.head);
            for (u32 consumer = 0; consumer < CONSUMERS; consumer++) pass(consumer, place);
            queries.advance();
#pragma unroll 1
            for (int stage = place.stages - 1; stage >= 0; stage--) {
                if (stage > 0) fetch_keys(k_map, first + (stage - 1) * TILE_N, place.head);
                fetch_values(v_map, first + stage * TILE_N, place.head);
            }
        }
        for (u32 consumer = 0; consumer < CONSUMERS; consumer++) pass(consumer, NOWHERE);
    }
};
