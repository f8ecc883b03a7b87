// Who asks, by the address that they ask from: the pods of a cluster as its API tells them go in,
// the pod behind an address comes out. One writer, the loop that watches, changes shards of an
// immutable table and publishes them; each worker reads its own copies without a lock.
//
// An address within the pods' blocks is a pod's from when the API shows it until the pod has ended,
// is gone, has lost its network, or its time to end is over. Addresses are used again: a pod that
// is ending or no longer ready gives way to a younger one with its address, and in any other
// dispute nobody is believed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/published.h"
#include "policy/subject.h"

namespace ebbgate::identity {

// What the API says of one pod, as far as it matters here.
struct PodState {
  std::string name = {};
  std::string pod_namespace = {};
  std::string uid = {};                   // metadata.uid: another pod of that name has another one
  std::string service_account = {};       // spec.serviceAccountName
  policy::PodLabels labels = {};          // metadata.labels
  std::vector<IpAddress> addresses = {};  // status.podIPs; none before it has its network
  WallTime started = {};                  // status.startTime
  std::optional<WallTime> ends = {};      // metadata.deletionTimestamp: by when it is to be gone
  bool has_ended = false;                 // status.phase is Succeeded or Failed
  bool has_network = true;                // condition PodReadyToStartContainers is not False
  bool is_ready = true;                   // condition Ready is True, or nobody has said
  bool is_on_host_network = false;        // spec.hostNetwork: its address is the node's
};

enum class Presence : std::uint8_t {
  kPod,        // that pod
  kAmbiguous,  // several claim the address: to be denied, whatever the policy says
  kNode,       // a node, or a pod on its network, which cannot be told apart: no pod
  kAwaited,    // nobody yet, but pods have such addresses: ask again for up to kPatience
  kUnknown,    // no pod
  kStale,      // the watch was lost kTrust ago: no pod, as nobody knows any more
};

// Good until the reader's next find(): who needs the pod for longer copies the pointer. (Counting
// the owners of what no cache holds takes longer than to find it.)
struct Found {
  Presence presence;
  // With kPod that one; with kStale the one that had the address last, if any; else null.
  const std::shared_ptr<const policy::Pod>& pod;
};

// Tells the subject what was found at its address: a pod, or that it may be one.
void identify(policy::Subject& subject, const Found& found);

namespace detail {
class PodShard;
class PodClaims;
struct PodSlot;
struct PodSlots {  // of one shard
  const PodSlot* first = nullptr;
  std::size_t count = 0;
};
}  // namespace detail

class PodIndex {
 public:
  // For how long an address that pods may have is worth waiting for, and for how long what is known
  // holds without a watch.
  static constexpr Duration kPatience = std::chrono::seconds(2);
  static constexpr Duration kTrust = std::chrono::minutes(5);

  PodIndex();
  ~PodIndex();
  PodIndex(const PodIndex&) = delete;
  PodIndex& operator=(const PodIndex&) = delete;

  // All of these are for one thread, and readers see put() and remove() after publish() only.
  void put(const PodState& state);  // a pod that is new or has changed
  void remove(std::string_view pod_namespace, std::string_view name);
  // Around a list of everything: what is not put between the two is removed by the second.
  void begin_list();
  void end_list();
  void publish();

  // Where pods have their addresses: no address elsewhere is anybody's. In effect at once.
  void set_pod_blocks(std::vector<Cidr> blocks);

  // Until the watch is first there, nothing is stale: there is nothing to trust. In effect at once.
  void watch_lost(MonotonicTime now);
  void watch_restored();

  [[nodiscard]] std::size_t pod_count() const;        // with an address
  [[nodiscard]] std::size_t ambiguous_count() const;  // addresses, as last published
  // Pods with an address of their own outside of the blocks, and one of those addresses: the blocks
  // are not what the cluster's are.
  [[nodiscard]] std::size_t outside_count() const;
  [[nodiscard]] std::optional<IpAddress> address_outside() const;

 private:
  friend class PodReader;
  // Each shard's update copies its part of the table: many shards, small copies.
  static constexpr std::size_t kShards = 256;
  std::array<Published<detail::PodShard>, kShards> shards_;
  std::atomic<std::uint64_t> changes_{0};  // how often shards were published
  Published<std::vector<Cidr>> blocks_;
  std::atomic<MonotonicTime::rep> trusted_until_;
  std::unique_ptr<detail::PodClaims> claims_;  // the writer's own
};

// One worker's view; for one thread. The index outlives it.
class PodReader {
 public:
  explicit PodReader(const PodIndex& index);

  // `wall` is compared with the time at which a pod has to be gone, `now` with the loss of the
  // watch. An IPv4-mapped address counts as IPv4.
  [[nodiscard]] Found find(const IpAddress& address, WallTime wall, MonotonicTime now);

 private:
  void take_changes();

  const PodIndex* index_;
  std::uint64_t seen_ = 0;  // of the index's changes
  std::array<detail::PodSlots, PodIndex::kShards> slots_;
  std::vector<Subscription<detail::PodShard>> shards_;  // that have them
  Subscription<std::vector<Cidr>> blocks_;
  std::shared_ptr<const policy::Pod> nobody_;
};

}  // namespace ebbgate::identity
