// Half precision for the host: the compiler's `_Float16` under CUDA's names. Every operation rounds once, as on
// the device: f32 represents the product of two halves exactly (22 bits), and for sums, quotients and square roots
// the second rounding is harmless (24 ≥ 2·11 + 2 bits).
#pragma once
#include "emulated_cuda.h"

struct __half {
  _Float16 value;
  __half() = default;
  template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
  __half(T x) : value(_Float16(x)) {}
  operator float() const { return float(value); }
  __half &operator+=(__half x);
  __half &operator-=(__half x);
  __half &operator*=(__half x);
  __half &operator/=(__half x);
  __half operator-() const {
    __half result;
    result.value = -value;
    return result;
  }
};
using half = __half;

#define EMULATED_HALF(SIGN)                                                                       \
  inline __half operator SIGN(__half x, __half y) { return __half(float(x) SIGN float(y)); }      \
  inline __half &__half::operator SIGN##=(__half x) { return *this = *this SIGN x; }
EMULATED_HALF(+)
EMULATED_HALF(-)
EMULATED_HALF(*)
EMULATED_HALF(/)
#define EMULATED_HALF_ORDER(SIGN)                                                                 \
  inline bool operator SIGN(__half x, __half y) { return float(x) SIGN float(y); }
EMULATED_HALF_ORDER(==)
EMULATED_HALF_ORDER(!=)
EMULATED_HALF_ORDER(<)
EMULATED_HALF_ORDER(<=)
EMULATED_HALF_ORDER(>)
EMULATED_HALF_ORDER(>=)

inline __half __float2half(float x) { return __half(x); }
inline __half __float2half_rn(float x) { return __half(x); }
inline float __half2float(__half x) { return float(x); }
inline unsigned short __half_as_ushort(__half x) { return emulated_cast<unsigned short>(x); }
inline __half __ushort_as_half(unsigned short x) { return emulated_cast<__half>(x); }
inline bool __hisnan(__half x) { return std::isnan(float(x)); }
inline bool __hisinf(__half x) { return std::isinf(float(x)); }
inline __half __habs(__half x) { return __half(fabsf(float(x))); }
inline __half __hmax(__half x, __half y) { return __half(fmaxf(float(x), float(y))); }
inline __half __hmin(__half x, __half y) { return __half(fminf(float(x), float(y))); }
inline __half __hmax_nan(__half x, __half y) { return __hisnan(x) ? x : __hisnan(y) ? y : __hmax(x, y); }
inline __half __hmin_nan(__half x, __half y) { return __hisnan(x) ? x : __hisnan(y) ? y : __hmin(x, y); }
inline __half __hadd(__half x, __half y) { return x + y; }
inline __half __hmul(__half x, __half y) { return x * y; }
inline __half __hfma(__half x, __half y, __half z) { return __half(double(float(x)) * float(y) + float(z)); }
inline __half hexp(__half x) { return __half(expf(float(x))); }
inline __half hlog(__half x) { return __half(logf(float(x))); }
inline __half hsin(__half x) { return __half(sinf(float(x))); }
inline __half hcos(__half x) { return __half(cosf(float(x))); }
inline __half hsqrt(__half x) { return __half(sqrtf(float(x))); }
inline __half hrsqrt(__half x) { return __half(rsqrtf(float(x))); }

struct alignas(4) __half2 {
  __half x, y;
};
using half2 = __half2;
inline __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline float2 __half22float2(__half2 x) { return {float(x.x), float(x.y)}; }
