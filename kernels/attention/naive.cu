// O = softmax(scale Q Kᵀ) V and LSE by the formula alone, a query at a time, sums in f32. Q and O (B, H, N, D), K and V (B, Hk, Nk, D),
// LSE (B, H, N) in f32, natural; query head h reads key head h Hk / H. CAUSAL: query i sees keys up to i + Nk - N. The foot of the ladder.
//
// Mapping: a block a query; of THREADS keys at a time a thread weighs one, and then sums its columns of O over all of them.
// Work: 4 N Nk D flops a head; each key and value is read again for every query, mostly from cache: bound by load instructions.
//
// Launch. block (128), grid (B H N); no dynamic shared memory.
// Arguments: Q, K, V, O, LSE; H / Hk; N; Nk; scale log2(e).
// Macros (default): ELEMENT (Bf16; Fp16, float), D (128; any), CAUSAL (0).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef D
#define D 128
#endif
#ifndef CAUSAL
#define CAUSAL 0
#endif

constexpr int THREADS = 128;
constexpr int COLUMNS = (D + THREADS - 1) / THREADS;     // of O that a thread sums

// In powers of two; -inf beyond the visible keys.
DEVICE float score_key(const float* query, const ELEMENT* k, int key, int visible, float scale) {
    if (key >= visible) return -INFINITE;
    float sum = 0;
    for (int c = 0; c < D; c++) sum += query[c] * cvt_f32(k[(long long)key * D + c]);
    return sum * scale;
}

extern "C" __global__ __launch_bounds__(THREADS)
void attention_naive(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, ELEMENT* o, float* lse, int group, int n, int nk, float scale) {
    __shared__ float query[D], score[THREADS];
    int thread = threadIdx.x, i = blockIdx.x % n;
    long long row = blockIdx.x, head = row / n / group;
    int visible = CAUSAL ? min_int(nk, i + 1 + nk - n) : nk;
    k += head * nk * D;
    v += head * nk * D;
    for (int c = thread; c < D; c += THREADS) query[c] = cvt_f32(q[row * D + c]);
    float max = -INFINITE, sum = 0, column[COLUMNS] = {};
    for (int first = 0; first < visible; first += THREADS) {
        __syncthreads();
        score[thread] = score_key(query, k, first + thread, visible, scale);
        __syncthreads();
        float before = max;
        for (int j = 0; j < THREADS; j++) max = fmaxf(max, score[j]);
        float shrink = exp2f(before - max);              // the first key is visible, so that max is finite
        sum *= shrink;
        for (int c = 0; c < COLUMNS; c++) column[c] *= shrink;
        for (int j = 0; j < min_int(THREADS, visible - first); j++) {
            float weight = exp2f(score[j] - max);
            sum += weight;
            for (int c = 0; c < COLUMNS; c++) {
                int at = thread + c * THREADS;
                if (at < D) column[c] += weight * cvt_f32(v[(long long)(first + j) * D + at]);
            }
        }
    }
    for (int c = 0; c < COLUMNS; c++) {
        int at = thread + c * THREADS;
        if (at < D) cvt_rn(sum > 0 ? column[c] / sum : 0, o[row * D + at]);
    }
    if (thread == 0) lse[row] = (max + log2f(sum)) * 0.693147181f;
}
