// D = A B for gfx950, bf16 in, f32 out, written as hand-tuned kernels for this machine are: copies to LDS, reads, products and waits by inline
// assembly, sums in accumulation registers that are named outright. A (M, K), B (K, 128), D (M, 128); M a multiple of 128, K of 32.
// Two groups of four waves, a step apart by one more barrier: while one reads LDS, the other multiplies. A wave makes 32 x 64; a slice of 32 of K
// is 8 KB of A and 8 KB of B, of which three stand in LDS; B is turned by transposing reads.
#include "device.h"

typedef int Int4 __attribute__((ext_vector_type(4)));
typedef int Int2 __attribute__((ext_vector_type(2)));

constexpr int STAGE = 16384, STAGES = 3, B_AT = 8192;
constexpr int A_ROW = 64, B_ROW = 256;   // bytes in LDS

DEVICE Int4 descriptor(const void* base, unsigned bytes) {
    unsigned long long address = (unsigned long long)base;
    return {__builtin_amdgcn_readfirstlane(int(address)), __builtin_amdgcn_readfirstlane(int(address >> 32)), int(bytes), 0x00027000};
}
// 16 bytes a lane, to consecutive places from `lds` on.
DEVICE void copy(unsigned lds, unsigned offset, Int4 buffer, unsigned scalar_offset) {
    asm volatile("s_mov_b32 m0, %0\n\ts_nop 0\n\tbuffer_load_dwordx4 %1, %2, %3 offen lds" ::"s"(lds), "v"(offset), "s"(buffer), "s"(scalar_offset) : "memory");
}
DEVICE Int4 read(unsigned address) {
    Int4 v;
    asm volatile("ds_read_b128 %0, %1" : "=v"(v) : "v"(address) : "memory");
    return v;
}
DEVICE Int2 read_turned(unsigned address, int offset) {
    Int2 v;
    asm volatile("ds_read_b64_tr_b16 %0, %1 offset:%2" : "=v"(v) : "v"(address), "i"(offset) : "memory");
    return v;
}

#define SUMS "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10", "a11", "a12", "a13", "a14", "a15", "a16", "a17", "a18", "a19", "a20", \
    "a21", "a22", "a23", "a24", "a25", "a26", "a27", "a28", "a29", "a30", "a31"

DEVICE void clear(int first) {
    asm volatile("v_accvgpr_write_b32 a[%0], 0\n\tv_accvgpr_write_b32 a[%1], 0\n\tv_accvgpr_write_b32 a[%2], 0\n\tv_accvgpr_write_b32 a[%3], 0" ::"i"(first),
                 "i"(first + 1), "i"(first + 2), "i"(first + 3) : SUMS);
}
DEVICE void multiply(int first, Int4 a, Int4 b) {
    asm volatile("v_mfma_f32_16x16x32_bf16 a[%2:%3], %0, %1, a[%2:%3]" ::"v"(a), "v"(b), "i"(first), "i"(first + 3) : SUMS);
}
DEVICE float sum(int at) {
    float x;
    asm volatile("v_accvgpr_read_b32 %0, a[%1]" : "=v"(x) : "i"(at));
    return x;
}

GLOBAL(512) staggered(const __bf16* a, const __bf16* b, float* d, int k) {
    SHARED char lds[STAGES * STAGE];
    const unsigned base = (unsigned)(unsigned long long)(__attribute__((address_space(3))) char*)lds;
    const unsigned wave = __builtin_amdgcn_readfirstlane(thread() / 64), lane = thread() % 64, row = lane % 16, group = lane / 16;
    const unsigned tile_row = wave % 4 * 32, tile_column = wave / 4 * 64;
    const Int4 a_buffer = descriptor(a + block_x() * 128 * k, 256 * k), b_buffer = descriptor(b, 256 * k);
    const unsigned a_offset = thread() / 4 * k * 2 + thread() % 4 * 16, b_offset = thread() * 16;
    auto copy_slice = [&](int at, unsigned stage) {
        const unsigned to = base + stage * STAGE + wave * 1024;
        // Past the end of K the offset lies outside, and zeros come.
        copy(to, at < k ? a_offset : 0x80000000u, a_buffer, at * 2);
        copy(to + B_AT, at < k ? b_offset : 0x80000000u, b_buffer, at * B_ROW);
    };
    copy_slice(0, 0);
    copy_slice(32, 1);
#pragma unroll
    for (int i = 0; i < 32; i += 4) clear(i);
    asm volatile("s_waitcnt vmcnt(2)\n\ts_barrier" ::: "memory");
    if (wave >= 4) asm volatile("s_barrier" ::: "memory");
    unsigned stage = 0;
    for (int at = 0; at < k; at += 32) {
        const unsigned here = base + stage * STAGE;
        Int4 left[2];
        Int2 right[4][2];
#pragma unroll
        for (int i = 0; i < 2; i++) left[i] = read(here + (tile_row + 16 * i + row) * A_ROW + group * 16);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const unsigned at_column = here + B_AT + (8 * group + row / 4) * B_ROW + (tile_column + 16 * j + row % 4 * 4) * 2;
            right[j][0] = read_turned(at_column, 0), right[j][1] = read_turned(at_column, 4 * B_ROW);
        }
        copy_slice(at + 64, stage == 0 ? 2 : stage - 1);
        stage = stage == 2 ? 0 : stage + 1;
        asm volatile("s_waitcnt lgkmcnt(0)" ::: "memory");
#pragma unroll
        for (int j = 0; j < 4; j++) asm volatile("" : "+v"(right[j][0]), "+v"(right[j][1]));
        asm volatile("s_waitcnt vmcnt(2)\n\ts_barrier\n\ts_setprio 1" : "+v"(left[0]), "+v"(left[1])::"memory");
#pragma unroll
        for (int i = 0; i < 2; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) multiply(16 * i + 4 * j, left[i], Int4{right[j][0][0], right[j][0][1], right[j][1][0], right[j][1][1]});
        asm volatile("s_setprio 0\n\ts_barrier" ::: "memory");
    }
    if (wave < 4) asm volatile("s_barrier" ::: "memory");
    asm volatile("s_nop 7\n\ts_nop 7");
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int r = 0; r < 4; r++)
                d[(block_x() * 128 + tile_row + 16 * i + 4 * group + r) * 128 + tile_column + 16 * j + row] = sum(16 * i + 4 * j + r);
}
