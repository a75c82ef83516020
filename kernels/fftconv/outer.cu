// The outermost stage of transforms that no block holds, and its inverse: OUTER points n0 of t = n0 N + r to k0, times w_(OUTER N)^(k0 r).
// Between the two, sm80_monarch.cu convolves each part k0 over r with a spectrum of its own: three passes over memory in all.
//
// Mapping: a stage is a real OUTER x OUTER matrix times OUTER rows of N numbers. Forward, its rows are the real and imaginary parts of
// k0 < OUTER / 2 in turns of eight; those of 0 and OUTER / 2 are real, and the latter stands for the former's imaginary part. A warp has
// 64 columns r and keeps all rows of them as operands: lane / 4 is a vector of eight neighbours, of which product j takes number j, so
// that its results are vectors again, and a factor's real and imaginary parts are the same thread's.
// Work: 2 OUTER flops an element over 4 bytes: bound by memory.
// Spills: at most 56 bytes a thread, at 128 rows on the way back, wherever barriers or the part of OUTER / 2 stand: a warp keeps all rows.
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

// The low or the high halves of two words.
DEVICE u32 join(u32 a, u32 b, int high) { return __byte_perm(a, b, high ? 0x7632 : 0x5410); }

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

// What a warp works on: 64 columns from r on, of one sequence. A sequence's parts are 2 planes of PARTS rows.
struct Place {
    int r;
    long long sequence, parts, plane;

    DEVICE explicit Place(int heads) {
        r = (blockIdx.x % CHUNKS * (THREADS / 32) + threadIdx.x / 32) * 64;
        sequence = blockIdx.x / CHUNKS;
        plane = (long long)heads * PARTS * N;
        parts = sequence / heads * 2 * plane + sequence % heads * PARTS * N;
    }
};

// w_WHOLE^n. The hardware's own sine is good to 2^-21, far below what 16 bits hold.
DEVICE Complex factor(u32 n) {
    Complex w;
    int turned = int(n * u32(0x100000000ull / WHOLE));   // a whole turn is 2^32, and wraps around
    __sincosf(-float(turned) * 1.4629180793e-9f, &w.im, &w.re);
    return w;
}

// The factors of column r and seven more, or their conjugates, by which (re, im) are multiplied.
template <bool INVERSE> DEVICE void multiply_by_factors(int k0, int r, float (&re)[8], float (&im)[8]) {
    Complex w = factor(k0 * r), step = factor(k0);
#pragma unroll
    for (int j = 0; j < 8; j++) {
        Complex z = times({re[j], im[j]}, INVERSE ? conj(w) : w);
        re[j] = z.re, im[j] = z.im;
        w = times(w, step);
    }
}

// Rows of a product for all columns: sums[j] are the rows lane / 4 and + 8 of vectors lane % 4 * 2 and + 1, in each number j.
DEVICE void multiply_rows(float (&sums)[8][4], const Vector16* matrix, const u32 (&b)[TILES][8][2]) {
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        Vector16 v = matrix[i * 32];
        u32 a[4] = {v.word[0], v.word[1], v.word[2], v.word[3]};
#pragma unroll
        for (int j = 0; j < 8; j++) mma_m16n8k16(ELEMENT{}, sums[j], a, b[i][j][0], b[i][j][1]);
    }
}

DEVICE void store_part(ELEMENT* parts, const Place& place, int k0, int r, float (&re)[8], float (&im)[8]) {
    multiply_by_factors<false>(k0, r, re, im);
    ELEMENT* to = parts + place.parts + k0 * N + r;
    st_global_cs(to, pack<ELEMENT>(re));
    st_global_cs(to + place.plane, pack<ELEMENT>(im));
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_forward(const ELEMENT* u, const ELEMENT* pre, ELEMENT* parts, const Vector16* matrices, int heads, int length) {
    Place place(heads);
    u32 lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
    u32 b[TILES][8][2];
    u += place.sequence * length, pre += place.sequence * length;
#pragma unroll
    for (int i = 0; i < TILES * 2; i++) {
        Vector16 rows[2];
#pragma unroll
        for (int row = 0; row < 2; row++) {
            int t = (i * 8 + 2 * q + row) * N + place.r + 8 * g;
            rows[row] = load_eight(u, t, length);
            if (GATED) rows[row] = gated(rows[row], load_eight(pre, t, length));
        }
#pragma unroll
        for (int j = 0; j < 8; j++) b[i / 2][j][i % 2] = join(rows[0].word[j / 2], rows[1].word[j / 2], j % 2);
    }
#pragma unroll 1
    for (int tile = 0; tile < TILES; tile++) {
        float sums[8][4] = {};
        multiply_rows(sums, matrices + tile * TILES * 32 + lane, b);
        int k0 = tile * 8 + g;
#pragma unroll
        for (int e = 0; e < 2; e++) {
            int r = place.r + 8 * (2 * q + e);
            float re[8], im[8], none[8] = {};
#pragma unroll
            for (int j = 0; j < 8; j++) re[j] = sums[j][e], im[j] = sums[j][2 + e];
            if (k0 == 0) {
                store_part(parts, place, OUTER / 2, r, im, none);
#pragma unroll
                for (int j = 0; j < 8; j++) im[j] = 0;
            }
            store_part(parts, place, k0, r, re, im);
        }
    }
}

// What column r and seven more contribute by part k0, as the operand's rows of it.
DEVICE void load_part(const ELEMENT* parts, const Place& place, int k0, int r, float (&re)[8], float (&im)[8]) {
    const ELEMENT* from = parts + place.parts + k0 * N + r;
    unpack<ELEMENT>(ld_global_nc(from), re);
    unpack<ELEMENT>(ld_global_nc(from + place.plane), im);
    multiply_by_factors<true>(k0, r, re, im);
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_inverse(ELEMENT* y, const ELEMENT* post, const ELEMENT* parts, const Vector16* matrices, int heads, int length) {
    Place place(heads);
    u32 lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
    u32 b[TILES][8][2];
#pragma unroll
    for (int i = 0; i < TILES * 2; i++) {
        float re[8], im[8];
        load_part(parts, place, i * 4 + q, place.r + 8 * g, re, im);
        if (i == 0 && q == 0) {
            float none[8];
            load_part(parts, place, OUTER / 2, place.r + 8 * g, im, none);
        }
#pragma unroll
        for (int j = 0; j < 8; j++) b[i / 2][j][i % 2] = cvt_rn_x2<ELEMENT>(re[j], im[j]);
    }
    y += place.sequence * length, post += place.sequence * length;
#pragma unroll 1
    for (int tile = 0; tile * 16 * N < length; tile++) {
        Vector16 gates[4];
        int t = (tile * 16 + g) * N + place.r + 16 * q;
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (GATED) gates[i] = load_eight(post, t + i / 2 * 8 * N + i % 2 * 8, length);
        float sums[8][4] = {};
        multiply_rows(sums, matrices + MATRIX + tile * TILES * 32 + lane, b);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float row[8];
#pragma unroll
            for (int j = 0; j < 8; j++) row[j] = sums[j][i];
            Vector16 v = pack<ELEMENT>(row);
            store_eight(y, t + i / 2 * 8 * N + i % 2 * 8, length, GATED ? gated(v, gates[i]) : v);
        }
    }
}
