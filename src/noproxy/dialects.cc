#include "noproxy/dialects.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "noproxy/detail/text.h"

namespace ebbgate::noproxy {
namespace {

using detail::is_below;
using detail::lower;
using detail::split;
using detail::trimmed;
using detail::without_prefix;

// Why a client goes direct; nothing where no entry says so.
struct Match {
  std::string entry;
  std::string why;
};
using Found = std::optional<Match>;

Found match(std::string_view entry, std::string why) {
  return Match{std::string(entry), std::move(why)};
}

constexpr std::string_view kName = "is that name";
constexpr std::string_view kBelow = "covers the names below it";
constexpr std::string_view kBlock = "contains the address";
constexpr std::string_view kAddress = "is that address";
constexpr std::string_view kAll = "is everything";

// An address block as clients read it: with host bits set or not, unlike Cidr.
struct Block {
  IpAddress network;
  unsigned prefix = 0;

  static std::optional<Block> parse(std::string_view entry) {
    const std::size_t slash = entry.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto network = IpAddress::parse(entry.substr(0, slash));
    const std::string_view digits = entry.substr(slash + 1);
    unsigned prefix = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), prefix);
    if (!network || error != std::errc() || end != digits.end()) return std::nullopt;
    if (prefix > (network->is_v4() ? 32U : 128U)) return std::nullopt;
    return Block{*network, prefix};
  }

  [[nodiscard]] bool contains(const IpAddress& address) const {
    if (address.is_v4() != network.is_v4()) return false;
    const unsigned bits = network.is_v4() ? 96 + prefix : prefix;
    for (unsigned i = 0; i < bits; ++i) {
      const unsigned difference = address.bytes()[i / 8] ^ network.bytes()[i / 8];
      if (difference >> (7 - i % 8) & 1) return false;
    }
    return true;
  }
};

// Host and port of `host:port` and `[IPv6]:port`, as Go's net.SplitHostPort takes them apart;
// the entry whole and no port where it is none.
struct HostPort {
  std::string_view host;
  std::string_view port;
};
HostPort split_host_port(std::string_view entry) {
  const std::size_t colon = entry.rfind(':');
  if (colon == std::string_view::npos) return {entry, {}};
  const std::string_view host = entry.substr(0, colon);
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (!in_brackets && host.find(':') != std::string_view::npos) return {entry, {}};
  return {in_brackets ? host.substr(1, host.size() - 2) : host, entry.substr(colon + 1)};
}

// golang.org/x/net/http/httpproxy. Loopback goes direct unasked. A literal is compared with
// literals and blocks only, a name with names only.
Found ask_go(const Target& target, std::string_view value) {
  if (target.host == "localhost") return match("", "Go never uses a proxy for localhost");
  const auto loopback = *Block::parse("127.0.0.0/8");
  if (target.address && (loopback.contains(target.address->unmapped()) || target.host == "::1")) {
    return match("", "Go never uses a proxy for loopback addresses");
  }
  for (const std::string_view part : split(value, ",")) {
    const std::string_view written = trimmed(part);
    const std::string entry = lower(written);
    if (entry == "*") return match(written, std::string(kAll));
    if (const auto block = Block::parse(entry)) {
      if (target.address && block->contains(target.address->unmapped())) {
        return match(written, std::string(kBlock));
      }
      continue;
    }
    const HostPort parts = split_host_port(entry);
    if (parts.host.empty()) continue;
    if (!parts.port.empty() && parts.port != std::to_string(target.port)) continue;
    if (target.address) {
      const auto address = IpAddress::parse(parts.host);
      if (address && address->unmapped() == target.address->unmapped()) {
        return match(written, std::string(kAddress));
      }
      continue;
    }
    const std::string_view name = without_prefix(parts.host, "*");
    if (name.starts_with('.') ? is_below(target.host, name.substr(1))
                              : is_below(target.host, name)) {
      return match(written, std::string(kBelow));
    }
    if (name == parts.host && target.host == name) return match(written, std::string(kName));
  }
  return std::nullopt;
}

// curl, lib/noproxy.c. Blanks separate as commas do. An IPv6 address is compared as text, since the
// function is asked without the brackets that it knows one by (until 8.18).
Found ask_curl(const Target& target, std::string_view value) {
  if (value == "*") return match(value, std::string(kAll));
  for (const std::string_view written : split(value, ", \t")) {
    if (written.empty()) continue;
    if (target.address && target.address->is_v4()) {
      const auto block = Block::parse(written);
      // A prefix of 0 is taken for none.
      if (block && block->prefix != 0 && block->contains(*target.address)) {
        return match(written, std::string(kBlock));
      }
      const std::string_view alone = block ? written.substr(0, written.find('/')) : written;
      if (IpAddress::parse(alone) == target.address) return match(written, std::string(kAddress));
      continue;
    }
    std::string entry = lower(written);
    if (entry.ends_with('.')) entry.pop_back();
    const std::string_view name = without_prefix(entry, ".");
    if (target.host == name) return match(written, std::string(kName));
    if (!name.empty() && is_below(target.host, name)) return match(written, std::string(kBelow));
  }
  return std::nullopt;
}

