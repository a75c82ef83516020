// y = iFFT(FFT(u) K) by heads as sm80_monarch.cu has it, of at most 4096 points: the first stage takes sequences from memory straight into
// its operands, and the last one's results go straight there.
//
// Mapping: a block owns as many pairs of batch items of one head as have 16 rows of 256 elements (short.h), two sequences of a pair as real
// and imaginary part. A warp has half the columns of all rows for the first and the last stage, and half the rows for what is between: these
// it takes by twos, from shared memory through stages 2 and 3, the spectrum and both inverses in registers, and back to their places. So
// numbers go through shared memory twice, by vectors of 16 bytes without bank conflicts, and blocks meet twice.
// Work: 8 N flops a sequence times the sum of its radices of 16, over 4 L bytes (8 L with gates). What bounds it is issue: 38 instructions for
// each complex number that a thread has, of which 12 are its products by factors and the spectrum and 6 those of matrices.
// Spills: at most 120 bytes a thread, 80 where all elements are there: with 128 registers 16 warps share a multiprocessor.
//
// Launch. block (THREADS), grid (heads of a band, ceil(batch / (2 PAIRS)), bands); dynamic shared memory: 16384 bytes, and
// 2048 at 4096 points.
// It may start before what arranges its spectra has ended. With gates, or where sequences are folded, it asks L2 for those of later blocks.
// Arguments: those of sm80_monarch.cu; tables, spectrum and scales as arrange_short.cu leaves them.
// Macros: those of monarch.h and signals.h.
#include "fftconv/short.h"

constexpr int WARPS = 2, THREADS = 32 * WARPS;
constexpr int BLOCKS = 8;                                // 128 registers a thread
#include "fftconv/stages.h"
#include "fftconv/ahead.h"

// Places of vectors in shared memory, linear over GF(2). Forward, one has n2 and n2 + 4, each beside n2 + 1, of one n3, first real parts;
// `quad` counts these. Backward, it has two n3, real and imaginary part, each of rows 2 `two` and 2 `two` + 1. Both have two rows in the same
// 2 KB; what eight lanes touch at once is in different banks.
DEVICE constexpr u32 forward_place(u32 row, u32 quad, u32 n3) {
    return ((row * 4 + quad) * 16 + n3) ^ (quad * 2 & 6) ^ (row & 1) ^ (n3 >> 1 & 4);
}
DEVICE constexpr u32 backward_place(u32 two, u32 n2, u32 n3) {
    return ((two * 16 + n2) * 8 + n3 / 2) ^ (two * 2 & 6) ^ (n2 << 2 & 4) ^ (n2 >> 1 & 1);
}
#include "fftconv/rows.h"

// Stage 1. Column g of product e is element e of the lane's vector.

DEVICE void transform_columns_in(u8* planes, const Rows& rows, const Vector16* tables) {
    Dft f = load_dft(tables + ROWS_MATRIX + own_lane());
    u32 thread = forgotten(threadIdx.x), g = thread % 32 / 4, q = thread % 4;
    u32 here = forward_place(g, thread / 32 * 2 + q / 2, q % 2 * 8);
#pragma unroll
    for (int e = 0; e < 8; e++) {
        float re[2][4] = {}, im[2][4] = {};
#pragma unroll
        for (int half = 0; half < 2; half++) {
            auto words = [&](int part, int i) { return join(rows.v[half][part][i].word[e / 2], rows.v[half][part][i + 1].word[e / 2], e % 2); };
            u32 re0 = words(0, 0), re1 = words(0, 2), im0 = words(1, 0), im1 = words(1, 2);
            mma_m16n8k16(ELEMENT{}, re[half], f.re, re0, re1);
            mma_m16n8k16(ELEMENT{}, im[half], f.im, re0, re1);
            mma_m16n8k16(ELEMENT{}, re[half], f.minus_im, im0, im1);
            mma_m16n8k16(ELEMENT{}, im[half], f.re, im0, im1);
        }
#pragma unroll
        for (int row = 0; row < 2; row++) {
            auto word = [&](const float (&d)[4]) { return cvt_rn_x2<ELEMENT>(d[2 * row], d[2 * row + 1]); };
            vector_at(planes, here ^ forward_place(row * 8, 0, e)) = {word(re[0]), word(re[1]), word(im[0]), word(im[1])};
        }
        if (e % 2) __syncwarp();                         // one product's results after another's, lest all be held
    }
}

// Stages 2 and 3, the spectrum and the inverses.

// Bins of a row. Those of several pairs share them and find them in the L1 cache. A lone pair's read each once, from L2: the lane asks for a
// row's when it has those of the row before, and keeps them behind the planes.
constexpr bool BINS_AHEAD = PAIRS == 1;

DEVICE Vector16* own_bins(u8* planes) { return reinterpret_cast<Vector16*>(planes + 2 * PLANE) + threadIdx.x / 32 * BIN_VECTORS + own_lane(); }
DEVICE void ask_for_bins(u8* planes, const Vector16* spectrum) {
#pragma unroll
    for (int row = 0; row < 2; row++) cp_async_cg(cvta_shared(own_bins(planes) + row * 32), spectrum + row * 32);
}

// A row from stage 1 to what the inverse of stage 1 takes. Tables are those of its k1.
template <class Bins> DEVICE Tile convolve_row(const Operand& x, Bins multiply_by_bins, const Factors& factors, const Factors& back, const Vector16* matrices) {
    Tile d = transform_to_rows<false>(x, load_dft(matrices));
    multiply<false>(d, factors);
    d = transform_columns<false>(d.rounded(), load_dft(matrices + MATRIX_VECTORS));
    multiply_by_bins(d);
    d = transform_to_rows<true>(d.rounded(), load_dft(matrices + 2 * MATRIX_VECTORS));
    multiply<true>(d, back);
    return transform_to_rows<true>(d.rounded(), load_dft(matrices + 3 * MATRIX_VECTORS));
}

