"""What follows from a change, in a real cluster by its built-in admission and its controllers: each
namespace gets its account, pods their tokens, a definition its type; a namespace that goes takes
along what is in it."""

import copy
import ipaddress
import secrets

from . import podsecurity
from .catalogue import Resource
from .errors import ApiError, forbidden, invalid, not_found
from .schema import structural_faults
from .selectors import labels_of

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class Lifecycle:
    """`writer` is set later, since each needs the other. `ca` is the authority's certificate,
    `service_cidr` where services get their addresses."""

    def __init__(self, store, catalogue, clock, stamp, ca, service_cidr):
        self.store, self.catalogue, self.clock, self.stamp = store, catalogue, clock, stamp
        self.ca, self.service_cidr = ca, ipaddress.ip_network(service_cidr)
        self.writer, self._next_address = None, 10

    def _get(self, name, namespace, key):
        entry = self.store.get(self.catalogue.get(name).storage, (namespace, key))
        return entry and entry.object

    # before an object is new

    def before_create(self, resource, document):
        metadata = document["metadata"]
        if resource.namespaced:
            space = metadata["namespace"]
            found = self._get("namespaces", "", space)
            if found is None:
                raise not_found(self.catalogue.get("namespaces"), space)
            if found["metadata"].get("deletionTimestamp"):
                raise ApiError(403, f'{resource.qualified} "{metadata.get("name", "")}" is '
                               f"forbidden: unable to create new content in namespace {space} because it is "
                               "being terminated", causes=[(
                                   "NamespaceTerminating", f"namespace {space} is being terminated",
                                   "metadata.namespace")])
        if resource.plural == "pods" and isinstance(document.get("spec"), dict):
            self._pod_account(resource, document)
        if resource.plural == "customresourcedefinitions":
            self._definition(resource, document)

    def _pod_account(self, resource, document):
        spec, space = document["spec"], document["metadata"]["namespace"]
        name = document["metadata"].get("name") or document["metadata"].get("generateName", "")
        account = spec.setdefault("serviceAccountName", "default") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = account
        found = self._get("serviceaccounts", space, account)
        if found is None:
            raise forbidden(resource, name, f"error looking up service account {space}/{account}: "
                            f'serviceaccount "{account}" not found')
        wanted = spec.get("priorityClassName")
        if wanted and self._get("priorityclasses", "", wanted) is None:
            raise forbidden(resource, name, f"no PriorityClass with name {wanted} was found")
        if not spec.get("automountServiceAccountToken",
                        found.get("automountServiceAccountToken", True)):
            return
        volume = f"kube-api-access-{secrets.token_hex(3)[:5]}"
        for kind in ("containers", "initContainers"):
            for each in spec.get(kind) or []:
                mounts = each.setdefault("volumeMounts", [])
                if all(mount.get("mountPath") != _ACCOUNT for mount in mounts):
                    mounts.append({"name": volume, "readOnly": True, "mountPath": _ACCOUNT})
        spec.setdefault("volumes", []).append({"name": volume, "projected": {
            "defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt",
                               "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {
                    "apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}})

    def secure(self, resource, document):
        """Pod Security: refuses a pod, warns of what makes pods; gives the warnings."""
        spec = document.get("spec")
        if resource.plural != "pods":
            spec = spec.get("template", {}).get("spec") if isinstance(spec, dict) else None
        space = resource.namespaced and self._get(
            "namespaces", "", document["metadata"]["namespace"])
        if not space or not isinstance(spec, dict) or "containers" not in spec:
            return []
        if resource.plural == "pods" and (
                said := podsecurity.verdict(spec, labels_of(space), "enforce")):
            raise forbidden(resource, document["metadata"].get("name"), f"violates {said}")
        said = podsecurity.verdict(spec, labels_of(space), "warn")
        return [f"would violate {said}"] if said else []

    @staticmethod
    def _definition(resource, document):
        spec, name = document.get("spec") or {}, document["metadata"].get("name")
        names, causes = spec.get("names") or {}, []
        if name != f"{names.get('plural')}.{spec.get('group')}":
            causes.append(("FieldValueInvalid", f'Invalid value: "{name}": must be '
                           'spec.names.plural+"."+spec.group', "metadata.name"))
        versions = spec.get("versions") or []
        if sum(1 for each in versions if each.get("storage")) != 1:
            causes.append(("FieldValueInvalid", "Invalid value: must have exactly one version "
                           "marked as storage version", "spec.versions"))
        for index, each in enumerate(versions):
            schema = (each.get("schema") or {}).get("openAPIV3Schema")
            at = f"spec.versions[{index}].schema.openAPIV3Schema"
            if schema is None:
                causes.append(("FieldValueRequired", "Required value: schemas are required", at))
            else:
                causes += structural_faults(schema, at)
        if causes:
            raise invalid(resource, name, causes)

    # an object is new

    def on_create(self, resource, document):
        plural, now = resource.plural, self.stamp(self.clock.now())
        if plural == "namespaces":
            document["status"] = {"phase": "Active"}
        elif plural == "pods":
            document["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
        elif plural == "services":
            self._address(resource, document)
            document["status"] = {"loadBalancer": {}}
        elif plural == "customresourcedefinitions":
            spec = document["spec"]
            document["status"] = {
                "acceptedNames": copy.deepcopy(spec["names"]), "storedVersions": [
                    each["name"] for each in spec["versions"] if each["storage"]],
                "conditions": [
                    {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason,
                     "message": message} for kind, reason, message in (
                        ("NamesAccepted", "NoConflicts", "no conflicts found"),
                        ("Established", "InitialNamesAccepted",
                         "the initial names have been accepted"))]}

    def _address(self, resource, document):
        spec = document["spec"]
        wanted = spec.get("clusterIP")
        if wanted and wanted != "None" and ipaddress.ip_address(wanted) not in self.service_cidr:
            raise invalid(resource, document["metadata"].get("name"), [(
                "FieldValueInvalid", f'Invalid value: ["{wanted}"]: failed to allocate IP {wanted}: '
                "provided IP is not in the valid range. The range of valid IPs is "
                f"{self.service_cidr}", "spec.clusterIPs")])
        if wanted or spec.get("type") == "ExternalName":
            return
        address = str(self.service_cidr[self._next_address])
        self._next_address += 1
        spec.update(clusterIP=address, clusterIPs=[address],
                    ipFamilies=["IPv6" if ":" in address else "IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def created(self, resource, document):
        name = document["metadata"]["name"]
        if resource.plural == "namespaces":
            self.make({"apiVersion": "v1", "kind": "ServiceAccount",
                       "metadata": {"name": "default", "namespace": name}})
            self.make({"apiVersion": "v1", "kind": "ConfigMap",
                       "metadata": {"name": "kube-root-ca.crt", "namespace": name},
                       "data": {"ca.crt": self.ca}})
        elif resource.plural == "customresourcedefinitions":
            self.define(document)

    def make(self, document):
        """Writes an object past all admission, as somebody does who runs the cluster."""
        resource = self.catalogue.of_kind(document["apiVersion"], document["kind"])
        metadata = document["metadata"]
        key = (metadata["namespace"] if resource.namespaced else "", metadata["name"])
        with self.store.lock:
            if self.store.get(resource.storage, key):
                return
            metadata.update(uid=f"{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}",
                            creationTimestamp=self.stamp(self.clock.now()))
            if resource.has_generation():
                metadata.setdefault("generation", 1)
            self.writer.put(resource, key, document)

    def define(self, document):
        spec = document["spec"]
        self.catalogue.remove(spec["group"], spec["names"]["plural"])
        names = spec["names"]
        for each in spec["versions"]:
            if not each.get("served"):
                continue
            self.catalogue.add(Resource(
                spec["group"], each["name"], names["plural"], names["kind"],
                spec["scope"] == "Namespaced", names.get("shortNames", []),
                list(each.get("subresources") or {}), names.get("categories", []),
                singular=names.get("singular"), list_kind=names.get("listKind"),
                schema=(each.get("schema") or {}).get("openAPIV3Schema"),
                columns=each.get("additionalPrinterColumns"), custom=True,
                preferred=each["storage"], selectable_fields=[
                    field["jsonPath"].lstrip(".") for field in each.get("selectableFields", [])],
                deprecation=each.get("deprecationWarning") if each.get("deprecated") else None))

    def updated(self, resource, document):
        if resource.plural == "customresourcedefinitions":
            if not document["metadata"].get("deletionTimestamp"):
                self.define(document)
        elif resource.plural == "namespaces" and document["metadata"].get("deletionTimestamp"):
            self._empty(document["metadata"]["name"])

    # an object goes

    def grace(self, resource, document, asked):
        if resource.plural != "pods":
            return 0
        if (not document["spec"].get("nodeName")
                or document.get("status", {}).get("phase") in ("Succeeded", "Failed")):
            return 0
        if asked is None:
            asked = document["spec"].get("terminationGracePeriodSeconds", 30)
        return min(asked, document["metadata"].get("deletionGracePeriodSeconds", asked))

    def holds(self, resource, document):
        """Whether something is to be done yet before the object may go."""
        if resource.plural != "namespaces":
            return False
        return (not document["metadata"].get("deletionTimestamp")
                or any(True for _ in self._within(document["metadata"]["name"])))

    def _within(self, namespace):
        for resource in {each.storage: each for each in self.catalogue.all()
                         if each.namespaced}.values():
            for entry in self.store.list(resource.storage, namespace)[0]:
                yield resource, entry.key

    def deleting(self, resource, document):
        if resource.plural == "namespaces":
            document["status"] = {"phase": "Terminating"}

    def _empty(self, namespace):
        for resource, key in list(self._within(namespace)):
            self.writer.remove(resource, key, 0)
        self._finish(namespace)

    def _finish(self, namespace):
        resource = self.catalogue.get("namespaces")
        with self.store.lock:
            entry = self.store.get(resource.storage, ("", namespace))
            if entry and entry.object["metadata"].get("deletionTimestamp"):
                self.writer.gone_if_done(resource, entry.key)

    def deleted(self, resource, document):
        if resource.plural == "customresourcedefinitions":
            spec = document["spec"]
            storage = (spec["group"], spec["names"]["plural"])
            for entry in self.store.list(storage)[0]:
                last = copy.deepcopy(entry.object)
                last["metadata"]["resourceVersion"] = str(self.store.next_revision())
                self.store.delete(storage, entry.key, last)
            self.catalogue.remove(*storage)
        elif resource.namespaced:
            self._finish(document["metadata"]["namespace"])
