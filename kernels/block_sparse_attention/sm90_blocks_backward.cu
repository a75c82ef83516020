// dQ, dK and dV of block-sparse attention on Hopper's tensor cores: the formulas, the three warpgroups and the way that dQ takes are those of
// attention/sm90_flash_backward.cu, over a work list of keys.
//
// Mapping. A segment is a range of keys, that of a block or of several small ones, cut into tiles of 128 keys from its own first one on; it
// meets the tiles of queries, from some tile of a band on, in which any query sees any of its keys, or several runs of such tiles
// (sm90_key_list.h has both lists). Bands are those of bands.h. A block of threads draws tiles of keys, those with most queries first.
// Where a tile of queries is not seen whole by a warp's keys, the warp hides what is not: keys beyond the segment's last, and pairs of
// different blocks. Queries beyond a band's last weigh nothing.
//
// Work: 10 d flops a pair that is seen; per tile as in attention.
//
// It starts while backward_prepare.cu ends: only the third warpgroup, which draws tiles, has statistics fetched and adds, waits for that.
//
// Launch. block (384); grid (min(tiles, SMs)), tiles = B H sum ceil(keys / 128).
// Dynamic shared memory: 1024 HEAD + STAGES (32768 + 264 QUERIES) + 256 + 1024 + 4 STAGES bytes, QUERIES = 8192 / HEAD.
// Maps, dims innermost first (d, L, B H), boxes of 64 columns in the 128-byte swizzle, L2 promotion 256 B: q, d_o: box (64, QUERIES, 1);
//   k, v: box (64, 128, 1); d is a multiple of 8 up to HEAD: what it has not is read as zeros.
// Arguments: the four maps; segments, most queries first; query_tiles, the tiles of queries that each meets; ranges of keys,
//   each seen by one range of queries (nothing with SPANS); dK, dV; statistics and sums of dQ, as attention/sm90_flash_backward.cu
//   has them, by the tiles of bands; taken, a counter that is 0; B H; L; d; scale.
// Macros (default): SPANS (0; 1), and those of attention/sm90_backward.h.
#include "attention/sm90_backward.h"
#include "block_sparse_attention/sm90_key_list.h"

// Tile `index` of the list: all heads of a segment before the next one, and tiles of a head side by side, since they meet the same queries.
DEVICE TilePlace place_at(const Segments& segments, int heads, int index) {
    for (int i = 0; i < segments.count; i++) {
        int tiles = ceil_div(segments.at[i].keys, KEYS);
        if (index < tiles * heads) return {index / tiles, i << 16 | index % tiles};
        index -= tiles * heads;
    }
    return {-1, 0};
}

// What is in shared memory beyond what attention has: seen_by of each key of a stage, and the first query of each tile of queries.
DEVICE u32 shared_ranges(Shared shared, u32 stage) { return shared.barrier(32) + stage * (4 * KEYS); }
DEVICE u32 shared_row(Shared shared, u32 stage) { return shared_ranges(shared, KV_STAGES) + stage * 4; }

// Arguments of the kernel that one thread needs.
struct Sources {
    const TensorMap &q, &k, &v, &d_o;
    const Segments& segments;
    const QueryTiles& query_tiles;
    const float* statistics;
    u32* taken;
    int heads;
};

// One thread that takes tiles of keys, says which, and has the copy engine fetch them and the tiles of queries that see them.
struct Feeder {
    Shared shared;
    Ring<KV_STAGES> tile_ring;
    int head, segment, left;                             // tiles of queries that are still to come; no head: no tile
    int next;                                            // tile of the list, known once none is to come

    DEVICE Feeder(Shared shared) : shared(shared) {}

    DEVICE void take(int index, const Sources& from) {
        TilePlace at = place_at(from.segments, from.heads, index);
        u32 stage = tile_ring.stage, full = shared.kv_full(stage);
        mbarrier_try_wait_parity(shared.kv_empty(stage), tile_ring.phase ^ 1);
        tile_ring.advance();
        st_shared(shared.place(stage), at.row, at.column);
        head = at.row, segment = segment_of(at), left = from.segments.at[segment].tiles;
        if (head < 0) {
            mbarrier_arrive(full);
            return;
        }
        mbarrier_arrive_expect_tx(full, 2 * K_BYTES);
        int key = first_key(from.segments, at);
#pragma unroll
        for (int p = 0; p < PANELS; p++) {
            cp_async_bulk_tensor_3d(shared.k(stage) + p * KEY_PANEL, from.k, full, p * 64, key, head);
            cp_async_bulk_tensor_3d(shared.v(stage) + p * KEY_PANEL, from.v, full, p * 64, key, head);
        }
    }

