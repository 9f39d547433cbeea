// Causal attention without a matrix of scores: tiles of 64 queries and 64 keys, softmax over tiles as by Milakov
// and Gimelshein (2018), tiles as in FlashAttention (Dao et al., 2022). Blocks of 16 times 16 threads; each has
// four rows and four columns of a tile. No block writes where another does, so every sum has one order.
#include "common.cuh"
#include "heads.cuh"

#define TILE 64
#define SIDE 16
#define EACH 4
// Columns of two factors that are in shared memory at a time.
#define DEPTH 32
// Columns of a tile in shared memory: four more keep rows aligned for four numbers at a time.
#define PITCH (TILE + 4)

// What positions add to scores: sum_j t_j(n)*(key_j(m) - key_j(n)). `keys` is (length, digits), or null for
// key(m) = m; t_j is `factors`, (rows, heads, digits), or null for the head's number among `slopes`.
struct Terms {
    const float *keys, *factors, *slopes;
};

typedef float Block[EACH][EACH];

// A tile of rows in memory: `rows` of them exist, each of `width` numbers, `stride` apart.
struct Rows {
    const float *first;
    int rows, stride, width;
};

__device__ inline int thread_index() {
    return threadIdx.y * SIDE + threadIdx.x;
}

__device__ inline void clear(Block &block) {
#pragma unroll
    for (int i = 0; i < EACH; i++) {
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            block[i][j] = 0.0f;
        }
    }
}

// block += the outer product of a column and a row of four.
__device__ inline void add_product(Block &block, float4 column, float4 row) {
    float left[EACH] = {column.x, column.y, column.z, column.w};
    float right[EACH] = {row.x, row.y, row.z, row.w};
#pragma unroll
    for (int i = 0; i < EACH; i++) {
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            block[i][j] += left[i] * right[j];
        }
    }
}

// Up to DEPTH columns of a tile, from column `first` on, transposed: to[column][row].
__device__ inline void load_columns(float *to, Rows from, int first) {
    for (int i = thread_index(); i < TILE * DEPTH; i += SIDE * SIDE) {
        int row = i / DEPTH, column = first + i % DEPTH;
        if (column < from.width) {
            to[i % DEPTH * PITCH + row] = row < from.rows ? from.first[(size_t)row * from.stride + column] : 0.0f;
        }
    }
}

// TILE columns of a tile, from column `first` on: to[row][column].
__device__ inline void load_rows(float *to, Rows from, int first) {
    for (int i = thread_index(); i < TILE * TILE; i += SIDE * SIDE) {
        int row = i / TILE, column = first + i % TILE;
        bool exists = row < from.rows && column < from.width;
        to[row * PITCH + i % TILE] = exists ? from.first[(size_t)row * from.stride + column] : 0.0f;
    }
}

// block = a times the transpose of b. `shared` holds TILE*PITCH numbers.
__device__ inline void multiply(Block &block, Rows a, Rows b, float *shared) {
    float *left = shared, *right = shared + DEPTH * PITCH;
    clear(block);
    for (int first = 0; first < a.width; first += DEPTH) {
        __syncthreads();
        load_columns(left, a, first);
        load_columns(right, b, first);
        __syncthreads();
        int depth = min(DEPTH, a.width - first);
#pragma unroll 8
        for (int i = 0; i < depth; i++) {
            add_product(block, *(const float4 *)(left + i * PITCH + threadIdx.y * EACH),
                        *(const float4 *)(right + i * PITCH + threadIdx.x * EACH));
        }
    }
}

// sums += the transpose of `factors` in shared memory times b, PANELS blocks of TILE columns.
template <int PANELS>
__device__ inline void accumulate(Block (&sums)[PANELS], const float *factors, Rows b, float *shared) {
#pragma unroll
    for (int panel = 0; panel < PANELS; panel++) {
        __syncthreads();
        load_rows(shared, b, panel * TILE);
        __syncthreads();
        // Columns beyond the width are not needed.
        int depth = panel * TILE + threadIdx.x * EACH < b.width ? TILE : 0;
#pragma unroll 8
        for (int i = 0; i < depth; i++) {
            add_product(sums[panel], *(const float4 *)(factors + i * PITCH + threadIdx.y * EACH),
                        *(const float4 *)(shared + i * PITCH + threadIdx.x * EACH));
        }
    }
}

