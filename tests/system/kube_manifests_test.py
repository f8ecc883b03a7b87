# labels: kube
"""`ebbgate kube manifests` and `node-setup`, and the files of deploy/kubernetes: they have the shape
of Kubernetes' types, and mean that nothing but the gateways leaves the cluster. Each check is shown
a broken sample, too, which it has to find. Whether a real cluster takes them is asked where KUBECONFIG
names one."""

import copy
import ipaddress
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.gateway import BINARY  # noqa: E402
from harness.kube import corefile  # noqa: E402
from harness.kube.meaning import (  # noqa: E402
    Network, Pod, family_faults, gateway_faults, monitor_faults, rights_faults)
from harness.kube.shapes import faults, structural_faults  # noqa: E402
from harness.testing import Case, main  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "kubernetes"
NETWORK = ["--vpc-cidr", "10.64.0.0/16", "--service-cidr", "172.20.0.0/16"]
FLEET = ["--for", "eks-ec2-fleet", "--proxy-url", "http://nlb.example:3128"]
ALL = ["--app-namespace", "shop,ci", "--node-role", "arn:aws:iam::111122223333:role/nodes",
       "--gateway-role", "arn:aws:iam::111122223333:role/gateways", "--region", "eu-west-2",
       "--cluster-name", "demo", "--vpc-endpoint", "s3", "--cluster-endpoint",
       "https://0A1B.gr7.eu-west-2.eks.amazonaws.com"]


