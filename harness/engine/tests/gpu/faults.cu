// y[i] = sum over j of x[i, j]^2, a thread a row, honestly and in every way that a kernel fails. For harness/engine/tests/gpu.rs.
#define KERNEL(NAME) extern "C" __global__ void NAME(const float* x, float* y, int rows, int columns)

__device__ int row() { return blockIdx.x * blockDim.x + threadIdx.x; }

__device__ void sum_row(const float* x, float* y, int rows, int columns) {
    if (row() >= rows) return;
    float sum = 0;
    for (int j = 0; j < columns; j++) sum = fmaf(x[row() * columns + j], x[row() * columns + j], sum);
    y[row()] = sum;
}

KERNEL(honest) { sum_row(x, y, rows, columns); }

KERNEL(illegal_address) {
    sum_row(x, y, rows, columns);
    if (row() == 0) *reinterpret_cast<volatile float*>(64) = 1;
}

KERNEL(misaligned_address) {
    sum_row(x, y, rows, columns);
    if (row() == 0) *reinterpret_cast<volatile float*>(reinterpret_cast<char*>(y) + 1) = 1;
}

KERNEL(traps) {
    sum_row(x, y, rows, columns);
    if (row() == 0) __trap();
}

// Waits for a value that nobody writes.
KERNEL(hangs) {
    sum_row(x, y, rows, columns);
    while (reinterpret_cast<volatile float*>(y)[0] != 12345.f) {}
}

KERNEL(is_wrong) {
    sum_row(x, y, rows, columns);
    if (row() == rows - 1) y[row()] = 0;
}

KERNEL(writes_nothing) {}

KERNEL(writes_beside) {
    sum_row(x, y, rows, columns);
    if (row() == 0) y[rows] = 0;
}

KERNEL(changes_an_input) {
    sum_row(x, y, rows, columns);
    if (row() == 0) const_cast<float*>(x)[0] = 7;
}

// Right on an output that holds NaN, wrong on any other: only a check after the timing sees it.
KERNEL(goes_stale) {
    bool fresh = row() < rows && isnan(y[row()]);
    sum_row(x, y, rows, columns);
    if (row() == 0 && !fresh) y[0] = 0;
}
