// The grammar of patterns, and for everything outside it the sentence that says what to write.
#include "policy/pattern.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "policy/detail/idna.h"

namespace ebbgate::policy {
namespace {

constexpr std::size_t kMaxEntry = 1200;  // octets; the longest name in UTF-8, ports and all
constexpr std::size_t kShownEntry = 120;

std::string quoted(std::string_view text) {
  return '"' + escaped_prose(text, kShownEntry) + '"';
}

std::unexpected<PatternError> error(std::string_view entry, std::string_view what,
                                    std::string fix) {
  return std::unexpected(PatternError{quoted(entry) + " " + std::string(what), std::move(fix)});
}

std::string write(std::string_view text) {
  if (text.empty()) return "write a name such as example.com";
  return "write " + escaped_prose(text, kShownEntry);
}

bool is_blank(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
}

// The bytes that a pattern may consist of; all else is looked at by name to give the right fix.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (unsigned c = '0'; c <= '9'; ++c) plain[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) plain[c] = plain[c - 'a' + 'A'] = true;
  for (unsigned c = 0x80; c <= 0xff; ++c) plain[c] = true;  // UTF-8, judged once it is mapped
  for (const char c : {'-', '_', '.', ':', '[', ']'}) plain[static_cast<unsigned char>(c)] = true;
  return plain;
}();

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return kPlain[static_cast<unsigned char>(c)]; });
}

// The authority of a URL: without scheme, userinfo and path.
std::string_view authority_of(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    text.remove_prefix(scheme + 3);
  }
  text = text.substr(0, text.find_first_of("/?#"));
  if (const auto at = text.rfind('@'); at != std::string_view::npos) text.remove_prefix(at + 1);
  if (text.ends_with('.')) text.remove_suffix(1);
  return text;
}

// `*x.com`, `a.*.x.com`, `a*.x.com`: what was probably meant.
std::string without_stars(std::string_view text) {
  const std::string_view rest = text.substr(text.rfind('*') + 1);
  const std::size_t dot = rest.find('.');
  if (text.rfind('*') == 0 && !rest.starts_with('.')) return "." + std::string(rest);
  if (dot == std::string_view::npos || dot + 1 == rest.size()) return "";
  return "*" + std::string(rest.substr(dot));
}

// Whether there is a slash, or what may follow a path, that begins no prefix length.
bool has_path(std::string_view text) {
  const std::size_t slash = text.find_first_of("/?#");
  if (slash == std::string_view::npos) return false;
  const std::string_view host = text.substr(0, slash);
  const bool is_address = ends_in_number(host) || host.contains(':') || host.contains('[');
  return !is_address || text[slash] != '/' ||
         text.find_first_not_of("0123456789:-]", slash + 1) != std::string_view::npos;
}

// Refuses what is no pattern for its punctuation: blanks, URLs, regular expressions, stray stars.
std::expected<void, PatternError> check_shape(std::string_view text) {
  if (text.empty()) {
    return std::unexpected(PatternError{"an entry is empty", "write a name such as example.com"});
  }
  if (text.size() > kMaxEntry) return error(text, "is too long for a host name", "shorten it");
  if (is_plain(text)) return {};
  if (std::ranges::any_of(text, is_blank)) {
    return error(text, "has a blank or a control character in it",
                 "put one name on each line, or commas between names");
  }
  if (text.contains("://")) return error(text, "has a scheme", write(authority_of(text)));
  if (text.find_first_of("^$\\()|+{}") != std::string_view::npos || text.starts_with(".*") ||
      text.starts_with('~')) {
    return error(text, "is a regular expression",
                 "list the names, or use .example.com for a name and all names below it");
  }
  if (text.contains('@')) return error(text, "has userinfo", write(authority_of(text)));
  if (has_path(text)) return error(text, "has a path", write(authority_of(text)));
  const std::size_t star = text.rfind('*');
  if (star != std::string_view::npos && !(star == 0 && text.starts_with("*."))) {
    if (text == "*") {
      return error(text, "would allow every name", "list the names that are needed");
    }
    return error(text, "has `*` where it means nothing: it stands only for all names below one",
                 write(without_stars(text)));
  }
  return {};
}

std::expected<Cidr, PatternError> parse_addresses(std::string_view entry, std::string_view text) {
  if (const auto block = Cidr::parse(text)) return *block;
  const std::size_t slash = text.find('/');
  if (const auto address = IpAddress::parse(text.substr(0, slash)); address && slash != text.npos) {
    const auto length = Port::parse(text.substr(slash + 1));  // any small number will do
    if (length && length->value() <= (address->is_v4() ? 32 : 128)) {
      return error(entry, "has bits set beyond its prefix",
                   write(Cidr::of(*address, length->value()).str()));
    }
    return error(entry, "has no prefix length that its address family knows",
                 address->is_v4() ? "write /0 to /32" : "write /0 to /128");
  }
  if (text.contains(':')) {
    return error(entry, "is no IPv6 address",
                 "write 2001:db8::1 or 2001:db8::/32, in brackets where a port follows: "
                 "[2001:db8::1]:443");
  }
  return error(entry, "looks like an IPv4 address but is no dotted quad",
               "write four decimal numbers without leading zeros, such as 203.0.113.7");
}

struct Name {
  PatternKind kind;
  std::string text;
};

