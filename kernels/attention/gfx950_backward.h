// How passing rows come to gfx950's matrix cores in attention's backward pass, and how they meet a wave's own: tiles go straight to LDS, where
// four stand in a ring; the wave that has met the others copies the tile three ahead over the one they have left. Fragments are read by
// hand, one group ahead of its products; transposing reads turn them where rows are summed. Knows no launch, and of what sees what as much as
// flash_mfma_backward.h says.
// Macros: those of mfma_rows.h.
#pragma once
#include "attention/flash_mfma_backward.h"

constexpr int STAGES = 4, STATISTICS_BYTES = 2 * TILE_ROWS * 4, STAGE_BYTES = 2 * TILE_BYTES + WAVES * STATISTICS_BYTES;
constexpr int ROW = HEAD_DIM * 2, IN_ROW = ROW / 16;      // bytes and vectors of a row in LDS
constexpr int STATISTICS_COPIES = STATISTICS_BYTES / (WARP_THREADS * 4);

// By what the vectors of a row are permuted, so that lanes which read together meet all banks: those of plain reads, a row each, and those of
// transposing ones, four rows by four vectors.
DEVICE u32 permutation(u32 row) { return HEAD_DIM == 128 ? row % 4 * 4 + row / 4 % 4 : row / 2 % 2 * 4 + row / 4 % 4; }

// This lane's vector in a tile on its way to LDS, which the block copies at once.
struct Copy {
    u32 row, column;

    DEVICE Copy() : row(threadIdx.x / IN_ROW), column((threadIdx.x % IN_ROW ^ permutation(threadIdx.x / IN_ROW)) * 8) {}
    // Copies the tile from row `first` on; past the matrix come zeros.
    DEVICE void tile(u32 lds, const ELEMENT* matrix, int first, int rows, int d) const {
        buffer_load_dwordx4_lds(lds + warp_index() * WARP_THREADS * 16, rows_from(matrix, first, rows, d),
                                int(column) < d ? (row * d + column) * sizeof(ELEMENT) : OUTSIDE, 0);
    }
};

// A group of reads: of the rows of lanes some vectors, or of tiles of columns the turned eights that the lane multiplies.
struct Fragments {
    static constexpr int VECTORS = HEAD_DIM == 128 ? 2 : 4, COLUMN_TILES = VECTORS / 2;
    Vector<u32, 4> plain[VECTORS];
    Vector<u32, 2> turned[COLUMN_TILES][4];

    // Vectors 2 i + l / 32 for the group's i, of rows l % 32; `at` is this lane's place in the tile of 32.
    DEVICE void read_plain(u32 at, int group) {
#pragma unroll
        for (int i = 0; i < VECTORS; i++) plain[i] = ds_read_b128(at ^ (group * VECTORS + i) * 32, 0);
    }
    DEVICE void read_turned(u32 at, int group) {
#pragma unroll
        for (int i = 0; i < 4 * COLUMN_TILES; i++)
            turned[i / 4][i % 4] = ds_read_b64_tr_b16(at ^ ((group * COLUMN_TILES + i / 4) * 64 | i % 2 * 32), i % 4 * 8 * ROW);
    }
    DEVICE void pin_plain() {
#pragma unroll
        for (auto& vector : plain) pin(vector);
    }
    DEVICE void pin_turned() {
#pragma unroll
        for (auto& tile : turned)
#pragma unroll
            for (auto& rows : tile) pin(rows);
    }
    DEVICE void multiply_into(Sum16& scores, const Rows& own, int group) const {
#pragma unroll
        for (int i = 0; i < VECTORS; i++) multiply<ELEMENT>(scores, __builtin_bit_cast(Vector16, plain[i]), own.step[group * VECTORS + i]);
    }
    DEVICE void add_to(Sum16 (&sums)[DIM_TILES], const Vector16 (&weights)[2], int group) const {
#pragma unroll
        for (int i = 0; i < 2 * COLUMN_TILES; i++) {
            Vector<u32, 2> low = turned[i / 2][i % 2 * 2], high = turned[i / 2][i % 2 * 2 + 1];
            multiply<ELEMENT>(sums[group * COLUMN_TILES + i / 2], {low[0], low[1], high[0], high[1]}, weights[i % 2]);
        }
    }
};

