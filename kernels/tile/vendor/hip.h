// AMD's side of the tile vocabulary, for gfx942 (CDNA3) and gfx950 (CDNA4): number formats, and one function an instruction, named after it.
// Knows no kernel, no tile shape and no toolkit header, so that any clang with AMD's backend compiles it. What both vendors have goes by
// the name it has in cuda.h. Lane layouts are those of AMD's matrix instruction calculator and of its CDNA3 and CDNA4 ISA manuals.
#pragma once

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __align__(bytes) __attribute__((aligned(bytes)))
// A structure passed to a kernel lies in constant memory anyway.
#define __grid_constant__
// How many blocks a unit should hold is left to the compiler.
#define __launch_bounds__(threads, ...) __attribute__((amdgpu_flat_work_group_size(threads, threads)))
#define DEVICE __device__ inline __attribute__((always_inline))

// Threads that execute together: a wave.
constexpr int WARP_THREADS = 64;

// The grid, in the words that CUDA has for it.

struct ThreadIndex {
    struct { DEVICE operator u32() const { return __builtin_amdgcn_workitem_id_x(); } } x;
    struct { DEVICE operator u32() const { return __builtin_amdgcn_workitem_id_y(); } } y;
};
struct BlockIndex {
    struct { DEVICE operator u32() const { return __builtin_amdgcn_workgroup_id_x(); } } x;
    struct { DEVICE operator u32() const { return __builtin_amdgcn_workgroup_id_y(); } } y;
};
// The kernel's hidden arguments begin with the numbers of blocks.
using GridExtent = const __attribute__((address_space(4))) u32*;
struct GridExtents {
    struct { DEVICE operator u32() const { return GridExtent(__builtin_amdgcn_implicitarg_ptr())[0]; } } x;
    struct { DEVICE operator u32() const { return GridExtent(__builtin_amdgcn_implicitarg_ptr())[1]; } } y;
};
static constexpr __device__ ThreadIndex threadIdx{};
static constexpr __device__ BlockIndex blockIdx{};
static constexpr __device__ GridExtents gridDim{};

DEVICE void __syncthreads() {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
    __builtin_amdgcn_s_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

// The compiler moves no instruction across this point.
DEVICE void sched_barrier() { __builtin_amdgcn_sched_barrier(0); }

DEVICE u32 lane_id() { return __builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0)); }

// This wave's number in its block, which the compiler then knows to be the same in all lanes.
DEVICE int warp_index() { return __builtin_amdgcn_readfirstlane(threadIdx.x / WARP_THREADS); }

DEVICE float ds_bpermute(u32 lane, float x) {
    return __builtin_bit_cast(float, __builtin_amdgcn_ds_bpermute(lane * 4, __builtin_bit_cast(int, x)));
}

DEVICE float __shfl_xor_sync(u32, float x, int lanes) { return ds_bpermute(lane_id() ^ lanes, x); }

DEVICE bool __any_sync(u32, bool x) { return __builtin_amdgcn_ballot_w64(x) != 0; }

// Ordinary functions by the names that CUDA has for them.
DEVICE float fabsf(float x) { return __builtin_fabsf(x); }
DEVICE float fmaxf(float x, float y) { return __builtin_fmaxf(x, y); }
DEVICE u32 __float_as_uint(float x) { return __builtin_bit_cast(u32, x); }
DEVICE float __uint_as_float(u32 x) { return __builtin_bit_cast(float, x); }
// Of half turns, as v_sin_f32 and v_cos_f32 take whole ones; to 2^-20.
DEVICE void sincospif(float x, float* sine, float* cosine) {
    *sine = __builtin_amdgcn_sinf(x / 2), *cosine = __builtin_amdgcn_cosf(x / 2);
}

// No kernel starts before the one before it has ended.
DEVICE void griddepcontrol_wait() {}
DEVICE void griddepcontrol_launch_dependents() {}

// Nor does memory come to L2 before it is read.
DEVICE void prefetch_l2(const void*) {}

