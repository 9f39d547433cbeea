// The interface between a kernel library (a `.cu` file compiled for the host) and the emulated driver.
// `libcuda.so.1` defines everything with C linkage here.
#pragma once
#include <cstddef>
#include <cstdint>

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

namespace emulator {

// A kernel: its name, how to call it for one thread, and the sizes of its parameters in bytes.
struct Kernel {
  const char *name;
  void (*call)(void **parameters);
  const size_t *sizes;
  size_t parameters;
};

// All kernels of one source file. Its `__shared__` variables lie in `[variables, variables_end)`,
// which also holds its `__device__` variables.
struct Library {
  const char *source;
  const Kernel *kernels;
  size_t count;
  // Whether every thread of a block must reach every barrier. On hardware, a thread that has returned counts
  // as arrived, but the CUDA programming guide does not guarantee it.
  bool strict;
  const char *variables, *variables_end;
  // The code and constants of the library, which kernels may read.
  const char *image;
};

} // namespace emulator

extern "C" {
// The kernel's built-in variables. They never change within one device thread.
#ifndef EMULATOR_ITSELF
extern const uint3 emulated_thread, emulated_block;
extern const dim3 emulated_block_dim, emulated_grid_dim;
#endif
// `__syncthreads()`, called at `place`.
void emulated_barrier(const char *place);
// Waits for the lanes in `mask`; returns the values of all 32 lanes.
const uint64_t *emulated_meeting(unsigned mask, uint64_t value, bool memory, const char *place);
// Returns the lanes of the caller's warp that have not returned.
unsigned emulated_active_lanes();
void emulated_fence();
void *emulated_dynamic_shared();
// One atomic access to `size` bytes.
void emulated_atomic(const void *address, size_t size);
[[noreturn]] void emulated_trap(const char *what);
// Every kernel library defines this.
const emulator::Library *emulated_library();
}
