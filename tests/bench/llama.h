/* A plain forward pass of a Llama in C, f32, a token at a time, with random weights: RMSNorm, RoPE, grouped heads,
 * SwiGLU, tied head. It is plain code that leaves optimization to the compiler. Frequencies are
 * computed once, and sines and cosines once per token, for all layers. Programs around it: rival.c on a host,
 * device/rival.c on a microcontroller. */

#include <math.h>
#include <stddef.h>
#include <string.h>

static void *allocate(size_t count, size_t size); /* defined by the program; need not zero the memory, never returns NULL */

typedef struct {
    float *attn_norm, *wq, *wk, *wv, *wo; /* [width], [width, width], [kv_width, width] twice, [width, width] */
    float *mlp_norm, *w1, *w3, *w2;       /* [width], [hidden, width] twice, [width, hidden] */
    float *keys, *values;                 /* [context, kv_width] */
} Layer;

typedef struct {
    int vocab, width, layers, heads, kv_heads, hidden;
    int head_width, kv_width;
    float *embed, *final_norm; /* [vocab, width], [width] */
    Layer *layer;
    float *frequency, *cosine, *sine;                 /* [head_width / 2] */
    float *x, *h, *q, *attended, *gate, *up, *scores; /* one token's activations */
    float *logits;                                    /* [vocab] */
} Model;

static float *room(size_t count) {
    return allocate(count, sizeof(float));
}

/* Uniformly distributed with a variance of 1 / columns. */
static float *weights(size_t rows, size_t columns) {
    static unsigned state = 1;
    float *numbers = room(rows * columns), width = sqrtf(12.0f / columns);
    for (size_t i = 0; i < rows * columns; i++) {
        state = state * 1664525u + 1013904223u;
        numbers[i] = ((state >> 8) / 16777216.0f - 0.5f) * width;
    }
    return numbers;
}

static float *ones(size_t count) {
    float *numbers = room(count);
    for (size_t i = 0; i < count; i++) numbers[i] = 1.0f;
    return numbers;
}

static Model make(int vocab, int width, int layers, int heads, int kv_heads, int hidden, int context) {
    Model m = {.vocab = vocab, .width = width, .layers = layers};
    m.heads = heads, m.kv_heads = kv_heads, m.hidden = hidden;
    m.head_width = m.width / m.heads;
    m.kv_width = m.head_width * m.kv_heads;
    m.embed = weights(m.vocab, m.width);
    m.final_norm = ones(m.width);
    m.layer = allocate(m.layers, sizeof(Layer));
    for (int l = 0; l < m.layers; l++) {
        m.layer[l] = (Layer){
            .attn_norm = ones(m.width),
            .wq = weights(m.width, m.width),
            .wk = weights(m.kv_width, m.width),
            .wv = weights(m.kv_width, m.width),
            .wo = weights(m.width, m.width),
            .mlp_norm = ones(m.width),
            .w1 = weights(m.hidden, m.width),
            .w3 = weights(m.hidden, m.width),
            .w2 = weights(m.width, m.hidden),
            .keys = room((size_t)context * m.kv_width),
            .values = room((size_t)context * m.kv_width),
        };
    }
    int half = m.head_width / 2;
    m.frequency = room(half), m.cosine = room(half), m.sine = room(half);
    for (int i = 0; i < half; i++) m.frequency[i] = powf(10000.0f, -(float)i / half);
    m.x = room(m.width), m.h = room(m.width), m.q = room(m.width), m.attended = room(m.width);
    m.gate = room(m.hidden), m.up = room(m.hidden);
    m.scores = room(context), m.logits = room(m.vocab);
    return m;
}

static void norm(float *restrict y, const float *restrict x, const float *restrict gain, int width) {
    float squares = 0.0f;
    for (int i = 0; i < width; i++) squares += x[i] * x[i];
    float scale = 1.0f / sqrtf(squares / width + 1e-5f);
    for (int i = 0; i < width; i++) y[i] = x[i] * scale * gain[i];
}

