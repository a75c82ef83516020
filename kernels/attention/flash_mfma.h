// What attention's forward kernels for AMD's matrix cores share: the online softmax of a wave, and the epilogue.
// Knows neither how keys and values come to LDS nor how they are read from there, and which keys a query sees only as it is told.
//
// A wave owns 32 queries (see mfma_rows.h). S^T = K Q^T leaves a lane the scores of one query, so that a row's maximum and sum run along
// registers and cross lanes once; and O^T = V^T P^T takes its weights as they lie.
// Macros: those of mfma_rows.h, and TILE_KEYS (8192 / HEAD_DIM; any multiple of 32), keys of a tile: 16 KB of them and 16 KB of values.
#pragma once
#include "attention/mfma_rows.h"

#ifndef TILE_KEYS
#define TILE_KEYS (8192 / HEAD_DIM)
#endif

constexpr int KEYS = TILE_KEYS;
constexpr int TILE_BYTES = KEYS * HEAD_DIM * 2;
constexpr int KEY_TILES = KEYS / 32, KEY_STEPS = KEYS / 16;   // tiles of 32 keys, and products of depth 16 in a tile of O

// Keys and their values from some key on; past so many rows they are zeros.
struct KeyRows { const ELEMENT *k, *v; int rows; };

// Scores of keys from `end` on become -inf.
DEVICE void hide_from(Sum16 (&s)[KEY_TILES], int end) {
    end -= lane_id() / 32 * 4;
#pragma unroll
    for (int i = 0; i < KEYS / 2; i++)
        if (i / 4 * 8 + i % 4 >= end) s[i / 16][i % 16] = -INFINITE;
    // Without these the compiler makes no branch of this, and masks every tile.
#pragma unroll
    for (auto& tile : s) pin(tile);
}

// And of keys before `first`; not more than `end`.
DEVICE void hide_outside(Sum16 (&s)[KEY_TILES], int first, int end) {
    u32 keys = end - first;
    first -= lane_id() / 32 * 4;
#pragma unroll
    for (int i = 0; i < KEYS / 2; i++)
        if (u32(i / 4 * 8 + i % 4 - first) >= keys) s[i / 16][i % 16] = -INFINITE;
#pragma unroll
    for (auto& tile : s) pin(tile);
}

// The keys that a wave's queries meet, counted by tiles from the first one on, have:
//   end, up to which there are any; from(key): the tile's rows; unseen(key): whether no query of the wave sees the tile from there on;
//   masked(key): whether some query does not see all of it; hide(scores, key): what the lane's does not see becomes -inf.
// These are the first keys of a matrix, of which a query sees those before `seen`.
struct FirstKeys {
    const ELEMENT *k, *v;
    int rows, d, end, seen, all_see, some_see;

    DEVICE KeyRows from(int key) const { return {k + key * (long long)d, v + key * (long long)d, rows - key}; }
    DEVICE bool unseen(int key) const { return key >= some_see; }
    DEVICE bool masked(int key) const { return key + KEYS > all_see; }
    DEVICE void hide(Sum16 (&s)[KEY_TILES], int key) const { hide_from(s, seen - key); }
};

// A maximum may be outgrown by this power of two before the sums are scaled to the new one.
constexpr float SLACK = 8;

// The wave's output and the state of its softmax. Maxima are in powers of two; a lane's total covers its keys only.
struct State {
    Sum16 out[DIM_TILES] = {};
    float largest = -__builtin_inff(), total = 0;

    // Turns scores of keys from `key` on to weights, to be multiplied with the values in eights.
    template <class Keys> DEVICE void weigh(Sum16 (&s)[KEY_TILES], Vector16 (&weights)[KEY_STEPS], float scale, const Keys& keys, int key) {
        if (keys.masked(key)) keys.hide(s, key);
        float top = -__builtin_inff();
#pragma unroll
        for (int i = 0; i < KEYS / 2; i++) top = __builtin_fmaxf(top, s[i / 16][i % 16]);
        top = scale * __builtin_fmaxf(top, __shfl_xor_sync(~0u, top, 32));
        if (__any_sync(~0u, top > largest + SLACK)) grow(top);
        float base = largest == -__builtin_inff() ? 0 : largest;
#pragma unroll
        for (int i = 0; i < KEYS / 2; i += 2) {
            Vector<float, 2> x = {s[i / 16][i % 16], s[i / 16][i % 16 + 1]};
            x = x * scale - base;
            float low = ex2_approx(x[0]), high = ex2_approx(x[1]);
            total += low + high;
            weights[i / 8].word[i / 2 % 4] = cvt_x2<ELEMENT>(low, high);
        }
    }
    DEVICE void grow(float top) {
        float next = __builtin_fmaxf(largest, top), factor = next == -__builtin_inff() ? 0 : ex2_approx(largest - next);
        largest = next;
        total *= factor;
#pragma unroll
        for (int i = 0; i < DIM_TILES; i++) out[i] *= factor;
    }

    // What the lane's query sums to, from both of its halves.
    DEVICE float whole_total() const { return total + __shfl_xor_sync(~0u, total, 32); }

    // Writes O and, in natural units, the logarithm of the sums; a query that has seen nothing has 0 and minus infinity.
    DEVICE void store(ELEMENT* o, float* lse, int first, int n, int d) {
        int lane = lane_id(), query = first + lane % 32;
        total = whole_total();
        if (query >= n) return;
        if (lane < 32) lse[query] = (largest + lg2_approx(total)) * 0.693147181f;
        store_row(out, total > 0 ? 1 / total : 0, o + query * (long long)d, d);
    }
};
