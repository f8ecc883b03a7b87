#include "https/url.h"

#include <algorithm>
#include <utility>

namespace ebbgate::https {
namespace {

std::unexpected<Error> refused(std::string detail) {
  return fail(Reason::kMalformedRequest, Side::kSelf, "the URL " + std::move(detail));
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::ranges::equal(text.substr(0, lower.size()), lower, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
}

Port default_port(Scheme scheme) {
  return scheme == Scheme::kHttps ? kHttpsPort : kHttpPort;
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  constexpr std::string_view kHttps = "https://";
  constexpr std::string_view kHttp = "http://";
  const bool is_https = starts_with_ignoring_case(text, kHttps);
  if (!is_https && !starts_with_ignoring_case(text, kHttp)) {
    return refused("begins neither with https:// nor with http://");
  }
  if (!std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; })) {
    return refused("has a space or an octet outside ASCII, which has to be percent-encoded");
  }
  if (text.contains('#')) return refused("has a fragment (#), which no server gets to see");
  const Scheme scheme = is_https ? Scheme::kHttps : Scheme::kHttp;
  text.remove_prefix(is_https ? kHttps.size() : kHttp.size());
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  const std::string_view authority_text = text.substr(0, end);
  if (authority_text.contains('@')) {
    return refused("holds a user or a password, which belong into a header");
  }
  auto authority = Authority::parse(authority_text, default_port(scheme));
  if (!authority) return refused("names no host: " + authority.error().detail);
  text.remove_prefix(end);
  std::string target(text.starts_with('/') ? "" : "/");
  target += text;
  return Url{scheme, *std::move(authority), std::move(target)};
}

std::string Url::host_field() const {
  return authority.port == default_port(scheme) ? authority.host.str() : authority.str();
}

std::string Url::origin() const {
  return (scheme == Scheme::kHttps ? "https://" : "http://") + host_field();
}

}  // namespace ebbgate::https
