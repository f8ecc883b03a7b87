"""create, update, patch, delete: what is sent is decoded, checked, admitted, and written if nobody
else was faster."""

import copy
import json
import secrets
import time
import uuid

import yaml

from . import patching
from .errors import ApiError, already_exists, conflict, forbidden, not_found
from .events import as_core
from .managed import APPLY, UPDATE, Conflicts, apply_to, record
from .reading import View, answer, dump, forms, key_of
from .shape import shape_of
from .store import Entry

JSON_PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY_PATCH = ("application/strategic-merge-patch+json", "application/apply-patch+yaml")
_SYSTEM = ("uid", "creationTimestamp", "generation", "deletionTimestamp",
           "deletionGracePeriodSeconds", "selfLink", "managedFields")


def stamp(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def decode(call):
    """The body as a document: JSON, or YAML where the request says so."""
    body = call.request.body
    if len(body) > 3 << 20:
        raise ApiError(413, f"Request entity too large: limit is {3 << 20}",
                       "RequestEntityTooLarge")
    try:
        if "yaml" in call.content_type:
            call.body = yaml.load(body, yaml.CSafeLoader if hasattr(yaml, "CSafeLoader")
                                  else yaml.SafeLoader)
        elif call.content_type in ("", "application/json", JSON_PATCH, MERGE, STRATEGIC):
            call.body = json.loads(body) if body else None
        else:
            raise ApiError(415, "the body of the request was in an unknown format - accepted media "
                           "types include: application/json, application/yaml, "
                           "application/vnd.kubernetes.protobuf")
    except (ValueError, yaml.YAMLError) as error:
        raise ApiError(400, f"the object provided is unrecognized (must be of type "
                       f"object): {error}") from None
    return call.body


class Writer:
    """`types` prunes, defaults and validates (types.Types); `admission` asks the webhooks;
    `lifecycle` does what follows from a change."""

    def __init__(self, store, clock, types, admission, lifecycle, authorization):
        self.store, self.clock, self.types = store, clock, types
        self.admission, self.lifecycle = admission, lifecycle
        self._authorization = authorization

    def answer(self, call, resource, code, document, warnings=()):
        view = View(resource, forms(call.request)[0], self.clock.now())
        entry = Entry(key_of(call, resource), None, document)
        response = answer(code, view.octets(entry))
        for text in dict.fromkeys(warnings):
            quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
            response.headers.append(("Warning", f'299 - "{quoted}"'))
        return response

    def object_of(self, call, resource):
        document = decode(call)
        if not isinstance(document, dict):
            raise ApiError(400, "Object 'Kind' is missing in 'null'" if document is None else
                           "the body of the request is no object")
        if (document.get("apiVersion"), document.get("kind")) != (
                resource.api_version, resource.kind):
            raise ApiError(400, f"{document.get('kind')} in version "
                           f'"{document.get("apiVersion")}" cannot be handled as a '
                           f"{resource.kind} in version \"{resource.api_version}\"")
        document = copy.deepcopy(document)
        metadata = document.setdefault("metadata", {})
        if not isinstance(metadata, dict):
            raise ApiError(400, "json: cannot unmarshal into Go struct field .metadata of type "
                           "v1.ObjectMeta")
        if resource.namespaced:
            if metadata.setdefault("namespace", call.namespace) != call.namespace:
                raise ApiError(400, "the namespace of the provided object does not match the "
                               "namespace sent on the request")
        elif metadata.get("namespace"):
            raise ApiError(400, "the namespace of the object is set, and the type has none")
        if call.name and metadata.setdefault("name", call.name) != call.name:
            raise ApiError(400, f"the name of the object ({metadata.get('name')}) does not match "
                           f"the name on the URL ({call.name})")
        if resource.group == "events.k8s.io":
            document = as_core(document)
        return document

    def _grants(self, call, resource, user, document):
        """Refuses rights that the user has not got himself."""
        if resource.group != "rbac.authorization.k8s.io":
            return
        missing = self._authorization.may_write(user, resource, document, call.namespace)
        if missing:
            raise forbidden(resource, call.name, f'user "{user.name}" (groups={user.groups}) is '
                            f"attempting to grant RBAC permissions not currently held: {missing}")

    # create

    def create(self, call, resource, user):
        document = self.object_of(call, resource)
        metadata = document["metadata"]
        for name in ("uid", "creationTimestamp", "deletionTimestamp", "selfLink", "generation"):
            metadata.pop(name, None)
        if metadata.pop("resourceVersion", None):
            raise ApiError(400, "resourceVersion should not be set on objects to be created")
        metadata.pop("managedFields", None)
        return self._create(call, resource, user, document, UPDATE)

    def _create(self, call, resource, user, document, operation):
        metadata = document["metadata"]
        if "status" in resource.subresources:
            document.pop("status", None)
        warnings = self.types.check(call, resource, document, None)
        self.lifecycle.before_create(resource, document)
        record(None, document, resource, call, operation, stamp(self.clock.now()))
        document, more = self.admission.mutate(call, resource, user, "CREATE", document, None)
        warnings += more + self.types.check(call, resource, document, None)
        metadata = document["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"][:58] + secrets.token_hex(3)[:5]
        call.name = metadata.get("name")
        self.types.validate(resource, document, None)
        self._grants(call, resource, user, document)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = stamp(self.clock.now())
        if resource.has_generation():
            metadata["generation"] = 1
        self.lifecycle.on_create(resource, document)
        warnings += self.lifecycle.secure(resource, document)
        warnings += self.admission.validate(call, resource, user, "CREATE", document, None)
        if call.dry_run():
            if self.store.get(resource.storage, key_of(call, resource)):
                raise already_exists(resource, call.name)
            return self.answer(call, resource, 201, document, warnings)
        with self.store.lock:
            if self.store.get(resource.storage, key_of(call, resource)):
                raise already_exists(resource, call.name)
            self.put(resource, key_of(call, resource), document)
        self.lifecycle.created(resource, document)
        return self.answer(call, resource, 201, document, warnings)

    def put(self, resource, key, document):
        """Writes the document, which gets its resourceVersion here; the lock is the caller's."""
        document["metadata"]["resourceVersion"] = str(self.store.next_revision())
        if self.store.is_too_large(document):
            raise ApiError(500, "etcdserver: request is too large", "")
        first = {"kind": document["kind"], "apiVersion": document["apiVersion"],
                 "metadata": document["metadata"]}
        return self.store.put(resource.storage, key, {**first, **document})

    # update and patch

    def update(self, call, resource, user):
        sent = self.object_of(call, resource)
        return self._modify(call, resource, user, lambda live: copy.deepcopy(sent), UPDATE,
                            patched=False)

    def patch(self, call, resource, user):
        kind, shape = call.content_type, shape_of(resource)
        if kind == APPLY_PATCH:
            return self._apply(call, resource, user)
        if kind not in (JSON_PATCH, MERGE) and (kind != STRATEGIC or resource.custom):
            allowed = [JSON_PATCH, MERGE] + ([] if resource.custom else [STRATEGIC])
            raise ApiError(415, "the body of the request was in an unknown format - accepted media "
                           f"types include: {', '.join([*allowed, APPLY_PATCH])}")
        if call.flag("force"):
            raise ApiError(422, "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may "
                           "not be specified for non-apply patch")
        body = decode(call)
        if kind != JSON_PATCH and not isinstance(body, dict):
            raise ApiError(400, "json: cannot unmarshal into Go value of type "
                           "map[string]interface {}")

        def change(live):
            shown = View(resource, "json", 0).document(_entry(live))
            if kind == JSON_PATCH:
                out = patching.json_patch(shown, body)
            elif kind == MERGE:
                out = patching.merge_patch(shown, body)
            else:
                out = patching.strategic(shown, body, shape)
            out = copy.deepcopy(out)
            if not isinstance(out, dict) or not isinstance(out.get("metadata"), dict):
                raise ApiError(422, "the patched object is none")
            return as_core(out) if resource.group == "events.k8s.io" else out
        return self._modify(call, resource, user, change, UPDATE, patched=True)

    def _apply(self, call, resource, user):
        if not call.parameters.get("fieldManager"):
            raise ApiError(422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required '
                           "value: is required for apply patch")
        applied = self.object_of(call, resource)
        metadata = applied["metadata"]
        if metadata.pop("managedFields", None):
            raise ApiError(400, "metadata.managedFields must be nil")
        for name in ("creationTimestamp", "uid"):
            if metadata.get(name) is None:
                metadata.pop(name, None)
        warnings = self.types.check(call, resource, applied, None, defaults_too=False)
        if self.store.get(resource.storage, key_of(call, resource)) is None:
            if metadata.get("resourceVersion") or call.subresource:
                raise not_found(resource, call.name)
            try:
                return self._create(call, resource, user, copy.deepcopy(applied), APPLY)
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise

        def change(live):
            try:
                return apply_to(live, copy.deepcopy(applied), resource, call)
            except Conflicts as found:
                raise found.error() from None
        call.applied = applied
        return self._modify(call, resource, user, change, APPLY, patched=True, warnings=warnings)

    def _modify(self, call, resource, user, change, operation, patched, warnings=()):
        for _ in range(10):
            entry = self.store.get(resource.storage, key_of(call, resource))
            if entry is None:
                raise not_found(resource, call.name)
            live = entry.object
            changed = change(copy.deepcopy(live))
            self._agrees(call, resource, live, changed)
            new = self._restricted(call, resource, live, changed)
            said = list(warnings) + self.types.check(call, resource, new, live)
            record(live, new, resource, call, operation, stamp(self.clock.now()))
            new, more = self.admission.mutate(call, resource, user, "UPDATE", new, live)
            said += more + self.types.check(call, resource, new, live)
            new = self._restricted(call, resource, live, new)
            self.types.validate(resource, new, live)
            self._grants(call, resource, user, new)
            self._generation(resource, live, new)
            if live.get("spec") != new.get("spec"):
                said += self.lifecycle.secure(resource, new)
            said += self.admission.validate(call, resource, user, "UPDATE", new, live)
            if _same(live, new):
                return self.answer(call, resource, 200, live, said)
            if call.dry_run():
                return self.answer(call, resource, 200, new, said)
            with self.store.lock:
                if self.store.get(resource.storage, entry.key) is entry:
                    self.put(resource, entry.key, new)
                    self.gone_if_done(resource, entry.key)
                    break
            if changed["metadata"].get("resourceVersion") and not patched:
                raise conflict(resource, call.name)
        else:
            raise conflict(resource, call.name)
        self.lifecycle.updated(resource, new)
        return self.answer(call, resource, 200, new, said)

    def _agrees(self, call, resource, live, new):
        version = new["metadata"].get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise conflict(resource, call.name)
        uid = new["metadata"].get("uid")
        if uid and uid != live["metadata"]["uid"]:
            raise conflict(resource, call.name, f"Precondition failed: UID in precondition: {uid}, "
                           f"UID in object meta: {live['metadata']['uid']}")
        if (new.get("kind"), new["metadata"].get("name")) != (
                live["kind"], live["metadata"]["name"]):
            raise ApiError(400, "the name or kind of an object cannot be changed")

    @staticmethod
    def _restricted(call, resource, live, new):
        """What this request may change of the object, and no more."""
        metadata = new["metadata"]
        if call.subresource:
            part = {"status": "status", "ephemeralcontainers": "spec"}[call.subresource]
            kept = {**copy.deepcopy(live), part: new.get(part)}
            if kept[part] is None:
                del kept[part]
            if call.subresource == "ephemeralcontainers":
                kept["spec"] = {**live["spec"], "ephemeralContainers":
                                new["spec"].get("ephemeralContainers", [])}
            if "managedFields" in metadata:
                kept["metadata"]["managedFields"] = metadata["managedFields"]
            return kept
        for name in _SYSTEM:
            if name == "managedFields" and metadata.get(name) is not None:
                continue  # an empty list resets them
            metadata.pop(name, None)
            if name in live["metadata"]:
                metadata[name] = copy.deepcopy(live["metadata"][name])
        metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
        if "status" in resource.subresources:
            new.pop("status", None)
            if "status" in live:
                new["status"] = copy.deepcopy(live["status"])
        return new

    @staticmethod
    def _generation(resource, live, new):
        if not resource.has_generation():
            return
        def told(document):
            return {key: value for key, value in document.items()
                    if key not in ("metadata", "status", "apiVersion")}
        if told(live) != told(new):
            new["metadata"]["generation"] = live["metadata"].get("generation", 1) + 1

    # delete

    def delete(self, call, resource, user):
        options = decode(call) or {}
        if options.get("dryRun") == ["All"]:
            call.parameters["dryRun"] = "All"
        grace = call.number("gracePeriodSeconds")
        grace = options.get("gracePeriodSeconds", grace)
        key = key_of(call, resource)
        entry = self.store.get(resource.storage, key)
        if entry is None:
            raise not_found(resource, call.name)
        self._preconditions(options.get("preconditions") or {}, entry, resource, call)
        asked = (call, resource, user, "DELETE", None, entry.object)
        warnings = self.admission.validate(*asked, self.admission.mutate(*asked)[1])
        if call.dry_run():
            return self._deleted(call, resource, entry.object, warnings)
        document = self.remove(resource, key, grace)
        return self._deleted(call, resource, document, warnings)

    def _deleted(self, call, resource, document, warnings):
        if resource.plural in ("pods", "namespaces") or document["metadata"].get(
                "deletionTimestamp"):
            return self.answer(call, resource, 200, document, warnings)
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                  "details": {"name": call.name, "kind": resource.plural,
                              "uid": document["metadata"]["uid"]}}
        if resource.group:
            status["details"]["group"] = resource.group
        return answer(200, dump(status))

    @staticmethod
    def _preconditions(wanted, entry, resource, call):
        metadata = entry.object["metadata"]
        for name, said in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(name) and wanted[name] != metadata[name]:
                raise conflict(resource, call.name, f"Precondition failed: {said} in precondition: "
                               f"{wanted[name]}, {said} in object meta: {metadata[name]}")

    def remove(self, resource, key, grace=None):
        """Deletes an object, or marks it as being deleted where something is still to be done."""
        with self.store.lock:
            entry = self.store.get(resource.storage, key)
            if entry is None:
                raise not_found(resource, key[1])
            document = copy.deepcopy(entry.object)
            metadata = document["metadata"]
            grace = self.lifecycle.grace(resource, document, grace)
            if not grace and not metadata.get("finalizers") and not self.lifecycle.holds(
                    resource, document):
                return self._drop(resource, key, document)
            if not metadata.get("deletionTimestamp") or grace < metadata.get(
                    "deletionGracePeriodSeconds", 0):
                metadata["deletionTimestamp"] = stamp(self.clock.now() + grace)
                metadata["deletionGracePeriodSeconds"] = grace
                if resource.has_generation():
                    metadata["generation"] = metadata.get("generation", 1) + 1
                self.lifecycle.deleting(resource, document)
                self.put(resource, key, document)
        self.lifecycle.updated(resource, document)
        entry = self.store.get(resource.storage, key)
        return entry.object if entry else document

    def _drop(self, resource, key, document):
        document["metadata"]["resourceVersion"] = str(self.store.next_revision())
        self.store.delete(resource.storage, key, document)
        self.lifecycle.deleted(resource, document)
        return document

    def gone_if_done(self, resource, key):
        """An object that is being deleted goes when its last finalizer does."""
        document = self.store.get(resource.storage, key).object
        metadata = document["metadata"]
        if (metadata.get("deletionTimestamp") and not metadata.get("finalizers")
                and not metadata.get("deletionGracePeriodSeconds")
                and not self.lifecycle.holds(resource, document)):
            self._drop(resource, key, copy.deepcopy(document))


def _entry(document):
    return Entry(None, None, document)


def _same(live, new):
    def told(document):
        metadata = {key: value for key, value in document["metadata"].items()
                    if key not in ("managedFields", "resourceVersion")}
        return {**document, "metadata": metadata}

    def owners(document):
        return [{key: value for key, value in each.items() if key != "time"}
                for each in document["metadata"].get("managedFields", [])]
    return told(live) == told(new) and owners(live) == owners(new)
