"""A template as values that know their lines: YAML text in, long-form intrinsics out, whichever way
they were written; and what the intrinsics come to, given values for the parameters."""

import re

import yaml

PSEUDO = {"AWS::AccountId": "123456789012", "AWS::Region": "eu-west-2", "AWS::Partition": "aws",
          "AWS::StackName": "demo", "AWS::URLSuffix": "amazonaws.com",
          "AWS::StackId": "arn:aws:cloudformation:eu-west-2:123456789012:stack/demo/"
                          "0a1b2c3d-1111-2222-3333-444455556666"}
NO_VALUE = object()


class Text(str):
    line = 0
    is_quoted = False


class Map(dict):
    line = 0
    key_lines = {}


class List(list):
    line = 0


class Number(float):
    line = 0
    text = ""


class Finding:
    """What is wrong, where, and what to do."""

    def __init__(self, rule, line, message, fix):
        self.rule, self.line, self.message, self.fix = rule, line, message, fix

    def __repr__(self):
        return f"{self.line}: {self.rule}: {self.message}; {self.fix}"


def line_of(value, otherwise=0):
    return getattr(value, "line", 0) or otherwise


def _long_form(tag, value):
    name = tag.removeprefix("!")
    if name == "GetAtt" and isinstance(value, Text):
        value = List(Text(part) for part in value.split(".", 1))
    name = name if name in ("Ref", "Condition") else f"Fn::{name}"
    out = Map({name: value})
    out.line, out.key_lines = line_of(value), {name: line_of(value)}
    return out


def _read(node):
    line = node.start_mark.line + 1
    is_short = node.tag.startswith("!") and not node.tag.startswith("!!")
    if isinstance(node, yaml.MappingNode):
        out = Map()
        out.key_lines = {}
        for key, value in node.value:
            if key.value in out:
                raise yaml.MarkedYAMLError(problem=f"{key.value} is given twice",
                                           problem_mark=key.start_mark)
            out[key.value] = _read(value)
            out.key_lines[key.value] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        out = List(_read(each) for each in node.value)
    elif node.tag == "tag:yaml.org,2002:float" and node.style is None:
        out = Number(float(node.value))
        out.text = node.value
    else:
        out = Text(node.value)
        out.is_quoted = node.style is not None
        if node.tag == "tag:yaml.org,2002:null" and node.style is None:
            out = Text("")
    out.line = line
    return _long_form(node.tag, out) if is_short else out


def intrinsic(value):
    """(name, argument) of an intrinsic function, or (None, None)."""
    if isinstance(value, dict) and len(value) == 1:
        (name, argument), = value.items()
        if name == "Ref" or name.startswith("Fn::"):
            return name, argument
    return None, None


def branches(value):
    """The values that an Fn::If may come to, AWS::NoValue left out."""
    name, argument = intrinsic(value)
    if name == "Fn::If":
        yield from branches(argument[1])
        yield from branches(argument[2])
    elif not (name == "Ref" and argument == "AWS::NoValue"):
        yield value


def items(values):
    """The elements of a list, those under an Fn::If too."""
    for each in values if isinstance(values, list) else [values]:
        for branch in branches(each):
            if isinstance(branch, list):
                yield from branch
            else:
                yield branch


def walk(value, path=()):
    """Every value below, with the keys that lead to it."""
    yield path, value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from walk(each, (*path, key))
    elif isinstance(value, list):
        for each in value:
            yield from walk(each, path)


def line_of_cluster(template):
    """Where user data tells gateways of a cluster that they are to ask; 0: nowhere."""
    for path, value in walk(template.resources):
        found = "UserData" in path and isinstance(value, str) and re.search(r"^\s*kube: ", value, re.M)
        if found:
            return line_of(value) + 1 + value.count("\n", 0, found.start())
    return 0


SUB = re.compile(r"\$\{([^!][^}]*)\}")


