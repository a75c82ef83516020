// The one thread that draws tiles from a list of work and keeps queries, keys and values coming. Knows no softmax, no product, and of
// the list only what it is asked for:
//   int tiles; at(index): the place of a tile; keys(place).at(stage): where that stage's keys and values lie.
// Shared memory, rings and most macros are those of attention/sm90_stream.h.
#pragma once
#include "attention/sm90_stream.h"

// A tile: its first query, the part of the list that it belongs to, and how many stages of keys it reads: at least one. No stages: no tile.
struct Place { int head, row, segment, stages; };

constexpr Place NOWHERE{0, 0, 0, 0};

// A stage's first key in the tensors that these maps are of.
struct KeyPlace { const TensorMap &k_map, &v_map; int key, head; };

// Asks for maps before anyone copies by them, who waits for barriers first; by a thread that makes none. Copies wait for theirs one by one.
template <class... Maps> DEVICE void prefetch_maps(const Maps&... maps) {
    if (threadIdx.x == 32) (prefetch_tensormap(maps), ...);
}

// By one thread, before all threads meet.
DEVICE void make_barriers(Shared shared) {
    for (int i = 0; i < TILES; i++) {
        mbarrier_init(shared.q_full(i), 1);
        mbarrier_init(shared.q_empty(i), 128);
    }
    for (int i = 0; i < STAGES; i++) {
        mbarrier_init(shared.k_full(i), 1);
        mbarrier_init(shared.k_empty(i), KEY_READERS);
        mbarrier_init(shared.v_full(i), 1);
        mbarrier_init(shared.v_empty(i), KEY_READERS);
    }
    fence_mbarrier_init();
}

// `Queries` has fetch(to, full, row, head): 64 of a head's queries from a row on, zeros beyond the last, in panels of Q_PANEL bytes.
template <class Work, class Queries> struct Feeder {
    Shared shared;
    Work work;
    Queries source;
    Ring<Q_STAGES> queries;
    Ring<STAGES> keys, values;

    // Tells a consumer which tile is next, and brings in its queries if there is one.
    DEVICE void pass(u32 consumer, Place place) const {
        u32 at = queries.stage * CONSUMERS + consumer, full = shared.q_full(at), to = shared.q(at), slot = shared.tile(at);
        mbarrier_try_wait_parity(shared.q_empty(at), queries.phase ^ 1);
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
    DEVICE void fetch_keys(KeyPlace from) {
        u32 stage = keys.stage;
        fetch(from.k_map, keys, shared.k(stage), shared.k_full(stage), shared.k_empty(stage), from.key, from.head);
    }
    DEVICE void fetch_values(KeyPlace from) {
        u32 stage = values.stage;
        fetch(from.v_map, values, shared.v(stage), shared.v_full(stage), shared.v_empty(stage), from.key, from.head);
    }

    // Keys go one stage ahead of values, as the consumers use them; a tile's stages go from the last to the first, so that the one whose
    // end is masked is the one that nothing has to be rescaled for.
    DEVICE void run() {
        int index = blockIdx.x;
        while (index < work.tiles) {
            Place place = work.at(index);
            auto from = work.keys(place);
            index = draw_tile(work.tiles);               // arrives while this tile is streamed
            fetch_keys(from.at(place.stages - 1));
            for (u32 consumer = 0; consumer < CONSUMERS; consumer++) pass(consumer, place);
            queries.advance();
#pragma unroll 1
            for (int stage = place.stages - 1; stage >= 0; stage--) {
                if (stage > 0) fetch_keys(from.at(stage - 1));
                fetch_values(from.at(stage));
            }
        }
        for (u32 consumer = 0; consumer < CONSUMERS; consumer++) pass(consumer, NOWHERE);
    }
};
