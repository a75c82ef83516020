// How a consumer warpgroup of sm90_wgmma.cu stores its sums: scaled, rounded, and through panels of shared memory; at once, at the end
// of a block through spent stages, or put off. Knows no product and no order of tiles.
#pragma once
#include "gemm/sm90_tile.h"

struct Scales {
    const float *a, *b;
    float both;                                          // the product of the two where each serves a whole matrix

    DEVICE Scales(const float* scale_a, const float* scale_b) : a(scale_a), b(scale_b), both(SCALES == 1 ? scale_a[0] * scale_b[0] : 1) {}
};

// A thread's accumulator i stands in row 16 warp + lane / 4 + 8 (i / 2 % 2), column 8 (i / 4) + 2 (lane % 4) + i % 2.
DEVICE void scale_sums(float (&sums)[SUMS], Scales scales, Shape s, int row, int column) {
    if constexpr (SCALES == 1) {
#pragma unroll
        for (int i = 0; i < SUMS; i++) sums[i] *= scales.both;
    }
    if constexpr (SCALES == 2) {
        float upper = row < s.m ? scales.a[row] : 0, lower = row + 8 < s.m ? scales.a[row + 8] : 0;
#pragma unroll
        for (int i = 0; i < SUMS; i += 4) {
            int c = column + 2 * i;
            float left = c < s.n ? scales.b[c] : 0, right = c + 1 < s.n ? scales.b[c + 1] : 0;
            sums[i] *= upper * left, sums[i + 1] *= upper * right;
            sums[i + 2] *= lower * left, sums[i + 3] *= lower * right;
        }
    }
}

// gelu(x) = x Phi(x), Phi the distribution of a normal number by a polynomial times an exponential, within 1.5e-7 (M. Abramowitz and I.
// Stegun, Handbook of Mathematical Functions, 7.1.26).
DEVICE float gelu(float x) {
    float t = rcp_approx(1 + 0.23164189f * fabsf(x));
    float half = ((((0.53070271f * t - 0.72657601f) * t + 0.71070687f) * t - 0.14224837f) * t + 0.12741480f) * t * ex2_approx(-0.72134752f * x * x);
    return x * (x < 0 ? half : 1 - half);
}

// The first half of a tile's columns becomes the product of its gelu and the second.
DEVICE void gate_sums(float (&sums)[SUMS]) {
#pragma unroll
    for (int i = 0; i < KEPT; i++) sums[i] = gelu(sums[i]) * sums[i + SUMS / 2];
}

// Writes a warp's 16 rows of a swizzled panel of C to global memory at any pitch.
DEVICE void store_panel_rows(u32 panel, const unsigned char* generic, OUTPUT* c, long long pitch, Shape s, int row, int column, u32 first) {
    u32 lane = threadIdx.x % 32;
    for (u32 r = first; r < first + 16; r++) {
        if (row + int(r) >= s.m) return;
        for (u32 x = lane; x < 64; x += 32) {
            u32 byte = r * 128 + ((2 * x) ^ ((r & 7) << 4));
            if (column + int(x) < s.n) c[(row + int(r)) * pitch + column + x] = *reinterpret_cast<const OUTPUT*>(generic + panel + byte);
        }
    }
}

// First column of a panel in the tile. The last panel begins early where the tile's width is no multiple, and stores columns twice.
DEVICE constexpr int panel_column(int panel) { return panel * 64 < WIDTH - 64 ? panel * 64 : WIDTH - 64; }

// A thread's part of a 64 x 64 panel, pairs of columns as accumulators stand, into swizzled shared memory; fence_proxy_async must follow.
DEVICE void write_panel(u32 panel, const u32 (&pairs)[16], u32 thread) {
    u32 lane = thread % 32, warp = thread / 32;
    u32 row_byte = (warp * 16 + lane % 16) * 128, column_byte = lane / 16 * 16, swizzle = (lane & 7) << 4;
#pragma unroll
    for (int i = 0; i < 4; i++)
        stmatrix_x4(panel + row_byte + ((i * 32 + column_byte) ^ swizzle), pairs[4 * i], pairs[4 * i + 1], pairs[4 * i + 2], pairs[4 * i + 3]);
}