    // The next tile of queries, into a stage that is free when its barrier's phase of this parity has passed; a new tile of keys only when
    // one of its own is next, since its place is free only when two before are done.
    DEVICE void fetch(const Sources& from, u32 stage, u32 parity) {
        if (head >= 0 && left == 0) take(next, from);
        if (head < 0) return;
        left--;
        u32 full = shared.full(stage);
        QueryPlace queries = queries_at(from.segments, from.query_tiles, segment, left);
        int row = queries.row, tile = head * from.query_tiles.of_a_head + queries.tile;
        mbarrier_try_wait_parity(shared.empty(stage), parity);
        st_shared(shared_row(shared, stage), row);
        mbarrier_arrive_expect_tx(full, STAGE_BYTES);
#pragma unroll
        for (int p = 0; p < PANELS; p++) cp_async_bulk_tensor_3d(shared.q(stage) + p * QUERY_PANEL, from.q, full, p * 64, row, head);
        cp_async_bulk(shared.statistics(stage), from.statistics + tile * (2 * QUERIES), STATISTICS_BYTES, full);
#pragma unroll
        for (int p = 0; p < PANELS; p++) cp_async_bulk_tensor_3d(shared.d_o(stage) + p * QUERY_PANEL, from.d_o, full, p * 64, row, head);
        if (left == 0) next = gridDim.x + atomicAdd(from.taken, 1);    // arrives before the next call
    }
};

extern __shared__ __align__(1024) unsigned char memory[];

// Two warpgroups' side.
struct Keys : KeySums {
    // Before a tile's first product: which queries each of this warp's keys sees.
    DEVICE void look_up(const Segments& segments, const QueryTiles& query_tiles, const SeenRanges& ranges, TilePlace at) const {
        Segment segment = segments.at[segment_of(at)];
        int row = index * 64 + thread / 32 * 16 + thread % 16, key = first_key(segments, at) + row;
        u32 seen = key < segment.key + segment.keys ? seen_by(segment, query_tiles, ranges, key) : UNSEEN;
        __syncwarp();
        if (thread % 32 < 16) st_shared(shared_ranges(shared, tile.stage) + row * 4, seen);
        __syncwarp();
    }

    // Takes out what is not seen. The bits go, since what is hidden may have overflowed.
    DEVICE void hide(u32 (&p)[CHUNKS][4], u32 (&d_s)[CHUNKS][4]) const {
        u32 lane = thread % 32, ranges = shared_ranges(shared, tile.stage) + (index * 64 + thread / 32 * 16 + lane / 4) * 4;
        int row = ld_shared(shared_row(shared, queries.stage)), first[2], end[2];
#pragma unroll
        for (int h = 0; h < 2; h++) {
            u32 range = ld_shared(ranges + h * 32);
            first[h] = int(range & 0xffff) - row, end[h] = int(range >> 16) - row;
        }
        bool whole = first[0] <= 0 && first[1] <= 0 && end[0] >= QUERIES && end[1] >= QUERIES;
        if (!__any_sync(~0u, !whole)) return;
#pragma unroll
        for (int c = 0; c < CHUNKS; c++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int query = c * 16 + j / 2 * 8 + lane % 4 * 2, h = j % 2;
                u32 left = query >= first[h] && query < end[h] ? 0xffff : 0;
                u32 right = query + 1 >= first[h] && query + 1 < end[h] ? 0xffff0000 : 0;
                p[c][j] &= left | right;
                d_s[c][j] &= left | right;
            }
    }

    // Stores those of 64 rows that are the segment's: `to` is the first of them, `rows` how many.
    DEVICE void store(const float (&sums)[HEAD / 2], float scale, ELEMENT* to, int rows, int width) const {
        u32 panel = stage_rows(sums, scale) - shared.base;
        bar_sync(1 + index, 128);
#pragma unroll
        for (int i = 0; i < HEAD / 16; i++) {
            int row = i % 4 * 16 + thread / 8, column = i / 4 * 64 + thread % 8 * 8;
            u32 from = panel + i / 4 * KEY_PANEL + row * 128 + ((thread % 8 * 16) ^ (row % 8 * 16));
            if (row < rows && column < width) st_global_cs(to + row * width + column, *reinterpret_cast<const Vector16*>(memory + from));
        }
    }

