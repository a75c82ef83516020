// The consumers of a work list: online softmax of a warpgroup's rows, as one stream of stages through all of its tiles, as in
// attention/sm90_flash.cu. A warpgroup without queries, at the end of what a tile is for, only hands its stages back.
// Knows no tensor: where queries come from is the feeder's, which keys a row sees the list's, which has, beside what the feeder asks,
//   end(place): the row behind the last that is worked on; Seen seen(place, row): what a thread keeps of a tile, for its rows `row` and
//   row + 8; hides(seen, place, stage, keys): whether some row of the warp does not see all of a stage's first `keys`; hide(scores, seen,
//   place, stage, column): masks those of a thread from its `column` on then; is_short(place): whether nobody sees the second half of a
//   tile's last stage, where that is worth knowing.
// Where rows go is an Output's: leave(consumer, o, rows, place, end), for rows of `place` before `end`; store_rows is one way to. LEAVES_ONCE:
// whether a block has one tile, so that none follows it.
// An Aside is what else a block does, if IS_PRESENT: run(shared) by a warpgroup after the consumers, feed(shared) by one thread beside the
// feeder, make_barriers(shared) by one before all meet. It says how many registers a thread has: FEEDER_REGISTERS, CONSUMER_REGISTERS, OWN_REGISTERS.
// Macros: those of attention/sm90_scores.h, D at most 128, and of attention/softmax.h.
#pragma once
#include "attention/sm90_scores.h"
#include "attention/softmax.h"
#include "block_sparse_attention/sm90_feeder.h"

constexpr int SCORES = TILE_N / 2, OUTPUTS = D / 2;      // a thread's accumulators for 64 rows
constexpr int STEPS = TILE_N / 16;                       // wgmma steps of P V

static_assert(D <= 128, "a warpgroup's O leaves in one piece");
static_assert(STEPS % 2 == 0, "half a stage is whole steps");

// A thread's part of what a warpgroup computes: scores, O, weights, and its rows' sums.
struct Sums {
    float s[SCORES], o[OUTPUTS];
    u32 p[STEPS][4];
    Rows rows;
};

