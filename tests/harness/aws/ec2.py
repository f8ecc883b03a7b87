"""EC2 as far as the program sees it: instances, elastic addresses (an address goes to one who asks
for it, atomically), and the networks that stacks make."""

import ipaddress
import itertools
import secrets

from .iam import like
from .protocols import AwsError
from .service import Service
from .sts import iso


def new_id(prefix):
    return f"{prefix}-0{secrets.token_hex(8)}"


def tag_set(tags):
    """{"a": "b"}, or a template's list, as the API lists them."""
    if isinstance(tags, dict):
        tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"key": tag["Key"], "value": tag["Value"]} for tag in tags or []]


class Instance:
    """`role` names the IAM role of its profile. `state` is EC2's word; `lifecycle` the scaling
    group's; `target_lifecycle_state` what the metadata server says."""

    def __init__(self, ec2, zone, role=None, type="c7g.large", tags=None, subnet=None, vpc=None,
                 public=False, image="ami-0123456789abcdef0", user_data=None, group=None):
        self.id, self.interface = new_id("i"), new_id("eni")
        self.zone, self.role, self.type, self.image = zone, role, type, image
        self.tags = dict(tags or {})
        self.subnet, self.vpc = subnet or new_id("subnet"), vpc or new_id("vpc")
        self.user_data, self.group = user_data, group
        self.private_ip = str(ipaddress.ip_address("10.64.0.10") + next(ec2.numbers))
        self.temporary_ip = ec2.new_address() if public else None
        self.state, self.lifecycle, self.target_lifecycle_state = "running", "InService", "InService"
        self.health = "Healthy"
        self.launched = ec2.emulator.clock.now()
        self._ec2 = ec2
        number = int(ipaddress.ip_address(self.private_ip)) & 0xffff
        self.mac = f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}"

    @property
    def architecture(self):
        family = self.type.split(".")[0]
        return "arm64" if "g" in family[1:] or family == "a1" else "x86_64"

    @property
    def host_name(self):
        return f"ip-{self.private_ip.replace('.', '-')}.{self._ec2.emulator.region}.compute.internal"

    @property
    def elastic(self):
        """The elastic address that is associated, or None."""
        return next((a for a in self._ec2.addresses.values()
                     if a.get("instanceId") == self.id), None)

    @property
    def public_ip(self):
        elastic = self.elastic
        return elastic["publicIp"] if elastic else self.temporary_ip

    def told(self):
        return {"instanceId": self.id, "imageId": self.image, "instanceType": self.type,
                "instanceState": {"code": {"pending": 0, "running": 16, "shutting-down": 32,
                                           "terminated": 48}[self.state], "name": self.state},
                "privateDnsName": self.host_name, "privateIpAddress": self.private_ip,
                "ipAddress": self.public_ip, "subnetId": self.subnet, "vpcId": self.vpc,
                "launchTime": iso(self.launched), "architecture": self.architecture,
                "placement": {"availabilityZone": self.zone}, "tagSet": tag_set(self.tags)}


