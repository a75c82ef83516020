// Online softmax on the accumulators of a warpgroup's product: a thread holds columns of two rows of scores, a quad of lanes whole rows.
// Accumulator i stands in row 16 warp + lane / 4 + 8 (i / 2 % 2), column 8 (i / 4) + 2 (lane % 4) + i % 2.
// Knows no tile, no memory and no pipeline. Macros (default): SLACK (8), by how many powers of two a score may pass a row's maximum
// before it replaces it; RAISE (0), by how many all exponentials are raised, which their quotients do not see: e4m3 keeps its
// three bits from 2⁸ down to 2⁻⁶, and most weights lie well below 1.
#pragma once
#include "tile/tile.h"

#ifndef SLACK
#define SLACK 8
#endif
#ifndef RAISE
#define RAISE 0
#endif

// Of a thread's two rows: the largest score, near enough, and the sum of its own exponentials.
struct Rows { float max[2], sum[2]; };

constexpr Rows NO_ROWS{{-INFINITE, -INFINITE}, {0, 0}};

DEVICE float quad_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
    return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}

// Scores of keys that a row does not see become -inf; `visible` counts from the thread's first column.
template <int N> DEVICE void mask(float (&s)[N], const int (&visible)[2]) {
#pragma unroll
    for (int i = 0; i < N; i++)
        if (8 * (i / 4) + i % 2 >= visible[i / 2 % 2]) s[i] = -INFINITE;
}

// Over a thread's own columns.
template <int N> DEVICE void thread_max(const float (&s)[N], float (&max)[2]) {
    float part[2][2] = {{s[0], s[1]}, {s[2], s[3]}};     // two chains a row, for an instruction of 4 clocks
#pragma unroll
    for (int i = 4; i < N; i++) part[i / 2 % 2][i % 2] = fmaxf(part[i / 2 % 2][i % 2], s[i]);
#pragma unroll
    for (int h = 0; h < 2; h++) max[h] = fmaxf(part[h][0], part[h][1]);
}

template <int N> DEVICE void row_max(const float (&s)[N], float (&max)[2]) {
    thread_max(s, max);
#pragma unroll
    for (int h = 0; h < 2; h++) max[h] = quad_max(max[h]);
}

// Makes the rows' maxima good for these scores too; returns whether they changed for any row of the warp, and by which factors
// that shrinks what was summed under the old ones.
template <int N> DEVICE bool raise_max(const float (&s)[N], Rows& rows, float (&shrink)[2], float scale) {
    float max[2];
    row_max(s, max);
    bool grew = false;
#pragma unroll
    for (int h = 0; h < 2; h++) grew |= max[h] * scale > rows.max[h] * scale + SLACK;
    grew = __any_sync(~0u, grew);
    if (grew) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            max[h] = fmaxf(max[h], rows.max[h]);
            shrink[h] = max[h] == -INFINITE ? 1 : ex2_approx((rows.max[h] - max[h]) * scale);
            rows.sum[h] *= shrink[h];
            rows.max[h] = max[h];
        }
    }
    return grew;
}

// Scores into exponentials, and their sums.
template <int N> DEVICE void exponentiate(float (&s)[N], Rows& rows, float scale) {
    float offset[2];
#pragma unroll
    for (int h = 0; h < 2; h++) offset[h] = rows.max[h] == -INFINITE ? 0 : rows.max[h] * scale - RAISE;
#pragma unroll
    for (int i = 0; i < N; i++) {
        s[i] = ex2_approx(fmaf(s[i], scale, -offset[i / 2 % 2]));
        rows.sum[i / 2 % 2] += s[i];
    }
}

// The same by the maxima as they are, with no search for larger ones first: a larger score only makes weights above 1, which are as good in
// types of this range. Sums are by row and by parity of the column, and not yet the rows'.
template <int N> DEVICE void exponentiate_by_old(float (&s)[N], const Rows& rows, float scale, float (&sum)[2][2]) {
#pragma unroll
    for (int i = 0; i < N; i++) {
        int h = i / 2 % 2;
        s[i] = ex2_approx(fmaf(s[i], scale, -(rows.max[h] * scale)));
        sum[h][i % 2] += s[i];
    }
}

// Adds such sums to the rows'. False if some sum of the warp is beyond `most`; then nothing was added.
DEVICE bool add_sums(Rows& rows, const float (&sum)[2][2], float most) {
    float of[2] = {sum[0][0] + sum[0][1], sum[1][0] + sum[1][1]};
    if (__any_sync(~0u, !(fmaxf(of[0], of[1]) <= most))) return false;
#pragma unroll
    for (int h = 0; h < 2; h++) rows.sum[h] += of[h];
    return true;
}

// What a sum of weights may be that this type holds, with the values' product and the sums to come in f32.
DEVICE constexpr float most_sum(Fp16) { return 32768; }
DEVICE constexpr float most_sum(Bf16) { return 1.8446744e19f; }

// Whether every row of the warp has a maximum: it has seen a key.
DEVICE bool has_maxima(const Rows& rows) { return !__any_sync(~0u, rows.max[0] == -INFINITE || rows.max[1] == -INFINITE); }

// Two neighbouring scores make a register of the next product's operand, in the very order in which they stand.
template <class T, int N> DEVICE void round_weights(const float (&s)[N], u32 (&p)[N / 8][4]) {
#pragma unroll
    for (int i = 0; i < N; i += 2) p[i / 8][i / 2 % 4] = cvt_rn_x2<T>(s[i], s[i + 1]);
}

// Of 8 bits, a register takes four weights of a row, for which the product counts keys 4 (lane % 4) on, of 16. They stand at keys
// 2 (lane % 4) and the next, and 8 more and the next: the values' keys must be brought into the same order.
template <class T, int N> DEVICE void round_weights(const float (&s)[N], u32 (&p)[N / 16][4]) {
#pragma unroll
    for (int i = 0; i < N; i += 8)
#pragma unroll
        for (int row = 0; row < 2; row++) {
            const float* at = s + i + 2 * row;
            p[i / 16][i / 8 % 2 * 2 + row] = cvt_rn_x4<T>(at[0], at[1], at[4], at[5]);
        }
}

template <int N> DEVICE void scale_rows(float (&o)[N], const float (&factor)[2]) {
#pragma unroll
    for (int i = 0; i < N; i++) o[i] *= factor[i / 2 % 2];
}
