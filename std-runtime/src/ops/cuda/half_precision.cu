// Factors of products in mixed precision.
#include <cuda_fp16.h>

#include "common.cuh"

// Rounds to f16, to even where two are as near, to infinity beyond 65519.
extern "C" __global__ void halve(const float *x, __half *y, size_t count) {
    for (size_t i = first_index(); i < count; i += threads()) {
        y[i] = __float2half_rn(x[i]);
    }
}
