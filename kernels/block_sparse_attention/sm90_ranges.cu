// O = softmax(scale Q Kᵀ) V and LSE on Hopper's tensor cores, where queries come in blocks that see any ranges of keys, and no other key is
// read. Tensors, mapping and shared memory are those of sm90_blocks.cu; the list is that of sm90_ranges.h, in which a block's ranges follow
// one another as one stream of stages, so that the softmax goes on from range to range. Blocks share no tiles.
//
// Work: 4 d flops a pair that is seen, and as many for what a range's last stage has beyond its end.
//
// Launch. As sm90_blocks.cu's, with spans and segments of the list for its blocks and segments; most stages first.
// Arguments: q, k, v maps; spans; segments; O; LSE; B H; L; d; tiles = Σ ceil(rows / (64 CONSUMERS)) B H; scale log2(e).
// The counter is a variable of the module: every launch leaves it at 0, and two launches at once would share it.
// Macros: those of sm90_consumer.h.
#include "block_sparse_attention/sm90_heads.h"
#include "block_sparse_attention/sm90_ranges.h"

extern "C" __global__ __launch_bounds__(THREADS, 1)
void attention_sm90_ranges(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap k_map,
                           const __grid_constant__ TensorMap v_map, const __grid_constant__ Spans spans,
                           const __grid_constant__ RangeSegments segments, ELEMENT* o, float* lse, int heads, int rows, int width, int tiles,
                           float scale) {
    extern __shared__ __align__(1024) unsigned char memory[];
    prefetch_maps(k_map, q_map, v_map);
    RangeList list{k_map, v_map, spans, segments, heads, tiles};
    attend(memory, list, scale, HeadQueries{q_map}, HeadOutput{o, lse, rows, width}, Nothing{});
}
