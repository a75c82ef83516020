// y = iFFT(FFT(u) K) by heads, on tensor cores by the warp (mma.sync, since sm_80), in one pass over u and y: u, y (B, H, L) in 16 bits,
// padded with zeros to N points where L is less; K complex. With gates, y = post iFFT(FFT(pre u) K).
//
// Mapping: a block owns as many pairs of batch items of one head as fill the slots (monarch.h), two sequences of a pair as real and
// imaginary part. They come into shared memory once; there the stages leave their results in place, rounded to 16 bits; and from
// there they go out once. A warp has strips of four slots for stages 1 and 2, and rows of one k1 for stage 3, the product and its inverse.
// Work: 8 N flops a sequence times the sum of its radices of 16, over 4 L bytes (8 L with gates): 96 flops a byte at N = L = 4096, of which
// tensor cores have 206. What bounds it is issue: 69 instructions for each complex number that a thread has.
// Spills: at most 140 bytes a thread: with 128 registers 16 warps share a multiprocessor; 12 of them with 168 registers,
// which spill 24, took 4 % longer on an H200 at N = 4096.
//
// Launch. block (THREADS), grid (heads of a band, ceil(batch / (2 PAIRS)), bands): blocks that follow each other read what lies side by side,
// and a band's spectra stay in L2 until its batch is done; dynamic shared memory: RESIDUES * 2 * PLANE bytes.
// It may start before what arranges its spectra has ended. From 16384 points on it asks L2 for a part's spectrum, or for the sequences of
// a later block, below for the second turn of what gates double.
// Arguments: u, pre, post, y (batch, heads, pitch), of whose rows the first `length` elements take part; pre and post NULL without gates;
// tables, spectrum and scales as arrange.cu leaves them.
// Macros (default): those of monarch.h, GATED (0), ALIGNED (1: the length and the pitch are multiples of 8), FULL (0; 1: the length is FOLD N
// and the batch whole groups).
#include "fftconv/monarch.h"

// Few warps a block, that fewer wait for each other, unless it has a multiprocessor to itself; 128 registers a thread, and more for a third
// stage of 64.
constexpr int WARPS = RADIX == 1 ? 2 : RESIDUES == 1 ? 4 : 16, THREADS = 32 * WARPS;
constexpr int BLOCKS = RADIX < 4 ? 16 / WARPS : RESIDUES == 1 ? 3 : 1;
#include "fftconv/stages.h"
#include "fftconv/ahead.h"

// Gates double what a lone pair's way in waits for, which takes two turns.
constexpr bool PREFETCHES = GATED && FULL && FOLD == 1 && PAIRS == 1 && COPIES == 2 * AT_ONCE;

DEVICE int head_of_block() { return int(forgotten(blockIdx.z) * gridDim.x + blockIdx.x); }

DEVICE Signals signals_of_block(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, ELEMENT* y, int batch, int heads, int length,
                                int pitch) {
    return own_signals(u, pre, post, y, forgotten(blockIdx.y) * 2 * PAIRS, head_of_block(), batch, heads, length, pitch);
}

// Rows of a k1: a warp has ROWS_EACH in succession.
constexpr int ROWS_EACH = RESIDUES * 16 / WARPS;

DEVICE void convolve(u8* planes, const Vector16* tables, const Vector16* bins, const float* scales) {
    Dft f = load_dft(tables + SLOTS_TABLE + own_lane());
    u32 first = forgotten(threadIdx.x) / 32 * ROWS_EACH;
#pragma unroll 1
    for (u32 row = first; row < first + ROWS_EACH; row += ROWS)
        convolve_rows(planes + row / 16 * 2 * PLANE, row % 16, f, bins + row * ROW_VECTORS, scales + row, tables + ROW_TABLE + row % 16 * OF_ROW, tables);
}

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void fftconv_monarch(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, const Vector16* tables, const Vector16* spectrum, const float* scales,
                     ELEMENT* y, int batch, int heads, int length, int pitch) {
    extern __shared__ __align__(128) u8 planes[];
    if (head_of_block() >= heads) return;
    Signals in = signals_of_block(u, pre, post, y, batch, heads, length, pitch);
    // Of a part's sequences, which go by once, L2 is not asked: with its spectrum that was slower.
    if (RADIX == 4 && SCALED_ROWS) prefetch_spectrum(spectrum, head_of_block());
    else if (RADIX == 4 && RESIDUES == 1) prefetch_ahead(u, pre, batch, heads, length, pitch);
    // What arrange.cu leaves may come while sequences do.
    if (RESIDUES == 1) bring_in<PREFETCHES>(planes, in);
    griddepcontrol_wait();
    if (RESIDUES == 2) bring_in_halves(planes, in, tables);
    __syncthreads();
    transform_strips<false, RESIDUES>(planes, tables, 1);
    if (RESIDUES == 2) prefetch_ahead(u, pre, batch, heads, length, pitch, WAVE_AHEAD);
    __syncthreads();
    scales += head_of_block() * (SCALED_ROWS ? 16 * RESIDUES : 1);
    convolve(planes, tables, spectrum + (long long)head_of_block() * SPECTRUM, scales);
    __syncthreads();
    transform_strips<true, RESIDUES>(planes, tables, SCALED_ROWS ? 1 : *scales);
    Signals out = signals_of_block(u, pre, post, y, batch, heads, length, pitch);
    Vector16 gates[AT_ONCE];
    Complex roots[8];
    if (RESIDUES == 1) load_gates(gates, out, 0);
    else load_roots(roots, tables, forgotten(threadIdx.x) * 8);
    __syncthreads();
    if (RESIDUES == 1) take_out(planes, out, gates);
    else take_out_halves(planes, out, roots);
}
