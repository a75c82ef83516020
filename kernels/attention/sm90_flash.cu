// O = softmax(scale Q Kᵀ) V and LSE on Hopper's tensor cores, with no score in memory. Q and O (B, H, N, d), K and V (B, Hk, Nk, d),
// LSE (B, H, N) in f32, natural; query head h reads key head h Hk / H. CAUSAL: query i sees keys up to i + Nk - N.
//
// Mapping. A persistent block takes tiles of 64 CONSUMERS queries of a head in turn; each consumer warpgroup keeps 64 rows of scores and
// of O in registers. One thread streams keys and values, TILE_N a stage, through two rings by the copy engine, from the last visible
// block back to the first, so that masks are met first; it also draws the next tile from a counter, so that no block waits for another.
// A consumer's blocks form one stream through all of its tiles: the scores of the next block are computed beside the product P V of this
// one, and the softmax of the next runs under that product, also where the next block belongs to the next tile.
// Scores stay in units of Q Kᵀ; exponentials are 2^(s scale log2(e) - max), one FMA and one ex2 an element.
// The row maximum that they are taken from is replaced only when a score passes it by SLACK powers of two, which spares most
// rescalings of O: sums are in f32 and P rounds relative to its own size, so that only P's largest value depends on it.
//
// Work: 4 N Nk d flops a head, half if causal, against N Nk ex2: at d = 128 tensor cores take 2 clocks for what 16 lanes of ex2 take 1,
// at d = 64 both take the same.
//
// Launch. block (128 (1 + CONSUMERS)), grid (min(tiles, SMs)), tiles = ceil(N / (64 CONSUMERS)) B H; no cluster.
// Dynamic shared memory: CONSUMERS D 128 (1 + min(1, 128 / D)) + STAGES TILE_N D 4 + 256 bytes.
// Maps, all in the 128-byte swizzle, L2 promotion 256 B, dims innermost first, of ELEMENT; d a multiple of 8 and at most D:
//   q, o: dims (d, N, B H), box (64, 64, 1); k, v: dims (d, Nk, B Hk), box (64, TILE_N, 1)
// Arguments: q, k, v, o maps; LSE; B H; H / Hk; N; Nk; scale log2(e); heads a band of the tile order.
// The counter is a variable of the module: every launch leaves it at 0, and two launches at once would share it.
// Macros (default): ELEMENT (Bf16; Fp16), D (128; 64, 256), TILE_N (128), CONSUMERS (2; 3), STAGES (2), CAUSAL (0);
//   and SLACK of softmax.h.
#include "attention/softmax.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef D
#define D 128
#endif
#ifndef TILE_N
#define TILE_N 128
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef STAGES
#define STAGES 2
#endif
#ifndef CAUSAL
#define CAUSAL 0
#endif

constexpr int TILE_M = 64 * CONSUMERS, THREADS = 128 * (1 + CONSUMERS);
constexpr int PANELS = D / 64;                           // 128-byte columns that a tile is laid out in
constexpr int O_PANELS = PANELS < 2 ? PANELS : 2;        // of a warpgroup's O that leave at once
constexpr u32 Q_PANEL = 64 * 128, KV_PANEL = TILE_N * 128;
constexpr u32 Q_BYTES = PANELS * Q_PANEL, KV_BYTES = PANELS * KV_PANEL;    // a warpgroup's queries; a block of keys or values
constexpr int SCORES = TILE_N / 2, OUTPUTS = D / 2;      // a thread's accumulators for 64 rows
constexpr int STEPS = TILE_N / 16;                       // wgmma steps of P V

static_assert(8 * (2 * CONSUMERS + 4 * STAGES) + 16 * CONSUMERS <= 256, "barriers and tiles have 256 bytes");

struct Shape { int heads, group, n, nk, band; float scale; };

