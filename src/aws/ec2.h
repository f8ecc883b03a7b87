// EC2: Elastic IPs that gateways claim, and the facts of a network that `plan` and `verify` read.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aws/client.h"

namespace ebbgate::aws::ec2 {

// `{"tag:Name", {"a", "b"}}`: any of the values; filters add up.
struct Filter {
  std::string name;
  std::vector<std::string> values;
};
using Filters = std::vector<Filter>;
using Tags = std::vector<std::pair<std::string, std::string>>;

struct Address {
  std::string allocation_id;
  std::string public_ip;
  std::string association_id;  // empty: free
  std::string instance_id;
  std::string network_interface_id;
  Tags tags;
};
[[nodiscard]] net::Task<Outcome<std::vector<Address>>> describe_addresses(Client& client,
                                                                          Filters filters,
                                                                          Deadline deadline);
// AllowReassociation is false: of several that claim one address, exactly one succeeds; the others
// get the code Resource.AlreadyAssociated (or AddressInUse). Out: the id of the association.
[[nodiscard]] net::Task<Outcome<std::string>> associate_address(Client& client,
                                                                std::string allocation_id,
                                                                std::string instance_id,
                                                                Deadline deadline);
[[nodiscard]] bool is_address_taken(const Failure& failure);

struct Zone {
  std::string name;  // eu-west-2a: another zone in each account
  std::string id;    // euw2-az1: the same everywhere
  std::string state;
  std::string type;  // availability-zone, local-zone, …
};
[[nodiscard]] net::Task<Outcome<std::vector<Zone>>> describe_availability_zones(Client& client,
                                                                                Deadline deadline);

struct Vpc {
  std::string id;
  std::string owner;
  std::vector<std::string> cidrs;  // those that are associated
  Tags tags;
};
[[nodiscard]] net::Task<Outcome<std::vector<Vpc>>> describe_vpcs(Client& client, Filters filters,
                                                                 Deadline deadline);

struct VpcEndpoint {
  std::string id;
  std::string service;  // com.amazonaws.eu-west-2.s3
  std::string type;     // Interface, Gateway
  std::string state;
  std::string vpc;
  bool private_dns = false;
};
[[nodiscard]] net::Task<Outcome<std::vector<VpcEndpoint>>> describe_vpc_endpoints(
    Client& client, Filters filters, Deadline deadline);

struct Subnet {
  std::string id;
  std::string vpc;
  std::string zone_id;
  std::string cidr;
  bool maps_public_ip = false;
  Tags tags;
};
[[nodiscard]] net::Task<Outcome<std::vector<Subnet>>> describe_subnets(Client& client,
                                                                       Filters filters,
                                                                       Deadline deadline);

struct Route {
  std::string destination;  // a CIDR or a prefix list's id
  std::string target;       // the id of the gateway, peering connection or interface; or `local`
  std::string state;        // active, blackhole
};
struct RouteTable {
  std::string id;
  std::string vpc;
  bool is_main = false;
  std::vector<std::string> subnets;
  std::vector<Route> routes;
  Tags tags;
};
[[nodiscard]] net::Task<Outcome<std::vector<RouteTable>>> describe_route_tables(Client& client,
                                                                                Filters filters,
                                                                                Deadline deadline);

}  // namespace ebbgate::aws::ec2
