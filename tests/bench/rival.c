/* A straightforward forward pass of a Llama in C: RMSNorm, RoPE, SwiGLU, tied head, f32, key-value cache,
 * random weights. One thread. It is what one would write in an afternoon and leave the rest to the compiler:
 *
 *     gcc -Ofast -march=native -o rival rival.c -lm
 *     rival decode|prefill WIDTH LAYERS HEADS HIDDEN VOCAB TOKENS
 *
 * As a program it is a candidate (see turns.py): for a line `N` on standard input it does N units of work and
 * prints the milliseconds of each, for a line `peak` the most memory so far in bytes. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct {
    float *attn_norm, *wq, *wk, *wv, *wo; /* [width], [width, width] four times */
    float *mlp_norm, *w1, *w3, *w2;       /* [width], [hidden, width] twice, [width, hidden] */
} Layer;

typedef struct {
    int width, layers, heads, hidden, vocab, context;
    float *embed, *final_norm; /* [vocab, width], [width] */
    Layer *layer;
    float *keys, *values;                               /* [layers, context, width] */
    float *x, *h, *q, *attended, *gate, *up, *scores;   /* one token's activations */
    float *logits;                                      /* [vocab] */
} Model;

static void *allocate(size_t count) {
    float *numbers = calloc(count, sizeof(float));
    if (!numbers) {
        fprintf(stderr, "not enough memory\n");
        exit(1);
    }
    return numbers;
}

static float *weights(size_t count) {
    static unsigned state = 1;
    float *numbers = allocate(count);
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        numbers[i] = ((state >> 8) / 16777216.0f - 0.5f) * 0.07f;
    }
    return numbers;
}

static float *ones(size_t count) {
    float *numbers = allocate(count);
    for (size_t i = 0; i < count; i++) numbers[i] = 1.0f;
    return numbers;
}

static Model make(int width, int layers, int heads, int hidden, int vocab, int context) {
    Model m = {.width = width, .layers = layers, .heads = heads, .hidden = hidden, .vocab = vocab, .context = context};
    size_t square = (size_t)width * width, wide = (size_t)hidden * width;
    m.embed = weights((size_t)vocab * width);
    m.final_norm = ones(width);
    m.layer = calloc(layers, sizeof(Layer));
    for (int l = 0; l < layers; l++) {
        m.layer[l] = (Layer){ones(width),    weights(square), weights(square), weights(square), weights(square),
                             ones(width),    weights(wide),   weights(wide),   weights(wide)};
    }
    m.keys = allocate((size_t)layers * context * width);
    m.values = allocate((size_t)layers * context * width);
    m.x = allocate(width), m.h = allocate(width), m.q = allocate(width), m.attended = allocate(width);
    m.gate = allocate(hidden), m.up = allocate(hidden);
    m.scores = allocate(context), m.logits = allocate(vocab);
    return m;
}

static void norm(float *restrict y, const float *restrict x, const float *restrict gain, int width) {
    float squares = 0.0f;
    for (int i = 0; i < width; i++) squares += x[i] * x[i];
    float scale = 1.0f / sqrtf(squares / width + 1e-5f);
    for (int i = 0; i < width; i++) y[i] = x[i] * scale * gain[i];
}

/* y = W x, W of the shape [rows, columns] */
static void project(float *restrict y, const float *restrict w, const float *restrict x, int rows, int columns) {
    for (int o = 0; o < rows; o++) {
        float sum = 0.0f;
        for (int i = 0; i < columns; i++) sum += w[(size_t)o * columns + i] * x[i];
        y[o] = sum;
    }
}

/* RoPE on every head: column i with column i + head_width/2 */
static void rotate(float *row, int position, int heads, int head_width) {
    int half = head_width / 2;
    for (int i = 0; i < half; i++) {
        float angle = position * powf(10000.0f, -(float)i / half);
        float cosine = cosf(angle), sine = sinf(angle);
        for (int head = 0; head < heads; head++) {
            float *a = row + head * head_width + i, *b = a + half, first = *a, second = *b;
            *a = first * cosine - second * sine;
            *b = second * cosine + first * sine;
        }
    }
}

static void attend(Model *m, const float *keys, const float *values, int position) {
    int head_width = m->width / m->heads;
    float scale = 1.0f / sqrtf(head_width);
    for (int head = 0; head < m->heads; head++) {
        const float *q = m->q + head * head_width;
        float *out = m->attended + head * head_width, largest = -INFINITY, sum = 0.0f;
        for (int n = 0; n <= position; n++) {
            const float *k = keys + (size_t)n * m->width + head * head_width;
            float score = 0.0f;
            for (int i = 0; i < head_width; i++) score += q[i] * k[i];
            m->scores[n] = score * scale;
            if (m->scores[n] > largest) largest = m->scores[n];
        }
        for (int n = 0; n <= position; n++) sum += m->scores[n] = expf(m->scores[n] - largest);
        memset(out, 0, head_width * sizeof(float));
        for (int n = 0; n <= position; n++) {
            const float *v = values + (size_t)n * m->width + head * head_width;
            float share = m->scores[n] / sum;
            for (int i = 0; i < head_width; i++) out[i] += share * v[i];
        }
    }
}

/* Read a token; its logits only if `head`. */
static void forward(Model *m, int token, int position, int head) {
    int width = m->width, hidden = m->hidden;
    memcpy(m->x, m->embed + (size_t)token * width, width * sizeof(float));
    for (int l = 0; l < m->layers; l++) {
        Layer *layer = &m->layer[l];
        float *keys = m->keys + (size_t)l * m->context * width, *key = keys + (size_t)position * width;
        float *values = m->values + (size_t)l * m->context * width, *value = values + (size_t)position * width;
        norm(m->h, m->x, layer->attn_norm, width);
        project(m->q, layer->wq, m->h, width, width);
        project(key, layer->wk, m->h, width, width);
        project(value, layer->wv, m->h, width, width);
        rotate(m->q, position, m->heads, width / m->heads);
        rotate(key, position, m->heads, width / m->heads);
        attend(m, keys, values, position);
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

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

int main(int count, char **arguments) {
    int sizes[6];
    if (count != 8) {
        fprintf(stderr, "rival decode|prefill WIDTH LAYERS HEADS HIDDEN VOCAB TOKENS\n");
        return 2;
    }
    for (int i = 0; i < 6; i++) sizes[i] = atoi(arguments[i + 2]);
    int decoding = !strcmp(arguments[1], "decode"), vocab = sizes[4], tokens = sizes[5];
    Model model = make(sizes[0], sizes[1], sizes[2], sizes[3], vocab, tokens);
    char line[64];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (!strncmp(line, "peak", 4)) {
            struct rusage usage;
            getrusage(RUSAGE_SELF, &usage);
            printf("%ld\n", usage.ru_maxrss * 1024);
        } else {
            for (int unit = atoi(line); unit > 0; unit--) {
                double started = now();
                int token = 0;
                for (int n = 0; n < tokens; n++) {
                    int last = n == tokens - 1;
                    if (!decoding) token = (int)((unsigned)n * 7919u % (unsigned)vocab);
                    forward(&model, token, n, decoding || last);
                    if (decoding || last) token = most_likely(model.logits, vocab);
                }
                printf("%.6f ", now() - started);
            }
            printf("\n");
        }
        fflush(stdout);
    }
    return 0;
}
