// The ways of sequences between memory and planes in shared memory.
// Knows what lies where and which elements are there, and nothing of spectra or of what comes between the two ways.
//
// Macros (default): those of monarch.h, GATED (0), ALIGNED (1: the length and the pitch are multiples of 8), FULL (0; 1: the length is FOLD N
// and the batch whole groups, so that nothing need be asked). Who includes it says how many THREADS a block has before.
#pragma once
#include "fftconv/monarch.h"

#ifndef GATED
#define GATED 0
#endif
#ifndef ALIGNED
#define ALIGNED 1
#endif
#ifndef FULL
#define FULL 0
#endif

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
    if (!FULL && item >= s.items) return v;
    if constexpr (ALIGNED) {
        if (FULL || at < s.length) v = ld_global_nc_sector(of_item + at);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (at + i < s.length) v.word[i / 2] |= u32(of_item[at + i].bits) << (i % 2 * 16);
    }
    return v;
}

// Of a folded sequence, the sum of elements N apart by pairs, so that few roundings follow each other.
template <int FOLDS = FOLD> DEVICE Vector16 load_input(const Signals& s, int item, int at) {
    if constexpr (FOLDS > 1) return sum(load_input<FOLDS / 2>(s, item, at), load_input<FOLDS / 2>(s, item, at + FOLDS / 2 * N));
    Vector16 v = load_eight(s.u, s, item, at);
    return GATED ? gated(v, load_eight(s.pre, s, item, at)) : v;
}

// The gate of what will be stored there; asked for well ahead.
DEVICE Vector16 load_gate(const Signals& s, int item, int at) { return GATED ? load_eight(s.post, s, item, at) : Vector16{}; }

DEVICE void store_eight(const Signals& s, int item, int at, Vector16 v, Vector16 gate) {
    if (GATED) v = gated(v, gate);
    if (!FULL && item >= s.items) return;
    ELEMENT* of_item = s.y + item * s.stride;
    if constexpr (ALIGNED) {
        if (FULL || at < s.length) st_global_cs(of_item + at, v);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (at + i < s.length) of_item[at + i].bits = u16(v.word[i / 2] >> (i % 2 * 16));
    }
}

// To all places of a folded sequence, of which `gate` is the first one's.
DEVICE void store_output(const Signals& s, int item, int at, Vector16 v, Vector16 gate) {
#pragma unroll
    for (int fold = 0; fold < FOLD; fold++) store_eight(s, item, at + fold * N, v, fold == 0 ? gate : load_gate(s, item, at + fold * N));
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

// Sequences of whole length: a thread copies vectors whose numbers differ by THREADS. Up to eight loads are under way at a time.
constexpr int COPIES = RESIDUES == 1 ? 2 * PAIRS * M / 8 / THREADS : 8, STEP = 8 * THREADS;
constexpr int AT_ONCE = COPIES < 8 ? COPIES : 8;

// What the second of two turns reads, to be in L2 by then: a lane asks for a line of memory, which has eight vectors.
DEVICE void prefetch_second_turn(const Signals& s) {
    if (threadIdx.x % 8 > 0) return;
#pragma unroll
    for (int i = AT_ONCE; i < COPIES; i++) {
        long long later = i * STEP / M * s.stride + i * STEP % M;
        prefetch_l2(s.u + later);
        prefetch_l2(s.pre + later);
    }
}

template <bool PREFETCHES = false> DEVICE void bring_in(u8* planes, const Signals& s) {
    static_assert(!PREFETCHES || GATED && FULL && FOLD == 1 && COPIES == 2 * AT_ONCE, "everything is there, and a second turn of it");
    u32 offset = offset_of(threadIdx.x * 8);
#pragma unroll
    for (int copied = 0; copied < COPIES; copied += AT_ONCE) {
        Vector16 v[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) v[i] = load_input(s, (copied + i) * STEP / M, (copied + i) * STEP % M);
        if (PREFETCHES && copied == 0) prefetch_second_turn(s);
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) scatter(planes, offset ^ offset_of((copied + i) * STEP), v[i]);
    }
}

// What the vectors from number `copied` on will be multiplied by.
DEVICE void load_gates(Vector16 (&gates)[AT_ONCE], const Signals& s, int copied) {
#pragma unroll
    for (int i = 0; i < AT_ONCE; i++) gates[i] = load_gate(s, (copied + i) * STEP / M, (copied + i) * STEP % M);
}

// `gates` are those of the first ones, asked for before the planes were ready.
DEVICE void take_out(const u8* planes, const Signals& s, Vector16 (&gates)[AT_ONCE]) {
    u32 offset = offset_of(forgotten(threadIdx.x) * 8);
#pragma unroll
    for (int copied = 0; copied < COPIES; copied += AT_ONCE) {
        Vector16 next[AT_ONCE];
        if (copied + AT_ONCE < COPIES) load_gates(next, s, copied + AT_ONCE);
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            u32 first = (copied + i) * STEP;
            store_output(s, first / M, first % M, gather(planes, offset ^ offset_of(first)), gates[i]);
            if (copied + AT_ONCE < COPIES) gates[i] = next[i];
        }
    }
}

