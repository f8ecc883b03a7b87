// A person's question to the policy, and the whole answer: each step of semantics 3 with what was
// found, by the functions that the data plane calls. For `ebbgate explain`, `ebbgate test` and the
// admin API.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/address_guard.h"
#include "policy/bundle.h"
#include "policy/explain.h"
#include "policy/handshake.h"

namespace ebbgate::policy {

// What the addresses of the target are known to be.
struct Lookup {
  std::vector<IpAddress> addresses;
  std::string failure = {};  // why there are none
};

struct Inquiry {
  std::string target;  // `host`, `host:port` or a URL of http or https
  Subject subject = {};
  bool is_ambiguous = false;  // several pods claim the subject's address
  // Of a request in the clear; CONNECT asks for a tunnel. Empty: GET for http://, else CONNECT.
  std::string method = {};
  std::optional<Lookup> lookup = {};  // absent: the name was not resolved; a literal needs none
  std::optional<Handshake> handshake = {};  // absent: not asked about
};

// What a target means: a URL of http asks for a request in the clear, all else for a tunnel, on
// port 443 where none is named.
struct AskedFor {
  Authority authority;
  Visibility visibility = Visibility::kOpaque;
  std::string method = {};  // of kClear
  std::string path = {};    // of kClear

  [[nodiscard]] Request request() const {
    return {authority.host, authority.port, visibility, method, path};
  }
};

// Errors as kMalformedRequest: another scheme, and what Authority::parse refuses.
[[nodiscard]] Result<AskedFor> parse_target(std::string_view target, std::string_view method);

struct Finding {
  std::string target;  // `host:port`, folded; as it was asked where it is malformed
  Verdict verdict = Verdict::kDeny;
  Reason reason = Reason::kMalformedRequest;
  std::vector<Step> steps;          // target, subject, deny, allow, addresses, handshake
  std::optional<Citation> matched;  // the entry that decided by name
  std::optional<NearMiss> nearest;
  std::vector<std::string> bundles;  // "the bundle docker-hub has it since 2026-05"
  std::string fix;
  std::string line;
};

// `bundles`: those that an answer may point to. Views in the answer are good as long as the policy.
[[nodiscard]] Finding answer(const Policy& policy, const AddressGuard& guard,
                             const Inquiry& inquiry, WallTime now,
                             std::span<const Bundle> bundles = {});

// The answer for people, several lines of printable ASCII.
[[nodiscard]] std::string text(const Finding& finding);

[[nodiscard]] std::string_view word(Outcome outcome);  // passed, refused, not-reached

}  // namespace ebbgate::policy
