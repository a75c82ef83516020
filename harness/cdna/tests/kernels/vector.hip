// Y = X / sqrt(mean(X^2) + eps) * W, a row of 256 a workgroup: sums cross lanes by DPP and waves by LDS.
// And a histogram, whose counts go through LDS atomics.
#include "device.h"

template <int CONTROL, int ROWS = 0xf> DEVICE float shifted(float x) {
    return __builtin_bit_cast(float, __builtin_amdgcn_update_dpp(0, __builtin_bit_cast(int, x), CONTROL, ROWS, 0xf, true));
}

DEVICE float wave_sum(float x) {
    x += shifted<0x111>(x);
    x += shifted<0x112>(x);
    x += shifted<0x114>(x);
    x += shifted<0x118>(x);
    x += shifted<0x142, 0xa>(x);
    x += shifted<0x143, 0xc>(x);
    return __builtin_bit_cast(float, __builtin_amdgcn_readlane(__builtin_bit_cast(int, x), 63));
}

GLOBAL(256) rmsnorm(const __bf16* __restrict__ x, const __bf16* __restrict__ w, float* __restrict__ y, float eps) {
    SHARED float partial[4];
    const unsigned t = thread(), at = block_x() * 256 + t;
    const float value = x[at];
    const float sum = wave_sum(value * value);
    if (t % 64 == 0) partial[t / 64] = sum;
    barrier();
    const float mean = (partial[0] + partial[1] + partial[2] + partial[3]) / 256;
    y[at] = value * __builtin_amdgcn_rsqf(mean + eps) * (float)w[t];
}

GLOBAL(256) histogram(const unsigned* __restrict__ keys, unsigned* __restrict__ counts, int n) {
    SHARED unsigned bins[64];
    const unsigned t = thread();
    if (t < 64) bins[t] = 0;
    barrier();
    for (unsigned i = block_x() * 256 + t; i < (unsigned)n; i += 512)
        __hip_atomic_fetch_add(&bins[keys[i] % 64], 1u, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
    barrier();
    if (t < 64) __hip_atomic_fetch_add(&counts[t], bins[t], __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}