// urllib.request.proxy_bypass_environment. `host` is what the caller has of the URL: with the port
// where one is written, IPv6 in brackets, for urllib itself. Literals are names like any other.
Found ask_python(std::string_view host, std::string_view value) {
  if (value == "*") return match(value, std::string(kAll));
  // As (.*):([0-9]*) matches: the last colon, if only digits or nothing follow.
  const std::size_t colon = host.rfind(':');
  const bool has_port =
      colon != std::string_view::npos &&
      host.substr(colon + 1).find_first_not_of("0123456789") == std::string_view::npos;
  const std::string_view alone = has_port ? host.substr(0, colon) : host;
  for (const std::string_view part : split(value, ",")) {
    const std::string_view written = trimmed(part);
    if (written.empty()) continue;
    std::string entry = lower(written);
    entry.erase(0, std::min(entry.find_first_not_of('.'), entry.size()));
    if (alone == entry || host == entry) return match(written, std::string(kName));
    if (is_below(alone, entry) || is_below(host, entry)) return match(written, std::string(kBelow));
  }
  return std::nullopt;
}

Found ask_urllib(const Target& target, std::string_view value) {
  return ask_python(target.port_is_written ? target.with_port() : target.in_url(), value);
}

// requests.utils.should_bypass_proxies, which asks urllib's function after its own rules, with the
// bare host. Its own remove every space before they split. `by_label`: at label boundaries only, as
// since 2.34; before, any suffix matched, so that `example.com` covered `notexample.com`.
Found ask_requests(const Target& target, std::string_view value, bool by_label) {
  std::string without_spaces(value);
  std::erase(without_spaces, ' ');
  // The IPv6 address keeps no brackets here, and a port is added to it as to a name.
  const std::string host_and_port =
      target.port_is_written ? target.host + ":" + std::to_string(target.port) : target.host;
  for (const std::string_view written : split(without_spaces, ",")) {
    if (written.empty()) continue;
    if (target.address && target.address->is_v4()) {
      const auto block = Block::parse(written);
      if (block && block->prefix != 0 && block->contains(*target.address)) {
        return match(written, std::string(kBlock));
      }
      if (!block && written == target.host) return match(written, std::string(kAddress));
    } else if (by_label) {
      const std::string_view name =
          written.substr(std::min(written.find_first_not_of('.'), written.size()));
      if (target.host == name || host_and_port == name) return match(written, std::string(kName));
      if (is_below(target.host, name) || is_below(host_and_port, name)) {
        return match(written, std::string(kBelow));
      }
    } else if (target.host.ends_with(written) || host_and_port.ends_with(written)) {
      return match(written, "is how it ends");
    }
  }
  return ask_python(target.host, value);
}

Found ask_requests_new(const Target& target, std::string_view value) {
  return ask_requests(target, value, true);
}

Found ask_requests_old(const Target& target, std::string_view value) {
  return ask_requests(target, value, false);
}

// sun.net.spi.DefaultProxySelector. `*` at either end stands for anything; elsewhere for itself.
// Nothing is trimmed.
Found ask_java(const Target& target, std::string_view value) {
  const std::string host = target.in_url();
  const auto matches = [&](std::string pattern) {
    if (pattern == "*") return true;
    const bool open_front = pattern.starts_with('*');
    const bool open_back = pattern.size() > 1 && pattern.ends_with('*');
    const std::string_view fixed =
        std::string_view(pattern).substr(open_front, pattern.size() - open_front - open_back);
    if (open_front && open_back) return host.contains(fixed);
    if (open_front) return host.ends_with(fixed);
    return open_back ? host.starts_with(fixed) : host == fixed;
  };
  for (const std::string_view written : split(value, ",|")) {
    if (!written.empty() && matches(lower(written))) return match(written, "is the pattern for it");
  }
  for (const std::string_view always : {"localhost", "127.*", "[::1]", "0.0.0.0", "[::0]"}) {
    if (!value.empty() && matches(std::string(always))) {
      return match("", "Java adds " + std::string(always) + " to every list");
    }
  }
  return std::nullopt;
}

