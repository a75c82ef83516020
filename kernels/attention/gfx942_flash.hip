// O = softmax(scale Q K^T) V and LSE = ln sum exp(scale Q K^T) on gfx942's matrix cores: Q, O (B H, N, d); K, V (B Hk, Nk, d); LSE (B H, N) in f32.
// With CAUSAL 1 query i sees keys up to i + Nk - N. Query head h reads key head h Hk / H. Sums in f32, weights rounded to ELEMENT.
//
// Mapping: a block of eight waves owns 256 queries of one head, a wave 32 of them (see flash_mfma.h). Tiles of KEYS keys lie in LDS twice;
// while one is used, four waves bring the next keys to registers and four the next values, which they turn on the way to LDS.
// Work: 4 N Nk d flops a head over (2 N + 2 Nk) d elements; a tile of 64 keys by d = 128 is 2048 cycles of products a wave, beside
// 32 exponentials of 16 cycles, and 32 KB of LDS read by every wave: 2048 cycles of a unit's LDS beside 4096 of products.
//
// Launch. block (512), grid (B H ceil(N / 256)); no dynamic shared memory. d is a multiple of 8, at most HEAD_DIM; Nk d is below 2^30.
// Arguments: Q, K, V, O, LSE, H, Hk, N, Nk, d, scale log2(e) (f32). Macros: those of mfma_rows.h.
#include "attention/gfx942_stream.h"

extern "C" __global__ __launch_bounds__(THREADS)
void attention_gfx942_flash(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, ELEMENT* o, float* lse, int heads, int key_heads, int n, int nk,
                            int d, float scale) {
    __shared__ Lds lds;
    QueryPart part(heads, key_heads, n);
    q += part.head * (long long)n * d, o += part.head * (long long)n * d, lse += part.head * (long long)n;
    k += part.key_head * (long long)nk * d, v += part.key_head * (long long)nk * d;
    int first = part.first + warp_index() * WAVE_ROWS;
    FirstKeys keys{k, v, nk, d, visible(min_int(part.first + BLOCK_ROWS, n) - 1, n, nk), visible(first + lane_id() % 32, n, nk),
                   visible(first, n, nk), visible(first + WAVE_ROWS - 1, n, nk)};
    Rows queries;
    queries.load(q, first, n, d);
    State state;
    attend(state, lds, queries, keys, d, scale);
    state.store(o, lse, first, n, d);
}
