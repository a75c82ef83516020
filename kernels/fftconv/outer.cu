// The outermost stage of transforms that no block holds, and its inverse: OUTER points n0 of t = n0 N + r to k0, times w_(OUTER N)^(k0 r).
// Between the two, sm80_monarch.cu convolves each part k0 over r with a spectrum of its own: three passes over memory in all.
// Parts of two residues (monarch.h) leave the stage as these, each a transform of M points by itself: a part's rows are its residues.
//
// Mapping: a stage is a real OUTER x OUTER matrix times OUTER rows of N numbers. Forward, its rows are the real and imaginary parts of
// k0 < OUTER / 2 in turns of eight; those of 0 and OUTER / 2 are real, and the latter stands for the former's imaginary part. A warp has
// 64 columns r and keeps all rows of them as operands: lane / 4 is a vector of eight neighbours, of which product j takes number j, so
// that its results are vectors again, and a factor's real and imaginary parts are the same thread's; of two pieces, those of both columns
// that make one of each residue are. All that a warp reads is asked for at once and goes through shared memory, and a tile of the matrix
// comes while the results of the one before go out. RESIDENT blocks stay for many chunks of columns: with the matrix in shared memory, the
// next chunk on its way while one is multiplied, and warps that meet at each, since memory is slower where neighbours are not asked for together.
// Work: 2 OUTER flops an element over 4 bytes: bound by memory.
// Spills: at most 100 bytes a thread, where there are gates and the length is no multiple of 8, forward at 128 rows and back at 16; none where
// RESIDENT.
//
// Launch, of both. block (THREADS), grid (chunks), or of RESIDENT blocks as many as there are multiprocessors at most; dynamic shared memory:
// WARPS * sizeof(Staged), and 16 MATRIX where RESIDENT. Arguments: u, pre (parts, post) (batch, heads, length) and pre (post) NULL without
// gates; parts (batch, 2, heads, PARTS, N) in 16 bits, real and imaginary planes; matrices (2 MATRIX vectors); chunks: batch * heads * CHUNKS.
// Macros (default): those of monarch.h, GATED (0), ALIGNED (1: the length is a multiple of 8), RESIDENT (0; 1: OUTER is 128).
#include "fftconv/monarch.h"

#ifndef GATED
#define GATED 0
#endif
#ifndef ALIGNED
#define ALIGNED 1
#endif
#ifndef RESIDENT
#define RESIDENT 0
#endif

constexpr int THREADS = RESIDENT ? 256 : 64, WARPS = THREADS / 32, CHUNKS = N / (2 * THREADS);  // of a sequence

// Whether sequences come as they are, by copies that go on meanwhile.
constexpr bool COPIED = RESIDENT && ALIGNED && !GATED;

// Neighbouring columns of a warp in each piece.
constexpr int WIDTH = 64 / RESIDUES;
static_assert(RESIDUES == 1 || RESIDUES == 2 && !SHIFTED && TILES % 2 == 0, "neighbouring lanes share the work on two pieces");

// The low or the high halves of two words.
DEVICE u32 join(u32 a, u32 b, int high) { return __byte_perm(a, b, high ? 0x7632 : 0x5410); }

// Eight elements, of so many that are left; beyond the end they are 0.
DEVICE Vector16 load_eight(const ELEMENT* from, int left) {
    Vector16 v = {};
    if constexpr (ALIGNED) {
        if (left > 0) v = ld_global_nc_sector(from);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (i < left) v.word[i / 2] |= u32(from[i].bits) << (i % 2 * 16);
    }
    return v;
}

DEVICE void store_eight(ELEMENT* to, int left, Vector16 v) {
    if constexpr (ALIGNED) {
        if (left > 0) st_global_cs(to, v);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (i < left) to[i].bits = u16(v.word[i / 2] >> (i % 2 * 16));
    }
}

// What a block works on at a time, from of_block on in each piece, and a warp of it: 64 columns of one sequence, from r on. A sequence's parts
// are 2 planes of PARTS rows.
struct Place {
    int of_block, r;
    long long sequence, parts, plane;

