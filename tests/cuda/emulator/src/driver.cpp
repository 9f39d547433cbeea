// The CUDA driver API, as far as cudarc calls it. Work is done at once in the calling thread, one call
// at a time; streams and events therefore only have to exist.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "device.h"
#include "libraries.h"

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using Clock = std::chrono::steady_clock;
struct Context {
  int device;
};
struct Function {
  const emulator::Kernel *kernel;
  Module *module;
  int most_dynamic_shared;
};
struct Event {
  Clock::time_point time;
};
struct Stream {};

namespace {

struct Driver {
  std::recursive_mutex mutex;
  bool ready = false;
  std::map<int, Context *> contexts;
  std::map<int, int> retained;
  std::set<Module *> modules;
  std::map<std::pair<Module *, std::string>, Function *> functions;
  // As on hardware, after an error in a kernel every call fails with it.
  Result broken = SUCCESS;
  long launches = 0;
};

Driver &driver() {
  static Driver &driver = *new Driver;
  return driver;
}

thread_local Context *current = nullptr;

// Calls `work` alone, if the driver is ready for it.
template <typename F> CUresult in_driver(F work) {
  Driver &d = driver();
  std::lock_guard lock(d.mutex);
  if (!d.ready) return NOT_INITIALIZED;
  return work(d);
}

// And if a context is current and unbroken.
template <typename F> CUresult in_context(F work) {
  return in_driver([&](Driver &d) -> CUresult {
    if (!current || !d.retained[current->device]) return INVALID_CONTEXT;
    if (d.broken) return d.broken;
    return work(d);
  });
}

char *pointer(CUdeviceptr address) { return reinterpret_cast<char *>(address); }

bool device_exists(int device) { return device >= 0 && device < settings().devices; }

CUresult copy_to_device(CUdeviceptr to, const void *from, size_t bytes) {
  return in_context([&](Driver &) -> CUresult {
    if (!memory::valid(pointer(to), bytes)) return INVALID_VALUE;
    memcpy(pointer(to), from, bytes);
    memory::written(pointer(to), bytes);
    return SUCCESS;
  });
}

CUresult copy_to_host(void *to, CUdeviceptr from, size_t bytes) {
  return in_context([&](Driver &) -> CUresult {
    if (!memory::valid(pointer(from), bytes)) return INVALID_VALUE;
    memcpy(to, pointer(from), bytes);
    return SUCCESS;
  });
}

CUresult copy_on_device(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return in_context([&](Driver &) -> CUresult {
    if (!memory::valid(pointer(to), bytes) || !memory::valid(pointer(from), bytes)) return INVALID_VALUE;
    memory::copied(pointer(to), pointer(from), bytes);
    memmove(pointer(to), pointer(from), bytes);
    return SUCCESS;
  });
}

template <typename T> CUresult fill(CUdeviceptr to, T value, size_t count) {
  return in_context([&](Driver &) -> CUresult {
    if (!memory::valid(pointer(to), count * sizeof(T)) || to % sizeof(T)) return INVALID_VALUE;
    for (size_t i = 0; i < count; i++) memcpy(pointer(to) + i * sizeof(T), &value, sizeof(T));
    memory::written(pointer(to), count * sizeof(T));
    return SUCCESS;
  });
}

CUresult allocate(CUdeviceptr *address, size_t bytes) {
  return in_context([&](Driver &) -> CUresult {
    *address = 0;
    if (bytes == 0) return SUCCESS;
    void *found = memory::allocate(bytes, current->device);
    *address = reinterpret_cast<CUdeviceptr>(found);
    return found ? SUCCESS : OUT_OF_MEMORY;
  });
}

CUresult release(CUdeviceptr address) {
  return in_context([&](Driver &) -> CUresult { return address ? memory::release(pointer(address)) : SUCCESS; });
}

// The CUDA release that brought a version of PTX; 9.0 came with 13.0, 8.0 with 12.0.
int driver_of(int ptx) { return ptx >= 90 ? 13000 + (ptx - 90) * 10 : ptx >= 80 ? 12000 : 11000; }

constexpr size_t STATIC_LIMIT = 48 * 1024;

struct Name {
  int code;
  const char *name, *meaning;
};
constexpr Name NAMES[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
    {FILE_NOT_FOUND, "CUDA_ERROR_FILE_NOT_FOUND", "file not found"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
};
const Name *find_name(int code) {
  for (const Name &name : NAMES)
    if (name.code == code) return &name;
  return nullptr;
}

} // namespace

// For the emulated cuBLAS: the sticky error of the device, and whether a matrix lies in its memory.
extern "C" int emulator_blas_access(const void *address, size_t bytes, bool write) {
  return in_context([&](Driver &d) -> CUresult {
    if (memory::valid(address, bytes)) {
      if (write) memory::written(const_cast<void *>(address), bytes);
      return SUCCESS;
    }
    fprintf(stderr, "emulated device: cuBLAS would access %zu bytes at %p, which are not all allocated\n", bytes, address);
    return d.broken = ILLEGAL_ADDRESS;
  });
}

extern "C" {

// ---------------------------------------------------------------- devices and contexts

CUresult cuInit(unsigned flags) {
  if (flags) return INVALID_VALUE;
  if (settings().devices == 0) return NO_DEVICE;
  std::lock_guard lock(driver().mutex);
  driver().ready = true;
  return SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  *version = settings().driver;
  return SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  return in_driver([&](Driver &) {
    *count = settings().devices;
    return SUCCESS;
  });
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  return in_driver([&](Driver &) {
    *device = ordinal;
    return device_exists(ordinal) ? SUCCESS : INVALID_DEVICE;
  });
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  if (!device_exists(device)) return INVALID_DEVICE;
  snprintf(name, length, "Emulated CUDA device");
  return SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  *bytes = settings().memory;
  return device_exists(device) ? SUCCESS : INVALID_DEVICE;
}

CUresult cuDeviceGetUuid_v2(char *uuid, CUdevice device) {
  memset(uuid, device, 16);
  return device_exists(device) ? SUCCESS : INVALID_DEVICE;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  if (!device_exists(device)) return INVALID_DEVICE;
  static const std::map<int, int> values = {
      {1, 1024}, {2, 1024}, {3, 1024}, {4, 64},             // threads of a block
      {5, INT32_MAX}, {6, 65535}, {7, 65535},               // blocks
      {8, int(STATIC_LIMIT)}, {97, int(DYNAMIC_SHARED)},    // shared memory of a block, and at most
      {10, 32}, {12, 65536}, {39, 2048}, {106, 32},         // warp, registers, threads and blocks of a processor
      {16, 2}, {13, 1000000}, {36, 1000000}, {37, 256},     // processors, clocks in kHz, bus
      {38, 4 << 20}, {41, 1}, {81, 228 * 1024}, {95, 1},    // cache, one address space, cooperative launch
      {115, 1},                                             // memory pools, which cudarc allocates from
  };
  if (attribute == 75 || attribute == 76) {
    *value = attribute == 75 ? settings().major : settings().minor;
    return SUCCESS;
  }
  auto found = values.find(attribute);
  *value = found == values.end() ? 0 : found->second;
  return SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(Context **context, CUdevice device) {
  return in_driver([&](Driver &d) -> CUresult {
    if (!device_exists(device)) return INVALID_DEVICE;
    Context *&c = d.contexts[device];
    if (!c) c = new Context{device};
    d.retained[device]++;
    *context = c;
    return SUCCESS;
  });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  return in_driver([&](Driver &d) -> CUresult {
    if (!d.retained[device]) return INVALID_CONTEXT;
    // The error ends with the context.
    if (--d.retained[device] == 0) d.broken = SUCCESS;
    return SUCCESS;
  });
}

CUresult cuCtxSetCurrent(Context *context) {
  return in_driver([&](Driver &) {
    current = context;
    return SUCCESS;
  });
}

CUresult cuCtxGetCurrent(Context **context) {
  return in_driver([&](Driver &) {
    *context = current;
    return SUCCESS;
  });
}

CUresult cuCtxSynchronize() {
  return in_context([](Driver &) { return SUCCESS; });
}

CUresult cuGetErrorName(int code, const char **text) {
  const Name *name = find_name(code);
  *text = name ? name->name : "CUDA_ERROR_UNKNOWN";
  return SUCCESS;
}

CUresult cuGetErrorString(int code, const char **text) {
  const Name *name = find_name(code);
  *text = name ? name->meaning : "unknown error";
  return SUCCESS;
}

// ---------------------------------------------------------------- streams and events

CUresult cuStreamCreate(Stream **stream, unsigned) {
  return in_context([&](Driver &) {
    *stream = new Stream;
    return SUCCESS;
  });
}
CUresult cuStreamDestroy_v2(Stream *stream) {
  delete stream;
  return SUCCESS;
}
CUresult cuStreamSynchronize(Stream *) { return cuCtxSynchronize(); }
CUresult cuStreamQuery(Stream *) { return cuCtxSynchronize(); }
CUresult cuStreamWaitEvent(Stream *, Event *event, unsigned) {
  return in_context([&](Driver &) { return event ? SUCCESS : INVALID_HANDLE; });
}
CUresult cuEventCreate(Event **event, unsigned) {
  return in_context([&](Driver &) {
    *event = new Event;
    return SUCCESS;
  });
}
CUresult cuEventRecord(Event *event, Stream *) {
  return in_context([&](Driver &) {
    event->time = Clock::now();
    return SUCCESS;
  });
}
CUresult cuEventSynchronize(Event *) { return cuCtxSynchronize(); }
CUresult cuEventQuery(Event *) { return cuCtxSynchronize(); }
CUresult cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
  return in_context([&](Driver &) {
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    return SUCCESS;
  });
}
CUresult cuEventElapsedTime_v2(float *milliseconds, Event *start, Event *end) {
  return cuEventElapsedTime(milliseconds, start, end);
}
CUresult cuEventDestroy_v2(Event *event) {
  delete event;
  return SUCCESS;
}
CUresult cuProfilerStart() { return SUCCESS; }
CUresult cuProfilerStop() { return SUCCESS; }

// ---------------------------------------------------------------- memory

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  return bytes ? allocate(address, bytes) : CUresult(INVALID_VALUE);
}
CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, Stream *) { return allocate(address, bytes); }
CUresult cuMemFree_v2(CUdeviceptr address) { return release(address); }
CUresult cuMemFreeAsync(CUdeviceptr address, Stream *) { return release(address); }
CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  return in_context([&](Driver &) {
    *total = settings().memory;
    *free = *total - memory::used(current->device);
    return SUCCESS;
  });
}
CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  return in_context([&](Driver &) {
    *address = malloc(bytes);
    return *address ? SUCCESS : OUT_OF_MEMORY;
  });
}
CUresult cuMemAllocHost_v2(void **address, size_t bytes) { return cuMemHostAlloc(address, bytes, 0); }
CUresult cuMemFreeHost(void *address) {
  free(address);
  return SUCCESS;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) { return copy_to_device(to, from, bytes); }
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, Stream *) {
  return copy_to_device(to, from, bytes);
}
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) { return copy_to_host(to, from, bytes); }
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, Stream *) {
  return copy_to_host(to, from, bytes);
}
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) { return copy_on_device(to, from, bytes); }
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, Stream *) {
  return copy_on_device(to, from, bytes);
}
CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) { return fill(to, value, count); }
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, Stream *) { return fill(to, value, count); }
CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) { return fill(to, value, count); }
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, Stream *) { return fill(to, value, count); }

