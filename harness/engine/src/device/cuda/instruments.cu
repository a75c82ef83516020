// What the harness itself runs on a device: a sweep that empties L2, a stamp of the clocks, and loops that show the arithmetic ceilings.
// None of it computes anything that is measured as a kernel; it knows no family.
typedef unsigned int u32;
typedef unsigned long long u64;

// Each block notes its multiprocessor's cycle counter and the device's nanosecond timer: out[2 sm], out[2 sm + 1], for sm < units.
// Two stamps around work give the mean clock in between, wherever the blocks landed.
extern "C" __global__ void stamp(u64* out, u32 units) {
    u32 sm;
    u64 cycles, nanoseconds;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
    asm volatile("mov.u64 %0, %%clock64;" : "=l"(cycles));
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanoseconds));
    if (sm < units && threadIdx.x == 0) {
        out[2 * sm] = cycles;
        out[2 * sm + 1] = nanoseconds;
    }
}

// Reads `count` vectors of 16 bytes once. Nothing is written, so that L2 holds no line that would have to go to memory while a kernel is
// timed; `sink` only keeps the loads alive.
extern "C" __global__ void sweep(const uint4* from, u64 count, u32* sink) {
    u32 any = 0;
    for (u64 i = blockIdx.x * u64(blockDim.x) + threadIdx.x; i < count; i += u64(gridDim.x) * blockDim.x) {
        uint4 v = from[i];
        any |= v.x ^ v.y ^ v.z ^ v.w;
    }
    if (any == 0xdeadbeef) *sink = any;
}

// Random bits from an index (the finaliser of MurmurHash3, 32 bits).
__device__ u32 mixed(u32 x) {
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

// Independent chains of multiply-add: 2 CHAINS `steps` operations a thread.
extern "C" __global__ void rate_f32(u32 steps, float* sink) {
    const int CHAINS = 8;
    float chain[CHAINS];
    for (int i = 0; i < CHAINS; i++) chain[i] = float(threadIdx.x + i);
    for (u32 step = 0; step < steps; step++)
#pragma unroll
        for (int i = 0; i < CHAINS; i++) chain[i] = fmaf(chain[i], 0.999999f, 1e-6f);
    float sum = 0;
    for (int i = 0; i < CHAINS; i++) sum += chain[i];
    if (sum == 0.12345f) *sink = sum;
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

// wgmma m64n128 on random operands that stay in shared memory: one warpgroup does 16 of them a step.
#define SUMS 64
#define D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define D16(i) D4(i), D4(i + 4), D4(i + 8), D4(i + 12)
#define NAMES                                                                                                          \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,"  \
    "%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57," \
    "%58,%59,%60,%61,%62,%63}"
#define RATE(NAME, TYPE, WORD, TAIL)                                                                                   \
    extern "C" __global__ __launch_bounds__(256, 1) void NAME(u32 steps, float* sink) {                                \
        __shared__ __align__(1024) u32 tiles[(3 * 64 * 128 + 128 * 128) / 4];                                          \
        for (u32 i = threadIdx.x; i < sizeof(tiles) / 4; i += blockDim.x) {                                            \
            u32 bits = mixed(i + 977 * blockIdx.x);                                                                    \
            tiles[i] = WORD;                                                                                           \
        }                                                                                                              \
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");                                                   \
        __syncthreads();                                                                                               \
        u32 base = u32(__cvta_generic_to_shared(tiles));                                                               \
        u32 warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);                                                        \
        u64 layout = u64(1024 >> 4) << 32 | u64(1) << 16 | u64(1) << 62;                                               \
        u64 a = layout | ((base + warpgroup * 64 * 128) >> 4), b = layout | ((base + 2 * 64 * 128) >> 4);              \
        float d[SUMS] = {};                                                                                            \
        for (u32 step = 0; step < steps; step++) {                                                                     \
            asm volatile("wgmma.fence.sync.aligned;" ::: "memory");                                                    \
            _Pragma("unroll") for (int i = 0; i < 16; i++)                                                             \
                asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\nwgmma.mma_async.sync.aligned.m64n128" TYPE " " NAMES ", %64, %65, p, 1, 1" TAIL ";\n}" \
                             : D16(0), D16(16), D16(32), D16(48)                                                       \
                             : "l"(a + 2 * (i % 4)), "l"(b + 2 * (i % 4)));                                            \
            asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory");           \
        }                                                                                                              \
        float sum = 0;                                                                                                 \
        _Pragma("unroll") for (int i = 0; i < SUMS; i++) sum += d[i];                                                  \
        if (sum == 0.12345f) *sink = sum;                                                                              \
    }

// Random signs and mantissas around 1, so that the multipliers toggle as they do on normal data and nothing overflows.
RATE(rate_bf16, "k16.f32.bf16.bf16", (bits & 0x80ff80ffu) | 0x3f003f00u, ", 0, 0")
RATE(rate_f16, "k16.f32.f16.f16", (bits & 0x83ff83ffu) | 0x38003800u, ", 0, 0")
RATE(rate_e4m3, "k32.f32.e4m3.e4m3", (bits & 0x8f8f8f8fu) | 0x30303030u, "")

#else

// mma.sync m16n8k16 on random registers: a warp does 8 of them a step.
#define RATE(NAME, TYPE, WORD)                                                                                         \
    extern "C" __global__ __launch_bounds__(256, 1) void NAME(u32 steps, float* sink) {                                \
        const int CHAINS = 8;                                                                                          \
        float d[CHAINS][4] = {};                                                                                       \
        u32 operand[6];                                                                                                \
        for (int i = 0; i < 6; i++) {                                                                                  \
            u32 bits = mixed(threadIdx.x * 6 + i + 977 * blockIdx.x);                                                  \
            operand[i] = WORD;                                                                                         \
        }                                                                                                              \
        for (u32 step = 0; step < steps; step++)                                                                       \
            _Pragma("unroll") for (int i = 0; i < CHAINS; i++)                                                         \
                asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
                             : "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])                              \
                             : "r"(operand[0]), "r"(operand[1]), "r"(operand[2]), "r"(operand[3]), "r"(operand[4]), "r"(operand[5])); \
        float sum = 0;                                                                                                 \
        for (int i = 0; i < CHAINS; i++) sum += d[i][0] + d[i][1] + d[i][2] + d[i][3];                                 \
        if (sum == 0.12345f) *sink = sum;                                                                              \
    }
RATE(rate_bf16, "bf16", (bits & 0x80ff80ffu) | 0x3f003f00u)
RATE(rate_f16, "f16", (bits & 0x83ff83ffu) | 0x38003800u)
#endif
