"""Policies from afar (docs/sources.md), with the real program against the tests' own AWS and a web
server over TLS: a change reaches the gateway by itself; nothing that goes wrong there ever leaves it
without the policy that it has."""

import base64
import hashlib
import http.server
import json
import os
import pathlib
import random
import re
import signal
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws.emulator import Emulator  # noqa: E402
from harness.certificates import Authority  # noqa: E402
from harness.client_hello import client_hello  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

NAME = "/ebbgate/allowlist"
SSM = "ssm://" + NAME


def document(*hosts, version=None, **entry):
    """A policy that allows the hosts on every port."""
    mark = [f"# ebbgate-version: {version}"] if version is not None else []
    return "\n".join([
        *mark, "apiVersion: ebbgate.dev/v1alpha1", "kind: EgressPolicy", "metadata: {name: test}",
        "spec:", "  allow:", f"    - hosts: [{', '.join(map(repr, hosts))}]",
        "      ports: [1-65535]", *(f"      {key}: {value}" for key, value in entry.items()), ""])


class WebServer:
    """One document at /policy.yaml over TLS, with an ETag; `pages` are other paths."""

    def __init__(self, authority):
        self.text, self.pages, self.statuses, self.status = "", {}, [], None
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                body = server.pages.get(self.path, server.text.encode())
                etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
                status = server.status or (
                    304 if self.headers.get("If-None-Match") == etag else 200)
                server.statuses.append(status)
                body = b"" if status == 304 else body
                self.send_response(status)
                self.send_header("ETag", etag)
                if status == 302:
                    self.send_header("Location", "/other.yaml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate, authority.key)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class SourceCase(Case):
    def setUp(self):
        self.folder = self.scratch()
        self.origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        self.aws = self.enter(Emulator())

    def gateway(self, *flags, source=SSM, interval="50ms", cache="cache"):
        return self.enter(Gateway(
            "--policy-source", source, "--policy-interval", interval,
            "--policy-cache", self.folder / cache, *flags, dns=self.dns, admin="127.0.0.1:0",
            environment=self.aws.environment()))

    def verdict(self, gateway, name):
        with gateway.client() as client:
            return client.get(f"http://{name}:{self.origin.port}/").status

    def phrase(self, gateway, name):
        with gateway.client() as client:
            return client.get(f"http://{name}:{self.origin.port}/").phrase

    def wait_for_verdict(self, gateway, name, status, patience=10):
        wait_until(lambda: self.verdict(gateway, name) == status, patience, f"{status} for {name}")

    def metric(self, gateway, name, source=SSM):
        return gateway.metric(f'ebbgate_policy_source_{name}{{source="{source}"}}')

    def assert_follows(self, gateway, change):
        """From a.test to b.test, without a restart and without dropping a tunnel."""
        self.wait_for_verdict(gateway, "a.test", 200)
        self.assertEqual(403, self.verdict(gateway, "b.test"))
        server = self.enter(TcpOrigin())
        tunnel = self.enter(gateway.client())
        self.assertEqual(200, tunnel.connect(f"a.test:{server.port}").status)
        tunnel.send(client_hello("a.test"))
        behind = self.enter(server.accept())
        self.assertTrue(behind.recv(4096))
        change()
        self.wait_for_verdict(gateway, "b.test", 200)
        self.assertEqual(403, self.verdict(gateway, "a.test"))
        behind.sendall(b"still here")
        self.assertEqual(b"still here", tunnel.sock.recv(100))


class EveryKindOfSource(SourceCase):
    def test_a_parameter(self):
        self.aws.ssm.put(NAME, document("a.test"))
        self.assert_follows(self.gateway(), lambda: self.aws.ssm.put(NAME, document("b.test")))

    def test_a_parameter_that_points_at_an_object(self):
        def put(text, key):
            version = self.aws.s3.put("policies", key, text)
            self.aws.ssm.put(NAME, json.dumps({
                "bucket": "policies", "key": key, "versionId": version,
                "sha256": hashlib.sha256(text.encode()).hexdigest()}))

        put(document("a.test"), "list.yaml")
        gateway = self.gateway()
        self.assert_follows(gateway, lambda: put(document("b.test"), "list.yaml"))
        # The pointer's digest is what counts, not what somebody put there since.
        self.aws.ssm.put(NAME, json.dumps({"bucket": "policies", "key": "list.yaml",
                                           "sha256": "0" * 64}))
        wait_until(lambda: self.metric(gateway, "failures_in_row") > 0)
        self.assertEqual(200, self.verdict(gateway, "b.test"))

    def test_an_object(self):
        self.aws.s3.put("policies", "list.yaml", document("a.test"))
        gateway = self.gateway(source="s3://policies/list.yaml")
        self.assert_follows(
            gateway, lambda: self.aws.s3.put("policies", "list.yaml", document("b.test")))

    def test_a_secret_with_the_comma_separated_list_of_old(self):
        port = self.origin.port
        self.aws.secretsmanager.put("proxy/whitelist", f"a.test:1-65535, c.test:{port}")
        gateway = self.gateway(source="secretsmanager://proxy/whitelist")
        self.assert_follows(gateway, lambda: self.aws.secretsmanager.put(
            "proxy/whitelist", "b.test:1-65535,c.test"))

    def test_a_url_with_an_etag(self):
        authority = Authority("policies.test")
        self.addCleanup(authority.close)
        web = self.enter(WebServer(authority))
        web.text = document("a.test")
        source = f"https://policies.test:{web.port}/policy.yaml"
        gateway = self.gateway("--ca-file", authority.file, source=source)
        wait_until(lambda: 304 in web.statuses, what="a question that is answered 304")

        def change():
            web.text = document("b.test")
        self.assert_follows(gateway, change)
        # A redirect is not followed: the operator named one place.
        web.pages["/other.yaml"], web.status = document("c.test").encode(), 302
        wait_until(lambda: self.metric(gateway, "failures_in_row", source) > 0)
        self.assertEqual(200, self.verdict(gateway, "b.test"))

    def test_a_url_whose_certificate_nobody_vouches_for(self):
        authority = Authority("policies.test")
        self.addCleanup(authority.close)
        web = self.enter(WebServer(authority))
        web.text = document("a.test")
        source = f"https://policies.test:{web.port}/policy.yaml"
        gateway = self.gateway(source=source)
        self.assertTrue(gateway.err.wait_for("policies.test.*certificate"), gateway.err.all())
        self.assertEqual(403, self.verdict(gateway, "a.test"))
        self.assertEqual([], web.statuses)

    def test_sources_and_files_add_up_and_a_deny_anywhere_wins(self):
        self.aws.ssm.put(NAME, document("a.test", "b.test"))
        (self.folder / "deny.yaml").write_text(
            document("c.test") + "  deny:\n    - hosts: [b.test]\n")
        gateway = self.gateway("--policy", self.folder / "deny.yaml")
        self.wait_for_verdict(gateway, "a.test", 200)
        self.assertEqual(["b.test", "c.test"],
                         [n for n in ("b.test", "c.test")
                          if self.verdict(gateway, n) == {"b.test": 403, "c.test": 200}[n]])


class BeforeTheFirstPolicy(SourceCase):
    def test_everything_is_refused_and_the_gateway_is_not_ready(self):
        (self.folder / "local.yaml").write_text(document("a.test"))
        gateway = self.gateway("--policy", self.folder / "local.yaml")
        self.assertTrue(gateway.err.wait_for("before " + SSM + " has given its part"))
        self.assertEqual((503, b"not ready\nno-policy\n"),
                         (gateway.page("/readyz").status, gateway.page("/readyz").body))
        self.assertIn("no-policy", self.phrase(gateway, "a.test"))
        self.assertTrue(gateway.err.wait_for("ParameterNotFound"), gateway.err.all())
        self.aws.ssm.put(NAME, document("b.test"))
        gateway.signal(signal.SIGHUP)
        self.wait_for_verdict(gateway, "b.test", 200)
        self.assertEqual(200, self.verdict(gateway, "a.test"))
        self.assertEqual(200, gateway.page("/readyz").status)

    def test_what_one_source_denies_never_passes_before_it_has_come(self):
        """The allowing one takes long to load, and the denying one comes while it does."""
        names = ",".join(f"h{n}.example" for n in range(200_000))
        self.aws.s3.put("policies", "allow.list", names + ",.test:1-65535")
        self.aws.ssm.put(NAME, document("c.test") + "  deny:\n    - hosts: [b.test]\n")
        self.aws.faults.next("ssm", "GetParameter", "throttle")
        gateway = self.gateway("--policy-source", "s3://policies/allow.list")
        asked = []
        while self.verdict(gateway, "a.test") != 200:
            asked.append(self.verdict(gateway, "b.test"))
        asked += [self.verdict(gateway, "b.test") for _ in range(20)]
        self.assertEqual({403}, set(asked))

    def test_an_invalid_local_file_ends_the_start(self):
        (self.folder / "local.yaml").write_text("{")
        with self.assertRaisesRegex(AssertionError, r"local\.yaml:"):
            self.gateway("--policy", self.folder / "local.yaml")


class WhateverGoesWrong(SourceCase):
    def test_never_leaves_the_gateway_without_its_policy(self):
        self.aws.ssm.put(NAME, document("a.test"))
        gateway = self.gateway(interval="1h")
        self.wait_for_verdict(gateway, "a.test", 200)
        faults = ["throttle", "500", "503", "reset", "expired", "truncated", "empty", "html",
                  "wrong-length", "malformed"]
        faults += ["VALUE"] * 6
        values = ["", " ", "{", "spec: {}", "a.test/path", "\0", document("b.test")[:-26],
                  "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nspec: {allow: []}\n",
                  "a: &x [1]\nb: *x\n", "[" * 40 + "]" * 40]
        draw = random.Random(7)
        for number in range(30):
            fault = draw.choice(faults)
            if fault == "VALUE":
                self.aws.ssm.parameters[NAME][-1]["Value"] = draw.choice(values)
                self.aws.ssm.parameters[NAME][-1]["Version"] += 1
            else:
                self.aws.faults.next("ssm", "GetParameter", fault, 8)  # more than its retries
            errors = self.metric(gateway, "errors_total")
            gateway.signal(signal.SIGHUP)
            wait_until(lambda: self.metric(gateway, "errors_total") > errors, 60,
                       what=f"attempt {number} ({fault})")
            self.assertEqual(200, self.verdict(gateway, "a.test"), fault)
            self.aws.faults.clear()
        self.assertEqual(30, self.metric(gateway, "errors_total"))
        self.assertEqual(1, self.metric(gateway, "accepted_total"))
        self.assertEqual(200, gateway.page("/readyz").status)
        self.aws.ssm.put(NAME, document("b.test"))  # and it is none the worse for it
        gateway.signal(signal.SIGHUP)
        self.wait_for_verdict(gateway, "b.test", 200, 30)

    def test_a_restart_during_an_outage_begins_with_the_last_good_one(self):
        self.aws.ssm.put(NAME, document("a.test"))
        first = self.gateway()
        self.wait_for_verdict(first, "a.test", 200)
        self.assertEqual(0, first.stop())
        self.aws.faults.next("*", "*", "500", None)
        second = self.gateway()
        self.assertEqual(200, self.verdict(second, "a.test"))  # at once: it was ready with it
        self.assertEqual(200, second.page("/readyz").status)
        kept = list((self.folder / "cache").iterdir())
        self.assertEqual([0o600], [path.stat().st_mode & 0o777 for path in kept])
        self.assertEqual(0, second.stop())
        kept[0].write_bytes(kept[0].read_bytes().replace(b"a.test", b"z.test"))
        third = self.gateway()
        self.assertTrue(third.err.wait_for("checksum"), third.err.all())
        self.assertEqual(403, self.verdict(third, "z.test"))

    def test_the_secrets_of_the_instance_reach_no_output(self):
        self.aws.ssm.put(NAME, document("a.test"))
        self.aws.faults.random(3, 0.5, services=("ssm",), kinds=("expired", "500", "malformed"))
        gateway = self.gateway()
        self.wait_for_verdict(gateway, "a.test", 200, 60)
        secret = self.aws.environment()["AWS_SECRET_ACCESS_KEY"]
        shown = "\n".join([*gateway.err.all(), *gateway.out.all(),
                           gateway.page("/metrics").body.decode()])
        self.assertNotIn(secret, shown)


class AnOlderPolicy(SourceCase):
    def test_is_taken_only_where_that_is_allowed(self):
        self.aws.ssm.put(NAME, document("a.test", version=7))
        gateway = self.gateway()
        self.wait_for_verdict(gateway, "a.test", 200)
        self.aws.ssm.put(NAME, document("b.test", version=6))
        self.assertTrue(gateway.err.wait_for("allow-rollback"), gateway.err.all())
        self.assertEqual([200, 403], [self.verdict(gateway, n) for n in ("a.test", "b.test")])
        self.assertEqual(0, gateway.stop())
        # The disk knows of version 7: a restart is no way around.
        again = self.gateway()
        self.assertTrue(again.err.wait_for("allow-rollback"), again.err.all())
        self.assertEqual(200, self.verdict(again, "a.test"))
        self.assertEqual(0, again.stop())
        willing = self.gateway("--allow-rollback")
        self.wait_for_verdict(willing, "b.test", 200)


class ASignature(SourceCase):
    def setUp(self):
        super().setUp()
        self.key, self.public = self.folder / "key.pem", self.folder / "public.pem"
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", self.key)
        self.openssl("pkey", "-in", self.key, "-pubout", "-out", self.public)

    def openssl(self, *words):
        return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True).stdout

    def signed(self, text):
        content = self.folder / "content"
        content.write_text(text)
        made = self.openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", content)
        return text + "# ebbgate-signature: " + base64.b64encode(made).decode() + "\n"

    def test_is_asked_for_where_a_key_is_configured(self):
        self.aws.ssm.put(NAME, self.signed(document("a.test")))
        gateway = self.gateway("--policy-key", self.public)
        self.wait_for_verdict(gateway, "a.test", 200)
        for forged in (document("b.test"),
                       self.signed(document("a.test")).replace("a.test", "b.test")):
            seen = self.metric(gateway, "errors_total")
            self.aws.ssm.put(NAME, forged)
            wait_until(lambda: self.metric(gateway, "errors_total") > seen)
            self.assertEqual([200, 403], [self.verdict(gateway, n) for n in ("a.test", "b.test")])
        self.aws.ssm.put(NAME, self.signed(document("b.test")))
        gateway.signal(signal.SIGHUP)
        self.wait_for_verdict(gateway, "b.test", 200, 30)

    def test_a_key_that_is_none_ends_the_start(self):
        (self.folder / "public.pem").write_text("nothing")
        with self.assertRaisesRegex(AssertionError, "public.pem"):
            self.gateway("--policy-key", self.public)


