// Access logs as operands of a subcommand: opens them, reads them through, shows how far it is, and
// says what could not be read.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "analyse/log_reader.h"

namespace ebbgate::app {

struct LogInput {
  analyse::LogCounts counts;
  bool is_readable = true;  // every file could be opened
};

// In: file names, `-` for standard input; what each event goes to. Shows a progress bar on standard
// error where that is a terminal, and complains there as `ebbgate COMMAND`.
[[nodiscard]] LogInput read_logs(std::string_view command, std::span<const std::string> files,
                                 const analyse::LogReader::OnEvent& on_event);

// `10 lines: 8 events, 1 without a target, 1 unreadable`.
[[nodiscard]] std::string summary(const analyse::LogCounts& counts);

}  // namespace ebbgate::app
