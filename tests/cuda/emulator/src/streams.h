// Streams: work runs in the order in which it was submitted, and late if the settings ask for it.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>

#include "device.h"

struct Stream {
  std::deque<std::function<Result()>> work;
  uint64_t given = 0, done = 0;
};

struct Event {
  // The work submitted to each stream when the event was recorded.
  Stream *stream = nullptr;
  uint64_t given = 0;
  std::chrono::steady_clock::time_point time;
};

// Returns the stream of a handle; null is the default stream.
Stream &stream_of(Stream *handle);
// Runs `work` at once or, if streams are lazy, when something waits for it. After the first error nothing more
// runs.
Result submit(Stream *handle, std::function<Result()> work);
void wait_for(Stream &stream, uint64_t given);
void wait_for_all();
// The error of work that ran late, which every later call returns; SUCCESS if there was none.
Result &sticky_error();
