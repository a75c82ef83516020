// Matrices by the warp and by the warpgroup, one kernel a verb. Operands reach shared memory by ordinary stores, at the places where the
// 128-byte swizzle has them, so that no other verb is needed to try a product.
// A fragment is a lane's four pairs of a (16, 16) matrix: pair i stands in row lane / 4 + 8 (i % 2), columns 2 (lane % 4) + 8 (i / 2) on.
//
// Launch. block (32; 128 for wgmma), grid (1); no dynamic shared memory. Arguments: x, y; of products a, b, y with a (M, K), b (N, K),
// unless the name says that the other side is contiguous, and y (M, N) in f32. K is 32 for mma; 128 bytes for wgmma.
// Macros (default): ELEMENT (Bf16; Fp16, E4m3), TILE_N (64: N of wgmma; as wgmma<T> has them).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef TILE_N
#define TILE_N 64
#endif

using Half = Select<sizeof(ELEMENT) == 2, ELEMENT, Bf16>;    // of kernels for 16 bits alone
constexpr int TILE_M = 64, STEPS = 4;                        // of wgmma; instructions in 128 bytes of K
constexpr int PANEL_BYTES = 64 * 128;
constexpr int REGISTERS_N = TILE_N == 96 || TILE_N == 128 || TILE_N == 256 ? TILE_N : 64;    // the widths that wgmma_registers has

// ldmatrix, stmatrix and mma.

constexpr int SIDE = 16, SHARED_PITCH = SIDE + 8;

// The address that lane l gives: rows 0-15 of the first eight columns, then of the others.
DEVICE u32 matrix_row(const u16* memory) { return cvta_shared(memory + threadIdx.x % 16 * SHARED_PITCH + threadIdx.x / 16 * 8); }

DEVICE void read_in(u16* memory, const u16* x) {
    for (int i = threadIdx.x; i < SIDE * SIDE; i += 32) memory[i / SIDE * SHARED_PITCH + i % SIDE] = x[i];
    __syncwarp();
}

DEVICE void write_out(const u16* memory, u16* y) {
    __syncwarp();
    for (int i = threadIdx.x; i < SIDE * SIDE; i += 32) y[i] = memory[i / SIDE * SHARED_PITCH + i % SIDE];
}

extern "C" __global__ __launch_bounds__(32)
void check_ldmatrix(const u16* x, u16* y) {
    __shared__ __align__(16) u16 memory[SIDE * SHARED_PITCH];
    read_in(memory, x);
    u32 pairs[4];
    ldmatrix_x4(pairs, matrix_row(memory));
#pragma unroll
    for (int i = 0; i < 4; i++) reinterpret_cast<u32*>(y)[threadIdx.x * 4 + i] = pairs[i];
}

extern "C" __global__ __launch_bounds__(32)
void check_ldmatrix_trans(const u16* x, u16* y) {
    __shared__ __align__(16) u16 memory[SIDE * SHARED_PITCH];
    read_in(memory, x);
    u32 pairs[4];
    ldmatrix_x4_trans(pairs, matrix_row(memory));
#pragma unroll
    for (int i = 0; i < 4; i++) reinterpret_cast<u32*>(y)[threadIdx.x * 4 + i] = pairs[i];
}

extern "C" __global__ __launch_bounds__(32)
void check_stmatrix(const u16* x, u16* y) {
    __shared__ __align__(16) u16 memory[SIDE * SHARED_PITCH];
    const u32* pairs = reinterpret_cast<const u32*>(x) + threadIdx.x * 4;
    stmatrix_x4(matrix_row(memory), pairs[0], pairs[1], pairs[2], pairs[3]);
    write_out(memory, y);
}

extern "C" __global__ __launch_bounds__(32)
void check_stmatrix_trans(const u16* x, u16* y) {
    __shared__ __align__(16) u16 memory[SIDE * SHARED_PITCH];
    const u32* pairs = reinterpret_cast<const u32*>(x) + threadIdx.x * 4;
    stmatrix_x4_trans(matrix_row(memory), pairs[0], pairs[1], pairs[2], pairs[3]);
    write_out(memory, y);
}

// Of the (16, 16) matrix that its lanes hold, every quarter.
extern "C" __global__ __launch_bounds__(32)
void check_movmatrix_trans(const u16* x, u16* y) {
    __shared__ __align__(16) u16 memory[SIDE * SHARED_PITCH];
    const u32* pairs = reinterpret_cast<const u32*>(x) + threadIdx.x * 4;
    stmatrix_x4(matrix_row(memory), movmatrix_trans(pairs[0]), movmatrix_trans(pairs[1]), movmatrix_trans(pairs[2]), movmatrix_trans(pairs[3]));
    write_out(memory, y);
}

DEVICE u32 pair_at(const Half* matrix, int pitch, int row, int column) { return *reinterpret_cast<const u32*>(matrix + row * pitch + column); }

// The lane's fragment of the (16, 16) part of a matrix from (row, column) on.
DEVICE void load_fragment(u32 (&pairs)[4], const Half* matrix, int pitch, int row, int column) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < 4; i++) pairs[i] = pair_at(matrix, pitch, row + lane / 4 + i % 2 * 8, column + lane % 4 * 2 + i / 2 * 8);
}

