// Streams: work in the order in which it was given, and later than that where tests ask for it.
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
  // What had been given to which stream when the event was recorded.
  Stream *stream = nullptr;
  uint64_t given = 0;
  std::chrono::steady_clock::time_point time;
};

// The stream behind a handle; null is the default one.
Stream &stream_of(Stream *handle);
// Does `work` at once, or, where streams are lazy, when somebody waits for it. After the first error no
// more is done.
Result submit(Stream *handle, std::function<Result()> work);
void wait_for(Stream &stream, uint64_t given);
void wait_for_all();
// The error of work that was done late, which every later call returns; SUCCESS for none.
Result &sticky_error();
