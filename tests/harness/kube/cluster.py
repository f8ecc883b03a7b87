"""The tests' own Kubernetes API server. A request is authenticated, authorized, carried out, maybe
spoiled by an ordered fault, and written to the journal that tests assert on. Use as

    with Cluster() as cluster:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
        cluster.faults.next("watch", "pods", "gone")
        run(program, env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig(folder))})
        self.assertEqual(2, len(cluster.calls("list", "pods")))
"""

import copy
import email.utils
import json
import ssl
import threading
import time
import traceback

import yaml

from . import discovery, faults, rbac
from .admission import Admission
from .authentication import Authentication, User, impersonated
from .catalogue import Catalogue
from .clients import Clients
from .errors import ApiError
from .lifecycle import Lifecycle
from .pki import Pki
from .population import Population
from .reading import Reader, answer, dump
from .requests import Call, resource_of
from .reviews import Reviews
from .store import Store
from .types import Types
from .writing import Writer, decode, stamp
from ..wire import HttpServer, Request, Response


class Clock:
    """The server's time; `offset` seconds from this machine's, settable at any time."""

    def __init__(self, offset=0):
        self.offset = offset

    def now(self):
        return time.time() + self.offset

    def advance(self, seconds):
        self.offset += seconds


class Cluster(Clients, Population):
    """`faults` orders faults, `requests` is the journal, `watches` the watches that are open,
    `reviews` the calls of admission webhooks; `clock` the server's time; `store` holds the objects.
    `admin` is a bearer token of somebody who may do everything. `services` maps (namespace, name)
    to (address, port) for webhooks that are reached by a service."""

    def __init__(self, address="127.0.0.1", port=0, service_cidr="10.100.0.0/16"):
        self.pki, self.clock, self.faults = Pki(), Clock(), faults.Faults()
        self.store, self.catalogue, self.types = Store(), Catalogue(), Types()
        self.requests, self.logs, self._lock = [], {}, threading.Lock()
        self._folders = []
        self.authentication = Authentication(self.clock)
        self.authentication.accounts = self._account
        self.authorization = rbac.Authorization(self._of_rbac)
        self.admission = Admission(self.store, self.catalogue)
        self.services, self.reviews = self.admission.services, self.admission.reviews
        self.lifecycle = Lifecycle(self.store, self.catalogue, self.clock, stamp,
                                   self.pki.ca.read_text(), service_cidr)
        self.reader = Reader(self.store, self.clock)
        self.reader.stopped = lambda: self.server is None or self.server.stopped.is_set()
        self.writer = Writer(self.store, self.clock, self.types, self.admission, self.lifecycle,
                             self.authorization)
        self.lifecycle.writer = self.writer
        self._reviews = Reviews(self.authentication, self.authorization, self.clock, User)
        self._bootstrap(service_cidr)
        self.admin = self.authentication.token("kubernetes-admin", groups=["system:masters"])
        self.address, self.server = address, None
        self.up(port)
        self.port, self.url = self.server.port, self.server.url

    @property
    def watches(self):
        return [watch for watch in self.reader.watches if not watch.over]

    def _bootstrap(self, service_cidr):
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            space = {"apiVersion": "v1", "kind": "Namespace", "status": {"phase": "Active"},
                     "spec": {"finalizers": ["kubernetes"]}, "metadata": {
                         "name": name, "labels": {"kubernetes.io/metadata.name": name}}}
            self.lifecycle.make(space)
            self.lifecycle.created(self.catalogue.get("namespaces"), space)
        for each in rbac.defaults():
            self.lifecycle.make(each)
        for name, value in (("system-node-critical", 2000001000),
                            ("system-cluster-critical", 2000000000)):
            self.lifecycle.make({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                                 "metadata": {"name": name}, "value": value})
        self.lifecycle.make({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
                             "metadata": {"name": "kubernetes"}, "spec": {"cidrs": [service_cidr]}})
        address = str(self.lifecycle.service_cidr[1])
        self.lifecycle.make({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": [
                {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
            "status": {"loadBalancer": {}}})

    def _account(self, namespace, name):
        entry = self.store.get(("", "serviceaccounts"), (namespace, name))
        return entry and entry.object["metadata"]["uid"]

    def _of_rbac(self, plural):
        return [entry.object for entry in self.store.list(
            ("rbac.authorization.k8s.io", plural))[0]]

    # the server

    def up(self, port=None):
        """The server listens (again, on the same port)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.pki.server)
        context.load_verify_locations(self.pki.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        self.server = HttpServer(self._answer, self.address, self.port if port is None else port,
                                 context=context)

    def down(self):
        """The server is away: connections break, new ones are refused. What it holds stays."""
        if self.server:
            server, self.server = self.server, None
            server.close()

    def close(self):
        self.down()
        for folder in self._folders:
            folder.cleanup()
        self.pki.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def compact(self):
        """Every older resourceVersion is gone, as after a compaction of etcd."""
        self.store.compact()

    def calls(self, verb=None, resource=None):
        """The journal's lines of a verb and a resource."""
        return [call for call in list(self.requests)
                if verb in (None, call.verb) and resource in (None, call.resource)]

    # requests

    def _answer(self, request):
        call = Call(request, self.clock.now())
        with self._lock:
            self.requests.append(call)
        fault = self.faults.take(call.verb, call.resource or call.path)
        call.fault = fault and fault.kind
        try:
            if fault and fault.kind in ("hang", "reset"):
                return Response(delivery=fault.kind)
            if fault:
                faults.refuse(fault)
            response = self._carry_out(call, request, fault)
        except ApiError as error:
            response = answer(error.code, dump(error.status()))
            response.headers += error.headers
        except Exception as error:  # a defect of ours: let the test see it
            traceback.print_exc()
            said = ApiError(500, f"the tests' API server: {error!r}")
            response = answer(500, dump(said.status()))
        if fault and fault.kind in faults.AFTER:
            response = faults.spoil(response, fault.kind)
        call.status = response.status
        call.answered = response.body
        response.set("Audit-Id", "00000000-0000-4000-8000-%012d" % len(self.requests))
        response.set("Date", email.utils.formatdate(self.clock.now(), usegmt=True))
        response.set("Cache-Control", "no-cache, private")
        return response

    def _carry_out(self, call, request, fault):
        user = self.authentication.user(request)
        call.user = user.name
        if other := impersonated(request):
            self._authorize(user, rbac.Attributes("impersonate", "", "users", name=other.name))
            user = other
            call.user = user.name
        if call.resource is None:
            self._authorize(user, rbac.Attributes(call.verb, path=call.path))
            return discovery.serve(call.path, self.catalogue)
        resource = self.catalogue.find(call.group, call.version, call.resource)
        self._authorize(user, rbac.Attributes(
            call.verb, call.group, call.resource, call.subresource, call.namespace,
            call.authorized_name))
        resource = resource_of(call, self.catalogue)
        if call.verb not in resource.verbs:
            raise ApiError(405, "the server does not allow this method on the requested resource")
        if call.verb == "list":
            return self.reader.list(call, resource)
        if call.verb == "watch":
            return self.reader.watch(call, resource, fault)
        if call.subresource in ("log", "token", "eviction", "binding"):
            return getattr(self, "_" + call.subresource)(call, resource, user)
        if call.verb == "get":
            return self.reader.get(call, resource)
        if resource.verbs == ["create"]:
            decode(call)
            return answer(201, dump(self._reviews.answer(resource, call.body, user)))
        if call.verb == "deletecollection":
            return self._delete_collection(call, resource, user)
        return getattr(self.writer, call.verb)(call, resource, user)

    def _authorize(self, user, asked):
        if self.authorization.allows(user, asked):
            return
        if asked.path is not None:
            raise ApiError(403, f'forbidden: User "{user.name}" cannot {asked.verb} path '
                           f'"{asked.path}"')
        what = asked.resource + (f"/{asked.subresource}" if asked.subresource else "")
        where = (f'in the namespace "{asked.namespace}"' if asked.namespace
                 else "at the cluster scope")
        qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
        name = f' "{asked.name}"' if asked.name else ""
        raise ApiError(403, f'{qualified}{name} is forbidden: User "{user.name}" cannot '
                       f'{asked.verb} resource "{what}" in API group "{asked.group}" {where}',
                       details={key: value for key, value in (
                           ("name", asked.name), ("group", asked.group), ("kind", asked.resource))
                           if value})

    def _delete_collection(self, call, resource, user):
        accept, _ = self.reader.accept(call, resource)
        entries = [entry for entry in self.store.list(
            resource.storage, call.namespace if resource.namespaced else None)[0] if accept(entry)]
        for entry in entries:
            self.writer.remove(resource, entry.key)
        return answer(200, b"".join(self.reader.items(
            self.reader.view(call.request, resource),
            {"resourceVersion": str(self.store.revision)}, entries)))

    def _log(self, call, resource, user):
        self.reader.get(call, resource)  # 404
        return Response(200, [("Content-Type", "text/plain")],
                        self.logs.get((call.namespace, call.name), ""))

    def _token(self, call, resource, user):
        self.reader.get(call, resource)
        return answer(201, dump(self._reviews.token(call, decode(call))))

    def _eviction(self, call, resource, user):
        decode(call)
        grace = ((call.body or {}).get("deleteOptions") or {}).get("gracePeriodSeconds")
        self.writer.remove(resource, (call.namespace, call.name), grace)
        return answer(201, dump({"kind": "Status", "apiVersion": "v1", "metadata": {},
                                 "status": "Success", "code": 201}))

    def _binding(self, call, resource, user):
        self.change("pods", call.name, call.namespace, lambda pod: pod["spec"].update(
            nodeName=decode(call)["target"]["name"]))
        return answer(201, dump({"kind": "Status", "apiVersion": "v1", "metadata": {},
                                 "status": "Success", "code": 201}))

    # what tests do with objects, without a client

    def create(self, document):
        """Creates an object (a document, or YAML text of several), as an administrator's request
        would; gives it, or the last."""
        if isinstance(document, str):
            for each in yaml.safe_load_all(document):
                document = each and self.create(each)
            return document
        resource = self.catalogue.of_kind(document["apiVersion"], document["kind"])
        space = document["metadata"].get("namespace", "default") if resource.namespaced else None
        return self._inside("POST", resource, space, "", document)

    def _inside(self, method, resource, namespace, name, document):
        """A request of the cluster's own, which passes everything but the network."""
        base = f"/apis/{resource.group}" if resource.group else "/api"
        space = f"/namespaces/{namespace}" if namespace else ""
        path = f"{base}/{resource.version}{space}/{resource.plural}" + (f"/{name}" if name else "")
        request = Request(method, path, [("content-type", "application/json")],
                          json.dumps(document).encode())
        call = Call(request, self.clock.now())
        call.parameters["fieldManager"] = "tests"
        user = User("kubernetes-admin", ["system:masters"])
        return json.loads(getattr(self.writer, call.verb)(call, resource, user).body)

    def get(self, resource, name, namespace=""):
        """The object, a copy; None where there is none."""
        found = self.store.get(self.catalogue.get(resource).storage, (namespace, name))
        return found and copy.deepcopy(found.object)

    def list(self, resource, namespace=None):
        return [copy.deepcopy(entry.object) for entry in self.store.list(
            self.catalogue.get(resource).storage, namespace)[0]]

    def change(self, resource, name, namespace, update):
        """Changes an object as controllers and kubelets do, past all checks: `update` is a function
        of it, which changes it in place."""
        resource = self.catalogue.get(resource)
        with self.store.lock:
            entry = self.store.get(resource.storage, (namespace or "", name))
            document = copy.deepcopy(entry.object)
            spec = copy.deepcopy(document.get("spec"))
            update(document)
            if resource.has_generation() and document.get("spec") != spec:
                document["metadata"]["generation"] = document["metadata"].get("generation", 1) + 1
            self.writer.put(resource, entry.key, document)
            self.writer.gone_if_done(resource, entry.key)
        self.lifecycle.updated(resource, document)
        return document

    def set_status(self, resource, name, namespace="", **status):
        """Merges `status` into an object's status."""
        return self.change(resource, name, namespace, lambda document: document.setdefault(
            "status", {}).update(status))

    def delete(self, resource, name, namespace="", grace=0):
        """Deletes an object, past admission; a pod at once, unless `grace` (seconds) says
        otherwise."""
        return self.writer.remove(self.catalogue.get(resource), (namespace, name), grace)
