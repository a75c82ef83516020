// O = softmax(scale Q Kᵀ) V and LSE on Hopper's tensor cores in 8 bits: as sm90_flash.cu, with the scores of two blocks in registers.
// Q (B, H, N, d) and K (B, Hk, Nk, d) e4m3, V as fp8_transpose.cu makes it, (B, Hk, d, keys in whole blocks), with a scale each;
// O (B, H, N, d) bf16, LSE (B, H, N) f32, natural. CAUSAL: query i sees keys up to i + Nk - N.
// (J. Shah et al., FlashAttention-3, 2024, section 3.3, of which this takes the order of keys in V.)
//
// Mapping. As sm90_flash.cu: one thread streams, each of two warpgroups keeps 64 queries. While a warpgroup turns one block's scores into
// weights, its next block's scores and the product P V of the block before are computed, so that it never waits for a product that was
// not under way during a whole softmax. Weights of 8 bits take a quarter of the registers of their scores, which is what makes room.
// A tile ends with its last product waited for: nothing of the next tile but its loads runs beside that.
//
// Work: 4 N Nk d flops a head, half if causal, against N Nk ex2: a block of 128 keys takes two warpgroups 1024 clocks of the tensor cores
// and as many of the units that compute ex2. Tensor cores keep sums of 14 bits, and so O 0.1 % too small after 16384 keys.
//
// Launch. block (384), grid (min(tiles, SMs)), tiles = ceil(N / 128) B H; no cluster.
// Dynamic shared memory: 49152 + STAGES 32768 + 256 bytes.
// Maps, all in the 128-byte swizzle, L2 promotion 256 B, dims innermost first; d a multiple of 16 and at most 128:
//   q: bytes, dims (d, N, B H), box (128, 64, 1); k: bytes, dims (d, Nk, B Hk), box (128, 128, 1);
//   v: bytes, dims (keys in whole blocks, d, B Hk), box (128, 128, 1); o: bf16, dims (d, N, B H), box (64, 64, 1)
// Arguments: q, k, v, o maps; LSE; the scales of Q, K and V, f32; B H; H / Hk; N; Nk; scale log2(e); heads a band of the tile order.
// Macros (default): those of sm90_stream.h, with ELEMENT E4m3, D 128, TILE_N 128 and CONSUMERS 2, and of softmax.h, with SLACK + RAISE
//   at most 8, so that no weight exceeds 448.
#include "attention/softmax.h"
#include "attention/sm90_stream.h"

static_assert(TRANSPOSED_VALUES && CONSUMERS == 2 && SLACK + RAISE <= 8, "what this kernel is written for");

constexpr int SCORES = TILE_N / 2, OUTPUTS = D / 2;      // a thread's accumulators for 64 rows
constexpr int STEPS = 4;                                 // of 32 bytes in a row of 128: wgmma steps of either product

// A thread's part of what a warpgroup computes: O, weights, and its rows' sums.
struct Sums {
    float o[OUTPUTS];
    u32 p[STEPS][4];
    Rows rows;
};

// What a warpgroup holds of the pipeline.
struct Consumer {
    Shared shared;
    Shape shape;
    const TensorMap& o_map;
    float* lse;
    float value_scale;
    u32 index, thread;                                   // of the warpgroup among the consumers, of the thread in the warpgroup
    Ring<1> queries;
    Ring<STAGES> keys, values;
    Tile tile;                                           // with this warpgroup's own first row

    DEVICE void release(u32 barrier) const {
        if (thread == 0) mbarrier_arrive(barrier);
    }
    // The place of the tile and its queries, by each thread for itself: all read the place, which no product waits for.
    DEVICE void release_tile() const { mbarrier_arrive(shared.q_empty(index)); }
    DEVICE void await_keys() const { mbarrier_try_wait_parity(shared.k_full(keys.stage), keys.phase); }
    DEVICE void await_values() const { mbarrier_try_wait_parity(shared.v_full(values.stage), values.phase); }

    // Waits for the next tile with its queries; whether there is one. The shuffles and the vote tell the compiler that the whole warp
    // agrees.
    DEVICE bool next_tile() {
        mbarrier_try_wait_parity(shared.q_full(index), queries.phase);
        u32 slot = shared.tile(index);
        tile.head = __shfl_sync(~0u, ld_shared(slot), 0);
        tile.row = __shfl_sync(~0u, ld_shared(slot + 4), 0) + index * 64;
        tile.blocks = __shfl_sync(~0u, ld_shared(slot + 8), 0);
        return __any_sync(~0u, tile.blocks);
    }

