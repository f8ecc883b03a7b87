"""Patches: JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386), and strategic merge patches."""

import copy

from .errors import ApiError


def _rejected(message):
    return ApiError(422, "the server rejected our request due to an error in our request: "
                    + message)


def _steps(pointer):
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise ApiError(400, f'json patch: "{pointer}" is no JSON pointer')
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]


def _index(value, step, end=False):
    if end and step == "-":
        return len(value)
    if not step.isdigit() or int(step) > len(value) - (0 if end else 1):
        raise _rejected(f"Unable to access invalid index: {step}")
    return int(step)


def _find(document, steps):
    for step in steps:
        if isinstance(document, list):
            document = document[_index(document, step)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            raise _rejected(f'the path "{"/".join(steps)}" is missing')
    return document


def _add(document, steps, value):
    if not steps:
        return value
    parent, last = _find(document, steps[:-1]), steps[-1]
    if isinstance(parent, list):
        parent.insert(_index(parent, last, end=True), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise _rejected(f'add operation does not apply: doc is missing path: "/{"/".join(steps)}"')
    return document


def _remove(document, steps):
    _find(document, steps)
    parent, last = _find(document, steps[:-1]), steps[-1]
    if isinstance(parent, list):
        del parent[_index(parent, last)]
    else:
        del parent[last]
    return document


def json_patch(document, operations):
    """The document, patched; RFC 6902."""
    if not isinstance(operations, list):
        raise ApiError(400, "json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > 10_000:
        raise ApiError(413, "The allowed maximum operations in a JSON patch is 10000",
                       "RequestEntityTooLarge")
    document = copy.deepcopy(document)
    for each in operations:
        kind, steps = each.get("op"), _steps(each.get("path", ""))
        value = copy.deepcopy(each.get("value"))
        if kind == "add":
            document = _add(document, steps, value)
        elif kind == "remove":
            document = _remove(document, steps)
        elif kind == "replace":
            _find(document, steps)
            document = _add(_remove(document, steps) if steps else document, steps, value)
        elif kind == "test":
            if _find(document, steps) != value:
                raise _rejected(f"testing path {each['path']} value failed")
        elif kind in ("move", "copy"):
            source = _steps(each.get("from", ""))
            value = copy.deepcopy(_find(document, source))
            if kind == "move":
                document = _remove(document, source)
            document = _add(document, steps, value)
        else:
            raise _rejected(f"Unexpected kind: {kind}")
    return document


def merge_patch(document, patch):
    """The document, patched; RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    out = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


def strategic(document, patch, shape):
    """The document, patched; lists of a key are merged by it. `$patch`, `$setElementOrder/…`,
    `$deleteFromPrimitiveList/…` and `$retainKeys` are what kubectl sends."""
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    out = dict(document) if isinstance(document, dict) else {}
    if "$retainKeys" in patch:
        out = {key: value for key, value in out.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            out[name] = [each for each in out.get(name) or [] if each not in value]
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            out.pop(key, None)
        elif isinstance(value, list):
            out[key] = _list(out.get(key) or [], value, shape.field(key))
        else:
            out[key] = strategic(out.get(key), value, shape.field(key))
    for key, order in patch.items():
        if key.startswith("$setElementOrder/"):
            name = key.partition("/")[2]
            if isinstance(out.get(name), list):
                out[name] = _ordered(out[name], order, shape.field(name).merge_key())
    return out


def _list(live, patch, shape):
    key = shape.merge_key()
    if any(isinstance(each, dict) and each.get("$patch") == "replace" and len(each) == 1
           for each in patch):
        return [each for each in patch if each.get("$patch") != "replace"]
    if key is None:
        return patch
    if key == "":
        return live + [each for each in patch if each not in live]
    out = list(live)
    for each in patch:
        if key not in each:
            raise ApiError(400, f"map: {each} does not contain declared merge key: {key}")
        found = [at for at, other in enumerate(out) if other.get(key) == each[key]]
        if each.get("$patch") == "delete":
            out = [other for other in out if other.get(key) != each[key]]
        elif found:
            out[found[0]] = strategic(out[found[0]], each, shape.items())
        else:
            out.append({name: value for name, value in each.items() if name != "$patch"})
    return out


def _ordered(values, order, key):
    """As the patch orders them; what it does not know comes behind."""
    def identity(value):
        return value.get(key) if isinstance(value, dict) and key else value
    ranks = {identity(each): at for at, each in enumerate(order)}
    known = sorted((each for each in values if identity(each) in ranks),
                   key=lambda each: ranks[identity(each)])
    return known + [each for each in values if identity(each) not in ranks]
