// The gradient of a filter's spectrum, but for its last step: sums over the batch of conj(FFT(pre u)) FFT(post dy), by heads, on tensor
// cores by the warp: u, dy (B, H, L) in 16 bits.
//
// Mapping: a block goes through every `splits`-th group of pairs of one head (monarch.h); both signals of a group lie in shared memory,
// are transformed there, and the products of their bins are added in global memory, where a number is always the same thread's: in
// the order of the batch, so that results repeat to the bit. A pair's cross terms are not there in the real part of the result, which
// gradient.cu takes. Of sequences in halves a block takes the sums or the differences.
// Spills: at most 100 bytes a thread, up to N = 4096: seven blocks share a multiprocessor; six do not spill, and were not timed.
// Work: 16 N flops a pair and radix of 16, over 8 L bytes, and 8 N bytes of sums (fewer where pairs stand side by side), which stay in L2.
//
// Launch. block (THREADS), grid (heads * splits * HALVES); dynamic shared memory: 4 * PLANE bytes. Arguments: u, pre, dy, post (batch,
// heads, length), pre and post NULL without gates; tables as arrange.cu leaves them; sums (heads, splits, HALVES, SUMS) f32, zeros at
// first, in the order of gradient.cu.
// Macros (default): those of signals.h.
#include "fftconv/monarch.h"

constexpr int WARPS = RADIX == 1 ? 2 : RADIX == 2 ? 4 : 8, THREADS = 32 * WARPS;
constexpr int BLOCKS = N3 < 4 ? 4 : RADIX == 1 ? 7 : RADIX == 2 ? 3 : 1;
#include "fftconv/signals.h"

// Sums of one half of both sequences, or differences times w_N^t.
DEVICE void bring_in_half(u8* planes, const Signals& s, const Vector16* tables, int half) {
    u32 own = threadIdx.x * 8, offset = offset_of(own);
#pragma unroll 2
    for (int step = 0; step < M; step += STEP) {
        float low[2][8], high[2][8];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            unpack<ELEMENT>(load_input(s, i, step), low[i]);
            unpack<ELEMENT>(load_input(s, i, step + M), high[i]);
        }
        for_each_root(tables, own + step, [&](int i, Complex w) {
            Complex sum{low[0][i] + high[0][i], low[1][i] + high[1][i]};
            Complex difference = times({low[0][i] - high[0][i], low[1][i] - high[1][i]}, w);
            low[0][i] = half ? difference.re : sum.re, low[1][i] = half ? difference.im : sum.im;
        });
#pragma unroll
        for (int i = 0; i < 2; i++) scatter(planes, offset ^ offset_of(step) ^ i * PLANE, pack<ELEMENT>(low[i]));
    }
}

DEVICE void bring_in_signals(u8* planes, const Signals& s, const Vector16* tables, int half) {
    if (HALVES == 1) bring_in(planes, s);
    else bring_in_half(planes, s, tables, half);
}

DEVICE Complex entry_of(const Operand& a, int row, int c) {
    float re[2] = {cvt_f32(ELEMENT{u16(a.re[c / 2 * 2 + row])}), cvt_f32(ELEMENT{u16(a.re[c / 2 * 2 + row] >> 16)})};
    float im[2] = {cvt_f32(ELEMENT{u16(a.im[c / 2 * 2 + row])}), cvt_f32(ELEMENT{u16(a.im[c / 2 * 2 + row] >> 16)})};
    return {re[c % 2], im[c % 2]};
}

// Four numbers of a column: two rows of a product's, real and imaginary.
struct Products { float at[4]; };

DEVICE void add(Products& a, const Products& b) {
#pragma unroll
    for (int i = 0; i < 4; i++) a.at[i] += b.at[i];
}
DEVICE Products from_lane_xor(const Products& a, int mask) {
    Products b;
#pragma unroll
    for (int i = 0; i < 4; i++) b.at[i] = __shfl_xor_sync(~0u, a.at[i], mask);
    return b;
}

