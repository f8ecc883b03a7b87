#include "identity/pod_index.h"

#include <algorithm>

#include "identity/detail/pod_claims.h"

namespace ebbgate::identity {
namespace {

constexpr MonotonicTime::rep kForEver = MonotonicTime::max().time_since_epoch().count();

}  // namespace

PodIndex::PodIndex() : trusted_until_(kForEver), claims_(std::make_unique<detail::PodClaims>()) {
  static_assert(kShards == detail::PodClaims::kShards);
  const auto empty = std::make_shared<const detail::PodShard>(0);
  for (auto& shard : shards_) shard.publish(empty);
  set_pod_blocks({});
}

PodIndex::~PodIndex() = default;

void PodIndex::put(const PodState& state) {
  claims_->put(state);
}

void PodIndex::remove(std::string_view pod_namespace, std::string_view name) {
  claims_->remove(pod_namespace, name);
}

void PodIndex::begin_list() {
  claims_->begin_list();
}

void PodIndex::end_list() {
  claims_->end_list();
}

void PodIndex::publish() {
  for (std::size_t shard = 0; shard < kShards; ++shard) {
    if (claims_->changed().test(shard)) shards_[shard].publish(claims_->build(shard));
  }
  changes_.fetch_add(1, std::memory_order_release);
}

void PodIndex::set_pod_blocks(std::vector<Cidr> blocks) {
  blocks_.publish(std::make_shared<const std::vector<Cidr>>(std::move(blocks)));
}

void PodIndex::watch_lost(MonotonicTime now) {
  // Of several attempts that fail, the first one counts.
  MonotonicTime::rep expected = kForEver;
  trusted_until_.compare_exchange_strong(expected, (now + kTrust).time_since_epoch().count());
}

void PodIndex::watch_restored() {
  trusted_until_ = kForEver;
}

std::size_t PodIndex::pod_count() const {
  return claims_->pod_count();
}

std::size_t PodIndex::ambiguous_count() const {
  std::size_t count = 0;
  for (const auto& shard : shards_) count += shard.get().first->ambiguous();
  return count;
}

PodReader::PodReader(const PodIndex& index) : index_(&index), blocks_(index.blocks_) {
  shards_.reserve(PodIndex::kShards);
  for (const auto& shard : index.shards_) shards_.emplace_back(shard);
  take_changes();
}

void PodReader::take_changes() {
  seen_ = index_->changes_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < PodIndex::kShards; ++i) slots_[i] = shards_[i].current()->slots();
}

Found PodReader::find(const IpAddress& client, WallTime wall, MonotonicTime now) {
  const IpAddress address = client.unmapped();
  const std::size_t hash = detail::hash_of(address);
  if (index_->changes_.load(std::memory_order_acquire) != seen_) take_changes();
  const detail::PodSlot* slot = detail::find(slots_[detail::shard_of(hash)], address, hash);
  if (slot != nullptr && slot->presence == Presence::kAmbiguous) {
    return {Presence::kAmbiguous, nobody_};
  }
  const bool is_node = slot != nullptr && slot->presence == Presence::kNode;
  const bool is_pod = slot != nullptr && !is_node && wall < slot->until;
  if (!is_pod && !is_in_blocks(address)) {
    return {is_node ? Presence::kNode : Presence::kUnknown, nobody_};
  }
  if (now.time_since_epoch().count() >= index_->trusted_until_.load(std::memory_order_relaxed)) {
    return {Presence::kStale, nobody_};
  }
  if (is_pod) return {Presence::kPod, slot->pod};
  return {is_node ? Presence::kNode : Presence::kAwaited, nobody_};
}

bool PodReader::is_in_blocks(const IpAddress& address) {
  return std::ranges::any_of(*blocks_.current(),
                             [&](const Cidr& block) { return block.contains(address); });
}

}  // namespace ebbgate::identity
