// C = A B where A has few rows, as in decoding: C (M, N), A (M, K), B (K, N) or its transpose (N, K), f32 sums. B is read once, at the rate
// of the memory. SCALES as in sm90_wgmma.cu.
//
// Mapping. B is the side of 64 rows of wgmma and A that of its 8 to 128 columns, so that no tensor-core row is padding: a block computes
// the transpose of TILE_M x TILE_N of C. A cluster of SPLIT blocks divides K; at the end each leaves its sums in its shared memory, and each
// adds up 1 / SPLIT of them, so that the sum needs no workspace, no second launch, and has one order.
// One thread keeps STAGES slices (BOXES x 128 bytes of K) in flight: an SM needs 26 KB of loads under way, a ring holds up to 220.
//
// Work: 2 M N K flops over at least K N sizeof(ELEMENT) bytes of B: bound by memory up to M = 128 (206 flops a byte are the ridge).
//
// Launch. block (2 TILE_N + 32), cluster (SPLIT), grid (SPLIT ceil(N / TILE_N), ceil(M / TILE_M)).
// Dynamic shared memory: max(STAGES BOXES (TILE_M + TILE_N) 128, TILE_M (TILE_N + 4) 4) + 16 STAGES bytes.
// Maps, in the 128-byte swizzle, L2 promotion 128 B, dims and boxes innermost first, row pitch a multiple of 16 bytes; W = 128 / sizeof(ELEMENT):
//   a: dims (K, M), box (W, TILE_M)
//   b: B_K_MAJOR 1 (N, K): dims (K, N), box (W, TILE_N); B_K_MAJOR 0 (K, N): dims (N, K), box (64, 64)
// Arguments: a, b maps; C pointer, its pitch in elements (any); M, N, K; scale_a, scale_b (f32; may be null when SCALES is 0).
// Macros (default): ELEMENT (Bf16; Fp16, E4m3), OUTPUT (Bf16), B_K_MAJOR (1; 0 not for 8-bit types), TILE_M (16; 8, 32, 64, 128),
//   TILE_N (64; 128), SPLIT (1; 2, 4, 8), STAGES (8), BOXES (2), SCALES (0),
//   B_POLICY (EVICT_FIRST; EVICT_NORMAL: what L2 does with B's lines).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef OUTPUT
#define OUTPUT Bf16
#endif
#ifndef B_K_MAJOR
#define B_K_MAJOR 1
#endif
#ifndef TILE_M
#define TILE_M 16
#endif
#ifndef TILE_N
#define TILE_N 64
#endif
#ifndef SPLIT
#define SPLIT 1
#endif
#ifndef STAGES
#define STAGES 8
#endif
#ifndef BOXES
#define BOXES 2
#endif
#ifndef B_POLICY
#define B_POLICY EVICT_FIRST
#endif
#ifndef SCALES
#define SCALES 0
#endif

constexpr int CONSUMER_THREADS = 2 * TILE_N;             // a warpgroup for 64 columns of C
constexpr int SLICE = 128 / sizeof(ELEMENT);             // elements of K in a box
constexpr int A_BOX = TILE_M * 128, B_BOX = TILE_N * 128, STAGE_BYTES = BOXES * (A_BOX + B_BOX);
constexpr int PANEL_BYTES = 64 * 128;
constexpr int SUMS = TILE_M / 2;                         // a thread's accumulators
constexpr int PITCH = TILE_N + 4;                        // of the sums in shared memory: a warp's stores meet 32 banks
constexpr int SUM_BYTES = TILE_M * PITCH * 4;
constexpr int BARRIERS = STAGES * STAGE_BYTES > SUM_BYTES ? STAGES * STAGE_BYTES : SUM_BYTES;

struct Shared {
    u32 base;
    DEVICE u32 b(u32 stage, u32 box) const { return base + stage * STAGE_BYTES + box * B_BOX; }
    DEVICE u32 a(u32 stage, u32 box) const { return b(stage, BOXES) + box * A_BOX; }
    DEVICE u32 full(u32 stage) const { return base + BARRIERS + 8 * stage; }
    DEVICE u32 empty(u32 stage) const { return full(stage) + 8 * STAGES; }
};

DEVICE void fetch_stage(const TensorMap& a_map, const TensorMap& b_map, Shared shared, u32 stage, int row, int column, int k) {
    u32 full = shared.full(stage);
    mbarrier_arrive_expect_tx(full, STAGE_BYTES);
#pragma unroll
    for (int box = 0; box < BOXES; box++, k += SLICE) {
        if constexpr (B_K_MAJOR) cp_async_bulk_tensor_2d(shared.b(stage, box), b_map, full, k, column, B_POLICY);
        else
#pragma unroll
            for (int i = 0; i < TILE_N / 64; i++)
                cp_async_bulk_tensor_2d(shared.b(stage, box) + i * PANEL_BYTES, b_map, full, column + i * 64, k, B_POLICY);
        cp_async_bulk_tensor_2d(shared.a(stage, box), a_map, full, k, row);
    }
}

