// How a block holds the half spectrum of a head, which what arranges spectra for NVIDIA and AMD gathers from. Knows no order of fragments.
//
// Macros (default): those of monarch.h, PASSED (1: the filter passes only frequencies that are multiples of it; those of a folded one all are).
#pragma once
#include "fftconv/monarch.h"

#ifndef PASSED
#define PASSED 1
#endif

constexpr int THREADS = N < 2048 ? 128 : N < 16384 ? N / 16 : 1024;
constexpr int BINS = N / 2 + 1, COPIES = (BINS + THREADS - 1) / THREADS;

// A bin's place in shared memory: bins that a warp gathers are 16 or 256 apart, or fewer where a transform is short, and go to different banks.
DEVICE constexpr int shared_place(int k) { return k + k / 16 + k / 256; }

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

// Leaves pairs of fp16 in shared memory and returns the exponent that they are divided by, which brings the largest part into [1, 2).
DEVICE int read_bins(const Complex* spectrum, u32* bins) {
    Complex own[COPIES];
    float found = 0;
#pragma unroll
    for (int i = 0; i < COPIES; i++) {
        int k = i * THREADS + threadIdx.x;
        own[i] = k < BINS && k % PASSED == 0 ? spectrum[k * FOLD] : Complex{0, 0};
        // The first bin and the middle one are real whatever is stored.
        if (k % (N / 2) == 0) own[i].im = 0;
        found = fmaxf(found, fmaxf(fabsf(own[i].re), fabsf(own[i].im)));
    }
    int exponent = exponent_of(largest(found));
    float down = power_of_two(-exponent);
#pragma unroll
    for (int i = 0; i < COPIES; i++) {
        int k = i * THREADS + threadIdx.x;
        if (k < BINS) bins[shared_place(k)] = pair({own[i].re * down, own[i].im * down});
    }
    return exponent;
}
