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
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD
#define HEAD 128
#endif
#ifndef CAUSAL
#define CAUSAL 0
#endif
#ifndef STAGES
#define STAGES 2
#endif
#ifndef DETERMINISTIC
#define DETERMINISTIC 0
#endif

constexpr int KEYS = 128, QUERIES = 8192 / HEAD;
constexpr int KV_STAGES = 2;                             // fewer, and the tile after would be fetched by who has still to free this one's
constexpr int PANELS = HEAD / 64;                        // of 64 columns, 128 bytes a row
constexpr int KEY_PANEL = KEYS * 128, QUERY_PANEL = QUERIES * 128;
constexpr int K_BYTES = PANELS * KEY_PANEL, Q_BYTES = PANELS * QUERY_PANEL;
constexpr int STATISTICS_BYTES = 2 * QUERIES * 4;
constexpr int STAGE_BYTES = 2 * Q_BYTES + STATISTICS_BYTES;
constexpr int DS_BYTES = 2 * QUERY_PANEL;                // a panel for the keys of each warpgroup
constexpr int PART_SUMS = 64 * 32, PARTS = 4;            // of dQ: what one product of the third warpgroup makes, and how many there are
constexpr int TURN = PARTS * PART_SUMS;                  // after a tile's sums: which keys' turn it is to be added
constexpr int TILE_SUMS = TURN + (DETERMINISTIC ? 32 : 0);
constexpr int CHUNKS = QUERIES / 16;                     // k16 steps of the second products

struct Sizes { int queries, keys, key_heads, group; };

// Shared memory by address.
struct Shared {
    u32 base;
    DEVICE u32 k(u32 stage) const { return base + stage * 2 * K_BYTES; }
    DEVICE u32 v(u32 stage) const { return k(stage) + K_BYTES; }
    DEVICE u32 q(u32 stage) const { return k(KV_STAGES) + stage * 2 * Q_BYTES; }
    DEVICE u32 d_o(u32 stage) const { return q(stage) + Q_BYTES; }
    DEVICE u32 d_s(u32 stage) const { return q(STAGES) + stage * DS_BYTES; }
    DEVICE u32 statistics(u32 stage) const { return d_s(STAGES) + stage * STATISTICS_BYTES; }
    DEVICE u32 barrier(u32 index) const { return statistics(STAGES) + 8 * index; }
    DEVICE u32 place(u32 stage) const { return barrier(2 * (2 * STAGES + KV_STAGES) + stage); }
    DEVICE u32 turn() const { return place(KV_STAGES); }     // the address of the counter that this block has still to raise, or 0
    DEVICE u32 full(u32 stage) const { return barrier(stage); }
    DEVICE u32 empty(u32 stage) const { return barrier(STAGES + stage); }
    DEVICE u32 kv_full(u32 stage) const { return barrier(2 * STAGES + stage); }
    DEVICE u32 kv_empty(u32 stage) const { return barrier(2 * STAGES + KV_STAGES + stage); }
    DEVICE u32 d_s_full(u32 stage) const { return barrier(2 * (STAGES + KV_STAGES) + stage); }
    DEVICE u32 d_s_empty(u32 stage) const { return barrier(2 * (STAGES + KV_STAGES) + STAGES + stage); }

    // The tile of keys that is or will be in `stage`; its row is negative after the last one.
    DEVICE TilePlace await_tile(u32 stage, u32 phase) const {
        TilePlace at;
        mbarrier_try_wait_parity(kv_full(stage), phase);
        ld_shared(place(stage), at.row, at.column);
        // From lane 0, so that the compiler knows them for uniform and keeps what follows from them out of the threads' registers.
        return {__shfl_sync(~0u, at.row, 0), __shfl_sync(~0u, at.column, 0)};
    }
};

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

