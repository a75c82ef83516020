// C = A B on AMD's matrix cores with operands staged in registers: C (M, N), A (M, K), B (K, N) or its transpose (N, K), f32 sums, one rounding.
// For gfx942, which copies to LDS only four bytes a lane; on gfx950 for e4m3 with B (K, N), which its transposing reads do not cover.
//
// Mapping: a block owns TILE_M x TILE_N of C, a wave (TILE_M / WAVES_M) x (TILE_N / WAVES_N) as products of 16 x 16. A slice of K goes
// from memory to registers while the slice before is multiplied, then to LDS, turned so that K is contiguous where it was not.
// Operands of a product are swapped, so that a lane holds four consecutive columns of C.
// Work: 2 M N K flops over at least M K + K N + M N elements; a tile of 256 x 256 reads 128 flops a byte of memory and, with waves of
// 128 x 64, 43 of LDS, so that LDS delivers a slice of 16 bits in 1536 cycles of a unit and writes it in 512, beside 4096 of products.
//
// Launch. block (64 WAVES_M WAVES_N), grid (ceil(M / TILE_M) ceil(N / TILE_N)); no dynamic shared memory. Arguments as naive.cu; A, B and their
// pitches are multiples of 16 bytes, and what follows a row of A, or of B with B_K_MAJOR, up to the next 16 bytes is 0 (see repack.cu).
// Macros: those of mfma.h.
#include "gemm/mfma.h"

constexpr int M_TILES = TILE_M / WAVES_M / 16, N_TILES = TILE_N / WAVES_N / 16;

// Vector `chunk` of a row in LDS. Eight consecutive rows of one chunk meet all banks, as do rows eight apart, which a turned slice writes.
DEVICE u32 place(u32 row, u32 chunk) { return row * CHUNKS + (chunk ^ (row ^ row / 8) % CHUNKS); }

// A slice of ROWS rows of an operand on its way from memory to LDS: K contiguous in memory.
template <bool K_MAJOR, int ROWS> struct Staged {
    static constexpr int VECTORS = ROWS * CHUNKS / THREADS;
    Vector16 part[VECTORS];

    DEVICE void load(const ELEMENT* matrix, long long pitch, int first, int extent, int k, int k_extent) {
        int last = ceil_div(k_extent, IN_VECTOR) * IN_VECTOR;
        const ELEMENT* base = matrix + first * pitch + k;
        BufferResource buffer = make_buffer(base, ((extent - first - 1) * pitch + last - k) * sizeof(ELEMENT));
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            u32 at = threadIdx.x + i * THREADS, row = at / CHUNKS, chunk = at % CHUNKS;
            u32 offset = (row * pitch + chunk * IN_VECTOR) * sizeof(ELEMENT);
            part[i] = buffer_load_dwordx4(buffer, k + int(chunk) * IN_VECTOR < k_extent ? offset : OUTSIDE);
        }
    }
    DEVICE void store(Vector16* tile) const {
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            u32 at = threadIdx.x + i * THREADS;
            Vector16 v = part[i];
            if constexpr (sizeof(ELEMENT) == 1)
                for (u32& word : v.word) word = e4m3_operand(word);
            tile[place(at / CHUNKS, at % CHUNKS)] = v;
        }
    }
};

