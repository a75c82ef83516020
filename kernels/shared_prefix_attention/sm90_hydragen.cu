// The parts of attention over a shared prefix, in one launch: of the keys that sequences share, by products of matrices on Hopper's tensor
// cores, and of each sequence's own, which bytes bound, at the same time. Q (B, Hk, GROUP, D); the prefix's keys and values (Hk, P, D), a
// second level's (Hk, groups, M, D), a sequence's own (B, Hk, U, D).
// Part s of S covers one range of the stages of shared keys, the same for all rows; part S is that of own keys. Each has O (B, Hk, GROUP, D)
// in f32, not normalised, and of each row its maximum in powers of two and its sum. merge.cu makes O and LSE of them, or, if PAIRED, with
// two parts of shared keys and a block for each tile, pairs of blocks by sm90_pair.h: then part 0 is that of own keys, and the only one.
// (J. Juravsky et al., Hydragen: High-throughput LLM inference with shared prefixes, 2024.)
//
// Mapping: since all sequences of a run read the same keys, the queries of a key head make one long dense attention, which two warpgroups a
// block run by the list of sm90_levels.h, as in block_sparse_attention. A third one streams own keys meanwhile, by sm90_own.h: products
// leave memory idle, and own keys the tensor cores.
//
// Work: 4 D flops a query and key; a head's shared keys and values are read once a tile of rows, from L2, own ones once.
//
// Launch. block (128 (2 + CONSUMERS)), grid at most the SMs, so that all blocks run at once; no cluster. If PAIRED, grid (tiles), cluster (2).
// Dynamic shared memory: CONSUMERS D 128 + STAGES TILE_N D 4 + max(8, GROUP) 640 + 1024 + SLOTS 8192 + PAIRED PAIR_BYTES bytes.
// Maps, all in the 128-byte swizzle, L2 promotion 256 B, of ELEMENT, dims innermost first:
//   q: dims (D, GROUP, Hk, B), box (64, GROUP, 1, 64 / GROUP); prefix: dims (D, P, Hk), level: dims (D, M, Hk groups), box (64, TILE_N, 1);
//   own q: as q, box (64, GROUP, 1, 1); own k, v: dims (D, U, B Hk), box (64, 64, 1)
// Arguments: q map; k, v maps of the prefix and of the level (unused if M is 0); q, k, v maps of own keys; O and sums of part 0; B; Hk; groups; P; M;
//   U; ragged: sequence b has 1 + 37 b mod U own keys instead of U; S; tiles = S Hk groups ceil(B / groups GROUP / (64 CONSUMERS)); scale log2(e);
//   O (B, Hk, GROUP, D) of ELEMENT and LSE (B, Hk, GROUP), written if PAIRED; clocks from one panel of own keys to the next at least, in
//   blocks that have a tile, unless PAIRED.
// The counter is a variable of the module: every launch leaves it at 0, and two launches at once would share it.
// Macros (default): PAIRED (0; 1), GROUP (8; 1, 2, 4, 16), SLOTS (7: panels of own keys that have room), and those of
//   block_sparse_attention/sm90_consumer.h, D 64 or 128, CONSUMERS 2, STAGED_O 0.
#define STAGED_O 0
#include "block_sparse_attention/sm90_consumer.h"
#include "shared_prefix_attention/parts.h"
#include "shared_prefix_attention/sm90_levels.h"
#include "shared_prefix_attention/sm90_own.h"
#include "shared_prefix_attention/sm90_pair.h"

#ifndef PAIRED
#define PAIRED 0
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
    static constexpr bool LEAVES_ONCE = false;

    Part first;
    int heads;
    long long rows;

    // Four lanes hold 32 bytes of a row, which is what memory is written by.
    template <class Consumer> DEVICE void leave(const Consumer& consumer, float (&o)[OUTPUTS], const Rows& sums, Place done, int end) const {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int row = done.row + consumer.thread_row() + 8 * h, column = consumer.thread % 4 * 2;
            long long to = done.segment * rows + ((long long)(row / GROUP) * heads + done.head) * GROUP + row % GROUP;
            float sum = sum_across<4>(sums.sum[h]);
            if (row >= end) continue;
            if (column == 0) first.sums[to] = {sums.max[h] * consumer.scale, sum};
#pragma unroll
            for (int i = 0; i < OUTPUTS / 4; i++)
                *reinterpret_cast<float2*>(first.o + to * D + i * 8 + column) = {o[4 * i + 2 * h], o[4 * i + 2 * h + 1]};
        }
    }
};

extern "C" __global__ __launch_bounds__(THREADS + 128, 1)
void attention_sm90_hydragen(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap prefix_k,
                             const __grid_constant__ TensorMap prefix_v, const __grid_constant__ TensorMap level_k,
                             const __grid_constant__ TensorMap level_v, const __grid_constant__ TensorMap own_q,
                             const __grid_constant__ TensorMap own_k, const __grid_constant__ TensorMap own_v, float* o, PartSum* sums,
                             int sequences, int heads, int groups, int prefix, int level, int own_keys, int ragged, int parts, int tiles,
                             float scale, ELEMENT* to, float* lse, int pace) {
    extern __shared__ __align__(1024) unsigned char memory[];
    griddepcontrol_launch_dependents();                  // blocks of the merge wait where these have ended, since none fits beside one
    prefetch_maps(prefix_k, q_map, own_k, own_q, prefix_v, own_v);
    if (level > 0) prefetch_maps(level_k, level_v);
    long long rows = (long long)sequences * heads * GROUP;
    Levels levels{prefix_k, prefix_v, level_k, level_v, prefix, level, heads, groups, sequences / groups * GROUP, parts, tiles};
    if constexpr (PAIRED) {
        meet_pair(memory);
        PairedLevels paired{levels};
        PairedOwn own{{own_q, own_k, own_v, {o, sums}, {paired}, heads, own_keys, ragged, scale, 0}};
        attend(memory, paired, scale, GroupQueries{q_map}, PairOutput{{o, sums}, to, lse, heads}, own);
    } else {
        if (int(blockIdx.x) >= tiles) pace = 0;
        Own<AllItems> own{own_q, own_k, own_v, {o + parts * rows * D, sums + parts * rows}, {sequences, heads}, heads, own_keys, ragged, scale, pace};
        attend(memory, levels, scale, GroupQueries{q_map}, Parts{{o, sums}, heads, rows}, own);
    }
}
