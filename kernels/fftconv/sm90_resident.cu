// y = iFFT(FFT(u) K) by heads as sm80_short.cu has it, of at most 8192 points: tables and a head's spectrum stay in shared memory while a block
// goes through the batch.
//
// Mapping: a block fills a multiprocessor and has a part of all turns; in a turn each of its GROUPS takes as many pairs of batch items of one
// head as have 16 rows of 256 elements, or 32 (short.h), two sequences of a pair as real and imaginary part, and meets by itself. A warp has
// an equal share of the columns of all rows for the first and the last stage, and 8 rows for what is between: these it takes by twos, from
// shared memory through stages 2 and 3, the spectrum and both inverses in registers, and back to their places. So numbers go through shared
// memory twice, by vectors of 16 bytes without bank conflicts. The inverses' matrices are the forward ones, transposed as they are loaded.
// L2 is asked for the next turn's sequences a turn ahead; the last group that has multiplied by a head's bins brings the next head's.
// Work: 8 N flops a sequence times the sum of its radices, 16, 16 and N / 256 or 16, over 4 L bytes (8 L with gates). What bounds it is issue:
// 45 instructions for each complex number that a thread has at N = 8192, 41 below.
// Spills: at most 236 bytes a thread, folding, 188 with gates, and 68 without where all elements are there: 16 warps with 128 registers fill the
// multiprocessor.
//
// Launch. block (THREADS), grid (any: one block a multiprocessor); dynamic shared memory: SHARED bytes. It may start before what arranges its
// spectra has ended.
// Arguments: those of sm80_monarch.cu; tables, spectrum and scales as arrange_short.cu leaves them.
// Macros: those of short.h, with RESIDENT, and signals.h, where FULL says that the batch is whole turns.
#include "fftconv/short.h"

constexpr int WARPS = EIGHTS, GROUPS = 16 / WARPS;       // of a group; 128 registers a thread
constexpr int TURN_ITEMS = GROUPS * 2 * PAIRS;
constexpr int THREADS = 512, GROUP_THREADS = 32 * WARPS;
#include "fftconv/stages.h"
#include "fftconv/ahead.h"

// Where a block is in its work: batch items of a head, from `place` on.
struct alignas(16) Turn {
    int head, place;
    int left;                                            // this one counted
    u32 phase;                                           // of the barrier that tells of the head's bins
};

// Each group's turn, which rows are brought in for, and the one whose results go out.
struct Turns { Turn in, out; };

// Shared memory: the groups' rows, tables from the factors on, a head's bins, what is told of these, and the groups' turns.
constexpr int GROUP_BYTES = HELD_ROWS * 1024, TABLE_BYTES = (SHORT_TABLES - FACTORS) * 16, SPECTRUM_BYTES = N1 * BIN_VECTORS * 16;
constexpr int ARRIVAL_BYTES = 16, SHARED = GROUPS * (GROUP_BYTES + sizeof(Turns)) + TABLE_BYTES + SPECTRUM_BYTES + ARRIVAL_BYTES;
static_assert(SHARED <= 227 << 10, "shared memory of a block");

DEVICE u32 own_group() { return forgotten(threadIdx.x) / GROUP_THREADS; }
DEVICE u32 own_warp() { return forgotten(threadIdx.x) / 32 % WARPS; }
DEVICE void meet_group() { bar_sync(1 + own_group(), GROUP_THREADS); }

// Places of vectors in shared memory, linear over GF(2). One has two neighbouring n3, real and imaginary part, each of two neighbours that
// `two` counts: n2 forward, rows backward. Both ways two rows have the same 2 KB; what eight lanes touch at once is in different banks.
DEVICE constexpr u32 forward_place(u32 row, u32 two, u32 n3) { return ((row * 8 + two) * 8 + n3 / 2) ^ (two * 2 & 6) ^ (row & 1); }
DEVICE constexpr u32 backward_place(u32 two, u32 n2, u32 n3) { return ((two * 16 + n2) * 8 + n3 / 2) ^ (two * 2 & 6) ^ (n2 & 1) ^ (n2 >> 1 & 1); }
#include "fftconv/rows.h"

