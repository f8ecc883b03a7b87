# labels: kube
"""What gateways tell of policies, against the tests' own API server: Leases, statuses and events,
with the rights that deploy/kubernetes gives them and no more."""

import pathlib
import sys
import time

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness.kube.cluster import Cluster  # noqa: E402
from harness.testing import Case, main  # noqa: E402
from kube_client_test import Probe  # noqa: E402

MANIFESTS = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "base"
HOME = "ebbgate-system"
ACCEPTED, PARTLY, NOT_DELEGATED, LAST_GOOD, NEVER_GOOD = range(5)
# What kube/policy_reporter.h needs, and nothing else.
RIGHTS = [
    {"apiGroups": ["ebbgate.dev"], "resources": ["egresspolicies", "clusteregresspolicies"],
     "verbs": ["list", "watch"]},
    {"apiGroups": ["ebbgate.dev"], "verbs": ["patch"],
     "resources": ["egresspolicies/status", "clusteregresspolicies/status"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
]
HOME_RIGHTS = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
                "verbs": ["list", "watch", "create", "patch", "delete"]}]


class StatusCase(Case):
    def setUp(self):
        self.cluster = cluster = self.enter(Cluster())
        for file in sorted((MANIFESTS / "crds").glob("*.yaml")):
            cluster.create(file.read_text())
        for name in (HOME, "shop"):
            cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def policy(self, name, namespace="shop", hosts=("example.com",)):
        kind = "EgressPolicy" if namespace else "ClusterEgressPolicy"
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        return self.cluster.create({
            "apiVersion": "ebbgate.dev/v1alpha1", "kind": kind, "metadata": metadata,
            "spec": {"allow": [{"hosts": list(hosts)}]}})

    def token(self, rights=RIGHTS, home_rights=HOME_RIGHTS):
        token = self.cluster.user("gateway", rules=rights)
        self.cluster.user("gateway-at-home", rules=home_rights, namespace=HOME)
        self.cluster.lifecycle.make({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "gateway", "namespace": HOME},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": "tests:gateway-at-home"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
                          "name": "gateway"}]})
        return token

    def gateway(self, name, token=None, **times):
        config = self.cluster.kubeconfig(token=token)
        probe = self.enter(Probe({"KUBECONFIG": str(config)}))
        self.begin(probe, name, **times)
        return probe

    def begin(self, probe, name, **times):
        probe.value("begin-reporting", gateway=name, namespace=HOME, **times)
        self.until(lambda: probe.value("reporting")["synced"])

    def report(self, probe, *policies, **more):
        return probe.value("report", reports=[{
            "namespace": each["metadata"].get("namespace", ""), "name": each["metadata"]["name"],
            "uid": each["metadata"]["uid"], "generation": each["metadata"]["generation"], **more}
            for each in policies])

    def until(self, holds, seconds=15, told=lambda: ""):
        begin = time.monotonic()
        while not holds():
            self.assertLess(time.monotonic() - begin, seconds, told())
            time.sleep(0.01)

    def status(self, name, namespace="shop"):
        kind = "egresspolicies" if namespace else "clusteregresspolicies"
        return self.cluster.get(kind, name, namespace or "").get("status") or {}

    def condition(self, kind, *name):
        return next((each for each in self.status(*name).get("conditions", [])
                     if each["type"] == kind), {})

    def in_force(self, said, *name):
        self.until(lambda: self.condition("Programmed", *name).get("message") == said)

    def leases(self):
        return sorted(each["metadata"]["name"] for each in self.cluster.list("leases", HOME))


