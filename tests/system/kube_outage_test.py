# labels: kube
"""What becomes of gateways when the API server is away, broken, refuses them or has another time
(`--kube`): the last policy stays in force, it is said once, and what changed meanwhile is made up
for. Before there is a policy, nothing passes."""

import datetime
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.kube.gateways import HOME, OUTSIDE, Site, may_mount  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

SHOP, CI = "127.0.1.1", "127.0.1.2"  # a pod of each namespace
KINDS = {"pods": "pods", "policies": "egresspolicies", "cluster-policies": "clusteregresspolicies"}
POLICIES = ("egresspolicies", "clusteregresspolicies")


class OutageCase(Case):
    def setUp(self):
        self.site = self.enter(Site())
        self.cluster = self.site.cluster
        for name, ip in (("shop", SHOP), ("ci", CI)):
            self.site.namespace(name)
            self.cluster.run_pod("pod", name, ip)
        self.write_policies()

    def write_policies(self):
        self.site.allow("everyone", "common.test")
        self.site.delegate("teams", ["shop", "ci"], ".team.test")
        self.site.allow("own", "a.team.test", namespace="shop")

    def start(self, *flags, **options):
        self.gateway = self.enter(self.site.gateway(*flags, **options))
        return self.gateway

    def wait(self, reason, source, host):
        self.gateway.wait_for_reason(reason, source, host)

    def assert_reason(self, reason, source, host):
        self.assertEqual(reason, self.gateway.reason(source, host), f"{host} for {source}")

    def assert_no_policy(self):
        self.assertEqual(503, self.gateway.ready_status())
        self.assert_reason("no-policy", SHOP, "common.test")

    def wait_for_watches(self, are_lost):
        for kind in KINDS:
            wait_until(lambda: (self.gateway.lost(kind) > 0) == are_lost,
                       what=f"{'loss' if are_lost else 'watch'} of {kind}")

    def end_streams(self):
        """As the API does now and then; the next ones meet what faults are ordered."""
        watches = self.cluster.watches
        for watch in watches:
            watch.close()
        wait_until(lambda: all(watch.over for watch in watches), what="the end of the streams")


class Beginning(OutageCase):
    def test_nothing_passes_until_both_lists_have_come_whole(self):
        for missing in POLICIES:
            with self.subTest(missing):
                self.cluster.faults.next("list", missing, "403", count=None)
                gateway = self.start()
                other = next(each for each in POLICIES if each != missing)
                wait_until(lambda: self.cluster.calls("watch", other), what="the other list")
                wait_until(lambda: self.cluster.calls("list", missing), what="a list")
                self.assert_no_policy()
                self.assertEqual([], self.cluster.calls("patch", "clusteregresspolicies"))
                self.cluster.faults.clear()
                gateway.wait_until_ready()
                self.assert_reason("allowed", SHOP, "a.team.test")
                gateway.stop()
                self.cluster.requests.clear()

    def test_types_may_come_after_the_gateway(self):
        self.site = self.enter(Site(types=False))
        self.cluster = self.site.cluster
        gateway = self.start()
        self.site.wait_for_log(gateway, "egresspolicies.ebbgate.dev")
        self.assert_no_policy()
        self.site.install_types()
        for name, ip in (("shop", SHOP), ("ci", CI)):
            self.site.namespace(name)
            self.cluster.run_pod("pod", name, ip)
        self.write_policies()
        gateway.wait_until_ready()
        self.wait("allowed", SHOP, "a.team.test")
        self.site.wait_for_status("own", "shop", gateways=1)

    def test_a_gateway_that_starts_without_the_api_has_no_policy(self):
        self.cluster.down()
        self.start()
        self.assert_no_policy()
        self.cluster.up()
        self.gateway.wait_until_ready()
        self.assert_reason("allowed", SHOP, "a.team.test")