    // Of 64.
    DEVICE int thread_row() const { return thread / 32 * 16 + thread % 32 / 4; }

    // Starts s = Q Kᵀ of the next block.
    DEVICE void multiply_keys(float (&s)[SCORES]) const {
        u64 q = wgmma_descriptor(shared.q(index), 16, 1024);
        u64 k = wgmma_descriptor(shared.k(0), 16, 1024) + keys.stage * (KV_BYTES / 16);
#pragma unroll
        for (int step = 0; step < STEPS; step++) wgmma<0, 0>(ELEMENT{}, s, q + step * 2, k + step * 2, step);
        wgmma_commit_group();
    }

    // Starts o += P V, or o = P V unless `accumulate`.
    DEVICE void multiply_values(float (&o)[OUTPUTS], const u32 (&p)[STEPS][4], u32 accumulate) const {
        u64 v = wgmma_descriptor(shared.v(0), 16, 1024) + values.stage * (KV_BYTES / 16);
#pragma unroll
        for (int step = 0; step < STEPS; step++) wgmma_registers<0>(ELEMENT{}, o, p[step], v + step * 2, accumulate | step);
        wgmma_commit_group();
    }

    // The first part of a softmax: masks scores where some row of the warpgroup does not see the whole block, and sums exponentials.
    DEVICE bool weigh(float (&s)[SCORES], Rows& rows, float (&shrink)[2], int block) const {
        if (visible_keys(shape, tile.row) < (block + 1) * TILE_N) {
            int first = block * TILE_N + 2 * (thread % 4), mine = tile.row + thread_row();
            int visible[2] = {visible_keys(shape, mine) - first, visible_keys(shape, mine + 8) - first};
            mask(s, visible);
        }
        bool grew = raise_max(s, rows, shrink, shape.scale);
        exponentiate(s, rows, shape.scale);
        return grew;
    }

    template <bool FIRST, bool LAST> DEVICE void step(float (&s)[SCORES], float (&next)[SCORES], Sums& sums, int block, u32 accumulate);
    DEVICE void first_scores(float (&s)[SCORES]);
    DEVICE void last_product(Sums& sums, u32 accumulate);
    DEVICE void store(float (&o)[OUTPUTS], const Rows& rows);
    DEVICE void run();
};

// The scores of a tile's first block.
DEVICE void Consumer::first_scores(float (&s)[SCORES]) {
    await_keys();
    wgmma_pin(s);
    wgmma_fence();
    multiply_keys(s);
    wgmma_wait_group<0>();
    wgmma_pin(s);
    release(shared.k_empty(keys.stage));
    keys.advance();
}

// From a block's scores to its weights, with the scores of the `next` block, unless it is the LAST, and the product of the block before,
// unless it is the FIRST, under way meanwhile.
template <bool FIRST, bool LAST>
DEVICE void Consumer::step(float (&s)[SCORES], float (&next)[SCORES], Sums& sums, int block, u32 accumulate) {
    auto& [o, p, rows] = sums;
    float shrink[2];
    if (!LAST) await_keys();
    if (!FIRST) wgmma_pin(o);
    if (!LAST) wgmma_pin(next);
    wgmma_fence();
    if (!LAST) multiply_keys(next);
    if (!FIRST) multiply_values(o, p, accumulate);
    bool grew = weigh(s, rows, shrink, block);
    wgmma_pin(s);
    // Of the values that this block's weights meet: a branch, which the compiler lifts no wait above.
    Ring<STAGES> at = values;
    if (!FIRST) at.advance();
    mbarrier_try_wait_parity(shared.v_full(at.stage), at.phase);
    // Beside the old weights, which the product still reads.
    u32 weights[STEPS][4];
    round_weights<ELEMENT>(s, weights);
    wgmma_wait_group<0>();
    if (!LAST) {
        wgmma_pin(next);
        release(shared.k_empty(keys.stage));
        keys.advance();
    }
    if (!FIRST) {
        wgmma_pin(o);
        release(shared.v_empty(values.stage));
        if (grew) scale_rows(o, shrink);
    }
    values = at;
#pragma unroll
    for (int i = 0; i < STEPS; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) p[i][j] = weights[i][j];
}