/* y = W x, for W of shape [rows, columns] */
static void project(float *restrict y, const float *restrict w, const float *restrict x, int rows, int columns) {
    for (int o = 0; o < rows; o++) {
        float sum = 0.0f;
        for (int i = 0; i < columns; i++) sum += w[(ptrdiff_t)o * columns + i] * x[i];
        y[o] = sum;
    }
}

/* RoPE on every head: rotate column i with column i + head_width/2 */
static void rotate(float *restrict row, const float *restrict cosine, const float *restrict sine, int heads, int width) {
    int half = width / 2;
    for (int head = 0; head < heads; head++) {
        float *restrict a = row + head * width, *restrict b = a + half;
        for (int i = 0; i < half; i++) {
            float first = a[i], second = b[i];
            a[i] = first * cosine[i] - second * sine[i];
            b[i] = second * cosine[i] + first * sine[i];
        }
    }
}

static void attend(Model *m, const Layer *layer, int position) {
    int width = m->head_width, group = m->heads / m->kv_heads;
    float scale = 1.0f / sqrtf(width), *restrict scores = m->scores;
    for (int head = 0; head < m->heads; head++) {
        const float *restrict q = m->q + head * width;
        const float *restrict keys = layer->keys + head / group * width;
        const float *restrict values = layer->values + head / group * width;
        float *restrict out = m->attended + head * width, largest = -1e30f, sum = 0.0f;
        for (int n = 0; n <= position; n++) {
            const float *restrict k = keys + (ptrdiff_t)n * m->kv_width;
            float score = 0.0f;
            for (int i = 0; i < width; i++) score += q[i] * k[i];
            scores[n] = score * scale;
            if (scores[n] > largest) largest = scores[n];
        }
        for (int n = 0; n <= position; n++) sum += scores[n] = expf(scores[n] - largest);
        float share = 1.0f / sum;
        memset(out, 0, width * sizeof(float));
        for (int n = 0; n <= position; n++) {
            const float *restrict v = values + (ptrdiff_t)n * m->kv_width;
            float weight = scores[n] * share;
            for (int i = 0; i < width; i++) out[i] += weight * v[i];
        }
    }
}

/* Read a token; compute its logits only if `head`. */
static void forward(Model *m, int token, int position, int head) {
    int width = m->width, kv_width = m->kv_width, hidden = m->hidden;
    for (int i = 0; i < m->head_width / 2; i++) {
        float angle = position * m->frequency[i];
        m->cosine[i] = cosf(angle), m->sine[i] = sinf(angle);
    }
    memcpy(m->x, m->embed + (ptrdiff_t)token * width, width * sizeof(float));
    for (int l = 0; l < m->layers; l++) {
        Layer *layer = &m->layer[l];
        float *key = layer->keys + (ptrdiff_t)position * kv_width, *value = layer->values + (ptrdiff_t)position * kv_width;
        norm(m->h, m->x, layer->attn_norm, width);
        project(m->q, layer->wq, m->h, width, width);
        project(key, layer->wk, m->h, kv_width, width);
        project(value, layer->wv, m->h, kv_width, width);
        rotate(m->q, m->cosine, m->sine, m->heads, m->head_width);
        rotate(key, m->cosine, m->sine, m->kv_heads, m->head_width);
        attend(m, layer, position);
        project(m->h, layer->wo, m->attended, width, width);
        for (int i = 0; i < width; i++) m->x[i] += m->h[i];
        norm(m->h, m->x, layer->mlp_norm, width);
        project(m->gate, layer->w1, m->h, hidden, width);
        project(m->up, layer->w3, m->h, hidden, width);
        for (int i = 0; i < hidden; i++) m->gate[i] = m->gate[i] / (1.0f + expf(-m->gate[i])) * m->up[i];
        project(m->h, layer->w2, m->gate, width, hidden);
        for (int i = 0; i < width; i++) m->x[i] += m->h[i];
    }
    if (head) {
        norm(m->h, m->x, m->final_norm, width);
        project(m->logits, m->embed, m->h, m->vocab, width);
    }
}

static int most_likely(const float *logits, int vocab) {
    int best = 0;
    for (int i = 1; i < vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}
