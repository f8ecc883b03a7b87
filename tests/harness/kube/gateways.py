"""What tests of gateways in a cluster share: a Site is a cluster with the types and rights of
deploy/kubernetes, an origin and the DNS that leads to it; a gateway comes there as its own
ServiceAccount, and pods are played by addresses of loopback, or by PROXY headers."""

import contextlib
import ipaddress
import json
import pathlib
import shlex
import subprocess
import time

from ..client import Client
from ..dns import Answer, DnsServer
from ..gateway import BINARY, Gateway
from ..origins import HttpOrigin
from ..process import PATIENCE, wait_until
from .cluster import Cluster

DEPLOY = pathlib.Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
PODS = ("127.0.1.0/24", "::1/128")  # where pods have their addresses
OUTSIDE = "127.0.0.1"               # an address that no pod has
HOME = "ebbgate-system"
API = "ebbgate.dev/v1alpha1"
MONTH = 30 * 24 * 3600
_MOUNTS = ["unshare", "--mount", "--map-root-user"]


def may_mount():
    """Whether a process can have mounts of its own, as ClusterGateway needs for an `account`."""
    return subprocess.run([*_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt"],
                          capture_output=True).returncode == 0


def proxy_header(source, destination=None, port=40000, vpc_endpoint=None):
    """A header of the PROXY protocol, version 2; without `source`, a LOCAL one. `vpc_endpoint`: the id
    that AWS's load balancers add."""
    begin = b"\r\n\r\n\0\r\nQUIT\n"
    if source is None:
        return begin + b"\x20\0\0\0"
    source = ipaddress.ip_address(source)
    destination = ipaddress.ip_address(destination or ("::2" if source.version == 6 else "127.0.0.1"))
    body = source.packed + destination.packed + port.to_bytes(2, "big") + b"\x0c\x38"
    if vpc_endpoint:
        value = b"\1" + vpc_endpoint.encode()
        body += b"\xea" + len(value).to_bytes(2, "big") + value
    return begin + bytes([0x21, 0x11 if source.version == 4 else 0x21]) + len(body).to_bytes(
        2, "big") + body


class ClusterGateway(Gateway):
    """`ebbgate run --kube`, named gw-1 unless `name` says otherwise. `account`: the directory of a
    pod's service account, for the form in-cluster; `eks`: the name of a cluster of EKS; else it has a
    kubeconfig (of its own, where none is given)."""

    def __init__(self, site, *flags, name="gw-1", kubeconfig=None, account=None, eks=None, pods=PODS,
                 behind_proxy=False, environment=None, **options):
        self.site, self.behind_proxy = site, behind_proxy
        way = "in-cluster"
        if eks is not None:
            way = f"eks:{eks}"
        elif account is None:
            way = f"kubeconfig:{kubeconfig or site.kubeconfig()}"
        else:
            options["program"] = self._in_pod(account)
        for each in pods:
            flags += ("--pod-cidr", each)
        if behind_proxy:
            flags += ("--proxy-protocol", "required", "--trusted", "127.0.0.1")
        super().__init__("--kube", way, "--kube-name", name, "--health", "127.0.0.1:0", *flags,
                         dns=site.dns, admin="127.0.0.1:0", environment=environment, **options)

    def _in_pod(self, account):
        program = self.site.cluster.folder() / "ebbgate"
        place = "/run/secrets/kubernetes.io/serviceaccount"
        steps = (f"mount -t tmpfs none /run && mkdir -p {place} && "
                 f"mount --bind {shlex.quote(str(account))} {place} && exec {BINARY} \"$@\"")
        program.write_text(f"#!/bin/sh\nexec {shlex.join(_MOUNTS)} sh -c {shlex.quote(steps)} "
                           "ebbgate \"$@\"\n")
        program.chmod(0o755)
        return program

    def client(self, source=None, **header):
        """Somebody at the address; behind the PROXY protocol, at any."""
        if self.behind_proxy:
            client = Client((self.address, self.port))
            client.send(proxy_header(source, **header))
            return client
        listeners = self.listeners["listen"]
        return Client(next(each for each in listeners if (":" in each[0]) == (":" in (source or ""))),
                      source)

    def reason_for(self, client, host):
        """What becomes of one more request of this client: "allowed", or the reason against it."""
        answer = client.get(f"http://{host}:{self.site.origin.port}/", Accept="application/json")
        return "allowed" if answer.status == 200 else json.loads(answer.body)["reason"]

    def reason(self, source, host):
        """The same of a request over a connection of its own."""
        with self.client(source) as client:
            return self.reason_for(client, host)

    def wait_for_reason(self, reason, source, host):
        said = []

        def is_so():
            said[:] = [self.reason(source, host)]
            return said == [reason]
        try:
            wait_until(is_so)
        except AssertionError:
            raise AssertionError(f"{host} for {source} is {said[0]}, not {reason}:\n" +
                                 "\n".join(self.err.all()[-20:])) from None

    def ready_status(self):
        return self.page("/readyz", "health").status

    def wait_until_ready(self, status=200):
        wait_until(lambda: self.ready_status() == status,
                   what=f"{status} of /readyz; {self.err.all()[-20:]}")

    def lost(self, kind):
        return self.metric(f'ebbgate_kube_watch_lost_seconds{{kind="{kind}"}}')

    def policies(self, state):
        return self.metric(f'ebbgate_kube_policies{{state="{state}"}}')


class Site:
    """`types`: whether the custom types are there from the beginning; `overlay`: who has the rights."""

    def __init__(self, types=True, overlay="in-cluster"):
        self.stack = contextlib.ExitStack()
        self.cluster = self.stack.enter_context(Cluster())
        self.origin = self.stack.enter_context(HttpOrigin(lambda seen: b"hello"))
        self.dns = self.stack.enter_context(DnsServer({".test": Answer("127.0.0.1")}))
        for file in ("base/namespace.yaml", "base/rbac.yaml", f"overlays/{overlay}/binding.yaml"):
            self.cluster.create((DEPLOY / file).read_text())
        if types:
            self.install_types()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def install_types(self):
        for file in sorted((DEPLOY / "base" / "crds").glob("*.yaml")):
            self.cluster.create(file.read_text())

    def kubeconfig(self, **options):
        """Of the gateways' ServiceAccount, where no other credential is given."""
        if not options:
            token, _ = self.cluster.authentication.service_account_token(HOME, "ebbgate", MONTH)
            options = {"token": token}
        return self.cluster.kubeconfig(**options)

    def gateway(self, *flags, **options):
        return ClusterGateway(self, *flags, **options)

    def namespace(self, name):
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def write(self, name, namespace=None, **spec):
        """Makes or changes an EgressPolicy of the namespace; without, a ClusterEgressPolicy. Past
        validation, as a policy may have come before the types of today."""
        plural, kind = self._kind(namespace)
        if self.cluster.get(plural, name, namespace or ""):
            return self.cluster.change(plural, name, namespace,
                                       lambda document: document.update(spec=spec))
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        return self.cluster.lifecycle.make({"apiVersion": API, "kind": kind, "metadata": metadata,
                                            "spec": spec})

    def allow(self, name, *hosts, namespace=None, **spec):
        """The same of one that allows the hosts on the origin's port."""
        self.write(name, namespace, allow=[self.entry(*hosts)], **spec)

    def entry(self, *hosts):
        return {"hosts": list(hosts), "ports": [self.origin.port]}

    def delegate(self, name, namespaces, *hosts):
        self.write(name, delegate={"namespaces": namespaces, "hosts": list(hosts),
                                   "ports": [self.origin.port]})

    def remove(self, name, namespace=None):
        self.cluster.delete(self._kind(namespace)[0], name, namespace or "")

    @staticmethod
    def _kind(namespace):
        return (("egresspolicies", "EgressPolicy") if namespace else
                ("clusteregresspolicies", "ClusterEgressPolicy"))

    def status(self, name, namespace=None):
        found = self.cluster.get(self._kind(namespace)[0], name, namespace or "")
        return (found or {}).get("status") or {}

    def conditions(self, name, namespace=None):
        """{type: (status, reason)} of the conditions of a policy's status."""
        return {each["type"]: (each["status"], each["reason"])
                for each in self.status(name, namespace).get("conditions") or []}

    def wait_for_status(self, name, namespace=None, programmed=None, patience=PATIENCE, **fields):
        """Waits until the status is of the present generation, and has the fields, and a message of
        the condition Programmed that holds `programmed`; gives it."""
        plural = self._kind(namespace)[0]

        def message():
            return "".join(each["message"] for each in self.status(name, namespace).get(
                "conditions") or [] if each["type"] == "Programmed")

        def is_so():
            document = self.cluster.get(plural, name, namespace or "")
            status = document.get("status") or {}
            return (status.get("observedGeneration") == document["metadata"]["generation"]
                    and fields.items() <= status.items() and (programmed or "") in message())
        try:
            wait_until(is_so, patience)
        except AssertionError:
            raise AssertionError(f"the status of {name} is "
                                 f"{json.dumps(self.status(name, namespace))}") from None
        return self.status(name, namespace)

    def events(self, name):
        """(reason, type) of the events about a policy of that name, in their order."""
        found = [each for each in self.cluster.list("events")
                 if (each.get("involvedObject") or {}).get("name") == name]
        return [(each["reason"], each["type"]) for each in sorted(
            found, key=lambda each: int(each["metadata"]["resourceVersion"]))]

    def leases(self):
        return sorted(each["metadata"]["name"] for each in self.cluster.list("leases", HOME))

    def wait_for_log(self, gateway, pattern, start=0):
        line = gateway.err.wait_for(pattern, start)
        if line is None:
            raise AssertionError(f"nothing said {pattern}:\n" + "\n".join(gateway.err.all()))
        return line


class Timer:
    """With it, how long something took: `seconds`."""

    def __enter__(self):
        self._began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self._began
