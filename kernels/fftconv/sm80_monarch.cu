// y = iFFT(FFT(u) K) by heads, on tensor cores by the warp (mma.sync, since sm_80), in one pass over u and y: u, y (B, H, L) in 16 bits,
// padded with zeros to N points where L is less; K complex. With gates, y = post iFFT(FFT(pre u) K).
//
// Mapping: a block owns as many pairs of batch items of one head as fill the slots (monarch.h), two sequences of a pair as real and
// imaginary part. They come into shared memory once; there the stages leave their results in place, rounded to 16 bits; and from
// there they go out once. A warp has strips of four slots for stages 1 and 2, and rows of one k1 for stage 3, the product and its inverse.
// Work: 8 N flops a sequence times the sum of its radices of 16, over 4 L bytes (8 L with gates): 96 flops a byte at N = L = 4096, of which
// tensor cores have 206. What bounds it is issue: 69 instructions for each complex number that a thread has.
// Spills: at most 128 bytes a thread, up to N = 8192: with 128 registers 16 warps share a multiprocessor; 12 of them with 168 registers,
// which spill 24, took 4 % longer on an H200 at N = 4096.
//
// Launch. block (THREADS), grid (heads * ceil(batch / (2 PAIRS))); dynamic shared memory: HALVES * 2 * PLANE bytes.
// Arguments: u, pre, post, y (batch, heads, length); pre and post NULL without gates; tables, spectrum and scales as arrange.cu leaves them.
// Macros (default): those of monarch.h, GATED (0), ALIGNED (1: the length is a multiple of 8).
#include "fftconv/stages.h"

#ifndef GATED
#define GATED 0
#endif
#ifndef ALIGNED
#define ALIGNED 1
#endif

// Few warps a block, that fewer wait for each other; 128 registers a thread, and more for a third stage of 64.
constexpr int STRIPS = HALVES * UNITS, WARPS = RADIX == 1 ? 2 : HALVES * 4, THREADS = 32 * WARPS;
constexpr int BLOCKS = RADIX < 4 ? 16 / WARPS : HALVES == 1 ? 3 : 1;
constexpr int RUN = N3 < 4 ? N3 : 4;                     // consecutive elements that lie together in a plane

// The sequences of a block, all of one head, as one thread sees them: from its own first element on. Its others lie items, `stride`
// elements each, and elements beyond that; `items` and `length` are left of them.
struct Signals {
    const ELEMENT *u, *pre, *post;
    ELEMENT* y;
    long long stride;
    int items, length;
};

// Eight elements; beyond either end they are 0.
DEVICE Vector16 load_eight(const ELEMENT* from, const Signals& s, int item, int at) {
    Vector16 v = {};
    const ELEMENT* of_item = from + item * s.stride;
    if (item >= s.items) return v;
    if constexpr (ALIGNED) {
        if (at < s.length) v = ld_global_nc(of_item + at);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (at + i < s.length) v.word[i / 2] |= u32(of_item[at + i].bits) << (i % 2 * 16);
    }
    return v;
}

DEVICE Vector16 gated(Vector16 v, Vector16 gate) {
    float a[8], b[8];
    unpack<ELEMENT>(v, a);
    unpack<ELEMENT>(gate, b);
#pragma unroll
    for (int i = 0; i < 8; i++) a[i] *= b[i];
    return pack<ELEMENT>(a);
}

DEVICE Vector16 load_input(const Signals& s, int item, int at) {
    Vector16 v = load_eight(s.u, s, item, at);
    return GATED ? gated(v, load_eight(s.pre, s, item, at)) : v;
}

// The gate of what will be stored there; asked for well ahead.
DEVICE Vector16 load_gate(const Signals& s, int item, int at) { return GATED ? load_eight(s.post, s, item, at) : Vector16{}; }

DEVICE void store_output(const Signals& s, int item, int at, Vector16 v, Vector16 gate) {
    if (GATED) v = gated(v, gate);
    if (item >= s.items) return;
    ELEMENT* of_item = s.y + item * s.stride;
    if constexpr (ALIGNED) {
        if (at < s.length) st_global_cs(of_item + at, v);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (at + i < s.length) of_item[at + i].bits = u16(v.word[i / 2] >> (i % 2 * 16));
    }
}

// Where in the planes element e of all M-point sequences lies: linear over GF(2), as `place` is.
DEVICE constexpr u32 offset_of(u32 e) {
    u32 item = e / M, t = e % M, slot = item / 2 * N3 + t % N3;
    return (item % 2 * PLANE) ^ (place(t / N3 / 16, t / N3 % 16, slot / 4) * 8) ^ (slot % 4 * 2);
}