// Writes a block of a tile into shared memory: to[row][column].
__device__ inline void store(float *to, const Block &block) {
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        *(float4 *)(to + (threadIdx.y * EACH + i) * PITCH + threadIdx.x * EACH) =
            make_float4(block[i][0], block[i][1], block[i][2], block[i][3]);
    }
}

// The same, transposed: to[column][row].
__device__ inline void store_transposed(float *to, const Block &block) {
#pragma unroll
    for (int j = 0; j < EACH; j++) {
        *(float4 *)(to + (threadIdx.x * EACH + j) * PITCH + threadIdx.y * EACH) =
            make_float4(block[0][j], block[1][j], block[2][j], block[3][j]);
    }
}

// Writes the rows of `sums`, each times its factor, where they exist.
template <int PANELS>
__device__ inline void write(float *to, int stride, int rows, int width, const Block (&sums)[PANELS],
                             const float (&factor)[EACH]) {
#pragma unroll
    for (int panel = 0; panel < PANELS; panel++) {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                int row = threadIdx.y * EACH + i, column = panel * TILE + threadIdx.x * EACH + j;
                if (row < rows && column < width) {
                    to[(size_t)row * stride + column] = factor[i] * sums[panel][i][j];
                }
            }
        }
    }
}

// Sum, or largest, over the 16 threads that share rows of a tile: half a warp.
__device__ inline float row_sum(float x) {
    for (int offset = SIDE / 2; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(ALL_LANES, x, offset);
    }
    return x;
}

__device__ inline float row_most(float x) {
    for (int offset = SIDE / 2; offset > 0; offset /= 2) {
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, offset));
    }
    return x;
}

// One query head of one sequence.
struct Head {
    size_t row;  // Its sequence's first row.
    int head;
    const float *q, *k, *v;

    __device__ Head(const float *qkv, const Heads &h, int sequence, int head)
        : row((size_t)sequence * h.length), head(head) {
        const float *first = qkv + row * h.stride;
        int kv = head / h.groups * h.width;
        q = first + head * h.width;
        k = first + h.keys + kv;
        v = first + h.values + kv;
    }
};

__device__ inline Rows tile(const float *first, int stride, int from, const Heads &h) {
    return {first + (size_t)from * stride, min(h.length - from, TILE), stride, h.width};
}

__device__ inline float key_value(const Terms &terms, const Heads &h, int m, int digit) {
    m = min(m, h.length - 1);
    return terms.keys ? terms.keys[(size_t)m * h.digits + digit] : (float)m;
}

// Scales products to scores and adds the positions' terms: queries from n, keys from m on.
__device__ inline void score(Block &s, const Terms &terms, const Heads &h, const Head &at, int n, int m) {
#pragma unroll
    for (int i = 0; i < EACH; i++) {
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            s[i][j] *= h.scale;
        }
    }
    for (int digit = 0; digit < h.digits; digit++) {
        float keys[EACH];
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            keys[j] = key_value(terms, h, m + threadIdx.x * EACH + j, digit);
        }
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int query = min(n + (int)threadIdx.y * EACH + i, h.length - 1);
            size_t factor = ((at.row + query) * h.heads + at.head) * h.digits + digit;
            float t = terms.factors ? terms.factors[factor] : terms.slopes[at.head];
            float own = key_value(terms, h, query, digit);
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                s[i][j] += t * (keys[j] - own);
            }
        }
    }
}

// Writes the result, and for each row and head the logarithm of the sum of the exponentials of all scores. One
// block for 64 queries (the grid's x, those with most keys first), a head (y) and a sequence (z).
template <int PANELS>
__device__ inline void forward(const float *qkv, float *out, float *norms, Terms terms, Heads h) {
    __shared__ float4 places[2][TILE * PITCH / 4];
    float *shared = (float *)places[0], *weights = (float *)places[1];
    int n = (gridDim.x - 1 - blockIdx.x) * TILE;
    Head at(qkv, h, blockIdx.z, blockIdx.y);
    Rows q = tile(at.q, h.stride, n, h);
    float most[EACH], sums[EACH], factor[EACH];
    Block results[PANELS];
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        most[i] = -INFINITY;
        sums[i] = 0.0f;
    }
