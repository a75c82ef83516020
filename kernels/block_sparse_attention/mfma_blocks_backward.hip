// dQ, dK and dV of block-sparse attention on AMD's matrix cores: the formulas and the two kernels are those of attention/flash_mfma_backward.h,
// the first over a list of queries, the second over one of keys. Q, K, V, O, dO and the gradients (B, H, L, d), LSE (B, H, L) in f32, natural.
//
// Mapping: a block of eight waves takes a tile of 256 rows of a segment, those with most to meet first. A tile starts where its segment does, and
// what passes it where that of the segment does. Small blocks share a segment: a wave leaves out tiles that none of its rows sees, or is
// seen by, and hides the pairs of different blocks in the others. No sum is shared, so that the same bits come out every time.
//
// Work: 14 d flops a pair that is seen, of which 10 are the operation's; per tile as in attention.
//
// Launch. block (512), grid (B H sum ceil(rows of a segment / 256)), of queries, then of keys; no dynamic shared memory. d is a multiple of 8,
// at most HEAD_DIM.
// Arguments of the first: blocks; segments, the list of queries; Q, K, V, O, dO, LSE, statistics, dQ. Of the second: ranges, keys as rows of a
// block whose keys are the queries that see them; segments, the list of keys; Q, K, V, dO, statistics, dK, dV. Then of both B H, L, d, scale,
// scale log2(e) (f32). Statistics (B H, 2, L), f32: -LSE / scale and -delta of each query. Macros: those of attention/mfma_rows.h.
#include "attention/mfma_backward.h"
#include "block_sparse_attention/mfma_blocks.h"

struct SeenRange {
    Range range;

    DEVICE bool unseen(int row) const { return !range.any_sees(row, row + TILE_ROWS); }
    DEVICE void hide(Sum16& scores, int row, int i) const {
        row += i * 32;
        if (range.any_misses(row, row + 32)) hide_outside(scores, range.first - row, range.end - row);
    }
};

extern "C" __global__ __launch_bounds__(THREADS)
void attention_mfma_blocks_backward_queries(const __grid_constant__ Blocks blocks, const __grid_constant__ Segments segments, const ELEMENT* q,
                                            const ELEMENT* k, const ELEMENT* v, const ELEMENT* o, const ELEMENT* d_o, const float* lse,
                                            float* statistics, ELEMENT* d_q, int heads, int rows, int d, float scale, float scale2) {
    __shared__ Lds lds;
    ListTile tile(segments, heads);
    long long before = tile.head * (long long)rows, keys_before = (before + tile.whole.key) * d;
    int first = tile.first + warp_index() * WAVE_ROWS, query = first + lane_id() % 32;
    SeenRange seen{Range(blocks, segments, tile, query)};
    OwnQueries own;
    own.load(q + before * d, o + before * d, d_o + before * d, lse + before, first, tile.end(), d, scale);
    own.leave(statistics + before * 2, rows, query, tile.end());
    Sum16 sums[DIM_TILES] = {};
    meet_keys(sums, lds, own, k + keys_before, v + keys_before, tile.whole.keys, tile.whole.keys, d, seen, scale2);
    if (query < tile.end()) store_row(sums, scale, d_q + (before + query) * d, d);
}

extern "C" __global__ __launch_bounds__(THREADS)
void attention_mfma_blocks_backward_keys(const __grid_constant__ Blocks ranges, const __grid_constant__ Segments segments, const ELEMENT* q,
                                         const ELEMENT* k, const ELEMENT* v, const ELEMENT* d_o, const float* statistics, ELEMENT* d_k,
                                         ELEMENT* d_v, int heads, int rows, int d, float scale, float scale2) {
    __shared__ Lds lds;
    ListTile tile(segments, heads);
    long long before = tile.head * (long long)rows * d;
    int first = tile.first + warp_index() * WAVE_ROWS, passing = tile.whole.key;
    SeenRange seen{Range(ranges, segments, tile, first + lane_id() % 32)};
    OwnKeys own{k + before, v + before, d_k + before, d_v + before, first, tile.end(), d};
    PassingQueries queries{q + passing * d, d_o + passing * d, statistics + passing, tile.whole.keys, rows, rows, rows - passing, d};
    meet_queries(lds, own, queries, {tile.head, tile.head + 1, 0, 0}, seen, scale, scale2);
}
