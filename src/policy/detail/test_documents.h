// For the tests of this folder: documents, policies and requests in one line each.
#pragma once

#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/decide.h"
#include "policy/policy.h"

namespace ebbgate::policy::detail {

inline Pattern pattern(std::string_view text) {
  auto parsed = Pattern::parse(text);
  if (!parsed) throw std::invalid_argument(parsed.error().message);
  return *parsed;
}

// An entry whose hosts stand on lines 1, 2, 3 and so on, or from `line` on.
inline Entry entry(std::initializer_list<std::string_view> hosts, std::uint32_t line = 1) {
  Entry made;
  made.position = {.line = line, .column = 1};
  for (const std::string_view host : hosts) {
    made.hosts.add(pattern(host), {.line = line++, .column = 1});
  }
  return made;
}

inline Document document(std::vector<Entry> allow, std::vector<Entry> deny = {},
                         std::string name = "doc") {
  Document made;
  made.file = name + ".yaml";
  made.name = std::move(name);
  made.allow = std::move(allow);
  made.deny = std::move(deny);
  return made;
}

inline std::shared_ptr<const Policy> compiled(std::vector<Document> documents,
                                              const PolicySettings& settings = {}) {
  auto result = Policy::compile(std::move(documents), settings);
  if (!result.policy) throw std::invalid_argument(str(result.problems.front()));
  return result.policy;
}

inline Host host(std::string_view text) {
  auto parsed = Host::parse(text);
  if (!parsed) throw std::invalid_argument(std::string(text));
  return *parsed;
}

inline IpAddress address(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  if (!parsed) throw std::invalid_argument(std::string(text));
  return *parsed;
}

inline Cidr cidr(std::string_view text) {
  const auto parsed = Cidr::parse(text);
  if (!parsed) throw std::invalid_argument(std::string(text));
  return *parsed;
}

inline Port port(std::uint32_t number) {
  return Port::of(number).value();
}

inline Subject client(std::string_view text) {
  return {.address = address(text), .user = {}, .certificate = {}, .pod = {}};
}

inline WallTime at(std::int64_t seconds) {
  return WallTime(std::chrono::seconds(seconds));
}

// The decision on a tunnel to `target`, which is `host:port`.
inline Decision decide_tunnel(const Policy& policy, std::string_view target,
                              const Subject& subject = client("10.0.0.1"), WallTime now = at(0)) {
  const auto authority = Authority::parse(target);
  if (!authority) throw std::invalid_argument(std::string(target));
  return decide(policy, subject, {.host = authority->host, .port = authority->port}, now);
}

}  // namespace ebbgate::policy::detail
