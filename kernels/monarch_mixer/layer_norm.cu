// y = (r - mean(r)) rsqrt(variance(r) + epsilon) gamma + beta, r = a + b, over rows of `channels` elements; statistics in f32, the variance
// about the mean. One side of it is by rows (rows, channels), the other by blocks of channels (4, pitch, channels / 4), as products of
// blocks read and write it, of whose `pitch` rows those from `rows` on are nobody's.
//
// Mapping: a warp has a row in registers, VECTORS vectors of 16 bytes a lane. Work: 8 flops an element over 6 bytes: bound by memory.
//
// Launch. block (256), grid (ceil(rows WARP_THREADS / 256)); channels a multiple of 32 and at most 8 WARP_THREADS VECTORS; no dynamic shared
// memory. Arguments: a, b, gamma, beta (channels) f32, y, rows, channels, pitch, epsilon.
// Macros (default): ELEMENT (Bf16; Fp16), VECTORS (3), BLOCKED_INPUTS (0: y is by blocks; 1: a and b are).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef VECTORS
#define VECTORS 3
#endif
#ifndef BLOCKED_INPUTS
#define BLOCKED_INPUTS 0
#endif

constexpr int THREADS = 256, BLOCKS = 4;

template <bool BLOCKED> DEVICE long long place(int row, int channel, int channels, int pitch) {
    int narrow = channels / BLOCKS;
    if (!BLOCKED) return (long long)row * channels + channel;
    return ((long long)(channel / narrow) * pitch + row) * narrow + channel % narrow;
}

extern "C" __global__ __launch_bounds__(THREADS)
void mixer_layer_norm(const ELEMENT* a, const ELEMENT* b, const float* gamma, const float* beta, ELEMENT* y, int rows, int channels, int pitch,
                      float epsilon) {
    int row = (blockIdx.x * THREADS + threadIdx.x) / WARP_THREADS, lane = threadIdx.x % WARP_THREADS;
    if (row >= rows) return;
    float r[VECTORS][8] = {}, sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        int channel = (i * WARP_THREADS + lane) * 8;
        if (channel >= channels) continue;
        float other[8];
        long long at = place<BLOCKED_INPUTS>(row, channel, channels, pitch);
        unpack<ELEMENT>(*reinterpret_cast<const Vector16*>(a + at), r[i]);
        unpack<ELEMENT>(ld_global_nc(b + at), other);
#pragma unroll
        for (int j = 0; j < 8; j++) sum += r[i][j] += other[j];
    }
    float mean = warp_sum(sum) / channels;
#pragma unroll
    for (int i = 0; i < VECTORS; i++)
#pragma unroll
        for (int j = 0; j < 8; j++) {
            r[i][j] -= mean;
            if ((i * WARP_THREADS + lane) * 8 < channels) squares += r[i][j] * r[i][j];
        }
    float inverse = rsqrt_approx(warp_sum(squares) / channels + epsilon);
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        int channel = (i * WARP_THREADS + lane) * 8;
        if (channel >= channels) continue;
        float scale[8], shift[8];
        load_floats(scale, gamma + channel);
        load_floats(shift, beta + channel);
#pragma unroll
        for (int j = 0; j < 8; j++) r[i][j] = r[i][j] * inverse * scale[j] + shift[j];
        *reinterpret_cast<Vector16*>(y + place<!BLOCKED_INPUTS>(row, channel, channels, pitch)) = pack<ELEMENT>(r[i]);
    }
}
