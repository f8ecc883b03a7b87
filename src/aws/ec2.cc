#include "aws/ec2.h"

#include <initializer_list>

#include "aws/detail/call.h"

namespace ebbgate::aws::ec2 {
namespace {

using detail::Element;
using detail::Form;

[[nodiscard]] Form filtered(std::string operation, const Filters& filters) {
  Form form(Service::kEc2, std::move(operation));
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const std::string prefix = "Filter." + std::to_string(i + 1) + ".";
    form.add(prefix + "Name", filters[i].name).add_list(prefix + "Value", filters[i].values);
  }
  return form;
}

[[nodiscard]] Tags read_tags(const Element& element) {
  Tags tags;
  for (const Element* tag : element.items("tagSet")) {
    tags.emplace_back(tag->text_at("key"), tag->text_at("value"));
  }
  return tags;
}

[[nodiscard]] Address read_address(const Element& element) {
  return {element.text_at("allocationId"),       element.text_at("publicIp"),
          element.text_at("associationId"),      element.text_at("instanceId"),
          element.text_at("networkInterfaceId"), read_tags(element)};
}

[[nodiscard]] Zone read_zone(const Element& element) {
  return {element.text_at("zoneName"), element.text_at("zoneId"), element.text_at("zoneState"),
          element.text_at("zoneType")};
}

[[nodiscard]] Vpc read_vpc(const Element& element) {
  Vpc vpc{element.text_at("vpcId"), element.text_at("ownerId"), {}, read_tags(element)};
  for (const Element* block : element.items("cidrBlockAssociationSet")) {
    if (block->text_at("cidrBlockState/state") == "associated") {
      vpc.cidrs.push_back(block->text_at("cidrBlock"));
    }
  }
  if (vpc.cidrs.empty()) vpc.cidrs.push_back(element.text_at("cidrBlock"));
  return vpc;
}

[[nodiscard]] VpcEndpoint read_endpoint(const Element& element) {
  return {element.text_at("vpcEndpointId"),   element.text_at("serviceName"),
          element.text_at("vpcEndpointType"), element.text_at("state"),
          element.text_at("vpcId"),           element.is_true_at("privateDnsEnabled")};
}

[[nodiscard]] Subnet read_subnet(const Element& element) {
  return {element.text_at("subnetId"),
          element.text_at("vpcId"),
          element.text_at("availabilityZoneId"),
          element.text_at("cidrBlock"),
          element.is_true_at("mapPublicIpOnLaunch"),
          read_tags(element)};
}

// The first of these that stands there.
[[nodiscard]] std::string first_of(const Element& element,
                                   std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    std::string text = element.text_at(name);
    if (!text.empty()) return text;
  }
  return {};
}

[[nodiscard]] RouteTable read_route_table(const Element& element) {
  RouteTable table{
      element.text_at("routeTableId"), element.text_at("vpcId"), false, {}, {}, read_tags(element)};
  for (const Element* association : element.items("associationSet")) {
    table.is_main = table.is_main || association->is_true_at("main");
    std::string subnet = association->text_at("subnetId");
    if (!subnet.empty()) table.subnets.push_back(std::move(subnet));
  }
  for (const Element* route : element.items("routeSet")) {
    table.routes.push_back(
        {first_of(*route,
                  {"destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"}),
         first_of(*route, {"vpcPeeringConnectionId", "natGatewayId", "transitGatewayId",
                           "egressOnlyInternetGatewayId", "networkInterfaceId", "gatewayId"}),
         route->text_at("state")});
  }
  return table;
}

}  // namespace

net::Task<Outcome<std::vector<Address>>> describe_addresses(Client& client, Filters filters,
                                                            Deadline deadline) {
  return detail::query_list<Address>(client, filtered("DescribeAddresses", filters), "addressesSet",
                                     deadline, read_address);
}

net::Task<Outcome<std::string>> associate_address(Client& client, std::string allocation_id,
                                                  std::string instance_id, Deadline deadline) {
  Form form(Service::kEc2, "AssociateAddress");
  form.add("AllocationId", allocation_id).add("InstanceId", instance_id);
  form.add("AllowReassociation", "false");
  const detail::ReadXml<std::string> read =
      [](const Element& result) -> std::optional<std::string> {
    std::string id = result.text_at("associationId");
    if (id.empty()) return std::nullopt;
    return id;
  };
  return detail::query<std::string>(client, std::move(form), deadline, read);
}

bool is_address_taken(const Failure& failure) {
  return failure.is("Resource.AlreadyAssociated") || failure.is("AddressInUse") ||
         failure.is("InvalidIPAddress.InUse");
}

net::Task<Outcome<std::vector<Zone>>> describe_availability_zones(Client& client,
                                                                  Deadline deadline) {
  return detail::query_list<Zone>(client, filtered("DescribeAvailabilityZones", {}),
                                  "availabilityZoneInfo", deadline, read_zone);
}

net::Task<Outcome<std::vector<Vpc>>> describe_vpcs(Client& client, Filters filters,
                                                   Deadline deadline) {
  return detail::query_list<Vpc>(client, filtered("DescribeVpcs", filters), "vpcSet", deadline,
                                 read_vpc);
}

net::Task<Outcome<std::vector<VpcEndpoint>>> describe_vpc_endpoints(Client& client, Filters filters,
                                                                    Deadline deadline) {
  return detail::query_list<VpcEndpoint>(client, filtered("DescribeVpcEndpoints", filters),
                                         "vpcEndpointSet", deadline, read_endpoint);
}

net::Task<Outcome<std::vector<Subnet>>> describe_subnets(Client& client, Filters filters,
                                                         Deadline deadline) {
  return detail::query_list<Subnet>(client, filtered("DescribeSubnets", filters), "subnetSet",
                                    deadline, read_subnet);
}

net::Task<Outcome<std::vector<RouteTable>>> describe_route_tables(Client& client, Filters filters,
                                                                  Deadline deadline) {
  return detail::query_list<RouteTable>(client, filtered("DescribeRouteTables", filters),
                                        "routeTableSet", deadline, read_route_table);
}

}  // namespace ebbgate::aws::ec2