// 64 of K's or V's rows times all of a tile's rows of Q or dO: d (64, QUERIES), begun and left under way.
DEVICE void multiply_rows(float (&d)[QUERIES / 2], u32 keys, u32 queries) {
    u64 a = wgmma_descriptor(keys, 16, 1024), b = wgmma_descriptor(queries, 16, 1024);
    wgmma_pin(d);
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < HEAD / 16; step++)
        wgmma<0, 0>(ELEMENT{}, d, a + (step / 4 * KEY_PANEL + step % 4 * 32) / 16, b + (step / 4 * QUERY_PANEL + step % 4 * 32) / 16, step);
    wgmma_commit_group();
    wgmma_pin(d);
}

// sums (64, HEAD) += p (64, QUERIES), in registers, times a tile of dO or Q; begun and left under way.
DEVICE void add_products(float (&sums)[HEAD / 2], const u32 (&p)[CHUNKS][4], u32 queries, u32 accumulate) {
    u64 b = wgmma_descriptor(queries, QUERY_PANEL, 1024);
    wgmma_pin(sums);
    wgmma_fence();
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) wgmma_registers<1>(ELEMENT{}, sums, p[c], b + c * 16 * 128 / 16, accumulate | c);
    wgmma_commit_group();
    wgmma_pin(sums);
}

// Two warpgroups' side: 64 keys each.
struct Keys {
    Shared shared;
    Ring<STAGES> queries;
    Ring<KV_STAGES> tile;
    u32 index, thread;                                   // of the warpgroup among the two, of the thread in the warpgroup

    // S to P. A thread's accumulator i stands at key 16 warp + lane / 4 + 8 (i / 2 % 2), query 8 (i / 4) + 2 (lane % 4) + i % 2.
    DEVICE void weigh(float (&s)[QUERIES / 2], float scale) const {
        u32 lse = shared.statistics(queries.stage) + thread % 4 * 8;
#pragma unroll
        for (int i = 0; i < QUERIES / 2; i += 4) {
            float left, right;
            ld_shared(lse + i * 8, left, right);
            s[i] = ex2_approx(s[i] * scale - left), s[i + 1] = ex2_approx(s[i + 1] * scale - right);
            s[i + 2] = ex2_approx(s[i + 2] * scale - left), s[i + 3] = ex2_approx(s[i + 3] * scale - right);
        }
    }

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

    // dP to dS, and both P and dS into the form of first operands, in the registers that they had.
    DEVICE void differentiate(const float (&p)[QUERIES / 2], float (&d_p)[QUERIES / 2], u32 (&p_operand)[CHUNKS][4],
                              u32 (&d_s_operand)[CHUNKS][4]) const {
        u32 delta = shared.statistics(queries.stage) + QUERIES * 4 + thread % 4 * 8;
#pragma unroll
        for (int i = 0; i < QUERIES / 2; i += 4) {
            float left, right;
            ld_shared(delta + i * 8, left, right);
            d_p[i] = p[i] * (d_p[i] - left), d_p[i + 1] = p[i + 1] * (d_p[i + 1] - right);
            d_p[i + 2] = p[i + 2] * (d_p[i + 2] - left), d_p[i + 3] = p[i + 3] * (d_p[i + 3] - right);
#pragma unroll
            for (int j = i; j < i + 4; j += 2) {
                p_operand[j / 8][j / 2 % 4] = cvt_rn_x2<ELEMENT>(p[j], p[j + 1]);
                d_s_operand[j / 8][j / 2 % 4] = cvt_rn_x2<ELEMENT>(d_p[j], d_p[j + 1]);
            }
        }
    }

    // Hands dS, as (queries, 64 keys), to the third warpgroup.
    DEVICE void hand_over(const u32 (&d_s)[CHUNKS][4]) const {
        u32 lane = thread % 32, warp = thread / 32;
        u32 row = lane % 8 + lane / 16 * 8, column_byte = warp * 32 + lane / 8 % 2 * 16;
        u32 address = shared.d_s(queries.stage) + index * QUERY_PANEL + row * 128 + (column_byte ^ (lane % 8 * 16));
#pragma unroll
        for (int c = 0; c < CHUNKS; c++) stmatrix_x4_trans(address + c * 16 * 128, d_s[c][0], d_s[c][1], d_s[c][2], d_s[c][3]);
        fence_proxy_async();
        __syncwarp();
        if (lane == 0) mbarrier_arrive(shared.d_s_full(queries.stage));
    }

