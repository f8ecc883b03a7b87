#include "aws/context.h"

#include <cstdlib>
#include <memory>
#include <random>

#include "net/small_file.h"

namespace ebbgate::aws {
namespace {

[[nodiscard]] std::optional<std::string> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT: nobody sets any while we run
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace

Context system_context(net::Loop& loop, https::Transport& transport, const Clock& clock) {
  std::random_device device;
  const auto generator = std::make_shared<std::mt19937_64>(device());
  return {loop,
          transport,
          clock,
          [generator] { return (*generator)(); },
          from_environment,
          [](const std::string& path) { return net::read_small_file(path); }};
}

}  // namespace ebbgate::aws
