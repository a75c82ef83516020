// What the outer stage and the convolution of its parts read beside their signals: its matrices, and the parts' spectra in the order
// of fragments. arrange.cu makes the tables of the parts' transforms.
//
// Mapping: part k0 has bins k0 + OUTER k' of a filter, the upper half of which is the mirror image of the lower one. A block has GROUP
// lines, the bins of one k1 of a part each: mostly those of neighbouring parts, whose bins lie side by side. A thread keeps the bins that
// it reads until the largest of each line is known, they are turned about in shared memory, and lines go out as runs of a kilobyte and more.
// A line has a scale of its own, so that nobody reads a filter twice.
// Work: N/2 complex f32 read and as many pairs of fp16 written a head: bound by memory.
//
// Launch. block (THREADS); grids (TILES) and (heads * BLOCKS). Arguments: matrices (2 MATRIX vectors), spectrum (heads,
// WHOLE/2 + 1, 2) f32, arranged (heads, PARTS, SPECTRUM vectors), scales (heads, PARTS, ROWS) f32.
// Macros (default): those of monarch.h.
#include "fftconv/monarch.h"

constexpr int BINS = WHOLE / 2 + 1;                      // stored, of a filter
constexpr int ROWS = 16 * RESIDUES, ROW = 256 * RADIX;   // lines of a part, bins of a line

// Sixteen neighbours take up four sectors of memory, and one more where a head begins within a sector; eight take up two, and one more. Of
// transforms of 16 there are only eight; of those with four tiles, shared memory holds no more.
constexpr int GROUP = OUTER == 16 || RADIX == 4 ? 8 : 16, BLOCKS = PARTS * ROWS / GROUP;
constexpr int THREADS = 32 * GROUP, WARPS = THREADS / WARP_THREADS;

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

// A line, by its number in a block of a head: rows of neighbouring parts, and behind these neighbouring rows of part OUTER / 2.
struct Line {
    int part, row;

    DEVICE Line(int block, int number) {
        constexpr int GROUPS = OUTER / 2 / GROUP, OTHERS = GROUPS * ROWS;
        part = block < OTHERS ? block % GROUPS * GROUP + number : OUTER / 2;
        row = block < OTHERS ? block / GROUPS : (block - OTHERS) * GROUP + number;
    }
};

// Where bins of a line lie in shared memory, so that threads that go by lines and those that go by lanes of a fragment reach different banks.
constexpr int COLUMN = RADIX == 1 ? 18 : 20, PITCH = 16 * RADIX * COLUMN + 32 / GROUP;
DEVICE constexpr int shared_place(int number, int k2, int k3) { return number * PITCH + k3 * COLUMN + k2; }

// The exponent of the largest of what threads of the same line have found; lines go by threads.
DEVICE int exponent_of_line(float found) {
    __shared__ float largest_of_warp[WARPS][GROUP];
#pragma unroll
    for (int offset = WARP_THREADS / 2; offset >= GROUP; offset /= 2) found = fmaxf(found, __shfl_xor_sync(~0u, found, offset));
    if (threadIdx.x % WARP_THREADS < GROUP) largest_of_warp[threadIdx.x / WARP_THREADS][threadIdx.x % GROUP] = found;
    __syncthreads();
    for (int i = 0; i < WARPS; i++) found = fmaxf(found, largest_of_warp[i][threadIdx.x % GROUP]);
    return exponent_of(found);
}

// A thread's bins, all of one line, into shared memory over a power of two whose exponent it returns. They are STEP bins apart, the
// second half of them beyond WHOLE / 2: of those it reads the mirror images.
DEVICE int read_bins(const Complex* spectrum, u32* bins, Line line) {
    constexpr int COPIES = GROUP * ROW / THREADS, STEP = WHOLE / COPIES;
    int first = threadIdx.x / GROUP, lowest = line.part + OUTER * ((line.row % 16 + 16 * first) * RESIDUES + line.row / 16);
    const Complex *up = spectrum + lowest, *down = spectrum + (WHOLE - lowest);
    Complex own[COPIES];
#pragma unroll
    for (int i = 0; i < COPIES; i++) own[i] = i < COPIES / 2 ? up[i * STEP] : down[-i * STEP];
    // The first bin and the middle one are real whatever is stored.
    if (lowest == 0) own[0].im = own[COPIES / 2].im = 0;
    float found = 0;
#pragma unroll
    for (int i = 0; i < COPIES; i++) found = fmaxf(found, fmaxf(fabsf(own[i].re), fabsf(own[i].im)));
    int exponent = exponent_of_line(found);
    float divided = power_of_two(-exponent);
    bins += shared_place(threadIdx.x % GROUP, first % 16, first / 16);
#pragma unroll
    for (int i = 0; i < COPIES; i++)
        bins[shared_place(0, 0, i * 2)] = pair({own[i].re * divided, own[i].im * (i < COPIES / 2 ? divided : -divided)});
    return exponent;
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_arrange(const Complex* spectrum, Vector16* arranged, float* scales) {
    __shared__ u32 bins[GROUP * PITCH];
    int block = blockIdx.x % BLOCKS, head = blockIdx.x / BLOCKS;
    Line own(block, threadIdx.x % GROUP);
    int exponent = read_bins(spectrum + (long long)head * BINS, bins, own);
    __syncthreads();
    arranged += (long long)head * PARTS * SPECTRUM;
    int vector = threadIdx.x % ROW_VECTORS;
#pragma unroll
    for (int copied = 0; copied < GROUP * ROW_VECTORS; copied += THREADS) {
        int number = (copied + threadIdx.x) / ROW_VECTORS;
        Vector16 v;
        for (int i = 0; i < 4; i++) v.word[i] = bins[shared_place(number, second_bin(vector * 4 + i), third_bin(vector * 4 + i))];
        Line line(block, number);
        arranged[line.part * SPECTRUM + line.row * ROW_VECTORS + vector] = v;
    }
    constexpr float BOTH = OUTER_SCALE<ELEMENT> * OUTER_SCALE<ELEMENT>;
    if (threadIdx.x < GROUP) scales[(head * PARTS + own.part) * ROWS + own.row] = power_of_two(exponent) * (undone_stages() * 2 / (BOTH * OUTER));
}