// Where this lane's share of plain and of transposing reads stands in a tile.
DEVICE u32 plain_place() { return lane_id() % 32 * ROW + (lane_id() / 32 ^ permutation(lane_id() % 32)) * 16; }
DEVICE u32 turned_place() {
    u32 lane = lane_id(), row = lane / 32 * 4 + lane % 16 / 4;
    return row * ROW + ((lane / 16 % 2 * 2 + lane % 4 / 2) ^ permutation(row)) * 16 + lane % 2 * 8;
}

// A wave's own rows meet a tile of 32 passing ones, in groups of reads: for S, for dP, WITH_P of the second matrix turned for the sums with P,
// and of the first turned for those with dS.
template <bool WITH_P> struct Meeting {
    static constexpr int PLAIN = STEPS / Fragments::VECTORS, TURNED = DIM_TILES / Fragments::COLUMN_TILES;
    static constexpr int SCORES = 2 * PLAIN, ALL = SCORES + (1 + WITH_P) * TURNED;
    Sum16 d_s_sums[DIM_TILES] = {}, p_sums[DIM_TILES] = {};

    DEVICE static bool is_for_p(int group) { return WITH_P && group < SCORES + TURNED; }
    DEVICE static void read(Fragments& to, u32 plain, u32 turned, int group) {
        if (group < SCORES) to.read_plain(plain + group / PLAIN * TILE_BYTES, group % PLAIN);
        else to.read_turned(turned + (is_for_p(group) ? TILE_BYTES : 0), (group - SCORES) % TURNED);
    }
    // Until the group has come, while the next is under way.
    DEVICE static void await(Fragments& fragments, int group) {
        if (group + 1 == ALL) s_waitcnt_lgkmcnt<0>();
        else if (group + 1 < SCORES) s_waitcnt_lgkmcnt<Fragments::VECTORS>();
        else s_waitcnt_lgkmcnt<4 * Fragments::COLUMN_TILES>();
        if (group < SCORES) fragments.pin_plain();
        else fragments.pin_turned();
    }

    // `plain` and `turned` are this lane's places in the tile of 32; s and d_p begin at what is subtracted from them.
    DEVICE void tile(Sum16 s, Sum16 d_p, const Rows& own, const Rows& second, u32 plain, u32 turned, float scale2) {
        Fragments ring[2];
        Vector16 p[2], d_s[2];
        read(ring[0], plain, turned, 0);
#pragma unroll
        for (int group = 0; group < ALL; group++) {
            Fragments& fragments = ring[group % 2];
            if (group + 1 < ALL) read(ring[(group + 1) % 2], plain, turned, group + 1);
            await(fragments, group);
            if (group < PLAIN) fragments.multiply_into(s, own, group);
            else if (group < SCORES) fragments.multiply_into(d_p, second, group - PLAIN);
            else if (is_for_p(group)) fragments.add_to(p_sums, p, group - SCORES);
            else fragments.add_to(d_s_sums, d_s, (group - SCORES) % TURNED);
            if (group + 1 == SCORES) {
                weigh(s, scale2);
                if (WITH_P) round_to(p, s);
                round_to(d_s, s * d_p);
            }
            sched_barrier();
        }
    }
};

struct Lds { Vector16 part[STAGES * STAGE_BYTES / 16]; };

// The wave's queries meet keys up to `end`; of k and v there are `rows`.
template <class Seen> DEVICE void meet_keys(Sum16 (&sums)[DIM_TILES], Lds& lds, const OwnQueries& own, const ELEMENT* k, const ELEMENT* v, int rows,
                                            int end, int d, const Seen& seen, float scale2) {
    Copy copy;
    u32 base = lds_address(&lds);
    auto fetch = [&](int stage, int key) __attribute__((always_inline)) {
        copy.tile(base + stage * STAGE_BYTES, k, key, rows, d);
        copy.tile(base + stage * STAGE_BYTES + TILE_BYTES, v, key, rows, d);
    };
    for (int i = 0; i < STAGES - 1; i++) fetch(i, i * TILE_ROWS);
    Meeting<false> meeting;
    for (int key = 0, stage = 0; key < end; key += TILE_ROWS, stage = (stage + 1) % STAGES) {
        s_waitcnt_vmcnt<(STAGES - 2) * 2>();
        s_barrier();
        fetch((stage + STAGES - 1) % STAGES, key + (STAGES - 1) * TILE_ROWS);
        if (seen.unseen(key)) continue;
#pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            u32 tile = base + stage * STAGE_BYTES + i * 32 * ROW;
            Sum16 s = own.s_start;
            seen.hide(s, key, i);
            meeting.tile(s, own.d_p_start, own.q, own.d_o, tile + plain_place(), tile + turned_place(), scale2);
        }
    }