class Statuses(StatusCase):
    def test_two_gateways_of_which_one_dies_and_one_leaves(self):
        token = self.token()
        web, every = self.policy("web"), self.policy("all", None)
        first = Probe({"KUBECONFIG": str(self.cluster.kubeconfig(token=token))})
        self.begin(first, "a")
        second = self.gateway("b", token)
        self.report(first, web, every)
        self.until(lambda: first.value("reporting")["reporter"])
        self.report(second, web, every)
        self.in_force("in force on 2 of 2 gateways", "web")
        self.in_force("in force on 2 of 2 gateways", "all", None)
        status = self.status("web")
        self.assertEqual((1, 2, 1, 0), tuple(status[key] for key in (
            "observedGeneration", "gateways", "allow", "deny")))
        accepted = self.condition("Accepted", "web")
        self.assertEqual(("True", "Accepted", 1), tuple(accepted[key] for key in (
            "status", "reason", "observedGeneration")))
        # By apply: one manager owns the status, and the spec is the team's.
        managers = [(each["manager"], each["operation"], each.get("subresource"))
                    for each in self.cluster.get("egresspolicies", "web", "shop")[
                        "metadata"]["managedFields"]]
        self.assertIn(("ebbgate", "Apply", "status"), managers)
        self.assertEqual(2, len(managers))
        self.assertTrue(first.value("reporting")["reporter"])
        self.assertEqual(0, second.value("reporting")["statuses"])

        lease = self.cluster.get("leases", "ebbgate-a", HOME)
        self.assertRegex(lease["spec"]["renewTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertRegex(lease["spec"]["holderIdentity"], r"^a_\d{9}$")
        digest = lease["metadata"]["annotations"]["ebbgate.dev/policy"]
        self.assertEqual(digest, self.cluster.get("leases", "ebbgate-b", HOME)["metadata"][
            "annotations"]["ebbgate.dev/policy"])

        # The wall clocks of others do not matter.
        self.cluster.clock.advance(86400)
        # Nothing new: nothing is written.
        writes = len(self.cluster.calls("patch", "egresspolicies"))
        self.report(first, web, every)
        time.sleep(0.3)
        self.assertEqual(writes, len(self.cluster.calls("patch", "egresspolicies")))

        first.process.kill()
        first.process.wait(20)
        first.process.stdin.close()
        first.process.stdout.close()
        self.in_force("in force on 1 of 1 gateways", "web")
        self.assertTrue(second.value("reporting")["reporter"])
        self.assertEqual(accepted["lastTransitionTime"],
                         self.condition("Accepted", "web")["lastTransitionTime"])
        self.until(lambda: self.leases() == ["ebbgate-b"])  # long gone: its Lease goes, too
        third = self.gateway("0", token)
        self.report(third, web, every)
        self.in_force("in force on 2 of 2 gateways", "web")
        self.assertTrue(third.value("reporting")["reporter"])
        third.value("farewell")
        self.assertEqual(["ebbgate-b"], self.leases())
        self.in_force("in force on 1 of 1 gateways", "web")
        self.assertEqual([], second.value("reporting")["said"] + third.value("reporting")["said"])
        self.assertEqual({200, 201}, {call.status for call in self.cluster.calls()
                                      if call.verb in ("patch", "create", "delete")})

    def test_problems_and_events(self):
        gateway = self.gateway("a", self.token())
        web, every = self.policy("web"), self.policy("all", None)
        self.report(gateway, web, every)
        self.in_force("in force on 1 of 1 gateways", "web")
        self.assertEqual([], self.cluster.list("events", "shop"))
        web = self.cluster.change("egresspolicies", "web", "shop",
                                  lambda each: each["spec"]["allow"][0].update(hosts=["*.*"]))
        self.report(gateway, web, state=LAST_GOOD, in_force=1, problems=[
            ["spec.allow[0].hosts[0]", "`*.*` is \u0007no name", "write `.example.com`"]] * 150)
        self.in_force("generation 1 stays in force on 1 of 1 gateways", "web")
        self.assertEqual(("False", "Invalid"), tuple(
            self.condition("Accepted", "web")[key] for key in ("status", "reason")))
        problems = self.status("web")["problems"]
        self.assertEqual(100, len(problems))
        self.assertEqual({"severity": "error", "where": "spec.allow[0].hosts[0]",
                          "message": "`*.*` is %07no name", "fix": "write `.example.com`"},
                         problems[0])
        event, = self.cluster.list("events", "shop")
        self.assertEqual(("Warning", "LastGoodKept", "EgressPolicy", "web", web["metadata"]["uid"]),
                         (event["type"], event["reason"], event["involvedObject"]["kind"],
                          event["involvedObject"]["name"], event["involvedObject"]["uid"]))
        self.assertEqual("ebbgate.dev/gateway", event["reportingComponent"])
        # Again, and by another gateway that takes over: the same generation is not told twice.
        self.report(gateway, web, state=LAST_GOOD, in_force=1, problems=[["", "otherwise", ""]])
        self.until(lambda: len(self.status("web")["problems"]) == 1)
        gateway.value("farewell")
        gateway = self.gateway("b", None)
        self.report(gateway, web, state=NEVER_GOOD, in_force=0)
        self.until(lambda: self.condition("Programmed", "web")["reason"] == "NamespaceClosed")
        self.assertNotIn("problems", self.status("web"))
        self.report(gateway, web)
        self.in_force("in force on 1 of 1 gateways", "web")
        self.assertEqual([("Normal", "Accepted"), ("Warning", "LastGoodKept"),
                          ("Warning", "NamespaceClosed")],
                         sorted((each["type"], each["reason"])
                                for each in self.cluster.list("events", "shop")))
        # A resource without a namespace has its events in `default`.
        every = self.cluster.get("clusteregresspolicies", "all")
        self.report(gateway, every, state=NEVER_GOOD, in_force=0)
        self.until(lambda: self.cluster.list("events", "default"))

    def test_many_policies_do_not_flood_the_api(self):
        gateway = self.gateway("a", self.token(), pause=50)
        policies = [self.policy(f"p{number:03}") for number in range(90)]
        self.cluster.faults.next("patch", "egresspolicies", "429", retry_after=1)
        begin = time.monotonic()
        self.report(gateway, *policies)
        self.until(lambda: gateway.value("reporting")["statuses"] >= 20, 20)
        self.assertGreater(time.monotonic() - begin, 1 + 20 * 0.05 - 0.1)
        self.assertTrue(self.status("p000"))  # the oldest is first
        self.assertEqual({}, self.status("p089"))
        # A change of another namespace's does not wait for them, nor does one of the cluster's.
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ci"}})
        others = ("mine", "ci"), ("all", None)
        self.report(gateway, *policies, *(self.policy(*each) for each in others))
        for each in others:
            self.until(lambda name=each: self.status(*name))
        self.assertEqual({}, self.status("p089"))
        self.assertGreater(gateway.value("reporting")["waiting"], 20)


class Trouble(StatusCase):
    def test_rights_that_come_late(self):
        gateway = self.gateway("a", self.token(rights=RIGHTS[:1], home_rights=HOME_RIGHTS))
        self.report(gateway, self.policy("web"))
        self.until(lambda: gateway.value("reporting")["failures"] >= 3)
        said = gateway.value("reporting")["said"]
        self.assertEqual(1, len(said), said)
        self.assertIn("the status of shop/web cannot be written: the API answered 403", said[0])
        self.cluster.change("clusterroles", "tests:gateway", "",
                            lambda role: role["rules"].extend(RIGHTS[1:]))
        self.in_force("in force on 1 of 1 gateways", "web")
        self.until(lambda: gateway.value("reporting")["said"][1:] == [
            "the status of policies is written again"])

    def test_the_api_goes_and_comes_back_and_policies_with_it(self):
        gateway = self.gateway("a", self.token())
        web = self.policy("web")
        self.report(gateway, web)
        self.in_force("in force on 1 of 1 gateways", "web")
        self.cluster.down()
        self.until(lambda: not gateway.value("reporting")["reporter"])
        self.cluster.delete("leases", "ebbgate-a", HOME)
        self.cluster.delete("egresspolicies", "web", "shop")
        again = self.policy("web", hosts=["other.example"])
        self.assertNotEqual(web["metadata"]["uid"], again["metadata"]["uid"])
        self.report(gateway, {"metadata": {**web["metadata"], "generation": 7}})  # not of this one
        self.cluster.up()
        self.until(lambda: gateway.value("reporting")["reporter"])
        self.until(lambda: any(call.status == 409 for call in self.cluster.calls("patch")))
        self.assertEqual({}, self.status("web"))
        self.report(gateway, again)
        self.in_force("in force on 1 of 1 gateways", "web")
        self.assertEqual(["ebbgate-a"], self.leases())
        self.until(lambda: gateway.value("reporting")["error"] == "")

    def test_the_namespace_of_the_leases_goes_and_comes_back(self):
        gateway = self.gateway("a", self.token(), duration=1000)
        web = self.policy("web")
        self.report(gateway, web)
        self.in_force("in force on 1 of 1 gateways", "web")
        self.cluster.delete("namespaces", HOME)
        self.until(lambda: gateway.value("reporting")["said"])
        self.until(lambda: self.cluster.get("namespaces", HOME) is None)
        self.until(lambda: not gateway.value("reporting")["reporter"])
        failures = gateway.value("reporting")["failures"]
        time.sleep(0.5)
        self.assertLess(gateway.value("reporting")["failures"] - failures, 20)
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
        # Its rights went with it.
        self.token()
        self.until(lambda: self.leases() == ["ebbgate-a"])
        self.until(lambda: gateway.value("reporting")["reporter"])

    def test_a_namespace_that_ends_takes_its_policies_and_no_one_else(self):
        gateway = self.gateway("a", self.token())
        web, other = self.policy("web"), self.policy("all", None)
        self.report(gateway, web, other)
        self.in_force("in force on 1 of 1 gateways", "web")
        # While it ends, nothing new is made in it: the event is refused, the status is not.
        self.cluster.faults.next("create", "events", "403")
        self.report(gateway, web, state=LAST_GOOD, in_force=1)
        self.until(lambda: self.condition("Accepted", "web")["reason"] == "Invalid")
        self.cluster.delete("egresspolicies", "web", "shop")
        self.report(gateway, other)
        self.until(lambda: gateway.value("reporting")["waiting"] == 0)
        self.in_force("in force on 1 of 1 gateways", "all", None)

    def test_a_hail_of_faults(self):
        token = self.token()
        web = self.policy("web")
        self.cluster.faults.random(7, 0.3, ("429", "500", "503", "reset", "lost", "html",
                                            "malformed", "torn", "gone", "close"))
        gateways = [self.gateway(name, token) for name in "ab"]
        for generation in range(1, 5):
            for gateway in gateways:
                self.report(gateway, web)
            web = self.cluster.change(
                "egresspolicies", "web", "shop",
                lambda each, n=generation: each["spec"]["allow"][0].update(hosts=[f"h{n}.example"]))
            time.sleep(0.1)
        for gateway in gateways:
            self.report(gateway, web)
        self.cluster.faults.clear()
        self.until(lambda: self.status("web").get("observedGeneration") == 5,
                   told=lambda: [each.value("reporting") for each in gateways])
        self.in_force("in force on 2 of 2 gateways", "web")


if __name__ == "__main__":
    main()
