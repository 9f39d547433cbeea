// Shared by all kernels. Plain CUDA C++ for compute capability 7.0 and above: no inline assembly and no
// atomic operations on numbers, so every sum has one order.
#pragma once

#define WARP 32
#define ALL_LANES 0xffffffffu

__device__ inline float warp_sum(float x) {
    for (int offset = WARP / 2; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(ALL_LANES, x, offset);
    }
    return x;
}

// The index of this warp in the grid, and of this thread in its warp.
__device__ inline int warp_index() {
    return blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
}

__device__ inline int lane() {
    return threadIdx.x % WARP;
}

// This thread's index in the grid, and the number of threads, for loops over long lists.
__device__ inline size_t first_index() {
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ inline size_t threads() {
    return (size_t)gridDim.x * blockDim.x;
}

__device__ inline float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}
