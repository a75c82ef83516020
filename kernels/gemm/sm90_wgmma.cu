// C = A B on Hopper's tensor cores, as fast as this chip goes: C (M, N), A (M, K), B (K, N) or its transpose (N, K), f32 sums.
// With SCALES the sums are multiplied by what the 8-bit operands were divided by: 1, scale_a[0] scale_b[0]; 2, scale_a[row] scale_b[column].
//
// Mapping. A persistent block owns TILE_M x TILE_N of C; one thread keeps STAGES slices of A and B (128 bytes of K each) in flight with
// the copy engine; each consumer warpgroup multiplies 64 BLOCKS rows of a slice by all of its columns, with the sums in registers.
// A cluster of CLUSTER blocks down a column of tiles shares B: each fetches its part and the copy engine hands it to all.
// The producer runs on into the next tile while the consumers store this one through C_PANELS panels of 64 x 64 a warpgroup.
// With PINGPONG two consumers take whole tiles in turn, so that one stores while the other multiplies.
// With DEFER a consumer holds its tile rounded and stores it, a panel a slice, while the next tile's first slices are multiplied.
// A block's last tile goes through the stages instead, which are spent by then, so that no panel waits for another.
//
// Work: 2 M N K flops over at least (M K + K N) sizeof(ELEMENT) + 2 M N bytes; at 4096^3 in bf16 1365 flops a byte, so bound by the
// tensor cores (m64n256k16 takes 128 clocks), and on random data by the 700 W that they may draw.
//
// Launch. block (128 (1 + CONSUMERS)), CONSUMERS = PINGPONG ? 2 : TILE_M / (64 BLOCKS); cluster (CLUSTER);
//   grid (CLUSTER clusters), clusters = min(ceil(M / (TILE_M CLUSTER)) ceil(N / TILE_N), those that the device holds at once).
// Dynamic shared memory: STAGES (TILE_M + TILE_N) 128 + CONSUMERS C_PANELS 8192 + 256 bytes.
// Maps, all in the 128-byte swizzle, L2 promotion 128 B, dims and boxes innermost first, row pitch a multiple of 16 bytes; W = 128 / sizeof(ELEMENT):
//   a: dims (K, M), box (W, TILE_M)
//   b: B_K_MAJOR 1 (N, K): dims (K, N), box (W, TILE_N / CLUSTER); B_K_MAJOR 0 (K, N): dims (N, K), box (64, 64)
//   c: dims (N, M), box (64, 64), of OUTPUT; with C_TMA 0 unused (pass a's): C is then written by ordinary stores, at any pitch
// Arguments: a, b, c maps; C pointer, its pitch in elements; M, N, K; scale_a, scale_b (f32; may be null when SCALES is 0).
// Macros (default): ELEMENT (Bf16; Fp16, E4m3), OUTPUT (Bf16), B_K_MAJOR (0; 8-bit types: 1), TILE_M (128), TILE_N (256; 64, 128, 192; 8-bit types: 184),
//   BLOCKS (1; BLOCKS TILE_N <= 384, or 256 with SCALES 2, which spills beyond), PINGPONG (0; 1 with TILE_M = 64 BLOCKS), STAGES (4),
//   CLUSTER (2; 1, 4; TILE_N / CLUSTER a multiple of 64 where B_K_MAJOR is 0, else of 8),
//   DEFER (0; 1 with BLOCKS 1, PINGPONG 0, PROMOTE 0, C_TMA 1, SCALES 0 or 1, which else spills, C_PANELS >= 2 that divides the panels
//   of a tile, as many stages as these or more, and K of as many slices),
//   BAND (8: rows of clusters a band of the tile order), C_TMA (1), C_PANELS (2), SCALES (0),
//   A_POLICY, B_POLICY (EVICT_NORMAL; EVICT_FIRST, EVICT_LAST: what L2 gives up or keeps),
//   GROUPS (1; g cuts the rows into g equal groups, multiples of TILE_M CLUSTER, each with a B of its own, one below the other in (g N, K)),
//   GLU (0; 1: C = gelu(A B1) (A B2), where each group's B is B1 above B2, (2 N, K), b's box (W, TILE_N / 2), B_K_MAJOR 1 and CLUSTER 1),
//   PROMOTE (0; n adds every n slices' sum in f32 registers, for 8-bit types, whose tensor-core sums keep 14 bits; BLOCKS 1, TILE_N <= 128).
#include "gemm/sm90_stores.h"

// The tiles of C that this block takes, in order.
struct Tiles {
    int rows, columns, index, step;
    u32 rank;                                            // of this block in its cluster

    DEVICE Tiles(Shape s)
        : rows(ceil_div(s.m, TILE_M * CLUSTER)), columns(ceil_div(s.n, WIDTH)), index(blockIdx.x / CLUSTER), step(gridDim.x / CLUSTER),
          rank(blockIdx.x % CLUSTER) {}

