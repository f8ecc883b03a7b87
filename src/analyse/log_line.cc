#include "analyse/log_line.h"

#include <algorithm>
#include <array>
#include <optional>

#include "analyse/detail/json_line.h"
#include "analyse/time_text.h"
#include "base/authority.h"
#include "base/reason.h"

namespace ebbgate::analyse {
namespace {

constexpr std::int64_t kLatest = 7'258'118'400'000;  // 2200-01-01; well within WallTime

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
char lower(char c) {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

// Whether the server name, as a client sent it, is the host, which is folded.
bool is_same_name(std::string_view sni, std::string_view host) {
  if (sni.ends_with('.')) sni.remove_suffix(1);
  return std::ranges::equal(sni, host, {}, lower);
}

// A target or URL: whom it names, and by what port and path.
struct Target {
  std::string_view host;
  std::uint16_t port = 0;
  std::string_view path;
  bool is_https = false;
};

std::optional<std::uint16_t> port_of(std::string_view digits) {
  const auto port = Port::parse(digits);
  if (!port) return std::nullopt;
  return port->value();
}

// `host:port`, `[x::y]:port`; without a port, `fallback` (0: refused).
bool split_authority(std::string_view authority, std::uint16_t fallback, Target& target) {
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  target.host = authority.substr(0, has_port ? colon : authority.size());
  target.port = fallback;
  if (has_port) {
    const auto port = port_of(authority.substr(colon + 1));
    if (!port) return false;
    target.port = *port;
  }
  return !target.host.empty() && target.port != 0;
}

bool split_url(std::string_view url, Target& target) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return false;
  const std::string_view scheme = url.substr(0, scheme_end);
  std::uint16_t port = 0;
  if (scheme == "http" || scheme == "ws") port = 80;
  if (scheme == "https" || scheme == "wss") port = 443;
  if (scheme == "ftp") port = 21;
  url.remove_prefix(scheme_end + 3);
  std::string_view authority = url.substr(0, url.find_first_of("/?#"));
  target.path = url.substr(authority.size());
  target.is_https = port == 443;
  authority.remove_prefix(authority.rfind('@') + 1);  // npos + 1 is 0
  return split_authority(authority, port, target);
}

// The path of a request in the clear: of an absolute or an origin form.
std::string_view path_of(std::string_view target) {
  if (target.starts_with('/')) return target;
  Target split;
  return split_url(target, split) ? split.path : std::string_view();
}

Ending ending_of(std::string_view verdict, std::string_view reason) {
  if (verdict == "ALLOW") return Ending::kPassed;
  if (verdict == "REPORT") return Ending::kReported;
  const auto known = reason_of(reason);
  if (!known) return Ending::kDenied;
  switch (*known) {
    case Reason::kDnsFailed:
      return Ending::kUnresolved;
    case Reason::kConnectFailed:
    case Reason::kTimedOut:
    case Reason::kOriginInvalid:
    case Reason::kOriginClosed:
    case Reason::kIdleTimeout:
      return Ending::kPassed;
    default:
      return *known >= Reason::kNotAllowed && *known <= Reason::kPolicyTooOld ? Ending::kDenied
                                                                              : Ending::kOther;
  }
}

Hello hello_of(const detail::JsonFields& fields, const LogEvent& event) {
  if (event.access != Access::kTunnel) return Hello::kUnknown;
  const std::string_view reason = fields.reason;
  if (reason == "not-tls") return Hello::kNotTls;
  if (reason == "sni-missing") return Hello::kNamesNobody;
  if (reason == "sni-mismatch" || reason == "sni-malformed") return Hello::kNamesAnother;
  if (!fields.ech) {
    // A tunnel that came to be and whose first octets were not looked at.
    return event.phase == Phase::kRequest ? Hello::kUnknown : Hello::kNotTls;
  }
  const auto last = event.host.empty() ? '.' : event.host.back();
  const bool is_literal = last == ']' || (last >= '0' && last <= '9' && ends_in_number(event.host));
  if (is_literal || is_same_name(fields.sni, event.host)) return Hello::kNamesHost;
  return fields.sni.empty() ? Hello::kNamesNobody : Hello::kNamesAnother;
}

// `1795501324.331` to milliseconds.
std::optional<std::int64_t> parse_epoch(std::string_view text) {
  std::int64_t value = 0;
  std::size_t at = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at < 12; ++at) {
    value = value * 10 + (text[at] - '0');
  }
  if (at == 0) return std::nullopt;
  value *= 1000;
  if (at == text.size()) return value;
  if (text[at] != '.' || text.size() != at + 4) return std::nullopt;
  std::int64_t unit = 100;
  for (++at; at < text.size(); ++at, unit /= 10) {
    if (text[at] < '0' || text[at] > '9') return std::nullopt;
    value += (text[at] - '0') * unit;
  }
  return value;
}

// The fields of Squid's line by their place.
enum Field : std::size_t {
  kTime,
  kElapsed,
  kClient,
  kResult,
  kOctets,
  kMethod,
  kUrl,
  kUser,
  kHierarchy,
  kType,
  kExtra,
  kFields
};

std::size_t split_fields(std::string_view line, std::array<std::string_view, kFields>& fields) {
  std::size_t count = 0;
  while (count < kFields) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find(' '), line.size());
    fields[count++] = line.substr(0, end);
    line.remove_prefix(end);
  }
  return count;
}

