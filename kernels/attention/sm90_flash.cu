// O = softmax(scale Q Kᵀ) V and LSE on Hopper's tensor cores, with no score in memory. Q and O (B, H, N, d), K and V (B, Hk, Nk, d),
// LSE (B, H, N) in f32, natural; query head h reads key head h Hk / H. CAUSAL: query i sees keys up to i + Nk - N.
//
// Mapping. A persistent block takes tiles of 64 CONSUMERS queries of a head in turn; each consumer warpgroup keeps 64 rows of scores and
// of O in registers, with HELD_QUERIES their queries as well. One thread streams keys and values, TILE_N a stage, through two rings by the
// copy engine, from the last visible block back to the first, so that masks are met first; it also draws the next tile from a counter, so
// that no block waits for another.
// A consumer's blocks form one stream through all of its tiles: the scores of the next block are computed beside the product P V of this
// one, and the softmax of the next runs under that product, also where the next block belongs to the next tile.
// Scores stay in units of Q Kᵀ; exponentials are 2^(s scale log2(e) - max), one FMA and one ex2 an element.
// The maxima that they are taken from are those of the tile's first block, and later ones are not looked for: a score above them only
// makes a weight above 1, and P rounds relative to its own size. Where a sum leaves the range of P's type, as a score far above the
// maximum makes it, the warp computes the block's scores a second time and finds the new maxima (sm90_scores.h).
//
// Work: 4 N Nk d flops a head, half if causal, against N Nk ex2: at d = 128 tensor cores take 2 clocks for what 16 lanes of ex2 take 1,
// at d = 64 both take the same.
//
// Launch. block (128 (1 + CONSUMERS)), grid (min(tiles, SMs)), tiles = ceil(N / (64 CONSUMERS)) B H; no cluster.
// Dynamic shared memory: CONSUMERS D 128 (Q_STAGES + min(1, 128 / D)) + STAGES TILE_N D 4 + 256 Q_STAGES bytes.
// Maps, all in the 128-byte swizzle, L2 promotion 256 B, dims innermost first, of ELEMENT; d a multiple of 8 and at most D:
//   q, o: dims (d, N, B H), box (64, 64, 1); k, v: dims (d, Nk, B Hk), box (64, TILE_N, 1)
// Arguments: q, k, v, o maps; LSE; B H; H / Hk; N; Nk; scale log2(e); heads a band of the tile order.
// The counter is a variable of the module: every launch leaves it at 0, and two launches at once would share it.
// Macros: those of sm90_scores.h and of softmax.h.
#include "attention/sm90_scores.h"
#include "attention/softmax.h"

