// C = A B on gfx950's matrix cores with operands copied straight to LDS: C (M, N), A (M, K), B (K, N) or its transpose (N, K; with E4m3 always),
// f32 sums, one rounding.
//
// Mapping: a block of eight waves owns 256 x 256 of C. A slice of K lies in LDS as four halves, 128 rows of A or columns of B each, in
// two stages. A wave makes 64 x 32 of each quadrant of C. A slice is four phases of two steps, "fetch" and "multiply": the four waves
// of one half are a step behind the others, so that on every SIMD one wave reads LDS while the other multiplies at raised priority.
// Phase by phase a wave fetches B's first half, its second, A's second, and A's first of the next slice, each into registers that the
// quadrant before has left, and copies to the place that was read a phase ago the half two slices ahead: 12 copies stay under way.
// Where B is (K, N), transposing reads turn it.
// Work: 2 M N K flops over at least M K + K N + M N elements; a block reads 128 flops a byte of memory and 43 a byte of LDS in 16 bits.
//
// Launch. block (512), grid (ceil(M / 256) ceil(N / 256)); no dynamic shared memory. Arguments as naive.cu; A, B and their pitches are multiples
// of 16 bytes, and what follows a row of A, or of B with B_K_MAJOR, up to the next 16 bytes is 0 (see repack.cu). 256 pitches are less than 2 GiB.
// Macros: ELEMENT, OUTPUT, B_K_MAJOR, SCALES of mfma.h.
#include "gemm/mfma.h"

static_assert(TILE_M == 256 && TILE_N == 256 && WAVES_M == 2 && WAVES_N == 4, "the phases are made for this tile");
static_assert(B_K_MAJOR || sizeof(ELEMENT) == 2, "transposing reads take 16 bits");

constexpr int HALF = 128, HALF_BYTES = HALF * ROW_BYTES, STAGE_BYTES = 4 * HALF_BYTES;
constexpr int M_TILES = 4, N_TILES = 2;                    // of a wave in a quadrant
constexpr int COPY_BYTES = THREADS * 16;                   // that the block copies at once

// One operand in memory and in LDS. K_MAJOR: a half is (128, ROW_BYTES) with the vectors of row r permuted by r / 2, so that the
// lanes which read together meet all banks; else (SLICE, 256 bytes), pairs of vectors permuted by the rows that are read together.
template <bool K_MAJOR> struct Operand {
    static constexpr int ROW = K_MAJOR ? ROW_BYTES : HALF * sizeof(ELEMENT), IN_ROW = ROW / 16;
    const ELEMENT* base;                                   // the tile's first element
    long long pitch;
    int rows, columns;                                     // of the matrix from there on; columns of whole vectors
    u32 lds, column, offset;                               // of the half tiles; of this lane's vector in a half

    DEVICE Operand(const ELEMENT* matrix, long long pitch, int first, int extent, int k, u32 lds) : pitch(pitch), lds(lds) {
        base = matrix + (K_MAJOR ? first * pitch : first);
        rows = K_MAJOR ? extent - first : k;
        columns = ceil_div(K_MAJOR ? k : extent - first, IN_VECTOR) * IN_VECTOR;
        u32 at = threadIdx.x, row = at / IN_ROW;
        column = ((at % IN_ROW) ^ permutation(row)) * IN_VECTOR;
        offset = (row * pitch + column) * sizeof(ELEMENT);
    }
    DEVICE static u32 permutation(u32 row) { return K_MAJOR ? row / 2 % 8 : row % 4 * 2 + row / 8 % 2 * 8; }

    // Copies half `half` of the slice from k on; past the matrix come zeros.
    DEVICE void copy(int half, int k, u32 stage) const {
        const ELEMENT* from = base + (K_MAJOR ? k : k * pitch);
        long long end = (rows - 1 - (K_MAJOR ? 0 : k)) * pitch + columns - (K_MAJOR ? k : 0);
        BufferResource buffer = make_buffer(from, end * sizeof(ELEMENT));
        bool inside = int(column) + (K_MAJOR ? k : half * HALF) < columns;
        u32 aside = (K_MAJOR ? half * HALF * u32(pitch) : half * HALF) * sizeof(ELEMENT), further = COPY_BYTES / ROW * u32(pitch) * sizeof(ELEMENT);
        u32 to = lds + stage * STAGE_BYTES + half * HALF_BYTES + warp_index() * 1024;
#pragma unroll
        for (int i = 0; i < HALF_BYTES / COPY_BYTES; i++)
            buffer_load_dwordx4_lds(to + i * COPY_BYTES, buffer, inside ? offset : OUTSIDE, aside + i * further);
    }
};

