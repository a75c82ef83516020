// The bins of filters that are given in time, for bins.h: a head's first TAKEN of TAPS in f32, padded with zeros to N points.
//
// Mapping: even and odd taps are the real and the imaginary parts of N/2 complex numbers, which are transformed in place in shared memory,
// eight of them in a thread's registers at a time, widest butterflies first, so that bin k ends up at the reverse of its bits. Bins k and
// N/2 - k of the filter are made of these two. Work: 2.5 N log2 N flops in f32, and 16 N bytes of shared memory for each factor 8 of N/2.
#pragma once

constexpr int HALF = N / 2;

// Radix of the first stage, which leaves a power of 8: these are one more than sevens.
constexpr int FIRST = HALF % 7 == 1 ? 8 : HALF % 7;

// Where a number lies: sixteen lanes take neighbours, or eight of these in two rows, or numbers that are eight apart, from different banks.
// It is linear over GF(2).
DEVICE constexpr int swizzled(int i) { return i ^ (i >> 4 & 3) ^ (i >> 6 & 1) * 12; }

// The place of number i + apart by that of i, which has no ones where `apart` has some.
DEVICE constexpr int place_beside(int place, int apart) { return (place ^ swizzled(apart) % 16) + apart / 16 * 16; }

// exp(-2 pi i n / points). The hardware's own sine is good to 2^-21, far below what the spectrum's fp16 holds.
DEVICE Complex quick_root(int n, int points) {
    Complex w;
    __sincosf(float(n) * (-6.2831853f / float(points)), &w.im, &w.re);
    return w;
}

