// Attention of a sequence's queries over one range of keys, which bytes bound: of its own keys, merged with the parts that were made of
// the prefix (LAST), or of one part of the prefix. Q (B, Hk, GROUP, D); shared keys and values (Hk, P, D), own ones (B, Hk, U, D).
// Parts: O (S, Hk, B GROUP, D) of ELEMENT, normalised within the part, LSE (S, Hk, B GROUP) in f32, natural.
// LAST writes O (B, Hk, GROUP, D) and LSE (B, Hk, GROUP) of everything: with m the largest of the logarithms l_i of all parts' sums,
// O = Σ e^(l_i - m) O_i / Σ e^(l_i - m), LSE = m + ln Σ e^(l_i - m), in f32.
//
// Mapping: a block of threads an item, that is a sequence and key head and, for a part, a range of keys. The copy engine streams stages of
// KEYS keys and values; of each stage every one of four warps takes a quarter, scores the group's queries against it as rows of m16n8k16
// products, and keeps its own running softmax and O. The four, and the parts, merge through shared memory at the end.
// A warp for the stream alone would leave the others 128 registers, too few at three blocks an SM, so that one thread does both.
// Several blocks share an SM, so that one's first and last bytes run under another's stream.
// Parts go through sequences first, so that blocks that read the same shared keys run side by side and meet them in L2.
//
// Work: 4 D flops a query and key, 4 D bytes a key: 2 GROUP flops a byte, far below what tensor cores need to be busy.
//
// Launch. block (128), grid (B Hk, or S Hk B for parts); no cluster. Dynamic shared memory: 2 STAGES KEYS D 2 bytes.
// Maps k, v in the 128-byte swizzle, L2 promotion 256 B, of ELEMENT, box (64, KEYS, 1), dims innermost first:
//   (D, U, B Hk) if LAST, else (D, P, Hk)
// Arguments: k, v maps; Q; parts of O; parts of LSE; O; LSE (both unused unless LAST); B; Hk; S; keys: U, or of a part; P (unused if
//   LAST); ragged: sequence b has 1 + 37 b mod U own keys instead of U; scale log2(e).
// Macros (default): ELEMENT (Bf16; Fp16), D (128; 64), GROUP (8; 1 to 16), LAST (1; 0), STAGES (2), and those of attention/softmax.h.
#include "attention/softmax.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef D
#define D 128
#endif
#ifndef GROUP
#define GROUP 8
#endif
#ifndef LAST
#define LAST 1
#endif
#ifndef STAGES
#define STAGES 2
#endif

constexpr int WARPS = 4, THREADS = 32 * WARPS;
constexpr int KEYS = 16 * WARPS;                         // of a stage
constexpr int PANELS = D / 64;                           // 128-byte columns that a tile is laid out in
constexpr u32 PANEL = KEYS * 128, TILE = PANELS * PANEL; // keys or values of a stage
constexpr float LN2 = 0.693147181f, LOG2_E = 1.44269504f;

static_assert(GROUP <= 16, "a warp's products have 16 rows");
static_assert(WARPS * GROUP * D * 4 <= 2 * STAGES * TILE, "what warps merge takes the room of their stages");

struct alignas(8) Pair { float x, y; };

// What a block works on.
struct Item { int sequence, head, part, first_key, keys; };

struct Sizes { int sequences, heads, parts, keys, prefix, ragged; };

DEVICE Item item_at(Sizes s, int index) {
    if (LAST) {
        int sequence = index / s.heads;
        return {sequence, index % s.heads, 0, 0, s.ragged ? 1 + sequence * 37 % s.keys : s.keys};
    }
    int range = index / s.sequences, part = range % s.parts, first = part * s.keys;
    return {index % s.sequences, range / s.parts, part, first, min_int(s.keys, s.prefix - first)};
}

struct Shared {
    u32 base, barriers;
    DEVICE u32 k(u32 stage) const { return base + 2 * stage * TILE; }
    DEVICE u32 v(u32 stage) const { return k(stage) + TILE; }
    DEVICE u32 full(u32 stage) const { return barriers + 8 * stage; }
    DEVICE u32 empty(u32 stage) const { return full(STAGES + stage); }
};

// The stages of an item, in turn; what one thread keeps of them.
struct Stream {
    const TensorMap &k_map, &v_map;
    Shared shared;
    int map_head, key, end;
    Ring<STAGES> ring;

