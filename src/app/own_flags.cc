#include "app/own_flags.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <random>
#include <system_error>
#include <utility>

#include "app/exit_code.h"

namespace ebbgate::app {

OwnFlag format_flag(std::string& format) {
  return {"format", config::FlagValue::kRequired, [&format](const std::string& value) {
            format = value;
            return value == "text" || value == "json" ? "" : "it is neither text nor json";
          }};
}

OwnFlag count_flag(std::string_view name, std::size_t& count) {
  return {name, config::FlagValue::kRequired, [&count](const std::string& value) {
            const char* const end = value.data() + value.size();
            const auto read = std::from_chars(value.data(), end, count);
            return read.ec == std::errc{} && read.ptr == end ? "" : "it is no number";
          }};
}

OwnFlag switch_flag(std::string_view name, bool& is_on) {
  return {name, config::FlagValue::kNone, [&is_on](const std::string& value) {
            is_on = value == "true";
            return "";
          }};
}

CommandLine read_command_line(std::span<const char* const> words, std::span<const OwnFlag> own) {
  std::vector<config::FlagSyntax> known;
  for (const OwnFlag& flag : own) known.push_back({flag.name, flag.value});
  // An own flag hides the one of `run` that has its name.
  for (const config::FlagSyntax& flag : config::run_flags()) {
    if (std::ranges::find(own, flag.name, &OwnFlag::name) == own.end()) known.push_back(flag);
  }
  config::Arguments arguments = config::split_arguments(words, known);
  CommandLine line;
  line.help = arguments.help;
  line.operands = std::move(arguments.operands);
  arguments.operands.clear();
  std::vector<config::Problem> problems;
  std::erase_if(arguments.flags, [&](const config::Flag& flag) {
    const auto found = std::ranges::find(own, flag.name, &OwnFlag::name);
    if (found == own.end()) return false;
    std::string wrong = found->take(flag.value);
    if (!wrong.empty()) {
      problems.push_back({.file = "--" + flag.name, .message = std::move(wrong), .fix = {}});
    }
    return true;
  });
  config::LoadedSettings loaded = config::load_settings(arguments);
  line.settings = std::move(loaded.settings);
  line.problems = std::move(loaded.problems);
  line.validity = loaded.validity;
  if (!problems.empty()) {
    std::ranges::move(problems, std::back_inserter(line.problems));
    line.validity = config::Validity::kUsage;
  }
  return line;
}

int complain(std::string_view command, const CommandLine& line) {
  std::fputs(config::str(line.problems).c_str(), stderr);
  std::fprintf(stderr, "`ebbgate %.*s --help` lists the flags\n", static_cast<int>(command.size()),
               command.data());
  return line.validity == config::Validity::kInvalid ? kInvalid : kUsage;
}

std::shared_ptr<const policy::Policy> load_policy_at(config::Settings settings,
                                                     const std::string& path) {
  settings.policies = {path};
  const config::LoadedPolicy loaded = config::look_at_policy(settings, random_seed());
  if (loaded.policy == nullptr) std::fputs(config::str(loaded.problems).c_str(), stderr);
  return loaded.policy;
}

std::uint64_t random_seed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32U | device();
}

std::int64_t milliseconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}

}  // namespace ebbgate::app
