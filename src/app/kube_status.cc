// `ebbgate kube status`.
#include "app/exit_code.h"
#include "app/kube_command.h"

namespace ebbgate::app {

int run_kube_status(std::span<const char* const> /*words*/) {
  return kUsage;
}

}  // namespace ebbgate::app
