#include <cstdlib>
#include <cstring>

#include "device.h"

namespace {
const char *text(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value ? value : otherwise;
}

Settings read() {
  Settings s = {};
  s.devices = atoi(text("EXPE_EMULATOR_DEVICES", "1"));
  s.driver = atoi(text("EXPE_EMULATOR_DRIVER", "13000"));
  const char *capability = text("EXPE_EMULATOR_CAPABILITY", "9.0");
  s.major = atoi(capability);
  const char *point = strchr(capability, '.');
  s.minor = point ? atoi(point + 1) : 0;
  s.memory = strtoull(text("EXPE_EMULATOR_MEMORY", "4294967296"), nullptr, 10);
  const char *fault = text("EXPE_EMULATOR_FAULT", "");
  s.fault_launch = atol(fault);
  const char *code = strchr(fault, ':');
  s.fault = code ? Result(atoi(code + 1)) : LAUNCH_FAILED;
  const char *order = text("EXPE_EMULATOR_ORDER", "forward");
  s.order = !strcmp(order, "reverse") ? Settings::REVERSE : !strcmp(order, "shuffled") ? Settings::SHUFFLED : Settings::FORWARD;
  s.checks = strcmp(text("EXPE_EMULATOR_CHECKS", "1"), "0") != 0;
  s.lazy = !strcmp(text("EXPE_EMULATOR_STREAMS", "eager"), "lazy");
  s.trace = getenv("EXPE_EMULATOR_TRACE") != nullptr;
  return s;
}
} // namespace

const Settings &settings() {
  static const Settings settings = read();
  return settings;
}
