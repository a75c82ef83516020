// C = A B by the formula alone: C (M, N), A (M, K), B (K, N) or its transpose (N, K), sums in f32, one rounding. The foot of the ladder.
//
// Mapping: a thread an element of C, a warp 32 consecutive columns.
// Work: 2 M N K flops; 2 K loads an element, nearly all from cache: bound by load instructions, about 1 % of the tensor cores.
//
// Launch. block (32, 8), grid (ceil(N / 32), ceil(M / 8)); no shared memory.
// Arguments: A, its pitch in elements; B, its pitch; C, its pitch; M, N, K; scale_a, scale_b (f32; may be null when SCALES is 0).
// Macros (default): ELEMENT (Bf16; Fp16, E4m3), OUTPUT (Bf16), B_K_MAJOR (0), SCALES (0; 1 per tensor, 2 per row and column).
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

extern "C" __global__ __launch_bounds__(256)
void gemm_naive(const ELEMENT* a, long long a_pitch, const ELEMENT* b, long long b_pitch, OUTPUT* c, long long c_pitch, int m, int n, int k,
                const float* scale_a, const float* scale_b) {
    int column = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 8 + threadIdx.y;
    if (row >= m || column >= n) return;
    a += row * a_pitch;
    b += B_K_MAJOR ? column * b_pitch : column;
    long long b_step = B_K_MAJOR ? 1 : b_pitch;
    float sum = 0;
    for (int i = 0; i < k; i++) sum += cvt_f32(a[i]) * cvt_f32(b[i * b_step]);
    if (SCALES == 1) sum *= scale_a[0] * scale_b[0];
    if (SCALES == 2) sum *= scale_a[row] * scale_b[column];
    cvt_rn(sum, c[row * c_pitch + column]);
}
