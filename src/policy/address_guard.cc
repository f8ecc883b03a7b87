#include "policy/address_guard.h"

#include <algorithm>
#include <array>

#include "policy/detail/evaluate.h"

namespace ebbgate::policy {
namespace {

// What hands out credentials to whoever can reach it: nothing opts these in.
struct Agent {
  std::string_view address;
  std::string_view name;
};
constexpr std::array kAgents = {
    Agent{"169.254.169.254", "the metadata service"},
    Agent{"fd00:ec2::254", "the metadata service"},
    Agent{"169.254.170.2", "the container credentials agent"},
    Agent{"169.254.170.23", "the Pod Identity agent"},
    Agent{"fd00:ec2::23", "the Pod Identity agent"},
};

const Cidr* find_block(std::span<const Cidr> blocks, const IpAddress& address) {
  const auto block =
      std::ranges::find_if(blocks, [&](const Cidr& each) { return each.contains(address); });
  return block == blocks.end() ? nullptr : &*block;
}

bool is_loopback(const IpAddress& address) {
  if (address.is_v4()) return address.v4_value() >> 24U == 127;
  return address == IpAddress::parse("::1");
}

bool is_unspecified(const IpAddress& address) {
  return address == IpAddress() || address == IpAddress::v6({});
}

// Whether connecting there would come back to the gateway. An unspecified address reaches the host
// itself; an own address is taken with any listener's port, for it may be a translated one.
bool is_listener(const AddressGuardSettings& settings, const IpAddress& address, Port port) {
  const bool is_own = is_unspecified(address) || find_block(settings.own, address) != nullptr;
  return std::ranges::any_of(settings.listeners, [&](const Endpoint& listener) {
    if (listener.port != port.value()) return false;
    return is_own || listener.address == address ||
           (is_unspecified(listener.address) && is_loopback(address));
  });
}

std::optional<Obstacle> absolute_obstacle(const AddressGuardSettings& settings,
                                          const IpAddress& address, Port port) {
  for (const Agent& agent : kAgents) {
    if (address == IpAddress::parse(agent.address)) {
      return Obstacle{agent.name, Cidr::of(address), true};
    }
  }
  if (is_listener(settings, address, port)) {
    return Obstacle{"the gateway's own listener", Cidr::of(address), true};
  }
  return std::nullopt;
}

// The obstacles of one address that can be lifted; none, and no allocation, for most.
std::vector<Obstacle> obstacles_of(const AddressGuardSettings& settings, const IpAddress& address) {
  std::vector<Obstacle> obstacles;
  if (const Cidr* block = find_block(settings.own, address)) {
    obstacles.push_back({"an address of the gateway's fleet", *block});
  }
  if (const Cidr* block = find_block(settings.inside, address)) {
    obstacles.push_back({"inside the network", *block});
  }
  if (const auto special = special_block(address)) {
    obstacles.push_back({special->name, special->block});
  }
  return obstacles;
}

}  // namespace

AddressGuard::AddressGuard(AddressGuardSettings settings) : settings_(std::move(settings)) {}

std::optional<Obstacle> AddressGuard::judge(const IpAddress& address, Port port,
                                            std::span<const Cidr> opted_in,
                                            const Cidr* literal) const {
  for (const IpAddress& reading : Readings(address, settings_.nat64)) {
    if (auto obstacle = absolute_obstacle(settings_, reading, port)) return obstacle;
    if (find_block(opted_in, reading) || find_block(settings_.allow_private, reading)) continue;
    const std::vector<Obstacle> obstacles = obstacles_of(settings_, reading);
    const bool is_named = literal != nullptr && literal->contains(reading) &&
                          std::ranges::any_of(obstacles, [&](const Obstacle& obstacle) {
                            return obstacle.block.contains(*literal);
                          });
    if (!obstacles.empty() && !is_named) return obstacles.front();
  }
  return std::nullopt;
}

namespace {

// The deny entry whose block holds the address or what it leads to.
std::optional<PatternId> denied_by(const Policy& policy, const AddressGuard& guard,
                                   const Subject& subject, const IpAddress& address, Port port,
                                   WallTime now) {
  const detail::NamespacePart* own = policy.part_for(subject);
  detail::MostSpecific denied;
  for (const IpAddress& reading : Readings(address, guard.settings().nat64)) {
    const Host host(reading);
    // `methods` and `paths` were judged with the name; a block that is limited to some of them
    // says nothing of an address that a name led to.
    const Request request{.host = host, .port = port, .visibility = Visibility::kPending};
    detail::visit_patterns(policy, own, host, [&](const detail::Hit& hit) {
      if (hit.rule->denies &&
          detail::fit_of(policy, hit, subject, request, now) == detail::Fit::kFits) {
        denied.consider(hit);
      }
    });
  }
  return denied.get();
}

}  // namespace

AddressJudgement judge_address(const Policy& policy, const AddressGuard& guard,
                               const Subject& subject, const Host& target, const Decision& decision,
                               const IpAddress& address, Port port, WallTime now) {
  AddressJudgement judgement;
  // A denied literal that is only reported was judged by decide(), and was let pass.
  const bool is_reported_literal =
      target.address() != nullptr && decision.verdict == Verdict::kReport;
  if (!is_reported_literal) {
    judgement.denied_by = denied_by(policy, guard, subject, address, port, now);
    if (judgement.denied_by) {
      judgement.what = "in a block that a deny entry names";
      return judgement;
    }
  }
  for (const Admission& admission : decision.admissions.all()) {
    std::optional<Cidr> literal;
    if (admission.literal) {
      literal = detail::block_of(policy.hit(*admission.literal).key());
    }
    const auto obstacle = guard.judge(address, port, policy.terms(admission.terms).addresses,
                                      literal ? &*literal : nullptr);
    if (obstacle) {
      if (judgement.what.empty()) judgement.what = obstacle->what;
    } else {
      judgement.admissions.add(admission);
    }
  }
  if (!judgement.admissions.empty()) {
    judgement.reason = Reason::kAllowed;
    judgement.what = {};
  }
  return judgement;
}

}  // namespace ebbgate::policy
