// wgmma_<shape>_<type>: d (64, N) = a (64, K) b (K, N) + (accumulate ? d : 0), a and b by descriptor, for one warpgroup.
// TRANS_A and TRANS_B say that the operand's contiguous side in shared memory is not K; 8-bit types have no such form.
// A flat list, one instruction a line; wgmma<T> at the end picks by accumulator size. Included by cuda.h alone.
#pragma once

// Operand names %0.. and the accumulators they stand for, in chunks that the shapes below put together.
#define R0 "%0, %1, %2, %3"
#define R4 ", %4, %5, %6, %7"
#define R8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define R16 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define R32 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define R48 ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define R64 ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define R96 ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define D0 "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define D4 "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
#define D8 "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
#define D16 "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define D32 "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47])
#define D48 "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define D64 "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]), "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71]), "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]), "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79]), "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]), "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87]), "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]), "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
#define D96 "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99]), "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103]), "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107]), "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111]), "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115]), "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119]), "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123]), "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])

// Halves of the chunks above, for widths between powers of two.
#define R32S ", %32, %33, %34, %35, %36, %37, %38, %39"
#define R64S ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define R80 ", %80, %81, %82, %83, %84, %85, %86, %87"
#define R88 ", %88, %89, %90, %91"
#define D32S "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39])
#define D64S "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]), "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71]), "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]), "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79])
#define D80 "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]), "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87])
#define D88 "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91])

#define WGMMA(NAME, REGISTERS, SHAPE, NAMES, A, B, SCALE, TA, TB, ...)                                                 \
    template <int TRANS_A, int TRANS_B> DEVICE void NAME(float (&d)[REGISTERS], u64 a, u64 b, u32 accumulate) {        \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " SCALE ", 0;\nwgmma.mma_async.sync.aligned." SHAPE               \
                     " {" NAMES "}, " A ", " B ", p, 1, 1, " TA ", " TB ";\n}"                                          \
                     : __VA_ARGS__ : "l"(a), "l"(b), "r"(accumulate), "n"(TRANS_A), "n"(TRANS_B));                     \
    }
#define WGMMA8(NAME, REGISTERS, SHAPE, NAMES, A, B, SCALE, ...)                                                        \
    DEVICE void NAME(float (&d)[REGISTERS], u64 a, u64 b, u32 accumulate) {                                            \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " SCALE ", 0;\nwgmma.mma_async.sync.aligned." SHAPE               \
                     " {" NAMES "}, " A ", " B ", p, 1, 1;\n}"                                                         \
                     : __VA_ARGS__ : "l"(a), "l"(b), "r"(accumulate));                                                 \
    }
