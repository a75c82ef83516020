// All gradients of a long convolution but for the filter's last step, by heads, on tensor cores by the warp: du = pre dx, dpre = u dx,
// dpost = dy iFFT(FFT(pre u) K), where dx = iFFT(FFT(post dy) conj(K)), and sums over the batch of conj(FFT(pre u)) FFT(post dy); u, dy,
// gates and gradients (B, H, L) in 16 bits. Without gates there is du = dx and the sums.
//
// Mapping: a block goes through every `splits`-th group of pairs of one head (monarch.h), both signals of a group in shared memory. They
// are transformed there once, the products of their bins are added in global memory, where a number is always the same thread's: in
// the order of the batch, so that results repeat to the bit; then they are filtered in place and taken back. A pair's cross terms are not
// there in the real part of the result, which gradient.cu takes. Beyond HELD points a cluster has a block for each residue (clusters.h).
// Work: 24 N flops a pair and radix of 16 (32 N with gates), over 12 L bytes (28 L), and 8 N bytes of sums (fewer where pairs stand side by
// side), which stay in L2.
// Spills: at most 88 bytes a thread, the same where a warp has strips: blocks as many as shared memory holds.
//
// Launch. block (THREADS), grid (heads * splits * RESIDUES), cluster (RESIDUES); dynamic shared memory: 4 * PLANE bytes. Arguments: u, pre,
// dy, post (batch, heads, length), pre and post NULL without gates; tables, spectrum and scales as arrange.cu leaves them; sums (heads,
// splits, RESIDUES, SUMS) f32, in the order of gradient.cu; du, dpre, dpost (batch, heads, length), the last two NULL without gates.
// Macros (default): those of signals.h and stages.h; SHIFTED is 1 where there are residues, and GATED 0 where SCALED_ROWS is 1.
#include "fftconv/monarch.h"

constexpr int WARPS = RADIX == 1 ? 2 : 4, THREADS = 32 * WARPS;
constexpr int BLOCKS = RADIX == 2 ? 3 : N3 < 4 ? 5 : 6;   // shared memory holds three, or six
#include "fftconv/stages.h"
#include "fftconv/clusters.h"
static_assert(RADIX <= 2, "both signals of more points are more than registers hold");

constexpr int BOTH = 2 * PLANE;                          // bytes from the planes of dy to those of u

DEVICE Complex entry_of(const Operand& a, int row, int c) {
    float re[2] = {cvt_f32(ELEMENT{u16(a.re[c / 2 * 2 + row])}), cvt_f32(ELEMENT{u16(a.re[c / 2 * 2 + row] >> 16)})};
    float im[2] = {cvt_f32(ELEMENT{u16(a.im[c / 2 * 2 + row])}), cvt_f32(ELEMENT{u16(a.im[c / 2 * 2 + row] >> 16)})};
    return {re[c % 2], im[c % 2]};
}

// Four numbers of a column: two rows of a product's, real and imaginary.
struct alignas(16) Products { float at[4]; };

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

// Products of a row's bins, rounded x and d. A block's first ones are stored, those of later groups are added.
DEVICE void add_products(const Operand (&x)[ROWS][RADIX], const Tile (&d)[ROWS][RADIX], float* sums, u32 lane, bool is_first) {
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
        for (int c = 0; c < KEPT; c++) {
            float* to = sums + (i * KEPT + c) * 128 + lane * 4;
            if (is_first) *reinterpret_cast<Products*>(to) = v[c];
            else red_global_add(to, v[c].at[0], v[c].at[1], v[c].at[2], v[c].at[3]);
        }
    }
}

