"""Resource types of EC2's networks, and of load balancing."""

import ipaddress

from ..ec2 import local_route, new_id, tag_set
from ..protocols import AwsError
from . import types as t

_SIDE, _OUT = "ipPermissions", "ipPermissionsEgress"


def _vpc(r):
    network = ipaddress.ip_network(r.properties["CidrBlock"])
    if not 16 <= network.prefixlen <= 28:
        raise AwsError("InvalidVpc.Range", f"The CIDR '{network}' is invalid.")
    r.emulator.ec2.add_vpc(r.properties["CidrBlock"], r.physical, r.properties.get("Tags"))


def _has(table, ident, code, what):
    if ident not in table:
        raise AwsError(code, f"The {what} ID '{ident}' does not exist")
    return table[ident]


def vpc_of(r):
    return _has(r.emulator.ec2.vpcs, r.properties["VpcId"], "InvalidVpcID.NotFound", "vpc")


def _drop_vpc(r):
    ec2 = r.emulator.ec2
    for table in (ec2.subnets, ec2.security_groups, ec2.endpoints):
        if any(each.get("vpcId") == r.physical for each in table.values()):
            raise AwsError("DependencyViolation", f"The vpc '{r.physical}' has dependencies and "
                           "cannot be deleted.")
    ec2.vpcs.pop(r.physical)
    for name in [n for n, each in ec2.route_tables.items() if each["vpcId"] == r.physical]:
        del ec2.route_tables[name]


def _subnet(r):
    ec2, p, vpc = r.emulator.ec2, r.properties, vpc_of(r)
    block = ipaddress.ip_network(p["CidrBlock"])
    if not block.subnet_of(ipaddress.ip_network(vpc["cidrBlock"])):
        raise AwsError("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    if any(each["vpcId"] == p["VpcId"] and block.overlaps(ipaddress.ip_network(each["cidrBlock"]))
           for each in ec2.subnets.values()):
        raise AwsError("InvalidSubnet.Conflict",
                       f"The CIDR '{block}' conflicts with another subnet")
    ids = ec2.zone_ids()
    zone = p.get("AvailabilityZone")
    if "AvailabilityZoneId" in p:
        if zone:
            raise AwsError("InvalidParameterCombination", "AvailabilityZone and "
                           "AvailabilityZoneId cannot be given together")
        zone = next((z for z, i in ids.items() if i == p["AvailabilityZoneId"]), None)
    if zone is not None and zone not in ids or "AvailabilityZoneId" in p and zone is None:
        raise AwsError("InvalidParameterValue", f"Value ({zone or p['AvailabilityZoneId']}) for "
                       "parameter availabilityZone is invalid. Subnets can currently only be "
                       f"created in the following availability zones: {', '.join(ids)}.")
    zone = zone or ec2.zones[0]
    ec2.subnets[r.physical] = {
        "subnetId": r.physical, "vpcId": p["VpcId"], "cidrBlock": p["CidrBlock"],
        "state": "available", "availabilityZone": zone, "availabilityZoneId": ids[zone],
        "availableIpAddressCount": block.num_addresses - 5, "ownerId": r.emulator.account,
        "mapPublicIpOnLaunch": p.get("MapPublicIpOnLaunch", False),
        "tagSet": tag_set(p.get("Tags"))}


def _drop_subnet(r):
    at = r.emulator
    if (any(r.physical in group.subnets.values() for group in at.autoscaling.groups.values())
            or any(r.physical in each.get("subnetIdSet", []) for each in at.ec2.endpoints.values())
            or any(r.physical in cluster.told["resourcesVpcConfig"]["subnetIds"]
                   for cluster in at.eks.clusters.values())):
        raise AwsError("DependencyViolation", f"The subnet '{r.physical}' has dependencies and "
                       "cannot be deleted.")
    at.ec2.subnets.pop(r.physical)


def _route_table(r):
    vpc = vpc_of(r)
    r.emulator.ec2.route_tables[r.physical] = {
        "routeTableId": r.physical, "vpcId": vpc["vpcId"], "ownerId": r.emulator.account,
        "routeSet": [local_route(vpc["cidrBlock"])], "associationSet": [],
        "tagSet": tag_set(r.properties.get("Tags"))}


