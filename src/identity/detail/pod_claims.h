// What the writer knows: every pod, and for each address who claims it. From the claims follows
// whose the address is; shards are built from that.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "identity/detail/pod_shard.h"

namespace ebbgate::identity::detail {

// Each set of labels once: the pods of one template have the same.
class LabelPool {
 public:
  [[nodiscard]] std::shared_ptr<const policy::PodLabels> intern(const policy::PodLabels& labels);

 private:
  using Kept = std::shared_ptr<const policy::PodLabels>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const policy::PodLabels& labels) const;
    std::size_t operator()(const Kept& labels) const { return (*this)(*labels); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Kept& a, const Kept& b) const { return *a == *b; }
    bool operator()(const policy::PodLabels& a, const Kept& b) const { return a == *b; }
    bool operator()(const Kept& a, const policy::PodLabels& b) const { return *a == b; }
  };
  std::unordered_set<Kept, Hash, Equal> pool_;
  std::size_t sweep_at_ = 1024;  // how many there may be before those of nobody are let go
};

[[nodiscard]] bool holds(const std::vector<Cidr>& blocks, const IpAddress& address);

// A pod that has addresses.
struct Claimant {
  std::shared_ptr<const policy::Pod> pod;
  std::vector<IpAddress> addresses;
  WallTime started = {};
  WallTime ends = WallTime::max();
  bool is_ready = true;
  bool is_on_host_network = false;
  bool is_outside = false;  // of the blocks, with an address of its own
  std::uint64_t seen = 0;   // the list in which it was last put

  [[nodiscard]] bool is_ending() const { return ends != WallTime::max(); }
  // Whether it is not believed any more once somebody who started then has its address. Where the
  // API has yet to hear of an end (a node was lost, or a kubelet is behind), readiness goes first.
  [[nodiscard]] bool gives_way_to(WallTime younger) const {
    return (is_ending() || !is_ready) && started < younger;
  }
};

class PodClaims {
 public:
  static constexpr std::size_t kShards = 256;

  void put(const PodState& state);
  void remove(std::string_view pod_namespace, std::string_view name);
  void begin_list() { ++list_; }
  void end_list();
  void set_blocks(std::vector<Cidr> blocks);

  // The shards that have changed since they were last built.
  [[nodiscard]] const std::bitset<kShards>& changed() const { return changed_; }
  [[nodiscard]] std::shared_ptr<const PodShard> build(std::size_t shard);

  [[nodiscard]] std::size_t pod_count() const { return pods_.size(); }
  [[nodiscard]] std::size_t outside_count() const { return outside_; }
  [[nodiscard]] std::optional<IpAddress> address_outside() const;

 private:
  using Name = std::pair<std::string_view, std::string_view>;  // namespace and name
  static Name name_of(const std::unique_ptr<Claimant>& each) {
    return {each->pod->pod_namespace, each->pod->name};
  }
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Name& name) const {
      return std::hash<std::string_view>{}(name.first) * 31 +
             std::hash<std::string_view>{}(name.second);
    }
    std::size_t operator()(const std::unique_ptr<Claimant>& each) const {
      return (*this)(name_of(each));
    }
  };
  struct Equal {
    using is_transparent = void;
    static Name name(const Name& of) { return of; }
    static Name name(const std::unique_ptr<Claimant>& of) { return name_of(of); }
    bool operator()(const auto& a, const auto& b) const { return name(a) == name(b); }
  };
  using Pods = std::unordered_set<std::unique_ptr<Claimant>, Hash, Equal>;

  void take_addresses(Claimant& claimant, const std::vector<IpAddress>& addresses);
  void note_outside(Claimant& claimant);
  void mark(const Claimant& claimant);
  Pods::iterator forget(Pods::iterator pod);

  Pods pods_;
  std::array<std::unordered_map<IpAddress, std::vector<const Claimant*>>, kShards> claims_;
  std::bitset<kShards> changed_;
  LabelPool labels_;
  std::uint64_t list_ = 0;
  std::vector<Cidr> blocks_;
  std::size_t outside_ = 0;
};

}  // namespace ebbgate::identity::detail
