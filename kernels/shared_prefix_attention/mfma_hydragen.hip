// The parts of attention over keys that sequences share, by products of matrices on AMD's matrix cores. Q (B, Hk, G, d); the prefix's keys and
// values (Hk, P, d), a second level's (Hk, runs, M, d). Part s of S covers one range of the tiles of shared keys, the same for all rows; it
// has O (B, Hk, G, d) in f32, not normalised, and of each row its maximum in powers of two and its sum. merge.cu makes O and LSE of them.
// (J. Juravsky et al., Hydragen: High-throughput LLM inference with shared prefixes, 2024.)
//
// Mapping: since all sequences of a run read the same keys, the queries of a key head make one long dense attention, a block of eight waves a
// tile of 256 rows of one run (see attention/flash_mfma.h). A second level's keys follow the prefix's, each in whole tiles.
//
// Work: 4 d flops a query and key; a head's shared keys and values are read once a tile of rows, from L2. A part costs 4 d bytes a row.
//
// Launch. block (512), grid (S Hk runs ceil(B / runs G / 256)); no dynamic shared memory. d is a multiple of 8, at most HEAD_DIM; B Hk G d, P d
// and M d are below 2^30.
// Arguments: Q; K, V of the prefix and of the level (unused if M is 0); O and sums of part 0; B; Hk; G; runs; P; M; S; d; scale log2(e) (f32).
// Macros: those of attention/mfma_rows.h.
#include "attention/mfma_stream.h"
#include "shared_prefix_attention/parts.h"

struct Extents { int sequences, heads, group, runs, prefix, level, parts, d; };

// The keys of a part, in tiles: the prefix's, and then those of a run. Every row sees the same.
struct LevelKeys {
    const ELEMENT *prefix_k, *prefix_v, *level_k, *level_v;
    int prefix, level, d, first, end;

    // How many keys there are from this one on, before its level ends.
    DEVICE int left(int key) const {
        int change = ceil_div(prefix, KEYS) * KEYS - first;
        return key < change ? prefix - first - key : level + change - key;
    }
    // Nothing is fetched for the part after this one.
    DEVICE KeyRows from(int key) const {
        int within = first + key - ceil_div(prefix, KEYS) * KEYS;
        bool shared = within < 0;
        long long before = (shared ? first + key : within) * (long long)d;
        return {(shared ? prefix_k : level_k) + before, (shared ? prefix_v : level_v) + before, key < end ? left(key) : 0};
    }
    DEVICE bool unseen(int) const { return false; }
    DEVICE bool masked(int key) const { return left(key) < KEYS; }
    DEVICE void hide(Sum16 (&s)[KEY_TILES], int key) const { hide_from(s, left(key)); }
};

// Rows of a run and a key head, counted over all sequences, and the part of the keys that they meet.
struct RunTile {
    int head, part, run, first, end;

    // Tiles of a head and part on one die, since they share keys.
    DEVICE RunTile(const Extents& of) {
        int run_rows = of.sequences / of.runs * of.group, in_run = ceil_div(run_rows, BLOCK_ROWS), in_head = of.runs * in_run;
        int index = tile_by_chiplet(blockIdx.x, gridDim.x, CHIPLETS, in_head), tile = index % in_head, rest = index / in_head;
        head = rest % of.heads, part = rest / of.heads, run = tile / in_run;
        first = run * run_rows + tile % in_run * BLOCK_ROWS, end = (run + 1) * run_rows;
    }
};

// A row's place in (B, Hk, G), by its number among those of its key head.
DEVICE int row_in_all(const Extents& of, int head, int row) { return (row / of.group * of.heads + head) * of.group + row % of.group; }

DEVICE void leave(const State& state, Part part, long long row, bool exists, int d) {
    float total = state.whole_total();
    if (!exists) return;
    int upper = lane_id() / 32;
    if (!upper) part.sums[row] = {state.largest, total};
#pragma unroll
    for (int i = 0; i < DIM_TILES * 4; i++) {
        int column = i * 8 + upper * 4, r = i % 4 * 4;
        Sum16 x = state.out[i / 4];
        if (column < d) *reinterpret_cast<Vector<float, 4>*>(part.o + row * d + column) = {x[r], x[r + 1], x[r + 2], x[r + 3]};
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void attention_mfma_hydragen(const ELEMENT* q, const ELEMENT* prefix_k, const ELEMENT* prefix_v, const ELEMENT* level_k, const ELEMENT* level_v,
                             float* o, PartSum* sums, int sequences, int heads, int group, int runs, int prefix, int level, int parts, int d,
                             float scale) {
    __shared__ Lds lds;
    Extents of{sequences, heads, group, runs, prefix, level, parts, d};
    RunTile tile(of);
    int row = tile.first + warp_index() * WAVE_ROWS + lane_id() % 32, rows = sequences * heads * group;
    bool exists = row < tile.end;
    int tiles = ceil_div(prefix, KEYS) + ceil_div(level, KEYS);
    int first = tile.part * tiles / parts * KEYS, end = (tile.part + 1) * tiles / parts * KEYS - first;
    long long prefix_before = tile.head * (long long)prefix * d, level_before = (tile.head * runs + tile.run) * (long long)level * d;
    LevelKeys keys{prefix_k + prefix_before, prefix_v + prefix_before, level_k + level_before, level_v + level_before, prefix, level, d, first, end};
    int place = row_in_all(of, tile.head, row);
    Rows queries;
    queries.load_row(make_short_buffer(q, rows * d * int(sizeof(ELEMENT))), exists ? place * d : OUTSIDE / sizeof(ELEMENT), d);
    State state;
    attend(state, lds, queries, keys, d, scale);
    leave(state, {o, sums}, (long long)tile.part * rows + place, exists, d);
}
