#include "analyse/log_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "analyse/detail/inflate.h"

namespace ebbgate::analyse {
namespace {

constexpr std::size_t kBlock = std::size_t{256} * 1024;  // octets asked for at once

bool is_gzip(std::string_view begin) {
  return begin.starts_with("\x1f\x8b");
}

}  // namespace

LogReader::LogReader(OnEvent on_event, OnProgress on_progress)
    : on_event_(std::move(on_event)),
      on_progress_(std::move(on_progress)),
      text_(kMaxLine + kBlock) {}

LogReader::~LogReader() = default;

void LogReader::read(const std::string& name, const ReadSome& source) {
  held_ = 0;
  is_skipping_ = false;
  packed_.resize(kBlock);
  // Two octets tell; a pipe may give them one by one.
  std::size_t first = 0;
  while (first < 2) {
    const std::size_t got = fill(std::span(packed_).subspan(first), source, name);
    if (got == 0) break;
    first += got;
  }
  const std::span<const char> begin(packed_.data(), first);
  if (is_gzip({begin.data(), begin.size()})) {
    read_gzip(first, source, name);
  } else {
    read_plain(begin, source, name);
  }
  end_of_file();
}

void LogReader::read_plain(std::span<const char> first, const ReadSome& source,
                           const std::string& name) {
  std::ranges::copy(first, text_.begin());
  take(first.size());
  while (true) {
    const std::size_t got = fill(std::span(text_).subspan(held_, kBlock), source, name);
    if (got == 0) return;
    take(got);
  }
}

void LogReader::read_gzip(std::size_t first, const ReadSome& source, const std::string& name) {
  using State = detail::Inflate::State;
  detail::Inflate inflate;
  std::span<const char> in(packed_.data(), first);
  while (true) {
    if (in.empty()) {
      const std::size_t got = fill(packed_, source, name);
      if (got == 0) break;
      in = std::span<const char>(packed_).first(got);
    }
    const auto step = inflate.step(in, std::span(text_).subspan(held_, kBlock));
    in = in.subspan(step.consumed);
    take(step.produced);
    if (inflate.state() == State::kDamaged) {
      counts_.incomplete.push_back(name + ": the gzip data is damaged");
      return;
    }
  }
  if (inflate.state() != State::kBetween) {
    counts_.incomplete.push_back(name + ": the gzip data ends too early");
  }
}

std::size_t LogReader::fill(std::span<char> space, const ReadSome& source,
                            const std::string& name) {
  if (on_progress_) on_progress_(counts_);
  const auto got = source(space);
  if (!got) {
    counts_.incomplete.push_back(name + ": " + got.error());
    return 0;
  }
  counts_.octets += *got;
  return *got;
}

// Takes the octets that were put behind those that are held.
void LogReader::take(std::size_t octets) {
  const char* at = text_.data();
  const char* search = at + held_;  // no line feed is before it
  const char* const end = search + octets;
  while (search != end) {
    const auto* feed =
        static_cast<const char*>(std::memchr(search, '\n', static_cast<std::size_t>(end - search)));
    if (feed == nullptr) break;
    if (is_skipping_) {
      is_skipping_ = false;
    } else {
      take_line({at, static_cast<std::size_t>(feed - at)});
    }
    at = search = feed + 1;
  }
  held_ = static_cast<std::size_t>(end - at);
  if (is_skipping_ || held_ > kMaxLine) {
    if (!is_skipping_) {
      ++counts_.lines;
      ++counts_.too_long;
    }
    is_skipping_ = true;
    held_ = 0;
  } else if (at != text_.data()) {
    std::memmove(text_.data(), at, held_);
  }
}

void LogReader::take_line(std::string_view line) {
  if (line.empty() || line == "\r") return;
  ++counts_.lines;
  if (line.size() > kMaxLine) {
    ++counts_.too_long;
    return;
  }
  LogEvent event;
  switch (parser_.parse(line, event)) {
    case LineKind::kEvent:
      ++counts_.events;
      on_event_(event);
      return;
    case LineKind::kWithoutTarget:
      ++counts_.without_target;
      return;
    case LineKind::kUnreadable:
      ++counts_.unreadable;
      return;
  }
}

void LogReader::end_of_file() {
  if (!is_skipping_ && held_ > 0) take_line({text_.data(), held_});
  held_ = 0;
  if (on_progress_) on_progress_(counts_);
}

}  // namespace ebbgate::analyse
