// O and LSE of a tile by a cluster of two blocks, of which each has a part of the tile's shared keys and every other of its sequences' own
// ones: no part of shared keys sees memory, and no launch merges.
// Of O's columns each block makes the half that its part's number says. A thread sends its sums of the other half to the thread in its own
// place of the other block, which has the same elements; they lie there in the room of the tile's queries, once the last scores have been
// made of these. The part of own keys goes through memory, and has mostly been there for long.
// Knows no product. Macros: those of block_sparse_attention/sm90_consumer.h and of shared_prefix_attention/sm90_own.h; Q_STAGES 1.
#pragma once
#include "block_sparse_attention/sm90_consumer.h"
#include "shared_prefix_attention/sm90_levels.h"
#include "shared_prefix_attention/sm90_own.h"

constexpr int KEPT = OUTPUTS / 2;                        // of a thread's sums
constexpr u32 SENT_BYTES = Q_BYTES, SENT_ROWS = 64 * sizeof(PartSum);    // by a warpgroup to its like
constexpr u32 PAIR_BYTES = CONSUMERS * (SENT_ROWS + 8) + 16;

static_assert(SENT_BYTES == 128 * KEPT * sizeof(float) && Q_STAGES == 1, "sums have the room of the one tile's queries");

// Shared memory by address, behind that of own keys: what rows sum to in the other block, and barriers: that the other one's queries are no
// longer read, that own keys of both are done, that a warpgroup has been sent everything.
struct PairShared {
    u32 base;
    DEVICE explicit PairShared(Shared stream) : base(OwnShared{stream.k(2 * STAGES)}.panel(SLOTS)) {}
    DEVICE u32 rows(u32 consumer) const { return base + consumer * SENT_ROWS; }
    DEVICE u32 room() const { return rows(CONSUMERS); }
    DEVICE u32 own() const { return room() + 8; }
    DEVICE u32 sent(u32 consumer) const { return room() + 16 + consumer * 8; }
};

// Neither block sends or arrives anywhere before the other one's barriers are there.
DEVICE void meet_pair(unsigned char* memory) {
    PairShared pair{Shared{cvta_shared(memory)}};
    if (threadIdx.x == 0) {
        mbarrier_init(pair.room(), 1);
        mbarrier_init(pair.own(), 2);
        for (u32 i = 0; i < CONSUMERS; i++) mbarrier_init(pair.sent(i), 1);
        fence_mbarrier_init();
        for (u32 i = 0; i < CONSUMERS; i++) mbarrier_arrive_expect_tx(pair.sent(i), SENT_BYTES + SENT_ROWS);
    }
    barrier_cluster_arrive_relaxed();
    barrier_cluster_wait();
}

// Both parts of a tile side by side.
struct PairedLevels : Levels {
    DEVICE Place at(int index) const { return Levels::at(index % 2 * (tiles / 2) + index / 2); }
};

// Of the sequences of the block's tile every other one.
struct TileItems {
    const PairedLevels& levels;

    DEVICE Items items() const {
        Place place = levels.at(blockIdx.x);
        int first = place.row / GROUP + place.segment, end = min_int(place.row + TILE_M, levels.end(place)) / GROUP;
        return {first * levels.heads + place.head, end * levels.heads, 2 * levels.heads};
    }
};

struct PairedOwn : Own<TileItems> {
    DEVICE void feed(Shared shared) const {
        Own::feed(shared);
        for (u32 i = 0; i < CONSUMERS; i++) mbarrier_try_wait_parity(shared.q_empty(i), 0);
        mbarrier_arrive_cluster(mapa(PairShared{shared}.room(), blockIdx.x % 2 ^ 1));
    }

    // The warpgroup has met after its last stores.
    DEVICE void run(Shared shared) const {
        Own::run(shared);
        if (threadIdx.x % 128 < 2) mbarrier_arrive_release_cluster(mapa(PairShared{shared}.own(), threadIdx.x % 128));
    }
};

// What all parts have of a row: the factors that O of each gets, and the row's exponent.
struct Whole { float mine, theirs, own, exponent; };

DEVICE Whole whole(PartSum mine, PartSum theirs, PartSum own) {
    float max = fmaxf(fmaxf(mine.max, theirs.max), own.max);
    Whole of{ex2_approx(mine.max - max), ex2_approx(theirs.max - max), ex2_approx(own.max - max), 0};
    float sum = of.mine * mine.sum + of.theirs * theirs.sum + of.own * own.sum, factor = rcp_approx(sum);
    of.mine *= factor, of.theirs *= factor, of.own *= factor;
    of.exponent = max + lg2_approx(sum);
    return of;
}

// A thread's two rows of a tensor (B, Hk, GROUP); what a row lacks that does not exist is nobody's.
struct TwoRows {
    long long at[2];
    bool exist[2];

