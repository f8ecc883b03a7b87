#include "base/escape.h"

#include <cstdint>

namespace ebbgate {
namespace {

void append(std::string& out, std::string_view text, std::size_t limit, unsigned char lowest) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= lowest && byte <= 0x7e) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, std::size_t limit) {
  append(out, text, limit, 0x21);
}

std::string escaped(std::string_view text, std::size_t limit) {
  std::string out;
  append(out, text, limit, 0x21);
  return out;
}

std::string escaped_prose(std::string_view text, std::size_t limit) {
  std::string out;
  append(out, text, limit, 0x20);
  return out;
}

}  // namespace ebbgate
