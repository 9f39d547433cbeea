// Devices, contexts and error names.
#include <cstdio>
#include <cstring>

#include "driver.h"

Driver &driver() {
  static Driver &driver = *new Driver;
  return driver;
}
thread_local Context *current = nullptr;

namespace {

bool device_exists(int device) { return device >= 0 && device < settings().devices; }

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

extern "C" {

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
      {8, int(STATIC_LIMIT)}, {97, int(DYNAMIC_SHARED)},    // shared memory of a block: default and maximum
      {10, 32}, {12, 65536}, {39, 2048}, {106, 32},         // warp, registers, threads and blocks of a processor
      {16, 2}, {13, 1000000}, {36, 1000000}, {37, 256},     // processors, clocks in kHz, bus
      {38, 4 << 20}, {41, 1}, {81, 228 * 1024}, {95, 1},    // cache, unified addressing, cooperative launch
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
    // A new context clears the error.
    if (--d.retained[device] == 0) sticky_error() = SUCCESS;
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
  return in_context([](Driver &) -> CUresult {
    wait_for_all();
    return sticky_error();
  });
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

} // extern "C"