    DEVICE Place(u32 chunk, u32 heads) {
        u32 number = chunk / CHUNKS, before = number / heads * heads;   // sequences of the items before
        of_block = chunk % CHUNKS * WARPS * WIDTH;
        r = of_block + threadIdx.x / 32 * WIDTH;
        sequence = number;
        plane = (long long)heads * (PARTS * N);
        parts = (long long)(before + number) * (PARTS * N);
    }
};

// The first element of the vector that is column n of a product. Those of lanes that follow each other in a row of results, n and n + 2,
// are neighbours: so a warp stores whole sectors of memory.
DEVICE int vector_of(int n) { return (n / 2 + n % 2 * 4) * 8; }

// Where one of a warp's columns lies, from r on: of two pieces, those of the second one are behind those of the first.
DEVICE int place_of(int column) { return column / WIDTH * M + column % WIDTH; }

// All that a warp reads: rows of 64 columns in order, each of which a quarter of a warp copies, whole sectors on this way too. A quarter reads
// two vectors of each of four pairs of rows, or one of each of these in two tiles, and finds them in different banks.
struct Staged {
    Vector16 rows[2 * PARTS][8];

    DEVICE Vector16& at(int row, int column) { return rows[row][column / 8 ^ row / 2 % 4 ^ row / 16 % 2 * 4]; }
};

// A lane's vectors of a part that are transformed together: one of each piece or residue.
struct Reals { float of[RESIDUES][8]; };
struct Vectors { Reals re, im; };

// w_WHOLE^n. The hardware's own sine is good to 2^-21, far below what 16 bits hold.
DEVICE Complex factor(u32 n) {
    Complex w;
    int turned = int(n * u32(0x100000000ull / WHOLE));   // a whole turn is 2^32, and wraps around
    __sincosf(-float(turned) * 1.4629180793e-9f, &w.im, &w.re);
    return w;
}

// The factors of column r and seven more, or their conjugates, by which (re, im) are multiplied.
template <bool INVERSE> DEVICE void multiply_by_factors(int k0, int r, float (&re)[8], float (&im)[8]) {
    Complex w = factor(k0 * r), step = factor(k0);
#pragma unroll
    for (int j = 0; j < 8; j++) {
        Complex z = times({re[j], im[j]}, INVERSE ? conj(w) : w);
        re[j] = z.re, im[j] = z.im;
        w = times(w, step);
    }
}

// A matrix where a block reads it: RESIDENT ones have it in shared memory, behind what their warps stage.
DEVICE const Vector16* held_matrix(u8* memory, const Vector16* matrix) {
    if constexpr (!RESIDENT) return matrix;
    Vector16* held = reinterpret_cast<Vector16*>(memory + WARPS * sizeof(Staged));
#pragma unroll
    for (int i = 0; i < MATRIX; i += THREADS) held[i + threadIdx.x] = matrix[i + threadIdx.x];
    __syncthreads();
    return held;
}

// A tile of rows of a matrix; after the last one the first again.
DEVICE void load_rows(Vector16 (&rows)[TILES], const Vector16* matrix, int tile) {
#pragma unroll
    for (int i = 0; i < TILES; i++) rows[i] = matrix[(tile % TILES * TILES + i) * 32];
}

// A warp's columns as right operands: by sixteens of rows, numbers of vectors, and eights of rows.
using Operands = u32[TILES][8][2];

// The product of such a tile and all columns: sums[j] are the rows lane / 4 and + 8 of columns lane % 4 * 2 and + 1, in each number j.
DEVICE void multiply_rows(float (&sums)[8][4], const Vector16 (&rows)[TILES], const Operands& b) {
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        u32 a[4] = {rows[i].word[0], rows[i].word[1], rows[i].word[2], rows[i].word[3]};
#pragma unroll
        for (int j = 0; j < 8; j++) mma_m16n8k16(ELEMENT{}, sums[j], a, b[i][j][0], b[i][j][1]);
    }
}

// The pieces of a part to its residues, or back, but for factors of columns.
template <bool INVERSE> DEVICE void transform_pieces(int k0, Vectors& v) {
    if constexpr (RESIDUES == 2) {
        Complex w = factor(k0 * M);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            Complex a{v.re.of[0][j], v.im.of[0][j]}, b{v.re.of[1][j], v.im.of[1][j]};
            if (!INVERSE) b = times(b, w);
            Complex difference{a.re - b.re, a.im - b.im};
            if (INVERSE) difference = times(difference, conj(w));
            v.re.of[0][j] = a.re + b.re, v.im.of[0][j] = a.im + b.im;
            v.re.of[1][j] = difference.re, v.im.of[1][j] = difference.im;
        }
    }
}

