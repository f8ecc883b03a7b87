"""Names and what they lead to: targets, leftovers, outputs, fixed names, sizes, retention, tags."""

import re

from ..schema import RESOURCES
from ..template import PSEUDO, Map, Number, branches, intrinsic, line_of, walk

# Properties that name a resource for the whole account and region, or the world.
_NAMES = {
    "AWS::AutoScaling::AutoScalingGroup": "AutoScalingGroupName",
    "AWS::AutoScaling::LaunchConfiguration": "LaunchConfigurationName",
    "AWS::CloudWatch::Alarm": "AlarmName", "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName", "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::EKS::Cluster": "Name", "AWS::EKS::Nodegroup": "NodegroupName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName", "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName", "AWS::SecretsManager::Secret": "Name",
    "AWS::SNS::Topic": "TopicName", "AWS::SSM::Parameter": "Name",
}
# What is lost, or still needed by others, when a stack goes or a resource is made anew.
_KEPT = {"AWS::EC2::EIP", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::S3::Bucket",
         "AWS::SecretsManager::Secret", "AWS::SSM::Parameter"}
# Types that learned of tags so lately that not every region and tool knows.
_UNTAGGED = {"AWS::CloudWatch::Dashboard", "AWS::EC2::LaunchTemplate",
             "AWS::ElasticLoadBalancingV2::Listener"}
_LIMIT = 51200  # octets of a template in a call


def target_exists(template):
    resources, conditions = template.resources, template.section("Conditions")
    mappings = template.section("Mappings")
    for kind, target, line, _ in template.references():
        if kind == "Ref" and target not in resources and target not in template.parameters \
                and target not in PSEUDO and target != "AWS::NoValue":
            yield line, f"nothing is called {target}", "a parameter or a resource has to be"
        elif kind == "Condition" and target not in conditions:
            yield line, f"no condition is called {target}", "define it under Conditions"
        elif kind == "Map" and isinstance(target, str) and target not in mappings:
            yield line, f"no mapping is called {target}", "define it under Mappings"
        elif kind == "UnusedVariable":
            yield line, f"the text of Fn::Sub has no ${{{target}}}", "use it or leave it out"
        elif kind == "GetAtt":
            name, attribute = target
            if name not in resources:
                yield line, f"no resource is called {name}", "define it under Resources"
                continue
            known = RESOURCES.get(resources[name].get("Type"), {}).get("attributes", [attribute])
            if attribute not in known:
                yield line, f"{name} has no attribute {attribute}", f"one of {', '.join(known)}"
    for name, resource in resources.items():
        after = resource.get("DependsOn", [])
        for each in [after] if isinstance(after, str) else after:
            if each not in resources:
                yield line_of(resource), f"{name} depends on {each}, which is not there", "mend it"


def everything_used(template):
    refs, conditions, mappings = set(), set(), set()
    for kind, target, _, path in template.references():
        if kind == "Ref" and path[:1] != ("Outputs",):
            refs.add(target)
        elif kind == "Condition":
            conditions.add(target)
        elif kind == "Map":
            mappings.add(target)
    for name, parameter in template.parameters.items():
        if name not in refs:
            yield line_of(parameter), f"the parameter {name} reaches no resource", \
                "use it or leave it out; an output alone changes nothing"
    for section, used in (("Conditions", conditions), ("Mappings", mappings)):
        for name in template.section(section):
            if name not in used:
                yield template.section(section).key_lines[name], f"{name} is used nowhere", \
                    "leave it out"


def no_literal_output(template):
    for name, output in template.outputs.items():
        value = output.get("Value", "")
        if not any(intrinsic(each)[0] for _, each in walk(value)):
            yield line_of(output), f"the output {name} is a literal", \
                "an output says what was made: Ref or Fn::GetAtt it"


def no_fixed_name(template):
    def is_fixed(value):
        name, argument = intrinsic(value)
        if name == "Fn::Sub":
            return "${" not in (argument if isinstance(argument, str) else argument[0])
        return name is None and isinstance(value, str)
    for kind, key in _NAMES.items():
        for name, properties, _ in template.of_type(kind):
            if key in properties and any(is_fixed(each) for each in branches(properties[key])):
                yield properties.key_lines[key], f"{name} has a fixed {key}", \
                    "leave it out, or make it of AWS::StackName: a second deployment would fail"
    for name, output in template.outputs.items():
        export = output.get("Export", {}).get("Name")
        if export is not None and is_fixed(export):
            yield line_of(output), f"the export of {name} has a fixed name", \
                "pass the output as a parameter of the next stack"


def versions_quoted(template):
    for path, value in walk(template.body):
        key = path[-1] if path else ""
        is_version = path[:1] == ("Parameters",) and key == "Default" and "Version" in path[1] \
            or key in ("Version", "KubernetesVersion", "AddonVersion") and "Resources" in path
        if is_version and isinstance(value, Number):
            yield line_of(value), f"{value.text} without quotes is a number", \
                f"write '{value.text}': 1.30 would become 1.3"


def partition_neutral(template):
    for path, value in walk(template.body):
        if isinstance(value, str) and path[:1] == ("Resources",) and "arn:aws:" in value:
            yield line_of(value), "the ARN names the partition aws", \
                "arn:${AWS::Partition}: works in China and GovCloud too"


def kept_things_kept(template):
    for name, _, resource in template.of_type(*_KEPT):
        for key in ("DeletionPolicy", "UpdateReplacePolicy"):
            if not str(resource.get(key, "")).startswith("Retain"):
                yield line_of(resource), f"{name} goes when the stack goes", \
                    "DeletionPolicy: RetainExceptOnCreate and UpdateReplacePolicy: Retain"
                break


def tags_everywhere(template):
    for name, resource in template.resources.items():
        known = RESOURCES.get(resource.get("Type"), {}).get("properties", {})
        if "Tags" in known and "Tags" not in (resource.get("Properties") or Map()) \
                and resource["Type"] not in _UNTAGGED:
            yield line_of(resource), f"{name} has no tags", "Tags, at least Name with the stack's"


def small_enough(template):
    size = len(template.text.encode())
    if size > _LIMIT:
        yield 1, f"{size} octets; a call takes {_LIMIT}", "move something into a stack of its own"


def parameters_grouped(template):
    if not template.parameters:
        return
    interface = template.section("Metadata").get("AWS::CloudFormation::Interface", Map())
    grouped = [each for group in interface.get("ParameterGroups", [])
               for each in group.get("Parameters", [])]
    labels = interface.get("ParameterLabels", Map())
    for name, parameter in template.parameters.items():
        if interface and (name not in grouped or name not in labels):
            yield line_of(parameter), f"the console shows {name} without group or label", \
                "add it to ParameterGroups and ParameterLabels"
    for name in [*grouped, *labels]:
        if name not in template.parameters:
            yield line_of(name), f"{name} is grouped or labelled, and no parameter", "leave it out"


def zones_by_lookup(template):
    for path, value in walk(template.body):
        name, argument = intrinsic(value)
        if name == "Fn::GetAZs" and argument != "":
            yield line_of(value), "Fn::GetAZs with a region", "Fn::GetAZs: '' means this one"
        if path[-1:] == ("AvailabilityZone",) and isinstance(value, str) and \
                re.fullmatch(r"[a-z]{2}-.*\d[a-z]", value):
            yield line_of(value), f"the zone {value} is fixed", "take it from a parameter"
