// What sm80_short.cu reads beside its signals: the tables of its transforms, and the filters' spectra in the order of its fragments.
//
// Mapping: as arrange.cu has it. The first TABLE_BLOCKS blocks compute tables, then a block serves a head: it holds the half spectrum in
// registers until its largest part is known, leaves it in shared memory as pairs of fp16 over a power of two, and gathers from there; the
// other half is its mirror image. Work: N/2 + 1 complex f32 read and N pairs of fp16 written a head: bound by its start,
// of filters in time by their transform.
//
// Launch. block (THREADS), grid (TABLE_BLOCKS + heads); dynamic shared memory: that of bins.h. Arguments: filters (heads, FILTER) f32,
// tables (SHORT_TABLES vectors), arranged (heads, N1 BIN_VECTORS vectors), scales (heads) f32.
// Macros: those of bins.h.
#include "fftconv/bins.h"
#include "fftconv/short.h"

constexpr int TABLE_BLOCKS = 32;

// Where word i of an operand's table, and of a spectrum's rows of four columns a lane, stands in 16 x 16.
DEVICE int matrix_line(int i) { return i / 4 % 32 / 4 + i % 2 * 8; }
DEVICE int first_column(int i) { return i / 4 % 4 * 2 + i % 4 / 2 * 8; }
DEVICE int result_row(int i) { return i / 4 % 32 / 4 + i / 128 % 2 * 8; }
DEVICE int result_column(int i) { return i / 4 % 4 * 2 + column(i % 4); }

// Spectra.

DEVICE void arrange_spectrum(const float* filter, u32* bins, Vector16* arranged, float* scale) {
    int exponent = read_bins(filter, bins);
    __syncthreads();
    in_turns<N / 4>([&](int i, int) {
        // Columns of a vector: two neighbours, and two half a spectrum on, whose mirror images are the conjugates: the sign.
        int k = i / 64 + N1 * result_row(4 * i) + 16 * N1 * result_column(4 * i), next = k + 16 * N1;
        arranged[i] = {bins[shared_place(k)], bins[shared_place(next)], bins[shared_place(N / 2 - k)] ^ 0x80000000,
                       bins[shared_place(N / 2 - next)] ^ 0x80000000};
    });
    if (threadIdx.x == 0) *scale = power_of_two(exponent) * undone_stages();
}

// Tables.

// Two entries in a row of a matrix, real or imaginary parts.
template <class F> DEVICE u32 entries(int i, float scale, F entry_of) {
    float entry[2];
    for (int e = 0; e < 2; e++) {
        Complex w = entry_of(matrix_line(i), first_column(i) + e);
        entry[e] = (i / 128 % 2 ? w.im : w.re) * (scale / 4);
    }
    return cvt_rn_x2<ELEMENT>(entry[0], entry[1]);
}

// Rows of different sequences do not mix.
DEVICE Complex rows_root(int row, int column) { return row / N1 == column / N1 ? root(row % N1 * (column % N1), N1) : Complex{0, 0}; }

DEVICE u32 rows_entries(int i) { return entries(i, DFT_SCALE<ELEMENT>, rows_root); }

// Of the conjugate: of eight columns what real parts are multiplied by, and then what imaginary parts are.
DEVICE u32 both_parts(int i) {
    int half = i / 128 % 2;
    bool imaginary = i / 256, of_imaginary = i % 4 / 2;
    float entry[2];
    for (int e = 0; e < 2; e++) {
        Complex w = rows_root(matrix_line(i), i / 4 % 4 * 2 + e + half * 8);
        entry[e] = (imaginary == of_imaginary ? w.re : imaginary ? -w.im : w.im) * (DFT_SCALE<ELEMENT> / 4);
    }
    return cvt_rn_x2<ELEMENT>(entry[0], entry[1]);
}

// Of one k1: forward, its factors go with what is contracted, n2 or n3; backward with what results.
DEVICE u32 bin_entries(int i, int k1) {
    constexpr float SCALE = MERGED_SLOTS ? MERGED_SCALE<ELEMENT> : DFT_SCALE<ELEMENT>;
    switch (i / (4 * MATRIX_VECTORS)) {
    case 0: return entries(i, SCALE, [&](int k2, int slot) { return root(second_slot(slot) * (N1 * k2 + k1), 16 * N1); });
    case 1: return entries(right_word(i), SCALE, [&](int k3, int n3) { return root(n3 * (16 * N1 * k3 + k1), N); });
    case 2: return entries(i, SCALE, [&](int n3, int k3) { return root(n3 * (16 * N1 * k3 + k1), N); });
    default: return entries(i, SCALE, [&](int n2, int k2) { return root(n2 * (N1 * k2 + k1), 16 * N1); });
    }
}

// Word i of vectors of four, by tables as short.h lists them.
DEVICE u32 table_word(int i) {
    if (i < BOTH_PARTS * 4) return rows_entries(i);
    if (i < FACTORS * 4) return both_parts(i - BOTH_PARTS * 4);
    if (i < BIN_MATRICES * 4) return pair(root(result_row(i - FACTORS * 4) * result_column(i - FACTORS * 4), 256));
    i -= BIN_MATRICES * 4;
    return bin_entries(i % (OF_BIN * 4), i / (OF_BIN * 4));
}

extern "C" __global__ __launch_bounds__(THREADS, LEAST_BLOCKS)
void fftconv_arrange_short(const float* filters, u32* tables, Vector16* arranged, float* scales) {
    extern __shared__ __align__(16) u32 bins[];
    griddepcontrol_launch_dependents();
    if (blockIdx.x < TABLE_BLOCKS) {
        for (int i = blockIdx.x * THREADS + threadIdx.x; i < SHORT_TABLES * 4; i += TABLE_BLOCKS * THREADS) tables[i] = table_word(i);
        return;
    }
    long long head = blockIdx.x - TABLE_BLOCKS;
    arrange_spectrum(filters + head * FILTER, bins, arranged + head * (N / 4), scales + head);
}
