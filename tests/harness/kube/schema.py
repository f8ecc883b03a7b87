"""Structural schemas of CustomResourceDefinitions: what a schema prunes, what it puts in, and what
it says against a value. Messages are the API server's."""

import json
import re

from . import cel

INVALID, REQUIRED = "FieldValueInvalid", "FieldValueRequired"
UNSUPPORTED, TOO_LONG, TOO_MANY = ("FieldValueNotSupported", "FieldValueTooLong",
                                   "FieldValueTooMany")
PRESERVE = "x-kubernetes-preserve-unknown-fields"
_OBJECT = {"apiVersion", "kind", "metadata"}
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}
_FORMATS = {
    "date-time": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "uuid": re.compile(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}"),
}


def prune(value, schema, path="", top=True):
    """Takes unknown fields out of the value, and yields their paths."""
    if isinstance(value, dict) and not schema.get(PRESERVE):
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        for name in list(value):
            where = f"{path}.{name}" if path else name
            if top and name in _OBJECT:
                continue
            if name in known:
                yield from prune(value[name], known[name], where, False)
            elif isinstance(more, dict):
                yield from prune(value[name], more, where, False)
            elif not more:
                del value[name]
                yield where
    elif isinstance(value, dict):
        for name, each in schema.get("properties", {}).items():
            if name in value and not (top and name in _OBJECT):
                yield from prune(value[name], each, f"{path}.{name}" if path else name, False)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from prune(each, schema.get("items") or {}, f"{path}[{index}]", False)


def default(value, schema):
    """Puts defaults where nothing is, into objects that are there; and takes away null where a
    field is not nullable and has a default."""
    if isinstance(value, dict):
        for name, each in schema.get("properties", {}).items():
            if "default" in each and (name not in value or (
                    value[name] is None and not each.get("nullable"))):
                value[name] = json.loads(json.dumps(each["default"]))
            if name in value:
                default(value[name], each)
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            for each in value.values():
                default(each, more)
    elif isinstance(value, list):
        for each in value:
            default(each, schema.get("items") or {})


def drop_nulls(value, schema):
    """A null for a field that is not nullable is as if it were not there."""
    if isinstance(value, dict):
        for name, each in schema.get("properties", {}).items():
            if name in value:
                if value[name] is None and not each.get("nullable"):
                    del value[name]
                else:
                    drop_nulls(value[name], each)
    elif isinstance(value, list):
        for each in value:
            drop_nulls(each, schema.get("items") or {})


def kind_of(value):
    return {bool: "boolean", dict: "object", list: "array", str: "string", int: "integer",
            float: "number", type(None): "null"}[type(value)]


def _shown(value):
    return f'"{kind_of(value)}"' if isinstance(value, (dict, list)) else json.dumps(value)


def _is_type(value, kind):
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool) or (
            isinstance(value, float) and value.is_integer())
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def _body(value, where, what):
    return (INVALID, f"Invalid value: {_shown(value)}: {where} in body {what}", where)


def validate(value, schema, path="", top=True):
    """Yields (reason, message, field) of what is wrong with a value."""
    where = path or "<nil>"
    if value is None and schema.get("nullable"):
        return
    kind = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if not _is_type(value, "integer") and not isinstance(value, str):
            yield (INVALID, f'Invalid value: "{kind_of(value)}": {where} in body must be of type '
                   f'integer,string: "{kind_of(value)}"', where)
            return
    elif kind and not _is_type(value, kind):
        yield (INVALID, f'Invalid value: "{kind_of(value)}": {where} in body must be of type '
               f'{kind}: "{kind_of(value)}"', where)
        return
    if "enum" in schema and value not in schema["enum"]:
        values = ", ".join(json.dumps(each) for each in schema["enum"])
        yield (UNSUPPORTED, f"Unsupported value: {_shown(value)}: supported values: {values}",
               where)
    if isinstance(value, str):
        yield from _string(value, schema, where)
    elif isinstance(value, dict):
        yield from _object(value, schema, path, where, top)
    elif isinstance(value, list):
        yield from _array(value, schema, path, where)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number(value, schema, where)
    yield from _combined(value, schema, path, where)