// The product of a tile's last block.
DEVICE void Consumer::last_product(Sums& sums, u32 accumulate) {
    wgmma_pin(sums.o);
    wgmma_fence();
    multiply_values(sums.o, sums.p, accumulate);
    wgmma_wait_group<0>();
    wgmma_pin(sums.o);
    release(shared.v_empty(values.stage));
    values.advance();
}

// Divides by the sums and stores 64 rows through shared memory; what lies beyond N or d is clipped by the map.
DEVICE void Consumer::store(float (&o)[OUTPUTS], const Rows& rows) {
    int mine = tile.row + thread_row();
    u32 lane = thread % 32;
    float factor[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float sum = sum_across<4>(rows.sum[h]);
        bool sees = rows.max[h] > -INFINITE;
        factor[h] = sees ? rcp_approx(sum) * value_scale : 0;
        float exponent = sees ? rows.max[h] * shape.scale + lg2_approx(sum) - RAISE : -INFINITE;
        if (lane % 4 == 0 && mine + 8 * h < shape.n) lse[(long long)tile.head * shape.n + mine + 8 * h] = exponent * 0.693147181f;
    }
    scale_rows(o, factor);
    u32 row_byte = (thread / 32 * 16 + lane % 16) * 128, column_byte = lane / 16 * 16, swizzle = (lane & 7) << 4;
    if (thread == 0) cp_async_bulk_wait_group_read<0>();
    bar_sync(1 + index, 128);
#pragma unroll
    for (int i = 0; i < D / 16; i++) {
        const float* d = o + i * 8;
        stmatrix_x4(shared.o(index) + i / 4 * Q_PANEL + row_byte + ((i % 4 * 32 + column_byte) ^ swizzle), cvt_rn_x2<Bf16>(d[0], d[1]),
                    cvt_rn_x2<Bf16>(d[2], d[3]), cvt_rn_x2<Bf16>(d[4], d[5]), cvt_rn_x2<Bf16>(d[6], d[7]));
    }
    fence_proxy_async();
    bar_sync(1 + index, 128);
    if (thread == 0) {
        for (int i = 0; i < O_PANELS && tile.row < shape.n; i++)
            cp_async_bulk_tensor_3d_store(o_map, i * 64, tile.row, tile.head, shared.o(index) + i * Q_PANEL);
        cp_async_bulk_commit_group();
    }
}

// Tile by tile, its blocks from the last to the first, two a turn of the loop.
DEVICE void Consumer::run() {
    while (next_tile()) {
        Sums sums;
        float even[SCORES], odd[SCORES];
        sums.rows = NO_ROWS;
        int block = tile.blocks - 1;
        u32 accumulate = 0;
        first_scores(even);
        if (block > 0) {
            step<true, false>(even, odd, sums, block--, 0);
#pragma unroll 1
            for (; block > 1; block -= 2, accumulate = 1) {
                step<false, false>(odd, even, sums, block, accumulate);
                step<false, false>(even, odd, sums, block - 1, 1);
            }
            if (block > 0) {
                step<false, false>(odd, even, sums, block, accumulate);
                step<false, true>(even, odd, sums, 0, 1);
            } else step<false, true>(odd, even, sums, 0, accumulate);
            accumulate = 1;
        } else step<true, true>(even, odd, sums, 0, 0);
        release_tile();
        queries.advance();
        last_product(sums, accumulate);
        store(sums.o, sums.rows);
    }
    if (thread == 0) cp_async_bulk_wait_group_read<0>();
}

extern "C" __global__ __launch_bounds__(THREADS, 1)
void attention_sm90_flash_fp8(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap k_map,
                              const __grid_constant__ TensorMap v_map, const __grid_constant__ TensorMap o_map, float* lse,
                              const float* q_scale, const float* k_scale, const float* v_scale, int heads, int group, int n, int nk,
                              float scale, int band) {
    extern __shared__ __align__(1024) unsigned char memory[];
    Shared shared{cvta_shared(memory)};
    Shape shape{heads, group, n, nk, band, scale * *q_scale * *k_scale};
    u32 warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);

    if (threadIdx.x == 0) shared.initialise();
    __syncthreads();

    if (warpgroup == 0) {
        setmaxnreg_dec<24>();
        if (threadIdx.x < 32 && elect_sync()) Producer{shared, shape}.run(q_map, k_map, v_map);
    } else {
        setmaxnreg_inc<240>();
        Consumer{shared, shape, o_map, lse, *v_scale, warpgroup - 1, threadIdx.x % 128}.run();
    }
}
