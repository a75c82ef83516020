// dQ, dK, dV of softmax attention on Hopper's tensor cores: P = exp(Q K^T scale - LSE), dV = P^T dO, dS = P (dO V^T - delta),
// dQ += dS K, dK = dS^T Q scale; f32 sums, dS and P rounded to ELEMENT for the second products. dQ's scale and rounding are left to
// backward_finish.cu; delta and LSE log2(e) come from backward_prepare.cu, which also clears the sums of dQ.
// (T. Dao, FlashAttention-2, 2023, Algorithm 2; J. Shah et al., FlashAttention-3, 2024.)
//
// Mapping. A block takes tiles of 128 keys of one head; K and V stay in shared memory while it runs over the queries that see them, of
// all heads that read them, QUERIES at a time. Three warpgroups: two hold 64 keys each, with their sums of dK and dV in registers. They
// compute S and dP transposed, (keys, queries), so that P and dS are where the second products take their first operand, and only dS
// goes through shared memory, to the third warpgroup, which computes dQ of that tile while they go on, adds it to global sums, and has
// the copy engine fetch the tiles to come. So the two need not wait for dQ, nor for one another, and exponentials of one run under the
// products of the others. dQ is made 32 columns at a time: that is what its warpgroup has registers for, since the two need 224.
//
// Work: 10 QUERIES 128 HEAD flops a tile, 2560 clocks of the tensor cores; operands and tiles move 336 KB through shared memory, 2690
// clocks; 32 KB of sums go to L2, which at 600 TFLOP/s is 1.9 TB/s.
//
// It starts while backward_prepare.cu ends: only the third warpgroup, which draws tiles, has statistics fetched and adds, waits for that.
//
// Registers: two sums, S and dP take 192 of the two's 224. ptxas chooses for the whole kernel, so that one register too many in the third
// warpgroup, which has 56, can cost the two 30 spilled ones in their loop.
//
// The order in which sums of dQ meet is that of chance, and with it their last bits; where DETERMINISTIC it is that of the keys: a block
// waits until those before its own were added. It waits for tiles that were taken before its own, so that somebody can always go on.
//
// Launch. block (384); grid (min(tiles, SMs)), tiles = key_heads ceil(keys / 128), key_heads = B Hk.
// Dynamic shared memory: 1024 HEAD + STAGES (32768 + 264 QUERIES) + 256 bytes.
// Maps, dims innermost first, boxes of 64 columns in the 128-byte swizzle, L2 promotion 256 B:
//   q, d_o: dims (head, queries, B H), box (64, QUERIES, 1); k, v: dims (head, keys, B Hk), box (64, 128, 1); d_k, d_v: box (64, 64, 1);
//   head is a multiple of 8 up to HEAD: what it has not is read as zeros and not written
// Arguments: the six maps; statistics, f32 (B H, ceil(queries / QUERIES), 2, QUERIES): LSE log2(e), infinite beyond the last query, then
//   delta; sums of dQ, f32 (B H, ceil(queries / QUERIES), HEAD QUERIES), a tile's in the order of QueryGradient::add and,
//   where DETERMINISTIC, before 32 words, the first of them 0; taken, a counter that is 0; queries, keys, key_heads, group = H / Hk;
//   band, the heads whose tiles are taken in turn, the first keys of each first, since where CAUSAL these are the longest; scale.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD (128; 64), CAUSAL (0), STAGES (2), DETERMINISTIC (0).
#include "attention/sm90_backward.h"

#ifndef CAUSAL
#define CAUSAL 0
#endif
#ifndef DETERMINISTIC
#define DETERMINISTIC 0
#endif

constexpr int TURN = PARTS * PART_SUMS;                  // after a tile's sums: which keys' turn it is to be added
constexpr int TILE_SUMS = TURN + (DETERMINISTIC ? 32 : 0);

struct Sizes { int queries, keys, key_heads, group; };

// The queries that see a tile of keys, as the tiles that hold them: from the first to the last.
struct Seen { int first, end; };

DEVICE Seen seen(Sizes s, int column) {
    int first = column * KEYS + s.queries - s.keys;
    return {CAUSAL && first > 0 ? first / QUERIES : 0, ceil_div(s.queries, QUERIES)};
}

// Arguments of the kernel that one thread needs.
struct Sources {
    const TensorMap &q, &k, &v, &d_o;
    const float* statistics;
    u32* taken;
    int band;
};

// One thread that takes tiles of keys, says which, and has the copy engine fetch them and the tiles of queries that see them, in order.
struct Feeder {
    Shared shared;
    Sizes sizes;
    Ring<KV_STAGES> tile_ring;
    TilePlace at;                                        // head of B Hk, and tile of its keys
    int head, query_tile, last;                          // of the group; of its queries, and the last that sees these keys
    bool more;

