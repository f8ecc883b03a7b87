// The file of `ebbgate eks` (docs/eks.md): what an EKS cluster behind a fleet of gateways should
// be like. Text in, typed values with their places out, with every problem of the text at once.
// What no single value can know is checked in deploy/check.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "config/problem.h"
#include "policy/bundle.h"
#include "policy/pattern.h"

namespace ebbgate::config {

// A value and where the file has it; the position is 0:0 for a default.
template <typename T>
struct Placed {
  T value;
  policy::Position position = {};

  [[nodiscard]] bool is_default() const { return position == policy::Position{}; }
  bool operator==(const Placed&) const = default;
};

enum class AddressMode : std::uint8_t { kEip, kNat };
enum class Architecture : std::uint8_t { kArm64, kX86 };
enum class NodeOs : std::uint8_t { kAl2023, kBottlerocket };
enum class AccessMode : std::uint8_t { kApi, kConfigMap };

using Texts = std::vector<Placed<std::string>>;

// Where kubectl runs: the machine in the other VPC that the text calls the bastion.
struct EksBastion {
  Placed<std::string> vpc;
  Placed<Cidr> cidr = {Cidr::of(IpAddress()), {}};
  Placed<std::string> role;            // ARN of the role that gets access to the cluster
  Placed<std::string> security_group;  // empty: the whole block may reach the API
  Texts route_tables;                  // that get a route to the cluster's VPC
  Placed<std::string> account;         // empty: the same
  Placed<std::string> region;          // empty: the same
  Placed<std::string> peer_role;       // ARN that accepts the peering in the other account
  policy::Position position = {};
};

struct EksNetwork {
  Placed<Cidr> cidr = {*Cidr::parse("10.64.0.0/16"), {}};
  Texts zones;  // names (eu-west-2a) or ids (euw2-az1); two or three
  Placed<Cidr> services = {*Cidr::parse("10.100.0.0/16"), {}};
  // Interface endpoints to make; the one of S3 is always there. Absent: those without which the
  // CNI would need a proxy.
  Texts endpoints = {{"ec2", {}}, {"eks-auth", {}}};
};

struct EksGateway {
  Placed<std::size_t> min = {2, {}};
  Placed<std::size_t> max = {4, {}};
  Placed<std::size_t> port = {3128, {}};
  Texts instance_types;  // empty: the template's own
  Placed<Architecture> architecture = {Architecture::kArm64, {}};
  Placed<AddressMode> addresses = {AddressMode::kEip, {}};
  Placed<std::string> bucket;  // where the program's tarball is
  Placed<std::string> key;
  Placed<std::string> sha256;  // of the tarball, 64 hex digits
  // Whether they ask the cluster for its policies and pods, once it has what that needs. A fleet
  // that does not, starts whether or not the cluster's API answers: so this is a choice.
  Placed<bool> kube = {false, {}};
  policy::Position position = {};
};

struct EksNodes {
  Placed<std::size_t> min = {2, {}};
  Placed<std::size_t> max = {4, {}};
  Placed<std::size_t> desired = {2, {}};
  Texts instance_types;
  Placed<NodeOs> os = {NodeOs::kAl2023, {}};
  Placed<std::size_t> disk = {50, {}};  // GiB
};

struct EksBundle {
  std::string name;
  policy::BundleArguments arguments;
  policy::Position position = {};
};

struct EksAlerts {
  Placed<std::string> email;
  Placed<std::string> topic;  // ARN of an existing SNS topic
};

struct EksSettings {
  std::string file;
  Placed<std::string> name;
  Placed<std::string> region;
  Placed<std::string> version = {"1.35", {}};
  Placed<AccessMode> access = {AccessMode::kApi, {}};
  EksNetwork network;
  std::optional<EksBastion> bastion;
  std::vector<Placed<policy::Pattern>> domains;
  std::vector<EksBundle> bundles;
  Placed<std::string> policy;          // a file of policy documents, relative to this one
  std::vector<Placed<IpAddress>> dns;  // servers; empty: the VPC's own
  EksGateway gateway;
  EksNodes nodes;
  EksAlerts alerts;
  std::vector<std::pair<Placed<std::string>, std::string>> tags;
};

struct LoadedEks {
  EksSettings settings;  // not to be used where has_errors(problems)
  std::vector<Problem> problems;
};

[[nodiscard]] LoadedEks parse_eks(std::string_view text, const std::string& file);

}  // namespace ebbgate::config
