// Streams, events, memory and copies.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "driver.h"

namespace {

// Prints one line per call, with its number of bytes, if `EXPE_EMULATOR_TRACE` is set.
void trace(const char *what, size_t bytes) {
  if (settings().trace) fprintf(stderr, "%s %zu\n", what, bytes);
}

char *pointer(CUdeviceptr address) { return reinterpret_cast<char *>(address); }

// Waits until the device has finished all submitted work.
CUresult synchronize(Stream *stream) {
  trace("wait", 0);
  return in_context([&](Driver &) -> CUresult {
    Stream &s = stream_of(stream);
    wait_for(s, s.given);
    return sticky_error();
  });
}

// Stages copies from memory that the caller may change immediately, as hardware does.
CUresult copy_to_device(CUdeviceptr to, const void *from, size_t bytes, Stream *stream) {
  trace("copy to device", bytes);
  return in_context([&](Driver &) -> CUresult {
    if (!memory::valid(pointer(to), bytes)) return INVALID_VALUE;
    std::string staged(static_cast<const char *>(from), bytes);
    return submit(stream, [=, staged = std::move(staged)] {
      memcpy(pointer(to), staged.data(), bytes);
      memory::written(pointer(to), bytes);
      return SUCCESS;
    });
  });
}

CUresult copy_to_host(void *to, CUdeviceptr from, size_t bytes, Stream *stream) {
  trace("copy to host", bytes);
  if (CUresult result = synchronize(stream)) return result;
  return in_context([&](Driver &) -> CUresult {
    if (!memory::valid(pointer(from), bytes)) return INVALID_VALUE;
    memcpy(to, pointer(from), bytes);
    return SUCCESS;
  });
}

CUresult copy_on_device(CUdeviceptr to, CUdeviceptr from, size_t bytes, Stream *stream) {
  trace("copy on device", bytes);
  return in_context([&](Driver &) -> CUresult {
    if (!memory::valid(pointer(to), bytes) || !memory::valid(pointer(from), bytes)) return INVALID_VALUE;
    return submit(stream, [=] {
      memory::copied(pointer(to), pointer(from), bytes);
      memmove(pointer(to), pointer(from), bytes);
      return SUCCESS;
    });
  });
}

template <typename T> CUresult fill(CUdeviceptr to, T value, size_t count, Stream *stream) {
  trace("fill", count * sizeof(T));
  return in_context([&](Driver &) -> CUresult {
    if (!memory::valid(pointer(to), count * sizeof(T)) || to % sizeof(T)) return INVALID_VALUE;
    return submit(stream, [=] {
      for (size_t i = 0; i < count; i++) memcpy(pointer(to) + i * sizeof(T), &value, sizeof(T));
      memory::written(pointer(to), count * sizeof(T));
      return SUCCESS;
    });
  });
}

CUresult allocate(CUdeviceptr *address, size_t bytes) {
  trace("allocate", bytes);
  return in_context([&](Driver &) -> CUresult {
    *address = 0;
    if (bytes == 0) return SUCCESS;
    void *found = memory::allocate(bytes, current->device);
    if (!found) {
      // Memory may become free once all work has finished.
      wait_for_all();
      if (sticky_error()) return sticky_error();
      found = memory::allocate(bytes, current->device);
    }
    *address = reinterpret_cast<CUdeviceptr>(found);
    return found ? SUCCESS : OUT_OF_MEMORY;
  });
}

CUresult release(CUdeviceptr address, Stream *stream) {
  trace("free", 0);
  return in_context([&](Driver &) -> CUresult {
    if (!address) return SUCCESS;
    if (!memory::valid(pointer(address), 1)) return INVALID_VALUE;
    return submit(stream, [=] { return memory::release(pointer(address)); });
  });
}

} // namespace