    // Adds one tile of queries to the sums, of which those of dK are still under way at the end; `first` as above.
    DEVICE void add_tile(float (&d_k)[HEAD / 2], float (&d_v)[HEAD / 2], float scale, int first, u32 accumulate) {
        u32 rows = index * 64 * 128, stage = queries.stage;
        float s[QUERIES / 2], d_p[QUERIES / 2];
        u32 p_operand[CHUNKS][4], d_s_operand[CHUNKS][4];
        mbarrier_try_wait_parity(shared.full(stage), queries.phase);
        multiply_rows(s, shared.k(tile.stage) + rows, shared.q(stage));
        wgmma_wait_group<1>();
        wgmma_pin(d_k);
        if (accumulate && thread == 0) mbarrier_arrive(shared.empty((stage + STAGES - 1) % STAGES));
        multiply_rows(d_p, shared.v(tile.stage) + rows, shared.d_o(stage));
        wgmma_wait_group<1>();
        wgmma_pin(s);
        weigh(s, scale);
        wgmma_pin(s);
        // Needed before dS is stored; here its branch also keeps the exponentials above the next wait, under the product dP.
        mbarrier_try_wait_parity(shared.d_s_empty(queries.stage), queries.phase ^ 1);
        wgmma_wait_group<0>();
        wgmma_pin(d_p);
        differentiate(s, d_p, p_operand, d_s_operand);
        if (CAUSAL && first > -64) {
            mask(p_operand, first);
            mask(d_s_operand, first);
        }
        add_products(d_v, p_operand, shared.d_o(stage), accumulate);
        hand_over(d_s_operand);
        add_products(d_k, d_s_operand, shared.q(stage), accumulate);
        wgmma_wait_group<1>();
        wgmma_pin(d_v);
        queries.advance();
    }

    // Rounds 64 rows of sums and stores them through this warpgroup's rows of V, which it has read.
    DEVICE void store(const float (&sums)[HEAD / 2], float scale, const TensorMap& map, TilePlace at, int keys) const {
        u32 lane = thread % 32, warp = thread / 32;
        u32 panel = shared.v(tile.stage) + index * 64 * 128, row_byte = (warp * 16 + lane % 16) * 128, swizzle = lane % 8 * 16;
        int row = at.column * KEYS + index * 64;
        bar_sync(1 + index, 128);
#pragma unroll
        for (int i = 0; i < HEAD / 16; i++) {
            u32 half[4];
#pragma unroll
            for (int j = 0; j < 4; j++) half[j] = cvt_rn_x2<ELEMENT>(sums[8 * i + 2 * j] * scale, sums[8 * i + 2 * j + 1] * scale);
            u32 column_byte = (i % 4 * 32 + lane / 16 * 16) ^ swizzle;
            stmatrix_x4(panel + i / 4 * KEY_PANEL + row_byte + column_byte, half[0], half[1], half[2], half[3]);
        }
        fence_proxy_async();
        bar_sync(1 + index, 128);
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
                    add_tile(d_k, d_v, scale * LOG2_E, first_seeing - j * QUERIES, accumulate);
                    accumulate = 1;
                }
            }
            wgmma_wait_group<0>();
            wgmma_pin(d_k);
            if (thread == 0) mbarrier_arrive(shared.empty((queries.stage + STAGES - 1) % STAGES));
            // Read again rather than kept, where every register is taken.
            ld_shared(shared.place(tile.stage), at.row, at.column);
            store(d_v, 1, d_v_map, at, sizes.keys);
            store(d_k, scale, d_k_map, at, sizes.keys);
            if (thread == 0) mbarrier_arrive(shared.kv_empty(tile.stage));
        }
    }
};

