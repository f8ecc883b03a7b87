"""A template as CloudFormation reads it: YAML with its short forms, or JSON; the checks that need
no parameters, and which resource needs which."""

import json
import re

import yaml

from ..protocols import AwsError

PSEUDO = {"AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition",
          "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix"}
SECTIONS = {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings",
            "Conditions", "Rules", "Transform", "Resources", "Outputs"}
ATTRIBUTES = {"Type", "Properties", "DependsOn", "Condition", "Metadata", "CreationPolicy",
              "UpdatePolicy", "DeletionPolicy", "UpdateReplacePolicy"}
FUNCTIONS = {"Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::GetAZs", "Fn::If", "Fn::Equals",
             "Fn::And", "Fn::Or", "Fn::Not", "Fn::FindInMap", "Fn::Cidr", "Fn::Base64",
             "Fn::ImportValue", "Fn::GetAtt", "Fn::Contains", "Fn::EachMemberIn"}


def invalid(message):
    return AwsError("ValidationError", message)


class _Loader(yaml.SafeLoader):
    """Dates stay text, and a key that stands twice is an error."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"duplicate key {sorted(map(str, twice))}")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def _short(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}


_Loader.add_multi_constructor("!", _short)


def function(value):
    """(name, argument) when the value is a function's call, or None."""
    if isinstance(value, dict) and len(value) == 1:
        name, argument = next(iter(value.items()))
        if name == "Ref" or (isinstance(name, str) and name.startswith("Fn::")):
            return name, argument
    return None


def substitutions(text):
    """The names in ${} of a Sub's text, without its literals (${!name})."""
    return re.findall(r"\$\{([^!}][^}]*)\}", text)


