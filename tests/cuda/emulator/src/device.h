// The parts of the emulated device, as the driver API (`driver.h`) uses them.
#pragma once
#define EMULATOR_ITSELF
#include <cstdint>
#include <string>
#include <vector>

#include "../include/emulator.h"

// Result codes of the CUDA driver API that the emulator returns.
enum Result {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  UNSUPPORTED_PTX_VERSION = 222,
  FILE_NOT_FOUND = 301,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  ILLEGAL_ADDRESS = 700,
  MISALIGNED_ADDRESS = 716,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
};

// Settings from the environment; see README.md.
struct Settings {
  int devices, driver, major, minor;
  size_t memory;
  long fault_launch;
  Result fault;
  enum { FORWARD, REVERSE, SHUFFLED } order;
  bool checks, trace, lazy;
};
const Settings &settings();

namespace memory {
// Returns null if `device` has too little memory left.
void *allocate(size_t bytes, int device);
Result release(const void *address);
size_t used(int device);
// Whether the whole range is allocated.
bool valid(const void *address, size_t bytes);
// Marks bytes as written by the host, or by the device without a kernel.
void written(void *address, size_t bytes);
void copied(void *to, const void *from, size_t bytes);
} // namespace memory

// The last accesses to one 32-bit word of memory. A serial number identifies an interval between two barriers of
// one block, and therefore also the launch and the block.
struct Word {
  struct Visit {
    uint32_t serial;
    uint32_t thread : 10;
    uint32_t meeting : 10; // how often the thread's warp had synchronized
    uint32_t bytes : 4;
    uint32_t atomic : 1;
    uint32_t several : 1; // more threads of this warp read it in this interval
    uint32_t warps : 1;   // threads of other warps also read it
    uint32_t marks : 4;   // for the last write: initialized bytes; for the last read: allocated bytes
    uint32_t fenced : 1;
  } write, read;
};
static_assert(sizeof(Word) == 16);
namespace memory {
// The start of the range of device memory, its length, and its words.
extern uintptr_t base;
extern size_t length;
extern Word *words;
// Returns the word of a device address, or null.
inline Word *word(uintptr_t address) { return address - base < length ? &words[(address - base) / 4] : nullptr; }
} // namespace memory

struct Launch {
  const emulator::Kernel *kernel;
  const emulator::Library *library;
  void **parameters;
  unsigned grid[3], block[3];
  size_t dynamic_shared;
};
// Runs all blocks. The first error ends the launch, with a line on standard error.
Result run(const Launch &launch);

// The running thread, whose accesses are checked.
struct Now {
  const Launch *launch;
  uint32_t thread, warp;
  uint32_t meeting;                // of the warp
  uint32_t serial;                 // of the interval between barriers
  uint32_t first_of_launch, first_of_block;
  bool fenced;                     // the block has executed a fence in this launch
  // Shared memory of the launch, static and dynamic, and its words.
  Word *static_words, *dynamic_words;
};
extern Now now;
// Ends the kernel; called from a device thread.
[[noreturn]] void fail(Result result, const std::string &what);
// Sets the shared-memory words of `now`.
void find_shared_words(const emulator::Library &library);
// Whether a host address belongs to the stack of a device thread, or to data that the emulator exposes to
// kernels.
bool private_to_threads(uintptr_t address);
extern char dynamic_shared[];
constexpr size_t DYNAMIC_SHARED = 227 * 1024;
