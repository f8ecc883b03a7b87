"""Who owns which field (metadata.managedFields), and server-side apply with its conflicts. A field
is a path of elements as FieldsV1 writes them: `f:name`, `k:{"name":"x"}` of a list's item, `v:…` of
a set's."""

import copy
import json

from .errors import ApiError
from .shape import shape_of

APPLY, UPDATE = "Apply", "Update"
_UNOWNED = {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
            "selfLink", "managedFields", "deletionTimestamp", "deletionGracePeriodSeconds",
            "generateName"}
_ABSENT = object()


def _json(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _item_key(item, keys):
    return "k:" + _json({key: item.get(key, "TCP" if key == "protocol" else "") for key in keys})


def _leaves(value, shape, path, out):
    if isinstance(value, dict) and value and not (path and shape.is_whole()):
        for name, each in value.items():
            _leaves(each, shape.field(name), (*path, "f:" + name), out)
    elif isinstance(value, list) and shape.keys():
        keys = shape.keys()
        for each in value:
            if keys == "set" or not isinstance(each, dict):
                out[(*path, "v:" + _json(each))] = each
                continue
            at = (*path, _item_key(each, keys))
            out[at] = True
            _leaves_of_item(each, shape.items(), at, out)
    elif path:
        out[path] = value


def _leaves_of_item(item, shape, path, out):
    for name, each in item.items():
        _leaves(each, shape.field(name), (*path, "f:" + name), out)


def fields(document, resource, subresource=""):
    """{path: value} of what somebody can own, as far as this way of writing sets it."""
    out = {}
    shape = shape_of(resource)
    for name, value in document.items():
        if name in ("apiVersion", "kind"):
            continue
        if name == "metadata":
            value = {key: each for key, each in value.items() if key not in _UNOWNED}
            if not value:
                continue
        if (name == "status") != (subresource == "status") and (
                "status" in resource.subresources):
            continue
        _leaves(value, shape.field(name), ("f:" + name,), out)
    return out


def _nested(paths):
    out = {}
    for path in sorted(paths):
        at = out
        for each in path:
            at = at.setdefault(each, {})
        if path[-1].startswith("k:"):
            at["."] = {}
    return out


def _flat(tree, path=()):
    out = set()
    for name, below in tree.items():
        if name == ".":
            out.add(path)
        elif not below:
            out.add((*path, name))
        else:
            out |= _flat(below, (*path, name))
    return out


class Manager:
    def __init__(self, name, operation, subresource, api_version, time, paths):
        self.identity = (name, operation, subresource)
        self.api_version, self.time, self.paths = api_version, time, paths

    def entry(self):
        name, operation, subresource = self.identity
        out = {"manager": name, "operation": operation, "apiVersion": self.api_version,
               "time": self.time, "fieldsType": "FieldsV1", "fieldsV1": _nested(self.paths)}
        if subresource:
            out["subresource"] = subresource
        return out

    def __str__(self):
        name, operation, subresource = self.identity
        out = f'"{name}"' + (f' with subresource "{subresource}"' if subresource else "")
        return out + (f" using {self.api_version} at {self.time}" if operation == UPDATE else "")


def managers_of(document):
    return [Manager(each["manager"], each["operation"], each.get("subresource", ""),
                    each["apiVersion"], each.get("time"), _flat(each.get("fieldsV1") or {}))
            for each in document["metadata"].get("managedFields") or [] if each]


def readable(path):
    """As messages name a field: `.spec.containers[name="x"].image`."""
    out = ""
    for each in path:
        kind, text = each[:2], each[2:]
        if kind == "f:":
            out += "." + text
        elif kind == "v:":
            out += f"[={text}]"
        else:
            out += "[" + ",".join(f"{key}={_json(value)}"
                                  for key, value in json.loads(text).items()) + "]"
    return out


class Conflicts(Exception):
    """`found`: [(manager, path)]"""

    def __init__(self, found):
        super().__init__("conflicts")
        self.found = found

    def error(self):
        by_manager = {}
        for manager, path in self.found:
            by_manager.setdefault(str(manager), []).append(readable(path))
        count = len(self.found)
        if count == 1:
            (name, paths), = by_manager.items()
            said = f"Apply failed with 1 conflict: conflict with {name}: {paths[0]}"
        else:
            said = f"Apply failed with {count} conflicts: " + "\n".join(
                f"conflict{'s' if len(paths) > 1 else ''} with {name}:" + "".join(
                    f"\n- {path}" for path in paths) for name, paths in by_manager.items())
        return ApiError(409, said, causes=[
            ("FieldManagerConflict", f"conflict with {manager}", readable(path))
            for manager, path in self.found])


def _merge(live, applied, shape, top=False):
    if isinstance(applied, dict) and isinstance(live, dict) and (top or not shape.is_whole()):
        out = dict(live)
        for name, value in applied.items():
            out[name] = _merge(live.get(name, _ABSENT), value, shape.field(name))
        return out
    if isinstance(applied, list) and isinstance(live, list) and shape.keys():
        keys = shape.keys()
        if keys == "set":
            return live + [each for each in applied if each not in live]
        out, index = list(live), {_item_key(each, keys): at for at, each in enumerate(live)}
        for each in applied:
            at = index.get(_item_key(each, keys))
            if at is None:
                out.append(each)
            else:
                out[at] = _merge(out[at], each, shape.items(), top=True)
        return out
    return applied


def _remove(value, path, shape):
    """Takes away what is at the path, and maps and lists that are empty then."""
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        name = step[2:]
        if name not in value:
            return
        if rest:
            _remove(value[name], rest, shape.field(name))
        if not rest or value[name] in ({}, []):
            del value[name]
    elif isinstance(value, list):
        keys = shape.keys()
        for at, each in enumerate(value):
            same = step == ("v:" + _json(each) if keys == "set" or not isinstance(each, dict)
                            else _item_key(each, keys))
            if same:
                if rest:
                    _remove(each, rest, shape.items())
                else:
                    del value[at]
                return


def apply_to(live, applied, resource, call):
    """The live object with an applied configuration; raises Conflicts."""
    mine = (call.parameters["fieldManager"], APPLY, call.subresource)
    call.applied_paths = set(fields(applied, resource, call.subresource))
    managers = managers_of(live)
    previous = next((each.paths for each in managers if each.identity == mine), set())
    others = [each for each in managers if each.identity != mine]
    owned = set().union(*(each.paths for each in others)) if others else set()
    system = {name: applied["metadata"].pop(name) for name in ("resourceVersion", "uid")
              if name in applied["metadata"]}
    if call.subresource:
        applied = {name: value for name, value in applied.items()
                   if name in ("status", "metadata", "kind", "apiVersion")}
    merged = copy.deepcopy(_merge(live, applied, shape_of(resource), top=True))
    merged["metadata"].update(system)
    for path in sorted(previous - call.applied_paths, key=len, reverse=True):
        if path in owned or any(each[:len(path)] == path for each in owned):
            continue  # somebody else's, too
        if len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:]):
            continue  # an item's key goes with the item
        _remove(merged, path, shape_of(resource))
    before = fields(live, resource, call.subresource)
    after = fields(merged, resource, call.subresource)
    changed = {path for path, value in after.items() if before.get(path, _ABSENT) != value}
    found = [(manager, path) for manager in others
             for path in sorted(manager.paths & changed & call.applied_paths)]
    if found and not call.flag("force"):
        raise Conflicts(found)
    return merged


