// The gradient of a filter's spectrum from what sm90_correlate.cu summed: dK[k] = (S[k] + conj(S[N - k])) / N, and half of that where k is
// 0 or N/2, over the splits in their order.
//
// Mapping: a thread has a bin. Work: N sums of two f32 read, by 8 bytes each, and N/2 + 1 written a head: bound by L2.
//
// Launch. block (THREADS), grid (heads * CHUNKS). Arguments: sums (heads, splits, RESIDUES, 16, RADIX, KEPT, 32, 2, 2) f32, by k1, k3 / 16,
// columns, lanes, rows and parts; gradient (heads, N/2 + 1, 2) f32.
// Macros (default): those of monarch.h.
#include "fftconv/monarch.h"

constexpr int THREADS = 256, BINS = N / 2 + 1, CHUNKS = (BINS + THREADS - 1) / THREADS;

// The slot whose index is `idx`: the inverse of `order`.
DEVICE int slot_of(int idx) { return RADIX == 1 ? (idx & 1) | (idx >> 1 & 1) << 3 | (idx >> 2 & 3) << 1 : idx; }

// The lane of four and the kept column that have bin k3 of a tile.
DEVICE int quarter_of(int k3) {
    if (N3 >= 16) return slot_of(k3) / 2 % 4;
    return N3 == 8 ? k3 / 4 + k3 / 2 % 2 * 2 : N3 == 2 ? k3 * 2 : k3;
}
DEVICE int kept_of(int k3) {
    if (N3 >= 16) return slot_of(k3) % 2 + slot_of(k3) / 8 * 2;
    return N3 == 8 ? k3 % 2 : 0;
}

// Where bin k stands among the sums of a split, in complex numbers.
DEVICE int place_of(int k) {
    int half = k % RESIDUES, k1 = k / RESIDUES % 16, k2 = k / RESIDUES / 16 % 16, k3 = k / RESIDUES / 256;
    int vector = ((half * 16 + k1) * RADIX + across(k3 / 16)) * KEPT + kept_of(k3 % 16);
    return (vector * 32 + k2 % 8 * 4 + quarter_of(k3 % 16)) * 2 + k2 / 8;
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_gradient(const Complex* sums, Complex* gradient, int splits) {
    int head = blockIdx.x / CHUNKS, k = blockIdx.x % CHUNKS * THREADS + threadIdx.x;
    if (k >= BINS) return;
    sums += (long long)head * splits * RESIDUES * SUMS / 2;
    Complex total = {0, 0};
    for (int split = 0; split < splits; split++, sums += RESIDUES * SUMS / 2) {
        Complex a = sums[place_of(k)], b = sums[place_of((N - k) % N)];
        total.re += a.re + b.re, total.im += a.im - b.im;
    }
    float scale = undone_stages() * (k % (N / 2) == 0 ? 0.5f : 1.0f);
    gradient[(long long)head * BINS + k] = {total.re * scale, total.im * scale};
}
