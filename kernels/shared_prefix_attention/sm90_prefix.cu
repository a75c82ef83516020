// The prefix's part of attention over a shared prefix: parts of O and of LSE for every query, from keys that all sequences share, on
// Hopper's tensor cores. Q (B, Hk, GROUP, D), keys and values (Hk, P, D); part s of S covers one range of the P keys, the same for all:
// O (S, Hk, B GROUP, D) of ELEMENT, normalised within the part, LSE (S, Hk, B GROUP) in f32, natural.
// With RUNS it makes one part of keys that runs of sequences share: each segment is a run's rows against the run's range of the P keys.
// (J. Juravsky et al., Hydragen: High-throughput LLM inference with shared prefixes, 2024.)
//
// Mapping: since all sequences read the same keys, the queries of a key head make one long dense attention of B GROUP rows, which is a
// product of matrices. Its tiles, times the parts that fill the device, are the work list of block_sparse_attention: a part is a segment.
// Rows of a tile are the heads of a group within consecutive sequences, which the copy engine gathers by a fourth dimension.
//
// Work: 4 D flops a query and key; the keys and values of a head are read once a tile of rows, from L2.
//
// Launch. block (128 (1 + CONSUMERS)), grid (min(tiles, SMs)); no cluster.
// Dynamic shared memory: CONSUMERS D 256 + STAGES TILE_N D 4 + 256 bytes.
// Maps, all in the 128-byte swizzle, L2 promotion 256 B, of ELEMENT, dims innermost first:
//   q: dims (D, GROUP, Hk, B), box (64, GROUP, 1, 64 / GROUP); k, v: dims (D, P, Hk), box (64, TILE_N, 1)
// Arguments: q, k, v maps; segments, the parts or the runs in order; O; LSE; Hk; B GROUP; tiles = Σ ceil(rows / (64 CONSUMERS)) Hk; scale log2(e).
// The counter is a variable of the module: every launch leaves it at 0, and two launches at once would share it.
// Macros (default): GROUP (8; a divisor of 64), RUNS (0), and those of block_sparse_attention/sm90_consumer.h, D 64 or 128.
#include "block_sparse_attention/sm90_consumer.h"

#ifndef GROUP
#define GROUP 8
#endif

#ifndef RUNS
#define RUNS 0
#endif

static_assert(64 % GROUP == 0, "a box of queries is whole sequences of a warpgroup");

struct GroupQueries {
    const TensorMap& map;

    DEVICE void fetch(u32 to, u32 full, int row, int head) const {
        for (int panel = 0; panel < PANELS; panel++)
            cp_async_bulk_tensor_4d(to + panel * Q_PANEL, map, full, panel * 64, 0, head, row / GROUP);
    }
};

struct Parts {
    ELEMENT* o;
    float* lse;
    int width, heads, rows;

    DEVICE long long row(Place place) const {
        int part = RUNS ? 0 : place.segment;
        return (long long)(part * heads + place.head) * rows + place.row;
    }
};

extern "C" __global__ __launch_bounds__(THREADS, 1)
void attention_sm90_prefix(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap k_map,
                           const __grid_constant__ TensorMap v_map, const __grid_constant__ Segments segments, ELEMENT* o, float* lse,
                           int heads, int rows, int tiles, float scale) {
    extern __shared__ __align__(1024) unsigned char memory[];
    attend_blocks(memory, {heads, tiles, scale}, GroupQueries{q_map}, k_map, v_map, segments, segments, Parts{o, lse, D, heads, rows});
}
