// What the convolution reads beside its signals: the tables of its transforms, and the filters' spectra in the order of its fragments.
//
// Mapping: the first TABLE_BLOCKS blocks compute tables, then a block serves a head. It holds the half spectrum in registers until its
// largest part is known, leaves it in shared memory as pairs of fp16 over a power of two, and gathers from there; the other half is its
// mirror image. Work: N/2 + 1 complex f32 read and N pairs of fp16 written a head: bound by memory, and by its start where N is small.
//
// Launch. block (THREADS), grid (TABLE_BLOCKS + heads); dynamic shared memory: 4 (N/2 + N/32 + N/512 + 1) bytes. Arguments: spectrum
// (heads, FOLD N/2 + 1, 2) f32, tables (TABLES vectors), arranged (heads, SPECTRUM vectors), scales (heads) f32.
// Macros: those of bins.h.
#include "fftconv/bins.h"

constexpr int TABLE_BLOCKS = 32;

// Spectra.

DEVICE void arrange_spectrum(const Complex* spectrum, u32* bins, u32* arranged, float* scale) {
    int exponent = read_bins(spectrum, bins);
    __syncthreads();
    for (int i = threadIdx.x; i < SPECTRUM * 4; i += THREADS) {
        int k1 = i / (4 * ROW_VECTORS) % 16, residue = i / (64 * ROW_VECTORS);
        int k = (k1 + 16 * second_bin(i) + 256 * third_bin(i)) * RESIDUES + residue;
        // The mirror image is the conjugate: the sign of the upper half.
        arranged[i] = bins[shared_place(k > N / 2 ? N - k : k)] ^ (k > N / 2 ? 0x80000000 : 0);
    }
    if (threadIdx.x == 0) *scale = power_of_two(exponent) * undone_stages();
}

// Tables.

// Bin k1 of a residue in RESIDUES-th parts.
DEVICE int shifted(int k1, int residue) { return SHIFTED ? k1 * RESIDUES + residue : k1; }
constexpr int PARTS_OF_BIN = SHIFTED ? RESIDUES : 1;

// Two entries in a row of a DFT matrix, real or imaginary parts, that word i of its operand holds, by the root of each.
template <class F> DEVICE u32 entries(int i, float scale, F root_of) {
    float entry[2];
    for (int e = 0; e < 2; e++) {
        Complex w = root_of(dft_row(i), dft_column(i) + e);
        entry[e] = (dft_imaginary(i) ? w.im : w.re) * (scale / 4);
    }
    return cvt_rn_x2<ELEMENT>(entry[0], entry[1]);
}

// Of stages 1 and 2; the inverse has its results in columns.
DEVICE u32 first_entries(int i, int residue, bool inverse) {
    return entries(i, DFT_SCALE<ELEMENT>, [&](int row, int column) {
        return root(inverse ? row * shifted(column, residue) : shifted(row, residue) * column, 16 * PARTS_OF_BIN);
    });
}

DEVICE u32 slots_entries(int i) {
    constexpr int ORDER = N3 < 16 ? N3 : 16;
    return entries(right_word(i), DFT_SCALE<ELEMENT>, [&](int row, int column) {
        return row / ORDER == column / ORDER ? root(row % ORDER * (column % ORDER), ORDER) : Complex{0, 0};
    });
}

// With factors in them: of stage 2 by n3, with the results k2.
DEVICE u32 second_entries(int i) {
    int n3 = i / 512;
    bool inverse = i / 256 % 2;
    return entries(i, MERGED_SCALE<ELEMENT>, [&](int row, int column) { return root(row * column * N3 + n3 * (inverse ? column : row), M / 16); });
}

// Of stage 3 by k1, with what is transformed, n3.
DEVICE u32 third_entries(int i, int residue) {
    constexpr int ORDER = N3 < 16 ? N3 : 16;
    int k1 = i / 512;
    bool inverse = i / 256 % 2;
    return entries(right_word(i), MERGED_SCALE<ELEMENT>, [&](int row, int column) {
        int n3 = (inverse ? row : column) % ORDER;
        Complex w = root(row % ORDER * (column % ORDER) * (M / ORDER) * PARTS_OF_BIN + n3 * shifted(k1, residue), M * PARTS_OF_BIN);
        return row / ORDER == column / ORDER ? w : Complex{0, 0};
    });
}

// Of stage 3 by p, with the results.
DEVICE u32 tile_entries(int i) {
    int p = i / 512;
    bool inverse = i / 256 % 2;
    return entries(right_word(i), DFT_SCALE<ELEMENT>, [&](int row, int column) { return root(row * column * RADIX + p * (inverse ? column : row), N3); });
}

// Factors behind stage 1; of the inverse, results are n2.
DEVICE u32 first_factor(int i, int residue, bool inverse) {
    int row = strip_second(i), column = strip_first(i);
    return pair(root(inverse ? row * shifted(column, residue) : shifted(row, residue) * column, 256 * PARTS_OF_BIN));
}

// Factors behind stage 2.
DEVICE u32 slot_factor(int n3, int k1, int k2, int residue) { return pair(root(n3 * shifted(k1 + 16 * k2, residue), M * PARTS_OF_BIN)); }

// Word i of vectors of four, by tables as monarch.h lists them.
DEVICE u32 table_word(int i) {
    int residue = SHIFTED ? i / (OF_RESIDUE * 4) : 0;
    if (SHIFTED) i %= OF_RESIDUE * 4;
    if (i < SLOTS_TABLE * 4) return first_entries(i, residue, false);
    if (i < FIRST_TABLE * 4) return RADIX > 1 ? first_entries(i - SLOTS_TABLE * 4, 0, false) : slots_entries(i - SLOTS_TABLE * 4);
    if (i < THIRD_TABLE * 4) return first_factor(i - FIRST_TABLE * 4, residue, false);
    if (i < STRIP_TABLE * 4) {
        i -= THIRD_TABLE * 4;
        return MERGED_TILES ? tile_entries(i) : pair(root(third_slot(i) * (third_tile(i) + 1), N3));
    }
    if (i < ROW_TABLE * 4) {
        i -= STRIP_TABLE * 4;
        return MERGED_SLOTS ? second_entries(i) : slot_factor(i / 256 % N3, strip_first(i), strip_second(i), residue);
    }
    if (i < BACK_TABLE * 4) {
        i -= ROW_TABLE * 4;
        if (MERGED_SLOTS) return third_entries(i, residue);
        return slot_factor((RADIX * row_slot(i) + row_tile(i)) % N3, i / (4 * ROW_VECTORS), second_bin(i), residue);
    }
    i -= BACK_TABLE * 4;
    if (SHIFTED) return i < 256 ? first_entries(i, residue, true) : first_factor(i - 256, residue, true);
    return pair(root(i % M * (i / M + 1), N));
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_arrange(const Complex* spectrum, u32* tables, u32* arranged, float* scales) {
    extern __shared__ u32 bins[];
    griddepcontrol_launch_dependents();
    if (blockIdx.x < TABLE_BLOCKS) {
        for (int i = blockIdx.x * THREADS + threadIdx.x; i < TABLES * 4; i += TABLE_BLOCKS * THREADS) tables[i] = table_word(i);
        return;
    }
    long long head = blockIdx.x - TABLE_BLOCKS;
    arrange_spectrum(spectrum + head * (FOLD * N / 2 + 1), bins, arranged + head * SPECTRUM * 4, scales + head);
}