#pragma unroll
    for (int panel = 0; panel < PANELS; panel++) {
        clear(results[panel]);
    }
    for (int m = 0; m <= n; m += TILE) {
        Block s;
        multiply(s, q, tile(at.k, h.stride, m, h), shared);
        score(s, terms, h, at, n, m);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int query = n + threadIdx.y * EACH + i;
            float top = most[i];
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                // Every query of a tile, also one beyond the end, sees the first key of each tile up to its own.
                if (m + (int)threadIdx.x * EACH + j > query) {
                    s[i][j] = -INFINITY;
                }
                top = fmaxf(top, s[i][j]);
            }
            top = row_most(top);
            float before = expf(most[i] - top), sum = 0.0f;
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                s[i][j] = expf(s[i][j] - top);
                sum += s[i][j];
            }
            most[i] = top;
            sums[i] = sums[i] * before + row_sum(sum);
#pragma unroll
            for (int panel = 0; panel < PANELS; panel++) {
#pragma unroll
                for (int j = 0; j < EACH; j++) {
                    results[panel][i][j] *= before;
                }
            }
        }
        store_transposed(weights, s);
        accumulate(results, weights, tile(at.v, h.stride, m, h), shared);
    }
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        int query = n + threadIdx.y * EACH + i;
        factor[i] = 1.0f / sums[i];
        if (threadIdx.x == 0 && query < h.length) {
            norms[(at.row + query) * h.heads + at.head] = most[i] + logf(sums[i]);
        }
    }
    float *to = out + (at.row + n) * h.keys + at.head * h.width;
    write(to, h.keys, q.rows, h.width, results, factor);
}

// What the forward pass saved, and the gradient of its result.
struct Saved {
    const float *qkv, *dout, *norms, *products;
};

// Softmax weights p and the gradients of scores, scale included, of one tile, computed again.
__device__ inline void score_gradients(Block &p, Block &d, const Saved &saved, const Terms &terms, const Heads &h,
                              const Head &at, int n, int m, float *shared) {
    multiply(p, tile(at.q, h.stride, n, h), tile(at.k, h.stride, m, h), shared);
    score(p, terms, h, at, n, m);
    const float *dout = saved.dout + at.row * h.keys + at.head * h.width;
    multiply(d, tile(dout, h.keys, n, h), tile(at.v, h.stride, m, h), shared);
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        int query = n + threadIdx.y * EACH + i;
        size_t row = (at.row + min(query, h.length - 1)) * h.heads + at.head;
        float norm = saved.norms[row], product = saved.products[row];
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            bool seen = m + (int)threadIdx.x * EACH + j <= query && query < h.length;
            p[i][j] = seen ? expf(p[i][j] - norm) : 0.0f;
            d[i][j] = p[i][j] * (d[i][j] - product) * h.scale;
        }
    }
}

// The product of result and gradient, for each row and head. One warp for each head.
extern "C" __global__ void attention_products(const float *out, const float *dout, float *products, Heads h) {
    int index = warp_index();
    if (index >= h.rows * h.heads) {
        return;
    }
    size_t at = (size_t)index / h.heads * h.keys + index % h.heads * h.width;
    float sum = 0.0f;
    for (int i = lane(); i < h.width; i += WARP) {
        sum += out[at + i] * dout[at + i];
    }
    sum = warp_sum(sum);
    if (lane() == 0) {
        products[index] = sum;
    }
}

