"""Tables (meta/v1), which kubectl asks for: the columns of custom types, and of some others."""

import calendar
import re
import time

_NAME = {"name": "Name", "type": "string", "format": "name", "priority": 0,
         "description": "Name must be unique within a namespace."}
_BUILT_IN = {
    "pods": [("Ready", lambda o: _ready(o)), ("Status", lambda o: o.get("status", {}).get("phase")),
             ("IP", lambda o: o.get("status", {}).get("podIP"))],
    "namespaces": [("Status", lambda o: o.get("status", {}).get("phase"))],
    "nodes": [("Version", lambda o: o.get("status", {}).get("nodeInfo", {}).get("kubeletVersion"))],
    "services": [("Type", lambda o: o["spec"].get("type")),
                 ("Cluster-IP", lambda o: o["spec"].get("clusterIP"))],
    "deployments": [("Replicas", lambda o: o["spec"].get("replicas"))],
    "daemonsets": [("Desired",
                    lambda o: o.get("status", {}).get("desiredNumberScheduled", 0))],
    "configmaps": [("Data", lambda o: len(o.get("data") or {}))],
}


def _ready(pod):
    states = pod.get("status", {}).get("containerStatuses", [])
    ready = sum(1 for each in states if each.get("ready"))
    return f"{ready}/{len(pod['spec'].get('containers', []))}"


def age(stamp, now):
    if not stamp:
        return "<unknown>"
    seconds = max(0, int(now - calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))))
    for size, unit, until in ((1, "s", 120), (60, "m", 180 * 60), (3600, "h", 48 * 3600)):
        if seconds < until:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"


_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]"
                   r"|\[\?\(@\.(\w+)\s*==\s*[\"']([^\"']*)[\"']\)\]")


def path_value(document, path):
    """What a simple JSONPath finds first, or None: `.a.b`, `[0]`, `[?(@.type=="x")]`."""
    at, values = 0, [document]
    while at < len(path):
        found = _STEP.match(path, at)
        if not found:
            return None
        field, index, key, value = found.groups()
        if field:
            values = [each[field] for each in values if isinstance(each, dict) and field in each]
        elif index:
            values = [each[int(index)] for each in values
                      if isinstance(each, list) and len(each) > int(index)]
        else:
            values = [item for each in values if isinstance(each, list) for item in each
                      if str(item.get(key)) == value]
        at = found.end()
    return values[0] if values else None


def _columns(resource, now):
    """[(definition, function of a document)]"""
    if resource.custom:
        columns = [] if resource.columns is None else resource.columns
        out = [(_NAME, lambda o: o["metadata"]["name"])]
        for each in columns or [{"name": "Age", "type": "date",
                                 "jsonPath": ".metadata.creationTimestamp"}]:
            def value(document, path=each["jsonPath"], kind=each["type"]):
                found = path_value(document, path)
                return age(found, now) if kind == "date" else found
            out.append(({"name": each["name"], "type": each["type"], "format": "",
                         "description": each.get("description", ""),
                         "priority": each.get("priority", 0)}, value))
        return out
    named = [(_NAME, lambda o: o["metadata"]["name"])]
    for name, value in _BUILT_IN.get(resource.plural, []):
        named.append(({"name": name, "type": "string", "format": "", "description": "",
                       "priority": 0}, value))
    named.append(({"name": "Age", "type": "string", "format": "", "description": "",
                   "priority": 0}, lambda o: age(o["metadata"].get("creationTimestamp"), now)))
    return named


def of(resource, documents, now, resourceVersion="", **metadata):
    columns = _columns(resource, now)
    return {
        "kind": "Table", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": resourceVersion, **metadata},
        "columnDefinitions": [definition for definition, _ in columns],
        "rows": [{"cells": [value(each) for _, value in columns],
                  "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                             "metadata": each["metadata"]}} for each in documents]}