extern "C" {

// ---------------------------------------------------------------- streams and events

CUresult cuStreamCreate(Stream **stream, unsigned) {
  return in_context([&](Driver &) {
    *stream = new Stream;
    return SUCCESS;
  });
}
CUresult cuStreamDestroy_v2(Stream *stream) {
  // Its work still has to run, so the stream is kept.
  return in_driver([&](Driver &) { return stream ? SUCCESS : INVALID_HANDLE; });
}
CUresult cuStreamSynchronize(Stream *stream) { return synchronize(stream); }
CUresult cuStreamQuery(Stream *stream) { return synchronize(stream); }
CUresult cuStreamWaitEvent(Stream *stream, Event *event, unsigned) {
  return in_context([&](Driver &) -> CUresult {
    if (!event) return INVALID_HANDLE;
    if (!event->stream) return SUCCESS;
    return submit(stream, [other = event->stream, given = event->given] {
      wait_for(*other, given);
      return sticky_error();
    });
  });
}
CUresult cuEventCreate(Event **event, unsigned) {
  return in_context([&](Driver &) {
    *event = new Event;
    return SUCCESS;
  });
}
CUresult cuEventRecord(Event *event, Stream *stream) {
  return in_context([&](Driver &) {
    event->stream = &stream_of(stream);
    event->given = event->stream->given;
    event->time = Clock::now();
    return SUCCESS;
  });
}
CUresult cuEventSynchronize(Event *event) {
  return in_context([&](Driver &) -> CUresult {
    if (event->stream) wait_for(*event->stream, event->given);
    return sticky_error();
  });
}
CUresult cuEventQuery(Event *event) { return cuEventSynchronize(event); }
CUresult cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
  return in_context([&](Driver &) {
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    return SUCCESS;
  });
}
CUresult cuEventElapsedTime_v2(float *milliseconds, Event *start, Event *end) {
  return cuEventElapsedTime(milliseconds, start, end);
}
CUresult cuEventDestroy_v2(Event *event) {
  delete event;
  return SUCCESS;
}
CUresult cuProfilerStart() { return SUCCESS; }
CUresult cuProfilerStop() { return SUCCESS; }

// ---------------------------------------------------------------- memory

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  return bytes ? allocate(address, bytes) : CUresult(INVALID_VALUE);
}
CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, Stream *) { return allocate(address, bytes); }
CUresult cuMemFree_v2(CUdeviceptr address) {
  // Wait for the whole device, as hardware does.
  if (CUresult result = cuCtxSynchronize()) return result;
  return release(address, nullptr);
}
CUresult cuMemFreeAsync(CUdeviceptr address, Stream *stream) { return release(address, stream); }
CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  return in_context([&](Driver &) {
    *total = settings().memory;
    *free = *total - memory::used(current->device);
    return SUCCESS;
  });
}
CUresult cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  return in_context([&](Driver &) {
    *address = malloc(bytes);
    return *address ? SUCCESS : OUT_OF_MEMORY;
  });
}
CUresult cuMemAllocHost_v2(void **address, size_t bytes) { return cuMemHostAlloc(address, bytes, 0); }
CUresult cuMemFreeHost(void *address) {
  free(address);
  return SUCCESS;
}

// Calls without a stream use the default stream and wait for it.
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  CUresult result = copy_to_device(to, from, bytes, nullptr);
  return result ? result : synchronize(nullptr);
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, Stream *stream) {
  return copy_to_device(to, from, bytes, stream);
}
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) { return copy_to_host(to, from, bytes, nullptr); }
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, Stream *stream) {
  return copy_to_host(to, from, bytes, stream);
}
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy_on_device(to, from, bytes, nullptr);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, Stream *stream) {
  return copy_on_device(to, from, bytes, stream);
}
CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) { return fill(to, value, count, nullptr); }
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, Stream *stream) {
  return fill(to, value, count, stream);
}
CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) { return fill(to, value, count, nullptr); }
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, Stream *stream) {
  return fill(to, value, count, stream);
}

} // extern "C"
