"""`ebbgate bundles`: each bundle can be listed, shown, used in a policy, and tried."""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import BINARY  # noqa: E402
from harness.testing import main  # noqa: E402

LISTENS = "127.0.0.77"  # an address of our own whose port 443 takes connections
PARAMETERS = ["--region", "eu-west-2", "--account", "111122223333"]


def run(*words):
    done = subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def bundles():
    return json.loads(run("bundles", "list", "--format", "json")[1])


class Bundles(unittest.TestCase):
    def test_each_is_listed_and_shown(self):
        names = [bundle["name"] for bundle in bundles()]
        self.assertIn("docker-hub", names)
        for name in names:
            shown = json.loads(run("bundles", "show", name, "--format", "json")[1])
            self.assertTrue(shown["sources"] and shown["hosts"] and shown["risk"], name)
            code, out, _ = run("bundles", "show", name, *PARAMETERS)
            self.assertEqual(0, code, name)
            self.assertNotIn("{", out, "the parameters are filled in")

    def test_what_is_shown_is_a_list_and_the_same_as_the_bundle_in_a_policy(self):
        with tempfile.TemporaryDirectory() as scratch:
            for bundle in bundles():
                folder = pathlib.Path(scratch)
                (folder / "shown.list").write_text(run("bundles", "show", bundle["name"],
                                                       *PARAMETERS)[1])
                parameters = json.loads(run("bundles", "show", bundle["name"], "--format",
                                            "json")[1])["parameters"]
                values = dict(zip(("region", "account"), (PARAMETERS[1], PARAMETERS[3])))
                entry = {"bundle": bundle["name"]}
                if parameters:
                    entry["parameters"] = {p["name"]: values[p["name"]] for p in parameters}
                (folder / "used.yaml").write_text(json.dumps({
                    "apiVersion": "ebbgate.dev/v1alpha1", "kind": "EgressPolicy",
                    "metadata": {"name": "x"}, "spec": {"allow": [entry]}}))
                counts = [json.loads(run("check", "--format", "json", folder / name)[1])["hosts"]
                          for name in ("shown.list", "used.yaml")]
                self.assertEqual(counts[0], counts[1], bundle["name"])

    def test_a_wrong_use_is_told(self):
        for words in ([], ["show"], ["show", "dokcer-hub"], ["list", "x", "y"], ["verify", "ecr"],
                      ["show", "ecr", "--region", "a.b"], ["list", "--format", "xml"]):
            self.assertEqual(2, run("bundles", *words)[0], words)
        self.assertIn("do you mean docker-hub", run("bundles", "show", "dockerhub")[2])

    def test_verify_tells_what_cannot_be_reached(self):
        try:
            listener = socket.create_server((LISTENS, 443))
        except OSError as error:
            self.skipTest(f"port 443 of {LISTENS}: {error}")
        zone = {"quay.io": Answer(LISTENS), "cdn.quay.io": Answer("127.0.0.78"),
                "cdn01.quay.io": Answer(code=3), "cdn02.quay.io": Answer(LISTENS),
                "cdn03.quay.io": Answer(LISTENS)}
        with listener, DnsServer(zone) as dns:
            words = ["bundles", "verify", "quay", "--dns", dns.authority]
            code, out, _ = run(*words)
            self.assertEqual(1, code, out)
            self.assertIn(f"ok      quay quay.io:443: {LISTENS}\n", out)
            self.assertIn("FAILED  quay cdn.quay.io:443: connect-failed", out)
            self.assertIn("FAILED  quay cdn01.quay.io:443: dns-failed", out)
            self.assertIn("2 of 5 hosts could not be reached", out)
            report = json.loads(run(*words, "--format", "json")[1])
            self.assertEqual([True, False, False, True, True],
                             [host["ok"] for host in report["hosts"]])

        hub = {"registry-1.docker.io": Answer(LISTENS), "auth.docker.io": Answer(LISTENS),
               "production.cloudfront.docker.com": Answer(LISTENS)}
        with socket.create_server((LISTENS, 443)), DnsServer(hub) as dns:
            words = ["bundles", "verify", "docker-hub", "--dns", dns.authority]
            code, out, _ = run(*words)
            self.assertEqual(0, code, "what is unsure may fail\n" + out)
            self.assertIn("unsure  docker-hub production.cloudflare.docker.com:443", out)
            self.assertEqual(1, run(*words, "--unsure")[0])

    def test_every_bundle_answers_in_the_real_world(self):
        try:
            socket.create_connection(("registry-1.docker.io", 443), timeout=3).close()
        except OSError as error:
            self.skipTest(f"no outside network: {error}")
        code, out, _ = run("bundles", "verify", *PARAMETERS)
        self.assertEqual(0, code, out)


if __name__ == "__main__":
    main()
