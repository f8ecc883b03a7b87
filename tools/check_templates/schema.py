"""Types, properties, what is required and which values are permitted, by schema.json."""

import json
import pathlib

from .template import Finding, branches, intrinsic, line_of

_SCHEMA = json.loads(pathlib.Path(__file__).with_name("schema.json").read_text())
RESOURCES, TYPES = _SCHEMA["resources"], _SCHEMA["types"]
ATTRIBUTES = {"Type", "Properties", "Condition", "DependsOn", "DeletionPolicy",
              "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy", "Metadata"}
POLICIES = {"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"}
SECTIONS = {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules",
            "Mappings", "Conditions", "Resources", "Outputs", "Transform", "Hooks"}
PARAMETER_KEYS = {"Type", "Default", "Description", "AllowedValues", "AllowedPattern", "MinLength",
                  "MaxLength", "MinValue", "MaxValue", "NoEcho", "ConstraintDescription"}


def _near(name, names):
    import difflib
    found = difflib.get_close_matches(name, names, 1)
    return f"did you mean {found[0]}?" if found else "leave it out"


def check(template):
    for name in template.body:
        if name not in SECTIONS:
            yield Finding("schema", template.body.key_lines[name], f"no section {name}",
                          _near(name, SECTIONS))
    for name, parameter in template.parameters.items():
        for key in parameter:
            if key not in PARAMETER_KEYS:
                yield Finding("schema", parameter.key_lines[key], f"{name}: no key {key}",
                              _near(key, PARAMETER_KEYS))
        if "Type" not in parameter:
            yield Finding("schema", line_of(parameter), f"{name} has no Type", "say Type: String")
    for name, resource in template.resources.items():
        yield from _resource(name, resource)


def _resource(name, resource):
    kind = resource.get("Type", "")
    if kind not in RESOURCES:
        yield Finding("schema", line_of(resource), f"{name}: no type {kind} is known here",
                      _near(kind, RESOURCES)
                      + " tools/distill-cloudformation-schema adds types that are new")
        return
    for key in resource:
        if key not in ATTRIBUTES:
            yield Finding("schema", resource.key_lines[key], f"{name}: a resource has no {key}",
                          _near(key, ATTRIBUTES))
    for key in ("DeletionPolicy", "UpdateReplacePolicy"):
        if key in resource and resource[key] not in POLICIES:
            yield Finding("schema", resource.key_lines[key], f"{name}: {key} {resource[key]}",
                          f"one of {', '.join(sorted(POLICIES))}")
    yield from _object(name, resource.get("Properties") or {}, RESOURCES[kind]["properties"],
                       line_of(resource))


def _object(path, value, known, line):
    for key, each in value.items():
        if key not in known:
            yield Finding("schema", value.key_lines[key], f"{path}: no property {key}",
                          _near(key, known))
            continue
        yield from _value(f"{path}.{key}", each, known[key].removeprefix("!"),
                          value.key_lines[key])
    for key, kind in known.items():
        if kind.startswith("!") and key not in value:
            yield Finding("schema", line_of(value, line), f"{path} has no {key}", "it is required")


def _value(path, value, kind, line):
    for each in branches(value):
        name, _ = intrinsic(each)
        if name is None:
            yield from _plain(path, each, kind, line_of(each, line))


def _plain(path, value, kind, line):
    def wrong(what):
        return Finding("schema", line, f"{path} is no {what}", f"the schema says {kind}")
    if kind.startswith("("):
        alternatives = kind[1:-1].split("|")
        if all(list(_plain(path, value, each, line)) for each in alternatives):
            yield wrong("value of any of its types")
    elif kind == "json":
        if not isinstance(value, (dict, list, str)):
            yield wrong("JSON")
    elif kind.startswith("["):
        if not isinstance(value, list):
            yield wrong("list")
        else:
            for each in value:
                yield from _value(path, each, kind[1:-1], line)
    elif kind.startswith("{"):
        if not isinstance(value, dict):
            yield wrong("mapping")
        else:
            for key, each in value.items():
                yield from _value(f"{path}.{key}", each, kind[1:-1], line)
    elif kind.startswith("#"):
        if not isinstance(value, dict):
            yield wrong(kind[1:])
        else:
            yield from _object(path, value, TYPES[kind[1:]], line)
    elif isinstance(value, (dict, list)):
        yield wrong(kind)
    elif kind == "boolean":
        if value not in ("true", "false", "True", "False"):
            yield wrong("boolean")
    elif kind in ("integer", "number"):
        try:
            (int if kind == "integer" else float)(str(value))
        except ValueError:
            yield wrong(kind)
    elif kind.startswith("string=") and value not in kind.removeprefix("string=").split(","):
        yield Finding("schema", line, f"{path}: {value} is not permitted",
                      "one of " + kind.removeprefix("string=").replace(",", ", "))
