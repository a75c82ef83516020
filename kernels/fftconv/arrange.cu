// What the convolution reads beside its signals: the tables of its transforms, and the filters' spectra in the order of its fragments.
//
// Mapping: the first TABLE_BLOCKS blocks compute tables, then a block serves a head. It holds the half spectrum in registers until its
// largest part is known, leaves it in shared memory as pairs of fp16 over a power of two, and gathers from there; the other half is its
// mirror image. Work: N/2 + 1 complex f32 read and N pairs of fp16 written a head: bound by memory, and by its start where N is small;
// of filters in time by their transform.
//
// Launch. block (THREADS), grid (TABLE_BLOCKS + heads); dynamic shared memory: that of bins.h. Arguments: filters (heads, FILTER) f32,
// tables (TABLES vectors), arranged (heads, SPECTRUM vectors), scales (heads) f32.
// Macros: those of bins.h.
#include "fftconv/bins.h"

constexpr int TABLE_BLOCKS = 32;

// Spectra.

// The bin of word i.
DEVICE int bin_of(int i) {
    int k1 = i / (4 * ROW_VECTORS) % 16, residue = i / (64 * ROW_VECTORS);
    return (k1 + 16 * second_bin(i) + 256 * third_bin(i)) * RESIDUES + residue;
}

// The mirror image is the conjugate: the sign of the upper half.
constexpr u32 UPPER_SIGN = 0x80000000;

// By vectors, whose words differ in third bins alone, by the same from either end; of eight third bins or more all are in one half.
// Turns differ in k1 and residue alone, and places of bits that do not meet add up. Where k1 or residue is not 0, as in all turns but the
// first, the place of N - k is next to that of N - 1 - k, which has all other bits than k.
DEVICE void gather(const u32* bins, Vector16* arranged) {
    int first = bin_of(4 * threadIdx.x), last = bin_of(4 * threadIdx.x + 3);
    bool upper = first >= N / 2;
    int direction = upper ? -1 : 1;
    const u32* in_first_turn = bins + shared_place(upper ? N - last : first);
    const u32* in_others = bins + (upper ? shared_place(N - 1) - shared_place(last) + 1 : shared_place(first));
    in_turns<SPECTRUM>([&](int i, int turn) {
        const u32* from = turn == 0 ? in_first_turn : in_others + direction * shared_place(bin_of(4 * THREADS * turn));
        u32 word[4];
        for (int e = 0; e < 4; e++) word[e] = from[shared_place(256 * RESIDUES * third_bin(e))];
        Vector16 v;
        for (int e = 0; e < 4; e++) v.word[e] = upper ? word[3 - e] ^ UPPER_SIGN : word[e];
        arranged[i] = v;
    });
}

// By words, where a vector's are in both halves.
DEVICE void gather_words(const u32* bins, Vector16* arranged) {
    for (int i = threadIdx.x; i < SPECTRUM * 4; i += THREADS) {
        int k = bin_of(i);
        arranged[i / 4].word[i % 4] = bins[shared_place(k > N / 2 ? N - k : k)] ^ (k > N / 2 ? UPPER_SIGN : 0);
    }
}

DEVICE void arrange_spectrum(const float* filter, u32* bins, Vector16* arranged, float* scale) {
    int exponent = read_bins(filter, bins);
    __syncthreads();
    N3 < 8 ? gather_words(bins, arranged) : gather(bins, arranged);
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

extern "C" __global__ __launch_bounds__(THREADS, LEAST_BLOCKS)
void fftconv_arrange(const float* filters, u32* tables, Vector16* arranged, float* scales) {
    extern __shared__ __align__(16) u32 bins[];
    griddepcontrol_launch_dependents();
    if (blockIdx.x < TABLE_BLOCKS) {
        for (int i = blockIdx.x * THREADS + threadIdx.x; i < TABLES * 4; i += TABLE_BLOCKS * THREADS) tables[i] = table_word(i);
        return;
    }
    long long head = blockIdx.x - TABLE_BLOCKS;
    arrange_spectrum(filters + head * FILTER, bins, arranged + head * SPECTRUM, scales + head);
}