// Sequences in halves: their sum, and their difference times w_N^t, are transformed; the reverse at the end. A quarter of a sequence on, roots
// are a quarter turn on: a thread goes by eight elements of both quarters of a half, which have the same roots but for that.

// Those of its eight elements from t on.
DEVICE void load_roots(Complex (&roots)[8], const Vector16* tables, u32 t) {
#pragma unroll
    for (int i = 0; i < 8; i += 4) {
        Vector16 pairs = tables[PIECE_TABLE + t / 4 + i / 4];
        for (int j = 0; j < 4; j++) roots[i + j] = halves(pairs.word[j]);
    }
}

DEVICE Complex turned(Complex root, int quarters) { return quarters == 0 ? root : Complex{root.im, -root.re}; }

// One of RESIDUES == 2 that a thread has elements of, by steps of both quarters: f(element of the half, quarters turned).
template <class F> DEVICE void in_quarters(Complex (&roots)[8], F f) {
    static_assert(RESIDUES == 1 || M / 2 % STEP == 0, "threads have whole steps of a quarter");
#pragma unroll
    for (int step = 0; step < M / 2; step += STEP) {
#pragma unroll
        for (int quarter = 0; quarter < 2; quarter++) f(step + quarter * (M / 2), quarter);
        Complex next = root(STEP, N);
        for (int i = 0; i < 8; i++) roots[i] = times(roots[i], next);
    }
}

DEVICE void bring_in_halves(u8* planes, const Signals& s, const Vector16* tables) {
    u32 own = threadIdx.x * 8, offset = offset_of(own);
    Complex roots[8];
    load_roots(roots, tables, own);
    in_quarters(roots, [&](int step, int quarter) {
        float low[2][8], high[2][8];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            unpack<ELEMENT>(load_input(s, i, step), low[i]);
            unpack<ELEMENT>(load_input(s, i, step + M), high[i]);
        }
#pragma unroll
        for (int i = 0; i < 8; i++) {
            Complex difference = times({low[0][i] - high[0][i], low[1][i] - high[1][i]}, turned(roots[i], quarter));
            low[0][i] += high[0][i], low[1][i] += high[1][i];
            high[0][i] = difference.re, high[1][i] = difference.im;
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
            scatter(planes, offset ^ offset_of(step) ^ i * PLANE, pack<ELEMENT>(low[i]));
            scatter(planes + 2 * PLANE, offset ^ offset_of(step) ^ i * PLANE, pack<ELEMENT>(high[i]));
        }
    });
}

// `roots` are those of the thread's first elements, asked for before the planes were ready.
DEVICE void take_out_halves(const u8* planes, const Signals& s, Complex (&roots)[8]) {
    u32 own = forgotten(threadIdx.x) * 8, offset = offset_of(own);
    in_quarters(roots, [&](int step, int quarter) {
        float low[2][8], high[2][8];
        Vector16 gates[4];
#pragma unroll
        for (int i = 0; i < 4; i++) gates[i] = load_gate(s, i / 2, step + i % 2 * M);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            unpack<ELEMENT>(gather(planes, offset ^ offset_of(step) ^ i * PLANE), low[i]);
            unpack<ELEMENT>(gather(planes + 2 * PLANE, offset ^ offset_of(step) ^ i * PLANE), high[i]);
        }
#pragma unroll
        for (int i = 0; i < 8; i++) {
            Complex odd = times({high[0][i], high[1][i]}, conj(turned(roots[i], quarter)));
            high[0][i] = low[0][i] - odd.re, high[1][i] = low[1][i] - odd.im;
            low[0][i] += odd.re, low[1][i] += odd.im;
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
            store_output(s, i, step, pack<ELEMENT>(low[i]), gates[2 * i]);
            store_output(s, i, step + M, pack<ELEMENT>(high[i]), gates[2 * i + 1]);
        }
    });
}

// Those of a thread whose first element is number `at` of batch item `item`; sequences begin `pitch` elements apart.
DEVICE Signals signals_at(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, ELEMENT* y, int item, int at, int head, int batch, int heads,
                          int length, int pitch) {
    long long stride = (long long)heads * pitch, start = item * stride + (long long)head * pitch + at;
    return {settled(u + start), settled(pre + start), settled(post + start), settled(y + start), stride, batch - item, length - at};
}

// The same where threads have vectors that follow each other, of batch items from `first` on and of elements from `skipped` on. The ways in
// and out each ask anew, lest addresses stay in registers through all stages.
DEVICE Signals own_signals(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, ELEMENT* y, int first, int head, int batch, int heads, int length,
                           int pitch, u32 skipped = 0) {
    u32 element = skipped + forgotten(threadIdx.x) * 8;
    return signals_at(u, pre, post, y, first + element / M, element % M, head, batch, heads, length, pitch);
}