extern "C" __global__ __launch_bounds__(32)
void check_mma(const Half* a, const Half* b, float* y) {
    constexpr int K = 32;
    int lane = threadIdx.x;
    float sums[4] = {};
    for (int k = 0; k < K; k += 16) {
        u32 left[4];
        load_fragment(left, a, K, 0, k);
        mma_m16n8k16(Half{}, sums, left, pair_at(b, K, lane / 4, k + lane % 4 * 2), pair_at(b, K, lane / 4, k + lane % 4 * 2 + 8));
    }
#pragma unroll
    for (int i = 0; i < 4; i++) y[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = sums[i];
}

// wgmma.

// (rows, columns) with columns contiguous, as panels of 128 bytes a row.
template <class T> DEVICE void fill_panels(u8* memory, const T* matrix, int rows, int columns) {
    constexpr int IN_ROW = 128 / sizeof(T);
    for (int i = threadIdx.x; i < rows * columns; i += 128) {
        int row = i / columns, column = i % columns, byte = column % IN_ROW * sizeof(T);
        *reinterpret_cast<T*>(memory + column / IN_ROW * PANEL_BYTES + row * 128 + (byte ^ row % 8 * 16)) = matrix[i];
    }
    fence_proxy_async();
    __syncthreads();
}

// Of an operand whose contiguous side is K, or not: its descriptor, and from one instruction's part to the next.
DEVICE u64 descriptor(const u8* memory, bool trans) { return wgmma_descriptor(cvta_shared(memory), trans ? PANEL_BYTES : 16, 1024); }
DEVICE u64 step_of(bool trans) { return (trans ? 16 * 128 : 32) / 16; }

template <int R> DEVICE void finish_product(float (&sums)[R]) {
    wgmma_commit_group();
    wgmma_wait_group<0>();
    wgmma_pin(sums);
}

// Sums from which nothing may be taken over: the first instruction does not accumulate.
template <int R> DEVICE void start_product(float (&sums)[R]) {
#pragma unroll
    for (int i = 0; i < R; i++) sums[i] = INFINITE;
    wgmma_pin(sums);
    wgmma_fence();
}

template <int R> DEVICE void store_sums(const float (&sums)[R], float* y) {
    int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
#pragma unroll
    for (int i = 0; i < R; i++) y[(row + i / 2 % 2 * 8) * 2 * R + i / 4 * 8 + lane % 4 * 2 + i % 2] = sums[i];
}

template <int TRANS_A, int TRANS_B, class T> DEVICE void multiply(const T* a, const T* b, float* y) {
    constexpr int K = 128 / sizeof(T);
    __shared__ __align__(1024) u8 left[PANEL_BYTES], right[4 * PANEL_BYTES];
    fill_panels(left, a, TRANS_A ? K : TILE_M, TRANS_A ? TILE_M : K);
    fill_panels(right, b, TRANS_B ? K : TILE_N, TRANS_B ? TILE_N : K);
    float sums[TILE_N / 2];
    start_product(sums);
#pragma unroll
    for (int i = 0; i < STEPS; i++)
        wgmma<TRANS_A, TRANS_B>(T{}, sums, descriptor(left, TRANS_A) + i * step_of(TRANS_A), descriptor(right, TRANS_B) + i * step_of(TRANS_B), i);
    finish_product(sums);
    store_sums(sums, y);
}

template <int TRANS_B> DEVICE void multiply_registers(const Half* a, const Half* b, float* y) {
    constexpr int K = 64;
    __shared__ __align__(1024) u8 right[4 * PANEL_BYTES];
    fill_panels(right, b, TRANS_B ? K : REGISTERS_N, TRANS_B ? REGISTERS_N : K);
    u32 left[STEPS][4];
#pragma unroll
    for (int i = 0; i < STEPS; i++) load_fragment(left[i], a, K, threadIdx.x / 32 * 16, i * 16);
    float sums[REGISTERS_N / 2];
    start_product(sums);
#pragma unroll
    for (int i = 0; i < STEPS; i++) wgmma_registers<TRANS_B>(Half{}, sums, left[i], descriptor(right, TRANS_B) + i * step_of(TRANS_B), i);
    finish_product(sums);
    store_sums(sums, y);
}

extern "C" __global__ __launch_bounds__(128)
void check_wgmma(const ELEMENT* a, const ELEMENT* b, float* y) { multiply<0, 0>(a, b, y); }

extern "C" __global__ __launch_bounds__(128)
void check_wgmma_trans_a(const Half* a, const Half* b, float* y) { multiply<1, 0>(a, b, y); }

extern "C" __global__ __launch_bounds__(128)
void check_wgmma_trans_b(const Half* a, const Half* b, float* y) { multiply<0, 1>(a, b, y); }

extern "C" __global__ __launch_bounds__(128)
void check_wgmma_registers(const Half* a, const Half* b, float* y) { multiply_registers<0>(a, b, y); }

extern "C" __global__ __launch_bounds__(128)
void check_wgmma_registers_trans_b(const Half* a, const Half* b, float* y) { multiply_registers<1>(a, b, y); }
