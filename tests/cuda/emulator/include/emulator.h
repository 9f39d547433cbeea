// What a kernel library (a `.cu` file compiled for the host) and the emulated driver know of each
// other. Everything with C linkage here is defined in `libcuda.so.1`.
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
  // Whether every thread of a block must reach every barrier. Hardware lets a thread that has
  // returned count as arrived; the CUDA programming guide does not promise it.
  bool strict;
  const char *variables, *variables_end;
  // Its code and constants, which kernels may read.
  const char *image;
};

} // namespace emulator

extern "C" {
// The kernel's built-in variables. They never change within one thread of the device.
#ifndef EMULATOR_ITSELF
extern const uint3 emulated_thread, emulated_block;
extern const dim3 emulated_block_dim, emulated_grid_dim;
#endif
// `__syncthreads()`, called at `place`.
void emulated_barrier(const char *place);
// Wait for the lanes of `mask`; returns what each of the 32 lanes has brought.
const uint64_t *emulated_meeting(unsigned mask, uint64_t value, bool memory, const char *place);
// The lanes of the caller's warp that have not returned.
unsigned emulated_active_lanes();
void emulated_fence();
void *emulated_dynamic_shared();
// One atomic access to `size` bytes.
void emulated_atomic(const void *address, size_t size);
[[noreturn]] void emulated_trap(const char *what);
// Every kernel library defines this.
const emulator::Library *emulated_library();
}
