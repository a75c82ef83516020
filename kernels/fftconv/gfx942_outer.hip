// The outermost stage of transforms that no block holds, and its inverse, on AMD's matrix cores, since gfx942: OUTER points n0 of
// t = n0 N + r to k0, times w_(OUTER N)^(k0 r). Between the two, gfx942_monarch.hip convolves each part k0 over r with a spectrum of its own:
// three passes over memory in all.
//
// Mapping: a stage is a real OUTER x OUTER matrix times OUTER rows of N numbers. Forward, its rows are the real and imaginary parts of
// k0 < OUTER / 2 in turn; those of 0 and OUTER / 2 are real, and the latter stands for the former's imaginary part. A wave has 128 columns r
// and keeps all rows of them as operands: lane % 16 is a vector of eight neighbours, of which product j takes number j, so that its
// results are vectors again, and a factor's real and imaginary parts are the same lane's.
// Work: 2 OUTER flops an element over 4 bytes: bound by memory.
//
// Launch, of both. block (THREADS), grid (batch * heads * N / (2 THREADS)). Arguments: u, pre (parts, post) (batch, heads, length) and
// pre (post) NULL without gates; parts (batch, 2, heads, PARTS, N) in 16 bits, real and imaginary planes; matrices (2 MATRIX vectors).
// Macros (default): those of monarch.h, GATED (0), ALIGNED (1: the length is a multiple of 8).
#include "fftconv/monarch.h"

#ifndef GATED
#define GATED 0
#endif
#ifndef ALIGNED
#define ALIGNED 1
#endif

constexpr int THREADS = 64, CHUNKS = N / (2 * THREADS);  // of a sequence

using Pair = Vector<u32, 2>;

// The low or the high halves of two words.
DEVICE u32 join(u32 a, u32 b, int high) { return v_perm_b32(b, a, high ? 0x07060302 : 0x05040100); }

// Eight elements; beyond the end they are 0.
DEVICE Vector16 load_eight(const ELEMENT* from, int at, int length) {
    Vector16 v = {};
    if constexpr (ALIGNED) {
        if (at < length) v = ld_global_nc(from + at);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (at + i < length) v.word[i / 2] |= u32(from[at + i].bits) << (i % 2 * 16);
    }
    return v;
}

DEVICE void store_eight(ELEMENT* to, int at, int length, Vector16 v) {
    if constexpr (ALIGNED) {
        if (at < length) st_global_cs(to + at, v);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (at + i < length) to[at + i].bits = u16(v.word[i / 2] >> (i % 2 * 16));
    }
}

// What a lane works on: eight columns from r on, of one sequence. A sequence's parts are 2 planes of PARTS rows.
struct Place {
    int r;
    long long sequence, parts, plane;

    DEVICE explicit Place(int heads) {
        r = blockIdx.x % CHUNKS * 2 * THREADS + threadIdx.x % 16 * 8;
        sequence = blockIdx.x / CHUNKS;
        plane = (long long)heads * PARTS * N;
        parts = sequence / heads * 2 * plane + sequence % heads * PARTS * N;
    }
};

// The factors of column r and seven more, or their conjugates, by which (re, im) are multiplied. The hardware's own sine is good to
// 2^-20, far below what 16 bits hold.
template <bool INVERSE> DEVICE void multiply_by_factors(int k0, int r, float (&re)[8], float (&im)[8]) {
    Complex w = root(k0 * r, WHOLE), step = root(k0, WHOLE);
#pragma unroll
    for (int j = 0; j < 8; j++) {
        Complex z = times({re[j], im[j]}, INVERSE ? conj(w) : w);
        re[j] = z.re, im[j] = z.im;
        w = times(w, step);
    }
}

// Rows of a product for all columns: sums[j] are the rows of the lane's quarter, in number j of its vector.
DEVICE void multiply_rows(Sum4 (&sums)[8], const Pair* matrix, const Pair (&b)[TILES][8]) {
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        Pair a = matrix[i * WARP_THREADS];
#pragma unroll
        for (int j = 0; j < 8; j++) mfma_f32_16x16x16(ELEMENT{}, sums[j], a, b[i][j]);
    }
}

