// FNV-1a over parts: for telling texts apart, not against anybody who forges one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ebbgate::kube::detail {

class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_octet(static_cast<unsigned char>(c));
    add_octet(0);
  }
  void add(std::int64_t number) { add(std::to_string(number)); }
  // The first of its 16 hexadecimal digits.
  [[nodiscard]] std::string hex(unsigned digits = 16) const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (unsigned i = 0; i < digits; ++i) out.push_back(kDigits[(value_ >> (60U - 4 * i)) & 15U]);
    return out;
  }

 private:
  void add_octet(unsigned char octet) { value_ = (value_ ^ octet) * 1'099'511'628'211U; }
  std::uint64_t value_ = 14'695'981'039'346'656'037U;
};

}  // namespace ebbgate::kube::detail
