// Runs a kernel: blocks one after another, the threads of a block as fibers from barrier to barrier.
// A thread without a barrier reuses the stack of the previous thread, so most kernels never switch fibers.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <random>

#include "device.h"
#include "fiber.h"

extern "C" {
uint3 emulated_thread, emulated_block;
dim3 emulated_block_dim, emulated_grid_dim;
}
Now now;
alignas(1024) char dynamic_shared[DYNAMIC_SHARED];

namespace {

constexpr unsigned MOST_THREADS = 1024, WARP = 32, MOST_WARPS = MOST_THREADS / WARP;
constexpr size_t STACK = 256 * 1024;
// The number of different masks with which a warp may meet within a block.
constexpr unsigned MOST_MASKS = 16;

// The values that lanes exchange at a meeting; kernels read them. There are two sets, because a lane may arrive at
// the next meeting before another lane has read the values of this one.
uint64_t brought[MOST_WARPS][MOST_MASKS][2][WARP];

// The meetings of the lanes in one mask. A lane's n-th meeting ends when all lanes have arrived n times.
struct Meetings {
  unsigned mask;
  uint32_t arrived[WARP];
};

struct Warp {
  unsigned masks = 0;
  Meetings meetings[MOST_MASKS];
  uint32_t synchronized = 0;
  unsigned returned = 0;
};

struct Thread {
  Fiber fiber;
  uint32_t index = 0;
  const char *place = nullptr;
  Meetings *meeting = nullptr;
};

struct Block {
  const Launch *launch;
  Fiber scheduler;
  Thread *current = nullptr;
  uint32_t threads = 0, started = 0, live = 0;
  std::vector<Thread *> at_barrier, in_meeting, idle;
  std::deque<Thread *> ready;
  std::vector<std::unique_ptr<Thread>> all;
  std::vector<uint32_t> order;
  Warp warps[MOST_WARPS];
  bool failed = false;
  Result result = SUCCESS;
  char *stacks = nullptr;
};

Block &block() {
  static Block &block = *new Block;
  return block;
}

std::string text(const unsigned (&d)[3]) {
  return "(" + std::to_string(d[0]) + ", " + std::to_string(d[1]) + ", " + std::to_string(d[2]) + ")";
}

void become(uint32_t index) {
  const unsigned *d = block().launch->block;
  emulated_thread = {index % d[0], index / d[0] % d[1], index / d[0] / d[1]};
  now.thread = index;
  now.warp = index / WARP;
  now.meeting = block().warps[now.warp].synchronized;
}

void report(Result result, const std::string &what) {
  const Launch &l = *block().launch;
  fprintf(stderr, "emulated device: %s (%s): %s\n", l.kernel->name, l.library->source, what.c_str());
  block().failed = true;
  block().result = result;
}

void give_way() {
  Block &b = block();
  Thread *me = b.current;
  me->fiber.switch_to(b.scheduler);
  become(me->index);
}

// A fiber runs threads until no more can be started.
void run_threads(void *argument) {
  Block &b = block();
  Thread *me = static_cast<Thread *>(argument);
  for (;;) {
    while (b.started < b.threads) {
      me->index = b.order[b.started++];
      become(me->index);
      b.launch->kernel->call(b.launch->parameters);
      b.warps[me->index / WARP].returned |= 1u << me->index % WARP;
      b.live--;
    }
    b.idle.push_back(me);
    me->fiber.switch_to(b.scheduler);
  }
}

Thread *fresh() {
  Block &b = block();
  if (!b.idle.empty()) {
    Thread *thread = b.idle.back();
    b.idle.pop_back();
    return thread;
  }
  if (!b.stacks) {
    void *stacks = mmap(nullptr, STACK * MOST_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) abort();
    b.stacks = static_cast<char *>(stacks);
  }
  b.all.push_back(std::make_unique<Thread>());
  Thread *thread = b.all.back().get();
  thread->fiber.prepare(b.stacks + (b.all.size() - 1) * STACK, STACK, run_threads, thread);
  return thread;
}

void resume(Thread *thread) {
  block().current = thread;
  block().scheduler.switch_to(thread->fiber);
}

// All remaining threads wait at the barrier: release them if that is valid.
void end_interval() {
  Block &b = block();
  const char *place = b.at_barrier.front()->place;
  for (Thread *thread : b.at_barrier) {
    if (b.launch->library->strict && strcmp(thread->place, place)) {
      return report(LAUNCH_FAILED, std::string("threads of one block wait at different barriers, ") + place + " and " + thread->place);
    }
  }
  if (b.launch->library->strict && b.live < b.threads) {
    return report(LAUNCH_FAILED, std::to_string(b.threads - b.live) + " of " + std::to_string(b.threads) +
                                     " threads returned without the barrier at " + place);
  }
  now.serial++;
  b.ready.assign(b.at_barrier.begin(), b.at_barrier.end());
  b.at_barrier.clear();
}

void run_block() {
  Block &b = block();
  b.started = 0;
  b.live = b.threads;
  for (uint32_t w = 0; w * WARP < b.threads; w++) {
    b.warps[w].masks = b.warps[w].synchronized = b.warps[w].returned = 0;
  }
  while (!b.failed) {
    if (!b.ready.empty()) {
      Thread *thread = b.ready.front();
      b.ready.pop_front();
      resume(thread);
    } else if (b.started < b.threads) {
      resume(fresh());
    } else if (b.live == 0) {
      return;
    } else if (b.at_barrier.size() == b.live) {
      end_interval();
    } else {
      report(LAUNCH_FAILED, std::string("lanes wait for others of their warp that never come, at ") + b.in_meeting.front()->place);
    }
  }
}

void choose_order() {
  Block &b = block();
  b.order.resize(b.threads);
  for (uint32_t i = 0; i < b.threads; i++) b.order[i] = settings().order == Settings::REVERSE ? b.threads - 1 - i : i;
  if (settings().order == Settings::SHUFFLED) {
    static std::mt19937 random(1);
    for (uint32_t i = b.threads - 1; i > 0; i--) std::swap(b.order[i], b.order[random() % (i + 1)]);
  }
}

} // namespace

