// Fibers: stacks that take turns within one host thread. A switch takes about ten instructions on x86-64;
// elsewhere the C library switches, more slowly.
#pragma once
#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

class Fiber {
public:
  // The fiber of the host thread itself.
  Fiber() = default;
  // Starts at `entry(argument)`, which must never return, at the first switch.
  void prepare(char *stack, size_t bytes, void (*entry)(void *), void *argument);
  // Continues in `other` until it switches back.
  void switch_to(Fiber &other);

private:
#if defined(__x86_64__)
  void *top = nullptr;
#else
  ucontext_t context;
#endif
};