DEVICE Complex sum(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
DEVICE Complex difference(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }

// z times exp(-2 pi i n / 8), of half a turn at most.
DEVICE Complex turned(Complex z, int n) {
    constexpr float ROOT = 0.70710678f;
    switch (n) {
    case 0: return z;
    case 1: return {(z.re + z.im) * ROOT, (z.im - z.re) * ROOT};
    case 2: return {z.im, -z.re};
    default: return {(z.im - z.re) * ROOT, (z.re + z.im) * -ROOT};
    }
}

DEVICE constexpr int reversed(int k, int points) {
    int reverse = 0;
    for (int bit = 1; bit < points; bit *= 2) reverse = reverse * 2 + (k & bit ? 1 : 0);
    return reverse;
}

// A transform of 2, 4 or 8 numbers; bin k at the reverse of its bits.
template <int POINTS> DEVICE void transform(Complex* z) {
#pragma unroll
    for (int i = 0; i < POINTS / 2; i++) {
        Complex a = z[i], b = z[i + POINTS / 2];
        z[i] = sum(a, b), z[i + POINTS / 2] = turned(difference(a, b), i * 8 / POINTS);
    }
    if constexpr (POINTS > 2) transform<POINTS / 2>(z), transform<POINTS / 2>(z + POINTS / 2);
}

// Transforms numbers STRIDE apart, multiplies bin k by w^(k low), w = exp(-2 pi i / (POINTS STRIDE)), and leaves all from place `at` on.
template <int POINTS, int STRIDE> DEVICE void finish_stage(Complex (&own)[POINTS], Complex* z, int low, int at) {
    transform<POINTS>(own);
    if constexpr (STRIDE > 1) {
        Complex power[POINTS];
        power[1] = quick_root(low, POINTS * STRIDE);
#pragma unroll
        for (int k = 2; k < POINTS; k++) power[k] = times(power[k / 2], power[k - k / 2]);
#pragma unroll
        for (int k = 1; k < POINTS; k++) own[reversed(k, POINTS)] = times(own[reversed(k, POINTS)], power[k]);
    }
#pragma unroll
    for (int j = 0; j < POINTS; j++) z[place_beside(at, j * STRIDE)] = own[j];
}

// From memory. Halves of taps, since a bin is made of sums of two numbers.
DEVICE void first_stage(const float* taps, Complex* z) {
    constexpr int STRIDE = HALF / FIRST;
    auto half_tap = [&](int i, int apart) { return apart < TAKEN && i + apart < TAKEN ? taps[i + apart] / 2 : 0; };
    in_turns<STRIDE>([&](int i, int) {
        Complex own[FIRST];
#pragma unroll
        for (int j = 0; j < FIRST; j++) own[j] = {half_tap(2 * i, 2 * j * STRIDE), half_tap(2 * i, 2 * j * STRIDE + 1)};
        finish_stage<FIRST, STRIDE>(own, z, i, swizzled(i));
    });
}

// Stages of eight, the first of these of numbers STRIDE apart.
template <int STRIDE> DEVICE void other_stages(Complex* z) {
    __syncthreads();
    in_turns<HALF / 8>([&](int i, int) {
        int low = (STRIDE <= THREADS ? int(threadIdx.x) : i) % STRIDE, at = swizzled(8 * i - 7 * low);
        Complex own[8];
#pragma unroll
        for (int j = 0; j < 8; j++) own[j] = z[place_beside(at, j * STRIDE)];
        finish_stage<8, STRIDE>(own, z, low, at);
    });
    if constexpr (STRIDE > 1) other_stages<STRIDE / 8>(z);
}

// Bins k and N/2 - k of the filter, by numbers k and N/2 - k of the transform: of the even taps a + b, and of the odd ones (a - b) / i.
struct Mirrored { Complex low, high; };
DEVICE Mirrored mirrored(Complex a, Complex b, int k) {
    b = conj(b);
    Complex even = sum(a, b), odd = times({a.im - b.im, b.re - a.re}, quick_root(k, N));
    return {sum(even, odd), conj(difference(even, odd))};
}

DEVICE int highest_bit(int i) { return i > 0 ? 1 << (31 - __clz(i)) : 0; }

DEVICE int bin_at(int place) { return int(__brev(u32(place)) / (0x80000000u / (HALF / 2))); }

DEVICE int read_bins(const float* filter, u32* bins) {
    auto z = reinterpret_cast<Complex*>(bins);
    first_stage(filter, z);
    other_stages<HALF / FIRST / 8>(z);
    __syncthreads();
    // Places whose highest bit is the same mirror each other in their middle; the first two mirror themselves. In all turns but the first
    // that bit is the turn's, so that a thread's places and bins are those of its number and constants.
    constexpr int PAIRS_OF_BINS = HALF / 2, TURNS = (PAIRS_OF_BINS + THREADS - 1) / THREADS;
    int thread = threadIdx.x, highest = highest_bit(thread), k = bin_at(thread + highest), part = bin_at(thread);
    int place_up = swizzled(thread), place_down = swizzled(THREADS - 1 - thread);
    Complex middle = conj(z[swizzled(1)]);
    middle = sum(middle, middle);
    float found = larger_part(middle);
    Mirrored own[TURNS];
    in_turns<PAIRS_OF_BINS>([&](int, int turn) {
        int top = highest_bit(turn), place = THREADS * (turn + top), other = THREADS * (5 * top - 1 - turn);
        if (turn == 0) own[0] = mirrored(z[swizzled(thread + highest)], z[swizzled(thread > 0 ? 5 * highest - 1 - thread : 0)], k);
        else own[turn] = mirrored(z[place_up + place], z[place_down + other], part + bin_at(place));
        found = fmaxf(found, fmaxf(larger_part(own[turn].low), larger_part(own[turn].high)));
    });
    int exponent = exponent_of(largest(found));
    float down = power_of_two(-exponent);
    // The place of N/2 - k is next to that of N/2 - 1 - k, which has all other bits than k, in these turns.
    auto leave = [&](int place, Complex bin) { bins[place] = scaled_pair(bin, down); };
    int low = shared_place(part), high = shared_place(HALF - 1) - low + 1;
    in_turns<PAIRS_OF_BINS>([&](int, int turn) {
        int further = shared_place(bin_at(THREADS * (turn + highest_bit(turn))));
        leave(turn == 0 ? shared_place(k) : low + further, own[turn].low);
        leave(turn == 0 ? shared_place(HALF - k) : high - further, own[turn].high);
    });
    if (thread == 0) leave(shared_place(HALF / 2), middle);
    return exponent;
}
