// From a Record to one line of a log: Squid's native format, or JSON lines of one kind or
// another (semantics 6, docs/events.md). Whatever bytes a Record holds, a line is printable ASCII
// and ends in the only line feed it has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "observe/record.h"

namespace ebbgate::observe {

// `%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt`. Appends nothing for a tunnel's
// opening: Squid writes a tunnel once, at its end. An event that stands for several refusals has
// ` count=N` behind the last field, where readers of ten fields do not look.
void append_squid(std::string& out, const Record& record);

// One JSON object with the keys of docs/events.md; those without a value are left out.
void append_json(std::string& out, const Record& record);

// The same in the names of the Elastic Common Schema 8, where it has one, and the rest under
// `ebbgate`.
void append_ecs(std::string& out, const Record& record);

// append_json() with what CloudWatch needs to make metrics of it (Embedded Metric Format).
void append_emf(std::string& out, const Record& record);

enum class LogFormat : std::uint8_t { kSquid, kJson, kEcs, kEmf };

struct LogFormatInfo {
  LogFormat format;
  std::string_view word;  // as --log-format takes it
  void (*append)(std::string& out, const Record& record);
};

inline constexpr std::array kLogFormats = {
    LogFormatInfo{LogFormat::kSquid, "squid", append_squid},
    LogFormatInfo{LogFormat::kJson, "json", append_json},
    LogFormatInfo{LogFormat::kEcs, "ecs", append_ecs},
    LogFormatInfo{LogFormat::kEmf, "emf", append_emf},
};

[[nodiscard]] std::optional<LogFormat> log_format_of(std::string_view word);

inline void append_event(std::string& out, LogFormat format, const Record& record) {
  kLogFormats[static_cast<std::size_t>(format)].append(out, record);
}

// An upper bound of one line in octets, whatever the Record: fifteen texts, each cut at kMaxShown
// and at most tripled by escaping, and the rest.
inline constexpr std::size_t kMaxLine = std::size_t{96} * 1024;

}  // namespace ebbgate::observe
