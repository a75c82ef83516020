// NVIDIA's side of the tile vocabulary: number formats, and one function an instruction, named after it.
// Knows no kernel, no tile shape and no toolkit header, so that nvcc and NVRTC compile it alike.
// Layouts are those of the PTX ISA 9.0 manual, sections 9.7.9 (copies), 9.7.13 (barriers) and 9.7.15 (wgmma).
#pragma once

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;

#define DEVICE __device__ __forceinline__

// Threads that execute together: a warp.
constexpr int WARP_THREADS = 32;

struct Bf16 { u16 bits; };
struct Fp16 { u16 bits; };
struct E4m3 { u8 bits; };

// What cuTensorMapEncodeTiled writes; passed to kernels as `const __grid_constant__ TensorMap`.
struct alignas(64) TensorMap { u64 opaque[16]; };

struct alignas(16) Vector16 { u32 word[4]; };

// Number formats.

DEVICE float cvt_f32(float x) { return x; }
DEVICE float cvt_f32(Bf16 x) { return __uint_as_float(u32(x.bits) << 16); }

DEVICE float cvt_f32(Fp16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}

DEVICE float cvt_f32(E4m3 x) {
    u32 pair;
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(pair) : "h"(u16(x.bits)));
    return cvt_f32(Fp16{u16(pair)});
}

DEVICE void cvt_rn(float x, float& out) { out = x; }
DEVICE void cvt_rn(float x, Bf16& out) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(out.bits) : "f"(x)); }
DEVICE void cvt_rn(float x, Fp16& out) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(out.bits) : "f"(x)); }

// `low` lands in bits 0-15.
template <class T> DEVICE u32 cvt_rn_x2(float low, float high);
template <> DEVICE u32 cvt_rn_x2<Bf16>(float low, float high) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
template <> DEVICE u32 cvt_rn_x2<Fp16>(float low, float high) {
    u32 pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

// a * b + c, halves by themselves.
template <class T> DEVICE u32 fma_rn_x2(u32 a, u32 b, u32 c);
template <> DEVICE u32 fma_rn_x2<Bf16>(u32 a, u32 b, u32 c) {
    u32 d;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}
template <> DEVICE u32 fma_rn_x2<Fp16>(u32 a, u32 b, u32 c) {
    u32 d;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

// a * b, halves by themselves: adding -0 changes none.
template <class T> DEVICE u32 mul_rn_x2(u32 a, u32 b) { return fma_rn_x2<T>(a, b, 0x80008000); }

// The first lands in bits 0-7; what exceeds 448 becomes 448.
template <class T> DEVICE u32 cvt_rn_x4(float a, float b, float c, float d);
template <> DEVICE u32 cvt_rn_x4<E4m3>(float a, float b, float c, float d) {
    u32 four;
    asm("{\n.reg .b16 low, high;\ncvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\ncvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\n"
        "mov.b32 %0, {low, high};\n}" : "=r"(four) : "f"(a), "f"(b), "f"(c), "f"(d));
    return four;
}

DEVICE float rsqrt_approx(float x) {
    float y;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

DEVICE float ex2_approx(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

DEVICE float lg2_approx(float x) {
    float y;
    asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

DEVICE float rcp_approx(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// The address, computed here and not again at each of its uses.
template <class T> DEVICE T* settled(T* x) {
    asm volatile("" : "+l"(x));
    return x;
}

// A number that a warp has in common, or that is a thread's own, by a way that the compiler does not see through: it computes what
// depends on it again, rather than keep it in registers from one stage to the next.
DEVICE u32 forgotten(u32 x) { return __shfl_sync(~0u, x, threadIdx.x % 32); }

// Kernels that start before the one before them has ended; where there is no such thing they do nothing.

// Until that one has ended and what it wrote can be read.
DEVICE void griddepcontrol_wait() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// The next kernel may start once every block has said so or ended.
DEVICE void griddepcontrol_launch_dependents() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// Global memory.

// Streams data that no other block reads: past L1, and in L2 in the longest sectors.
DEVICE Vector16 ld_global_nc(const void* address) {
    Vector16 v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3]) : "l"(address));
    return v;
}

// The same of what nobody reads again, which L2 gives up first.
DEVICE Vector16 ld_global_cs_nc(const void* address) {
    Vector16 v;
    asm volatile("ld.global.cs.nc.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3]) : "l"(address));
    return v;
}

// The same in sectors of their own: where several streams meet, L2 does better without the longest ones.
DEVICE Vector16 ld_global_nc_sector(const void* address) {
    Vector16 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3]) : "l"(address));
    return v;
}

// The same of what a kernel wrote that may still have run when this one began.
DEVICE Vector16 ld_global_sector(const void* address) {
    Vector16 v;
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3]) : "l"(address) : "memory");
    return v;
}

