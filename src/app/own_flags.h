// The flags of a subcommand that also takes some of `ebbgate run`'s: those that say what a policy
// means, such as --allow-port.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/arguments.h"
#include "config/load_policy.h"
#include "config/settings.h"

namespace ebbgate::app {

struct OwnFlag {
  std::string_view name;
  config::FlagValue value;
  // Takes the value; what is wrong with it, or empty.
  std::function<std::string(const std::string&)> take;
};

// Flags that several subcommands have.
[[nodiscard]] OwnFlag format_flag(std::string& format);  // text or json
[[nodiscard]] OwnFlag count_flag(std::string_view name, std::size_t& count);
[[nodiscard]] OwnFlag switch_flag(std::string_view name, bool& is_on);

struct CommandLine {
  std::vector<std::string> operands;
  config::Settings settings;  // from the flags of `run`
  bool help = false;
  std::vector<config::Problem> problems;
  config::Validity validity = config::Validity::kValid;
};

// Splits the words, hands each own flag to its taker, and the rest to config::load_settings.
[[nodiscard]] CommandLine read_command_line(std::span<const char* const> words,
                                            std::span<const OwnFlag> own);

// Prints what is wrong with a command line, and says the exit code.
[[nodiscard]] int complain(std::string_view command, const CommandLine& line);

// The policy at a path, under the settings. Where it is invalid: null, and standard error says why;
// warnings are not shown.
[[nodiscard]] std::shared_ptr<const policy::Policy> load_policy_at(config::Settings settings,
                                                                   const std::string& path);

[[nodiscard]] std::uint64_t random_seed();
[[nodiscard]] std::int64_t milliseconds_of(WallTime time);  // since 1970

}  // namespace ebbgate::app
