# labels: peers
"""The tests' Kubernetes API server, judged by kubectl as its client: what it can apply, watch,
patch and delete there."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.kube.case import config_map, pod  # noqa: E402
from harness.kube.kubectl import KUBECTL, KubectlCase, version  # noqa: E402
from harness.process import Process  # noqa: E402
from harness.testing import main  # noqa: E402


class Commands(KubectlCase):
    def test_it_finds_its_way(self):
        names = self.kubectl("api-resources", "-o", "name").split()
        for name in ("pods", "deployments.apps", "customresourcedefinitions.apiextensions.k8s.io"):
            self.assertIn(name, names)
        self.assertIn("kube-system", self.kubectl("get", "namespaces", "-o", "name"))
        self.kubectl("get", "nothing", code=1)
        self.assertIn('the server doesn\'t have a resource type "nothing"', self.said)
        self.kubectl("get", "pod", "none", code=1)
        self.assertIn('pods "none" not found', self.said)

    def test_applying_changing_and_deleting(self):
        self.assertIn("created", self.apply(config_map(x="1", y="2")))
        self.assertIn("unchanged", self.apply(config_map(x="1", y="2")))
        self.assertIn("configured", self.apply(config_map(x="3")))
        self.assertEqual({"x": "3"}, self.cluster.get("configmaps", "a", "default")["data"])
        self.kubectl("patch", "configmap", "a", "-p", '{"data":{"z":"4"}}')
        self.kubectl("patch", "configmap", "a", "--type", "json", "-p",
                     '[{"op":"remove","path":"/data/x"}]')
        self.assertEqual("4", self.kubectl("get", "cm", "a", "-o", "jsonpath={.data.z}"))
        self.kubectl("label", "configmap", "a", "t=x")
        self.assertEqual("configmap/a\n", self.kubectl("get", "cm", "-l", "t=x", "-o", "name"))
        self.kubectl("delete", "configmap", "a")
        self.assertIsNone(self.cluster.get("configmaps", "a", "default"))

    def test_server_side_apply_and_its_conflicts(self):
        body = config_map(x="1")
        self.assertIn("serverside-applied", self.apply(body, "--server-side"))
        body["data"]["x"] = "2"
        self.kubectl("apply", "--server-side", "--field-manager", "other", "-f", "-",
                     given=json.dumps(body), code=1)
        self.assertIn('Apply failed with 1 conflict: conflict with "kubectl": .data.x', self.said)
        self.apply(body, "--server-side", "--field-manager", "other", "--force-conflicts")
        self.assertEqual("2", self.cluster.get("configmaps", "a", "default")["data"]["x"])

    def test_the_environment_of_a_daemon_set(self):
        self.cluster.create({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "aws-node", "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": {"k8s-app": "aws-node"}}, "template": {
                "metadata": {"labels": {"k8s-app": "aws-node"}}, "spec": {
                    "containers": [{"name": "aws-node", "image": "cni:1",
                                    "env": [{"name": "KEPT", "value": "1"}]}]}}}})
        self.kubectl("-n", "kube-system", "set", "env", "daemonset/aws-node",
                     "HTTPS_PROXY=http://proxy:3128")
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "aws-node", "envFrom": [
            {"configMapRef": {"name": "proxy-environment-variables"}}]}]}}}}
        self.kubectl("-n", "kube-system", "patch", "ds", "aws-node", "-p", json.dumps(patch))
        container = self.cluster.get("daemonsets", "aws-node", "kube-system")["spec"]["template"][
            "spec"]["containers"][0]
        self.assertEqual(["KEPT", "HTTPS_PROXY"], [each["name"] for each in container["env"]])
        self.assertEqual("cni:1", container["image"])
        self.assertEqual(patch["spec"]["template"]["spec"]["containers"][0]["envFrom"],
                         container["envFrom"])

    def test_watching(self):
        self.cluster.run_pod("first")
        with Process([KUBECTL, "get", "pods", "--watch", "-o", "name"],
                     env=self.environment) as watch:
            self.assertIsNotNone(watch.out.wait_for("pod/first"))
            self.cluster.run_pod("second")
            self.assertIsNotNone(watch.out.wait_for("pod/second"))
            self.assertEqual(1, len(self.cluster.watches))

    def test_waiting_and_logs(self):
        self.apply(pod())
        self.cluster.assign("p", "10.64.0.7")
        self.cluster.set_status("pods", "p", "default", conditions=[
            {"type": "Ready", "status": "True"}])
        self.assertIn("condition met", self.kubectl("wait", "--for=condition=Ready", "pod/p",
                                                    "--timeout=10s"))
        self.cluster.logs["default", "p"] = "it went well\n"
        self.assertEqual("it went well\n", self.kubectl("logs", "p"))

    def test_credentials_by_certificate_and_by_a_program(self):
        files = self.cluster.pki.client("admin", ["system:masters"])
        plugin = self.cluster.plugin("client.authentication.k8s.io/" + (
            "v1" if version() > 21 else "v1beta1"))
        for config in (self.cluster.kubeconfig(self.scratch(), certificate=files),
                       self.cluster.kubeconfig(self.scratch(), certificate=files, inline=False),
                       self.cluster.kubeconfig(self.scratch(), plugin=plugin)):
            self.environment["KUBECONFIG"] = str(config)
            self.kubectl("get", "--raw", "/api/v1/pods")
        self.assertEqual(["token"], plugin.calls()[0]["arguments"])
        self.assertIn("certificate-authority-data", plugin.calls()[0]["info"])
        plugin.fail("the session has expired")
        self.kubectl("get", "--raw", "/api/v1/pods", code=1)
        self.assertIn("the session has expired", self.said)


if __name__ == "__main__":
    main()
