/* Linked in place of NVIDIA's libraries, so that a program with the feature `cuda` starts on any
 * machine: each function jumps through a pointer, at first to a function that returns an error. Once
 * `expe_cuda_load` has opened the real library, the pointers are those of its functions.
 *
 * The list holds what cudarc or this crate calls; a missing function is a linker error. They are
 * hidden: libraries opened later do not see them.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#if !defined(__x86_64__) || !defined(__linux__)
#error "the feature `cuda` is for Linux on x86-64"
#endif

#define DRIVER(F) \
  F(cuDestroyExternalMemory) F(cuDeviceGet) F(cuDeviceGetAttribute) F(cuDeviceGetCount) \
  F(cuDeviceGetDefaultMemPool) F(cuDeviceGetName) F(cuDevicePrimaryCtxRetain) \
  F(cuDeviceTotalMem_v2) F(cuDriverGetVersion) F(cuEventCreate) F(cuEventElapsedTime) \
  F(cuEventQuery) F(cuEventRecord) F(cuEventSynchronize) F(cuExternalMemoryGetMappedBuffer) \
  F(cuFuncSetAttribute) F(cuImportExternalMemory) F(cuInit) F(cuLaunchKernel) F(cuMemAllocAsync) \
  F(cuMemAlloc_v2) F(cuMemGetInfo_v2) F(cuMemHostAlloc) F(cuMemPoolSetAttribute) \
  F(cuMemcpyDtoDAsync_v2) F(cuMemcpyDtoD_v2) F(cuMemcpyDtoHAsync_v2) F(cuMemcpyDtoH_v2) \
  F(cuMemcpyHtoDAsync_v2) F(cuMemcpyHtoD_v2) F(cuMemsetD8Async) F(cuMemsetD8_v2) \
  F(cuModuleGetFunction) F(cuModuleLoad) F(cuModuleLoadData) \
  F(cuOccupancyAvailableDynamicSMemPerBlock) F(cuOccupancyMaxActiveBlocksPerMultiprocessor) \
  F(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags) F(cuOccupancyMaxActiveClusters) \
  F(cuOccupancyMaxPotentialBlockSize) F(cuOccupancyMaxPotentialBlockSizeWithFlags) \
  F(cuOccupancyMaxPotentialClusterSize) F(cuStreamCreate) F(cuStreamSynchronize) \
  F(cuStreamWaitEvent)

#define DRIVER_TEXTS(F) F(cuGetErrorName) F(cuGetErrorString)

#define CUBLAS(F) \
  F(cublasCreate_v2) F(cublasDgemmStridedBatched) F(cublasDgemm_v2) F(cublasDgemv_v2) \
  F(cublasGemmEx) F(cublasGemmStridedBatchedEx) F(cublasHgemm) F(cublasHgemmStridedBatched) \
  F(cublasSetMathMode) F(cublasSetStream_v2) F(cublasSetWorkspace_v2) F(cublasSgemmStridedBatched) \
  F(cublasSgemm_v2) F(cublasSgemv_v2)

#define NVRTC(F) \
  F(nvrtcCompileProgram) F(nvrtcCreateProgram) F(nvrtcGetPTX) F(nvrtcGetPTXSize) \
  F(nvrtcGetProgramLog) F(nvrtcGetProgramLogSize)

/* Functions that release something. cudarc unwraps their results when it drops a value, and a panic there
 * while another one unwinds would abort the program, so these report no error. The next call that does
 * something reports it. */
#define DRIVER_RELEASES(F) \
  F(cuCtxSetCurrent) F(cuDevicePrimaryCtxRelease_v2) F(cuEventDestroy_v2) F(cuMemFreeAsync) \
  F(cuMemFreeHost) F(cuMemFree_v2) F(cuModuleUnload) F(cuStreamDestroy_v2)
#define CUBLAS_RELEASES(F) F(cublasDestroy_v2)
#define NVRTC_RELEASES(F) F(nvrtcDestroyProgram)

