// g = gelu(a) b by rows, where a and b are the halves of a row of `widened` (rows, 2 width) and g is (rows, width); gelu(x) = x Phi(x).
//
// Mapping: a thread has eight elements. Work: some 20 flops an element over 6 bytes: bound by memory.
// Phi is a polynomial times an exponential, within 1.5e-7 (M. Abramowitz and I. Stegun, 7.1.26).
//
// Launch. block (256), grid (ceil(rows width / 2048)); width a multiple of 8, rows width / 8 below 2^31. Arguments: widened, gated, rows, width.
// Macros (default): ELEMENT (Bf16; Fp16).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif

constexpr int THREADS = 256;

// With the highest coefficient taken out, no step has two constants, of which AMD's packed products take one.
DEVICE float gelu(float x) {
    float size = fabsf(x) * 0.70710678f, t = rcp_approx(1 + 0.3275911f * size);
    float polynomial = (((t - 1.36908290f) * t + 1.33918077f) * t - 0.26803776f) * t + 0.24008695f;
    float half = 0.53070271f * (polynomial * t) * ex2_approx(-1.44269504f * size * size);
    return x * (x < 0 ? half : 1 - half);
}

extern "C" __global__ __launch_bounds__(THREADS)
void mixer_glu(const ELEMENT* widened, ELEMENT* gated, int rows, int width) {
    int vectors = width / 8, index = blockIdx.x * THREADS + threadIdx.x;
    int row = index / vectors, column = index % vectors * 8;
    if (row >= rows) return;
    const ELEMENT* from = widened + (long long)row * 2 * width + column;
    float a[8], b[8];
    unpack<ELEMENT>(ld_global_nc(from), a);
    unpack<ELEMENT>(ld_global_nc(from + width), b);
#pragma unroll
    for (int i = 0; i < 8; i++) a[i] = gelu(a[i]) * b[i];
    *reinterpret_cast<Vector16*>(gated + (long long)row * width + column) = pack<ELEMENT>(a);
}
