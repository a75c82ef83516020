// Parts of attention of each sequence's queries over keys, which bytes bound, on AMD's matrix cores: over a sequence's own keys (B, Hk, N, d),
// or over those of a level that runs of sequences share (Hk, runs, N, d). Q (B, Hk, G, d). Part s of S covers one range of the keys; it has O
// (B, Hk, G, d) in f32, not normalised, and of each row its maximum in powers of two and its sum. merge.cu makes O and LSE of them.
//
// Mapping: a wave takes a sequence, a key head and a part, with its G queries as the 32 columns of products, and no wave waits for another.
// Keys come from memory as products take them; values by rows, DIM_TILES columns a lane, and are turned in registers, so that a tile of a
// product has every DIM_TILES-th column. The next keys are on their way while this tile's weights are made, the next values while it is scored.
// Waves of sequences that read the same keys are neighbours, and meet them in the caches.
//
// Work: 4 d flops a query and key, 4 d bytes a key; of a product's 32 columns G are used, so that 128 d flops a key are executed.
//
// Launch. block (256), grid (ceil(B Hk S / 4)); no dynamic shared memory. d is a multiple of 8, at most HEAD_DIM; G is at most 32, N d below 2^30.
// Arguments: Q; K; V; O and sums of the first part; B; Hk; G; runs, 0 for own keys; N; ragged: sequence b sees 1 + 37 b mod N keys instead of
//   N; keys of a part; S; d; scale log2(e) (f32). Macros: those of attention/mfma_rows.h.
#define TILE_KEYS 32
#include "attention/flash_mfma.h"
#include "shared_prefix_attention/parts.h"

constexpr int BLOCK_WAVES = 4;

// Values of 32 keys: of every sixteen of these the eight that the lane multiplies, DIM_TILES columns.
struct Values {
    Vector<u32, DIM_TILES / 2> part[2][8];

    // Keys past the last are the last: their weight is 0. So are columns past d, which are not stored.
    DEVICE void load(const ELEMENT* v, int first, int rows, int d) {
        u32 lane = lane_id(), column = min_int(lane % 32 * DIM_TILES, d - DIM_TILES);
#pragma unroll
        for (int i = 0; i < 16; i++) {
            u32 key = min_int(first + i / 4 * 8 + lane / 32 * 4 + i % 4, rows - 1);
            part[i / 8][i % 8] = *reinterpret_cast<const Vector<u32, DIM_TILES / 2>*>(v + (key * d + column));
        }
    }
    // Column `tile` of the lane's.
    DEVICE Vector16 turned(int step, int tile) const {
        u32 select = tile % 2 ? 0x07060302 : 0x05040100;
        Vector16 column;
#pragma unroll
        for (int i = 0; i < 4; i++) column.word[i] = v_perm_b32(part[step][2 * i + 1][tile / 2], part[step][2 * i][tile / 2], select);
        return column;
    }
};

// The first keys of a range, which every row sees.
struct RangeKeys {
    int end;

    DEVICE bool masked(int key) const { return key + KEYS > end; }
    DEVICE void hide(Sum16 (&s)[KEY_TILES], int key) const { hide_from(s, end - key); }
};

DEVICE void attend(State& state, const Rows& queries, const ELEMENT* k, const ELEMENT* v, int rows, int d, float scale) {
    if (rows <= 0) return;
    Rows keys;
    Values values;
    keys.load(k, 0, rows, d), values.load(v, 0, rows, d);
    for (int key = 0; key < rows; key += KEYS) {
        Sum16 scores[KEY_TILES] = {};
        Vector16 weights[KEY_STEPS];
#pragma unroll
        for (int i = 0; i < STEPS; i++) multiply<ELEMENT>(scores[0], keys.step[i], queries.step[i]);
        keys.load(k, key + KEYS, rows, d);
        sched_barrier();
        state.weigh(scores, weights, scale, RangeKeys{rows}, key);
#pragma unroll
        for (int i = 0; i < DIM_TILES * KEY_STEPS; i++)
            multiply<ELEMENT>(state.out[i / KEY_STEPS], values.turned(i % KEY_STEPS, i / KEY_STEPS), weights[i % KEY_STEPS]);
        values.load(v, key + KEYS, rows, d);
    }
}

DEVICE void leave(const State& state, Part part, long long row, int d) {
    float total = state.whole_total();
    if (lane_id() < 32) part.sums[row] = {state.largest, total};
#pragma unroll
    for (int r = 0; r < 16; r++) {
        int column = (r / 4 * 8 + lane_id() / 32 * 4 + r % 4) * DIM_TILES;
        Vector<float, DIM_TILES> x;
#pragma unroll
        for (int i = 0; i < DIM_TILES; i++) x[i] = state.out[i][r];
        if (column < d) *reinterpret_cast<Vector<float, DIM_TILES>*>(part.o + row * d + column) = x;
    }
}

extern "C" __global__ __launch_bounds__(BLOCK_WAVES * WARP_THREADS)
void attention_mfma_decode(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, float* o, PartSum* sums, int sequences, int heads, int group,
                           int runs, int n, int ragged, int part_keys, int parts, int d, float scale) {
    int index = blockIdx.x * BLOCK_WAVES + warp_index();
    if (index >= sequences * heads * parts) return;
    int sequence = index % sequences, part = index / sequences % parts, head = index / sequences / parts;
    long long matrix = runs ? head * (long long)runs + sequence / (sequences / runs) : sequence * (long long)heads + head;
    int first = part * part_keys, seen = ragged ? 1 + sequence * 37 % n : n;
    long long before = (matrix * n + first) * d, rows = (long long)sequence * heads + head;
    Rows queries;
    queries.load(q + rows * group * d, 0, group, d);
    State state;
    attend(state, queries, k + before, v + before, min_int(seen - first, part_keys), d, scale);
    long long all = (long long)sequences * heads * group;
    if (int(lane_id() % 32) < group) leave(state, {o, sums}, part * all + rows * group + lane_id() % 32, d);
}
