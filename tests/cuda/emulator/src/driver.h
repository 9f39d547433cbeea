// State shared by the driver API functions. Only one call runs at a time, from any thread.
#pragma once
#include <map>
#include <mutex>
#include <set>

#include "device.h"
#include "libraries.h"
#include "streams.h"

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using Clock = std::chrono::steady_clock;
struct Context {
  int device;
};
struct Function {
  const emulator::Kernel *kernel;
  Module *module;
  int most_dynamic_shared;
};

struct Driver {
  std::recursive_mutex mutex;
  bool ready = false;
  std::map<int, Context *> contexts;
  std::map<int, int> retained;
  std::set<Module *> modules;
  std::map<std::pair<Module *, std::string>, Function *> functions;
  long launches = 0;
};
Driver &driver();
extern thread_local Context *current;

// Shared memory of a block that has not opted in to more.
constexpr size_t STATIC_LIMIT = 48 * 1024;

// Calls `work` exclusively if the driver is initialized.
template <typename F> CUresult in_driver(F work) {
  Driver &d = driver();
  std::lock_guard lock(d.mutex);
  if (!d.ready) return NOT_INITIALIZED;
  return work(d);
}

// Calls `work` exclusively if a context is current and has no error.
template <typename F> CUresult in_context(F work) {
  return in_driver([&](Driver &d) -> CUresult {
    if (!current || !d.retained[current->device]) return INVALID_CONTEXT;
    if (sticky_error()) return sticky_error();
    return work(d);
  });
}

extern "C" CUresult cuCtxSynchronize();
