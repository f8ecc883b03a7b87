// What status codes are called (RFC 9110, section 15).
#pragma once

#include <cstdint>
#include <string_view>

namespace ebbgate::http {

// Of the codes that this program answers with; empty for others, as a status line may be.
[[nodiscard]] constexpr std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "";
  }
}

}  // namespace ebbgate::http
