// O = softmax(scale Q K^T) V and LSE on AMD's matrix cores, where queries come in blocks that see one range of keys each, and no other key is
// read. Q, K, V and O (B, H, L, d), LSE (B, H, L) in f32, natural. A query that sees nothing has O = 0 and LSE = -inf.
//
// Mapping: that of attention/gfx942_flash.hip and gfx950_flash.hip over a work list, a block of eight waves a tile of 256 queries, longest
// first. A tile starts where a segment of the list does, and its keys where the segment's do, so that only the last tile of keys has a mask.
// Small blocks share a segment, whose queries see different keys: two-sided masks then, and a wave leaves out what none of its queries sees.
//
// Work: 4 d flops a pair that is seen, against one exponential a pair, as in dense attention.
//
// Launch. block (512), grid (B H sum ceil(rows of a segment / 256)); no dynamic shared memory. d is a multiple of 8, at most HEAD_DIM.
// Arguments: blocks; segments, the work list; Q, K, V, O, LSE; B H; L; d; scale log2(e) (f32). Macros: those of attention/mfma_rows.h.
#include "attention/mfma_stream.h"
#include "block_sparse_attention/mfma_blocks.h"

// The keys of a segment.
struct SegmentKeys {
    const ELEMENT *k, *v;
    int d, end;
    Range seen;

    DEVICE KeyRows from(int key) const { return {k + key * d, v + key * d, end - key}; }
    DEVICE bool unseen(int key) const { return !seen.any_sees(key, key + KEYS); }
    DEVICE bool masked(int key) const { return seen.any_misses(key, key + KEYS); }
    DEVICE void hide(Sum16 (&s)[KEY_TILES], int key) const { hide_outside(s, seen.first - key, seen.end - key); }
};

extern "C" __global__ __launch_bounds__(THREADS)
void attention_mfma_blocks(const __grid_constant__ Blocks blocks, const __grid_constant__ Segments segments, const ELEMENT* q, const ELEMENT* k,
                           const ELEMENT* v, ELEMENT* o, float* lse, int heads, int rows, int d, float scale) {
    __shared__ Lds lds;
    ListTile tile(segments, heads);
    long long before = tile.head * (long long)rows, keys_before = (before + tile.whole.key) * d;
    int first = tile.first + warp_index() * WAVE_ROWS;
    SegmentKeys keys{k + keys_before, v + keys_before, d, tile.whole.keys, Range(blocks, segments, tile, first + lane_id() % 32)};
    Rows queries;
    queries.load(q + before * d, first, tile.end(), d);
    State state;
    attend(state, lds, queries, keys, d, scale);
    state.store(o + before * d, lse + before, first, tile.end(), d);
}
