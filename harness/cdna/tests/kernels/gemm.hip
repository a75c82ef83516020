// C = A B^T, bf16 in, f32 out. A (M, K), B (N, K), C (M, N); M, N multiples of 64, K of 32.
// A workgroup of four waves makes 64 x 64 of C, each wave 32 x 32; two stages of LDS, the next loaded while one is used.
#include "device.h"

constexpr int TILE = 64;
constexpr int STEP = 32;
// Eight more columns keep rows apart in the banks.
constexpr int PITCH = STEP + 8;

GLOBAL(256) gemm(const __bf16* __restrict__ a, const __bf16* __restrict__ b, float* __restrict__ c, int n, int k) {
    SHARED __bf16 lds_a[2][TILE * PITCH], lds_b[2][TILE * PITCH];
    const unsigned t = thread(), wave = __builtin_amdgcn_readfirstlane(t / 64), lane = t % 64;
    const unsigned row = lane % 16, group = lane / 16;
    const unsigned wave_m = wave / 2 * 32, wave_n = wave % 2 * 32;
    const unsigned load_row = t / 4, load_column = t % 4 * 8;
    a += (block_x() * TILE + load_row) * k + load_column;
    b += (block_y() * TILE + load_row) * k + load_column;
    const unsigned store = load_row * PITCH + load_column;

    *(Bf16x8*)&lds_a[0][store] = *(const Bf16x8*)a;
    *(Bf16x8*)&lds_b[0][store] = *(const Bf16x8*)b;
    barrier();
    Float4 sum[2][2] = {};
    for (int at = 0; at < k; at += STEP) {
        const int stage = at / STEP % 2;
        Bf16x8 next_a = {}, next_b = {};
        const bool more = at + STEP < k;
        if (more) {
            next_a = *(const Bf16x8*)(a + at + STEP);
            next_b = *(const Bf16x8*)(b + at + STEP);
        }
        for (int d = 0; d < STEP; d += DEPTH)
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 2; j++) {
                    Fragment fa = *(Fragment*)&lds_a[stage][(wave_m + 16 * i + row) * PITCH + d + EACH * group];
                    Fragment fb = *(Fragment*)&lds_b[stage][(wave_n + 16 * j + row) * PITCH + d + EACH * group];
                    sum[i][j] = mfma(fa, fb, sum[i][j]);
                }
        if (more) {
            *(Bf16x8*)&lds_a[stage ^ 1][store] = next_a;
            *(Bf16x8*)&lds_b[stage ^ 1][store] = next_b;
        }
        barrier();
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            for (int r = 0; r < 4; r++) {
                const unsigned m = block_x() * TILE + wave_m + 16 * i + 4 * group + r;
                c[m * n + block_y() * TILE + wave_n + 16 * j + row] = sum[i][j][r];
            }
}
