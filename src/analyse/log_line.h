// From one line of a log to an event: our JSON lines or Squid's native format, told apart by the
// line itself. Runs a million times a second: views into the line, no allocation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "analyse/log_event.h"

namespace ebbgate::analyse {

enum class LineKind : std::uint8_t {
  kEvent,
  kWithoutTarget,  // a line of a log that names no host: a request that was not understood
  kUnreadable,     // no line of any format
};

class LineParser {
 public:
  // In: a line without its line feed; a carriage return at its end is let pass. Out: what it is;
  // `event` is filled for kEvent only, with views into the line and into this parser.
  // JSON has to be one object by RFC 8259, but UTF-8 is not checked; unknown keys are skipped, of
  // keys given twice the last one counts.
  [[nodiscard]] LineKind parse(std::string_view line, LogEvent& event);

 private:
  [[nodiscard]] LineKind parse_json(std::string_view line, LogEvent& event);
  [[nodiscard]] LineKind parse_squid(std::string_view line, LogEvent& event);
  // The host as it is compared: lower case, without its trailing dot.
  [[nodiscard]] std::string_view folded(std::string_view host);

  std::string unescaped_;
  std::string folded_;
};

}  // namespace ebbgate::analyse
