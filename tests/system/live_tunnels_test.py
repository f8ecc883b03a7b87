"""What a policy does to thousands of tunnels that are open when it is loaded: they are judged again
by name, port, client and expiry, and only the refused ones end, as --on-policy-change says."""

import datetime
import json
import pathlib
import resource
import select
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import TcpOrigin  # noqa: E402
from harness.process import PATIENCE, wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

DRAIN = 30     # seconds; what `--on-policy-change drain` leaves a tunnel
OF_EACH = 250  # tunnels of each kind
AT_ONCE = 100  # are opened; fewer than the origin's backlog

EARLIER, LATER = (datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc)
                  for year in (2000, 2200))

# Tunnels by client, name and port (the first origin's or the second's), and what refuses them: the
# second policy, of these in one case not the third; the third alone; an entry's expiry. No other
# test listens on these addresses, whose ports thousands of connections keep for a while.
STAYS, CHANGE, BACK, LATE, EXPIRY = "nothing", "second", "second only", "third", "expiry"
SECOND = (CHANGE, BACK)
KINDS = {
    ("127.0.0.12", "stays.test", 0): STAYS,
    ("127.0.0.13", "stays.test", 1): LATE,      # the port goes
    ("127.0.0.12", "name.test", 0): BACK,       # its entry goes, and comes back
    ("127.0.0.12", "port.test", 0): STAYS,
    ("127.0.0.12", "port.test", 1): CHANGE,     # the port goes
    ("127.0.0.12", "subject.test", 0): STAYS,
    ("127.0.0.13", "subject.test", 0): CHANGE,  # the document is no longer about this client
    ("127.0.0.12", "denied.test", 0): STAYS,
    ("127.0.0.13", "denied.test", 0): CHANGE,   # denied to this client
    ("127.0.0.12", "expires.test", 0): EXPIRY,
    ("127.0.0.13", "expires.test", 0): STAYS,   # another entry allows it to this client
    ("127.0.0.14", "stays.test", 0): CHANGE,    # everything is denied to this client
}
ALL = frozenset(KINDS)


def refused_by(*causes):
    return frozenset(kind for kind, cause in KINDS.items() if cause in causes)


