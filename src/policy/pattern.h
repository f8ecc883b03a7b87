// One entry of an allowlist or denylist (semantics 2): a name, a name with all below it, what is
// below a name, or a block of addresses; each perhaps tied to ports. Text in, value or error with
// its fix out.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/authority.h"

namespace ebbgate::policy {

// Ports from `first` to `last`, both included; 1 <= first <= last.
struct PortRange {
  std::uint16_t first = 1;
  std::uint16_t last = 65535;

  // `443` or `8000-8010`.
  [[nodiscard]] static std::optional<PortRange> parse(std::string_view text);
  [[nodiscard]] constexpr bool contains(Port port) const {
    return first <= port.value() && port.value() <= last;
  }
  [[nodiscard]] constexpr bool contains(const PortRange& other) const {
    return first <= other.first && other.last <= last;
  }
  [[nodiscard]] std::string str() const;
  auto operator<=>(const PortRange&) const = default;
};

enum class PatternKind : std::uint8_t {
  kName,          // example.com: that name only
  kNameAndBelow,  // .example.com: the apex and every name below it, at any depth
  kBelow,         // *.example.com: every name below it, not the apex
  kAddresses,     // 203.0.113.7, 198.51.100.0/24, 2001:db8::/32: address literals in the request
};

// Why a text is no pattern. Both are for people: clauses without a full stop, bytes of the entry
// escaped.
struct PatternError {
  std::string message;  // `"https://x/" has a scheme`
  std::string fix;      // `write x`
  bool operator==(const PatternError&) const = default;
};

class Pattern {
 public:
  // In: one entry, without blanks around it, in UTF-8. Unicode names are mapped by UTS46 and
  // encoded by IDNA2008, and every rule is checked on what that gives; an A-label (xn--) has to
  // survive decoding and encoding. IPv6 may stand in brackets, and has to where a port follows:
  // `[2001:db8::/32]:443`. Everything else is an error: a scheme, a path, userinfo, blanks, a
  // trailing dot, `*` anywhere but as the first label, regular expressions, host bits in a block.
  [[nodiscard]] static std::expected<Pattern, PatternError> parse(std::string_view text);

  [[nodiscard]] PatternKind kind() const { return kind_; }
  // The name without its leading `.` or `*.`, in the form of Hostname; empty for kAddresses.
  [[nodiscard]] const std::string& name() const { return name_; }
  // The block of a kAddresses pattern; 0.0.0.0/32 for others.
  [[nodiscard]] const Cidr& addresses() const { return addresses_; }
  [[nodiscard]] const std::optional<PortRange>& ports() const { return ports_; }

  // The same name or block on those ports alone.
  [[nodiscard]] Pattern on(const PortRange& ports) const {
    return {kind_, name_, addresses_, ports};
  }

  // Whether the pattern's name or block holds the host; ports are another question. This is the
  // definition that the compiled index is tested against.
  [[nodiscard]] bool matches(const Host& host) const;

  // The canonical text, which parses to an equal pattern.
  [[nodiscard]] std::string str() const;

  bool operator==(const Pattern&) const = default;

 private:
  friend class PatternList;
  Pattern(PatternKind kind, std::string name, Cidr addresses, std::optional<PortRange> ports)
      : kind_(kind), name_(std::move(name)), addresses_(addresses), ports_(ports) {}

  PatternKind kind_;
  std::string name_;
  Cidr addresses_;
  std::optional<PortRange> ports_;
};

}  // namespace ebbgate::policy
