// Rows of a table by token.
#include "common.cuh"

#define TOKENS 256
#define KEPT 1024

// One block for each row. `fixed` and `learned`, where they are not null, hold one row for each position.
extern "C" __global__ void embed_forward(const float *table, const unsigned long long *tokens, const float *fixed,
                                         const float *learned, float *x, int length, int width, float scale) {
    size_t row = blockIdx.x;
    const float *source = table + (size_t)tokens[row] * width;
    size_t position = row % length * width;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float value = source[i] * scale;
        if (fixed) {
            value += fixed[position + i];
        }
        if (learned) {
            value += learned[position + i];
        }
        x[row * width + i] = value;
    }
}

// The gradient of the table: one block of 256 threads for each row and 256 columns of the table. It looks through
// all tokens for its own and adds their rows in their order, so the sum has one order.
extern "C" __global__ void embed_backward(const float *dx, const unsigned long long *tokens, float *dtable,
                                          int rows, int width, float scale) {
    __shared__ int found[KEPT];
    __shared__ int counts[TOKENS / WARP];
    int token = blockIdx.x;
    int column = blockIdx.y * TOKENS + threadIdx.x;
    int warp = threadIdx.x / WARP;
    int known = 0;
    float sum = 0.0f;
    for (int first = 0; first < rows; first += TOKENS) {
        int row = first + threadIdx.x;
        int match = row < rows && tokens[row] == token;
        unsigned votes = __ballot_sync(ALL_LANES, match);
        if (lane() == 0) {
            counts[warp] = __popc(votes);
        }
        __syncthreads();
        int place = known;
        for (int other = 0; other < TOKENS / WARP; other++) {
            place += other < warp ? counts[other] : 0;
            known += counts[other];
        }
        if (match) {
            found[place + __popc(votes & ((1u << lane()) - 1u))] = row;
        }
        __syncthreads();
        if (known > KEPT - TOKENS || first + TOKENS >= rows) {
            if (column < width) {
                for (int i = 0; i < known; i++) {
                    sum += dx[(size_t)found[i] * width + column];
                }
            }
            known = 0;
            __syncthreads();
        }
    }
    if (column < width && sum != 0.0f) {
        dtable[(size_t)token * width + column] += scale * sum;
    }
}

// The gradient of learned rows, one thread for each number: the sum over the sequences.
extern "C" __global__ void position_table_backward(const float *dx, float *dlearned, int sequences,
                                                   size_t count) {
    size_t at = first_index();
    if (at < count) {
        float sum = 0.0f;
        for (int sequence = 0; sequence < sequences; sequence++) {
            sum += dx[sequence * count + at];
        }
        dlearned[at] += sum;
    }
}
