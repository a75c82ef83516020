// C = A B through shared memory: C (M, N), A (M, K), B (K, N) or its transpose (N, K), sums in f32, one rounding. The second rung.
//
// Mapping: a block of 256 threads owns 128 x 128 of C and brings slices of 128 x 16 of A and 16 x 128 of B, as f32, into shared memory;
// a thread sums 8 x 8 elements, two groups of four rows and columns apart, so that a warp's reads of a slice meet no bank twice.
// Work: 2 M N K flops, each byte read from global memory used 128 times: bound by f32 arithmetic, 67 TFLOP/s.
//
// Launch. block (256), grid (ceil(N / 128), ceil(M / 128)); no dynamic shared memory. Arguments and macros as naive.cu.
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef OUTPUT
#define OUTPUT Bf16
#endif
#ifndef B_K_MAJOR
#define B_K_MAJOR 0
#endif
#ifndef SCALES
#define SCALES 0
#endif

constexpr int TILE = 128, SLICE = 16, PITCH = TILE + 4;

// Brings 16 of K by 128 of M or N to (16, PITCH); what lies outside the matrix is 0.
template <bool K_MAJOR>
DEVICE void fetch(float (&slice)[SLICE][PITCH], const ELEMENT* x, long long pitch, int first, int extent, int k, int k_extent) {
#pragma unroll
    for (int i = threadIdx.x; i < TILE * SLICE; i += 256) {
        int r = K_MAJOR ? i / SLICE : i % TILE, kk = K_MAJOR ? i % SLICE : i / TILE;
        bool inside = first + r < extent && k + kk < k_extent;
        long long at = K_MAJOR ? (first + r) * pitch + k + kk : (k + kk) * pitch + first + r;
        slice[kk][r] = inside ? cvt_f32(x[at]) : 0;
    }
}

// The eight places a thread holds along a side: four, and four more 64 on.
DEVICE int place(int thread, int i) { return thread * 4 + i / 4 * 64 + i % 4; }

extern "C" __global__ __launch_bounds__(256)
void gemm_shared(const ELEMENT* a, long long a_pitch, const ELEMENT* b, long long b_pitch, OUTPUT* c, long long c_pitch, int m, int n, int k,
                 const float* scale_a, const float* scale_b) {
    __shared__ float a_slice[SLICE][PITCH], b_slice[SLICE][PITCH];
    int row = blockIdx.y * TILE, column = blockIdx.x * TILE, x = threadIdx.x % 16, y = threadIdx.x / 16;
    float sums[8][8] = {};
    for (int slice = 0; slice < k; slice += SLICE) {
        fetch<true>(a_slice, a, a_pitch, row, m, slice, k);
        fetch<B_K_MAJOR>(b_slice, b, b_pitch, column, n, slice, k);
        __syncthreads();
#pragma unroll
        for (int kk = 0; kk < SLICE; kk++) {
            float left[8], right[8];
#pragma unroll
            for (int i = 0; i < 8; i++) left[i] = a_slice[kk][place(y, i)], right[i] = b_slice[kk][place(x, i)];
#pragma unroll
            for (int i = 0; i < 64; i++) sums[i / 8][i % 8] += left[i / 8] * right[i % 8];
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 64; i++) {
        int r = row + place(y, i / 8), s = column + place(x, i % 8);
        if (r >= m || s >= n) continue;
        float sum = sums[i / 8][i % 8];
        if (SCALES == 1) sum *= scale_a[0] * scale_b[0];
        if (SCALES == 2) sum *= scale_a[r] * scale_b[s];
        cvt_rn(sum, c[r * c_pitch + s]);
    }
}