// What a warpgroup holds of the pipeline.
template <class Work, class Output> struct Consumer {
    Shared shared;
    unsigned char* memory;                               // what `shared` is the address of
    Work work;
    Output output;
    float scale;
    u32 index, thread;                                   // of the warpgroup among the consumers, of the thread in the warpgroup
    Ring<Q_STAGES> queries;
    Ring<STAGES> keys, values;
    HeldQueries held;
    Place place;                                         // with this warpgroup's own first row
    int end;                                             // of the rows that are the list's
    int stage;                                           // of the tile: the latest whose scores were begun
    typename Work::Seen seen;

    DEVICE u32 queries_place() const { return queries.stage * CONSUMERS + index; }
    // The place of the tile and its queries, by each thread for itself: all read the place, which no product waits for.
    DEVICE void release_tile() {
        mbarrier_arrive(shared.q_empty(queries_place()));
        queries.advance();
    }
    // By each warp for itself, since only it knows that it will not read them again.
    DEVICE void release_keys() {
        __syncwarp();
        if (thread % 32 == 0) mbarrier_arrive(shared.k_empty(keys.stage));
        keys.advance();
    }
    DEVICE void release_values() {
        if (thread % 32 == 0) mbarrier_arrive(shared.v_empty(values.stage));
        values.advance();
    }
    DEVICE void await_keys() const { mbarrier_try_wait_parity(shared.k_full(keys.stage), keys.phase); }
    DEVICE void await_values(Ring<STAGES> at) const { mbarrier_try_wait_parity(shared.v_full(at.stage), at.phase); }

    // Of 64.
    DEVICE int thread_row() const { return thread / 32 * 16 + thread % 32 / 4; }

    // Waits for the next tile with its queries; whether there is one. The shuffles and the vote tell the compiler that the whole warp
    // agrees, without which it takes every branch and descriptor that follows for a thread's own.
    DEVICE bool next_tile() {
        u32 at = queries_place(), slot = shared.tile(at);
        mbarrier_try_wait_parity(shared.q_full(at), queries.phase);
        place.head = __shfl_sync(~0u, ld_shared(slot), 0);
        place.row = __shfl_sync(~0u, ld_shared(slot + 4), 0);
        place.segment = __shfl_sync(~0u, ld_shared(slot + 8), 0);
        place.stages = __shfl_sync(~0u, ld_shared(slot + 12), 0);
        if (!__any_sync(~0u, place.stages)) return false;
        if constexpr (HELD_QUERIES) {
            held.hold(shared.q(at), thread);
            release_tile();
        }
        end = work.end(place);
        place.row += index * 64;
        stage = place.stages - 1;
        return true;
    }
    // What is seen of it: asked once its first products run, which need not know.
    DEVICE void look() { seen = work.seen(place, place.row + thread_row()); }

    // Whether the segment ends before this warpgroup's first row.
    DEVICE bool is_idle() const { return __any_sync(~0u, place.row >= end); }

    // Hands back a tile that it has no rows of.
    DEVICE void drain() {
        for (; stage >= 0; stage--) {
            await_keys();
            release_keys();
            await_values(values);
            release_values();
        }
        if (!HELD_QUERIES) release_tile();
    }

    // Starts s = Q Kᵀ of the next stage.
    DEVICE void multiply_keys(float (&s)[SCORES]) const {
        u64 q = wgmma_descriptor(shared.q(index), 16, 1024) + queries.stage * (CONSUMERS * Q_BYTES / 16);
        u64 k = wgmma_descriptor(shared.k(0), 16, 1024) + keys.stage * (KV_BYTES / 16);
        multiply_queries(s, held, q, k);
    }

    // Starts o += P V, or o = P V unless `accumulate`.
    DEVICE void multiply_values(float (&o)[OUTPUTS], const u32 (&p)[STEPS][4], u32 accumulate) const {
        u64 v = wgmma_descriptor(shared.v(0), KV_PANEL, 1024) + values.stage * (KV_BYTES / 16);
#pragma unroll
        for (int step = 0; step < STEPS; step++) wgmma_registers<1>(ELEMENT{}, o, p[step], v + step * 128, accumulate | step);
        wgmma_commit_group();
    }

    // With the scores there, hands back their keys, and after the last stage queries that are still read.
    DEVICE void release_scores() {
        release_keys();
        if (!HELD_QUERIES && stage == 0) release_tile();
    }

    // Starts the scores of the next stage, and behind them the product of this one's weights and values.
    DEVICE void start_products(Sums& sums, u32 accumulate) const {
        await_keys();
        wgmma_pin(sums.o);
        wgmma_pin(sums.s);
        wgmma_fence();
        multiply_keys(sums.s);
        multiply_values(sums.o, sums.p, accumulate);
    }

    // Waits for the next values, and for the product with these, which it hands back. The former is a wait of its own kind, which the compiler
    // lifts no later wait above: exponentials before it stay under the product.
    DEVICE void finish_product(float (&o)[OUTPUTS]) {
        Ring<STAGES> ahead = values;
        ahead.advance();
        await_values(ahead);
        wgmma_wait_group<0>();
        wgmma_pin(o);
        release_values();
    }

    template <int N> DEVICE void hide(float (&s)[N], bool hides, int column = 0) const {
        if (hides) work.hide(s, seen, place, stage, column + 2 * (thread % 4));
    }

    // Weights by the rows' maxima as they are, so that none has to be found before the first exponential; the product ends meanwhile. False
    // if weights left their range; then the scores are lost.
    DEVICE bool weigh_by_old(Sums& sums, bool hides) {
        float sum[2][2] = {};
        hide(sums.s, hides);
        exponentiate_by_old(sums.s, sums.rows, scale, sum);
        finish_product(sums.o);
        return add_sums(sums.rows, sum, most_sum(ELEMENT{}));
    }

    DEVICE void first_step(Sums& sums);
    DEVICE void step(Sums& sums, u32 accumulate);
    DEVICE void step_across(Sums& sums, u32 accumulate, Place done, int done_end);
    DEVICE void last_step(Sums& sums, u32 accumulate, Place done, int done_end);
    DEVICE void run();
};

// The weights of a stream's first stage.
template <class Work, class Output> DEVICE void Consumer<Work, Output>::first_step(Sums& sums) {
    auto& [s, o, p, rows] = sums;
    float shrink[2];
    await_keys();
    wgmma_pin(s);
    wgmma_fence();
    multiply_keys(s);
    look();
    bool hides = work.hides(seen, place, stage, TILE_N);
    wgmma_wait_group<0>();
    wgmma_pin(s);
    release_scores();
    rows = NO_ROWS;
    hide(s, hides);
    raise_max(s, rows, shrink, scale);
    exponentiate(s, rows, scale);
    round_weights<ELEMENT>(s, p);
    await_values(values);
}

