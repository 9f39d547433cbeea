// Kernels for the emulator's own test: correct ones, and one for each mistake that it must find.

extern "C" __global__ void block_sums(const int *values, int *sums, unsigned count) {
  __shared__ int warps[32];
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  int sum = i < count ? values[i] : 0;
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : 0;
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffff, sum, offset);
    if (threadIdx.x == 0) atomicAdd(sums, sum);
  }
}

// A tree reduction in shared memory, whose size is set at launch.
extern "C" __global__ void tree(const float *values, float *sums) {
  extern __shared__ float buffer[];
  buffer[threadIdx.x] = values[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) buffer[threadIdx.x] += buffer[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = buffer[0];
}

extern "C" __global__ void tree_without_barrier(const float *values, float *sums) {
  extern __shared__ float buffer[];
  buffer[threadIdx.x] = values[threadIdx.x];
  if (threadIdx.x == 0) {
    float sum = 0;
    for (unsigned i = 0; i < blockDim.x; i++) sum += buffer[i];
    sums[0] = sum;
  }
}

extern "C" __global__ void barrier_in_a_branch(int *out) {
  if (threadIdx.x < 7) __syncthreads();
  out[threadIdx.x] = 1;
}

extern "C" __global__ void two_barriers(int *out) {
  if (threadIdx.x < 7) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

extern "C" __global__ void lonely_shuffle(int *out) {
  if (threadIdx.x < 5) out[threadIdx.x] = __shfl_sync(0xffffffff, 1, 0);
}

extern "C" __global__ void write_at(int *out, unsigned index) { out[index] = 1; }
extern "C" __global__ void read_at(const int *in, int *out, unsigned index) { out[0] = in[index]; }
extern "C" __global__ void same_place(int *out) { out[0] = threadIdx.x + blockIdx.x; }
extern "C" __global__ void same_place_atomically(int *out) { atomicMax(out, int(threadIdx.x + blockIdx.x)); }
// Lane n reads what lane n + 1 has written, with or without a warp barrier in between.
extern "C" __global__ void neighbours(int *out, int barrier) {
  __shared__ int row[33];
  row[threadIdx.x] = threadIdx.x;
  if (barrier) __syncwarp();
  out[threadIdx.x] = threadIdx.x < 31 ? row[threadIdx.x + 1] : 0;
}
