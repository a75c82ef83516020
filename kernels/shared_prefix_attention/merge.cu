// O and LSE of attention from its parts: with m_s the maximum and l_s the sum of a row of part s, and m the largest maximum,
// O = Σ 2^(m_s - m) O_s / L, LSE = (m + log2 L) ln 2, where L = Σ 2^(m_s - m) l_s.
// Parts (S, rows) of O, D elements each, in f32, not normalised, and of maxima and sums; O (rows, D) of ELEMENT, LSE (rows) in f32.
//
// Mapping: a thread takes four columns of a row. The loads of TOGETHER parts are under way at once; 32 registers do for up to four, with
// which 8192 rows of 128 are 2048 blocks that run at once, 16 a multiprocessor.
//
// Work: 4 D + 8 bytes a row and part, from L2 where it holds them.
//
// Launch. block (128), grid (ceil(rows D / 512)); no dynamic shared memory. It may start before the parts are there.
// Arguments: O and sums of part 0, which sees a key of each row; O; LSE; rows.
// Macros (default): ELEMENT (Bf16; Fp16), D (128; a multiple of 4), PARTS (4: S), TOGETHER (PARTS; fewer where registers end).
#include "shared_prefix_attention/parts.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef D
#define D 128
#endif
#ifndef PARTS
#define PARTS 4
#endif
#ifndef TOGETHER
#define TOGETHER PARTS
#endif

constexpr int COLUMNS = 4, ROW_VECTORS = D / COLUMNS;
constexpr float LN2 = 0.693147181f;

struct alignas(8) Pairs { u32 pair[2]; };

// What COUNT parts, of which these are the first one's places, add to a thread's columns. All loads come before the first wait.
template <int COUNT> DEVICE void add(const Vector16* part_o, const PartSum* part_sums, long long rows, PartSum& sums, float (&o)[COLUMNS]) {
    Vector16 values[COUNT];
    PartSum of[COUNT];
#pragma unroll
    for (int i = 0; i < COUNT; i++) values[i] = ld_relaxed_gpu(part_o + i * rows * ROW_VECTORS);
#pragma unroll
    for (int i = 0; i < COUNT; i++) ld_relaxed_gpu(part_sums + i * rows, of[i].max, of[i].sum);
    float max = sums.max;
#pragma unroll
    for (int i = 0; i < COUNT; i++) max = fmaxf(max, of[i].max);
    float shrink = sums.max == -INFINITE ? 0 : ex2_approx(sums.max - max);
    sums = {max, sums.sum * shrink};
#pragma unroll
    for (int column = 0; column < COLUMNS; column++) o[column] *= shrink;
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
        float weight = ex2_approx(of[i].max - max);
        sums.sum += weight * of[i].sum;
#pragma unroll
        for (int column = 0; column < COLUMNS; column++) o[column] += weight * __builtin_bit_cast(float, values[i].word[column]);
    }
}

extern "C" __global__ __launch_bounds__(128, PARTS <= 4 ? 16 : 1)
void attention_merge(const Vector16* part_o, const PartSum* part_sums, Pairs* to, float* lse, int rows) {
    u32 at = blockIdx.x * 128 + threadIdx.x, row = at / ROW_VECTORS;
    griddepcontrol_wait();
    if (row >= u32(rows)) return;
    part_o += at;
    part_sums += row;
    PartSum sums{-INFINITE, 0};
    float o[COLUMNS] = {};
#pragma unroll 1
    for (int part = 0; part + TOGETHER <= PARTS; part += TOGETHER) {
        add<TOGETHER>(part_o, part_sums, rows, sums, o);
        part_o += (long long)TOGETHER * rows * ROW_VECTORS;
        part_sums += (long long)TOGETHER * rows;
    }
    if constexpr (PARTS % TOGETHER > 0) add<PARTS % TOGETHER>(part_o, part_sums, rows, sums, o);
    float factor = rcp_approx(sums.sum);
    to[at] = {cvt_rn_x2<ELEMENT>(o[0] * factor, o[1] * factor), cvt_rn_x2<ELEMENT>(o[2] * factor, o[3] * factor)};
    if (at % ROW_VECTORS == 0) lse[row] = (sums.max + lg2_approx(sums.sum)) * LN2;
}
