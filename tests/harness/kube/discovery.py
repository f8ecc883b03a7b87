"""What an API server says of itself: its version, its groups and types, the least of an OpenAPI
description that kubectl looks into, and its health."""

import hashlib

from .errors import no_such_path
from .reading import answer, dump
from ..wire import Response

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.1", "gitTreeState": "clean",
           "gitCommit": "0" * 40, "buildDate": "2025-09-09T00:00:00Z", "goVersion": "go1.24.6",
           "compiler": "gc", "platform": "linux/amd64", "emulationMajor": "1",
           "emulationMinor": "34", "minCompatibilityMajor": "1", "minCompatibilityMinor": "33"}


def _resource_list(resources, api_version):
    out = []
    for each in resources:
        entry = {"name": each.plural, "singularName": each.singular,
                 "namespaced": each.namespaced, "kind": each.kind, "verbs": each.verbs}
        if each.short:
            entry["shortNames"] = each.short
        if each.categories:
            entry["categories"] = each.categories
        out.append(entry)
        for name in sorted(each.subresources):
            out.append({"name": f"{each.plural}/{name}", "singularName": "",
                        "namespaced": each.namespaced, "kind": each.kind,
                        "verbs": ["get", "patch", "update"]})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version,
            "resources": out}


def _group(name, resources):
    versions = list(dict.fromkeys(each.version for each in sorted(
        resources, key=lambda each: not each.preferred)))
    shown = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": shown, "preferredVersion": shown[0]}


def _open_api(resources):
    """Paths with what a PATCH takes: by that kubectl learns whether the server validates fields."""
    paths = {}
    for each in resources:
        base = f"/apis/{each.group}" if each.group else "/api"
        space = "/namespaces/{namespace}" if each.namespaced else ""
        what = {"group": each.group, "version": each.version, "kind": each.kind}
        parameters = [{"name": name, "in": "query", "schema": {"type": "string"}}
                      for name in ("dryRun", "fieldManager", "fieldValidation")]
        paths[f"{base}/{each.version}{space}/{each.plural}/{{name}}"] = {"patch": {
            "parameters": parameters, "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": what, "responses": {"200": {"description": "OK"}}}}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.34.1"},
            "paths": paths, "components": {"schemas": {}}}


def serve(path, catalogue):
    """The answer to a path that is no resource's."""
    path = path.rstrip("/") or "/"
    if path in ("/healthz", "/livez", "/readyz"):
        return Response(200, [("Content-Type", "text/plain; charset=utf-8")], "ok")
    if path == "/version":
        return answer(200, dump(VERSION))
    groups = {}
    for each in catalogue.all():
        groups.setdefault(each.group, []).append(each)
    if path == "/api":
        return answer(200, dump({"kind": "APIVersions", "versions": ["v1"],
                                 "serverAddressByClientCIDRs": []}))
    named = {name: each for name, each in groups.items() if name}
    if path == "/apis":
        return answer(200, dump({"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            _group(name, each) for name, each in sorted(named.items())]}))
    versions = {}
    for each in catalogue.all():
        base = f"apis/{each.group}/{each.version}" if each.group else "api/v1"
        versions.setdefault(base, []).append(each)
    if path == "/openapi/v2":  # as protobuf, the least of a description: it is of version 2.0
        return Response(200, [("Content-Type", "application/octet-stream")], b"\x0a\x032.0")
    if path == "/openapi/v3":
        return answer(200, dump({"paths": {
            base: {"serverRelativeURL": f"/openapi/v3/{base}?hash=" + hashlib.sha256(
                dump(_open_api(each))).hexdigest()} for base, each in versions.items()}}))
    if path.startswith("/openapi/v3/") and path[12:] in versions:
        return answer(200, dump(_open_api(versions[path[12:]])))
    if path[1:] in versions:
        found = versions[path[1:]]
        return answer(200, dump(_resource_list(found, found[0].api_version)))
    if path.startswith("/apis/") and path[6:] in named:
        return answer(200, dump({"kind": "APIGroup", "apiVersion": "v1",
                                 **_group(path[6:], named[path[6:]])}))
    raise no_such_path()
