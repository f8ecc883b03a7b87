"""Names (semantics 3): what is refused is refused before DNS is asked, only addresses that were
classified are dialed however a name's answers change, and nobody is asked more often than needed."""

import pathlib
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client_hello import client_hello  # noqa: E402
from harness.dns import A, AAAA, NXDOMAIN, REFUSED, SERVFAIL, Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

PUBLIC = "127.0.0.7"  # stands for a public address: it alone is opened to the names of the tests


def saying(body):
    """An origin's answer, after which its connection is not kept: each request asks for the name."""
    return lambda seen: (200, {"Connection": "close"}, body)


class NamesCase(Case):
    def setUp(self):
        self.public, self.inner = self.origins_of_one_port()
        self.port = self.public.port

    def origins_of_one_port(self):
        """What is free on one address may be taken on the other, by a test beside this one."""
        for _ in range(50):
            public = HttpOrigin(saying(b"public"), address=PUBLIC)
            try:
                inner = HttpOrigin(saying(b"inner"), port=public.port)
            except OSError:
                public.close()
                continue
            return self.enter(public), self.enter(inner)
        raise AssertionError("there is no port that is free on both addresses")

    def gateway(self, zone, *flags, allow=(".test",), **options):
        self.dns = self.enter(DnsServer(zone))
        return self.enter(Gateway("--allow-private", f"{PUBLIC}/32", *flags, allow=allow,
                                  dns=self.dns, loopback=False, admin="127.0.0.1:0", **options))

    def get(self, gateway, name):
        with gateway.client() as client:
            return client.get(f"http://{name}:{self.port}/")

    def asked(self, name, kind=A):
        return self.dns.queries.count((name, kind))


class AddressGuard(NamesCase):
    def test_a_name_that_is_rebound_never_reaches_the_inside(self):
        """First a public address, then the loopback, over and over, with no time to live: what is
        dialed is what was classified, so the inner origin never hears of it."""
        answers = [Answer(PUBLIC, ttl=0), Answer("127.0.0.1", ttl=0)] * 50
        gateway = self.gateway({"rebind.test": answers})
        statuses = set()
        for _ in range(30):
            answer = self.get(gateway, "rebind.test")
            statuses.add(answer.status)
            if answer.status == 200:
                self.assertEqual(b"public", answer.body)
            wait_until(lambda t=time.monotonic(): time.monotonic() - t > 0.05)
        self.assertIn(200, statuses)
        self.assertEqual([], self.inner.seen)
        # The second address alone is refused, and said to be.
        self.dns.zone["rebind.test"] = Answer("127.0.0.1", ttl=0)
        wait_until(lambda: self.get(gateway, "rebind.test").status == 403)
        event = gateway.wait_for_event(reason="forbidden-address")
        self.assertIn("127.0.0.1", event["error"])
        self.assertNotIn("address", event)
        self.assertEqual([], self.inner.seen)

    def test_of_several_addresses_only_the_public_ones_are_dialed(self):
        gateway = self.gateway({"mixed.test": Answer("127.0.0.1", "10.0.0.1", PUBLIC,
                                                     "169.254.169.254", "::1", "fd00:ec2::254",
                                                     "::ffff:127.0.0.1", "64:ff9b::7f00:1")})
        for _ in range(5):
            self.assertEqual(b"public", self.get(gateway, "mixed.test").body)
        self.assertEqual([], self.inner.seen)
        wait_until(lambda: len(gateway.events()) == 5)
        self.assertEqual({PUBLIC}, {event["address"] for event in gateway.events()})

    def test_a_tunnels_connection_goes_where_the_name_was_classified(self):
        gateway = self.gateway({"rebind.test": [Answer(PUBLIC, ttl=0), Answer("127.0.0.1", ttl=0)]},
                               "--sni", "off")
        with gateway.client() as client:
            self.assertEqual(200, client.connect(f"rebind.test:{self.port}").status)
            client.send(client_hello("rebind.test"))
            event = gateway.wait_for_event(phase="open")
            self.assertEqual(PUBLIC, event["address"])

    def test_the_gateways_own_listeners_are_no_origin(self):
        gateway = self.gateway({"self.test": Answer(PUBLIC), "admin.test": Answer("127.0.0.1")},
                               "--allow-private", "127.0.0.0/8", "--listen", f"{PUBLIC}:0")
        with gateway.client() as client:
            answer = client.get(f"http://self.test:{gateway.port}/")
        self.assertEqual(403, answer.status)
        _, port = gateway.listeners["admin"][0]
        with gateway.client() as client:
            answer = client.get(f"http://admin.test:{port}/metrics")
        self.assertEqual(403, answer.status)


