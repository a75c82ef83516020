// How keys and values come to gfx942's matrix cores: tiles of KEYS keys lie in LDS twice; while one is used, four waves bring the next keys
// to registers and four the next values, which they turn on the way to LDS. Knows no operation, and of keys what flash_mfma.h says of them.
// Macros: those of mfma_rows.h.
#pragma once
#include "attention/flash_mfma.h"

constexpr int K_CHUNKS = HEAD_DIM / 8, V_CHUNKS = KEYS / 8;   // vectors in a row of keys, and in a row of turned values

// Keys lie (KEYS, HEAD_DIM); eight consecutive rows of one vector meet all banks.
DEVICE u32 k_place(u32 key, u32 chunk) { return key * K_CHUNKS + (chunk ^ key % 8); }
// Values lie (HEAD_DIM, KEYS), of sixteen keys first the eight that lanes below 32 multiply; rows eight apart meet all banks too.
DEVICE u32 v_place(u32 column, u32 chunk) { return column * V_CHUNKS + (chunk ^ (column ^ column / 8) % 8); }

struct Tile { Vector16 keys[TILE_BYTES / 16], values[TILE_BYTES / 16]; };

// Half of the threads' vectors of the next tile: of keys as they are, of values four below each other.
struct Staged {
    Vector16 part[4];

    DEVICE static bool of_values() { return warp_index() < WAVES / 2; }
    // Of this thread's block of values: eight columns, four keys. Sixteen lanes take eight blocks side by side, two below each other.
    DEVICE static u32 column() { u32 at = threadIdx.x; return (at % 8 + at / 16 % (HEAD_DIM / 64) * 8) * 8; }
    DEVICE static u32 key() { u32 at = threadIdx.x; return (at / 8 % 2 * 2 + at / 16 / (HEAD_DIM / 64) % 2 + at / 32 / (HEAD_DIM / 64) * 4) * 4; }

    DEVICE void load(KeyRows from, int d) {
        BufferResource buffer = rows_from(of_values() ? from.v : from.k, 0, from.rows, d);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 at = threadIdx.x % (THREADS / 2) + i * (THREADS / 2);
            u32 row = of_values() ? key() + i : at / K_CHUNKS, x = of_values() ? column() : at % K_CHUNKS * 8;
            part[i] = buffer_load_dwordx4(buffer, int(x) < d ? (row * d + x) * sizeof(ELEMENT) : OUTSIDE);
        }
    }
    DEVICE void store(Tile& tile) const {
        if (of_values()) return store_turned(tile.values);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 at = threadIdx.x % (THREADS / 2) + i * (THREADS / 2);
            tile.keys[k_place(at / K_CHUNKS, at % K_CHUNKS)] = part[i];
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

template <class Keys> DEVICE void use_tile(State& state, const Rows& queries, const Tile& tile, float scale, const Keys& keys, int key) {
    u32 row = lane_id() % 32, group = lane_id() / 32;
    Sum16 scores[KEY_TILES] = {};
#pragma unroll
    for (int i = 0; i < KEY_TILES; i++)
#pragma unroll
        for (int j = 0; j < STEPS; j++) multiply<ELEMENT>(scores[i], tile.keys[k_place(i * 32 + row, 2 * j + group)], queries.step[j]);
    Vector16 weights[KEY_STEPS];
    state.weigh(scores, weights, scale, keys, key);
#pragma unroll
    for (int i = 0; i < DIM_TILES; i++)
#pragma unroll
        for (int j = 0; j < KEY_STEPS; j++) multiply<ELEMENT>(state.out[i], tile.values[v_place(i * 32 + row, 2 * j + group)], weights[j]);
}

struct Lds { Tile tile[2]; };

// The wave's queries meet all keys.
template <class Keys> DEVICE void attend(State& state, Lds& lds, const Rows& queries, const Keys& keys, int d, float scale) {
    Staged next;
    next.load(keys.from(0), d);
    next.store(lds.tile[0]);
    __syncthreads();
    for (int key = 0, stage = 0; key < keys.end; key += KEYS, stage ^= 1) {
        next.load(keys.from(key + KEYS), d);
        sched_barrier();
        if (!keys.unseen(key)) use_tile(state, queries, lds.tile[stage], scale, keys, key);
        next.store(lds.tile[stage ^ 1]);
        __syncthreads();
    }
}
