// What both vendors have of the tile vocabulary, one kernel a verb: y is what a host loop makes of x (tile/reference.rs).
// Knows no other verb than the one under test, beside ordinary loads and stores.
//
// Launch. block (64), grid (as many as the verb has work for, checks/list.rs); no dynamic shared memory. Arguments: x, y.
// Macros (default): ELEMENT (Bf16; float, Fp16, E4m3).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif

constexpr int THREADS = 64;

// Elements of kernels that an ELEMENT of another size is not meant for, so that one program holds them all.
using Half = Select<sizeof(ELEMENT) == 2, ELEMENT, Bf16>;
using Rounded = Select<sizeof(ELEMENT) == 1, Bf16, ELEMENT>;

DEVICE int thread_index() { return blockIdx.x * THREADS + threadIdx.x; }

extern "C" __global__ __launch_bounds__(THREADS)
void check_cvt_f32(const ELEMENT* x, float* y) { y[thread_index()] = cvt_f32(x[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_cvt_rn(const float* x, Rounded* y) { cvt_rn(x[thread_index()], y[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_cvt_rn_x2(const float* x, Half* y) {
    int i = thread_index();
    reinterpret_cast<u32*>(y)[i] = cvt_rn_x2<Half>(x[2 * i], x[2 * i + 1]);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_pack(const float* x, Half* y) {
    int i = thread_index();
    float value[8];
#pragma unroll
    for (int j = 0; j < 8; j++) value[j] = x[8 * i + j];
    reinterpret_cast<Vector16*>(y)[i] = pack<Half>(value);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_unpack(const Half* x, float* y) {
    int i = thread_index();
    float value[8];
    unpack<Half>(reinterpret_cast<const Vector16*>(x)[i], value);
#pragma unroll
    for (int j = 0; j < 8; j++) y[8 * i + j] = value[j];
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_rsqrt(const float* x, float* y) { y[thread_index()] = rsqrt_approx(x[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_sum_across(const float* x, float* y) { y[thread_index()] = sum_across<16>(x[thread_index()]); }

// Sums 64 elements a block, whether a warp has 32 lanes or 64.
extern "C" __global__ __launch_bounds__(THREADS)
void check_warp_sum(const float* x, float* y) {
    float part = 0;
    for (int i = threadIdx.x % WARP_THREADS; i < THREADS; i += WARP_THREADS) part += x[blockIdx.x * THREADS + i];
    y[thread_index()] = warp_sum(part);
}

// One lane of every 32 knows the answer; all must hear it.
extern "C" __global__ __launch_bounds__(THREADS)
void check_any_sync(const float* x, float* y) {
    bool mine = threadIdx.x % 32 == 17 && x[blockIdx.x * THREADS + 17] > 0;
    y[thread_index()] = __any_sync(~0u, mine) ? 1 : 0;
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_tile_in_bands(const float* x, float* y) {
    constexpr int ROWS = 7, COLUMNS = 37, BAND = 3;
    if (thread_index() >= ROWS * COLUMNS) return;
    TilePlace place = tile_in_bands(thread_index(), ROWS, COLUMNS, BAND);
    y[place.row * COLUMNS + place.column] = x[thread_index()];
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_tile_by_chiplet(const float* x, float* y) {
    constexpr int COUNT = 300, CHIPLETS = 4, RUN = 8;
    if (thread_index() < COUNT) y[tile_by_chiplet(thread_index(), COUNT, CHIPLETS, RUN)] = x[thread_index()];
}

// Half of the way in one leap, the other half step by step.
extern "C" __global__ __launch_bounds__(THREADS)
void check_ring_places(const float* x, float* y) {
    constexpr int STAGES = 3, PLACES = 72;
    int i = thread_index();
    if (i >= PLACES) return;
    Ring<STAGES> ring;
    ring.skip(i / 2);
    for (int step = i / 2; step < i; step++) ring.advance();
    y[i] = x[ring.phase * STAGES + ring.stage];
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_global_vectors(const Half* x, Half* y) {
    st_global_cs(reinterpret_cast<Vector16*>(y) + thread_index(), ld_global_nc(reinterpret_cast<const Vector16*>(x) + thread_index()));
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_load_floats(const float* x, float* y) {
    float eight[8];
    load_floats(eight, x + 8 * thread_index());
    for (int i = 0; i < 8; i++) y[8 * thread_index() + i] = eight[i];
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_funnelshift_r(const Half* x, Half* y) {
    const u32* word = reinterpret_cast<const u32*>(x) + thread_index();
    reinterpret_cast<u32*>(y)[thread_index()] = __funnelshift_r(word[0], word[1], 16);
}
