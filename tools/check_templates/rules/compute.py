"""Instances, groups of them, their disks, addresses, and how they end."""

import re

from ..template import branches, intrinsic, items, line_of, walk

_GROUP = "AWS::AutoScaling::AutoScalingGroup"


def _template_data(template):
    for name, properties, _ in template.of_type("AWS::EC2::LaunchTemplate"):
        yield name, properties.get("LaunchTemplateData", {})


def _balanced(template):
    """The groups whose instances serve behind a load balancer."""
    for name, properties, resource in template.of_type(_GROUP):
        if properties.get("TargetGroupARNs"):
            yield name, properties, resource


def _number(template, value):
    """A number, or what it is by the parameters' defaults; None where it cannot be told."""
    try:
        return int(str(template.resolve(value, template.values())))
    except (KeyError, TypeError, ValueError):
        return None


def no_launch_configuration(template):
    for name, _, resource in template.of_type("AWS::AutoScaling::LaunchConfiguration"):
        yield line_of(resource), f"{name}: new accounts cannot make launch configurations", \
            "AWS::EC2::LaunchTemplate"


def no_key_pair(template):
    for name, parameter in template.parameters.items():
        if parameter.get("Type") == "AWS::EC2::KeyPair::KeyName":
            yield line_of(parameter), f"{name} cannot be left empty", "Session Manager needs no key"
    for path, value in walk(template.resources):
        if isinstance(value, dict) and "KeyName" in value and "LaunchTemplateData" in path + (
                "LaunchTemplateData" if path[-1:] == ("LaunchTemplateData",) else "",) \
                or isinstance(value, dict) and "KeyName" in value and path[-1:] == ("Properties",):
            yield value.key_lines["KeyName"], "a key pair opens instances to whoever has it", \
                "leave it out; Session Manager needs none"


def metadata_needs_token(template):
    for name, data in _template_data(template):
        options = data.get("MetadataOptions", {})
        if options.get("HttpTokens") != "required":
            yield line_of(options, line_of(data)), f"{name} serves credentials without a token", \
                "MetadataOptions with HttpTokens: required"


def metadata_one_hop(template):
    for name, data in _template_data(template):
        options = data.get("MetadataOptions", {})
        if options.get("HttpPutResponseHopLimit") != "1":
            yield line_of(options, line_of(data)), \
                f"containers on {name} reach the instance's credentials", \
                "HttpPutResponseHopLimit: 1"


def disks_encrypted(template):
    for name, data in _template_data(template):
        disks = [each.get("Ebs", {}) for each in items(data.get("BlockDeviceMappings", []))]
        for disk in disks:
            if disk.get("Encrypted") != "true" or disk.get("VolumeType") != "gp3":
                yield line_of(disk, line_of(data)), f"a disk of {name} is not encrypted gp3", \
                    "Encrypted: true and VolumeType: gp3"
        if not disks:
            yield line_of(data), f"{name} says nothing of its disks", \
                "BlockDeviceMappings with Encrypted: true"


def no_public_instances(template):
    """Only an instance that claims an Elastic IP may have another address until then."""
    claims = "aws-address-tag" in template.text
    for name, data in _template_data(template):
        interfaces = list(items(data.get("NetworkInterfaces", [])))
        for each in interfaces:
            values = list(branches(each.get("AssociatePublicIpAddress", {})))
            if "false" not in values or ("true" in values and not claims):
                yield line_of(each), f"{name} may have public addresses", \
                    "AssociatePublicIpAddress: false"
        if not interfaces:
            yield line_of(data), f"{name} leaves public addresses to the subnet", \
                "NetworkInterfaces with AssociatePublicIpAddress: false"
    for name, properties, _ in template.of_type("AWS::AutoScaling::LaunchConfiguration",
                                                "AWS::EC2::Instance"):
        if properties.get("AssociatePublicIpAddress") == "true":
            yield line_of(properties), f"{name} has a public address", "false"


def images_supported(template):
    old = re.compile(r"amzn2|amazon-linux-2/|\bAL2_(x86_64|ARM_64)|amazon-eks-node-1\.")
    for path, value in walk(template.body):
        if isinstance(value, str) and path[:1] != ("Description",) and old.search(value):
            yield line_of(value), "Amazon Linux 2 has reached its end", "AL2023 or Bottlerocket"


def room_for_pods(template):
    for path, value in walk(template.body):
        if isinstance(value, str) and re.fullmatch(r"t[23]\.(nano|micro)", value):
            yield line_of(value), f"a {value} has room for 4 pods, which the cluster's own take", \
                "t3.medium at least"


def health_by_balancer(template):
    for name, properties, _ in _balanced(template):
        if properties.get("HealthCheckType") != "ELB":
            yield line_of(properties), f"{name} keeps instances that do not serve", \
                "HealthCheckType: ELB"


