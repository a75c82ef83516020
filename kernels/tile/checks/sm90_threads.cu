// What NVIDIA's side has between threads, warps and the blocks of a cluster, one kernel a verb; and its approximations.
//
// Launch. block (64), grid and cluster as checks/list.rs has them; no dynamic shared memory. Arguments: x, y, both f32 but where said.
#include "tile/tile.h"

constexpr int THREADS = 64;

DEVICE int thread_index() { return blockIdx.x * THREADS + threadIdx.x; }

extern "C" __global__ __launch_bounds__(THREADS)
void check_ex2(const float* x, float* y) { y[thread_index()] = ex2_approx(x[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_lg2(const float* x, float* y) { y[thread_index()] = lg2_approx(x[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_rcp(const float* x, float* y) { y[thread_index()] = rcp_approx(x[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_cvt_rn_x4(const float* x, E4m3* y) {
    const float* four = x + 4 * thread_index();
    reinterpret_cast<u32*>(y)[thread_index()] = cvt_rn_x4<E4m3>(four[0], four[1], four[2], four[3]);
}

// Exactly one lane of a warp may be elected.
extern "C" __global__ __launch_bounds__(THREADS)
void check_elect_sync(const float* x, float* y) { y[thread_index()] = x[thread_index()] * warp_sum(elect_sync() ? 1 : 0); }

// Words go in forwards and come out backwards.
extern "C" __global__ __launch_bounds__(THREADS)
void check_shared_words(const float* x, float* y) {
    __shared__ float memory[THREADS];
    u32 base = cvta_shared(memory);
    st_shared(base + 4 * threadIdx.x, __float_as_uint(x[thread_index()]));
    __syncthreads();
    y[thread_index()] = __uint_as_float(ld_shared(base + 4 * (THREADS - 1 - threadIdx.x)));
}

// The same in pairs, which every other block reads as integers.
extern "C" __global__ __launch_bounds__(THREADS)
void check_shared_pairs(const float* x, float* y) {
    __shared__ __align__(8) float memory[2 * THREADS];
    const float* from = x + 2 * thread_index();
    float* to = y + 2 * thread_index();
    u32 base = cvta_shared(memory), back = base + 8 * (THREADS - 1 - threadIdx.x);
    st_shared(base + 8 * threadIdx.x, __float_as_int(from[0]), __float_as_int(from[1]));
    __syncthreads();
    if (blockIdx.x % 2 == 0) return ld_shared(back, to[0], to[1]);
    int low, high;
    ld_shared(back, low, high);
    to[0] = __int_as_float(low), to[1] = __int_as_float(high);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_shared_u64(const float* x, float* y) {
    __shared__ u64 memory[THREADS];
    u32 base = cvta_shared(memory);
    st_shared_u64(base + 8 * threadIdx.x, reinterpret_cast<const u64*>(x)[thread_index()]);
    __syncthreads();
    reinterpret_cast<u64*>(y)[thread_index()] = ld_shared_u64(base + 8 * (THREADS - 1 - threadIdx.x));
}

// The same in vectors, which another thread's copy has brought.
extern "C" __global__ __launch_bounds__(THREADS)
void check_cp_async(const float* x, float* y) {
    __shared__ Vector16 memory[THREADS];
    cp_async_cg(cvta_shared(memory + threadIdx.x), reinterpret_cast<const Vector16*>(x) + thread_index());
    cp_async_wait_all();
    __syncthreads();
    reinterpret_cast<Vector16*>(y)[thread_index()] = memory[THREADS - 1 - threadIdx.x];
}

// The same where odd threads read nothing, and their vectors become zeros.
extern "C" __global__ __launch_bounds__(THREADS)
void check_cp_async_or_zero(const float* x, float* y) {
    __shared__ Vector16 memory[THREADS];
    memory[threadIdx.x] = {~0u, ~0u, ~0u, ~0u};
    cp_async_cg_or_zero(cvta_shared(memory + threadIdx.x), reinterpret_cast<const Vector16*>(x) + thread_index(), threadIdx.x % 2 == 0);
    cp_async_wait_all();
    __syncthreads();
    reinterpret_cast<Vector16*>(y)[thread_index()] = memory[THREADS - 1 - threadIdx.x];
}

// The second warp hands the first what it has loaded, and does not wait.
extern "C" __global__ __launch_bounds__(THREADS)
void check_named_barriers(const float* x, float* y) {
    __shared__ float memory[32];
    int lane = threadIdx.x % 32, place = blockIdx.x * 32 + lane;
    if (threadIdx.x >= 32) {
        memory[lane] = x[place];
        bar_arrive(1, THREADS);
    } else {
        bar_sync(1, THREADS);
        y[place] = memory[lane];
    }
}

// Every block adds its row to y, which is 0 before.
extern "C" __global__ __launch_bounds__(THREADS)
void check_red_global_add(const float* x, float* y) {
    const float* four = x + 4 * thread_index();
    red_global_add(y + 4 * threadIdx.x, four[0], four[1], four[2], four[3]);
}

// Each block of a cluster of two reads what the other holds.
extern "C" __global__ __launch_bounds__(THREADS)
void check_ld_shared_cluster(const float* x, float* y) {
    __shared__ float memory[THREADS];
    memory[threadIdx.x] = x[thread_index()];
    barrier_cluster_arrive();
    barrier_cluster_wait();
    y[thread_index()] = ld_shared_cluster(mapa(cvta_shared(memory + threadIdx.x), blockIdx.x % 2 ^ 1));
    barrier_cluster_arrive();
    barrier_cluster_wait();
}

// A block goes on when both of its cluster have arrived at its barrier, and has then arrived at both barriers itself.
extern "C" __global__ __launch_bounds__(THREADS)
void check_mbarrier_arrive_cluster(const float* x, float* y) {
    __shared__ u64 barrier;
    if (threadIdx.x == 0) {
        mbarrier_init(cvta_shared(&barrier), 2);
        fence_mbarrier_init();
    }
    barrier_cluster_arrive_relaxed();
    barrier_cluster_wait();
    if (threadIdx.x < 2) mbarrier_arrive_cluster(mapa(cvta_shared(&barrier), threadIdx.x));
    mbarrier_try_wait_parity(cvta_shared(&barrier), 0);
    y[thread_index()] = x[thread_index()];
    barrier_cluster_arrive_relaxed();
    barrier_cluster_wait();
}

// Each block of a cluster of two sends its vectors to the other one, whose barrier counts their bytes.
extern "C" __global__ __launch_bounds__(THREADS)
void check_st_async(const float* x, float* y) {
    __shared__ Vector16 memory[THREADS];
    __shared__ u64 barrier;
    if (threadIdx.x == 0) {
        mbarrier_init(cvta_shared(&barrier), 1);
        fence_mbarrier_init();
        mbarrier_arrive_expect_tx(cvta_shared(&barrier), sizeof(memory));
    }
    barrier_cluster_arrive_relaxed();
    barrier_cluster_wait();
    const float* four = x + 4 * thread_index();
    u32 other = blockIdx.x % 2 ^ 1;
    st_async(mapa(cvta_shared(memory + threadIdx.x), other), four[0], four[1], four[2], four[3], mapa(cvta_shared(&barrier), other));
    mbarrier_try_wait_parity_cluster(cvta_shared(&barrier), 0);
    reinterpret_cast<Vector16*>(y)[thread_index()] = memory[threadIdx.x];
}

// Each block of a cluster of two reads what the other one has written to memory before it arrived.
extern "C" __global__ __launch_bounds__(THREADS)
void check_mbarrier_arrive_release_cluster(const float* x, float* y) {
    __shared__ u64 barrier;
    if (threadIdx.x == 0) {
        mbarrier_init(cvta_shared(&barrier), 1);
        fence_mbarrier_init();
    }
    barrier_cluster_arrive_relaxed();
    barrier_cluster_wait();
    y[thread_index()] = x[thread_index()];
    __syncthreads();
    if (threadIdx.x == 0) mbarrier_arrive_release_cluster(mapa(cvta_shared(&barrier), blockIdx.x % 2 ^ 1));
    mbarrier_try_wait_parity_cluster(cvta_shared(&barrier), 0);
    float theirs = y[thread_index() ^ THREADS];
    barrier_cluster_arrive();
    barrier_cluster_wait();
    y[thread_index()] = theirs;
}