WGMMA(wgmma_m64n8k16_bf16, 4, "m64n8k16.f32.bf16.bf16", R0, "%4", "%5", "%6", "%7", "%8", D0)
WGMMA(wgmma_m64n16k16_bf16, 8, "m64n16k16.f32.bf16.bf16", R0 R4, "%8", "%9", "%10", "%11", "%12", D0, D4)
WGMMA(wgmma_m64n32k16_bf16, 16, "m64n32k16.f32.bf16.bf16", R0 R4 R8, "%16", "%17", "%18", "%19", "%20", D0, D4, D8)
WGMMA(wgmma_m64n64k16_bf16, 32, "m64n64k16.f32.bf16.bf16", R0 R4 R8 R16, "%32", "%33", "%34", "%35", "%36", D0, D4, D8, D16)
WGMMA(wgmma_m64n96k16_bf16, 48, "m64n96k16.f32.bf16.bf16", R0 R4 R8 R16 R32, "%48", "%49", "%50", "%51", "%52", D0, D4, D8, D16, D32)
WGMMA(wgmma_m64n128k16_bf16, 64, "m64n128k16.f32.bf16.bf16", R0 R4 R8 R16 R32 R48, "%64", "%65", "%66", "%67", "%68", D0, D4, D8, D16, D32, D48)
WGMMA(wgmma_m64n192k16_bf16, 96, "m64n192k16.f32.bf16.bf16", R0 R4 R8 R16 R32 R48 R64, "%96", "%97", "%98", "%99", "%100", D0, D4, D8, D16, D32, D48, D64)
WGMMA(wgmma_m64n256k16_bf16, 128, "m64n256k16.f32.bf16.bf16", R0 R4 R8 R16 R32 R48 R64 R96, "%128", "%129", "%130", "%131", "%132", D0, D4, D8, D16, D32, D48, D64, D96)
WGMMA(wgmma_m64n8k16_f16, 4, "m64n8k16.f32.f16.f16", R0, "%4", "%5", "%6", "%7", "%8", D0)
WGMMA(wgmma_m64n16k16_f16, 8, "m64n16k16.f32.f16.f16", R0 R4, "%8", "%9", "%10", "%11", "%12", D0, D4)
WGMMA(wgmma_m64n32k16_f16, 16, "m64n32k16.f32.f16.f16", R0 R4 R8, "%16", "%17", "%18", "%19", "%20", D0, D4, D8)
WGMMA(wgmma_m64n64k16_f16, 32, "m64n64k16.f32.f16.f16", R0 R4 R8 R16, "%32", "%33", "%34", "%35", "%36", D0, D4, D8, D16)
WGMMA(wgmma_m64n96k16_f16, 48, "m64n96k16.f32.f16.f16", R0 R4 R8 R16 R32, "%48", "%49", "%50", "%51", "%52", D0, D4, D8, D16, D32)
WGMMA(wgmma_m64n128k16_f16, 64, "m64n128k16.f32.f16.f16", R0 R4 R8 R16 R32 R48, "%64", "%65", "%66", "%67", "%68", D0, D4, D8, D16, D32, D48)
WGMMA(wgmma_m64n192k16_f16, 96, "m64n192k16.f32.f16.f16", R0 R4 R8 R16 R32 R48 R64, "%96", "%97", "%98", "%99", "%100", D0, D4, D8, D16, D32, D48, D64)
WGMMA(wgmma_m64n256k16_f16, 128, "m64n256k16.f32.f16.f16", R0 R4 R8 R16 R32 R48 R64 R96, "%128", "%129", "%130", "%131", "%132", D0, D4, D8, D16, D32, D48, D64, D96)
WGMMA8(wgmma_m64n8k32_e4m3, 4, "m64n8k32.f32.e4m3.e4m3", R0, "%4", "%5", "%6", D0)
WGMMA8(wgmma_m64n16k32_e4m3, 8, "m64n16k32.f32.e4m3.e4m3", R0 R4, "%8", "%9", "%10", D0, D4)
WGMMA8(wgmma_m64n32k32_e4m3, 16, "m64n32k32.f32.e4m3.e4m3", R0 R4 R8, "%16", "%17", "%18", D0, D4, D8)
WGMMA8(wgmma_m64n64k32_e4m3, 32, "m64n64k32.f32.e4m3.e4m3", R0 R4 R8 R16, "%32", "%33", "%34", D0, D4, D8, D16)
WGMMA8(wgmma_m64n96k32_e4m3, 48, "m64n96k32.f32.e4m3.e4m3", R0 R4 R8 R16 R32, "%48", "%49", "%50", D0, D4, D8, D16, D32)
WGMMA8(wgmma_m64n128k32_e4m3, 64, "m64n128k32.f32.e4m3.e4m3", R0 R4 R8 R16 R32 R48, "%64", "%65", "%66", D0, D4, D8, D16, D32, D48)
WGMMA8(wgmma_m64n192k32_e4m3, 96, "m64n192k32.f32.e4m3.e4m3", R0 R4 R8 R16 R32 R48 R64, "%96", "%97", "%98", D0, D4, D8, D16, D32, D48, D64)
WGMMA8(wgmma_m64n256k32_e4m3, 128, "m64n256k32.f32.e4m3.e4m3", R0 R4 R8 R16 R32 R48 R64 R96, "%128", "%129", "%130", D0, D4, D8, D16, D32, D48, D64, D96)
WGMMA(wgmma_m64n80k16_bf16, 40, "m64n80k16.f32.bf16.bf16", R0 R4 R8 R16 R32S, "%40", "%41", "%42", "%43", "%44", D0, D4, D8, D16, D32S)
WGMMA(wgmma_m64n160k16_bf16, 80, "m64n160k16.f32.bf16.bf16", R0 R4 R8 R16 R32 R48 R64S, "%80", "%81", "%82", "%83", "%84", D0, D4, D8, D16, D32, D48, D64S)
WGMMA(wgmma_m64n176k16_bf16, 88, "m64n176k16.f32.bf16.bf16", R0 R4 R8 R16 R32 R48 R64S R80, "%88", "%89", "%90", "%91", "%92", D0, D4, D8, D16, D32, D48, D64S, D80)
WGMMA(wgmma_m64n80k16_f16, 40, "m64n80k16.f32.f16.f16", R0 R4 R8 R16 R32S, "%40", "%41", "%42", "%43", "%44", D0, D4, D8, D16, D32S)
WGMMA(wgmma_m64n160k16_f16, 80, "m64n160k16.f32.f16.f16", R0 R4 R8 R16 R32 R48 R64S, "%80", "%81", "%82", "%83", "%84", D0, D4, D8, D16, D32, D48, D64S)
WGMMA(wgmma_m64n176k16_f16, 88, "m64n176k16.f32.f16.f16", R0 R4 R8 R16 R32 R48 R64S R80, "%88", "%89", "%90", "%91", "%92", D0, D4, D8, D16, D32, D48, D64S, D80)
WGMMA8(wgmma_m64n184k32_e4m3, 92, "m64n184k32.f32.e4m3.e4m3", R0 R4 R8 R16 R32 R48 R64S R80 R88, "%92", "%93", "%94", D0, D4, D8, D16, D32, D48, D64S, D80, D88)

