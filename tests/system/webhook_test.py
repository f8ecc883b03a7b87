# labels: concurrent
"""`ebbgate webhook` over TLS: what it injects and refuses, by itself and behind an API server that
calls it as Kubernetes does; a certificate that changes while it serves, clients that are slow, many
or wrong, and its end."""

import base64
import http.client
import json
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.certificates import Authority  # noqa: E402
from harness.gateway import BINARY  # noqa: E402
from harness.kube.api import Api  # noqa: E402
from harness.kube.cluster import Cluster  # noqa: E402
from harness.kube.patching import json_patch  # noqa: E402
from harness.process import PATIENCE, Process, wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
NAME = "ebbgate-webhook.ebbgate-system.svc"
PROXY = "http://ebbgate.ebbgate-system.svc.cluster.local:3128"
SIX = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"}


class Webhook(Process):
    """On free ports, with the proxy above; ready when made."""

    def __init__(self, *flags, is_ready=True):
        super().__init__([BINARY, "webhook", "--listen", "127.0.0.1:0", "--health", "127.0.0.1:0",
                          "--proxy-url", PROXY, "--no-proxy", "localhost,10.64.0.0/16,.svc",
                          "--drain-delay", "0s", *map(str, flags)])
        line = self.err.wait_for("ready listen=") if is_ready else None
        if is_ready and not line:
            raise AssertionError(f"not ready: {self.err.all()}")
        if line:
            self.port, self.health = (int(each.rsplit(":", 1)[1]) for each in line.split()[2:4])

    def page(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}{path}",
                                        timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


class Connection(http.client.HTTPSConnection):
    """As the API server has it: to an address, for a name."""

    def __init__(self, port, authority):
        self._tls = ssl.create_default_context(cafile=str(authority))
        self._tls.set_alpn_protocols(["http/1.1"])
        super().__init__(NAME, port, timeout=PATIENCE, context=self._tls)

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=NAME)

    def certificate(self):
        if self.sock is None:
            self.connect()
        return self.sock.getpeercert(binary_form=True)

    def post(self, path, body):
        body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        self.request("POST", path, body, {"Content-Type": "application/json"})
        answer = self.getresponse()
        return answer.status, answer.read().decode()

    def review(self, path, body):
        status, text = self.post(path, body)
        if status != 200:
            raise AssertionError(f"{status}: {text}")
        return json.loads(text)["response"]


def pod(name="p", annotations=None, **container):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, **({"annotations": annotations} if annotations else {})},
            "spec": {"containers": [{"name": "main", "image": "i:1", **container}]}}


def review_of(document, uid="u-1", namespace="shop", group="", version="v1"):
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": uid, "kind": {"group": group, "version": version, "kind": document["kind"]},
        "operation": "CREATE", "namespace": namespace, "object": document}}


def variables(document, index=0, key="containers"):
    return {each["name"]: each.get("value")
            for each in document["spec"][key][index].get("env") or []}


