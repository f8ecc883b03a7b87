"""What an object of a type has to be: its fields by Kubernetes' own description (types.json) or by
a custom type's schema; unknown ones are told or refused (fieldValidation), defaults are put in."""

import json
import pathlib
import re

from . import defaults, more_types, schema
from .errors import ApiError, forbidden, invalid

_DATA = json.loads((pathlib.Path(__file__).parent / "types.json").read_text())
_TYPES = {**_DATA["types"], **more_types.TYPES}
_KINDS = {**_DATA["kinds"], **more_types.KINDS}
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}"
                        r"[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_DNS_LABEL = ("Invalid value: %s: a lowercase RFC 1123 label must consist of lower case "
              "alphanumeric characters or '-', and must start and end with an alphanumeric "
              "character")
_DNS_NAME = ("Invalid value: %s: a lowercase RFC 1123 subdomain must consist of lower case "
             "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
             "character")


def _walk(value, kind, where, unknown, wrong):
    """Takes unknown fields out; tells of them and of values of the wrong type."""
    array = re.fullmatch(r"Array<(.*)>", kind)
    table = re.fullmatch(r"\{ \[key: string\]: (.*); \}", kind)
    if value is None:
        return
    if array:
        if not isinstance(value, list):
            wrong.append((where, value, "array"))
            return
        for index, each in enumerate(value):
            _walk(each, array[1], f"{where}[{index}]", unknown, wrong)
    elif table:
        if not isinstance(value, dict):
            wrong.append((where, value, "object"))
            return
        for name, each in value.items():
            _walk(each, table[1], f"{where}.{name}", unknown, wrong)
    elif kind in ("string", "number", "boolean"):
        if not {"string": isinstance(value, str), "boolean": isinstance(value, bool),
                "number": isinstance(value, (int, float)) and not isinstance(value, bool)}[kind]:
            wrong.append((where, value, kind))
    elif kind in _TYPES:
        if not isinstance(value, dict):
            wrong.append((where, value, "object"))
            return
        known = _TYPES[kind]["fields"]
        for name in list(value):
            below = f"{where}.{name}" if where else name
            if name in known:
                _walk(value[name], known[name], below, unknown, wrong)
            else:
                unknown.append(below)
                del value[name]


def _required(value, kind, where):
    array = re.fullmatch(r"Array<(.*)>", kind)
    if array and isinstance(value, list):
        for index, each in enumerate(value):
            yield from _required(each, array[1], f"{where}[{index}]")
    elif kind in _TYPES and isinstance(value, dict):
        for name in _TYPES[kind]["required"]:
            if value.get(name) is None:
                yield ("FieldValueRequired", "Required value", f"{where}.{name}".lstrip("."))
        for name, below in _TYPES[kind]["fields"].items():
            if name in value:
                yield from _required(value[name], below, f"{where}.{name}".lstrip("."))