// The same where K is not contiguous: a thread brings blocks of four vectors, consecutive in K, and turns them.
// Sixteen consecutive lanes have eight blocks side by side and two below each other, so that what they write meets all banks.
template <int ROWS> struct Staged<false, ROWS> {
    static constexpr int BLOCKS = ROWS * CHUNKS / THREADS / 4, ACROSS = ROWS / IN_VECTOR;
    Vector16 part[BLOCKS][4];

    // Vectors before block i along the rows of the tile, and along K in elements.
    DEVICE static u32 vector(int i) { u32 at = threadIdx.x + i * THREADS; return at % 8 + at / 16 % (ACROSS / 8) * 8; }
    DEVICE static u32 depth(int i) { u32 at = threadIdx.x + i * THREADS; return (at / 8 % 2 + at / 16 / (ACROSS / 8) * 2) * 4; }

    DEVICE void load(const ELEMENT* matrix, long long pitch, int first, int extent, int k, int k_extent) {
        const ELEMENT* base = matrix + k * pitch + first;
        int across = ceil_div(extent - first, IN_VECTOR) * IN_VECTOR;
        BufferResource buffer = make_buffer(base, ((k_extent - k - 1) * pitch + across) * sizeof(ELEMENT));
#pragma unroll
        for (int i = 0; i < BLOCKS; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                u32 column = vector(i) * IN_VECTOR, row = depth(i) + j;
                u32 offset = (row * pitch + column) * sizeof(ELEMENT);
                part[i][j] = buffer_load_dwordx4(buffer, int(column) < across ? offset : OUTSIDE);
            }
    }
    DEVICE void store(Vector16* tile) const {
#pragma unroll
        for (int i = 0; i < BLOCKS; i++)
#pragma unroll
            for (int word = 0; word < 4; word++) store_word(tile, part[i], vector(i), depth(i), word);
    }
    DEVICE static void store_word(Vector16* tile, const Vector16 (&four)[4], u32 vector, u32 depth, int word) {
        u32 x[4] = {four[0].word[word], four[1].word[word], four[2].word[word], four[3].word[word]};
        if constexpr (sizeof(ELEMENT) == 2) {
            u32 even[2] = {v_perm_b32(x[1], x[0], 0x05040100), v_perm_b32(x[3], x[2], 0x05040100)};
            u32 odd[2] = {v_perm_b32(x[1], x[0], 0x07060302), v_perm_b32(x[3], x[2], 0x07060302)};
            u32 row = vector * 8 + word * 2;
            *piece<2>(tile, row, depth) = {even[0], even[1]};
            *piece<2>(tile, row + 1, depth) = {odd[0], odd[1]};
        } else {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                u32 select = half ? 0x07030602 : 0x05010400;
                u32 first = v_perm_b32(x[1], x[0], select), second = v_perm_b32(x[3], x[2], select);
                u32 row = vector * 16 + word * 4 + half * 2;
                *piece<1>(tile, row, depth) = e4m3_operand(v_perm_b32(second, first, 0x05040100));
                *piece<1>(tile, row + 1, depth) = e4m3_operand(v_perm_b32(second, first, 0x07060302));
            }
        }
    }
    // Where the four elements from `depth` of a row stand.
    template <int WORDS> DEVICE static Vector<u32, WORDS>* piece(Vector16* tile, u32 row, u32 depth) {
        u32 byte = depth * sizeof(ELEMENT);
        return reinterpret_cast<Vector<u32, WORDS>*>(reinterpret_cast<u8*>(tile + place(row, byte / 16)) + byte % 16);
    }
};

// sums += the wave's rows of A by its columns of B, from the slices in LDS; half a slice at a time, for registers. A row of tiles of A is read
// while the one before is multiplied.
DEVICE void multiply_slice(Sum4 (&sums)[M_TILES][N_TILES], const Vector16* a, const Vector16* b, u32 row, u32 column) {
    u32 lane = lane_id();
    row += lane % 16, column += lane % 16;
    Vector16 right[N_TILES], left[2];
#pragma unroll
    for (int at = 0; at < 2 * M_TILES; at++) {
        int i = at % M_TILES, chunk = at / M_TILES * 4 + lane / 16;
        if (i == 0)
#pragma unroll
            for (int j = 0; j < N_TILES; j++) right[j] = b[place(column + j * 16, chunk)];
        if (at == 0) left[0] = a[place(row, chunk)];
        int next = at + 1;
        if (next < 2 * M_TILES) left[next % 2] = a[place(row + next % M_TILES * 16, next / M_TILES * 4 + lane / 16)];
#pragma unroll
        for (int j = 0; j < N_TILES; j++) multiply<ELEMENT>(sums[i][j], left[at % 2], right[j]);
        sched_barrier();
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void gemm_gfx942_mfma(const ELEMENT* a, long long a_pitch, const ELEMENT* b, long long b_pitch, OUTPUT* c, long long c_pitch, int m, int n, int k,
                      const float* scale_a, const float* scale_b) {
    __shared__ Vector16 a_tile[TILE_M * CHUNKS], b_tile[TILE_N * CHUNKS];
    TilePlace tile = tile_of_block(m, n);
    int row = tile.row * TILE_M, column = tile.column * TILE_N, wave = warp_index();
    int wave_row = wave / WAVES_N * M_TILES * 16, wave_column = wave % WAVES_N * N_TILES * 16;
    Sum4 sums[M_TILES][N_TILES] = {};
    Staged<true, TILE_M> a_next;
    Staged<B_K_MAJOR, TILE_N> b_next;
    a_next.load(a, a_pitch, row, m, 0, k);
    b_next.load(b, b_pitch, column, n, 0, k);
    for (int slice = 0; slice < k; slice += SLICE) {
        __syncthreads();
        a_next.store(a_tile);
        b_next.store(b_tile);
        __syncthreads();
        a_next.load(a, a_pitch, row, m, slice + SLICE, k);
        b_next.load(b, b_pitch, column, n, slice + SLICE, k);
        multiply_slice(sums, a_tile, b_tile, wave_row, wave_column);
    }
#pragma unroll
    for (int i = 0; i < M_TILES; i++)
#pragma unroll
        for (int j = 0; j < N_TILES; j++)
            store_tile(sums[i][j], c, c_pitch, row + wave_row + i * 16, column + wave_column + j * 16, m, n, scale_a, scale_b);
}
