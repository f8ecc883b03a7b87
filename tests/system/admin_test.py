"""The admin and health listeners of the running gateway: what they serve, to whom, and that a
Prometheus understands it."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client import Client  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import BINARY, Gateway  # noqa: E402
from harness.origins import HttpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

DOCUMENTED = pathlib.Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
NO_CLUSTER = """{apiVersion: v1, kind: Config, current-context: x,
clusters: [{name: x, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: x, user: {}}],
contexts: [{name: x, context: {cluster: x, user: x}}]}"""


class Admin(Case):
    def gateway(self, *flags, **options):
        return self.enter(Gateway("--health", "127.0.0.1:0", *flags,
                                  **{"admin": "127.0.0.1:0", **options}))

    def test_a_gateway_with_a_policy_is_healthy_and_ready(self):
        gateway = self.gateway(allow=["a.test"])
        for listener in ("admin", "health"):
            for path, body in (("/healthz", b"ok\n"), ("/readyz", b"ready\n")):
                page = gateway.page(path, listener)
                self.assertEqual((200, body), (page.status, page.body))

    def test_without_a_policy_it_lives_is_not_ready_and_refuses_everything(self):
        gateway = self.gateway()
        self.assertTrue(any("no policy" in line for line in gateway.err.all()))
        self.assertEqual(200, gateway.page("/healthz").status)
        page = gateway.page("/readyz", "health")
        self.assertEqual((503, b"not ready\nno-policy\n"), (page.status, page.body))
        page = gateway.page("/readyz", Accept="application/json")
        self.assertEqual({"status": "not ready", "causes": ["no-policy"]}, json.loads(page.body))
        with gateway.client() as client:
            answer = client.connect("a.test:443")
        self.assertEqual(403, answer.status)
        self.assertIn("no-policy", answer.phrase)

    def test_the_version_is_the_programs(self):
        gateway = self.gateway(allow=["a.test"])
        printed = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True,
                                 timeout=60).stdout
        version = json.loads(gateway.page("/version", Accept="application/json").body)
        self.assertIn(version["version"], printed)
        build = f'ebbgate_build_info{{version="{version["version"]}"'
        self.assertIn(build, gateway.page("/metrics").body.decode())

    def test_the_health_listener_has_metrics_where_they_are_asked_for_and_never_explains(self):
        explain = "/explain?target=a.test:443"
        for flags, status in (([], 404), (["--health-metrics"], 200)):
            gateway = self.gateway(*flags, allow=["a.test"])
            page = gateway.page("/metrics", "health")
            self.assertEqual(status, page.status)
            self.assertEqual(status == 200, b"ebbgate_build_info" in page.body)
            self.assertEqual(404, gateway.page(explain, "health").status)
            self.assertEqual([200, 200], [gateway.page(each).status
                                          for each in ("/metrics", explain)])

    def test_connections_are_kept_and_bad_requests_end_them(self):
        gateway = self.gateway(allow=["a.test"])
        for listener in ("admin", "health"):
            with Client(gateway.listeners[listener][0]) as client:
                for path in ("/healthz", "/nowhere", "/readyz"):
                    answer = client.get(path, Host="gateway")
                    self.assertEqual(404 if path == "/nowhere" else 200, answer.status)
                client.request("POST", "/healthz", Host="gateway")
                self.assertEqual(405, client.response().status)
                client.send(b"\x16\x03\x01\x00\x00")
                self.assertEqual("closed", client.end())

    def test_the_gateways_listeners_are_no_pages_and_the_pages_no_proxy(self):
        gateway = self.gateway(allow=[".test"])
        with gateway.client() as client:
            self.assertEqual(400, client.get("/metrics", Host="a.test").status)
        with Client(gateway.listeners["admin"][0]) as client:
            self.assertEqual(404, client.get("http://a.test/", Host="a.test").status)
        with Client(gateway.listeners["admin"][0]) as client:
            client.request("CONNECT", "a.test:443")
            self.assertNotEqual(200, client.response().status)

    def test_off_is_off(self):
        gateway = self.enter(Gateway(allow=["a.test"], admin="off"))
        self.assertEqual({"listen"}, set(gateway.listeners))


class Metrics(Case):
    def setUp(self):
        self.origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        self.gateway = self.enter(Gateway(allow=["a.test"], dns=self.dns, admin="127.0.0.1:0",
                                          workers="2"))

    def traffic(self):
        """Four requests, two of them refused, over three connections."""
        with self.gateway.client() as client:
            for _ in range(2):
                client.get(f"http://a.test:{self.origin.port}/")
        for _ in range(2):
            with self.gateway.client() as client:
                client.connect("b.test:443")
        wait_until(lambda: self.gateway.metric("ebbgate_connections_open") == 0)

    def test_they_count_what_happened(self):
        self.traffic()
        for name, value in {
                'ebbgate_requests_total{verdict="ALLOW",reason="allowed",method="other"}': 2,
                'ebbgate_requests_total{verdict="DENY",reason="not-allowed",method="CONNECT"}': 2,
                'ebbgate_denied_total{reason="not-allowed"}': 2,
                'ebbgate_denied_total{reason="forbidden-address"}': 0,
                "ebbgate_connections_total": 3, "ebbgate_origin_connections_total": 1,
                "ebbgate_origin_reuses_total": 1, "ebbgate_workers": 2,
                "ebbgate_policy_generation": 1, "ebbgate_policy_entries": 1}.items():
            self.assertEqual(value, self.gateway.metric(name), name)
        self.assertGreater(self.gateway.metric("process_open_fds"), 5)
        self.assertGreater(self.gateway.metric("process_resident_memory_bytes"), 1 << 20)

    def test_every_metric_is_documented_and_the_other_way_round(self):
        self.traffic()
        text = self.gateway.page("/metrics").body.decode()
        with Gateway("--policy-source", "https://127.0.0.1:1/policy.yaml", "--policy-cache",
                     "/nonexistent/cache", admin="127.0.0.1:0") as of_a_source:
            text += of_a_source.page("/metrics").body.decode()
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
            config.write(NO_CLUSTER)
            config.flush()
            with Gateway("--kube", f"kubeconfig:{config.name}", admin="127.0.0.1:0") as of_kube:
                text += of_kube.page("/metrics").body.decode()
        served = set(re.findall(r"^# TYPE (\S+)", text, re.M))
        documented = set(re.findall(r"^\| `(\w+)` \|", DOCUMENTED.read_text(), re.M))
        self.assertEqual(documented, served)

    def test_the_open_form_ends_as_it_has_to(self):
        page = self.gateway.page("/metrics", Accept="application/openmetrics-text; version=1.0.0")
        self.assertTrue(page.headers["Content-Type"].startswith("application/openmetrics-text"))
        self.assertTrue(page.body.endswith(b"# EOF\n"))

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_finds_nothing_to_complain_of(self):
        self.traffic()
        done = subprocess.run(["promtool", "check", "metrics"], check=False, timeout=60,
                              input=self.gateway.page("/metrics").body, capture_output=True)
        self.assertEqual((0, b""), (done.returncode, done.stderr), done.stdout)


if __name__ == "__main__":
    main()
