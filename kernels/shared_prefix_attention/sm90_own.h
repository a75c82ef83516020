// Attention of a sequence's queries over its own keys, by one warpgroup beside those that multiply shared ones: it takes sequences and key
// heads one after the other and streams their keys through a ring of its own, so that bytes arrive while others multiply. What it leaves is
// a part. A thread elsewhere feeds it.
// Operands change places: keys are the 64 rows of wgmma's first product and the group's queries its 8 or 16 columns, values turned are the
// rows of the second, and weights reach it through shared memory. Instructions so narrow cost the tensor cores an eighth of what 64 rows
// of queries would. A thread holds scores of keys 16 warp + lane / 4 and 8 more, queries 2 (lane % 4) and the next, and 8 more.
// Which of them a block takes is a List's: Items items(). Knows no other level.
// Macros (default): those of attention/sm90_stream.h, GROUP (8; 1 to 16), SLOTS (7; at least 2: places for panels, which are 64 columns of a
//   chunk's keys or values).
#pragma once
#include "attention/sm90_stream.h"
#include "attention/softmax.h"
#include "shared_prefix_attention/parts.h"

#ifndef GROUP
#define GROUP 8
#endif
#ifndef SLOTS
#define SLOTS 7
#endif

constexpr int QUERIES = GROUP <= 8 ? 8 : 16;             // columns of a product; nobody asks for those beyond the group's
constexpr int HELD = QUERIES / 2;                        // of a thread: scores of a chunk, sums of a panel; two in four of each are a query's
constexpr int CHUNK = 64;                                // keys that are worked on together
constexpr int OWN_BUFFERS = 4 / PANELS;                  // of queries: panels run ahead by as many items as that less one
constexpr u32 OWN_PANEL = CHUNK * 128, OWN_Q_PANEL = QUERIES * 128, OWN_Q_BYTES = PANELS * OWN_Q_PANEL, WEIGHTS = QUERIES * 128;

static_assert(!STAGED_O, "all of this lies behind the barriers, in the room that O would take");

// Shared memory by address, behind that of the stream: barriers, what warps tell one another, then by 1024 bytes weights, queries, panels.
struct OwnShared {
    u32 base;
    DEVICE u32 full(u32 slot) const { return base + 256 + 8 * slot; }
    DEVICE u32 empty(u32 slot) const { return full(SLOTS + slot); }
    DEVICE u32 told(u32 warp, u32 query) const { return full(2 * SLOTS) + (warp * QUERIES + query) * 4; }
    DEVICE u32 weights() const { return base + 1024; }
    DEVICE u32 q(u32 buffer) const { return weights() + WEIGHTS + buffer * OWN_Q_BYTES; }
    DEVICE u32 panel(u32 slot) const { return q(OWN_BUFFERS) + slot * OWN_PANEL; }
};

// What one block takes: sequence and key head in one number, from the first one in steps.
struct Items { int first, end, step; };

// Everything, dealt out to the grid's blocks.
struct AllItems {
    int sequences, heads;
    DEVICE Items items() const { return {int(blockIdx.x), sequences * heads, int(gridDim.x)}; }
};

template <class List> struct Own {
    static constexpr bool IS_PRESENT = true;
    static constexpr int FEEDER_REGISTERS = 40, CONSUMER_REGISTERS = 208, OWN_REGISTERS = 56;

    const TensorMap &q_map, &k_map, &v_map;              // (B, Hk, GROUP, D), (B Hk, U, D)
    Part part;
    List list;
    int heads, most_keys, ragged;
    float scale;
    int pace;                                            // clocks from one panel to the next at least; 0: none

    DEVICE int keys(int item) const { return ragged ? 1 + item / heads * 37 % most_keys : most_keys; }

    DEVICE void make_barriers(Shared shared) const;
    DEVICE void feed(Shared shared) const;
    DEVICE void run(Shared shared) const;
};

template <class List> DEVICE void Own<List>::make_barriers(Shared stream) const {
    OwnShared shared{stream.k(2 * STAGES)};
    for (int i = 0; i < SLOTS; i++) {
        mbarrier_init(shared.full(i), 1);
        mbarrier_init(shared.empty(i), 4);
    }
}

