// The emulator's own test, using only the driver API: correct kernels give correct results in every order of
// threads (see `run`), and each mistake in the other kernels is found and reported with its error code.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void **, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void *);
int cuModuleLoadData(void **, const void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
int cuCtxSynchronize();
int cuStreamCreate(void **, unsigned);
int cuStreamWaitEvent(void *, void *, unsigned);
int cuStreamSynchronize(void *);
int cuEventCreate(void **, unsigned);
int cuEventRecord(void *, void *);
int cuMemAlloc_v2(unsigned long long *, size_t);
int cuMemFree_v2(unsigned long long);
int cuMemGetInfo_v2(size_t *, size_t *);
int cuMemcpyHtoD_v2(unsigned long long, const void *, size_t);
int cuMemcpyDtoH_v2(void *, unsigned long long, size_t);
int cublasCreate_v2(void **);
int cublasSgemm_v2(void *, int, int, int, int, int, const float *, const float *, int, const float *, int, const float *, float *, int);
}

static int failures = 0, checks = 0;
#define EXPECT(VALUE, WANTED)                                                                     \
  do {                                                                                            \
    auto value = (VALUE);                                                                         \
    checks++;                                                                                     \
    if (value != (WANTED) && failures++ < 20) {                                                   \
      printf("%s:%d: %s is %g, expected %g\n", __FILE__, __LINE__, #VALUE, double(value), double(WANTED)); \
    }                                                                                             \
  } while (0)

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_IMAGE = 200, ILLEGAL_ADDRESS = 700, MISALIGNED = 716, LAUNCH_FAILED = 719 };
using Address = unsigned long long;

static std::string ptx(bool one_parameter_more) {
  std::string text = ".version 8.0\n.target sm_80\n.address_size 64\n";
  struct {
    const char *name, *types;
  } entries[] = {{"block_sums", "pp4"}, {"tree", "pp"}, {"tree_without_barrier", "pp"}, {"barrier_in_a_branch", "p"},
                 {"two_barriers", "p"}, {"lonely_shuffle", "p"}, {"write_at", "p4"}, {"read_at", "pp4"},
                 {"same_place", "p"}, {"same_place_atomically", "p"}, {"neighbours", "p4"}};
  for (auto &entry : entries) {
    text += std::string(".visible .entry ") + entry.name + "(\n";
    std::string types = entry.types;
    if (one_parameter_more) types += "4";
    for (size_t i = 0; i < types.size(); i++) {
      text += std::string("\t.param ") + (types[i] == 'p' ? ".u64 .ptr .align 1 " : ".u32 ") + entry.name + "_param_" + std::to_string(i);
      text += i + 1 < types.size() ? ",\n" : "\n";
    }
    text += ")\n{\n\tret;\n}\n";
  }
  return text;
}

static void *context, *module;

// After an error, only a new context works.
static void start() {
  cuDevicePrimaryCtxRelease_v2(0);
  EXPECT(cuDevicePrimaryCtxRetain(&context, 0), SUCCESS);
  EXPECT(cuCtxSetCurrent(context), SUCCESS);
  EXPECT(cuModuleLoadData(&module, ptx(false).c_str()), SUCCESS);
}

template <typename... A>
static int launch_on(void *stream, const char *name, unsigned blocks, unsigned threads, unsigned shared, A... arguments) {
  void *function, *parameters[] = {&arguments...};
  EXPECT(cuModuleGetFunction(&function, module, name), SUCCESS);
  return cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared, stream, parameters, nullptr);
}

// Returns the error of the launch, or of the launched kernel.
template <typename... A> static int launch(const char *name, unsigned blocks, unsigned threads, unsigned shared, A... arguments) {
  int result = launch_on(nullptr, name, blocks, threads, shared, arguments...);
  return result ? result : cuCtxSynchronize();
}

template <typename T> static Address device(const std::vector<T> &values) {
  Address address = 0;
  EXPECT(cuMemAlloc_v2(&address, values.size() * sizeof(T)), SUCCESS);
  EXPECT(cuMemcpyHtoD_v2(address, values.data(), values.size() * sizeof(T)), SUCCESS);
  return address;
}

template <typename T> static std::vector<T> host(Address address, size_t count) {
  std::vector<T> values(count);
  EXPECT(cuMemcpyDtoH_v2(values.data(), address, count * sizeof(T)), SUCCESS);
  return values;
}