#pragma unroll
    for (int i = 0; i < DIM_TILES; i++) sums[i] = meeting.d_s_sums[i];
}

// Copies the tile where the walk stands, and for this wave alone its statistics; past the end come zeros.
DEVICE u32 own_statistics() { return 2 * TILE_BYTES + warp_index() * STATISTICS_BYTES; }
DEVICE void copy_queries(const Copy& copy, u32 stage, const PassingQueries& queries, const Walk& walk) {
    long long before = walk.head * queries.elements();
    int rows = walk.more() ? queries.n : 0;
    copy.tile(stage, queries.q + before, walk.query, rows, queries.d);
    copy.tile(stage + TILE_BYTES, queries.d_o + before, walk.query, rows, queries.d);
    int bytes = walk.more() ? 4 * (queries.pitch + queries.readable) : 0;
    BufferResource buffer = make_short_buffer(queries.of_head(walk.head), bytes);
#pragma unroll
    for (int i = 0; i < STATISTICS_COPIES; i++) {
        u32 at = i * WARP_THREADS + lane_id(), from = at / TILE_ROWS * queries.pitch + walk.query + at % TILE_ROWS;
        buffer_load_dword_lds(stage + own_statistics() + i * WARP_THREADS * 4, buffer, from * sizeof(float), 0);
    }
}

// At what this lane's part of a tile of 32 begins.
DEVICE Sum16 starts(u32 at) {
    union { Vector<u32, 4> four[4]; Sum16 all; } x;
    at += lane_id() / 32 * 16;
#pragma unroll
    for (int i = 0; i < 4; i++) x.four[i] = ds_read_b128(at, i * 32);
    s_waitcnt_lgkmcnt<0>();
#pragma unroll
    for (auto& four : x.four) pin(four);
    return x.all;
}

// The wave's keys meet the queries of the walk.
template <class Seen>
DEVICE void meet_queries(Lds& lds, const OwnKeys& own, const PassingQueries& queries, Walk walk, const Seen& seen, float scale, float scale2) {
    Rows own_k, own_v;
    own_k.load(own.k, own.first, own.end, own.d), own_v.load(own.v, own.first, own.end, own.d);
    Walk ahead = walk;
    Copy copy;
    u32 base = lds_address(&lds);
    // Unrolled, the compiler takes the walk for a vector, and each copy for a loop over lanes.
#pragma unroll 1
    for (int i = 0; i < STAGES - 1; i++, ahead.advance(queries.n)) copy_queries(copy, base + i * STAGE_BYTES, queries, ahead);
    Meeting<true> meeting;
    for (int stage = 0; walk.more(); walk.advance(queries.n), ahead.advance(queries.n), stage = (stage + 1) % STAGES) {
        s_waitcnt_vmcnt<(STAGES - 2) * (2 + STATISTICS_COPIES)>();
        s_barrier();
        copy_queries(copy, base + (stage + STAGES - 1) % STAGES * STAGE_BYTES, queries, ahead);
        if (seen.unseen(walk.query)) continue;
#pragma unroll
        for (int i = 0; i < ROW_TILES; i++) {
            u32 here = base + stage * STAGE_BYTES, tile = here + i * 32 * ROW, of_queries = here + own_statistics() + i * 128;
            Sum16 s = starts(of_queries), d_p = starts(of_queries + TILE_ROWS * 4);
            seen.hide(s, walk.query, i);
            meeting.tile(s, d_p, own_k, own_v, tile + plain_place(), tile + turned_place(), scale2);
        }
    }
    own.store_k(meeting.d_s_sums, scale);
    own.store_v(meeting.p_sums);
}