// A number, or an address, by a way that the compiler does not see through: it computes what depends on it again.
DEVICE u32 forgotten(u32 x) {
    asm volatile("" : "+v"(x));
    return x;
}
template <class T> DEVICE T* settled(T* x) { return x; }

DEVICE u32 __funnelshift_r(u32 low, u32 high, u32 bits) { return __builtin_amdgcn_alignbit(high, low, bits); }

// Number formats.

struct Bf16 { u16 bits; };
struct Fp16 { u16 bits; };
struct E4m3 { u8 bits; };

struct alignas(16) Vector16 { u32 word[4]; };

template <class T, int N> struct VectorOf { typedef T Type __attribute__((ext_vector_type(N))); };
template <class T, int N> using Vector = typename VectorOf<T, N>::Type;

DEVICE float cvt_f32(float x) { return x; }
DEVICE float cvt_f32(Bf16 x) { return __builtin_bit_cast(float, u32(x.bits) << 16); }
DEVICE float cvt_f32(Fp16 x) { return __builtin_bit_cast(_Float16, x.bits); }

#if defined(__gfx942__)
// gfx942 reads e4m3 in the form FNUZ, whose bias is one more, so that the same bits mean half as much; 0x80 is its only NaN, and there
// is no negative zero. Maps four elements of OCP's form to the bits of half their value.
constexpr float E4M3_SCALE = 2;
DEVICE u32 e4m3_operand(u32 four) {
    u32 magnitude = four & 0x7F7F7F7F;
    u32 nonzero = (magnitude + 0x7F7F7F7F) & 0x80808080;
    u32 nan = (magnitude + 0x01010101) & 0x80808080;
    return (magnitude & ~(nan - (nan >> 7))) | (four & nonzero) | nan;
}
#else
constexpr float E4M3_SCALE = 1;
DEVICE u32 e4m3_operand(u32 four) { return four; }
#endif

DEVICE float cvt_f32(E4m3 x) { return E4M3_SCALE * __builtin_amdgcn_cvt_f32_fp8(e4m3_operand(x.bits), 0); }

DEVICE void cvt_rn(float x, float& out) { out = x; }
DEVICE void cvt_rn(float x, Bf16& out) { out.bits = __builtin_bit_cast(u16, __bf16(x)); }
DEVICE void cvt_rn(float x, Fp16& out) { out.bits = __builtin_bit_cast(u16, _Float16(x)); }

// `low` lands in bits 0-15.
template <class T> DEVICE u32 cvt_rn_x2(float low, float high);
template <> DEVICE u32 cvt_rn_x2<Bf16>(float low, float high) {
    return __builtin_bit_cast(u32, __builtin_convertvector((Vector<float, 2>{low, high}), Vector<__bf16, 2>));
}
template <> DEVICE u32 cvt_rn_x2<Fp16>(float low, float high) {
    return __builtin_bit_cast(u32, __builtin_convertvector((Vector<float, 2>{low, high}), Vector<_Float16, 2>));
}

// a * b, halves by themselves; a product of two bf16 is exact before it is rounded.
template <class T> DEVICE u32 mul_rn_x2(u32 a, u32 b);
template <> DEVICE u32 mul_rn_x2<Bf16>(u32 a, u32 b) {
    return cvt_rn_x2<Bf16>(cvt_f32(Bf16{u16(a)}) * cvt_f32(Bf16{u16(b)}), cvt_f32(Bf16{u16(a >> 16)}) * cvt_f32(Bf16{u16(b >> 16)}));
}
template <> DEVICE u32 mul_rn_x2<Fp16>(u32 a, u32 b) {
    return __builtin_bit_cast(u32, __builtin_bit_cast(Vector<_Float16, 2>, a) * __builtin_bit_cast(Vector<_Float16, 2>, b));
}