def raise_descriptor_limit():
    """The gateway inherits it, and needs two a tunnel, as this process does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class LiveTunnels(Case):
    def setUp(self):
        needed = 2 * OF_EACH * len(KINDS) + 200
        if raise_descriptor_limit() < needed:
            self.skipTest(f"needs {needed} descriptors")
        self.origins = [self.enter(TcpOrigin()) for _ in range(2)]
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))
        self.path = self.scratch() / "policy.yaml"

    def write_policy(self, which=1, expires=LATER):
        """The first policy, by which all tunnels are opened, the second or the third."""
        first, second = (origin.port for origin in self.origins)
        changed = which > 1

        def document(name, subjects, allow, deny=()):
            return "\n".join([
                "apiVersion: ebbgate.dev/v1alpha1", "kind: EgressPolicy",
                f"metadata: {{name: {name}}}", "spec:",
                *([f"  subjects: [{', '.join(f'{{cidr: {s}}}' for s in subjects)}]"]
                  if subjects else []),
                "  allow:", *(f"    - {{hosts: [{hosts}], ports: [{ports}], tls: off, sni: off"
                              f"{more}}}" for hosts, ports, more in allow),
                *(["  deny:", *(f"    - {{hosts: [{hosts}]}}" for hosts in deny)] if deny else []),
                ""])

        both = f"{first}, {second}"
        everyone = [("denied.test", both, ""),
                    ("stays.test", first if which == 3 else both, ""),
                    ("port.test", first if changed else both, ""),
                    ("expires.test", first, f", expires: {expires:%Y-%m-%dT%H:%M:%SZ}")]
        if which != 2:
            everyone.append(("name.test", both, ""))
        documents = [
            document("everyone", [], everyone, ["never.test"]),
            document("some", ["127.0.0.12"] if changed else ["127.0.0.12", "127.0.0.13"],
                     [("subject.test", both, "")]),
            document("third", ["127.0.0.13"], [("expires.test", both, "")],
                     ["denied.test"] if changed else ["never.test"])]
        if changed:
            documents.append(document("fourth", ["127.0.0.14"], [("stays.test", both, "")],
                                      [".test"]))
        self.path.write_text("---\n".join(documents))

    def start(self, behaviour):
        """A gateway, and `self.tunnels` through it: lists of (client, origin's side) by kind."""
        self.write_policy()
        self.gateway = self.enter(Gateway(
            "--policy", self.path, "--on-policy-change", behaviour, dns=self.dns, workers="2",
            admin="127.0.0.1:0"))
        self.tunnels = {kind: [] for kind in KINDS}
        kinds = [kind for kind in KINDS for _ in range(OF_EACH)]
        for at in range(0, len(kinds), AT_ONCE):
            self.open_tunnels(kinds[at:at + AT_ONCE])
        self.assert_alive(ALL)

    def open_tunnels(self, kinds):
        clients = [self.enter(self.gateway.client(source)) for source, *_ in kinds]
        for client, (_, name, origin) in zip(clients, kinds):
            client.request("CONNECT", f"{name}:{self.origins[origin].port}")
        for number, client in enumerate(clients):
            self.assertEqual(200, client.response("CONNECT").status)
            client.send(bytes([number]))  # which tells the origin whose it is
        for _, _, origin in kinds:
            server = self.origins[origin].accept()
            self.addCleanup(server.close)
            number = server.recv(1)[0]
            self.tunnels[kinds[number]].append((clients[number], server))

    def of(self, kinds):
        return [tunnel for kind in kinds for tunnel in self.tunnels[kind]]

    def assert_alive(self, kinds):
        """Each carries octets of its own, both ways."""
        tunnels = self.of(kinds)
        for number, (client, _) in enumerate(tunnels):
            client.send(b"%06d" % number)
        for number, (_, server) in enumerate(tunnels):
            self.assertEqual(b"%06d" % number, server.recv(6))
            server.sendall(b"%06d" % -number)
        for number, (client, _) in enumerate(tunnels):
            self.assertEqual(b"%06d" % -number, client.receive(6))

    def load(self, act):
        """`act()` makes the gateway load its policy; returns when it has."""
        metric = 'ebbgate_policy_reloads_total{result="success"}'
        before = self.gateway.metric(metric)
        act()
        wait_until(lambda: self.gateway.metric(metric) > before, what="the load")

    def load_unchanged(self):
        self.load(lambda: self.gateway.signal(signal.SIGHUP))

    def load_after_expiry(self, which=1):
        """A load that changes the moment of expiry to one soon, and another when that is over."""
        expires = datetime.datetime.fromtimestamp(int(time.time()) + 2, datetime.timezone.utc)
        self.load(lambda: self.write_policy(which, expires))
        wait_until(lambda: time.time() > expires.timestamp(), what="the expiry")
        self.load_unchanged()

    def closes(self):
        return [json.loads(line) for line in self.gateway.out.all() if '"policy-changed"' in line]

    def assert_ended(self, kinds, already=frozenset(), by=None):
        """The tunnels of these kinds end by a reset on both sides, before the monotonic clock says
        `by`, and each has an event that says why; no other does but those that have `already`."""
        by = by or time.monotonic() + PATIENCE
        poll = select.poll()
        for client, server in self.of(kinds):
            poll.register(client.sock, 0)  # POLLERR and POLLHUP are told unasked
            poll.register(server, 0)
        left = 2 * len(self.of(kinds))
        while left > 0:
            gone = poll.poll(max(0.0, by - time.monotonic()) * 1000)
            self.assertTrue(gone, f"{left} ends are still open")
            for descriptor, _ in gone:
                poll.unregister(descriptor)
            left -= len(gone)
        for client, server in self.of(kinds):
            self.assertEqual("reset", client.end())
            with self.assertRaises(ConnectionResetError):
                server.recv(1)
        expected = sorted((source, name, self.origins[origin].port)
                          for source, name, origin in kinds | already) * OF_EACH
        wait_until(lambda: len(self.closes()) >= len(expected),
                   what=f"{len(expected)} events of an end")
        events = self.closes()
        self.assertEqual(sorted(expected), sorted((e["client"], e["host"], e["port"])
                                                  for e in events))
        self.assertEqual({("close", "policy-changed")}, {(e["phase"], e["reason"]) for e in events})
        self.assertEqual(len(events), len({e["id"] for e in events}))
        self.assert_alive(ALL - kinds - already)

    def assert_none_ended(self, already=frozenset()):
        self.assert_alive(ALL - already)
        self.assertEqual(OF_EACH * len(already), len(self.closes()))

    def refused(self):
        """New tunnels of the kinds that the policy in force refuses."""
        refused = set()
        for source, name, origin in KINDS:
            with self.gateway.client(source) as client:
                if client.connect(f"{name}:{self.origins[origin].port}").status == 403:
                    refused.add((source, name, origin))
                else:
                    self.origins[origin].accept().close()
        return refused

    def test_keep_ends_none(self):
        self.start("keep")
        self.load_after_expiry(2)
        self.assertEqual(refused_by(*SECOND, EXPIRY), self.refused())
        self.assert_none_ended()

    def test_cut_ends_those_that_are_refused_and_no_other(self):
        self.start("cut")
        self.load_unchanged()
        self.assert_none_ended()
        self.load_after_expiry()
        expired = refused_by(EXPIRY)
        self.assert_ended(expired)
        self.load(lambda: self.write_policy(2))
        self.assert_ended(refused_by(*SECOND), already=expired)
        self.load(self.write_policy)
        self.load_unchanged()
        self.assert_none_ended(already=refused_by(*SECOND, EXPIRY))

    def test_drain_leaves_each_half_a_minute_from_when_it_is_refused(self):
        self.start("drain")
        began = time.monotonic()
        self.load_after_expiry(2)
        self.assertEqual(refused_by(*SECOND, EXPIRY), self.refused())
        self.assert_none_ended()
        # The third neither puts the end of the others off, nor is it early for its own.
        wait_until(lambda: time.monotonic() > began + DRAIN / 2, what="half the time")
        self.load(lambda: self.write_policy(3, expires=EARLIER))
        self.assertEqual(refused_by(CHANGE, LATE, EXPIRY), self.refused())
        self.assert_none_ended()
        first = refused_by(CHANGE, EXPIRY)
        self.assert_ended(first, by=began + DRAIN + 10)
        self.assertGreater(time.monotonic(), began + DRAIN)
        self.assert_ended(refused_by(LATE), already=first, by=began + 3 * DRAIN / 2 + PATIENCE)


if __name__ == "__main__":
    main()
