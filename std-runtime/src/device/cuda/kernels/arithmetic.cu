// Elementwise arithmetic on whole lists.
#include <cuda_fp16.h>

#include "common.cuh"

// y += x.
extern "C" __global__ void add(float *y, const float *x, size_t count) {
    for (size_t i = first_index(); i < count; i += threads()) {
        y[i] += x[i];
    }
}

// y += scalar*factor*x, with the scalar in device memory.
extern "C" __global__ void add_scaled(float *y, const float *x, const float *scalar, float factor, size_t count) {
    float by = *scalar * factor;
    for (size_t i = first_index(); i < count; i += threads()) {
        y[i] += by * x[i];
    }
}

// Rounds to f16: to even where two numbers are equally close, to infinity beyond 65519.
extern "C" __global__ void round_half(const float *x, __half *y, size_t count) {
    for (size_t i = first_index(); i < count; i += threads()) {
        y[i] = __float2half_rn(x[i]);
    }
}