    DEVICE Feeder(Shared shared, Sizes sizes) : shared(shared), sizes(sizes) {}

    DEVICE void take(int index, const Sources& from) {
        int columns = ceil_div(sizes.keys, KEYS);
        more = index < sizes.key_heads * columns;
        at = tile_in_bands(index, sizes.key_heads, columns, from.band);
        head = 0;
        Seen tiles = seen(sizes, at.column);
        query_tile = tiles.end - 1, last = tiles.first;
        begin_tile(from);
    }

    DEVICE void begin_tile(const Sources& from) {
        u32 stage = tile_ring.stage, full = shared.kv_full(stage);
        mbarrier_try_wait_parity(shared.kv_empty(stage), tile_ring.phase ^ 1);
        tile_ring.advance();
        st_shared(shared.place(stage), more ? at.row : -1, at.column);
        if (!more) {
            mbarrier_arrive(full);
            return;
        }
        mbarrier_arrive_expect_tx(full, 2 * K_BYTES);
#pragma unroll
        for (int p = 0; p < PANELS; p++) {
            cp_async_bulk_tensor_3d(shared.k(stage) + p * KEY_PANEL, from.k, full, p * 64, at.column * KEYS, at.row);
            cp_async_bulk_tensor_3d(shared.v(stage) + p * KEY_PANEL, from.v, full, p * 64, at.column * KEYS, at.row);
        }
    }

    // The next tile of queries, into a stage that is free when its barrier's phase of this parity has passed; a new tile of keys only when
    // one of its own is next, since its place is free only when two before are done.
    DEVICE void fetch(const Sources& from, u32 stage, u32 parity) {
        if (more && query_tile < last) take(gridDim.x + atomicAdd(from.taken, 1), from);
        if (!more) return;
        u32 full = shared.full(stage);
        int query_head = at.row * sizes.group + head, row = query_tile * QUERIES, query_tiles = ceil_div(sizes.queries, QUERIES);
        mbarrier_try_wait_parity(shared.empty(stage), parity);
        mbarrier_arrive_expect_tx(full, STAGE_BYTES);
#pragma unroll
        for (int p = 0; p < PANELS; p++) cp_async_bulk_tensor_3d(shared.q(stage) + p * QUERY_PANEL, from.q, full, p * 64, row, query_head);
        cp_async_bulk(shared.statistics(stage), from.statistics + (query_head * query_tiles + query_tile) * (2 * QUERIES), STATISTICS_BYTES, full);
#pragma unroll
        for (int p = 0; p < PANELS; p++)
            cp_async_bulk_tensor_3d(shared.d_o(stage) + p * QUERY_PANEL, from.d_o, full, p * 64, row, query_head);
        if (++head < sizes.group) return;
        head = 0;
        query_tile--;
    }
};

// Two warpgroups' side.
struct Keys : KeySums {
    // Hides what is not seen in an operand (64 keys, QUERIES): `first` is the first query that sees the first of the warpgroup's keys, less
    // the tile's first query. The bits go, since what is hidden may have overflowed.
    DEVICE void mask(u32 (&operand)[CHUNKS][4], int first) const {
        first += thread / 32 * 16 + thread % 32 / 4 - thread % 4 * 2;
#pragma unroll
        for (int c = 0; c < CHUNKS; c++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int query = c * 16 + j / 2 * 8 - j % 2 * 8;
                operand[c][j] &= (query < first ? 0 : 0xffff) | (query + 1 < first ? 0 : 0xffff0000);
            }
    }

    // Rounds 64 rows of sums and stores them.
    DEVICE void store(const float (&sums)[HEAD / 2], float scale, const TensorMap& map, TilePlace at, int keys) const {
        u32 panel = stage_rows(sums, scale);
        fence_proxy_async();
        bar_sync(1 + index, 128);
        int row = at.column * KEYS + index * 64;
        if (thread == 0 && row < keys) {
#pragma unroll
            for (int p = 0; p < PANELS; p++) cp_async_bulk_tensor_3d_store(map, p * 64, row, at.row, panel + p * KEY_PANEL);
        }
        if (thread == 0) {
            cp_async_bulk_commit_group();
            cp_async_bulk_wait_group_read<0>();
        }
    }