// Shared memory by address: queries, output, keys, values, barriers, tiles. What belongs to a warpgroup goes by its index.
struct Shared {
    u32 base;
    DEVICE u32 q(u32 consumer) const { return base + consumer * Q_BYTES; }
    DEVICE u32 o(u32 consumer) const { return q(CONSUMERS) + consumer * O_PANELS * Q_PANEL; }
    DEVICE u32 k(u32 stage) const { return o(CONSUMERS) + stage * KV_BYTES; }
    DEVICE u32 v(u32 stage) const { return k(STAGES + stage); }
    DEVICE u32 barrier(u32 i) const { return k(2 * STAGES) + 8 * i; }
    DEVICE u32 k_full(u32 stage) const { return barrier(stage); }
    DEVICE u32 k_empty(u32 stage) const { return barrier(STAGES + stage); }
    DEVICE u32 v_full(u32 stage) const { return barrier(2 * STAGES + stage); }
    DEVICE u32 v_empty(u32 stage) const { return barrier(3 * STAGES + stage); }
    DEVICE u32 q_full(u32 consumer) const { return barrier(4 * STAGES + consumer); }
    DEVICE u32 q_empty(u32 consumer) const { return q_full(CONSUMERS + consumer); }
    DEVICE u32 tile(u32 consumer) const { return q_full(2 * CONSUMERS) + 16 * consumer; }
};

// How many keys query `row` sees; they are the first ones.
DEVICE int visible_keys(Shape s, int row) { return CAUSAL ? min_int(s.nk, row + 1 + s.nk - s.n) : s.nk; }

// Tiles: within a band of heads, whose keys and values L2 can hold, the longest first.

// Its first query, and how many blocks of keys it reads: at least one, wholly masked where it sees none. No blocks: no tile.
struct Tile { int head, row, blocks; };

constexpr Tile NO_TILE{0, 0, 0};

// How many blocks of keys are read for a query, or for the last one if there is none so late.
DEVICE int blocks_seen(Shape s, int row) {
    int keys = visible_keys(s, min_int(row, s.n - 1));
    return keys > 0 ? (keys + TILE_N - 1) / TILE_N : 1;
}

DEVICE int tile_rows(Shape s) { return ceil_div(s.n, TILE_M); }

DEVICE Tile tile_at(Shape s, int index) {
    TilePlace place = tile_in_bands(index, s.heads, tile_rows(s), s.band);
    int row = (tile_rows(s) - 1 - place.column) * TILE_M;
    return {place.row, row, blocks_seen(s, row + TILE_M - 1)};
}

__device__ u32 tiles_drawn;

// The next tile of nobody yet. Each block draws until it gets none, so `tiles` draws a launch, the last of which wraps to 0.
DEVICE int draw_tile(int tiles) { return atomicInc(&tiles_drawn, tiles - 1) + gridDim.x; }

// Producer.

struct Producer {
    Shared shared;
    Shape shape;
    Ring<1> queries;
    Ring<STAGES> keys, values;

    // Tells a consumer which tile is next, and brings in its queries if there is one.
    DEVICE void pass_tile(const TensorMap& q_map, u32 consumer, Tile tile) const {
        u32 full = shared.q_full(consumer), to = shared.q(consumer), slot = shared.tile(consumer);
        mbarrier_try_wait_parity(shared.q_empty(consumer), queries.phase ^ 1);
        st_shared(slot, tile.head);
        st_shared(slot + 4, tile.row);
        st_shared(slot + 8, tile.blocks);
        mbarrier_arrive_expect_tx(full, tile.blocks ? Q_BYTES : 0);
        for (int panel = 0; panel < PANELS && tile.blocks; panel++)
            cp_async_bulk_tensor_3d(to + panel * Q_PANEL, q_map, full, panel * 64, tile.row + consumer * 64, tile.head);
    }