class TheAgeOfAPolicy(SourceCase):
    def test_refuses_everything_beyond_its_limit_until_the_source_answers(self):
        self.aws.ssm.put(NAME, document("a.test"))
        gateway = self.gateway("--policy-max-age", "2s")
        self.wait_for_verdict(gateway, "a.test", 200)
        self.aws.faults.next("ssm", "*", "500", None)
        self.wait_for_verdict(gateway, "a.test", 403, 20)
        self.assertIn("policy-too-old", self.phrase(gateway, "a.test"))
        self.assertEqual(200, gateway.page("/readyz").status)  # a shared cause: no reason to replace it
        self.assertGreater(self.metric(gateway, "age_seconds"), 2)
        self.aws.faults.clear()
        gateway.signal(signal.SIGHUP)
        self.wait_for_verdict(gateway, "a.test", 200, 20)

    def test_ends_the_open_tunnels_too_where_changes_cut(self):
        self.aws.ssm.put(NAME, document("a.test"))
        gateway = self.gateway("--policy-max-age", "2s", "--on-policy-change", "cut")
        self.wait_for_verdict(gateway, "a.test", 200)
        server = self.enter(TcpOrigin())
        tunnel = self.enter(gateway.client())
        self.assertEqual(200, tunnel.connect(f"a.test:{server.port}").status)
        tunnel.send(client_hello("a.test"))
        behind = self.enter(server.accept())
        self.assertTrue(behind.recv(4096))
        self.aws.faults.next("ssm", "*", "500", None)
        behind.settimeout(30)
        try:
            self.assertEqual(b"", behind.recv(100))
        except ConnectionResetError:
            pass  # cut is not finished

    def test_an_upgrade_waits_until_the_successor_has_a_policy(self):
        self.aws.ssm.put(NAME, document("a.test"))
        gateway = self.gateway(cache="none/such")
        self.wait_for_verdict(gateway, "a.test", 200)
        self.aws.faults.next("ssm", "GetParameter", "500", 12)
        said = len(gateway.err.all())
        gateway.signal(signal.SIGUSR2)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            self.assertEqual(200, self.verdict(gateway, "a.test"))
        self.assertTrue(gateway.err.wait_for("^ebbgate: ready", start=said, patience=40))
        line = gateway.err.wait_for(r"process \d+ has taken over", start=said)
        self.addCleanup(os.kill, int(re.search(r"process (\d+)", line)[1]), signal.SIGKILL)
        self.assertEqual(200, self.verdict(gateway, "a.test"))


