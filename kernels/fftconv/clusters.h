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

// The DFT of RESIDUES, one number of each piece.
template <bool INVERSE> DEVICE void transform_pieces(Complex (&z)[RESIDUES]) {
    auto butterfly = [&](int a, int b) {
        Complex sum{z[a].re + z[b].re, z[a].im + z[b].im};
        z[b] = {z[a].re - z[b].re, z[a].im - z[b].im}, z[a] = sum;
    };
    if constexpr (RESIDUES == 2) butterfly(0, 1);
    if constexpr (RESIDUES == 4) {
        butterfly(0, 2), butterfly(1, 3);
        z[3] = INVERSE ? Complex{-z[3].im, z[3].re} : Complex{z[3].im, -z[3].re};
        butterfly(0, 1), butterfly(2, 3);
        Complex second = z[2];
        z[2] = z[1], z[1] = second;
    }
}

DEVICE float element_of(u32 word, int high) { return cvt_f32(ELEMENT{u16(high ? word >> 16 : word)}); }

// Eight numbers of every piece of both sequences: to those of every residue, or back. `roots` are those of their first.
template <bool INVERSE> DEVICE void transform_vectors(Vector16 (&v)[2][RESIDUES], const Vector16* roots) {
    Vector16 own[RESIDUES][2];
#pragma unroll
    for (int i = 2; i < 2 * RESIDUES; i++) own[i / 2][i % 2] = roots[(i / 2 - 1) * (M / 4) + i % 2];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        Complex z[2][RESIDUES];
#pragma unroll
        for (int e = 0; e < 2; e++) {
            auto turn = [&] {
#pragma unroll
                for (int j = 1; j < RESIDUES; j++) {
                    Complex w = halves(own[j][i / 2].word[i % 2 * 2 + e]);
                    z[e][j] = times(z[e][j], INVERSE ? conj(w) : w);
                }
            };
#pragma unroll
            for (int j = 0; j < RESIDUES; j++) z[e][j] = {element_of(v[0][j].word[i], e), element_of(v[1][j].word[i], e)};
            if (INVERSE) turn();
            transform_pieces<INVERSE>(z[e]);
            if (!INVERSE) turn();
        }
#pragma unroll
        for (int j = 0; j < RESIDUES; j++) {
            v[0][j].word[i] = cvt_rn_x2<ELEMENT>(z[0][j].re, z[1][j].re);
            v[1][j].word[i] = cvt_rn_x2<ELEMENT>(z[0][j].im, z[1][j].im);
        }
    }
}

// This thread's vectors start at `own` of every piece; `planes` are this block's.
DEVICE void bring_in_pieces(u8* planes, const Signals& s, const Vector16* tables, u32 own) {
    u32 offset = offset_of(own), to[RESIDUES];
#pragma unroll
    for (int j = 0; j < RESIDUES; j++) to[j] = mapa(cvta_shared(planes), j);
#pragma unroll
    for (int step = 0; step < PORTION; step += STEP) {
        Vector16 v[2][RESIDUES];
#pragma unroll
        for (int i = 0; i < 2 * RESIDUES; i++) v[i % 2][i / 2] = load_input(s, i % 2, step + i / 2 * M);
        transform_vectors<false>(v, tables + PIECE_TABLE + (own + step) / 4);
#pragma unroll
        for (int i = 0; i < 4 * RESIDUES; i++) {
            const u32* word = v[i % 2][i / 4].word + i / 2 % 2 * 2;
            st_shared_cluster(to[i / 4] + (offset ^ offset_of(step + i / 2 % 2 * 4) ^ i % 2 * PLANE), word[0], word[1]);
        }
    }
}

DEVICE void take_out_pieces(const u8* planes, const Signals& s, const Vector16* tables, u32 own) {
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
        transform_vectors<true>(v, tables + PIECE_TABLE + (own + step) / 4);
#pragma unroll
        for (int i = 0; i < 2 * RESIDUES; i++) store_output(s, i % 2, step + i / 2 * M, v[i % 2][i / 2], gates[i % 2][i / 2]);
    }
}
