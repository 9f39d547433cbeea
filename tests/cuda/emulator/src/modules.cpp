// Modules, launches, and functions for the emulated cuBLAS.
#include <cstdio>
#include <functional>
#include <memory>

#include "driver.h"

namespace {

// The CUDA release that introduced a version of PTX: 13.0 for 9.0, 12.0 for 8.0.
int driver_of(int ptx) { return ptx >= 90 ? 13000 + (ptx - 90) * 10 : ptx >= 80 ? 12000 : 11000; }

// A launch with its parameters.
struct Pending {
  Launch launch;
  std::vector<std::string> values;
  std::vector<void *> pointers;
};

} // namespace

// For the emulated cuBLAS: check that a matrix lies in device memory; add work to a stream.
int emulator_blas_access(const void *address, size_t bytes, bool write) {
  if (memory::valid(address, bytes)) {
    if (write) memory::written(const_cast<void *>(address), bytes);
    return SUCCESS;
  }
  fprintf(stderr, "emulated device: cuBLAS would access %zu bytes at %p, which are not all allocated\n", bytes, address);
  return ILLEGAL_ADDRESS;
}
int emulator_blas_submit(void *stream, std::function<int()> work) {
  if (settings().trace) fprintf(stderr, "product\n");
  return in_context([&](Driver &) -> CUresult {
    return submit(static_cast<Stream *>(stream), [work = std::move(work)] { return Result(work()); });
  });
}

extern "C" {

CUresult cuModuleLoadData(Module **module, const void *image) {
  return in_context([&](Driver &d) -> CUresult {
    Ptx ptx;
    if (!parse(static_cast<const char *>(image), ptx)) return INVALID_IMAGE;
    if (driver_of(ptx.version) > settings().driver) return UNSUPPORTED_PTX_VERSION;
    if (ptx.capability > 10 * settings().major + settings().minor) return NO_BINARY_FOR_GPU;
    const emulator::Library *library;
    if (Result result = find_library(ptx, library)) return result;
    *module = new Module{library, current->device};
    d.modules.insert(*module);
    return SUCCESS;
  });
}
CUresult cuModuleLoadDataEx(Module **module, const void *image, unsigned, int *, void **) {
  return cuModuleLoadData(module, image);
}

CUresult cuModuleLoad(Module **module, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return FILE_NOT_FOUND;
  std::string text;
  for (char buffer[1 << 16]; size_t read = fread(buffer, 1, sizeof buffer, file);) text.append(buffer, read);
  fclose(file);
  return cuModuleLoadData(module, text.c_str());
}

CUresult cuModuleUnload(Module *module) {
  return in_driver([&](Driver &d) -> CUresult { return d.modules.erase(module) ? SUCCESS : INVALID_HANDLE; });
}

CUresult cuModuleGetFunction(Function **function, Module *module, const char *name) {
  return in_context([&](Driver &d) -> CUresult {
    if (!d.modules.count(module)) return INVALID_HANDLE;
    const emulator::Kernel *kernel = find_kernel(*module->library, name);
    if (!kernel) return NOT_FOUND;
    Function *&found = d.functions[{module, name}];
    if (!found) found = new Function{kernel, module, int(STATIC_LIMIT)};
    *function = found;
    return SUCCESS;
  });
}

CUresult cuFuncSetAttribute(Function *function, int attribute, int value) {
  constexpr int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
  if (attribute == MAX_DYNAMIC_SHARED_SIZE_BYTES) {
    if (value < 0 || size_t(value) > DYNAMIC_SHARED) return INVALID_VALUE;
    function->most_dynamic_shared = value;
  }
  return SUCCESS;
}

CUresult cuLaunchKernel(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, Stream *stream, void **parameters, void **extra) {
  return in_context([&](Driver &d) -> CUresult {
    if (!function || !d.modules.count(function->module)) return INVALID_HANDLE;
    Launch launch = {function->kernel, function->module->library, parameters, {gx, gy, gz}, {bx, by, bz}, shared};
    bool blocks = gx > 0 && gy > 0 && gz > 0 && gx <= INT32_MAX && gy <= 65535 && gz <= 65535;
    bool threads = bx > 0 && by > 0 && bz > 0 && bx <= 1024 && by <= 1024 && bz <= 64 && uint64_t(bx) * by * bz <= 1024;
    if (!blocks || !threads || extra || shared > size_t(function->most_dynamic_shared)) return INVALID_VALUE;
    if (settings().trace) {
      fprintf(stderr, "launch %s grid %u %u %u block %u %u %u shared %u\n", launch.kernel->name, gx, gy, gz, bx, by, bz, shared);
    }
    auto pending = std::make_shared<Pending>(Pending{launch, {}, {}});
    const emulator::Kernel &kernel = *launch.kernel;
    for (size_t i = 0; i < kernel.parameters; i++)
      pending->values.emplace_back(static_cast<const char *>(parameters[i]), kernel.sizes[i]);
    // The bytes of a string are aligned for every type once the string is allocated on the heap.
    for (auto &value : pending->values) value.reserve(64), pending->pointers.push_back(value.data());
    pending->launch.parameters = pending->pointers.data();
    bool fault = ++d.launches == settings().fault_launch;
    return submit(stream, [=] { return fault ? settings().fault : run(pending->launch); });
  });
}

CUresult cuLaunchCooperativeKernel(Function *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream *,
                                   void **) {
  // Blocks run one after another, so they cannot wait for each other.
  return NOT_SUPPORTED;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Function *, int threads, size_t) {
  *blocks = threads > 0 ? 2048 / threads : 0;
  return threads > 0 ? SUCCESS : INVALID_VALUE;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, Function *f, int threads, size_t shared, unsigned) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, f, threads, shared);
}

} // extern "C"
