// RMSNorm and LayerNorm, one warp a row.
#include "common.cuh"

struct Statistics {
    // What is subtracted from a row, and what it is multiplied by then.
    float mean, inverse;
};

__device__ inline Statistics row_statistics(const float *x, int width, float epsilon, int centered) {
    float share = 1.0f / width;
    float mean = 0.0f;
    if (centered) {
        for (int i = lane(); i < width; i += WARP) {
            mean += x[i];
        }
        mean = warp_sum(mean) * share;
    }
    float square = 0.0f;
    for (int i = lane(); i < width; i += WARP) {
        float z = x[i] - mean;
        square += z * z;
    }
    square = warp_sum(square) * share;
    return {mean, 1.0f / sqrtf(square + epsilon)};
}

extern "C" __global__ void norm_forward(const float *x, const float *gain, float *y, int rows, int width,
                                        float epsilon, int centered) {
    int row = warp_index();
    if (row >= rows) {
        return;
    }
    x += (size_t)row * width;
    y += (size_t)row * width;
    Statistics s = row_statistics(x, width, epsilon, centered);
    for (int i = lane(); i < width; i += WARP) {
        y[i] = gain[i] * ((x[i] - s.mean) * s.inverse);
    }
}

// With z = (x - mean)*inverse and s = gain*dy: dx += inverse*(s - z*mean(s*z) - mean(s)), the last term
// for a centered norm only. Writes mean and inverse of every row for norm_gain_backward.
extern "C" __global__ void norm_backward(const float *x, const float *gain, const float *dy, float *dx,
                                         float *statistics, int rows, int width, float epsilon, int centered) {
    int row = warp_index();
    if (row >= rows) {
        return;
    }
    x += (size_t)row * width;
    dy += (size_t)row * width;
    dx += (size_t)row * width;
    Statistics s = row_statistics(x, width, epsilon, centered);
    float share = 1.0f / width;
    float products = 0.0f, sums = 0.0f;
    for (int i = lane(); i < width; i += WARP) {
        float s_i = gain[i] * dy[i];
        products += s_i * ((x[i] - s.mean) * s.inverse);
        sums += s_i;
    }
    products = warp_sum(products) * share;
    sums = centered ? warp_sum(sums) * share : 0.0f;
    for (int i = lane(); i < width; i += WARP) {
        float z = (x[i] - s.mean) * s.inverse;
        dx[i] += s.inverse * (gain[i] * dy[i] - z * products - sums);
    }
    if (lane() == 0) {
        statistics[2 * row] = s.mean;
        statistics[2 * row + 1] = s.inverse;
    }
}

// The gradient of the gain, one sum for each column and each of the grid's y shares of the rows. Blocks of
// 32 columns times 8 rows.
extern "C" __global__ void norm_gain_backward(const float *x, const float *dy, const float *statistics, float *shares, int rows,
                                     int width, int share) {
    __shared__ float sums[8][WARP];
    int column = blockIdx.x * WARP + threadIdx.x;
    int end = min(rows, (int)(blockIdx.y + 1) * share);
    float sum = 0.0f;
    if (column < width) {
        for (int row = blockIdx.y * share + threadIdx.y; row < end; row += 8) {
            size_t at = (size_t)row * width + column;
            sum += dy[at] * ((x[at] - statistics[2 * row]) * statistics[2 * row + 1]);
        }
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < width) {
        for (int i = 1; i < 8; i++) {
            sum += sums[i][threadIdx.x];
        }
        shares[(size_t)blockIdx.y * width + column] = sum;
    }
}

// Adds the sum over all shares to each column.
extern "C" __global__ void add_shares(const float *shares, float *sums, int count, int width) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column < width) {
        float sum = 0.0f;
        for (int share = 0; share < count; share++) {
            sum += shares[(size_t)share * width + column];
        }
        sums[column] += sum;
    }
}