    template <class Consumer> DEVICE TwoRows(const Consumer& consumer, Place place, int heads, int end) {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int row = place.row + consumer.thread_row() + 8 * h;
            at[h] = ((long long)(row / GROUP) * heads + place.head) * GROUP + row % GROUP;
            exist[h] = row < end;
        }
    }
};

struct PairOutput {
    static constexpr bool LEAVES_ONCE = true;

    Part own;
    ELEMENT* o;                                          // (B, Hk, GROUP, D)
    float* lse;                                          // (B, Hk, GROUP)
    int heads;

    template <class Consumer> DEVICE void leave(const Consumer& consumer, float (&sums)[OUTPUTS], const Rows& rows, Place done, int end) const {
        u32 part = done.segment, lane = consumer.thread % 4;
        PairShared pair{consumer.shared};
        float kept[KEPT], own_sums[KEPT];
        PartSum mine[2], own_rows[2];
#pragma unroll
        for (int h = 0; h < 2; h++) mine[h] = {rows.max[h] * consumer.scale, sum_across<4>(rows.sum[h])};
        mbarrier_try_wait_parity(pair.room(), 0);
        send(consumer, pair, part, mine, sums, kept);

        TwoRows to{consumer, done, heads, end};
        int column = part * (D / 2) + lane * 2;
        mbarrier_try_wait_parity_cluster(pair.own(), 0);
        read_own(to, column, own_rows, own_sums);

        mbarrier_try_wait_parity_cluster(pair.sent(consumer.index), 0);
        u32 received_rows = pair.rows(consumer.index) + consumer.thread / 4 * 16;
        Whole of[2];
#pragma unroll
        for (int h = 0; h < 2; h++) {
            PartSum theirs;
            ld_shared(received_rows + h * 8, theirs.max, theirs.sum);
            of[h] = whole(mine[h], theirs, own_rows[h]);
            if (part == 0 && lane == 0 && to.exist[h]) lse[to.at[h]] = of[h].exponent * 0.693147181f;
        }
        const unsigned char* received = consumer.memory + (consumer.shared.q(consumer.index) - consumer.shared.base) + consumer.thread * 16;
        store(to, column, of, kept, received, own_sums);
    }

    // What rows sum to, and half of the columns of O; the other half is kept.
    template <class Consumer>
    DEVICE void send(const Consumer& consumer, PairShared pair, u32 part, const PartSum (&rows)[2], const float (&sums)[OUTPUTS],
                     float (&kept)[KEPT]) const {
        u32 thread = consumer.thread, index = consumer.index, other = part ^ 1;
        u32 to = mapa(consumer.shared.q(index) + thread * 16, other), sent = mapa(pair.sent(index), other);
        if (thread % 4 == 0) st_async(mapa(pair.rows(index) + thread * 4, other), rows[0].max, rows[0].sum, rows[1].max, rows[1].sum, sent);
#pragma unroll
        for (int i = 0; i < KEPT; i += 4) {
            float away[4];
#pragma unroll
            for (int j = i; j < i + 4; j++) {
                kept[j] = part ? sums[KEPT + j] : sums[j];
                away[j - i] = part ? sums[j] : sums[KEPT + j];
            }
            st_async(to + i * 512, away[0], away[1], away[2], away[3], sent);
        }
    }

    // Own keys' part of the columns that are kept.
    DEVICE void read_own(const TwoRows& from, int column, PartSum (&rows)[2], float (&sums)[KEPT]) const {
#pragma unroll
        for (int h = 0; h < 2; h++) {
            rows[h] = from.exist[h] ? own.sums[from.at[h]] : PartSum{-INFINITE, 0};
#pragma unroll
            for (int i = 0; i < KEPT; i += 4) {
                float2 two{0, 0};
                if (from.exist[h]) two = *reinterpret_cast<const float2*>(own.o + from.at[h] * D + column + i * 2);
                sums[i + 2 * h] = two.x, sums[i + 2 * h + 1] = two.y;
            }
        }
    }

    DEVICE void store(const TwoRows& to, int column, const Whole (&of)[2], const float (&kept)[KEPT], const unsigned char* received,
                      const float (&own_sums)[KEPT]) const {
#pragma unroll
        for (int i = 0; i < KEPT; i += 4) {
            Vector16 theirs = *reinterpret_cast<const Vector16*>(received + i * 512);
#pragma unroll
            for (int h = 0; h < 2; h++) {
                float x[2];
#pragma unroll
                for (int j = 0; j < 2; j++) {
                    int at = i + 2 * h + j;
                    x[j] = of[h].mine * kept[at] + of[h].theirs * __builtin_bit_cast(float, theirs.word[at - i]) + of[h].own * own_sums[at];
                }
                if (to.exist[h]) *reinterpret_cast<u32*>(o + to.at[h] * D + column + i * 2) = cvt_rn_x2<ELEMENT>(x[0], x[1]);
            }
        }
    }
};
