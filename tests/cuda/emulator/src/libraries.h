// The kernel libraries in the folder of `libcuda.so.1`.
#pragma once
#include "device.h"
#include "ptx.h"

struct Module {
  const emulator::Library *library;
  int device;
};
// Returns the library that has exactly the kernels of `ptx`, with parameters of the same sizes.
Result find_library(const Ptx &ptx, const emulator::Library *&library);
const emulator::Kernel *find_kernel(const emulator::Library &library, const char *name);
