# labels: kube
"""A gateway outside of its EKS cluster (`--kube eks:NAME`), with the rights that deploy/ gives it
in AWS and in the cluster: it may be there before its cluster, comes by tokens of its instance's
role, outlasts AWS, the API and its own rights, follows a cluster that is made anew, and is replaced
without a failed request."""

import base64
import contextlib
import os
import pathlib
import re
import signal
import sys
import threading

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.eks import EksCase, join  # noqa: E402
from harness.kube.gateways import API, Site  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import main  # noqa: E402

NAME = "EKSdemo"
KINDS = {"pods": "pods", "policies": "egresspolicies", "cluster-policies": "clusteregresspolicies"}
GROUP = NAME + "-gateway-gateways"
BASTION = "172.31.0.9"  # where no pods are


class Fleet(EksCase):
    """What `ebbgate eks apply` makes, and a gateway as one of its instances."""

    def setUp(self):
        super().setUp()
        self.site = self.make_cluster()
        self.change("gateway:\n", "gateway:\n  kube: true\n")
        self.succeed("apply")
        self.cluster = self.aws.eks.clusters[NAME]
        self.let_in()
        join(self.aws, self.site.cluster, NAME)
        self.succeed("apply")  # now it has the rights, so that gateways are told of it
        self.instance = self.aws.autoscaling.groups[GROUP].instances[-1]
        config = base64.b64decode(str(self.instance.user_data)).decode()
        self.assertIn(f'kube: "eks:{NAME}"\n', config)
        self.blocks = yaml.safe_load(re.search(r"pod-cidr: (\[.*\])", config)[1])
        self.shop, self.ci = (block.partition("/")[0][:-1] + "9" for block in self.blocks[:2])
        self.run_pods(self.site)

    def make_cluster(self, origin=None):
        site = self.enter(Site(overlay="eks-ec2-fleet"))
        site.origin = origin or site.origin
        for each in ("shop", "ci"):
            site.namespace(each)
        site.allow("steady", "steady.test", subjects=[{"namespace": "shop"}])
        return site

    def run_pods(self, site):
        for name, address in (("shop", self.shop), ("ci", self.ci)):
            site.cluster.run_pod("pod", name, address)

    def let_in(self):
        """Whoever runs the command administers the cluster."""
        entry = self.aws.eks.entry(self.cluster, self.aws.credentials.principal.arn)
        entry["associated"].append({"policyArn": "arn:aws:eks::aws:cluster-access-policy/"
                                                 "AmazonEKSClusterAdminPolicy"})

    def run_gateway(self, *flags):
        environment = self.aws.metadata(self.instance).environment()
        self.gateway = self.enter(self.site.gateway(
            *flags, eks=NAME, pods=self.blocks, behind_proxy=True, environment={
                **environment, "HOME": str(self.folder)}))
        return self.gateway

    def role(self):
        return self.aws.iam.roles[self.instance.role]

    def assert_reason(self, reason, source, host):
        self.assertEqual(reason, self.gateway.reason(source, host), f"{host} for {source}")

    def wait(self, reason, source, host):
        self.gateway.wait_for_reason(reason, source, host)

    def assert_said_once(self, pattern):
        found = [line for line in self.gateway.err.all() if re.search(pattern, line)]
        self.assertEqual(1, len(found), "\n".join(self.gateway.err.all()))

    def end_streams(self):
        """As the API does now and then. One that ended within a second would be a failure."""
        cluster = self.site.cluster
        wait_until(lambda: cluster.clock.now() > cluster.calls("watch")[-1].time + 1)
        watches = cluster.watches
        for watch in watches:
            watch.close()
        wait_until(lambda: all(watch.over for watch in watches), what="the end of the streams")

    def wait_for_watches(self, are_lost):
        for kind in KINDS:
            wait_until(lambda: (self.gateway.lost(kind) > 0) == are_lost, what=f"watch of {kind}")


class BeforeItsCluster(Fleet):
    def test_each_thing_that_is_missing_is_said_once_and_nothing_passes(self):
        clusters, policy = self.aws.eks.clusters, self.folder / "static.yaml"
        policy.write_text(yaml.safe_dump({
            "apiVersion": API, "kind": "EgressPolicy", "metadata": {"name": "static"},
            "spec": {"allow": [self.site.entry("static.test")]}}))
        policies, told = self.role().policies, self.cluster.told
        entry = self.cluster.access_entries.pop(self.role().arn)
        del clusters[NAME]
        gateway = self.run_gateway("--policy", policy)

        def expect(pattern):
            self.site.wait_for_log(gateway, pattern)
            page = gateway.page("/readyz", "health")
            self.assertEqual((503, [b"no-policy", b"no-pods"]),
                             (page.status, page.body.splitlines()[1:]))
            self.assert_reason("no-policy", BASTION, "static.test")

        expect("the cluster EKSdemo is not there in eu-west-2")
        self.cluster.told = {**told, "status": "CREATING"}
        for missing in ("endpoint", "certificateAuthority"):
            del self.cluster.told[missing]
        clusters[NAME] = self.cluster
        expect("EKSdemo has no endpoint: it is CREATING")
        self.role().policies = []
        expect("AccessDenied.* eks:DescribeCluster")
        self.role().policies, self.cluster.told = policies, told
        expect("egresspolicies.*401")
        self.cluster.access_entries[self.role().arn] = entry
        gateway.wait_until_ready()
        for reason, source, host in (("allowed", self.shop, "steady.test"),
                                     ("not-allowed", self.ci, "steady.test"),
                                     ("allowed", self.ci, "static.test")):
            self.assert_reason(reason, source, host)
        for pattern in ("is not there in", "it is CREATING", "AccessDenied", r"\bpods\b.*401",
                        r"\begresspolicies\b.*401", r"\bclusteregresspolicies\b.*401"):
            self.assert_said_once(pattern)