class WhatIsAsked(NamesCase):
    def test_a_refused_name_or_port_is_refused_before_dns_is_asked(self):
        gateway = self.gateway({".": Answer(PUBLIC)}, allow=["a.test:443"])
        for target in ("b.test:443", "a.test:444", "secret.a.test:443", "data.exfiltrated.example:443",
                       "127.1:443", "a..test:443"):
            with gateway.client() as client:
                self.assertIn(client.connect(target).status, (400, 403), target)
        self.assertEqual([], self.dns.names_asked())

    def test_names_are_absolute_and_no_search_list_is_used(self):
        """With Kubernetes' resolv.conf, `a.test` would be asked for as `a.test.svc.cluster.local`."""
        gateway = self.gateway({"a.test": Answer(PUBLIC), "single": Answer(PUBLIC)},
                               allow=[".test", "single"],
                               environment={"LOCALDOMAIN": "svc.cluster.local cluster.local",
                                            "RES_OPTIONS": "ndots:5",
                                            "HOSTALIASES": "/etc/hostname"})
        self.assertEqual(200, self.get(gateway, "a.test").status)
        self.assertEqual(502, self.get(gateway, "gone.test").status)
        self.assertEqual(200, self.get(gateway, "single").status)
        self.assertEqual(200, self.get(gateway, "a.test.").status)
        self.assertEqual({"a.test", "gone.test", "single"}, set(self.dns.names_asked()))

    def test_the_hosts_file_is_read_and_dns_not_asked(self):
        hosts = [line.split("#")[0].split() for line in
                 pathlib.Path("/etc/hosts").read_text().splitlines()]
        if not any("localhost" in words[1:] and words[0] == "127.0.0.1" for words in hosts):
            self.skipTest("/etc/hosts has no localhost")
        gateway = self.gateway({}, "--allow-private", "127.0.0.0/8", allow=["localhost"])
        self.assertEqual(b"inner", self.get(gateway, "localhost").body)
        self.assertEqual([], self.dns.names_asked())

    def test_an_answer_is_kept_for_its_time_to_live_and_no_longer(self):
        gateway = self.gateway({"a.test": Answer(PUBLIC, ttl=2)})
        began = time.monotonic()
        while self.asked("a.test") < 2:
            self.assertEqual(200, self.get(gateway, "a.test").status)
            self.assertLess(time.monotonic() - began, 20)
            wait_until(lambda t=time.monotonic(): time.monotonic() - t > 0.02)
        self.assertTrue(1.8 <= time.monotonic() - began, time.monotonic() - began)
        self.assertGreater(gateway.metric("ebbgate_dns_cache_hits_total"), 10)

    def test_many_who_ask_at_once_are_one_question(self):
        may_answer = threading.Event()
        gateway = self.gateway({"slow.test": Answer(PUBLIC, delay=may_answer)})
        clients = [self.enter(gateway.client()) for _ in range(50)]
        for client in clients:
            client.request("GET", f"http://slow.test:{self.port}/")
        wait_until(lambda: gateway.metric("ebbgate_connections_open") == 50)
        wait_until(lambda: self.asked("slow.test") > 0)
        may_answer.set()
        for client in clients:
            self.assertEqual(200, client.response().status)
        self.assertEqual((1, 1), (self.asked("slow.test"), self.asked("slow.test", AAAA)))

    def test_failures_are_told_apart_and_remembered_for_a_while(self):
        gateway = self.gateway({"none.test": Answer(), "gone.test": Answer(code=NXDOMAIN),
                                "broken.test": Answer(code=SERVFAIL),
                                "refused.test": Answer(code=REFUSED),
                                "silent.test": Answer(silent=True)}, "--connect-timeout", "2s")
        for name, word in (("none.test", "no addresses"), ("gone.test", "NXDOMAIN"),
                           ("broken.test", "SERVFAIL"), ("refused.test", "REFUSED")):
            with self.subTest(name=name):
                answer = self.get(gateway, name)
                self.assertEqual((502, True), (answer.status, word in answer.body.decode()),
                                 answer.body)
                event = gateway.wait_for_event(host=name)
                self.assertEqual(("dns-failed", 502), (event["reason"], event["status"]))
                asked = self.asked(name)
                self.assertEqual(502, self.get(gateway, name).status)
                self.assertEqual(asked, self.asked(name), "a negative answer is kept, too")
        began = time.monotonic()
        self.assertEqual(502, self.get(gateway, "silent.test").status)
        self.assertTrue(1.5 < time.monotonic() - began < 8)
        # A question that gets no answer holds up nobody else.
        with gateway.client() as waiting:
            waiting.request("GET", "http://silent.test/")
            self.assertEqual(502, self.get(gateway, "gone.test").status)

    def test_a_slow_answer_is_waited_for(self):
        may_answer = threading.Event()
        gateway = self.gateway({"slow.test": Answer(PUBLIC, delay=may_answer)})
        with gateway.client() as client:
            client.request("GET", f"http://slow.test:{self.port}/")
            wait_until(lambda: self.asked("slow.test") > 0)
            may_answer.set()
            self.assertEqual(200, client.response().status)

    def test_a_server_that_does_not_answer_is_stepped_over(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
            dead.bind(("127.0.0.1", 0))
            self.dns = self.enter(DnsServer({"a.test": Answer(PUBLIC)}))
            gateway = self.enter(Gateway(
                "--allow-private", f"{PUBLIC}/32", "--dns", "127.0.0.1:%d" % dead.getsockname()[1],
                "--dns", self.dns.authority, allow=[".test"], loopback=False))
            self.assertEqual(200, self.get(gateway, "a.test").status)


class HappyEyeballs(NamesCase):
    """RFC 8305: an address that does not answer costs a quarter of a second, one that refuses
    nothing."""

    def silent(self):
        """An address of which no connection is ever completed: its queue is full."""
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.8", self.port))
        listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.8", self.port))
        return "127.0.0.8"

    def test_one_dead_address_among_two(self):
        silent = self.silent()
        gateway = self.gateway({"half.test": Answer(silent, PUBLIC),
                                "gone.test": Answer("127.0.0.6", PUBLIC)},
                               "--allow-private", "127.0.0.0/8")
        began = time.monotonic()
        self.assertEqual(200, self.get(gateway, "half.test").status)
        took = time.monotonic() - began
        self.assertTrue(0.2 < took < 2, f"{took} s")
        began = time.monotonic()
        self.assertEqual(200, self.get(gateway, "gone.test").status)
        self.assertLess(time.monotonic() - began, 0.2 + 0.5)  # refused at once

    def test_all_dead_is_a_502_that_names_each(self):
        gateway = self.gateway({"gone.test": Answer("127.0.0.5", "127.0.0.6")},
                               "--allow-private", "127.0.0.0/8")
        answer = self.get(gateway, "gone.test")
        self.assertEqual(502, answer.status)
        for address in ("127.0.0.5", "127.0.0.6"):
            self.assertIn(address, answer.body.decode())

    def test_silence_everywhere_is_a_504(self):
        gateway = self.gateway({"silent.test": Answer(self.silent())},
                               "--allow-private", "127.0.0.0/8", "--connect-timeout", "500ms")
        answer = self.get(gateway, "silent.test")
        self.assertEqual(504, answer.status)
        self.assertTrue(gateway.wait_for_event(reason="timed-out", status=504))

    def test_ipv6_first_and_ipv4_where_that_is_dead(self):
        try:
            six = self.enter(HttpOrigin6(saying(b"six"), self.port))
        except OSError as error:
            self.skipTest(f"::1: {error}")
        gateway = self.gateway({"both.test": Answer(PUBLIC, "::1"),
                                "dead.test": Answer(PUBLIC, "::1")},
                               "--allow-private", "::1/128")
        self.assertEqual(b"six", self.get(gateway, "both.test").body)
        six.close()
        self.assertEqual(b"public", self.get(gateway, "dead.test").body)


class HttpOrigin6(HttpOrigin):
    address_family = socket.AF_INET6

    def __init__(self, answer, port):
        super().__init__(answer, address="::1", port=port)


if __name__ == "__main__":
    main()
