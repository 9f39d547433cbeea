// Positions inside attention: the folded columns of ExPE and ExQPE, and rotations of heads.
//
// With the folded columns u_j of the query weights and w_j of the key weights, the sums of those that hold
// digit j: a query is what the other columns give plus sum_j value_j(n)*u_j, and its score with the key at m
// has the terms t_j(n)*(key_j(m) - key_j(n)) with t_j(n) = scale*(query . w_j).
#include "common.cuh"
#include "heads.cuh"

// The sums of each digit's columns: (digits, outputs). One warp for each output.
extern "C" __global__ void fold(const float *weight, float *folded, int outputs, int width, int digits, int run) {
    int row = warp_index();
    if (row >= outputs) {
        return;
    }
    for (int digit = 0; digit < digits; digit++) {
        float sum = 0.0f;
        for (int i = lane(); i < run; i += WARP) {
            sum += weight[(size_t)row * width + digit * run + i];
        }
        sum = warp_sum(sum);
        if (lane() == 0) {
            folded[(size_t)digit * outputs + row] = sum;
        }
    }
}

// Adds the position to the queries and computes the factors t_j: (rows, heads, digits). One warp for each head.
extern "C" __global__ void place_queries(float *qkv, const float *values, const float *query_columns,
                                 const float *key_columns, float *factors, Heads h) {
    int index = warp_index();
    if (index >= h.rows * h.heads) {
        return;
    }
    int row = index / h.heads, head = index % h.heads;
    int keys = (h.values - h.keys);
    values += (size_t)(row % h.length) * h.digits;
    float *q = qkv + (size_t)row * h.stride + head * h.width;
    query_columns += head * h.width;
    key_columns += head / h.groups * h.width;
    for (int i = lane(); i < h.width; i += WARP) {
        float sum = q[i];
        for (int digit = 0; digit < h.digits; digit++) {
            sum += values[digit] * query_columns[(size_t)digit * h.keys + i];
        }
        q[i] = sum;
    }
    for (int digit = 0; digit < h.digits; digit++) {
        float sum = 0.0f;
        for (int i = lane(); i < h.width; i += WARP) {
            sum += q[i] * key_columns[(size_t)digit * keys + i];
        }
        sum = warp_sum(sum);
        if (lane() == 0) {
            factors[(size_t)index * h.digits + digit] = h.scale * sum;
        }
    }
}

// Adds the gradients of the factors, scale included, to those of the queries. One warp for each head.
extern "C" __global__ void place_queries_backward(float *dqkv, const float *key_columns, const float *dfactors, Heads h) {
    int index = warp_index();
    if (index >= h.rows * h.heads) {
        return;
    }
    int row = index / h.heads, head = index % h.heads;
    int keys = (h.values - h.keys);
    float *dq = dqkv + (size_t)row * h.stride + head * h.width;
    key_columns += head / h.groups * h.width;
    for (int i = lane(); i < h.width; i += WARP) {
        float sum = dq[i];
        for (int digit = 0; digit < h.digits; digit++) {
            sum += dfactors[(size_t)index * h.digits + digit] * key_columns[(size_t)digit * keys + i];
        }
        dq[i] = sum;
    }
}

// The gradients of the folded columns, for each digit (the grid's z), each column of the queries (blocks of 32
// columns times 8 rows), and each of the grid's y shares of the rows: those of u_j, then those of w_j, which are
// not yet summed over the query heads of a key head: (shares, 2, digits, query width).
extern "C" __global__ void folded_backward(const float *qkv, const float *dqkv, const float *values,
                                         const float *dfactors, float *shares, int share, Heads h) {
    __shared__ float sums[2][8][WARP];
    int digit = blockIdx.z;
    int column = blockIdx.x * WARP + threadIdx.x;
    int end = min(h.rows, (int)(blockIdx.y + 1) * share);
    float query = 0.0f, key = 0.0f;
    if (column < h.keys) {
        int head = column / h.width;
        for (int row = blockIdx.y * share + threadIdx.y; row < end; row += 8) {
            size_t at = (size_t)row * h.stride + column;
            query += values[(size_t)(row % h.length) * h.digits + digit] * dqkv[at];
            key += dfactors[((size_t)row * h.heads + head) * h.digits + digit] * qkv[at];
        }
    }
    sums[0][threadIdx.y][threadIdx.x] = query;
    sums[1][threadIdx.y][threadIdx.x] = key;
    __syncthreads();
    if (threadIdx.y < 2 && column < h.keys) {
        float sum = 0.0f;
        for (int i = 0; i < 8; i++) {
            sum += sums[threadIdx.y][i][threadIdx.x];
        }
        shares[((size_t)(blockIdx.y * 2 + threadIdx.y) * h.digits + digit) * h.keys + column] = sum;
    }
}

// Adds the gradients of folded columns to those of the weights that they are sums of: of the query weights for
// `kind` 0, of the key weights for 1. One warp for each output and digit.
extern "C" __global__ void unfold(const float *shares, float *dweight, int kind, int count, int outputs, int width,
                                  int run, Heads h) {
    int index = warp_index();
    if (index >= outputs * h.digits) {
        return;
    }
    int row = index / h.digits, digit = index % h.digits;
    int groups = kind == 0 ? 1 : h.groups;
    // The output's column among those of the queries, in the first head that it belongs to.
    int first = row / h.width * groups * h.width + row % h.width;
    float sum = 0.0f;
    for (int share = lane(); share < count; share += WARP) {
        for (int group = 0; group < groups; group++) {
            sum += shares[((size_t)(share * 2 + kind) * h.digits + digit) * h.keys + first + group * h.width];
        }
    }
    sum = warp_sum(sum);
    for (int i = lane(); i < run; i += WARP) {
        dweight[(size_t)row * width + digit * run + i] += sum;
    }
}

// Rotates the first `rotated` heads of each row, queries and keys, by their positions' angles, forward or back.
// `cos` and `sin` are (length, width), the sines of a head's first half with their sign changed. One block for
// each row.
extern "C" __global__ void rotate(float *qkv, const float *cos, const float *sin, int rotated, int back, Heads h) {
    int half = h.width / 2;
    size_t angles = (size_t)(blockIdx.x % h.length) * h.width;
    for (int i = threadIdx.x; i < rotated * half; i += blockDim.x) {
        int pair = i % half;
        float *x = qkv + (size_t)blockIdx.x * h.stride + i / half * h.width + pair;
        float c = cos[angles + pair], s = sin[angles + (back ? 0 : half) + pair];
        float left = x[0], right = x[half];
        x[0] = left * c - right * s;
        x[half] = right * c + left * s;
    }
}
