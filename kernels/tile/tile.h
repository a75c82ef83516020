// The tile vocabulary that kernels are written in, on either vendor: vectors of 16 bytes, row sums, rings of stages, tile orders.
// Whatever differs by vendor stands in tile/vendor; this file holds no instruction and knows no kernel.
#pragma once

#if defined(__HIP__)
#include "tile/vendor/hip.h"
#else
#include "tile/vendor/cuda.h"
#endif

// NVRTC has neither INFINITY nor a builtin for it.
constexpr float INFINITE = __builtin_bit_cast(float, 0x7f800000);

DEVICE int ceil_div(int a, int b) { return (a + b - 1) / b; }
DEVICE int min_int(int a, int b) { return a < b ? a : b; }

template <bool CONDITION, class A, class B> struct Selected { using Type = A; };
template <class A, class B> struct Selected<false, A, B> { using Type = B; };
template <bool CONDITION, class A, class B> using Select = typename Selected<CONDITION, A, B>::Type;

// Vectors: 16 bytes, eight elements of a 16-bit type.

template <class T> DEVICE void unpack(Vector16 v, float (&x)[8]) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        x[2 * i] = cvt_f32(T{u16(v.word[i])});
        x[2 * i + 1] = cvt_f32(T{u16(v.word[i] >> 16)});
    }
}

template <class T> DEVICE Vector16 pack(const float (&x)[8]) {
    Vector16 v;
#pragma unroll
    for (int i = 0; i < 4; i++) v.word[i] = cvt_rn_x2<T>(x[2 * i], x[2 * i + 1]);
    return v;
}

// Eight f32 in a row, aligned to 16 bytes.
DEVICE void load_floats(float (&x)[8], const float* from) {
#pragma unroll
    for (int i = 0; i < 8; i++) x[i] = __uint_as_float(reinterpret_cast<const Vector16*>(from)[i / 4].word[i % 4]);
}

// Row sums.

// Every lane gets the sum over its group of LANES consecutive ones.
template <int LANES> DEVICE float sum_across(float x) {
#pragma unroll
    for (int offset = LANES / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
    return x;
}

// Every lane gets the sum over its warp.
DEVICE float warp_sum(float x) { return sum_across<WARP_THREADS>(x); }

// Pipelines.

// A place in a ring of N buffers and how often the ring has turned, mod 2: what both of its ends count by.
template <int N> struct Ring {
    u32 stage = 0, phase = 0;

    DEVICE void advance() {
        if (++stage == N) stage = 0, phase ^= 1;
    }
    DEVICE void skip(u32 n) {
        stage += n;
        phase ^= stage / N & 1;
        stage %= N;
    }
};

// Tile orders.

struct TilePlace { int row, column; };

// Walks a grid of tiles in bands of `band` rows, down each column of the band in turn, so that tiles in flight together share
// few rows and few columns, and these stay in L2.
DEVICE TilePlace tile_in_bands(int index, int rows, int columns, int band) {
    int first = index / (band * columns) * band;
    int height = min_int(rows - first, band);
    int within = index - first * columns;
    return {first + within % height, within / height};
}

// The tile that block `index` of `count` takes, where blocks go to `chiplets` dies in turn and each die has an L2 of its own:
// gives runs of `run` consecutive tiles to one die. A permutation; a tail that fills no whole turn stays as it is.
DEVICE int tile_by_chiplet(int index, int count, int chiplets, int run) {
    int turn = chiplets * run;
    if (index >= count / turn * turn) return index;
    int die = index % chiplets, place = index / chiplets;
    return place / run * turn + die * run + place % run;
}