DEVICE void scatter(u8* planes, u32 offset, Vector16 v) {
#pragma unroll
    for (int i = 0; i < 8; i += RUN) {
        u8* to = planes + (offset ^ offset_of(i));
        if (RUN == 4) *reinterpret_cast<Unit*>(to) = {v.word[i / 2], v.word[i / 2 + 1 & 3]};
        else if (RUN == 2) *reinterpret_cast<u32*>(to) = v.word[i / 2];
        else *reinterpret_cast<u16*>(to) = u16(v.word[i / 2] >> (i % 2 * 16));
    }
}

DEVICE Vector16 gather(const u8* planes, u32 offset) {
    Vector16 v = {};
#pragma unroll
    for (int i = 0; i < 8; i += RUN) {
        const u8* from = planes + (offset ^ offset_of(i));
        if (RUN == 4) {
            Unit unit = *reinterpret_cast<const Unit*>(from);
            v.word[i / 2] = unit.word[0], v.word[i / 2 + 1 & 3] = unit.word[1];
        } else if (RUN == 2) v.word[i / 2] = *reinterpret_cast<const u32*>(from);
        else v.word[i / 2] |= u32(*reinterpret_cast<const u16*>(from)) << (i % 2 * 16);
    }
    return v;
}

// Sequences of whole length: a thread copies vectors whose numbers differ by THREADS. Eight loads are under way at a time.
constexpr int COPIES = HALVES == 1 ? 2 * PAIRS * M / 8 / THREADS : 8, STEP = 8 * THREADS;

DEVICE void bring_in(u8* planes, const Signals& s) {
    u32 offset = offset_of(threadIdx.x * 8);
#pragma unroll
    for (int copied = 0; copied < COPIES; copied += 8) {
        Vector16 v[8];
#pragma unroll
        for (int i = 0; i < 8; i++) v[i] = load_input(s, (copied + i) * STEP / M, (copied + i) * STEP % M);
#pragma unroll
        for (int i = 0; i < 8; i++) scatter(planes, offset ^ offset_of((copied + i) * STEP), v[i]);
    }
}

DEVICE void take_out(const u8* planes, const Signals& s) {
    u32 offset = offset_of(forgotten(threadIdx.x) * 8);
#pragma unroll
    for (int copied = 0; copied < COPIES; copied += 8) {
        Vector16 gates[8];
#pragma unroll
        for (int i = 0; i < 8; i++) gates[i] = load_gate(s, (copied + i) * STEP / M, (copied + i) * STEP % M);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            u32 first = (copied + i) * STEP;
            store_output(s, first / M, first % M, gather(planes, offset ^ offset_of(first)), gates[i]);
        }
    }
}

// Sequences in halves: their sum, and their difference times w_N^t, are transformed; the reverse at the end.

template <class F> DEVICE void for_each_root(const Vector16* tables, u32 t, F apply) {
#pragma unroll
    for (int i = 0; i < 8; i += 4) {
        Vector16 roots = tables[HALF_TABLE + t / 4 + i / 4];
        for (int j = 0; j < 4; j++) apply(i + j, halves(roots.word[j]));
    }
}

DEVICE void bring_in_halves(u8* planes, const Signals& s, const Vector16* tables) {
    u32 own = threadIdx.x * 8, offset = offset_of(own);
#pragma unroll
    for (int step = 0; step < M; step += STEP) {
        float low[2][8], high[2][8];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            unpack<ELEMENT>(load_input(s, i, step), low[i]);
            unpack<ELEMENT>(load_input(s, i, step + M), high[i]);
        }
        for_each_root(tables, own + step, [&](int i, Complex w) {
            Complex difference = times({low[0][i] - high[0][i], low[1][i] - high[1][i]}, w);
            low[0][i] += high[0][i], low[1][i] += high[1][i];
            high[0][i] = difference.re, high[1][i] = difference.im;
        });
#pragma unroll
        for (int i = 0; i < 2; i++) {
            scatter(planes, offset ^ offset_of(step) ^ i * PLANE, pack<ELEMENT>(low[i]));
            scatter(planes + 2 * PLANE, offset ^ offset_of(step) ^ i * PLANE, pack<ELEMENT>(high[i]));
        }
    }
}

