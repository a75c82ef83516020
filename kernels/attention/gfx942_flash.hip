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
#include "attention/flash_mfma.h"

constexpr int K_CHUNKS = HEAD_DIM / 8, V_CHUNKS = KEYS / 8;   // vectors in a row of keys, and in a row of turned values

// Keys lie (KEYS, HEAD_DIM); eight consecutive rows of one vector meet all banks.
DEVICE u32 k_place(u32 key, u32 chunk) { return key * K_CHUNKS + (chunk ^ key % 8); }
// Values lie (HEAD_DIM, KEYS), of sixteen keys first the eight that lanes below 32 multiply; rows eight apart meet all banks too.
DEVICE u32 v_place(u32 column, u32 chunk) { return column * V_CHUNKS + (chunk ^ (column ^ column / 8) % 8); }

// Half of the threads' vectors of the next tile: of keys as they are, of values four below each other.
struct Staged {
    Vector16 part[4];

    DEVICE static bool of_values() { return warp_index() < WAVES / 2; }
    // Of this thread's block of values: eight columns, four keys. Sixteen lanes take eight blocks side by side, two below each other.
    DEVICE static u32 column() { u32 at = threadIdx.x; return (at % 8 + at / 16 % (HEAD_DIM / 64) * 8) * 8; }
    DEVICE static u32 key() { u32 at = threadIdx.x; return (at / 8 % 2 * 2 + at / 16 / (HEAD_DIM / 64) % 2 + at / 32 / (HEAD_DIM / 64) * 4) * 4; }

    DEVICE void load(const ELEMENT* k, const ELEMENT* v, int first, int nk, int d) {
        BufferResource buffer = rows_from(of_values() ? v : k, first, nk, d);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 at = threadIdx.x % (THREADS / 2) + i * (THREADS / 2);
            u32 row = of_values() ? key() + i : at / K_CHUNKS, x = of_values() ? column() : at % K_CHUNKS * 8;
            part[i] = buffer_load_dwordx4(buffer, int(x) < d ? (row * d + x) * sizeof(ELEMENT) : OUTSIDE);
        }
    }
    DEVICE void store(Vector16* keys, Vector16* values) const {
        if (of_values()) return store_turned(values);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 at = threadIdx.x % (THREADS / 2) + i * (THREADS / 2);
            keys[k_place(at / K_CHUNKS, at % K_CHUNKS)] = part[i];
        }
    }
    DEVICE void store_turned(Vector16* values) const {
        u32 four = key() / 4, chunk = four / 4 * 2 + four % 2, half = four / 2 % 2;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            u32 select = i % 2 ? 0x07060302 : 0x05040100;
            auto to = reinterpret_cast<Vector<u32, 2>*>(values + v_place(column() + i, chunk));
            to[half] = {v_perm_b32(part[1].word[i / 2], part[0].word[i / 2], select), v_perm_b32(part[3].word[i / 2], part[2].word[i / 2], select)};
        }
    }
};

DEVICE void use_tile(State& state, const Rows& queries, const Vector16* keys, const Vector16* values, float scale, int key, int seen, bool masked) {
    u32 row = lane_id() % 32, group = lane_id() / 32;
    Sum16 scores[KEY_TILES] = {};
#pragma unroll
    for (int i = 0; i < KEY_TILES; i++)
#pragma unroll
        for (int j = 0; j < STEPS; j++) multiply<ELEMENT>(scores[i], keys[k_place(i * 32 + row, 2 * j + group)], queries.step[j]);
    Vector16 weights[KEY_STEPS];
    state.weigh(scores, weights, scale, key, seen, masked);
#pragma unroll
    for (int i = 0; i < DIM_TILES; i++)
#pragma unroll
        for (int j = 0; j < KEY_STEPS; j++) multiply<ELEMENT>(state.out[i], values[v_place(i * 32 + row, 2 * j + group)], weights[j]);
}

extern "C" __global__ __launch_bounds__(THREADS)
void attention_gfx942_flash(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, ELEMENT* o, float* lse, int heads, int key_heads, int n, int nk,
                            int d, float scale) {
    __shared__ Vector16 keys[2][TILE_BYTES / 16], values[2][TILE_BYTES / 16];
    Part part(heads, key_heads, n);
    q += part.head * (long long)n * d, o += part.head * (long long)n * d, lse += part.head * (long long)n;
    k += part.key_head * (long long)nk * d, v += part.key_head * (long long)nk * d;
    int first = part.first + warp_index() * WAVE_ROWS;
    int seen = visible(first + lane_id() % 32, n, nk), all_see = visible(first, n, nk), some_see = visible(first + WAVE_ROWS - 1, n, nk);
    int end = visible(min_int(part.first + BLOCK_ROWS, n) - 1, n, nk);
    Rows queries;
    queries.load(q, first, n, d);
    State state;
    Staged next;
    next.load(k, v, 0, nk, d);
    next.store(keys[0], values[0]);
    __syncthreads();
    for (int key = 0, stage = 0; key < end; key += KEYS, stage ^= 1) {
        next.load(k, v, key + KEYS, nk, d);
        sched_barrier();
        if (key < some_see) use_tile(state, queries, keys[stage], values[stage], scale, key, seen, key + KEYS > all_see);
        next.store(keys[stage ^ 1], values[stage ^ 1]);
        __syncthreads();
    }
    state.store(o, lse, first, n, d);
}