constexpr int SCORES = TILE_N / 2, OUTPUTS = D / 2;      // a thread's accumulators for 64 rows
constexpr int STEPS = TILE_N / 16;                       // wgmma steps of P V

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
    Ring<Q_STAGES> queries;
    Ring<STAGES> keys, values;
    Tile tile;                                           // with this warpgroup's own first row
    HeldQueries held;
    int block;                                           // of the tile: the latest whose scores were begun
    int skipped;                                         // blocks at the tile's end that only later warpgroups see

    DEVICE void release(u32 barrier) const {
        if (thread == 0) mbarrier_arrive(barrier);
    }
    DEVICE u32 queries_place() const { return queries.stage * CONSUMERS + index; }
    // The place of the tile and its queries, by each thread for itself: all read the place, which no product waits for.
    DEVICE void release_tile() {
        mbarrier_arrive(shared.q_empty(queries_place()));
        queries.advance();
    }
    // By each warp for itself, since only it knows that it will not read them again.
    DEVICE void release_keys() {
        __syncwarp();
        if (thread % 32 == 0) mbarrier_arrive(shared.k_empty(keys.stage));
        keys.advance();
    }
    DEVICE void await_keys() const { mbarrier_try_wait_parity(shared.k_full(keys.stage), keys.phase); }
    DEVICE void await_values(Ring<STAGES> at) const { mbarrier_try_wait_parity(shared.v_full(at.stage), at.phase); }

    // Waits for the next tile with its queries; whether there is one. The shuffles and the vote tell the compiler that the whole warp
    // agrees, without which it takes every branch and descriptor that follows for a thread's own: 44 R2UR a block.
    DEVICE bool next_tile() {
        u32 at = queries_place(), slot = shared.tile(at);
        mbarrier_try_wait_parity(shared.q_full(at), queries.phase);
        tile.head = __shfl_sync(~0u, ld_shared(slot), 0);
        tile.row = __shfl_sync(~0u, ld_shared(slot + 4), 0) + index * 64;
        tile.blocks = __shfl_sync(~0u, ld_shared(slot + 8), 0);
        if (!__any_sync(~0u, tile.blocks)) return false;
        if constexpr (HELD_QUERIES) {
            held.hold(shared.q(at), thread);
            release_tile();
        }
        int own = CAUSAL ? blocks_seen(shape, tile.row + 63) : tile.blocks;
        skipped = tile.blocks - own;
        block = own - 1;
        for (int i = 0; i < skipped; i++) {
            await_keys();
            release_keys();
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
        u64 q = wgmma_descriptor(shared.q(index), 16, 1024) + queries.stage * (CONSUMERS * Q_BYTES / 16);
        u64 k = wgmma_descriptor(shared.k(0), 16, 1024) + keys.stage * (KV_BYTES / 16);
        multiply_queries(s, held, q, k);
    }

    // Starts o += P V, or o = P V unless `accumulate`.
    DEVICE void multiply_values(float (&o)[OUTPUTS], const u32 (&p)[STEPS][4], u32 accumulate) const {
        u64 v = wgmma_descriptor(shared.v(0), KV_PANEL, 1024) + values.stage * (KV_BYTES / 16);
#pragma unroll
        for (int step = 0; step < STEPS; step++) wgmma_registers<1>(ELEMENT{}, o, p[step], v + step * 128, accumulate | step);
        wgmma_commit_group();
    }

    // With the scores there, hands back their keys, and after the last block queries that are still read.
    DEVICE void release_scores() {
        release_keys();
        if (!HELD_QUERIES && block == 0) release_tile();
    }

    // Masks scores where some row of the warpgroup does not see the whole block.
    DEVICE void hide(float (&s)[SCORES]) const {
        if (visible_keys(shape, tile.row) >= (block + 1) * TILE_N) return;
        int first = block * TILE_N + 2 * (thread % 4), mine = tile.row + thread_row();
        int visible[2] = {visible_keys(shape, mine) - first, visible_keys(shape, mine + 8) - first};
        mask(s, visible);
    }

    // The first part of a softmax: masks scores where some row of the warpgroup does not see the whole block, and sums exponentials: where rows
    // have maxima, by these as they are, so that none has to be found before the first exponential. FIRST: of a tile. Whether O must shrink.
    template <bool FIRST> DEVICE bool weigh(float (&s)[SCORES], Rows& rows, float (&shrink)[2]) {
        bool by_old = !FIRST && has_maxima(rows);
        if (FIRST) rows = NO_ROWS;
        if (!by_old) release_scores();
        hide(s);
        if (by_old) {
            float sum[2][2] = {};
            exponentiate_by_old(s, rows, shape.scale, sum);
            bool done = add_sums(rows, sum, most_sum(ELEMENT{}));
            if (!done) multiply_again(s, held, shared.q(queries_place()), shared.k(keys.stage), thread / 32);
            release_scores();
            if (done) return false;
            hide(s);
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
        bool sees = rows.max[h] > -INFINITE;
        factor[h] = sees ? rcp_approx(sum) : 0;
        float exponent = sees ? rows.max[h] * shape.scale + lg2_approx(sum) : -INFINITE;
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
    weigh<true>(s, rows, shrink);
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
    Rows finished = rows;
    bool grew = weigh<NEW_TILE>(s, rows, shrink);
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

    if (threadIdx.x == 0) shared.initialise();
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
