// The facts that the emulator reads from a module's PTX text.
#pragma once
#include <string>
#include <vector>

struct Entry {
  std::string name;
  std::vector<size_t> sizes; // of its parameters, in bytes
};
struct Ptx {
  int version = 0;    // 87 is 8.7
  int capability = 0; // 90 is 9.0
  std::vector<Entry> entries;
  // The library that the emulated run-time compiler built, if this text comes from it.
  std::string library;
};
// Whether `text` is PTX.
bool parse(const char *text, Ptx &ptx);
