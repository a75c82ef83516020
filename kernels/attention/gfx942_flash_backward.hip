// dQ, dK, dV of softmax attention on gfx942's matrix cores: P = exp(Q K^T scale - LSE), dV = P^T dO, dS = P (dO V^T - delta), dQ = dS K scale,
// dK = dS^T Q scale, delta = sum dO O: Q, O, dO, dQ (B H, N, d); K, V, dK, dV (B Hk, Nk, d); LSE (B H, N) in f32. With CAUSAL 1 query i sees keys up
// to i + Nk - N. Query head h reads key head h Hk / H. Sums in f32; P and dS rounded to ELEMENT for the second products.
// (T. Dao, FlashAttention-2, 2023, Algorithm 2.)
//
// Mapping: two kernels (see flash_mfma_backward.h), the first with queries, the second with keys as own rows, 256 a block and 32 a wave of
// eight. Of the passing rows a tile of TILE_ROWS lies in LDS, as it is and turned; four waves bring the next to registers meanwhile.
// Work: 14 N Nk d flops a head, of which 10 are the operation's; for a wave, a tile of 32 rows at d = 128 is 1536 and 2048 cycles of products
// beside 16 exponentials of 16 cycles, and reads 24 and 32 KB of LDS: 1536 and 2048 cycles of a unit's LDS beside 3072 and 4096 of products.
//
// Launch. block (512); grid (B H ceil(N / 256)) for queries, then (B Hk ceil(Nk / 256)) for keys; no dynamic shared memory. d is a multiple
// of 8, at most HEAD_DIM; N d and Nk d are below 2^30.
// Arguments of both: Q, K, V, then O, dO, LSE, statistics, dQ or dO, statistics, dK, dV, then H, Hk, N, Nk, d, scale and scale log2(e) (f32). The statistics are
// those of flash_mfma_backward.h. Macros: those of mfma_rows.h.
#include "attention/flash_mfma_backward.h"

constexpr int ROW_CHUNKS = HEAD_DIM / 8, TURNED_CHUNKS = TILE_ROWS / 8;   // vectors in a row, and in a column
constexpr int STAGING = TILE_BYTES / 64;                   // threads that stage one matrix, four vectors each

// Rows lie (TILE_ROWS, HEAD_DIM); eight consecutive rows of one vector meet all banks.
DEVICE u32 row_place(u32 row, u32 chunk) { return row * ROW_CHUNKS + (chunk ^ row % 8); }
// Turned they lie (HEAD_DIM, TILE_ROWS), of sixteen rows first the eight that lanes below 32 multiply; eight columns of one vector meet all banks.
DEVICE u32 turned_place(u32 column, u32 chunk) {
    return column * TURNED_CHUNKS + (chunk ^ (column / (8 / TURNED_CHUNKS) ^ column / 8) % TURNED_CHUNKS);
}

// The passing rows of two matrices, in LDS.
struct Tile {
    Vector16 rows[2][TILE_BYTES / 16], turned[2][TILE_BYTES / 16];
};

// A thread's part of the next tile: eight columns of four rows. The first waves stage one matrix, the next the other.
struct Staged {
    Vector16 part[4];

    DEVICE static bool stages() { return warp_index() < 2 * STAGING / WARP_THREADS; }
    DEVICE static bool second() { return warp_index() >= STAGING / WARP_THREADS; }
    // Sixteen lanes take eight blocks of columns side by side, two below each other.
    DEVICE static u32 column() { u32 at = threadIdx.x; return (at % 8 + at / 16 % (HEAD_DIM / 64) * 8) * 8; }
    DEVICE static u32 row() {
        u32 at = threadIdx.x % STAGING;
        return (at / 8 % 2 * 2 + at / 16 / (HEAD_DIM / 64) % 2 + at / 32 / (HEAD_DIM / 64) * 4) * 4;
    }

