# labels: kube
"""`ebbgate kube verify` against a cluster that is closed, and against the same with one hole after
the other. The API server is the tests' own; a kubelet's stand-in really runs the pod's command in a
network namespace, from which a gateway, name servers and an internet of our own are reached, or are
not. Needs root; nothing of the machine's own network is touched."""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws import Emulator  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import BINARY, Gateway  # noqa: E402
from harness.kube.cluster import Cluster  # noqa: E402
from harness.process import PATIENCE, Process, wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000

POD, NODE, DNS, SERVICE = "10.64.0.7", "10.64.0.1", "10.100.0.10", "10.100.0.31"
RESOLVER, PUBLIC, METADATA = "8.8.8.8", "1.1.1.1", "169.254.169.254"
PROXY = "http://ebbgate.ebbgate-system.svc.cluster.local:3128"
NO_PROXY = "localhost,127.0.0.1,10.100.0.1,10.64.0.0/16,.svc,.cluster.local"
ALLOWED = "api.partner.example:443"
VARIABLES = {**dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), PROXY),
             "NO_PROXY": NO_PROXY, "no_proxy": NO_PROXY}
CHECKS = ["api-endpoint", "nodes-ready", "aws-node", "kube-proxy", "webhook", "proxy-variables",
          "types", "gateways", "policies", "host-network", "test-pod", "cluster-dns",
          "allowed-request", "refused-request", "direct-egress", "dns-tunnel", "dns-direct",
          "metadata-service"]
OF_THE_POD = CHECKS[CHECKS.index("test-pod") + 1:]


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """A namespace of networks for this thread, as node and as internet; in another one, of which a
    process takes care, the pod. Between the two there is a wire, and what the pod has no route to
    it does not reach: so much of a NetworkPolicy is played here."""

    def __init__(self):
        self._before = os.open("/proc/self/ns/net", os.O_RDONLY)
        if _libc.unshare(_CLONE_NEWNET) != 0:
            os.close(self._before)
            raise OSError(ctypes.get_errno(), "unshare")
        ip("link", "set", "lo", "up")
        # Refusals come at once, however many there are.
        pathlib.Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")
        for address in (DNS, SERVICE, RESOLVER, PUBLIC, METADATA):
            ip("address", "add", f"{address}/32", "dev", "lo")
        self.holder = Process(["unshare", "--net", "sleep", "infinity"])
        pid = str(self.holder.pid)
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{pid}/ns/net") != own, what="the pod's network")
        ip("link", "add", "node0", "type", "veth", "peer", "name", "eth0", "netns", pid)
        ip("address", "add", f"{NODE}/24", "dev", "node0")
        ip("link", "set", "node0", "up")
        self.inside = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        for words in ("link set lo up", f"address add {POD}/24 dev eth0", "link set eth0 up",
                      f"route add 10.100.0.0/16 via {NODE}"):
            subprocess.run([*self.inside, "ip", *words.split()], check=True)

    @contextlib.contextmanager
    def way_out(self):
        """The pod has a route to everywhere."""
        subprocess.run([*self.inside, "ip", "route", "add", "default", "via", NODE], check=True)
        try:
            yield
        finally:
            subprocess.run([*self.inside, "ip", "route", "delete", "default"], check=True)

    def close(self):
        self.holder.kill()
        _libc.setns(self._before, _CLONE_NEWNET)
        os.close(self._before)


@contextlib.contextmanager
def listening(address, port):
    with socket.create_server((address, port)):
        yield