class Types:
    """`skipped` holds the rules of custom types that could not be evaluated here."""

    def __init__(self):
        self.skipped = set()

    def check(self, call, resource, document, live, defaults_too=True):
        """Prunes, and puts defaults in; returns warnings, or raises 400 where the request wants
        strictness."""
        unknown, wrong = [], []
        if resource.custom:
            unknown = list(schema.prune(document, resource.schema or {schema.PRESERVE: True}))
            schema.drop_nulls(document, resource.schema or {})
            if defaults_too:
                schema.default(document, resource.schema or {})
        else:
            kind = _KINDS.get(f"{resource.api_version} {resource.kind}")
            if kind:
                _walk(document, kind, "", unknown, wrong)
            if wrong:
                where, value, wanted = wrong[0]
                raise ApiError(400, f"{resource.kind} in version \"{resource.version}\" cannot be "
                               f"handled as a {resource.kind}: json: cannot unmarshal "
                               f"{schema.kind_of(value)} into Go struct field "
                               f"{resource.kind}.{where} of type {wanted}")
            if defaults_too:
                defaults.fill(resource, document, live)
        if resource.deprecation and live is None:
            return [resource.deprecation] + self._unknown(call, resource, unknown)
        return self._unknown(call, resource, unknown)

    @staticmethod
    def _unknown(call, resource, unknown):
        wanted = call.parameters.get("fieldValidation") or "Warn"
        said = [f'unknown field "{path}"' for path in unknown]
        if said and wanted == "Strict":
            raise ApiError(400, f"{resource.kind} in version \"{resource.version}\" cannot be "
                           f"handled as a {resource.kind}: strict decoding error: "
                           + ", ".join(said))
        return said if wanted == "Warn" else []

    def validate(self, resource, document, live):
        """Raises 422 with all that is wrong."""
        causes = list(_metadata(resource, document["metadata"]))
        if resource.custom:
            found = list(schema.validate(document, resource.schema or {}))
            found = found or schema.rules(document, resource.schema or {}, self.skipped, "", live)
            causes += [each for each in found if not (live and _was_so(each, document, live))]
        else:
            kind = _KINDS.get(f"{resource.api_version} {resource.kind}")
            causes += _required(document, kind, "") if kind else []
            causes += defaults.faults(resource, document, live)
        if causes:
            raise invalid(resource, document["metadata"].get("name"), causes)
        if live is not None and live["metadata"].get("deletionTimestamp"):
            more = set(document["metadata"].get("finalizers") or []) - set(
                live["metadata"].get("finalizers") or [])
            if more:
                raise forbidden(resource, document["metadata"]["name"],
                                f"no new finalizers can be added if the object is being deleted, "
                                f"found new finalizers {sorted(more)}")


def _was_so(cause, document, live):
    """Whether an update has not touched what is wrong (CustomResourceDefinition ratcheting)."""
    reason, _, path = cause
    steps = re.findall(r"[^.\[\]]+|\[\d+\]", path)
    if reason == schema.REQUIRED:
        steps = steps[:-1]
    if not steps or path == "<nil>":
        return False
    values = []
    for value in (document, live):
        for step in steps:
            try:
                value = value[int(step[1:-1])] if step.startswith("[") else value[step]
            except (KeyError, IndexError, TypeError):
                return False
        values.append(value)
    return values[0] == values[1]


def _metadata(resource, metadata):
    name = metadata.get("name")
    if not name:
        yield ("FieldValueRequired", "Required value: name or generateName is required",
               "metadata.name")
    elif resource.group == "rbac.authorization.k8s.io":
        if "/" in name or "%" in name:
            yield ("FieldValueInvalid", f'Invalid value: "{name}": may not contain \'/\'',
                   "metadata.name")
    elif resource.plural in ("namespaces", "services"):
        if not _LABEL.fullmatch(name) or len(name) > 63:
            yield ("FieldValueInvalid", _DNS_LABEL % json.dumps(name), "metadata.name")
    elif not _SUBDOMAIN.fullmatch(name) or len(name) > 253 or ".." in name:
        yield ("FieldValueInvalid", _DNS_NAME % json.dumps(name), "metadata.name")
    if sum(len(key) + len(value or "") for key, value in (
            metadata.get("annotations") or {}).items()) > 256 << 10:
        yield ("FieldValueTooLong", "Too long: may not be more than 262144 bytes",
               "metadata.annotations")
    for part in ("labels", "annotations"):
        for key, value in (metadata.get(part) or {}).items():
            if not _QUALIFIED.fullmatch(key if part == "labels" else key.lower()):
                yield ("FieldValueInvalid", f'Invalid value: "{key}": name part must consist of '
                       "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                       "alphanumeric character", f"metadata.{part}")
            if part == "labels" and not _VALUE.fullmatch(value or ""):
                yield ("FieldValueInvalid", f'Invalid value: "{value}": a valid label must be an '
                       "empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                       "must start and end with an alphanumeric character", "metadata.labels")
