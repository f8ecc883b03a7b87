"""Addresses, routes, groups, endpoints, the load balancer, and names in NO_PROXY."""

import ipaddress
import re

from ..template import branches, intrinsic, items, line_of, line_of_cluster, walk

_PRIVATE = [ipaddress.ip_network(each)
            for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
_WORLD = ("0.0.0.0/0", "::/0")
# The name that each endpoint answers for, as it would stand in NO_PROXY.
_AWS_NAME = re.compile(r"^\.?(?:[\w*-]+\.)*?(?P<service>api\.ecr|dkr\.ecr|[a-z0-9-]+)"
                       r"(?:\.(?:[a-z]{2}(?:-[a-z]+)+-\d|\$\{AWS::Region\}))?"
                       r"\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$")
_IN_VPC = {"eks", "elb", "rds", "cache", "efs", "es"}


def _is_private(text):
    try:
        block = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return True  # another rule's matter
    return block.version == 6 or any(block.subnet_of(each) for each in _PRIVATE)


def _referred(value):
    """The name that a plain Ref is of, or None."""
    name, argument = intrinsic(value)
    return argument if name == "Ref" else None


def _cidrs(template, *types):
    for name, properties, _ in template.of_type(*types):
        for key in ("CidrBlock", "ServiceIpv4Cidr"):
            for value in branches(properties.get(key, {})):
                if value:
                    yield name, key, value, properties.key_lines.get(key, 0)


def private_blocks_only(template):
    for name, key, value, line in _cidrs(template, "AWS::EC2::VPC", "AWS::EC2::Subnet"):
        kind, argument = intrinsic(value)
        if kind is None and isinstance(value, str) and not _is_private(value):
            yield line, f"{name}.{key} {value} is public address space", \
                "a block of 10/8, 172.16/12, 192.168/16 or 100.64/10"
        if kind != "Ref" or argument not in template.parameters:
            continue
        parameter = template.parameters[argument]
        default, pattern = parameter.get("Default"), parameter.get("AllowedPattern")
        if default and not _is_private(default):
            yield parameter.key_lines["Default"], f"{argument} defaults to public addresses", \
                "a private block, such as 10.64.0.0/16"
        if pattern is None or any(re.fullmatch(pattern, each) for each in
                                  ("172.32.0.0/16", "8.8.0.0/16", "11.0.0.0/16")):
            yield line_of(parameter), f"{argument} takes public addresses", \
                "an AllowedPattern of the private blocks"


def vpc_resolves_names(template):
    for name, properties, _ in template.of_type("AWS::EC2::VPC"):
        for key in ("EnableDnsSupport", "EnableDnsHostnames"):
            if properties.get(key) != "true":
                yield line_of(properties), f"{name} does not say {key}", \
                    "true: endpoints and the cluster's name need both"


def no_public_subnet_addresses(template):
    for name, properties, _ in template.of_type("AWS::EC2::Subnet"):
        if properties.get("MapPublicIpOnLaunch") == "true":
            yield properties.key_lines["MapPublicIpOnLaunch"], \
                f"everything in {name} gets a public address", "false"


def nodes_have_no_way_out(template):
    """A route table of subnets for internal load balancers, where nodes are, leads nowhere else."""
    private = {name for name, properties, _ in template.of_type("AWS::EC2::Subnet")
               if any(str(each.get("Key")) == "kubernetes.io/role/internal-elb"
                      for each in items(properties.get("Tags", [])))}
    tables = {_referred(properties.get("RouteTableId"))
              for _, properties, _ in template.of_type("AWS::EC2::SubnetRouteTableAssociation")
              if _referred(properties.get("SubnetId")) in private}
    for name, properties, _ in template.of_type("AWS::EC2::Route"):
        if _referred(properties.get("RouteTableId")) in tables and \
                properties.get("DestinationCidrBlock") in _WORLD:
            yield line_of(properties), f"{name} takes nodes past the gateways", \
                "no default route in the nodes' route tables"


def _rules(template, direction):
    for name, properties, _ in template.of_type("AWS::EC2::SecurityGroup"):
        for rule in items(properties.get(f"SecurityGroup{direction}", [])):
            yield name, rule
    for name, properties, _ in template.of_type(f"AWS::EC2::SecurityGroup{direction}"):
        yield name, properties


def no_ingress_from_everywhere(template):
    for name, rule in _rules(template, "Ingress"):
        if rule.get("CidrIp") in _WORLD or rule.get("CidrIpv6") in _WORLD:
            yield line_of(rule), f"{name} lets in the internet", "name a group or a private block"
        if rule.get("IpProtocol") == "-1":
            yield line_of(rule), f"{name} lets in every protocol", "name the port"


def cluster_lets_gateways_in(template):
    """A private endpoint answers nobody whose group its own do not let in on 443."""
    groups = {name for name, _, _ in template.of_type("AWS::EC2::SecurityGroup")}
    line = line_of_cluster(template)
    if line and not any(_referred(rule.get("SourceSecurityGroupId")) in groups
                        and rule.get("FromPort") == rule.get("ToPort") == "443"
                        for _, rule, _ in template.of_type("AWS::EC2::SecurityGroupIngress")):
        yield line, "the cluster that is asked here lets no gateway in", \
            "an AWS::EC2::SecurityGroupIngress on 443, from the gateways' group to the control plane's"


def egress_said(template):
    for name, properties, _ in template.of_type("AWS::EC2::SecurityGroup"):
        if "SecurityGroupEgress" not in properties:
            yield line_of(properties), f"{name} lets out everything, as it says nothing", \
                "SecurityGroupEgress with what it needs"
    for name, rule in _rules(template, "Egress"):
        everything = rule.get("IpProtocol") == "-1" or \
            (rule.get("FromPort"), rule.get("ToPort")) in (("0", "65535"), ("1", "65535"))
        if everything and (rule.get("CidrIp") in _WORLD or rule.get("CidrIpv6") in _WORLD):
            yield line_of(rule), f"{name} lets out everything", "name the ports"


def endpoint_private(template):
    for name, properties, _ in template.of_type("AWS::EKS::Cluster"):
        network = properties.get("ResourcesVpcConfig", {})
        if network.get("EndpointPublicAccess") != "false" or \
                network.get("EndpointPrivateAccess") != "true":
            yield line_of(network, line_of(properties)), f"the API of {name} is public", \
                "EndpointPrivateAccess: true and EndpointPublicAccess: false"


def endpoints_restricted(template):
    for name, properties, _ in template.of_type("AWS::EC2::VPCEndpoint"):
        if "PolicyDocument" not in properties:
            yield line_of(properties), f"{name} serves every account", \
                "a PolicyDocument with a condition on aws:PrincipalAccount"
            continue
        for statement in items(properties["PolicyDocument"].get("Statement", [])):
            if statement.get("Effect") == "Allow" and statement.get("Resource") == "*" and \
                    "aws:Principal" not in str(statement.get("Condition", "")):
                yield line_of(statement), f"{name} serves every account", \
                    "a condition on aws:PrincipalAccount"


def balancer_internal(template):
    for name, properties, _ in template.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if properties.get("Scheme") != "internal":
            yield line_of(properties), f"{name} faces the internet", "Scheme: internal"
        if not properties.get("SecurityGroups"):
            yield line_of(properties), f"{name} has no security group", \
                "SecurityGroups; they can be given only when it is made"
        attributes = {each.get("Key"): each.get("Value")
                      for each in items(properties.get("LoadBalancerAttributes", []))}
        if attributes.get("load_balancing.cross_zone.enabled") != "true":
            yield line_of(properties), f"{name} keeps clients within their zone", \
                "load_balancing.cross_zone.enabled: 'true'"


def health_by_http(template):
    for name, properties, _ in template.of_type("AWS::ElasticLoadBalancingV2::TargetGroup"):
        if properties.get("HealthCheckProtocol") not in ("HTTP", "HTTPS"):
            yield line_of(properties), f"{name} asks only whether a port is open", \
                "HealthCheckProtocol: HTTP and HealthCheckPath: /readyz"


def idle_tunnels_kept(template):
    for name, properties, _ in template.of_type("AWS::ElasticLoadBalancingV2::Listener"):
        if properties.get("Protocol") != "TCP":
            continue
        keys = [each.get("Key") for each in items(properties.get("ListenerAttributes", []))]
        if "tcp.idle_timeout.seconds" not in keys:
            yield line_of(properties), f"{name} forgets idle tunnels after 350 s, in silence", \
                "ListenerAttributes with tcp.idle_timeout.seconds"


def _service_of(endpoint):
    name, argument = intrinsic(endpoint.get("ServiceName"))
    text = argument if name == "Fn::Sub" and isinstance(argument, str) else \
        endpoint.get("ServiceName")
    return text.split(".", 3)[-1] if isinstance(text, str) else ""


def no_proxy_has_endpoints(template):
    """Names of AWS that a literal NO_PROXY sends past the proxy, to nowhere without an endpoint."""
    services = {_service_of(properties)
                for _, properties, _ in template.of_type("AWS::EC2::VPCEndpoint")}
    for _, value in walk(template.resources):
        if not isinstance(value, str):
            continue
        for found in re.finditer(r"(?i)no[-_]proxy\s*[=:]\s*[\"'\[]*([^\s\"'\]]+)", value):
            for entry in found.group(1).split(","):
                match = _AWS_NAME.match(entry)
                service = match and ".".join(reversed(match.group("service").split(".")))
                if service and service not in services and service not in _IN_VPC:
                    line = line_of(value) + value.count("\n", 0, found.start())
                    yield line, f"NO_PROXY has {entry}, and there is no endpoint of {service}", \
                        "make the endpoint, or take the value of `ebbgate noproxy`"


def endpoints_listed(template):
    """The output VpcEndpoints, from which NO_PROXY is made, says what is made and nothing else."""
    output = template.outputs.get("VpcEndpoints")
    made = list(template.of_type("AWS::EC2::VPCEndpoint"))
    if output is None:
        if made:
            yield line_of(made[0][2]), "nobody is told which endpoints exist", \
                "an output VpcEndpoints, for `ebbgate noproxy --vpc-endpoint`"
        return
    for on in ("true", "false"):
        switches = {name: on for name in template.parameters if name.startswith("Endpoint")}
        values = template.values(switches)
        exist = sorted(_service_of(properties) for _, properties, resource in made
                       if "Condition" not in resource
                       or template.condition(resource["Condition"], values))
        listed = sorted(filter(None, template.resolve(output["Value"], values).split(",")))
        if exist != listed:
            yield line_of(output), f"VpcEndpoints is {','.join(listed)}", \
                f"and what exists is {','.join(exist)}"
