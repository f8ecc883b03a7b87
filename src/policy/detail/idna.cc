// Only the *_8z functions are used: the *_lz ones read the locale, and fail in the C locale.
#include "policy/detail/idna.h"

#include <idn2.h>

#include <algorithm>
#include <memory>

namespace ebbgate::policy::detail {
namespace {

constexpr std::size_t kMaxInput = 1024;  // octets; 253 characters of up to four octets

struct IdnFree {
  void operator()(char* text) const { idn2_free(text); }
};
using IdnText = std::unique_ptr<char, IdnFree>;

IdnText encode(const char* name) {
  char* out = nullptr;
  if (idn2_to_ascii_8z(name, &out, IDN2_NONTRANSITIONAL) != IDN2_OK) return nullptr;
  return IdnText(out);
}

IdnText decode(const char* name) {
  char* out = nullptr;
  if (idn2_to_unicode_8z8z(name, &out, 0) != IDN2_OK) return nullptr;
  return IdnText(out);
}

bool is_lower_case_of(std::string_view lower, std::string_view other) {
  return std::ranges::equal(lower, other, [](char a, char b) {
    return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
  });
}

}  // namespace

bool is_internationalised(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (static_cast<unsigned char>(name[i]) >= 0x80) return true;
    const bool starts_label = i == 0 || name[i - 1] == '.';
    if (starts_label && name.size() - i >= 4 && is_lower_case_of("xn--", name.substr(i, 4))) {
      return true;
    }
  }
  return false;
}

std::optional<std::string> to_ascii(std::string_view name) {
  if (name.size() > kMaxInput || name.contains('\0')) return std::nullopt;
  const IdnText ascii = encode(std::string(name).c_str());
  if (!ascii) return std::nullopt;
  const IdnText unicode = decode(ascii.get());
  if (!unicode) return std::nullopt;
  const IdnText again = encode(unicode.get());
  if (!again) return std::nullopt;
  std::string result(again.get());
  if (!is_lower_case_of(result, ascii.get())) return std::nullopt;
  return result;
}

}  // namespace ebbgate::policy::detail