// What another thread may have written just now. The compiler keeps these loads in their order, and so puts off none behind the wait for
// another, as it does with others to save registers.
DEVICE Vector16 ld_relaxed_gpu(const Vector16* address) {
    Vector16 v;
    asm volatile("ld.relaxed.gpu.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3]) : "l"(address) : "memory");
    return v;
}
DEVICE void ld_relaxed_gpu(const void* address, float& a, float& b) {
    asm volatile("ld.relaxed.gpu.global.v2.f32 {%0, %1}, [%2];" : "=f"(a), "=f"(b) : "l"(address) : "memory");
}

// A line of memory to L2 alone.
DEVICE void prefetch_l2(const void* address) { asm volatile("prefetch.global.L2 [%0];" ::"l"(address)); }

DEVICE void st_global_cs(void* address, Vector16 v) {
    asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};"
                 ::"l"(address), "r"(v.word[0]), "r"(v.word[1]), "r"(v.word[2]), "r"(v.word[3]) : "memory");
}

// 16 bytes from global to shared memory, past L1 and past registers.
DEVICE void cp_async_cg(u32 to, const void* from) { asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory"); }

// The same, or zeros, where nothing is read.
DEVICE void cp_async_cg_or_zero(u32 to, const void* from, bool read) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(read ? 16 : 0) : "memory");
}

// Until what this thread has copied so has come.
DEVICE void cp_async_wait_all() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// Adds four floats to 16 aligned bytes, in L2.
DEVICE void red_global_add(float* address, float a, float b, float c, float d) {
    asm volatile("red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(address), "f"(a), "f"(b), "f"(c), "f"(d) : "memory");
}

// A counter by which blocks tell each other: what the threads of a block that met before it was raised had written is seen by those that
// meet after it was read.
DEVICE u32 ld_acquire_gpu(const u32* address) {
    u32 x;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(x) : "l"(address) : "memory");
    return x;
}
DEVICE void red_release_gpu_add(u32* address, u32 x) {
    asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(address), "r"(x) : "memory");
}

// Shared memory and clusters.

DEVICE u32 cvta_shared(const void* pointer) { return u32(__cvta_generic_to_shared(pointer)); }

// The address, in block `rank` of the cluster, of what stands at `address` in this one.
DEVICE u32 mapa(u32 address, u32 rank) {
    u32 remote;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(address), "r"(rank));
    return remote;
}

DEVICE float ld_shared_cluster(u32 address) {
    float x;
    asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(x) : "r"(address) : "memory");
    return x;
}

DEVICE void ld_shared_cluster(u32 address, u32& a, u32& b) {
    asm volatile("ld.shared::cluster.v2.u32 {%0, %1}, [%2];" : "=r"(a), "=r"(b) : "r"(address) : "memory");
}
DEVICE void st_shared_cluster(u32 address, u32 a, u32 b) {
    asm volatile("st.shared::cluster.v2.u32 [%0], {%1, %2};" ::"r"(address), "r"(a), "r"(b) : "memory");
}

// The same that `remote_barrier`, of the block that it goes to, counts as 16 bytes once they are there; whoever waits for that sees them.
DEVICE void st_async(u32 address, float a, float b, float c, float d, u32 remote_barrier) {
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];"
                 ::"r"(address), "f"(a), "f"(b), "f"(c), "f"(d), "r"(remote_barrier) : "memory");
}

DEVICE void st_shared(u32 address, u32 x) { asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(x) : "memory"); }
DEVICE u32 ld_shared(u32 address) {
    u32 x;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(x) : "r"(address) : "memory");
    return x;
}

DEVICE void st_shared_u64(u32 address, u64 x) { asm volatile("st.shared.u64 [%0], %1;" ::"r"(address), "l"(x) : "memory"); }
DEVICE u64 ld_shared_u64(u32 address) {
    u64 x;
    asm volatile("ld.shared.u64 %0, [%1];" : "=l"(x) : "r"(address) : "memory");
    return x;
}