def _table_of(r):
    return _has(r.emulator.ec2.route_tables, r.properties["RouteTableId"],
                "InvalidRouteTableID.NotFound", "routeTable")


def _route(r):
    p, ec2 = r.properties, r.emulator.ec2
    _table_of(r)
    if p.get("GatewayId", "").startswith("igw-"):
        gateway = _has(ec2.internet_gateways, p["GatewayId"], "InvalidInternetGatewayID.NotFound",
                       "internetGateway")
        if not gateway["attachmentSet"]:
            raise AwsError("InvalidParameterValue", f"route table and network gateway "
                           f"{p['GatewayId']} belong to different networks")
    if "VpcPeeringConnectionId" in p:
        _has(ec2.peerings, p["VpcPeeringConnectionId"], "InvalidVpcPeeringConnectionID.NotFound",
             "vpcPeeringConnection")
    ec2.CreateRoute(p)


def _drop_route(r):
    if r.properties["RouteTableId"] in r.emulator.ec2.route_tables:
        r.emulator.ec2.DeleteRoute(r.properties)


def _association(r):
    table = _table_of(r)
    _has(r.emulator.ec2.subnets, r.properties["SubnetId"], "InvalidSubnetID.NotFound", "subnet")
    for each in r.emulator.ec2.route_tables.values():
        if any(a.get("subnetId") == r.properties["SubnetId"] for a in each["associationSet"]):
            raise AwsError("Resource.AlreadyAssociated", "the specified association for route "
                           f"table {table['routeTableId']} conflicts with an existing association")
    table["associationSet"].append({
        "routeTableAssociationId": r.physical, "routeTableId": table["routeTableId"],
        "subnetId": r.properties["SubnetId"], "main": False,
        "associationState": {"state": "associated"}})


def _drop_association(r):
    table = r.emulator.ec2.route_tables.get(r.properties["RouteTableId"], {"associationSet": []})
    table["associationSet"][:] = [each for each in table["associationSet"]
                                  if each["routeTableAssociationId"] != r.physical]


def _internet_gateway(r):
    r.emulator.ec2.internet_gateways[r.physical] = {
        "internetGatewayId": r.physical, "ownerId": r.emulator.account, "attachmentSet": [],
        "tagSet": tag_set(r.properties.get("Tags"))}


def _attachment(r):
    vpc = vpc_of(r)
    gateway = _has(r.emulator.ec2.internet_gateways, r.properties["InternetGatewayId"],
                   "InvalidInternetGatewayID.NotFound", "internetGateway")
    gateway["attachmentSet"].append({"vpcId": vpc["vpcId"], "state": "available"})


def _drop_attachment(r):
    gateway = r.emulator.ec2.internet_gateways.get(r.properties["InternetGatewayId"])
    if gateway:
        gateway["attachmentSet"].clear()


def _endpoint(r):
    p, vpc = r.properties, vpc_of(r)
    for subnet in p.get("SubnetIds", []):
        _has(r.emulator.ec2.subnets, subnet, "InvalidSubnetID.NotFound", "subnet")
    for table in p.get("RouteTableIds", []):
        _has(r.emulator.ec2.route_tables, table, "InvalidRouteTableId.NotFound", "routeTable")
    region = r.emulator.region
    if not p["ServiceName"].startswith(f"com.amazonaws.{region}."):
        raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{p['ServiceName']}' does "
                       "not exist")
    r.emulator.ec2.endpoints[r.physical] = {
        "vpcEndpointId": r.physical, "vpcEndpointType": p.get("VpcEndpointType", "Gateway"),
        "vpcId": vpc["vpcId"], "serviceName": p["ServiceName"], "state": "available",
        "privateDnsEnabled": p.get("PrivateDnsEnabled", False),
        "routeTableIdSet": p.get("RouteTableIds", []), "subnetIdSet": p.get("SubnetIds", []),
        "groupSet": [{"groupId": group} for group in p.get("SecurityGroupIds", [])],
        "ownerId": r.emulator.account, "tagSet": tag_set(p.get("Tags"))}


