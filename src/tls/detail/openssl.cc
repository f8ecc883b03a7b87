#include "tls/detail/openssl.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>

#include "base/escape.h"
#include "base/ip.h"

namespace ebbgate::tls::detail {
namespace {

constexpr int kNamesShown = 5;

std::string text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string address_text(const ASN1_OCTET_STRING* string) {
  const unsigned char* octets = ASN1_STRING_get0_data(string);
  if (ASN1_STRING_length(string) == 4) {
    return IpAddress::v4(std::uint32_t{octets[0]} << 24 | std::uint32_t{octets[1]} << 16 |
                         std::uint32_t{octets[2]} << 8 | octets[3])
        .str();
  }
  std::array<std::uint8_t, 16> bytes{};
  if (ASN1_STRING_length(string) != static_cast<int>(bytes.size())) return "an address";
  std::copy_n(octets, bytes.size(), bytes.begin());
  return IpAddress::v6(bytes).str();
}

}  // namespace

std::string last_error() {
  unsigned long code = 0;
  unsigned long last = 0;
  while ((code = ERR_get_error()) != 0) last = code;
  if (last == 0) return "no reason given";
  if (const char* reason = ERR_reason_error_string(last)) return reason;
  return "error " + std::to_string(last);
}

std::string names_of(X509* certificate) {
  std::string out;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  int shown = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    if (shown++ == kNamesShown) {
      out += ", …";
      break;
    }
    if (!out.empty()) out += ", ";
    out +=
        name->type == GEN_DNS ? escaped(text_of(name->d.dNSName)) : address_text(name->d.iPAddress);
  }
  GENERAL_NAMES_free(names);
  return out.empty() ? "no name at all" : out;
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  std::array<char, 32> text{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

}  // namespace ebbgate::tls::detail
