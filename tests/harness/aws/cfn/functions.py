"""Parameters, conditions and functions of a template, evaluated."""

import base64
import ipaddress
import re

from ..protocols import AwsError
from .template import function, invalid

NOTHING = object()  # AWS::NoValue


class Scope:
    """What the names of a template stand for in one stack. `ref` and `attribute` give a resource's
    values; `imports` collects the exports that were used."""

    def __init__(self, emulator, stack, template, parameters, ref=None, attribute=None):
        self.emulator, self.stack, self.template = emulator, stack, template
        self.parameters, self.ref, self.attribute = parameters, ref, attribute
        self.imports, self._conditions = set(), {}

    # Names.

    def _name(self, name):
        at = self.emulator
        if name in self.parameters:
            return self.parameters[name]
        pseudo = {"AWS::AccountId": at.account, "AWS::Partition": at.partition,
                  "AWS::Region": at.region, "AWS::StackName": self.stack.name,
                  "AWS::StackId": self.stack.id, "AWS::NoValue": NOTHING,
                  "AWS::NotificationARNs": [],
                  "AWS::URLSuffix": "amazonaws.com" + (".cn" if at.partition == "aws-cn" else "")}
        if name in pseudo:
            return pseudo[name]
        if not self.exists(name):
            raise invalid(f"Template format error: Unresolved resource dependencies [{name}] in "
                          "the Resources block of the template")
        return self.ref(name)

    def exists(self, name):
        """Whether the template's conditions make the resource."""
        resource = self.template.resources.get(name)
        return resource is not None and (
            "Condition" not in resource or self.condition(resource["Condition"]))

    def _attribute(self, name, attribute):
        if not self.exists(name):
            raise invalid(f"Template format error: Unresolved resource dependencies [{name}] in "
                          "the Resources block of the template")
        return self.attribute(name, attribute)

    def condition(self, name):
        if name not in self._conditions:
            self._conditions[name] = None  # until it is known
            self._conditions[name] = self._truth(self.template.conditions[name])
        if self._conditions[name] is None:
            raise invalid(f"Template format error: Circular dependency of condition {name}")
        return self._conditions[name]

    def _truth(self, value):
        if isinstance(value, dict) and set(value) == {"Condition"}:
            return self.condition(value["Condition"])
        value = self.resolve(value)
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise invalid("Template error: a condition must evaluate to true or false")

    # Values.

    def resolve(self, value):
        """The value with every function evaluated; what is AWS::NoValue is left out."""
        called = function(value)
        if called:
            return self._call(*called)
        if isinstance(value, dict):
            pairs = ((key, self.resolve(each)) for key, each in value.items())
            return {key: each for key, each in pairs if each is not NOTHING}
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not NOTHING]
        if isinstance(value, str) and "{{resolve:" in value:
            return re.sub(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]*)\}\}",
                          lambda m: self._dynamic(m[1], m[2]), value)
        return value

    def _dynamic(self, service, rest):
        if service == "secretsmanager":
            name, *_ = rest.split(":")
            return self.emulator.secretsmanager.GetSecretValue({"SecretId": name})["SecretString"]
        return self.emulator.ssm.GetParameter({"Name": rest})["Parameter"]["Value"]

    def _call(self, name, argument):
        if name == "Ref":
            return self._name(argument)
        method = getattr(self, "_fn_" + name[4:].lower(), None)
        if method is None:
            raise invalid(f"Template error: {name} is not known here")
        return method(argument)

    def _fn_getatt(self, argument):
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        return self._attribute(argument[0], ".".join(str(self.resolve(a)) for a in argument[1:]))

    def _fn_if(self, argument):
        return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])

    def _fn_equals(self, argument):
        left, right = map(self.resolve, argument)
        return text(left) == text(right)

    def _fn_and(self, argument):
        return all([self._truth(each) for each in argument])

    def _fn_or(self, argument):
        return any([self._truth(each) for each in argument])

    def _fn_not(self, argument):
        return not self._truth(argument[0])

    def _fn_contains(self, argument):
        values, value = map(self.resolve, argument)
        return text(value) in [text(each) for each in values]

    def _fn_eachmemberin(self, argument):
        values, allowed = map(self.resolve, argument)
        return all(each in allowed for each in values)

    def _fn_sub(self, argument):
        pattern, given = (argument, {}) if isinstance(argument, str) else argument
        given = {key: self.resolve(value) for key, value in given.items()}

        def replaced(match):
            name = match[1].strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in given:
                value = given[name]
            else:
                head, dot, attribute = name.partition(".")
                value = self._attribute(head, attribute) if dot else self._name(name)
            if not isinstance(value, (str, int, float)):
                raise invalid(f"Template error: variable {name} in Fn::Sub expression does not "
                              "resolve to a string")
            return text(value)
        return re.sub(r"\$\{([^}]*)\}", replaced, pattern)

    def _fn_join(self, argument):
        delimiter, parts = argument[0], self.resolve(argument[1])
        if not isinstance(parts, list) or any(isinstance(p, (dict, list)) for p in parts):
            raise invalid('Template error: every Fn::Join object requires two parameters, (1) a '
                          'string delimiter and (2) a list of strings to be joined')
        return delimiter.join(map(text, parts))

    def _fn_split(self, argument):
        value = self.resolve(argument[1])
        if not isinstance(value, str):
            raise invalid("Template error: every Fn::Split object requires two parameters, (1) a "
                          "string delimiter and (2) a string to be split")
        return value.split(argument[0])

    def _fn_select(self, argument):
        index, values = int(self.resolve(argument[0])), self.resolve(argument[1])
        if not isinstance(values, list):
            raise invalid("Template error: Fn::Select requires a list argument")
        if not 0 <= index < len(values) or values[index] == "" and len(values) == 1:
            raise invalid("Template error: Fn::Select cannot select nonexistent value at index "
                          f"{index}")
        return values[index]

    def _fn_getazs(self, argument):
        region = self.resolve(argument)
        if region not in ("", self.emulator.region):
            raise invalid(f"Template error: Fn::GetAZs of another region: {region}")
        return list(self.emulator.ec2.zones)

    def _fn_findinmap(self, argument):
        name, first, second = map(self.resolve, argument)
        try:
            return self.resolve(self.template.mappings[name][text(first)][text(second)])
        except KeyError:
            raise invalid(f"Template error: Unable to get mapping for {name}::{first}::{second}"
                          ) from None

    def _fn_cidr(self, argument):
        block, count = self.resolve(argument[0]), int(self.resolve(argument[1]))
        network = ipaddress.ip_network(block)
        bits = int(self.resolve(argument[2])) if len(argument) > 2 else (
            64 if network.version == 6 else 8)
        subnets = network.subnets(new_prefix=network.max_prefixlen - bits)
        out = [str(subnet) for subnet, _ in zip(subnets, range(count))]
        if len(out) < count:
            raise invalid(f"Template error: Fn::Cidr cannot make {count} blocks of {block}")
        return out

    def _fn_base64(self, argument):
        return base64.b64encode(text(self.resolve(argument)).encode()).decode()

    def _fn_importvalue(self, argument):
        name = self.resolve(argument)
        exports = self.emulator.cloudformation.exports()
        if name not in exports:
            raise invalid(f"No export named {name} found.")
        self.imports.add(name)
        return exports[name]


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def read_parameters(emulator, template, given):
    """({name: value}, {name: what it stands for}) of the parameters of a request, checked; only an
    SSM parameter stands for something else than itself."""
    if unknown := sorted(set(given) - set(template.parameters)):
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = sorted(name for name, declared in template.parameters.items()
                     if name not in given and "Default" not in declared)
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    values, meanings = {}, {}
    for name, declared in template.parameters.items():
        value = given.get(name, declared.get("Default"))
        value = text(value)
        kind = declared.get("Type", "String")
        _constrain(name, declared, value)
        values[name] = value
        if found := re.fullmatch(r"AWS::SSM::Parameter::Value<(.*)>", kind):
            try:
                value = emulator.ssm.GetParameter({"Name": value})["Parameter"]["Value"]
            except AwsError:
                raise invalid(f"Unable to fetch parameters [{value}] from parameter store for this "
                              "account.") from None
            kind = found[1]
        meanings[name] = _typed(emulator, name, kind, value)
    return values, meanings


