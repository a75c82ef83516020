// What AMD's side has beside the portable verbs, one kernel a verb.
//
// Launch. block (64), grid (as many as the verb has work for, checks/list.rs); no dynamic shared memory. Arguments: x, y; of products
// a, b, y with a (M, K), b (N, K), y (M, N) in f32, K = DEPTH.
// Macros (default): ELEMENT (Bf16; Fp16, E4m3).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif

constexpr int THREADS = 64, DEPTH = 128;

using Half = Select<sizeof(ELEMENT) == 2, ELEMENT, Bf16>;    // of kernels for 16 bits alone
using Pair = Vector<u32, 2>;

DEVICE int thread_index() { return blockIdx.x * THREADS + threadIdx.x; }

extern "C" __global__ __launch_bounds__(THREADS)
void check_ex2(const float* x, float* y) { y[thread_index()] = ex2_approx(x[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_lg2(const float* x, float* y) { y[thread_index()] = lg2_approx(x[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_rcp(const float* x, float* y) { y[thread_index()] = rcp_approx(x[thread_index()]); }

extern "C" __global__ __launch_bounds__(THREADS)
void check_cvt_x2(const float* x, Half* y) {
    int i = thread_index();
    reinterpret_cast<u32*>(y)[i] = cvt_x2<Half>(x[2 * i], x[2 * i + 1]);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_ds_bpermute(const float* x, float* y) { y[thread_index()] = ds_bpermute((lane_id() * 7 + 3) % 64, x[thread_index()]); }

// Of four elements the last, then the first.
extern "C" __global__ __launch_bounds__(THREADS)
void check_v_perm(const Half* x, Half* y) {
    const u32* word = reinterpret_cast<const u32*>(x) + 2 * thread_index();
    reinterpret_cast<u32*>(y)[thread_index()] = v_perm_b32(word[1], word[0], 0x01000706);
}

// A buffer that ends after 37 of 64 vectors; the first lane asks for what is outside any.
extern "C" __global__ __launch_bounds__(THREADS)
void check_buffer_load(const float* x, float* y) {
    BufferResource buffer = make_buffer(x, 37 * 16);
    reinterpret_cast<Vector16*>(y)[threadIdx.x] = buffer_load_dwordx4(buffer, threadIdx.x ? threadIdx.x * 16 : OUTSIDE);
}

// The same of a buffer whose length is an int.
extern "C" __global__ __launch_bounds__(THREADS)
void check_short_buffer(const float* x, float* y) {
    BufferResource buffer = make_short_buffer(x, 37 * 16);
    reinterpret_cast<Vector16*>(y)[threadIdx.x] = buffer_load_dwordx4(buffer, threadIdx.x ? threadIdx.x * 16 : OUTSIDE);
}

// Products: lane l brings of row l % SIDE the part of K that is its own, SHARE elements.

template <class V, class T> DEVICE V share(const T* matrix, int side, int k) {
    constexpr int SHARE = sizeof(V) / sizeof(T);
    return *reinterpret_cast<const V*>(matrix + lane_id() % side * DEPTH + k + lane_id() / side * SHARE);
}

DEVICE void store_sums(Sum4 sums, float* y, float scale) {
#pragma unroll
    for (int i = 0; i < 4; i++) y[(lane_id() / 16 * 4 + i) * 16 + lane_id() % 16] = sums[i] * scale;
}
DEVICE void store_sums(Sum16 sums, float* y) {
#pragma unroll
    for (int i = 0; i < 16; i++) y[(i / 4 * 8 + lane_id() / 32 * 4 + i % 4) * 32 + lane_id() % 32] = sums[i];
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_mfma_16x16x16(const Half* a, const Half* b, float* y) {
    Sum4 sums = {};
    for (int k = 0; k < DEPTH; k += 16) mfma_f32_16x16x16(Half{}, sums, share<Pair>(a, 16, k), share<Pair>(b, 16, k));
    store_sums(sums, y, 1);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_mfma_32x32x8(const Half* a, const Half* b, float* y) {
    Sum16 sums = {};
    for (int k = 0; k < DEPTH; k += 8) mfma_f32_32x32x8(Half{}, sums, share<Pair>(a, 32, k), share<Pair>(b, 32, k));
    store_sums(sums, y);
}

DEVICE Pair as_operand(Pair eight) { return {e4m3_operand(eight[0]), e4m3_operand(eight[1])}; }

extern "C" __global__ __launch_bounds__(THREADS)
void check_mfma_16x16x32_e4m3(const E4m3* a, const E4m3* b, float* y) {
    Sum4 sums = {};
    for (int k = 0; k < DEPTH; k += 32) mfma_f32_16x16x32(E4m3{}, sums, as_operand(share<Pair>(a, 16, k)), as_operand(share<Pair>(b, 16, k)));
    store_sums(sums, y, E4M3_SCALE * E4M3_SCALE);
}

#if defined(__gfx950__)
extern "C" __global__ __launch_bounds__(THREADS)
void check_mfma_16x16x32(const Half* a, const Half* b, float* y) {
    Sum4 sums = {};
    for (int k = 0; k < DEPTH; k += 32) mfma_f32_16x16x32(Half{}, sums, share<Vector16>(a, 16, k), share<Vector16>(b, 16, k));
    store_sums(sums, y, 1);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_mfma_32x32x16(const Half* a, const Half* b, float* y) {
    Sum16 sums = {};
    for (int k = 0; k < DEPTH; k += 16) mfma_f32_32x32x16(Half{}, sums, share<Vector16>(a, 32, k), share<Vector16>(b, 32, k));
    store_sums(sums, y);
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_mfma_16x16x128(const E4m3* a, const E4m3* b, float* y) {
    Sum4 sums = {};
    for (int k = 0; k < DEPTH; k += 128)
        mfma_f32_16x16x128_f8f6f4(E4m3{}, sums, share<Vector16>(a, 16, k), share<Vector16>(a, 16, k + 64), share<Vector16>(b, 16, k),
                                  share<Vector16>(b, 16, k + 64));
    store_sums(sums, y, 1);
}

// Vectors go straight to LDS, and are read from there backwards by hand.
extern "C" __global__ __launch_bounds__(THREADS)
void check_buffer_load_lds(const float* x, float* y) {
    __shared__ Vector16 lds[THREADS];
    u32 base = lds_address(lds);
    buffer_load_dwordx4_lds(base, make_buffer(x, THREADS * 16), threadIdx.x * 16, 0);
    s_waitcnt_vmcnt<0>();
    s_barrier();
    Vector<u32, 4> vector = ds_read_b128(base + (THREADS - 1 - threadIdx.x) * 16, 0);
    s_waitcnt_lgkmcnt<0>();
    pin(vector);
    reinterpret_cast<Vector<u32, 4>*>(y)[threadIdx.x] = vector;
}

// The same by single elements, a quarter of them a copy.
extern "C" __global__ __launch_bounds__(THREADS)
void check_buffer_load_dword_lds(const float* x, float* y) {
    __shared__ Vector16 lds[THREADS];
    u32 base = lds_address(lds);
#pragma unroll
    for (int i = 0; i < 4; i++) buffer_load_dword_lds(base + i * THREADS * 4, make_buffer(x, THREADS * 16), threadIdx.x * 4, i * THREADS * 4);
    s_waitcnt_vmcnt<0>();
    s_barrier();
    Vector<u32, 4> vector = ds_read_b128(base + (THREADS - 1 - threadIdx.x) * 16, 0);
    s_waitcnt_lgkmcnt<0>();
    pin(vector);
    reinterpret_cast<Vector<u32, 4>*>(y)[threadIdx.x] = vector;
}

extern "C" __global__ __launch_bounds__(THREADS)
void check_ds_read_tr(const Half* x, Half* y) {
    __shared__ Pair lds[THREADS];
    lds[threadIdx.x] = reinterpret_cast<const Pair*>(x)[threadIdx.x];
    __syncthreads();
    Pair four = ds_read_b64_tr_b16(lds_address(lds) + threadIdx.x * 8, 0);
    s_waitcnt_lgkmcnt<0>();
    pin(four);
    reinterpret_cast<Pair*>(y)[threadIdx.x] = four;
}
#endif