// Orders memory among the cluster's blocks; the relaxed form only counts them in, and spares a fence of the whole device.
DEVICE void barrier_cluster_arrive_relaxed() { asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory"); }
DEVICE void barrier_cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void barrier_cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }

// `threads` threads meet at named barrier `id`, 1 to 15 (0 is __syncthreads).
DEVICE void bar_sync(u32 id, u32 threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }

// Counts this thread in at the barrier without waiting there.
DEVICE void bar_arrive(u32 id, u32 threads) { asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory"); }

DEVICE bool elect_sync() {
    u32 elected;
    asm volatile("{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\nselp.u32 %0, 1, 0, p;\n}" : "=r"(elected));
    return elected;
}

DEVICE void ld_shared(u32 address, float& a, float& b) {
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(a), "=f"(b) : "r"(address) : "memory");
}
DEVICE void ld_shared(u32 address, int& a, int& b) {
    asm volatile("ld.shared.v2.s32 {%0, %1}, [%2];" : "=r"(a), "=r"(b) : "r"(address) : "memory");
}
DEVICE void st_shared(u32 address, int a, int b) { asm volatile("st.shared.v2.s32 [%0], {%1, %2};" ::"r"(address), "r"(a), "r"(b) : "memory"); }

// Makes this thread's ordinary shared-memory writes visible to copies and wgmma; a barrier must follow.
DEVICE void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// The multiprocessor's clock, which wraps; and waits until it shows `when`, at most 2³¹ ahead.
DEVICE u32 clock_now() {
    u32 now;
    asm volatile("mov.u32 %0, %%clock;" : "=r"(now));
    return now;
}
DEVICE void sleep_until(u32 when) {
    while (int(when - clock_now()) > 0) asm volatile("nanosleep.u32 64;");
}

template <int N> DEVICE void setmaxnreg_inc() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N> DEVICE void setmaxnreg_dec() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}

// mbarrier.

DEVICE void mbarrier_init(u32 barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
DEVICE void fence_mbarrier_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

DEVICE void mbarrier_arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// Without .release.cluster, which costs a fence of the whole device (1000 clocks) and orders nothing that wgmma or a copy has read.
DEVICE void mbarrier_arrive_cluster(u32 remote_barrier) {
    asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(remote_barrier) : "memory");
}
// With it, for what this thread has written or met to memory that the cluster's other blocks read.
DEVICE void mbarrier_arrive_release_cluster(u32 remote_barrier) {
    asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(remote_barrier) : "memory");
}
DEVICE void mbarrier_arrive_expect_tx(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

// Spins until the phase of this parity has completed; parity 1 passes at once on a fresh barrier.
DEVICE void mbarrier_try_wait_parity(u32 barrier, u32 parity) {
    asm volatile("{\n.reg .pred p;\nRETRY:\nmbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n@p bra DONE;\nbra RETRY;\nDONE:\n}"
                 ::"r"(barrier), "r"(parity) : "memory");
}
// The same where other blocks of the cluster have arrived, or sent what was awaited.
DEVICE void mbarrier_try_wait_parity_cluster(u32 barrier, u32 parity) {
    asm volatile("{\n.reg .pred p;\nRETRY:\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%0], %1;\n@p bra DONE;\nbra RETRY;\nDONE:\n}"
                 ::"r"(barrier), "r"(parity) : "memory");
}

// The bulk copy engine.

DEVICE void prefetch_tensormap(const TensorMap& map) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// How long L2 should keep what a copy moves: the policies that createpolicy would make.
constexpr u64 EVICT_NORMAL = 0x1000000000000000, EVICT_FIRST = 0x12F0000000000000, EVICT_LAST = 0x14F0000000000000;

// 16-byte multiples between global and shared memory, in one piece.
DEVICE void cp_async_bulk(u32 to, const void* from, u32 bytes, u32 barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
                 ::"r"(to), "l"(from), "r"(bytes), "r"(barrier) : "memory");
}
// To L2 alone; where there is no such thing it does nothing.
DEVICE void cp_async_bulk_prefetch(const void* from, u32 bytes) {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
#endif
}
DEVICE void cp_async_bulk_store(void* to, u32 from, u32 bytes) {
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(to), "r"(from), "r"(bytes) : "memory");
}

