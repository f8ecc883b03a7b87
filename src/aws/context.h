// What everything here takes from the world around it, so that a test can be that world.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "https/transport.h"
#include "net/loop.h"

namespace ebbgate::aws {

struct Context {
  net::Loop& loop;              // the thread that everything runs on
  https::Transport& transport;  // goes straight to the network: credentials take no proxy
  const Clock& clock;
  std::function<std::uint64_t()> random;  // evenly over 64 bits; need not be cryptographic
  // The value of an environment variable; nothing where it is not set.
  std::function<std::optional<std::string>(const std::string& name)> environment;
  // The whole of a small file (tokens, profiles).
  std::function<Result<std::string>(const std::string& path)> read_file;
};

// getenv, files of at most 1 MiB, and a generator that is seeded by the system.
[[nodiscard]] Context system_context(net::Loop& loop, https::Transport& transport,
                                     const Clock& clock);

}  // namespace ebbgate::aws
