"""get, list and watch: which objects, as of when, in which form."""

import base64
import itertools
import json

from . import table
from .errors import ApiError, expired, not_found
from .events import as_new
from .selectors import both, by_fields, by_labels
from .watch import Watch
from ..wire import Response

_PIECE = 65536  # octets of a list that go out at once
_CONTINUE_GONE = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list.")


def dump(document):
    return json.dumps(document, separators=(",", ":")).encode()


def forms(request):
    """What the client wants, best first: "json", "table", "metadata"."""
    out = []
    for each in request.header("accept", "*/*").split(","):
        media, *rest = [part.strip() for part in each.split(";")]
        options = dict(part.split("=", 1) for part in rest if "=" in part)
        if media not in ("application/json", "*/*", "application/*", "application/yaml"):
            continue
        if options.get("g") == "meta.k8s.io" and options.get("v") == "v1":
            form = {"Table": "table", "PartialObjectMetadata": "metadata",
                    "PartialObjectMetadataList": "metadata"}.get(options.get("as"))
            if form:
                out.append(form)
        elif "as" not in options:
            out.append("json")
    if not out:
        raise ApiError(406, "only the following media types are accepted: application/json, "
                       "application/yaml, application/vnd.kubernetes.protobuf")
    return out


class View:
    """How the objects of one request are shown: in the version it asked for, as themselves, as
    tables, or as their metadata alone."""

    def __init__(self, resource, form, now):
        self.resource, self.form, self._now = resource, form, now
        self._as_stored = form == "json" and resource.group != "events.k8s.io"
        self._head = (f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",').encode()

    def document(self, entry, revision=None):
        document = entry.object
        if revision is not None:
            document = {**document, "metadata": {**document["metadata"],
                                                 "resourceVersion": str(revision)}}
        if self.resource.group == "events.k8s.io":
            document = as_new(document)
        elif document["apiVersion"] != self.resource.api_version:
            document = {**document, "apiVersion": self.resource.api_version}
        if self.form == "metadata":
            return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                    "metadata": document["metadata"]}
        if self.form == "table":
            return table.of(self.resource, [document], self._now,
                            document["metadata"]["resourceVersion"])
        return document

    def octets(self, entry, revision=None):
        if self._as_stored and revision is None and entry.octets.startswith(self._head):
            return entry.octets
        return dump(self.document(entry, revision))

    def item(self, entry):
        """As the item of a list: a built-in type's have neither kind nor apiVersion there."""
        octets = self.octets(entry)
        if not self.resource.custom and self.form == "json" and octets.startswith(self._head):
            return b"{" + octets[len(self._head):]
        return octets

    def list_head(self, metadata):
        kind, version = self.resource.list_kind, self.resource.api_version
        if self.form == "metadata":
            kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        return dump({"kind": kind, "apiVersion": version, "metadata": metadata})[:-1]


def _token(revision, key):
    return base64.urlsafe_b64encode(dump({
        "v": "meta.k8s.io/v1", "rv": revision, "start": "/".join(key)})).decode().rstrip("=")


