#include "libraries.h"

#include <dirent.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstring>

namespace {

const emulator::Library *open_library(const std::string &path) {
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  auto library = handle ? reinterpret_cast<decltype(&emulated_library)>(dlsym(handle, "emulated_library")) : nullptr;
  if (!library) fprintf(stderr, "emulated device: %s\n", dlerror());
  return library ? library() : nullptr;
}

const std::vector<const emulator::Library *> &libraries() {
  static const auto all = [] {
    auto &all = *new std::vector<const emulator::Library *>;
    Dl_info me;
    if (!dladdr(reinterpret_cast<void *>(&find_library), &me)) return &all;
    std::string folder = me.dli_fname;
    size_t slash = folder.rfind('/');
    folder.resize(slash == std::string::npos ? 0 : slash + 1);
    DIR *entries = opendir(folder.empty() ? "." : folder.c_str());
    while (dirent *entry = entries ? readdir(entries) : nullptr) {
      size_t length = strlen(entry->d_name);
      if (strncmp(entry->d_name, "kernels-", 8) || length < 3 || strcmp(entry->d_name + length - 3, ".so")) continue;
      if (auto library = open_library(folder + entry->d_name)) all.push_back(library);
    }
    if (entries) closedir(entries);
    return &all;
  }();
  return *all;
}

bool same_parameters(const emulator::Kernel &kernel, const Entry &entry) {
  return kernel.parameters == entry.sizes.size() &&
         std::equal(entry.sizes.begin(), entry.sizes.end(), kernel.sizes);
}

bool fits(const emulator::Library &library, const Ptx &ptx) {
  if (library.count != ptx.entries.size()) return false;
  for (const Entry &entry : ptx.entries) {
    const emulator::Kernel *kernel = find_kernel(library, entry.name.c_str());
    if (!kernel || !same_parameters(*kernel, entry)) return false;
  }
  return true;
}

} // namespace

const emulator::Kernel *find_kernel(const emulator::Library &library, const char *name) {
  for (size_t i = 0; i < library.count; i++)
    if (!strcmp(library.kernels[i].name, name)) return &library.kernels[i];
  return nullptr;
}

Result find_library(const Ptx &ptx, const emulator::Library *&library) {
  if (!ptx.library.empty()) {
    library = open_library(ptx.library);
    return library ? SUCCESS : FILE_NOT_FOUND;
  }
  for (auto candidate : libraries()) {
    if (fits(*candidate, ptx)) {
      library = candidate;
      return SUCCESS;
    }
  }
  fprintf(stderr, "emulated device: no library has exactly the kernels of this module, with these parameters; build the emulator again. It has:");
  for (const Entry &entry : ptx.entries) {
    fprintf(stderr, " %s(", entry.name.c_str());
    for (size_t size : entry.sizes) fprintf(stderr, "%zu ", size);
    fprintf(stderr, ")");
  }
  fprintf(stderr, "\n");
  return INVALID_IMAGE;
}
