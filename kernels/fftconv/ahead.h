// What is asked of L2 ahead of its use, so that no block but the first ones waits for memory itself: sequences and spectra that the copy engine
// brings while others are transformed. Knows where they lie and which block comes when, and nothing of what is done with them.
#pragma once
#include "fftconv/signals.h"

// A sequence, if it is there.
DEVICE void prefetch_sequence(const ELEMENT* tensor, int item, int head, int batch, int heads, int length, int pitch) {
    if (ALIGNED && item < batch && head < heads) cp_async_bulk_prefetch(tensor + ((long long)item * heads + head) * pitch, length * 2);
}

// Blocks whose sequences are 2 MB, which memory gives in half a microsecond. Asked for much earlier, sequences have left L2 again when they
// are read, though it has room.
constexpr u32 BLOCKS_AHEAD = (2 << 20) / (2 * PAIRS * FOLD * N * 2 * (GATED ? 2 : 1));

// Blocks that fill a multiprocessor each: the next one there comes when all of an H200, 132, have had one.
constexpr u32 WAVE_AHEAD = 132;

// The sequences of the block that comes so much later in a grid of (heads of a band, groups of items, bands), a thread for each item.
DEVICE void prefetch_ahead(const ELEMENT* u, const ELEMENT* pre, int batch, int heads, int length, int pitch, u32 blocks = BLOCKS_AHEAD) {
    u32 own = threadIdx.x;
    if (own >= 2 * PAIRS) return;
    u32 place = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x + blocks, group = place / gridDim.x;
    int head = int(group / gridDim.y * gridDim.x + place % gridDim.x), item = int(group % gridDim.y * 2 * PAIRS + own);
    prefetch_sequence(u, item, head, batch, heads, length, pitch);
    if (GATED) prefetch_sequence(pre, item, head, batch, heads, length, pitch);
}

// The spectrum of a head, all of it: of a part with few sequences, nobody has read it before.
DEVICE void prefetch_spectrum(const Vector16* spectrum, int head) {
    if (threadIdx.x == 0) cp_async_bulk_prefetch(spectrum + (long long)head * SPECTRUM, SPECTRUM * sizeof(Vector16));
}
