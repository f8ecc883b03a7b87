#include "identity/pod_index.h"

#include "identity/detail/pod_claims.h"

namespace ebbgate::identity {
namespace {

constexpr MonotonicTime::rep kForEver = MonotonicTime::max().time_since_epoch().count();

}  // namespace

void identify(policy::Subject& subject, const Found& found) {
  const std::shared_ptr<const policy::Pod> nobody;
  const bool is_pod = found.presence == Presence::kPod;
  const auto& pod = is_pod ? found.pod : nobody;
  const auto& suspected = is_pod ? nobody : found.pod;
  // Most requests are of the pod that the one before was of: nothing is written then.
  if (subject.pod != pod) subject.pod = pod;
  if (subject.suspected != suspected) subject.suspected = suspected;
  subject.may_be_pod = found.presence == Presence::kAwaited || found.presence == Presence::kStale;
}

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
  claims_->set_blocks(blocks);
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

std::size_t PodIndex::outside_count() const {
  return claims_->outside_count();
}

std::optional<IpAddress> PodIndex::address_outside() const {
  return claims_->address_outside();
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
  // Elsewhere the same address may be anybody's, whoever has it in the cluster.
  if (!detail::holds(*blocks_.current(), address)) return {Presence::kUnknown, nobody_};
  const std::size_t hash = detail::hash_of(address);
  if (index_->changes_.load(std::memory_order_acquire) != seen_) take_changes();
  const detail::PodSlot* slot = detail::find(slots_[detail::shard_of(hash)], address, hash);
  if (slot != nullptr && slot->presence == Presence::kAmbiguous) {
    return {Presence::kAmbiguous, nobody_};
  }
  if (now.time_since_epoch().count() >= index_->trusted_until_.load(std::memory_order_relaxed)) {
    return {Presence::kStale, slot != nullptr ? slot->pod : nobody_};
  }
  if (slot == nullptr) return {Presence::kAwaited, nobody_};
  if (slot->presence == Presence::kNode) return {Presence::kNode, nobody_};
  if (wall < slot->until) return {Presence::kPod, slot->pod};
  return {Presence::kAwaited, nobody_};
}

}  // namespace ebbgate::identity