// a * b + c, halves by themselves; of bf16 the sum is rounded to f32 first.
template <class T> DEVICE u32 fma_rn_x2(u32 a, u32 b, u32 c);
template <> DEVICE u32 fma_rn_x2<Bf16>(u32 a, u32 b, u32 c) {
    float low = __builtin_fmaf(cvt_f32(Bf16{u16(a)}), cvt_f32(Bf16{u16(b)}), cvt_f32(Bf16{u16(c)}));
    return cvt_rn_x2<Bf16>(low, __builtin_fmaf(cvt_f32(Bf16{u16(a >> 16)}), cvt_f32(Bf16{u16(b >> 16)}), cvt_f32(Bf16{u16(c >> 16)})));
}
template <> DEVICE u32 fma_rn_x2<Fp16>(u32 a, u32 b, u32 c) {
    using Halves = Vector<_Float16, 2>;
    return __builtin_bit_cast(u32, __builtin_elementwise_fma(__builtin_bit_cast(Halves, a), __builtin_bit_cast(Halves, b), __builtin_bit_cast(Halves, c)));
}

// Of cvt_rn_x2 for numbers that are no NaN, ties away from zero: on gfx942 three instructions in place of eleven.
template <class T> DEVICE u32 cvt_x2(float low, float high) { return cvt_rn_x2<T>(low, high); }
#if defined(__gfx942__)
template <> DEVICE u32 cvt_x2<Bf16>(float low, float high) {
    return __builtin_amdgcn_perm(__builtin_bit_cast(u32, high) + 0x8000, __builtin_bit_cast(u32, low) + 0x8000, 0x07060302);
}
#endif

DEVICE float rsqrt_approx(float x) { return __builtin_amdgcn_rsqf(x); }
DEVICE float ex2_approx(float x) { return __builtin_amdgcn_exp2f(x); }
DEVICE float lg2_approx(float x) { return __builtin_amdgcn_logf(x); }
DEVICE float rcp_approx(float x) { return __builtin_amdgcn_rcpf(x); }

// Global memory.

// Streams data that no other block reads.
DEVICE Vector16 ld_global_nc(const void* address) {
    return __builtin_bit_cast(Vector16, __builtin_nontemporal_load(static_cast<const Vector<u32, 4>*>(address)));
}
DEVICE Vector16 ld_global_nc_sector(const void* address) { return ld_global_nc(address); }
// Of what an earlier kernel wrote: none starts before the one before it has ended, so an ordinary load does.
DEVICE Vector16 ld_relaxed_gpu(const Vector16* address) { return ld_global_nc(address); }
DEVICE void ld_relaxed_gpu(const void* address, float& a, float& b) {
    const float* at = static_cast<const float*>(address);
    a = at[0], b = at[1];
}
DEVICE void st_global_cs(void* address, Vector16 v) {
    __builtin_nontemporal_store(__builtin_bit_cast(Vector<u32, 4>, v), static_cast<Vector<u32, 4>*>(address));
}

// Memory through a buffer descriptor, whose bounds the hardware checks: what lies outside reads 0.

using BufferResource = __amdgpu_buffer_rsrc_t;

// An offset outside every buffer that `make_buffer` makes.
constexpr u32 OUTSIDE = 0x80000000;

// `bytes` from `base`, of which an offset can reach the first 2 GiB.
DEVICE BufferResource make_buffer(const void* base, long long bytes) {
    int reachable = bytes < 0 ? 0 : bytes < 0x7FFFFFF0 ? int(bytes) : 0x7FFFFFF0;
    return __builtin_amdgcn_make_buffer_rsrc(const_cast<void*>(base), 0, reachable, 0x00027000);
}
// The same of less than 2 GiB, in fewer registers.
DEVICE BufferResource make_short_buffer(const void* base, int bytes) {
    return __builtin_amdgcn_make_buffer_rsrc(const_cast<void*>(base), 0, bytes < 0 ? 0 : bytes, 0x00027000);
}

DEVICE Vector16 buffer_load_dwordx4(BufferResource buffer, u32 offset) {
    return __builtin_bit_cast(Vector16, __builtin_amdgcn_raw_buffer_load_b128(buffer, offset, 0, 0));
}

