#include "config/detail/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "base/escape.h"

namespace ebbgate::config::detail {
namespace {

constexpr std::size_t kShown = 80;  // octets of a value in a message
constexpr Duration kLongest = std::chrono::hours(24 * 3653);

std::unexpected<Fault> fault(std::string message, std::string fix) {
  return std::unexpected(Fault{std::move(message), std::move(fix)});
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Decimal digits only.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// Splits `30s` into 30 and `s`.
std::pair<std::optional<std::uint64_t>, std::string_view> number_and_unit(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, is_digit);
  const auto digits = static_cast<std::size_t>(end - text.begin());
  return {number(text.substr(0, digits)), text.substr(digits)};
}

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

std::string quoted(std::string_view text) {
  return '"' + escaped_prose(text, kShown) + (text.size() > kShown ? "…" : "") + '"';
}

Parsed<bool> parse_switch(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return fault(quoted(text) + " is neither true nor false", "write true or false");
}

Parsed<std::string> parse_text(std::string_view text) {
  if (text.empty()) return fault("it is empty", "write a value, or leave it out");
  if (has_control_characters(text)) {
    return fault(quoted(text) + " holds control characters", "write it on one line");
  }
  return std::string(text);
}

Parsed<Duration> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, Duration>, 4> kUnits{{
      {"ms", std::chrono::milliseconds(1)},
      {"s", std::chrono::seconds(1)},
      {"m", std::chrono::minutes(1)},
      {"h", std::chrono::hours(1)},
  }};
  if (text == "0") return Duration::zero();
  const auto [count, unit] = number_and_unit(text);
  const auto* row = std::ranges::find(kUnits, unit, &std::pair<std::string_view, Duration>::first);
  if (!count || row == kUnits.end()) {
    return fault(quoted(text) + " is not a duration",
                 count && unit.empty() ? "write the unit too, as in " + std::string(text) + "s"
                                       : "write a number and ms, s, m or h, as in 30s");
  }
  if (*count > static_cast<std::uint64_t>(kLongest / row->second)) {
    return fault(quoted(text) + " is more than ten years", "write a shorter duration");
  }
  return static_cast<Duration::rep>(*count) * row->second;
}

Parsed<Duration> parse_some_duration(std::string_view text) {
  Parsed<Duration> parsed = parse_duration(text);
  if (parsed && *parsed == Duration::zero()) {
    return fault("it has to end some time", "write a duration above zero, as in 10s");
  }
  return parsed;
}

Parsed<std::size_t> parse_size(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, unsigned>, 4> kUnits{
      {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}}};
  const auto [count, unit] = number_and_unit(text);
  const auto* row = std::ranges::find(kUnits, unit, &std::pair<std::string_view, unsigned>::first);
  if (!count || row == kUnits.end()) {
    return fault(quoted(text) + " is not a size",
                 "write a number of octets, or one with KiB, MiB or GiB, as in 64KiB");
  }
  if (*count > (std::uint64_t{1} << 40) >> row->second) {
    return fault(quoted(text) + " is more than 1024GiB", "write a smaller size");
  }
  return static_cast<std::size_t>(*count << row->second);
}

Parsed<std::size_t> parse_count(std::string_view text, std::size_t least, std::size_t most) {
  const std::optional<std::uint64_t> count = number(text);
  if (!count || *count < least || *count > most) {
    return fault(quoted(text) + " is not a number from " + std::to_string(least) + " to " +
                     std::to_string(most),
                 "write one");
  }
  return static_cast<std::size_t>(*count);
}

Parsed<Endpoint> parse_endpoint(std::string_view text) {
  if (const auto endpoint = Endpoint::parse(text)) return *endpoint;
  const std::string_view port = text.substr(text.starts_with(':') ? 1 : 0);
  if (number(port)) {
    return fault(quoted(text) + " has no address",
                 "write 0.0.0.0:" + std::string(port.substr(0, kShown)) +
                     " to listen on every IPv4 address");
  }
  return fault(quoted(text) + " is not an address with a port",
               "write it as in 127.0.0.1:3128 or [::1]:3128");
}

Parsed<Endpoint> parse_dns_server(std::string_view text) {
  constexpr std::uint16_t kDnsPort = 53;
  if (const auto endpoint = Endpoint::parse(text); endpoint && endpoint->port != 0) {
    return *endpoint;
  }
  const bool in_brackets = text.starts_with('[') && text.ends_with(']');
  const auto address = IpAddress::parse(in_brackets ? text.substr(1, text.size() - 2) : text);
  if (address && (!in_brackets || address->is_v6())) return Endpoint{*address, kDnsPort};
  return fault(quoted(text) + " is not the address of a DNS server",
               "write it as in 10.0.0.2, 10.0.0.2:53 or [2001:db8::2]:53");
}

