// A list of work made of blocks of queries that see any number of ranges of keys each. A block's ranges follow one another in whole stages, so
// that each has one stage with a mask, its last, and no query of a tile sees other keys than its neighbours.
// Knows no product and no pipeline.
#pragma once
#include "block_sparse_attention/sm90_feeder.h"

// Keys [key, key + keys), the segment's from its stage `stage` on.
struct Span { u16 key, keys, stage, unused; };

struct Spans {
    static constexpr int MOST = 1023;
    Span at[MOST];
};

// Queries [row, row + rows) see the keys of `spans` spans from `span` on, in their order: at least one, which is empty where nothing is
// seen. A head has `tile` tiles of the segments before it.
struct RangeSegment { u16 row, rows, span, spans, tile, unused; };

struct RangeSegments {
    static constexpr int MOST = 127;
    RangeSegment at[MOST];
    u32 count;
};

// The last of `count` from `first` on for which `holds`, which it does for a run of them that begins with the first.
template <class Holds> DEVICE int last_where(int first, int count, Holds holds) {
    while (count > 1) {
        int half = count / 2;
        bool above = holds(first + half);
        first += above ? half : 0;
        count = above ? count - half : half;
    }
    return first;
}

struct RangeList {
    struct Seen {};                                      // every row of a tile sees the same

    const TensorMap &k_map, &v_map;
    const Spans& spans;
    const RangeSegments& segments;
    int heads, tiles;

    DEVICE Span span_at(int segment, int stage) const {
        RangeSegment of = segments.at[segment];
        return spans.at[last_where(of.span, of.spans, [&](int i) { return spans.at[i].stage <= stage; })];
    }

    struct Keys {
        const RangeList& list;
        int segment, head;

        DEVICE KeyPlace at(int stage) const {
            Span span = list.span_at(segment, stage);
            return {list.k_map, list.v_map, span.key + (stage - span.stage) * TILE_N, head};
        }
    };

    // All heads of a segment before the next one, and tiles of a head side by side, since they share keys.
    DEVICE Place at(int index) const {
        int i = last_where(0, segments.count, [&](int i) { return segments.at[i].tile * heads <= index; });
        RangeSegment segment = segments.at[i];
        int in_head = ceil_div(segment.rows, TILE_M), rest = index - segment.tile * heads;
        Span last = spans.at[segment.span + segment.spans - 1];
        int stages = last.stage + ceil_div(last.keys, TILE_N);
        return {rest / in_head, segment.row + rest % in_head * TILE_M, i, stages > 0 ? stages : 1};
    }

    DEVICE Keys keys(Place place) const { return {*this, place.segment, place.head}; }

    DEVICE int end(Place place) const { return segments.at[place.segment].row + segments.at[place.segment].rows; }

    DEVICE Seen seen(Place, int) const { return {}; }

    // Keys of a stage's range from its first on.
    DEVICE int left(Place place, int stage) const {
        Span span = span_at(place.segment, stage);
        return span.keys - (stage - span.stage) * TILE_N;
    }

    DEVICE bool is_short(Place) const { return false; }

    DEVICE bool hides(Seen, Place place, int stage, int keys) const { return __any_sync(~0u, left(place, stage) < keys); }

    // Masks what lies beyond the last key of a range.
    template <int N> DEVICE void hide(float (&s)[N], Seen, Place place, int stage, int column) const {
        int end = left(place, stage) - column;
        mask(s, {end, end});
    }
};
