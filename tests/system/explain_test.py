"""`ebbgate explain` and the admin API's /explain say what the gateway does, and why."""

import http.client
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import BINARY, Gateway  # noqa: E402
from harness.testing import main  # noqa: E402

POLICY = """apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: builders}
spec:
  subjects: [{cidr: 127.0.0.0/8}, {cidr: 10.64.8.0/22}]
  allow:
    - bundle: docker-hub
    - hosts: [".example.com", "198.51.100.7:443"]
    - {hosts: [inside.example], addresses: [127.0.0.0/8]}
  deny:
    - hosts: [secret.example.com]
"""


def page(at, path, **fields):
    """The status and the text of a page of the listener `at`."""
    connection = http.client.HTTPConnection(*at, timeout=20)
    connection.request("GET", path, headers=fields)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


class Explain(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.policy = pathlib.Path(scratch.name) / "policy.yaml"
        self.policy.write_text(POLICY)

    def explain(self, *words, code=None, text=None):
        done = subprocess.run([BINARY, "explain", *map(str, words), "--policy", self.policy],
                              input=text, capture_output=True, text=True, timeout=60)
        if code is not None:
            self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout if code in (None, 0, 1) else done.stderr

    def json(self, *words, **options):
        return json.loads(self.explain(*words, "--format", "json", **options))

    def test_it_names_the_entry_by_its_line(self):
        out = self.explain("www.example.com", "--from", "10.64.8.1", code=0)
        self.assertIn(f"`.example.com` ({self.policy}:8:15) allows it", out)
        out = self.explain("secret.example.com", "--from", "10.64.8.1", code=1)
        self.assertIn(f"`secret.example.com` ({self.policy}:11:15) denies it", out)

    def test_it_names_the_nearest_miss_and_the_line_that_would_allow_it(self):
        found = self.json("registry-1.docker.io:80", "--from", "10.64.8.1", code=1)
        self.assertEqual("port-not-allowed", found["reason"])
        self.assertIn("allows it on 443, not 80", found["nearestMiss"]["text"])
        self.assertEqual("docker-hub", found["nearestMiss"]["matched"]["bundle"])
        found = self.json("quay.io", "--from", "10.64.8.1", code=1)
        self.assertEqual(["the bundle quay has it"], found["bundles"])
        added = POLICY.replace("    - hosts: [\".example", f"    - hosts: [{found['line']}]\n"
                               "    - hosts: [\".example", 1)
        self.policy.write_text(added)
        self.explain("quay.io", "--from", "10.64.8.1", code=0)

    def test_somebody_else_is_told_so(self):
        found = self.json("www.example.com", "--from", "192.0.2.1", code=1)
        self.assertEqual(("subject", "refused"),
                         (found["steps"][1]["step"], found["steps"][1]["outcome"]))
        self.assertIn("but not to this client", found["nearestMiss"]["text"])

    def test_a_pod_is_who_it_is_said_to_be(self):
        self.policy.write_text(POLICY.replace(
            "[{cidr: 127.0.0.0/8}, {cidr: 10.64.8.0/22}]",
            "[{namespace: ci, serviceAccount: builder, podLabels: {tier: build, app: web}}]"))
        pod = ("--kube", "--namespace", "ci", "--service-account", "builder", "--pod-labels")
        self.explain("www.example.com", *pod, "app=web,x=,tier=build", code=0)
        self.explain("www.example.com", *pod, "app=web,tier=run", code=1)
        self.explain("www.example.com", *pod[:5], code=1)
        for wrong in ("tier", "=build", "tier=build,"):
            self.assertIn("name=value", self.explain("www.example.com", *pod, wrong, code=2))
        self.assertIn("need namespace",
                      self.explain("www.example.com", "--kube", "--pod-labels", "a=b", code=2))

    def test_names_are_resolved_and_their_addresses_judged(self):
        with DnsServer({"a.example.com": Answer("10.0.0.1"), "inside.example": Answer("127.0.0.1"),
                        "b.example.com": Answer(code=3)}) as dns:
            def ask(name):
                return self.json(name, "--from", "10.64.8.1", "--resolve", "--dns", dns.authority)
            self.assertEqual("forbidden-address", ask("a.example.com")["reason"])
            self.assertIn("add `addresses: [10.0.0.1/32]`", ask("a.example.com")["fix"])
            self.assertEqual("ALLOW", ask("inside.example")["verdict"])
            self.assertEqual("dns-failed", ask("b.example.com")["reason"])
            ask("refused.example")
            self.assertNotIn("refused.example", dns.names_asked(), "a refused name is not asked for")

    def test_a_handshake_is_judged(self):
        for sni, reason in {"www.example.com": "allowed", "other.example": "sni-mismatch"}.items():
            found = self.json("www.example.com", "--from", "10.64.8.1", "--sni", sni)
            self.assertEqual(reason, found["reason"])

    def test_a_request_is_explained_by_its_id(self):
        with Gateway("--policy", self.policy) as gateway:
            with gateway.connect() as client:
                client.sendall(b"CONNECT secret.example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
                client.recv(4096)
            event = gateway.wait_for_event(host="secret.example.com")
            log = "\n".join(["no json", *gateway.out.all()])
        out = self.explain("--id", event["id"], "--log", "-", text=log, code=1)
        self.assertIn(f"logged: {event['time']} request: DENY denied-by-rule", out)
        self.assertIn("`secret.example.com`", out)
        self.assertIn("127.0.0.1", out)
        out = self.explain("--id", "0000000000000000", "--log", "-", text=log)
        self.assertEqual("", out)

    def test_the_admin_api_says_the_same_and_health_does_not(self):
        with Gateway("--policy", self.policy, "--health", "127.0.0.1:0",
                     admin="127.0.0.1:0") as gateway:
            admin, health = gateway.listeners["admin"][0], gateway.listeners["health"][0]
            for target in ("secret.example.com", "www.example.com", "quay.io:80"):
                self.assertEqual((200, self.explain(target, "--from", "10.64.8.1")),
                                 page(admin, f"/explain?target={target}&from=10.64.8.1"))
            _, text = page(admin, "/explain?target=quay.io", Accept="application/json")
            self.assertEqual("DENY", json.loads(text)["verdict"])
            for query in ("", "?target=a&form=x", "?target=a&from=x", "?target=a&target=b"):
                self.assertEqual(400, page(admin, "/explain" + query)[0], query)
            self.assertEqual(404, page(health, "/explain?target=a")[0])

    def test_it_is_quick(self):
        lines = "\n".join(f"host{n}.example.net" for n in range(1000))
        many = self.policy.with_suffix(".list")
        many.write_text(lines)
        took = []
        for _ in range(5):
            begin = time.monotonic()
            self.explain("nothing.example.net", "--allow-file", many, code=1)
            took.append(time.monotonic() - begin)
        print(f"explain: {min(took) * 1000:.0f} ms with 1,000 names")
        self.assertLess(min(took), 0.5, "50 ms where the build is optimised and the machine idle")

    def test_a_command_line_that_cannot_be_read_is_usage(self):
        for words in ([], ["a", "b"], ["a", "--from", "x"], ["a", "--sni", ".."], ["--id", "x"],
                      ["a", "--format", "xml"], ["a", "--form", "x"]):
            self.explain(*words, code=2)


if __name__ == "__main__":
    main()