    DEVICE void fetch_block(const TensorMap& map, Ring<STAGES>& ring, u32 to, u32 full, u32 empty, int block, int head) const {
        mbarrier_try_wait_parity(empty, ring.phase ^ 1);
        mbarrier_arrive_expect_tx(full, KV_BYTES);
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++)
            cp_async_bulk_tensor_3d(to + panel * KV_PANEL, map, full, panel * 64, block * TILE_N, head);
        ring.advance();
    }
    DEVICE void fetch_keys(const TensorMap& map, int block, int head) {
        u32 stage = keys.stage;
        fetch_block(map, keys, shared.k(stage), shared.k_full(stage), shared.k_empty(stage), block, head);
    }
    DEVICE void fetch_values(const TensorMap& map, int block, int head) {
        u32 stage = values.stage;
        fetch_block(map, values, shared.v(stage), shared.v_full(stage), shared.v_empty(stage), block, head);
    }

    // Keys go one block ahead of values, as the consumers use them; those of a tile's first block find room before its queries do.
    DEVICE void run(const TensorMap& q_map, const TensorMap& k_map, const TensorMap& v_map) {
        int tiles = tile_rows(shape) * shape.heads, index = blockIdx.x;
        while (index < tiles) {
            Tile tile = tile_at(shape, index);
            int head = tile.head / shape.group;
            index = draw_tile(tiles);                    // arrives while this tile is streamed
            fetch_keys(k_map, tile.blocks - 1, head);
            for (u32 consumer = 0; consumer < CONSUMERS; consumer++) pass_tile(q_map, consumer, tile);
            queries.advance();
#pragma unroll 1
            for (int block = tile.blocks - 1; block >= 0; block--) {
                if (block > 0) fetch_keys(k_map, block - 1, head);
                fetch_values(v_map, block, head);
            }
        }
        for (u32 consumer = 0; consumer < CONSUMERS; consumer++) pass_tile(q_map, consumer, NO_TILE);
    }
};

// Consumer.

// A thread's part of what a warpgroup computes: scores, O, weights, and its rows' sums.
struct Sums {
    float s[SCORES], o[OUTPUTS];
    u32 p[STEPS][4];
    Rows rows;
};

// What a warpgroup holds of the pipeline.
struct Consumer {
    Shared shared;
    Shape shape;
    const TensorMap& o_map;
    float* lse;
    u32 index, thread;                                   // of the warpgroup among the consumers, of the thread in the warpgroup
    Ring<1> queries;
    Ring<STAGES> keys, values;
    Tile tile;                                           // with this warpgroup's own first row
    int block;                                           // of the tile: the latest whose scores were begun
    int skipped;                                         // blocks at the tile's end that only later warpgroups see

    DEVICE void release(u32 barrier) const {
        if (thread == 0) mbarrier_arrive(barrier);
    }
    DEVICE void await_keys() const { mbarrier_try_wait_parity(shared.k_full(keys.stage), keys.phase); }
    DEVICE void await_values(Ring<STAGES> at) const { mbarrier_try_wait_parity(shared.v_full(at.stage), at.phase); }

    // Waits for the next tile with its queries; whether there is one. The shuffles and the vote tell the compiler that the whole warp
    // agrees, without which it takes every branch and descriptor that follows for a thread's own: 44 R2UR a block.
    DEVICE bool next_tile() {
        mbarrier_try_wait_parity(shared.q_full(index), queries.phase);
        u32 slot = shared.tile(index);
        tile.head = __shfl_sync(~0u, ld_shared(slot), 0);
        tile.row = __shfl_sync(~0u, ld_shared(slot + 4), 0) + index * 64;
        tile.blocks = __shfl_sync(~0u, ld_shared(slot + 8), 0);
        if (!__any_sync(~0u, tile.blocks)) return false;
        int own = CAUSAL ? blocks_seen(shape, tile.row + 63) : tile.blocks;
        skipped = tile.blocks - own;
        block = own - 1;
        for (int i = 0; i < skipped; i++) {
            await_keys();
            release(shared.k_empty(keys.stage));
            keys.advance();
        }
        return true;
    }

    // Hands back the values of skipped blocks, of which the first are there; waits for those of the tile's first own block.
    DEVICE void skip_values() {
        for (; skipped > 0; skipped--) {
            release(shared.v_empty(values.stage));
            values.advance();
            await_values(values);
        }
    }

    // Of 64.
    DEVICE int thread_row() const { return thread / 32 * 16 + thread % 32 / 4; }

    // Starts s = Q Kᵀ of the next block.
    DEVICE void multiply_keys(float (&s)[SCORES]) const {
        u64 q = wgmma_descriptor(shared.q(index), 16, 1024);
        u64 k = wgmma_descriptor(shared.k(0), 16, 1024) + keys.stage * (KV_BYTES / 16);
#pragma unroll
        for (int step = 0; step < D / 16; step++)
            wgmma<0, 0>(ELEMENT{}, s, q + (step / 4 * Q_PANEL + step % 4 * 32) / 16, k + (step / 4 * KV_PANEL + step % 4 * 32) / 16, step);
        wgmma_commit_group();
    }