// The residues of part k0 times their factors, those of k0 + i OUTER in columns from r on.
template <bool INVERSE> DEVICE void multiply_residues(int k0, int r, Vectors& v) {
#pragma unroll
    for (int i = 0; i < RESIDUES; i++) multiply_by_factors<INVERSE>(k0 + i * OUTER, r, v.re.of[i], v.im.of[i]);
}

DEVICE void store_part(ELEMENT* to, const Place& place, const Vectors& v) {
#pragma unroll
    for (int i = 0; i < RESIDUES; i++) {
        st_global_cs(to + i * M, pack<ELEMENT>(v.re.of[i]));
        st_global_cs(to + i * M + place.plane, pack<ELEMENT>(v.im.of[i]));
    }
}

// Rows n0, times their gates.
DEVICE void load_sequence(Staged& staged, const ELEMENT* u, const ELEMENT* pre, const Place& place, int length, u32 lane) {
    int first = lane / 8, column = lane % 8 * 8, t = first * N + place.r + place_of(column);
    u += place.sequence * length + t, pre += place.sequence * length + t;
    Vector16 in[TILES * 4];
#pragma unroll
    for (int i = 0; i < TILES * 4; i++) in[i] = load_eight(u + i * 4 * N, length - t - i * 4 * N);
#pragma unroll
    for (int i = 0; i < TILES * 4; i++) {
        if (GATED) in[i] = gated(in[i], load_eight(pre + i * 4 * N, length - t - i * 4 * N));
        staged.at(i * 4 + first, column) = in[i];
    }
}

// Copies of a block's sequence go by rows of all its warps, so that memory is asked for half a kilobyte at a time: a thread has vectors of one
// column, in rows that are STEP apart.
constexpr int VECTORS = WARPS * WIDTH / 8, STEP = THREADS / VECTORS;

DEVICE void copy_sequence(Staged* staged_by_warp, const ELEMENT* u, const Place& place, int length) {
    int first = threadIdx.x / VECTORS, column = threadIdx.x % VECTORS * 8, t = first * N + place.of_block + column;
    Staged& staged = staged_by_warp[column / WIDTH];
    u += place.sequence * length + t;
#pragma unroll
    for (int i = 0; i < RESIDUES * TILES * 16; i += STEP) {
        int row = i % (TILES * 16), piece = i / (TILES * 16), later = row * N + piece * M;
        cp_async_cg_or_zero(cvta_shared(&staged.at(first + row, column % WIDTH + piece * WIDTH)), u + later, t + later < length);
    }
}

DEVICE void read_rows(Operands& b, Staged& staged, u32 g, u32 q) {
#pragma unroll
    for (int i = 0; i < TILES * 2; i++) {
        Vector16 even = staged.at(i * 8 + 2 * q, vector_of(g)), odd = staged.at(i * 8 + 2 * q + 1, vector_of(g));
#pragma unroll
        for (int j = 0; j < 8; j++) b[i / 2][j][i % 2] = join(even.word[j / 2], odd.word[j / 2], j % 2);
    }
}

