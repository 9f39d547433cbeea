// Vector types, and intrinsics that the host's `cmath` lacks. Approximate intrinsics are computed exactly: the
// emulator shows nothing about their error.
#pragma once

// ---------------------------------------------------------------- vectors

#define EMULATED_VECTORS(T, NAME, TWO, FOUR)                                                      \
  struct alignas(TWO) NAME##2 {                                                                   \
    T x, y;                                                                                       \
  };                                                                                              \
  struct NAME##3 {                                                                                \
    T x, y, z;                                                                                    \
  };                                                                                              \
  struct alignas(FOUR) NAME##4 {                                                                  \
    T x, y, z, w;                                                                                 \
  };                                                                                              \
  inline NAME##2 make_##NAME##2(T x, T y) { return {x, y}; }                                      \
  inline NAME##3 make_##NAME##3(T x, T y, T z) { return {x, y, z}; }                              \
  inline NAME##4 make_##NAME##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATED_VECTORS(float, float, 8, 16)
EMULATED_VECTORS(double, double, 16, 16)
EMULATED_VECTORS(int, int, 8, 16)
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
using uchar = unsigned char;
using ushort = unsigned short;
using uint = unsigned int;

// ---------------------------------------------------------------- bits

template <typename To, typename From> inline To emulated_cast(From x) {
  static_assert(sizeof(To) == sizeof(From), "a cast of bits keeps the size");
  To result;
  memcpy(&result, &x, sizeof result);
  return result;
}
inline unsigned __float_as_uint(float x) { return emulated_cast<unsigned>(x); }
inline int __float_as_int(float x) { return emulated_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return emulated_cast<float>(x); }
inline float __int_as_float(int x) { return emulated_cast<float>(x); }
inline long long __double_as_longlong(double x) { return emulated_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return emulated_cast<double>(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }

// ---------------------------------------------------------------- numbers

template <typename A, typename B> inline auto max(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>) return T(std::fmax(T(a), T(b)));
  else return T(a) < T(b) ? T(b) : T(a);
}
template <typename A, typename B> inline auto min(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>) return T(std::fmin(T(a), T(b)));
  else return T(b) < T(a) ? T(b) : T(a);
}
using std::isfinite;
using std::isinf;
using std::isnan;
using std::signbit;

inline float rsqrtf(float x) { return float(1.0 / std::sqrt(double(x))); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return powf(10.0f, x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanhf(float x) { return tanhf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
inline int __float2int_rn(float x) { return int(nearbyintf(x)); }
inline int __float2int_rz(float x) { return int(x); }
inline float __int2float_rn(int x) { return float(x); }
inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned(uint64_t(x) * y >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return (unsigned long long)((unsigned __int128)x * y >> 64);
}