class Ec2(Service):
    scope, protocol, version = "ec2", "ec2", "2016-11-15"
    namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.numbers = itertools.count()
        self._public = itertools.count(int(ipaddress.ip_address("198.51.100.10")))
        self.instances = {}
        self.addresses = {}          # allocation id -> as DescribeAddresses tells it
        self.address_quota = 5
        self.zones = [emulator.region + letter for letter in "abc"]
        # Of each kind: id -> as its Describe operation tells it.
        self.vpcs, self.subnets, self.route_tables, self.security_groups = {}, {}, {}, {}
        self.endpoints, self.peerings, self.nat_gateways, self.templates = {}, {}, {}, {}
        self.internet_gateways = {}

    # For tests.

    def launch(self, zone=None, **options):
        """A new running instance."""
        instance = Instance(self, zone or self.zones[len(self.instances) % len(self.zones)],
                            **options)
        if instance.role and instance.role not in self.emulator.iam.roles:
            self.emulator.iam.role(instance.role)
        self.instances[instance.id] = instance
        return instance

    def allocate(self, tags=None):
        """A new elastic address, as DescribeAddresses tells it."""
        ident = new_id("eipalloc")
        self.addresses[ident] = {
            "publicIp": self.new_address(), "allocationId": ident, "domain": "vpc",
            "publicIpv4Pool": "amazon", "networkBorderGroup": self.emulator.region,
            "tagSet": tag_set(tags)}
        return self.addresses[ident]

    def add_vpc(self, cidr, ident=None, tags=None):
        ident = ident or new_id("vpc")
        self.vpcs[ident] = {"vpcId": ident, "state": "available", "cidrBlock": cidr,
                            "cidrBlockAssociationSet": [{"associationId": new_id("vpc-cidr-assoc"),
                                                         "cidrBlock": cidr, "cidrBlockState":
                                                         {"state": "associated"}}],
                            "ownerId": self.emulator.account, "isDefault": False,
                            "instanceTenancy": "default", "tagSet": tag_set(tags)}
        table = new_id("rtb")
        self.route_tables[table] = {
            "routeTableId": table, "vpcId": ident, "ownerId": self.emulator.account,
            "routeSet": [local_route(cidr)], "tagSet": [],
            "associationSet": [{"routeTableAssociationId": new_id("rtbassoc"),
                                "routeTableId": table, "main": True}]}
        return ident

    def new_address(self):
        return str(ipaddress.ip_address(next(self._public)))

    def zone_ids(self):
        parts = self.emulator.region.split("-")
        letters = "".join({"north": "n", "south": "s", "east": "e", "west": "w", "central": "c",
                           "northeast": "ne", "southeast": "se", "northwest": "nw",
                           "southwest": "sw", "gov": "g"}.get(part, part[:1]) for part in parts[1:-1])
        return {zone: f"{parts[0]}{letters}{parts[-1]}-az{number}"
                for number, zone in enumerate(self.zones, 1)}

    # Permissions.

    def demands(self, operation, p):
        if operation == "AssociateAddress":
            out = [("ec2:AssociateAddress", self.arn(f"elastic-ip/{p.get('AllocationId')}"),
                    _tag_context(self.addresses.get(p.get("AllocationId"), {}).get("tagSet", [])))]
            if "InstanceId" in p:
                instance = self.instances.get(p["InstanceId"])
                out.append(("ec2:AssociateAddress", self.arn(f"instance/{p['InstanceId']}"),
                            _tag_context(tag_set(instance.tags) if instance else [])))
            else:
                out.append(("ec2:AssociateAddress", self.arn(
                    f"network-interface/{p.get('NetworkInterfaceId')}"), {}))
            return out
        if operation == "DisassociateAddress":
            address = next((a for a in self.addresses.values()
                            if a.get("associationId") == p.get("AssociationId")), {})
            return [("ec2:DisassociateAddress",
                     self.arn(f"elastic-ip/{address.get('allocationId')}"),
                     _tag_context(address.get("tagSet", [])))]
        return super().demands(operation, p)

    # Addresses.

    def DescribeAddresses(self, p):
        items = self._wanted(self.addresses, p, "AllocationId", "InvalidAllocationID.NotFound",
                             "The allocation ID '{}' does not exist")
        if "PublicIp" in p:
            items = [each for each in items if each["publicIp"] in p["PublicIp"]]
        return {"addressesSet": items}

    def AllocateAddress(self, p):
        if len(self.addresses) >= self.address_quota:
            raise AwsError("AddressLimitExceeded", "The maximum number of addresses has been "
                           "reached.")
        address = self.allocate()
        for each in p.get("TagSpecification", []):
            address["tagSet"] = tag_set(each.get("Tag"))
        return {key: address[key] for key in ("publicIp", "allocationId", "domain",
                                              "networkBorderGroup")}

    def ReleaseAddress(self, p):
        address = self._address(p)
        if "associationId" in address:
            raise AwsError("InvalidIPAddress.InUse", f"Address {address['publicIp']} is in use.")
        del self.addresses[address["allocationId"]]
        return {"return": True}

    def _address(self, p):
        address = self.addresses.get(p.get("AllocationId"))
        if address is None:
            raise AwsError("InvalidAllocationID.NotFound",
                           f"The allocation ID '{p.get('AllocationId')}' does not exist")
        return address

    def AssociateAddress(self, p):
        address = self._address(p)
        instance = self.instances.get(p.get("InstanceId")) or next(
            (i for i in self.instances.values() if i.interface == p.get("NetworkInterfaceId")), None)
        if instance is None or instance.state == "terminated":
            raise AwsError("InvalidInstanceID.NotFound",
                           f"The instance ID '{p.get('InstanceId')}' does not exist")
        if instance.state == "pending":
            raise AwsError("InvalidInstanceID", "The pending instance '" + instance.id + "' is not "
                           "in a valid state for this operation.")
        if address.get("instanceId") == instance.id:
            return {"return": True, "associationId": address["associationId"]}
        reassociate = p.get("AllowReassociation", "true").lower() == "true"
        for used in filter(None, (address if "associationId" in address else None,
                                  instance.elastic)):
            if not reassociate:
                raise AwsError("Resource.AlreadyAssociated", "resource "
                               f"{address['allocationId']} is already associated with associate-id "
                               f"{used['associationId']}")
            self._release(used)
        instance.temporary_ip = None
        address.update(associationId=new_id("eipassoc"), instanceId=instance.id,
                       networkInterfaceId=instance.interface,
                       networkInterfaceOwnerId=self.emulator.account,
                       privateIpAddress=instance.private_ip)
        return {"return": True, "associationId": address["associationId"]}

    @staticmethod
    def _release(address):
        for name in ("associationId", "instanceId", "networkInterfaceId",
                     "networkInterfaceOwnerId", "privateIpAddress"):
            address.pop(name, None)

    def DisassociateAddress(self, p):
        for address in self.addresses.values():
            if address.get("associationId") == p.get("AssociationId") is not None:
                self._release(address)
                return {"return": True}
        raise AwsError("InvalidAssociationID.NotFound", "The association ID "
                       f"'{p.get('AssociationId')}' does not exist")

    # Instances.

    def DescribeInstances(self, p):
        items = self._wanted({k: v.told() for k, v in self.instances.items()}, p, "InstanceId",
                             "InvalidInstanceID.NotFound", "The instance ID '{}' does not exist")
        return {"reservationSet": [{"reservationId": new_id("r"), "ownerId": self.emulator.account,
                                    "groupSet": [], "instancesSet": [item]} for item in items]}

    def terminate(self, instance):
        """The instance ends, at once: its addresses are free again."""
        instance.state = "terminated"
        if elastic := instance.elastic:
            self._release(elastic)

    def TerminateInstances(self, p):
        out = []
        for ident in p.get("InstanceId", []):
            if ident not in self.instances:
                raise AwsError("InvalidInstanceID.NotFound",
                               f"The instance ID '{ident}' does not exist")
            self.terminate(self.instances[ident])
            out.append({"instanceId": ident, "currentState": {"code": 48, "name": "terminated"},
                        "previousState": {"code": 16, "name": "running"}})
        return {"instancesSet": out}

    # Where things are.

    def DescribeAvailabilityZones(self, p):
        zones = {zone: {"zoneName": zone, "zoneId": ident, "zoneState": "available",
                        "regionName": self.emulator.region, "groupName": self.emulator.region,
                        "zoneType": "availability-zone", "optInStatus": "opt-in-not-required",
                        "networkBorderGroup": self.emulator.region, "messageSet": []}
                 for zone, ident in self.zone_ids().items()}
        items = self._wanted(zones, p, "ZoneName", "InvalidParameterValue",
                             "Invalid availability zone: [{}]")
        if wanted := p.get("ZoneId"):
            known = {item["zoneId"] for item in items}
            for ident in wanted:
                if ident not in known:
                    raise AwsError("InvalidParameterValue", f"Invalid zone id: [{ident}]")
            items = [item for item in items if item["zoneId"] in wanted]
        return {"availabilityZoneInfo": items}

    def DescribeAccountAttributes(self, p):
        values = {"vpc-max-elastic-ips": self.address_quota, "max-elastic-ips": self.address_quota,
                  "supported-platforms": "VPC", "default-vpc": "none", "max-instances": 20,
                  "vpc-max-security-groups-per-interface": 5}
        return {"accountAttributeSet": [
            {"attributeName": name, "attributeValueSet": [{"attributeValue": value}]}
            for name, value in values.items() if name in p.get("AttributeName", values)]}

    def DescribeInstanceTypeOfferings(self, p):
        wanted = next((f["Value"] for f in p.get("Filter", []) if f["Name"] == "instance-type"),
                      ["c7g.large", "c7i.large"])
        places = self.zones if p.get("LocationType") == "availability-zone" else [
            self.emulator.region]
        return {"instanceTypeOfferingSet": [
            {"instanceType": kind, "locationType": p.get("LocationType", "region"),
             "location": place} for kind in wanted for place in places]}

    # Networks.

    def DescribeVpcs(self, p):
        return {"vpcSet": self._wanted(self.vpcs, p, "VpcId", "InvalidVpcID.NotFound",
                                       "The vpc ID '{}' does not exist")}

    def DescribeSubnets(self, p):
        return {"subnetSet": self._wanted(self.subnets, p, "SubnetId", "InvalidSubnetID.NotFound",
                                          "The subnet ID '{}' does not exist")}

    def DescribeRouteTables(self, p):
        return {"routeTableSet": self._wanted(
            self.route_tables, p, "RouteTableId", "InvalidRouteTableID.NotFound",
            "The routeTable ID '{}' does not exist")}

    def DescribeVpcEndpoints(self, p):
        return {"vpcEndpointSet": self._wanted(
            self.endpoints, p, "VpcEndpointId", "InvalidVpcEndpointId.NotFound",
            "The Vpc Endpoint Id '{}' does not exist")}

    def DescribeVpcPeeringConnections(self, p):
        return {"vpcPeeringConnectionSet": self._wanted(
            self.peerings, p, "VpcPeeringConnectionId", "InvalidVpcPeeringConnectionID.NotFound",
            "The vpcPeeringConnection ID '{}' does not exist")}

    def DescribeNatGateways(self, p):
        return {"natGatewaySet": self._wanted(
            self.nat_gateways, p, "NatGatewayId", "NatGatewayNotFound",
            "The Nat Gateway {} was not found")}

    def DescribeInternetGateways(self, p):
        return {"internetGatewaySet": self._wanted(
            self.internet_gateways, p, "InternetGatewayId", "InvalidInternetGatewayID.NotFound",
            "The internetGateway ID '{}' does not exist")}

    def DescribeSecurityGroups(self, p):
        return {"securityGroupInfo": self._wanted(
            self.security_groups, p, "GroupId", "InvalidGroup.NotFound",
            "The security group '{}' does not exist")}

    def AcceptVpcPeeringConnection(self, p):
        peering = self.peerings.get(p.get("VpcPeeringConnectionId"))
        if peering is None:
            raise AwsError("InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID "
                           f"'{p.get('VpcPeeringConnectionId')}' does not exist")
        peering["status"] = {"code": "active", "message": "Active"}
        return {"vpcPeeringConnection": peering}

    def CreateRoute(self, p):
        table = self.route_tables.get(p.get("RouteTableId"))
        if table is None:
            raise AwsError("InvalidRouteTableID.NotFound", "The routeTable ID "
                           f"'{p.get('RouteTableId')}' does not exist")
        cidr = p.get("DestinationCidrBlock")
        if any(route.get("destinationCidrBlock") == cidr for route in table["routeSet"]):
            raise AwsError("RouteAlreadyExists", f"The route identified by {cidr} already exists.")
        names = {"GatewayId": "gatewayId", "NatGatewayId": "natGatewayId",
                 "VpcPeeringConnectionId": "vpcPeeringConnectionId"}
        table["routeSet"].append({"destinationCidrBlock": cidr, "state": "active",
                                  "origin": "CreateRoute",
                                  **{names[k]: v for k, v in p.items() if k in names}})
        return {"return": True}

    def DeleteRoute(self, p):
        table = self.route_tables[p["RouteTableId"]]
        table["routeSet"] = [route for route in table["routeSet"] if
                             route.get("destinationCidrBlock") != p.get("DestinationCidrBlock")]
        return {"return": True}

    def AuthorizeSecurityGroupIngress(self, p):
        group = self.security_groups.get(p.get("GroupId"))
        if group is None:
            raise AwsError("InvalidGroup.NotFound",
                           f"The security group '{p.get('GroupId')}' does not exist")
        for permission in p.get("IpPermissions", []):
            told = {"ipProtocol": permission["IpProtocol"],
                    "fromPort": permission.get("FromPort"), "toPort": permission.get("ToPort"),
                    "ipRanges": [{"cidrIp": each["CidrIp"], "description": each.get("Description")}
                                 for each in permission.get("IpRanges", [])],
                    "groups": [{"groupId": each["GroupId"], "userId": self.emulator.account}
                               for each in permission.get("Groups", [])],
                    "ipv6Ranges": [], "prefixListIds": []}
            if told in group["ipPermissions"]:
                raise AwsError("InvalidPermission.Duplicate", "the specified rule already exists")
            group["ipPermissions"].append(told)
        return {"return": True}

    def CreateTags(self, p):
        for ident in p.get("ResourceId", []):
            for table in (self.vpcs, self.subnets, self.route_tables, self.security_groups,
                          self.addresses):
                if ident in table:
                    new = tag_set(p.get("Tag"))
                    names = {tag["key"] for tag in new}
                    table[ident]["tagSet"] = [t for t in table[ident]["tagSet"]
                                              if t["key"] not in names] + new
            if ident in self.instances:
                self.instances[ident].tags.update((t["Key"], t["Value"]) for t in p.get("Tag", []))
        return {"return": True}

    @staticmethod
    def _wanted(table, p, ids, code, message):
        """The entries of a Describe operation: by their ids, all of which must be, and filters."""
        items = list(table.values())
        if ids in p:
            for ident in p[ids]:
                if ident not in table:
                    raise AwsError(code, message.format(ident))
            items = [table[ident] for ident in p[ids]]
        for each in p.get("Filter", []):
            items = [item for item in items
                     if _matches(item, each["Name"], each.get("Value", []))]
        return items


