// `ebbgate kube verify`.
#include <cstdio>

#include "app/exit_code.h"
#include "app/kube_command.h"

namespace ebbgate::app {

int run_kube_verify(std::span<const char* const> /*words*/) {
  std::fputs("ebbgate kube verify: it is not there yet\n", stderr);
  return kUsage;
}

}  // namespace ebbgate::app
