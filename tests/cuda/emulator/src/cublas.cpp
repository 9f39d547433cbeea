// The part of cuBLAS that cudarc calls: products of column-major matrices,
// C ← α·op(A)·op(B) + β·C, and of a matrix and a vector. Sums are computed in f32 (f64 for f64), in the
// order of k. As on hardware, C is not read if β = 0.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <vector>

int emulator_blas_access(const void *address, size_t bytes, bool write);
int emulator_blas_submit(void *stream, std::function<int()> work);

namespace {

using Half = _Float16;
enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
// Defined by the driver.
constexpr int ILLEGAL_ADDRESS = 700;
enum Operation { NONE = 0, TRANSPOSED = 1, CONJUGATED = 2 };
enum DataType { R_32F = 0, R_64F = 1, R_16F = 2 };
enum Compute { COMPUTE_16F = 64, COMPUTE_32F = 68, COMPUTE_64F = 70, FAST_16F = 74, FAST_TF32 = 77 };
constexpr int TF32_MATH = 3;

struct Handle {
  void *stream = nullptr;
  int math = 0;
};

template <typename T> using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

// Rounds a float to TF32 as tensor cores do: ten mantissa bits, to nearest.
float tf32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if ((bits >> 23 & 255) != 255) bits = (bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu;
  memcpy(&x, &bits, 4);
  return x;
}

// A product with factors of type T and a result of type R.
template <typename T, typename R = T> struct Product {
  int ta, tb, m, n, k;
  Sum<T> alpha, beta;
  const T *a, *b;
  R *c;
  int lda, ldb, ldc;
  bool rounded; // to TF32

  // The number of bytes from the first to the last element of `columns` columns.
  static size_t extent(int rows, int columns, int stride) {
    return rows && columns ? (size_t(columns - 1) * stride + rows) * sizeof(T) : 0;
  }

  Status check() const {
    int a_rows = ta ? k : m, b_rows = tb ? n : k;
    bool right = m >= 0 && n >= 0 && k >= 0 && lda >= std::max(1, a_rows) && ldb >= std::max(1, b_rows) && ldc >= std::max(1, m);
    return right ? SUCCESS : INVALID_VALUE;
  }

  bool in_memory() const {
    return !emulator_blas_access(a, extent(ta ? k : m, ta ? m : k, lda), false) &&
           !emulator_blas_access(b, extent(tb ? n : k, tb ? k : n, ldb), false) &&
           !emulator_blas_access(c, extent(m, n, ldc) / sizeof(T) * sizeof(R), true);
  }

  Sum<T> number(T x) const {
    if constexpr (std::is_same_v<T, float>) return rounded ? tf32(x) : x;
    else return Sum<T>(x);
  }

  int compute() const {
    constexpr int ROWS = 64;
    if (!in_memory()) return ILLEGAL_ADDRESS;
    std::vector<Sum<T>> packed(size_t(ROWS) * k), column(k);
    for (int first = 0; first < m; first += ROWS) {
      int rows = std::min(ROWS, m - first);
      for (int p = 0; p < k; p++)
        for (int i = 0; i < rows; i++)
          packed[size_t(p) * ROWS + i] = number(ta ? a[size_t(first + i) * lda + p] : a[size_t(p) * lda + first + i]);
      for (int j = 0; j < n; j++) {
        for (int p = 0; p < k; p++) column[p] = number(tb ? b[size_t(p) * ldb + j] : b[size_t(j) * ldb + p]);
        Sum<T> sums[ROWS] = {};
        for (int p = 0; p < k; p++)
          for (int i = 0; i < ROWS; i++) sums[i] += packed[size_t(p) * ROWS + i] * column[p];
        R *out = c + size_t(j) * ldc + first;
        for (int i = 0; i < rows; i++)
          out[i] = R(alpha * sums[i] + (beta != 0 ? beta * Sum<T>(out[i]) : Sum<T>(0)));
      }
    }
    return SUCCESS;
  }

  // A batch of `count` products, whose matrices are the given numbers of elements apart.
  Status batch(Handle *handle, int count, long long sa, long long sb, long long sc) {
    if (!handle) return NOT_INITIALIZED;
    rounded |= handle->math == TF32_MATH;
    if (Status status = check()) return status;
    auto all = [count, sa, sb, sc, one = *this]() mutable {
      for (int i = 0; i < count && one.m && one.n; i++) {
        if (int error = one.compute()) return error;
        one.a += sa, one.b += sb, one.c += sc;
      }
      return 0;
    };
    return emulator_blas_submit(handle->stream, all) ? EXECUTION_FAILED : SUCCESS;
  }
};

template <typename T>
Status vector_product(Handle *handle, int transposed, int m, int n, T alpha, const T *a, int lda, const T *x, int incx, T beta,
                      T *y, int incy) {
  if (!handle) return NOT_INITIALIZED;
  if (m < 0 || n < 0 || lda < std::max(1, m) || incx <= 0 || incy <= 0) return INVALID_VALUE;
  int rows = transposed ? n : m, columns = transposed ? m : n;
  auto work = [=] {
    if (emulator_blas_access(a, Product<T>::extent(m, n, lda), false) ||
        emulator_blas_access(x, Product<T>::extent(1, columns, incx), false) ||
        emulator_blas_access(y, Product<T>::extent(1, rows, incy), true))
      return ILLEGAL_ADDRESS;
    for (int i = 0; i < rows; i++) {
      T sum = 0;
      for (int j = 0; j < columns; j++) sum += (transposed ? a[size_t(i) * lda + j] : a[size_t(j) * lda + i]) * x[size_t(j) * incx];
      T *out = y + size_t(i) * incy;
      *out = alpha * sum + (beta != 0 ? beta * *out : T(0));
    }
    return 0;
  };
  return emulator_blas_submit(handle->stream, work) ? EXECUTION_FAILED : SUCCESS;
}

// Products whose types are given as enum values: one type for all matrices, or f16 factors and an f32 result.
Status product(Handle *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int a_type, int lda,
               long long sa, const void *b, int b_type, int ldb, long long sb, const void *beta, void *c, int c_type, int ldc,
               long long sc, int count, int compute) {
  bool wider = a_type == R_16F && c_type == R_32F && compute == COMPUTE_32F;
  if (a_type != b_type || (a_type != c_type && !wider)) return NOT_SUPPORTED;
  auto run = [&](auto zero, auto scale, auto result) {
    using T = decltype(zero);
    using R = decltype(result);
    using S = decltype(scale);
    Product<T, R> p = {ta, tb, m, n, k, Sum<T>(*static_cast<const S *>(alpha)), Sum<T>(*static_cast<const S *>(beta)),
                    static_cast<const T *>(a), static_cast<const T *>(b), static_cast<R *>(c), lda, ldb, ldc, compute == FAST_TF32};
    return p.batch(handle, count, sa, sb, sc);
  };
  if (a_type == R_32F && (compute == COMPUTE_32F || compute == FAST_TF32 || compute == FAST_16F)) return run(float(), float(), float());
  if (a_type == R_64F && compute == COMPUTE_64F) return run(double(), double(), double());
  if (wider) return run(Half(), float(), float());
  if (a_type == R_16F && compute == COMPUTE_32F) return run(Half(), float(), Half());
  if (a_type == R_16F && compute == COMPUTE_16F) return run(Half(), Half(), Half());
  return NOT_SUPPORTED;
}

} // namespace