// wgmma_<shape>_<type>_registers: the same with a (64, 16) in registers, a thread's four as mma_m16n8k16 takes them.
#define WGMMA_REGISTERS(NAME, REGISTERS, SHAPE, NAMES, A, B, SCALE, TB, ...)                                           \
    template <int TRANS_B> DEVICE void NAME(float (&d)[REGISTERS], const u32 (&a)[4], u64 b, u32 accumulate) {         \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " SCALE ", 0;\nwgmma.mma_async.sync.aligned." SHAPE               \
                     " {" NAMES "}, {" A "}, " B ", p, 1, 1, " TB ";\n}"                                               \
                     : __VA_ARGS__                                                                                     \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate), "n"(TRANS_B));             \
    }
#define WGMMA8_REGISTERS(NAME, REGISTERS, SHAPE, NAMES, A, B, SCALE, ...)                                              \
    DEVICE void NAME(float (&d)[REGISTERS], const u32 (&a)[4], u64 b, u32 accumulate) {                                \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " SCALE ", 0;\nwgmma.mma_async.sync.aligned." SHAPE               \
                     " {" NAMES "}, {" A "}, " B ", p, 1, 1;\n}"                                                       \
                     : __VA_ARGS__ : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate));             \
    }
WGMMA_REGISTERS(wgmma_m64n64k16_bf16_registers, 32, "m64n64k16.f32.bf16.bf16", R0 R4 R8 R16, "%32, %33, %34, %35", "%36", "%37", "%38", D0, D4, D8, D16)
WGMMA_REGISTERS(wgmma_m64n96k16_bf16_registers, 48, "m64n96k16.f32.bf16.bf16", R0 R4 R8 R16 R32, "%48, %49, %50, %51", "%52", "%53", "%54", D0, D4, D8, D16, D32)
WGMMA_REGISTERS(wgmma_m64n128k16_bf16_registers, 64, "m64n128k16.f32.bf16.bf16", R0 R4 R8 R16 R32 R48, "%64, %65, %66, %67", "%68", "%69", "%70", D0, D4, D8, D16, D32, D48)
WGMMA_REGISTERS(wgmma_m64n256k16_bf16_registers, 128, "m64n256k16.f32.bf16.bf16", R0 R4 R8 R16 R32 R48 R64 R96, "%128, %129, %130, %131", "%132", "%133", "%134", D0, D4, D8, D16, D32, D48, D64, D96)
WGMMA_REGISTERS(wgmma_m64n64k16_f16_registers, 32, "m64n64k16.f32.f16.f16", R0 R4 R8 R16, "%32, %33, %34, %35", "%36", "%37", "%38", D0, D4, D8, D16)
WGMMA_REGISTERS(wgmma_m64n96k16_f16_registers, 48, "m64n96k16.f32.f16.f16", R0 R4 R8 R16 R32, "%48, %49, %50, %51", "%52", "%53", "%54", D0, D4, D8, D16, D32)
WGMMA_REGISTERS(wgmma_m64n128k16_f16_registers, 64, "m64n128k16.f32.f16.f16", R0 R4 R8 R16 R32 R48, "%64, %65, %66, %67", "%68", "%69", "%70", D0, D4, D8, D16, D32, D48)
WGMMA_REGISTERS(wgmma_m64n256k16_f16_registers, 128, "m64n256k16.f32.f16.f16", R0 R4 R8 R16 R32 R48 R64 R96, "%128, %129, %130, %131", "%132", "%133", "%134", D0, D4, D8, D16, D32, D48, D64, D96)
WGMMA8_REGISTERS(wgmma_m64n128k32_e4m3_registers, 64, "m64n128k32.f32.e4m3.e4m3", R0 R4 R8 R16 R32 R48, "%64, %65, %66, %67", "%68", "%69", D0, D4, D8, D16, D32, D48)

