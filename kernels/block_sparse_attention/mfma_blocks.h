// A list of work on AMD's matrix cores: which tile of which segment a block of threads takes, and what the rows of a wave see. The same for
// queries that see keys and for keys that are seen by queries. Knows no product.
#pragma once
#include "attention/mfma_rows.h"
#include "block_sparse_attention/block_list.h"

// Rows of a block of threads, and the segment that they belong to.
struct ListTile {
    int head, first, segment;
    Block whole;

    // All heads of a segment before the next one, and tiles of a head on one die, whose L2 then holds what they meet.
    DEVICE ListTile(const Segments& segments, int heads) {
        int index = blockIdx.x;
        for (segment = 0;; segment++) {
            whole = segments.at[segment];
            int tiles = ceil_div(whole.rows, BLOCK_ROWS);
            if (index < tiles * heads) {
                index = tile_by_chiplet(index, tiles * heads, CHIPLETS, tiles);
                head = index / tiles, first = whole.row + index % tiles * BLOCK_ROWS;
                return;
            }
            index -= tiles * heads;
        }
    }
    DEVICE int end() const { return whole.row + whole.rows; }
};

// What the lane's row sees, counted from the first that its segment does.
struct Range {
    int first, end;

    // Rows beyond the segment's last see what that one does, so that they ask for no mask of their own.
    DEVICE Range(const Blocks& blocks, const Segments& segments, const ListTile& tile, int row) {
        Block block = tile.whole;
        row = min_int(row, tile.end() - 1);
        for (int i = 0; segments.packed >> tile.segment & 1 && i < blocks.count; i++)
            if (row >= blocks.at[i].row) block = blocks.at[i];
        first = block.key - tile.whole.key, end = first + block.keys;
    }
    // Whether some row of the wave sees any of [from, to), and whether some does not see all of it.
    DEVICE bool any_sees(int from, int to) const { return __any_sync(~0u, first < to && end > from); }
    DEVICE bool any_misses(int from, int to) const { return __any_sync(~0u, first > from || end < to); }
};