// A wave's part of a half in registers: TILES tiles of 16 rows or columns by the slice, of which lane l holds vectors l / 16 and
// 4 + l / 16 of its row. `first` and `second` are addresses of these two in the first tile.
template <int TILES> struct Fragments {
    Vector<u32, 4> part[TILES][2];

    DEVICE void read(u32 first, u32 second, int offset) {
#pragma unroll
        for (int i = 0; i < TILES; i++)
            part[i][0] = ds_read_b128(first, offset + i * 16 * ROW_BYTES), part[i][1] = ds_read_b128(second, offset + i * 16 * ROW_BYTES);
    }
    DEVICE void arrive() {
        s_waitcnt_lgkmcnt<0>();
#pragma unroll
        for (auto& tile : part) pin(tile[0]), pin(tile[1]);
    }
    DEVICE Vector16 vector(int tile, int i) const { return __builtin_bit_cast(Vector16, part[tile][i]); }
};

// The same of two tiles from where K is not contiguous: `first` and `second` are addresses of this lane's share in either tile.
struct TurnedFragments {
    Vector<u32, 2> part[2][4];                             // of a tile, four rows of K each

    DEVICE void read(u32 first, u32 second, int offset) {
        constexpr int FOUR_ROWS = 4 * HALF * sizeof(ELEMENT), PLACES[] = {0, 1, 8, 9};
#pragma unroll
        for (int i = 0; i < 4; i++) part[0][i] = ds_read_b64_tr_b16(first, offset + PLACES[i] * FOUR_ROWS);
#pragma unroll
        for (int i = 0; i < 4; i++) part[1][i] = ds_read_b64_tr_b16(second, offset + PLACES[i] * FOUR_ROWS);
    }
    DEVICE void arrive() {
        s_waitcnt_lgkmcnt<0>();
#pragma unroll
        for (auto& tile : part)
#pragma unroll
            for (auto& rows : tile) pin(rows);
    }
    DEVICE Vector16 vector(int tile, int i) const {
        Vector<u32, 2> low = part[tile][2 * i], high = part[tile][2 * i + 1];
        return {low[0], low[1], high[0], high[1]};
    }
};

// Addresses of this lane's shares in a half, for a wave whose part begins at `row`.
struct Places { u32 first, second; };
template <bool K_MAJOR> DEVICE Places places(u32 half, u32 row) {
    u32 lane = lane_id(), r = lane % 16, group = lane / 16;
    if (K_MAJOR) {
        u32 at = half + (row + r) * ROW_BYTES;
        return {at + (group ^ Operand<true>::permutation(r)) * 16, at + ((group + 4) ^ Operand<true>::permutation(r)) * 16};
    }
    u32 depth = group * 8 + r / 4, vector = (row * 2 / 16) ^ Operand<false>::permutation(depth), at = half + depth * HALF * sizeof(ELEMENT) + r % 4 * 8;
    return {at + vector * 16, at + (vector ^ 2) * 16};
}

using AFragments = Fragments<M_TILES>;
using BFragments = Select<B_K_MAJOR, Fragments<N_TILES>, TurnedFragments>;

// Ends a step that fetched: the fragments have arrived, and so have all but the last six pairs of copies.
template <class F> DEVICE void fetched(F& fragments) {
    fragments.arrive();
    s_waitcnt_vmcnt<12>();
    s_barrier();
    sched_barrier();
}