class Template:
    def __init__(self, text, name="template"):
        self.name, self.text = name, text
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        self.body = _read(node) if node else Map()
        if not isinstance(self.body, Map):
            raise yaml.YAMLError("a template is a mapping")

    def section(self, name):
        section = self.body.get(name)
        return section if isinstance(section, Map) else Map()

    @property
    def parameters(self):
        return self.section("Parameters")

    @property
    def resources(self):
        return self.section("Resources")

    @property
    def outputs(self):
        return self.section("Outputs")

    def of_type(self, *types):
        """(logical id, properties, resource) of each resource of these types."""
        for name, resource in self.resources.items():
            if isinstance(resource, Map) and resource.get("Type") in types:
                properties = resource.get("Properties")
                yield name, properties if isinstance(properties, Map) else Map(), resource

    def default(self, name):
        return self.parameters.get(name, Map()).get("Default")

    def references(self):
        """(kind, target, line, path) of each use of a name: Ref, GetAtt, Sub, Condition, Map."""
        for path, value in walk(self.body):
            if path[:1] == ("Metadata",) or not isinstance(value, dict):
                continue
            for name, argument in value.items():
                line = line_of(argument, value.line)
                if name == "Ref" and len(value) == 1:
                    yield "Ref", argument, line, path
                elif name == "Fn::GetAtt" and isinstance(argument, (list, str)):
                    parts = argument.split(".", 1) if isinstance(argument, str) else argument
                    yield "GetAtt", tuple(parts), line, path
                elif name == "Fn::Sub":
                    yield from self._substitutions(argument, line, path)
                elif name == "Fn::FindInMap" and isinstance(argument, list):
                    yield "Map", argument[0], line, path
                elif name == "Fn::If" and isinstance(argument, list):
                    yield "Condition", argument[0], line, path
                elif name == "Condition" and isinstance(argument, str) and (
                        len(path) == 2 or path[:1] == ("Conditions",) or len(value) == 1):
                    yield "Condition", argument, line, path

    @staticmethod
    def _substitutions(argument, line, path):
        text, own = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
        for found in SUB.finditer(text):
            name = found.group(1).strip()
            if name in own:
                continue
            at = line + text.count("\n", 0, found.start())
            if "." in name and not name.startswith("AWS::"):
                yield "GetAtt", tuple(name.split(".", 1)), at, path
            else:
                yield "Ref", name, at, path
        for name in own:
            if "${" + name + "}" not in text:
                yield "UnusedVariable", name, line, path

    # What the intrinsics come to.

    def values(self, given=None):
        """A value for each parameter: what is given, the default, or something of its type."""
        out = {}
        for name, parameter in self.parameters.items():
            kind = parameter.get("Type", "String")
            value = (given or {}).get(name, parameter.get("Default"))
            if value is None:
                value = f"sample-{name.lower()}"
            value = value.text if isinstance(value, Number) else str(value)
            is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
            out[name] = value.split(",") if is_list else value
        return out

    def condition(self, name, values):
        return self.is_true(self.section("Conditions")[name], values)

    def is_true(self, value, values):
        if set(value) == {"Condition"}:
            return self.condition(value["Condition"], values)
        (name, arguments), = value.items()
        if name == "Fn::Equals":
            left, right = (self.resolve(each, values) for each in arguments)
            return str(left) == str(right)
        results = [self.is_true(each, values) for each in arguments]
        return {"Fn::Not": not results[0], "Fn::And": all(results), "Fn::Or": any(results)}[name]

    def resolve(self, value, values):
        """The value with every intrinsic replaced. Resources become samples."""
        name, argument = intrinsic(value)
        if name is None:
            if isinstance(value, dict):
                all_ = {key: self.resolve(each, values) for key, each in value.items()}
                return {key: each for key, each in all_.items() if each is not NO_VALUE}
            if isinstance(value, list):
                all_ = [self.resolve(each, values) for each in value]
                return [each for each in all_ if each is not NO_VALUE]
            return value
        return getattr(self, "_" + name.replace("Fn::", "").lower())(argument, values)

    def _ref(self, name, values):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in values:
            return values[name]
        if name in PSEUDO:
            return PSEUDO[name]
        resource = self.resources[name]
        own_name = resource.get("Properties", {}).get("Name")
        if resource["Type"] in ("AWS::SSM::Parameter", "AWS::EKS::Cluster") and own_name:
            return self.resolve(own_name, values)
        if resource["Type"] == "AWS::SNS::Topic":
            return f"arn:aws:sns:{PSEUDO['AWS::Region']}:{PSEUDO['AWS::AccountId']}:{name.lower()}"
        return f"{name.lower()}-0a1b2c3d"

    def _getatt(self, argument, values):
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        return f"{parts[0]}.{parts[1]}"

    def _sub(self, argument, values):
        text, own = (argument, {}) if isinstance(argument, str) else argument
        own = {name: self.resolve(each, values) for name, each in own.items()}

        def replaced(found):
            name = found.group(1).strip()
            if name in own:
                return str(own[name])
            return (self._ref(name, values) if name in PSEUDO or "." not in name
                    else self._getatt(name, values))
        return re.sub(r"\$\{!", "${", SUB.sub(replaced, text))

    def _join(self, argument, values):
        parts = self.resolve(argument[1], values)
        return argument[0].join(str(each) for each in parts)

    def _split(self, argument, values):
        return self.resolve(argument[1], values).split(argument[0])

    def _select(self, argument, values):
        return self.resolve(argument[1], values)[int(argument[0])]

    def _if(self, argument, values):
        return self.resolve(argument[1 if self.condition(argument[0], values) else 2], values)

    def _findinmap(self, argument, values):
        at = self.section("Mappings")
        for each in argument:
            at = at[self.resolve(each, values)]
        return at

    def _base64(self, argument, values):
        return self.resolve(argument, values)

    def _getazs(self, _, values):
        return [PSEUDO["AWS::Region"] + zone for zone in "abc"]
