"""Pods as clients (`--kube`): who asks is told by the address, as the cluster's API has it at that
moment; nobody ever has the rights of the pod that had the address before, or of several."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.kube.gateways import OUTSIDE, Site, Timer  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

PATIENCE = 2  # seconds that an address is waited for which may be a new pod's


def write_policies(site):
    for name in ("shop", "ci"):
        site.namespace(name)
    site.allow("everyone", "common.test", "denied.test")
    site.allow("namespace", "ns.test", subjects=[{"namespace": "shop"}])
    site.allow("account", "account.test",
               subjects=[{"namespace": "shop", "serviceAccount": "payer"}])
    site.allow("labels", "labels.test",
               subjects=[{"namespace": "shop", "podLabels": {"tier": "web", "team": "a"}}])
    site.write("denies", subjects=[{"namespace": "ci"}], deny=[{"hosts": ["denied.test"]}])


class PodCase(Case):
    """One cluster and one gateway for all tests of a class: each has addresses of its own."""

    FLAGS, OPTIONS = (), {}

    @classmethod
    def setUpClass(cls):
        cls.site = cls.enterClassContext(Site())
        cls.cluster = cls.site.cluster
        write_policies(cls.site)
        cls.gateway = cls.enterClassContext(cls.site.gateway(*cls.FLAGS, **cls.OPTIONS))
        cls.gateway.wait_until_ready()

    def run_pod(self, name, ip, namespace="shop", **options):
        self.cluster.run_pod(name, namespace, ip, **options)

    def assert_reasons(self, source, **wanted):
        """By the first label of the host."""
        self.assertEqual(wanted, {host: self.gateway.reason(source, f"{host}.test")
                                  for host in wanted})

    def waits(self):
        return self.gateway.metric("ebbgate_kube_waits_total")

    def begin_request(self, source, host):
        """A request that waits for its pod by now."""
        before = self.waits()
        client = self.enter(self.gateway.client(source))
        client.request("GET", f"http://{host}:{self.site.origin.port}/")
        wait_until(lambda: self.waits() > before, what="a request that waits")
        return client


class Pods(PodCase):
    FLAGS = ("--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--on-policy-change", "cut")

    def test_a_pod_is_allowed_what_its_namespace_account_and_labels_are(self):
        self.run_pod("web", "127.0.1.1", labels={"tier": "web", "team": "a", "more": "x"})
        self.run_pod("payer", "127.0.1.2", account="payer", labels={"tier": "web"})
        self.run_pod("job", "127.0.1.3", namespace="ci", account="payer",
                     labels={"tier": "web", "team": "a"})
        no, yes = "not-allowed", "allowed"
        self.assert_reasons("127.0.1.1", common=yes, denied=yes, ns=yes, account=no, labels=yes)
        self.assert_reasons("127.0.1.2", common=yes, denied=yes, ns=yes, account=yes, labels=no)
        self.assert_reasons("127.0.1.3", common=yes, denied="denied-by-rule", ns=no, account=no,
                            labels=no)
        self.assert_reasons(OUTSIDE, common=yes, denied=yes, ns=no, account=no, labels=no)

    def test_events_name_the_pod(self):
        self.run_pod("named", "127.0.1.4")
        for host, verdict in (("ns.test", "ALLOW"), ("account.test", "DENY")):
            self.gateway.reason("127.0.1.4", host)
            event = self.gateway.wait_for_event(client="127.0.1.4", host=host, verdict=verdict)
            self.assertEqual({"kind": "pod", "name": "named", "namespace": "shop"},
                             event["subject"])
        self.gateway.reason(OUTSIDE, "ns.test")
        event = self.gateway.wait_for_event(client=OUTSIDE, host="ns.test")
        self.assertEqual("address", event["subject"]["kind"])

    def test_labels_count_from_the_next_request_on(self):
        self.run_pod("labelled", "127.0.1.5", labels={"tier": "web", "team": "a"})
        with self.gateway.client("127.0.1.5") as client:
            self.assertEqual("allowed", self.gateway.reason_for(client, "labels.test"))
            self.cluster.change("pods", "labelled", "shop", lambda pod: pod["metadata"].update(
                labels={"tier": "web", "team": "b"}))
            self.gateway.wait_for_reason("not-allowed", "127.0.1.5", "labels.test")
            self.assertEqual("allowed", self.gateway.reason_for(client, "ns.test"))
            self.assertEqual("not-allowed", self.gateway.reason_for(client, "labels.test"))

    def test_an_address_that_is_used_again_has_the_rights_of_its_new_pod_alone(self):
        self.run_pod("first", "127.0.1.6")
        self.assert_reasons("127.0.1.6", ns="allowed", denied="allowed")
        self.cluster.delete("pods", "first", "shop")
        self.run_pod("second", "127.0.1.6", namespace="ci")
        self.gateway.wait_for_reason("not-allowed", "127.0.1.6", "ns.test")
        self.assert_reasons("127.0.1.6", denied="denied-by-rule")
        event = self.gateway.wait_for_event(client="127.0.1.6", host="ns.test", verdict="DENY")
        self.assertEqual("second", event["subject"]["name"])
        # The same of one whose containers have ended, although the object stays.
        self.cluster.finish_pod("second", "ci")
        self.run_pod("third", "127.0.1.6")
        self.gateway.wait_for_reason("allowed", "127.0.1.6", "ns.test")
        # One that is asked to end has its rights while it does so.
        self.cluster.delete("pods", "third", "shop", grace=30)
        self.run_pod("marker", "127.0.1.7")
        self.gateway.wait_for_reason("allowed", "127.0.1.7", "ns.test")
        self.assert_reasons("127.0.1.6", ns="allowed")

    def test_a_pod_that_is_gone_leaves_no_rights_and_is_waited_for_once(self):
        self.run_pod("gone", "127.0.1.8")
        self.assert_reasons("127.0.1.8", ns="allowed")
        self.cluster.delete("pods", "gone", "shop")
        wait_until(lambda: self.gateway.reason("127.0.1.8", "ns.test") == "not-allowed")
        event = self.gateway.wait_for_event(client="127.0.1.8", host="ns.test", verdict="DENY")
        self.assertEqual("address", event["subject"]["kind"])
        self.assertGreaterEqual(event["durationMs"], 1000 * PATIENCE - 100)
        # What is denied to pods is denied to whoever may be one; it is not waited for again.
        with Timer() as timer:
            self.assert_reasons("127.0.1.8", denied="denied-by-rule", common="allowed")
        self.assertLess(timer.seconds, PATIENCE)
        self.run_pod("back", "127.0.1.8")
        self.gateway.wait_for_reason("allowed", "127.0.1.8", "ns.test")

    def test_a_pod_that_is_known_only_after_it_asks_is_waited_for(self):
        client = self.begin_request("127.0.1.9", "ns.test")
        self.assertTrue(client.is_open())
        with Timer() as timer:
            self.run_pod("late", "127.0.1.9")
            self.assertEqual(200, client.response().status)
        self.assertLess(timer.seconds, 1)

    def test_a_pod_has_rights_from_when_it_has_its_address(self):
        self.cluster.create({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [
            {"name": "main", "image": "i:1"}]}, "metadata": {"name": "new", "namespace": "shop"}})
        client = self.begin_request("127.0.1.10", "ns.test")
        with Timer() as timer:
            self.cluster.assign("new", "127.0.1.10", "shop")
            self.assertEqual(200, client.response().status)
        self.assertLess(timer.seconds, 1)

    def test_an_address_of_two_pods_is_nobodys(self):
        self.run_pod("one", "127.0.1.11")
        self.run_pod("two", "127.0.1.11")
        self.gateway.wait_for_reason("subject-ambiguous", "127.0.1.11", "common.test")
        self.assert_reasons("127.0.1.11", ns="subject-ambiguous")
        event = self.gateway.wait_for_event(client="127.0.1.11", reason="subject-ambiguous")
        self.assertEqual(("DENY", 403), (event["verdict"], event["status"]))
        self.assertEqual(1, self.gateway.metric("ebbgate_kube_ambiguous_addresses"))
        self.cluster.delete("pods", "one", "shop")
        self.gateway.wait_for_reason("allowed", "127.0.1.11", "ns.test")
        self.assertEqual(0, self.gateway.metric("ebbgate_kube_ambiguous_addresses"))

    def test_a_pod_that_is_not_ready_gives_its_address_to_a_younger_one(self):
        def state(name, namespace, started="2020-01-01T00:00:00Z", **conditions):
            self.cluster.set_status("pods", name, namespace, startTime=started, conditions=[
                {"type": kind, "status": status} for kind, status in conditions.items()])
        self.run_pod("lost", "127.0.1.14", namespace="ci")
        state("lost", "ci", Ready="True")
        self.run_pod("fresh", "127.0.1.14")
        self.gateway.wait_for_reason("subject-ambiguous", "127.0.1.14", "ns.test")
        state("lost", "ci", Ready="False")  # as of a node that was lost
        self.gateway.wait_for_reason("allowed", "127.0.1.14", "ns.test")
        self.assert_reasons("127.0.1.14", denied="allowed")
        # Without its network, a pod's address may be anybody's, while it runs by the API.
        state("fresh", "shop", "2021-01-01T00:00:00Z", PodReadyToStartContainers="False")
        self.gateway.wait_for_reason("denied-by-rule", "127.0.1.14", "denied.test")
        event = self.gateway.wait_for_event(client="127.0.1.14", host="denied.test", verdict="DENY")
        self.assertEqual("lost", event["subject"]["name"])

    def test_a_pod_that_is_stuck_at_its_end_gives_its_address_to_a_node(self):
        self.run_pod("stuck", "127.0.1.15")
        self.cluster.delete("pods", "stuck", "shop", grace=300)
        self.run_pod("agent-2", "127.0.1.15", host_network=True)
        self.gateway.wait_for_reason("not-allowed", "127.0.1.15", "ns.test")
        self.assert_reasons("127.0.1.15", common="allowed", denied="allowed")

    def test_a_pod_outside_of_the_pods_blocks_is_no_pod_and_told_of(self):
        self.run_pod("stray", "127.0.2.1")
        wait_until(lambda: self.gateway.metric("ebbgate_kube_pods_outside") == 1)
        self.assert_reasons("127.0.2.1", ns="not-allowed", common="allowed")
        self.site.wait_for_log(self.gateway, "outside of --pod-cidr.* 1 of them, one at 127.0.2.1")
        self.cluster.delete("pods", "stray", "shop")
        wait_until(lambda: self.gateway.metric("ebbgate_kube_pods_outside") == 0)

    def test_a_pod_that_loses_its_rights_loses_its_tunnels(self):
        for name, ip in (("keeps", "127.0.1.16"), ("loses", "127.0.1.17")):
            self.run_pod(name, ip, labels={"tier": "tunnel"})
        self.site.write("tunnels", subjects=[{"namespace": "shop", "podLabels": {"tier": "tunnel"}}],
                        allow=[{**self.site.entry("tunnel.test"), "tls": "off"}])
        self.gateway.wait_for_reason("allowed", "127.0.1.17", "tunnel.test")
        tunnels = []
        for ip in ("127.0.1.16", "127.0.1.17"):
            tunnels.append(self.enter(self.gateway.client(ip)))
            answer = tunnels[-1].connect(f"tunnel.test:{self.site.origin.port}")
            self.assertEqual(200, answer.status)
        self.cluster.change("pods", "loses", "shop",
                            lambda pod: pod["metadata"].update(labels={"tier": "web"}))
        wait_until(lambda: not tunnels[1].is_open(), 15)
        self.assertTrue(tunnels[0].is_open())

    def test_a_pod_on_the_nodes_network_is_no_pod(self):
        self.run_pod("agent", "127.0.1.12", host_network=True)
        self.run_pod("proxy", "127.0.1.12", host_network=True, namespace="ci")
        self.gateway.wait_for_reason("allowed", "127.0.1.12", "common.test")
        with Timer() as timer:
            self.assert_reasons("127.0.1.12", ns="not-allowed", denied="allowed")
        self.assertLess(timer.seconds, PATIENCE)
        event = self.gateway.wait_for_event(client="127.0.1.12", host="ns.test")
        self.assertEqual("address", event["subject"]["kind"])

    def test_a_pod_is_known_by_each_of_its_addresses(self):
        self.run_pod("both", None, ips=["127.0.1.13", "::1"])
        self.gateway.wait_for_reason("allowed", "::1", "ns.test")
        self.assert_reasons("127.0.1.13", ns="allowed")


class BehindALoadBalancer(PodCase):
    """Addresses come by the PROXY protocol."""

    FLAGS = ("--clients", "10.64.0.0/16", "--clients", "2001:db8::/32")
    OPTIONS = {"behind_proxy": True, "pods": ("10.64.0.0/16", "2001:db8:64::/48"), "workers": "2"}

    def test_pods_are_known_by_the_address_in_the_header(self):
        self.run_pod("a", "10.64.0.1")
        self.run_pod("b", "10.64.0.2", namespace="ci")
        self.run_pod("c", None, ips=["10.64.0.3", "2001:db8:64::3"])
        self.gateway.wait_for_reason("allowed", "10.64.0.3", "ns.test")
        self.assert_reasons("10.64.0.1", ns="allowed", account="not-allowed")
        self.assert_reasons("10.64.0.2", ns="not-allowed", denied="denied-by-rule")
        self.assert_reasons("2001:db8:64::3", ns="allowed")
        self.assert_reasons("2001:db8::1", ns="not-allowed", common="allowed")
        event = self.gateway.wait_for_event(client="2001:db8:64::3")
        self.assertEqual("c", event["subject"]["name"])

    def test_who_comes_through_a_vpc_endpoint_is_no_pod(self):
        self.run_pod("near", "10.64.0.7")
        self.gateway.wait_for_reason("allowed", "10.64.0.7", "ns.test")
        for source in ("10.64.0.7", "10.64.0.77"):
            with Timer() as timer:
                for host, reason in (("ns.test", "not-allowed"), ("denied.test", "allowed")):
                    with self.gateway.client(source, vpc_endpoint="vpce-1") as client:
                        self.assertEqual(reason, self.gateway.reason_for(client, host))
            self.assertLess(timer.seconds, PATIENCE)
            event = self.gateway.wait_for_event(client=source, vpcEndpoint="vpce-1")
            self.assertEqual("address", event["subject"]["kind"])

    def test_a_fresh_pod_is_waited_for(self):
        for ip in ("10.64.0.9", "2001:db8:64::9"):
            client = self.begin_request(ip, "ns.test")
            self.assertTrue(client.is_open())
            with Timer() as timer:
                self.run_pod(f"fresh-{ip[-4:].replace(':', '').replace('.', '-')}", ip)
                self.assertEqual(200, client.response().status)
            self.assertLess(timer.seconds, 1)

    def test_many_fresh_pods_are_waited_for_at_once(self):
        addresses = [f"10.64.1.{number}" for number in range(1, 101)]
        before = self.waits()
        clients = [self.enter(self.gateway.client(each)) for each in addresses]
        for client in clients:
            client.request("GET", f"http://ns.test:{self.site.origin.port}/")
        wait_until(lambda: self.waits() == before + len(clients), what="all of them wait")
        for number, each in enumerate(addresses):
            self.run_pod(f"many-{number}", each, namespace="shop" if number % 2 else "ci")
        self.assertEqual([403, 200] * 50, [client.response().status for client in clients])

    def test_who_has_no_address_is_no_pod_and_is_not_waited_for(self):
        with Timer() as timer:
            self.assert_reasons(None, common="allowed", ns="not-allowed", denied="allowed")
        self.assertLess(timer.seconds, PATIENCE)


if __name__ == "__main__":
    main()
