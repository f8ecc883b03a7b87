# labels: peers
"""The PROXY protocol as a real load balancer speaks it: haproxy in front, version 1 and 2, and its
health checks, which come without a client (LOCAL)."""

import pathlib
import shutil
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client import Client  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import Process, wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
BALANCER, CLIENT, STRANGER = "127.0.0.9", "127.0.0.2", "127.0.0.3"
POLICY = f"""apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {{name: clients}}
spec:
  subjects: [{{cidr: {CLIENT}/32}}]
  allow: [{{hosts: [a.test], ports: [1-65535], tls: "off"}}]
---
apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {{name: everyone}}
spec:
  allow: [{{hosts: [public.test], ports: [1-65535], tls: "off"}}]
"""


class Haproxy(Process):
    """A TCP balancer before the gateway, from whose address it connects."""

    def __init__(self, folder, gateway, send, check=""):
        with TcpOrigin() as probe:
            self.port = probe.port
        config = folder / "haproxy.cfg"
        config.write_text(f"""
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen balancer
  bind 127.0.0.1:{self.port}
  source {BALANCER}
  server gateway {gateway.address}:{gateway.port} {send} {check}
""")
        super().__init__([PROGRAM, "-db", "-q", "-f", config])
        wait_until(self._accepts, what="haproxy's listener")

    def _accepts(self):
        if not self.is_running():
            raise AssertionError("haproxy ended:\n" + "\n".join(self.err.all()))
        try:
            self.client(CLIENT).close()
            return True
        except ConnectionRefusedError:
            return False

    def client(self, source=None):
        return Client(("127.0.0.1", self.port), source)


@unittest.skipUnless(PROGRAM, "haproxy is not installed")
class BehindHaproxy(Case):
    def setUp(self):
        self.folder = self.scratch()
        self.origin = self.enter(HttpOrigin(lambda seen: b"hello"))
        self.tunnelled = self.enter(TcpOrigin())
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        (self.folder / "policy.yaml").write_text(POLICY)

    def gateway(self, mode="required", clients=CLIENT):
        return self.enter(Gateway(
            "--policy", self.folder / "policy.yaml", "--proxy-protocol", mode,
            "--trusted", BALANCER, "--clients", clients, dns=self.dns, admin="127.0.0.1:0"))

    def url(self, name):
        return f"http://{name}:{self.origin.port}/"

    def test_the_client_that_haproxy_names_is_the_one_that_is_judged_and_logged(self):
        for version, send in (("1", "send-proxy"), ("2", "send-proxy-v2"),
                              ("2 with its checksum", "send-proxy-v2 proxy-v2-options crc32c"),
                              ("2 with an id", "send-proxy-v2 proxy-v2-options unique-id")):
            with self.subTest(version=version):
                gateway = self.gateway()
                balancer = self.enter(Haproxy(self.folder, gateway, send))
                with balancer.client(CLIENT) as client:
                    for _ in range(3):
                        self.assertEqual(200, client.get(self.url("a.test")).status)
                with balancer.client(CLIENT) as client:
                    self.assertEqual(403, client.get(self.url("b.test")).status)
                with balancer.client(CLIENT) as client:
                    self.assertEqual(200, client.connect(f"a.test:{self.tunnelled.port}").status)
                    with self.tunnelled.accept() as server:
                        client.send(b"x" * 100_000)
                        got = 0
                        while got < 100_000:
                            got += len(server.recv(65536))
                        server.sendall(b"done")
                        self.assertEqual(b"done", client.receive(4))
                self.assertTrue(gateway.wait_for_event(phase="close"))
                self.assertEqual({CLIENT}, {event["client"] for event in gateway.events()})
                self.assertEqual({CLIENT}, {event["subject"]["name"]
                                            for event in gateway.events()})

    def test_a_client_that_may_not_use_the_gateway_is_closed_unanswered(self):
        gateway = self.gateway()
        balancer = self.enter(Haproxy(self.folder, gateway, "send-proxy-v2"))
        with balancer.client(STRANGER) as client:
            client.request("GET", self.url("a.test"))
            self.assertEqual(b"", self.answer(client))
        event = gateway.wait_for_event(reason="not-a-client")
        self.assertEqual((STRANGER, "DENY"), (event["client"], event["verdict"]))

    @staticmethod
    def answer(client):
        try:
            return client.receive(1)
        except ConnectionResetError:
            return b""

    def test_who_comes_past_haproxy_is_refused_where_the_header_is_required(self):
        gateway = self.gateway()
        for source in (None, CLIENT, BALANCER):  # the last is trusted, but brings no header
            with gateway.client(source) as client:
                client.request("GET", self.url("a.test"))
                self.assertEqual(b"", self.answer(client), source)
        with gateway.client(CLIENT) as client:  # nor may a client write one itself
            client.send(f"PROXY TCP4 {CLIENT} 127.0.0.1 1 2\r\n".encode())
            client.request("GET", self.url("a.test"))
            self.assertEqual(b"", self.answer(client))
        wait_until(lambda: len(gateway.events()) == 4)
        self.assertEqual({"not-a-client", "proxy-protocol-invalid"},
                         {event["reason"] for event in gateway.events()})

    def test_a_client_past_haproxy_keeps_its_address_where_the_header_is_optional(self):
        gateway = self.gateway("optional", clients=f"{CLIENT}")
        with gateway.client(CLIENT) as client:
            self.assertEqual(200, client.get(self.url("a.test")).status)
        balancer = self.enter(Haproxy(self.folder, gateway, "send-proxy"))
        with balancer.client(CLIENT) as client:
            self.assertEqual(200, client.get(self.url("a.test")).status)
        self.assertEqual({CLIENT}, {event["client"] for event in gateway.events()})

    def test_a_health_check_of_haproxy_itself_has_no_subject(self):
        """A check with a header is LOCAL (version 2) or UNKNOWN (version 1): haproxy's own."""
        gateway = self.gateway()
        check = ("check inter 100ms\n  option httpchk\n  http-check connect {}\n"
                 "  http-check send meth GET uri http://{}:%d/ ver HTTP/1.1 hdr Host {}:%d\n"
                 "  http-check expect status {}") % (self.origin.port, self.origin.port)
        for name, status, reason in (("public.test", 200, "allowed"),
                                     ("a.test", 403, "not-allowed")):
            with self.subTest(name=name):
                balancer = Haproxy(self.folder, gateway, "send-proxy-v2 check-send-proxy",
                                   check.format("send-proxy", name, name, status))
                event = gateway.wait_for_event(host=name, reason=reason, status=status)
                self.assertTrue(event, gateway.events())
                self.assertNotIn("subject", event)
                balancer.stop()

    def test_a_balancer_that_goes_leaves_nothing_behind(self):
        gateway = self.gateway()
        balancer = self.enter(Haproxy(self.folder, gateway, "send-proxy-v2"))
        clients = [self.enter(balancer.client(CLIENT)) for _ in range(10)]
        for client in clients:
            self.assertEqual(200, client.connect(f"a.test:{self.origin.port}").status)
        self.assertEqual(10, gateway.metric("ebbgate_tunnels_open"))
        balancer.signal(signal.SIGKILL)
        wait_until(lambda: gateway.metric("ebbgate_tunnels_open") == 0)
        wait_until(lambda: gateway.metric("ebbgate_connections_open") == 0)


if __name__ == "__main__":
    main()