    // Starts o += P V, or o = P V unless `accumulate`.
    DEVICE void multiply_values(float (&o)[OUTPUTS], const u32 (&p)[STEPS][4], u32 accumulate) const {
        u64 v = wgmma_descriptor(shared.v(0), KV_PANEL, 1024) + values.stage * (KV_BYTES / 16);
#pragma unroll
        for (int step = 0; step < STEPS; step++) wgmma_registers<1>(ELEMENT{}, o, p[step], v + step * 128, accumulate | step);
        wgmma_commit_group();
    }

    // With the scores there, hands back their keys, and the queries after the last block.
    DEVICE void release_scores() {
        release(shared.k_empty(keys.stage));
        keys.advance();
        if (block > 0) return;
        release(shared.q_empty(index));
        queries.advance();
    }

    // The first part of a softmax: masks scores where some row of the warpgroup does not see the whole block, and sums exponentials.
    DEVICE bool weigh(float (&s)[SCORES], Rows& rows, float (&shrink)[2]) const {
        if (visible_keys(shape, tile.row) < (block + 1) * TILE_N) {
            int first = block * TILE_N + 2 * (thread % 4), mine = tile.row + thread_row();
            int visible[2] = {visible_keys(shape, mine) - first, visible_keys(shape, mine + 8) - first};
            mask(s, visible);
        }
        bool grew = raise_max(s, rows, shrink, shape.scale);
        exponentiate(s, rows, shape.scale);
        return grew;
    }

    DEVICE void store(float (&o)[OUTPUTS], const Rows& rows, Tile done) const;
    DEVICE void first_step(Sums& sums);
    template <bool NEW_TILE> DEVICE void step(Sums& sums, u32 accumulate, Tile done);
    DEVICE void last_step(Sums& sums, u32 accumulate, Tile done);
    DEVICE void run();
};

// Divides by the sums and stores 64 rows through shared memory; what lies beyond N or d is clipped by the map.
DEVICE void Consumer::store(float (&o)[OUTPUTS], const Rows& rows, Tile done) const {
    int mine = done.row + thread_row();
    u32 lane = thread % 32;
    float factor[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float sum = sum_across<4>(rows.sum[h]);
        bool sees = rows.max[h] > -INFINITY;
        factor[h] = sees ? rcp_approx(sum) : 0;
        float exponent = sees ? rows.max[h] * shape.scale + lg2_approx(sum) : -INFINITY;
        if (lane % 4 == 0 && mine + 8 * h < shape.n) lse[(long long)done.head * shape.n + mine + 8 * h] = exponent * 0.693147181f;
    }
    scale_rows(o, factor);
    u32 row_byte = (thread / 32 * 16 + lane % 16) * 128, column_byte = lane / 16 * 16, swizzle = (lane & 7) << 4;
#pragma unroll
    for (int panel = 0; panel < PANELS; panel += O_PANELS) {
        if (thread == 0) cp_async_bulk_wait_group_read<0>();
        bar_sync(1 + index, 128);
#pragma unroll
        for (int i = 0; i < O_PANELS * 4; i++) {
            const float* d = o + panel * 32 + i * 8;
            stmatrix_x4(shared.o(index) + i / 4 * Q_PANEL + row_byte + ((i % 4 * 32 + column_byte) ^ swizzle), cvt_rn_x2<ELEMENT>(d[0], d[1]),
                        cvt_rn_x2<ELEMENT>(d[2], d[3]), cvt_rn_x2<ELEMENT>(d[4], d[5]), cvt_rn_x2<ELEMENT>(d[6], d[7]));
        }
        fence_proxy_async();
        bar_sync(1 + index, 128);
        if (thread == 0) {
            for (int i = 0; i < O_PANELS && done.row < shape.n; i++)
                cp_async_bulk_tensor_3d_store(o_map, (panel + i) * 64, done.row, done.head, shared.o(index) + i * Q_PANEL);
            cp_async_bulk_commit_group();
        }
    }
}

