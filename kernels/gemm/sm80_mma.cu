// C = A B on the tensor cores by the warp (mma.sync, since sm_80): C (M, N), A (M, K), B (K, N) or its transpose (N, K), f32 sums, one rounding.
// The third rung; any pitch and alignment, and every NVIDIA device since 2020.
//
// Mapping: a block of 8 warps owns 128 x 128 of C, a warp 64 x 32 of it as 4 x 4 products of m16n8k16. Slices 32 deep go from global
// memory to registers while the slice before is multiplied, then to the other of two shared buffers; ldmatrix reads fragments from rows
// padded by 16 bytes, so that eight rows meet 32 banks.
// Work: 2 M N K flops over at least 2 (M K + K N + M N) bytes: bound by the tensor cores, of which mma.sync reaches some 60 % on Hopper.
//
// Launch. block (256), grid (ceil(N / 128), ceil(M / 128)); no dynamic shared memory. Arguments as naive.cu.
// Macros (default): ELEMENT (Bf16; Fp16), OUTPUT (Bf16), B_K_MAJOR (0), ALIGNED (0; 1: pitches and bases of A and B are multiples of 16 bytes).
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
#ifndef ALIGNED
#define ALIGNED 0
#endif

constexpr int TILE = 128, SLICE = 32, THREADS = 256;
constexpr int K_PITCH = SLICE + 8, N_PITCH = TILE + 8;   // elements a row, K contiguous or not
constexpr int BUFFER = TILE * K_PITCH;                   // the larger of the two forms, in elements

// Eight elements along the contiguous side from column x of `row`; outside (rows, columns) they are 0.
DEVICE Vector16 load_eight(const ELEMENT* matrix, long long pitch, int row, int x, int rows, int columns) {
    Vector16 v = {};
    if (row >= rows || x >= columns) return v;
    const ELEMENT* from = matrix + row * pitch + x;
    if (ALIGNED && x + 8 <= columns) return *reinterpret_cast<const Vector16*>(from);
#pragma unroll
    for (int i = 0; i < 8; i++)
        if (x + i < columns) v.word[i / 2] |= u32(from[i].bits) << (i % 2 * 16);
    return v;
}

// A slice of 128 x 32, two vectors a thread: rows of 32 where K is contiguous, else rows of 128.
template <bool K_MAJOR> struct Slice {
    static constexpr int ACROSS = (K_MAJOR ? SLICE : TILE) / 8, PITCH = K_MAJOR ? K_PITCH : N_PITCH;
    Vector16 part[2];

    DEVICE void load(const ELEMENT* matrix, long long pitch, int first, int extent, int k, int k_extent) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int at = threadIdx.x + i * THREADS, r = at / ACROSS, x = at % ACROSS * 8;
            part[i] = K_MAJOR ? load_eight(matrix, pitch, first + r, k + x, extent, k_extent)
                              : load_eight(matrix, pitch, k + r, first + x, k_extent, extent);
        }
    }
    DEVICE void store(ELEMENT* buffer) const {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int at = threadIdx.x + i * THREADS;
            *reinterpret_cast<Vector16*>(buffer + at / ACROSS * PITCH + at % ACROSS * 8) = part[i];
        }
    }
};

// sums (64, 32) += A (64, 32) B (32, 32), from the slices in shared memory.
DEVICE void multiply_slice(float (&sums)[4][4][4], const ELEMENT* a, const ELEMENT* b, int row, int column) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < SLICE; k += 16) {
        u32 left[4][4], right[2][4];                     // right[j]: two columns of eight, each of two halves of K
#pragma unroll
        for (int i = 0; i < 4; i++) ldmatrix_x4(left[i], cvta_shared(a + (row + i * 16 + lane % 16) * K_PITCH + k + lane / 16 * 8));
#pragma unroll
        for (int j = 0; j < 2; j++) {
            int high = lane / 8 % 2 * 8, far = lane / 16 * 8;
            if (B_K_MAJOR) ldmatrix_x4(right[j], cvta_shared(b + (column + j * 16 + far + lane % 8) * K_PITCH + k + high));
            else ldmatrix_x4_trans(right[j], cvta_shared(b + (k + high + lane % 8) * N_PITCH + column + j * 16 + far));
        }
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) mma_m16n8k16(ELEMENT{}, sums[i][j], left[i], right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]);
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void gemm_sm80_mma(const ELEMENT* a, long long a_pitch, const ELEMENT* b, long long b_pitch, OUTPUT* c, long long c_pitch, int m, int n, int k) {
    __shared__ __align__(16) ELEMENT a_buffer[2][BUFFER], b_buffer[2][BUFFER];
    int row = blockIdx.y * TILE, column = blockIdx.x * TILE, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int warp_row = warp / 4 * 64, warp_column = warp % 4 * 32;
    float sums[4][4][4] = {};
    Slice<true> a_next;
    Slice<B_K_MAJOR> b_next;
    a_next.load(a, a_pitch, row, m, 0, k);
    b_next.load(b, b_pitch, column, n, 0, k);
    for (int slice = 0, buffer = 0; slice < k; slice += SLICE, buffer ^= 1) {
        a_next.store(a_buffer[buffer]);
        b_next.store(b_buffer[buffer]);
        __syncthreads();
        a_next.load(a, a_pitch, row, m, slice + SLICE, k);
        b_next.load(b, b_pitch, column, n, slice + SLICE, k);
        multiply_slice(sums, a_buffer[buffer], b_buffer[buffer], warp_row, warp_column);
    }
#pragma unroll
    for (int i = 0; i < 64; i++) {
        int r = row + warp_row + i / 16 * 16 + i / 2 % 2 * 8 + lane / 4, x = column + warp_column + i / 4 % 4 * 8 + lane % 4 * 2 + i % 2;
        if (r < m && x < n) cvt_rn(sums[i / 16][i / 4 % 4][i % 4], c[r * c_pitch + x]);
    }
}