def record(live, new, resource, call, operation, time):
    """Writes the managedFields of `new`, which comes of `live` (None: it is new) by this call."""
    mine = (call.manager(), operation, call.subresource)
    managers = managers_of(new if live is None else
                           {"metadata": {**live["metadata"], "managedFields": new["metadata"].get(
                               "managedFields", [])}})
    before = fields(live, resource, call.subresource) if live else {}
    after = fields(new, resource, call.subresource)
    changed = {path for path, value in after.items() if before.get(path, _ABSENT) != value}
    gone = set(before) - set(after)
    own = next((each for each in managers if each.identity == mine), None)
    paths = set(own.paths) if own else set()
    for each in managers:
        each.paths -= gone
        if each is not own:
            each.paths -= changed
    if operation == APPLY:
        paths = getattr(call, "applied_paths", None) or set(fields(
            call.body, resource, call.subresource))
    else:
        paths = (paths | changed) - gone
    if own is None:
        own = Manager(*mine, resource.api_version, time, set())
        managers.append(own)
    if paths != own.paths or changed or gone:
        own.time = time
    own.paths, own.api_version = paths, resource.api_version
    new["metadata"]["managedFields"] = [each.entry() for each in managers if each.paths]
    if not new["metadata"]["managedFields"]:
        del new["metadata"]["managedFields"]