    // Asks for the next stage, once all warps have read what was in its place.
    DEVICE void fetch() {
        if (key >= end) return;
        u32 full = shared.full(ring.stage);
        mbarrier_try_wait_parity(shared.empty(ring.stage), ring.phase ^ 1);
        mbarrier_arrive_expect_tx(full, 2 * TILE);
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) {
            cp_async_bulk_tensor_3d(shared.k(ring.stage) + panel * PANEL, k_map, full, panel * 64, key, map_head);
            cp_async_bulk_tensor_3d(shared.v(ring.stage) + panel * PANEL, v_map, full, panel * 64, key, map_head);
        }
        key += KEYS;
        ring.advance();
    }
};

// One warp's sums over its quarter of all stages.
struct Sums {
    float o[D / 8][4];
    Rows rows;
};

// Rows beyond the group are zeros.
DEVICE void load_queries(u32 (&q)[D / 16][4], const ELEMENT* queries) {
    u32 lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < D / 16 * 4; i++) {
        int row = lane / 4 + i % 2 * 8, column = i / 4 * 16 + i % 4 / 2 * 8 + lane % 4 * 2;
        q[i / 4][i % 4] = row < GROUP ? *reinterpret_cast<const u32*>(queries + row * D + column) : 0;
    }
}

// The address of 16 bytes of a stage's row; `chunk` counts them along it.
DEVICE u32 place_of(u32 tile, u32 row, u32 chunk) { return tile + chunk / 8 * PANEL + row * 128 + ((chunk % 8 * 16) ^ (row % 8 * 16)); }

// Scores of 16 keys: two products of 8 columns, laid out as softmax.h has them.
DEVICE void score(float (&s)[8], const u32 (&q)[D / 16][4], u32 tile, u32 first_row) {
    u32 lane = threadIdx.x % 32, row = first_row + lane / 16 * 8 + lane % 8;
    float part[2][4] = {};
#pragma unroll
    for (int step = 0; step < D / 16; step++) {
        u32 k[4];
        ldmatrix_x4(k, place_of(tile, row, step * 2 + lane / 8 % 2));
        mma_m16n8k16(ELEMENT{}, part[0], q[step], k[0], k[1]);
        mma_m16n8k16(ELEMENT{}, part[1], q[step], k[2], k[3]);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) s[i] = part[i / 4][i % 4];
}

DEVICE void add_values(float (&o)[D / 8][4], const u32 (&p)[4], u32 tile, u32 first_row) {
    u32 lane = threadIdx.x % 32, row = first_row + lane / 8 % 2 * 8 + lane % 8;
#pragma unroll
    for (int pair = 0; pair < D / 16; pair++) {
        u32 v[4];
        ldmatrix_x4_trans(v, place_of(tile, row, pair * 2 + lane / 16));
        mma_m16n8k16(ELEMENT{}, o[2 * pair], p, v[0], v[1]);
        mma_m16n8k16(ELEMENT{}, o[2 * pair + 1], p, v[2], v[3]);
    }
}

DEVICE void attend(Sums& sums, const u32 (&q)[D / 16][4], Shared shared, Stream& stream, int keys, float scale) {
    auto& [o, rows] = sums;
    u32 lane = threadIdx.x % 32, first_row = threadIdx.x / 32 * 16;
    Ring<STAGES> ring;
    for (int first = 0; first < keys; first += KEYS) {
        float s[8], shrink[2];
        u32 p[1][4];
        mbarrier_try_wait_parity(shared.full(ring.stage), ring.phase);
        score(s, q, shared.k(ring.stage), first_row);
        int seen = keys - first - first_row;
        if (seen < 16) {
            int visible = seen - lane % 4 * 2;
            mask(s, {visible, visible});
        }
        if (raise_max(s, rows, shrink, scale)) {
#pragma unroll
            for (int i = 0; i < D / 8; i++) scale_rows(o[i], shrink);
        }
        exponentiate(s, rows, scale);
        round_weights<ELEMENT>(s, p);
        add_values(o, p[0], shared.v(ring.stage), first_row);
        fence_proxy_async();                             // values are read before the copy engine may overwrite them
        __syncwarp();
        if (lane == 0) mbarrier_arrive(shared.empty(ring.stage));
        ring.advance();
        if (threadIdx.x == 0) stream.fetch();
    }
}

// What the warps leave for the merge: O (WARPS, GROUP, D), not normalised, and of each row the maximum in powers of two and the sum.
struct Merge {
    float* o;
    Pair (*rows)[GROUP];
};

