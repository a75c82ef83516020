// A list of work made of blocks of queries that see one range of keys each: what its tiles are, and which keys a query sees.
// Knows no product and no pipeline.
#pragma once
#include "block_sparse_attention/block_list.h"
#include "block_sparse_attention/sm90_feeder.h"

// The keys that a thread's two rows see, [first, end) counted from the tile's first key, the end in the upper half of a word: a tile keeps
// them where registers are scarce.
struct Seen {
    u32 range[2];
    DEVICE int first(int h) const { return range[h] & 0xffff; }
    DEVICE int end(int h) const { return range[h] >> 16; }
};

// Scores of keys outside [first, end) become -inf; both count from the thread's first column.
template <int N> DEVICE void mask_outside(float (&s)[N], const int (&first)[2], const int (&end)[2]) {
#pragma unroll
    for (int i = 0; i < N; i++) {
        int column = 8 * (i / 4) + i % 2, h = i / 2 % 2;
        if (column < first[h] || column >= end[h]) s[i] = -INFINITE;
    }
}

// Keys and values (d, L, B H), a segment's in order.
struct SegmentKeys {
    const TensorMap &k_map, &v_map;
    int first, head;

    DEVICE KeyPlace at(int stage) const { return {k_map, v_map, first + stage * TILE_N, head}; }
};

struct BlockList {
    using Seen = ::Seen;

    const TensorMap &k_map, &v_map;
    const Blocks& blocks;
    const Segments& segments;
    int heads, tiles;

    // All heads of a segment before the next one, and tiles of a head side by side, since they share keys.
    DEVICE Place at(int index) const {
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

    DEVICE SegmentKeys keys(Place place) const { return {k_map, v_map, segments.at[place.segment].key, place.head}; }

    DEVICE int end(Place place) const { return segments.at[place.segment].row + segments.at[place.segment].rows; }

    // Of `row` and the eighth after it. Rows beyond the segment's last see what that one does, so that they ask for no mask of their own.
    DEVICE Seen seen(Place place, int row) const {
        Seen seen;
        Block segment = segments.at[place.segment];
        int last = end(place) - 1;
        bool packed = segments.packed >> place.segment & 1;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            Block block = segment;
            for (int i = 0; packed && i < blocks.count; i++)
                if (min_int(row + 8 * h, last) >= blocks.at[i].row) block = blocks.at[i];
            u32 first = block.key - segment.key;
            seen.range[h] = first | (first + block.keys) << 16;
        }
        return seen;
    }

    DEVICE bool is_short(Place place) const { return __any_sync(~0u, (segments.at[place.segment].keys - 1) % TILE_N < TILE_N / 2); }

    DEVICE bool hides(const Seen& seen, Place, int stage, int keys) const {
        int first = stage * TILE_N, end = first + keys;
        bool whole = first >= seen.first(0) & first >= seen.first(1) & end <= seen.end(0) & end <= seen.end(1);
        return __any_sync(~0u, !whole);
    }

    // `column` is the thread's first.
    template <int N> DEVICE void hide(float (&s)[N], const Seen& seen, Place, int stage, int column) const {
        int first = stage * TILE_N + column;
        mask_outside(s, {seen.first(0) - first, seen.first(1) - first}, {seen.end(0) - first, seen.end(1) - first});
    }
};
