"""`ebbgate check`: what it says of settings and policies, for people and for programs."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gateway import BINARY  # noqa: E402
from harness.testing import main  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BROKEN = """apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: broken}
spec:
  allow:
    - host: ["a.example"]
"""


class Check(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)

    def check(self, *words):
        done = subprocess.run([BINARY, "check", *map(str, words)], capture_output=True, text=True,
                              cwd=self.directory, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def write(self, name, text):
        (self.directory / name).write_text(text)
        return name

    def test_the_files_of_deploy_are_valid(self):
        for name in ("sample-policy.yaml", "sample-config.yaml"):
            path = ROOT / "deploy" / name
            words = [path] if "policy" in name else ["--config", path]
            code, out, _ = self.check(*words, "--format", "json")
            report = json.loads(out)
            self.assertEqual((0, 0), (code, report["errors"]), out)

    def test_a_valid_policy_is_fine(self):
        code, out, err = self.check(self.write("a.list", "a.example\nb.example\n"))
        self.assertEqual(0, code)
        self.assertRegex(out, r"^fine: 1 document with 2 hosts, version [0-9a-f]{12}\n$")
        self.assertEqual("", err)

    def test_a_broken_policy_is_told_by_line_and_column(self):
        code, out, _ = self.check(self.write("b.yaml", BROKEN))
        self.assertEqual(3, code)
        self.assertEqual('b.yaml:6:7: error: unknown key "host" in an allow entry; write `hosts`\n'
                         "invalid: 1 error\n", out)

    def test_programs_read_json(self):
        code, out, _ = self.check("--format", "json", self.write("b.yaml", BROKEN))
        self.assertEqual(3, code)
        self.assertEqual(
            {"valid": False, "errors": 1, "warnings": 0, "problems": [{
                "severity": "error", "file": "b.yaml", "line": 6, "column": 7,
                "message": 'unknown key "host" in an allow entry', "fix": "write `hosts`"}]},
            json.loads(out))

    def test_the_flags_of_run_are_checked_too(self):
        code, out, _ = self.check("--allow", "a.example", "--workers", "none")
        self.assertEqual(3, code)
        self.assertTrue(out.startswith('--workers: error: "none" is not a number'), out)

    def test_an_entry_that_has_expired_is_a_warning(self):
        code, out, _ = self.check(self.write("c.yaml", BROKEN.replace(
            'host: ["a.example"]', "{hosts: [a.example], expires: 2020-01-01T00:00:00Z}")))
        self.assertEqual(0, code)
        self.assertIn("c.yaml:6:7: warning: the entry has expired", out)
        self.assertIn(", 1 warning\n", out)

    def test_a_command_line_that_cannot_be_read_is_usage(self):
        for words in (["--alow", "x"], ["--format", "xml"], ["--format"], ["--users"]):
            code, out, err = self.check(*words)
            self.assertEqual((2, ""), (code, out), words)
            self.assertIn("error: ", err)

    def test_the_schema_is_the_one_of_the_docs(self):
        code, out, _ = self.check("--schema")
        self.assertEqual(0, code)
        self.assertEqual((ROOT / "docs" / "schema" / "egresspolicy.json").read_text(), out)

    def test_help_has_an_example(self):
        code, out, _ = self.check("--help")
        self.assertEqual(0, code)
        self.assertIn("ebbgate check policy.yaml", out)

    def test_run_refuses_what_check_refuses(self):
        done = subprocess.run([BINARY, "run", "--listen", "127.0.0.1:0", "--admin", "off",
                               "--policy", self.write("b.yaml", BROKEN)],
                              capture_output=True, text=True, cwd=self.directory, timeout=60,
                              env={**os.environ, "NOTIFY_SOCKET": ""})
        self.assertEqual(3, done.returncode)
        self.assertIn("b.yaml:6:7: error: ", done.stderr)


if __name__ == "__main__":
    main()
