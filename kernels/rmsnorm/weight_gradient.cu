// The weight's gradient from the rows of partial sums that backward.cu or sm90_bulk_backward.cu left: dweight (hidden) = column sums of
// partial (rows, hidden), f32 to ELEMENT.
//
// Mapping: a block adds up 32 columns; a warp reads 32 of a row at once, 32 rows are read side by side, then added across.
// Work: 4 hidden rows bytes, from L2 where they were just written: bound by latency, some 3 us.
//
// Launch. block (32, 32), grid (ceil(hidden / 32)); no dynamic shared memory.
// Arguments: partial (f32), dweight, rows of partial (the grid of the kernel before), hidden. Macro (default): ELEMENT (Bf16; Fp16).
#include "tile/tile.h"

#ifndef ELEMENT
#define ELEMENT Bf16
#endif

extern "C" __global__ __launch_bounds__(1024)
void rmsnorm_weight_gradient(const float* partial, ELEMENT* dweight, int partial_rows, int hidden) {
    __shared__ float part[32][33];
    int column = blockIdx.x * 32 + threadIdx.x;
    float sum = 0;
    griddepcontrol_wait();
    if (column < hidden)
#pragma unroll 8
        for (int row = threadIdx.y; row < partial_rows; row += 32) sum += partial[row * (long long)hidden + column];
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    sum = sum_across<32>(part[threadIdx.x][threadIdx.y]);
    column = blockIdx.x * 32 + threadIdx.y;
    if (threadIdx.x == 0 && column < hidden) cvt_rn(sum, dweight[column]);
}
