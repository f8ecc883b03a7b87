# labels: peers
"""The files of deploy/kubernetes, and what `ebbgate kube manifests` renders, applied by kubectl to
the tests' Kubernetes API server: it takes every word, and applying again changes nothing."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gateway import BINARY, Gateway  # noqa: E402
from harness.kube.kubectl import KubectlCase, version  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import main  # noqa: E402

MANIFESTS = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"


def operator_type(kind, plural):
    """A type of the Prometheus operator, of which only the name matters."""
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.monitoring.coreos.com"}, "spec": {
                "group": "monitoring.coreos.com", "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural}, "versions": [{
                    "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                        "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


class Files(KubectlCase):
    def setUp(self):
        super().setUp()
        if version() < 21:
            self.skipTest(f"kubectl 1.{version()} is too old for kustomize's `patches`")
        for kind, plural in (("ServiceMonitor", "servicemonitors"),
                             ("PrometheusRule", "prometheusrules")):
            self.cluster.create(operator_type(kind, plural))

    def test_every_kustomization_is_taken_whole_and_applied_again_it_changes_nothing(self):
        folders = [each.parent for each in MANIFESTS.rglob("kustomization.yaml")]
        for folder in sorted(folders, key=lambda each: (each.name != "base", each)):
            with self.subTest(str(folder.relative_to(MANIFESTS))):
                first = self.kubectl("apply", "-k", folder).splitlines()
                self.assertEqual("", self.said)
                revision = self.cluster.store.revision
                again = self.kubectl("apply", "-k", folder).splitlines()
                self.assertEqual(len(first), len(again))
                # Of a budget's selector kubectl sends a replacing patch whatever it is.
                self.assertEqual([], [line for line in again if not line.endswith(" unchanged")
                                      and not line.startswith("poddisruptionbudget.policy/")])
                self.assertEqual(revision, self.cluster.store.revision)
        for call in self.cluster.requests:  # every word of them is known
            self.assertIn(call.status, (200, 201, 404), call)
        for each in self.cluster.list("deployments", "ebbgate-system"):
            template = each["spec"]["template"]  # which Pod Security lets in, although restricted
            made = self.cluster.create({
                "apiVersion": "v1", "kind": "Pod", "spec": template["spec"], "metadata": {
                    **template["metadata"], "namespace": "ebbgate-system",
                    "name": each["metadata"]["name"]}})
            self.assertEqual("Pending", made["status"]["phase"])

    def test_server_side_too(self):
        name = MANIFESTS / "overlays" / "monitoring"
        self.kubectl("apply", "--server-side", "-k", name)
        revision = self.cluster.store.revision
        self.kubectl("apply", "--server-side", "-k", name)
        self.assertEqual(revision, self.cluster.store.revision)
        self.kubectl("diff", "--server-side", "-k", name)

    def test_policies_of_the_types(self):
        self.kubectl("apply", "-k", MANIFESTS / "base")
        self.kubectl("apply", "-f", MANIFESTS / "policies")  # the one to begin with
        self.assertIn("cluster", self.kubectl("get", "clusteregresspolicies"))
        good = {"apiVersion": "ebbgate.dev/v1alpha1", "kind": "EgressPolicy",
                "metadata": {"name": "team"}, "spec": {"allow": [
                    {"hosts": ["api.example.com"], "ports": [443]}]}}
        self.apply(good)
        self.assertIn("team", self.kubectl("get", "egp"))
        cases = [
            ({}, "spec"),
            ({"allow": [{"ports": [443]}]}, "there has to be hosts or bundle"),
            ({"deny": [{"bundle": "x", "unknown": 1}]}, 'unknown field "spec.deny[0].unknown"'),
            ({"allow": [{"hosts": "a"}]}, "must be of type array"),
        ]
        for spec, message in cases:
            with self.subTest(str(spec)):
                self.kubectl("apply", "--server-side", "-f", "-", code=1, given=json.dumps(
                    {**good, "metadata": {"name": "bad"}, "spec": spec}))
                self.assertIn(message, self.said)
        self.assertEqual(set(), self.cluster.types.skipped)  # every rule was evaluated


class Running(KubectlCase):
    """With the rights of the manifests and no others, a gateway goes by a policy after the two
    commands of the docs."""

    def setUp(self):
        super().setUp()
        if version() < 21:
            self.skipTest(f"kubectl 1.{version()} is too old for kustomize's `patches`")

    def test_in_the_cluster_with_the_settings_of_the_manifests(self):
        self.kubectl("apply", "-k", MANIFESTS / "overlays" / "in-cluster")
        settings = self.scratch() / "config.yaml"
        settings.write_text(self.cluster.get("configmaps", "ebbgate-config", "ebbgate-system")[
            "data"]["config.yaml"])
        token, _ = self.cluster.authentication.service_account_token("ebbgate-system", "ebbgate")
        # The clients of the settings are the cluster's networks, of which this machine is none.
        self.goes_by_a_policy(token, "--config", settings, "--clients", "127.0.0.0/8")

    def test_outside_as_one_of_the_group_of_the_access_entry(self):
        self.kubectl("apply", "-k", MANIFESTS / "overlays" / "eks-ec2-fleet")
        self.goes_by_a_policy(self.cluster.user("i-0abc", ["ebbgate-gateways"]))

    def goes_by_a_policy(self, token, *flags):
        gateway = self.enter(Gateway(
            *flags, "--kube", f"kubeconfig:{self.cluster.kubeconfig(token=token)}",
            "--kube-name", "gw-0", "--health", "127.0.0.1:0", admin="127.0.0.1:0"))

        def reason_for(target):
            with gateway.client() as client:
                self.assertEqual(403, client.connect(target).status)
            return gateway.wait_for_event(target=target)["reason"]
        wait_until(lambda: gateway.page("/readyz", "health").status == 200)
        self.assertEqual("not-allowed", reason_for("gist.github.com:443"))
        self.kubectl("apply", "-f", MANIFESTS / "policies")
        wait_until(lambda: self.kubectl("get", "clusteregresspolicies").count("True") == 2,
                   what="a policy that is accepted and programmed")
        self.assertEqual("denied-by-rule", reason_for("gist.github.com:80"))
        self.assertEqual("not-allowed", reason_for("other.example:443"))
        self.assertIn("ebbgate-gw-0", self.kubectl("get", "leases", "-n", "ebbgate-system"))
        told = "\n".join(gateway.err.all())
        self.assertNotIn("forbidden", told, "a right is missing")


def daemon_set(name, *containers):
    return {"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": {"k8s-app": name}}, "template": {
                "metadata": {"labels": {"k8s-app": name}}, "spec": {"containers": [
                    {"name": each, "image": "image:1", "env": [{"name": "KEPT", "value": "1"}]}
                    for each in containers]}}}}


class Rendered(KubectlCase):
    def setUp(self):
        super().setUp()
        self.cluster.create(daemon_set("aws-node", "aws-node", "aws-eks-nodeagent"))
        self.cluster.create(daemon_set("kube-proxy", "kube-proxy"))
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        self.folder = self.scratch() / "cluster"
        subprocess.run([BINARY, "kube", "manifests", "--output", self.folder, "--vpc-cidr",
                        "10.64.0.0/16", "--service-cidr", "10.100.0.0/16", "--app-namespace",
                        "shop", "--cluster-name", "prod", "--region", "eu-west-2", "--node-role",
                        "arn:aws:iam::111122223333:role/node"], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)

    def containers(self, name):
        return self.cluster.get("daemonsets", name, "kube-system")["spec"]["template"]["spec"][
            "containers"]

    def test_the_folder_is_applied_and_its_commands_run(self):
        aws = self.scratch()
        (aws / "aws").write_text(f'#!/bin/sh\necho "$@" >>{aws}/calls\n')
        (aws / "aws").chmod(0o755)
        self.environment["PATH"] = f"{aws}:{self.environment['PATH']}"
        self.kubectl("apply", "-f", self.folder / "base" / "namespace.yaml")
        self.kubectl("apply", "-R", "-f", self.folder / "namespaces")
        for _ in range(2):  # the second time nothing is left to do
            revision = self.cluster.store.revision
            done = subprocess.run(["sh", self.folder / "commands.sh"], env=self.environment,
                                  timeout=60, capture_output=True, text=True)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(revision, self.cluster.store.revision)
        self.assertIn("eks create-access-entry", (aws / "calls").read_text())
        first, second = self.containers("aws-node")
        self.assertEqual([{"configMapRef": {"name": "proxy-environment-variables"}}],
                         first["envFrom"])
        self.assertEqual([{"name": "KEPT", "value": "1"}], first["env"])
        self.assertNotIn("envFrom", second)
        self.assertEqual("http://ebbgate.ebbgate-system.svc.cluster.local:3128", self.cluster.get(
            "configmaps", "proxy-environment-variables", "kube-system")["data"]["https_proxy"])

    def test_an_update_of_the_add_on_leaves_what_was_applied(self):
        self.kubectl("apply", "--server-side", "--field-manager=ebbgate", "-f",
                     self.folder / "cluster" / "aws-node.yaml")
        update = daemon_set("aws-node", "aws-node", "aws-eks-nodeagent")
        update["spec"]["template"]["spec"]["containers"][0]["image"] = "image:2"
        self.kubectl("apply", "--server-side", "--field-manager=eks", "--force-conflicts", "-f",
                     "-", given=json.dumps(update))
        container = self.containers("aws-node")[0]
        self.assertEqual("image:2", container["image"])
        self.assertIn("envFrom", container)

    def test_both_other_ways_to_the_same(self):
        self.kubectl("apply", "-f", self.folder / "cluster" / "proxy-environment.yaml")
        if version() > 20:  # older ones have no --patch-file
            self.kubectl("-n", "kube-system", "patch", "daemonset", "kube-proxy", "--patch-file",
                         self.folder / "cluster" / "kube-proxy.yaml")
            self.assertIn("envFrom", self.containers("kube-proxy")[0])
        self.kubectl("-n", "kube-system", "set", "env", "daemonset/aws-node",
                     "--from=configmap/proxy-environment-variables", "--containers=*")
        for container in self.containers("aws-node"):
            # kubectl writes names of variables in capitals, so that this way there are three.
            self.assertEqual(["HTTPS_PROXY", "HTTP_PROXY", "KEPT", "NO_PROXY"],
                             sorted(each["name"] for each in container["env"]))


if __name__ == "__main__":
    main(at_once=4)
