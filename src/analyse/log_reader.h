// Reads whole logs: octets of one file after the other in, plain or gzip, events out, and a count
// of all that was no event. Memory is bounded whatever the octets are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analyse/log_line.h"

namespace ebbgate::analyse {

struct LogCounts {
  std::uint64_t octets = 0;  // as read, so of a gzip file the compressed ones
  std::uint64_t lines = 0;   // all of them, empty ones left out
  std::uint64_t events = 0;
  std::uint64_t without_target = 0;
  std::uint64_t unreadable = 0;
  std::uint64_t too_long = 0;           // longer than kMaxLine; skipped
  std::vector<std::string> incomplete;  // `FILE: why`: what came before was read
};

// The longest line that is looked at, in octets; the gateway's own end at 96 KiB.
inline constexpr std::size_t kMaxLine = std::size_t{256} * 1024;

// Where octets come from: fills a part of the span and says how much; 0 at the end, or why there
// is no more.
using ReadSome = std::function<std::expected<std::size_t, std::string>(std::span<char>)>;

class LogReader {
 public:
  using OnEvent = std::function<void(const LogEvent&)>;
  // Called now and then with the counts so far.
  using OnProgress = std::function<void(const LogCounts&)>;

  explicit LogReader(OnEvent on_event, OnProgress on_progress = {});
  ~LogReader();

  // Reads one file to its end. Its name is for `incomplete`.
  void read(const std::string& name, const ReadSome& source);

  [[nodiscard]] const LogCounts& counts() const { return counts_; }

 private:
  void read_plain(std::span<const char> first, const ReadSome& source, const std::string& name);
  void read_gzip(std::size_t first, const ReadSome& source, const std::string& name);
  [[nodiscard]] std::size_t fill(std::span<char> space, const ReadSome& source,
                                 const std::string& name);
  void take(std::size_t octets);
  void take_line(std::string_view line);
  void end_of_file();

  OnEvent on_event_;
  OnProgress on_progress_;
  LineParser parser_;
  LogCounts counts_;
  std::vector<char> text_;  // [0, held_): a line that has begun
  std::size_t held_ = 0;
  bool is_skipping_ = false;  // inside a line that is too long
  std::vector<char> packed_;  // compressed octets
};

}  // namespace ebbgate::analyse
