#include "observe/detail/text.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstddef>

#include "base/escape.h"

namespace ebbgate::observe {
namespace {

constexpr std::array<std::uint8_t, 256> plain_bytes() {
  std::array<std::uint8_t, 256> plain{};
  const auto bit = [](TextKind kind) { return 1U << static_cast<unsigned>(kind); };
  const unsigned all =
      bit(TextKind::kToken) | bit(TextKind::kJsonToken) | bit(TextKind::kJsonProse);
  for (std::size_t byte = 0x21; byte <= 0x7e; ++byte) plain[byte] = static_cast<std::uint8_t>(all);
  plain[' '] = static_cast<std::uint8_t>(bit(TextKind::kJsonProse));
  plain['"'] = plain['\\'] = static_cast<std::uint8_t>(bit(TextKind::kToken));
  return plain;
}

void append_padded(char* end, std::uint64_t number, std::size_t digits) {
  for (; digits > 0; --digits, number /= 10) *--end = static_cast<char>('0' + number % 10);
}

}  // namespace

void append_number(std::string& out, std::uint64_t number) {
  append_number(out, number, 1, '0');
}

void append_number(std::string& out, std::uint64_t number, std::size_t width, char fill) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  const auto size = static_cast<std::size_t>(end - digits.data());
  if (size < width) out.append(width - size, fill);
  out.append(digits.data(), size);
}

void append_address(std::string& out, const IpAddress& address) {
  if (address.is_v4()) {
    const std::uint32_t value = address.v4_value();
    for (unsigned shift = 24;; shift -= 8) {
      append_number(out, value >> shift & 255);
      if (shift == 0) return;
      out.push_back('.');
    }
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, address.bytes().data(), text.data(), text.size());
  out += text.data();
}

void append_rfc3339(std::string& out, WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto ms =
      static_cast<std::uint64_t>(std::chrono::floor<std::chrono::milliseconds>(time - day).count());
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000Z";
  std::array<char, 24> text;
  kForm.copy(text.data(), text.size());
  append_padded(&text[4], static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  append_padded(&text[7], static_cast<unsigned>(date.month()), 2);
  append_padded(&text[10], static_cast<unsigned>(date.day()), 2);
  append_padded(&text[13], ms / 3'600'000, 2);
  append_padded(&text[16], ms / 60'000 % 60, 2);
  append_padded(&text[19], ms / 1000 % 60, 2);
  append_padded(&text[23], ms % 1000, 3);
  out.append(text.data(), text.size());
}

void append_text(std::string& out, std::string_view text, TextKind kind) {
  static constexpr std::array<std::uint8_t, 256> kPlain = plain_bytes();
  constexpr std::string_view kHex = "0123456789ABCDEF";
  text = text.substr(0, kMaxShown);
  std::size_t run = 0;  // where the bytes that stand for themselves began
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((kPlain[byte] >> static_cast<unsigned>(kind) & 1) != 0) continue;
    out.append(text, run, at - run);
    run = at + 1;
    if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(text[at]);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  out.append(text, run, text.size() - run);
}

}  // namespace ebbgate::observe
