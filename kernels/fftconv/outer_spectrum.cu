// What the outer stage and the convolution of its parts read beside their signals: its matrices, and the parts' spectra in the order
// of fragments. arrange.cu makes the tables of the parts' transforms.
//
// Mapping: part k0 has bins k0 + OUTER k' of a filter, the upper half of which is the mirror image of the lower one. A block takes a row,
// the bins of one k1, of eight parts: it reads eight neighbouring bins at a time and keeps them until the largest of each part is known,
// turns them about in shared memory, and writes runs of a kilobyte. A row has a scale of its own, so that nobody reads a filter twice.
// Work: N/2 complex f32 read and as many pairs of fp16 written a head: bound by memory.
//
// Launch. block (THREADS); grids (TILES) and (heads * GROUPS * ROWS). Arguments: matrices (2 MATRIX vectors), spectrum (heads,
// WHOLE/2 + 1, 2) f32, arranged (heads, PARTS, SPECTRUM vectors), scales (heads, PARTS, ROWS) f32.
// Macros (default): those of monarch.h.
#include "fftconv/monarch.h"

constexpr int THREADS = 256, WARPS = THREADS / WARP_THREADS;
constexpr int BINS = WHOLE / 2 + 1;                      // stored, of a filter
constexpr int GROUP = 8, GROUPS = (PARTS + GROUP - 1) / GROUP, ROWS = 16 * RESIDUES, ROW = 256 * RADIX;

// Entry (row, column) of the stage's matrix: cosines for real parts, sines for imaginary ones. Forward, rows are real and imaginary parts
// of k0 as a lane's fragment wants them; a real and its imaginary part are neighbouring columns of the inverse, which takes the parts
// that mirror each other at once, and so those that mirror themselves by half.
DEVICE float entry(bool inverse, int row, int column) {
    int k0 = inverse ? column / 2 : outer_bin(row), n0 = inverse ? row : column;
    bool imaginary = inverse ? column % 2 : outer_imaginary(row);
    Complex w = root((k0 == 0 && imaginary ? OUTER / 2 : k0) * n0, OUTER);
    return (k0 > 0 && imaginary ? w.im : w.re) * OUTER_SCALE<ELEMENT> * (inverse && k0 == 0 ? 0.5f : 1.0f);
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_matrices(u32* matrices) {
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < 2 * MATRIX * 4; i += TILES * THREADS) {
        bool inverse = i >= MATRIX * 4;
        int tile = i / 128 % (TILES * TILES);
        int row = tile / TILES * 16 + matrix_row(i), column = tile % TILES * 16 + matrix_column(i);
        matrices[i] = cvt_rn_x2<ELEMENT>(entry(inverse, row, column), entry(inverse, row, column + 1));
    }
}

// Bin k of all of a filter.
DEVICE Complex bin(const Complex* spectrum, int k) {
    Complex z = spectrum[k > WHOLE / 2 ? WHOLE - k : k];
    return {z.re, k % (WHOLE / 2) == 0 ? 0 : k > WHOLE / 2 ? -z.im : z.im};
}

// Where bins of a row lie in shared memory, by parts: one word in 16 is left out, that columns go to different banks.
DEVICE constexpr int shared_place(int part, int k2, int k3) { return part * (ROW + ROW / 16 + 1) + k3 * 17 + k2; }

// The exponent of the largest of what threads of the same part have found; parts go by threads.
DEVICE int exponent_of_part(float found) {
    __shared__ float largest_of_warp[WARPS][GROUP];
#pragma unroll
    for (int offset = WARP_THREADS / 2; offset >= GROUP; offset /= 2) found = fmaxf(found, __shfl_xor_sync(~0u, found, offset));
    if (threadIdx.x % WARP_THREADS < GROUP) largest_of_warp[threadIdx.x / WARP_THREADS][threadIdx.x % GROUP] = found;
    __syncthreads();
    for (int i = 0; i < WARPS; i++) found = fmaxf(found, largest_of_warp[i][threadIdx.x % GROUP]);
    return exponent_of(found);
}

// A thread's bins of a row, all of one part, into shared memory over a power of two whose exponent it returns.
DEVICE int read_bins(const Complex* spectrum, u32* bins, int k0, int row) {
    constexpr int COPIES = GROUP * ROW / THREADS;
    int part = threadIdx.x % GROUP, first = threadIdx.x / GROUP;
    Complex own[COPIES];
    float found = 0;
#pragma unroll
    for (int i = 0; i < COPIES; i++) {
        int j = first + i * (THREADS / GROUP), k = (row % 16 + 16 * j) * RESIDUES + row / 16;
        own[i] = k0 < PARTS ? bin(spectrum, k0 + OUTER * k) : Complex{0, 0};
        found = fmaxf(found, fmaxf(fabsf(own[i].re), fabsf(own[i].im)));
    }
    int exponent = exponent_of_part(found);
    float down = power_of_two(-exponent);
#pragma unroll
    for (int i = 0; i < COPIES; i++) {
        int j = first + i * (THREADS / GROUP);
        bins[shared_place(part, j % 16, j / 16)] = pair({own[i].re * down, own[i].im * down});
    }
    return exponent;
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_arrange(const Complex* spectrum, u32* arranged, float* scales) {
    __shared__ u32 bins[GROUP * (ROW + ROW / 16 + 1)];
    int first = blockIdx.x % GROUPS * GROUP, row = blockIdx.x / GROUPS % ROWS, head = blockIdx.x / (GROUPS * ROWS);
    int parts = min_int(GROUP, PARTS - first);
    int exponent = read_bins(spectrum + (long long)head * BINS, bins, first + threadIdx.x % GROUP, row);
    __syncthreads();
    arranged += ((long long)head * PARTS + first) * SPECTRUM * 4 + row * ROW;
    for (int i = threadIdx.x; i < parts * ROW; i += THREADS) {
        int word = i % ROW;
        arranged[(long long)(i / ROW) * SPECTRUM * 4 + word] = bins[shared_place(i / ROW, second_bin(word), third_bin(word))];
    }
    constexpr float BOTH = OUTER_SCALE<ELEMENT> * OUTER_SCALE<ELEMENT>;
    if (threadIdx.x < parts) scales[(head * PARTS + first + threadIdx.x) * ROWS + row] = power_of_two(exponent) * undone_stages() * 2 / (BOTH * OUTER);
}
