// What hipRTC puts before every source, as far as names go: macros, and declarations without bodies. A source
// that needs no header of HIP's has to get along with them.
#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __align__(x) __attribute__((aligned(x)))
#define __noinline__ __attribute__((noinline))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((amdgpu_flat_work_group_size(1, 1024)))

struct dim3 { unsigned x, y, z; };
extern const __device__ __attribute__((weak)) dim3 threadIdx, blockIdx, blockDim, gridDim;

__device__ void __syncthreads();
__device__ unsigned __lane_id();
__device__ unsigned __funnelshift_r(unsigned, unsigned, unsigned);
template <class Mask, class T> __device__ T __shfl_xor_sync(Mask, T, int, int = 64);
template <class Mask> __device__ int __any_sync(Mask, int);
__device__ float exp2f(float);
__device__ float rsqrtf(float);
