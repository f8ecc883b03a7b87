# labels: kube
"""Policies as resources (`--kube`): what a namespace may allow, what becomes of resources that are
invalid, what their status and events say, and what a change of them does to open tunnels."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.client_hello import client_hello  # noqa: E402
from harness.kube.gateways import OUTSIDE, Site, Timer  # noqa: E402
from harness.origins import TcpOrigin  # noqa: E402
from harness.process import PATIENCE, wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

SHOP, CI = "127.0.1.1", "127.0.1.2"  # a pod of each namespace
BAD = "https://x.test/"              # no host, although the type takes it


class PolicyCase(Case):
    def setUp(self):
        self.site = self.enter(Site())
        self.cluster = self.site.cluster
        for name, ip in (("shop", SHOP), ("ci", CI)):
            self.site.namespace(name)
            self.cluster.run_pod("pod", name, ip)
        self.site.allow("everyone", "common.test")
        self.site.delegate("teams", ["shop", "ci"], ".team.test")

    def start(self, *flags, **options):
        self.gateway = self.enter(self.site.gateway(*flags, **options))
        self.gateway.wait_until_ready()
        return self.gateway

    def wait(self, reason, source, host, gateway=None):
        (gateway or self.gateway).wait_for_reason(reason, source, host)

    def assert_reason(self, reason, source, host):
        self.assertEqual(reason, self.gateway.reason(source, host), f"{host} for {source}")

    def assert_within_rights(self):
        """The rights of deploy/kubernetes are enough: nothing was refused to the gateway."""
        self.assertEqual([], [call for call in self.cluster.requests if call.status == 403])


class Delegation(PolicyCase):
    def test_a_namespace_allows_within_what_is_delegated_to_it_and_denies_for_its_own(self):
        site = self.site
        site.write("own", "shop", allow=[site.entry("a.team.test", "beyond.test")],
                   deny=[{"hosts": ["common.test"]}])
        site.allow("own", "*.team.test", namespace="ci",
                   subjects=[{"serviceAccount": "default"}])
        site.allow("beyond", "beyond.test", namespace="ci")
        site.allow("mine", "b.team.test", namespace="ci", subjects=[{"serviceAccount": "other"}])
        site.namespace("poor")
        site.allow("own", "a.team.test", namespace="poor")
        self.cluster.run_pod("pod", "poor", "127.0.1.3")
        self.start()
        for reason, source, host in (
                ("allowed", SHOP, "a.team.test"), ("not-allowed", SHOP, "b.team.test"),
                ("not-allowed", SHOP, "beyond.test"), ("denied-by-rule", SHOP, "common.test"),
                ("allowed", CI, "a.team.test"), ("allowed", CI, "b.team.test"),
                ("not-allowed", CI, "team.test"), ("not-allowed", CI, "beyond.test"),
                ("allowed", CI, "common.test"), ("not-allowed", "127.0.1.3", "a.team.test"),
                ("not-allowed", OUTSIDE, "a.team.test"), ("allowed", OUTSIDE, "common.test")):
            self.assert_reason(reason, source, host)
        self.assertEqual("shop/own", self.gateway.wait_for_event(
            client=SHOP, host="a.team.test")["policy"])

        for name, namespace, accepted in (("own", "shop", ("True", "PartlyDelegated")),
                                          ("own", "ci", ("True", "Accepted")),
                                          ("own", "poor", ("False", "NotDelegated")),
                                          ("teams", None, ("True", "Accepted"))):
            site.wait_for_status(name, namespace)
            self.assertEqual(accepted, site.conditions(name, namespace)["Accepted"], namespace)
        self.assertIn("beyond.test", json.dumps(site.status("own", "shop")["problems"]))

        site.delegate("more", ["*"], "beyond.test", "a.team.test")
        self.wait("allowed", SHOP, "beyond.test")
        self.wait("allowed", "127.0.1.3", "a.team.test")
        site.remove("more")
        self.wait("not-allowed", SHOP, "beyond.test")
        site.remove("own", "shop")
        self.wait("allowed", SHOP, "common.test")
        self.assert_reason("not-allowed", SHOP, "a.team.test")
        # The namespace goes with all that is in it; the others stay.
        self.cluster.delete("namespaces", "ci")
        self.wait("not-allowed", CI, "a.team.test")
        self.wait("allowed", CI, "common.test")
        self.assert_reason("allowed", SHOP, "common.test")
        self.assert_within_rights()


class Files(PolicyCase):
    def test_they_add_up_with_the_cluster_and_each_keeps_its_own_last_good_form(self):
        site, path = self.site, self.scratch() / "policy.yaml"

        def write_file(host, denied="common.test"):
            path.write_text(json.dumps({
                "apiVersion": "ebbgate.dev/v1alpha1", "kind": "EgressPolicy",
                "metadata": {"name": "file"}, "spec": {
                    "subjects": [{"namespace": "shop"}], "allow": [site.entry(host)],
                    "deny": [{"hosts": [denied]}]}}))

        write_file("file.test")
        site.allow("own", "a.team.test", namespace="shop")
        gateway = self.start("--policy", path)
        for reason, source, host in (
                ("allowed", SHOP, "file.test"), ("denied-by-rule", SHOP, "common.test"),
                ("allowed", SHOP, "a.team.test"), ("not-allowed", CI, "file.test"),
                ("allowed", CI, "common.test")):
            self.assert_reason(reason, source, host)
        # One that is invalid keeps back neither the others nor those of the cluster.
        said = len(gateway.err.all())
        write_file(BAD)
        site.wait_for_log(gateway, "policy.yaml.*scheme", said)
        site.allow("own", "b.team.test", namespace="shop")
        self.wait("allowed", SHOP, "b.team.test")
        self.assert_reason("allowed", SHOP, "file.test")
        self.assert_reason("denied-by-rule", SHOP, "common.test")
        site.wait_for_status("own", "shop", "1 of 1 gateways")
        write_file("new.test", denied="b.team.test")
        self.wait("denied-by-rule", SHOP, "b.team.test")
        self.assert_reason("allowed", SHOP, "new.test")


class Invalid(PolicyCase):
    def test_the_last_good_form_is_kept_and_the_others_go_on(self):
        site = self.site
        site.allow("own", "a.team.test", namespace="shop")
        gateway = self.start()
        self.wait("allowed", SHOP, "a.team.test")
        site.wait_for_status("own", "shop", gateways=1)
        for name, namespace, host in (("own", "shop", "a.team.test"),
                                      ("everyone", None, "common.test")):
            site.write(name, namespace, allow=[{"hosts": ["b.team.test", BAD]}])
            status = site.wait_for_status(name, namespace, "generation 1 stays in force")
            self.assertEqual({"Accepted": ("False", "Invalid"),
                              "Programmed": ("False", "LastGoodKept")},
                             site.conditions(name, namespace))
            self.assertEqual(("error", "spec.allow[0].hosts[1]"),
                             tuple(status["problems"][0][key] for key in ("severity", "where")))
            self.assertEqual([("LastGoodKept", "Warning")], site.events(name))
            self.assert_reason("allowed", SHOP, host)
            self.assert_reason("not-allowed", SHOP, "b.team.test")
            self.assertEqual(200, gateway.ready_status())
        self.assertEqual(2, gateway.policies("kept"))
        site.allow("new", "new.test")
        self.wait("allowed", CI, "new.test")
        self.assert_reason("allowed", SHOP, "a.team.test")

        site.allow("own", "b.team.test", namespace="shop")
        self.wait("allowed", SHOP, "b.team.test")
        self.assert_reason("not-allowed", SHOP, "a.team.test")
        site.wait_for_status("own", "shop", "1 of 1 gateways")
        # That it is over is told when a minute has passed since.
        self.assertEqual([("LastGoodKept", "Warning")], site.events("own"))
        self.assertNotIn("problems", site.status("own", "shop"))
        self.assertEqual({"events.k8s.io"}, {
            call.group for call in self.cluster.calls("create", "events")})
        # What is invalid is in force no more once it is deleted.
        site.remove("everyone")
        self.wait("not-allowed", SHOP, "common.test")
        self.assertEqual(0, gateway.policies("kept"))
        self.assert_within_rights()

    def test_one_of_a_namespace_that_never_was_good_closes_that_namespace_alone(self):
        site = self.site
        gateway = self.start()
        for document in ({"allow": [{"hosts": [BAD]}]},
                         {"allow": [site.entry("a.team.test")], "unknown": 1},
                         {"mode": "report", "allow": [site.entry("a.team.test")]}):
            site.write("own", "shop", **document)
            self.wait("policy-invalid", SHOP, "common.test")
            self.assert_reason("policy-invalid", SHOP, "a.team.test")
            self.assert_reason("allowed", CI, "common.test")
            self.assert_reason("allowed", OUTSIDE, "common.test")
            self.assertEqual(200, gateway.ready_status())
            site.wait_for_status("own", "shop", "refused", gateways=0)
            self.assertEqual(("False", "NamespaceClosed"),
                             site.conditions("own", "shop")["Programmed"])
            # One a minute, though it was deleted and made anew.
            self.assertEqual([("NamespaceClosed", "Warning")], site.events("own"))
            event = gateway.wait_for_event(client=SHOP, reason="policy-invalid")
            self.assertEqual("shop", event["subject"]["namespace"])
            site.remove("own", "shop")
            self.wait("allowed", SHOP, "common.test")
        site.write("own", "shop", allow=[{"hosts": [BAD]}])
        self.wait("policy-invalid", SHOP, "common.test")
        site.allow("own", "a.team.test", namespace="shop")
        self.wait("allowed", SHOP, "a.team.test")
        self.assert_reason("allowed", SHOP, "common.test")

    def test_one_of_the_cluster_that_never_was_good_holds_up_every_change(self):
        site = self.site
        gateway = self.start()
        site.write("bad", allow=[{"hosts": [BAD]}])
        site.wait_for_status("bad", None, "no gateway takes any new policy", gateways=0)
        self.assertEqual(1, gateway.policies("missing"))
        site.allow("everyone", "new.test")
        site.wait_for_status("everyone", None, "generation 1 stays in force")
        self.assertEqual(("False", "Pending"), site.conditions("everyone")["Programmed"])
        self.assert_reason("not-allowed", CI, "new.test")
        self.assert_reason("allowed", CI, "common.test")
        self.assertEqual(200, gateway.ready_status())
        # A gateway that starts now has no policy at all.
        second = self.enter(site.gateway(name="gw-2"))
        second.site.wait_for_log(second, "bad")
        self.assertEqual(503, second.ready_status())
        self.assertEqual("no-policy", second.reason(OUTSIDE, "common.test"))
        site.allow("bad", "mended.test")
        second.wait_until_ready()
        for each in (gateway, second):
            self.wait("allowed", CI, "mended.test", each)
            self.wait("allowed", CI, "new.test", each)
        site.wait_for_status("everyone", None, "2 of 2 gateways", gateways=2)
        self.assert_within_rights()


class Status(PolicyCase):
    def test_it_counts_the_gateways_that_live_and_the_first_of_them_writes_it(self):
        site = self.site
        site.write("own", "shop", allow=[site.entry("a.team.test"), site.entry("b.team.test")],
                   deny=[{"hosts": ["c.team.test"]}])
        first = self.start(name="gw-1")
        status = site.wait_for_status("own", "shop", "in force on 1 of 1 gateways")
        self.assertEqual((1, 2, 1), (status["gateways"], status["allow"], status["deny"]))
        self.assertEqual({"Accepted": ("True", "Accepted"), "Programmed": ("True", "Programmed")},
                         site.conditions("own", "shop"))
        site.wait_for_status("everyone", None, "1 of 1")
        self.assertEqual([], site.events("own"))  # that all is well is no news
        self.assertEqual(["ebbgate-gw-1"], site.leases())
        lease = self.cluster.get("leases", "ebbgate-gw-1", "ebbgate-system")
        self.assertEqual("gateway", lease["metadata"]["labels"]["app.kubernetes.io/component"])
        self.assertTrue(lease["metadata"]["annotations"]["ebbgate.dev/policy"])
        self.assertEqual(1, first.metric("ebbgate_kube_reporter"))

        other = self.enter(site.gateway(name="gw-0"))
        other.wait_until_ready()
        wait_until(lambda: other.metric("ebbgate_kube_reporter") == 1, what="another reporter")
        wait_until(lambda: first.metric("ebbgate_kube_reporter") == 0, what="one reporter")
        site.allow("everyone", "new.test")
        site.wait_for_status("everyone", None, "2 of 2 gateways", gateways=2)
        self.assertEqual(2, first.metric("ebbgate_kube_gateways"))

        self.assertEqual(0, other.stop())  # SIGTERM: its Lease goes with it
        wait_until(lambda: site.leases() == ["ebbgate-gw-1"], what="one Lease")
        wait_until(lambda: first.metric("ebbgate_kube_reporter") == 1, what="the first again")
        site.allow("everyone", "newer.test")
        site.wait_for_status("everyone", None, "1 of 1 gateways", gateways=1)
        # Nothing is written over and over.
        patches = len(self.cluster.calls("patch", "egresspolicies"))
        site.allow("everyone", "newest.test")
        site.wait_for_status("everyone", None, "1 of 1 gateways")
        self.assertEqual(patches, len(self.cluster.calls("patch", "egresspolicies")))
        self.assert_within_rights()


class Tunnels(PolicyCase):
    def test_those_that_a_namespaces_policy_no_longer_allows_are_cut_and_no_others(self):
        server = self.enter(TcpOrigin())
        entry = {"hosts": ["a.team.test"], "ports": [server.port]}
        self.site.write("teams", delegate={"namespaces": ["shop", "ci"], **entry})
        for namespace in ("shop", "ci"):
            self.site.write("own", namespace, allow=[entry])
        gateway = self.start("--on-policy-change", "cut")
        tunnels = {}
        for source in (SHOP, CI):
            client = self.enter(gateway.client(source))
            self.assertEqual(200, client.connect(f"a.team.test:{server.port}").status)
            client.send(client_hello("a.team.test"))
            behind = self.enter(server.accept())
            self.assertTrue(behind.recv(4096))
            tunnels[source] = (client, behind)
        self.site.allow("own", "b.team.test", namespace="shop")
        self.assertEqual("reset", tunnels[SHOP][0].end())
        event = gateway.wait_for_event(client=SHOP, phase="close", reason="policy-changed")
        self.assertEqual("pod", event["subject"]["kind"])
        client, behind = tunnels[CI]
        behind.sendall(b"still here")
        self.assertEqual(b"still here", client.receive(10))
        # A namespace that is closed loses its own.
        self.site.write("new", "ci", allow=[{"hosts": [BAD]}])
        self.assertEqual("reset", client.end())


class Upgrade(PolicyCase):
    def test_a_successor_takes_over_once_it_knows_policies_and_pods(self):
        site = self.site
        site.allow("pods", "pods.test", subjects=[{"namespace": "shop"}])
        gateway = self.start()
        site.wait_for_status("pods", None, "1 of 1 gateways")
        self.cluster.faults.next("list", "pods", "403", count=None)
        said = len(gateway.err.all())
        gateway.signal(signal.SIGUSR2)
        site.wait_for_log(gateway, "pods", said)  # the successor's
        for _ in range(5):
            self.assert_reason("allowed", SHOP, "pods.test")
        self.assertTrue(gateway.is_running())
        self.cluster.faults.clear()
        line = site.wait_for_log(gateway, r"process \d+ has taken over")
        successor = int(re.search(r"process (\d+)", line)[1])
        self.addCleanup(self.end, successor, signal.SIGKILL)
        for _ in range(5):
            self.assert_reason("allowed", SHOP, "pods.test")
        self.assertEqual(0, gateway.wait())
        # The Lease is the successor's now, and did not go with the old process.
        site.allow("everyone", "new.test")
        self.wait("allowed", SHOP, "new.test")
        site.wait_for_status("everyone", None, "1 of 1 gateways", gateways=1)
        self.assertEqual(["ebbgate-gw-1"], site.leases())
        self.end(successor, signal.SIGTERM)
        wait_until(lambda: site.leases() == [], what="no Lease")

    @staticmethod
    def end(pid, how):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


class Size(PolicyCase):
    ENTRIES, PODS, CHANGES = 10_000, 5_000, 1_000
    is_alone = True  # it measures

    def test_a_large_policy_and_many_changes_hinder_nobody(self):
        site = self.site
        site.write("large", allow=[site.entry(f"h{number}.large.test")
                                   for number in range(self.ENTRIES)])
        self.cluster.populate(self.PODS, "shop")
        begin = time.monotonic()
        gateway = self.start()
        wait_until(lambda: gateway.metric("ebbgate_kube_pods") == self.PODS + 2, what="all pods")
        self.assertLess(time.monotonic() - begin, 15)
        self.assert_reason("allowed", SHOP, f"h{self.ENTRIES - 1}.large.test")
        self.assert_reason("not-allowed", SHOP, f"h{self.ENTRIES}.large.test")

        stop, failed, slowest, served = threading.Event(), [], [0.0], [0]

        def ask(source):
            with gateway.client(source) as client:
                while not stop.is_set():
                    with Timer() as timer:
                        reason = gateway.reason_for(client, "common.test")
                    if reason != "allowed":
                        failed.append(reason)
                    slowest.append(timer.seconds)
                    served[0] += 1

        threads = [threading.Thread(target=ask, args=(source,)) for source in (SHOP, CI, OUTSIDE)]
        for thread in threads:
            thread.start()
        try:
            for number in range(self.CHANGES):
                if number % 10 == 0:  # in the midst of requests
                    before = served[0]
                    wait_until(lambda: served[0] > before, what="more requests")
                if number % 2:
                    site.allow(f"own-{number % 50}", f"n{number}.team.test", namespace="shop")
                else:
                    self.cluster.change("pods", f"pod-{number:06d}", "shop", lambda pod: pod[
                        "metadata"]["labels"].update(number=str(number)))
            site.allow("last", "last.team.test", namespace="ci")
            self.wait("allowed", CI, "last.team.test")
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE)
        self.assertEqual([], failed)
        self.assertFalse(any(thread.is_alive() for thread in threads))
        self.assertGreater(served[0], self.CHANGES / 10)
        self.assertLess(max(slowest), 1)
        self.assert_reason("allowed", SHOP, f"n{self.CHANGES - 1}.team.test")
        self.assert_reason("allowed", SHOP, "h0.large.test")


class RealCluster(Case):
    """Of the cluster that KUBECONFIG names, if it does; nothing is written to it."""

    def test_its_policies_are_read(self):
        if not os.environ.get("KUBECONFIG"):
            self.skipTest("KUBECONFIG names no cluster")
        probe = subprocess.Popen([os.environ["EBBGATE_KUBE_PROBE"]], text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with probe:
            for plural in ("egresspolicies", "clusteregresspolicies"):
                said = {}
                for what in ("serves", "list"):
                    probe.stdin.write(json.dumps({"do": what, "group": "ebbgate.dev", "plural": plural,
                                                  "version": "v1alpha1"}) + "\n")
                    probe.stdin.flush()
                    said[what] = json.loads(probe.stdout.readline())
                    if said == {"serves": {"value": False}}:
                        self.skipTest("its API does not serve the policies")
                    self.assertIn("value", said[what])
            probe.stdin.close()


if __name__ == "__main__":
    main(at_once=4)
