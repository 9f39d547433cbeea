// Many tensors at once: sums of squares and AdamW.
#include "common.cuh"

#define THREADS 256
// Tensors of one launch; pointers and lengths are passed as arguments, which may take 4 KB together.
#define TENSORS 96

struct Lists {
    const float *lists[TENSORS];
    unsigned long long counts[TENSORS];
};

// The sum of the squares of each list (the grid's y) in as many shares as the grid is wide: sums[list][share].
extern "C" __global__ void squares(Lists lists, double *sums) {
    __shared__ double shared[THREADS];
    const float *x = lists.lists[blockIdx.y];
    double sum = 0.0;
    for (size_t i = first_index(); i < lists.counts[blockIdx.y]; i += threads()) {
        sum += (double)x[i] * x[i];
    }
    shared[threadIdx.x] = sum;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            shared[threadIdx.x] += shared[threadIdx.x + half];
        }
    }
    if (threadIdx.x == 0) {
        sums[(size_t)blockIdx.y * gridDim.x + blockIdx.x] = shared[0];
    }
}

// Replaces the first of `count` numbers by their sum. One block.
extern "C" __global__ void total(double *sums, int count) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    for (int i = threadIdx.x; i < count; i += THREADS) {
        sum += sums[i];
    }
    shared[threadIdx.x] = sum;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            shared[threadIdx.x] += shared[threadIdx.x + half];
        }
    }
    if (threadIdx.x == 0) {
        sums[0] = shared[0];
    }
}

struct Parameter {
    float *weights, *first, *second;
    const float *gradient;
    unsigned long long count;
    // The factor of a weight: 1 less its decay.
    float kept;
};

struct Parameters {
    Parameter list[TENSORS * 3 / 4];
};

struct AdamW {
    float betas[2], complements[2], corrections[2], rate, epsilon;
    // Unused: each parameter has its own.
    float kept;
    float factor;
};

// Clipping, moments, and weights of each tensor (the grid's y), reading memory once.
extern "C" __global__ void adamw(Parameters parameters, AdamW step) {
    Parameter p = parameters.list[blockIdx.y];
    for (size_t i = first_index(); i < p.count; i += threads()) {
        float gradient = step.factor * p.gradient[i];
        float first = step.betas[0] * p.first[i] + step.complements[0] * gradient;
        float second = step.betas[1] * p.second[i] + step.complements[1] * (gradient * gradient);
        float root = sqrtf(second * step.corrections[1]) + step.epsilon;
        p.first[i] = first;
        p.second[i] = second;
        p.weights[i] = p.weights[i] * p.kept - step.rate * (first * step.corrections[0] / root);
    }
}