class Away(OutageCase):
    def setUp(self):
        super().setUp()
        self.start()
        self.gateway.wait_until_ready()
        self.wait("allowed", SHOP, "a.team.test")
        self.site.wait_for_status("own", "shop", gateways=1)

    def test_the_last_policy_stays_in_force_and_changes_are_made_up_for(self):
        gateway = self.gateway
        self.wait_for_watches(are_lost=False)
        for is_forgotten in (False, True):  # the second time the API has forgotten the versions
            before = len(gateway.err.all())
            self.cluster.down()
            self.wait_for_watches(are_lost=True)
            lost = gateway.lost("policies")
            self.assert_reason("allowed", SHOP, "a.team.test")
            self.assert_reason("not-allowed", CI, "a.team.test")
            self.assertEqual(200, gateway.ready_status())
            self.site.allow("own", "b.team.test", namespace="shop")
            self.site.allow("own", "a.team.test", namespace="ci")
            self.cluster.delete("pods", "pod", "shop")
            self.cluster.run_pod("pod", "shop", "127.0.1.3")
            wait_until(lambda: gateway.lost("policies") > lost, what="a longer loss")
            said = gateway.err.all()[before:]
            for resource in KINDS.values():
                self.assertEqual(1, sum(bool(re.search(rf"\b{resource}\b", line))
                                        for line in said), said)
            if is_forgotten:
                self.cluster.compact()
            self.cluster.up()
            self.wait("allowed", "127.0.1.3", "b.team.test")
            self.wait("allowed", CI, "a.team.test")
            self.assert_reason("not-allowed", SHOP, "b.team.test")
            self.wait_for_watches(are_lost=False)
            self.site.wait_for_status("own", "shop", "1 of 1")
            # As it was.
            self.site.allow("own", "a.team.test", namespace="shop")
            self.site.remove("own", "ci")
            self.cluster.delete("pods", "pod", "shop")
            self.cluster.run_pod("pod", "shop", SHOP)
            self.wait("allowed", SHOP, "a.team.test")
            self.wait("not-allowed", CI, "a.team.test")

    def test_a_policy_may_be_too_old_to_be_gone_by(self):
        strict = self.enter(self.site.gateway("--policy-max-age", "1s", name="gw-2"))
        strict.wait_until_ready()
        strict.wait_for_reason("allowed", SHOP, "a.team.test")
        self.cluster.down()
        strict.wait_for_reason("policy-too-old", SHOP, "a.team.test")
        self.assert_reason("allowed", SHOP, "a.team.test")  # of the other gateway
        self.cluster.up()
        strict.wait_for_reason("allowed", SHOP, "a.team.test")

    def change_all(self, mark):
        """Changes an object of each kind, and waits until that counts."""
        self.site.allow("own", f"{mark}.team.test", namespace="shop")
        self.site.allow("new", f"{mark}.test",
                        subjects=[{"namespace": "ci", "podLabels": {"mark": mark}}])
        self.cluster.change("pods", "pod", "ci", lambda pod: pod["metadata"].update(
            labels={"mark": mark}))
        self.wait("allowed", SHOP, f"{mark}.team.test")
        self.wait("allowed", CI, f"{mark}.test")

    def ask_all_along(self):
        """Asks until the end of the test what never changes; gives the answers that were wrong."""
        self.site.allow("steady", "steady.test", subjects=[{"namespace": "shop"}])
        self.wait("allowed", SHOP, "steady.test")
        stop, wrong = threading.Event(), []

        def ask():
            while not stop.is_set():
                for source, wanted in ((SHOP, "allowed"), (CI, "not-allowed")):
                    reason = self.gateway.reason(source, "steady.test")
                    if reason != wanted:
                        wrong.append((source, reason))
        thread = threading.Thread(target=ask)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        return wrong

    def test_broken_streams_and_lists_lose_nothing(self):
        wrong = self.ask_all_along()
        faults = ["gone", "torn", "garbage", "401", "500", "reset"]  # all: kube_client_test
        kinds = list(KINDS.values())
        for number in range(0, len(faults), len(kinds)):
            self.change_all(f"before-{number}")
            for kind, fault in zip(kinds, faults[number:]):
                self.cluster.faults.next("watch", kind, fault)
            self.end_streams()
            self.change_all(f"after-{number}")
            wait_until(lambda: self.cluster.faults.pending() == 0, what="every fault")
        # Lists that come in part are none.
        for kind, fault in zip(kinds, ("truncated", "malformed", "html")):
            self.cluster.faults.next("list", kind, fault)
            self.cluster.faults.next("watch", kind, "gone")
        self.end_streams()
        wait_until(lambda: self.cluster.faults.pending() == 0, what="every fault")
        self.change_all("lists")
        self.assertEqual([], wrong)

    def test_an_api_that_is_busy_is_left_alone_for_as_long_as_it_asks(self):
        seconds = 2
        for kind in KINDS.values():
            self.cluster.faults.next("watch", kind, "429", retry_after=seconds)
        self.cluster.requests.clear()
        self.end_streams()
        self.site.allow("own", "b.team.test", namespace="shop")
        self.wait("allowed", SHOP, "b.team.test")
        for kind in KINDS.values():
            wait_until(lambda: len(self.cluster.calls("watch", kind)) > 1, what="another try")
            busy, again = self.cluster.calls("watch", kind)[:2]
            self.assertEqual(429, busy.status)
            self.assertGreaterEqual(again.time - busy.time, seconds - 0.1)


