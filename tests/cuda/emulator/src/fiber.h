// Stacks that take turns within one thread of the host. Switching is some ten instructions on
// x86-64; elsewhere it is the C library's, which is slower.
#pragma once
#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

class Fiber {
public:
  // The fiber that is the host's thread itself.
  Fiber() = default;
  // Start at `entry(argument)`, which must never return, when first switched to.
  void prepare(char *stack, size_t bytes, void (*entry)(void *), void *argument);
  // Go on in `other` until it switches back.
  void switch_to(Fiber &other);

private:
#if defined(__x86_64__)
  void *top = nullptr;
#else
  ucontext_t context;
#endif
};
