"""The pages for load balancers and probes are there for whoever asks, whatever others do, and across
an upgrade."""

import os
import pathlib
import re
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client_hello import client_hello  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import TcpOrigin  # noqa: E402
from harness.testing import main  # noqa: E402


class Health(unittest.TestCase):
    def test_clients_that_say_nothing_do_not_keep_a_probe_out(self):
        with Gateway("--health", "127.0.0.1:0", allow=["a.test"]) as gateway:
            at = gateway.listeners["health"][0]
            idle = [socket.create_connection(at) for _ in range(300)]
            for each in idle:
                each.sendall(b"GET /heal")
            self.assertEqual(200, gateway.page("/healthz", "health").status)
            for each in idle:
                each.close()

    def test_a_request_has_one_deadline_however_it_is_dribbled(self):
        with Gateway("--health", "127.0.0.1:0", allow=["a.test"]) as gateway:
            with socket.create_connection(gateway.listeners["health"][0]) as slow:
                slow.settimeout(1)
                for _ in range(20):
                    slow.sendall(b"G")
                    try:
                        self.assertEqual(b"", slow.recv(1))
                        return
                    except TimeoutError:
                        pass
                self.fail("still open after 20 s")


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()


class Upgrade(unittest.TestCase):
    def upgrade(self, gateway):
        gateway.signal(signal.SIGUSR2)
        line = gateway.err.wait_for(r"has taken over")
        self.assertIsNotNone(line, gateway.err.all())
        self.addCleanup(os.kill, int(re.search(r"process (\d+)", line)[1]), signal.SIGKILL)

    def test_probes_are_answered_by_the_successor_only(self):
        listen, health = ("%s:%d" % free_address() for _ in range(2))
        with (TcpOrigin() as origin, DnsServer({".test": Answer("127.0.0.1")}) as dns,
              Gateway("--listen", listen, "--health", health, "--sni", "off", allow=["a.test"],
                      dns=dns) as gateway, gateway.connect() as tunnel):
            tunnel.sendall(f"CONNECT a.test:{origin.port} HTTP/1.1\r\n"
                           f"Host: a.test:{origin.port}\r\n\r\n".encode())
            self.assertIn(b" 200 ", tunnel.recv(4096))
            tunnel.sendall(client_hello(b"a.test"))
            self.assertIsNotNone(gateway.wait_for_event(phase="open"))
            self.upgrade(gateway)
            statuses = [gateway.page("/readyz", "health").status for _ in range(50)]
            self.assertTrue(gateway.is_running())  # for the tunnel's sake
            self.assertEqual([200] * 50, statuses)

    def test_an_address_that_is_not_listened_on_any_more_refuses(self):
        listen, health = free_address(), free_address()
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
            pathlib.Path(config.name).write_text('health: "%s:%d"\n' % health)
            with Gateway("--config", config.name, "--listen", "%s:%d" % listen,
                         allow=["a.test"]) as gateway:
                socket.create_connection(health).close()
                pathlib.Path(config.name).write_text("{}\n")
                self.upgrade(gateway)
                self.assertEqual(0, gateway.wait())
                socket.create_connection(listen).close()
                with self.assertRaises(ConnectionRefusedError):
                    socket.create_connection(health)


main()
