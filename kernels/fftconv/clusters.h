// The ways between memory and shared memory of sequences that a cluster's blocks transform together, one residue each.
// Knows which block brings what and where it goes, and nothing of spectra or of what comes between the two ways.
//
// A block brings a portion of every piece, makes all residues' numbers of it and leaves each in the planes of its block; the reverse at
// the end. So each element is read once, by whom its vector suits.
#pragma once
#include "fftconv/signals.h"

constexpr int PORTION = M / RESIDUES;

// The cluster's blocks, or the lone block's threads, meet.
DEVICE void meet() {
    if (RESIDUES == 1) __syncthreads();
    else barrier_cluster_arrive(), barrier_cluster_wait();
}

// Blocks of a cluster meet where nothing has been written or read yet, and spare a fence of the whole device.
DEVICE void count_in() { barrier_cluster_arrive_relaxed(), barrier_cluster_wait(); }

// The DFT of RESIDUES, one number of each piece.
template <bool INVERSE> DEVICE void transform_pieces(Complex (&z)[RESIDUES]) {
    auto butterfly = [&](int a, int b) {
        Complex sum{z[a].re + z[b].re, z[a].im + z[b].im};
        z[b] = {z[a].re - z[b].re, z[a].im - z[b].im}, z[a] = sum;
    };
    if constexpr (RESIDUES == 4) {
        butterfly(0, 2), butterfly(1, 3);
        z[3] = INVERSE ? Complex{-z[3].im, z[3].re} : Complex{z[3].im, -z[3].re};
        butterfly(0, 1), butterfly(2, 3);
        Complex second = z[2];
        z[2] = z[1], z[1] = second;
    }
}

DEVICE float element_of(u32 word, int high) { return cvt_f32(ELEMENT{u16(high ? word >> 16 : word)}); }

// Eight numbers of every piece of both sequences: to those of every residue, or back. Of two pieces sums and differences are rounded once
// as they are; of four they are rounded once in the end.
template <bool INVERSE> DEVICE void transform_vectors(Vector16 (&v)[2][RESIDUES]) {
    static_assert(SHIFTED || RESIDUES == 1, "what residues are multiplied by is in their tables");
    if constexpr (RESIDUES == 2) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            Vector16 low = v[i][0];
            v[i][0] = sum(low, v[i][1]), v[i][1] = difference(low, v[i][1]);
        }
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            Complex z[2][RESIDUES];
#pragma unroll
            for (int e = 0; e < 2; e++) {
#pragma unroll
                for (int j = 0; j < RESIDUES; j++) z[e][j] = {element_of(v[0][j].word[i], e), element_of(v[1][j].word[i], e)};
                transform_pieces<INVERSE>(z[e]);
            }
#pragma unroll
            for (int j = 0; j < RESIDUES; j++) {
                v[0][j].word[i] = cvt_rn_x2<ELEMENT>(z[0][j].re, z[1][j].re);
                v[1][j].word[i] = cvt_rn_x2<ELEMENT>(z[0][j].im, z[1][j].im);
            }
        }
    }
}

// This thread's vectors start at `own` of every piece; `planes` are this block's.
DEVICE void bring_in_pieces(u8* planes, const Signals& s, u32 own) {
    u32 offset = offset_of(own), to[RESIDUES];
#pragma unroll
    for (int j = 0; j < RESIDUES; j++) to[j] = mapa(cvta_shared(planes), j);
#pragma unroll
    for (int step = 0; step < PORTION; step += STEP) {
        Vector16 v[2][RESIDUES];
#pragma unroll
        for (int i = 0; i < 2 * RESIDUES; i++) v[i % 2][i / 2] = load_input(s, i % 2, step + i / 2 * M);
        transform_vectors<false>(v);
#pragma unroll
        for (int i = 0; i < 4 * RESIDUES; i++) {
            const u32* word = v[i % 2][i / 4].word + i / 2 % 2 * 2;
            st_shared_cluster(to[i / 4] + (offset ^ offset_of(step + i / 2 % 2 * 4) ^ i % 2 * PLANE), word[0], word[1]);
        }
    }
}

DEVICE void take_out_pieces(const u8* planes, const Signals& s, u32 own) {
    u32 offset = offset_of(own), from[RESIDUES];
#pragma unroll
    for (int j = 0; j < RESIDUES; j++) from[j] = mapa(cvta_shared(planes), j);
#pragma unroll
    for (int step = 0; step < PORTION; step += STEP) {
        Vector16 v[2][RESIDUES], gates[2][RESIDUES];
#pragma unroll
        for (int i = 0; i < 2 * RESIDUES; i++) gates[i % 2][i / 2] = load_gate(s, i % 2, step + i / 2 * M);
#pragma unroll
        for (int i = 0; i < 4 * RESIDUES; i++) {
            u32* word = v[i % 2][i / 4].word + i / 2 % 2 * 2;
            ld_shared_cluster(from[i / 4] + (offset ^ offset_of(step + i / 2 % 2 * 4) ^ i % 2 * PLANE), word[0], word[1]);
        }
        transform_vectors<true>(v);
#pragma unroll
        for (int i = 0; i < 2 * RESIDUES; i++) store_output(s, i % 2, step + i / 2 * M, v[i % 2][i / 2], gates[i % 2][i / 2]);
    }
}