// ---------------------------------------------------------------- modules and launches

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
                        unsigned shared, Stream *, void **parameters, void **extra) {
  return in_context([&](Driver &d) -> CUresult {
    if (!function || !d.modules.count(function->module)) return INVALID_HANDLE;
    Launch launch = {function->kernel, function->module->library, parameters, {gx, gy, gz}, {bx, by, bz}, shared};
    bool blocks = gx > 0 && gy > 0 && gz > 0 && gx <= INT32_MAX && gy <= 65535 && gz <= 65535;
    bool threads = bx > 0 && by > 0 && bz > 0 && bx <= 1024 && by <= 1024 && bz <= 64 && uint64_t(bx) * by * bz <= 1024;
    if (!blocks || !threads || extra || shared > size_t(function->most_dynamic_shared)) return INVALID_VALUE;
    if (settings().trace) {
      fprintf(stderr, "launch %s grid %u %u %u block %u %u %u shared %u\n", launch.kernel->name, gx, gy, gz, bx, by, bz, shared);
    }
    if (++d.launches == settings().fault_launch) return d.broken = settings().fault;
    return d.broken = run(launch);
  });
}

CUresult cuLaunchCooperativeKernel(Function *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream *,
                                   void **) {
  // Blocks run one after another here, so they cannot wait for each other.
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
