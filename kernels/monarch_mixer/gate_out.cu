// m = x2 (conv(z) + bias_z z) + conv(u) + bias_u u by positions, (batch, length, channels), where x2 is the second third of the short
// convolution of projections and signals [z, u] and their convolutions lie by channels, as gate_in.cu leaves them. bias (2, channels) f32.
//
// Mapping: a block turns a tile of 64 x 64 in shared memory, words of two positions on the way in, eight channels on the way out.
// Work: 11 flops over 12 bytes for each channel and position (both convolutions, z, u and a third of the projections in, m out): bound by
// memory.
//
// Launch. block (256), grid (batch ceil(length / 64), ceil(channels / 64)); channels a multiple of 8; no dynamic shared memory.
// Arguments: projected, taps, u (batch, length, channels), signals, convolved, bias, mixed, length, channels. Macros: those of rows.h.
#include "monarch_mixer/rows.h"

// Both positions of a channel of a plane.
DEVICE void halves_of(float (&x)[2], u32 word) {
    x[0] = cvt_f32(ELEMENT{u16(word)});
    x[1] = cvt_f32(ELEMENT{u16(word >> 16)});
}

DEVICE void store_mixed(ELEMENT* at, const Own& own, const Plane (&planes)[3], const float (&x2)[2][8], const float (&u)[2][8],
                        const float* bias, int length, int channels) {
    float of_z[8], of_u[8], m[2][8];
    load_floats(of_z, bias + own.channel);
    load_floats(of_u, bias + channels + own.channel);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        float z[2], conv_z[2], conv_u[2];
        halves_of(conv_z, planes[0][own.row + i][own.word]);
        halves_of(conv_u, planes[1][own.row + i][own.word]);
        halves_of(z, planes[2][own.row + i][own.word]);
        for (int p = 0; p < 2; p++) m[p][i] = x2[p][i] * (conv_z[p] + of_z[i] * z[p]) + conv_u[p] + of_u[i] * u[p][i];
    }
    *reinterpret_cast<Vector16*>(at) = pack<ELEMENT>(m[0]);
    if (own.t + 1 < length) *reinterpret_cast<Vector16*>(at + channels) = pack<ELEMENT>(m[1]);
}

extern "C" __global__ __launch_bounds__(THREADS)
void mixer_gate_out(const ELEMENT* projected, const float* taps, const ELEMENT* u, const ELEMENT* signals, const ELEMENT* convolved,
                    const float* bias, ELEMENT* mixed, int length, int channels) {
    __shared__ Plane planes[3];                          // conv(z), conv(u), z
    Own own(length);
    long long first = (long long)own.item * 2 * channels;
#pragma unroll
    for (int step = 0; step < Line::steps(); step++) {
        Line line(step, length);
        if (line.channel() >= channels) continue;
        long long at = (first + line.channel()) * length + line.first, next = (long long)channels * length;
        const ELEMENT* from[3] = {convolved + at, convolved + at + next, signals + at};
        for (int i = 0; i < 3; i++) {
            Copied* to = reinterpret_cast<Copied*>(planes[i][line.row]);
            line.for_each([&](int at) { to[at] = reinterpret_cast<const Copied*>(from[i])[at]; });
            // The other half of a last word, which nobody's result takes part in.
            if (!PAIRED && line.word == 0 && line.left < POSITIONS) to[line.left] = 0;
        }
    }
    float x2[2][8] = {}, own_u[2][8] = {};
    long long row = (long long)own.item * length + own.t;
    bool there = own.t < length && own.channel < channels;
    if (there) {
        short_pair(x2, projected + row * 3 * channels + channels + own.channel, 3 * channels, taps + (channels + own.channel) * TAPS, own.t, length);
        for (int p = 0; p < 2; p++)
            if (own.t + p < length) unpack<ELEMENT>(ld_global_nc(u + (row + p) * channels + own.channel), own_u[p]);
    }
    __syncthreads();
    if (there) store_mixed(mixed + row * channels + own.channel, own, planes, x2, own_u, bias, length, channels);
}