class Kubelet:
    """Runs the pods of a namespace: the first container's arguments, with its environment and the
    ConfigMaps that it names, in the pod's network and with the cluster's name server."""

    def __init__(self, cluster, namespace, network, folder):
        self.cluster, self.namespace, self.network = cluster, namespace, network
        self.broken = None    # a reason for which no container starts
        self.is_idle = False  # pods stay Pending
        self.program = BINARY
        self.ran = []         # pods, as they were
        self._resolv = folder / "resolv.conf"
        self._resolv.write_text(f"search shop.svc.cluster.local\nnameserver {DNS}\n")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._over.set()
        self._thread.join()

    def _serve(self):
        done = set()
        while not self._over.wait(0.01):
            for pod in self.cluster.list("pods", self.namespace):
                uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
                if uid in done or self.is_idle:
                    continue
                done.add(uid)
                if self.broken:
                    self.cluster.set_status("pods", name, self.namespace, containerStatuses=[{
                        "name": "probe", "state": {"waiting": {"reason": self.broken,
                                                               "message": "so it is"}}}])
                else:
                    self._run(pod, name)

    def _run(self, pod, name):
        self.ran.append(pod)
        self.cluster.assign(name, POD, self.namespace)
        container = pod["spec"]["containers"][0]
        environment = {"PATH": os.environ["PATH"]}
        for each in container.get("envFrom") or []:
            found = self.cluster.get("configmaps", each["configMapRef"]["name"], self.namespace)
            environment.update(found["data"] if found else {})
        environment.update({each["name"]: each["value"] for each in container.get("env") or []})
        ended = subprocess.run(
            [*self.network.inside, "unshare", "--mount", "sh", "-c",
             'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"', "sh", self._resolv,
             self.program, *container["args"]], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=PATIENCE)
        with contextlib.suppress(AttributeError):  # it may be deleted by now
            self.cluster.logs[self.namespace, name] = ended.stdout.decode()
            self.cluster.finish_pod(name, self.namespace,
                                    "Failed" if ended.returncode else "Succeeded")