// Of each chunk the panels of keys and then those of values. The first one of an item brings its queries. Panels come at an even pace, since
// shared keys that meet a burst of them on their way are late for the products.
template <class List> DEVICE void Own<List>::feed(Shared stream) const {
    OwnShared shared{stream.k(2 * STAGES)};
    Ring<SLOTS> slots;
    Ring<OWN_BUFFERS> queries;
    Items items = list.items();
    u32 due = clock_now();
#pragma unroll 1
    for (int item = items.first; item < items.end; item += items.step) {
        int end = keys(item);
#pragma unroll 1
        for (int key = 0; key < end; key += CHUNK) {
#pragma unroll
            for (int panel = 0; panel < 2 * PANELS; panel++) {
                u32 full = shared.full(slots.stage);
                bool first = key == 0 && panel == 0;
                if (pace > 0) sleep_until(due += pace);
                mbarrier_try_wait_parity(shared.empty(slots.stage), slots.phase ^ 1);
                mbarrier_arrive_expect_tx(full, OWN_PANEL + (first ? PANELS * GROUP * 128 : 0));
                for (int i = 0; first && i < PANELS; i++)
                    cp_async_bulk_tensor_4d(shared.q(queries.stage) + i * OWN_Q_PANEL, q_map, full, i * 64, 0, item % heads, item / heads);
                cp_async_bulk_tensor_3d(shared.panel(slots.stage), panel < PANELS ? k_map : v_map, full, panel % PANELS * 64, key, item, EVICT_FIRST);
                slots.advance();
            }
        }
        queries.advance();
    }
}

// The warpgroup's sums over an item: O (D, queries); of a thread's queries the largest score, and the sum of its own keys' exponentials.
struct OwnSums {
    float o[PANELS][HELD], max[HELD / 2], sum[HELD / 2];
};

// Of element i of a thread's scores or sums: which of its queries, and which of all.
DEVICE int held_query(int i) { return i / 4 * 2 + i % 2; }
DEVICE int query_of(int held) { return held / 2 * 8 + threadIdx.x % 4 * 2 + held % 2; }

// Over the eight lanes that hold the same queries.
DEVICE float lanes_max(float x) {
#pragma unroll
    for (int offset = 4; offset < 32; offset *= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, offset));
    return x;
}
DEVICE float lanes_sum(float x) {
#pragma unroll
    for (int offset = 4; offset < 32; offset *= 2) x += __shfl_xor_sync(~0u, x, offset);
    return x;
}

struct Decoder {
    static constexpr int BARRIER = 1;

    OwnShared shared;
    float scale;
    u32 warp, lane;
    Ring<SLOTS> slots;
    Ring<OWN_BUFFERS> queries;

    DEVICE void meet() const { bar_sync(BARRIER, 128); }

    // The panels of a chunk's keys or values.
    DEVICE void await() const {
        Ring<SLOTS> next = slots;
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) {
            mbarrier_try_wait_parity(shared.full(next.stage), next.phase);
            next.advance();
        }
    }

    // Hands them back.
    DEVICE void release() {
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) {
            if (lane == 0) mbarrier_arrive(shared.empty(slots.stage));
            slots.advance();
        }
    }

    // Scores of a chunk; complete when it returns.
    DEVICE void score(float (&s)[HELD]) {
        await();
        wgmma_pin(s);
        wgmma_fence();
        Ring<SLOTS> next = slots;
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) {
            u64 k = wgmma_descriptor(shared.panel(0), 16, 1024) + next.stage * (OWN_PANEL / 16);
            u64 q = wgmma_descriptor(shared.q(0), 16, 1024) + (queries.stage * OWN_Q_BYTES + panel * OWN_Q_PANEL) / 16;
#pragma unroll
            for (int step = 0; step < 4; step++) wgmma<0, 0>(ELEMENT{}, s, k + step * 2, q + step * 2, panel | step);
            next.advance();
        }
        wgmma_commit_group();
        wgmma_wait_group<0>();
        wgmma_pin(s);
        release();
    }

    // Adds the values of a chunk by their weights.
    DEVICE void add_values(OwnSums& sums, u32 accumulate) {
        await();
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) wgmma_pin(sums.o[panel]);
        wgmma_fence();
        u64 weights = wgmma_descriptor(shared.weights(), 16, 1024);
        Ring<SLOTS> next = slots;
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) {
            u64 v = wgmma_descriptor(shared.panel(0), OWN_PANEL, 1024) + next.stage * (OWN_PANEL / 16);
#pragma unroll
            for (int step = 0; step < CHUNK / 16; step++)
                wgmma<1, 0>(ELEMENT{}, sums.o[panel], v + step * 128, weights + step * 2, accumulate | step);
            next.advance();
        }
        wgmma_commit_group();
        wgmma_wait_group<0>();
