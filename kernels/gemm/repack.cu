// Copies a matrix to a row pitch that the copy engine accepts (a multiple of 16 bytes), so that odd shapes run on the fast kernels.
//
// Mapping: a block copies one row at a time, a thread four consecutive bytes of the destination from one or two aligned words of the
// source, shifted together; consecutive threads read and write consecutive words.
// Work: no flops; rows (bytes read + pitch written), bound by memory: 0.03 ms for both operands of 4096^3 in bf16, beside 0.2 ms of GEMM.
//
// Launch. block (256), grid (min(rows, 16 SMs)); no shared memory.
// Arguments: source (any alignment of rows; the whole begins at 4 bytes), destination, rows, bytes a row of the source (also its pitch),
//   pitch of the destination in bytes. What is left of a row's last 16 bytes becomes 0: tensor maps end at the row, AMD's buffers do not.
#include "tile/tile.h"

extern "C" __global__ __launch_bounds__(256)
void gemm_repack(const u8* __restrict__ source, u8* __restrict__ destination, int rows, long long row_bytes, long long pitch_bytes) {
    for (int row = blockIdx.x; row < rows; row += gridDim.x) {
        const u8* from = source + row * row_bytes;
        u8* to = destination + row * pitch_bytes;
        u32 shift = u32(reinterpret_cast<u64>(from) & 3);
        const u32* words = reinterpret_cast<const u32*>(from - shift);
        // The last words go by bytes: reading past the last row's end is not ours to do.
        long long whole = row_bytes < 8 ? 0 : row_bytes / 4 - 1;
#pragma unroll 4
        for (long long i = threadIdx.x; i < whole; i += 256)
            reinterpret_cast<u32*>(to)[i] = __funnelshift_r(words[i], words[i + 1], 8 * shift);
        long long byte = whole * 4 + threadIdx.x;
        if (byte < row_bytes) to[byte] = from[byte];
        else if (byte < (row_bytes + 15) / 16 * 16) to[byte] = 0;
    }
}