class Credentials(OutageCase):
    def test_a_pod_uses_its_account_and_its_renewed_token(self):
        if not may_mount():
            self.skipTest("no mounts of our own")
        environment, folder = self.cluster.in_cluster()
        gateway = self.start(account=folder, environment=environment)
        gateway.wait_until_ready()
        self.wait("allowed", SHOP, "a.team.test")
        self.site.wait_for_status("own", "shop", gateways=1)
        self.assertEqual({f"system:serviceaccount:{HOME}:ebbgate"},
                         {call.user for call in self.cluster.requests if call.user})
        # The token expires before the kubelet has renewed it.
        self.cluster.clock.advance(2 * 3600)
        self.end_streams()
        wait_until(lambda: [call for call in self.cluster.calls("watch") if call.status == 401])
        self.assert_reason("allowed", SHOP, "a.team.test")
        self.assertEqual(200, gateway.ready_status())
        self.cluster.renew(folder)
        self.site.allow("own", "b.team.test", namespace="shop")
        self.wait("allowed", SHOP, "b.team.test")
        self.site.wait_for_status("own", "shop", "1 of 1")

    def test_a_right_that_is_missing_takes_its_part_only(self):
        role = self.cluster.get("clusterroles", "ebbgate-gateway")
        leases = self.cluster.get("roles", "ebbgate-gateway", HOME)

        def give(cluster_rules, rules):
            self.cluster.change("clusterroles", "ebbgate-gateway", None,
                                lambda each: each.update(rules=cluster_rules))
            self.cluster.change("roles", "ebbgate-gateway", HOME,
                                lambda each: each.update(rules=rules))

        give([each for each in role["rules"] if "egresspolicies" in each["resources"]], [])
        gateway = self.start()
        wait_until(lambda: b"no-pods" in gateway.page("/readyz").body and
                   b"no-policy" not in gateway.page("/readyz").body, what="policies alone")
        self.assert_reason("allowed", OUTSIDE, "common.test")
        self.assert_reason("not-allowed", SHOP, "a.team.test")  # nobody knows that it is a pod
        for what in ("pods", "Lease"):
            self.site.wait_for_log(gateway, what)
            self.assertEqual(1, sum(what in line for line in gateway.err.all()), what)
        self.assertEqual({}, self.site.status("own", "shop"))
        # With Leases, but without the right to write a status.
        give([each for each in role["rules"] if "pods" in each["resources"]
              or "egresspolicies" in each["resources"]], leases["rules"])
        self.wait("allowed", SHOP, "a.team.test")
        self.site.wait_for_log(gateway, "status")
        failures = gateway.metric("ebbgate_kube_status_failures_total")
        wait_until(lambda: gateway.metric("ebbgate_kube_status_failures_total") > failures)
        self.assertEqual(1, sum("status" in line for line in gateway.err.all()))
        self.site.allow("own", "b.team.test", namespace="shop")
        self.wait("allowed", SHOP, "b.team.test")
        give(role["rules"], leases["rules"])
        self.site.wait_for_status("own", "shop", "1 of 1")


class Clocks(OutageCase):
    def test_the_apis_time_does_not_matter(self):
        for offset in (3600, -3600):
            with self.subTest(offset):
                self.cluster.clock.offset = offset
                gateways = [self.enter(self.site.gateway(name=f"gw-{n}")) for n in (1, 2)]
                self.gateway = gateways[0]
                for each in gateways:
                    each.wait_until_ready()
                wait_until(lambda: all(each.metric("ebbgate_kube_gateways") == 2
                                       for each in gateways), what="two gateways that live")
                self.site.allow("own", "a.team.test", f"n{offset}.team.test", namespace="shop")
                status = self.site.wait_for_status("own", "shop", "2 of 2 gateways", gateways=2)
                self.wait("allowed", SHOP, f"n{offset}.team.test")
                for condition in status["conditions"]:
                    since = datetime.datetime.fromisoformat(condition["lastTransitionTime"])
                    self.assertLess(abs(since.timestamp() - time.time()), 120)
                for each in gateways:
                    self.assertEqual(0, each.stop())


if __name__ == "__main__":
    main(at_once=4)