// Bytes of the pair (high, low), 4-7 of it in `high`, each chosen by a byte of `selector`.
DEVICE u32 v_perm_b32(u32 high, u32 low, u32 selector) { return __builtin_amdgcn_perm(high, low, selector); }

// Matrices by the wave: d (16, 16) += a (16, K) b (K, 16). Lane l holds row l % 16 of a and column l % 16 of b, of K the elements
// from K / 4 (l / 16) on; and of d column l % 16, rows 4 (l / 16) to 4 (l / 16) + 3.

using Sum4 = Vector<float, 4>;

DEVICE void mfma_f32_16x16x16(Bf16, Sum4& d, Vector<u32, 2> a, Vector<u32, 2> b) {
    d = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(__builtin_bit_cast(Vector<short, 4>, a), __builtin_bit_cast(Vector<short, 4>, b), d, 0, 0, 0);
}
DEVICE void mfma_f32_16x16x16(Fp16, Sum4& d, Vector<u32, 2> a, Vector<u32, 2> b) {
    d = __builtin_amdgcn_mfma_f32_16x16x16f16(__builtin_bit_cast(Vector<_Float16, 4>, a), __builtin_bit_cast(Vector<_Float16, 4>, b), d, 0, 0, 0);
}
#if defined(__gfx950__)
DEVICE void mfma_f32_16x16x32(Bf16, Sum4& d, Vector16 a, Vector16 b) {
    d = __builtin_amdgcn_mfma_f32_16x16x32_bf16(__builtin_bit_cast(Vector<__bf16, 8>, a), __builtin_bit_cast(Vector<__bf16, 8>, b), d, 0, 0, 0);
}
DEVICE void mfma_f32_16x16x32(Fp16, Sum4& d, Vector16 a, Vector16 b) {
    d = __builtin_amdgcn_mfma_f32_16x16x32_f16(__builtin_bit_cast(Vector<_Float16, 8>, a), __builtin_bit_cast(Vector<_Float16, 8>, b), d, 0, 0, 0);
}
// Without scales: K = 128, and lane l holds of it the 16 elements from 16 (l / 16) on and those from 64 + 16 (l / 16) on.
DEVICE void mfma_f32_16x16x128_f8f6f4(E4m3, Sum4& d, Vector16 a0, Vector16 a1, Vector16 b0, Vector16 b1) {
    using Bytes32 = Vector<int, 8>;
    struct alignas(32) Pair { Vector16 low, high; };
    Bytes32 a = __builtin_bit_cast(Bytes32, Pair{a0, a1}), b = __builtin_bit_cast(Bytes32, Pair{b0, b1});
    d = __builtin_amdgcn_mfma_scale_f32_16x16x128_f8f6f4(a, b, d, 0, 0, 0, 0, 0, 0);
}
#endif
// Elements as e4m3_operand leaves them.
DEVICE void mfma_f32_16x16x32(E4m3, Sum4& d, Vector<u32, 2> a, Vector<u32, 2> b) {
    d = __builtin_amdgcn_mfma_f32_16x16x32_fp8_fp8(__builtin_bit_cast(long, a), __builtin_bit_cast(long, b), d, 0, 0, 0);
}

// d (32, 32) += a (32, K) b (K, 32). Lane l holds row l % 32 of a and column l % 32 of b, of K the elements from K / 2 (l / 32) on; and of d
// column l % 32, in register r row 8 (r / 4) + 4 (l / 32) + r % 4.

using Sum16 = Vector<float, 16>;

