// Queries and O of (B, H, L, d), as the feeder fetches and the consumers store them. Knows no list of work.
#pragma once
#include "block_sparse_attention/sm90_consumer.h"

// Asks for the maps before the feeder does, which waits for barriers first; by a thread that makes none.
DEVICE void prefetch_maps(const TensorMap& q_map, const TensorMap& k_map, const TensorMap& v_map) {
    if (threadIdx.x != 32) return;
    prefetch_tensormap(k_map);
    prefetch_tensormap(q_map);
    prefetch_tensormap(v_map);
}

// Rows of a head that stand one after the other.
struct HeadQueries {
    const TensorMap& map;

    DEVICE void fetch(u32 to, u32 full, int row, int head) const {
        for (int panel = 0; panel < PANELS; panel++) cp_async_bulk_tensor_3d(to + panel * Q_PANEL, map, full, panel * 64, row, head);
    }
};

struct HeadOutput {
    ELEMENT* o;
    float* lse;
    int rows, width;

    DEVICE long long row(Place place) const { return (long long)place.head * rows + place.row; }

    template <class Consumer> DEVICE void leave(const Consumer& consumer, float (&o)[OUTPUTS], const Rows& rows, Place done, int end) const {
        store_rows(consumer, *this, o, rows, done, end);
    }
};
