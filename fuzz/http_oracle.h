// Boost.Beast as the second reader of what src/http accepts. Two readers that find different
// messages in the same octets are what request smuggling is made of, so the fuzz targets stop where
// they do.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/escape.h"
#include "http/field.h"
#include "http/framing.h"

namespace oracle {

namespace beast = boost::beast;
using ebbgate::http::BodyFraming;

inline void require(bool holds, const char* what, std::string_view octets) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\nin: %s\n", what, ebbgate::escaped(octets).c_str());
  std::abort();
}

inline std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

// For Beast, Proxy-Connection means what Connection does, and has to be a list of tokens. RFC 9110
// does not know it and we do not act on it, so Beast gets it under a name that says nothing to it.
inline constexpr std::string_view kProxyConnection = "proxy-connection";
inline constexpr std::string_view kStandIn = "xroxy-connection";

// The fields by folded name and value, in an order that does not depend on who read them. `kept`
// says which of ours are meant.
using FieldList = std::vector<std::pair<std::string, std::string>>;

inline std::string folded(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

template <typename Kept>
FieldList list(const ebbgate::http::Fields& fields, Kept kept) {
  FieldList out;
  for (const ebbgate::http::Field field : fields.all()) {
    if (!kept(field)) continue;
    const std::string name = folded(field.name);
    out.emplace_back(name == kProxyConnection ? kStandIn : name, std::string(field.value));
  }
  std::ranges::sort(out);
  return out;
}

inline FieldList list(const beast::http::fields& fields) {
  FieldList out;
  for (const auto& field : fields) {
    out.emplace_back(folded(view(field.name_string())), std::string(view(field.value())));
  }
  std::ranges::sort(out);
  return out;
}

inline std::string without_proxy_connection(std::string_view head) {
  std::string out(head);
  const std::string names = folded(head);
  const std::string line = "\r\n" + std::string(kProxyConnection) + ":";
  for (std::size_t at = 0; (at = names.find(line, at)) != std::string::npos; ++at) {
    out[at + 2] = kStandIn.front();
  }
  return out;
}

// Reads `octets` as far as the end of the head; how many octets that is.
template <typename Parser>
std::size_t read_head(Parser& parser, std::string_view octets) {
  parser.header_limit(1U << 20);
  parser.body_limit(boost::none);
  beast::error_code error;
  const std::string input = without_proxy_connection(octets);
  const std::size_t size = parser.put(boost::asio::const_buffer(input.data(), input.size()), error);
  require(!error, error.message().c_str(), octets);
  require(parser.is_header_done(), "Beast has not found the end of the head", octets);
  return size;
}

}  // namespace oracle
