// What the outer stage and the convolution of its parts read beside their signals: its matrices, and the parts' spectra in the order
// of fragments. arrange.cu makes the tables of the parts' transforms.
//
// Mapping: part k0 has bins k0 + OUTER k' of a filter, the upper half of which is the mirror image of the lower one. A first kernel finds
// the largest part of a filter by chunks; blocks of the second take a row of eight parts: they read eight neighbouring bins at a time,
// turn them about in shared memory, and write runs of a kilobyte. Work: N/2 complex f32 read twice and written once as pairs of fp16.
//
// Launch. block (THREADS); grids (TILES), (heads * CHUNKS) and (heads * GROUPS * ROWS). Arguments: matrices (2 MATRIX vectors), spectrum
// (heads, WHOLE/2 + 1, 2) f32, largest (heads, CHUNKS) f32, arranged (heads, PARTS, SPECTRUM vectors), scales (heads, PARTS) f32.
// Macros (default): those of monarch.h.
#include "fftconv/monarch.h"

constexpr int THREADS = 256, CHUNKS = 32;
constexpr int BINS = WHOLE / 2 + 1;                      // stored, of a filter
constexpr int GROUP = 8, GROUPS = (PARTS + GROUP - 1) / GROUP, ROWS = 16 * HALVES, ROW = 256 * RADIX;

// Entry (row, column) of the stage's matrix: cosines for real parts, sines for imaginary ones. Eight real parts k0 and then their
// imaginary parts are rows of it forward; a real and its imaginary part are neighbouring columns of the inverse, which takes the parts
// that mirror each other at once, and so those that mirror themselves by half.
DEVICE float entry(bool inverse, int row, int column) {
    int k0 = inverse ? column / 2 : row / 16 * 8 + row % 8, n0 = inverse ? row : column;
    bool imaginary = inverse ? column % 2 : row / 8 % 2;
    Complex w = root((k0 == 0 && imaginary ? OUTER / 2 : k0) * n0, OUTER);
    return (k0 > 0 && imaginary ? w.im : w.re) * OUTER_SCALE<ELEMENT> * (inverse && k0 == 0 ? 0.5f : 1.0f);
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_matrices(u32* matrices) {
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < 2 * MATRIX * 4; i += TILES * THREADS) {
        bool inverse = i >= MATRIX * 4;
        int tile = i / 128 % (TILES * TILES), lane = i / 4 % 32;
        int row = tile / TILES * 16 + lane / 4 + i % 2 * 8, column = tile % TILES * 16 + lane % 4 * 2 + i % 4 / 2 * 8;
        matrices[i] = cvt_rn_x2<ELEMENT>(entry(inverse, row, column), entry(inverse, row, column + 1));
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_largest(const Complex* spectrum, float* largest) {
    constexpr int STEP = CHUNKS * THREADS;
    __shared__ float largest_of_warp[THREADS / 32];
    int head = blockIdx.x / CHUNKS;
    spectrum += (long long)head * BINS;
    float found = 0;
#pragma unroll 4
    for (int k = blockIdx.x % CHUNKS * THREADS + threadIdx.x; k < BINS; k += STEP) {
        Complex z = spectrum[k];
        // The first bin and the middle one are real whatever is stored.
        found = fmaxf(found, fmaxf(fabsf(z.re), k % (WHOLE / 2) == 0 ? 0 : fabsf(z.im)));
    }
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) found = fmaxf(found, __shfl_xor_sync(~0u, found, offset));
    if (threadIdx.x % 32 == 0) largest_of_warp[threadIdx.x / 32] = found;
    __syncthreads();
    for (int i = 0; i < THREADS / 32; i++) found = fmaxf(found, largest_of_warp[i]);
    if (threadIdx.x == 0) largest[blockIdx.x] = found;
}

// Bin k of all of a filter.
DEVICE Complex bin(const Complex* spectrum, int k) {
    Complex z = spectrum[k > WHOLE / 2 ? WHOLE - k : k];
    return {z.re, k % (WHOLE / 2) == 0 ? 0 : k > WHOLE / 2 ? -z.im : z.im};
}

// Where bins of a row lie in shared memory, by parts: one word in 16 is left out, that columns go to different banks.
DEVICE constexpr int shared_place(int part, int k2, int k3) { return part * (ROW + ROW / 16 + 1) + k3 * 17 + k2; }

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_arrange(const Complex* spectrum, const float* largest, u32* arranged, float* scales) {
    __shared__ u32 bins[GROUP * (ROW + ROW / 16 + 1)];
    int first = blockIdx.x % GROUPS * GROUP, row = blockIdx.x / GROUPS % ROWS, head = blockIdx.x / (GROUPS * ROWS);
    int parts = min_int(GROUP, PARTS - first);
    float found = 0;
    for (int i = 0; i < CHUNKS; i++) found = fmaxf(found, largest[head * CHUNKS + i]);
    int exponent = exponent_of(found);
    float down = power_of_two(-exponent);
    spectrum += (long long)head * BINS;
#pragma unroll 8
    for (int i = threadIdx.x; i < GROUP * ROW; i += THREADS) {
        int part = i % GROUP, k2 = i / GROUP % 16, k3 = i / (GROUP * 16);
        int k = (row % 16 + 16 * k2 + 256 * k3) * HALVES + row / 16;
        if (part >= parts) continue;
        Complex z = bin(spectrum, first + part + OUTER * k);
        bins[shared_place(part, k2, k3)] = pair({z.re * down, z.im * down});
    }
    __syncthreads();
    arranged += ((long long)head * PARTS + first) * SPECTRUM * 4 + row * ROW;
    for (int i = threadIdx.x; i < parts * ROW; i += THREADS) {
        int word = i % ROW;
        arranged[(long long)(i / ROW) * SPECTRUM * 4 + word] = bins[shared_place(i / ROW, second_bin(word), third_bin(word))];
    }
    constexpr float BOTH = OUTER_SCALE<ELEMENT> * OUTER_SCALE<ELEMENT>;
    if (row == 0 && threadIdx.x < parts) scales[head * PARTS + first + threadIdx.x] = power_of_two(exponent) * undone_stages() * 2 / (BOTH * OUTER);
}
