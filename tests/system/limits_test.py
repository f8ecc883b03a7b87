"""What bounds a client: how many connections, how large and how slow a head, how long nothing may
move, how long a tunnel may live. Each says so with its own status and reason, and gives back what
it bounded."""

import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client_hello import client_hello  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402


class Limits(Case):
    def setUp(self):
        self.origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        self.tunnelled = self.enter(TcpOrigin())
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1"),
                                         "silent.test": Answer(silent=True)}))
        self.url = f"http://a.test:{self.origin.port}/"

    def gateway(self, *flags, workers="2"):
        return self.enter(Gateway(*flags, allow=[".test"], dns=self.dns, admin="127.0.0.1:0",
                                  workers=workers))

    def open(self, gateway, source=None):
        """A connection that counts: it has been served a request and waits for the next."""
        client = self.enter(gateway.client(source))
        self.assertEqual(200, client.get(self.url).status)
        return client

    def tunnel(self, gateway):
        client = self.enter(gateway.client())
        self.assertEqual(200, client.connect(f"a.test:{self.tunnelled.port}").status)
        client.send(client_hello("a.test"))
        server = self.tunnelled.accept()
        self.addCleanup(server.close)
        self.assertEqual(b"\x16", server.recv(1))
        while len(server.recv(65536)) == 65536:
            pass
        return client, server

    def assert_refused(self, gateway, client, status, reason):
        answer = client.get(self.url)
        self.assertEqual((status, "close"), (answer.status, answer.headers["Connection"]))
        self.assertIn(reason, answer.phrase)
        self.assertEqual("closed", client.end())
        event = gateway.wait_for_event(reason=reason)
        self.assertEqual(("DENY", status), (event["verdict"], event["status"]))

    def test_connections_in_all(self):
        gateway = self.gateway("--max-connections", "3")
        tunnel = self.tunnel(gateway)
        first, second = self.open(gateway), self.open(gateway)
        for _ in range(5):
            with gateway.client() as client:
                self.assert_refused(gateway, client, 503, "over-capacity")
        self.assertEqual(200, first.get(self.url).status)
        first.close()
        wait_until(lambda: gateway.metric("ebbgate_connections_open") == 2)
        third = self.open(gateway)
        for side in tunnel:
            side.close()
        wait_until(lambda: gateway.metric("ebbgate_connections_open") == 2)
        self.open(gateway)
        for client in (second, third):
            self.assertEqual(200, client.get(self.url).status)
        # Pages are for those who look after it: they do not count and are not counted out.
        self.assertEqual(200, gateway.page("/readyz").status)

    def test_connections_of_one_client(self):
        gateway = self.gateway("--max-connections-per-client", "2")
        self.tunnel(gateway)
        first = self.open(gateway)
        for _ in range(5):
            with gateway.client() as client:
                self.assert_refused(gateway, client, 429, "over-limit")
        others = [self.open(gateway, "127.0.0.2") for _ in range(2)]
        with gateway.client("127.0.0.2") as client:
            self.assert_refused(gateway, client, 429, "over-limit")
        first.close()
        wait_until(lambda: gateway.metric("ebbgate_connections_open") == 1 + len(others))
        self.open(gateway)

    def test_a_head_that_is_too_large(self):
        gateway = self.gateway("--max-head-size", "2KiB")
        for fields in ({"X": "a" * 2048}, {f"X{n}": "a" * 50 for n in range(40)}):
            with gateway.client() as client:
                client.request("GET", self.url, **fields)
                answer = client.response()
                self.assertEqual(431, answer.status)
                self.assertEqual("closed", client.end())
        with gateway.client() as client:
            client.request("GET", self.url, X="a" * 1800)
            self.assertEqual(200, client.response().status)
        with gateway.client() as client:  # a body is not a head
            client.request("POST", self.url, body=b"b" * 100_000)
            self.assertEqual(200, client.response().status)

    def test_a_head_that_is_too_slow(self):
        gateway = self.gateway("--head-timeout", "500ms")
        began = time.monotonic()
        with gateway.client() as client:
            client.send(b"GET http://a.test/ HTTP/1.1\r\nHost: a.te")
            self.assertEqual(408, client.response().status)
            self.assertEqual("closed", client.end())
        self.assertGreaterEqual(time.monotonic() - began, 0.5)
        self.assertTrue(gateway.wait_for_event(reason="head-timed-out", status=408))
        # Also the second on a connection, and octets do not renew the time.
        client = self.open(gateway)
        began = time.monotonic()
        try:
            for octet in b"GET http://a.test/" * 100:
                client.send(bytes([octet]))
                if not client.is_open():
                    break
                wait_until(lambda t=time.monotonic(): time.monotonic() - t > 0.05)
        except OSError:
            pass
        self.assertLess(time.monotonic() - began, 5)
        # Who says nothing at all is closed without a word, and no refusal is recorded.
        with gateway.client() as client:
            self.assertEqual(b"", client.receive(1))
        self.assertEqual(2, len([e for e in gateway.events() if e["reason"] == "head-timed-out"]))

    def test_a_client_hello_that_is_too_slow(self):
        gateway = self.gateway("--handshake-timeout", "500ms")
        with gateway.client() as client:
            self.assertEqual(200, client.connect(f"a.test:{self.tunnelled.port}").status)
            client.send(client_hello("a.test")[:20])
            self.assertEqual("closed", client.end())
        self.assertTrue(gateway.wait_for_event(reason="timed-out", verdict="DENY"))

    def test_a_name_that_nobody_answers_for(self):
        gateway = self.gateway("--connect-timeout", "500ms")
        began = time.monotonic()
        with gateway.client() as client:
            answer = client.get("http://silent.test/")
        self.assertIn(answer.status, (502, 504))
        self.assertTrue(0.5 <= time.monotonic() - began < 5)

    def test_a_tunnel_in_which_nothing_moves(self):
        gateway = self.gateway("--idle-timeout", "1s")
        idle, busy = self.tunnel(gateway), self.tunnel(gateway)
        began = time.monotonic()
        while not any(e["phase"] == "close" for e in gateway.events()):
            busy[1].sendall(b"x")
            self.assertEqual(b"x", busy[0].receive(1))
            wait_until(lambda t=time.monotonic(): time.monotonic() - t > 0.1)
        self.assertGreaterEqual(time.monotonic() - began, 0.9)
        self.assertEqual("reset", idle[0].end())
        self.assertEqual(["idle-timeout"], [e["reason"] for e in gateway.events()
                                            if e["phase"] == "close"])
        busy[1].sendall(b"y")
        self.assertEqual(b"y", busy[0].receive(1))

    def test_an_exchange_in_which_nothing_moves(self):
        gateway = self.gateway("--idle-timeout", "500ms")
        with gateway.client() as client:  # the origin does not answer
            client.request("GET", f"http://a.test:{self.tunnelled.port}/")
            server = self.tunnelled.accept()
            self.assertEqual(504, client.response().status)
            server.close()
        with gateway.client() as client:  # the response stops half way
            client.request("GET", f"http://a.test:{self.tunnelled.port}/")
            server = self.tunnelled.accept()
            server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            with self.assertRaises(ConnectionError):
                client.response()
            server.close()
        with gateway.client() as client:  # so does the request
            client.send(f"POST http://a.test:{self.tunnelled.port}/ HTTP/1.1\r\n"
                        f"Host: a.test:{self.tunnelled.port}\r\nContent-Length: 10\r\n\r\n"
                        "12345".encode())
            server = self.tunnelled.accept()
            client.end()
            server.close()
        with gateway.client() as client:  # and so does a kept connection
            self.assertEqual(200, client.get(self.url).status)
            self.assertEqual("closed", client.end())

    def test_a_tunnel_that_has_lived_long_enough(self):
        gateway = self.gateway("--tunnel-timeout", "1s")
        client, server = self.tunnel(gateway)
        began = time.monotonic()
        try:
            while True:  # however busy it is
                server.sendall(b"x" * 1000)
                client.receive(1000)
                self.assertLess(time.monotonic() - began, 10)
        except OSError:
            pass
        self.assertGreaterEqual(time.monotonic() - began, 0.9)
        self.assertTrue(gateway.wait_for_event(phase="close", reason="tunnel-timeout"))


if __name__ == "__main__":
    main()
