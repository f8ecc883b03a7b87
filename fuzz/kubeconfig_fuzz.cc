// fuzz-deps: config policy base
// kubeconfig files: what is accepted names an https server, and shows no secret in its messages.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/kubeconfig.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ebbgate;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto loaded = config::parse_kubeconfig(text, "dir/config");
  if (policy::has_errors(loaded.problems)) return 0;
  if (!loaded.config.server.starts_with("https://")) std::abort();
  if (loaded.config.exec && loaded.config.exec->command.empty()) std::abort();
  if (!loaded.config.token.empty() && !loaded.config.token_file.empty()) std::abort();
  return 0;
}