def permission(r, rule):
    """A rule as DescribeSecurityGroups tells it."""
    peer = (rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId"))
    if peer and peer not in r.emulator.ec2.security_groups:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{peer}' does not exist")
    description = rule.get("Description")
    if "CidrIp" in rule:
        ipaddress.ip_network(rule["CidrIp"])
    return {"ipProtocol": str(rule["IpProtocol"]),
            "fromPort": rule.get("FromPort"), "toPort": rule.get("ToPort"),
            "ipRanges": [{"cidrIp": rule["CidrIp"], "description": description}]
            if "CidrIp" in rule else [], "ipv6Ranges": [], "prefixListIds": [],
            "groups": [{"groupId": peer, "userId": r.emulator.account,
                        "description": description}] if peer else []}


def add_group(emulator, ident, name, vpc, description, tags=None):
    emulator.ec2.security_groups[ident] = {
        "groupId": ident, "groupName": name, "vpcId": vpc, "groupDescription": description,
        "ownerId": emulator.account, "tagSet": tag_set(tags), "ipPermissions": [],
        "ipPermissionsEgress": []}
    return emulator.ec2.security_groups[ident]


def _group(r):
    p, vpc = r.properties, vpc_of(r)
    own = _own_rules(r)
    add_group(r.emulator, r.physical, p.get("GroupName", t.named()(r)), vpc["vpcId"],
              p["GroupDescription"], p.get("Tags"))
    r.kept["own"] = own
    for side, rules in own.items():
        r.emulator.ec2.security_groups[r.physical][side] = list(rules)


def _own_rules(r):
    """The rules that stand in the group's own properties."""
    return {_SIDE: [permission(r, rule) for rule in r.properties.get("SecurityGroupIngress", [])],
            _OUT: [permission(r, rule) for rule in r.properties.get("SecurityGroupEgress", [
                {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}])]}


def _change_group(r, old):
    group, before = r.emulator.ec2.security_groups[r.physical], r.kept["own"]
    r.kept["own"] = _own_rules(r)
    for side, rules in r.kept["own"].items():
        group[side] = rules + [each for each in group[side]
                               if not any(each is one for one in before[side])]


def _drop_group(r):
    groups = r.emulator.ec2.security_groups
    for ident, group in groups.items():
        if ident != r.physical and any(
                peer["groupId"] == r.physical for rule in
                group["ipPermissions"] + group["ipPermissionsEgress"] for peer in rule["groups"]):
            raise AwsError("DependencyViolation",
                           f"resource {r.physical} has a dependent object")
    groups.pop(r.physical, None)


def _rule(side):
    def make(r):
        groups = r.emulator.ec2.security_groups
        if r.properties["GroupId"] not in groups:
            raise AwsError("InvalidGroup.NotFound", "The security group "
                           f"'{r.properties['GroupId']}' does not exist")
        rules = groups[r.properties["GroupId"]][side]
        rule = permission(r, r.properties)
        if rule in rules:
            raise AwsError("InvalidPermission.Duplicate", "the specified rule already exists")
        rules.append(rule)
        r.kept["rule"] = rule
    return make


def _drop_rule(side):
    def drop(r):
        group = r.emulator.ec2.security_groups.get(r.properties["GroupId"])
        if group:
            group[side] = [rule for rule in group[side] if rule is not r.kept.get("rule")]
    return drop


def _peering(r):
    p, vpc = r.properties, vpc_of(r)
    peers = r.emulator.ec2.vpcs
    local = p.get("PeerOwnerId", r.emulator.account) == r.emulator.account and (
        p.get("PeerRegion", r.emulator.region) == r.emulator.region)
    if local:
        peer = _has(peers, p["PeerVpcId"], "InvalidVpcID.NotFound", "vpc")
        if ipaddress.ip_network(peer["cidrBlock"]).overlaps(
                ipaddress.ip_network(vpc["cidrBlock"])):
            raise AwsError("InvalidParameterValue", "The CIDRs of the VPCs overlap: the peering "
                           "connection has failed")
    elif p.get("PeerOwnerId", r.emulator.account) != r.emulator.account and "PeerRoleArn" not in p:
        raise AwsError("InvalidParameterValue", "the peering is pending acceptance for too long")
    r.emulator.ec2.peerings[r.physical] = {
        "vpcPeeringConnectionId": r.physical, "status": {"code": "active", "message": "Active"},
        "requesterVpcInfo": {"vpcId": p["VpcId"], "ownerId": r.emulator.account,
                             "cidrBlock": vpc["cidrBlock"], "region": r.emulator.region},
        "accepterVpcInfo": {"vpcId": p["PeerVpcId"],
                            "ownerId": p.get("PeerOwnerId", r.emulator.account),
                            "region": p.get("PeerRegion", r.emulator.region)},
        "tagSet": tag_set(p.get("Tags"))}


def _forget(table):
    return lambda r: getattr(r.emulator.ec2, table).pop(r.physical, None)


def _address(r):
    ec2 = r.emulator.ec2
    if len(ec2.addresses) >= ec2.address_quota:
        raise AwsError("AddressLimitExceeded", "The maximum number of addresses has been reached.")
    address = ec2.allocate(r.properties.get("Tags"))
    r.physical, r.kept["allocation"] = address["publicIp"], address["allocationId"]


def _drop_address(r):
    r.emulator.ec2.ReleaseAddress({"AllocationId": r.kept["allocation"]})


def _nat(r):
    p = r.properties
    subnet = _has(r.emulator.ec2.subnets, p["SubnetId"], "InvalidSubnetID.NotFound", "subnet")
    address = r.emulator.ec2.addresses.get(p.get("AllocationId"))
    if p.get("ConnectivityType", "public") == "public" and address is None:
        raise AwsError("InvalidAllocationID.NotFound", "Elastic IP address could not be found")
    if address:
        address["associationId"] = new_id("eipassoc")
    r.emulator.ec2.nat_gateways[r.physical] = {
        "natGatewayId": r.physical, "state": "available", "subnetId": p["SubnetId"],
        "vpcId": subnet["vpcId"], "connectivityType": p.get("ConnectivityType", "public"),
        "natGatewayAddressSet": [{"allocationId": p.get("AllocationId"), "publicIp":
                                  address["publicIp"]}] if address else [],
        "tagSet": tag_set(p.get("Tags"))}


def _drop_nat(r):
    r.emulator.ec2.nat_gateways.pop(r.physical, None)
    address = r.emulator.ec2.addresses.get(r.properties.get("AllocationId"))
    if address:
        address.pop("associationId", None)


# Load balancing.

def _elb(kind):
    def made(r):
        name = t.named("Name", 32)(r)
        if r.type.endswith("LoadBalancer"):
            name = f"{'net' if r.properties.get('Type') == 'network' else 'app'}/{name}"
        return r.emulator.elbv2.arn(f"{kind}/{name}/{t.hexadecimal()}")
    return made


def _full_name(r):
    full = r.physical.rsplit(":", 1)[-1]
    return full.removeprefix("loadbalancer/")


def _balancer(r):
    p = r.properties
    zones = set()
    for ident in p.get("Subnets", []) + [m["SubnetId"] for m in p.get("SubnetMappings", [])]:
        subnet = r.emulator.ec2.subnets.get(ident)
        if subnet is None:
            raise AwsError("SubnetNotFound", f"The subnet ID '{ident}' does not exist")
        zones.add(subnet["availabilityZone"])
    for group in p.get("SecurityGroups", []):
        if group not in r.emulator.ec2.security_groups:
            raise AwsError("InvalidSecurityGroup", f"The security group '{group}' does not exist")
    name = _full_name(r).split("/")[1]
    scheme = p.get("Scheme", "internet-facing")
    dns = (f"{'internal-' if scheme == 'internal' and p.get('Type') != 'network' else ''}{name}-"
           f"{_full_name(r).split('/')[2]}.elb.{r.emulator.region}.amazonaws.com")
    r.kept["dns"] = dns.lower()
    r.emulator.elbv2.balancers[r.physical] = {
        "LoadBalancerArn": r.physical, "LoadBalancerName": name, "DNSName": r.kept["dns"],
        "Scheme": scheme, "Type": p.get("Type", "application"), "State": {"Code": "active"},
        "AvailabilityZones": [{"ZoneName": zone} for zone in sorted(zones)],
        "SecurityGroups": p.get("SecurityGroups", [])}


def _target_group(r):
    p = r.properties
    r.emulator.elbv2.target_groups[r.physical] = {
        "TargetGroupArn": r.physical, "TargetGroupName": _full_name(r).split("/")[1],
        "Protocol": p.get("Protocol"), "Port": p.get("Port"), "VpcId": p.get("VpcId"),
        "HealthCheckPath": p.get("HealthCheckPath"), "LoadBalancerArns": [],
        "HealthCheckPort": p.get("HealthCheckPort", "traffic-port"),
        "TargetType": p.get("TargetType", "instance")}


def _listener(r):
    p, elb = r.properties, r.emulator.elbv2
    if p["LoadBalancerArn"] not in elb.balancers:
        raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
    for action in p["DefaultActions"]:
        group = elb.target_groups.get(action.get("TargetGroupArn"))
        if group is None:
            raise AwsError("TargetGroupNotFound", "One or more target groups not found")
        group["LoadBalancerArns"].append(p["LoadBalancerArn"])
    elb.listeners[r.physical] = {
        "ListenerArn": r.physical, "LoadBalancerArn": p["LoadBalancerArn"],
        "Protocol": p.get("Protocol"), "Port": p.get("Port"),
        "DefaultActions": p["DefaultActions"]}


def _forget_elb(table):
    return lambda r: getattr(r.emulator.elbv2, table).pop(r.physical, None)


_RULE = "CidrIp CidrIpv6 FromPort ToPort IpProtocol GroupId SourceSecurityGroupId " \
    "SourceSecurityGroupOwnerId DestinationSecurityGroupId"

TYPES = {
    "AWS::EC2::VPC": t.Kind(t.ident("vpc"), {
        "VpcId": t.physical, "CidrBlock": t.prop("CidrBlock"),
        "DefaultSecurityGroup": t.once("group", lambda: new_id("sg")),
        "DefaultNetworkAcl": t.once("acl", lambda: new_id("acl"))},
        "CidrBlock Ipv4IpamPoolId", _vpc, None, _drop_vpc),
    "AWS::EC2::Subnet": t.Kind(t.ident("subnet"), {
        "SubnetId": t.physical, "CidrBlock": t.prop("CidrBlock"), "VpcId": t.prop("VpcId"),
        "AvailabilityZone": lambda r: r.emulator.ec2.subnets[r.physical]["availabilityZone"],
        "AvailabilityZoneId": lambda r: r.emulator.ec2.subnets[r.physical]["availabilityZoneId"]},
        "VpcId CidrBlock AvailabilityZone AvailabilityZoneId", _subnet,
        lambda r, old: r.emulator.ec2.subnets[r.physical].update(
            tagSet=tag_set(r.properties.get("Tags"))), _drop_subnet),
    "AWS::EC2::RouteTable": t.Kind(t.ident("rtb"), {"RouteTableId": t.physical}, "VpcId",
                                   _route_table, None, _forget("route_tables")),
    "AWS::EC2::Route": t.Kind(lambda r: f"{r.properties['RouteTableId']}|"
                              f"{r.properties.get('DestinationCidrBlock')}",
                              {"CidrBlock": t.prop("DestinationCidrBlock")},
                              "RouteTableId DestinationCidrBlock DestinationIpv6CidrBlock",
                              _route, None, _drop_route),
    "AWS::EC2::SubnetRouteTableAssociation": t.Kind(
        t.ident("rtbassoc"), {"Id": t.physical}, "SubnetId", _association, None,
        _drop_association),
    "AWS::EC2::InternetGateway": t.Kind(t.ident("igw"), {"InternetGatewayId": t.physical}, "",
                                        _internet_gateway, None, _forget("internet_gateways")),
    "AWS::EC2::VPCGatewayAttachment": t.Kind(
        lambda r: f"IGW|{r.properties['VpcId']}", {"AttachmentType": lambda r: "IGW"}, "VpcId",
        _attachment, None, _drop_attachment),
    "AWS::EC2::VPCEndpoint": t.Kind(t.ident("vpce"), {
        "Id": t.physical, "DnsEntries": lambda r: [
            f"Z7HUB22UULQXV:{r.physical}.vpce.amazonaws.com"],
        "NetworkInterfaceIds": t.once("interfaces", lambda: [new_id("eni")]),
        "CreationTimestamp": lambda r: "2026-01-01T00:00:00Z"},
        "VpcId ServiceName VpcEndpointType", _endpoint, lambda r, old: _endpoint(r),
        _forget("endpoints")),
    "AWS::EC2::FlowLog": t.Kind(t.ident("fl"), {"Id": t.physical},
                                "ResourceId ResourceType TrafficType LogDestination LogGroupName "
                                "LogFormat MaxAggregationInterval DeliverLogsPermissionArn"),
    "AWS::EC2::SecurityGroup": t.Kind(t.ident("sg"), {
        "GroupId": t.physical, "Id": t.physical, "VpcId": t.prop("VpcId")},
        "GroupName GroupDescription VpcId", _group, _change_group, _drop_group),
    "AWS::EC2::SecurityGroupIngress": t.Kind(t.ident("sgr"), {"Id": t.physical}, _RULE,
                                             _rule(_SIDE), None, _drop_rule(_SIDE)),
    "AWS::EC2::SecurityGroupEgress": t.Kind(t.ident("sgr"), {"Id": t.physical}, _RULE,
                                            _rule(_OUT), None, _drop_rule(_OUT)),
    "AWS::EC2::EIP": t.Kind(lambda r: "", {
        "AllocationId": lambda r: r.kept["allocation"], "PublicIp": t.physical},
        "Domain PublicIpv4Pool NetworkBorderGroup", _address, None, _drop_address),
    "AWS::EC2::NatGateway": t.Kind(t.ident("nat"), {
        "NatGatewayId": t.physical}, "SubnetId AllocationId ConnectivityType", _nat, None,
        _drop_nat),
    "AWS::EC2::VPCPeeringConnection": t.Kind(t.ident("pcx"), {"Id": t.physical},
                                             "VpcId PeerVpcId PeerOwnerId PeerRegion PeerRoleArn",
                                             _peering, None, _forget("peerings")),
    "AWS::EC2::DHCPOptions": t.Kind(t.ident("dopt"), {"DhcpOptionsId": t.physical},
                                    "DomainName DomainNameServers NtpServers"),
    "AWS::EC2::VPCDHCPOptionsAssociation": t.Kind(t.joined("DhcpOptionsId", "VpcId"), {}, "VpcId"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": t.Kind(_elb("loadbalancer"), {
        "DNSName": lambda r: r.kept["dns"], "LoadBalancerFullName": _full_name,
        "LoadBalancerName": lambda r: _full_name(r).split("/")[1], "LoadBalancerArn": t.physical,
        "CanonicalHostedZoneID": lambda r: "Z3F0SRJ5LGBH90",
        "SecurityGroups": t.prop("SecurityGroups")},
        "Name Scheme Type", _balancer, None, _forget_elb("balancers")),
    "AWS::ElasticLoadBalancingV2::TargetGroup": t.Kind(_elb("targetgroup"), {
        "TargetGroupFullName": _full_name, "TargetGroupArn": t.physical,
        "TargetGroupName": lambda r: _full_name(r).split("/")[1],
        "LoadBalancerArns": lambda r: r.emulator.elbv2.target_groups[
            r.physical]["LoadBalancerArns"]},
        "Name Port Protocol ProtocolVersion TargetType VpcId", _target_group, None,
        _forget_elb("target_groups")),
    "AWS::ElasticLoadBalancingV2::Listener": t.Kind(
        lambda r: r.properties["LoadBalancerArn"].replace(":loadbalancer/", ":listener/") + "/"
        + t.hexadecimal(), {"ListenerArn": t.physical}, "LoadBalancerArn", _listener, None,
        _forget_elb("listeners")),
}
