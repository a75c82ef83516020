// What the test kernels share: attributes and vector types, without any header of a toolkit.
#pragma once

#define GLOBAL(threads) extern "C" __attribute__((global)) __attribute__((amdgpu_flat_work_group_size(threads, threads))) void
#define DEVICE __attribute__((device)) inline __attribute__((always_inline))
#define SHARED __attribute__((shared)) __attribute__((aligned(16)))

typedef __bf16 Bf16x4 __attribute__((ext_vector_type(4)));
typedef __bf16 Bf16x8 __attribute__((ext_vector_type(8)));
typedef short Short4 __attribute__((ext_vector_type(4)));
typedef float Float4 __attribute__((ext_vector_type(4)));

DEVICE unsigned thread() { return __builtin_amdgcn_workitem_id_x(); }
DEVICE unsigned block_x() { return __builtin_amdgcn_workgroup_id_x(); }
DEVICE unsigned block_y() { return __builtin_amdgcn_workgroup_id_y(); }

DEVICE void barrier() {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
    __builtin_amdgcn_s_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

// One 16 x 16 product of depth DEPTH: A row and B column l % 16, both from depth DEPTH / 4 * (l / 16).
#if defined(__gfx950__)
constexpr int DEPTH = 32;
typedef Bf16x8 Fragment;
DEVICE Float4 mfma(Fragment a, Fragment b, Float4 c) { return __builtin_amdgcn_mfma_f32_16x16x32_bf16(a, b, c, 0, 0, 0); }
#else
constexpr int DEPTH = 16;
typedef Bf16x4 Fragment;
DEVICE Float4 mfma(Fragment a, Fragment b, Float4 c) {
    return __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(__builtin_bit_cast(Short4, a), __builtin_bit_cast(Short4, b), c, 0, 0, 0);
}
#endif
constexpr int EACH = DEPTH / 4;
