#include <algorithm>

#include "identity/detail/pod_claims.h"

namespace ebbgate::identity::detail {
namespace {

// Whose an address is that these claim, of which there is one at least. In a dispute the youngest
// has it if all others give way: an address is given away only when its last pod has lost it. Pods
// that are ending give way to a node, too: it may have the address for longer than they are told
// of.
PodSlot owner_of(const IpAddress& address, std::span<const Claimant* const> claimants) {
  PodSlot slot{.address = address, .presence = Presence::kAmbiguous, .pod = {}};
  const auto is_of_node = [](const Claimant* each) { return each->is_on_host_network; };
  if (std::ranges::any_of(claimants, is_of_node)) {
    WallTime youngest = WallTime::min();
    for (const Claimant* each : claimants) {
      if (is_of_node(each)) youngest = std::max(youngest, each->started);
    }
    const bool is_undisputed = std::ranges::all_of(claimants, [&](const Claimant* each) {
      return is_of_node(each) || each->is_ending() || each->gives_way_to(youngest);
    });
    if (is_undisputed) slot.presence = Presence::kNode;
    return slot;
  }
  const Claimant* youngest = *std::ranges::max_element(claimants, {}, &Claimant::started);
  const bool is_undisputed = std::ranges::all_of(claimants, [&](const Claimant* each) {
    return each == youngest || each->gives_way_to(youngest->started);
  });
  if (is_undisputed) {
    slot.presence = Presence::kPod;
    slot.until = youngest->ends;
    slot.pod = youngest->pod;
  }
  return slot;
}

// The addresses that the pod claims, each once and in one form; none once it has ended, or without
// a network: what the API still shows then may be another pod's.
std::vector<IpAddress> claimed(const PodState& state) {
  std::vector<IpAddress> addresses;
  if (state.has_ended || !state.has_network) return addresses;
  addresses.reserve(state.addresses.size());
  for (const IpAddress& each : state.addresses) {
    const IpAddress address = each.unmapped();
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  }
  return addresses;
}

bool is_same(const policy::Pod& pod, const PodState& state) {
  return pod.uid == state.uid && pod.service_account == state.service_account &&
         (pod.labels ? *pod.labels == state.labels : state.labels.empty());
}

}  // namespace

bool holds(const std::vector<Cidr>& blocks, const IpAddress& address) {
  return std::ranges::any_of(blocks, [&](const Cidr& block) { return block.contains(address); });
}

std::size_t LabelPool::Hash::operator()(const policy::PodLabels& labels) const {
  std::size_t hash = labels.size();
  for (const auto& [name, value] : labels) {
    hash = hash * 31 + std::hash<std::string_view>{}(name);
    hash = hash * 31 + std::hash<std::string_view>{}(value);
  }
  return hash;
}

std::shared_ptr<const policy::PodLabels> LabelPool::intern(const policy::PodLabels& labels) {
  if (labels.empty()) return nullptr;
  if (const auto known = pool_.find(labels); known != pool_.end()) return *known;
  if (pool_.size() >= sweep_at_) {
    std::erase_if(pool_, [](const Kept& each) { return each.use_count() == 1; });
    sweep_at_ = std::max<std::size_t>(1024, pool_.size() * 2);
  }
  return *pool_.insert(std::make_shared<const policy::PodLabels>(labels)).first;
}

void PodClaims::put(const PodState& state) {
  std::vector<IpAddress> addresses = claimed(state);
  if (addresses.empty()) {
    remove(state.pod_namespace, state.name);
    return;
  }
  auto found = pods_.find(Name(state.pod_namespace, state.name));
  const bool is_new = found == pods_.end();
  if (is_new) {
    auto claimant = std::make_unique<Claimant>();
    claimant->pod = std::make_shared<const policy::Pod>(policy::Pod{
        .name = state.name,
        .pod_namespace = state.pod_namespace,
        .uid = state.uid,
        .service_account = state.service_account,
        .labels = labels_.intern(state.labels),
    });
    found = pods_.insert(std::move(claimant)).first;
  }
  Claimant& claimant = **found;
  claimant.seen = list_;
  const WallTime ends = state.ends.value_or(WallTime::max());
  // Most changes of a pod say nothing about who it is or where.
  const bool keeps_addresses = claimant.addresses == addresses;
  const bool keeps_identity = is_new || is_same(*claimant.pod, state);
  if (keeps_addresses && keeps_identity && claimant.started == state.started &&
      claimant.ends == ends && claimant.is_ready == state.is_ready &&
      claimant.is_on_host_network == state.is_on_host_network) {
    return;
  }
  claimant.started = state.started;
  claimant.ends = ends;
  claimant.is_ready = state.is_ready;
  claimant.is_on_host_network = state.is_on_host_network;
  if (!keeps_identity) {
    policy::Pod changed = *claimant.pod;
    changed.uid = state.uid;
    changed.service_account = state.service_account;
    changed.labels = labels_.intern(state.labels);
    // The set finds it by namespace and name, which stay.
    claimant.pod = std::make_shared<const policy::Pod>(std::move(changed));
  }
  if (keeps_addresses) {
    mark(claimant);
  } else {
    take_addresses(claimant, addresses);
  }
  note_outside(claimant);
}

// Should memory fail, the claimant has those addresses whose claims were made, and no others: it is
// as if the API had told of those alone, until it tells again.
void PodClaims::take_addresses(Claimant& claimant, const std::vector<IpAddress>& addresses) {
  mark(claimant);
  for (const IpAddress& address : claimant.addresses) {
    auto& claims = claims_[shard_of(hash_of(address))];
    const auto found = claims.find(address);
    std::erase(found->second, &claimant);
    if (found->second.empty()) claims.erase(found);
  }
  claimant.addresses.clear();
  claimant.addresses.reserve(addresses.size());
  for (const IpAddress& address : addresses) {
    const std::size_t shard = shard_of(hash_of(address));
    claims_[shard][address].push_back(&claimant);
    claimant.addresses.push_back(address);
    changed_.set(shard);
  }
}

void PodClaims::note_outside(Claimant& claimant) {
  const bool was_outside = claimant.is_outside;
  claimant.is_outside = !claimant.is_on_host_network &&
                        !std::ranges::all_of(claimant.addresses, [this](const IpAddress& address) {
                          return holds(blocks_, address);
                        });
  if (claimant.is_outside && !was_outside) ++outside_;
  if (was_outside && !claimant.is_outside) --outside_;
}

void PodClaims::set_blocks(std::vector<Cidr> blocks) {
  blocks_ = std::move(blocks);
  for (const auto& pod : pods_) note_outside(*pod);
}

std::optional<IpAddress> PodClaims::address_outside() const {
  if (outside_ == 0) return std::nullopt;
  for (const auto& pod : pods_) {
    if (!pod->is_outside) continue;
    for (const IpAddress& address : pod->addresses) {
      if (!holds(blocks_, address)) return address;
    }
  }
  return std::nullopt;
}

void PodClaims::mark(const Claimant& claimant) {
  for (const IpAddress& address : claimant.addresses) changed_.set(shard_of(hash_of(address)));
}

PodClaims::Pods::iterator PodClaims::forget(Pods::iterator pod) {
  take_addresses(**pod, {});
  note_outside(**pod);
  return pods_.erase(pod);
}

void PodClaims::remove(std::string_view pod_namespace, std::string_view name) {
  const auto found = pods_.find(Name(pod_namespace, name));
  if (found != pods_.end()) forget(found);
}

void PodClaims::end_list() {
  for (auto pod = pods_.begin(); pod != pods_.end();) {
    pod = (*pod)->seen == list_ ? std::next(pod) : forget(pod);
  }
}

std::shared_ptr<const PodShard> PodClaims::build(std::size_t shard) {
  const auto& claims = claims_[shard];
  auto built = std::make_shared<PodShard>(claims.size());
  for (const auto& [address, claimants] : claims) {
    // An address whose first claim failed for want of memory has none.
    if (!claimants.empty()) built->add(owner_of(address, claimants));
  }
  changed_.reset(shard);
  return built;
}

}  // namespace ebbgate::identity::detail
