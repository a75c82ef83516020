// How keys and values come to gfx950's matrix cores: tiles of KEYS keys and their values go straight to LDS, where four stand in a ring: the
// wave that has met the others copies the tile three ahead over the one they have left. Fragments are read by hand, one group ahead of its
// products; transposing reads turn the values. Knows no operation, and of keys what flash_mfma.h says of them.
// Macros: those of mfma_rows.h.
#pragma once
#include "attention/flash_mfma.h"

constexpr int STAGES = 4, STAGE_BYTES = 2 * TILE_BYTES;
constexpr int ROW = HEAD_DIM * 2, IN_ROW = ROW / 16;      // bytes and vectors of a row in LDS
constexpr int COPY_BYTES = THREADS * 16, COPIES = TILE_BYTES / COPY_BYTES, COPY_ROWS = COPY_BYTES / ROW;

// By what the vectors of a row are permuted, so that lanes which read together meet all banks: of keys a row a lane, of values four rows.
DEVICE u32 k_permutation(u32 key) { return HEAD_DIM == 128 ? key % 16 : key / 2 % 8; }
DEVICE u32 v_permutation(u32 key) { return HEAD_DIM == 128 ? key % 4 * 4 : key / 2 % 2 * 4; }

// This lane's vector in a tile of keys, or of values, on its way to LDS.
struct Copy {
    u32 row, column;

    DEVICE Copy(bool values) : row(threadIdx.x / IN_ROW) {
        column = (threadIdx.x % IN_ROW ^ (values ? v_permutation(row) : k_permutation(row))) * 8;
    }
    // Copies a tile of the matrix that has so many rows; past them come zeros.
    DEVICE void tile(u32 lds, const ELEMENT* matrix, int rows, int d) const {
        BufferResource buffer = rows_from(matrix, 0, rows, d);
        u32 offset = (row * d + column) * sizeof(ELEMENT);
#pragma unroll
        for (int i = 0; i < COPIES; i++)
            buffer_load_dwordx4_lds(lds + i * COPY_BYTES + warp_index() * WARP_THREADS * 16, buffer, int(column) < d ? offset : OUTSIDE,
                                    i * COPY_ROWS * d * sizeof(ELEMENT));
    }
};

// A tile of 32 keys: vectors 2 i + l / 32 of the row of lane l.
struct KeyFragments {
    static constexpr int READS = STEPS;
    Vector<u32, 4> part[STEPS];

    DEVICE void read(u32 at, int tile) {
#pragma unroll
        for (int i = 0; i < STEPS; i++) part[i] = ds_read_b128(at ^ i * 32, tile * 32 * ROW);
    }
    DEVICE void pin_all() {
#pragma unroll
        for (auto& vector : part) pin(vector);
    }
    // Where this lane's first vector stands.
    DEVICE static u32 place() {
        u32 key = lane_id() % 32;
        return key * ROW + (lane_id() / 32 ^ k_permutation(key)) * 16;
    }
    DEVICE void multiply_into(Sum16& scores, const Vector16 (&queries)[STEPS]) const {
#pragma unroll
        for (int i = 0; i < STEPS; i++) multiply<ELEMENT>(scores, __builtin_bit_cast(Vector16, part[i]), queries[i]);
    }
};

// Values of 32 columns, turned: of every sixteen keys the eight that the lane multiplies, four and four.
struct ValueFragments {
    static constexpr int READS = 2 * KEY_STEPS;
    Vector<u32, 2> part[KEY_STEPS][2];

    DEVICE void read(u32 at, int tile) {
#pragma unroll
        for (int i = 0; i < 2 * KEY_STEPS; i++) part[i / 2][i % 2] = ds_read_b64_tr_b16(at ^ tile * 64, i * 8 * ROW);
    }
    DEVICE void pin_all() {
#pragma unroll
        for (auto& pair : part) pin(pair[0]), pin(pair[1]);
    }
    DEVICE static u32 place() {
        u32 lane = lane_id(), key = lane / 32 * 4 + lane % 16 / 4;
        return key * ROW + ((lane / 16 % 2 * 2 + lane % 4 / 2) ^ v_permutation(key)) * 16 + lane % 2 * 8;
    }
    DEVICE void multiply_into(Sum16& out, const Vector16 (&weights)[KEY_STEPS]) const {
#pragma unroll
        for (int i = 0; i < KEY_STEPS; i++) {
            Vector<u32, 2> low = part[i][0], high = part[i][1];
            multiply<ELEMENT>(out, {low[0], low[1], high[0], high[1]}, weights[i]);
        }
    }
};

// sums[i] += tile i, from the address `at`, times `other`, reading each tile while the one before is multiplied; `first` has been read.
template <class Fragments, int TILES, int N>
DEVICE void multiply_tiles(Sum16 (&sums)[TILES], Fragments& first, u32 at, const Vector16 (&other)[N]) {
    Fragments ring[2] = {first};
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        bool more = i + 1 < TILES;
        if (more) ring[(i + 1) % 2].read(at, i + 1);
        if (more) s_waitcnt_lgkmcnt<Fragments::READS>();
        else s_waitcnt_lgkmcnt<0>();
        ring[i % 2].pin_all();
        ring[i % 2].multiply_into(sums[i], other);
        sched_barrier();
    }
}

struct Lds { Vector16 part[STAGES * STAGE_BYTES / 16]; };

// The wave's queries meet all keys.
template <class Keys> DEVICE void attend(State& state, Lds& lds, const Rows& queries, const Keys& keys, int d, float scale) {
    Copy k_copy(false), v_copy(true);
    u32 base = lds_address(&lds), k_place = KeyFragments::place(), v_place = TILE_BYTES + ValueFragments::place();
    auto copy = [&](int stage, int key) __attribute__((always_inline)) {
        KeyRows from = keys.from(key);
        k_copy.tile(base + stage * STAGE_BYTES, from.k, from.rows, d);
        v_copy.tile(base + stage * STAGE_BYTES + TILE_BYTES, from.v, from.rows, d);
    };
    for (int i = 0; i < STAGES - 1; i++) copy(i, i * KEYS);
    for (int key = 0, stage = 0; key < keys.end; key += KEYS, stage = (stage + 1) % STAGES) {
        s_waitcnt_vmcnt<(STAGES - 2) * 2 * COPIES>();
        s_barrier();
        copy((stage + STAGES - 1) % STAGES, key + (STAGES - 1) * KEYS);
        if (keys.unseen(key)) continue;
        u32 here = base + stage * STAGE_BYTES;
        KeyFragments k;
        ValueFragments v;
        Sum16 scores[KEY_TILES] = {};
        Vector16 weights[KEY_STEPS];
        k.read(here + k_place, 0);
        multiply_tiles(scores, k, here + k_place, queries.step);
        v.read(here + v_place, 0);
        state.weigh(scores, weights, scale, keys, key);
        multiply_tiles(state.out, v, here + v_place, weights);
    }
}