// Global tile at element (x, y), x innermost, into shared memory; outside the tensor it reads zeros.
DEVICE void cp_async_bulk_tensor_2d(u32 tile, const TensorMap& map, u32 barrier, int x, int y, u64 policy = EVICT_NORMAL) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, {%3, %4}], [%2], %5;"
                 ::"r"(tile), "l"(&map), "r"(barrier), "r"(x), "r"(y), "l"(policy) : "memory");
}

// The same, to the same place in every block of the cluster whose bit is set in `mask`.
DEVICE void cp_async_bulk_tensor_2d_multicast(u32 tile, const TensorMap& map, u32 barrier, int x, int y, u16 mask, u64 policy = EVICT_NORMAL) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint "
                 "[%0], [%1, {%3, %4}], [%2], %5, %6;"
                 ::"r"(tile), "l"(&map), "r"(barrier), "r"(x), "r"(y), "h"(mask), "l"(policy) : "memory");
}

DEVICE void cp_async_bulk_tensor_2d_store(const TensorMap& map, int x, int y, u32 tile) {
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];"
                 ::"l"(&map), "r"(x), "r"(y), "r"(tile) : "memory");
}

// The same with a third coordinate.
DEVICE void cp_async_bulk_tensor_3d(u32 tile, const TensorMap& map, u32 barrier, int x, int y, int z, u64 policy = EVICT_NORMAL) {
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, {%3, %4, %5}], [%2], %6;"
                 ::"r"(tile), "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z), "l"(policy) : "memory");
}
DEVICE void cp_async_bulk_tensor_3d_store(const TensorMap& map, int x, int y, int z, u32 tile) {
    asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3}], [%4];"
                 ::"l"(&map), "r"(x), "r"(y), "r"(z), "r"(tile) : "memory");
}

// The same with a fourth coordinate.
DEVICE void cp_async_bulk_tensor_4d(u32 tile, const TensorMap& map, u32 barrier, int x, int y, int z, int w, u64 policy = EVICT_NORMAL) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1, {%3, %4, %5, %6}], [%2], %7;"
                 ::"r"(tile), "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w), "l"(policy) : "memory");
}

DEVICE void cp_async_bulk_commit_group() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

// Until at most N of this thread's stores still read shared memory.
template <int N> DEVICE void cp_async_bulk_wait_group_read() {
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory");
}

// Matrices by the warp.

DEVICE void ldmatrix_x4(u32 (&r)[4], u32 row_address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row_address) : "memory");
}
DEVICE void ldmatrix_x4_trans(u32 (&r)[4], u32 row_address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row_address) : "memory");
}
DEVICE void stmatrix_x4(u32 row_address, u32 a, u32 b, u32 c, u32 d) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};"
                 ::"r"(row_address), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}
DEVICE void stmatrix_x4_trans(u32 row_address, u32 a, u32 b, u32 c, u32 d) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};"
                 ::"r"(row_address), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}

// An (8, 8) matrix, a pair of a row a lane, turned.
DEVICE u32 movmatrix_trans(u32 pair) {
    u32 turned;
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(turned) : "r"(pair));
    return turned;
}

// d (16, 8) += a (16, 16) b (16, 8)
#define MMA_M16N8K16(T, NAME)                                                                                        \
    DEVICE void mma_m16n8k16(T, float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {                                   \
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." NAME "." NAME ".f32 {%0, %1, %2, %3}, "                 \
                     "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                                  \
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                 \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));                                 \
    }
MMA_M16N8K16(Bf16, "bf16")
MMA_M16N8K16(Fp16, "f16")
#undef MMA_M16N8K16

// Matrices by the warpgroup.

DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void wgmma_commit_group() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> DEVICE void wgmma_wait_group() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

// Keeps ordinary instructions on the accumulator from moving across this point.
template <int N> DEVICE void wgmma_pin(float (&d)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) asm volatile("" : "+f"(d[i])::"memory");
}

// Matrix descriptor of shared memory in the 128-byte swizzle. Byte offsets: `leading` from one 64-element panel to the next
// (only where the panel's long side is not K), `stride` from one group of eight 128-byte rows to the next.
DEVICE u64 wgmma_descriptor(u32 address, u32 leading, u32 stride) {
    return u64((address & 0x3FFFF) >> 4) | u64(leading >> 4) << 16 | u64(stride >> 4) << 32 | u64(1) << 62;
}

#include "tile/vendor/cuda_wgmma.h"
