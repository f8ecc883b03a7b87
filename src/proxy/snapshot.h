// The policy as the data plane sees it: one immutable value that is published whole.
#pragma once

#include <memory>
#include <string>

#include "base/published.h"
#include "policy/address_guard.h"
#include "policy/policy.h"

namespace ebbgate::proxy {

struct Snapshot {
  std::shared_ptr<const policy::Policy> policy;  // never null
  policy::AddressGuard guard;
  std::string version;      // of the sources it was made from, as events show it
  bool is_too_old = false;  // nothing may be let pass by it any more
};

using PublishedSnapshot = Published<Snapshot>;
using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace ebbgate::proxy