    DEVICE bool more() const { return index < rows * columns; }
    DEVICE bool last() const { return index + step >= rows * columns; }
    DEVICE void next() { index += step; }
    // First row and column of this block's tile.
    DEVICE TilePlace place() const {
        TilePlace p = tile_in_bands(index, rows, columns, BAND);
        return {(p.row * CLUSTER + int(rank)) * TILE_M, p.column * WIDTH};
    }
    // The same of what the producer fetches: of B's columns, those of the rows' group.
    DEVICE TilePlace fetched(Shape s) const {
        TilePlace at = place();
        if (GROUPS > 1) at.column += at.row / (s.m / GROUPS) * s.n * (GLU ? 2 : 1);
        return at;
    }
};

// The slices at k: all of A's, and this block's part of B's for the whole cluster.
DEVICE void fetch_slice(const TensorMap& a_map, const TensorMap& b_map, Shared shared, u32 stage, u32 rank, TilePlace at, int k, int n) {
    u32 full = shared.full(stage), part = TILE_N / CLUSTER, first = rank * part;
    mbarrier_arrive_expect_tx(full, STAGE_BYTES);
    cp_async_bulk_tensor_2d(shared.a(stage), a_map, full, k, at.row, A_POLICY);
    const int BOXES = GLU ? 2 : B_K_MAJOR ? 1 : TILE_N / CLUSTER / 64;
#pragma unroll
    for (int i = 0; i < BOXES; i++) {
        u32 to = shared.b(stage) + first * 128 + i * (GLU ? WIDTH * 128 : PANEL_BYTES);
        int column = at.column + first + i * (GLU ? n : 64), x = B_K_MAJOR ? k : column, y = B_K_MAJOR ? column : k;
        if constexpr (CLUSTER == 1) cp_async_bulk_tensor_2d(to, b_map, full, x, y, B_POLICY);
        else cp_async_bulk_tensor_2d_multicast(to, b_map, full, x, y, (1 << CLUSTER) - 1, B_POLICY);
    }
}

// Tells every block that fills this one's stages that a warpgroup is done with `stage`.
DEVICE void release_stage(Shared shared, u32 stage, u32 thread) {
    if (thread < CLUSTER) mbarrier_arrive_cluster(mapa(shared.empty(stage), thread));
}

// The consumers' side of the ring, and what they multiply from it.
struct Consumer {
    Shared shared;
    Ring<STAGES> ring;
    u32 index, thread;                                   // of the warpgroup among the consumers, of the thread in the warpgroup
    u32 previous = 0;                                    // stage of the slice before the next

    // 64 BLOCKS rows of A by TILE_N columns of B from the next slice; sums start at 0 unless `accumulate`.
    template <int N> DEVICE void multiply_slice(float (&sums)[N][SUMS], u32 accumulate) const {
        const u32 B_STEP = B_K_MAJOR ? 32 : 16 * 128;
        u64 a = wgmma_descriptor(shared.a(0) + (PINGPONG ? 0 : index * BLOCKS * PANEL_BYTES), 16, 1024) + ring.stage * (STAGE_BYTES / 16);
        u64 b = wgmma_descriptor(shared.b(0), B_K_MAJOR ? 16 : PANEL_BYTES, 1024) + ring.stage * (STAGE_BYTES / 16);
        mbarrier_try_wait_parity(shared.full(ring.stage), ring.phase);
#pragma unroll
        for (int i = 0; i < N; i++) wgmma_pin(sums[i]);
        wgmma_fence();
#pragma unroll
        for (int step = 0; step < STEPS; step++)
#pragma unroll
            for (int i = 0; i < N; i++)
                wgmma<0, !B_K_MAJOR>(ELEMENT{}, sums[i], a + (i * PANEL_BYTES + step * 32) / 16, b + step * B_STEP / 16, accumulate | step);
        wgmma_commit_group();
#pragma unroll
        for (int i = 0; i < N; i++) wgmma_pin(sums[i]);
    }

    // Adds the next slice, number `slice` of the sums; while it is multiplied, waits for the one before it.
    template <int N> DEVICE void add_slice(float (&sums)[N][SUMS], int slice) {
        multiply_slice(sums, slice);
        if (slice) {
            wgmma_wait_group<1>();
            release_stage(shared, previous, thread);
        }
        previous = ring.stage;
        ring.advance();
    }

    // Adds slices `first` to `slices`, and waits for all.
    template <int N> DEVICE void finish_sums(float (&sums)[N][SUMS], int first, int slices) {
#pragma unroll 1
        for (int slice = first; slice < slices; slice++) add_slice(sums, slice);
        if (PINGPONG) bar_arrive(4 + (index ^ 1), 256);
        wgmma_wait_group<0>();
#pragma unroll
        for (int i = 0; i < N; i++) wgmma_pin(sums[i]);
        release_stage(shared, previous, thread);
    }