// Sums over lanes that differ by MASK: of several columns the lane whose bit is 0 keeps the first half, the other the second.
template <int COLUMNS, int MASK> DEVICE void share(Products (&v)[4], u32 lane) {
    if (COLUMNS == 1) add(v[0], from_lane_xor(v[0], MASK));
#pragma unroll
    for (int c = 0; c < COLUMNS / 2; c++) {
        Products low = v[c], high = v[c + COLUMNS / 2];
        v[c] = lane & MASK ? high : low;
        add(v[c], from_lane_xor(lane & MASK ? low : high, MASK));
    }
}

// The pairs that stand side by side, added up; KEPT columns are left.
DEVICE void add_pairs(Products (&v)[4], u32 lane) {
    if (N3 < 4) add(v[0], v[2]), add(v[1], v[3]);
    if (N3 < 2) add(v[0], v[1]);
    if (N3 <= 8) share<N3 < 4 ? N3 : 4, 2>(v, lane);
    if (N3 <= 4) share<N3 < 4 ? 1 : 2, 1>(v, lane);
}

// Stage 3 of both signals for ROWS k1, and the products of their bins.
DEVICE void correlate_rows(const u8* planes, u32 k1, const Dft& f, const Vector16* tables, float* sums) {
    u32 lane = own_lane(), here = place_of_rows(k1, lane);
    Vector16 third[RADIX];
    load_third(third, tables, lane);
    Tile d[ROWS][RADIX];
    Operand x[ROWS][RADIX];                              // rounded, as both would fill all registers
    transform_rows(planes, here, f, third, d);
#pragma unroll
    for (int i = 0; i < ROWS * RADIX; i++) x[i / RADIX][i % RADIX] = d[i / RADIX][i % RADIX].rounded();
    transform_rows(planes + 2 * PLANE, here, f, third, d);
    sums += k1 * RADIX * KEPT * 128 + lane * 4;
#pragma unroll
    for (int i = 0; i < ROWS * RADIX; i++) {
        Products v[4];
#pragma unroll
        for (int j = 0; j < 8; j++) {
            Complex z = times(conj(entry_of(x[i / RADIX][i % RADIX], j % 2, j / 2)), d[i / RADIX][i % RADIX].at(j % 2, j / 2));
            v[j / 2].at[j % 2 * 2] = z.re, v[j / 2].at[j % 2 * 2 + 1] = z.im;
        }
        add_pairs(v, lane);
#pragma unroll
        for (int c = 0; c < KEPT; c++) red_global_add(sums + (i * KEPT + c) * 128, v[c].at[0], v[c].at[1], v[c].at[2], v[c].at[3]);
    }
}

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void fftconv_correlate(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* dy, const ELEMENT* post, const Vector16* tables, float* sums, int batch,
                       int heads, int length, int splits) {
    extern __shared__ __align__(128) u8 planes[];
    int half = blockIdx.x % HALVES, split = blockIdx.x / HALVES % splits, head = blockIdx.x / (HALVES * splits);
    sums += ((long long)(head * splits + split) * HALVES + half) * SUMS;
#pragma unroll 1
    for (int first = split * 2 * PAIRS; first < batch; first += splits * 2 * PAIRS) {
        bring_in_signals(planes, own_signals(u, pre, pre, nullptr, first, head, batch, heads, length), tables, half);
        bring_in_signals(planes + 2 * PLANE, own_signals(dy, post, post, nullptr, first, head, batch, heads, length), tables, half);
        __syncthreads();
        transform_strips<false, 2>(planes, tables, 1);
        __syncthreads();
        Dft f = load_dft(tables, SLOTS_TABLE);
#pragma unroll 1
        for (u32 k1 = forgotten(threadIdx.x) / 32 * (16 / WARPS), end = k1 + 16 / WARPS; k1 < end; k1 += ROWS) correlate_rows(planes, k1, f, tables, sums);
        __syncthreads();
    }
}