DEVICE void take_out_halves(const u8* planes, const Signals& s, const Vector16* tables) {
    u32 own = forgotten(threadIdx.x) * 8, offset = offset_of(own);
#pragma unroll
    for (int step = 0; step < M; step += STEP) {
        float low[2][8], high[2][8];
        Vector16 gates[4];
#pragma unroll
        for (int i = 0; i < 4; i++) gates[i] = load_gate(s, i / 2, step + i % 2 * M);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            unpack<ELEMENT>(gather(planes, offset ^ offset_of(step) ^ i * PLANE), low[i]);
            unpack<ELEMENT>(gather(planes + 2 * PLANE, offset ^ offset_of(step) ^ i * PLANE), high[i]);
        }
        for_each_root(tables, own + step, [&](int i, Complex w) {
            Complex odd = times({high[0][i], high[1][i]}, conj(w));
            high[0][i] = low[0][i] - odd.re, high[1][i] = low[1][i] - odd.im;
            low[0][i] += odd.re, low[1][i] += odd.im;
        });
#pragma unroll
        for (int i = 0; i < 2; i++) {
            store_output(s, i, step, pack<ELEMENT>(low[i]), gates[2 * i]);
            store_output(s, i, step + M, pack<ELEMENT>(high[i]), gates[2 * i + 1]);
        }
    }
}

template <bool INVERSE> DEVICE void transform_strips(u8* planes, const Vector16* tables, float scale) {
    Dft f = load_dft(tables, DFT_TABLE);
    Complex first[2][4];
#pragma unroll
    for (int row = 0; row < 2; row++) {
        Vector16 pairs = tables[FIRST_TABLE + row * 32 + own_lane()];
        for (int c = 0; c < 4; c++) {
            Complex w = halves(pairs.word[c]);
            first[row][c] = {w.re * scale, w.im * scale};
        }
    }
#pragma unroll 1
    for (u32 strip = forgotten(threadIdx.x) / 32; strip < STRIPS; strip += WARPS)
        transform_strip<INVERSE>(planes + strip / UNITS * 2 * PLANE, strip % UNITS, f, first, tables);
}

DEVICE int head_of(int batch) { return int(forgotten(blockIdx.x)) / ceil_div(batch, 2 * PAIRS); }

// Those of this thread. The ways in and out each ask anew, lest addresses stay in registers through all stages.
DEVICE Signals own_signals(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, ELEMENT* y, int batch, int heads, int length) {
    int block = forgotten(blockIdx.x), groups = ceil_div(batch, 2 * PAIRS), head = block / groups;
    u32 element = forgotten(threadIdx.x) * 8;
    int item = block % groups * 2 * PAIRS + element / M, at = element % M;
    long long stride = (long long)heads * length, start = item * stride + (long long)head * length + at;
    return {settled(u + start), settled(pre + start), settled(post + start), settled(y + start), stride, batch - item, length - at};
}

// Rows of a k1: a warp has ROWS_EACH in succession.
constexpr int ROWS_EACH = HALVES * 16 / WARPS, ROW_VECTORS = RADIX * 64;

DEVICE void convolve(u8* planes, const Vector16* tables, const Vector16* bins) {
    Dft f = load_dft(tables, SLOTS_TABLE);
    u32 first = forgotten(threadIdx.x) / 32 * ROWS_EACH;
#pragma unroll 1
    for (u32 row = first; row < first + ROWS_EACH; row += ROWS)
        convolve_rows(planes + row / 16 * 2 * PLANE, row % 16, f, bins + row * ROW_VECTORS, tables + ROW_TABLE + row % 16 * ROW_VECTORS, tables);
}

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void fftconv_monarch(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, const Vector16* tables, const Vector16* spectrum, const float* scales,
                     ELEMENT* y, int batch, int heads, int length) {
    extern __shared__ __align__(128) u8 planes[];
    Signals in = own_signals(u, pre, post, y, batch, heads, length);
    if (HALVES == 1) bring_in(planes, in);
    else bring_in_halves(planes, in, tables);
    __syncthreads();
    transform_strips<false>(planes, tables, 1);
    __syncthreads();
    convolve(planes, tables, spectrum + (long long)head_of(batch) * SPECTRUM);
    __syncthreads();
    transform_strips<true>(planes, tables, scales[head_of(batch)]);
    __syncthreads();
    Signals out = own_signals(u, pre, post, y, batch, heads, length);
    if (HALVES == 1) take_out(planes, out);
    else take_out_halves(planes, out, tables);
}