// All parts of these columns. `rows` are the matrix's first tile, before and after.
DEVICE void store_parts(ELEMENT* parts, const Place& place, const Operands& b, Vector16 (&rows)[TILES], const Vector16* matrix, u32 g, u32 q) {
    parts += place.parts;
    // Of several the compiler is not to know how many: it would unroll them all, unasked.
    int tiles = TILES > 1 ? forgotten(TILES) : 1;
#pragma unroll 1
    for (int tile = 0; tile < tiles; tile++) {
        float sums[8][4] = {};
        multiply_rows(sums, rows, b);
        if (TILES > 1) load_rows(rows, matrix, tile + 1);
        int k0 = tile * 8 + g;
#pragma unroll
        for (int e = 0; e < 2; e += RESIDUES) {
            int r = place.r + place_of(vector_of(2 * q + e));
            Vectors v;
#pragma unroll
            for (int i = 0; i < RESIDUES * 8; i++) v.re.of[i / 8][i % 8] = sums[i % 8][e + i / 8], v.im.of[i / 8][i % 8] = sums[i % 8][2 + e + i / 8];
            // Part 0 is real, and its first residue has no factors; what stands in its imaginary part's place is multiplied in its stead.
            if (k0 == 0) {
                Vectors first{v.re, {}};
                v = {v.im, {}};
                transform_pieces<false>(0, first);
                if (RESIDUES == 2) multiply_residues<false>(0, r, first);
                store_part(parts + r, place, first);
            }
            int own = k0 == 0 ? OUTER / 2 : k0;
            transform_pieces<false>(own, v);
            multiply_residues<false>(own, r, v);
            store_part(parts + own * N + r, place, v);
        }
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_forward(const ELEMENT* u, const ELEMENT* pre, ELEMENT* parts, const Vector16* matrices, int heads, int length, int chunks) {
    extern __shared__ __align__(128) u8 memory[];
    Staged *staged_by_warp = reinterpret_cast<Staged*>(memory), &staged = staged_by_warp[threadIdx.x / 32];
    u32 lane = threadIdx.x % 32, g = lane / 4, q = lane % 4, chunk = blockIdx.x;
    if constexpr (COPIED) copy_sequence(staged_by_warp, u, Place(chunk, heads), length);
    const Vector16* matrix = held_matrix(memory, matrices) + lane;
    Vector16 rows[TILES];
    load_rows(rows, matrix, 0);
#pragma unroll 1
    do {
        Place place(chunk, heads);
        Operands b;
        if constexpr (COPIED) {
            cp_async_wait_all();
            __syncthreads();
            read_rows(b, staged, g, q);
            __syncthreads();
            if (chunk + gridDim.x < u32(chunks)) copy_sequence(staged_by_warp, u, Place(chunk + gridDim.x, heads), length);
        } else {
            load_sequence(staged, u, pre, place, length, lane);
            __syncwarp();
            read_rows(b, staged, g, q);
            __syncwarp();
        }
        store_parts(parts, place, b, rows, matrix, g, q);
    } while (RESIDENT && (chunk += gridDim.x) < u32(chunks));
}

// Both planes of each part in turn; part 0 is real, if it is no residues. All are asked for at once: registers would do, but the compiler
// waits for some before it asks for others.
DEVICE void copy_parts(Staged& staged, const ELEMENT* parts, const Place& place, u32 lane) {
    int first = lane / 16, plane = lane / 8 % 2, column = lane % 8 * 8;
    parts += place.parts + plane * place.plane + first * N + place.r + place_of(column);
#pragma unroll
    for (int i = 0; i < PARTS; i += 2)
        if ((RESIDUES == 2 || i > 0 || lane / 8 != 1) && i + first < PARTS) cp_async_cg(cvta_shared(&staged.at(2 * (i + first) + plane, column)), parts + i * N);
}

// The vectors of a part whose first column is `column`, without their factors: those of its pieces.
DEVICE void load_pieces(Vectors& v, Staged& staged, int part, int r, int column, bool has_factors) {
#pragma unroll
    for (int i = 0; i < RESIDUES; i++) {
        unpack<ELEMENT>(staged.at(2 * part, column + i * WIDTH), v.re.of[i]);
        unpack<ELEMENT>(staged.at(2 * part + 1, column + i * WIDTH), v.im.of[i]);
    }
    if (has_factors) multiply_residues<true>(part, r, v);
    transform_pieces<true>(part, v);
}

// What they contribute, as the operand's words: two rows, real and imaginary parts, in each number.
DEVICE void load_words(u32 (&words)[RESIDUES][8], Staged& staged, int part, int r, int column) {
    Vectors v;
    load_pieces(v, staged, part == 0 ? OUTER / 2 : part, r, column, true);
    // As on the way there, OUTER / 2 has factors in part 0's stead.
    if (part == 0) {
        Vectors first;
        load_pieces(first, staged, 0, r, column, RESIDUES == 2);
        v = {first.re, v.re};
    }
#pragma unroll
    for (int i = 0; i < RESIDUES * 8; i++) words[i / 8][i % 8] = cvt_rn_x2<ELEMENT>(v.re.of[i / 8][i % 8], v.im.of[i / 8][i % 8]);
}

// In place first, lest factors of all parts are in registers at a time. Of two pieces neighbouring lanes do both vectors, in tiles by turns.
DEVICE void multiply_parts(Staged& staged, const Place& place, u32 g, u32 q) {
    int column = vector_of(g / RESIDUES * RESIDUES);
#pragma unroll 1
    for (int tile = g % RESIDUES; tile < TILES; tile += RESIDUES) {
        u32 words[2][RESIDUES][8];
#pragma unroll
        for (int row = 0; row < 2; row++) load_words(words[row], staged, tile * 8 + row * 4 + q, place.r + place_of(column), column);
#pragma unroll
        for (int i = 0; i < RESIDUES * 4; i++) {
            auto word = [&](int row, int odd) { return words[row][i / 4][i % 4 * 2 + odd]; };
            staged.at(tile * 16 + i / 2 % 2 * 8 + 2 * q + i % 2, column + i / 4 * WIDTH) = {word(0, 0), word(1, 0), word(0, 1), word(1, 1)};
        }
    }
    if (RESIDUES == 2) __syncwarp();
}

DEVICE void read_parts(Operands& b, Staged& staged, u32 g, u32 q) {
#pragma unroll
    for (int i = 0; i < TILES * 4; i++) {
        Vector16 v = staged.at(i / 2 * 8 + 2 * q + i % 2, vector_of(g));
#pragma unroll
        for (int word = 0; word < 4; word++) b[i / 4][i % 4 * 2 + word / 2][word % 2] = v.word[word];
    }
}

// All rows n0 of these columns, times their gates. `rows` are the matrix's first tile, before and after.
DEVICE void store_sequence(ELEMENT* y, const ELEMENT* post, const Place& place, int length, const Operands& b, Vector16 (&rows)[TILES],
                           const Vector16* matrix, u32 g, u32 q) {
    int t = g * N + place.r + 8 * q;
    y += place.sequence * length + t, post += place.sequence * length + t;
#pragma unroll 1
    for (int tile = 0; tile * 16 * N < length; tile++) {
        // Rows g and g + 8 of the two columns of a lane.
        auto later = [&](int i) { return (tile * 16 + i / 2 * 8) * N + place_of(vector_of(i % 2)); };
        Vector16 gates[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (GATED) gates[i] = load_eight(post + later(i), length - t - later(i));
        float sums[8][4] = {};
        multiply_rows(sums, rows, b);
        if (TILES > 1) load_rows(rows, matrix, (tile + 1) * 16 * N < length ? tile + 1 : 0);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float row[8];
#pragma unroll
            for (int j = 0; j < 8; j++) row[j] = sums[j][i];
            Vector16 v = pack<ELEMENT>(row);
            store_eight(y + later(i), length - t - later(i), GATED ? gated(v, gates[i]) : v);
        }
    }
}

extern "C" __global__ __launch_bounds__(THREADS)
void fftconv_outer_inverse(ELEMENT* y, const ELEMENT* post, const ELEMENT* parts, const Vector16* matrices, int heads, int length, int chunks) {
    extern __shared__ __align__(128) u8 memory[];
    Staged& staged = reinterpret_cast<Staged*>(memory)[threadIdx.x / 32];
    u32 lane = threadIdx.x % 32, g = lane / 4, q = lane % 4, chunk = blockIdx.x;
    copy_parts(staged, parts, Place(chunk, heads), lane);
    const Vector16* matrix = held_matrix(memory, matrices + MATRIX) + lane;
    Vector16 rows[TILES];
    load_rows(rows, matrix, 0);
#pragma unroll 1
    do {
        Place place(chunk, heads);
        cp_async_wait_all();
        __syncwarp();
        multiply_parts(staged, place, g, q);
        Operands b;
        read_parts(b, staged, g, q);
        if (RESIDENT) __syncthreads();
        if (RESIDENT && chunk + gridDim.x < u32(chunks)) copy_parts(staged, parts, Place(chunk + gridDim.x, heads), lane);
        store_sequence(y, post, place, length, b, rows, matrix, g, q);
    } while (RESIDENT && (chunk += gridDim.x) < u32(chunks));
}