// What stays in shared memory.

DEVICE void copy_in(u8* to, const Vector16* from, int bytes) {
#pragma unroll 1
    for (int at = threadIdx.x * 16; at < bytes; at += THREADS * 16) cp_async_cg(cvta_shared(to + at), from + at / 16);
}

// Of a head's bins, behind them: their scale, how many groups have let go of bins since the start, and where arrival is told.
struct Arrival {
    float scale;
    u32 let_go;
    u64 barrier;
};

DEVICE Arrival& arrival_of(u8* bins) { return *reinterpret_cast<Arrival*>(bins + SPECTRUM_BYTES); }

// By one thread, when nobody reads bins any more.
DEVICE void bring_bins(u8* bins, const Vector16* spectrum, const float* scales, int head) {
    Arrival& arrival = arrival_of(bins);
    arrival.scale = scales[head];
    mbarrier_arrive_expect_tx(cvta_shared(&arrival.barrier), SPECTRUM_BYTES);
    cp_async_bulk(cvta_shared(bins), spectrum + (long long)head * N1 * BIN_VECTORS, SPECTRUM_BYTES, cvta_shared(&arrival.barrier));
}

// By one thread of each group: the last one brings the next head's.
DEVICE void let_go(u8* bins, const Vector16* spectrum, const float* scales, int next_head) {
    __threadfence_block();                               // what groups have read stays before what comes
    if (atomicAdd(&arrival_of(bins).let_go, 1) % GROUPS == GROUPS - 1) bring_bins(bins, spectrum, scales, next_head);
}

// Stage 1.

// Neighbouring rows side by side, as words of an operand: element e of rows i and i + 1, i being even, is word e / 2 of vector i + e % 2.
DEVICE void interleave(Rows& rows) {
#pragma unroll
    for (int i = 0; i < 32; i++) {
        u32 &a = rows.v[i / 16][i / 8 % 2][i / 4 % 2 * 2].word[i % 4], &b = rows.v[i / 16][i / 8 % 2][i / 4 % 2 * 2 + 1].word[i % 4];
        u32 low = join(a, b, 0);
        b = join(a, b, 1), a = low;
    }
}

// Element e of a tile of the rows and of those that it is contracted with.
DEVICE void transform_element(float (&re)[4], float (&im)[4], const Rows& rows, int half, int e, const Dft (&f)[ROW_TILES]) {
#pragma unroll
    for (int tile = 0; tile < ROW_TILES; tile++) {
        auto word = [&](int part, int i) { return rows.v[half + tile][part][i + e % 2].word[e / 2]; };
        u32 re0 = word(0, 0), re1 = word(0, 2), im0 = word(1, 0), im1 = word(1, 2);
        mma_m16n8k16(ELEMENT{}, re, f[tile].re, re0, re1);
        mma_m16n8k16(ELEMENT{}, im, f[tile].im, re0, re1);
        mma_m16n8k16(ELEMENT{}, re, f[tile].minus_im, im0, im1);
        mma_m16n8k16(ELEMENT{}, im, f[tile].re, im0, im1);
    }
}

