"""Reload (semantics 7): however a policy file is replaced, the new policy is in force for the next
request; a bad one changes nothing; nobody's connection suffers; and what becomes of live tunnels is
as --on-policy-change says."""

import mmap
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client import Client  # noqa: E402
from harness.client_hello import client_hello  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import HttpOrigin, TcpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import main  # noqa: E402

DRAIN = 30  # seconds; what `--on-policy-change drain` leaves a tunnel


def document(*hosts, deny=(), name="test", **entry):
    """A policy that allows the hosts on every port."""
    settings = {"ports": "[1-65535]", **entry}
    return "\n".join([
        "apiVersion: ebbgate.dev/v1alpha1", "kind: EgressPolicy", f"metadata: {{name: {name}}}",
        "spec:", "  allow:", f"    - hosts: [{', '.join(map(repr, hosts))}]",
        *(f"      {key}: {value}" for key, value in settings.items()),
        *(["  deny:", f"    - hosts: [{', '.join(map(repr, deny))}]"] if deny else []), ""])


class ReloadCase(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="ebbgate-reload-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.origin = self.enterContext(HttpOrigin(lambda seen: b"hello"))
        self.dns = self.enterContext(DnsServer({".test": Answer("127.0.0.1")}))

    def enterContext(self, context):  # unittest has it from Python 3.11.0 on
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def gateway(self, *flags, **options):
        return self.enterContext(Gateway(*flags, dns=self.dns, **options))

    def verdict(self, gateway, name):
        """The status of a request for the name, over a connection of its own."""
        with gateway.client() as client:
            return client.get(f"http://{name}:{self.origin.port}/").status

    def changes(self, gateway):
        """How many policies came into force."""
        return sum(" is in force: " in line for line in gateway.err.all())

    def assert_change(self, gateway, change, now, before):
        """`change()` brings a policy into force that allows the name `now` and not `before`."""
        self.assertEqual(200, self.verdict(gateway, before))
        self.assertEqual(403, self.verdict(gateway, now))
        seen = self.changes(gateway)
        change()
        wait_until(lambda: self.changes(gateway) > seen, what="the new policy")
        self.assertEqual(403, self.verdict(gateway, before))
        self.assertEqual(200, self.verdict(gateway, now))


class EveryWayToReplaceAFile(ReloadCase):
    def test_sighup(self):
        path = self.folder / "policy.yaml"
        path.write_text(document("a.test"))
        gateway = self.gateway("--policy", path)

        def change():
            # A change that inotify does not tell of, so that it is the signal that counts.
            with mmap.mmap(file.fileno(), 0) as memory:
                at = memory.find(b"a.test")
                memory[at:at + 6] = b"b.test"
            gateway.signal(signal.SIGHUP)

        with path.open("r+b") as file:
            self.assert_change(gateway, change, now="b.test", before="a.test")

    def test_a_plain_write(self):
        path = self.folder / "names.list"
        path.write_text("a.test:1-65535\n")
        gateway = self.gateway("--allow-file", path)
        self.assert_change(gateway, lambda: path.write_text("b.test:1-65535\n"),
                           now="b.test", before="a.test")

    def test_an_editors_rename(self):
        path = self.folder / "policy.yaml"
        path.write_text(document("a.test"))
        gateway = self.gateway("--policy", path)

        def replace(name):
            (self.folder / "policy.yaml.swp").write_text(document(name))
            os.rename(self.folder / "policy.yaml.swp", path)

        self.assert_change(gateway, lambda: replace("b.test"), now="b.test", before="a.test")
        self.assert_change(gateway, lambda: replace("a.test"), now="a.test", before="b.test")

    def config_map(self, number, name):
        """What the kubelet does to a mounted ConfigMap: a new revision, then one rename."""
        revision = self.folder / f"..revision-{number}"
        revision.mkdir()
        (revision / "policy.yaml").write_text(document(name))
        before = os.path.realpath(self.folder / "..data")
        os.symlink(revision.name, self.folder / "..data_tmp")
        os.rename(self.folder / "..data_tmp", self.folder / "..data")
        if number == 1:
            os.symlink("..data/policy.yaml", self.folder / "policy.yaml")
        else:
            shutil.rmtree(before)

    def test_a_config_map_as_a_file_and_as_a_directory(self):
        for watched in ("policy.yaml", ""):
            with self.subTest(watched=watched or "the directory"):
                self.config_map(1, "a.test")
                gateway = self.gateway("--policy", self.folder / watched)
                self.assert_change(gateway, lambda: self.config_map(2, "b.test"),
                                   now="b.test", before="a.test")
                self.assert_change(gateway, lambda: self.config_map(3, "a.test"),
                                   now="a.test", before="b.test")
                gateway.kill()
                for entry in self.folder.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() \
                        else entry.unlink()

    def test_files_that_come_to_a_directory_and_go(self):
        (self.folder / "1.yaml").write_text(document("a.test"))
        gateway = self.gateway("--policy", self.folder)

        def swap(new, name, old):
            (self.folder / new).write_text(document(name))
            (self.folder / old).unlink()

        self.assert_change(gateway, lambda: swap("2.yaml", "b.test", "1.yaml"),
                           now="b.test", before="a.test")
        self.assert_change(gateway, lambda: swap("0.yaml", "a.test", "2.yaml"),
                           now="a.test", before="b.test")

    def test_a_directory_that_is_replaced_as_a_whole(self):
        current, following = self.folder / "current", self.folder / "following"
        current.mkdir()
        (current / "policy.yaml").write_text(document("a.test"))
        gateway = self.gateway("--policy", current)

        def replace():
            following.mkdir()
            (following / "policy.yaml").write_text(document("b.test"))
            os.rename(current, self.folder / "former")
            os.rename(following, current)

        self.assert_change(gateway, replace, now="b.test", before="a.test")
        # What is now under that name is watched like what was there at the start.
        self.assert_change(gateway,
                           lambda: (current / "policy.yaml").write_text(document("a.test")),
                           now="a.test", before="b.test")

    def test_a_link_that_is_turned_and_then_its_new_target_written_to(self):
        link = self.folder / "policy.yaml"
        for number in (1, 2):
            (self.folder / f"{number}").mkdir()
            (self.folder / f"{number}" / "p.yaml").write_text(document("ab"[number - 1] + ".test"))
        link.symlink_to("1/p.yaml")
        gateway = self.gateway("--policy", link)

        def turn():
            (self.folder / "new").symlink_to("2/p.yaml")
            os.rename(self.folder / "new", link)

        self.assert_change(gateway, turn, now="b.test", before="a.test")
        self.assert_change(
            gateway, lambda: (self.folder / "2" / "p.yaml").write_text(document("a.test")),
            now="a.test", before="b.test")


class ABadFile(ReloadCase):
    def test_changes_nothing_and_is_reported(self):
        path = self.folder / "policy.yaml"
        path.write_text(document("a.test"))
        gateway = self.gateway("--policy", path, admin="127.0.0.1:0")
        metric = "ebbgate_policy_last_reload_successful"
        generation = gateway.metric("ebbgate_policy_generation")
        self.assertEqual(1, gateway.metric(metric))

        for broken, complaint in (
                (document("b.test").replace("hosts:", "host:"), r"policy\.yaml:6:\d+: error: "),
                ("{", r"policy\.yaml:\d+:\d+: error: "),
                (document("b.test/path"), r"policy\.yaml:6:\d+: error: .*b\.test/path"),
                (None, r"policy\.yaml: error: ")):
            with self.subTest(broken=broken):
                said = len(gateway.err.all())
                if broken is None:
                    path.unlink()
                else:
                    path.write_text(broken)
                self.assertTrue(gateway.err.wait_for(complaint, start=said), gateway.err.all())
                self.assertTrue(gateway.err.wait_for("the policy is unchanged", start=said))
                self.assertEqual(200, self.verdict(gateway, "a.test"))
                self.assertEqual(403, self.verdict(gateway, "b.test"))
                self.assertEqual(0, gateway.metric(metric))
                self.assertEqual(generation, gateway.metric("ebbgate_policy_generation"))
                self.assertEqual(200, gateway.page("/readyz").status)
                # Back to what is in force, so that the next broken one is news.
                said = gateway.metric('ebbgate_policy_reloads_total{result="success"}')
                path.write_text(document("a.test"))
                wait_until(lambda: gateway.metric(
                    'ebbgate_policy_reloads_total{result="success"}') > said)
                self.assertEqual(1, gateway.metric(metric))
        self.assert_change(gateway, lambda: path.write_text(document("b.test")),
                           now="b.test", before="a.test")


class ABadFileBesideAGoodOne(ReloadCase):
    def test_stays_as_it_was_while_the_good_one_takes_effect(self):
        folder = self.folder / "policies"
        folder.mkdir()
        (folder / "one.yaml").write_text(document("a.test", name="one"))
        (folder / "two.yaml").write_text(document("b.test", name="two"))
        gateway = self.gateway("--policy", folder, admin="127.0.0.1:0")
        metric = "ebbgate_policy_last_reload_successful"

        (folder / "two.yaml").write_text("{")
        self.assertTrue(gateway.err.wait_for("the policy is unchanged"), gateway.err.all())
        said = len(gateway.err.all())
        (folder / "one.yaml").write_text(document("c.test", name="one"))
        self.assertTrue(gateway.err.wait_for(r"two\.yaml: it stays as it was when last valid",
                                             start=said), gateway.err.all())
        self.assertTrue(gateway.err.wait_for(r"policy \w+ is in force", start=said))
        verdicts = [self.verdict(gateway, name) for name in ("a.test", "b.test", "c.test")]
        self.assertEqual([403, 200, 200], verdicts)
        self.assertEqual(0, gateway.metric(metric))

        said = len(gateway.err.all())
        (folder / "two.yaml").write_text(document("d.test", name="two"))
        self.assertTrue(gateway.err.wait_for(r"policy \w+ is in force", start=said))
        verdicts = [self.verdict(gateway, name) for name in ("b.test", "c.test", "d.test")]
        self.assertEqual([403, 200, 200], verdicts)
        self.assertEqual(1, gateway.metric(metric))


class UnderLoad(ReloadCase):
    def test_no_request_fails_and_none_sees_half_a_policy(self):
        """Two policies in turn, while clients of every kind ask for a name that one allows and the
        other denies. Each event has to be what the policy of its version says."""
        denying = document("*.test", deny=("a.test",), name="denying")
        allowing = document("a.test", name="allowing", tls="off")
        path = self.folder / "policy.yaml"
        path.write_text(denying)
        gateway = self.gateway("--policy", path, "--workers", "2")
        stop, failures, answered = threading.Event(), [], []
        target = f"a.test:{self.origin.port}"

        def ask(work):
            while not stop.is_set() and not failures:
                try:
                    answered.append(work())
                except Exception as error:  # whatever it is, a client saw it
                    failures.append(f"{work.__name__}: {error!r}")

        def one_get():
            with gateway.client() as client:
                return client.get(f"http://{target}/").status

        def one_tunnel():
            with gateway.client() as client:
                status = client.connect(target).status
                if status == 200:
                    assert client.get("/", Host=target).body == b"hello"
                return status

        def kept_alive(slot):
            slot.setdefault("client", gateway.client())
            status = slot["client"].get(f"http://{target}/").status
            if status != 200:  # a refusal closes
                slot.pop("client").close()
            return status

        def over_one_connection():
            slot = {}
            return lambda: kept_alive(slot)

        threads = [threading.Thread(target=ask, args=(work,)) for work in
                   (one_get, one_get, one_tunnel, one_tunnel, over_one_connection(),
                    over_one_connection())]
        for thread in threads:
            thread.start()
        try:
            for round_number in range(20):
                seen, asked = self.changes(gateway), len(answered)
                path.write_text(denying if round_number % 2 else allowing)
                if round_number % 3 == 0:
                    gateway.signal(signal.SIGHUP)
                wait_until(lambda: self.changes(gateway) > seen and len(answered) > asked + 20
                           or failures, what="the reload")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual([], failures)
        self.assertLessEqual(set(answered), {200, 403})
        self.assertEqual(0, gateway.stop())
        versions = {}
        for event in gateway.events():
            versions.setdefault(event["policyVersion"], set()).add(
                (event["verdict"], event["reason"], event["policy"], event["rule"]))
        allow_reasons = {"allowed", "client-closed", "origin-closed"}
        for outcomes in versions.values():
            self.assertEqual(1, len({policy for _, _, policy, _ in outcomes}), versions)
            if "denying" in {policy for _, _, policy, _ in outcomes}:
                self.assertEqual({("DENY", "denied-by-rule", "denying", "a.test")}, outcomes)
            else:
                self.assertEqual({"ALLOW"}, {verdict for verdict, *_ in outcomes})
                self.assertLessEqual({reason for _, reason, *_ in outcomes}, allow_reasons)
        self.assertEqual(2, len(versions))


class LiveTunnels(ReloadCase):
    """A tunnel to a name that goes, to one that stays, to one whose port goes, and to one whose
    address is denied later."""

    def setUp(self):
        super().setUp()
        self.first, self.second = (self.enterContext(TcpOrigin()) for _ in range(2))
        self.path = self.folder / "policy.yaml"
        self.dns.zone["moved.test"] = Answer("127.0.0.2")
        self.elsewhere = self.enterContext(TcpOrigin("127.0.0.2"))

    def open_tunnels(self, behaviour):
        self.path.write_text(document(
            "stays.test", "goes.test", "moved.test", sni="off", tls="off"))
        gateway = self.gateway("--policy", self.path, "--on-policy-change", behaviour)
        targets = {"stays": ("stays.test", self.first), "goes": ("goes.test", self.first),
                   "port": ("stays.test", self.second), "address": ("moved.test", self.elsewhere)}
        tunnels = {}
        for key, (name, origin) in targets.items():
            client = self.enterContext(gateway.client())
            self.assertEqual(200, client.connect(f"{name}:{origin.port}").status)
            server = origin.accept()
            self.addCleanup(server.close)
            tunnels[key] = client, server
            self.assert_alive(tunnels[key])
        return gateway, tunnels

    def change_policy(self, gateway):
        seen = self.changes(gateway)
        self.path.write_text(document("stays.test", "moved.test", deny=("127.0.0.2",), sni="off",
                                      tls="off", ports=f"[{self.first.port}, "
                                                       f"{self.elsewhere.port}]"))
        wait_until(lambda: self.changes(gateway) > seen, what="the new policy")

    def assert_alive(self, tunnel):
        client, server = tunnel
        client.send(b"ping")
        self.assertEqual(b"ping", server.recv(4))
        server.sendall(b"pong")
        self.assertEqual(b"pong", client.receive(4))

    def test_keep_leaves_all_of_them(self):
        gateway, tunnels = self.open_tunnels("keep")
        self.change_policy(gateway)
        self.assertEqual(403, self.verdict(gateway, "goes.test"))
        for tunnel in tunnels.values():
            self.assert_alive(tunnel)

    def assert_cut(self, gateway, tunnels, octets, patience):
        closed = gateway.out.wait_for(
            lambda text: '"policy-changed"' in text, patience=patience)
        self.assertTrue(closed)
        for key in ("goes", "port", "address"):
            client, server = tunnels[key]
            self.assertEqual("reset", client.end(), key)
            with self.assertRaises(ConnectionResetError, msg=key):
                server.recv(1)
        self.assert_alive(tunnels["stays"])
        wait_until(lambda: sum(e["phase"] == "close" for e in gateway.events()) == 3)
        self.assertEqual(
            {("policy-changed", name, port, octets, octets) for name, port in (
                ("goes.test", self.first.port), ("stays.test", self.second.port),
                ("moved.test", self.elsewhere.port))},
            {(e["reason"], e["host"], e["port"], e["bytesIn"] - self.opened(gateway, e, "bytesIn"),
              e["bytesOut"] - self.opened(gateway, e, "bytesOut"))
             for e in gateway.events() if e["phase"] == "close"})

    @staticmethod
    def opened(gateway, event, key):
        """The same figure of the event that opened the tunnel."""
        return next(e[key] for e in gateway.events()
                    if e["id"] == event["id"] and e["phase"] == "open")

    def test_cut_ends_those_that_are_refused_now(self):
        gateway, tunnels = self.open_tunnels("cut")
        self.change_policy(gateway)
        self.assert_cut(gateway, tunnels, octets=4, patience=20)

    def test_drain_gives_them_half_a_minute(self):
        gateway, tunnels = self.open_tunnels("drain")
        self.change_policy(gateway)
        for tunnel in tunnels.values():
            self.assert_alive(tunnel)
        self.assert_cut(gateway, tunnels, octets=8, patience=DRAIN + 20)

    def test_cut_holds_for_a_tunnel_that_is_still_in_its_handshake(self):
        self.path.write_text(document("goes.test", "stays.test"))
        gateway = self.gateway("--policy", self.path, "--on-policy-change", "cut")
        clients = {}
        for name in ("goes.test", "stays.test"):
            clients[name] = self.enterContext(gateway.client())
            self.assertEqual(200, clients[name].connect(f"{name}:{self.first.port}").status)
        servers = [self.first.accept() for _ in clients]
        for server in servers:
            self.addCleanup(server.close)
        seen = self.changes(gateway)
        self.path.write_text(document("stays.test"))
        wait_until(lambda: self.changes(gateway) > seen, what="the new policy")
        for name, client in clients.items():
            client.send(client_hello(name))
        self.assertEqual("reset", clients["goes.test"].end())
        self.assertTrue(gateway.wait_for_event(host="goes.test", reason="policy-changed"))
        self.assertTrue(gateway.wait_for_event(host="stays.test", phase="open", reason="allowed"))
        self.assertEqual(b"\x16", servers[1].recv(1))
        self.assertTrue(clients["stays.test"].is_open())


if __name__ == "__main__":
    main()