def run(*words):
    done = subprocess.run([BINARY, "kube", *map(str, words)], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


def manifests(*words):
    code, out, err = run("manifests", *NETWORK, *words)
    if code != 0:
        raise AssertionError(err)
    return list(yaml.safe_load_all(out))


def families(hosts, services, *words):
    """The manifests of a cluster with those blocks."""
    code, out, err = run("manifests", "--vpc-cidr", ",".join(hosts), "--service-cidr",
                         ",".join(services), *words)
    if code != 0:
        raise AssertionError(err)
    return list(yaml.safe_load_all(out))


def of_kind(documents, kind, name=None):
    return [each for each in documents if each["kind"] == kind
            and name in (None, each["metadata"]["name"])]


def settings_of(documents):
    return yaml.safe_load(of_kind(documents, "ConfigMap", "ebbgate-config")[0]["data"]["config.yaml"])


def kustomize():
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            return command
    raise unittest.SkipTest("there is neither kustomize nor kubectl")


class Shapes(Case):
    """Against the types of Kubernetes 1.34."""

    def test_every_rendering_has_the_shape_of_the_types(self):
        for words in (ALL, [*ALL, "--monitoring"], [*FLEET, *ALL],
                      [*ALL, *[f"--part={part}" for part in ("crds", "gateway", "aws-auth",
                                                             "coredns")]]):
            documents = manifests(*words)
            self.assertGreater(len(documents), 8)
            for document in documents:
                self.assertEqual([], faults(document))
        # What is applied over something that is there has only what it changes.
        for document in manifests("--part", "daemonsets"):
            self.assertEqual(1, len(faults(document)))
            self.assertIn(".spec.selector is missing", faults(document)[0])

    def test_every_file_has_the_shape_of_the_types(self):
        paths = sorted(DEPLOY.rglob("*.yaml"))
        self.assertGreater(len(paths), 15)
        for path in paths:
            for document in yaml.safe_load_all(path.read_text()):
                if document["kind"] != "Kustomization":
                    self.assertEqual([], faults(document), path)

    def test_what_has_another_shape_is_found(self):
        deployment = of_kind(manifests(), "Deployment")[0]
        pod = "spec.template.spec."
        for where, value, says in (
                ("apiVersion", "extensions/v1beta1", "there is no such kind"),
                ("spec.replica", 2, ".spec.replica is unknown"),
                (pod + "terminationGracePeriodSeconds", "330", "has to be a number"),
                (pod + "securityContext", {"seccompProfile": {}}, "type is missing"),
                (pod + "containers", {}, "has to be a list"),
                (pod + "hostNetwork", "no", "has to be a boolean"),
                (pod + "volumes", [{"configMap": {"name": "x"}}], "volumes[0].name is missing")):
            broken = copy.deepcopy(deployment)
            *path, last = where.split(".")
            place = broken
            for key in path:
                place = place[key]
            place[last] = value
            self.assertIn(says, "\n".join(faults(broken)), where)

    def test_definitions_have_a_structural_schema(self):
        for crd in of_kind(manifests("--part", "crds"), "CustomResourceDefinition"):
            spec, version = crd["spec"], crd["spec"]["versions"][0]
            schema = version["schema"]["openAPIV3Schema"]
            self.assertEqual([], list(structural_faults(schema)))
            self.assertEqual({"status": {}}, version["subresources"])
            self.assertEqual(f"{spec['names']['plural']}.{spec['group']}", crd["metadata"]["name"])
            status = schema["properties"]["status"]["properties"]
            for column in version["additionalPrinterColumns"]:
                field = re.match(r"\.status\.(\w+)", column["jsonPath"])
                if field:
                    self.assertIn(field[1], status, column)

            def broken(change):
                other = copy.deepcopy(schema)
                change(other["properties"]["spec"])
                return "\n".join(structural_faults(other))
            self.assertIn("no type", broken(lambda s: s.pop("type")))
            self.assertIn("no bound", broken(lambda s: s["properties"]["allow"].pop("maxItems")))
            self.assertIn("speaks of x", broken(
                lambda s: s["x-kubernetes-validations"].append({"rule": "self.x", "message": "m"})))
            self.assertIn("additionalProperties", broken(
                lambda s: s.update(additionalProperties=False)))

    def test_a_namespace_has_fewer_keys_than_the_cluster(self):
        def keys(crd):
            spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
            allow = spec["properties"]["allow"]["items"]["properties"]
            subject = spec["properties"]["subjects"]["items"]["properties"]
            return set(spec["properties"]), set(allow), set(subject)
        crds = {each["spec"]["scope"]: keys(each) for each in manifests("--part", "crds")}
        for of_cluster, of_namespace, more in zip(
                crds["Cluster"], crds["Namespaced"],
                ({"mode", "delegate"}, {"sni", "tls", "ech", "addresses"}, {"cidr"})):
            self.assertEqual(more, of_cluster - of_namespace)
            self.assertEqual(set(), of_namespace - of_cluster)

    def test_the_samples_of_policies_fit_the_definitions_rules(self):
        # What CEL says of these, by its meaning: has(x) of a key that is there.
        crds = {each["spec"]["names"]["kind"]: each for each in manifests("--part", "crds")}
        entry = crds["EgressPolicy"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        entry = entry["properties"]["spec"]["properties"]["allow"]["items"]

        def holds(schema, value):
            return all(eval(re.sub(r"has\(self\.(\w+)\)", lambda m: str(m[1] in value),  # noqa: S307
                                   rule["rule"]).replace("||", " or ").replace("!", " not "))
                       for rule in schema["x-kubernetes-validations"])
        for value, is_right in (({"hosts": ["a"]}, True), ({"bundle": "x"}, True), ({}, False),
                                ({"bundle": "x", "parameters": {"a": "b"}}, True),
                                ({"hosts": ["a"], "parameters": {"a": "b"}}, False)):
            self.assertEqual(is_right, holds(entry, value), value)


class Meaning(Case):
    def test_the_parts_of_the_gateways_agree(self):
        for words in ([], ["--monitoring"]):
            documents = manifests(*words)
            self.assertEqual([], list(gateway_faults(documents, settings_of(documents))))
            self.assertEqual([], list(rights_faults(documents)))
        self.assertEqual([], list(rights_faults(manifests(*FLEET))))
        self.assertEqual([], list(monitor_faults(manifests("--monitoring", "--webhook"))))

    def test_what_would_not_be_looked_at_is_found(self):
        for kind, name, change, says in (
                ("Deployment", "ebbgate", lambda s: s["template"]["spec"]["containers"][0]["args"]
                 .remove("--health-metrics"), "whose health listener has no metrics"),
                ("Service", "ebbgate-metrics", lambda s: s["ports"][0].update(targetPort="proxy"),
                 "ebbgate asks a listener that has no"),
                ("Service", "ebbgate-metrics", lambda s: s["selector"].update(a="b"), "of 0 deploy"),
                ("ServiceMonitor", "ebbgate-webhook", lambda s: s["endpoints"][0].update(port="x"),
                 "ebbgate-webhook leads to 0 ports")):
            documents = manifests("--monitoring", "--webhook")
            change(of_kind(documents, kind, name)[0]["spec"])
            self.assertIn(says, "\n".join(monitor_faults(documents)))

    def test_the_admin_listener_is_the_pods_own(self):
        documents = manifests()
        settings = settings_of(documents)
        for address in ("0.0.0.0", "[::]", "10.64.0.1"):
            settings["admin"] = f"{address}:9901"
            self.assertIn("reads what policies allow", "\n".join(gateway_faults(documents, settings)))

    # The blocks of nodes and pods, and those of services.
    CLUSTERS = (  # what the files are for; EKS with IPv6; two families, whichever is the API's
        (["10.64.0.0/16"], ["172.20.0.0/16"]),
        (["10.64.0.0/16", "2600:1f13:a:b00::/56"], ["fd30:1::/108"]),
        (["2600:1f13:a:b00::/56"], ["fd30:1::/108"]),
        (["10.64.0.0/16", "fd00:2::/56"], ["172.20.0.0/16", "fd30:1::/108"]),
        (["10.64.0.0/16", "fd00:2::/56"], ["fd30:1::/108", "172.20.0.0/16"]))

    def test_every_family_of_the_cluster_is_served(self):
        for hosts, services in self.CLUSTERS:
            with self.subTest(hosts=hosts, services=services):
                documents = families(hosts, services, "--monitoring", "--webhook")
                settings = settings_of(documents)
                self.assertEqual([], list(family_faults(documents, settings, hosts, services)))
                for change, says in (
                        (lambda s: s.update(listen=["127.0.0.1:3128"]), "127.0.0.1:3128 is not on"),
                        (lambda s: s.update(health="10.0.0.1:8080"), "10.0.0.1:8080 is not on"),
                        (lambda s: s["clients"].remove(hosts[-1]), "is none of the clients")):
                    broken = copy.deepcopy(settings)
                    change(broken)
                    self.assertIn(says, "\n".join(
                        family_faults(documents, broken, hosts, services)))
                if len(services) + len(hosts) > 2:  # the other family's answers do not do
                    old = manifests("--webhook")
                    found = "\n".join(family_faults(old, settings_of(old), hosts, services))
                    for says in ("0.0.0.0:3128 is", "0.0.0.0:8080 is", "0.0.0.0:8443 is"):
                        self.assertIn(says, found)
                for service in of_kind(documents, "Service"):
                    service["spec"].pop("ipFamilyPolicy")
                self.assertEqual(3, len(list(family_faults(documents, settings, hosts, services))))

    def test_what_goes_around_the_proxy_is_of_every_family(self):
        for hosts, services in self.CLUSTERS:
            data = of_kind(families(hosts, services), "ConfigMap", "proxy-environment-variables")[0]
            entries = data["data"]["NO_PROXY"].split(",")
            self.assertLessEqual({*hosts, *services}, set(entries))
            first = next(ipaddress.ip_network(services[0]).hosts())
            self.assertIn(str(first), entries)

    def test_what_does_not_agree_is_found(self):
        pod = ("Deployment", "spec.template.spec.")
        container = ("Deployment", "spec.template.spec.containers.0.")
        for (kind, prefix), where, value, says in (
                (("Service", ""), "spec.selector", {"app": "x"}, "selector of the service"),
                (("Service", ""), "spec.ports.0.targetPort", "web", "none of the container's"),
                (("PodDisruptionBudget", ""), "spec.selector.matchLabels", {}, "of the budget"),
                (("HorizontalPodAutoscaler", ""), "spec.minReplicas", 1, "one gateway only"),
                (("HorizontalPodAutoscaler", ""), "spec.scaleTargetRef.name", "x", "something else"),
                (pod, "terminationGracePeriodSeconds", 60, "the kubelet kills before"),
                (pod, "topologySpreadConstraints", [], "not spread"),
                (pod, "securityContext", {}, "may run as root"),
                (pod, "hostNetwork", True, "hostNetwork"),
                (container, "readinessProbe.httpGet.path", "/healthz", "the readinessProbe"),
                (container, "livenessProbe.httpGet.port", "proxy", "the livenessProbe"),
                (container, "securityContext.capabilities", {}, "capabilities"),
                (container, "securityContext.readOnlyRootFilesystem", False, "readOnly"),
                (container, "ports.0.containerPort", 3129, "listen on"),
                (container, "ports.2", {"name": "admin", "containerPort": 9901}, "listen on"),
                (container, "volumeMounts", [], "not mounted"),
                (pod, "automountServiceAccountToken", True, "every container has the token"),
                (container, "volumeMounts.1.mountPath", "/token", "the gateway alone"),
                (pod, "containers.1", {"name": "sidecar", "volumeMounts": [
                    {"name": "token", "readOnly": True, "mountPath":
                     "/var/run/secrets/kubernetes.io/serviceaccount"}]}, "the gateway alone"),
                (pod, "volumes.1.projected.sources.0.serviceAccountToken.expirationSeconds", 10**7,
                 "does not expire soon"),
                (pod, "volumes.1.projected.sources", [], "what the token's volume holds")):
            documents = manifests()
            place = of_kind(documents, kind, "ebbgate")[0]
            *path, last = (prefix + where).split(".")
            for key in path:
                place = place[int(key) if key.isdigit() else key]
            if last.isdigit():
                place.append(value)
            else:
                place[last] = value
            self.assertIn(says, "\n".join(gateway_faults(documents, settings_of(documents))), where)
        for rule, says in (({"apiGroups": ["*"], "resources": ["pods"], "verbs": ["list"]}, "wildcard"),
                           ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
                            "reads secrets"),
                           ({"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
                            "may delete pods")):
            documents = manifests()
            of_kind(documents, "ClusterRole", "ebbgate-gateway")[0]["rules"].append(rule)
            self.assertIn(says, "\n".join(rights_faults(documents)))
        for kind, change, says in (
                ("Role", lambda r: r["rules"].append(
                    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}), "more than its"),
                ("Role", lambda r: r["rules"][0]["verbs"].append("update"), "its Lease otherwise"),
                ("RoleBinding", lambda r: r["metadata"].update(namespace="x"), "another namespace"),
                ("RoleBinding", lambda r: r["roleRef"].update(name="x"), "there is no role x"),
                ("RoleBinding", lambda r: r["subjects"][0].update(name="x"), "one and the same"),
                ("ClusterRoleBinding", lambda r: r["roleRef"].update(kind="Role"), "there is no role")):
            documents = manifests()
            change(of_kind(documents, kind, "ebbgate-gateway")[0])
            self.assertIn(says, "\n".join(rights_faults(documents)))

    def test_the_settings_are_ones_that_the_gateway_takes(self):
        for words in ([], ["--vpc-cidr", "2001:db8::/56"]):
            documents = manifests(*words)
            folder = self.scratch()
            text = of_kind(documents, "ConfigMap", "ebbgate-config")[0]["data"]["config.yaml"]
            (folder / "config.yaml").write_text(text)
            (folder / "policy.yaml").write_text(run("manifests", *NETWORK, "--part", "policies")[1])
            done = subprocess.run([BINARY, "check", "--config", folder / "config.yaml", "--policy",
                                   folder / "policy.yaml"], capture_output=True, text=True, timeout=60)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            settings = yaml.safe_load(text)
            self.assertEqual("in-cluster", settings["kube"])
            self.assertLessEqual(set(settings["pod-cidr"]), set(settings["inside"]))
            self.assertLessEqual(set(settings["pod-cidr"]), set(settings["clients"]))
            self.assertNotIn("policy", settings, "policies are resources")

    def test_the_image_is_of_this_version(self):
        version = subprocess.run([BINARY, "--version"], capture_output=True, text=True,
                                 timeout=60).stdout.split()[1]
        image = of_kind(manifests(), "Deployment")[0]["spec"]["template"]["spec"]["containers"][0][
            "image"]
        self.assertEqual(version.split("+")[0].split("-")[0], image.partition(":")[2])


GATEWAY = Pod("ebbgate-system", {"app.kubernetes.io/name": "ebbgate",
                                 "app.kubernetes.io/component": "gateway"},
              ports={"proxy": 3128, "health": 8080})
WEBHOOK = Pod("ebbgate-system", {"app.kubernetes.io/name": "ebbgate",
                                 "app.kubernetes.io/component": "webhook"},
              ports={"https": 8443, "health": 8080})
OTHER_OF_GATEWAYS = Pod("ebbgate-system", {"app": "debug"})
SHOP, CI = Pod("shop", {"app": "web"}), Pod("ci")
DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
NODE, INTERNET, INTERNET6 = "10.64.3.4", "151.101.2.132", "2606:4700::1"
METADATA, POD_IDENTITY, SERVICE = "169.254.169.254", "169.254.170.23", "172.20.0.1"


class Bypass(Case):
    """Who reaches whom."""

    EXPECTED = [
        # What applications need.
        (SHOP, DNS, 53, True), (SHOP, SERVICE, 443, True), (SHOP, NODE, 443, True),
        (SHOP, CI, 8080, True), (SHOP, GATEWAY, 3128, True), (SHOP, POD_IDENTITY, 80, True),
        # What they must not have: the curl --noproxy '*' of the mission.
        (SHOP, INTERNET, 443, False), (SHOP, INTERNET, 80, False), (SHOP, INTERNET, 53, False),
        (SHOP, INTERNET6, 443, False), (SHOP, METADATA, 80, False), (SHOP, "10.65.0.1", 443, False),
        (SHOP, POD_IDENTITY, 443, False), (CI, INTERNET, 443, False),
        # The VPC's resolver answers for the whole world, as may another one in the network.
        (SHOP, "10.64.0.2", 53, False), (SHOP, NODE, 53, False), (SHOP, NODE, 52, True),
        (SHOP, NODE, 54, True), (SHOP, NODE, 65535, True),
        # The admin listener is nobody's; the health listener, which tells no names, the VPC's.
        (SHOP, GATEWAY, 9901, False), (NODE, GATEWAY, 9901, False), (INTERNET, GATEWAY, 8080, False),
        (NODE, GATEWAY, 8080, True), (NODE, GATEWAY, 3128, True), (INTERNET, GATEWAY, 3128, False),
        # The gateway leaves, and does not come back in.
        (GATEWAY, INTERNET, 443, True), (GATEWAY, INTERNET6, 443, True), (GATEWAY, METADATA, 80, False),
        (GATEWAY, NODE, 22, False), (GATEWAY, "172.20.0.10", 443, False), (GATEWAY, DNS, 53, True),
        # But for the API server: its service, and what is behind it.
        (GATEWAY, SERVICE, 443, True), (GATEWAY, NODE, 443, True), (GATEWAY, NODE, 6443, True),
        (GATEWAY, SERVICE, 80, False), (GATEWAY, "10.65.0.1", 443, False),
        (GATEWAY, "10.64.0.2", 53, True), (GATEWAY, SHOP, 8080, False),
        (GATEWAY, "fd00:ec2::254", 80, False),
        # Nothing else of its namespace does.
        (OTHER_OF_GATEWAYS, INTERNET, 443, False),
    ]

    def check(self, documents, expected):
        network = Network(documents)
        for source, target, port, is_let in expected:
            names = [vars(each)["namespace"] if isinstance(each, Pod) else each
                     for each in (source, target)]
            with self.subTest(f"{names[0]} to {names[1]} port {port}"):
                self.assertEqual(is_let, network.reaches(source, target, port))
        return network

    def test_only_the_gateways_leave(self):
        network = self.check(manifests("--app-namespace", "shop,ci"), self.EXPECTED)
        self.assertTrue(network.reaches(SHOP, DNS, 53, "UDP"))
        self.assertFalse(network.reaches(SHOP, INTERNET, 53, "UDP"))
        self.assertFalse(network.reaches(SHOP, "10.64.0.2", 53, "UDP"))
        self.assertTrue(network.reaches(SHOP, NODE, 8125, "UDP"))
        self.assertFalse(network.reaches(SHOP, INTERNET, 443, "UDP"), "QUIC")

    def test_prometheus_may_look_where_it_is_asked_for(self):
        prometheus = Pod("monitoring", address="192.168.9.9")  # on a network of its own
        self.check(manifests("--app-namespace", "shop"), [(prometheus, GATEWAY, 8080, False)])
        self.check(manifests("--app-namespace", "shop,ci", "--monitoring", "--webhook"), [
            *self.EXPECTED, (prometheus, GATEWAY, 8080, True), (prometheus, WEBHOOK, 8080, True),
            (prometheus, GATEWAY, 9901, False)])

    def test_the_same_holds_of_an_ipv6_cluster(self):
        hosts, services = ["2600:1f13:a:b00::/56"], ["fd30:1::/108"]
        node, service = "2600:1f13:a:b01::4", "fd30:1::1"

        def pod(like):
            return Pod(like.namespace, like.labels, "2600:1f13:a:b02::9", like.ports)
        shop, gateway, webhook, dns = map(pod, (SHOP, GATEWAY, WEBHOOK, DNS))
        expected = [
            (shop, dns, 53, True), (shop, service, 443, True), (shop, node, 443, True),
            (shop, gateway, 3128, True), (shop, "fd00:ec2::23", 80, True), (node, gateway, 8080, True),
            (node, gateway, 3128, True), (INTERNET6, gateway, 3128, False),
            (shop, INTERNET6, 443, False), (shop, INTERNET, 443, False), (shop, node, 53, False),
            (shop, "fd00:ec2::254", 80, False), (shop, gateway, 9901, False),
            (gateway, INTERNET6, 443, True), (gateway, INTERNET, 443, True),
            (gateway, service, 443, True), (gateway, node, 443, True), (gateway, service, 80, False),
            # Global addresses, and yet not outside.
            (gateway, node, 22, False), (gateway, shop, 8080, False), (gateway, METADATA, 80, False),
            (gateway, "fd00:ec2::254", 80, False), (node, webhook, 8443, True),
            (webhook, service, 443, True), (webhook, INTERNET6, 443, False)]
        documents = families(hosts, services, "--app-namespace", "shop", "--webhook")
        self.check(documents, expected)
        rule = of_kind(documents, "NetworkPolicy", "gateway")[0]["spec"]["egress"][-1]["to"][1]
        self.assertEqual(hosts, rule["ipBlock"].pop("except"))
        network = Network(documents)
        self.assertEqual([row for row in expected if row[0] is gateway and row[1:] in (
            (node, 22, False), (shop, 8080, False))],
            [row for row in expected if network.reaches(*row[:3]) != row[3]], "a hole is found")

    def test_the_webhook_is_asked_and_asks_the_api_only(self):
        self.check(manifests("--webhook"), [
            ("10.1.2.3", WEBHOOK, 8443, True), (NODE, WEBHOOK, 8443, True), (NODE, WEBHOOK, 8080, True),
            (SHOP, WEBHOOK, 8443, True), ("10.1.2.3", WEBHOOK, 8080, False),
            (WEBHOOK, SERVICE, 443, True), (WEBHOOK, NODE, 443, True), (WEBHOOK, NODE, 6443, True),
            (WEBHOOK, "172.20.0.10", 443, False), (WEBHOOK, NODE, 22, False),
            (WEBHOOK, INTERNET, 443, False), (WEBHOOK, DNS, 53, False), (WEBHOOK, GATEWAY, 3128, False)])

    def test_a_fleet_outside_is_reached_where_it_is(self):
        self.check(manifests(*FLEET, "--app-namespace", "shop"),
                   [(SHOP, "10.64.0.20", 3128, True), (SHOP, INTERNET, 443, False),
                    (SHOP, INTERNET, 3128, False), (SHOP, METADATA, 80, False)])

    def test_a_hole_is_found(self):
        for name, change in (
                ("ebbgate-egress", lambda p: p["spec"]["egress"].append({})),
                ("ebbgate-egress", lambda p: p["spec"].update(policyTypes=["Ingress"])),
                ("ebbgate-egress", lambda p: p["spec"].update(podSelector={"matchLabels": {"a": "b"}})),
                ("ebbgate-egress", lambda p: p["metadata"].update(namespace="other")),
                ("gateway", lambda p: p["spec"]["egress"].append(
                    {"to": [{"ipBlock": {"cidr": "169.254.0.0/16"}}]})),
                ("gateway", lambda p: p["spec"]["egress"][1]["to"].pop(0)),
                ("gateway", lambda p: p["spec"]["egress"][1].pop("ports")),
                ("default-deny", lambda p: p["spec"].update(policyTypes=["Ingress"]))):
            documents = manifests("--app-namespace", "shop")
            change(of_kind(documents, "NetworkPolicy", name)[0])
            network = Network(documents)
            wrong = [row for row in self.EXPECTED
                     if CI not in row[:2] and network.reaches(*row[:3]) != row[3]]
            self.assertTrue(wrong, name)


class ClusterParts(Case):
    """What the cluster's own parts need to know of the proxy."""

    def test_all_six_variables_are_there_and_agree_with_noproxy(self):
        facts = ["--vpc-cidr", "10.64.0.0/16", "--service-cidr", "172.20.0.0/16", "--region",
                 "eu-west-2", "--vpc-endpoint", "s3", "--endpoint",
                 "https://0A1B.gr7.eu-west-2.eks.amazonaws.com"]
        value = subprocess.run([BINARY, "noproxy", *facts], capture_output=True, text=True,
                               timeout=60).stdout.strip()
        maps = of_kind(manifests(*FLEET, *ALL), "ConfigMap", "proxy-environment-variables")
        self.assertEqual({"kube-system", "shop", "ci"},
                         {each["metadata"]["namespace"] for each in maps})
        for each in maps:
            proxy = "http://nlb.example:3128"
            self.assertEqual({"HTTPS_PROXY": proxy, "https_proxy": proxy, "HTTP_PROXY": proxy,
                              "http_proxy": proxy, "NO_PROXY": value, "no_proxy": value},
                             each["data"])

    def test_the_daemonsets_take_the_variables(self):
        documents = manifests("--part", "daemonsets")
        self.assertEqual(["aws-node", "kube-proxy"], [each["metadata"]["name"] for each in documents])
        for each in documents:
            container, = each["spec"]["template"]["spec"]["containers"]
            self.assertEqual(each["metadata"]["name"], container["name"])
            self.assertEqual([{"configMapRef": {"name": "proxy-environment-variables"}}],
                             container["envFrom"])

    @unittest.skipUnless(shutil.which("kubectl"), "there is no kubectl")
    def test_kubectl_patches_a_daemonset_with_them(self):
        folder = self.scratch()
        run("manifests", *NETWORK, "--output", folder)
        (folder / "live.yaml").write_text(json.dumps({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "aws-node", "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": {"k8s-app": "aws-node"}},
                     "template": {"metadata": {"labels": {"k8s-app": "aws-node"}},
                                  "spec": {"containers": [
                                      {"name": "aws-node", "image": "cni", "env": [
                                          {"name": "A", "value": "b"}]},
                                      {"name": "aws-eks-nodeagent", "image": "agent"}]}}}}))
        done = subprocess.run(
            ["kubectl", "patch", "--local", "-o", "json", "-f", folder / "live.yaml",
             "--patch-file", folder / "cluster" / "aws-node.yaml"],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        containers = {each["name"]: each
                      for each in json.loads(done.stdout)["spec"]["template"]["spec"]["containers"]}
        self.assertEqual({"aws-node", "aws-eks-nodeagent"}, set(containers))
        self.assertEqual("b", containers["aws-node"]["env"][0]["value"])
        self.assertIn("envFrom", containers["aws-node"])
        self.assertNotIn("envFrom", containers["aws-eks-nodeagent"])

    def test_roles_are_mapped_only_where_they_are_asked_for(self):
        roles = yaml.safe_load(manifests("--part", "aws-auth", *ALL)[0]["data"]["mapRoles"])
        self.assertEqual(["system:bootstrappers", "system:nodes"], roles[0]["groups"])
        self.assertEqual("system:node:{{EC2PrivateDNSName}}", roles[0]["username"])
        self.assertEqual(["ebbgate-gateways"], roles[1]["groups"])
        self.assertEqual([], of_kind(manifests(*ALL), "ConfigMap", "aws-auth"),
                         "it would take away the roles that are there")
        group = of_kind(manifests(*FLEET), "ClusterRoleBinding")[0]["subjects"][0]
        self.assertEqual(("Group", "ebbgate-gateways"), (group["kind"], group["name"]))

    def test_the_commands_are_a_script_that_shells_read(self):
        out = run("manifests", *NETWORK, *ALL, "--part", "commands")[1]
        self.assertIn("--type EC2_LINUX", out)
        self.assertIn("kubectl set env daemonset/kube-proxy", out)
        path = self.scratch() / "commands.sh"
        path.write_text(out)
        self.assertEqual(0, subprocess.run(["sh", "-n", path], timeout=60).returncode)
        if not shutil.which("shellcheck"):
            self.skipTest("there is no shellcheck")
        done = subprocess.run(["shellcheck", path], capture_output=True, text=True, timeout=60)
        self.assertEqual("", done.stdout)


class CoreDns(Case):
    """The Corefile, read by a reader of our own that is stricter than CoreDNS."""

    POLICY = """
apiVersion: ebbgate.dev/v1alpha1
kind: ClusterEgressPolicy
metadata: {name: all}
spec:
  allow:
    - hosts: [a.example, .b.example, "*.c.example", deep.b.example, 203.0.113.0/24, "d.example:22"]
  delegate: {namespaces: [shop], hosts: [.delegated.example]}
"""

    def blocks(self, *words):
        folder = self.scratch()
        (folder / "p.yaml").write_text(self.POLICY)
        document, = manifests("--part", "coredns", "--policy", folder / "p.yaml", *words)
        return corefile.parse(document["data"]["Corefile"])

    def test_only_the_clusters_names_and_the_policys_are_answered(self):
        blocks = self.blocks(*ALL)
        for name, outcome in {
                "kubernetes.default.svc.cluster.local": "kubernetes",
                "github.com.svc.cluster.local": "kubernetes", "1.0.64.10.in-addr.arpa": "kubernetes",
                "a.example": "forward", "x.a.example": "NXDOMAIN", "xa.example": "NXDOMAIN",
                "b.example": "forward", "x.y.b.example": "forward", "deep.b.example": "forward",
                "x.deep.b.example": "forward", "c.example": "NXDOMAIN", "x.c.example": "forward",
                "d.example": "forward", "delegated.example": "forward", "example": "NXDOMAIN",
                "secret-data.evil.test": "NXDOMAIN", "localhost": "NXDOMAIN",
                "0a1b.gr7.eu-west-2.eks.amazonaws.com": "forward",
                "bucket.s3.eu-west-2.amazonaws.com": "forward",
                "bucket.s3.us-east-1.amazonaws.com": "NXDOMAIN"}.items():
            self.assertEqual(outcome, corefile.outcome(blocks, name), name)

    def test_it_says_the_same_as_the_patterns_for_random_names(self):
        dice = random.Random(1)
        labels = ["a", "b", "c", "xa", "deep", "example", "test", "delegated"]
        blocks = self.blocks()

        def is_named(name):
            return (name in ("a.example", "d.example")
                    or name == "b.example" or name.endswith(".b.example")
                    or name == "delegated.example" or name.endswith(".delegated.example")
                    or name.endswith(".c.example"))
        for _ in range(2000):
            name = ".".join(dice.choice(labels) for _ in range(dice.randint(1, 5)))
            if dice.random() < 0.7:
                name += ".example"
            self.assertEqual("forward" if is_named(name) else "NXDOMAIN",
                             corefile.outcome(blocks, name), name)

    def test_a_corefile_that_coredns_would_not_read_is_found(self):
        for text in ("a:53 {\n", "a:53 {\n errors\n}\n}\n", "a:53 {\n nonsense\n}\n",
                     "a:53 {\n errors\n}\na:53 {\n errors\n}\n", "A/b {\n errors\n}\n",
                     "a:53 {\n cache 30\n cache 30\n}\n", "a:53 {\n reload\n}\nb:53 {\n reload\n}\n"):
            self.assertRaises(corefile.CorefileError, corefile.parse, text)

    def test_an_invalid_policy_is_told(self):
        path = self.scratch() / "p.yaml"
        path.write_text("apiVersion: x\n")
        code, out, err = run("manifests", *NETWORK, "--part", "coredns", "--policy", path)
        self.assertEqual((3, ""), (code, out))
        self.assertIn("p.yaml:1:13: error", err)


class NodeSetup(Case):
    WORDS = ["node-setup", *NETWORK, "--proxy-url", "http://proxy.example:3128"]

    def root(self):
        root = self.scratch()
        for folder in ("etc/apt", "etc/dnf", "etc/systemd/system"):
            (root / folder).mkdir(parents=True)
        (root / "etc/systemd/system/k3s.service").write_text("[Service]\n")
        return root

    def set_up(self, root):
        script = run(*self.WORDS)[1]
        done = subprocess.run(["sh", "-s", root], input=script, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    @staticmethod
    def state(root):
        return {str(path.relative_to(root)): (path.read_text(), path.stat().st_ino)
                for path in sorted(root.rglob("*")) if path.is_file()}

    def test_run_again_it_changes_nothing(self):
        for dnf in (None, "[main]\ngpgcheck=1\n\n[other]\nproxy=x\n", "[main]\nproxy = old\nbest=0\n",
                    "# nothing\n", ""):
            root = self.root()
            if dnf is not None:
                (root / "etc/dnf/dnf.conf").write_text(dnf)
            first = self.set_up(root)
            self.assertIn("wrote /etc/systemd/system/kubelet.service.d/90-ebbgate-proxy.conf", first)
            state = self.state(root)
            self.assertEqual("", self.set_up(root))
            self.assertEqual(state, self.state(root))
            self.assertFalse(any(path.endswith(".new") for path in state))

    def test_each_program_is_told_in_its_own_way(self):
        root = self.root()
        (root / "etc/dnf/dnf.conf").write_text("[main]\ngpgcheck=1\n\n[other]\nproxy=x\n")
        self.set_up(root)
        units = root / "etc/systemd/system"
        for unit in ("containerd", "kubelet", "k3s"):
            text = (units / f"{unit}.service.d/90-ebbgate-proxy.conf").read_text()
            found = dict(re.findall(r'^Environment="(\w+)=(.*)"$', text, re.M))
            self.assertEqual({"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY",
                              "no_proxy"}, set(found))
            self.assertEqual("http://proxy.example:3128", found["HTTPS_PROXY"])
            self.assertIn("172.20.0.0/16", found["NO_PROXY"])
        self.assertFalse((units / "k3s-agent.service.d").exists())
        dnf = (root / "etc/dnf/dnf.conf").read_text()
        self.assertEqual("[main]\ngpgcheck=1\n\nproxy=http://proxy.example:3128\n[other]\nproxy=x\n",
                         dnf)
        apt = (root / "etc/apt/apt.conf.d/90-ebbgate-proxy").read_text()
        self.assertIn('Acquire::https::Proxy "http://proxy.example:3128";', apt)

    def test_what_has_changed_since_is_put_right(self):
        root = self.root()
        self.set_up(root)
        path = root / "etc/systemd/system/kubelet.service.d/90-ebbgate-proxy.conf"
        wanted = path.read_text()
        path.write_text("something else\n")
        self.assertEqual("wrote /etc/systemd/system/kubelet.service.d/90-ebbgate-proxy.conf\n",
                         self.set_up(root))
        self.assertEqual(wanted, path.read_text())

    @unittest.skipUnless(shutil.which("shellcheck"), "there is no shellcheck")
    def test_it_is_a_clean_posix_script(self):
        path = self.scratch() / "node-setup.sh"
        path.write_text(run(*self.WORDS)[1])
        done = subprocess.run(["shellcheck", "--shell=sh", path], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual("", done.stdout)


class Files(Case):
    def test_every_kustomization_builds_what_the_program_renders(self):
        command = kustomize()
        for overlay, words in (("in-cluster", []), ("eks-ec2-fleet", FLEET),
                               ("monitoring", ["--monitoring"])):
            done = subprocess.run([*command, DEPLOY / "overlays" / overlay], capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual(0, done.returncode, done.stderr)

            def by_name(documents):
                return {(each["kind"], each["metadata"]["name"]): each for each in documents}
            built = by_name(yaml.safe_load_all(
                re.sub(" # (?:each|answer): [a-z-]+", "", done.stdout)))
            rendered = by_name(manifests(*words))
            rendered.pop(("ConfigMap", "proxy-environment-variables"))
            self.assertEqual(rendered, built, overlay)

    def test_a_namespace_of_applications_is_a_base_of_kustomize(self):
        command, folder = kustomize(), self.scratch()
        shutil.copytree(DEPLOY / "app-namespace", folder / "app-namespace")
        (folder / "kustomization.yaml").write_text("namespace: shop\nresources: [app-namespace]\n")
        done = subprocess.run([*command, folder], capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        rendered = manifests("--app-namespace", "shop", "--part", "namespaces")
        self.assertCountEqual(yaml.safe_load_all(done.stdout),
                              [each for each in rendered if each["kind"] != "ConfigMap"])

    def test_a_namespace_of_applications_has_a_bounded_number_of_policies(self):
        def is_bounded(documents):
            crd = of_kind(manifests("--part", "crds"), "CustomResourceDefinition",
                          "egresspolicies.ebbgate.dev")[0]["spec"]
            counted = f"count/{crd['names']['plural']}.{crd['group']}"
            return {"shop", "ci"} == {each["metadata"]["namespace"]
                                      for each in of_kind(documents, "ResourceQuota")
                                      if 0 < int(each["spec"]["hard"].get(counted, 0)) <= 100}
        documents = manifests("--app-namespace", "shop,ci")
        self.assertTrue(is_bounded(documents))
        quota = of_kind(documents, "ResourceQuota")[0]["spec"]
        for hard in ({"count/egresspolicies": "50"}, {"count/egresspolicies.ebbgate.dev": "5000"}):
            quota["hard"] = hard
            self.assertFalse(is_bounded(documents), hard)

    def test_a_folder_has_everything_and_builds(self):
        folder = self.scratch()
        code, out, err = run("manifests", *NETWORK, *ALL, "--monitoring", "--output", folder)
        self.assertEqual((0, ""), (code, err))
        written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        self.assertEqual(len(written), len(out.splitlines()))
        for name in ("commands.sh", "cluster/aws-auth.yaml", "cluster/coredns.yaml",
                     "namespaces/ci/network.yaml", "overlays/monitoring/kustomization.yaml"):
            self.assertIn(name, written)
        self.assertTrue(os.access(folder / "commands.sh", os.X_OK))
        done = subprocess.run([*kustomize(), folder / "overlays" / "monitoring"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)

    def test_alert_rules_speak_of_metrics_that_exist(self):
        metrics = {name for page in ("metrics.md", "webhook.md") for name in
                   re.findall(r"^\| `(\w+)[`{]", (ROOT / "docs" / page).read_text(), re.M)}
        reasons = set(re.findall(r"^## (.*)$", (ROOT / "docs" / "reasons.md").read_text(), re.M))
        text = (ROOT / "deploy" / "monitoring" / "prometheus-rules.yaml").read_text()
        rules = yaml.safe_load(text)
        expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
        self.assertTrue(any("ebbgate_denied_total" in each for each in expressions))
        for each in expressions:
            for name in re.findall(r"\b(?:ebbgate|process)_\w+", each):
                self.assertIn(name, metrics)
            for words in re.findall(r'reason[=!]~?"([^"]*)"', each):
                self.assertLessEqual(set(words.split("|")), reasons)
        operator, = yaml.safe_load_all((DEPLOY / "overlays/monitoring/rules.yaml").read_text())
        self.assertEqual(rules, operator["spec"], "the two forms are the same rules")

    @unittest.skipUnless(shutil.which("promtool"), "there is no promtool")
    def test_prometheus_takes_the_rules(self):
        done = subprocess.run(["promtool", "check", "rules",
                               ROOT / "deploy" / "monitoring" / "prometheus-rules.yaml"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("promtool"), "there is no promtool")
    def test_alerts_fire_for_what_they_are_about_and_else_not(self):
        denied = 'ebbgate_denied_total{namespace="e",reason="%s"}'
        cases = [  # the alert, its series, whether it fires
            ("EbbgateRefusals", {denied % "not-allowed": "0x5 3x25"}, True),
            ("EbbgateRefusals", {denied % "not-allowed": "7x30", denied % "draining": "0x5 9x25"},
             False),
            ("EbbgateManyRefusals", {denied % "not-allowed": "0+900x30"}, True),
            ("EbbgateManyRefusals", {denied % "not-allowed": "0+300x30"}, False),
            ("EbbgateForbiddenAddress", {denied % "forbidden-address": "0x5 1x25"}, True),
            ("EbbgatePoliciesDiffer", {f'ebbgate_policy_entries{{namespace="e",pod="{pod}"}}': value
                                       for pod, value in (("a", "5x30"), ("b", "6x30"))}, True),
            ("EbbgatePoliciesDiffer", {f'ebbgate_policy_entries{{namespace="e",pod="{pod}"}}': "5x30"
                                       for pod in "ab"}, False),
            ("EbbgatePolicySourceFails",
             {'ebbgate_policy_source_failures_in_row{namespace="e"}': "0+1x30"}, True),
            ("EbbgatePolicySourceFails",
             {'ebbgate_policy_source_failures_in_row{namespace="e"}': "5x30"}, False),
            ("EbbgatePolicyOld", {'ebbgate_policy_source_age_seconds{namespace="e"}': "0+60x30"},
             True),
            ("EbbgatePolicyOld", {'ebbgate_policy_source_age_seconds{namespace="e"}': "60x30"},
             False),
            ("EbbgateNamesFail", {'ebbgate_dns_failures_total{namespace="e"}': "0+60x30",
                                  'ebbgate_dns_queries_total{namespace="e"}': "0+120x30"}, True),
            ("EbbgateNamesFail", {'ebbgate_dns_failures_total{namespace="e"}': "0+10x30",
                                  'ebbgate_dns_queries_total{namespace="e"}': "0+120x30"}, False),
            ("EbbgateKubeWatchLost",
             {'ebbgate_kube_watch_lost_seconds{namespace="e",kind="policies"}': "0x5 30+60x20"}, True),
            ("EbbgateKubeWatchLost",
             {'ebbgate_kube_watch_lost_seconds{namespace="e",kind="pods"}': "0x9 40 0x30"}, False),
            ("EbbgateKubePodsUnknown",
             {'ebbgate_kube_watch_lost_seconds{namespace="e",kind="pods"}': "0+60x30"}, True),
            ("EbbgateKubePodsUnknown",
             {'ebbgate_kube_watch_lost_seconds{namespace="e",kind="policies"}': "0+60x30"}, False),
            ("EbbgateKubeAddressAmbiguous",
             {'ebbgate_kube_ambiguous_addresses{namespace="e"}': "0x9 1x30"}, True),
            ("EbbgateKubeAddressAmbiguous",
             {'ebbgate_kube_ambiguous_addresses{namespace="e"}': "0x22 1x30"}, False),
            ("EbbgateKubePoliciesInvalid",
             {'ebbgate_kube_policies{namespace="e",state="closed"}': "2x30"}, True),
            ("EbbgateKubePoliciesInvalid",
             {'ebbgate_kube_policies{namespace="e",state="in-force"}': "2x30"}, False),
            ("EbbgateKubePoliciesDiffer",
             {f'ebbgate_kube_policies{{namespace="e",state="kept",pod="{pod}"}}': value
              for pod, value in (("a", "1x30"), ("b", "0x30"))}, True),
            ("EbbgateKubePoliciesDiffer",
             {f'ebbgate_kube_policies{{namespace="e",state="{state}",pod="{pod}"}}': value
              for state, value in (("closed", "1x30"), ("in-force", "4x30"))
              for pod in "ab"}, False),
            ("EbbgateKubePolicyMissing",
             {'ebbgate_kube_policies{namespace="e",state="missing"}': "1x30"}, True),
            ("EbbgateKubeStatusFails",
             {'ebbgate_kube_status_failures_total{namespace="e"}': "0+1x30"}, True),
            ("EbbgateKubeStatusFails",
             {'ebbgate_kube_status_failures_total{namespace="e"}': "3x30"}, False),
            ("EbbgateWebhookDown", {'up{job="ebbgate-webhook",namespace="e"}': "1x9 0x30"}, True),
            ("EbbgateWebhookDown", {'up{job="ebbgate-webhook",namespace="e"}': "1x9 stale"}, True),
            ("EbbgateWebhookDown", {'up{job="ebbgate-webhook",namespace="e",pod="a"}': "0x30",
                                    'up{job="ebbgate-webhook",namespace="e",pod="b"}': "1x30"}, False),
            ("EbbgateWebhookDown", {'up{job="ebbgate",namespace="e"}': "0x30"}, False),
            ("EbbgateWebhookCertificateEnds",  # the tests' clock begins at 0
             {'ebbgate_webhook_certificate_expires_timestamp_seconds{namespace="e"}': "1200000x80"},
             True),
            ("EbbgateWebhookCertificateEnds",
             {'ebbgate_webhook_certificate_expires_timestamp_seconds{namespace="e"}': "1300000x80"},
             False),
            ("EbbgateWebhookClientFaults",
             {'ebbgate_webhook_client_faults_total{namespace="e"}': "0+20x30"}, True),
            ("EbbgateWebhookClientFaults",
             {'ebbgate_webhook_client_faults_total{namespace="e"}': "0+2x30"}, False),
            ("EbbgateFewGateways", {'up{job="ebbgate",namespace="e",pod="a"}': "1x30"}, True),
            ("EbbgateFewGateways", {f'up{{job="ebbgate",namespace="e",pod="{pod}"}}': "1x30"
                                    for pod in "ab"}, False),
        ]
        folder = self.scratch()
        rules = yaml.safe_load((ROOT / "deploy/monitoring/prometheus-rules.yaml").read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:  # the words for people are not what is tested
                del rule["annotations"]
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        tests = []
        for alert, series, fires in cases:
            labels, expr = next((rule["labels"], rule["expr"]) for group in rules["groups"]
                                for rule in group["rules"] if rule["alert"] == alert)
            for kept in re.findall(r"by \(namespace, (\w+)\)", expr):
                found = re.search(f'{kept}="([a-z-]+)"', " ".join(series))
                labels = {**labels, kept: found[1]}
            tests.append({
                "interval": "1m",
                "input_series": [{"series": name, "values": values}
                                 for name, values in series.items()],
                "alert_rule_test": [{
                    "eval_time": "12m" if "Refusals" in alert and "Many" not in alert
                    or "Forbidden" in alert else "75m" if "Ends" in alert else "25m",
                    "alertname": alert,
                    "exp_alerts": [{"exp_labels": {**labels, "namespace": "e"}}] if fires else []}]})
        (folder / "tests.yaml").write_text(yaml.safe_dump(
            {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}))
        done = subprocess.run(["promtool", "test", "rules", folder / "tests.yaml"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    @unittest.skipUnless(os.environ.get("KUBECONFIG") and shutil.which("kubectl"),
                         "KUBECONFIG names no cluster")
    def test_a_real_cluster_takes_them(self):
        crds = run("manifests", *NETWORK, "--part", "crds")[1]
        done = subprocess.run(["kubectl", "apply", "--server-side", "--dry-run=server", "-f", "-"],
                              input=crds, capture_output=True, text=True, timeout=120)
        self.assertEqual(0, done.returncode, done.stderr)
        out = run("manifests", *NETWORK)[1]
        done = subprocess.run(["kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", "-"],
                              input=out, capture_output=True, text=True, timeout=120)
        refused = [line for line in done.stderr.splitlines()
                   if 'namespaces "ebbgate-system" not found' not in line]
        self.assertEqual([], refused, "the namespace is not there in a dry run, all else is fine")


class CommandLine(Case):
    def test_a_wrong_use_is_told(self):
        for words, says in (
                ([], "say manifests, node-setup"), (["manifest", *NETWORK], "say manifests"),
                (["manifests"], "--vpc-cidr is missing"),
                (["manifests", *NETWORK, "--for", "moon"], "--for is in-cluster or"),
                (["manifests", *NETWORK, "--for", "eks-ec2-fleet"], "--proxy-url is missing"),
                (["manifests", *NETWORK, "--part", "all"], "--part all is none"),
                (["manifests", *NETWORK, "--vpc-endpoint", "s3"], "region"),
                (["manifests", "--vpc-cidr", "10.1.2.3/8"], "no address block"),
                (["manifests", *NETWORK, "--proxy-url", "http://x:1/\n"], "--proxy-url is not"),
                (["node-setup", *NETWORK], "--proxy-url is missing"),
                (["manifests", *NETWORK, "--colour"], "no such flag")):
            code, out, err = run(*words)
            self.assertEqual((2, ""), (code, out), words)
            self.assertIn(says, err)

    def test_the_examples_of_the_help_work(self):
        code, out, _ = run("--help")
        self.assertEqual(0, code)
        text = out.partition("Examples:\n")[2].partition("\n\n")[0].replace("\\\n", " ")
        folder = self.scratch()
        (folder / "policy").mkdir()
        (folder / "policy" / "p.list").write_text("a.example\n")
        ran = 0
        for line in text.splitlines():
            words = line.split("|")[0].split(">")[0].split()
            done = subprocess.run([BINARY, *words[1:]], cwd=folder, capture_output=True, text=True,
                                  timeout=60)
            self.assertEqual(0, done.returncode, line + done.stderr)
            ran += 1
        self.assertEqual(4, ran)

    def test_a_folder_that_cannot_be_written_is_told(self):
        path = self.scratch() / "file"
        path.write_text("")
        code, _, err = run("manifests", *NETWORK, "--output", path)
        self.assertEqual(1, code)
        self.assertIn("cannot be written", err)


if __name__ == "__main__":
    main()
