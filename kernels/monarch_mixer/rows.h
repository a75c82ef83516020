// What the ways between positions and channels share: tiles of POSITIONS x CHANNELS, the thread's place in them, and the short convolution.
// Projections are (batch, length, 3 channels), of which a thread has eight channels at two positions; in signals (batch, 2 channels, length)
// two positions of a channel are a word. Macros (default): ELEMENT (Bf16; Fp16), PAIRED (1: the length is even, so that words are aligned).
#pragma once
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef PAIRED
#define PAIRED 1
#endif

constexpr int POSITIONS = 64, CHANNELS = 64, THREADS = 256, TAPS = 3;
constexpr int WORDS = POSITIONS / 2, PITCH = WORDS + 1;  // an odd pitch, so that a column of words is in different banks

using Plane = u32[CHANNELS][PITCH];

// Where a thread computes: the first of eight channels and the first of two positions, of one sequence.
struct Own {
    int item, t, channel, row, word;                     // and the place in a plane

    DEVICE explicit Own(int length) {
        int tiles = ceil_div(length, POSITIONS);
        item = blockIdx.x / tiles, row = threadIdx.x % 8 * 8, word = threadIdx.x / 8;
        t = blockIdx.x % tiles * POSITIONS + 2 * word, channel = blockIdx.y * CHANNELS + row;
    }
};

// Where a thread copies between a plane and signals: a word of two positions of channel `row` of the block, neighbours along a row; or where
// rows are not aligned the same number of positions by themselves. `left` are the positions from the tile's first on.
struct Line {
    int row, word, first, left;

    DEVICE Line(int step, int length) : row(threadIdx.x / WORDS + step * (THREADS / WORDS)), word(threadIdx.x % WORDS) {
        first = blockIdx.x % ceil_div(length, POSITIONS) * POSITIONS, left = length - first;
    }
    DEVICE static constexpr int steps() { return CHANNELS * WORDS / THREADS; }
    DEVICE int channel() const { return blockIdx.y * CHANNELS + row; }

    // Calls with each word or position that is there.
    template <class F> DEVICE void for_each(F copy) const {
        if (PAIRED) {
            if (2 * word < left) copy(word);
        } else
#pragma unroll
            for (int at = word; at < POSITIONS; at += WORDS)
                if (at < left) copy(at);
    }
};

// What is copied at a time.
using Copied = Select<PAIRED, u32, u16>;

// The short convolution of eight channels at positions t and t + 1; `projected` and `taps` begin at the first of these channels.
DEVICE void short_pair(float (&sums)[2][8], const ELEMENT* projected, long long pitch, const float* taps, int t, int length) {
    float own[TAPS][8];
#pragma unroll
    for (int i = 0; i < TAPS; i++) load_floats(own[i], taps + 8 * i);
    for (int i = 0; i < 16; i++) sums[i / 8][i % 8] = 0;
#pragma unroll
    for (int s = 1 - TAPS; s < 2; s++) {
        if (t + s < 0 || t + s >= length) continue;
        float x[8];
        unpack<ELEMENT>(*reinterpret_cast<const Vector16*>(projected + s * pitch), x);
#pragma unroll
        for (int p = 0; p < 2; p++) {
            int tap = s - p + TAPS - 1;
            if (tap < 0 || tap >= TAPS) continue;
#pragma unroll
            for (int i = 0; i < 8; i++) sums[p][i] += own[(TAPS * i + tap) / 8][(TAPS * i + tap) % 8] * x[i];
        }
    }
}