// The gradients of keys and values. One block for 64 keys (the grid's x), a key head (y), a sequence (z).
template <int PANELS>
__device__ inline void backward_keys(Saved saved, float *dqkv, Terms terms, Heads h) {
    __shared__ float4 places[2][TILE * PITCH / 4];
    float *shared = (float *)places[0], *weights = (float *)places[1];
    int m = blockIdx.x * TILE;
    Block dk[PANELS], dv[PANELS];
#pragma unroll
    for (int panel = 0; panel < PANELS; panel++) {
        clear(dk[panel]);
        clear(dv[panel]);
    }
    for (int group = 0; group < h.groups; group++) {
        Head at(saved.qkv, h, blockIdx.z, blockIdx.y * h.groups + group);
        const float *dout = saved.dout + at.row * h.keys + at.head * h.width;
        for (int n = m; n < h.length; n += TILE) {
            Block p, d;
            score_gradients(p, d, saved, terms, h, at, n, m, shared);
            __syncthreads();
            store(weights, p);
            accumulate(dv, weights, tile(dout, h.keys, n, h), shared);
            __syncthreads();
            store(weights, d);
            accumulate(dk, weights, tile(at.q, h.stride, n, h), shared);
        }
    }
    float factor[EACH] = {1.0f, 1.0f, 1.0f, 1.0f};
    int rows = min(h.length - m, TILE);
    float *to = dqkv + ((size_t)blockIdx.z * h.length + m) * h.stride + blockIdx.y * h.width;
    write(to + h.keys, h.stride, rows, h.width, dk, factor);
    write(to + h.values, h.stride, rows, h.width, dv, factor);
}

// The gradients of queries by their products with keys, and of the terms' factors, scale included, unless
// `dfactors` is null. One block for 64 queries (the grid's x, those with most keys first), a head (y) and a
// sequence (z).
template <int PANELS>
__device__ inline void backward_queries(Saved saved, float *dqkv, float *dfactors, Terms terms, Heads h) {
    __shared__ float4 places[2][TILE * PITCH / 4];
    float *shared = (float *)places[0], *weights = (float *)places[1];
    int n = (gridDim.x - 1 - blockIdx.x) * TILE;
    Head at(saved.qkv, h, blockIdx.z, blockIdx.y);
    Block dq[PANELS];
#pragma unroll
    for (int panel = 0; panel < PANELS; panel++) {
        clear(dq[panel]);
    }
    for (int m = 0; m <= n; m += TILE) {
        Block p, d;
        score_gradients(p, d, saved, terms, h, at, n, m, shared);
        for (int digit = 0; dfactors && digit < h.digits; digit++) {
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                int query = n + threadIdx.y * EACH + i;
                float own = key_value(terms, h, query, digit), sum = 0.0f;
#pragma unroll
                for (int j = 0; j < EACH; j++) {
                    sum += d[i][j] * (key_value(terms, h, m + threadIdx.x * EACH + j, digit) - own);
                }
                sum = row_sum(sum);
                if (threadIdx.x == 0 && query < h.length) {
                    float *to = dfactors + ((at.row + query) * h.heads + at.head) * h.digits + digit;
                    *to = m == 0 ? sum : *to + sum;
                }
            }
        }
        __syncthreads();
        store_transposed(weights, d);
        accumulate(dq, weights, tile(at.k, h.stride, m, h), shared);
    }
    float factor[EACH] = {1.0f, 1.0f, 1.0f, 1.0f};
    float *to = dqkv + (at.row + n) * h.stride + at.head * h.width;
    write(to, h.stride, min(h.length - n, TILE), h.width, dq, factor);
}

// Heads of up to 64, 128, and 256 columns.
#define KERNELS(WIDTH, PANELS)                                                                                        \
    extern "C" __global__ void __launch_bounds__(256)                                                                \
        attention_forward_##WIDTH(const float *qkv, float *out, float *norms, Terms terms, Heads h) {                \
        forward<PANELS>(qkv, out, norms, terms, h);                                                                   \
    }                                                                                                                \
    extern "C" __global__ void __launch_bounds__(256)                                                                \
        attention_keys_##WIDTH(Saved saved, float *dqkv, Terms terms, Heads h) {                                     \
        backward_keys<PANELS>(saved, dqkv, terms, h);                                                                 \
    }                                                                                                                \
    extern "C" __global__ void __launch_bounds__(256)                                                                \
        attention_queries_##WIDTH(Saved saved, float *dqkv, float *dfactors, Terms terms, Heads h) {                 \
        backward_queries<PANELS>(saved, dqkv, dfactors, terms, h);                                                    \
    }

KERNELS(64, 1)
KERNELS(128, 2)
KERNELS(256, 4)
