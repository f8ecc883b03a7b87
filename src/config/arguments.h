// The command line of a subcommand, split into flags and operands (POSIX 12.1, GNU long options):
// words in, names with their values out; what the values mean is said elsewhere.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace ebbgate::config {

enum class FlagValue : std::uint8_t {
  kNone,      // a switch; `--flag=false` turns it off
  kRequired,  // `--flag VALUE` or `--flag=VALUE`
  kOptional,  // the same, or `--flag` alone; for subcommands without operands
};

struct FlagSyntax {
  std::string_view name;  // without the dashes
  FlagValue value = FlagValue::kRequired;
  std::string_view implied = {};  // of kOptional: the value of the flag alone
};

struct Flag {
  std::string name;
  std::string value;  // of a switch without one: "true"
};

struct Arguments {
  std::vector<Flag> flags;            // in the order given
  std::vector<std::string> operands;  // words that are no flags, and all after `--`
  bool help = false;                  // `--help` or `-h` stands somewhere
  std::vector<Problem> problems;      // unknown flags with the nearest known one, missing values
};

// In: the words after the subcommand's name.
[[nodiscard]] Arguments split_arguments(std::span<const char* const> words,
                                        std::span<const FlagSyntax> known);

}  // namespace ebbgate::config