DEVICE void store_panel(const TensorMap& c_map, Shape s, int row, int column, u32 panel) {
    if (row < s.m && column < s.n) cp_async_bulk_tensor_2d_store(c_map, column, row, panel);
    cp_async_bulk_commit_group();
}

DEVICE void round_panel(u32 (&pairs)[16], const float* sums) {
#pragma unroll
    for (int i = 0; i < 16; i++) pairs[i] = cvt_rn_x2<OUTPUT>(sums[2 * i], sums[2 * i + 1]);
}

// Rounds 64 rows of sums and stores them, 64 columns at a time, through the warpgroup's panels in turn from panel `used` on.
DEVICE void store_sums(const float (&sums)[SUMS], const TensorMap& c_map, Shared shared, const unsigned char* generic, OUTPUT* c,
                       long long pitch, Shape s, int row, int column, u32 consumer, u32 thread, int used) {
#pragma unroll
    for (int p = 0; p < PANELS; p++) {
        u32 panel = shared.c(consumer, (used + p) % C_PANELS);
        u32 pairs[16];
        if (C_TMA && thread == 0) cp_async_bulk_wait_group_read<C_PANELS - 1>();
        bar_sync(1 + consumer, 128);
        round_panel(pairs, sums + panel_column(p) / 2);
        write_panel(panel, pairs, thread);
        fence_proxy_async();
        bar_sync(1 + consumer, 128);
        if constexpr (C_TMA) {
            if (thread == 0) store_panel(c_map, s, row, column + panel_column(p), panel);
        } else store_panel_rows(panel - shared.base, generic, c, pitch, s, row, column + panel_column(p), thread / 32 * 16);
    }
}

// Stores what every thread has written into spent stages.
DEVICE void store_spent(const TensorMap& c_map, Shared shared, Shape s, int row, int column, u32 consumer, u32 block, u32 thread) {
    fence_proxy_async();
    bar_sync(1 + consumer, 128);
    if (thread == 0) {
#pragma unroll
        for (int p = 0; p < PANELS; p++) store_panel(c_map, s, row, column + panel_column(p), shared.spent(consumer, block, p));
    }
}

// Rounds and stores 64 rows of a block's last tile; the warpgroup meets once, not twice a panel.
DEVICE void store_last_sums(const float (&sums)[SUMS], const TensorMap& c_map, Shared shared, Shape s, int row, int column, u32 consumer,
                            u32 block, u32 thread) {
#pragma unroll
    for (int p = 0; p < PANELS; p++) {
        u32 pairs[16];
        round_panel(pairs, sums + panel_column(p) / 2);
        write_panel(shared.spent(consumer, block, p), pairs, thread);
    }
    store_spent(c_map, shared, s, row, column, consumer, block, thread);
}

// 64 rows of a tile that are rounded and not yet stored.
struct Deferred {
    u32 pairs[PANELS][16] = {};
    int row, column = 0;

    DEVICE explicit Deferred(Shape s) : row(s.m) {}      // outside of C: nothing to store

    DEVICE void hold(const float (&sums)[SUMS], int at_row, int at_column) {
#pragma unroll
        for (int p = 0; p < PANELS; p++) round_panel(pairs[p], sums + panel_column(p) / 2);
        row = at_row, column = at_column;
    }

    // Stores 64 columns. Before the warpgroup meets here, its first thread awaits the store that used the next panel, so that
    // meeting once tells both that this panel is written and that the next may be.
    DEVICE void store(int p, const TensorMap& c_map, Shared shared, Shape s, u32 consumer, u32 thread) const {
        u32 panel = shared.c(consumer, p % C_PANELS);
        write_panel(panel, pairs[p], thread);
        fence_proxy_async();
        if (thread == 0) cp_async_bulk_wait_group_read<C_PANELS - 2>();
        bar_sync(1 + consumer, 128);
        if (thread == 0) store_panel(c_map, s, row, column + panel_column(p), panel);
    }

    DEVICE void store_last(const TensorMap& c_map, Shared shared, Shape s, u32 consumer, u32 thread) const {
#pragma unroll
        for (int p = 0; p < PANELS; p++) write_panel(shared.spent(consumer, 0, p), pairs[p], thread);
        store_spent(c_map, shared, s, row, column, consumer, 0, thread);
    }
};
