# labels: aws
"""`ebbgate policy push`: what it writes is what gateways read; what they would refuse is never
written; nothing is written before the difference is shown."""

import base64
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws.emulator import Emulator  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import BINARY, Gateway  # noqa: E402
from harness.origins import HttpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

NAME = "/ebbgate/allowlist"
SSM = "ssm://" + NAME


def document(*hosts, version=None):
    mark = f"# ebbgate-version: {version}\n" if version else ""
    return (f"{mark}apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: p}}\n"
            f"spec: {{allow: [{{hosts: {json.dumps(list(hosts))}, ports: [1-65535]}}]}}\n")


class PolicyPush(Case):
    def setUp(self):
        self.folder = self.scratch()
        self.aws = self.enter(Emulator())

    def push(self, text, *flags, url=SSM, code=0, credentials=None, file="policy.yaml"):
        """What it printed, to standard output and error."""
        path = self.folder / file
        path.write_text(text)
        done = subprocess.run(
            [BINARY, "policy", "push", url, path, *flags], text=True, capture_output=True,
            timeout=60, env={**os.environ, **self.aws.environment(credentials)})
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def writes(self):
        return len(self.aws.calls("ssm", "PutParameter")) + len(self.aws.calls("s3", "PutObject"))

    def test_the_first_one_and_a_change_with_its_difference(self):
        out, _ = self.push(document("a.test"))
        self.assertEqual(f"there is no policy yet\n{SSM} is version 1 now\n", out)
        self.assertEqual(document("a.test"), self.aws.ssm.value(NAME))
        out, _ = self.push(document("a.test", ".b.test"))
        self.assertRegex(out, r"lets more pass \(1\):\n  \+ allow \.b\.test")
        self.assertTrue(out.endswith(f"{SSM} is version 2 now\n"), out)
        out, _ = self.push(document("a.test", ".b.test"))
        self.assertIn("holds this already", out)
        self.assertEqual(2, self.writes())

    def test_a_dry_run_writes_nothing(self):
        self.push(document("a.test"))
        out, _ = self.push(document("c.test"), "--dry-run", "--format", "json")
        told = json.loads(out)
        self.assertEqual((False, False), (told["written"], told["diff"]["same"]))
        self.assertEqual({"opens", "closes"}, {row["effect"] for row in told["diff"]["changes"]})
        self.assertEqual(1, self.writes())

    def test_a_policy_with_mistakes_is_not_written_and_nobody_is_asked(self):
        _, err = self.push(document("a.test/path"), code=3)
        self.assertRegex(err, r"policy\.yaml:4:\d+: error: ")
        self.assertEqual([], self.aws.requests)

    def test_it_is_judged_by_the_name_that_gateways_know_it_by(self):
        lines = "# ours\na.test\n.b.test\n"
        self.push(lines, file="allow.txt")
        self.assertEqual(lines, self.aws.ssm.value(NAME))
        self.aws.s3.put("policies", "other", b"")
        self.push(lines, file="allow.list", url="s3://policies/allow.list")
        self.push(lines, file="allow", url="s3://policies/allow")
        written = self.writes()
        _, err = self.push(document("a.test"), url="s3://policies/allow.list", code=3)
        self.assertRegex(err, r"policy\.yaml:\d+:\d+: error: ")
        self.assertIn("take what s3://policies/allow.list holds for a plain list", err)
        _, err = self.push(lines, file="allow.list", url="s3://policies/p.yaml", code=3)
        self.assertIn("take what s3://policies/p.yaml holds for a document", err)
        self.push(" \n", file="allow", code=3)
        self.assertEqual(written, self.writes())

    def test_an_older_one_needs_to_be_meant(self):
        self.push(document("a.test", version=5))
        _, err = self.push(document("b.test", version=4), code=1)
        self.assertIn("--allow-rollback", err)
        self.assertEqual(1, self.writes())
        self.push(document("b.test", version=4), "--allow-rollback")
        self.assertEqual(2, self.writes())

    def test_a_long_one_goes_by_an_object_and_reaches_a_gateway(self):
        names = [f"host-{n}.example.test" for n in range(1000)]
        _, err = self.push(document(*names), code=2)
        self.assertIn("--via s3://bucket/key", err)
        self.assertEqual(0, self.writes())
        self.aws.s3.put("policies", "other", b"")
        self.push(document(*names, "a.test"), "--via", "s3://policies/long.yaml")
        pointer = json.loads(self.aws.ssm.value(NAME))
        self.assertEqual({"bucket", "key", "versionId", "sha256"}, set(pointer))
        origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        gateway = self.enter(Gateway(
            "--policy-source", SSM, "--policy-interval", "50ms",
            "--policy-cache", self.folder / "cache", dns=dns,
            environment=self.aws.environment()))

        def status(name):
            with gateway.client() as client:
                return client.get(f"http://{name}:{origin.port}/").status

        wait_until(lambda: status("a.test") == 200)
        self.push(document(*names), "--via", "s3://policies/long.yaml")
        wait_until(lambda: status("a.test") == 403)

    def signature_of(self, text, key):
        content = self.folder / "content"
        content.write_text(text)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", content],
                              check=True, capture_output=True).stdout

    def test_a_signature_goes_with_it_to_where_gateways_look(self):
        key, public, signature = (self.folder / n for n in ("key.pem", "public.pem", "p.sig"))
        for words in (["genpkey", "-algorithm", "ed25519", "-out", key],
                      ["pkey", "-in", key, "-pubout", "-out", public]):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        self.aws.s3.put("policies", "other", b"")
        dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        for number, (url, via) in enumerate(((SSM, ()), ("s3://policies/p.yaml", ()), (
                "ssm:///ebbgate/pointer", ("--via", "s3://policies/long.yaml")))):
            with self.subTest(url=url):
                text = document("a.test", f"host-{number}.test")
                raw = self.signature_of(text, key)
                signature.write_bytes(raw if number % 2 else base64.encodebytes(raw))
                self.push(text, "--signature", signature, *via, url=url)
                gateway = self.enter(Gateway(
                    "--policy-source", url, "--policy-key", public, "--policy-interval", "50ms",
                    "--policy-cache", self.folder / f"cache-{number}", dns=dns,
                    environment=self.aws.environment()))

                def status(gateway=gateway):
                    with gateway.client() as client:
                        return client.get(f"http://a.test:{origin.port}/").status

                wait_until(lambda: status() == 200)

        # One that comes later than the policy it is of, and one that is none.
        self.push(document("b.test"))
        signature.write_bytes(self.signature_of(document("b.test"), key))
        out, _ = self.push(document("b.test"), "--signature", signature)
        self.assertIn(f"{SSM} is version 3 now", out)
        self.assertEqual(base64.b64encode(signature.read_bytes()).decode(),
                         self.aws.ssm.value(NAME + ".sig"))
        signature.write_text("nothing")
        written = self.writes()
        _, err = self.push(document("c.test"), "--signature", signature, code=3)
        self.assertIn("holds no signature", err)
        self.assertEqual(written, self.writes())

    def test_an_object_by_itself(self):
        self.aws.s3.put("policies", "list.yaml", document("a.test"))
        out, _ = self.push(document("b.test"), url="s3://policies/list.yaml")
        self.assertRegex(out, r"s3://policies/list\.yaml is version \S+ now\n$")

    def test_who_may_not_write_is_told_what_is_missing(self):
        reader = self.aws.iam.user("reader", [{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}]}])
        _, err = self.push(document("a.test"), code=1, credentials=reader)
        self.assertIn("ssm:PutParameter", err)

    def test_where_it_cannot_write(self):
        for url, word in (("secretsmanager://list", "ssm:// and s3:// only"),
                          ("https://host/list", "ssm:// and s3:// only"),
                          ("ftp://host/list", "ssm:///")):
            with self.subTest(url=url):
                self.assertIn(word, self.push(document("a.test"), url=url, code=2)[1])
        self.assertEqual([], self.aws.requests)


if __name__ == "__main__":
    main()
