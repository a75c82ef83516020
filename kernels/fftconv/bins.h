// How a block holds the half spectrum of a head, which what arranges spectra for NVIDIA and AMD gathers from. Knows no order of fragments.
//
// Filters are (heads, FILTER) f32: their spectra of FOLD N/2 + 1 bins, or TAPS in time, which taps.h transforms.
// Shared memory: 4 (shared_place(N/2) + 1) bytes; 4 N of filters in time.
//
// Macros (default): those of monarch.h, PASSED (1: the filter passes only frequencies that are multiples of it; those of a folded one all
// are), TAPS (0: filters are given as spectra), TAKEN (TAPS: so many of these count, from the first on).
#pragma once
#include "fftconv/monarch.h"

#ifndef PASSED
#define PASSED 1
#endif
#ifndef TAPS
#define TAPS 0
#endif
#ifndef TAKEN
#define TAKEN TAPS
#endif

constexpr int THREADS = N < 2048 ? 128 : N < 16384 ? N / 16 : N / 32;
constexpr int LEAST_BLOCKS = 1024 / THREADS;             // of a multiprocessor, by registers
constexpr int FILTER = TAPS > 0 ? TAPS : FOLD * N + 2;   // floats
constexpr int BINS = N / 2;                              // but the last one

// A bin's place in shared memory. Lanes gather bins that are 16 RESIDUES and multiples of 256 RESIDUES apart, from different banks.
DEVICE constexpr int shared_place(int k) { return k + k / (16 * RESIDUES) + k / (256 * RESIDUES) * 4; }

DEVICE float larger_part(Complex z) { return fmaxf(fabsf(z.re), fabsf(z.im)); }
DEVICE u32 scaled_pair(Complex z, float scale) { return pair({z.re * scale, z.im * scale}); }

// Numbers below COUNT, by turns of a block: f(number, turn).
template <int COUNT, class F> DEVICE void in_turns(F f) {
#pragma unroll
    for (int turn = 0; turn < (COUNT + THREADS - 1) / THREADS; turn++) {
        int i = turn * THREADS + threadIdx.x;
        if (COUNT % THREADS == 0 || i < COUNT) f(i, turn);
    }
}

// The largest of what threads have found.
DEVICE float largest(float found) {
    __shared__ float largest_of_warp[THREADS / WARP_THREADS];
#pragma unroll
    for (int offset = WARP_THREADS / 2; offset > 0; offset /= 2) found = fmaxf(found, __shfl_xor_sync(~0u, found, offset));
    if (threadIdx.x % WARP_THREADS == 0) largest_of_warp[threadIdx.x / WARP_THREADS] = found;
    __syncthreads();
    for (int i = 0; i < THREADS / WARP_THREADS; i++) found = fmaxf(found, largest_of_warp[i]);
    return found;
}

// read_bins leaves a filter's bins in shared memory as pairs of fp16, and returns the exponent that they are divided by, which brings the
// largest part into [1, 2).
#if TAPS
#include "fftconv/taps.h"
#else
DEVICE int read_bins(const float* filter, u32* bins) {
    auto spectrum = reinterpret_cast<const Complex*>(filter);
    Complex own[BINS / THREADS];
    // The first bin and the last one are real whatever is stored.
    Complex last = {spectrum[BINS * FOLD].re, 0};
    float found = fabsf(last.re);
    in_turns<BINS>([&](int k, int turn) { own[turn] = k % PASSED == 0 ? spectrum[k * FOLD] : Complex{0, 0}; });
    if (threadIdx.x == 0) own[0].im = 0;
    in_turns<BINS>([&](int, int turn) { found = fmaxf(found, larger_part(own[turn])); });
    int exponent = exponent_of(largest(found));
    float down = power_of_two(-exponent);
    u32* first = bins + shared_place(threadIdx.x);
    in_turns<BINS>([&](int, int turn) { first[shared_place(turn * THREADS)] = scaled_pair(own[turn], down); });
    if (threadIdx.x == 0) bins[shared_place(BINS)] = scaled_pair(last, down);
    return exponent;
}
#endif