    DEVICE void load(const ELEMENT* a, const ELEMENT* b, int first, int rows, int d) {
        if (!stages()) return;
        BufferResource buffer = rows_from(second() ? b : a, first, rows, d);
#pragma unroll
        for (int i = 0; i < 4; i++)
            part[i] = buffer_load_dwordx4(buffer, int(column()) < d ? ((row() + i) * d + column()) * sizeof(ELEMENT) : OUTSIDE);
    }
    DEVICE void store(Tile& tile, bool turn_first, bool turn_second) const {
        if (!stages()) return;
        int matrix = second();
#pragma unroll
        for (int i = 0; i < 4; i++) tile.rows[matrix][row_place(row() + i, column() / 8)] = part[i];
        if (second() ? turn_second : turn_first) store_turned(tile.turned[matrix]);
    }
    DEVICE void store_turned(Vector16* turned) const {
        u32 four = row() / 4, chunk = four / 4 * 2 + four % 2, half = four / 2 % 2;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            u32 select = i % 2 ? 0x07060302 : 0x05040100;
            auto to = reinterpret_cast<Vector<u32, 2>*>(turned + turned_place(column() + i, chunk));
            to[half] = {v_perm_b32(part[1].word[i / 2], part[0].word[i / 2], select), v_perm_b32(part[3].word[i / 2], part[2].word[i / 2], select)};
        }
    }
};

// scores (32, 32) += tile of 32 passing rows times own rows.
DEVICE void multiply_rows(Sum16& scores, const Vector16* rows, int tile, const Rows& own) {
#pragma unroll
    for (int j = 0; j < STEPS; j++) multiply<ELEMENT>(scores, rows[row_place(tile * 32 + lane_id() % 32, 2 * j + lane_id() / 32)], own.step[j]);
}

// sums (HEAD_DIM, 32) += the same rows, turned, times weights.
DEVICE void add_products(Sum16 (&sums)[DIM_TILES], const Vector16* turned, int tile, const Sum16& weights) {
    Vector16 operand[2];
    round_to(operand, weights);
#pragma unroll
    for (int i = 0; i < DIM_TILES; i++)
#pragma unroll
        for (int j = 0; j < 2; j++)
            multiply<ELEMENT>(sums[i], turned[turned_place(i * 32 + lane_id() % 32, tile * 4 + 2 * j + lane_id() / 32)], operand[j]);
}

extern "C" __global__ __launch_bounds__(THREADS)
void attention_gfx942_flash_backward_queries(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, const ELEMENT* o, const ELEMENT* d_o, const float* lse,
                                             float* statistics, ELEMENT* d_q, int heads, int key_heads, int n, int nk, int d, float scale, float scale2) {
    __shared__ Tile tile;
    QueryPart part(heads, key_heads, n);
    long long before = part.head * (long long)n;
    k += part.key_head * (long long)nk * d, v += part.key_head * (long long)nk * d;
    int first = part.first + warp_index() * WAVE_ROWS, query = first + lane_id() % 32;
    int seen = visible(query, n, nk), all_see = visible(first, n, nk), some_see = visible(first + WAVE_ROWS - 1, n, nk);
    int end = visible(min_int(part.first + BLOCK_ROWS, n) - 1, n, nk);
    OwnQueries own;
    own.load(q + before * d, o + before * d, d_o + before * d, lse + before, first, n, d, scale);
    own.leave(statistics + part.head * 2LL * padded(n), first, n);
    Sum16 sums[DIM_TILES] = {};
    Staged next;
    next.load(k, v, 0, nk, d);
    for (int key = 0; key < end; key += TILE_ROWS) {
        __syncthreads();
        next.store(tile, true, false);
        __syncthreads();
        next.load(k, v, key + TILE_ROWS, nk, d);
        sched_barrier();
        if (key >= some_see) continue;
#pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            Sum16 scores = own.s_start, d_p = own.d_p_start;
            if (key + TILE_ROWS > all_see) hide_from(scores, seen - key - i * 32);
            multiply_rows(scores, tile.rows[0], i, own.q);
            multiply_rows(d_p, tile.rows[1], i, own.d_o);
            weigh(scores, scale2);
            add_products(sums, tile.turned[0], i, scores * d_p);
        }
    }
    if (query < n) store_row(sums, scale, d_q + (before + query) * d, d);
}

// The statistics of the next tile of queries, by the waves that stage no rows.
struct StagedStatistics {
    float value;

    DEVICE static int at() { return int(threadIdx.x) - 2 * STAGING; }
    DEVICE static bool stages() { return at() >= 0 && at() < 2 * TILE_ROWS; }
    DEVICE void load(const float* statistics, const Walk& walk, int n) {
        if (stages()) value = statistics[(2LL * walk.head + at() / TILE_ROWS) * padded(n) + walk.query + at() % TILE_ROWS];
    }
    DEVICE void store(float* lds) const {
        if (stages()) lds[at()] = value;
    }
};

