// CUDA C++ for the host: with this header, g++ compiles a `.cu` file, and the threads of a block run as fibers of
// the emulator. `compile` removes `extern "C"` from kernels and rewrites `extern __shared__ T x[]`, because no
// macro can.
#pragma once
#include <cassert>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <type_traits>

#include "emulator.h"

#define __CUDA_ARCH__ 900
#ifndef EMULATED_NAMES
#define __global__ [[maybe_unused]]
#endif
#define __device__ [[maybe_unused]]
#define __host__
#define __constant__
#define __shared__ [[maybe_unused]] static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __grid_constant__

#define threadIdx emulated_thread
#define blockIdx emulated_block
#define blockDim emulated_block_dim
#define gridDim emulated_grid_dim
constexpr int warpSize = 32;

#define EMULATED_TEXT(x) #x
#define EMULATED_LINE(x) EMULATED_TEXT(x)
#define EMULATED_PLACE __FILE__ ":" EMULATED_LINE(__LINE__)

// ---------------------------------------------------------------- barriers

#define __syncthreads() emulated_barrier(EMULATED_PLACE)
inline void __threadfence() { emulated_fence(); }
inline void __threadfence_block() {}
inline void __trap() { emulated_trap("__trap()"); }

#define __syncwarp(...) emulated_warp_barrier(EMULATED_PLACE, ##__VA_ARGS__)
inline void emulated_warp_barrier(const char *place, unsigned mask = 0xffffffff) {
  emulated_meeting(mask, 0, true, place);
}

// ---------------------------------------------------------------- exchange between the lanes of a warp

inline unsigned emulated_lane() {
  return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

template <typename T> inline uint64_t emulated_bits(T value) {
  static_assert(sizeof(T) <= 8, "a shuffle takes at most eight bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  return bits;
}

// Returns the value of lane `from`, or the lane's own value if `from` is outside of its group of `width` lanes.
template <typename T>
inline T emulated_shuffle(unsigned mask, T value, int from, bool inside, const char *place) {
  const uint64_t *all = emulated_meeting(mask, emulated_bits(value), false, place);
  if (!inside) return value;
  if (!(mask >> (from & 31) & 1)) emulated_trap("a shuffle reads a lane outside of its mask");
  T result;
  memcpy(&result, &all[from & 31], sizeof result);
  return result;
}

template <typename T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, const char *place = "__shfl_sync") {
  int lane = emulated_lane(), start = lane & ~(width - 1);
  return emulated_shuffle(mask, value, start + (source & (width - 1)), true, place);
}
template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  int lane = emulated_lane(), from = lane - int(delta);
  return emulated_shuffle(mask, value, from, from >= (lane & ~(width - 1)), "__shfl_up_sync");
}
template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  int lane = emulated_lane(), from = lane + int(delta);
  return emulated_shuffle(mask, value, from, from < (lane & ~(width - 1)) + width, "__shfl_down_sync");
}
template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  int lane = emulated_lane(), from = lane ^ bits;
  return emulated_shuffle(mask, value, from, from < (lane & ~(width - 1)) + width, "__shfl_xor_sync");
}

inline unsigned __activemask() { return emulated_active_lanes(); }
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const uint64_t *all = emulated_meeting(mask, predicate != 0, false, "__ballot_sync");
  unsigned result = 0;
  for (unsigned lane = 0; lane < 32; lane++)
    if (mask >> lane & 1) result |= unsigned(all[lane]) << lane;
  return result;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }
template <typename T, typename F> inline T emulated_reduce(unsigned mask, T value, F join) {
  const uint64_t *all = emulated_meeting(mask, emulated_bits(value), false, "__reduce_sync");
  bool first = true;
  T result{};
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(mask >> lane & 1)) continue;
    T other;
    memcpy(&other, &all[lane], sizeof other);
    result = first ? other : join(result, other);
    first = false;
  }
  return result;
}
template <typename T> inline T __reduce_add_sync(unsigned mask, T value) {
  return emulated_reduce(mask, value, [](T a, T b) { return T(a + b); });
}
template <typename T> inline T __reduce_max_sync(unsigned mask, T value) {
  return emulated_reduce(mask, value, [](T a, T b) { return a > b ? a : b; });
}
template <typename T> inline T __reduce_min_sync(unsigned mask, T value) {
  return emulated_reduce(mask, value, [](T a, T b) { return a < b ? a : b; });
}

// ---------------------------------------------------------------- atomics and cached accesses

// Device threads switch only at barriers, so a plain read and write is atomic.
#define EMULATED_UNCHECKED __attribute__((no_sanitize("thread"), noinline))
template <typename T, typename F> EMULATED_UNCHECKED T emulated_change(T *address, F change) {
  emulated_atomic(address, sizeof(T));
  T old = *address;
  *address = change(old);
  return old;
}
template <typename T> struct emulated_same {
  using type = T;
};
template <typename T> using emulated_as = typename emulated_same<T>::type;

#define EMULATED_ATOMIC(NAME, EXPRESSION)                                                         \
  template <typename T> inline T NAME(T *address, emulated_as<T> x) {                             \
    return emulated_change(address, [x](T old) __attribute__((no_sanitize("thread"))) -> T {      \
      return EXPRESSION;                                                                          \
    });                                                                                           \
  }
EMULATED_ATOMIC(atomicAdd, old + x)
EMULATED_ATOMIC(atomicSub, old - x)
EMULATED_ATOMIC(atomicMax, old < x ? x : old)
EMULATED_ATOMIC(atomicMin, x < old ? x : old)
EMULATED_ATOMIC(atomicExch, (void(old), x))
EMULATED_ATOMIC(atomicAnd, old &x)
EMULATED_ATOMIC(atomicOr, old | x)
EMULATED_ATOMIC(atomicXor, old ^ x)
EMULATED_ATOMIC(atomicInc, old >= x ? 0 : old + 1)
template <typename T> inline T atomicCAS(T *address, emulated_as<T> compare, emulated_as<T> x) {
  return emulated_change(address, [=](T old) __attribute__((no_sanitize("thread"))) -> T {
    return old == compare ? x : old;
  });
}

template <typename T> inline T __ldg(const T *address) { return *address; }
template <typename T> inline T __ldcg(const T *address) { return *address; }
template <typename T> inline T __ldcs(const T *address) { return *address; }
template <typename T> inline void __stcg(T *address, emulated_as<T> x) { *address = x; }
template <typename T> inline void __stcs(T *address, emulated_as<T> x) { *address = x; }

#include "emulated_math.h"
