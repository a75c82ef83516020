// y[i] = sum over j of x[i, j]^2, a lane a row, honestly and in ways that a kernel fails. For harness/engine/tests/hip.rs.
#define KERNEL(NAME) \
    extern "C" __attribute__((global, amdgpu_flat_work_group_size(64, 64))) void NAME(const float* x, float* y, int rows, int columns)

__attribute__((device, always_inline)) static inline int row() {
    return __builtin_amdgcn_workgroup_id_x() * 64 + __builtin_amdgcn_workitem_id_x();
}

__attribute__((device, always_inline)) static inline void sum_row(const float* x, float* y, int rows, int columns) {
    if (row() >= rows) return;
    float sum = 0;
    for (int j = 0; j < columns; j++) sum = __builtin_fmaf(x[row() * columns + j], x[row() * columns + j], sum);
    y[row()] = SCALE * sum;
}

KERNEL(honest) { sum_row(x, y, rows, columns); }

KERNEL(is_wrong) {
    sum_row(x, y, rows, columns);
    if (row() == rows - 1) y[row()] = 0;
}

KERNEL(illegal_address) {
    sum_row(x, y, rows, columns);
    if (row() == 0) y[1 << 28] = 1;
}
