// Queries in bands, ranges that are cut into tiles from their own first query on: what the three launches of the backward pass count
// statistics and sums of dQ by. Bands stand in the order of their queries, of which they hold all, and tiles in that of the bands.
#pragma once
#include "tile/tile.h"

struct Band { u16 row, rows; };

struct Bands {
    static constexpr int MOST = 127;
    Band at[MOST];
    u32 count;
};

// The first of a tile's queries, and how many there are of it.
struct QueryTile { int row, rows; };

// Tile `index` of `size` queries.
DEVICE QueryTile query_tile(const Bands& bands, int index, int size) {
    int band = 0;
    for (; index >= ceil_div(bands.at[band].rows, size); band++) index -= ceil_div(bands.at[band].rows, size);
    int row = bands.at[band].row + index * size, end = bands.at[band].row + bands.at[band].rows;
    return {row, min_int(size, end - row)};
}
