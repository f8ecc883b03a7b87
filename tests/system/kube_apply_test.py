# labels: kube
"""`ebbgate kube plan|apply|status` against the tests' Kubernetes API server: what is found, what is
written and what never is, and how it ends where the API or somebody else is in the way."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gateway import BINARY  # noqa: E402
from harness.kube.case import KubeCase  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

ANSWERS = ["--vpc-cidr", "10.64.0.0/16", "--app-namespace", "shop", "--webhook",
           "--image", "registry.example/ebbgate:1"]
VARIABLES = "proxy-environment-variables"


def daemon_set(name, *containers):
    return {"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": {"k8s-app": name}}, "template": {
                "metadata": {"labels": {"k8s-app": name}}, "spec": {"containers": [
                    {"name": each, "image": "image:1", "env": [
                        {"name": "CLUSTER_NAME", "value": "prod"}]} for each in containers]}}}}


class ApplyCase(KubeCase):
    def setUp(self):
        super().setUp()
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        self.config = self.cluster.kubeconfig()

    def command(self, *words, config=None):
        return [BINARY, "kube", *words, "--kubeconfig", str(config or self.config)]

    def run_kube(self, *words, code=0, config=None):
        """Its output; the test fails where it ends with another code."""
        done = subprocess.run(self.command(*words, config=config), timeout=60, text=True,
                              capture_output=True)
        self.assertEqual(code, done.returncode, f"{words}\n{done.stdout}\n{done.stderr}")
        self.said = done.stderr
        return done.stdout

    def apply(self, *words, **options):
        return self.run_kube("apply", *ANSWERS, "--yes", *words, **options)

    def verdicts(self, *words, answers=ANSWERS, **options):
        """{kind namespace/name: object of the plan}"""
        plan = json.loads(self.run_kube("plan", *answers, "--format", "json", *words, **options))
        self.plan = plan
        return {" ".join((each["kind"], "/".join(filter(None, (each.get("namespace"),
                                                               each["name"]))))): each
                for each in plan["objects"]}

    def writes(self):
        """Calls that changed something, or could have."""
        return [call for call in self.cluster.calls() if call.verb in (
            "create", "update", "patch", "delete") and not call.dry_run()]


class Apply(ApplyCase):
    def containers(self):
        return self.cluster.get("daemonsets", "aws-node", "kube-system")["spec"]["template"][
            "spec"]["containers"]

    def test_an_empty_cluster_is_given_everything_once(self):
        verdicts = self.verdicts()
        self.assertEqual({"create"}, {each["verdict"] for each in verdicts.values()})
        self.assertIn("say --yes", self.run_kube("apply", *ANSWERS))
        self.assertEqual([], self.writes())

        said = self.apply()
        self.assertIn(f"{len(verdicts)} written, 0 unchanged; next: `ebbgate kube status`", said)
        kinds = [call.resource for call in self.writes()]
        self.assertEqual(len(verdicts), len(kinds))
        self.assertEqual(["customresourcedefinitions"] * 2 + ["namespaces"], kinds[:3])
        self.assertEqual("networkpolicies", kinds[-1])  # the bypass is closed last
        for call in self.writes():
            self.assertEqual(("ebbgate", "false"), (call.parameters["fieldManager"],
                                                    call.parameters["force"]))

        before, revision = len(self.writes()), self.cluster.store.revision
        self.assertIn("there is nothing to write", self.apply())
        self.assertEqual((before, revision), (len(self.writes()), self.cluster.store.revision))
        # The image and the rest of an apply before hold until something else is said.
        self.assertEqual({"unchanged"}, {each["verdict"] for each in self.verdicts(
            answers=ANSWERS[:-2]).values()})
        self.assertEqual([], self.cluster.list("clusteregresspolicies"))
        self.assertIn("1 to create", self.run_kube("plan", *ANSWERS, "--part", "policies"))

    def test_drift_is_found_and_mended_and_what_others_add_stays(self):
        self.apply()
        self.cluster.change("configmaps", VARIABLES, "shop", lambda it: it["data"].update(
            no_proxy="*"))
        self.cluster.change("deployments", "ebbgate", "ebbgate-system", lambda it: it["spec"][
            "template"]["spec"]["containers"][0].update(image="other:2"))
        self.cluster.change("namespaces", "ebbgate-system", None, lambda it: it["metadata"][
            "labels"].update(team="net"))
        self.cluster.delete("networkpolicies", "ebbgate-egress", "shop")
        verdicts = {name: each for name, each in self.verdicts().items()
                    if each["verdict"] != "unchanged"}
        self.assertEqual({
            "ConfigMap shop/" + VARIABLES: "change",
            "Deployment ebbgate-system/ebbgate": "change",
            "NetworkPolicy shop/ebbgate-egress": "create",
        }, {name: each["verdict"] for name, each in verdicts.items()})
        self.assertEqual([".data.no_proxy"], [each["field"] for each in verdicts[
            "ConfigMap shop/" + VARIABLES]["changes"]])
        self.assertEqual([{
            "field": '.spec.template.spec.containers[name="ebbgate"].image',
            "before": '"other:2"', "after": '"registry.example/ebbgate:1"'}],
            verdicts["Deployment ebbgate-system/ebbgate"]["changes"])
        # As the webhook does it once it has a certificate.
        path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ebbgate-webhook"
        webhooks = self.api.get(path).json["webhooks"]
        for each in webhooks:
            each["clientConfig"]["caBundle"] = "Y2E="
        self.assertEqual(200, self.api.patch(path, {"webhooks": webhooks}).status)
        self.assertIn("3 written", self.apply())
        self.assertIn("there is nothing to write", self.apply())
        self.assertEqual(webhooks, self.api.get(path).json["webhooks"])
        self.assertEqual("net", self.cluster.get("namespaces", "ebbgate-system")["metadata"][
            "labels"]["team"])

    def test_a_conflict_is_told_with_its_owner_and_nothing_is_written(self):
        self.apply()
        path = f"/api/v1/namespaces/shop/configmaps/{VARIABLES}"
        self.assertEqual(200, self.api.patch(
            path + "?fieldManager=kubectl&force=true",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": VARIABLES},
             "data": {"HTTPS_PROXY": "http://mine:1"}}, "apply").status)
        self.cluster.delete("networkpolicies", "ebbgate-egress", "shop")
        before = len(self.writes())
        plan = self.run_kube("plan", *ANSWERS)
        self.assertIn("! conflict   ConfigMap shop/" + VARIABLES, plan)
        self.assertIn('.data.HTTPS_PROXY: "http://mine:1" -> ', plan)
        self.assertIn('.data.HTTPS_PROXY is owned by "kubectl"', plan)
        self.apply(code=1)
        self.assertIn("nothing was changed: others own fields", self.said)
        self.assertEqual(before, len(self.writes()))
        self.assertIn("2 written", self.apply("--force-conflicts"))
        forced = [call for call in self.writes()[before:] if call.parameters["force"] == "true"]
        self.assertEqual([VARIABLES], [call.name for call in forced])
        self.assertIn("there is nothing to write", self.apply())

    def test_daemon_sets_are_changed_only_where_they_are_named(self):
        self.cluster.create(daemon_set("aws-node", "aws-node", "aws-eks-nodeagent"))
        self.apply()
        self.assertNotIn("envFrom", self.containers()[0])
        self.run_kube("plan", *ANSWERS, "--part", "daemonsets", code=2)
        self.assertIn("--proxy-url is missing", self.said)
        said = self.apply("--part", "daemonsets", "--proxy-url", "http://nlb.example:3128")
        self.assertIn("- absent     DaemonSet kube-system/kube-proxy", said)
        # The ConfigMap comes with it: no pod would start without.
        self.assertEqual("http://nlb.example:3128", self.cluster.get(
            "configmaps", VARIABLES, "kube-system")["data"]["https_proxy"])
        self.assertEqual([{"configMapRef": {"name": VARIABLES}}], self.containers()[0]["envFrom"])
        self.assertEqual("prod", self.containers()[0]["env"][0]["value"])
        self.assertNotIn("envFrom", self.containers()[1])
        # An update of the add-on by its own manager leaves it, and the proxy is remembered.
        update = daemon_set("aws-node", "aws-node", "aws-eks-nodeagent")
        update["spec"]["template"]["spec"]["containers"][0]["image"] = "image:2"
        self.assertEqual(200, self.api.patch(
            "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node?fieldManager=eks&force=true",
            update, "apply").status)
        verdicts = self.verdicts("--part", "daemonsets")
        self.assertEqual("unchanged", verdicts["DaemonSet kube-system/aws-node"]["verdict"])
        self.assertEqual("unchanged", verdicts["ConfigMap kube-system/" + VARIABLES]["verdict"])
        for part in ("aws-auth", "commands", "moon"):
            self.run_kube("plan", *ANSWERS, "--part", part, code=2)

    def test_a_call_that_fails_half_way_is_told_and_the_next_run_goes_on(self):
        self.cluster.faults.next("patch", "roles", "lost")  # done, and asked for again: no harm
        self.cluster.faults.next("patch", "deployments", "429", retry_after=0)
        self.cluster.faults.next("patch", "services", "403")
        said = self.apply(code=1)
        done = said.count("  created ")
        self.assertIn("it ended before its end: Service ebbgate-system/ebbgate: the API answered "
                      "403", self.said)
        self.assertIn(f"; {done} of {said.count('  + create ')} were written", self.said)
        self.assertEqual(0, self.cluster.faults.pending())
        plan = self.verdicts()
        self.assertEqual(done, sum(each["verdict"] == "unchanged" for each in plan.values()))
        self.assertIn(f"{len(plan) - done} written, {done} unchanged", self.apply())
        self.assertIn("there is nothing to write", self.apply())

    def test_a_process_that_is_killed_leaves_a_cluster_that_the_next_one_completes(self):
        for resource, order in (("customresourcedefinitions", signal.SIGKILL),
                                ("serviceaccounts", signal.SIGKILL),
                                ("deployments", signal.SIGINT)):
            self.setUp()
            self.cluster.faults.next("patch", resource, "hang")
            process = subprocess.Popen(self.command("apply", *ANSWERS, "--yes"), text=True,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            wait_until(lambda: not self.cluster.faults.pending(), what="the call that hangs")
            process.send_signal(order)
            _, said = process.communicate(timeout=30)
            if order == signal.SIGINT:
                self.assertEqual(1, process.returncode)
                self.assertIn("it ended before its end", said)
            self.apply()
            self.assertIn("there is nothing to write", self.apply())

    def test_an_api_that_is_away_is_told(self):
        self.cluster.down()
        self.run_kube("plan", *ANSWERS, code=1)
        self.assertIn(self.cluster.url, self.said)
        self.run_kube("plan", *ANSWERS, config="/nonexistent", code=1)
        self.assertIn("/nonexistent cannot be read", self.said)

    def test_the_cluster_is_named_as_kubectl_has_it(self):
        folder = self.scratch()
        (folder / ".kube").mkdir()
        (folder / ".kube" / "config").write_text(pathlib.Path(self.config).read_text())
        for environment, code, said in (
                ({"HOME": str(folder)}, 0, f"by the context tests of {folder}/.kube/config"),
                ({"KUBECONFIG": f":{self.config}", "HOME": "/x"}, 0, f"of {self.config}"),
                ({"KUBECONFIG": f"{self.config}:/b"}, 1, "KUBECONFIG names several files"),
                ({"HOME": "/x"}, 1, "give --kubeconfig, or set KUBECONFIG")):
            done = subprocess.run([BINARY, "kube", "plan", *ANSWERS], env=environment, timeout=60,
                                  text=True, capture_output=True)
            self.assertEqual(code, done.returncode, done.stderr)
            self.assertIn(said, done.stdout + done.stderr)

    def test_who_may_not_is_told_what_is_missing(self):
        self.apply()
        reader = self.cluster.user("reader", rules=[
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]},
            {"nonResourceURLs": ["*"], "verbs": ["get"]}])
        plan = self.run_kube("plan", *ANSWERS, code=1,
                             config=self.cluster.kubeconfig(token=reader))
        self.assertIn("x blocked    Deployment ebbgate-system/ebbgate", plan)
        self.assertIn('User "reader" cannot patch resource "deployments"', plan)
        self.assertIn("ask for that right", plan)
        narrow = self.cluster.user("narrow", rules=[
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "patch"]},
            {"nonResourceURLs": ["*"], "verbs": ["get"]}])
        config = self.cluster.kubeconfig(token=narrow)
        self.run_kube("plan", *ANSWERS, code=2, config=config)
        self.assertIn("--service-cidr is missing", self.said)
        self.assertIn("not known: the nodes: the API answered 403", self.said)
        plan = self.run_kube("plan", *ANSWERS, "--app-namespace", "nowhere", code=1)
        self.assertIn('namespaces "nowhere" not found; what it stands in has to be there', plan)
        plan = self.run_kube("plan", *ANSWERS, "--part", "proxy-environment", "--service-cidr",
                             "10.100.0.0/16", config=config)
        self.assertIn("= unchanged  ConfigMap kube-system/" + VARIABLES, plan)


class Found(ApplyCase):
    """What the cluster itself tells."""

    def found(self, *words, **options):
        self.verdicts(*words, **options)
        return {each["what"]: each["value"] for each in self.plan["found"]}

    def test_the_block_of_services_where_there_is_no_type_for_it(self):
        self.assertEqual("10.100.0.0/16", self.found()["services"])
        self.cluster.catalogue.forget("servicecidrs")
        revision = self.cluster.store.revision
        found = self.found()
        self.assertEqual("10.100.0.0/16", found["services"])
        self.assertEqual(revision, self.cluster.store.revision)  # it was asked in a dry run
        self.cluster.create({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
            "data": {"ClusterConfiguration": "kind: ClusterConfiguration\nnetworking:\n"
                     "  dnsDomain: cluster.local\n  podSubnet: 10.244.0.0/16\n"
                     "  serviceSubnet: 10.100.0.0/17\n"}})
        found = self.found()
        self.assertEqual(("10.100.0.0/17", "10.244.0.0/16"), (found["services"], found["pods"]))
        self.apply()
        self.assertIn("10.244.0.0/16", self.cluster.get("configmaps", VARIABLES, "shop")["data"][
            "NO_PROXY"])

    def test_nodes_and_the_parts_of_eks(self):
        for index, address in enumerate(("10.64.1.5", "10.65.0.9")):
            self.cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {
                "name": f"n{index}", "labels": {"eks.amazonaws.com/nodegroup": "a"}},
                "spec": {"providerID": "aws:///eu-west-2b/i-1"}})
            self.cluster.set_status("nodes", f"n{index}", addresses=[
                {"type": "InternalIP", "address": address}])
        self.cluster.create(daemon_set("aws-node", "aws-node"))
        found = self.found()
        self.assertEqual(("eu-west-2", "prod", "yes"),
                         (found["region"], found["cluster's name"], found["EKS"]))
        notes = "\n".join(self.plan["notes"])
        self.assertIn("nodes have 10.65.0.9, which is in no --vpc-cidr", notes)
        self.assertIn("network policies are not enforced by the VPC CNI", notes)
        self.assertIn("aws-node has no variables of the proxy", notes)
        self.run_kube("plan", code=2)
        self.assertIn("these have 10.64.1.5, 10.65.0.9", self.said)


class Status(ApplyCase):
    def test_an_empty_cluster(self):
        said = self.run_kube("status")
        self.assertIn("EgressPolicy: its type is not there", said)
        self.assertIn("there are none", said)

    def test_everything_that_is_there(self):
        self.apply()
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        for name, renewed, digest in (("gw-1", now, "abc"), ("gw-2", now, "def"),
                                      ("gw-3", "2020-01-01T00:00:00Z", "abc")):
            self.cluster.create({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": "ebbgate-" + name, "namespace": "ebbgate-system",
                             "annotations": {"ebbgate.dev/policy": digest},
                             "labels": {"app.kubernetes.io/name": "ebbgate",
                                        "app.kubernetes.io/component": "gateway"}},
                "spec": {"holderIdentity": name, "leaseDurationSeconds": 30,
                         "renewTime": renewed}})
        for name, accepted in (("good", "True"), ("bad", "False"), ("new", None)):
            self.cluster.create({"apiVersion": "ebbgate.dev/v1alpha1", "kind": "EgressPolicy",
                                 "metadata": {"name": name, "namespace": "shop"},
                                 "spec": {"allow": [{"hosts": ["a.example"]}]}})
            if accepted:
                self.cluster.set_status("egresspolicies", name, "shop", conditions=[
                    {"type": kind, "status": accepted, "reason": "Why", "message": "it\x1b[2J is"}
                    for kind in ("Accepted", "Programmed")])
        self.cluster.change("namespaces", "shop", None, lambda it: it["metadata"]["labels"].update(
            {"ebbgate.dev/inject": "enabled"}))
        said = self.run_kube("status")
        self.assertRegex(said, r"Deployment ebbgate: \d of \d ready, image registry.example")
        self.assertRegex(said, r"live ebbgate-gw-1: renewed \d+ s ago, policy abc")
        self.assertIn("gone ebbgate-gw-3", said)
        self.assertIn("go by different policies", said)
        self.assertIn("EgressPolicy: 3, 1 accepted, 1 programmed", said)
        self.assertIn("EgressPolicy shop/bad: Why: it%1B[2J is", said)
        self.assertIn("EgressPolicy shop/new: NotReported: no gateway has said", said)
        self.assertIn("MutatingWebhookConfiguration ebbgate-webhook: has no caBundle yet", said)
        self.assertIn("the webhook has made none yet", said)
        self.assertIn("shop: pods are injected, has the variables, bypass closed", said)
        status = json.loads(self.run_kube("status", "--format", "json"))
        self.assertEqual([True, True, False], [each["live"] for each in status["gateways"]])
        self.assertEqual({"kind": "EgressPolicy", "served": True, "count": 3, "accepted": 1,
                          "programmed": 1}, status["policies"][1])
        self.assertEqual(["bad", "new"], [each["name"] for each in status["problems"]])


class RealCluster(Case):
    """The cluster that KUBECONFIG names, if it does; nothing is written to it."""

    def setUp(self):
        if not os.environ.get("KUBECONFIG"):
            self.skipTest("KUBECONFIG names no cluster")

    def test_a_plan_can_be_made(self):
        done = subprocess.run([BINARY, "kube", "plan", "--vpc-cidr", "10.0.0.0/8", "--format",
                               "json"], timeout=120, text=True, capture_output=True)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("services", {each["what"] for each in json.loads(done.stdout)["found"]})


if __name__ == "__main__":
    main(at_once=4)
