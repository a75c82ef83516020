// y = iFFT(FFT(u) K) by heads, on AMD's matrix cores, since gfx942, in one pass over u and y: u, y (B, H, L) in 16 bits, padded with zeros to N
// points where L is less; K complex. With gates, y = post iFFT(FFT(pre u) K).
//
// Mapping: a block owns as many pairs of batch items of one head as fill the slots (monarch.h), two sequences of a pair as real and
// imaginary part. They come into LDS once; there the stages leave their results in place, rounded to 16 bits; and from there they go out
// once. A wave has one strip of four slots for stages 1 and 2, and 4 / RADIX rows of a k1 for stage 3, the product and its inverse; twice
// that at RADIX 4, and of each residue. What a stage is multiplied by is asked for before the barrier ahead of it.
// Work: 8 N flops a sequence times the sum of its radices of 16, over 4 L bytes (8 L with gates): 96 flops a byte at N = L = 4096, of which an
// MI300X's matrix cores have 247. gfx950 takes real and imaginary parts in one product of twice the depth.
// LDS: 16 KB a block up to 4096 points, so that four blocks of four waves fill a unit of gfx942; 32 KB and eight waves at 8192; 64 KB and as
// many at 16384, where sixteen had too few registers; and 128 KB at 32768, which gfx950 alone has.
//
// Launch. block (THREADS), grid (heads * ceil(batch / (2 PAIRS))); no dynamic shared memory.
// Arguments: u, pre, post, y (batch, heads, pitch), of which `length` elements count; pre and post NULL without gates; tables, spectrum and
// scales as arrange.cu leaves them.
// Macros (default): those of monarch.h, GATED (0), ALIGNED (1: the length and the pitch are multiples of 8), FULL (0; 1: the length is N
// and the batch whole groups), SCALED_ROWS (0).
#include "fftconv/monarch.h"

constexpr int WAVES = RADIX == 1 ? 4 : 8, THREADS = WAVES * WARP_THREADS, CHIPLETS = 8;
#include "fftconv/gfx942_stages.h"
#include "fftconv/signals.h"

// How often a wave's turn comes in each residue, and which strip is its, of rows the same share.
constexpr int TURNS = UNITS / WAVES;
DEVICE u32 strip_of_turn(int i) { return warp_index() + i % TURNS * WAVES; }

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_gfx942_monarch(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, const Vector16* tables, const Vector16* spectrum,
                            const float* scales, ELEMENT* y, int batch, int heads, int length, int pitch) {
    __shared__ Vector16 lds[RESIDUES * 2 * PLANE / 16];
    u8* planes = reinterpret_cast<u8*>(lds);
    // Blocks of a head go to one die, whose L2 then holds its spectrum.
    int groups = ceil_div(batch, 2 * PAIRS), block = tile_by_chiplet(blockIdx.x, gridDim.x, CHIPLETS, groups), head = block / groups;
    auto signals = [&] { return own_signals(u, pre, post, y, block % groups * 2 * PAIRS, head, batch, heads, length, pitch); };
    StripFactors of_strip;
    of_strip.load(tables, strip_of_turn(0));
    if (RESIDUES == 1) bring_in(planes, signals());
    else bring_in_halves(planes, signals(), tables);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < RESIDUES * TURNS; i++) {
        if (i > 0 && TURNS > 1) of_strip.load(tables, strip_of_turn(i));
        transform_strip<false>(planes + i / TURNS * 2 * PLANE, strip_of_turn(i), of_strip, 1);
    }
    spectrum += (long long)head * SPECTRUM, scales += head * (SCALED_ROWS ? 16 * RESIDUES : 1);
    auto row = [&](int i) { return i / TURNS * 16 + strip_of_turn(i) * ROWS; };
    RowFactors of_rows;
    of_rows.load(tables, spectrum + row(0) * ROW_VECTORS);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < RESIDUES * TURNS; i++) {
        if (i > 0) of_rows.load(tables, spectrum + row(i) * ROW_VECTORS);
        convolve_rows(planes + i / TURNS * 2 * PLANE, row(i) % 16, of_rows, tables, scales + row(i));
    }
    float scale = SCALED_ROWS ? 1 : *scales;
    of_strip.load(tables, 0);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < RESIDUES * TURNS; i++) transform_strip<true>(planes + i / TURNS * 2 * PLANE, strip_of_turn(i), of_strip, scale);
    Signals out = signals();
    Vector16 gates[AT_ONCE];
    Complex roots[8];
    if (RESIDUES == 1) load_gates(gates, out, 0);
    else load_roots(roots, tables, threadIdx.x * 8);
    __syncthreads();
    if (RESIDUES == 1) take_out(planes, out, gates);
    else take_out_halves(planes, out, roots);
}