// The step that multiplies a quadrant.
DEVICE void multiply_quadrant(Sum4 (&sums)[M_TILES][N_TILES], const AFragments& a, const BFragments& b) {
    s_setprio<1>();
#pragma unroll
    for (int i = 0; i < M_TILES; i++)
#pragma unroll
        for (int j = 0; j < N_TILES; j++) {
            if constexpr (sizeof(ELEMENT) == 1)
                mfma_f32_16x16x128_f8f6f4(E4m3{}, sums[i][j], b.vector(j, 0), b.vector(j, 1), a.vector(i, 0), a.vector(i, 1));
            else multiply<ELEMENT>(sums[i][j], a.vector(i, 0), b.vector(j, 0)), multiply<ELEMENT>(sums[i][j], a.vector(i, 1), b.vector(j, 1));
        }
    sched_barrier();
    s_setprio<0>();
    s_barrier();
    sched_barrier();
}

extern "C" __global__ __launch_bounds__(THREADS)
void gemm_gfx950_mfma(const ELEMENT* a, long long a_pitch, const ELEMENT* b, long long b_pitch, OUTPUT* c, long long c_pitch, int m, int n, int k,
                      const float* scale_a, const float* scale_b) {
    __shared__ Vector16 lds[2 * STAGE_BYTES / 16];
    TilePlace tile = tile_of_block(m, n);
    int row = tile.row * TILE_M, column = tile.column * TILE_N, wave = warp_index();
    int wave_row = wave / WAVES_N * M_TILES * 16, wave_column = wave % WAVES_N * N_TILES * 16;
    u32 a_lds = lds_address(lds), b_lds = a_lds + 2 * HALF_BYTES;
    Operand<true> a_operand(a, a_pitch, row, m, k, a_lds);
    Operand<B_K_MAJOR> b_operand(b, b_pitch, column, n, k, b_lds);
    for (int i = 0; i < 2; i++) {
        a_operand.copy(0, i * SLICE, i), b_operand.copy(0, i * SLICE, i);
        b_operand.copy(1, i * SLICE, i), a_operand.copy(1, i * SLICE, i);
    }
    s_waitcnt_vmcnt<12>();
    s_barrier();
    Places a_at = places<true>(a_lds, wave_row), b_at = places<B_K_MAJOR>(b_lds, wave_column);
    AFragments a_first, a_second;
    BFragments b_first, b_second;
    a_first.read(a_at.first, a_at.second, 0);
    fetched(a_first);
    bool follows = wave >= WAVES_N;
    if (follows) s_barrier();
    Sum4 sums[2][2][M_TILES][N_TILES] = {};
    u32 stage = 0;
    for (int slice = 0; slice < k; slice += SLICE, stage ^= 1) {
        u32 here = stage * STAGE_BYTES, there = STAGE_BYTES - here;
        int ahead = slice + 2 * SLICE;
        b_first.read(b_at.first + here, b_at.second + here, 0);
        a_operand.copy(0, ahead, stage);
        fetched(b_first);
        multiply_quadrant(sums[0][0], a_first, b_first);
        b_second.read(b_at.first + here, b_at.second + here, HALF_BYTES);
        b_operand.copy(0, ahead, stage);
        fetched(b_second);
        multiply_quadrant(sums[0][1], a_first, b_second);
        a_second.read(a_at.first + here, a_at.second + here, HALF_BYTES);
        b_operand.copy(1, ahead, stage);
        fetched(a_second);
        multiply_quadrant(sums[1][1], a_second, b_second);
        a_first.read(a_at.first + there, a_at.second + there, 0);
        a_operand.copy(1, ahead, stage);
        fetched(a_first);
        multiply_quadrant(sums[1][0], a_second, b_first);
    }
    if (!follows) s_barrier();
#pragma unroll
    for (int i = 0; i < 2 * M_TILES; i++)
#pragma unroll
        for (int j = 0; j < 2 * N_TILES; j++)
            store_tile(sums[i / M_TILES][j / N_TILES][i % M_TILES][j % N_TILES], c, c_pitch, row + i / M_TILES * HALF + wave_row + i % M_TILES * 16,
                       column + j / N_TILES * HALF + wave_column + j % N_TILES * 16, m, n, scale_a, scale_b);
}