#pragma unroll
        for (int panel = 0; panel < PANELS; panel++) wgmma_pin(sums.o[panel]);
        release();
    }

    // What each warp has to tell of each query, and what all have told of a thread's.
    DEVICE void tell(const float (&x)[HELD / 2]) const {
#pragma unroll
        for (int i = 0; i < HELD / 2; i++)
            if (lane < 4) st_shared(shared.told(warp, query_of(i)), __float_as_uint(x[i]));
    }
    DEVICE float told(u32 of, int held) const { return __uint_as_float(ld_shared(shared.told(of, query_of(held)))); }

    // `left` counts the keys from the chunk's first that are the sequence's.
    DEVICE void tell_maxima(float (&s)[HELD], int left) const {
        float max[HELD / 2];
#pragma unroll
        for (int i = 0; i < HELD / 2; i++) max[i] = -INFINITE;
#pragma unroll
        for (int i = 0; i < HELD; i++) {
            if (int(warp * 16 + lane / 4) + i / 2 % 2 * 8 >= left) s[i] = -INFINITE;
            max[held_query(i)] = fmaxf(max[held_query(i)], s[i]);
        }
#pragma unroll
        for (int i = 0; i < HELD / 2; i++) max[i] = lanes_max(max[i]);
        tell(max);
    }

    // With all maxima told: scores into weights, where the second product reads them.
    DEVICE void weigh(float (&s)[HELD], OwnSums& sums) const {
        auto& [o, max, sum] = sums;
        float raised[HELD / 2];
        bool grew = false;
#pragma unroll
        for (int i = 0; i < HELD / 2; i++) {
            raised[i] = fmaxf(fmaxf(told(0, i), told(1, i)), fmaxf(told(2, i), told(3, i)));
            grew |= raised[i] * scale > max[i] * scale + SLACK;
        }
        if (__any_sync(~0u, grew)) {
            float shrink[HELD / 2];
#pragma unroll
            for (int i = 0; i < HELD / 2; i++) {
                raised[i] = fmaxf(raised[i], max[i]);
                shrink[i] = ex2_approx((max[i] - raised[i]) * scale);
                sum[i] *= shrink[i];
                max[i] = raised[i];
            }
#pragma unroll
            for (int i = 0; i < PANELS * HELD; i++) o[i / HELD][i % HELD] *= shrink[held_query(i % HELD)];
        }
#pragma unroll
        for (int i = 0; i < HELD; i++) {
            s[i] = ex2_approx(fmaf(s[i], scale, -max[held_query(i)] * scale));
            sum[held_query(i)] += s[i];
        }
#pragma unroll
        for (int i = 0; i < HELD; i += 2) {
            u32 query = i / 4 * 8 + lane / 4, column = warp * 2 + i / 2 % 2;
            st_shared(shared.weights() + query * 128 + ((column ^ query % 8) * 16) + lane % 4 * 4, movmatrix_trans(cvt_rn_x2<ELEMENT>(s[i], s[i + 1])));
        }
        fence_proxy_async();
    }

    DEVICE void leave(const OwnSums& sums, const Part& part, long long row) const {
        float total[HELD / 2];
#pragma unroll
        for (int i = 0; i < HELD / 2; i++) total[i] = lanes_sum(sums.sum[i]);
        tell(total);
        meet();
#pragma unroll
        for (int i = 0; i < HELD / 2; i++) {
            if (query_of(i) >= GROUP) continue;
            if (threadIdx.x % 128 < 4)
                part.sums[row + query_of(i)] = {sums.max[i] * scale, told(0, i) + told(1, i) + told(2, i) + told(3, i)};
        }
#pragma unroll
        for (int i = 0; i < PANELS * HELD; i++) {
            int query = query_of(held_query(i % HELD)), column = i / HELD * 64 + warp * 16 + lane / 4 + i / 2 % 2 * 8;
            if (query < GROUP) part.o[(row + query) * D + column] = sums.o[i / HELD][i % HELD];
        }
        meet();
    }
};

template <class List> DEVICE void Own<List>::run(Shared stream) const {
    u32 thread = threadIdx.x % 128;
    OwnShared shared{stream.k(2 * STAGES)};
    Decoder decoder{shared, scale, __shfl_sync(~0u, thread / 32, 0), thread % 32};
    Items items = list.items();
#pragma unroll 1
    for (int item = items.first; item < items.end; item += items.step) {
        OwnSums sums = {};
#pragma unroll
        for (int i = 0; i < HELD / 2; i++) sums.max[i] = -INFINITE;
        int count = keys(item);
#pragma unroll 1
        for (int first = 0; first < count; first += CHUNK) {
            float s[HELD];
            decoder.score(s);
            decoder.tell_maxima(s, count - first);
            decoder.meet();                              // by now all have read the weights of the chunk before
            decoder.weigh(s, sums);
            decoder.meet();
            decoder.add_values(sums, first);
        }
        decoder.queries.advance();
        decoder.leave(sums, part, (long long)item * GROUP);
    }
}
