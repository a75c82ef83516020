// y = iFFT(FFT(u) K) by heads as sm80_monarch.cu has it, of transforms whose planes leave a multiprocessor no room for a second block: a
// cluster has a block for each residue of k.
//
// Mapping: one pair of batch items of one head a cluster. Each block brings a portion of every piece of the sequences (clusters.h), makes all
// residues' numbers of it and leaves them where they belong; stages are as in sm80_monarch.cu, over M points. So three blocks share a
// multiprocessor, and one waits for memory while others multiply.
// Work: as there, and two sums or differences for each complex number and way.
// Spills: at most 128 bytes a thread, the same where a warp has strips.
//
// Launch. block (THREADS), grid (RESIDUES * heads of a band, ceil(batch / 2), bands), cluster (RESIDUES); dynamic shared memory: 2 * PLANE bytes.
// It may start before what arranges its spectra has ended.
// Arguments and macros: those of sm80_monarch.cu; SHIFTED is 1.
#include "fftconv/monarch.h"

constexpr int WARPS = RADIX == 1 ? 2 : 4, THREADS = 32 * WARPS;
constexpr int BLOCKS = RADIX < 4 ? 16 / WARPS : 3;
#include "fftconv/stages.h"
#include "fftconv/clusters.h"

DEVICE int head_of_block() { return int((forgotten(blockIdx.z) * gridDim.x + blockIdx.x) / RESIDUES); }
DEVICE u32 residue_of_block() { return forgotten(blockIdx.x) % RESIDUES; }

extern "C" __global__ __launch_bounds__(THREADS, BLOCKS)
void fftconv_cluster(const ELEMENT* u, const ELEMENT* pre, const ELEMENT* post, const Vector16* tables, const Vector16* spectrum, const float* scales,
                     ELEMENT* y, int batch, int heads, int length, int pitch) {
    extern __shared__ __align__(128) u8 planes[];
    if (head_of_block() >= heads) return;
    auto signals = [&] {
        return own_signals(u, pre, post, y, forgotten(blockIdx.y) * 2, head_of_block(), batch, heads, length, pitch, residue_of_block() * PORTION);
    };
    auto own = [&] { return residue_of_block() * PORTION + forgotten(threadIdx.x) * 8; };
    count_in();                                          // a block must have started before others write to its planes
    bring_in_pieces(planes, signals(), own());
    griddepcontrol_wait();
    meet();
    transform_strips<false, 1>(planes, tables, 1, residue_of_block());
    __syncthreads();
    u32 rows = (head_of_block() * RESIDUES + residue_of_block()) * 16;
    scales += SCALED_ROWS ? rows : head_of_block();
    const Vector16* own_tables = of_residue(tables, residue_of_block());
    Dft f = load_dft(own_tables + SLOTS_TABLE + own_lane());
#pragma unroll 1
    for (u32 k1 = forgotten(threadIdx.x) / 32 * (16 / WARPS), end = k1 + 16 / WARPS; k1 < end; k1 += ROWS)
        convolve_rows(planes, k1, f, spectrum + (long long)(rows + k1) * ROW_VECTORS, scales + k1, own_tables + ROW_TABLE + k1 * OF_ROW, own_tables);
    __syncthreads();
    transform_strips<true, 1>(planes, tables, SCALED_ROWS ? 1 : *scales, residue_of_block());
    meet();
    take_out_pieces(planes, signals(), own());
    meet();                                              // and may not end while others read from them
}
