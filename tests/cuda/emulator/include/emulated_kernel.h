// How a kernel library describes its kernels: parameters are unpacked according to the kernel's signature.
#pragma once
#include <utility>

#include "emulator.h"

namespace emulator {

template <typename F> struct Signature;
template <typename... A> struct Signature<void(A...)> {
  template <void (*KERNEL)(A...), size_t... I>
  __attribute__((no_sanitize("thread"))) static void call_each(void **parameters, std::index_sequence<I...>) {
    KERNEL(*static_cast<std::remove_cv_t<std::remove_reference_t<A>> *>(parameters[I])...);
  }
  template <void (*KERNEL)(A...)>
  __attribute__((no_sanitize("thread"))) static void call(void **parameters) {
    call_each<KERNEL>(parameters, std::index_sequence_for<A...>{});
  }
  // One more element, for kernels without parameters.
  static constexpr size_t sizes[sizeof...(A) + 1] = {sizeof(A)..., 0};
  static constexpr size_t count = sizeof...(A);
};

template <auto *KERNEL> constexpr Kernel kernel(const char *name) {
  using F = Signature<std::remove_pointer_t<decltype(KERNEL)>>;
  return {name, &F::template call<KERNEL>, F::sizes, F::count};
}

} // namespace emulator

extern "C" {
extern char __bss_start __attribute__((visibility("hidden")));
extern char _end __attribute__((visibility("hidden")));
extern char __ehdr_start __attribute__((visibility("hidden")));
}
