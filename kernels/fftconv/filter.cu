// The half spectra of filters that are given in time: (heads, taps) f32, of which the first TAKEN count, padded with zeros to N points.
//
// Mapping: a block serves a head. Even and odd taps are the real and the imaginary parts of N/2 complex numbers, which radix 2, two stages
// at a time, transforms in place in shared memory, widest butterflies first, so that bin k ends up at the reverse of its bits; a bin of
// the filter is made of two of these. Work: 2.5 N log2 N flops in f32 a head over 4 TAKEN + 4 N bytes: small beside the sequences of a batch.
//
// Launch. block (THREADS), grid (heads); dynamic shared memory: 8 padded(N/2) bytes. Arguments: taps (heads, count) f32, spectrum
// (heads, N/2 + 1, 2) f32, count, taken.
// Macros (default): those of monarch.h.
#include "fftconv/monarch.h"

constexpr int HALF = N / 2, THREADS = HALF < 4096 ? HALF / 4 : 1024;

// Where a number lies: those that a warp takes together, neighbours or far apart, are in different banks.
DEVICE constexpr int padded(int i) { return i + i / 16 + i / 256 + i / 1024; }

DEVICE int reversed(int k) { return int(__brev(u32(k % HALF)) / (0x80000000u / (HALF / 2))); }

// exp(-2 pi i n / points). The hardware's own sine is good to 2^-21, far below what the spectrum's fp16 holds.
DEVICE Complex quick_root(int n, int points) {
    Complex w;
    __sincosf(float(n) * (-6.2831853f / float(points)), &w.im, &w.re);
    return w;
}

DEVICE Complex sum(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
DEVICE Complex difference(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }

// Butterflies of numbers 2 quarter and then quarter apart.
DEVICE void two_stages(Complex* z, int quarter) {
    for (int i = threadIdx.x; i < HALF / 4; i += THREADS) {
        int low = i & (quarter - 1), at = 4 * i - 3 * low;
        Complex* of[4];
        for (int j = 0; j < 4; j++) of[j] = z + padded(at + j * quarter);
        Complex a = *of[0], b = *of[1], c = *of[2], d = *of[3];
        Complex w = quick_root(low, 4 * quarter), square = times(w, w), across = difference(b, d);
        Complex even = sum(a, c), odd = sum(b, d), first = times(difference(a, c), w), second = times({across.im, -across.re}, w);
        *of[0] = sum(even, odd), *of[1] = times(difference(even, odd), square);
        *of[2] = sum(first, second), *of[3] = times(difference(first, second), square);
    }
}

DEVICE void last_stage(Complex* z) {
    for (int i = threadIdx.x; i < HALF / 2; i += THREADS) {
        Complex a = z[padded(2 * i)], b = z[padded(2 * i + 1)];
        z[padded(2 * i)] = sum(a, b), z[padded(2 * i + 1)] = difference(a, b);
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_filter(const float* taps, Complex* spectrum, int count, int taken) {
    extern __shared__ Complex z[];
    taps += (long long)blockIdx.x * count, spectrum += (long long)blockIdx.x * (HALF + 1);
    auto tap = [&](int t) { return t < taken ? taps[t] : 0; };
    for (int i = threadIdx.x; i < HALF; i += THREADS) z[padded(i)] = {tap(2 * i), tap(2 * i + 1)};
    __syncthreads();
    int quarter = HALF / 4;
#pragma unroll 1
    for (; quarter > 0; quarter /= 4) {
        two_stages(z, quarter);
        __syncthreads();
    }
    constexpr bool ODD = (HALF & 0xaaaa) != 0;           // an odd number of stages
    if (ODD) last_stage(z);
    __syncthreads();
    for (int k = threadIdx.x; k <= HALF; k += THREADS) {
        Complex a = z[padded(reversed(k))], b = conj(z[padded(reversed(HALF - k))]);
        // Of the even taps (a + b) / 2, and of the odd ones (a - b) / 2i.
        Complex odd = times({(a.im - b.im) / 2, (b.re - a.re) / 2}, quick_root(k, N));
        spectrum[k] = {(a.re + b.re) / 2 + odd.re, (a.im + b.im) / 2 + odd.im};
    }
}
