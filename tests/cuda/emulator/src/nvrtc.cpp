// The run-time compiler, which dfdx uses for a few kernels. `compile` builds a kernel library from the
// source, and the text returned as PTX names that library.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <string>

namespace {

enum Status { SUCCESS = 0, COMPILATION = 6 };

struct Program {
  std::string source, ptx, log;
};

std::string folder() {
  Dl_info me;
  dladdr(reinterpret_cast<void *>(&folder), &me);
  std::string path = me.dli_fname;
  return path.substr(0, path.rfind('/') + 1);
}

bool read(const std::string &path, std::string &text) {
  FILE *file = fopen(path.c_str(), "rb");
  if (!file) return false;
  for (char buffer[4096]; size_t count = fread(buffer, 1, sizeof buffer, file);) text.append(buffer, count);
  fclose(file);
  return true;
}

std::string quoted(const std::string &text) {
  std::string result = "'";
  for (char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

} // namespace

extern "C" {

int nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return SUCCESS;
}

int nvrtcCreateProgram(Program **program, const char *source, const char *, int, const char *const *, const char *const *) {
  *program = new Program{source, {}, {}};
  return SUCCESS;
}

int nvrtcDestroyProgram(Program **program) {
  delete *program;
  *program = nullptr;
  return SUCCESS;
}

int nvrtcCompileProgram(Program *program, int count, const char *const *options) {
  std::string capability = "90", includes;
  for (int i = 0; i < count; i++) {
    std::string option = options[i];
    size_t equals = option.find('=');
    std::string name = option.substr(0, equals), value = equals == std::string::npos ? "" : option.substr(equals + 1);
    if (name == "--gpu-architecture") capability = value.substr(value.find('_') + 1);
    if (name == "--include-path") includes += " " + quoted("-I" + value);
  }
  // Built once per source, even if several processes need it at the same time.
  char hash[32];
  snprintf(hash, sizeof hash, "%016zx", std::hash<std::string>()(program->source + includes));
  std::string stem = folder() + "jit-" + hash, own = stem + "." + std::to_string(getpid()), names;
  if (!read(stem + ".names", names)) {
    FILE *file = fopen((own + ".cu").c_str(), "wb");
    if (!file) return COMPILATION;
    fwrite(program->source.data(), 1, program->source.size(), file);
    fclose(file);
    std::string command = quoted(folder() + "compile") + " " + quoted(own + ".cu") + " " + quoted(stem + ".so") + includes +
                          " >" + quoted(own + ".names") + " 2>" + quoted(own + ".log");
    bool compiled = system(command.c_str()) == 0;
    read(own + ".log", program->log);
    remove((own + ".cu").c_str());
    remove((own + ".log").c_str());
    if (!compiled) return COMPILATION;
    rename((own + ".names").c_str(), (stem + ".names").c_str());
    if (!read(stem + ".names", names)) return COMPILATION;
  }
  program->ptx = "// emulator library " + stem + ".so\n.version 8.0\n.target sm_" + capability + "\n";
  std::istringstream lines(names);
  for (std::string name; lines >> name;) program->ptx += ".visible .entry " + name + "()\n";
  return SUCCESS;
}

int nvrtcGetPTXSize(Program *program, size_t *size) {
  *size = program->ptx.size() + 1;
  return SUCCESS;
}
int nvrtcGetPTX(Program *program, char *text) {
  memcpy(text, program->ptx.c_str(), program->ptx.size() + 1);
  return SUCCESS;
}
int nvrtcGetProgramLogSize(Program *program, size_t *size) {
  *size = program->log.size() + 1;
  return SUCCESS;
}
int nvrtcGetProgramLog(Program *program, char *text) {
  memcpy(text, program->log.c_str(), program->log.size() + 1);
  return SUCCESS;
}
const char *nvrtcGetErrorString(int status) { return status == SUCCESS ? "NVRTC_SUCCESS" : "NVRTC_ERROR_COMPILATION"; }

} // extern "C"