DEVICE void transform_columns_in(u8* planes, Rows& rows, const Vector16* tables) {
    u32 lane = own_lane(), g = lane / 4, q = lane % 4;
    u32 here = forward_place(g, own_warp() * (8 / WARPS) + q / 2, q % 2 * 8);
    interleave(rows);
#pragma unroll
    for (int pass = 0; pass < 2; pass++) {
        Dft f[ROW_TILES];
#pragma unroll
        for (int tile = 0; tile < ROW_TILES; tile++)
            f[tile] = load_dft(tables + ROWS_MATRIX + (pass_row(pass) / 16 * ROW_TILES + tile) * MATRIX_VECTORS + lane);
#pragma unroll
        for (int e = 0; e < 8; e += 2) {
            float re[2][4] = {}, im[2][4] = {};
#pragma unroll
            for (int i = 0; i < 2; i++) transform_element(re[i], im[i], rows, pass_column(pass) / 64, e + i, f);
#pragma unroll
            for (int row = 0; row < 2; row++) {
                auto word = [&](const float (&d)[4]) { return cvt_rn_x2<ELEMENT>(d[2 * row], d[2 * row + 1]); };
                u32 there = forward_place(pass_row(pass) + row * 8, pass_column(pass) / 32, e);
                vector_at(planes, here ^ there) = {word(re[0]), word(im[0]), word(re[1]), word(im[1])};
            }
            __syncwarp();                                // one product's results after another's, lest all be held
        }
    }
}

// Stages 2 and 3, the spectrum and the inverses.

// Where the lane's lines of a k1's matrices stand in shared memory. That of stage 2 has by halves of n2 real parts and then imaginary ones,
// each by halves of k2: as they come a left operand of both parts of half the n2, and transposed in another order one of all k2.
struct Lines {
    u32 forward, back;

    DEVICE Lines at(u32 k1) const { return {forward + k1 * OF_BIN * 16, back + k1 * OF_BIN * 16}; }
};

DEVICE Lines lines_of_lane(u32 matrices, u32 lane) { return {matrices + lane * 16, matrices + (lane / 8 % 2 * 32 + lane / 16 * 8 + lane % 8) * 16}; }

// Real parts and then imaginary ones, `apart` bytes apart, transposed or not.
template <bool TRANSPOSED> DEVICE Dft resident_dft(u32 at, u32 apart) {
    Dft f;
    if (TRANSPOSED) ldmatrix_x4_trans(f.re, at), ldmatrix_x4_trans(f.im, at + apart);
    else ldmatrix_x4(f.re, at), ldmatrix_x4(f.im, at + apart);
#pragma unroll
    for (int i = 0; i < 4; i++) f.minus_im[i] = f.im[i] ^ 0x80008000;
    return f;
}

// A row of stage 1's results as stage 2 takes it: by halves of n2, real and imaginary parts of one n3 and of its neighbour.
struct Row { Vector16 v[2]; };

// Stage 2. Real and imaginary parts of eight n2 are contracted at once, since they lie side by side.
DEVICE Tile transform_row(const Row& x, u32 lines) {
    Tile d;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        u32 re[4], im[4];
        ldmatrix_x4(re, lines + i * 512), ldmatrix_x4(im, (lines ^ 256) + i * 512);
        re[2] ^= 0x80008000, re[3] ^= 0x80008000;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            mma_m16n8k16(ELEMENT{}, d.re[half], re, x.v[i].word[half * 2], x.v[i].word[half * 2 + 1]);
            mma_m16n8k16(ELEMENT{}, d.im[half], im, x.v[i].word[half * 2], x.v[i].word[half * 2 + 1]);
        }
    }
    return d;
}

// A row from stage 1 to what the inverse of stage 1 takes. Matrices and bins are the lane's of its k1.
DEVICE Tile convolve_row(const Row& x, const Vector16* bins, const Factors& factors, const Factors& back, Lines lines) {
    constexpr u32 THIRD = MATRIX_VECTORS * 16;
    Tile d = transform_row(x, lines.forward);
    multiply<false>(d, factors);
    d = transform_columns<false>(d.rounded(), resident_dft<false>(lines.forward + THIRD, 512));
#pragma unroll
    for (int row = 0; row < 2; row++) d.multiply_row<false>(row, bins[row * 32]);
    d = transform_to_rows<true>(d.rounded(), resident_dft<true>(lines.forward + THIRD, 512));
    multiply<true>(d, back);
    return transform_to_rows<true>(d.rounded(), resident_dft<true>(lines.back, 256));
}

