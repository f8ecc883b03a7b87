// The address guard (semantics 3, step 5): may this resolved or literal address be dialed for a
// request that the policy lets pass? The caller dials only what was judged here.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "policy/address_class.h"
#include "policy/decide.h"

namespace ebbgate::policy {

struct AddressGuardSettings {
  std::vector<Cidr> allow_private;  // opted in for every entry
  std::vector<Cidr> inside;         // networks of the house, such as the VPC's public IPv6 blocks
  std::vector<Cidr> own;            // addresses of the gateway and its fleet
  std::vector<Endpoint> listeners;  // an unspecified address stands for all of the host's own
  std::vector<Cidr> nat64;          // translation prefixes of the network, RFC 6052
};

// Why an address may not be dialed.
struct Obstacle {
  std::string_view what;  // "private (RFC 1918)", "the metadata service", …
  Cidr block;             // the block that forbids it
  bool absolute = false;  // nothing opts it in
};

class AddressGuard {
 public:
  explicit AddressGuard(AddressGuardSettings settings = {});

  // The first obstacle that is not lifted; nothing where the address may be dialed. The address and
  // each IPv4 address inside it have to be free. `opted_in` lifts what it contains. `literal`, the
  // pattern by which the policy allowed an address literal, lifts a block that contains it wholly:
  // whoever lists `10.1.2.3` or `10.0.0.0/8` has named a private address, whoever lists `0.0.0.0/0`
  // has not. Neither lifts the absolute ones: the metadata service, the agents that hand out
  // credentials, the gateway's own listeners.
  [[nodiscard]] std::optional<Obstacle> judge(const IpAddress& address, Port port,
                                              std::span<const Cidr> opted_in = {},
                                              const Cidr* literal = nullptr) const;

  [[nodiscard]] const AddressGuardSettings& settings() const { return settings_; }

 private:
  AddressGuardSettings settings_;
};

struct AddressJudgement {
  Reason reason = Reason::kForbiddenAddress;  // kAllowed: dial it
  std::string_view what = {};                 // what forbids it; a literal of the program
  std::optional<PatternId> denied_by;         // the deny entry whose block holds it
  AdmissionSet admissions;                    // those of the decision that admit this address
};

// Judges one address of a request that `decision` let pass: an address that a deny entry's block
// holds is removed (report mode does not relax that), then the guard is asked for each admission.
[[nodiscard]] AddressJudgement judge_address(const Policy& policy, const AddressGuard& guard,
                                             const Subject& subject, const Host& target,
                                             const Decision& decision, const IpAddress& address,
                                             Port port, WallTime now);

}  // namespace ebbgate::policy