static void sums() {
  for (unsigned count : {1u, 31u, 1000u, 4096u}) {
    std::vector<int> values(count);
    int expected = 0;
    for (unsigned i = 0; i < count; i++) expected += values[i] = int(i * i % 97) - 40;
    Address in = device(values), out = device(std::vector<int>{0});
    EXPECT(launch("block_sums", (count + 255) / 256, 256, 0, in, out, count), SUCCESS);
    EXPECT(host<int>(out, 1)[0], expected);
  }
  std::vector<float> values(512);
  for (int i = 0; i < 512; i++) values[i] = float(i);
  Address in = device(values), out = device(std::vector<float>{0, 0});
  EXPECT(launch("tree", 2, 256, 256 * 4, in, out), SUCCESS);
  EXPECT(host<float>(out, 2)[1], 256.0f * (256 + 511) / 2);
}

static void mistakes() {
  std::vector<float> values(64, 1.0f);
  // Runs `run` in a new context; it must fail with `code`, and so must every later call.
  auto expect = [](int code, auto run, int or_code = SUCCESS) {
    start();
    int result = run();
    EXPECT(result != SUCCESS && result == or_code ? code : result, code);
    Address address;
    EXPECT(cuMemAlloc_v2(&address, 4), result);
  };
  Address row = device(std::vector<int>(64)), floats = device(values);
  // Depending on the order of threads, a race or a read of unwritten memory.
  expect(LAUNCH_FAILED, [&] { return launch("tree_without_barrier", 1, 64, 256, floats, row); }, ILLEGAL_ADDRESS);
  expect(LAUNCH_FAILED, [&] { return launch("neighbours", 1, 32, 0, row, 0); }, ILLEGAL_ADDRESS);
  expect(LAUNCH_FAILED, [&] { return launch("barrier_in_a_branch", 1, 64, 0, row); });
  expect(LAUNCH_FAILED, [&] { return launch("two_barriers", 1, 64, 0, row); });
  expect(LAUNCH_FAILED, [&] { return launch("lonely_shuffle", 1, 32, 0, row); });
  expect(LAUNCH_FAILED, [&] { return launch("same_place", 1, 2, 0, row); });
  expect(LAUNCH_FAILED, [&] { return launch("same_place", 2, 1, 0, row); });
  expect(ILLEGAL_ADDRESS, [&] { return launch("write_at", 1, 1, 0, row, 64u); });
  expect(ILLEGAL_ADDRESS, [&] { return launch("write_at", 1, 1, 0, row, 0xffffffffu); });
  expect(ILLEGAL_ADDRESS, [&] { return launch("read_at", 1, 1, 0, row, row, 64u); });
  expect(ILLEGAL_ADDRESS, [&] { return launch("tree", 1, 64, 128, floats, floats); });
  expect(MISALIGNED, [&] { return launch("write_at", 1, 1, 0, row + 2, 0u); });
  int own = 0;
  expect(ILLEGAL_ADDRESS, [&] { return launch("write_at", 1, 1, 0, &own, 0u); });
  start();
  Address freed = device(std::vector<int>(4)), unwritten;
  EXPECT(cuMemFree_v2(freed), SUCCESS);
  EXPECT(cuMemAlloc_v2(&unwritten, 16), SUCCESS);
  expect(ILLEGAL_ADDRESS, [&] { return launch("write_at", 1, 1, 0, freed, 0u); });
  expect(ILLEGAL_ADDRESS, [&] { return launch("read_at", 1, 1, 0, unwritten, row, 0u); });
  start();
  EXPECT(cuMemFree_v2(freed), INVALID_VALUE);
  EXPECT(cuMemcpyHtoD_v2(row, values.data(), 65 * 4), INVALID_VALUE);
  EXPECT(launch("write_at", 1, 1025, 0, row, 0u), INVALID_VALUE);
  EXPECT(launch("write_at", 0, 1, 0, row, 0u), INVALID_VALUE);
  EXPECT(launch("tree", 1, 64, 64 * 1024, floats, floats), INVALID_VALUE);
  void *other;
  EXPECT(cuModuleLoadData(&other, ptx(true).c_str()), INVALID_IMAGE);
  // Valid accesses are not reported.
  EXPECT(launch("same_place_atomically", 5, 64, 0, row), SUCCESS);
  EXPECT(host<int>(row, 1)[0], 63 + 4);
  EXPECT(launch("write_at", 1, 1, 0, row, 63u), SUCCESS);
  EXPECT(launch("neighbours", 1, 32, 0, row, 1), SUCCESS);
  EXPECT(host<int>(row, 31)[30], 31);
}

