// Queries and O of (B, H, L, d), as the feeder fetches and the consumers store them. Knows no list of work.
#pragma once
#include "block_sparse_attention/sm90_consumer.h"

// Rows of a head that stand one after the other.
struct HeadQueries {
    const TensorMap& map;

    DEVICE void fetch(u32 to, u32 full, int row, int head) const {
        for (int panel = 0; panel < PANELS; panel++) cp_async_bulk_tensor_3d(to + panel * Q_PANEL, map, full, panel * 64, row, head);
    }
};

struct HeadOutput {
    static constexpr bool LEAVES_ONCE = false;

    ELEMENT* o;
    float* lse;
    int rows, width;

    DEVICE long long row(Place place) const { return (long long)place.head * rows + place.row; }

    template <class Consumer> DEVICE void leave(const Consumer& consumer, float (&o)[OUTPUTS], const Rows& rows, Place done, int end) const {
        store_rows(consumer, *this, o, rows, done, end);
    }
};
