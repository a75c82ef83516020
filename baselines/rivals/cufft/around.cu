// What stands around cuFFT's transforms in a long convolution: elements to padded rows of f32 times a gate, the product with the filters'
// spectra, and rows of f32 back to elements times a gate. Knows nothing of transforms.
//
// Mapping: a thread has four neighbours of a row, which one access holds if rows are of whole fours, or one bin. Bound by memory.
//
// Macros: ELEMENT_BYTES (2, 4), FP16 (of 2 bytes: 1 for IEEE's, 0 for bf16), GATED, WHOLE_FOURS (1: rows have a multiple of 4 elements).
// Launch, of all: block (256), as many blocks as there are work items over 256. `n` points and `l` elements a row, `first` the first row.

using u16 = unsigned short;
using u32 = unsigned int;
using Index = long long;

struct alignas(8) Complex { float re, im; };

#if ELEMENT_BYTES == 4
using Element = float;
__device__ float widened(float x) { return x; }
__device__ float narrowed(float x) { return x; }
#else
using Element = u16;
__device__ float widened(u16 x) {
    float y;
    if (FP16) asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    else y = __uint_as_float(u32(x) << 16);
    return y;
}
__device__ u16 narrowed(float x) {
    u16 y;
    if (FP16) asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    else asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}
#endif

struct alignas(4 * ELEMENT_BYTES) Four { Element at[4]; };
struct alignas(16) FourFloats { float at[4]; };

// Four elements from `at` on of a row of l; those beyond it are 0.
__device__ Four load(const Element* row, int at, int l) {
    Four four = {};
    if (WHOLE_FOURS) {
        if (at < l) four = *reinterpret_cast<const Four*>(row + at);
    } else {
        for (int i = 0; i < 4; i++)
            if (at + i < l) four.at[i] = row[at + i];
    }
    return four;
}

__device__ void store(Element* row, int at, int l, Four four) {
    if (WHOLE_FOURS) {
        *reinterpret_cast<Four*>(row + at) = four;
    } else {
        for (int i = 0; i < 4; i++)
            if (at + i < l) row[at + i] = four.at[i];
    }
}

extern "C" __global__ void widen(const Element* u, const Element* pre, float* x, Index first, Index rows, int n, int l) {
    Index item = blockIdx.x * Index(blockDim.x) + threadIdx.x, row = item / (n / 4);
    int at = int(item % (n / 4)) * 4;
    if (row >= rows) return;
    Four four = load(u + (first + row) * l, at, l), gate = GATED ? load(pre + (first + row) * l, at, l) : Four{};
    FourFloats wide;
    for (int i = 0; i < 4; i++) wide.at[i] = widened(four.at[i]) * (GATED ? widened(gate.at[i]) : 1.0f);
    *reinterpret_cast<FourFloats*>(x + row * n + at) = wide;
}

// Rows are the heads' in turn, and n divides what the inverse makes n-fold.
extern "C" __global__ void multiply(Complex* z, const Complex* spectra, Index first, Index rows, int heads, int n) {
    int bins = n / 2 + 1;
    Index item = blockIdx.x * Index(blockDim.x) + threadIdx.x, row = item / bins;
    int k = int(item % bins);
    if (row >= rows) return;
    Complex a = z[item], w = spectra[(first + row) % heads * bins + k];
    // The first bin and the last one are real whatever is stored.
    if (k % (n / 2) == 0) w.im = 0;
    float scale = 1.0f / float(n);
    z[item] = {(a.re * w.re - a.im * w.im) * scale, (a.re * w.im + a.im * w.re) * scale};
}

extern "C" __global__ void narrow(const float* x, const Element* post, Element* y, Index first, Index rows, int n, int l) {
    int fours = (l + 3) / 4;
    Index item = blockIdx.x * Index(blockDim.x) + threadIdx.x, row = item / fours;
    int at = int(item % fours) * 4;
    if (row >= rows) return;
    FourFloats wide = *reinterpret_cast<const FourFloats*>(x + row * n + at);
    Four four, gate = GATED ? load(post + (first + row) * l, at, l) : Four{};
    for (int i = 0; i < 4; i++) four.at[i] = narrowed(wide.at[i] * (GATED ? widened(gate.at[i]) : 1.0f));
    store(y + (first + row) * l, at, l, four);
}