/* CUDA_ERROR_NOT_FOUND, CUBLAS_STATUS_NOT_SUPPORTED, NVRTC_ERROR_INTERNAL_ERROR. */
static int no_driver(void) { return 500; }
static int no_cublas(void) { return 15; }
static int no_nvrtc(void) { return 11; }
/* cudarc asks for the text of every error and unwraps the result. */
static int no_text(int code, const char **text) {
  (void)code;
  *text = "the driver's library, libcuda.so.1, is not loaded";
  return 0;
}

#define POINTER(name, fallback) \
  __attribute__((visibility("hidden"), used)) void *expe_cuda_##name = (void *)fallback;

#define TRAMPOLINE(name, fallback) \
  POINTER(name, fallback) \
  __asm__(".pushsection .text\n.globl " #name "\n.hidden " #name "\n.type " #name \
          ", @function\n" #name ": endbr64\njmp *expe_cuda_" #name "(%rip)\n.size " #name ", .-" #name \
          "\n.popsection\n");

/* Handles and addresses, at most two of them. */
typedef int (*release)(void *, void *);
#define RELEASE(name, fallback) \
  POINTER(name, fallback) \
  __attribute__((visibility("hidden"), used)) int name(void *first, void *second) { \
    ((release)expe_cuda_##name)(first, second); \
    return 0; \
  }

#define TO_DRIVER(name) TRAMPOLINE(name, no_driver)
#define TO_TEXT(name) TRAMPOLINE(name, no_text)
#define TO_CUBLAS(name) TRAMPOLINE(name, no_cublas)
#define TO_NVRTC(name) TRAMPOLINE(name, no_nvrtc)
#define DRIVER_RELEASE(name) RELEASE(name, no_driver)
#define CUBLAS_RELEASE(name) RELEASE(name, no_cublas)
#define NVRTC_RELEASE(name) RELEASE(name, no_nvrtc)
DRIVER(TO_DRIVER)
DRIVER_TEXTS(TO_TEXT)
DRIVER_RELEASES(DRIVER_RELEASE)
CUBLAS(TO_CUBLAS)
CUBLAS_RELEASES(CUBLAS_RELEASE)
NVRTC(TO_NVRTC)
NVRTC_RELEASES(NVRTC_RELEASE)

/* The same for the question which context is current: none, where the driver does not say. */
POINTER(cuCtxGetCurrent, no_driver)
__attribute__((visibility("hidden"), used)) int cuCtxGetCurrent(void **context) {
  if (((int (*)(void **))expe_cuda_cuCtxGetCurrent)(context) != 0) *context = NULL;
  return 0;
}

struct function {
  const char *name;
  void **pointer;
};
#define ROW(name) {#name, &expe_cuda_##name},
static const struct function driver[] = {
    DRIVER(ROW) DRIVER_TEXTS(ROW) DRIVER_RELEASES(ROW) ROW(cuCtxGetCurrent){NULL, NULL}};
static const struct function cublas[] = {CUBLAS(ROW) CUBLAS_RELEASES(ROW){NULL, NULL}};
static const struct function nvrtc[] = {NVRTC(ROW) NVRTC_RELEASES(ROW){NULL, NULL}};
static const struct function *const libraries[] = {driver, cublas, nvrtc};

/* Open the file `path` of `library` (0 the driver, 1 cuBLAS, 2 NVRTC) and point to its functions; those
 * that it lacks go on failing. NULL, or why it cannot be opened, in the linker's words, until the next
 * call. Not for several threads at once, nor beside calls to the library. */
const char *expe_cuda_load(int library, const char *path) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *error = dlerror();
    return error ? error : "unknown error";
  }
  for (const struct function *function = libraries[library]; function->name; function++) {
    void *found = dlsym(handle, function->name);
    if (found) *function->pointer = found;
  }
  return NULL;
}

/* Redirects calls of the driver's function `name` to `function`; returns the previous target, or NULL if
 * there is none. Must not run concurrently with calls to the driver. */
void *expe_cuda_replace(const char *name, void *function) {
  for (const struct function *found = driver; found->name; found++) {
    if (strcmp(found->name, name) != 0) continue;
    void *before = *found->pointer;
    *found->pointer = function;
    return before;
  }
  return NULL;
}