def _of_token(text):
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, _, name = value["start"].rpartition("/")
        return int(value["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError):
        raise ApiError(400, "continue key is not valid") from None


class Reader:
    """`watches` holds every watch that is open; `watch_seconds` is how long one may last."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        self.watches, self.watch_seconds, self.bookmark_seconds = [], 1800, 60
        self.stopped = lambda: False

    def view(self, request, resource):
        return View(resource, forms(request)[0], self.clock.now())

    def get(self, call, resource):
        entry = self.store.get(resource.storage, key_of(call, resource))
        if entry is None:
            raise not_found(resource, call.name)
        view = self.view(call.request, resource)
        return answer(200, view.octets(entry))

    def accept(self, call, resource):
        """(whether an entry is among what the call asks for, whether its object is looked at)"""
        test = both(by_labels(call.parameters.get("labelSelector")),
                    by_fields(call.parameters.get("fieldSelector"), resource))
        namespace = call.namespace if resource.namespaced else None
        name = call.name

        def accept(entry):
            return ((namespace is None or entry.key[0] == namespace)
                    and (name is None or entry.key[1] == name)
                    and (test is None or test(entry.object)))
        return accept, test is not None

    def _moment(self, call):
        """(as of which revision, from behind which key, the continue token's revision or None)."""
        match = call.parameters.get("resourceVersionMatch")
        version, limit = call.number("resourceVersion"), call.number("limit")
        token = call.parameters.get("continue")
        if match not in (None, "", "Exact", "NotOlderThan"):
            raise ApiError(422, "resourceVersionMatch: Unsupported value")
        if match and (version is None or token):
            raise ApiError(422, "resourceVersionMatch: Forbidden: resourceVersionMatch is "
                           "forbidden unless resourceVersion is provided")
        if token:
            if version:
                raise ApiError(400, "specifying resource version is not allowed when using "
                               "continue")
            revision, key = _of_token(token)
            return None if revision == -1 else revision, key, revision
        if match == "Exact" and version == 0:
            raise ApiError(422, 'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is '
                           'forbidden for resourceVersion "0"')
        if version and (match == "Exact" or (limit and not match)):
            return version, None, None
        if version and version > self.store.revision:
            self.store.list(("", ""), at=version)  # raises: that is still to come
        return None, None, None

    def list(self, call, resource):
        view = self.view(call.request, resource)
        accept, selects = self.accept(call, resource)
        at, after, continued = self._moment(call)
        try:
            entries, revision = self.store.list(
                resource.storage, call.namespace if resource.namespaced else None, at, after)
        except ApiError as error:
            if error.code != 410:
                raise
            if continued is None:
                raise expired("The resourceVersion for the provided list is too old.") from None
            raise ApiError(410, _CONTINUE_GONE, "Expired",
                           metadata={"continue": _token(-1, after)}) from None
        limit, metadata = call.number("limit"), {"resourceVersion": str(revision)}
        if call.parameters.get("resourceVersion") == "0":
            limit = None  # as the watch cache has it, which knows no pages
        if selects or call.name:
            found = (entry for entry in entries if accept(entry))
            entries = list(itertools.islice(found, limit + 1) if limit else found)
        if limit and len(entries) > limit:
            metadata["continue"] = _token(revision, entries[limit - 1].key)
            if not selects:
                metadata["remainingItemCount"] = len(entries) - limit
            entries = entries[:limit]
        if view.form == "table":
            rows = [{**entry.object, "apiVersion": resource.api_version} for entry in entries]
            return answer(200, dump(table.of(resource, rows, self.clock.now(), **metadata)))
        if len(entries) < 50:
            return answer(200, b"".join(self.items(view, metadata, entries)))
        return Response(200, [("Content-Type", "application/json")],
                        stream=self.items(view, metadata, entries))

    @staticmethod
    def items(view, metadata, entries):
        piece, size = [view.list_head(metadata), b',"items":['], 0
        for index, entry in enumerate(entries):
            item = view.item(entry)
            piece.append(b"," + item if index else item)
            size += len(item)
            if size > _PIECE:
                yield b"".join(piece)
                piece, size = [], 0
        piece.append(b"]}\n")
        yield b"".join(piece)

    def watch(self, call, resource, fault):
        view = self.view(call.request, resource)
        accept, _ = self.accept(call, resource)
        version, seconds = call.number("resourceVersion"), call.number("timeoutSeconds")
        wanted = call.parameters.get("sendInitialEvents")
        if wanted is not None and call.parameters.get("resourceVersionMatch") != "NotOlderThan":
            raise ApiError(422, "resourceVersionMatch: Forbidden: sendInitialEvents requires "
                           "setting resourceVersionMatch to NotOlderThan")
        initial = None
        with self.store.lock:
            if call.flag("sendInitialEvents") if wanted is not None else not version:
                entries, since = self.store.list(
                    resource.storage, call.namespace if resource.namespaced else None)
                initial = [entry for entry in entries if accept(entry)]
            else:
                since = version or self.store.revision
        watch = Watch(self.store, resource.storage, since, accept, view.octets, call,
                      {"kind": resource.kind, "apiVersion": resource.api_version}, initial,
                      initial_end=call.flag("sendInitialEvents") and call.flag(
                          "allowWatchBookmarks"),
                      bookmark_seconds=self.bookmark_seconds,
                      seconds=self.watch_seconds if seconds is None else seconds, fault=fault)
        watch.stopped = self.stopped
        self.watches[:] = [each for each in self.watches if not each.over] + [watch]
        return Response(200, [("Content-Type", "application/json")], stream=watch.stream())


def key_of(call, resource):
    return (call.namespace if resource.namespaced else "", call.name)


def answer(status, octets):
    return Response(status, [("Content-Type", "application/json")], octets)