// Two rows; `from` and `to` are the lane's places in the first ones, and lines and spectrum are the lane's.
DEVICE void convolve_two(u8* planes, u32 two, u32 from, u32 to, const Factors& factors, const Factors& back, Lines lines, const Vector16* spectrum) {
    u32 k1 = two * 2 % N1;
    from ^= forward_place(two * 2, 0, 0), to ^= backward_place(two, 0, 0);
    Row x[2];
    Tile d[2];
#pragma unroll
    for (int i = 0; i < 4; i++) x[i / 2].v[i % 2] = vector_at(planes, from ^ forward_place(i / 2, i % 2 * 4, 0));
#pragma unroll
    for (int i = 0; i < 2; i++) d[i] = convolve_row(x[i], spectrum + (k1 + i % N1) * BIN_VECTORS, factors, back, lines.at(k1 + i % N1));
    __syncwarp();                                        // all lanes have read what is overwritten
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = i / 2, c = i % 2;
        auto word = [&](float (Tile::*part)[2][4], int half) { return cvt_rn_x2<ELEMENT>((d[0].*part)[half][2 * row + c], (d[1].*part)[half][2 * row + c]); };
        vector_at(planes, to ^ backward_place(0, row * 8, c * 2)) = {word(&Tile::re, 0), word(&Tile::im, 0), word(&Tile::re, 1), word(&Tile::im, 1)};
    }
}

// The warp's rows.
DEVICE void convolve_own(u8* planes, const u8* resident, u8* bins) {
    auto tables = reinterpret_cast<const Vector16*>(resident);
    Factors factors = load_factors(tables, 1), back = load_factors(tables + 64, arrival_of(bins).scale);
    u32 lane = own_lane(), g = lane / 4, q = lane % 4, first = own_warp() * 4;
    Lines lines = lines_of_lane(cvta_shared(resident + (BIN_MATRICES - FACTORS) * 16), lane);
    const Vector16* spectrum = reinterpret_cast<const Vector16*>(bins) + lane;
#pragma unroll 1
    for (u32 two = first; two < first + 4; two++)
        convolve_two(planes, two, forward_place(0, q, g * 2), backward_place(0, g, q * 4), factors, back, lines, spectrum);
}

// The inverse of stage 1.

DEVICE void store_columns(u8* planes, const Signals& out, const Vector16* tables) {
    u32 lane = own_lane(), g = lane / 4, q = lane % 4;
    u32 here = backward_place(q, own_warp() * (16 / WARPS) + g % 2 * 2 + g / 4, g / 2 % 2 * 8);
#pragma unroll
    for (int pass = 0; pass < 2; pass++) {
        Vector16 gates[8];
        Results results;
        for_each_result(pass, [&](int i, int item, int at) { gates[i] = load_gate(out, item, at); });
        BothParts a = load_both_parts(tables + BOTH_PARTS + pass_row(pass) / 16 * EIGHTS * MATRIX_VECTORS + lane);
        transform_columns_out(results, planes, here ^ backward_place(0, pass_column(pass) / 16, 0), a);
        for_each_result(pass, [&](int i, int item, int at) { store_output(out, item, at, results.v[i / 4][i / 2 % 2][i % 2], gates[i]); });
    }
}

// Asks L2 for what the group has of a tensor in a turn, a thread for each item.
DEVICE void ask_for(const ELEMENT* tensor, const Turn& turn, int batch, int heads, int length, int pitch) {
    int own = forgotten(threadIdx.x) % GROUP_THREADS, item = turn.place + own_group() * 2 * PAIRS + own;
    if (own < 2 * PAIRS && turn.left > 0) prefetch_sequence(tensor, item, turn.head, batch, heads, length, pitch);
}

