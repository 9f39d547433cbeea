// Whole lists of tensors at once: sums of squares and AdamW, and what single lists of numbers need.
#include "common.cuh"

#define THREADS 256
// Tensors of one launch; pointers and lengths travel as arguments, which may take 4 KB together.
#define TENSORS 96

extern "C" __global__ void add(float *y, const float *x, size_t count) {
    for (size_t i = first_index(); i < count; i += threads()) {
        y[i] += x[i];
    }
}

// y += factor*slope*x with a slope that is on the device.
extern "C" __global__ void add_scaled(float *y, const float *x, const float *slope, float factor, size_t count) {
    float by = *slope * factor;
    for (size_t i = first_index(); i < count; i += threads()) {
        y[i] += by * x[i];
    }
}

extern "C" __global__ void scale(float *x, float factor, size_t count) {
    for (size_t i = first_index(); i < count; i += threads()) {
        x[i] *= factor;
    }
}

struct Lists {
    const float *lists[TENSORS];
    unsigned long long counts[TENSORS];
};

// The sum of the squares of each list (the grid's y) in as many parts as the grid is wide: sums[list][part].
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
    const float *slopes;
    unsigned long long count;
    // What is left of a weight, decayed.
    float kept;
};

struct Parameters {
    Parameter list[TENSORS * 3 / 4];
};

struct AdamW {
    float betas[2], rests[2], corrections[2], rate, epsilon;
    // That of the parameter counts.
    float kept;
    float factor;
};

// Clipping, moments and weights of each tensor (the grid's y) in one pass over memory.
extern "C" __global__ void adamw(Parameters parameters, AdamW step) {
    Parameter p = parameters.list[blockIdx.y];
    for (size_t i = first_index(); i < p.count; i += threads()) {
        float slope = step.factor * p.slopes[i];
        float first = step.betas[0] * p.first[i] + step.rests[0] * slope;
        float second = step.betas[1] * p.second[i] + step.rests[1] * (slope * slope);
        float root = sqrtf(second * step.corrections[1]) + step.epsilon;
        p.first[i] = first;
        p.second[i] = second;
        p.weights[i] = p.weights[i] * p.kept - step.rate * (first * step.corrections[0] / root);
    }
}
