#include "fiber.h"

#if defined(__x86_64__)

// Saves the callee-saved registers of the System V ABI, then switches the stack.
extern "C" void emulator_switch(void **from, void *to);
// The first switch to a fiber returns here, with the entry and its argument in callee-saved registers.
extern "C" void emulator_enter();
asm(R"(
.text
.type emulator_switch, @function
emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.type emulator_enter, @function
emulator_enter:
  movq %r12, %rdi
  callq *%r13
  ud2
)");

void Fiber::prepare(char *stack, size_t bytes, void (*entry)(void *), void *argument) {
  auto frame = reinterpret_cast<uintptr_t *>(reinterpret_cast<uintptr_t>(stack + bytes) & ~uintptr_t(15)) - 9;
  // r15, r14, r13, r12, rbx, rbp, return address; the stack above is aligned as for any call.
  frame[2] = reinterpret_cast<uintptr_t>(entry);
  frame[3] = reinterpret_cast<uintptr_t>(argument);
  frame[4] = frame[5] = 0;
  frame[6] = reinterpret_cast<uintptr_t>(&emulator_enter);
  frame[7] = frame[8] = 0;
  top = frame;
}

void Fiber::switch_to(Fiber &other) { emulator_switch(&top, other.top); }

#else

static void enter(unsigned e0, unsigned e1, unsigned a0, unsigned a1) {
  auto join = [](unsigned low, unsigned high) { return uintptr_t(low) | uintptr_t(high) << 32; };
  reinterpret_cast<void (*)(void *)>(join(e0, e1))(reinterpret_cast<void *>(join(a0, a1)));
}

void Fiber::prepare(char *stack, size_t bytes, void (*entry)(void *), void *argument) {
  getcontext(&context);
  context.uc_stack = {.ss_sp = stack, .ss_flags = 0, .ss_size = bytes};
  context.uc_link = nullptr;
  auto e = reinterpret_cast<uintptr_t>(entry), a = reinterpret_cast<uintptr_t>(argument);
  makecontext(&context, reinterpret_cast<void (*)()>(enter), 4, unsigned(e), unsigned(e >> 32), unsigned(a), unsigned(a >> 32));
}

void Fiber::switch_to(Fiber &other) { swapcontext(&context, &other.context); }

#endif