#undef WGMMA
#undef WGMMA8
#undef WGMMA_REGISTERS
#undef WGMMA8_REGISTERS
#undef R0
#undef D0
#undef R4
#undef D4
#undef R8
#undef D8
#undef R16
#undef D16
#undef R32
#undef D32
#undef R48
#undef D48
#undef R32S
#undef D32S
#undef R64S
#undef D64S
#undef R80
#undef D80
#undef R88
#undef D88
#undef R64
#undef D64
#undef R96
#undef D96

template <int TRANS_A, int TRANS_B, int R> DEVICE void wgmma(Bf16, float (&d)[R], u64 a, u64 b, u32 accumulate) {
    if constexpr (R == 4) wgmma_m64n8k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 8) wgmma_m64n16k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 16) wgmma_m64n32k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 32) wgmma_m64n64k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 40) wgmma_m64n80k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 48) wgmma_m64n96k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 64) wgmma_m64n128k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 80) wgmma_m64n160k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 88) wgmma_m64n176k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 96) wgmma_m64n192k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 128) wgmma_m64n256k16_bf16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else static_assert(R < 0, "no such accumulator");
}
template <int TRANS_A, int TRANS_B, int R> DEVICE void wgmma(Fp16, float (&d)[R], u64 a, u64 b, u32 accumulate) {
    if constexpr (R == 4) wgmma_m64n8k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 8) wgmma_m64n16k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 16) wgmma_m64n32k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 32) wgmma_m64n64k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 40) wgmma_m64n80k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 48) wgmma_m64n96k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 64) wgmma_m64n128k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 80) wgmma_m64n160k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 88) wgmma_m64n176k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 96) wgmma_m64n192k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 128) wgmma_m64n256k16_f16<TRANS_A, TRANS_B>(d, a, b, accumulate);
    else static_assert(R < 0, "no such accumulator");
}
template <int TRANS_A, int TRANS_B, int R> DEVICE void wgmma(E4m3, float (&d)[R], u64 a, u64 b, u32 accumulate) {
    static_assert(!TRANS_A && !TRANS_B, "8-bit operands stand with K contiguous");
    if constexpr (R == 4) wgmma_m64n8k32_e4m3(d, a, b, accumulate);
    else if constexpr (R == 8) wgmma_m64n16k32_e4m3(d, a, b, accumulate);
    else if constexpr (R == 16) wgmma_m64n32k32_e4m3(d, a, b, accumulate);
    else if constexpr (R == 32) wgmma_m64n64k32_e4m3(d, a, b, accumulate);
    else if constexpr (R == 48) wgmma_m64n96k32_e4m3(d, a, b, accumulate);
    else if constexpr (R == 64) wgmma_m64n128k32_e4m3(d, a, b, accumulate);
    else if constexpr (R == 92) wgmma_m64n184k32_e4m3(d, a, b, accumulate);
    else if constexpr (R == 96) wgmma_m64n192k32_e4m3(d, a, b, accumulate);
    else if constexpr (R == 128) wgmma_m64n256k32_e4m3(d, a, b, accumulate);
    else static_assert(R < 0, "no such accumulator");
}
template <int TRANS_B, int R> DEVICE void wgmma_registers(Bf16, float (&d)[R], const u32 (&a)[4], u64 b, u32 accumulate) {
    if constexpr (R == 32) wgmma_m64n64k16_bf16_registers<TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 48) wgmma_m64n96k16_bf16_registers<TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 64) wgmma_m64n128k16_bf16_registers<TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 128) wgmma_m64n256k16_bf16_registers<TRANS_B>(d, a, b, accumulate);
    else static_assert(R < 0, "no such accumulator");
}
template <int TRANS_B, int R> DEVICE void wgmma_registers(Fp16, float (&d)[R], const u32 (&a)[4], u64 b, u32 accumulate) {
    if constexpr (R == 32) wgmma_m64n64k16_f16_registers<TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 48) wgmma_m64n96k16_f16_registers<TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 64) wgmma_m64n128k16_f16_registers<TRANS_B>(d, a, b, accumulate);
    else if constexpr (R == 128) wgmma_m64n256k16_f16_registers<TRANS_B>(d, a, b, accumulate);
    else static_assert(R < 0, "no such accumulator");
}
template <int TRANS_B, int R> DEVICE void wgmma_registers(E4m3, float (&d)[R], const u32 (&a)[4], u64 b, u32 accumulate) {
    static_assert(!TRANS_B, "8-bit operands stand with K contiguous");
    if constexpr (R == 64) wgmma_m64n128k32_e4m3_registers(d, a, b, accumulate);
    else static_assert(R < 0, "no such accumulator");
}
