// What attention's kernels for AMD's matrix cores share: which queries a block takes, the online softmax of a wave, and the epilogue.
// Knows neither how keys and values come to LDS nor how they are read from there.
//
// A wave owns 32 queries. S^T = K Q^T leaves lane l the scores of query l % 32 with the keys 8 i + 4 (l / 32) + 0..3 of every tile of 32, so
// that a row's maximum and sum run along registers and cross lanes once; and those scores are, as they lie, the right operand of
// O^T = V^T P^T, in which a lane keeps its query. Of sixteen keys a lane's eight are 4 (l / 32) + 0..3 and 8 + 4 (l / 32) + 0..3.
// Macros (default): ELEMENT (Bf16; Fp16), HEAD_DIM (128; 64): at least d, CAUSAL (0).
#pragma once
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef CAUSAL
#define CAUSAL 0
#endif

constexpr int WAVES = 8, THREADS = WAVES * WARP_THREADS, WAVE_QUERIES = 32, QUERIES = WAVES * WAVE_QUERIES;
constexpr int KEYS = 8192 / HEAD_DIM;                     // of a tile, which is 16 KB of keys and 16 KB of values
constexpr int TILE_BYTES = KEYS * HEAD_DIM * 2;
constexpr int KEY_TILES = KEYS / 32, DIM_TILES = HEAD_DIM / 32;
constexpr int STEPS = HEAD_DIM / 16, KEY_STEPS = KEYS / 16;   // products of depth 16 in a tile of S and of O
constexpr int CHIPLETS = 8;

// A maximum may be outgrown by this power of two before the sums are scaled to the new one.
constexpr float SLACK = 8;

// The block's part of the problem. Tiles of a head go to one die, whose L2 then holds its keys; long ones first.
struct Part {
    int head, key_head, first;                             // first query

    DEVICE Part(int heads, int key_heads, int n) {
        int tiles = ceil_div(n, QUERIES), index = tile_by_chiplet(blockIdx.x, gridDim.x, CHIPLETS, tiles);
        head = index / tiles;
        key_head = head / heads * key_heads + head % heads / (heads / key_heads);
        first = (tiles - 1 - index % tiles) * QUERIES;
    }
};

// How many keys a query sees; they are the first ones.
DEVICE int visible(int query, int n, int nk) {
    return CAUSAL ? min_int(nk, query + 1 + nk - n < 0 ? 0 : query + 1 + nk - n) : nk;
}

// Rows of a matrix from `first` on, of which those past `rows` read 0.
DEVICE BufferResource rows_from(const ELEMENT* matrix, int first, int rows, int d) {
    return make_buffer(matrix + first * (long long)d, (rows - first) * (long long)d * sizeof(ELEMENT));
}

// d (32, 32) += a (32, 8 elements a lane) b.
template <class T> DEVICE void multiply(Sum16& d, Vector16 a, Vector16 b) {
#if defined(__gfx950__)
    mfma_f32_32x32x16(T{}, d, a, b);
#else
    using Half = Vector<u32, 2>;
    mfma_f32_32x32x8(T{}, d, Half{a.word[0], a.word[1]}, Half{b.word[0], b.word[1]});
    mfma_f32_32x32x8(T{}, d, Half{a.word[2], a.word[3]}, Half{b.word[2], b.word[3]});
#endif
}

// The wave's queries in registers: step i has vectors 2 i + l / 32 of the row of lane l.
struct Queries {
    Vector16 step[STEPS];

    DEVICE void load(const ELEMENT* q, int first, int n, int d) {
        BufferResource buffer = rows_from(q, first, n, d);
        u32 lane = lane_id();
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            u32 column = (2 * i + lane / 32) * 8;
            step[i] = buffer_load_dwordx4(buffer, int(column) < d ? (lane % 32 * d + column) * sizeof(ELEMENT) : OUTSIDE);
        }
    }
};

// The wave's output and the state of its softmax. Maxima are in powers of two; a lane's total covers its keys only.
struct State {
    Sum16 out[DIM_TILES] = {};
    float largest = -__builtin_inff(), total = 0;

    // Turns scores of keys from `key` on to weights, to be multiplied with the values in eights.
    DEVICE void weigh(Sum16 (&s)[KEY_TILES], Vector16 (&weights)[KEY_STEPS], float scale, int key, int seen, bool masked) {
        if (masked) mask(s, key, seen);
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
            float low = exp2_approx(x[0]), high = exp2_approx(x[1]);
            total += low + high;
            weights[i / 8].word[i / 2 % 4] = cvt_x2<ELEMENT>(low, high);
        }
    }
    DEVICE static void mask(Sum16 (&s)[KEY_TILES], int key, int seen) {
        int left = seen - key - int(lane_id() / 32 * 4);
#pragma unroll
        for (int i = 0; i < KEYS / 2; i++)
            if (i / 4 * 8 + i % 4 >= left) s[i / 16][i % 16] = -__builtin_inff();
        // Without these the compiler makes no branch of this, and masks every tile.
#pragma unroll
        for (auto& tile : s) pin(tile);
    }
    DEVICE void grow(float top) {
        float next = __builtin_fmaxf(largest, top), factor = next == -__builtin_inff() ? 0 : exp2_approx(largest - next);
        largest = next;
        total *= factor;
#pragma unroll
        for (int i = 0; i < DIM_TILES; i++) out[i] *= factor;
    }

    // Writes O and, in natural units, the logarithm of the sums; a query that has seen nothing has 0 and minus infinity.
    DEVICE void store(ELEMENT* o, float* lse, int first, int n, int d) {
        int lane = lane_id(), query = first + lane % 32;
        total += __shfl_xor_sync(~0u, total, 32);
        if (query >= n) return;
        if (lane < 32) lse[query] = (largest + log2_approx(total)) * 0.693147181f;
        float inverse = total > 0 ? 1 / total : 0;
        ELEMENT* row = o + query * (long long)d;
#pragma unroll
        for (int i = 0; i < DIM_TILES * 4; i++) {
            int column = i * 8 + lane / 32 * 4;
            Sum16 x = out[i / 4];
            int r = i % 4 * 4;
            if (column < d)
                *reinterpret_cast<Vector<u32, 2>*>(row + column) = {cvt_rn_x2<ELEMENT>(x[r] * inverse, x[r + 1] * inverse),
                                                                    cvt_rn_x2<ELEMENT>(x[r + 2] * inverse, x[r + 3] * inverse)};
        }
    }
};
