// dQ, dK, dV of softmax attention on gfx950's matrix cores: P = exp(Q K^T scale - LSE), dV = P^T dO, dS = P (dO V^T - delta), dQ = dS K scale,
// dK = dS^T Q scale, delta = sum dO O: Q, O, dO, dQ (B H, N, d); K, V, dK, dV (B Hk, Nk, d); LSE (B H, N) in f32. With CAUSAL 1 query i sees keys up
// to i + Nk - N. Query head h reads key head h Hk / H. Sums in f32; P and dS rounded to ELEMENT for the second products.
// (T. Dao, FlashAttention-2, 2023, Algorithm 2.)
//
// Mapping: two kernels (see flash_mfma_backward.h), the first with queries, the second with keys as own rows, 256 a block and 32 a wave of
// eight. Tiles of passing rows go straight to LDS, where four stand in a ring: the wave that has met the others copies the tile three ahead
// over the one they have left. Fragments are read by hand, one group ahead of its products; transposing reads turn them where rows are summed.
// Work: 14 N Nk d flops a head, of which 10 are the operation's; for a wave, a tile of 32 rows at d = 128 is 768 and 1024 cycles of products
// beside 16 exponentials of 16 cycles, and reads 24 and 32 KB of LDS: 1536 and 2048 cycles of a unit's LDS, as many as of products.
//
// Launch. block (512); grid (B H ceil(N / 256)) for queries, then (B Hk ceil(Nk / 256)) for keys; no dynamic shared memory. d is a multiple
// of 8, at most HEAD_DIM; N d and Nk d are below 2^30.
// Arguments of both: Q, K, V, then O, dO, LSE, statistics, dQ or dO, statistics, dK, dV, then H, Hk, N, Nk, d, scale and scale log2(e) (f32). The statistics are
// those of flash_mfma_backward.h. Macros: those of mfma_rows.h.
#include "attention/gfx950_backward.h"

extern "C" __global__ __launch_bounds__(THREADS)
void attention_gfx950_flash_backward_queries(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, const ELEMENT* o, const ELEMENT* d_o, const float* lse,
                                             float* statistics, ELEMENT* d_q, int heads, int key_heads, int n, int nk, int d, float scale, float scale2) {
    __shared__ Lds lds;
    QueryPart part(heads, key_heads, n);
    long long before = part.head * (long long)n;
    k += part.key_head * (long long)nk * d, v += part.key_head * (long long)nk * d;
    int first = part.first + warp_index() * WAVE_ROWS, query = first + lane_id() % 32;
    SeenKeys seen{visible(query, n, nk), visible(first, n, nk), visible(first + WAVE_ROWS - 1, n, nk)};
    int end = visible(min_int(part.first + BLOCK_ROWS, n) - 1, n, nk);
    OwnQueries own;
    own.load(q + before * d, o + before * d, d_o + before * d, lse + before, first, n, d, scale);
    own.leave(statistics + part.head * 2LL * padded(n), padded(n), query, padded(n));
    Sum16 sums[DIM_TILES] = {};
    meet_keys(sums, lds, own, k, v, nk, end, d, seen, scale2);
    if (query < n) store_row(sums, scale, d_q + (before + query) * d, d);
}

extern "C" __global__ __launch_bounds__(THREADS)
void attention_gfx950_flash_backward_keys(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, const ELEMENT* d_o, const float* statistics, ELEMENT* d_k,
                                          ELEMENT* d_v, int heads, int key_heads, int n, int nk, int d, float scale, float scale2) {
    __shared__ Lds lds;
    KeyPart part(nk);
    long long before = part.head * (long long)nk * d;
    int first = part.first + warp_index() * WAVE_ROWS, key = first + lane_id() % 32, group = heads / key_heads;
    SeeingQueries seen{first_seeing(key, n, nk), first_seeing(first + WAVE_ROWS - 1, n, nk), first_seeing(first, n, nk)};
    int begin = first_seeing(part.first, n, nk) / TILE_ROWS * TILE_ROWS;
    Walk walk{part.head * group, part.head * group + group, begin, begin};
    OwnKeys own{k + before, v + before, d_k + before, d_v + before, first, nk, d};
    meet_queries(lds, own, {q, d_o, statistics, n, n, padded(n), padded(n), d}, walk, seen, scale, scale2);
}
