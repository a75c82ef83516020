// All gradients of a long convolution but for the filter's last step, by heads, on AMD's matrix cores, since gfx942: du = pre dx, dpre = u dx,
// dpost = dy iFFT(FFT(pre u) K), where dx = iFFT(FFT(post dy) conj(K)), and sums over the batch of conj(FFT(pre u)) FFT(post dy); u, dy, gates
// and gradients (B, H, L) in 16 bits. Without gates there is du = dx and the sums.
//
// Mapping: a block goes through every `splits`-th group of pairs of one head (monarch.h), both signals of a group in LDS. They are transformed
// there once, then filtered in place and taken back. A wave has the same strips and rows of every group (gfx942_monarch.hip), so that
// products of bins are added up in its registers, in the order of the batch: results repeat to the bit. A pair's cross terms are not
// there in the real part of the result, which gradient.cu takes.
// Work: 24 N flops a pair and radix of 16 (32 N with gates), over 12 L bytes (28 L).
// LDS: 32 KB up to 4096 points, so that two blocks of four waves fill a unit of gfx942; 64 KB and eight waves at 8192. Sixteen waves for
// more points would have 128 registers each, half of what both signals take.
//
// Launch. block (THREADS), grid (heads * splits), splits at most ceil(batch / (2 PAIRS)); no dynamic shared memory. Arguments: u, pre, dy,
// post (batch, heads, length), pre and post NULL without gates; tables, spectrum and scales as arrange.cu leaves them; sums (heads, splits,
// SUMS) f32, in the order of gradient.cu; du, dpre, dpost (batch, heads, length), the last two NULL without gates; batch, heads, length, splits.
// Macros (default): those of signals.h.
#include "fftconv/monarch.h"

constexpr int WAVES = 4 * RADIX, THREADS = WAVES * WARP_THREADS, CHIPLETS = 8;
#include "fftconv/gfx942_stages.h"
#include "fftconv/signals.h"
static_assert(RADIX <= 2, "both signals of more points are more than registers hold");

constexpr int BOTH = 2 * PLANE;                          // bytes from the planes of dy to those of u

// Sums of products of bins, as the tiles of a wave's rows.
struct Products {
    Tile sums[4];

    DEVICE void add(int i, const Tile& x, const Tile& d) {
        sums[i].re += x.re * d.re + x.im * d.im;
        sums[i].im += x.re * d.im - x.im * d.re;
    }
    // Sums over pairs that stand side by side, whose bins are in lanes and rows of a tile next to each other.
    DEVICE static void add_pairs(Sum4& v) {
#pragma unroll
        for (int lanes = 32; lanes >= 16; lanes /= 2)
            if (N3 <= lanes / 4)
#pragma unroll
                for (int row = 0; row < 4; row++) v[row] += __shfl_xor_sync(~0u, v[row], lanes);
        if (N3 <= 2) v += Sum4{v[2], v[3], v[0], v[1]};
        if (N3 <= 1) v += Sum4{v[1], v[0], v[3], v[2]};
    }
    // `to` is the rows' own.
    DEVICE void store(Complex* to) {
        u32 lane = lane_id();
#pragma unroll
        for (int i = 0; i < 4; i++) {
            add_pairs(sums[i].re), add_pairs(sums[i].im);
            if (lane / 16 >= QUARTERS) continue;
#pragma unroll
            for (int row = 0; row < 4; row++) to[(i * ROW_STEP + lane) * 4 + row] = {sums[i].re[row], sums[i].im[row]};
        }
    }
};

// Stage 3 of both signals for row i of a wave, the products of their bins, and the way back of each that has one.
DEVICE void differentiate_row(u8* planes, u32 here, int i, const RowFactors& factors, Products& products) {
    Tile x[RADIX], d[RADIX];
    transform_row(planes + BOTH, here, factors, x);
    transform_row(planes, here, factors, d);
#pragma unroll
    for (int p = 0; p < RADIX; p++) {
        products.add(i * RADIX + p, x[p], d[p]);
        d[p].multiply<true>(factors.bins[i * RADIX + p]);
        if (GATED) x[p].multiply<false>(factors.bins[i * RADIX + p]);
    }
    return_row(planes, here, factors, factors.back + i * RADIX, d);
    if (GATED) return_row(planes + BOTH, here, factors, factors.back + i * RADIX, x);
}

// Two tiles of each signal at a time: all four would take more registers than two waves of a SIMD have.
DEVICE void differentiate_rows(u8* planes, u32 k1, const RowFactors& factors, Products& products) {
    u32 here = place_in_row(k1);
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
        differentiate_row(planes, here ^ place(i, 0, 0), i, factors, products);
        if ((i + 1) * RADIX % 2 == 0) sched_barrier();
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_gfx942_gradients(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* dy, const ELEMENT* post, const Vector16* tables,
                              const Vector16* spectrum, const float* scales, Complex* sums, ELEMENT* du, ELEMENT* dpre, ELEMENT* dpost, int batch,
                              int heads, int length, int splits) {
    __shared__ Vector16 lds[2 * BOTH / 16];
    u8* planes = reinterpret_cast<u8*>(lds);
    // Blocks of a head go to one die, whose L2 then holds its spectrum.
    int block = tile_by_chiplet(blockIdx.x, gridDim.x, CHIPLETS, splits), head = block / splits;
    u32 wave = warp_index(), k1 = wave * ROWS;
    spectrum += (long long)head * SPECTRUM + k1 * ROW_VECTORS;
    Products products;
    for (int first = block % splits * 2 * PAIRS; first < batch; first += splits * 2 * PAIRS) {
        auto bring = [&](u8* where, const ELEMENT* from, const ELEMENT* gate) {
            bring_in(where, own_signals(from, gate, gate, nullptr, first, head, batch, heads, length, length));
        };
        auto take = [&](const u8* where, const ELEMENT* gate, ELEMENT* to) {
            Signals out = own_signals(gate, gate, gate, to, first, head, batch, heads, length, length);
            Vector16 gates[AT_ONCE];
            load_gates(gates, out, 0);
            take_out(where, out, gates);
        };
        // Asked for anew each time: kept through the loop they would take half of the registers.
        StripFactors of_strip;
        RowFactors of_rows;
        of_strip.load(tables, wave);
        // A thread brings what goes where it took the last group's from.
        bring(planes, dy, post);
        bring(planes + BOTH, u, pre);
        __syncthreads();
        transform_strip<false>(planes, wave, of_strip, 1);
        transform_strip<false>(planes + BOTH, wave, of_strip, 1);
        of_rows.load(tables, spectrum);
        of_rows.load_back(tables, k1);
        __syncthreads();
        differentiate_rows(planes, k1, of_rows, products);
        of_strip.load(tables, wave);
        __syncthreads();
        transform_strip<true>(planes, wave, of_strip, scales[head]);
        if (GATED) transform_strip<true>(planes + BOTH, wave, of_strip, scales[head]);
        __syncthreads();
        take(planes, pre, du);
        if (GATED) {
            take(planes, u, dpre);
            take(planes + BOTH, dy, dpost);
        }
    }
    products.store(sums + (long long)block * (SUMS / 2) + k1 * ROW_VECTORS * 4);
}