class InItsCluster(Fleet):
    def ask_all_along(self):
        """Asks until the end of the test what always is allowed; gives what was answered else."""
        stop, wrong = threading.Event(), []

        def ask():
            while not stop.wait(0.01):
                try:
                    reason = self.gateway.reason(self.shop, "steady.test")
                except Exception as error:
                    reason = repr(error)
                if reason != "allowed":
                    wrong.append(reason)
        thread = threading.Thread(target=ask)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        return wrong

    def allow_next(self, host):
        """A change of policy, in force."""
        self.site.allow("changing", host, subjects=[{"namespace": "ci"}])
        self.wait("allowed", self.ci, host)

    def tokens(self):
        return {call.request.header("authorization") for call in self.site.cluster.requests
                if call.user and ":assumed-role/" in call.user}

    def test_it_outlasts_what_goes_wrong_and_loses_nothing(self):
        gateway, cluster = self.run_gateway(), self.site.cluster
        gateway.wait_until_ready()
        self.assert_reason("allowed", self.shop, "steady.test")
        self.assert_reason("not-allowed", self.ci, "steady.test")
        event = gateway.wait_for_event(client=self.ci, verdict="DENY")
        self.assertEqual({"kind": "pod", "namespace": "ci", "name": "pod"},
                         {key: event["subject"][key] for key in ("kind", "namespace", "name")})
        self.site.wait_for_status("steady", None, "1 of 1 gateways", gateways=1)
        wrong = self.ask_all_along()

        with self.subTest("the rights are enough, and it comes as its instance"):
            self.assertEqual([], [call for call in cluster.requests if call.status in (401, 403)])
            self.assertEqual([], self.aws.iam.denials)
            role, session = self.role().name, self.instance.id
            self.assertEqual(
                {f"arn:aws:sts::{self.aws.account}:assumed-role/{role}/{session}"},
                {call.user for call in cluster.requests if call.user and "sts" in call.user})
            self.assertEqual(["ebbgate-gw-1"], self.site.leases())

        with self.subTest("a token expires"):
            before = self.tokens()
            for kind in KINDS.values():
                cluster.faults.next("watch", kind, "401")
            self.end_streams()
            self.allow_next("expired.test")
            wait_until(lambda: cluster.faults.pending() == 0, what="every fault")
            self.assertLess(before, self.tokens())

        with self.subTest("AWS is away"):
            for service in ("eks", "imds"):
                self.aws.faults.next(service, "*", "reset", count=None)
            self.allow_next("away.test")
            self.site.wait_for_status("changing", None, "1 of 1 gateways")
            self.aws.faults.clear()
        self.assertEqual([], [line for line in gateway.err.all() if "heard" in line])

        with self.subTest("its access entry is removed"):
            entry = self.cluster.access_entries.pop(self.role().arn)
            self.end_streams()
            self.wait_for_watches(are_lost=True)
            self.assertEqual(200, gateway.ready_status())
            self.assert_reason("allowed", self.ci, "away.test")
            for kind in KINDS.values():
                self.site.wait_for_log(gateway, rf"\b{kind}\b.*401")
                self.assert_said_once(rf"\b{kind}\b.*401")
            self.cluster.access_entries[self.role().arn] = entry

        with self.subTest("the cluster is made anew, elsewhere, and AWS's time is another"):
            cluster.down()
            self.aws.clock.advance(20 * 60)
            self.site = self.make_cluster(self.site.origin)
            self.run_pods(self.site)
            join(self.aws, self.site.cluster, NAME)
            self.site.wait_for_log(
                gateway, f"cluster {NAME} is another one: {self.site.cluster.url}")
            self.wait_for_watches(are_lost=False)
            self.wait("not-allowed", self.ci, "away.test")
            self.allow_next("anew.test")
            self.site.wait_for_status("changing", None, "1 of 1 gateways", gateways=1)

        with self.subTest("a successor takes over"):
            gateway.signal(signal.SIGUSR2)
            line = self.site.wait_for_log(gateway, r"process \d+ has taken over")
            successor = int(re.search(r"process (\d+)", line)[1])
            self.addCleanup(self.end, successor, signal.SIGKILL)
            self.assertEqual(0, gateway.wait())
            self.allow_next("successor.test")
            self.site.wait_for_status("changing", None, "1 of 1 gateways", gateways=1)
            self.assertEqual(["ebbgate-gw-1"], self.site.leases())
            self.assertEqual(200, gateway.ready_status())
            self.assertEqual([], wrong)
            self.end(successor, signal.SIGTERM)
            wait_until(lambda: self.site.leases() == [], what="no Lease")

    @staticmethod
    def end(pid, how):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


if __name__ == "__main__":
    main(at_once=2)
