// The activations of an MLP, element by element.
#include "common.cuh"

#define GELU_KIND 0
#define RELU_KIND 1

// sqrt(8/pi): gelu(x) = x*sigmoid(z) with z = GELU*x + CUBIC*x^3.
#define GELU 1.595769f
#define CUBIC (GELU * 0.044715f)

// `gates` are those of SwiGLU, null where there are none.
extern "C" __global__ void activation_forward(int kind, const float *inputs, const float *gates, float *active, size_t count) {
    for (size_t i = first_index(); i < count; i += threads()) {
        float x = inputs[i];
        if (kind == GELU_KIND) {
            active[i] = x * sigmoid(x * (GELU + CUBIC * (x * x)));
        } else if (kind == RELU_KIND) {
            active[i] = x < 0.0f ? 0.0f : x;
        } else {
            float silu = x * sigmoid(x);
            active[i] = gates ? silu * gates[i] : silu;
        }
    }
}

// Replaces `inputs` and `gates` by their gradients, and `gradient`, that of the activations, by the activations.
extern "C" __global__ void activation_backward(int kind, float *inputs, float *gates, float *gradient,
                                               size_t count) {
    for (size_t i = first_index(); i < count; i += threads()) {
        float x = inputs[i], s = gradient[i];
        if (kind == GELU_KIND) {
            float square = x * x;
            float sigma = sigmoid(x * (GELU + CUBIC * square));
            float active = x * sigma;
            inputs[i] = s * (sigma + active * (1.0f - sigma) * (GELU + 3.0f * CUBIC * square));
            gradient[i] = active;
        } else if (kind == RELU_KIND) {
            inputs[i] = x > 0.0f ? s : 0.0f;
            gradient[i] = x < 0.0f ? 0.0f : x;
        } else {
            float sigma = sigmoid(x), silu = x * sigma;
            float gate = gates ? gates[i] : 1.0f;
            inputs[i] = s * gate * (sigma + silu * (1.0f - sigma));
            gradient[i] = silu * gate;
            if (gates) {
                gates[i] = s * silu;
            }
        }
    }
}