// The turn after one.
DEVICE Turn next_of(const Turn& turn, int batch) {
    bool same = turn.place + TURN_ITEMS < batch;
    return {turn.head + !same, same ? turn.place + TURN_ITEMS : 0, turn.left - 1, turn.phase ^ !same};
}

extern "C" __global__ __launch_bounds__(THREADS, 1)
void fftconv_resident(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, const Vector16* tables, const Vector16* spectrum, const float* scales,
                      ELEMENT* y, int batch, int heads, int length, int pitch) {
    extern __shared__ __align__(128) u8 memory[];
    u8 *planes = memory + own_group() * GROUP_BYTES, *resident = memory + GROUPS * GROUP_BYTES, *bins = resident + TABLE_BYTES;
    // Turns stay in shared memory: in registers they would be spilled, and wait in the caches behind sequences.
    Turns& turns = reinterpret_cast<Turns*>(bins + SPECTRUM_BYTES + ARRIVAL_BYTES)[own_group()];
    if (threadIdx.x % GROUP_THREADS == 0) {
        int of_head = ceil_div(batch, TURN_ITEMS);
        auto turns_before = [&](u32 block) { return int(u64(of_head) * heads * block / gridDim.x); };
        int first = turns_before(blockIdx.x);
        turns.in = {first / of_head, first % of_head * TURN_ITEMS, turns_before(blockIdx.x + 1) - first, 0};
    }
    if (threadIdx.x == 0) {
        Arrival& arrival = arrival_of(bins);
        arrival.let_go = 0;
        mbarrier_init(cvta_shared(&arrival.barrier), 1);
        fence_mbarrier_init();
    }
    griddepcontrol_wait();
    copy_in(resident, tables + FACTORS, TABLE_BYTES);
    cp_async_wait_all();
    __syncthreads();
    if (threadIdx.x == 0 && turns.in.left > 0) bring_bins(bins, spectrum, scales, turns.in.head);
    // From a row of the first of the group's items on, and from a vector of the warp's columns.
    auto signals = [&](const Turn& turn, u32 row, u32 vector) {
        int item = turn.place + own_group() * 2 * PAIRS + item_of(row), at = element_of(row) + (own_warp() * (32 / WARPS) + vector) * 8;
        return signals_at(u, pre, post, y, item, at, turn.head, batch, heads, length, pitch);
    };
    auto ask_for_next = [&] {
        ask_for(u, turns.in, batch, heads, length, pitch);
        if (GATED) ask_for(pre, turns.in, batch, heads, length, pitch);
    };
    auto busy = [&](const Turn& turn) { return FULL || turn.place + int(own_group()) * 2 * PAIRS < batch; };
#pragma unroll 1
    while (turns.in.left > 0) {
        auto go_on = [&] {
            meet_group();                                // results of the turn before have been read
            if (threadIdx.x % GROUP_THREADS == 0) turns.out = turns.in, turns.in = next_of(turns.out, batch);
        };
        if (busy(turns.in)) {
            Rows rows;
            load_rows(rows, signals(turns.in, own_lane() % 4 * 2, own_vector(own_lane() / 4)));
            go_on();
            transform_columns_in(planes, rows, tables);
        } else go_on();
        meet_group();
        // With gates, next ones come later, lest L2 hold three tensors for so long.
        if (GATED) ask_for(post, turns.out, batch, heads, length, pitch);
        else ask_for_next();
        // Idle groups wait as well: who lets go of bins has had those.
        mbarrier_try_wait_parity(cvta_shared(&arrival_of(bins).barrier), turns.out.phase);
        if (busy(turns.out)) convolve_own(planes, resident, bins);
        meet_group();
        if (threadIdx.x % GROUP_THREADS == 0 && turns.in.left > 0 && turns.in.head != turns.out.head) let_go(bins, spectrum, scales, turns.in.head);
        if (GATED) ask_for_next();
        if (busy(turns.out)) store_columns(planes, signals(turns.out, own_lane() / 4, own_lane() % 4), tables);
    }
}
