"""Label selectors, as text (a query's `labelSelector`) and as LabelSelector objects, and field
selectors. Each becomes a function of an object."""

import re

from .errors import ApiError

_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!\s*)?(?P<key>[\w./-]+)\s*"
    r"(?:(?P<equal>==|=|!=)\s*(?P<value>[\w.-]*)|(?P<in>in|notin)\s*\((?P<values>[^)]*)\)"
    r"|(?P<order>[<>])\s*(?P<number>-?\d+))?)\s*(?:,|$)")


def _bad(text, kind):
    return ApiError(400, f'unable to parse requirement: "{text}" is no {kind} selector')


def labels_of(document):
    return document["metadata"].get("labels") or {}


def by_labels(text):
    """`a=b,c!=d,e in (f,g),h,!i`; None where the text says nothing."""
    if not text or not text.strip():
        return None
    at, tests = 0, []
    while at < len(text):
        found = _REQUIREMENT.match(text, at)
        if not found or found.end() == at:
            raise _bad(text, "label")
        tests.append(_test_of(found))
        at = found.end()
    return lambda document: all(test(labels_of(document)) for test in tests)


def _test_of(found):
    key, value = found["key"], found["value"]
    if found["absent"]:
        return lambda labels: key not in labels
    if found["equal"] == "!=":
        return lambda labels: labels.get(key) != value
    if found["equal"]:
        return lambda labels: labels.get(key) == value
    if found["in"]:
        values = {each.strip() for each in found["values"].split(",")}
        if found["in"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found["order"]:
        number, less = int(found["number"]), found["order"] == "<"
        return lambda labels: key in labels and (
            int(labels[key]) < number if less else int(labels[key]) > number)
    return lambda labels: key in labels


def selects(selector, labels):
    """Whether a LabelSelector object selects what has those labels; an empty one selects all."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or []:
        key, values = each["key"], each.get("values") or []
        if not {"In": labels.get(key) in values and key in labels,
                "NotIn": labels.get(key) not in values or key not in labels,
                "Exists": key in labels, "DoesNotExist": key not in labels}[each["operator"]]:
            return False
    return True


# Beside metadata.name and metadata.namespace, which every type has.
_FIELDS = {
    "pods": {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
             "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"},
    "nodes": {"spec.unschedulable"},
    "namespaces": {"status.phase"},
    "secrets": {"type"},
    "services": {"spec.clusterIP", "spec.type"},
    "events": {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
               "involvedObject.uid", "reason", "reportingComponent", "source", "type",
               "regarding.kind", "regarding.name", "regarding.namespace", "regarding.uid"},
}


def field(document, path):
    value = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return {None: "", True: "true", False: "false"}.get(value, value) if not isinstance(
        value, (dict, list)) else ""


def by_fields(text, resource):
    """`a=b,c!=d`; None where the text says nothing. The fields are those that the type has."""
    if not text or not text.strip():
        return None
    known = {"metadata.name", "metadata.namespace", *_FIELDS.get(resource.plural, ()),
             *resource.selectable_fields}
    if not resource.namespaced:
        known.discard("metadata.namespace")
    tests = []
    for part in text.split(","):
        found = re.fullmatch(r"([\w.\[\]/-]+?)(!=|==|=)(.*)", part)
        if not found:
            raise _bad(part, "field")
        path, operator, value = found.groups()
        if path not in known:
            raise ApiError(400, f'"{path}" is not a known field selector: only '
                           + ", ".join(f'"{each}"' for each in sorted(known)))
        tests.append((path, operator != "!=", value))
    return lambda document: all((str(field(document, path)) == value) == equal
                                for path, equal, value in tests)


def both(*tests):
    """The tests as one, None where there is none."""
    tests = [test for test in tests if test]
    if not tests:
        return None
    return lambda document: all(test(document) for test in tests)