class AFleet(SourceCase):
    GATEWAYS = 10

    def test_has_a_change_within_ten_seconds_and_fails_no_request(self):
        """Ten gateways at the default interval behind one parameter, under load."""
        self.aws.ssm.put(NAME, document("a.test"))
        fleet = [self.enter(Gateway(
            "--policy-source", SSM, "--policy-cache", self.folder / f"cache-{n}", dns=self.dns,
            admin="127.0.0.1:0", environment=self.aws.environment()))
            for n in range(self.GATEWAYS)]
        for gateway in fleet:
            self.wait_for_verdict(gateway, "a.test", 200)
        stop, failures, asked = threading.Event(), [], []

        def load(gateway):
            while not stop.is_set():
                try:
                    status = self.verdict(gateway, "a.test")
                except OSError as error:
                    status = repr(error)
                asked.append(status)
                if status != 200:
                    failures.append(status)
                stop.wait(0.02)

        threads = [threading.Thread(target=load, args=(gateway,)) for gateway in fleet]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        self.aws.ssm.put(NAME, document("a.test", "b.test"))
        try:
            for gateway in fleet:
                self.wait_for_verdict(gateway, "b.test", 200,
                                      max(0.1, 10 - (time.monotonic() - began)))
        finally:
            took = time.monotonic() - began
            stop.set()
            for thread in threads:
                thread.join()
        print(f"ten gateways had the change after {took:.1f} s; {len(asked)} requests, "
              f"{len(failures)} failed", flush=True)
        self.assertEqual([], failures)


if __name__ == "__main__":
    main()
