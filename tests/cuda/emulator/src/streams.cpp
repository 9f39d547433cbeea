#include "streams.h"

#include <set>

namespace {
std::set<Stream *> &unfinished() {
  static auto &streams = *new std::set<Stream *>;
  return streams;
}
} // namespace

Stream &stream_of(Stream *handle) {
  static auto &fallback = *new Stream;
  return handle ? *handle : fallback;
}

Result &sticky_error() {
  static Result error = SUCCESS;
  return error;
}

Result submit(Stream *handle, std::function<Result()> work) {
  Stream &stream = stream_of(handle);
  if (!settings().lazy) return sticky_error() ? sticky_error() : sticky_error() = work();
  stream.given++;
  stream.work.push_back(std::move(work));
  unfinished().insert(&stream);
  return SUCCESS;
}

void wait_for(Stream &stream, uint64_t given) {
  while (stream.done < given) {
    auto work = std::move(stream.work.front());
    stream.work.pop_front();
    stream.done++;
    if (!sticky_error()) sticky_error() = work();
  }
  if (stream.work.empty()) unfinished().erase(&stream);
}

void wait_for_all() {
  while (!unfinished().empty()) wait_for(**unfinished().begin(), (*unfinished().begin())->given);
}