static void memory() {
  start();
  size_t free, total, after;
  EXPECT(cuMemGetInfo_v2(&free, &total), SUCCESS);
  Address half, rest;
  EXPECT(cuMemAlloc_v2(&half, free / 2), SUCCESS);
  EXPECT(cuMemGetInfo_v2(&after, &total), SUCCESS);
  EXPECT(after, free - free / 2);
  EXPECT(cuMemAlloc_v2(&rest, free / 2 + 2), OUT_OF_MEMORY);
  EXPECT(cuMemFree_v2(half), SUCCESS);
  EXPECT(cuMemAlloc_v2(&rest, free / 2 + 2), SUCCESS);
  EXPECT(cuMemFree_v2(rest), SUCCESS);
}

// One stream reads what another has written, with and without waiting. The missing wait is found only if streams
// are lazy.
static void streams() {
  start();
  bool lazy = getenv("EXPE_EMULATOR_STREAMS");
  void *writer, *reader, *event;
  EXPECT(cuStreamCreate(&writer, 1), SUCCESS);
  EXPECT(cuStreamCreate(&reader, 1), SUCCESS);
  EXPECT(cuEventCreate(&event, 0), SUCCESS);
  for (bool wait : {true, false}) {
    Address from, to;
    EXPECT(cuMemAlloc_v2(&from, 4), SUCCESS);
    EXPECT(cuMemAlloc_v2(&to, 4), SUCCESS);
    EXPECT(launch_on(writer, "write_at", 1, 1, 0, from, 0u), SUCCESS);
    EXPECT(cuEventRecord(event, writer), SUCCESS);
    if (wait) EXPECT(cuStreamWaitEvent(reader, event, 0), SUCCESS);
    EXPECT(launch_on(reader, "read_at", 1, 1, 0, from, to, 0u), SUCCESS);
    EXPECT(cuStreamSynchronize(reader), wait || !lazy ? SUCCESS : ILLEGAL_ADDRESS);
    if (wait) EXPECT(host<int>(to, 1)[0], 1);
  }
  start();
}

// Products of small integers, which are exact, in all four layouts and with strides.
static void products() {
  void *blas;
  EXPECT(cublasCreate_v2(&blas), 0);
  for (int layout = 0; layout < 4; layout++) {
    int ta = layout & 1, tb = layout >> 1, m = 67, n = 5, k = 33, lda = (ta ? k : m) + 2, ldb = (tb ? n : k) + 1, ldc = m + 3;
    std::vector<float> a(lda * (ta ? m : k)), b(ldb * (tb ? k : n)), c(ldc * n, 2.0f);
    for (size_t i = 0; i < a.size(); i++) a[i] = float(int(i * 7 % 11) - 5);
    for (size_t i = 0; i < b.size(); i++) b[i] = float(int(i * 5 % 13) - 6);
    float alpha = 2, beta = 3;
    Address da = device(a), db = device(b), dc = device(c);
    EXPECT(cublasSgemm_v2(blas, ta, tb, m, n, k, &alpha, (float *)da, lda, (float *)db, ldb, &beta, (float *)dc, ldc), 0);
    auto out = host<float>(dc, c.size());
    for (int j = 0; j < n; j++)
      for (int i = 0; i < ldc; i++) {
        float sum = 0;
        for (int p = 0; p < k && i < m; p++) sum += (ta ? a[i * lda + p] : a[p * lda + i]) * (tb ? b[p * ldb + j] : b[j * ldb + p]);
        EXPECT(out[j * ldc + i], i < m ? 2 * sum + 6 : 2.0f);
      }
  }
}

int main() {
  EXPECT(cuInit(0), SUCCESS);
  start();
  sums();
  mistakes();
  memory();
  streams();
  products();
  printf("%d of %d checks failed\n", failures, checks);
  return failures != 0;
}