class Alone(Case):
    """With a certificate from files."""

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority(NAME)
        cls.addClassCleanup(cls.authority.close)

    def setUp(self):
        self.folder = self.scratch()
        self.put(self.authority)
        self.webhook = self.enter(Webhook("--cert-dir", self.folder))
        self.connection = self.enter(_closing(Connection(self.webhook.port, self.authority.file)))

    def put(self, authority):
        for name, file in (("tls.crt", authority.certificate), ("tls.key", authority.key)):
            part = self.folder / (name + ".new")
            shutil.copy(file, part)
            part.rename(self.folder / name)

    def test_a_pod_gets_the_proxy_and_asked_again_nothing(self):
        document = pod(env=[{"name": "PORT", "value": "80"}])
        answer = self.connection.review("/inject?timeout=5s", review_of(document))
        self.assertEqual(("u-1", True, "JSONPatch"),
                         (answer["uid"], answer["allowed"], answer["patchType"]))
        patched = json_patch(document, json.loads(base64.b64decode(answer["patch"])))
        values = variables(patched)
        self.assertEqual(PROXY, values["https_proxy"])
        self.assertEqual("80", values["PORT"])
        self.assertTrue(SIX <= set(values))
        again = self.connection.review("/inject", review_of(patched, uid="u-2"))
        self.assertEqual({"uid": "u-2", "allowed": True}, again)

        line = json.loads(self.webhook.out.wait_for('"uid":"u-1"'))
        self.assertEqual(("inject", "injected", "Pod shop/p", "CREATE"),
                         (line["webhook"], line["outcome"], line["object"], line["operation"]))
        status, text = self.webhook.page("/metrics")
        self.assertEqual(200, status)
        self.assertIn('ebbgate_webhook_reviews_total{webhook="inject",outcome="injected"} 1', text)
        self.assertRegex(text, r"ebbgate_webhook_certificate_expires_timestamp_seconds \d{10}")

    def test_who_wants_nothing_gets_nothing(self):
        for document, namespace in ((pod(annotations={"ebbgate.dev/inject": "false"}), "shop"),
                                    (pod(), "kube-system"), (pod(), "ebbgate-system")):
            answer = self.connection.review("/inject", review_of(document, namespace=namespace))
            self.assertEqual({"uid": "u-1", "allowed": True}, answer)

    def test_a_policy_is_refused_with_the_words_of_check(self):
        document = {"apiVersion": "ebbgate.dev/v1alpha1", "kind": "ClusterEgressPolicy",
                    "metadata": {"name": "builds"},
                    "spec": {"allow": [{"hosts": ["good.example", "*bad.example"]}]}}
        review = review_of(document, group="ebbgate.dev", version="v1alpha1")
        answer = self.connection.review("/validate", review)
        self.assertFalse(answer["allowed"])
        message = answer["status"]["message"]
        self.assertTrue(message.startswith("spec.allow[0].hosts[1]: "), message)
        file = self.scratch() / "policy.yaml"
        file.write_text(yaml.safe_dump(document))
        with Process([BINARY, "check", file]) as check:
            self.assertEqual(3, check.wait())
            said = check.out.wait_for("bad.example")
        self.assertTrue(said.endswith(message.split(": ", 1)[1]), (said, message))
        document["spec"]["allow"][0]["hosts"] = ["good.example"]
        self.assertTrue(self.connection.review("/validate", review)["allowed"])

    def test_bad_requests_get_an_answer_and_the_connection_goes_on(self):
        for path, body, status, says in (("/inject", "{", 400, "not JSON"),
                                         ("/inject", {"kind": "Pod"}, 400, "no AdmissionReview"),
                                         ("/elsewhere", "{}", 404, "not found"),
                                         ("/validate", b"\xff\x00", 400, "not JSON")):
            got, text = self.connection.post(path, body)
            self.assertEqual(status, got)
            self.assertIn(says, text)
        self.connection.request("GET", "/inject")
        answer = self.connection.getresponse()
        self.assertEqual((405, "POST"), (answer.status, answer.getheader("Allow")))
        answer.read()
        self.assertTrue(self.connection.review("/inject", review_of(pod()))["allowed"])

    def test_a_pod_that_cannot_be_read_is_let_pass(self):
        document = pod()
        document["spec"]["containers"] = "none"
        answer = self.connection.review("/inject", review_of(document))
        self.assertTrue(answer["allowed"])
        self.assertNotIn("patch", answer)
        self.assertIn("gives this pod no proxy", answer["warnings"][0])

    def test_large_reviews_are_read_and_larger_ones_refused(self):
        document = pod(env=[{"name": f"V{i}", "value": "x" * 1000} for i in range(3000)])
        self.assertIn("patch", self.connection.review("/inject", review_of(document)))
        # The answer comes before the body.
        self.connection.putrequest("POST", "/inject")
        self.connection.putheader("Content-Length", str(9 << 20))
        self.connection.endheaders()
        self.assertEqual(413, self.connection.getresponse().status)

    def test_slow_and_silent_clients_keep_nobody_waiting(self):
        slow = [socket.create_connection(("127.0.0.1", self.webhook.port)) for _ in range(20)]
        half = self.enter(_closing(Connection(self.webhook.port, self.authority.file)))
        half.certificate()
        half.sock.sendall(b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        try:
            begun = time.monotonic()
            for i in range(20):
                self.connection.review("/inject", review_of(pod(), uid=str(i)))
            self.assertLess(time.monotonic() - begun, 5)
        finally:
            for each in slow:
                each.close()

    def test_hundreds_of_reviews_from_many_connections(self):
        body = json.dumps(review_of(pod()))
        failures, times = [], []

        def ask():
            try:
                with _closing(Connection(self.webhook.port, self.authority.file)) as connection:
                    for _ in range(60):
                        begun = time.monotonic()
                        if "patch" not in connection.review("/inject", body):
                            failures.append("no patch")
                        times.append(time.monotonic() - begun)
            except Exception as error:  # noqa: BLE001: of any kind it is a failure
                failures.append(repr(error))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual([], failures)
        self.assertEqual(480, len(times))
        print(f"480 reviews, 8 connections: median {sorted(times)[240] * 1e3:.1f} ms, "
              f"worst {max(times) * 1e3:.1f} ms")

    def test_a_new_certificate_is_shown_while_it_serves(self):
        other = Authority(NAME)
        self.addCleanup(other.close)
        self.connection.review("/inject", review_of(pod()))
        self.put(other)

        def is_new():
            try:
                with _closing(Connection(self.webhook.port, other.file)) as connection:
                    return "patch" in connection.review("/inject", review_of(pod()))
            except ssl.SSLError:
                return False

        wait_until(is_new, what="the new certificate")
        # The connection that is open goes on.
        self.connection.review("/inject", review_of(pod()))
        # A broken one changes nothing.
        (self.folder / "tls.key").write_text("nonsense")
        self.assertTrue(self.webhook.err.wait_for("the last one is kept"))
        self.assertTrue(is_new())
        self.assertEqual(200, self.webhook.page("/readyz")[0])

    def test_it_tells_of_clients_that_do_not_trust_it(self):
        other = Authority(NAME)
        self.addCleanup(other.close)
        with self.assertRaises(ssl.SSLError):
            Connection(self.webhook.port, other.file).certificate()
        self.assertTrue(self.webhook.err.wait_for("caBundle"))
        with socket.create_connection(("127.0.0.1", self.webhook.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.settimeout(PATIENCE)
            while plain.recv(4096):
                pass
        self.assertTrue(self.webhook.err.wait_for("TLS is broken"))

    def test_it_ends_in_good_order(self):
        self.connection.review("/inject", review_of(pod()))
        with _closing(Connection(self.webhook.port, self.authority.file)) as half:
            body = json.dumps(review_of(pod()))
            half.certificate()
            half.sock.sendall(b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Length: "
                              + str(len(body)).encode() + b"\r\n\r\n" + body[:10].encode())
            wait_until(lambda: "connections 2" in self.webhook.page("/metrics")[1])
            self.webhook.signal(signal.SIGTERM)
            self.assertTrue(self.webhook.err.wait_for("draining"))
            half.sock.sendall(body[10:].encode())
            octets = b""
            while piece := half.sock.recv(65536):
                octets += piece
        self.assertTrue(octets.startswith(b"HTTP/1.1 200 OK"), octets)
        self.assertEqual(0, self.webhook.wait())


class _closing:
    def __init__(self, thing):
        self._thing = thing

    def __enter__(self):
        return self._thing

    def __exit__(self, *_):
        self._thing.close()


class InACluster(Case):
    """With the manifests of deploy/kubernetes/webhook, and the rights that they give."""

    def setUp(self):
        self.cluster = self.enter(Cluster())
        self.api = Api(self.cluster)
        for file in ("base/namespace.yaml", "base/crds/egresspolicies.yaml",
                     "base/crds/clusteregresspolicies.yaml", "webhook/rights.yaml",
                     "webhook/secret.yaml", "webhook/mutating.yaml", "webhook/validating.yaml"):
            for document in yaml.safe_load_all((DEPLOY / file).read_text()):
                self.cluster.create(document)
        for name, labels in (("shop", {"ebbgate.dev/inject": "enabled"}), ("plain", {})):
            self.cluster.create({"apiVersion": "v1", "kind": "Namespace",
                                 "metadata": {"name": name, "labels": labels}})

    def start(self, *flags):
        token, _ = self.cluster.authentication.service_account_token(
            "ebbgate-system", "ebbgate-webhook", 3600)
        webhook = self.enter(Webhook("--kubeconfig", self.cluster.kubeconfig(token=token), *flags))
        self.cluster.services["ebbgate-system", "ebbgate-webhook"] = ("127.0.0.1", webhook.port)
        return webhook

    def make(self, document, namespace="shop", status=201):
        reply = self.api.post(f"/api/v1/namespaces/{namespace}/pods", document)
        self.assertEqual(status, reply.status, reply.body)
        return reply.json

    def bundle(self):
        config = self.cluster.get("mutatingwebhookconfigurations", "ebbgate-webhook")
        bundles = {each["clientConfig"].get("caBundle") for each in config["webhooks"]}
        self.assertEqual(1, len(bundles))
        return base64.b64decode(bundles.pop() or "").decode()

    def test_pods_and_policies_go_through_it(self):
        self.make(pod("early"))  # nobody is there yet: the pod is made all the same
        webhook = self.start()
        self.assertEqual(1, self.bundle().count("BEGIN CERTIFICATE"))
        made = self.make(pod("one"))
        self.assertTrue(SIX <= set(variables(made)))
        self.assertIn("ebbgate.dev/injected", made["metadata"]["annotations"])
        self.assertEqual({}, variables(self.make(pod("two", {"ebbgate.dev/inject": "false"}))))
        labelled = pod("three")
        labelled["metadata"]["labels"] = {"ebbgate.dev/inject": "enabled"}
        self.assertTrue(SIX <= set(variables(self.make(labelled, "plain"))))
        self.assertEqual({}, variables(self.make(pod("four"), "plain")))
        self.assertEqual({}, variables(self.make(pod("five"), "kube-system")))
        errors = [each for each in self.cluster.reviews[1:] if each.error]
        self.assertEqual([], errors)

        policy = {"apiVersion": "ebbgate.dev/v1alpha1", "kind": "EgressPolicy",
                  "metadata": {"name": "builds", "namespace": "shop"},
                  "spec": {"allow": [{"hosts": ["*bad.example"]}]}}
        path = "/apis/ebbgate.dev/v1alpha1/namespaces/shop/egresspolicies"
        reply = self.api.post(path, policy)
        self.assertEqual(422, reply.status, reply.body)
        self.assertIn("spec.allow[0].hosts[0]", reply.json["message"])
        policy["spec"]["allow"][0]["hosts"] = ["good.example"]
        self.assertEqual(201, self.api.post(path, policy).status)
        self.assertEqual(0, webhook.stop())

    def test_replicas_share_a_certificate_and_renew_it(self):
        first = self.start("--certificate-lifetime", "1m")
        second = self.start("--certificate-lifetime", "1m")
        self.make(pod("a"))
        shown = {self._certificate(each) for each in (first, second)}
        self.assertEqual(1, len(shown))
        before = self.bundle()
        # For this one what is left is too little.
        third = self.start("--certificate-lifetime", "2160h")
        self.assertNotIn(self._certificate(third), shown)
        self.assertTrue(self.bundle().endswith(before))
        self.assertEqual(2, self.bundle().count("BEGIN CERTIFICATE"))
        for each in (first, second, third):
            self.cluster.services["ebbgate-system", "ebbgate-webhook"] = ("127.0.0.1", each.port)
            self.assertTrue(variables(self.make(pod(f"b{each.port}"))))

    def _certificate(self, webhook):
        context = ssl.create_default_context(cadata=self.bundle())
        with socket.create_connection(("127.0.0.1", webhook.port), timeout=PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname=NAME) as secure:
                return secure.getpeercert(binary_form=True)

    def test_without_rights_it_says_what_is_missing(self):
        token = self.cluster.authentication.token("nobody")
        webhook = self.enter(Webhook("--kubeconfig", self.cluster.kubeconfig(token=token),
                                     is_ready=False))
        self.assertTrue(webhook.err.wait_for("the Secret ebbgate-webhook"))
        webhook.signal(signal.SIGTERM)
        self.assertEqual(0, webhook.wait())


def manifests():
    return [document for file in sorted((DEPLOY / "webhook").glob("*.yaml"))
            for document in yaml.safe_load_all(file.read_text())]


def of_kind(kind):
    return [each for each in manifests() if each["kind"] == kind]


class Manifests(Case):
    """deploy/kubernetes/webhook. Their shape is looked at in kube_manifests_test.py."""

    def test_the_program_takes_the_deployments_flags(self):
        container = of_kind("Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
        flags = container["args"]
        self.assertEqual("webhook", flags[0])
        authority, folder = Authority(NAME), self.scratch()
        self.addCleanup(authority.close)
        shutil.copy(authority.certificate, folder / "tls.crt")
        shutil.copy(authority.key, folder / "tls.key")
        # Of two that say the same the later one counts.
        webhook = self.enter(Process([BINARY, *flags, "--listen", "127.0.0.1:0", "--health",
                                      "127.0.0.1:0", "--cert-dir", folder]))
        self.assertTrue(webhook.err.wait_for("ready listen="))
        self.assertEqual(1, len(webhook.err.all()), "nothing is wrong with its NO_PROXY")
        networks = ["--vpc-cidr", "10.64.0.0/16", "--service-cidr", "172.20.0.0/16"]
        built = subprocess.run([BINARY, "noproxy", *networks], capture_output=True, text=True,
                               timeout=PATIENCE).stdout.strip()
        self.assertIn(f"--no-proxy={built}", flags)

    def test_the_program_renders_them_for_a_cluster(self):
        def rendered(*words):
            done = subprocess.run([BINARY, "kube", "manifests", "--vpc-cidr", "10.1.0.0/16",
                                   "--service-cidr", "10.2.0.0/16", *words], capture_output=True,
                                  text=True, timeout=PATIENCE)
            self.assertEqual(0, done.returncode, done.stderr)
            return list(yaml.safe_load_all(done.stdout))
        self.assertEqual([], [each for each in rendered()
                              if each["metadata"]["name"] == "ebbgate-webhook"])
        documents = rendered("--webhook", "--part", "webhook", "--namespace", "egress",
                             "--proxy-url", "http://nlb.example:3128")
        self.assertEqual(len(manifests()) - 1, len(documents))
        text = json.dumps(documents)
        for word in ("10.64.", "172.20.", "ebbgate-system", "answer:", "each:"):
            self.assertNotIn(word, text)
        flags = [each for each in documents if each["kind"] == "Deployment"][0]["spec"]["template"][
            "spec"]["containers"][0]["args"]
        self.assertIn("--proxy-url=http://nlb.example:3128", flags)
        self.assertIn("--service=ebbgate-webhook.egress", flags)
        self.assertTrue(any(each.startswith("--no-proxy=localhost,") and "10.1.0.0/16" in each
                            for each in flags))

    def test_it_can_neither_block_the_cluster_nor_itself(self):
        hooks = [each for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
                 for config in of_kind(kind) for each in config["webhooks"]]
        self.assertEqual(3, len(hooks))
        service = of_kind("Service")[0]["metadata"]
        for hook in hooks:
            self.assertEqual(("Ignore", "None", ["v1"]), (
                hook["failurePolicy"], hook["sideEffects"], hook["admissionReviewVersions"]))
            self.assertLessEqual(hook["timeoutSeconds"], 10)
            target = hook["clientConfig"]["service"]
            self.assertEqual((service["name"], service["namespace"]),
                             (target["name"], target["namespace"]))
            self.assertNotIn("caBundle", hook["clientConfig"])
        for hook in hooks[:2]:
            excluded = [each["values"] for each in hook["namespaceSelector"]["matchExpressions"]
                        if each["key"] == "kubernetes.io/metadata.name"]
            self.assertTrue({"kube-system", "ebbgate-system"} <= set(excluded[0]))

    def test_its_rights_are_the_least(self):
        rules = [rule for kind in ("Role", "ClusterRole") for each in of_kind(kind)
                 for rule in each["rules"]]
        self.assertEqual(2, len(rules))
        for rule in rules:
            self.assertEqual(["ebbgate-webhook"], rule["resourceNames"])
            self.assertEqual(["get", "patch"], rule["verbs"])

    def test_the_parts_agree(self):
        kustomization = of_kind("Kustomization")[0]
        files = {each.name for each in (DEPLOY / "webhook").glob("*.yaml")}
        self.assertEqual(files - {"kustomization.yaml"}, set(kustomization["resources"]))
        template = of_kind("Deployment")[0]["spec"]["template"]
        labels = template["metadata"]["labels"]
        self.assertEqual(labels, of_kind("Service")[0]["spec"]["selector"])
        for kind, key in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector")):
            self.assertEqual(labels, of_kind(kind)[0]["spec"][key]["matchLabels"])
        ports = {each["name"] for each in template["spec"]["containers"][0]["ports"]}
        self.assertEqual({"https", "health"}, ports)
        self.assertIn(of_kind("Service")[0]["spec"]["ports"][0]["targetPort"], ports)


class CommandLine(Case):
    def test_it_says_what_is_wrong(self):
        for flags, says in (([], "--proxy-url"),
                            (["--proxy-url", "proxy:3128"], "neither http://"),
                            (["--proxy-url", "http://u:secret@proxy:1"], "HOST:PORT"),
                            (["--config-map", "x", "--service", "name"], "NAME.NAMESPACE"),
                            (["--config-map", "x", "--listen", "here"], "ADDRESS:PORT"),
                            (["--config-map", "x", "--certificate-lifetime", "1s"], "a minute"),
                            (["--config-map", "x", "y"], "flags only"),
                            (["--nonsense"], "nonsense")):
            done = subprocess.run([BINARY, "webhook", *flags], capture_output=True, text=True,
                                  timeout=PATIENCE)
            self.assertEqual(2, done.returncode, done.stderr)
            self.assertIn(says, done.stderr)
            self.assertNotIn("secret", done.stderr)

    def test_without_a_cluster_it_says_what_to_do(self):
        with Process([BINARY, "webhook", "--config-map", "x", "--listen", "127.0.0.1:0"],
                     env={}) as webhook:
            self.assertEqual(1, webhook.wait())
            self.assertTrue(webhook.err.wait_for("--cert-dir"))


if __name__ == "__main__":
    main()