// The statistics of the passing queries that this lane's part of a tile of 32 belongs to.
DEVICE Sum16 spread(const float* of_tile) {
    Sum16 x;
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] = of_tile[i / 4 * 8 + lane_id() / 32 * 4 + i % 4];
    return x;
}

// What the second kernel is given.
struct Operands {
    const ELEMENT *q, *k, *v, *d_o;
    const float* statistics;
    ELEMENT *d_k, *d_v;
    int heads, key_heads, n, nk, d;
    float scale, scale2;
};

// One walk over the queries, for dK, for dV, or for both.
template <bool WANT_K, bool WANT_V> DEVICE void walk_queries(Tile& tile, float* of_queries, const Operands& with) {
    KeyPart part(with.nk);
    long long before = part.head * (long long)with.nk, head_elements = (long long)with.n * with.d;
    int n = with.n, nk = with.nk, d = with.d, group = with.heads / with.key_heads;
    int first = part.first + warp_index() * WAVE_ROWS, key = first + lane_id() % 32;
    int seen_from = first_seeing(key, n, nk), all_seen_from = first_seeing(first + WAVE_ROWS - 1, n, nk), some_seen_from = first_seeing(first, n, nk);
    Rows own_k, own_v;
    own_k.load(with.k + before * d, first, nk, d);
    if (WANT_K) own_v.load(with.v + before * d, first, nk, d);
    Sum16 k_sums[DIM_TILES] = {}, v_sums[DIM_TILES] = {};
    int begin = first_seeing(part.first, n, nk) / TILE_ROWS * TILE_ROWS;
    Walk walk{part.head * group, part.head * group + group, begin, begin}, ahead = walk;
    Staged next;
    StagedStatistics next_statistics;
    next.load(with.q + walk.head * head_elements, with.d_o + walk.head * head_elements, walk.query, n, d);
    next_statistics.load(with.statistics, walk, n);
    for (; walk.more(); walk.advance(n)) {
        __syncthreads();
        next.store(tile, WANT_K, WANT_V);
        next_statistics.store(of_queries);
        __syncthreads();
        ahead.advance(n);
        if (ahead.more()) {
            next.load(with.q + ahead.head * head_elements, with.d_o + ahead.head * head_elements, ahead.query, n, d);
            next_statistics.load(with.statistics, ahead, n);
        }
        sched_barrier();
        if (walk.query + TILE_ROWS <= some_seen_from) continue;
#pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            Sum16 scores = spread(of_queries + i * 32), d_p = spread(of_queries + TILE_ROWS + i * 32);
            if (walk.query < all_seen_from) hide_before(scores, seen_from - walk.query - i * 32);
            multiply_rows(scores, tile.rows[0], i, own_k);
            if (WANT_K) multiply_rows(d_p, tile.rows[1], i, own_v);
            weigh(scores, with.scale2);
            if (WANT_V) add_products(v_sums, tile.turned[1], i, scores);
            if (WANT_K) add_products(k_sums, tile.turned[0], i, scores * d_p);
        }
    }
    if (key >= nk) return;
    if (WANT_K) store_row(k_sums, with.scale, with.d_k + (before + key) * d, d);
    if (WANT_V) store_row(v_sums, 1, with.d_v + (before + key) * d, d);
}

// For both sums at d = 128, registers are too few by some twenty.
extern "C" __global__ __launch_bounds__(THREADS)
void attention_gfx942_flash_backward_keys(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, const ELEMENT* d_o, const float* statistics, ELEMENT* d_k,
                                          ELEMENT* d_v, int heads, int key_heads, int n, int nk, int d, float scale, float scale2) {
    __shared__ Tile tile;
    __shared__ __align__(16) float of_queries[2 * TILE_ROWS];
    Operands with{q, k, v, d_o, statistics, d_k, d_v, heads, key_heads, n, nk, d, scale, scale2};
    if constexpr (HEAD_DIM == 64) {
        walk_queries<true, true>(tile, of_queries, with);
    } else {
        walk_queries<true, false>(tile, of_queries, with);
        walk_queries<false, true>(tile, of_queries, with);
    }
}