Parsed<Cidr> parse_cidr(std::string_view text) {
  if (const auto cidr = Cidr::parse(text)) return *cidr;
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (address && slash != std::string_view::npos) {
    const auto prefix = number(text.substr(slash + 1));
    if (prefix && *prefix <= (address->is_v4() ? 32U : 128U)) {
      return fault(quoted(text) + " has bits set beyond its prefix",
                   "write " + Cidr::of(*address, static_cast<unsigned>(*prefix)).str() + " or " +
                       address->str());
    }
  }
  return fault(quoted(text) + " is not a block of addresses",
               "write it as in 10.0.0.0/8 or 2001:db8::/32");
}

Parsed<Cidr> parse_nat64(std::string_view text) {
  static constexpr std::array<unsigned, 6> kLengths{32, 40, 48, 56, 64, 96};
  Parsed<Cidr> cidr = parse_cidr(text);
  if (cidr &&
      (!cidr->network().is_v6() || std::ranges::find(kLengths, cidr->prefix()) == kLengths.end())) {
    return fault(quoted(text) + " is not a NAT64 prefix",
                 "write an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits (RFC 6052)");
  }
  return cidr;
}

Parsed<policy::PortRange> parse_ports(std::string_view text) {
  if (const auto range = policy::PortRange::parse(text)) return *range;
  return fault(quoted(text) + " is not a port or a range of ports",
               "write numbers from 1 to 65535, as in 443 or 8000-8010");
}

Parsed<WallTime> parse_time(std::string_view text) {
  const auto bad = [&] {
    return fault(quoted(text) + " is not a time of RFC 3339",
                 "write it as in 2026-12-31T00:00:00Z");
  };
  static constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() <= kShape.size()) return bad();
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const char c = text[i];
    const bool fits = kShape[i] == 'd'   ? is_digit(c)
                      : kShape[i] == 'T' ? c == 'T' || c == 't'
                                         : c == kShape[i];
    if (!fits) return bad();
  }
  const auto at = [&](std::size_t offset, std::size_t length) {
    return static_cast<unsigned>(*number(text.substr(offset, length)));
  };
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(at(0, 4))),
                                         std::chrono::month(at(5, 2)), std::chrono::day(at(8, 2))};
  const unsigned hour = at(11, 2);
  const unsigned minute = at(14, 2);
  const unsigned second = at(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return bad();

  std::string_view rest = text.substr(kShape.size());
  Duration fraction = Duration::zero();
  if (rest.starts_with('.')) {
    const auto end = std::ranges::find_if_not(rest.substr(1), is_digit);
    const auto digits = static_cast<std::size_t>(end - rest.begin()) - 1;
    if (digits == 0) return bad();
    Duration unit = std::chrono::seconds(1);
    for (const char c : rest.substr(1, std::min<std::size_t>(digits, 9))) {
      unit /= 10;
      fraction += (c - '0') * unit;
    }
    rest.remove_prefix(digits + 1);
  }
  std::chrono::minutes offset{0};
  if (rest != "Z" && rest != "z") {
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') return bad();
    const auto hours = number(rest.substr(1, 2));
    const auto minutes = number(rest.substr(4, 2));
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return bad();
    offset = std::chrono::minutes(*hours * 60 + *minutes);
    if (rest[0] == '-') offset = -offset;
  }
  if (date.year() < std::chrono::year(1970) || date.year() > std::chrono::year(2261)) {
    return fault(quoted(text) + " is not within the years 1970 to 2261",
                 "leave it out where nothing expires");
  }
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second) + fraction - offset;
}

Parsed<std::string> parse_method(std::string_view text) {
  static constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  const auto in_token = [](char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z') || kPunctuation.contains(c);
  };
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  if (text.empty() || !std::ranges::all_of(upper, in_token)) {
    return fault(quoted(text) + " is not a method", "write it as in GET");
  }
  if (upper != text) {
    return fault(quoted(text) + " has lower-case letters, and methods are case-sensitive",
                 "write " + upper.substr(0, kShown));
  }
  if (text == "CONNECT") {
    return fault("an entry with methods never lets a tunnel pass", "leave CONNECT out");
  }
  return upper;
}

Parsed<std::string> parse_path(std::string_view text) {
  if (!text.starts_with('/')) {
    return fault(quoted(text) + " does not begin with a slash",
                 "write the path from its first /, as in /acme/");
  }
  const auto fits = [](char c) { return c > 0x20 && c < 0x7f && c != '?' && c != '#'; };
  if (!std::ranges::all_of(text, fits)) {
    return fault(quoted(text) + " holds what a path cannot",
                 "leave out the query, and write other octets as %XX");
  }
  return std::string(text);
}

Parsed<std::string> parse_object_name(std::string_view text) {
  const auto alphanumeric = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); };
  const auto fits = [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; };
  if (text.empty() || text.size() > 253 || !std::ranges::all_of(text, fits) ||
      !alphanumeric(text.front()) || !alphanumeric(text.back())) {
    return fault(quoted(text) + " is not a name that Kubernetes would take",
                 "write lower-case letters, digits, - and ., as in ci-builders");
  }
  return std::string(text);
}

}  // namespace ebbgate::config::detail
