// O and LSE of attention from its parts: with m_s the maximum and l_s the sum of a row of part s, and m the largest maximum,
// O = Σ 2^(m_s - m) O_s / L, LSE = (m + log2 L) ln 2, where L = Σ 2^(m_s - m) l_s.
// Parts (S, rows) of O, D elements each, in f32, not normalised, and of maxima and sums; O (rows, D) of ELEMENT, LSE (rows) in f32.
//
// Mapping: a thread takes four columns of a row. The loads of TOGETHER parts are under way at once.
//
// Work: 4 D + 8 bytes a row and part, from L2 where it holds them.
//
// Launch. block (256), grid (ceil(rows D / 1024)); no dynamic shared memory.
// Arguments: O and sums of part 0, which sees a key of each row; O; LSE; rows; S, at least 1.
// Macros (default): ELEMENT (Bf16; Fp16), D (128; a multiple of 4), TOGETHER (4; more than S would repeat loads of the last part).
#include "shared_prefix_attention/parts.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef D
#define D 128
#endif
#ifndef TOGETHER
#define TOGETHER 4
#endif

constexpr int COLUMNS = 4;
constexpr float LN2 = 0.693147181f;

struct alignas(8) Pairs { u32 pair[2]; };

extern "C" __global__ __launch_bounds__(256)
void attention_merge(const float* part_o, const PartSum* part_sums, ELEMENT* o, float* lse, int rows, int parts) {
    long long at = (blockIdx.x * 256ll + threadIdx.x) * COLUMNS, row = at / D;
    if (row >= rows) return;
    float most = -INFINITE, total = 0, sum[COLUMNS] = {};
    for (int first = 0; first < parts; first += TOGETHER) {
        PartSum sums[TOGETHER];
        Vector16 values[TOGETHER];
        float max = most;
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            long long part = min_int(first + i, parts - 1);
            sums[i] = part_sums[part * rows + row];
            values[i] = ld_global_nc(part_o + part * rows * D + at);
        }
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            if (first + i >= parts) sums[i].max = -INFINITE;
            max = fmaxf(max, sums[i].max);
        }
        float shrink = ex2_approx(most - max);
        total *= shrink;
#pragma unroll
        for (int column = 0; column < COLUMNS; column++) sum[column] *= shrink;
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
            float weight = ex2_approx(sums[i].max - max);
            total += weight * sums[i].sum;
#pragma unroll
            for (int column = 0; column < COLUMNS; column++) sum[column] += weight * __builtin_bit_cast(float, values[i].word[column]);
        }
        most = max;
    }
    float factor = rcp_approx(total);
    Pairs out = {cvt_rn_x2<ELEMENT>(sum[0] * factor, sum[1] * factor), cvt_rn_x2<ELEMENT>(sum[2] * factor, sum[3] * factor)};
    *reinterpret_cast<Pairs*>(o + at) = out;
    if (at % D == 0) lse[row] = (most + lg2_approx(total)) * LN2;
}
