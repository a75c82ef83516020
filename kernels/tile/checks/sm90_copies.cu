// Hopper's copy engine, one kernel a verb: what it brings to shared memory is read, and what it takes from there written, by ordinary
// instructions at the places where the 128-byte swizzle has it.
//
// Launch. block (64), grid and cluster as checks/list.rs has them; no dynamic shared memory. Arguments: x, y, of which a tensor map
// may stand for one: elements of 16 bits, box (64, 16), 1 in further dimensions, 128-byte swizzle.
#include "tile/tile.h"

constexpr int THREADS = 64;
constexpr int ROWS = 16, COLUMNS = 64, TILE_BYTES = ROWS * COLUMNS * 2;    // of a box
constexpr int PITCH = 2 * COLUMNS;                                        // of a matrix that is two boxes wide

// Where the copy engine leaves an element of a box: vectors of 16 bytes are permuted by the row, mod 8.
DEVICE u32 swizzled(u32 row, u32 column) { return row * 128 + (column / 8 ^ row % 8) * 16 + column % 8 * 2; }

DEVICE void write_out(const u8* tile, u16* to, int pitch) {
    for (int i = threadIdx.x; i < ROWS * COLUMNS; i += THREADS)
        to[i / COLUMNS * pitch + i % COLUMNS] = *reinterpret_cast<const u16*>(tile + swizzled(i / COLUMNS, i % COLUMNS));
}

// Fills a box and lets the copy engine see it.
DEVICE void read_in(u8* tile, const u16* from, int pitch) {
    for (int i = threadIdx.x; i < ROWS * COLUMNS; i += THREADS)
        *reinterpret_cast<u16*>(tile + swizzled(i / COLUMNS, i % COLUMNS)) = from[i / COLUMNS * pitch + i % COLUMNS];
    fence_proxy_async();
    __syncthreads();
}

// Barriers that every thread sees, the first `n` for `arrivals` arrivals each.
DEVICE u32 start_barriers(u64* barriers, int n, u32 arrivals) {
    if (threadIdx.x == 0) {
        for (int i = 0; i < n; i++) mbarrier_init(cvta_shared(barriers + i), arrivals);
        fence_mbarrier_init();
    }
    __syncthreads();
    return cvta_shared(barriers);
}

