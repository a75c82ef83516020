// O = softmax(scale Q Kᵀ) V and LSE on Hopper's tensor cores, where queries come in blocks that see one range of keys each, and no other
// key is read. Q, K, V and O (B, H, L, d), LSE (B, H, L) in f32, natural. A query that sees nothing has O = 0 and LSE = -inf.
//
// Mapping, as in attention/sm90_flash.cu: a persistent block of threads takes tiles of 64 CONSUMERS queries from a work list, longest
// first; each consumer warpgroup keeps 64 rows of scores and of O in registers, and one thread streams keys and values.
// What differs: a tile starts where a block of queries does and its keys where the block's do, wherever that is in a tile's grid, so that
// only the last stage has a mask. Small blocks are packed into one tile, whose rows see different keys: two-sided masks then.
//
// Work: 4 d flops a pair that is seen, against one ex2 a pair: as in dense attention both take the same at d = 64.
//
// Launch. block (128 (1 + CONSUMERS)), grid (min(tiles, SMs)); no cluster.
// Dynamic shared memory: CONSUMERS D 128 (Q_STAGES + min(1, 128 / D)) + STAGES TILE_N D 4 + 256 Q_STAGES bytes.
// Maps, all in the 128-byte swizzle, L2 promotion 256 B, dims (d, L, B H) of ELEMENT, innermost first; d a multiple of 8 and at most D:
//   q: box (64, 64, 1); k, v: box (64, TILE_N, 1)
// Arguments: q, k, v maps; blocks; segments, the work list; O; LSE; B H; L; d; tiles = Σ ceil(rows / (64 CONSUMERS)) B H; scale log2(e).
// The counter is a variable of the module: every launch leaves it at 0, and two launches at once would share it.
// Macros: those of sm90_consumer.h.
#include "block_sparse_attention/sm90_blocks.h"
#include "block_sparse_attention/sm90_heads.h"

extern "C" __global__ __launch_bounds__(THREADS, 1)
void attention_sm90_blocks(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap k_map,
                           const __grid_constant__ TensorMap v_map, const __grid_constant__ Blocks blocks,
                           const __grid_constant__ Segments segments, ELEMENT* o, float* lse, int heads, int rows, int width, int tiles,
                           float scale) {
    extern __shared__ __align__(1024) unsigned char memory[];
    prefetch_maps(k_map, q_map, v_map);
    BlockList list{k_map, v_map, blocks, segments, heads, tiles};
    attend(memory, list, scale, HeadQueries{q_map}, HeadOutput{o, lse, rows, width}, Nothing{});
}
