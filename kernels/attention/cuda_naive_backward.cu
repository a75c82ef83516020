// dQ, dK, dV of softmax attention as the formula says it: P = exp(Q K^T scale - LSE), dV = P^T dO, dS = P (dO V^T - sum dO O),
// dQ = dS K scale, dK = dS^T Q scale. Any sizes, any GPU.
//
// Mapping. A warp takes one row of dQ, or one of dK and dV, and meets every row of the other side in turn; a lane holds the elements of
// the head that are 32 apart. Work: 16 HEAD flops a pair, two sums over a warp for each.
//
// Launch. block (128); grid (ceil(rows / 4)), rows = B H queries for attention_naive_query_gradient, B Hk keys for ..._key_gradients.
// Arguments: Q, K, V, O, dO; LSE, f32; dQ, or dK and dV; rows, H, Hk, queries, keys, causal (ends aligned), scale.
// Macros (default): ELEMENT (Bf16; Fp16, float), HEAD (128).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif
#ifndef HEAD
#define HEAD 128
#endif

constexpr int WARPS = 4, PART = (HEAD + 31) / 32;        // elements of a row that a lane holds

struct Sizes { int heads, key_heads, queries, keys; };

// A lane's elements of a row; 0 beyond its end.
struct Row {
    float x[PART];

    DEVICE explicit Row(const ELEMENT* row) {
#pragma unroll
        for (int i = 0; i < PART; i++) {
            int column = threadIdx.x % 32 + 32 * i;
            x[i] = column < HEAD ? cvt_f32(row[column]) : 0;
        }
    }
    DEVICE float dot(const Row& other) const {
        float sum = 0;
#pragma unroll
        for (int i = 0; i < PART; i++) sum += x[i] * other.x[i];
        return warp_sum(sum);
    }
};

struct Sums {
    float x[PART] = {};

    DEVICE void add(float factor, const Row& row) {
#pragma unroll
        for (int i = 0; i < PART; i++) x[i] += factor * row.x[i];
    }
    DEVICE void store(float scale, ELEMENT* row) const {
#pragma unroll
        for (int i = 0; i < PART; i++) {
            int column = threadIdx.x % 32 + 32 * i;
            if (column < HEAD) cvt_rn(x[i] * scale, row[column]);
        }
    }
};

DEVICE int warp_row() { return blockIdx.x * WARPS + threadIdx.x / 32; }

extern "C" __global__ __launch_bounds__(32 * WARPS)
void attention_naive_query_gradient(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, const ELEMENT* o, const ELEMENT* d_o,
                                    const float* lse, ELEMENT* d_q, int rows, int heads, int key_heads, int queries, int keys, int causal,
                                    float scale) {
    int row = warp_row();
    if (row >= rows) return;
    long long at = (long long)row * HEAD;
    Row query(q + at), gradient(d_o + at);
    float delta = gradient.dot(Row(o + at)), logarithm = lse[row];
    int head = row / queries, group = heads / key_heads;
    long long first = (long long)(head / heads * key_heads + head % heads / group) * keys;
    int visible = causal ? min_int(keys, row % queries + 1 + keys - queries) : keys;
    Sums sums;
    for (int j = 0; j < visible; j++) {
        Row key(k + (first + j) * HEAD);
        float p = expf(query.dot(key) * scale - logarithm);
        sums.add(p * (gradient.dot(Row(v + (first + j) * HEAD)) - delta), key);
    }
    sums.store(scale, d_q + at);
}

extern "C" __global__ __launch_bounds__(32 * WARPS)
void attention_naive_key_gradients(const ELEMENT* q, const ELEMENT* k, const ELEMENT* v, const ELEMENT* o, const ELEMENT* d_o,
                                   const float* lse, ELEMENT* d_k, ELEMENT* d_v, int rows, int heads, int key_heads, int queries, int keys,
                                   int causal, float scale) {
    int row = warp_row();
    if (row >= rows) return;
    long long at = (long long)row * HEAD;
    Row key(k + at), value(v + at);
    int group = heads / key_heads, key_head = row / keys;
    int first_head = key_head / key_heads * heads + key_head % key_heads * group;
    int first = causal ? row % keys + queries - keys : 0;
    Sums key_sums, value_sums;
    for (int head = first_head; head < first_head + group; head++) {
        for (int i = first > 0 ? first : 0; i < queries; i++) {
            long long other = (long long)head * queries + i;
            Row query(q + other * HEAD), gradient(d_o + other * HEAD);
            float p = expf(query.dot(key) * scale - lse[other]), delta = gradient.dot(Row(o + other * HEAD));
            key_sums.add(p * (gradient.dot(value) - delta), query);
            value_sums.add(p, gradient);
        }
    }
    key_sums.store(scale, d_k + at);
    value_sums.store(1, d_v + at);
}