    DEVICE void run(const Segments& segments, const QueryTiles& query_tiles, const SeenRanges& ranges, ELEMENT* d_k_rows, ELEMENT* d_v_rows,
                    int tokens, int width, float scale) {
        const float LOG2_E = 1.4426950408889634f;
        for (;; tile.advance()) {
            float d_k[HEAD / 2], d_v[HEAD / 2];
            TilePlace at = shared.await_tile(tile.stage, tile.phase);
            if (at.row < 0) return;
            u32 accumulate = 0;
            int left = segments.at[segment_of(at)].tiles, masked = masked_tiles(segments, query_tiles, at);
            look_up(segments, query_tiles, ranges, at);
#pragma unroll 1
            for (; left > 0; left--, accumulate = 1)
                add_tile(d_k, d_v, scale * LOG2_E, accumulate, [&](u32 (&p)[CHUNKS][4], u32 (&d_s)[CHUNKS][4]) {
                    if (left <= masked) hide(p, d_s);
                });
            wgmma_wait_group<0>();
            wgmma_pin(d_k);
            release((queries.stage + STAGES - 1) % STAGES);
            // Read again rather than kept, where every register is taken.
            ld_shared(shared.place(tile.stage), at.row, at.column);
            int key = first_key(segments, at) + index * 64;
            int rows = segments.at[segment_of(at)].key + segments.at[segment_of(at)].keys - key;
            long long first = ((long long)at.row * tokens + key) * width;
            store(d_v, 1, d_v_rows + first, rows, width);
            store(d_k, scale, d_k_rows + first, rows, width);
            fence_proxy_async();                         // the rows of V are the copy engine's again
            bar_sync(1 + index, 128);
            if (thread == 0) mbarrier_arrive(shared.kv_empty(tile.stage));
        }
    }
};

// The third warpgroup's side, and what keeps all fed.
struct QueryGradient : QueryProducts {
    DEVICE void run(const Sources& from, float* sums) {
        bool feeds = thread < 32 && elect_sync();
        Feeder feeder(shared);
        if (feeds) feeder.take(blockIdx.x, from);
        griddepcontrol_wait();
        for (int i = 0; i < STAGES; i++)
            if (feeds) feeder.fetch(from, i, 1);
        for (;; tile.advance()) {
            TilePlace at = shared.await_tile(tile.stage, tile.phase);
            if (at.row < 0) break;
            int segment = segment_of(at), left = from.segments.at[segment].tiles, first = at.row * from.query_tiles.of_a_head;
#pragma unroll 1
            while (--left >= 0) {
                int index = first + queries_at(from.segments, from.query_tiles, segment, left).tile;
                add_tile(sums + (long long)index * (PARTS * PART_SUMS), [] {});
                if (left == 0 && thread == 0) mbarrier_arrive(shared.kv_empty(tile.stage));
                if (feeds) feeder.fetch(from, gradients.stage, gradients.phase);
                __syncwarp();
                gradients.advance();
            }
        }
    }
};

extern "C" __global__ __launch_bounds__(384, 1)
void attention_sm90_blocks_backward(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap k_map,
                                    const __grid_constant__ TensorMap v_map, const __grid_constant__ TensorMap d_o_map,
                                    const __grid_constant__ Segments segments, const __grid_constant__ QueryTiles query_tiles,
                                    const __grid_constant__ SeenRanges ranges, ELEMENT* d_k, ELEMENT* d_v, const float* statistics,
                                    float* d_q_sums, u32* taken, int heads, int tokens, int width, float scale) {
    Shared shared{cvta_shared(memory)};
    u32 warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);
    if (threadIdx.x == 0) initialise(shared);
    __syncthreads();

    if (warpgroup == 0) {
        setmaxnreg_dec<56>();
        Sources from{q_map, k_map, v_map, d_o_map, segments, query_tiles, statistics, taken, heads};
        QueryGradient{{shared, {}, {}, threadIdx.x % 128}}.run(from, d_q_sums);
    } else {
        setmaxnreg_inc<224>();
        Keys{{shared, {}, {}, warpgroup - 1, threadIdx.x % 128}}.run(segments, query_tiles, ranges, d_k, d_v, tokens, width, scale);
    }
}
