"""Manifests against Kubernetes' own types (types.json): fields that are spelled right, of the right
type, and there where they have to be. What the API server says with strict field validation."""

import json
import pathlib
import re

_DATA = json.loads((pathlib.Path(__file__).parent / "types.json").read_text())
TYPES, KINDS = _DATA["types"], _DATA["kinds"]

# Types of others, which are not in Kubernetes' description: their fields one level down.
FOREIGN = {
    "monitoring.coreos.com/v1 ServiceMonitor": {"jobLabel", "selector", "endpoints"},
    "monitoring.coreos.com/v1 PrometheusRule": {"groups"},
    "ebbgate.dev/v1alpha1 ClusterEgressPolicy": None,
    "ebbgate.dev/v1alpha1 EgressPolicy": None,
}
# Kustomize's own, which is no resource.
KUSTOMIZATION = "kustomize.config.k8s.io/v1beta1 Kustomization"


def faults(document):
    """What is wrong with one document, as lines; none where it is fine."""
    if not isinstance(document, dict):
        return ["it is no map"]
    kind = f"{document.get('apiVersion')} {document.get('kind')}"
    name = f"{kind} {document.get('metadata', {}).get('name')}"
    if kind in FOREIGN:
        known, found = FOREIGN[kind], []
        if known is not None:
            found = [f"{name}: spec.{key} is unknown" for key in document["spec"] if key not in known]
        return found
    if kind not in KINDS:
        return [f"{name}: there is no such kind, or no longer"]
    return [f"{name}: {fault}" for fault in _check(document, KINDS[kind], "")]


def _check(value, kind, where):
    here = where or "."
    array = re.fullmatch(r"Array<(.*)>", kind)
    if array:
        if not isinstance(value, list):
            yield f"{here} has to be a list"
            return
        for i, each in enumerate(value):
            yield from _check(each, array[1], f"{where}[{i}]")
        return
    table = re.fullmatch(r"\{ \[key: string\]: (.*); \}", kind)
    if table:
        if not isinstance(value, dict):
            yield f"{here} has to be a map"
            return
        for key, each in value.items():
            yield from _check(each, table[1], f"{where}.{key}")
        return
    if kind in ("any", "IntOrString", "Date") or (kind not in TYPES and kind.startswith("V")):
        return
    if kind in ("string", "number", "boolean"):
        right = {"string": isinstance(value, str),
                 "number": isinstance(value, (int, float)) and not isinstance(value, bool),
                 "boolean": isinstance(value, bool)}[kind]
        if not right:
            yield f"{here} has to be a {kind}, and is {value!r}"
        return
    if kind not in TYPES:
        return
    if not isinstance(value, dict):
        yield f"{here} has to be a map"
        return
    shape = TYPES[kind]
    for key, each in value.items():
        if key not in shape["fields"]:
            yield f"{where}.{key} is unknown"
        else:
            yield from _check(each, shape["fields"][key], f"{where}.{key}")
    for key in shape["required"]:
        if key not in value:
            yield f"{where}.{key} is missing"


def structural_faults(schema, where="schema"):
    """What the API server would refuse in a CustomResourceDefinition's schema: it has to be a
    structural one (apiextensions, "Specifying a structural schema")."""
    if schema.get("x-kubernetes-int-or-string"):
        if "type" in schema or schema.get("anyOf") != [{"type": "integer"}, {"type": "string"}]:
            yield f"{where}: x-kubernetes-int-or-string stands with its anyOf and without a type"
        return
    if "type" not in schema:
        yield f"{where} has no type"
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{where} has properties and additionalProperties"
    for key in ("anyOf", "oneOf", "allOf", "not"):
        if key in schema:
            yield f"{where}: {key} is used where a rule has a message"
    for key in ("$ref", "definitions", "$schema", "uniqueItems", "dependentRequired"):
        if key in schema:
            yield f"{where}: {key} is forbidden"
    if schema.get("type") == "array":
        if "items" not in schema:
            yield f"{where} has no items"
        if "maxItems" not in schema:
            yield f"{where} has no bound, which the cost of rules needs"
        if schema.get("x-kubernetes-list-type") not in ("atomic", "map", "set"):
            yield f"{where} says not how it is merged"
        yield from structural_faults(schema.get("items", {}), where + "[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from structural_faults(schema["additionalProperties"], where + ".*")
    for key in schema.get("required", []):
        if key not in schema.get("properties", {}):
            yield f"{where} requires {key}, which it does not have"
    for rule in schema.get("x-kubernetes-validations", []):
        if not rule.get("message"):
            yield f"{where}: a rule has no message"
        for key in re.findall(r"self\.(\w+)", rule["rule"]):
            if key not in schema.get("properties", {}):
                yield f"{where}: a rule speaks of {key}, which it does not have"
    for key, each in schema.get("properties", {}).items():
        yield from structural_faults(each, f"{where}.{key}")