    DEVICE void run(Sizes sizes, float scale, const TensorMap& d_k_map, const TensorMap& d_v_map) {
        const float LOG2_E = 1.4426950408889634f;
        for (;; tile.advance()) {
            float d_k[HEAD / 2], d_v[HEAD / 2];
            TilePlace at = shared.await_tile(tile.stage, tile.phase);
            if (at.row < 0) return;
            Seen tiles = seen(sizes, at.column);
            int first_seeing = at.column * KEYS + index * 64 + sizes.queries - sizes.keys;
            u32 accumulate = 0;
            for (int j = tiles.end - 1; j >= tiles.first; j--) {
#pragma unroll 1
                for (int head = 0; head < sizes.group; head++) {
                    int first = first_seeing - j * QUERIES;
                    add_tile(d_k, d_v, scale * LOG2_E, accumulate, [&](u32 (&p)[CHUNKS][4], u32 (&d_s)[CHUNKS][4]) {
                        if (!CAUSAL || first <= -64) return;
                        mask(p, first);
                        mask(d_s, first);
                    });
                    accumulate = 1;
                }
            }
            wgmma_wait_group<0>();
            wgmma_pin(d_k);
            release((queries.stage + STAGES - 1) % STAGES);
            // Read again rather than kept, where every register is taken.
            ld_shared(shared.place(tile.stage), at.row, at.column);
            store(d_v, 1, d_v_map, at, sizes.keys);
            store(d_k, scale, d_k_map, at, sizes.keys);
            if (thread == 0) mbarrier_arrive(shared.kv_empty(tile.stage));
        }
    }
};

// The third warpgroup's side, and what keeps all fed.
struct QueryGradient : QueryProducts {
    DEVICE void run(Sizes sizes, const Sources& from, float* sums) {
        bool feeds = thread < 32 && elect_sync();
        Feeder feeder(shared, sizes);
        if (feeds) feeder.take(blockIdx.x, from);
        griddepcontrol_wait();
        for (int i = 0; i < STAGES; i++)
            if (feeds) feeder.fetch(from, i, 1);
        for (;; tile.advance()) {
            TilePlace at = shared.await_tile(tile.stage, tile.phase);
            if (at.row < 0) break;
            Seen tiles = seen(sizes, at.column);
            int index = (at.row * sizes.group + 1) * tiles.end - 1;
            for (int left = tiles.end - tiles.first; left > 0; left--, index--) {
#pragma unroll 1
                for (int head = 0; head < sizes.group; head++, gradients.advance()) {
                    float* to = sums + (long long)(index + head * tiles.end) * TILE_SUMS;
                    add_tile(to, [&] {
                        if (DETERMINISTIC) take_turn(to);
                    });
                    if (head == sizes.group - 1 && left == 1 && thread == 0) mbarrier_arrive(shared.kv_empty(tile.stage));
                    if (feeds) feeder.fetch(from, gradients.stage, gradients.phase);
                    __syncwarp();
                }
            }
        }
        if (DETERMINISTIC) {
            bar_sync(3, 128);
            if (thread == 32) pass_turn();
        }
    }

    // Passes on the turn at the tile of queries before, to which all threads have added now, and waits for this one's. Passed on at once,
    // it would cost the two others 30 spilled registers in their loop; blocks trail one another by a tile more instead.
    DEVICE void take_turn(const float* to) const {
        bar_sync(3, 128);
        if (thread == 32) {
            pass_turn();
            const u32* turn = reinterpret_cast<const u32*>(to + TURN);
            st_shared_u64(shared.turn(), u64(turn));
            while (ld_acquire_gpu(turn) != ld_shared(shared.place(tile.stage) + 4));
        }
        bar_sync(3, 128);
    }
    DEVICE void pass_turn() const {
        u64 last = ld_shared_u64(shared.turn());
        if (last) red_release_gpu_add(reinterpret_cast<u32*>(last), 1);
    }

};

extern "C" __global__ __launch_bounds__(384, 1)
void attention_sm90_flash_backward(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap k_map,
                                   const __grid_constant__ TensorMap v_map, const __grid_constant__ TensorMap d_o_map,
                                   const __grid_constant__ TensorMap d_k_map, const __grid_constant__ TensorMap d_v_map,
                                   const float* statistics, float* d_q_sums, u32* taken, int queries, int keys, int key_heads, int group,
                                   int band, float scale) {
    extern __shared__ __align__(1024) unsigned char memory[];
    Shared shared{cvta_shared(memory)};
    Sizes sizes{queries, keys, key_heads, group};
    u32 warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);
    if (threadIdx.x == 0) initialise(shared);
    __syncthreads();

    if (warpgroup == 0) {
        setmaxnreg_dec<56>();
        Sources from{q_map, k_map, v_map, d_o_map, statistics, taken, band};
        QueryGradient{{shared, {}, {}, threadIdx.x % 128}}.run(sizes, from, d_q_sums);
    } else {
        setmaxnreg_inc<224>();
        Keys{{shared, {}, {}, warpgroup - 1, threadIdx.x % 128}}.run(sizes, scale, d_k_map, d_v_map);
    }
}
