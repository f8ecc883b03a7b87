// The EgressPolicy document as plain values: what the YAML form, the Kubernetes resource, a plain
// list and the flags all become before they are compiled (docs/policy.md has the language).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "policy/bundle.h"
#include "policy/pattern_list.h"

namespace ebbgate::policy {

enum class Mode : std::uint8_t { kEnforce, kReport };
enum class SniRule : std::uint8_t { kRequire, kOptional, kOff };
enum class TlsRule : std::uint8_t { kRequire, kOff };
enum class EchRule : std::uint8_t { kAllow, kDeny };

// One alternative of `subjects`: whoever has all of the fields that are set. At least one is.
struct SubjectRule {
  std::optional<Cidr> cidr = {};  // the client's address
  std::optional<std::string> user = {};
  std::optional<std::string> certificate = {};    // the subject of a TLS client certificate
  std::optional<std::string> pod_namespace = {};  // the next two need it
  std::optional<std::string> service_account = {};
  std::vector<std::pair<std::string, std::string>> pod_labels = {};  // all of them
  Position position = {};

  bool operator==(const SubjectRule&) const = default;
};

// That an entry names a bundle.
struct BundleUse {
  std::string name;
  BundleArguments arguments;
  Position position = {};  // of its name; the hosts that it stands for have this position too

  bool operator==(const BundleUse&) const = default;
};

// One element of `allow` or `deny`.
struct Entry {
  PatternList hosts;  // never empty; those of the bundle, if any, among them
  std::optional<BundleUse> bundle;

  // For hosts that name no port themselves. Empty: the default ports; in a deny entry, every port.
  std::vector<PortRange> ports;

  // Requests in the clear only. A method as RFC 9110 writes it; a path is a prefix that ends at a
  // segment boundary: `/acme` holds `/acme` and `/acme/x`, not `/acmes`. Empty: any.
  std::vector<std::string> methods;
  std::vector<std::string> paths;

  std::optional<SniRule> sni;  // absent: the default of PolicySettings
  TlsRule tls = TlsRule::kRequire;
  EchRule ech = EchRule::kAllow;
  std::vector<Cidr> addresses;      // special addresses that its names may resolve to
  std::optional<WallTime> expires;  // from this moment on the entry matches nothing

  std::string owner;
  std::string reason;
  std::string ticket;
  Position position = {};

  bool operator==(const Entry&) const = default;
};

// What a cluster document lets the documents of namespaces allow: inside of it, no more.
struct Delegation {
  std::vector<std::string> namespaces = {};  // names; `*` alone stands for every one
  PatternList hosts = {};
  std::vector<PortRange> ports = {};  // of hosts that name none. Empty: the default ports
  Position position = {};

  bool operator==(const Delegation&) const = default;
};

struct Document {
  std::string name = {};  // metadata.name; the file for a plain list
  std::string file = {};  // where all positions of the document are; the source's name if no file
  std::vector<SubjectRule> subjects = {};  // empty: everyone
  Mode mode = Mode::kEnforce;
  std::vector<Entry> allow = {};
  std::vector<Entry> deny = {};
  Position position = {};
  std::optional<Delegation> delegate = {};
  // The namespace of a resource that has one, whose pods alone it is about. Empty: any other
  // document. No such document is compiled before apply_delegation() (delegation.h) has bound it.
  std::string resource_namespace = {};
  // Nothing of its subjects passes (Reason::kPolicyInvalid): it stands for a document that cannot
  // be read, which might deny what others allow.
  bool closes = false;

  bool operator==(const Document&) const = default;
};

}  // namespace ebbgate::policy