// Two rows; `from` and `to` are the lane's places in the first ones, and tables and spectrum are the lane's.
DEVICE void convolve_two(u8* planes, u32 two, u32 from, u32 to, const Factors& factors, const Factors& back, const Vector16* tables, const Vector16* spectrum) {
    u32 k1 = two * 2 % N1;
    from ^= forward_place(two * 2, 0, 0), to ^= backward_place(two, 0, 0);
    spectrum += k1 * BIN_VECTORS, tables += k1 * OF_BIN;
    Vector16 bins[2][2];
    Operand x[2];
    Tile d[2];
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (!BINS_AHEAD) bins[i / 2][i % 2] = spectrum[i / 2 % N1 * BIN_VECTORS + i % 2 * 32];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        Vector16 v = vector_at(planes, from ^ forward_place(i / 2, 0, i % 2 * 8));
        x[i / 2].re[i % 2] = v.word[0], x[i / 2].re[2 + i % 2] = v.word[1];
        x[i / 2].im[i % 2] = v.word[2], x[i / 2].im[2 + i % 2] = v.word[3];
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        auto multiply_by_bins = [&](Tile& tile) {
            if (BINS_AHEAD) cp_async_wait_all();
#pragma unroll
            for (int row = 0; row < 2; row++) tile.multiply_row<false>(row, BINS_AHEAD ? own_bins(planes)[row * 32] : bins[i][row]);
            if (!BINS_AHEAD) return;
            __syncwarp();                                // what is overwritten has been read
            if (i == 0 || two % 4 < 3) ask_for_bins(planes, spectrum + (i + 1) * BIN_VECTORS);
        };
        d[i] = convolve_row(x[i], multiply_by_bins, factors, back, tables + i % N1 * OF_BIN);
    }
    __syncwarp();                                        // all lanes have read what is overwritten
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = i / 2, half = i % 2;
        auto word = [&](float (Tile::*part)[2][4], int c) { return cvt_rn_x2<ELEMENT>((d[0].*part)[half][2 * row + c], (d[1].*part)[half][2 * row + c]); };
        vector_at(planes, to ^ backward_place(0, row * 8, half * 8)) = {word(&Tile::re, 0), word(&Tile::im, 0), word(&Tile::re, 1), word(&Tile::im, 1)};
    }
}

DEVICE int head_of_block() { return int(forgotten(blockIdx.z) * gridDim.x + blockIdx.x); }

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void fftconv_short(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, const Vector16* tables, const Vector16* spectrum, const float* scales,
                   ELEMENT* y, int batch, int heads, int length, int pitch) {
    extern __shared__ __align__(128) u8 planes[];
    if (head_of_block() >= heads) return;
    // From a row of the first of the block's items on, and from a vector of the warp's columns.
    auto signals = [&](u32 row, u32 vector) {
        int item = int(forgotten(blockIdx.y) * 2 * PAIRS) + item_of(row), at = element_of(row) + (forgotten(threadIdx.x) / 32 * 16 + vector) * 8;
        return signals_at(u, pre, post, y, item, at, head_of_block(), batch, heads, length, pitch);
    };
    // Plain sequences gain nothing by it.
    if (GATED || FOLD > 1) prefetch_ahead(u, pre, batch, heads, length, pitch);
    Rows rows;
    load_rows(rows, signals(own_lane() % 4 * 2, own_vector(own_lane() / 4)));
    griddepcontrol_wait();                               // what arrange_short.cu leaves may come while sequences do
    u32 first = forgotten(threadIdx.x) / 32 * 4;
    spectrum += (long long)head_of_block() * N1 * BIN_VECTORS + own_lane();
    if (BINS_AHEAD) ask_for_bins(planes, spectrum + first * 2 * BIN_VECTORS);
    transform_columns_in(planes, rows, tables);
    Factors factors = load_factors(tables + FACTORS, 1), back = load_factors(tables + FACTORS, scales[head_of_block()]);
    __syncthreads();
    u32 lane = own_lane(), g = lane / 4, q = lane % 4;
#pragma unroll 1
    for (u32 two = first; two < first + 4; two++)
        convolve_two(planes, two, forward_place(0, q, g), backward_place(0, g, q * 2), factors, back, tables + BIN_MATRICES + lane, spectrum);
    lane = own_lane(), g = lane / 4, q = lane % 4;
    Signals out = signals(g, q);
    Vector16 gates[8];
    for_each_result(0, [&](int i, int item, int at) { gates[i] = load_gate(out, item, at); });
    BothParts a = load_both_parts(tables + BOTH_PARTS + own_lane());
    u32 here = backward_place(q, forgotten(threadIdx.x) / 32 * 8 + g % 2 * 2 + g / 4, g / 2 % 2 * 8);
    __syncthreads();
#pragma unroll
    for (int half = 0; half < 2; half++) {
        Results results;
        transform_columns_out(results, planes, here ^ backward_place(0, half * 4, 0), a);
        for_each_result(half, [&](int i, int item, int at) { store_output(out, item, at, results.v[i / 4][i / 2 % 2][i % 2], gates[i]); });
        if (half == 0) for_each_result(1, [&](int i, int item, int at) { gates[i] = load_gate(out, item, at); });
    }
}