// The weights of the very first block.
DEVICE void Consumer::first_step(Sums& sums) {
    auto& [s, o, p, rows] = sums;
    float shrink[2];
    await_keys();
    wgmma_pin(s);
    wgmma_fence();
    multiply_keys(s);
    wgmma_wait_group<0>();
    wgmma_pin(s);
    release_scores();
    rows = NO_ROWS;
    weigh(s, rows, shrink);
    round_weights<ELEMENT>(s, p);
    await_values(values);
    skip_values();
}

// The product of the very last block.
DEVICE void Consumer::last_step(Sums& sums, u32 accumulate, Tile done) {
    auto& [s, o, p, rows] = sums;
    wgmma_pin(o);
    wgmma_fence();
    multiply_values(o, p, accumulate);
    wgmma_wait_group<0>();
    wgmma_pin(o);
    store(o, rows, done);
    if (thread == 0) cp_async_bulk_wait_group_read<0>();
}

// From a block's weights P to the next block's, with the product P V under way meanwhile. With NEW_TILE the next block is the first of
// another tile, so that O is that of `done`, complete, and leaves.
template <bool NEW_TILE> DEVICE void Consumer::step(Sums& sums, u32 accumulate, Tile done) {
    auto& [s, o, p, rows] = sums;
    float shrink[2];
    await_keys();
    wgmma_pin(o);
    wgmma_pin(s);
    wgmma_fence();
    multiply_keys(s);
    multiply_values(o, p, accumulate);
    wgmma_wait_group<1>();
    wgmma_pin(s);
    release_scores();
    Rows finished = rows;
    if (NEW_TILE) rows = NO_ROWS;
    bool grew = weigh(s, rows, shrink);
    wgmma_pin(s);
    // A wait of its own kind, which the compiler lifts no later wait above: the exponentials stay under the product.
    Ring<STAGES> ahead = values;
    ahead.advance();
    await_values(ahead);
    wgmma_wait_group<0>();
    wgmma_pin(o);
    release(shared.v_empty(values.stage));
    values = ahead;
    if (NEW_TILE) {
        skip_values();
        store(o, finished, done);
    } else if (grew) scale_rows(o, shrink);
    round_weights<ELEMENT>(s, p);
}

// All of this warpgroup's blocks, as one stream.
DEVICE void Consumer::run() {
    Sums sums;
    if (!next_tile()) return;
    first_step(sums);
    for (;;) {
        u32 accumulate = 0;
#pragma unroll 1
        for (; block > 0; accumulate = 1) {
            block--;
            step<false>(sums, accumulate, tile);
        }
        Tile done = tile;
        if (!next_tile()) {
            last_step(sums, accumulate, done);
            return;
        }
        step<true>(sums, accumulate, done);
    }
}

extern "C" __global__ __launch_bounds__(THREADS, 1)
void attention_sm90_flash(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap k_map,
                          const __grid_constant__ TensorMap v_map, const __grid_constant__ TensorMap o_map, float* lse, int heads, int group,
                          int n, int nk, float scale, int band) {
    extern __shared__ __align__(1024) unsigned char memory[];
    Shared shared{cvta_shared(memory)};
    Shape shape{heads, group, n, nk, band, scale};
    u32 warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);

    if (threadIdx.x == 0) {
        for (int i = 0; i < CONSUMERS; i++) {
            mbarrier_init(shared.q_full(i), 1);
            mbarrier_init(shared.q_empty(i), 1);
        }
        for (int i = 0; i < STAGES; i++) {
            mbarrier_init(shared.k_full(i), 1);
            mbarrier_init(shared.k_empty(i), CONSUMERS);
            mbarrier_init(shared.v_full(i), 1);
            mbarrier_init(shared.v_empty(i), CONSUMERS);
        }
        fence_mbarrier_init();
    }
    __syncthreads();

    if (warpgroup == 0) {
        if constexpr (CONSUMERS == 2) setmaxnreg_dec<24>();
        if constexpr (CONSUMERS == 3) setmaxnreg_dec<32>();
        if (threadIdx.x < 32 && elect_sync()) Producer{shared, shape}.run(q_map, k_map, v_map);
    } else {
        if constexpr (CONSUMERS == 2) setmaxnreg_inc<240>();
        if constexpr (CONSUMERS == 3) setmaxnreg_inc<160>();
        Consumer consumer{shared, shape, o_map, lse, warpgroup - 1, threadIdx.x % 128};
        consumer.run();
    }
}