def _constrain(name, declared, value):
    def refuse(otherwise):
        description = declared.get("ConstraintDescription")
        raise invalid(f"Parameter {name} failed to satisfy constraint: {description}"
                      if description else f"Parameter '{name}' {otherwise}")
    kind = declared.get("Type", "String")
    items = value.split(",") if kind in ("CommaDelimitedList", "List<Number>") else [value]
    allowed = [text(each) for each in declared.get("AllowedValues", [])]
    for item in items:
        item = item.strip() if len(items) > 1 else item
        if allowed and item not in allowed:
            refuse(f"must be one of AllowedValues [{', '.join(allowed)}]")
        if "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], item):
            refuse(f"must match pattern {declared['AllowedPattern']}")
    if kind == "Number":
        if not re.fullmatch(r"-?\d+(\.\d+)?", value):
            raise invalid(f"Parameter '{name}' must be a number.")
        if float(value) < float(declared.get("MinValue", value)):
            refuse(f"must be a number not less than {declared['MinValue']}")
        if float(value) > float(declared.get("MaxValue", value)):
            refuse(f"must be a number not greater than {declared['MaxValue']}")
    if len(value) < int(declared.get("MinLength", 0)):
        refuse(f"must contain at least {declared['MinLength']} characters")
    if len(value) > int(declared.get("MaxLength", 4096)):
        refuse(f"must contain at most {declared.get('MaxLength', 4096)} characters")


def _typed(emulator, name, kind, value):
    """A parameter's value by its type; what AWS looks up has to be there."""
    if found := re.fullmatch(r"List<(.*)>", kind):
        return [_typed(emulator, name, found[1], each.strip()) for each in value.split(",")]
    if kind == "CommaDelimitedList":
        return [each.strip() for each in value.split(",")]
    known = {"AWS::EC2::VPC::Id": emulator.ec2.vpcs, "AWS::EC2::Subnet::Id": emulator.ec2.subnets,
             "AWS::EC2::SecurityGroup::Id": emulator.ec2.security_groups,
             "AWS::EC2::AvailabilityZone::Name": emulator.ec2.zones}
    if kind in known and value not in known[kind]:
        raise invalid(f"Parameter validation failed: parameter value {value} for parameter name "
                      f"{name} does not exist")
    if kind == "AWS::EC2::Image::Id" and not re.fullmatch("ami-[0-9a-f]{8,17}", value):
        raise invalid(f"Parameter validation failed: parameter value {value} for parameter name "
                      f"{name} does not exist")
    if kind not in ("String", "Number") and kind not in known and not kind.startswith("AWS::"):
        raise invalid(f"Template format error: Unrecognized parameter type: {kind}")
    return value


def check_rules(scope):
    """The template's Rules section, about its parameters."""
    for name, rule in scope.template.rules.items():
        if "RuleCondition" in rule and not scope._truth(rule["RuleCondition"]):
            continue
        for assertion in rule["Assertions"]:
            if not scope._truth(assertion["Assert"]):
                raise invalid(f"Template error: Rule {name} failed: "
                              f"{assertion.get('AssertDescription', 'Assertion failed')}")
