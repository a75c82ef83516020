// The gradient of a filter's spectrum from the sums that the gradients of an outer stage's parts left: bin k is bin k / OUTER of part k % OUTER, or
// the mirror image of such a one, as parts are complex sequences that have all their bins: dK[k] = 2 S[k] / WHOLE, and half of that where k is 0 or
// WHOLE/2.
//
// Mapping: a thread has a bin; neighbours have it of different parts, the same place of each. Work: 8 bytes read, of sectors of 32 in
// which other bins of the same part lie, and 8 written a bin: bound by memory.
//
// Launch. block (THREADS), grid (heads * CHUNKS). Arguments: sums (heads, PARTS, RESIDUES, SUMS) f32, as gradient.cu has them of one split; gradient
// (heads, WHOLE/2 + 1, 2) f32.
// Macros (default): those of monarch.h.
#include "fftconv/monarch.h"

constexpr int THREADS = 256, BINS = WHOLE / 2 + 1, CHUNKS = (BINS + THREADS - 1) / THREADS;

// Where bin k of a part stands among its sums, in complex numbers.
DEVICE int place_of(int k) {
    int of_residue = k / RESIDUES, k3 = of_residue / 256, row = (k % RESIDUES * 16 + of_residue % 16) * RADIX + across(k3 / 16);
    return row * (KEPT * 64) + sum_place(of_residue / 16 % 16, k3 % 16);
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_gradient(const Complex* sums, Complex* gradient) {
    int head = blockIdx.x / CHUNKS, k = blockIdx.x % CHUNKS * THREADS + threadIdx.x;
    if (k >= BINS) return;
    bool mirrored = k % OUTER > OUTER / 2;
    int own = mirrored ? WHOLE - k : k;
    Complex sum = sums[((long long)head * PARTS + own % OUTER) * (RESIDUES * SUMS / 2) + place_of(own / OUTER)];
    float scale = undone_stages() * 2 / (OUTER_SCALE<ELEMENT> * OUTER_SCALE<ELEMENT> * OUTER) * (k % (WHOLE / 2) == 0 ? 0.5f : 1.0f);
    gradient[(long long)head * BINS + k] = {sum.re * scale, mirrored ? -sum.im * scale : sum.im * scale};
}
