// Request ids: what ties the client's answer, the log and a support call together.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ebbgate::observe {

// Sixteen characters of base32 (digits and lower-case letters without i, l, o, u).
class RequestId {
 public:
  [[nodiscard]] std::string_view view() const { return {text_.data(), text_.size()}; }
  bool operator==(const RequestId&) const = default;

 private:
  friend class RequestIdSource;
  std::array<char, 16> text_{};
};

// One worker's ids: 50 bits that are random per source, then a counter of 30 bits which carries
// into them. Unique across restarts and a fleet by the odds (a hundred thousand sources meet with
// a probability of 5 in a million); not secret, and not meant to be unpredictable.
class RequestIdSource {
 public:
  // `random`: 64 bits from the system's generator, fresh for each source.
  explicit RequestIdSource(std::uint64_t random);
  [[nodiscard]] RequestId next();

 private:
  std::uint64_t prefix_;
  std::uint32_t counter_ = 0;
  RequestId current_;  // with the prefix already written
};

}  // namespace ebbgate::observe
