// The work list of the backward pass: segments of keys, and which tiles of queries each meets. Queries are tiled by the bands of bands.h.
// Without SPANS, a segment meets neighbouring tiles of one band, and each of its keys is seen by one range of queries in them. With SPANS it
// meets runs of tiles anywhere, and either all queries in them see all of its keys, or nobody does.
// Knows no product. Macros (default): SPANS (0; 1), and those of attention/sm90_backward.h, which includes come first.
#pragma once

#ifndef SPANS
#define SPANS 0
#endif

template <class T> struct List {
    static constexpr int MOST = SPANS ? 127 : 15;
    T at[MOST];
    u32 count, unused;
};

// Keys [key, key + keys); `tiles` of queries, of which the first begins at `queries`, or whose first run `queries` is.
struct Segment { u16 key, keys, queries, tiles; };
using Segments = List<Segment>;

// Keys [key, key + keys) are seen by queries [row, end), where a band's last query counts as followed by more of the same.
struct SeenKeys { u16 key, keys, row, end; };

// A tile of queries: its first one, and its number among those of a head.
struct QueryPlace { int row, tile; };

// Which queries a key sees, counted in all: [first, end) as one word. Nobody sees a key that is none.
constexpr u32 UNSEEN = 0xffff;

// A tile's column holds its segment and its place in that.
DEVICE int segment_of(TilePlace at) { return at.column >> 16; }
DEVICE int first_key(const Segments& segments, TilePlace at) { return segments.at[segment_of(at)].key + (at.column & 0xffff) * KEYS; }

#if SPANS

// A segment's tiles from number `before` on: their queries stand one after the other from `row` on, they are numbered from `tile` on. `end`
// is 0xffff, or 0 where nobody sees the segment.
struct QueryRun { u16 row, tile, before, end; };

struct QueryTiles {
    static constexpr int MOST = 1023;
    QueryRun at[MOST];                                   // the last one is none
    u32 of_a_head;                                       // how many tiles
};

struct SeenRanges { u32 unused; };

DEVICE u32 seen_by(const Segment& segment, const QueryTiles& query_tiles, const SeenRanges&, int) {
    return u32(query_tiles.at[segment.queries].end) << 16;
}

DEVICE QueryPlace queries_at(const Segments& segments, const QueryTiles& query_tiles, int segment, int index) {
    int next = segments.at[segment].queries + 1;
    // The run after a segment's last one is another segment's first, before which there are none.
    while (query_tiles.at[next].before > 0 && query_tiles.at[next].before <= index) next++;
    QueryRun run = query_tiles.at[next - 1];
    return {run.row + (index - run.before) * QUERIES, run.tile + index - run.before};
}

// How many of a tile's tiles of queries, from the first on, have anything to hide: all of them where a segment ends within the tile.
DEVICE int masked_tiles(const Segments& segments, const QueryTiles& query_tiles, TilePlace at) {
    Segment segment = segments.at[segment_of(at)];
    bool whole = ((at.column & 0xffff) + 1) * KEYS <= segment.keys && query_tiles.at[segment.queries].end > 0;
    return whole ? 0 : segment.tiles;
}

#else

using SeenRanges = List<SeenKeys>;

struct QueryTiles {
    struct { u16 first, masked; } at[Segments::MOST];    // the number of a segment's first tile; how many of its tiles, from that one on,
                                                         // have a query that does not see all of its keys
    u32 of_a_head;                                       // how many tiles
};

DEVICE u32 seen_by(const Segment&, const QueryTiles&, const SeenRanges& ranges, int key) {
    u32 found = UNSEEN;
    for (int i = 0; i < ranges.count; i++)
        if (key >= ranges.at[i].key) found = ranges.at[i].row | u32(ranges.at[i].end) << 16;
    return found;
}

DEVICE QueryPlace queries_at(const Segments& segments, const QueryTiles& query_tiles, int segment, int index) {
    return {segments.at[segment].queries + index * QUERIES, query_tiles.at[segment].first + index};
}

// How many of a tile's tiles of queries, from the first on, have anything to hide: all of them where a segment ends within the tile.
DEVICE int masked_tiles(const Segments& segments, const QueryTiles& query_tiles, TilePlace at) {
    Segment segment = segments.at[segment_of(at)];
    return ((at.column & 0xffff) + 1) * KEYS > segment.keys ? segment.tiles : query_tiles.at[segment_of(at)].masked;
}

#endif
