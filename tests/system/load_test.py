"""Everything at once for some seconds, over several workers: tunnels, requests, uploads, refusals,
names, broken clients, scrapes, reloads and log rotation. Nobody gets a wrong answer, and all is
given back. Worth most under sanitizers."""

import collections
import hashlib
import os
import pathlib
import random
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client_hello import client_hello  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

SECONDS = float(os.environ.get("EBBGATE_LOAD_SECONDS", "5"))
POLICY = """apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {{name: load-{0}}}
spec:
  allow:
    - {{hosts: [.test], ports: [1-65535]}}
    - {{hosts: [plain.example], ports: [1-65535], tls: "off"}}
  deny:
    - {{hosts: [secret.test]}}
"""


def body_of(target):
    """A body that belongs to its target, so that no answer can be taken for another."""
    size = int(hashlib.sha256(target.encode()).hexdigest()[:4], 16)
    return (hashlib.sha256(target.encode()).hexdigest().encode() * (size // 64 + 1))[:size]


class Load(Case):
    def answer(self, seen):
        if seen.method == "POST":
            return hashlib.sha256(seen.body).hexdigest().encode()
        body = body_of(seen.target)
        return iter([body[:100], body[100:]]) if len(body) % 3 == 0 and len(body) > 100 else body

    def setUp(self):
        self.folder = self.scratch()
        self.origin = self.enter(HttpOrigin(self.answer))
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1", ttl=1),
                                         "plain.example": Answer("127.0.0.1", ttl=1)}))
        self.policy, self.log = self.folder / "policy.yaml", self.folder / "access.log"
        self.policy.write_text(POLICY.format(0))
        self.gateway = self.enter(Gateway(
            "--policy", self.policy, "--access-log", self.log, "--on-policy-change", "cut",
            dns=self.dns, workers="4", admin="127.0.0.1:0"))
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.done, self.failures = collections.Counter(), []

    def url(self, name, path=""):
        return f"http://{name}.test:{self.origin.port}/{path}"

    # Each of these is one piece of work of one thread.

    def get(self, rng):
        with self.gateway.client() as client:
            for _ in range(rng.randint(1, 10)):
                path = str(rng.random())
                answer = client.get(self.url(rng.choice("abc"), path))
                assert (answer.status, answer.body) == (200, body_of("/" + path)), answer.status

    def upload(self, rng):
        body = rng.randbytes(rng.randint(1, 300_000))
        with self.gateway.client() as client:
            client.request("POST", self.url("a"), body=body)
            answer = client.response()
            assert answer.body == hashlib.sha256(body).hexdigest().encode(), answer.status

    def tunnel(self, rng):
        with self.gateway.client() as client:
            assert client.connect(f"plain.example:{self.origin.port}").status == 200
            for _ in range(rng.randint(1, 5)):
                path = "/" + str(rng.random())
                answer = client.get(path, Host="plain.example")
                assert (answer.status, answer.body) == (200, body_of(path)), answer.status

    def refused_handshake(self, rng):
        with self.gateway.client() as client:
            assert client.connect(f"a.test:{self.origin.port}").status == 200
            hello = client_hello(rng.choice(["b.test", "a.test.example"]))
            at = rng.randint(1, len(hello) - 1)
            client.send(hello[:at])
            client.send(hello[at:])
            assert client.receive(7)[:1] == b"\x15"  # an alert

    def refused(self, rng):
        with self.gateway.client() as client:
            if rng.random() < 0.5:
                assert client.connect("a.example:443").status == 403
            else:
                assert client.get(self.url("secret")).status == 403

    def fresh_name(self, rng):
        with self.gateway.client() as client:
            assert client.get(self.url(f"n{rng.random()}")).status == 200

    def broken(self, rng):
        with self.gateway.client() as client:
            client.send(rng.choice([b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02",
                                    b"CONNECT a.test:443", b"POST http://a.test/ HTTP/1.1\r\n"
                                    b"Host: a.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]))
            if rng.random() < 0.5:
                client.end()

    def hasty(self, rng):
        """Asks and goes, at any moment."""
        with self.gateway.client() as client:
            client.request("GET", self.url("a", "x" * rng.randint(0, 1000)))
            if rng.random() < 0.5:
                client.sock.recv(rng.randint(1, 1000))

    def scrape(self, rng):
        assert self.gateway.page(rng.choice(["/metrics", "/readyz", "/healthz"])).status == 200

    def run_work(self, work, seed):
        rng = random.Random(seed)
        while not self.stop.is_set() and not self.failures:
            try:
                work(rng)
                with self.lock:
                    self.done[work.__name__] += 1
            except Exception as error:  # whatever it is, a client saw it
                self.failures.append(f"{work.__name__}: {error!r}")

    def test_all_of_it_at_once(self):
        works = [self.get, self.get, self.get, self.upload, self.upload, self.tunnel, self.tunnel,
                 self.refused_handshake, self.refused, self.refused, self.fresh_name, self.broken,
                 self.hasty, self.scrape]
        threads = [threading.Thread(target=self.run_work, args=(work, seed))
                   for seed, work in enumerate(works)]
        for thread in threads:
            thread.start()
        deadline, number = time.monotonic() + SECONDS, 0
        while time.monotonic() < deadline and not self.failures:
            number += 1
            self.policy.write_text(POLICY.format(number % 7))
            if number % 3 == 0:
                self.gateway.signal(signal.SIGHUP)
            if number % 5 == 0:
                os.rename(self.log, self.folder / f"access.log.{number}")
                self.gateway.signal(signal.SIGUSR1)
                wait_until(self.log.exists, what="the new log")
            self.stop.wait(0.1)
        self.stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual([], self.failures)
        print(dict(self.done))
        self.assertEqual({work.__name__ for work in works}, set(self.done))
        wait_until(lambda: self.gateway.metric("ebbgate_connections_open") == 0,
                   what="the end of the last connection")
        self.assertEqual(0, self.gateway.metric("ebbgate_tunnels_open"))
        self.assertEqual(0, self.gateway.metric("ebbgate_out_of_memory_total"))
        self.assertEqual(0, self.gateway.metric("ebbgate_log_dropped_events_total"))
        self.assertEqual(0, self.gateway.stop(), self.gateway.err.all()[-20:])


if __name__ == "__main__":
    main()