// Stage 3 of both signals for ROWS k1, the products of their bins, and the way back of each that has one. `bins`, `of_rows`, `scales`
// and `sums` are the rows' own.
DEVICE void differentiate_rows(u8* planes, u32 k1, const Dft& f, const Vector16* bins, const Vector16* of_rows, const Vector16* tables, const float* scales,
                               float* sums, bool is_first) {
    u32 lane = own_lane(), here = place_of_rows(k1, lane);
    bins += seen_by(lane);
    Matrices matrices(f, tables, of_rows, lane);
    Vector16 own_bins[ROWS * RADIX * 2];
    if (GATED) load_bins(own_bins, bins);
    Tile d[ROWS][RADIX];
    Operand x[ROWS][RADIX];                              // rounded, as both would fill all registers
    transform_rows(planes + BOTH, here, matrices, d);
#pragma unroll
    for (int i = 0; i < ROWS * RADIX; i++) x[i / RADIX][i % RADIX] = d[i / RADIX][i % RADIX].rounded();
    if (GATED) {
        filter_rows<false>(d, own_bins);
        return_rows(planes + BOTH, here, matrices, d);
    }
    load_bins(own_bins, bins);
    transform_rows(planes, here, matrices, d);
    add_products(x, d, sums, lane, is_first);
    filter_rows<true>(d, own_bins);
#pragma unroll
    for (int i = 0; i < ROWS * RADIX; i++)
        if (SCALED_ROWS) d[i / RADIX][i % RADIX].multiply(scales[i / RADIX]);
    return_rows(planes, here, matrices, d);
}

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void fftconv_gradients(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* dy, const ELEMENT* post, const Vector16* tables, const Vector16* spectrum,
                       const float* scales, float* sums, ELEMENT* du, ELEMENT* dpre, ELEMENT* dpost, int batch, int heads, int length, int splits) {
    extern __shared__ __align__(128) u8 planes[];
    int residue = blockIdx.x % RESIDUES, split = blockIdx.x / RESIDUES % splits, head = blockIdx.x / (RESIDUES * splits);
    sums += ((long long)(head * splits + split) * RESIDUES + residue) * SUMS;
    spectrum += ((long long)head * RESIDUES + residue) * 16 * ROW_VECTORS;
    scales += SCALED_ROWS ? (head * RESIDUES + residue) * 16 : head;
    u32 portion = RESIDUES == 1 ? 0 : residue * PORTION;
    const Vector16* own_tables = of_residue(tables, residue);
    if (RESIDUES > 1) count_in();                        // a block must have started before others write to its planes
#pragma unroll 1
    for (int first = split * 2 * PAIRS; first < batch; first += splits * 2 * PAIRS) {
        auto signals = [&](const ELEMENT* from, const ELEMENT* gate_in, const ELEMENT* gate_out, ELEMENT* to) {
            return own_signals(from, gate_in, gate_out, to, first, head, batch, heads, length, length, portion);
        };
        auto bring = [&](u8* where, const ELEMENT* from, const ELEMENT* gate) {
            if (RESIDUES == 1) bring_in(where, signals(from, gate, gate, nullptr));
            else bring_in_pieces(where, signals(from, gate, gate, nullptr), portion + forgotten(threadIdx.x) * 8);
        };
        auto take = [&](const u8* where, const ELEMENT* gate, ELEMENT* to) {
            if (RESIDUES == 1) {
                Signals out = signals(gate, gate, gate, to);
                Vector16 gates[AT_ONCE];
                load_gates(gates, out, 0);
                take_out(where, out, gates);
            } else take_out_pieces(where, signals(gate, gate, gate, to), portion + forgotten(threadIdx.x) * 8);
        };
        bring(planes, dy, post);
        bring(planes + BOTH, u, pre);
        meet();
        transform_strips<false, 2>(planes, tables, 1, residue);
        __syncthreads();
        Dft f = load_dft(own_tables + SLOTS_TABLE + own_lane());
#pragma unroll 1
        for (u32 k1 = forgotten(threadIdx.x) / 32 * (16 / WARPS), end = k1 + 16 / WARPS; k1 < end; k1 += ROWS)
            differentiate_rows(planes, k1, f, spectrum + k1 * ROW_VECTORS, own_tables + ROW_TABLE + k1 * OF_ROW, own_tables, scales + k1, sums + k1 * RADIX * KEPT * 128, first < splits * 2 * PAIRS);
        __syncthreads();
        transform_strips<true, GATED ? 2 : 1>(planes, tables, SCALED_ROWS ? 1 : *scales, residue);
        meet();
        take(planes, pre, du);
        if (GATED) {
            take(planes, u, dpre);
            take(planes + BOTH, dy, dpost);
        }
        meet();
    }
}