def local_route(cidr):
    return {"destinationCidrBlock": cidr, "gatewayId": "local", "state": "active",
            "origin": "CreateRouteTable"}


def _tag_context(tags):
    return {f"{prefix}:ResourceTag/{tag['key']}": tag["value"]
            for tag in tags for prefix in ("ec2", "aws")}


# Where a filter's name is not just its member's in another spelling.
_FILTERS = {"association": "associationSet", "route": "routeSet", "instance-state-name":
            "instanceState.name", "state": "state", "attachment": "attachmentSet",
            "availability-zone": "availabilityZone", "vpc-endpoint-state": "state"}


def _values(item, path):
    if not path:
        return [item]
    if isinstance(item, list):
        return [value for each in item for value in _values(each, path)]
    return _values(item.get(path[0]), path[1:]) if isinstance(item, dict) else []


def _camel(name):
    head, *rest = name.split("-")
    return head + "".join(part.capitalize() for part in rest)


def _matches(item, name, wanted):
    if name.startswith("tag:"):
        have = [t["value"] for t in item.get("tagSet", []) if t["key"] == name[4:]]
    elif name == "tag-key":
        have = [t["key"] for t in item.get("tagSet", [])]
    elif name == "instance-state-name":
        have = [item["instanceState"]["name"]]
    else:
        path = [part if part.endswith("Set") else _camel(part) for part in
                ".".join(_FILTERS.get(part, part) for part in name.split(".")).split(".")]
        have = [value for value in _values(item, path) if value is not None]
    return any(like(want, str(value).lower() if isinstance(value, bool) else value)
               for want in wanted for value in have)
