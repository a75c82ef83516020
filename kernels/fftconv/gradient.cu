// The gradient of a filter's spectrum from what the gradients of sequences left as sums: dK[k] = (S[k] + conj(S[N - k])) / N, and half of that where k is
// 0 or N/2, over the splits in their order.
//
// Mapping: a thread has a bin. Work: N sums of two f32 read, by 8 bytes each, and N/2 + 1 written a head: bound by L2.
//
// Launch. block (THREADS), grid (heads * CHUNKS). Arguments: sums (heads, splits, RESIDUES, 16, RADIX, KEPT * 64, 2) f32, by k1, k3 / 16,
// places in a tile and parts; gradient (heads, N/2 + 1, 2) f32.
// Macros (default): those of monarch.h.
#include "fftconv/monarch.h"

constexpr int THREADS = 256, BINS = N / 2 + 1, CHUNKS = (BINS + THREADS - 1) / THREADS;

// Where bin k stands among the sums of a split, in complex numbers.
DEVICE int place_of(int k) {
    int of_residue = k / RESIDUES, k3 = of_residue / 256, row = (k % RESIDUES * 16 + of_residue % 16) * RADIX + across(k3 / 16);
    return row * (KEPT * 64) + sum_place(of_residue / 16 % 16, k3 % 16);
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
