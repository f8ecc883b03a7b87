// Builds the NO_PROXY value of a cluster (semantics 9) in the portable form (semantics 8): facts
// about its network come in, one list that every client reads alike comes out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hostname.h"
#include "base/ip.h"
#include "base/result.h"

namespace ebbgate::noproxy {

struct ClusterFacts {
  std::vector<Cidr> vpc_cidrs;               // secondary and peered ones too
  std::vector<Cidr> service_cidrs;           // the first is that of the service `kubernetes`
  std::optional<Hostname> cluster_endpoint;  // the API server's own name
  std::string region;                        // such as `eu-west-2`; needed for vpc_endpoints
  std::vector<std::string> vpc_endpoints;    // those that exist, such as `s3`, `ecr.api`
  // Further names, addresses and blocks. A name stands for itself and all below it, with or without
  // a leading dot: most clients read it so whatever is meant.
  std::vector<std::string> extras;
};

// The address of the service `kubernetes`, which is the first of the block.
[[nodiscard]] IpAddress first_service(const Cidr& services);

// The entries in order, each once.
// Error: kMalformedRequest for a region or a VPC endpoint that private_names does not know, and for
// an extra that is none.
[[nodiscard]] Result<std::vector<std::string>> build_entries(const ClusterFacts& facts);

// The value of the two variables, NO_PROXY and no_proxy, which have to be set alike.
[[nodiscard]] std::string join(const std::vector<std::string>& entries);

// What -Dhttp.nonProxyHosts says the same with: `*.` before a name that has a dot in front, blocks
// by their octets (`10.64.*`), at most 128 of them for one block; IPv6 blocks have no form there
// and are left out, and so are IPv4 blocks longer than /24.
[[nodiscard]] std::string java_non_proxy_hosts(const std::vector<std::string>& entries);

}  // namespace ebbgate::noproxy
