"""SIGTERM: readiness fails first while everybody is still served, then the listeners close, then the
process waits for what is open, and ends with code 0. A second SIGTERM ends it at once."""

import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402


class Drain(Case):
    def setUp(self):
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.origin = self.enter(HttpOrigin(self.answer))
        self.tunnelled = self.enter(TcpOrigin())
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        self.url = f"http://a.test:{self.origin.port}/"

    def answer(self, seen):
        if seen.target == "/in-two-pieces":
            return self.in_two_pieces()
        return b"hello"

    def in_two_pieces(self):
        yield b"first"
        self.may_answer.wait()
        yield b"second"

    def gateway(self, *flags):
        return self.enter(Gateway("--sni", "off", "--policy", self.policy(), *flags, dns=self.dns,
                                  admin="127.0.0.1:0"))

    def policy(self):
        path = self.scratch() / "policy.yaml"
        path.write_text("""apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: test}
spec:
  allow:
    - {hosts: [a.test], ports: [1-65535], tls: "off"}
""")
        return path

    def tunnel(self, gateway):
        client = self.enter(gateway.client())
        self.assertEqual(200, client.connect(f"a.test:{self.tunnelled.port}").status)
        server = self.tunnelled.accept()
        self.addCleanup(server.close)
        return client, server

    def assert_alive(self, tunnel):
        client, server = tunnel
        client.send(b"ping")
        self.assertEqual(b"ping", server.recv(4))
        server.sendall(b"pong")
        self.assertEqual(b"pong", client.receive(4))

    def accepts(self, gateway):
        try:
            gateway.connect().close()
            return True
        except ConnectionRefusedError:
            return False
        except ConnectionResetError:  # it closed in this very moment
            return True

    def test_readiness_fails_first_and_everybody_is_still_served_for_the_delay(self):
        gateway = self.gateway("--drain-delay", "3s", "--health", "127.0.0.1:0")
        old = self.enter(gateway.client())
        self.assertEqual("keep-alive", self.persistence(old.get(self.url)))
        for listener in ("admin", "health"):
            self.assertEqual(200, gateway.page("/readyz", listener).status)
        began = time.monotonic()
        gateway.signal(signal.SIGTERM)
        self.assertTrue(gateway.err.wait_for("not ready any more"))
        wait_until(lambda: self.says_close(gateway), what="the worker's draining")
        for listener in ("admin", "health"):
            page = gateway.page("/readyz", listener)
            self.assertEqual((503, b"not ready\ndraining\n"), (page.status, page.body))
            self.assertEqual(200, gateway.page("/healthz", listener).status)
        # New connections, tunnels, and connections from before: all are served.
        with gateway.client() as client:
            answer = client.get(self.url)
            self.assertEqual((200, "close"), (answer.status, self.persistence(answer)))
            self.assertEqual("closed", client.end())
        client, server = self.tunnel(gateway)
        self.assert_alive((client, server))
        answer = old.get(self.url)
        self.assertEqual((200, "close"), (answer.status, self.persistence(answer)))
        self.assertEqual("closed", old.end())
        wait_until(lambda: not self.accepts(gateway), what="the listener's end")
        self.assertGreaterEqual(time.monotonic() - began, 3)
        self.assert_alive((client, server))
        client.close()
        server.close()
        self.assertEqual(0, gateway.wait())

    def says_close(self, gateway):
        with gateway.client() as client:
            return self.persistence(client.get(self.url)) == "close"

    @staticmethod
    def persistence(answer):
        return answer.headers.get("Connection", "keep-alive")

    def test_idle_connections_are_served_during_the_delay_and_closed_after_it(self):
        gateway = self.gateway("--drain-delay", "3s", "--head-timeout", "1s")
        served, idle, silent = (self.enter(gateway.client()) for _ in range(3))
        for client in (served, idle):
            self.assertEqual(200, client.get(self.url).status)
        gateway.signal(signal.SIGTERM)
        self.assertTrue(gateway.err.wait_for("not ready any more"))
        self.assertTrue(idle.is_open())
        self.assertEqual(200, served.get(self.url).status)
        self.assertEqual("closed", idle.end())
        self.assertEqual("closed", silent.end())
        self.assertEqual(0, gateway.wait())

    def test_what_is_under_way_is_finished(self):
        gateway = self.gateway()
        self.may_answer.clear()
        half_answered, half_asked = (self.enter(gateway.client()) for _ in range(2))
        half_answered.request("GET", self.url + "in-two-pieces")
        self.assertTrue(half_answered.receive(12).startswith(b"HTTP/1.1 200"))
        half_asked.send(f"GET {self.url} HTTP/1.1\r\nHo".encode())
        wait_until(lambda: gateway.metric("ebbgate_connections_open") == 2)
        gateway.signal(signal.SIGTERM)
        self.assertTrue(gateway.err.wait_for("waiting for"))
        half_asked.send(f"st: a.test:{self.origin.port}\r\n\r\n".encode())
        answer = half_asked.response()
        self.assertEqual((200, "close"), (answer.status, self.persistence(answer)))
        self.may_answer.set()
        rest = b""
        while piece := half_answered.receive(1):
            rest += piece
        self.assertTrue(rest.endswith(b"6\r\nsecond\r\n0\r\n\r\n"), rest)
        self.assertEqual(0, gateway.wait())

    def test_who_had_connected_is_served_though_it_speaks_after_the_listener_closed(self):
        gateway = self.gateway("--drain-delay", "2s")
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: self.says_close(gateway), what="the worker's draining")
        silent = self.enter(gateway.client())
        self.assertTrue(gateway.err.wait_for("waiting for"))
        wait_until(lambda: not self.accepts(gateway), what="the listener's end")
        answer = silent.get(self.url)
        self.assertEqual((200, "close"), (answer.status, self.persistence(answer)))
        self.assertEqual(0, gateway.wait())

    def test_it_ends_with_the_last_tunnel(self):
        gateway = self.gateway("--drain-timeout", "1h")
        tunnel = self.tunnel(gateway)
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: not self.accepts(gateway), what="the listener's end")
        self.assert_alive(tunnel)
        for side in tunnel:
            side.close()
        self.assertEqual(0, gateway.wait())
        self.assertEqual("client-closed", gateway.events()[-1]["reason"])

    def test_the_timeout_ends_what_is_left_and_all_of_it_is_in_the_log(self):
        gateway = self.gateway("--drain-timeout", "1s")
        client, server = self.tunnel(gateway)
        self.may_answer.clear()
        asking = self.enter(gateway.client())
        asking.request("GET", self.url + "in-two-pieces")
        self.assertTrue(asking.receive(12).startswith(b"HTTP/1.1 200"))
        began = time.monotonic()
        gateway.signal(signal.SIGTERM)
        self.assertEqual("reset", client.end())
        self.assertGreaterEqual(time.monotonic() - began, 1)
        with self.assertRaises(ConnectionResetError):
            server.recv(1)
        asking.end()
        self.assertEqual(0, gateway.wait())
        ended = {(e["phase"], e["reason"]) for e in gateway.events() if e["phase"] != "open"}
        self.assertEqual({("close", "draining"), ("request", "draining")}, ended)
        self.assertTrue(gateway.err.wait_for("ending 2 connections"))

    def test_a_second_signal_ends_it_at_once(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT),
                              (signal.SIGINT, signal.SIGTERM)):
            with self.subTest(first=first, second=second):
                gateway = self.gateway("--drain-delay", "1h", "--drain-timeout", "1h")
                tunnel = self.tunnel(gateway)
                gateway.signal(first)
                self.assertTrue(gateway.err.wait_for("not ready any more"))
                self.assert_alive(tunnel)
                gateway.signal(second)
                self.assertEqual("reset", tunnel[0].end())
                self.assertEqual(0, gateway.wait())

    def test_a_drain_without_timeout_ends_at_once(self):
        gateway = self.gateway("--drain-timeout", "0s")
        client, _ = self.tunnel(gateway)
        gateway.signal(signal.SIGTERM)
        self.assertEqual("reset", client.end())
        self.assertEqual(0, gateway.wait())

    def test_no_client_under_load_sees_a_failure_before_connections_are_refused(self):
        """Clients that mind `Connection: close` and open a new connection for each refused one
        never lose a request: whoever was accepted is answered."""
        gateway = self.gateway("--drain-delay", "500ms", "--workers", "2")
        failures, answered = [], []

        def ask():
            client = None
            while True:
                try:
                    client = client or gateway.client()
                    answer = client.get(self.url)
                except OSError as error:
                    # While the listeners close, the kernel may still complete a handshake that
                    # nobody will accept; whoever came before that is answered.
                    if not gateway.err.wait_for("waiting for", patience=1):
                        failures.append(repr(error))
                    return
                answered.append(answer.status)
                if self.persistence(answer) == "close":
                    client.close()
                    client = None

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) > 100)
        gateway.signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)
        self.assertEqual({200}, set(answered))
        self.assertEqual(0, gateway.wait())


if __name__ == "__main__":
    main()
