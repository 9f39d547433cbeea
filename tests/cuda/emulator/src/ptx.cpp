#include "ptx.h"

#include <cstring>
#include <regex>

bool parse(const char *text, Ptx &ptx) {
  static const std::regex version(R"(\.version\s+(\d+)\.(\d+))"), target(R"(\.target\s+sm_(\d+))"),
      library(R"(// emulator library (\S+))"), entry(R"(\.entry\s+([A-Za-z_$][\w$]*)\s*\(([^)]*)\))"),
      parameter(R"(\.param\s[^,]*?\.[usbf](8|16|32|64)\s[^,\[]*(?:\[(\d+)\])?)");
  std::cmatch found;
  const char *end = text + strlen(text);
  // Search the head, then entry by entry: the expressions are slow on whole bodies.
  const char *head = std::min(end, text + 2048);
  if (!std::regex_search(text, head, found, version)) return false;
  ptx.version = 10 * std::stoi(found[1]) + std::stoi(found[2]);
  if (!std::regex_search(text, head, found, target)) return false;
  ptx.capability = std::stoi(found[1]);
  if (std::regex_search(text, head, found, library)) ptx.library = found[1];
  for (const char *at = text; (at = strstr(at, ".entry"));) {
    const char *close = strchr(at, ')');
    if (!close) break;
    if (std::regex_search(at, close + 1, found, entry)) {
      Entry e{found[1], {}};
      std::string list = found[2];
      for (std::sregex_iterator p(list.begin(), list.end(), parameter), none; p != none; ++p) {
        size_t bytes = std::stoul((*p)[1]) / 8;
        e.sizes.push_back((*p)[2].matched ? bytes * std::stoul((*p)[2]) : bytes);
      }
      ptx.entries.push_back(e);
    }
    at = close;
  }
  return true;
}