class Closed(Case):
    """A cluster that passes, until a test opens something."""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root makes network namespaces")
        try:
            cls.network = Network()
        except (OSError, subprocess.CalledProcessError) as error:
            raise unittest.SkipTest(f"no network namespace is to be had: {error}")
        cls.addClassCleanup(cls.network.close)

    environment = {}

    def setUp(self):
        self.cluster = self.enter(Cluster("0.0.0.0"))
        self.kubeconfig = self.cluster.kubeconfig(
            server=f"https://127.0.0.1:{self.cluster.port}", namespace="shop")
        self.dns = self.enter(DnsServer({
            "kubernetes.default.svc.cluster.local": Answer("10.100.0.1"),
            "ebbgate.ebbgate-system.svc.cluster.local": Answer(SERVICE)}, DNS, 53))
        outside = self.enter(DnsServer({"api.partner.example": Answer("127.0.0.9")}))
        self.enter(listening("127.0.0.9", 443))
        self.gateway = self.enter(Gateway(allow=["api.partner.example"], dns=outside,
                                          listen=f"{SERVICE}:3128"))
        self.manifests()
        self.objects()
        self.webhook()
        self.kubelet = Kubelet(self.cluster, "shop", self.network, self.scratch())
        self.addCleanup(self.kubelet.close)
        self._renewing = threading.Event()
        renewer = threading.Thread(target=self._renew, daemon=True)
        renewer.start()
        self.addCleanup(renewer.join)
        self.addCleanup(self._renewing.set)

    def manifests(self):
        for file in ("base/namespace.yaml", "base/crds/egresspolicies.yaml",
                     "base/crds/clusteregresspolicies.yaml", "webhook/rights.yaml",
                     "webhook/secret.yaml", "webhook/mutating.yaml"):
            self.cluster.create((DEPLOY / file).read_text())

    def objects(self):
        create, template = self.cluster.create, {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "main", "image": "ebbgate:tests"}]}}
        create({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": "shop", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
        create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
        self.node("True")
        for space in ("kube-system", "shop"):
            create({"apiVersion": "v1", "kind": "ConfigMap", "data": VARIABLES, "metadata": {
                "name": "proxy-environment-variables", "namespace": space}})
        for name, source in (("aws-node", [{"configMapRef": {
                "name": "proxy-environment-variables"}}]), ("kube-proxy", [])):
            containers = [{"name": "main", "image": "i:1", "envFrom": source}]
            create({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {
                "name": name, "namespace": "kube-system"}, "spec": {
                    "selector": {"matchLabels": {"app": "x"}},
                    "template": {**template, "spec": {"containers": containers}}}})
            self.cluster.set_status("daemonsets", name, "kube-system",
                                    desiredNumberScheduled=1, numberReady=1)
        create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
            "name": "ebbgate", "namespace": "ebbgate-system"}, "spec": {
                "selector": {"matchLabels": {"app": "x"}}, "template": template}})
        create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {
            "name": "ebbgate-a", "namespace": "ebbgate-system", "labels": {
                "app.kubernetes.io/name": "ebbgate", "app.kubernetes.io/component": "gateway"}},
            "spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}})
        create({"apiVersion": "ebbgate.dev/v1alpha1", "kind": "ClusterEgressPolicy",
                "metadata": {"name": "partner"},
                "spec": {"allow": [{"hosts": ["api.partner.example"]}]}})
        self.programmed("True")

    def node(self, status):
        self.cluster.set_status("nodes", "node-1", conditions=[
            {"type": "Ready", "status": status, "reason": "KubeletNotReady"}])

    def programmed(self, status):
        self.cluster.set_status("clusteregresspolicies", "partner", observedGeneration=1,
                                conditions=[{"type": "Accepted", "status": "True"},
                                            {"type": "Programmed", "status": status,
                                             "message": "1 of 2 gateways"}])

    def _renew(self):
        count = 0
        while not self._renewing.wait(0.02):
            count += 1
            self.cluster.change("leases", "ebbgate-a", "ebbgate-system", lambda lease: lease[
                "spec"].update(renewTime=f"2026-01-01T00:00:00.{count:06d}Z"))

    def webhook(self):
        token, _ = self.cluster.authentication.service_account_token(
            "ebbgate-system", "ebbgate-webhook", 3600)
        self.hook = self.enter(Process([
            BINARY, "webhook", "--listen", "127.0.0.1:0", "--proxy-url", PROXY, "--no-proxy",
            NO_PROXY, "--drain-delay", "0s", "--kubeconfig", self.cluster.kubeconfig(
                token=token, server=f"https://127.0.0.1:{self.cluster.port}", name="webhook")]))
        line = self.hook.err.wait_for("ready listen=")
        self.assertTrue(line, self.hook.err.all())
        port = int(line.split()[2].rsplit(":", 1)[1])
        self.cluster.services["ebbgate-system", "ebbgate-webhook"] = ("127.0.0.1", port)

    # what is asked

    def command(self, *flags):
        return [BINARY, "kube", "verify", "--kubeconfig", str(self.kubeconfig), "--lease-time",
                "200ms", "--attempt-timeout", "2s", *map(str, flags)]

    def verify(self, *flags):
        """{check: its JSON}, and the exit code. No pod is left behind, whatever happens."""
        ended = subprocess.run(self.command("--format", "json", *flags), capture_output=True,
                               timeout=PATIENCE, env={**os.environ, **self.environment})
        self.assertEqual(b"", ended.stderr)
        checks = {each["name"]: each for each in json.loads(ended.stdout)["checks"]}
        self.assertEqual(CHECKS, list(checks))
        self.assertEqual([], self.cluster.list("pods", "shop"))
        return checks, ended.returncode

    def finds(self, *flags, finding="failed", also=(), **expected):
        """That the checks of `expected` find so, with words of what was seen and of the next step,
        and that all others but `also` are ok."""
        checks, code = self.verify(*flags)
        expected = {name.replace("_", "-"): words for name, words in expected.items()}
        for name, (seen, step) in expected.items():
            check = checks[name]
            self.assertEqual(finding, check["finding"], check)
            self.assertIn(seen, check["detail"])
            self.assertIn(step, check.get("next", ""))
        others = {name: check for name, check in checks.items() if check["finding"] != "ok"}
        self.assertEqual({*expected, *also}, set(others), others)
        self.assertEqual(1 if finding == "failed" else 0, code)
        return checks

    # the tests

    def test_a_closed_cluster_passes(self):
        checks = self.finds(finding="ok")
        self.assertIn("api.partner.example:443 was answered 200", checks["allowed-request"][
            "detail"])
        self.assertIn("ebbgate:tests ran in shop and tried 16 things", checks["test-pod"]["detail"])
        self.assertIn("violates PodSecurity", checks["host-network"]["detail"])
        pod, = self.kubelet.ran
        self.assertRegex(pod["metadata"]["name"], "^ebbgate-verify-[0-9a-f]{10}$")
        self.assertEqual(120, pod["spec"]["activeDeadlineSeconds"])
        # Nothing else was made or changed.
        writes = {(call.verb, call.resource) for call in self.cluster.requests
                  if call.user == "kubernetes-admin" and call.verb not in ("get", "list", "watch")}
        self.assertEqual({("create", "pods"), ("delete", "pods")}, writes)
        self.assertTrue(self.gateway.wait_for_event(host="ebbgate-verify.invalid", verdict="DENY"))
        asked = self.dns.names_asked()
        self.assertIn("example.com", asked)
        self.assertTrue(any(name.endswith(".example.com") for name in asked))

    def test_holes_in_the_network(self):
        with self.network.way_out():
            self.finds(finding="ok")  # a route that leads nowhere
            with listening(PUBLIC, 443):
                self.finds(direct_egress=(f"reached: {PUBLIC}:443", "NetworkPolicy"))
            with listening(METADATA, 80):
                self.finds(metadata_service=(f"reached: {METADATA}:80", "hop limit"))
            with DnsServer({}, RESOLVER, 53):
                self.finds(dns_direct=(f"example.com@{RESOLVER}", "NetworkPolicy"))
            self.dns.zone["example.com"] = Answer(PUBLIC)
            with listening(PUBLIC, 443):
                self.finds("--outside", "example.com:443",
                           direct_egress=("reached: example.com:443", "NetworkPolicy"),
                           dns_tunnel=("example.com was asked for outside", "coredns"))
            del self.dns.zone["example.com"]
        with self.subTest("one that is dropped rather than refused, as most are"):
            subprocess.run([*self.network.inside, "ip", "route", "add", f"{PUBLIC}/32", "via",
                            "10.64.0.99"], check=True)  # nobody has that address
            self.finds("--attempt-timeout", "800ms", finding="ok")
            subprocess.run([*self.network.inside, "ip", "route", "delete", f"{PUBLIC}/32"],
                           check=True)

    def test_holes_in_the_names(self):
        self.dns.zone["example.com"] = Answer("203.0.113.9")
        self.finds(dns_tunnel=("example.com was asked for outside", "Corefile"))
        self.dns.zone["example.com"] = Answer(code=2)
        self.finds(finding="cannot-be-told", dns_tunnel=("RCODE 2", "Corefile"))
        del self.dns.zone["example.com"]
        self.dns.zone[".example.com"] = Answer()  # no address, but a name: somebody was asked
        self.finds(dns_tunnel=("example.com was asked for outside", "Corefile"))
        del self.dns.zone[".example.com"]
        name = "kubernetes.default.svc.cluster.local"
        self.dns.zone[name] = Answer(code=3)
        self.finds(cluster_dns=("is not known", "--cluster-domain"))
        self.dns.close()
        checks, code = self.verify()
        self.assertEqual(1, code)
        findings = {name: check["finding"] for name, check in checks.items() if name in OF_THE_POD}
        self.assertEqual({
            "cluster-dns": "failed", "allowed-request": "failed", "refused-request": "failed",
            # Who reaches nothing proves nothing.
            "direct-egress": "cannot-be-told", "dns-tunnel": "cannot-be-told",
            "dns-direct": "cannot-be-told", "metadata-service": "cannot-be-told"}, findings)

    def test_holes_in_the_policy(self):
        self.finds("--allowed", "other.example:443", allowed_request=("answered 403", "--allowed"))
        self.finds("--refused", ALLOWED, refused_request=("let pass", "ebbgate explain"))
        self.programmed("False")
        self.finds(policies=("partner (not Programmed: 1 of 2 gateways)", "kubectl describe"))
        self.programmed("True")
        self._renewing.set()
        self.finds(gateways=("no gateway renews its Lease; there were ebbgate-a", "--kube"))
        self.cluster.delete("leases", "ebbgate-a", "ebbgate-system")
        self.cluster.set_status("deployments", "ebbgate", "ebbgate-system", readyReplicas=2)
        self.finds(gateways=("2 gateways ready, without Leases", "--kube"))
        self.cluster.delete("clusteregresspolicies", "partner")
        checks, code = self.verify()
        self.assertEqual(0, code)
        self.assertEqual(
            {"gateways": "cannot-be-told", "policies": "skipped", "allowed-request": "skipped"},
            {name: check["finding"] for name, check in checks.items() if check["finding"] != "ok"})
        self.cluster.delete("customresourcedefinitions", "egresspolicies.ebbgate.dev")
        self.assertEqual("failed", self.verify("--allowed", ALLOWED)[0]["types"]["finding"])

    def test_holes_in_what_pods_are_given(self):
        self.cluster.change("namespaces", "shop", "", lambda space: space["metadata"].pop("labels"))
        self.finds(host_network=("would be admitted to shop", "enforce=baseline"))
        self.cluster.change("namespaces", "shop", "", lambda space: space["metadata"].update(
            labels={"pod-security.kubernetes.io/enforce": "baseline"}))
        self.hook.stop()
        self.finds(webhook=("gets no variables", "caBundle"))  # the pod has the ConfigMap's
        self.cluster.delete("mutatingwebhookconfigurations", "ebbgate-webhook")
        self.finds(finding="skipped", webhook=("not installed", "envFrom"))
        self.cluster.change("configmaps", "proxy-environment-variables", "shop",
                            lambda map: map["data"].update(NO_PROXY="*"))
        self.finds(also=["webhook"], proxy_variables=("in shop", "proxy-environment"))
        for space in ("shop", "kube-system"):
            self.cluster.delete("configmaps", "proxy-environment-variables", space)
        self.finds(also=["webhook", "aws-node"],
                   proxy_variables=("there is no ConfigMap", "proxy-environment"),
                   allowed_request=("neither HTTPS_PROXY", "proxy-variables"),
                   refused_request=("neither HTTPS_PROXY", "proxy-variables"))
        checks, _ = self.verify("--proxy", f"http://{SERVICE}:3128")
        self.assertEqual("ok", checks["allowed-request"]["finding"])
        self.assertIn("endpoint for ec2", checks["aws-node"]["next"])

    def test_nodes_and_the_endpoint(self):
        self.node("False")
        self.finds(nodes_ready=("node-1 (KubeletNotReady)", "kubelet"))
        self.node("True")
        self.cluster.set_status("daemonsets", "aws-node", "kube-system", numberReady=0)
        self.finds(aws_node=("0 of 1 pods ready", "describe daemonset aws-node"))
        self.cluster.delete("daemonsets", "aws-node", "kube-system")
        self.finds(finding="skipped", aws_node=("has no DaemonSet", ""))
        self.kubeconfig = self.cluster.kubeconfig(
            server=f"https://{PUBLIC}:{self.cluster.port}", tls_server_name="kubernetes",
            namespace="shop")
        self.finds(also=["aws-node"],
                   api_endpoint=(f"{PUBLIC}, a public address", "update-cluster-config"),
                   kube_proxy=("the API's endpoint is public", "daemonsets"))

    def test_what_eks_says_of_the_endpoint(self):
        aws = self.enter(Emulator(region="eu-west-2"))
        aws.eks.add("closed")
        aws.eks.add("open", public=True)
        self.environment = {**aws.environment(), "HOME": str(self.scratch())}
        checks = self.finds("--eks", "closed", "--region", "eu-west-2", finding="ok")
        self.assertIn("private on, public off", checks["api-endpoint"]["detail"])
        self.finds("--eks", "open", "--region", "eu-west-2",
                   api_endpoint=("private on, public on", "endpointPublicAccess=false"))
        ended = subprocess.run(self.command("--eks", "none", "--region", "eu-west-2"),
                               capture_output=True, env={**os.environ, **self.environment})
        self.assertEqual((1, b"ebbgate kube verify: EKS has no cluster none\n"),
                         (ended.returncode, ended.stderr))

    def test_a_pod_that_does_not_run(self):
        self.kubelet.broken = "ImagePullBackOff"
        checks = self.finds(also=OF_THE_POD,
                            test_pod=("ImagePullBackOff: so it is", "allow the registry"))
        self.assertEqual({"skipped"}, {checks[name]["finding"] for name in OF_THE_POD})
        self.kubelet.broken, self.kubelet.is_idle = None, True
        self.finds("--wait", "200ms", also=OF_THE_POD, test_pod=("does not run", "--wait"))
        self.kubelet.is_idle, self.kubelet.program = False, "/bin/echo"
        self.finds(also=OF_THE_POD, test_pod=("it printed: kube probe", "this program"))
        self.kubelet.program = BINARY
        self.cluster.delete("deployments", "ebbgate", "ebbgate-system")
        self.finds(finding="skipped", also=OF_THE_POD, test_pod=("no Deployment", "--image"))
        self.finds("--image", "ebbgate:mine", finding="ok")

    def test_an_interruption_leaves_no_pod(self):
        self.kubelet.is_idle = True
        process = self.enter(Process(self.command()))
        wait_until(lambda: self.cluster.list("pods", "shop"), what="the pod")
        process.signal(signal.SIGINT)
        self.assertEqual(1, process.wait())
        self.assertEqual([], self.cluster.list("pods", "shop"))
        said = process.out.all()
        self.assertIn("cannot-be-told  test-pod: a pod of the namespace runs and can be asked what "
                      "it reaches", said)
        self.assertIn("                interrupted", said)

    def test_without_rights_or_without_an_api(self):
        self.kubeconfig = self.cluster.kubeconfig(
            token=self.cluster.user("reader"), namespace="shop",
            server=f"https://127.0.0.1:{self.cluster.port}")
        checks, code = self.verify()
        self.assertEqual("cannot-be-told", checks["nodes-ready"]["finding"])
        self.assertIn("403 Forbidden", checks["nodes-ready"]["detail"])
        self.assertIn("the rights", checks["nodes-ready"]["next"])
        self.assertEqual("skipped", checks["host-network"]["finding"])
        self.cluster.down()
        checks, code = self.verify()
        self.assertEqual(1, code)
        self.assertEqual("failed", checks["api-endpoint"]["finding"])
        self.assertEqual({"skipped"}, {check["finding"] for name, check in checks.items()
                                       if name != "api-endpoint"})

    def test_the_command_line(self):
        for words, said in ((["--skip", "nonsense"], "there is no check"),
                            (["--allowed", "a.example"], "write HOST:PORT"),
                            (["--pod-label", "x"], "write KEY=VALUE"), (["x"], "no word"),
                            (["--wait", "0s"], "more than nothing")):
            ended = subprocess.run(self.command(*words), capture_output=True, timeout=PATIENCE)
            self.assertEqual(2, ended.returncode, words)
            self.assertIn(said, ended.stderr.decode())
        ended = subprocess.run(self.command("--skip", "test-pod", "--skip", "webhook"),
                               capture_output=True, timeout=PATIENCE)
        self.assertEqual(0, ended.returncode)
        lines = ended.stdout.decode().splitlines()
        self.assertEqual("ok              api-endpoint: the API answers here, at an address that "
                         "the internet does not have", lines[0])
        self.assertIn("                next: see the check test-pod", lines)
        self.assertEqual([], self.kubelet.ran)
        for words, said in (([], "say what to try"), (["connect:x"], "is no attempt"),
                            (["--timeout", "x", "query:a.example"], "--timeout")):
            ended = subprocess.run([BINARY, "kube", "probe", *words], capture_output=True)
            self.assertEqual(2, ended.returncode, words)
            self.assertIn(said, ended.stderr.decode())


class Real(Case):
    """The cluster that KUBECONFIG names, if it does; no pod is made there."""

    def test_its_answers_are_read(self):
        if not os.environ.get("KUBECONFIG"):
            self.skipTest("KUBECONFIG names no cluster")
        ended = subprocess.run([BINARY, "kube", "verify", "--format", "json", "--skip", "test-pod"],
                               capture_output=True, timeout=120)
        checks = {each["name"]: each for each in json.loads(ended.stdout)["checks"]}
        self.assertEqual(CHECKS, list(checks))
        for name in ("nodes-ready", "types", "proxy-variables", "webhook", "host-network"):
            self.assertNotEqual("cannot-be-told", checks[name]["finding"], checks[name])


if __name__ == "__main__":
    main()
