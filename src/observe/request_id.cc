#include "observe/request_id.h"

namespace ebbgate::observe {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kPrefix = 10;  // characters, of 5 bits each
constexpr std::uint32_t kCounterEnd = 1U << 30;

// Writes the lowest 5 × (end - begin) bits of `number`, the highest first.
void write_base32(char* begin, char* end, std::uint64_t number) {
  for (char* at = end; at != begin; number >>= 5) *--at = kAlphabet[number & 31];
}

}  // namespace

RequestIdSource::RequestIdSource(std::uint64_t random) : prefix_(random) {
  write_base32(current_.text_.data(), current_.text_.data() + kPrefix, prefix_);
}

RequestId RequestIdSource::next() {
  char* const counter = current_.text_.data() + kPrefix;
  write_base32(counter, current_.text_.data() + current_.text_.size(), counter_);
  const RequestId id = current_;
  if (++counter_ == kCounterEnd) {
    counter_ = 0;
    ++prefix_;
    write_base32(current_.text_.data(), counter, prefix_);
  }
  return id;
}

}  // namespace ebbgate::observe