def one_for_each_zone(template):
    zones = _number(template, {"Ref": "ZoneCount"}) or 2
    for name, properties, _ in _balanced(template):
        low, high = (_number(template, properties.get(key)) for key in ("MinSize", "MaxSize"))
        if low is not None and low < zones:
            yield line_of(properties), f"{name} may be {low} in {zones} zones", \
                f"MinSize {zones} or more"
        if low is not None and high is not None and high <= low:
            yield line_of(properties), f"{name} cannot replace one before it ends", \
                "MaxSize above MinSize"
        kind, argument = intrinsic(properties.get("MinSize"))
        if kind == "Ref" and argument in template.parameters and \
                int(float(str(template.parameters[argument].get("MinValue", 0)))) < 2:
            yield line_of(template.parameters[argument]), f"{argument} may be less than 2", \
                "MinValue: 2"


def updates_wait_for_readiness(template):
    for name, properties, resource in _balanced(template):
        rolling = resource.get("UpdatePolicy", {}).get("AutoScalingRollingUpdate", {})
        if rolling.get("WaitOnResourceSignals") != "true" or \
                "ResourceSignal" not in resource.get("CreationPolicy", {}):
            yield line_of(resource), f"{name} is thought to work before anyone has asked it", \
                "CreationPolicy.ResourceSignal, and WaitOnResourceSignals: true"
        if "InstanceMaintenancePolicy" not in properties:
            yield line_of(properties), f"{name} may end instances before new ones serve", \
                "InstanceMaintenancePolicy with MinHealthyPercentage: 100"


def tunnels_drain(template):
    """A hook at the end, longer than the drain, which is as long as the deregistration delay."""
    hooks = [properties for _, properties, _ in template.of_type("AWS::AutoScaling::LifecycleHook")]
    delays = [each.get("Value") for _, properties, _ in
              template.of_type("AWS::ElasticLoadBalancingV2::TargetGroup")
              for each in items(properties.get("TargetGroupAttributes", []))
              if each.get("Key") == "deregistration_delay.timeout_seconds"]
    for name, properties, _ in _balanced(template):
        own = [each for each in [*items(properties.get("LifecycleHookSpecificationList", [])),
                                 *hooks]
               if each.get("LifecycleTransition") == "autoscaling:EC2_INSTANCE_TERMINATING"]
        if not own:
            yield line_of(properties), f"{name} cuts tunnels when it shrinks", \
                "a lifecycle hook for EC2_INSTANCE_TERMINATING"
        if not delays:
            yield line_of(properties), f"targets of {name} have 300 s by chance", \
                "deregistration_delay.timeout_seconds in the target group"
        said = re.search(r"drain-timeout: (\$\{(\w+)\}|\d+)s", template.text)
        drain = said and (_number(template, {"Ref": said.group(2)}) if said.group(2)
                          else int(said.group(1)))
        for delay in map(lambda each: _number(template, each), delays):
            if drain and delay is not None and delay < drain:
                yield line_of(properties), f"targets have {delay} s and tunnels {drain}", \
                    "a deregistration delay as long as the drain"
        for hook in own:
            timeout = _number(template, hook.get("HeartbeatTimeout"))
            longest = max(filter(None, [drain, *(_number(template, each) for each in delays)]),
                          default=0)
            if timeout is not None and timeout <= longest:
                yield line_of(hook), \
                    f"the hook ends after {timeout} s, the drain after {longest}", \
                    "a longer HeartbeatTimeout"


def addresses_awaited(template):
    """A gateway that claims an address may have to wait until one that drains gives its own up."""
    if "aws-address-tag" not in template.text:
        return
    delays = [_number(template, each.get("Value")) for _, properties, _ in
              template.of_type("AWS::ElasticLoadBalancingV2::TargetGroup")
              for each in items(properties.get("TargetGroupAttributes", []))
              if each.get("Key") == "deregistration_delay.timeout_seconds"]
    drain = max(filter(None, delays), default=0)
    for name, properties, _ in _balanced(template):
        grace = _number(template, properties.get("HealthCheckGracePeriod", "0"))
        if grace is not None and grace <= drain:
            yield properties.key_lines.get("HealthCheckGracePeriod", line_of(properties)), \
                f"an instance of {name} is ended after {grace} s without an address, which one " \
                f"that drains may have for {drain}", "a longer HealthCheckGracePeriod"


def scales_by_use(template):
    for name, properties, _ in _balanced(template):
        policies = [each for _, each, _ in template.of_type("AWS::AutoScaling::ScalingPolicy")
                    if intrinsic(each.get("AutoScalingGroupName"))[1] == name]
        if not policies:
            yield line_of(properties), f"{name} never grows", "an AWS::AutoScaling::ScalingPolicy"


def addresses_claimed(template):
    """Addresses are claimed by the gateway; nothing else moves one that is in use."""
    for name, _, resource in template.of_type("AWS::EC2::EIPAssociation"):
        yield line_of(resource), f"{name} ties an address to one instance", \
            "let the gateway claim one by its tag"
    for _, value in walk(template.resources):
        if isinstance(value, str) and "allow-reassociation" in value:
            yield line_of(value), "--allow-reassociation takes a live instance's address", \
                "let the gateway claim a free one"