// The product of a stream's last stage.
template <class Work, class Output> DEVICE void Consumer<Work, Output>::last_step(Sums& sums, u32 accumulate, Place done, int done_end) {
    auto& [s, o, p, rows] = sums;
    wgmma_pin(o);
    wgmma_fence();
    multiply_values(o, p, accumulate);
    wgmma_wait_group<0>();
    wgmma_pin(o);
    release_values();
    output.leave(*this, o, rows, done, done_end);
}

// From a stage's weights P to the next one's, with the product P V under way meanwhile. Keys are held until no score can be asked for
// again, and values awaited before: the feeder has sent these behind the keys of one stage more, for which there is room.
template <class Work, class Output> DEVICE void Consumer<Work, Output>::step(Sums& sums, u32 accumulate) {
    static_assert(STAGES > 1, "keys of one stage more than are held");
    auto& [s, o, p, rows] = sums;
    start_products(sums, accumulate);
    bool hides = work.hides(seen, place, stage, TILE_N), has_old = has_maxima(rows);
    wgmma_wait_group<1>();
    wgmma_pin(s);
    if (has_old) {
        if (weigh_by_old(sums, hides)) {
            round_weights<ELEMENT>(s, p);
            release_scores();
            return;
        }
        multiply_again(s, held, shared.q(queries_place()), shared.k(keys.stage), thread / 32);
    } else {
        finish_product(o);
    }
    release_scores();
    float shrink[2];
    hide(s, hides);
    if (raise_max(s, rows, shrink, scale)) scale_rows(o, shrink);
    exponentiate(s, rows, scale);
    round_weights<ELEMENT>(s, p);
}

// The same where the next stage is the first of another tile, so that O is that of `done`, complete, and leaves. The far half of a short stage
// costs its products only: its scores are not looked at.
template <class Work, class Output>
DEVICE void Consumer<Work, Output>::step_across(Sums& sums, u32 accumulate, Place done, int done_end) {
    auto& [s, o, p, rows] = sums;
    auto &near = reinterpret_cast<float(&)[SCORES / 2]>(s), &far = reinterpret_cast<float(&)[SCORES / 2]>(s[SCORES / 2]);
    auto &near_p = reinterpret_cast<u32(&)[STEPS / 2][4]>(p), &far_p = reinterpret_cast<u32(&)[STEPS / 2][4]>(p[STEPS / 2]);
    start_products(sums, accumulate);
    look();
    bool is_short = work.is_short(place), hides_near = work.hides(seen, place, stage, TILE_N / 2);
    bool hides_far = work.hides(seen, place, stage, TILE_N);
    wgmma_wait_group<1>();
    wgmma_pin(s);
    release_scores();
    Rows finished = rows;
    float max[2], far_max[2] = {-INFINITE, -INFINITE};
    hide(near, hides_near);
    thread_max(near, max);
    if (!is_short) {
        hide(far, hides_far, TILE_N / 2);
        thread_max(far, far_max);
    }
    rows = {{quad_max(fmaxf(max[0], far_max[0])), quad_max(fmaxf(max[1], far_max[1]))}, {0, 0}};
    finish_product(o);                                   // has gone on under the search; exponentials and what leaves are issued in turns
    exponentiate(near, rows, scale);
    round_weights<ELEMENT>(near, near_p);
    output.leave(*this, o, finished, done, done_end);
    if (is_short) {
#pragma unroll
        for (int i = 0; i < STEPS * 2; i++) far_p[i / 4][i % 4] = 0;
    } else {
        exponentiate(far, rows, scale);
        round_weights<ELEMENT>(far, far_p);
    }
    __syncwarp();                                        // for the compiler, which copies the loop's test into the ways of lanes otherwise
}

// All of this warpgroup's tiles: streams of those that it has rows of, each as long as no other comes between.
template <class Work, class Output> DEVICE void Consumer<Work, Output>::run() {
    Sums sums;
    bool more = next_tile();
    while (more) {
        if (is_idle()) {
            drain();
            more = next_tile();
            continue;
        }
        first_step(sums);
        for (;;) {
            u32 accumulate = 0;
#pragma unroll 1
            for (; stage > 0; accumulate = 1) {
                stage--;
                step(sums, accumulate);
            }
            Place done = place;
            int done_end = end;
            more = next_tile();
            if (Output::LEAVES_ONCE || !more || is_idle()) {
                last_step(sums, accumulate, done, done_end);
                break;
            }
            step_across(sums, accumulate, done, done_end);
        }
    }
}

