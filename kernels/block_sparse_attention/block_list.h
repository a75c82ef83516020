// Blocks of queries that see one range of keys each, and the work list made of them, as a host hands them over. Knows no tile.
#pragma once
#include "tile/tile.h"

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