def _string(value, schema, where):
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield (TOO_LONG, f"Too long: may not be more than {schema['maxLength']} bytes", where)
    if len(value) < schema.get("minLength", 0):
        yield _body(value, where, f"should be at least {schema['minLength']} chars long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield _body(value, where, f"should match '{schema['pattern']}'")
    form = _FORMATS.get(schema.get("format"))
    if form and not form.fullmatch(value):
        yield _body(value, where, f"must be of type {schema['format']}: {json.dumps(value)}")


def _number(value, schema, where):
    if "minimum" in schema and (value < schema["minimum"] or (
            schema.get("exclusiveMinimum") and value == schema["minimum"])):
        yield _body(value, where, f"should be greater than or equal to {schema['minimum']}")
    if "maximum" in schema and (value > schema["maximum"] or (
            schema.get("exclusiveMaximum") and value == schema["maximum"])):
        yield _body(value, where, f"should be less than or equal to {schema['maximum']}")
    if "multipleOf" in schema and value % schema["multipleOf"]:
        yield _body(value, where, f"should be a multiple of {schema['multipleOf']}")


def _object(value, schema, path, where, top):
    for name in schema.get("required", []):
        if name not in value:
            yield (REQUIRED, "Required value", f"{path}.{name}" if path else name)
    if len(value) < schema.get("minProperties", 0):
        yield _body(len(value), where,
                    f"should have at least {schema['minProperties']} properties")
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield (TOO_MANY, f"Too many: {len(value)}: must have at most {schema['maxProperties']} "
               "items", where)
    more = schema.get("additionalProperties")
    for name, each in value.items():
        if top and name in _OBJECT:
            continue
        below = schema.get("properties", {}).get(name, more if isinstance(more, dict) else None)
        if below is not None:
            yield from validate(each, below, f"{path}.{name}" if path else name, False)


def _array(value, schema, path, where):
    if len(value) < schema.get("minItems", 0):
        yield _body(len(value), where, f"should have at least {schema['minItems']} items")
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield (TOO_MANY, f"Too many: {len(value)}: must have at most {schema['maxItems']} items",
               where)
    seen, kind = set(), schema.get("x-kubernetes-list-type")
    for index, each in enumerate(value):
        yield from validate(each, schema.get("items") or {}, f"{path}[{index}]", False)
        if kind in ("map", "set"):
            key = ({name: each.get(name) for name in schema.get("x-kubernetes-list-map-keys", ())}
                   if kind == "map" and isinstance(each, dict) else each)
            text = json.dumps(key, sort_keys=True)
            if text in seen:
                yield ("FieldValueDuplicate", f"Duplicate value: {text}", f"{path}[{index}]")
            seen.add(text)


def _combined(value, schema, path, where):
    def holds(other):
        return not any(True for _ in validate(value, {**other, "nullable": False}, path, False))
    if "anyOf" in schema and not any(map(holds, schema["anyOf"])):
        yield _body(value, where, "must validate at least one schema (anyOf)")
    if "oneOf" in schema and sum(map(holds, schema["oneOf"])) != 1:
        yield _body(value, where, "must validate one and only one schema (oneOf)")
    for each in schema.get("allOf", []):
        yield from validate(value, each, path, False)
    if "not" in schema and holds(schema["not"]):
        yield _body(value, where, "must not validate the schema (not)")


def rules(value, schema, skipped, path="", old=None):
    """Yields what x-kubernetes-validations say against a value that is valid otherwise; what cannot
    be evaluated here is added to `skipped`."""
    for each in schema.get("x-kubernetes-validations", []):
        if "oldSelf" in each["rule"] and old is None:
            continue
        try:
            holds = cel.compile_(each["rule"])({"self": value, "oldSelf": old})
            said = each.get("message") or f"failed rule: {each['rule']}"
        except cel.Unsupported:
            skipped.add(each["rule"])
            continue
        except cel.Failed as error:
            holds, said = False, f"rule evaluation error: {error}"
        if holds is not True:
            where = path + each.get("fieldPath", "")
            yield (INVALID, f"Invalid value: {_shown(value)}: {said}", where or "<nil>")
    if isinstance(value, dict):
        more = schema.get("additionalProperties")
        for name, each in value.items():
            below = schema.get("properties", {}).get(name, more if isinstance(more, dict) else None)
            if below:
                yield from rules(each, below, skipped, f"{path}.{name}" if path else name,
                                 old.get(name) if isinstance(old, dict) else None)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from rules(each, schema.get("items") or {}, skipped, f"{path}[{index}]")


def structural_faults(schema, path="spec.validation.openAPIV3Schema", top=True):
    """What a CustomResourceDefinition is refused for (apiextensions, "Specifying a structural
    schema"): (reason, message, field)."""
    for name in ("$ref", "definitions", "dependencies", "deprecated", "discriminator", "id",
                 "patternProperties", "readOnly", "writeOnly", "xml"):
        if name in schema:
            yield ("FieldValueForbidden", f"Forbidden: {name} is not supported", f"{path}.{name}")
    if schema.get("uniqueItems"):
        yield ("FieldValueForbidden", "Forbidden: uniqueItems cannot be set to true since the "
               "runtime complexity becomes quadratic", f"{path}.uniqueItems")
    if "type" not in schema and not schema.get("x-kubernetes-int-or-string") and not (
            schema.get(PRESERVE) and not top):
        yield (REQUIRED, "Required value: must not be empty for specified object fields" if not top
               else "Required value: must not be empty at the root", f"{path}.type")
    if "properties" in schema and schema.get("additionalProperties") not in (None, False):
        yield ("FieldValueForbidden", "Forbidden: additionalProperties and properties are mutual "
               "exclusive", f"{path}.additionalProperties")
    if schema.get("type") == "array" and "items" not in schema:
        yield (REQUIRED, "Required value: must be specified", f"{path}.items")
    for each in schema.get("x-kubernetes-validations", []):
        if not each.get("rule", "").strip():
            yield (REQUIRED, "Required value: rule is not specified",
                   f"{path}.x-kubernetes-validations")
    for name, each in schema.get("properties", {}).items():
        yield from structural_faults(each, f"{path}.properties[{name}]", False)
    if isinstance(schema.get("items"), dict):
        yield from structural_faults(schema["items"], f"{path}.items", False)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from structural_faults(schema["additionalProperties"],
                                     f"{path}.additionalProperties", False)
