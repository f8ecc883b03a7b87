#include "http/head_lines.h"

#include <cstring>

namespace ebbgate::http {

HeadLines::Found HeadLines::next(std::string_view buffered, const HeadLimits& limits) {
  const bool over = buffered.size() >= limits.octets;
  const std::string_view head = buffered.substr(0, limits.octets);
  const void* found = scanned_ < head.size()
                          ? std::memchr(head.data() + scanned_, '\n', head.size() - scanned_)
                          : nullptr;
  if (found == nullptr) {
    scanned_ = head.size();
    return over ? Found::kTooLarge : Found::kNothing;
  }
  const auto lf = static_cast<std::size_t>(static_cast<const char*>(found) - head.data());
  if (lf == begin_ || head[lf - 1] != '\r') return Found::kBareLf;
  line_ = head.substr(begin_, lf - 1 - begin_);
  begin_ = scanned_ = lf + 1;
  return line_.empty() ? Found::kEnd : Found::kLine;
}

}  // namespace ebbgate::http
