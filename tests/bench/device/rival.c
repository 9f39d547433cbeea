/* The rival on a microcontroller: greedy decoding with the plain forward pass of ../llama.h. -DSHAPE=VOCAB,WIDTH,LAYERS,
 * HEADS,KV_HEADS,HIDDEN and -DTOKENS=N set the work; the shape is volatile data, as if it were read from a file.
 * `tests/bench/board` builds this program and counts its instructions. */

#include "../llama.h"

void print(const char *text); /* start.c */
extern char memory[];         /* board.ld, or MEMORY below */

#ifdef MEMORY /* bytes, for machines without board.ld */
char memory[MEMORY] __attribute__((aligned(16)));
#endif

static volatile const int shape[] = {SHAPE}, tokens = TOKENS;

static void *allocate(size_t count, size_t size) {
    static size_t used;
    void *place = memory + used;
    used += (count * size + 15) / 16 * 16;
    return place;
}

/* Prints the tokens. */
int main(void) {
    Model model = make(shape[0], shape[1], shape[2], shape[3], shape[4], shape[5], tokens);
    for (int n = 0, token = 1; n < tokens; n++) {
        forward(&model, token, n, 1);
        token = most_likely(model.logits, model.vocab);
        char text[] = {'0' + token / 100, '0' + token / 10 % 10, '0' + token % 10, ' ', 0};
        print(text);
    }
    print("\n");
    return 0;
}