std::expected<Name, PatternError> parse_name(std::string_view entry, std::string_view text) {
  Name name{PatternKind::kName, {}};
  if (text.starts_with("*.")) {
    name.kind = PatternKind::kBelow;
    text.remove_prefix(2);
  } else if (text.starts_with('.')) {
    name.kind = PatternKind::kNameAndBelow;
    text.remove_prefix(1);
  }
  std::string mapped;
  if (detail::is_internationalised(text)) {
    auto ascii = detail::to_ascii(text);
    if (!ascii) {
      return error(entry, "is no internationalised name that IDNA2008 knows",
                   "write the name as its registry shows it, or its xn-- form");
    }
    mapped = std::move(*ascii);
    text = mapped;
  }
  if (text.ends_with('.')) {
    std::string_view shown = entry.substr(0, entry.find(':'));
    while (shown.ends_with('.')) shown.remove_suffix(1);
    return error(entry, "ends in a dot: names here are absolute anyway", write(shown));
  }
  auto host = Hostname::parse(text);
  if (!host) {
    return error(entry, "is no host name: " + host.error().detail,
                 "write a name such as example.com, .example.com or *.example.com");
  }
  name.text = host->str();
  return name;
}

// An entry taken apart at the colon or bracket before its ports.
struct Parts {
  std::string_view host;
  std::string_view ports;  // empty where has_ports is false
  bool has_ports = false;
  bool is_bracketed = false;
};

std::expected<Parts, PatternError> split(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) {
      return error(text, "has no closing bracket", "write [2001:db8::1]:443");
    }
    Parts parts{.host = text.substr(1, bracket - 1), .ports = {}, .is_bracketed = true};
    const std::string_view rest = text.substr(bracket + 1);
    if (rest.starts_with('/')) {
      return error(text, "has its prefix length outside the brackets",
                   write("[" + std::string(parts.host) + std::string(rest) + "]"));
    }
    if (!rest.empty() && rest.front() != ':') {
      return error(text, "goes on after its bracket", write(text.substr(0, bracket + 1)));
    }
    parts.has_ports = !rest.empty();
    if (parts.has_ports) parts.ports = rest.substr(1);
    return parts;
  }
  if (std::ranges::count(text, ':') != 1) return Parts{.host = text, .ports = {}};
  const std::size_t colon = text.find(':');
  return Parts{.host = text.substr(0, colon), .ports = text.substr(colon + 1), .has_ports = true};
}

}  // namespace

std::optional<PortRange> PortRange::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = Port::parse(text.substr(0, dash));
  if (!first) return std::nullopt;
  if (dash == std::string_view::npos) return PortRange{first->value(), first->value()};
  const auto last = Port::parse(text.substr(dash + 1));
  if (!last || last->value() < first->value()) return std::nullopt;
  return PortRange{first->value(), last->value()};
}

std::string PortRange::str() const {
  const std::string text = std::to_string(first);
  return first == last ? text : text + "-" + std::to_string(last);
}

std::expected<Pattern, PatternError> Pattern::parse(std::string_view text) {
  if (auto shape = check_shape(text); !shape) return std::unexpected(std::move(shape.error()));
  const auto parts = split(text);
  if (!parts) return std::unexpected(parts.error());
  std::optional<PortRange> ports;
  if (parts->has_ports) {
    ports = PortRange::parse(parts->ports);
    if (!ports) {
      return error(text, "has no port from 1 to 65535 after its colon",
                   "write :443 or :8000-8010, or leave the port out");
    }
  }
  const bool is_v6 = parts->is_bracketed || parts->host.contains(':');
  if (is_v6 || parts->host.contains('/') || ends_in_number(parts->host)) {
    const auto block = parse_addresses(text, parts->host);
    if (!block) return std::unexpected(block.error());
    if (parts->is_bracketed && block->network().is_v4()) {
      return error(text, "has an IPv4 address in brackets", write(parts->host));
    }
    return Pattern(PatternKind::kAddresses, {}, *block, ports);
  }
  auto name = parse_name(text, parts->host);
  if (!name) return std::unexpected(std::move(name.error()));
  return Pattern(name->kind, std::move(name->text), Cidr::of(IpAddress()), ports);
}

bool Pattern::matches(const Host& host) const {
  if (const IpAddress* address = host.address()) {
    return kind_ == PatternKind::kAddresses && addresses_.contains(*address);
  }
  const std::string_view asked = host.name()->view();
  const bool is_below = asked.size() > name_.size() && asked.ends_with(name_) &&
                        asked[asked.size() - name_.size() - 1] == '.';
  switch (kind_) {
    case PatternKind::kName:
      return asked == name_;
    case PatternKind::kNameAndBelow:
      return asked == name_ || is_below;
    case PatternKind::kBelow:
      return is_below;
    case PatternKind::kAddresses:
      return false;
  }
  return false;
}

std::string Pattern::str() const {
  std::string text;
  switch (kind_) {
    case PatternKind::kName:
      text = name_;
      break;
    case PatternKind::kNameAndBelow:
      text = "." + name_;
      break;
    case PatternKind::kBelow:
      text = "*." + name_;
      break;
    case PatternKind::kAddresses: {
      const IpAddress& network = addresses_.network();
      const bool is_single = addresses_.prefix() == (network.is_v4() ? 32U : 128U);
      text = is_single ? network.str() : addresses_.str();
      if (network.is_v6() && ports_) text = "[" + text + "]";
      break;
    }
  }
  if (ports_) text += ":" + ports_->str();
  return text;
}

}  // namespace ebbgate::policy
