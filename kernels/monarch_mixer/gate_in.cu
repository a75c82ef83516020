// z = x1 v and u by channels: signals (batch, 2 channels, length), z first, where [x1, x2, v] is the short convolution of projections
// (batch, length, 3 channels) and u is (batch, length, channels). short (3 channels, 3) f32, the last tap at the position itself.
//
// Mapping: a block turns a tile of 64 x 64 in shared memory; a thread reads 16 bytes of eight channels at a time and writes two positions.
// Work: 13 flops over 10 bytes for each channel and position (2 of 3 projections and u in, z and u out): bound by memory.
//
// Launch. block (256), grid (batch ceil(length / 64), ceil(channels / 64)); channels a multiple of 8; no dynamic shared memory.
// Arguments: projected, taps, u, signals, length, channels. Macros: those of rows.h.
#include "monarch_mixer/rows.h"

DEVICE u32 low_halves(u32 a, u32 b) { return (a & 0xffff) | b << 16; }
DEVICE u32 high_halves(u32 a, u32 b) { return a >> 16 | (b & 0xffff0000); }

extern "C" __global__ __launch_bounds__(THREADS)
void mixer_gate_in(const ELEMENT* projected, const float* taps, const ELEMENT* u, ELEMENT* signals, int length, int channels) {
    __shared__ Plane planes[2];                          // z, u
    Own own(length);
    if (own.t < length && own.channel < channels) {
        long long row = (long long)own.item * length + own.t;
        const ELEMENT* at = projected + row * 3 * channels + own.channel;
        float x1[2][8], v[2][8];
        short_pair(x1, at, 3 * channels, taps + own.channel * TAPS, own.t, length);
        short_pair(v, at + 2 * channels, 3 * channels, taps + (2 * channels + own.channel) * TAPS, own.t, length);
        const ELEMENT* u_at = u + row * channels + own.channel;
        Vector16 first = ld_global_nc(u_at), second = {};
        if (own.t + 1 < length) second = ld_global_nc(u_at + channels);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            planes[0][own.row + i][own.word] = cvt_rn_x2<ELEMENT>(x1[0][i] * v[0][i], x1[1][i] * v[1][i]);
            u32 a = first.word[i / 2], b = second.word[i / 2];
            planes[1][own.row + i][own.word] = i % 2 ? high_halves(a, b) : low_halves(a, b);
        }
    }
    __syncthreads();
#pragma unroll
    for (int step = 0; step < Line::steps(); step++) {
        Line line(step, length);
        if (line.channel() >= channels) continue;
        for (int which = 0; which < 2; which++) {
            long long row = ((long long)own.item * 2 + which) * channels + line.channel();
            const Copied* from = reinterpret_cast<const Copied*>(planes[which][line.row]);
            Copied* to = reinterpret_cast<Copied*>(signals + row * length + line.first);
            line.for_each([&](int at) { to[at] = from[at]; });
        }
    }
}