extern "C" {

int cublasCreate_v2(Handle **handle) {
  *handle = new Handle;
  return SUCCESS;
}
int cublasDestroy_v2(Handle *handle) {
  delete handle;
  return SUCCESS;
}
int cublasSetStream_v2(Handle *handle, void *stream) {
  handle->stream = stream;
  return SUCCESS;
}
int cublasGetStream_v2(Handle *handle, void **stream) {
  *stream = handle->stream;
  return SUCCESS;
}
int cublasSetMathMode(Handle *handle, int mode) {
  handle->math = mode;
  return SUCCESS;
}
int cublasGetMathMode(Handle *handle, int *mode) {
  *mode = handle->math;
  return SUCCESS;
}
int cublasSetWorkspace_v2(Handle *, void *, size_t) { return SUCCESS; }
int cublasGetVersion_v2(Handle *, int *version) {
  *version = 130000;
  return SUCCESS;
}
const char *cublasGetStatusName(int status) { return status == SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "CUBLAS_STATUS_FAILED"; }
const char *cublasGetStatusString(int status) { return status == SUCCESS ? "success" : "failed"; }

#define GEMM(LETTER, END, T)                                                                                            \
  int cublas##LETTER##gemm##END(Handle *handle, int ta, int tb, int m, int n, int k, const T *alpha, const T *a, int lda,  \
                                const T *b, int ldb, const T *beta, T *c, int ldc) {                                      \
    Product<T> p = {ta, tb, m, n, k, Sum<T>(*alpha), Sum<T>(*beta), a, b, c, lda, ldb, ldc, false};                       \
    return p.batch(handle, 1, 0, 0, 0);                                                                                  \
  }                                                                                                                      \
  int cublas##LETTER##gemmStridedBatched(Handle *handle, int ta, int tb, int m, int n, int k, const T *alpha, const T *a, \
                                         int lda, long long sa, const T *b, int ldb, long long sb, const T *beta, T *c,   \
                                         int ldc, long long sc, int count) {                                              \
    Product<T> p = {ta, tb, m, n, k, Sum<T>(*alpha), Sum<T>(*beta), a, b, c, lda, ldb, ldc, false};                       \
    return p.batch(handle, count, sa, sb, sc);                                                                           \
  }
GEMM(S, _v2, float)
GEMM(D, _v2, double)
GEMM(H, , Half)

int cublasGemmEx(Handle *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int a_type, int lda,
                 const void *b, int b_type, int ldb, const void *beta, void *c, int c_type, int ldc, int compute, int) {
  return product(handle, ta, tb, m, n, k, alpha, a, a_type, lda, 0, b, b_type, ldb, 0, beta, c, c_type, ldc, 0, 1, compute);
}
int cublasGemmStridedBatchedEx(Handle *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a,
                               int a_type, int lda, long long sa, const void *b, int b_type, int ldb, long long sb,
                               const void *beta, void *c, int c_type, int ldc, long long sc, int count, int compute, int) {
  return product(handle, ta, tb, m, n, k, alpha, a, a_type, lda, sa, b, b_type, ldb, sb, beta, c, c_type, ldc, sc, count, compute);
}

int cublasSgemv_v2(Handle *handle, int transposed, int m, int n, const float *alpha, const float *a, int lda, const float *x,
                   int incx, const float *beta, float *y, int incy) {
  return vector_product(handle, transposed, m, n, *alpha, a, lda, x, incx, *beta, y, incy);
}
int cublasDgemv_v2(Handle *handle, int transposed, int m, int n, const double *alpha, const double *a, int lda,
                   const double *x, int incx, const double *beta, double *y, int incy) {
  return vector_product(handle, transposed, m, n, *alpha, a, lda, x, incx, *beta, y, incy);
}

} // extern "C"
