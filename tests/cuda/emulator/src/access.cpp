// Checks every memory access of a kernel. Kernels are compiled with `-fsanitize=thread`, but these functions
// take the place of the sanitizer's library. They know the device, and find accesses out of bounds, misaligned
// accesses, use after free, reads of unwritten memory, and races: two threads that access one address without a
// barrier between them, at least one of them writing.
#include <cstdio>
#include <memory>
#include <unordered_map>

#include "device.h"

namespace {

Word *shared_word(uintptr_t address) {
  const emulator::Library &library = *now.launch->library;
  size_t offset = address - reinterpret_cast<uintptr_t>(library.variables);
  if (offset < size_t(library.variables_end - library.variables)) return &now.static_words[offset / 4];
  offset = address - reinterpret_cast<uintptr_t>(dynamic_shared);
  return offset < DYNAMIC_SHARED ? &now.dynamic_words[offset / 4] : nullptr;
}

// Whether an address belongs to the library's constants or its `__constant__` variables.
bool constant(uintptr_t address) {
  const emulator::Library &library = *now.launch->library;
  return address - reinterpret_cast<uintptr_t>(library.image) < size_t(library.variables - library.image);
}

std::string hex(uintptr_t address) {
  char text[32];
  snprintf(text, sizeof text, "%#zx", size_t(address));
  return text;
}

// Whether an access was made in this interval by a thread that is not ordered before this one.
bool unordered(const Word::Visit &visit, bool shared, bool atomic) {
  if (visit.serial < now.first_of_launch || visit.bytes == 0 || (visit.atomic && atomic)) return false;
  if (visit.serial < now.first_of_block) return !shared && !(visit.fenced && now.fenced);
  if (visit.serial != now.serial) return false;
  if (visit.warps) return true;
  bool same_warp = visit.thread / 32 == now.warp;
  if (same_warp && visit.meeting != (now.meeting & 1023)) return false;
  return visit.several || visit.thread != now.thread;
}

std::string racing(const char *what, const Word::Visit &visit) {
  std::string who = visit.serial < now.first_of_block ? "of another block" : std::to_string(visit.thread);
  return std::string("race: ") + what + " thread " + who + " with no barrier between, at ";
}

void visit(Word &word, unsigned mask, bool shared, bool write, bool atomic, uintptr_t address) {
  Word::Visit &w = word.write, &r = word.read;
  if (shared && w.serial < now.first_of_block) w.marks = 0;
  if ((!write || atomic) && (w.marks & mask) != mask) fail(ILLEGAL_ADDRESS, "reads memory that nobody has written, at " + hex(address));
  if (w.bytes & mask && unordered(w, shared, atomic)) {
    fail(LAUNCH_FAILED, racing(write ? "writes what was written by" : "reads what was written by", w) + hex(address));
  }
  Word::Visit me = {};
  me.serial = now.serial;
  me.thread = now.thread;
  me.meeting = now.meeting & 1023;
  me.bytes = mask;
  me.atomic = atomic;
  me.fenced = now.fenced;
  if (write) {
    if (r.bytes & mask && unordered(r, shared, atomic)) {
      fail(LAUNCH_FAILED, racing("writes what was read by", r) + hex(address));
    }
    me.marks = w.marks | mask;
    w = me;
  } else {
    me.marks = r.marks;
    if (r.serial == now.serial && r.bytes & mask) {
      bool same_warp = r.thread / 32 == now.warp;
      me.bytes |= r.bytes;
      me.several = r.several || r.thread != now.thread;
      me.warps = r.warps || !same_warp;
      // A warp's meeting orders its own earlier reads.
      if (same_warp && !r.warps && r.meeting != me.meeting) me.several = false;
    }
    r = me;
  }
}

void access(uintptr_t address, size_t size, bool write, bool atomic, bool aligned) {
  static const bool checks = settings().checks;
  if (!checks || !now.launch || private_to_threads(address)) return;
  if (aligned && address % size) fail(MISALIGNED_ADDRESS, "accesses " + std::to_string(size) + " bytes at " + hex(address));
  for (uintptr_t at = address, end = address + size; at < end;) {
    unsigned first = at & 3, last = unsigned(std::min<uintptr_t>(4, first + (end - at)));
    unsigned mask = (1u << last) - (1u << first);
    if (Word *word = memory::word(at)) {
      if ((word->read.marks & mask) != mask) {
        fail(ILLEGAL_ADDRESS, std::string(write ? "writes to" : "reads from") + " device memory that is not allocated, at " + hex(address));
      }
      visit(*word, mask, false, write, atomic, address);
    } else if (Word *word = shared_word(at)) {
      uintptr_t dynamic = at - reinterpret_cast<uintptr_t>(dynamic_shared);
      if (dynamic < DYNAMIC_SHARED && dynamic + (last - first) > now.launch->dynamic_shared) {
        fail(ILLEGAL_ADDRESS, "accesses shared memory beyond the " + std::to_string(now.launch->dynamic_shared) + " bytes of this launch, at offset " + std::to_string(dynamic));
      }
      visit(*word, mask, true, write, atomic, address);
    } else if (write || !constant(at)) {
      fail(ILLEGAL_ADDRESS, std::string(write ? "writes to" : "reads from") + " an address that is not the device's, " + hex(address));
    }
    at += last - first;
  }
}

} // namespace

void find_shared_words(const emulator::Library &library) {
  static std::unordered_map<const void *, std::unique_ptr<Word[]>> shadows;
  auto words = [](const char *start, size_t bytes) {
    auto &found = shadows[start];
    if (!found) found.reset(new Word[bytes / 4 + 2]());
    return found.get();
  };
  now.static_words = words(library.variables, library.variables_end - library.variables);
  now.dynamic_words = words(dynamic_shared, DYNAMIC_SHARED);
}

extern "C" {
void emulated_atomic(const void *address, size_t size) {
  access(reinterpret_cast<uintptr_t>(address), size, true, true, true);
}

// The functions that instrumented code calls.
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __tsan_read_range(void *address, size_t size) { access(uintptr_t(address), size, false, false, false); }
void __tsan_write_range(void *address, size_t size) { access(uintptr_t(address), size, true, false, false); }
#define ACCESS(SIZE)                                                                              \
  void __tsan_read##SIZE(void *address) { access(uintptr_t(address), SIZE, false, false, true); } \
  void __tsan_write##SIZE(void *address) { access(uintptr_t(address), SIZE, true, false, true); } \
  void __tsan_volatile_read##SIZE(void *a) { access(uintptr_t(a), SIZE, false, false, true); }    \
  void __tsan_volatile_write##SIZE(void *a) { access(uintptr_t(a), SIZE, true, false, true); }    \
  void __tsan_unaligned_read##SIZE(void *a) { access(uintptr_t(a), SIZE, false, false, false); }  \
  void __tsan_unaligned_write##SIZE(void *a) { access(uintptr_t(a), SIZE, true, false, false); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
}