// The third warpgroup's side: dQ of each tile of queries in PARTS products of (64, 32), and what keeps all fed.
struct QueryGradient {
    Shared shared;
    Ring<KV_STAGES> tile;
    Ring<STAGES> gradients;
    u32 thread;

    // Columns 32 part of all 64 queries, or, where a head has 64 columns, 32 (part % 2) of queries 64 (part / 2).
    DEVICE static void multiply(float (&d_q)[16], u32 d_s, u32 k, int part) {
        int row = PANELS == 1 ? part / 2 * 64 : 0, column = PANELS == 1 ? part % 2 * 32 : part * 32;
        u64 a = wgmma_descriptor(d_s, 16, 1024) + row * 128 / 16;
        u64 b = wgmma_descriptor(k, 16, 1024) + (column / 64 * KEY_PANEL + column % 64 * 2) / 16;
        wgmma_pin(d_q);
        wgmma_fence();
#pragma unroll
        for (int step = 0; step < KEYS / 16; step++)
            wgmma<0, 1>(ELEMENT{}, d_q, a + (step / 4 * QUERY_PANEL + step % 4 * 32) / 16, b + step * 16 * 128 / 16, step);
        wgmma_commit_group();
        wgmma_wait_group<0>();
        wgmma_pin(d_q);
    }

    // A thread's four accumulators 4i to 4i + 3 are added at 4 (128 i + thread) of the part.
    DEVICE void add(const float (&d_q)[16], float* sums) const {
#pragma unroll
        for (int i = 0; i < 16; i += 4) red_global_add(sums + i * 128 + thread * 4, d_q[i], d_q[i + 1], d_q[i + 2], d_q[i + 3]);
    }

    DEVICE void run(Sizes sizes, const Sources& from, float* sums) {
        bool feeds = thread < 32 && elect_sync();
        Feeder feeder(shared, sizes);
        if (feeds) feeder.take(blockIdx.x, from);
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
                    add_tile(sums + (long long)(index + head * tiles.end) * TILE_SUMS);
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

    DEVICE void add_tile(float* to) const {
        // From lane 0 each time, so that the compiler knows them for uniform and keeps no descriptor in registers.
        u32 d_s = __shfl_sync(~0u, shared.d_s(gradients.stage), 0), k = __shfl_sync(~0u, shared.k(tile.stage), 0);
        if (DETERMINISTIC) take_turn(to);
        mbarrier_try_wait_parity(shared.d_s_full(gradients.stage), gradients.phase);
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            float d_q[16];
            multiply(d_q, d_s, k, part);
            if (part == PARTS - 1 && thread == 0) mbarrier_arrive(shared.d_s_empty(gradients.stage));
            add(d_q, to + part * PART_SUMS);
        }
    }
};

DEVICE void initialise(Shared shared) {
    for (int i = 0; i < STAGES; i++) {
        mbarrier_init(shared.full(i), 1);
        mbarrier_init(shared.empty(i), 2);
    }
    for (int i = 0; i < KV_STAGES; i++) {
        mbarrier_init(shared.kv_full(i), 1);
        mbarrier_init(shared.kv_empty(i), 3);
    }
    for (int i = 0; i < STAGES; i++) {
        mbarrier_init(shared.d_s_full(i), 8);
        mbarrier_init(shared.d_s_empty(i), 1);
    }
    st_shared_u64(shared.turn(), 0);
    fence_mbarrier_init();
}

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
        QueryGradient{shared, {}, {}, threadIdx.x % 128}.run(sizes, from, d_q_sums);
    } else {
        setmaxnreg_inc<224>();
        Keys{shared, {}, {}, warpgroup - 1, threadIdx.x % 128}.run(sizes, scale, d_k_map, d_v_map);
    }
}