std::uint64_t count_of(std::string_view extra) {
  constexpr std::string_view kCount = "count=";
  if (!extra.starts_with(kCount)) return 1;
  std::uint64_t count = 0;
  for (const char c : extra.substr(kCount.size())) {
    if (c < '0' || c > '9' || count > 1'000'000'000'000U) return 1;
    count = count * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return std::max<std::uint64_t>(count, 1);
}

bool is_all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string_view LineParser::folded(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (std::ranges::none_of(host, is_upper)) return host;
  folded_.assign(host);
  std::ranges::transform(folded_, folded_.begin(), lower);
  return folded_;
}

LineKind LineParser::parse(std::string_view line, LogEvent& event) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with('{')) return parse_json(line, event);
  return parse_squid(line, event);
}

LineKind LineParser::parse_json(std::string_view line, LogEvent& event) {
  detail::JsonFields fields;
  if (!detail::scan_json(line, fields, unescaped_)) return LineKind::kUnreadable;
  const auto time = parse_rfc3339(fields.time);
  const bool is_ours =
      fields.verdict == "ALLOW" || fields.verdict == "DENY" || fields.verdict == "REPORT";
  if (!time || *time < 0 || *time > kLatest || !is_ours) return LineKind::kUnreadable;
  if (fields.host.empty() || fields.port == 0 || fields.port > 65535) {
    return LineKind::kWithoutTarget;
  }
  event = {.time = *time,
           .port = static_cast<std::uint16_t>(fields.port),
           .count = std::max<std::uint64_t>(fields.count, 1),
           .host = folded(fields.host),
           .client = fields.client,
           .user = fields.user,
           .subject_kind = fields.subject_kind,
           .subject_name = fields.subject_name,
           .subject_namespace = fields.subject_namespace,
           .method = fields.method,
           .address = fields.address};
  if (fields.phase == "open") event.phase = Phase::kOpen;
  if (fields.phase == "close") event.phase = Phase::kClose;
  if (fields.method != "CONNECT") {
    event.access = Access::kClear;
    event.path = path_of(fields.target);
  }
  event.ending = ending_of(fields.verdict, fields.reason);
  event.ech = fields.ech.value_or(false);
  event.hello = hello_of(fields, event);
  return LineKind::kEvent;
}

LineKind LineParser::parse_squid(std::string_view line, LogEvent& event) {
  std::array<std::string_view, kFields> fields;
  const std::size_t count = split_fields(line, fields);
  if (count < kType) return LineKind::kUnreadable;
  const auto time = parse_epoch(fields[kTime]);
  const std::string_view result = fields[kResult];
  const std::size_t slash = result.find('/');
  if (!time || *time > kLatest || slash == std::string_view::npos ||
      !is_all_digits(result.substr(slash + 1))) {
    return LineKind::kUnreadable;
  }
  Target target;
  const bool is_connect = fields[kMethod] == "CONNECT";
  const bool is_target =
      is_connect ? split_authority(fields[kUrl], 0, target) : split_url(fields[kUrl], target);
  if (!is_target) return LineKind::kWithoutTarget;
  event = {.time = *time,
           .port = target.port,
           .count = count_of(fields[kExtra]),
           .host = folded(target.host),
           .client = fields[kClient],
           .user = fields[kUser] == "-" ? std::string_view() : fields[kUser],
           .method = fields[kMethod]};
  // What Squid saw inside TLS it had intercepted; here it would be a tunnel.
  if (!is_connect && !target.is_https) {
    event.access = Access::kClear;
    event.path = target.path;
  }
  const std::string_view peer = fields[kHierarchy];
  if (const std::size_t at = peer.find('/'); at != std::string_view::npos) {
    const std::string_view address = peer.substr(at + 1);
    if (address != "-" && peer.starts_with("HIER_DIRECT")) event.address = address;
  }
  if (result.starts_with("TCP_DENIED")) {
    // A 407 asks for a password, and says nothing of the policy.
    event.ending = result.ends_with("/407") ? Ending::kOther : Ending::kDenied;
  } else if (peer == "HIER_NONE/-" && (result.ends_with("/503") || result.ends_with("/502"))) {
    event.ending = Ending::kUnresolved;
  }
  return LineKind::kEvent;
}

}  // namespace ebbgate::analyse
