// What the harness itself runs on a device of AMD's: a sweep that empties the caches, and a stamp of the clocks.
// The twin of instruments.cu. None of it computes anything that is measured as a kernel; it knows no family.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u32 Vector16 __attribute__((ext_vector_type(4)));
typedef u64 Stamp __attribute__((ext_vector_type(2)));

#define KERNEL(THREADS) extern "C" __attribute__((global, amdgpu_flat_work_group_size(THREADS, THREADS)))

// Ticks of s_memrealtime, which counts at 100 MHz whatever the clock of the compute units is.
constexpr u64 NANOSECONDS_A_TICK = 10;

// Registers of the hardware, as s_getreg takes them: number, first bit, bits less one.
#define GETREG(NUMBER, FIRST, BITS) __builtin_amdgcn_s_getreg((NUMBER) | (FIRST) << 6 | ((BITS) - 1) << 11)

// Each block notes its cycle counter and the time: out[unit], for a unit made of the die (3 bits), the shader engine's last bit and the
// compute unit (4 bits). Two blocks that share a unit by this count share a die, hence its clock; each pair is stored at once.
KERNEL(32) void stamp(Stamp* out, u32 units) {
    u32 die = GETREG(20, 0, 3), engine = GETREG(4, 13, 1), compute_unit = GETREG(4, 8, 4);
    u32 unit = die << 5 | engine << 4 | compute_unit;
    if (unit < units && __builtin_amdgcn_workitem_id_x() == 0)
        out[unit] = Stamp{__builtin_amdgcn_s_memtime(), __builtin_amdgcn_s_memrealtime() * NANOSECONDS_A_TICK};
}

// Reads `count` vectors of 16 bytes once. Nothing is written, so that no cache holds a line that would have to go to memory while a kernel
// is timed; `sink` only keeps the loads alive.
KERNEL(256) void sweep(const Vector16* from, u64 count, u32* sink) {
    const u32* blocks = (const u32*)__builtin_amdgcn_implicitarg_ptr();
    u32 any = 0;
    for (u64 i = __builtin_amdgcn_workgroup_id_x() * u64(256) + __builtin_amdgcn_workitem_id_x(); i < count; i += blocks[0] * u64(256)) {
        Vector16 v = from[i];
        any |= v.x ^ v.y ^ v.z ^ v.w;
    }
    if (any == 0xdeadbeef) *sink = any;
}
