"""`ebbgate test`: what it says of cases that hold and of those that do not."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gateway import BINARY  # noqa: E402
from harness.testing import main  # noqa: E402

POLICY = """apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: ci}
spec:
  subjects: [{cidr: 10.64.8.0/22}]
  allow:
    - hosts: [.docker.io, quay.io]
    - {hosts: [old.example], expires: 2026-01-01T00:00:00Z}
    - {hosts: [api.example], methods: [GET]}
    - bundle: ghcr
  deny:
    - hosts: [secret.docker.io, 198.51.100.0/24]
"""
HOLD = """policy: [policies/ci.yaml]
cases:
  - {name: pulls, target: registry-1.docker.io, from: 10.64.8.3, expect: allow, rule: .docker.io,
     document: ci, sni: registry-1.docker.io}
  - {target: registry-1.docker.io, from: 192.0.2.1, expect: deny, reason: not-allowed}
  - {target: registry-1.docker.io, from: 10.64.8.3, sni: x.example, expect: deny,
     reason: sni-mismatch}
  - {target: old.example, from: 10.64.8.3, at: 2025-12-31T23:59:59Z, expect: allow}
  - {target: old.example, from: 10.64.8.3, at: 2026-01-01T00:00:00Z, expect: deny, reason: expired}
  - {target: "http://api.example/x", from: 10.64.8.3, expect: allow}
  - {target: "http://api.example/x", from: 10.64.8.3, method: POST, expect: deny}
  - {target: quay.io, from: 10.64.8.3, resolves: [10.0.0.1], expect: deny, reason: forbidden-address}
  - {target: quay.io, from: 10.64.8.3, resolves: [198.51.100.7, 203.0.114.9], expect: allow}
"""
FAIL = """policy: [policies/ci.yaml]
cases:
  - {name: "a <b> & \\"c\\" # d", target: gist.github.com, from: 10.64.8.3, expect: allow,
     reason: allowed, rule: .github.com}
  - {target: quay.io, from: 10.64.8.3, expect: allow}
"""


class PolicyTests(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        (self.directory / "policies").mkdir()
        self.write("policies/ci.yaml", POLICY)
        self.write("hold.yaml", HOLD)
        self.write("fail.yaml", FAIL)

    def write(self, name, text):
        (self.directory / name).write_text(text)

    def judge(self, *words):
        done = subprocess.run([BINARY, "test", *words], capture_output=True, text=True,
                              cwd=self.directory, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def test_cases_that_hold(self):
        code, out, err = self.judge("hold.yaml")
        self.assertEqual((0, ""), (code, err), out)
        lines = out.splitlines()
        self.assertEqual(["TAP version 13", "1..9", "ok 1 - pulls"], lines[:3])
        self.assertEqual(9, sum(line.startswith("ok ") for line in lines), out)

    def test_a_case_that_does_not_hold_says_what_was_found_and_why(self):
        code, out, _ = self.judge("fail.yaml")
        self.assertEqual(1, code)
        self.assertIn("not ok 1 - a <b> & \"c\" - d\n  ---\n  at: fail.yaml:3:5\n", out)
        for line in ("expected the verdict `ALLOW`, found `DENY`",
                     "expected the reason `allowed`, found `not-allowed`",
                     "expected the rule `.github.com`, found none",
                     "DENY gist.github.com:443: not-allowed"):
            self.assertIn(line, out)
        self.assertIn("\nok 2 - quay.io\n", out)

    def test_coverage_names_the_entries_that_decided_nothing(self):
        _, out, _ = self.judge("hold.yaml", "--coverage")
        self.assertIn("# coverage: 4 of 5 entries decided a case\n# never: policies/ci.yaml:10:7: "
                      "allow entry of the bundle ghcr, in ci\n", out)
        code, out, _ = self.judge("hold.yaml", "fail.yaml", "--coverage", "--format", "json")
        report = json.loads(out)
        self.assertEqual((1, 11, 1), (code, report["tests"], report["failures"]))
        self.assertEqual({"entries": 5, "exercised": 4, "never": [
            {"at": "policies/ci.yaml:10:7",
             "entry": "allow entry of the bundle ghcr, in ci"}]}, report["coverage"])

    def test_junit(self):
        code, out, _ = self.judge("hold.yaml", "fail.yaml", "--junit", "report.xml")
        self.assertEqual(1, code)
        self.assertTrue(out.startswith("TAP"))
        root = xml.etree.ElementTree.fromstring((self.directory / "report.xml").read_text())
        self.assertEqual(("11", "1"), (root.get("tests"), root.get("failures")))
        self.assertEqual(["hold.yaml", "fail.yaml"], [suite.get("name") for suite in root])
        case = root[1][0]
        self.assertEqual('a <b> & "c" # d', case.get("name"))
        self.assertIn("fail.yaml:3:5", case[0].text)
        self.assertEqual(root.get("tests"), xml.etree.ElementTree.fromstring(
            self.judge("hold.yaml", "fail.yaml", "--format", "junit")[1]).get("tests"))

    def test_another_policy_can_be_judged_by_the_same_cases(self):
        self.write("candidate.list", ".docker.io\n")
        code, out, _ = self.judge("hold.yaml", "--policy", "candidate.list")
        self.assertEqual(1, code)
        self.assertIn("expected the document `ci`, found `candidate.list`", out)

    def test_what_is_invalid_is_told(self):
        self.write("broken.yaml", "cases: [{target: a, expect: maybe}]\n")
        code, out, err = self.judge("broken.yaml")
        self.assertEqual((3, ""), (code, out))
        self.assertIn("broken.yaml:1:29: error: \"maybe\" is none of its values", err)
        self.write("none.yaml", "cases: [{target: a, expect: deny}]\n")
        self.assertEqual(3, self.judge("none.yaml")[0])
        self.write("policies/ci.yaml", POLICY.replace("hosts: [.docker.io", "host: [.docker.io"))
        self.assertEqual(3, self.judge("hold.yaml")[0])
        for words in ([], ["nowhere.yaml"], ["hold.yaml", "--format", "xml"], ["--coverag", "x"]):
            self.assertEqual(2, self.judge(*words)[0], words)


if __name__ == "__main__":
    main()
