/* A plain forward pass of a Llama in C (llama.h) on one thread:
 *
 *     gcc -Ofast -march=native -o rival rival.c -lm
 *     rival decode|prefill WIDTH LAYERS HEADS HIDDEN VOCAB TOKENS
 *
 * As a program it is a candidate (see turns.py): for a line `N` on standard input it performs N units of work and
 * prints the milliseconds of each; for a line `peak` it prints the peak memory in bytes. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "llama.h"

static void *allocate(size_t count, size_t size) {
    void *place = calloc(count, size);
    if (!place) {
        fprintf(stderr, "not enough memory\n");
        exit(1);
    }
    return place;
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
    Model model = make(vocab, sizes[0], sizes[1], sizes[2], sizes[2], sizes[3], tokens);
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