Result run(const Launch &launch) {
  Block &b = block();
  b.launch = now.launch = &launch;
  find_shared_words(*launch.library);
  b.failed = false;
  b.result = SUCCESS;
  b.threads = launch.block[0] * launch.block[1] * launch.block[2];
  emulated_block_dim = {launch.block[0], launch.block[1], launch.block[2]};
  emulated_grid_dim = {launch.grid[0], launch.grid[1], launch.grid[2]};
  now.first_of_launch = ++now.serial;
  const unsigned *grid = launch.grid;
  for (uint64_t i = 0, count = uint64_t(grid[0]) * grid[1] * grid[2]; i < count && !b.failed; i++) {
    uint64_t n = settings().order == Settings::REVERSE ? count - 1 - i : i;
    emulated_block = {unsigned(n % grid[0]), unsigned(n / grid[0] % grid[1]), unsigned(n / grid[0] / grid[1])};
    choose_order();
    now.first_of_block = ++now.serial;
    now.fenced = false;
    // NaN, for every type that a kernel may read it as.
    memset(dynamic_shared, 0xff, launch.dynamic_shared);
    run_block();
  }
  if (b.failed) {
    // Abandon the threads where they are: kernels own nothing that has to be released.
    b.at_barrier.clear();
    b.in_meeting.clear();
    b.ready.clear();
    b.idle.clear();
    b.all.clear();
  }
  now.launch = nullptr;
  return b.result;
}

void fail(Result result, const std::string &what) {
  const unsigned at[2][3] = {{emulated_block.x, emulated_block.y, emulated_block.z},
                             {emulated_thread.x, emulated_thread.y, emulated_thread.z}};
  report(result, "block " + text(at[0]) + ", thread " + text(at[1]) + ": " + what);
  block().current->fiber.switch_to(block().scheduler);
  abort();
}

bool private_to_threads(uintptr_t address) {
  auto within = [address](const void *start, size_t bytes) {
    return address - reinterpret_cast<uintptr_t>(start) < bytes;
  };
  static const Block &b = block();
  return within(b.stacks, STACK * MOST_THREADS) || within(brought, sizeof brought) ||
         within(&emulated_thread, sizeof emulated_thread) || within(&emulated_block, sizeof emulated_block) ||
         within(&emulated_block_dim, sizeof emulated_block_dim) || within(&emulated_grid_dim, sizeof emulated_grid_dim);
}

// ---------------------------------------------------------------- functions that kernels call

extern "C" void emulated_barrier(const char *place) {
  Block &b = block();
  b.current->place = place;
  b.at_barrier.push_back(b.current);
  give_way();
}

extern "C" const uint64_t *emulated_meeting(unsigned mask, uint64_t value, bool memory, const char *place) {
  Block &b = block();
  Thread *me = b.current;
  Warp &warp = b.warps[now.warp];
  unsigned lane = me->index % WARP, lanes = std::min(WARP, b.threads - now.warp * WARP);
  // The full mask is also valid for a last warp with fewer threads.
  if (lanes < WARP) mask &= (1u << lanes) - 1;
  if (!(mask >> lane & 1)) fail(LAUNCH_FAILED, std::string("the calling lane is not in the mask, at ") + place);
  unsigned index = 0;
  while (index < warp.masks && warp.meetings[index].mask != mask) index++;
  if (index == MOST_MASKS) fail(LAUNCH_FAILED, std::string("too many different masks, at ") + place);
  Meetings &meeting = warp.meetings[index];
  if (index == warp.masks) {
    warp.masks++;
    meeting.mask = mask;
    memset(meeting.arrived, 0, sizeof meeting.arrived);
  }
  uint32_t count = ++meeting.arrived[lane];
  uint64_t *values = brought[now.warp][index][count & 1];
  values[lane] = value;
  auto complete = [&] {
    for (unsigned other = 0; other < WARP; other++)
      if (mask >> other & 1 && meeting.arrived[other] < count) return false;
    return true;
  };
  if (complete()) {
    if (memory) warp.synchronized++;
    now.meeting = warp.synchronized;
    auto &waiting = b.in_meeting;
    for (size_t i = 0; i < waiting.size();) {
      if (waiting[i]->meeting != &meeting) {
        i++;
        continue;
      }
      b.ready.push_back(waiting[i]);
      waiting[i] = waiting.back();
      waiting.pop_back();
    }
  } else {
    me->meeting = &meeting;
    me->place = place;
    b.in_meeting.push_back(me);
    give_way();
  }
  return values;
}

extern "C" unsigned emulated_active_lanes() {
  unsigned lanes = std::min(WARP, block().threads - now.warp * WARP);
  unsigned all = lanes < WARP ? (1u << lanes) - 1 : ~0u;
  return all & ~block().warps[now.warp].returned;
}

extern "C" void emulated_fence() { now.fenced = true; }
extern "C" void *emulated_dynamic_shared() { return dynamic_shared; }
extern "C" void emulated_trap(const char *what) { fail(LAUNCH_FAILED, what); }