DEVICE void finish_stores() {
    cp_async_bulk_commit_group();
    cp_async_bulk_wait_group_read<0>();
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_cp_async_bulk(const u16* x, u16* y) {
    __shared__ __align__(128) u8 tile[TILE_BYTES];
    __shared__ u64 barrier;
    u32 full = start_barriers(&barrier, 1, 1), offset = blockIdx.x * ROWS * COLUMNS;
    if (threadIdx.x) return;
    cp_async_bulk_prefetch(x + offset, TILE_BYTES);
    mbarrier_arrive_expect_tx(full, TILE_BYTES);
    cp_async_bulk(cvta_shared(tile), x + offset, TILE_BYTES, full);
    mbarrier_try_wait_parity(full, 0);
    cp_async_bulk_store(y + offset, cvta_shared(tile), TILE_BYTES);
    finish_stores();
}

// One thread fills three stages, again and again; a warp empties them.
extern "C" __global__ __launch_bounds__(THREADS)
void check_ring(const u16* x, u16* y) {
    constexpr int STAGES = 3, SLICES = 25, SLICE = 64;
    __shared__ __align__(128) u16 stage[STAGES][SLICE];
    __shared__ u64 full_barriers[STAGES], empty_barriers[STAGES];
    u32 full = start_barriers(full_barriers, STAGES, 1), empty = start_barriers(empty_barriers, STAGES, 32);
    Ring<STAGES> ring;
    if (threadIdx.x == 0) {
        for (int slice = 0; slice < SLICES; slice++, ring.advance()) {
            mbarrier_try_wait_parity(empty + 8 * ring.stage, ring.phase ^ 1);
            mbarrier_arrive_expect_tx(full + 8 * ring.stage, SLICE * 2);
            cp_async_bulk(cvta_shared(stage[ring.stage]), x + slice * SLICE, SLICE * 2, full + 8 * ring.stage);
        }
    } else if (threadIdx.x >= 32) {
        for (int slice = 0; slice < SLICES; slice++, ring.advance()) {
            mbarrier_try_wait_parity(full + 8 * ring.stage, ring.phase);
            for (int i = threadIdx.x - 32; i < SLICE; i += 32) y[slice * SLICE + i] = stage[ring.stage][i];
            mbarrier_arrive(empty + 8 * ring.stage);
        }
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_load_2d(const __grid_constant__ TensorMap x, u16* y) {
    __shared__ __align__(1024) u8 tile[TILE_BYTES];
    __shared__ u64 barrier;
    u32 full = start_barriers(&barrier, 1, 1);
    int column = blockIdx.x * COLUMNS, row = blockIdx.y * ROWS;
    if (threadIdx.x == 0) {
        prefetch_tensormap(x);
        mbarrier_arrive_expect_tx(full, TILE_BYTES);
        cp_async_bulk_tensor_2d(cvta_shared(tile), x, full, column, row);
    }
    mbarrier_try_wait_parity(full, 0);
    write_out(tile, y + row * PITCH + column, PITCH);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_store_2d(const u16* x, const __grid_constant__ TensorMap y) {
    __shared__ __align__(1024) u8 tile[TILE_BYTES];
    int column = blockIdx.x * COLUMNS, row = blockIdx.y * ROWS;
    read_in(tile, x + row * PITCH + column, PITCH);
    if (threadIdx.x) return;
    cp_async_bulk_tensor_2d_store(y, column, row, cvta_shared(tile));
    finish_stores();
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_load_3d(const __grid_constant__ TensorMap x, u16* y) {
    __shared__ __align__(1024) u8 tile[TILE_BYTES];
    __shared__ u64 barrier;
    u32 full = start_barriers(&barrier, 1, 1);
    int column = blockIdx.x * COLUMNS, plane = blockIdx.y;
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_tx(full, TILE_BYTES);
        cp_async_bulk_tensor_3d(cvta_shared(tile), x, full, column, 0, plane);
    }
    mbarrier_try_wait_parity(full, 0);
    write_out(tile, y + plane * ROWS * PITCH + column, PITCH);
}

// Two books of three planes.
extern "C" __global__ __launch_bounds__(THREADS)
void check_load_4d(const __grid_constant__ TensorMap x, u16* y) {
    __shared__ __align__(1024) u8 tile[TILE_BYTES];
    __shared__ u64 barrier;
    u32 full = start_barriers(&barrier, 1, 1);
    int column = blockIdx.x * COLUMNS, plane = blockIdx.y;
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_tx(full, TILE_BYTES);
        cp_async_bulk_tensor_4d(cvta_shared(tile), x, full, column, 0, plane % 3, plane / 3);
    }
    mbarrier_try_wait_parity(full, 0);
    write_out(tile, y + plane * ROWS * PITCH + column, PITCH);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_store_3d(const u16* x, const __grid_constant__ TensorMap y) {
    __shared__ __align__(1024) u8 tile[TILE_BYTES];
    int column = blockIdx.x * COLUMNS, plane = blockIdx.y;
    read_in(tile, x + plane * ROWS * PITCH + column, PITCH);
    if (threadIdx.x) return;
    cp_async_bulk_tensor_3d_store(y, column, 0, plane, cvta_shared(tile));
    finish_stores();
}

// Each block of a cluster of two fetches one box for both, which therefore get two.
extern "C" __global__ __launch_bounds__(THREADS)
void check_multicast(const __grid_constant__ TensorMap x, u16* y) {
    __shared__ __align__(1024) u8 tile[2][TILE_BYTES];
    __shared__ u64 barrier;
    u32 full = start_barriers(&barrier, 1, 1), rank = blockIdx.x % 2;
    if (threadIdx.x == 0) mbarrier_arrive_expect_tx(full, 2 * TILE_BYTES);
    barrier_cluster_arrive();
    barrier_cluster_wait();
    if (threadIdx.x == 0) cp_async_bulk_tensor_2d_multicast(cvta_shared(tile[rank]), x, full, 0, rank * ROWS, 0b11);
    mbarrier_try_wait_parity(full, 0);
    for (int i = 0; i < 2; i++) write_out(tile[i], y + (rank * 2 + i) * ROWS * COLUMNS, COLUMNS);
    barrier_cluster_arrive();
    barrier_cluster_wait();
}