// lib/internal/http.js of Node 24.
Found ask_node(const Target& target, std::string_view value) {
  const std::string with_port = target.host + ":" + std::to_string(target.port);
  for (const std::string_view part : split(value, ",")) {
    const std::string_view written = trimmed(part);
    const std::string entry = lower(written);
    if (entry == "*") return match(written, std::string(kAll));
    if (entry == target.host) return match(written, std::string(kName));
    if (entry == with_port) return match(written, "is that name and port");
    if (entry.starts_with('.')) {
      const std::string_view name = std::string_view(entry).substr(1);
      if (target.host == name) return match(written, std::string(kName));
      if (is_below(target.host, name)) return match(written, std::string(kBelow));
    }
    if (entry.starts_with("*.") && target.host.ends_with(std::string_view(entry).substr(1))) {
      return match(written, std::string(kBelow));
    }
    const std::size_t dash = entry.find('-');
    if (dash == std::string::npos || !target.address || !target.address->is_v4()) continue;
    const auto first = IpAddress::parse(trimmed(std::string_view(entry).substr(0, dash)));
    const auto last = IpAddress::parse(trimmed(std::string_view(entry).substr(dash + 1)));
    if (first && last && first->is_v4() && last->is_v4() && *first <= *target.address &&
        *target.address <= *last) {
      return match(written, std::string(kBlock));
    }
  }
  return std::nullopt;
}

// lib/dispatcher/env-http-proxy-agent.js of undici 7. It takes what follows the last colon of a
// bare IPv6 address for a port; in brackets it is read right.
Found ask_undici(const Target& target, std::string_view value) {
  if (value == "*") return match(value, std::string(kAll));
  const std::string host = target.in_url();
  for (const std::string_view written : split(value, ", \t")) {
    if (written.empty()) continue;
    const std::string entry = lower(written);
    std::string_view name = entry;
    const std::size_t colon = name.rfind(':');
    if (colon != std::string_view::npos && colon > 0) {
      const std::string_view port = name.substr(colon + 1);
      std::uint32_t number = 0;
      const auto [end, error] = std::from_chars(port.begin(), port.end(), number);
      if (error == std::errc() && end == port.end()) {
        if (number != 0 && number != target.port) continue;
        name = name.substr(0, colon);
      }
    }
    name = without_prefix(name.starts_with("*.") ? name.substr(1) : name, ".");
    if (host == name) return match(written, std::string(kName));
    if (is_below(host, name)) return match(written, std::string(kBelow));
  }
  return std::nullopt;
}

struct Dialect {
  Client client;
  std::string_view name;
  Found (*ask)(const Target&, std::string_view);
};

constexpr std::array kDialects = {
    Dialect{Client::kGo, "go", ask_go},
    Dialect{Client::kCurl, "curl", ask_curl},
    Dialect{Client::kRequests, "requests", ask_requests_new},
    Dialect{Client::kRequestsOld, "requests-2.28", ask_requests_old},
    Dialect{Client::kUrllib, "urllib", ask_urllib},
    Dialect{Client::kJava, "java", ask_java},
    Dialect{Client::kNode, "node", ask_node},
    Dialect{Client::kUndici, "undici", ask_undici},
};
static_assert(std::ranges::equal(kDialects, kClients, {}, &Dialect::client));

const Dialect& dialect(Client client) {
  return kDialects[static_cast<std::size_t>(client)];
}

// What an entry that was surely meant for the target shows about the client that passes it over.
std::string why_not(const Target& target, std::string_view value) {
  for (const std::string_view part : split(value, ",|")) {
    const std::string_view entry = trimmed(part);
    const auto block = Block::parse(entry);
    if (block && target.address && block->contains(*target.address)) {
      return "'" + std::string(entry) + "' contains the address, but this client does not see it";
    }
    std::string name = lower(entry);
    name.erase(0, std::min(name.find_first_not_of("*."), name.size()));
    if (target.host == name || (!name.empty() && is_below(target.host, name))) {
      return "'" + std::string(entry) + "' is near, but not for this client";
    }
  }
  return "no entry matches";
}

}  // namespace

std::string_view name(Client client) {
  return dialect(client).name;
}

Answer ask(Client client, const Target& target, std::string_view value) {
  Found found = dialect(client).ask(target, value);
  if (!found) return {client, false, "", why_not(target, value)};
  std::string why =
      found->entry.empty() ? std::move(found->why) : "'" + found->entry + "' " + found->why;
  return {client, true, std::move(found->entry), std::move(why)};
}

std::vector<Answer> explain(const Target& target, std::string_view value) {
  std::vector<Answer> answers;
  for (const Client client : kClients) answers.push_back(ask(client, target, value));
  return answers;
}

}  // namespace ebbgate::noproxy
