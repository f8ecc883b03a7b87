#include "noproxy/target.h"

#include "noproxy/detail/text.h"

namespace ebbgate::noproxy {

Result<Target> Target::parse(std::string_view url) {
  Target target;
  std::string_view rest = url;
  if (const std::size_t end = url.find("://"); end != std::string_view::npos) {
    target.scheme = detail::lower(url.substr(0, end));
    if (target.scheme != "http" && target.scheme != "https") {
      return fail(Reason::kMalformedRequest, Side::kClient, "the scheme is not http or https");
    }
    rest = url.substr(end + 3);
  }
  rest = rest.substr(0, rest.find_first_of("/?#"));
  const Port fallback = target.scheme == "http" ? kHttpPort : kHttpsPort;
  auto authority = Authority::parse(rest, fallback);
  if (!authority) return std::unexpected(std::move(authority.error()));
  target.port = authority->port.value();
  if (target.scheme.empty()) target.scheme = target.port == 80 ? "http" : "https";
  target.port_is_written = rest.size() > authority->host.str().size() &&
                           rest.ends_with(":" + std::to_string(target.port));
  if (const IpAddress* address = authority->host.address()) target.address = *address;
  target.host = target.address ? target.address->str() : authority->host.name()->str();
  return target;
}

std::string Target::in_url() const {
  return address && address->is_v6() ? "[" + host + "]" : host;
}

std::string Target::with_port() const {
  return in_url() + ":" + std::to_string(port);
}

}  // namespace ebbgate::noproxy