DEVICE void store_part(ELEMENT* parts, const Place& place, int k0, float (&re)[8], float (&im)[8]) {
    multiply_by_factors<false>(k0, place.r, re, im);
    ELEMENT* to = parts + place.parts + k0 * N + place.r;
    st_global_cs(to, pack<ELEMENT>(re));
    st_global_cs(to + place.plane, pack<ELEMENT>(im));
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_gfx942_outer_forward(const ELEMENT* u, const ELEMENT* pre, ELEMENT* parts, const Pair* matrices, int heads, int length) {
    Place place(heads);
    int quarter = threadIdx.x / 16;
    Pair b[TILES][8];
    u += place.sequence * length, pre += place.sequence * length;
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        Vector16 rows[4];
#pragma unroll
        for (int row = 0; row < 4; row++) {
            int t = (i * 16 + quarter * 4 + row) * N + place.r;
            rows[row] = load_eight(u, t, length);
            if (GATED) rows[row] = gated(rows[row], load_eight(pre, t, length));
        }
#pragma unroll
        for (int j = 0; j < 8; j++)
            b[i][j] = {join(rows[0].word[j / 2], rows[1].word[j / 2], j % 2), join(rows[2].word[j / 2], rows[3].word[j / 2], j % 2)};
    }
#pragma unroll 1
    for (int tile = 0; tile < TILES; tile++) {
        Sum4 sums[8] = {};
        multiply_rows(sums, matrices + tile * TILES * WARP_THREADS + threadIdx.x, b);
#pragma unroll
        for (int e = 0; e < 2; e++) {
            int k0 = tile * 8 + quarter * 2 + e;
            float re[8], im[8], none[8] = {};
#pragma unroll
            for (int j = 0; j < 8; j++) re[j] = sums[j][2 * e], im[j] = sums[j][2 * e + 1];
            if (e == 0 && k0 == 0) {
                store_part(parts, place, OUTER / 2, im, none);
#pragma unroll
                for (int j = 0; j < 8; j++) im[j] = 0;
            }
            store_part(parts, place, k0, re, im);
        }
    }
}

// What column r and seven more contribute by part k0, as the operand's rows of it.
DEVICE void load_part(const ELEMENT* parts, const Place& place, int k0, float (&re)[8], float (&im)[8]) {
    const ELEMENT* from = parts + place.parts + k0 * N + place.r;
    unpack<ELEMENT>(ld_global_nc(from), re);
    unpack<ELEMENT>(ld_global_nc(from + place.plane), im);
    multiply_by_factors<true>(k0, place.r, re, im);
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_gfx942_outer_inverse(ELEMENT* y, const ELEMENT* post, const ELEMENT* parts, const Pair* matrices, int heads, int length) {
    Place place(heads);
    int quarter = threadIdx.x / 16;
    Pair b[TILES][8];
#pragma unroll
    for (int i = 0; i < TILES; i++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            float re[8], im[8];
            load_part(parts, place, i * 8 + quarter * 2 + e, re, im);
            if (i == 0 && e == 0 && quarter == 0) {
                float none[8];
                load_part(parts, place, OUTER / 2, im, none);
            }
#pragma unroll
            for (int j = 0; j < 8; j++) b[i][j][e] = cvt_x2<ELEMENT>(re[j], im[j]);
        }
    y += place.sequence * length, post += place.sequence * length;
#pragma unroll 1
    for (int tile = 0; tile * 16 * N < length; tile++) {
        Vector16 gates[4];
        int t = (tile * 16 + quarter * 4) * N + place.r;
#pragma unroll
        for (int row = 0; row < 4; row++)
            if (GATED) gates[row] = load_eight(post, t + row * N, length);
        Sum4 sums[8] = {};
        multiply_rows(sums, matrices + MATRIX * 2 + tile * TILES * WARP_THREADS + threadIdx.x, b);
#pragma unroll
        for (int row = 0; row < 4; row++) {
            float numbers[8];
#pragma unroll
            for (int j = 0; j < 8; j++) numbers[j] = sums[j][row];
            Vector16 v = pack<ELEMENT>(numbers);
            store_eight(y, t + row * N, length, GATED ? gated(v, gates[row]) : v);
        }
    }
}