// sums (64 columns of C, TILE_M rows of C) += a stage's product.
DEVICE void multiply_stage(float (&sums)[SUMS], Shared shared, u32 stage, u32 warpgroup) {
    const u32 B_STEP = B_K_MAJOR ? 32 : 16 * 128;
    u64 b = wgmma_descriptor(shared.b(stage, 0) + warpgroup * PANEL_BYTES, 16, 1024);
    u64 a = wgmma_descriptor(shared.a(stage, 0), 16, 1024);
    wgmma_pin(sums);
    wgmma_fence();
#pragma unroll
    for (int box = 0; box < BOXES; box++)
#pragma unroll
        for (int step = 0; step < 4; step++)
            wgmma<!B_K_MAJOR, 0>(ELEMENT{}, sums, b + (box * B_BOX + step * B_STEP) / 16, a + (box * A_BOX + step * 32) / 16, 1);
    wgmma_commit_group();
    wgmma_pin(sums);
}

// Each block of the cluster adds up its part of the cluster's sums and writes it to C.
DEVICE void store_sums(u32 sums, OUTPUT* c, long long pitch, int m, int n, int row, int column, u32 rank,
                       const float* scale_a, const float* scale_b) {
    for (u32 i = rank * CONSUMER_THREADS + threadIdx.x; i < TILE_M * TILE_N; i += SPLIT * CONSUMER_THREADS) {
        int r = i / TILE_N, x = i % TILE_N;
        if (row + r >= m || column + x >= n) continue;
        float sum = 0;
#pragma unroll
        for (int peer = 0; peer < SPLIT; peer++) sum += ld_shared_cluster(mapa(sums + (r * PITCH + x) * 4, peer));
        if (SCALES == 1) sum *= scale_a[0] * scale_b[0];
        if (SCALES == 2) sum *= scale_a[row + r] * scale_b[column + x];
        cvt_rn(sum, c[(row + r) * pitch + column + x]);
    }
}

extern "C" __global__ __launch_bounds__(CONSUMER_THREADS + 32)
void gemm_sm90_small_m(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap b_map, OUTPUT* c, long long c_pitch,
                       int m, int n, int k, const float* scale_a, const float* scale_b) {
    extern __shared__ __align__(1024) unsigned char memory[];
    Shared shared{cvta_shared(memory)};
    u32 warp = __shfl_sync(~0u, threadIdx.x / 32, 0), rank = blockIdx.x % SPLIT;
    int column = blockIdx.x / SPLIT * TILE_N, row = blockIdx.y * TILE_M;
    int stages = ceil_div(k, SLICE * BOXES), first = stages * rank / SPLIT, last = stages * (rank + 1) / SPLIT;

    if (threadIdx.x == CONSUMER_THREADS) {
        // At once, or the first load of A waits for its map after that of B has waited for its own.
        prefetch_tensormap(b_map);
        prefetch_tensormap(a_map);
        for (int i = 0; i < STAGES; i++) {
            mbarrier_init(shared.full(i), 1);
            mbarrier_init(shared.empty(i), CONSUMER_THREADS / 128);
        }
        fence_mbarrier_init();
        // The ring fills before anyone is waited for.
        for (int i = 0; i < STAGES && first + i < last; i++) fetch_stage(a_map, b_map, shared, i, row, column, (first + i) * SLICE * BOXES);
    }
    __syncthreads();

    Ring<STAGES> ring;
    if (warp == CONSUMER_THREADS / 32) {
        if (elect_sync())
#pragma unroll 1
            for (int i = first + STAGES; i < last; i++, ring.advance()) {
                mbarrier_try_wait_parity(shared.empty(ring.stage), ring.phase);
                fetch_stage(a_map, b_map, shared, ring.stage, row, column, i * SLICE * BOXES);
            }
        __syncwarp();
    } else {
        float sums[SUMS] = {};
        u32 previous = 0, thread = threadIdx.x % 128, lane = thread % 32;
#pragma unroll 1
        for (int i = first; i < last; i++, ring.advance()) {
            mbarrier_try_wait_parity(shared.full(ring.stage), ring.phase);
            multiply_stage(sums, shared, ring.stage, warp / 4);
            if (i > first) {
                wgmma_wait_group<1>();
                if (thread == 0) mbarrier_arrive(shared.empty(previous));
            }
            previous = ring.stage;
        }
        wgmma_wait_group<0>();
        wgmma_pin(sums);
        bar_sync(1, CONSUMER_THREADS);                   // the ring now holds the sums, (TILE_M, PITCH)
        float* staged = reinterpret_cast<float*>(memory) + lane % 4 * 2 * PITCH + warp * 16 + lane / 4;
#pragma unroll
        for (int i = 0; i < SUMS; i++) staged[(8 * (i / 4) + i % 2) * PITCH + i / 2 % 2 * 8] = sums[i];
    }
    if constexpr (SPLIT > 1) {
        barrier_cluster_arrive();
        barrier_cluster_wait();
    } else if (warp < CONSUMER_THREADS / 32) {
        bar_sync(1, CONSUMER_THREADS);
    }
    if (warp < CONSUMER_THREADS / 32) store_sums(shared.base, c, c_pitch, m, n, row, column, rank, scale_a, scale_b);
    // No block leaves while a neighbour still reads its sums.
    if constexpr (SPLIT > 1) {
        barrier_cluster_arrive_relaxed();
        barrier_cluster_wait();
    }
}