DEVICE void mfma_f32_32x32x8(Bf16, Sum16& d, Vector<u32, 2> a, Vector<u32, 2> b) {
    d = __builtin_amdgcn_mfma_f32_32x32x8bf16_1k(__builtin_bit_cast(Vector<short, 4>, a), __builtin_bit_cast(Vector<short, 4>, b), d, 0, 0, 0);
}
DEVICE void mfma_f32_32x32x8(Fp16, Sum16& d, Vector<u32, 2> a, Vector<u32, 2> b) {
    d = __builtin_amdgcn_mfma_f32_32x32x8f16(__builtin_bit_cast(Vector<_Float16, 4>, a), __builtin_bit_cast(Vector<_Float16, 4>, b), d, 0, 0, 0);
}
#if defined(__gfx950__)
DEVICE void mfma_f32_32x32x16(Bf16, Sum16& d, Vector16 a, Vector16 b) {
    d = __builtin_amdgcn_mfma_f32_32x32x16_bf16(__builtin_bit_cast(Vector<__bf16, 8>, a), __builtin_bit_cast(Vector<__bf16, 8>, b), d, 0, 0, 0);
}
DEVICE void mfma_f32_32x32x16(Fp16, Sum16& d, Vector16 a, Vector16 b) {
    d = __builtin_amdgcn_mfma_f32_32x32x16_f16(__builtin_bit_cast(Vector<_Float16, 8>, a), __builtin_bit_cast(Vector<_Float16, 8>, b), d, 0, 0, 0);
}
#endif

// LDS by hand: the compiler waits for every copy in flight before a read that it knows of, so these it must not know of.

using LdsPointer = __attribute__((address_space(3))) void*;

DEVICE u32 lds_address(const void* pointer) { return u32(reinterpret_cast<u64>((LdsPointer)const_cast<void*>(pointer))); }

#if defined(__gfx950__)
// Copies 16 bytes a lane to consecutive vectors of LDS from `lds` on, which is the same in all lanes; counted by vmcnt.
DEVICE void buffer_load_dwordx4_lds(u32 lds, BufferResource buffer, u32 offset, u32 scalar_offset) {
    __builtin_amdgcn_raw_ptr_buffer_load_lds(buffer, (LdsPointer)u64(lds), 16, offset, scalar_offset, 0, 0);
}

// The same of 4 bytes a lane.
DEVICE void buffer_load_dword_lds(u32 lds, BufferResource buffer, u32 offset, u32 scalar_offset) {
    __builtin_amdgcn_raw_ptr_buffer_load_lds(buffer, (LdsPointer)u64(lds), 4, offset, scalar_offset, 0, 0);
}

// Of every 16 lanes, lane l names four 16-bit elements; it gets element l % 4 of what lanes l / 4, 4 + l / 4, 8 + l / 4, 12 + l / 4 named.
DEVICE Vector<u32, 2> ds_read_b64_tr_b16(u32 address, int offset) {
    Vector<u32, 2> v;
    asm volatile("ds_read_b64_tr_b16 %0, %1 offset:%2" : "=v"(v) : "v"(address), "i"(offset) : "memory");
    return v;
}
#endif

// What reads by hand bring is there after s_waitcnt_lgkmcnt, behind which `pin` keeps its users. `offset` is known when it is compiled.
DEVICE Vector<u32, 4> ds_read_b128(u32 address, int offset) {
    Vector<u32, 4> v;
    asm volatile("ds_read_b128 %0, %1 offset:%2" : "=v"(v) : "v"(address), "i"(offset) : "memory");
    return v;
}

// Until at most N copies and loads of this wave are under way, in the order of their issue.
template <int N> DEVICE void s_waitcnt_vmcnt() { asm volatile("s_waitcnt vmcnt(%0)" ::"n"(N) : "memory"); }
// The counter holds 15 at most; to wait until that many are left is to wait a little longer than asked.
template <int N> DEVICE void s_waitcnt_lgkmcnt() { asm volatile("s_waitcnt lgkmcnt(%0)" ::"n"(N < 15 ? N : 15) : "memory"); }

template <class V> DEVICE void pin(V& v) { asm volatile("" : "+v"(v)); }

// The workgroup meets, whatever is under way.
DEVICE void s_barrier() { asm volatile("s_barrier" ::: "memory"); }

// Which wave of a SIMD issues first: 0 to 3.
template <int PRIORITY> DEVICE void s_setprio() { __builtin_amdgcn_s_setprio(PRIORITY); }
