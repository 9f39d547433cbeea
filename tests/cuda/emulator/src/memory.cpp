// Device memory: a reserved range of addresses, backed by pages on first use, and one `Word` for each 32 bits.
// Allocations are never adjacent, so an access beyond the end of one hits unallocated words.
#include <sys/mman.h>

#include <cstring>
#include <map>

#include "device.h"

namespace memory {
uintptr_t base;
size_t length;
Word *words;

namespace {

constexpr size_t GRAIN = 256, GAP = 256;
// Freed addresses are reused only after this many bytes of other allocations, so that use after free is found.
constexpr size_t LAP = size_t(64) << 20;

struct Allocation {
  size_t bytes;
  int device;
};

struct Arena {
  uintptr_t base = 0, cursor = 0;
  size_t length = 0;
  Word *words = nullptr;
  std::map<uintptr_t, Allocation> allocations;
  std::map<int, size_t> used;

  Arena() {
    length = (2 * settings().memory * settings().devices + 4 * LAP) / GRAIN * GRAIN;
    base = cursor = reserve(length);
    words = reinterpret_cast<Word *>(reserve(length / 4 * sizeof(Word)));
    memory::base = base;
    memory::length = length;
    memory::words = words;
  }

  static uintptr_t reserve(size_t bytes) {
    void *range = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) {
      perror("emulated device: no addresses left for its memory (EXPE_EMULATOR_MEMORY)");
      abort();
    }
    return reinterpret_cast<uintptr_t>(range);
  }

  // Returns the first free range of `bytes` at or after `start`, or 0.
  uintptr_t place(uintptr_t start, size_t bytes) {
    auto next = allocations.upper_bound(start);
    if (next != allocations.begin()) {
      auto before = std::prev(next);
      start = std::max(start, before->first + span(before->second.bytes));
    }
    for (; next != allocations.end() && next->first < start + bytes; ++next)
      start = next->first + span(next->second.bytes);
    return start + bytes <= base + length ? start : 0;
  }

  static size_t span(size_t bytes) { return (bytes + GRAIN - 1) / GRAIN * GRAIN + GAP; }
};

Arena &arena() {
  static Arena &arena = *new Arena;
  return arena;
}

// Applies `change(word, mask)` to every word of a range, with the mask of its bytes.
template <typename F> void each_word(uintptr_t address, size_t bytes, F change) {
  Arena &a = arena();
  for (uintptr_t at = address, end = address + bytes; at < end;) {
    unsigned first = at & 3, last = std::min<uintptr_t>(4, first + (end - at));
    change(a.words[(at - a.base) / 4], (1u << last) - (1u << first));
    at += last - first;
  }
}

} // namespace

void *allocate(size_t bytes, int device) {
  Arena &a = arena();
  size_t &used = a.used[device];
  if (bytes > settings().memory || used + bytes > settings().memory) return nullptr;
  if (a.cursor > a.base + LAP + 2 * used) a.cursor = a.base;
  uintptr_t address = a.place(a.cursor, Arena::span(bytes));
  if (!address) address = a.place(a.base, Arena::span(bytes));
  if (!address) return nullptr;
  used += bytes;
  a.allocations[address] = {bytes, device};
  a.cursor = address + Arena::span(bytes);
  // Old contents or NaN: no kernel may rely on zeros.
  memset(reinterpret_cast<void *>(address), 0xff, bytes);
  each_word(address, bytes, [](Word &word, unsigned mask) {
    word = {};
    word.read.marks = mask;
  });
  return reinterpret_cast<void *>(address);
}

Result release(const void *pointer) {
  Arena &a = arena();
  auto found = a.allocations.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == a.allocations.end()) return INVALID_VALUE;
  auto [address, allocation] = *found;
  each_word(address, allocation.bytes, [](Word &word, unsigned) { word = {}; });
  // Return the pages of large allocations to the system.
  constexpr size_t PAGE = 4096;
  uintptr_t first = (address + PAGE - 1) / PAGE * PAGE, last = (address + allocation.bytes) / PAGE * PAGE;
  if (first + 16 * PAGE < last) {
    madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
    madvise(a.words + (first - a.base) / 4, (last - first) / 4 * sizeof(Word), MADV_DONTNEED);
  }
  a.used[allocation.device] -= allocation.bytes;
  a.allocations.erase(found);
  return SUCCESS;
}

size_t used(int device) { return arena().used[device]; }

bool valid(const void *pointer, size_t bytes) {
  if (bytes == 0) return true;
  auto &allocations = arena().allocations;
  uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin()) return false;
  auto [start, allocation] = *std::prev(next);
  return bytes <= allocation.bytes && address - start <= allocation.bytes - bytes;
}

void written(void *address, size_t bytes) {
  each_word(reinterpret_cast<uintptr_t>(address), bytes, [](Word &word, unsigned mask) { word.write.marks |= mask; });
}

void copied(void *to, const void *from, size_t bytes) {
  uintptr_t target = reinterpret_cast<uintptr_t>(to), source = reinterpret_cast<uintptr_t>(from);
  if ((target | source) & 3) return written(to, bytes);
  uintptr_t offset = source - target;
  uintptr_t at = target;
  each_word(target, bytes, [&](Word &word, unsigned mask) {
    unsigned marks = arena().words[(at + offset - arena().base) / 4].write.marks;
    word.write.marks = (word.write.marks & ~mask) | (marks & mask);
    at += 4;
  });
}

} // namespace memory