struct Nothing {
    static constexpr bool IS_PRESENT = false;
    static constexpr int FEEDER_REGISTERS = CONSUMERS == 2 ? 24 : 32, CONSUMER_REGISTERS = CONSUMERS == 2 ? 240 : 160;
};

// Divides by the sums and stores those of 64 rows that come before the end, of O in ELEMENT and of LSE. A warp's 16 rows turn in shared
// memory of its own, and leave as many as there are, since what follows the last one is another tile's.
// `output` has ELEMENT* o, float* lse, int width: rows of O and of LSE, and elements of a row; row(place): the first row of a place.
template <class Consumer, class Output>
DEVICE void store_rows(const Consumer& consumer, const Output& output, float (&o)[OUTPUTS], const Rows& rows, Place done, int done_end) {
    u32 lane = consumer.thread % 32, first = consumer.thread / 32 * 16, to = consumer.shared.o(consumer.index) + first * 128;
    long long first_row = output.row(done);
    float factor[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float sum = sum_across<4>(rows.sum[h]);
        bool sees = rows.max[h] > -INFINITE;
        factor[h] = sees ? rcp_approx(sum) : 0;
        float exponent = sees ? rows.max[h] * consumer.scale + lg2_approx(sum) : -INFINITE;
        int row = consumer.thread_row() + 8 * h;
        if (lane % 4 == 0 && done.row + row < done_end) output.lse[first_row + row] = exponent * 0.693147181f;
    }
    u32 row_byte = lane % 16 * 128, column_byte = lane / 16 * 16, swizzle = (lane & 7) << 4;
    scale_rows(o, factor);
    __syncwarp();
#pragma unroll
    for (int i = 0; i < D / 16; i++) {
        const float* d = o + i * 8;
        stmatrix_x4(to + i / 4 * Q_PANEL + row_byte + ((i % 4 * 32 + column_byte) ^ swizzle), cvt_rn_x2<ELEMENT>(d[0], d[1]),
                    cvt_rn_x2<ELEMENT>(d[2], d[3]), cvt_rn_x2<ELEMENT>(d[4], d[5]), cvt_rn_x2<ELEMENT>(d[6], d[7]));
    }
    __syncwarp();
    // Eight lanes a row, four rows at a time; from one four to the next a vector's place in its row changes by one bit.
    int row = first + lane / 8, column = lane % 8 * 8, left = done_end - done.row - row;
    const unsigned char* from = consumer.memory + (to - consumer.shared.base) + lane / 8 * 128;
    u32 place = (lane % 8 ^ lane / 8) * 16;
    Vector16 vectors[PANELS * 4];
#pragma unroll
    for (int i = 0; i < PANELS * 4; i++)
        vectors[i] = *reinterpret_cast<const Vector16*>(from + i / 4 * Q_PANEL + i % 4 * 512 + (place ^ i % 2 * 64));
    ELEMENT* at = output.o + (first_row + row) * output.width + column;
#pragma unroll
    for (int i = 0; i < PANELS * 4; i++) {
        int down = i % 4 * 4, panel = i / 4;
        if (down < left && column + panel * 64 < output.width) st_global_cs(at + down * output.width + panel * 64, vectors[i]);
    }
}

// A block of threads, from its first barrier on. `memory` is its dynamic shared memory, aligned to 1024.
template <class Work, class Queries, class Output, class Aside>
DEVICE void attend(unsigned char* memory, Work work, float scale, Queries queries, Output output, Aside aside) {
    Shared shared{cvta_shared(memory)};
    u32 warpgroup = __shfl_sync(~0u, threadIdx.x / 128, 0);
    if (threadIdx.x == 0) {
        if constexpr (Aside::IS_PRESENT) aside.make_barriers(shared);
        make_barriers(shared);
    }
    __syncthreads();

    if (warpgroup == 0) {
        setmaxnreg_dec<Aside::FEEDER_REGISTERS>();
        u32 warp = __shfl_sync(~0u, threadIdx.x / 32, 0);
        if (warp == 0 && elect_sync()) Feeder<Work, Queries>{shared, work, queries}.run();
        if constexpr (Aside::IS_PRESENT)
            if (warp == 1 && elect_sync()) aside.feed(shared);
    } else if (warpgroup <= CONSUMERS) {
        setmaxnreg_inc<Aside::CONSUMER_REGISTERS>();
        Consumer<Work, Output> consumer{shared, memory, work, output, scale, warpgroup - 1, threadIdx.x % 128};
        consumer.run();
    } else if constexpr (Aside::IS_PRESENT) {
        setmaxnreg_dec<Aside::OWN_REGISTERS>();
        aside.run(shared);
    }
}
