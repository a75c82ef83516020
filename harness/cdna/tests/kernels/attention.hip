// O = softmax(Q K^T / 8) V, one head of dimension 64, bf16 in, f32 out. Q, K, V, O (N, 64); N a multiple of 32.
// A workgroup of two waves makes 32 rows of O, each wave 16; keys pass through LDS 32 at a time, V transposed.
// S^T = K Q^T leaves each lane one query, so that a row's maximum and sum cross only lane groups.
#include "device.h"

constexpr int DIM = 64;
constexpr int KEYS = 32;
constexpr int PITCH_K = DIM + 8;
constexpr int PITCH_V = KEYS + 8;

DEVICE float exchanged(float x, unsigned lanes) {
    const unsigned lane = __builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0));
    return __builtin_bit_cast(float, __builtin_amdgcn_ds_bpermute((lane ^ lanes) * 4, __builtin_bit_cast(int, x)));
}

// A result's rows are an operand's depths on gfx942, where P stays in registers; on gfx950 it changes lanes through LDS.
DEVICE void keep(__bf16* lds, Fragment* fp, unsigned row, int g, unsigned group, int r, __bf16 p) {
#if defined(__gfx950__)
    lds[row * PITCH_V + 16 * g + 4 * group + r] = p;
#else
    fp[g][r] = p;
#endif
}

GLOBAL(128) attention(const __bf16* __restrict__ q, const __bf16* __restrict__ k, const __bf16* __restrict__ v,
                      float* __restrict__ o, int n) {
    SHARED __bf16 lds_k[KEYS * PITCH_K], lds_v[DIM * PITCH_V], lds_p[2][16 * PITCH_V];
    const unsigned t = thread(), wave = __builtin_amdgcn_readfirstlane(t / 64), lane = t % 64;
    const unsigned row = lane % 16, group = lane / 16;
    const unsigned query = block_x() * 32 + wave * 16;
    Fragment fq[DIM / DEPTH];
    for (int d = 0; d < DIM / DEPTH; d++) fq[d] = *(const Fragment*)(q + (query + row) * DIM + d * DEPTH + EACH * group);

    Float4 out[4] = {};
    float largest = -__builtin_inff(), total = 0;
    const float to_log2 = 1.44269504f / 8;
    for (int key = 0; key < n; key += KEYS) {
        barrier();
        for (int i = 0; i < 2; i++) {
            const unsigned r = (t + 128 * i) / 8, c = (t + 128 * i) % 8 * 8;
            *(Bf16x8*)&lds_k[r * PITCH_K + c] = *(const Bf16x8*)(k + (key + r) * DIM + c);
            const Bf16x8 column = *(const Bf16x8*)(v + (key + r) * DIM + c);
            for (int e = 0; e < 8; e++) lds_v[(c + e) * PITCH_V + r] = column[e];
        }
        barrier();
        Float4 s[2] = {};
        for (int g = 0; g < 2; g++)
            for (int d = 0; d < DIM / DEPTH; d++)
                s[g] = mfma(*(Fragment*)&lds_k[(16 * g + row) * PITCH_K + d * DEPTH + EACH * group], fq[d], s[g]);
        float top = largest;
        for (int g = 0; g < 2; g++)
            for (int r = 0; r < 4; r++) top = __builtin_fmaxf(top, s[g][r] *= to_log2);
        top = __builtin_fmaxf(top, exchanged(top, 16));
        top = __builtin_fmaxf(top, exchanged(top, 32));
        const float rescale = __builtin_amdgcn_exp2f(largest - top);
        float sum = 0;
        Fragment fp[KEYS / DEPTH];
        for (int g = 0; g < 2; g++)
            for (int r = 0; r < 4; r++) {
                const float p = __builtin_amdgcn_exp2f(s[g][r] - top);
                sum += p;
                keep(lds_p[wave], fp, row, g, group, r, (__bf16)p);
            }
        sum += exchanged(sum, 16);
        total = total * rescale + sum + exchanged(sum, 32);
        largest = top;
#if defined(__gfx950__)
        // P is the wave's own, so no barrier stands between its writes and reads.
        fp[0] = *(Fragment*)&lds_p[wave][row * PITCH_V + EACH * group];
#endif
        for (int i = 0; i < 4; i++) {
            out[i] *= rescale;
            for (int d = 0; d < KEYS; d += DEPTH) {
                const Fragment fv = *(Fragment*)&lds_v[(16 * i + row) * PITCH_V + d + EACH * group];
                out[i] = mfma(fv, fp[d / DEPTH], out[i]);
            }
        }
    }
    for (int i = 0; i < 4; i++)
        for (int r = 0; r < 4; r++) o[(query + row) * DIM + 16 * i + 4 * group + r] = out[i][r] / total;
}