DEVICE void leave(const Sums& sums, Merge merge, float scale) {
    u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = lane / 4 + 8 * h;
        float sum = sum_across<4>(sums.rows.sum[h]);
        if (row >= GROUP) continue;
        if (lane % 4 == 0) merge.rows[warp][row] = {sums.rows.max[h] * scale, sum};
#pragma unroll
        for (int i = 0; i < D / 8; i++) {
            Pair pair = {sums.o[i][2 * h], sums.o[i][2 * h + 1]};
            *reinterpret_cast<Pair*>(merge.o + (warp * GROUP + row) * D + i * 8 + lane % 4 * 2) = pair;
        }
    }
}

// Adds `weight` times two neighbouring elements.
DEVICE void add(Pair& sum, float weight, float a, float b) {
    sum.x += weight * a;
    sum.y += weight * b;
}

// Two columns of one query from everything that there is of it: O by weights relative to the largest sum. Returns the logarithm to the
// base 2 of the sum of all.
DEVICE float merged(Pair& o, Merge merge, int row, int column, const ELEMENT* part_o, const float* part_lse, int parts, long long part_rows) {
    float most = -INFINITE, total = 0;
    for (int warp = 0; warp < WARPS; warp++) most = fmaxf(most, merge.rows[warp][row].x);
    for (int part = 0; part < parts; part++) most = fmaxf(most, part_lse[part * part_rows] * LOG2_E);
    o = {0, 0};
    if (most == -INFINITE) return most;
#pragma unroll
    for (int warp = 0; warp < WARPS; warp++) {
        float weight = ex2_approx(merge.rows[warp][row].x - most);
        Pair pair = *reinterpret_cast<const Pair*>(merge.o + (warp * GROUP + row) * D + column);
        total += weight * merge.rows[warp][row].y;
        add(o, weight, pair.x, pair.y);
    }
    for (int part = 0; part < parts; part++) {
        float weight = ex2_approx(part_lse[part * part_rows] * LOG2_E - most);
        const ELEMENT* pair = part_o + part * part_rows * D + column;
        total += weight;
        add(o, weight, cvt_f32(pair[0]), cvt_f32(pair[1]));
    }
    float factor = rcp_approx(total);
    o = {o.x * factor, o.y * factor};
    return most + lg2_approx(total);
}

extern "C" __global__ __launch_bounds__(THREADS, 3)
void attention_sm90_decode(const __grid_constant__ TensorMap k_map, const __grid_constant__ TensorMap v_map, const ELEMENT* q,
                           ELEMENT* part_o, float* part_lse, ELEMENT* o, float* lse, int sequences, int heads, int parts, int keys,
                           int prefix, int ragged, float scale) {
    extern __shared__ __align__(1024) unsigned char memory[];
    __shared__ __align__(8) u64 barriers[2 * STAGES];
    __shared__ Pair rows[WARPS][GROUP];
    Shared shared{cvta_shared(memory), cvta_shared(barriers)};
    Item item = item_at({sequences, heads, parts, keys, prefix, ragged}, blockIdx.x);
    long long group = (long long)item.sequence * heads + item.head;
    Stream stream{k_map, v_map, shared, int(LAST ? group : item.head), item.first_key, item.first_key + item.keys};
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; i++) {
            mbarrier_init(shared.full(i), 1);
            mbarrier_init(shared.empty(i), WARPS);
        }
        fence_mbarrier_init();
        for (int i = 0; i < STAGES; i++) stream.fetch();
    }
    u32 queries[D / 16][4];
    load_queries(queries, q + group * GROUP * D);
    Sums sums = {{}, NO_ROWS};
    __syncthreads();
    attend(sums, queries, shared, stream, item.keys, scale);
    Merge merge{reinterpret_cast<float*>(memory), rows};
    __syncthreads();                                     // every stage has been read
    leave(sums, merge, scale);
    __syncthreads();

    long long part_rows = (long long)heads * sequences * GROUP;
    long long part_row = ((long long)item.part * heads + item.head) * sequences * GROUP + (long long)item.sequence * GROUP;
    for (int i = threadIdx.x; i < GROUP * D / 2; i += THREADS) {
        int row = i / (D / 2), column = i % (D / 2) * 2;
        long long from = part_row + row, to = LAST ? group * GROUP + row : from;
        Pair pair;
        float log2 = merged(pair, merge, row, column, part_o + from * D, part_lse + from, LAST ? parts : 0, part_rows);
        *reinterpret_cast<u32*>((LAST ? o : part_o) + to * D + column) = cvt_rn_x2<ELEMENT>(pair.x, pair.y);
        if (column == 0) (LAST ? lse : part_lse)[to] = log2 * LN2;
    }
}