    // The same with every PROMOTE slices' own sum rounded in f32 into `sums`.
    DEVICE void multiply_slices_promoted(float (&sums)[SUMS], int slices) {
#pragma unroll
        for (int i = 0; i < SUMS; i++) sums[i] = 0;
#pragma unroll 1
        for (int slice = 0; slice < slices; slice += PROMOTE) {
            float part[1][SUMS];
            finish_sums(part, 0, min_int(slices - slice, PROMOTE));
#pragma unroll
            for (int i = 0; i < SUMS; i++) sums[i] += part[0][i];
        }
    }
};

extern "C" __global__ __launch_bounds__(THREADS, 1)
void gemm_sm90_wgmma(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap b_map, const __grid_constant__ TensorMap c_map,
                     OUTPUT* c, long long c_pitch, int m, int n, int k, const float* scale_a, const float* scale_b) {
    extern __shared__ __align__(1024) unsigned char memory[];
    Shared shared{cvta_shared(memory)};
    Shape shape{m, n, k};
    Tiles tiles(shape);
    int slices = ceil_div(k, SLICE);
    u32 warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);

    if (threadIdx.x == 0) {
        prefetch_tensormap(a_map);
        prefetch_tensormap(b_map);
        if constexpr (C_TMA) prefetch_tensormap(c_map);
        for (int i = 0; i < STAGES; i++) {
            mbarrier_init(shared.full(i), 1);
            mbarrier_init(shared.empty(i), (PINGPONG ? 1 : CONSUMERS) * CLUSTER);
        }
        fence_mbarrier_init();
    }
    barrier_cluster_arrive_relaxed();
    barrier_cluster_wait();

    if (warpgroup == 0) {
        if constexpr (CONSUMERS == 2) setmaxnreg_dec<24>();
        if constexpr (CONSUMERS == 3) setmaxnreg_dec<32>();
        Ring<STAGES> ring;
        if (threadIdx.x < 32 && elect_sync()) {
            for (; tiles.more(); tiles.next()) {
                TilePlace at = tiles.fetched(shape);
#pragma unroll 1
                for (int slice = 0; slice < slices; slice++, ring.advance()) {
                    mbarrier_try_wait_parity(shared.empty(ring.stage), ring.phase ^ 1);
                    fetch_slice(a_map, b_map, shared, ring.stage, tiles.rank, at, slice * SLICE, shape.n);
                }
            }
        }
        __syncwarp();
    } else {
        if constexpr (CONSUMERS == 2) setmaxnreg_inc<240>();
        if constexpr (CONSUMERS == 3) setmaxnreg_inc<160>();
        Consumer consumer{shared, {}, warpgroup - 1, threadIdx.x % 128};
        u32 thread = consumer.thread;
        int warpgroup_row = PINGPONG ? 0 : consumer.index * BLOCKS * 64;
        int thread_row = thread / 32 * 16 + thread % 32 / 4, thread_column = 2 * (thread % 4);
        Scales scales(scale_a, scale_b);
        // With turns the other warpgroup, too, is done with every stage that this tile's slices have filled.
        bool ends_in_stages = C_TMA && PANELS <= STAGES && (!PINGPONG || slices >= STAGES);
        float sums[BLOCKS][SUMS];
        if (PINGPONG && consumer.index == 1) {
            bar_arrive(4, 256);
            tiles.next();
            consumer.ring.skip(slices);
        }
        [[maybe_unused]] Deferred deferred(shape);
        while (tiles.more()) {
            // By its turn the other has awaited every earlier slice, so that a stage's parity says which turn of the ring it holds.
            if (PINGPONG) bar_sync(4 + consumer.index, 256);
            if constexpr (DEFER) {
#pragma unroll
                for (int p = 0; p < PANELS; p++) {
                    consumer.add_slice(sums, p);
                    deferred.store(p, c_map, shared, shape, consumer.index, thread);
                }
            }
            TilePlace at = tiles.place();
            if constexpr (PROMOTE) consumer.multiply_slices_promoted(sums[0], slices);
            else consumer.finish_sums(sums, DEFER ? PANELS : 0, slices);
#pragma unroll
            for (int i = 0; i < BLOCKS; i++) {
                int row = at.row + warpgroup_row + i * 64;
                scale_sums(sums[i], scales, shape, row + thread_row, at.column + thread_column);
                if constexpr (GLU) gate_sums(sums[i]);
                if constexpr (DEFER) deferred.hold(sums[i], row, at.column);
                else if (ends_in_stages && tiles.last()) store_last_sums(sums[i], c_map, shared, shape, row, at.column, consumer.index, i, thread);
                else store_sums(sums[i], c_map, shared, memory, c, c_pitch, shape, row, at.column, consumer.index, thread, i * PANELS);
            }
            tiles.next();
            if (PINGPONG) {
                tiles.next();
                consumer.ring.skip(slices);
            }
        }
        if constexpr (DEFER) deferred.store_last(c_map, shared, shape, consumer.index, thread);
        if (C_TMA && thread == 0) cp_async_bulk_wait_group_read<0>();
    }
    // No block leaves while a neighbour may still signal its barriers or fill its stages.
    barrier_cluster_arrive_relaxed();
    barrier_cluster_wait();
}