class Template:
    def __init__(self, text):
        self.text = text
        try:
            body = yaml.load(text, _Loader)  # of which JSON is a part
        except yaml.YAMLError as error:
            try:
                body = json.loads(text)
            except ValueError:
                raise invalid("Template format error: YAML not well-formed. "
                              f"({' '.join(str(error).split())})") from None
        if not isinstance(body, dict):
            raise invalid("Template format error: unsupported structure.")
        self.body = body
        if body.get("AWSTemplateFormatVersion", "2010-09-09") != "2010-09-09":
            raise invalid("Template format error: unsupported value for AWSTemplateFormatVersion.")
        if unknown := sorted(set(body) - SECTIONS):
            raise invalid(f"Invalid template property or properties {unknown}")
        if "Transform" in body:
            raise invalid("the emulator has no transforms")
        if len((self.description or "").encode()) > 1024:
            raise invalid("Template format error: 'Description' length is greater than 1024.")
        if not self.resources:
            raise invalid("Template format error: At least one Resources member must be defined.")
        self._check()

    description = property(lambda self: self.body.get("Description"))
    parameters = property(lambda self: self.body.get("Parameters") or {})
    mappings = property(lambda self: self.body.get("Mappings") or {})
    conditions = property(lambda self: self.body.get("Conditions") or {})
    rules = property(lambda self: self.body.get("Rules") or {})
    resources = property(lambda self: self.body.get("Resources") or {})
    outputs = property(lambda self: self.body.get("Outputs") or {})

    def _check(self):
        from .types import TYPES
        for kind, names, most in (("Resource", self.resources, 500), ("Output", self.outputs, 200),
                                  ("Parameter", self.parameters, 200)):
            if len(names) > most:
                raise invalid(f"Template format error: more than {most} {kind}s")
            for name in names:
                if not re.fullmatch("[A-Za-z0-9]{1,255}", str(name)):
                    raise invalid(f"Template format error: {kind} name {name} is non alphanumeric.")
        unknown = sorted({str(r.get("Type")) for r in self.resources.values()} - set(TYPES))
        if unknown:
            raise invalid(f"Template format error: Unrecognized resource types: {unknown}")
        for name, resource in self.resources.items():
            if extra := sorted(set(resource) - ATTRIBUTES):
                raise invalid(f"Invalid template resource property '{extra[0]}'")
            if resource.get("DeletionPolicy", "Delete") not in (
                    "Delete", "Retain", "RetainExceptOnCreate", "Snapshot"):
                raise invalid(f"Template error: invalid DeletionPolicy of {name}")
            self._walk(resource.get("Properties", {}), f"Resources block", True)
            self._condition(resource.get("Condition"), f"resource {name}")
            for each in _list(resource.get("DependsOn", [])):
                if each not in self.resources:
                    self._unresolved(each, "Resources block")
        for name, output in self.outputs.items():
            if "Value" not in output:
                raise invalid(f"Template format error: Output {name} must have a Value")
            self._walk(output["Value"], "Outputs block", True)
            self._walk((output.get("Export") or {}).get("Name", ""), "Outputs block", False)
            self._condition(output.get("Condition"), f"output {name}")
        for condition in self.conditions.values():
            self._walk(condition, "Conditions block", False)
        self._no_circle()

    @staticmethod
    def _unresolved(name, where):
        raise invalid(f"Template format error: Unresolved resource dependencies [{name}] in the "
                      f"{where} of the template")

    def _condition(self, name, where):
        if name is not None and name not in self.conditions:
            raise invalid(f"Template format error: Unresolved condition dependency {name} of "
                          f"{where}")

    def _walk(self, value, where, resources):
        """Every name that a value uses is one of the template's."""
        called = function(value)
        if called:
            name, argument = called
            if name == "Ref":
                if not isinstance(argument, str):
                    raise invalid("Template error: every Ref object must have a single String "
                                  "value.")
                if argument not in PSEUDO and argument not in self.parameters and not (
                        resources and argument in self.resources):
                    self._unresolved(argument, where)
                return
            if name not in FUNCTIONS:
                raise invalid(f"Template error: the function {name} is unknown")
            if name == "Fn::GetAtt":
                self._attribute(argument, where, resources)
            elif name == "Fn::Sub":
                self._sub(argument, where, resources)
            elif name == "Fn::If":
                if not isinstance(argument, list) or len(argument) != 3:
                    raise invalid("Template error: Fn::If requires a list argument with three "
                                  "members")
                self._condition(argument[0], "Fn::If")
            elif name in ("Fn::And", "Fn::Or") and not 2 <= len(argument) <= 10:
                raise invalid(f"Template error: every {name} object requires a list of at least 2 "
                              "and at most 10 boolean parameters.")
            elif name == "Fn::FindInMap" and isinstance(argument[0], str) and (
                    argument[0] not in self.mappings):
                raise invalid(f"Template error: Mapping named '{argument[0]}' is not present in "
                              "the 'Mappings' section of template.")
            if name != "Fn::GetAtt":
                self._walk(argument, where, resources)
        elif isinstance(value, dict):
            if set(value) == {"Condition"} and isinstance(value["Condition"], str) and (
                    where == "Conditions block"):
                self._condition(value["Condition"], where)
            for each in value.values():
                self._walk(each, where, resources)
        elif isinstance(value, list):
            for each in value:
                self._walk(each, where, resources)

    def _attribute(self, argument, where, resources):
        from .types import TYPES
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        if not isinstance(argument, list) or len(argument) < 2:
            raise invalid("Template error: every Fn::GetAtt object requires two non-empty "
                          "parameters, the resource name and the resource attribute")
        name, attribute = argument[0], ".".join(map(str, argument[1:]))
        if not resources or name not in self.resources:
            raise invalid(f"Template error: instance of Fn::GetAtt references undefined resource "
                          f"{name}")
        kind = TYPES[self.resources[name]["Type"]]
        if attribute not in kind.attributes:
            raise invalid(f"Template error: resource {name} does not support attribute type "
                          f"{attribute} in Fn::GetAtt")

    def _sub(self, argument, where, resources):
        text, given = (argument, {}) if isinstance(argument, str) else argument
        if not isinstance(text, str):
            raise invalid("Template error: One or more Fn::Sub intrinsic functions don't specify "
                          "expected arguments.")
        for name in substitutions(text):
            name = name.strip()
            if name in given or name in PSEUDO or name in self.parameters:
                continue
            head, dot, attribute = name.partition(".")
            if not resources or head not in self.resources:
                self._unresolved(name, where)
            if dot:
                self._attribute([head, attribute], where, resources)

    def needs(self, name, chosen=lambda condition: None):
        """The resources that a resource refers to. `chosen(condition)` says which branch of an
        Fn::If counts: True, False, or None for both."""
        resource, out = self.resources[name], set()
        out.update(_list(resource.get("DependsOn", [])))
        self._collect(resource.get("Properties", {}), out, chosen)
        self._collect(resource.get("Metadata", {}), out, chosen)
        return out & set(self.resources) - {name}

    def _collect(self, value, out, chosen):
        called = function(value)
        if called and called[0] == "Ref":
            out.add(called[1])
        elif called and called[0] == "Fn::GetAtt":
            out.add(called[1][0] if isinstance(called[1], list) else called[1].split(".")[0])
        elif called and called[0] == "Fn::If":
            which = chosen(called[1][0])
            for side, branch in ((True, called[1][1]), (False, called[1][2])):
                if which in (None, side):
                    self._collect(branch, out, chosen)
        else:
            if called and called[0] == "Fn::Sub":
                text = called[1] if isinstance(called[1], str) else called[1][0]
                out.update(name.strip().split(".")[0] for name in substitutions(text))
            for each in (value.values() if isinstance(value, dict) else
                         value if isinstance(value, list) else ()):
                self._collect(each, out, chosen)

    def _no_circle(self):
        left = {name: self.needs(name) for name in self.resources}
        while left:
            free = [name for name, needs in left.items() if not needs & set(left)]
            if not free:
                raise invalid("Circular dependency between resources: "
                              f"[{', '.join(sorted(left))}]")
            for name in free:
                del left[name]

    def capabilities(self):
        """The capabilities that the template's IAM resources ask for."""
        named = {"AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
                 "AWS::IAM::InstanceProfile": "InstanceProfileName", "AWS::IAM::User": "UserName",
                 "AWS::IAM::Group": "GroupName", "AWS::IAM::Policy": None}
        found = [r for r in self.resources.values() if r["Type"] in named]
        if any(named[r["Type"]] in r.get("Properties", {}) for r in found):
            return ["CAPABILITY_NAMED_IAM"]
        return ["CAPABILITY_IAM"] if found else []


def _list(value):
    return value if isinstance(value, list) else [value]
