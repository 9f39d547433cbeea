// Log probabilities, and the gradients of the logits, one block of 256 threads for each row.
#include "common.cuh"

#define THREADS 256

// The largest of some numbers, and the sum of their exponentials divided by its exponential.
struct Softmax {
    float most, sum;
};

__device__ inline Softmax join(Softmax a, Softmax b) {
    float most = fmaxf(a.most, b.most);
    if (most == -INFINITY) {
        return {most, 0.0f};
    }
    return {most, a.sum * expf(a.most - most) + b.sum * expf(b.most - most)};
}

__device__ inline Softmax over_warp(Softmax own) {
    for (int offset = WARP / 2; offset > 0; offset /= 2) {
        Softmax other;
        other.most = __shfl_xor_sync(ALL_LANES, own.most, offset);
        other.sum = __shfl_xor_sync(ALL_LANES, own.sum, offset);
        own = join(own, other);
    }
    return own;
}

// With `share` above 0 the logits become share*(softmax - [target]), the gradients of a loss in which each row
// has that share.
extern "C" __global__ void cross_entropy(float *logits, const unsigned long long *targets, float *scores,
                                         int vocab, float share) {
    __shared__ float most[THREADS / WARP], sums[THREADS / WARP];
    size_t row = blockIdx.x;
    float *x = logits + row * vocab;
    Softmax own = {-INFINITY, 0.0f};
    for (int i = threadIdx.x; i < vocab; i += THREADS) {
        float top = fmaxf(own.most, x[i]);
        if (top != -INFINITY) {
            own.sum = own.sum * expf(own.most - top) + expf(x[i] - top);
        }
        // fmaxf ignores a NaN, so it is put into the sum.
        own.most = top;
        own.sum = x[i] == x[i] ? own.sum : x[i];
    }
    own = over_warp(own);
    if (lane() == 0) {
        most[threadIdx.x / WARP] = own.most;
        sums[threadIdx.x / WARP] = own.sum;
    }
    __syncthreads();
    Softmax all = {most[0], sums[0]};
    for (int i = 1; i < THREADS / WARP; i++) {
        all = join(all, {most[i], sums[i]});
    }
    unsigned long long target = targets[row];
    float logit = target < (unsigned long long)vocab ? x[target] : -INFINITY;
    __syncthreads();
    if (threadIdx.x == 0) {
        scores[row] = logit - all.most - logf(all.sum);
    }
    if (share > 0.0f) {
        float factor = share / all.sum;
        for (int i = threadIdx.x; i < vocab; i += THREADS) {
            x[i] = factor * expf(x[i] - all.most) - (i == target ? share : 0.0f);
        }
    }
}

// The loss: minus the mean of all scores, summed in double precision by one block.
extern "C" __global__ void mean_loss(const float *scores, float *loss, int rows) {
    __shared__ double sums[THREADS];
    double sum = 0.0;
    for (int i = threadIdx.x; i < rows; i += THREADS) {
        sum += scores[i];
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int i = 1; i < THREADS; i++) {
            sum += sums[i];
        }
        *loss = (float)(-sum / rows);
    }
}
