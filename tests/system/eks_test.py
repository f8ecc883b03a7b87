# labels: aws
"""`ebbgate eks` against the tests' own AWS: all stacks come up, and the second time nothing changes;
what fails says what to do next, and a later apply recovers; a bad file is refused before the first
call; the proofs are proofs."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess

import yaml

from harness.eks import PATIENCE, SAMPLE, STACKS, STEPS, EksCase, join
from harness.gateway import BINARY, Gateway
from harness.kube.api import Api
from harness.kube.cluster import Cluster
from harness.origins import HttpOrigin
from harness.testing import main


class Applying(EksCase):
    def test_all_stacks_come_up_in_order_and_the_second_time_changes_nothing(self):
        said = self.succeed("apply")
        self.assert_stands()
        self.assertEqual(STACKS, [stack.name for stack in self.aws.cloudformation.stacks])
        self.assertIn("EKSdemo stands.", said)
        self.aws.requests.clear()
        said = self.succeed("apply")
        self.assertIn("nothing has changed", said)
        self.assertEqual([], self.writes())
        for step in STEPS:
            self.assertIn(f"{step}: unchanged", said)

    def test_nodes_get_the_no_proxy_of_what_exists(self):
        self.change("endpoints: [ec2, eks-auth]", "endpoints: [ec2, eks-auth, sts]")
        self.succeed("apply")
        stack = self.aws.cloudformation.stack("EKSdemo-nodegroup")
        entries = stack.parameters["NoProxy"].split(",")
        for entry in ("10.100.0.0/16", "10.64.0.0/16", "172.31.0.0/16", "169.254.169.254",
                      "169.254.170.23", ".svc", ".internal", "sts.eu-west-2.amazonaws.com",
                      "ec2.eu-west-2.amazonaws.com"):
            self.assertIn(entry, entries)
        self.assertNotIn("logs.eu-west-2.amazonaws.com", entries)
        host = next(iter(self.aws.eks.clusters.values())).told["endpoint"].removeprefix("https://")
        self.assertIn(host.lower(), entries)

    def test_kubectl_gets_what_it_needs(self):
        self.succeed("apply")
        folder = self.folder / "EKSdemo"
        config = (folder / "kubeconfig").read_text()
        self.assertIn("args: [eks, token, --cluster,", config)
        self.assertEqual(0o600, (folder / "kubeconfig").stat().st_mode & 0o777)
        proxy = (folder / "proxy-environment-variables.yaml").read_text()
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY",
                     "no_proxy"):
            self.assertIn(f"  {name}: \"", proxy)
        if shutil.which("kubectl"):
            done = subprocess.run(
                ["kubectl", "config", "view", "--kubeconfig", folder / "kubeconfig", "-o",
                 "jsonpath={.current-context}"], capture_output=True, text=True, timeout=60)
            self.assertEqual("EKSdemo", done.stdout, done.stderr)

    def test_a_token_is_what_kubectl_wants(self):
        done = subprocess.run(
            [BINARY, "eks", "token", "--cluster", "EKSdemo", "--region", "eu-west-2"],
            env={**os.environ, **self.aws.environment()}, capture_output=True, text=True,
            timeout=PATIENCE)
        self.assertEqual(0, done.returncode, done.stderr)
        credential = json.loads(done.stdout)
        self.assertEqual("ExecCredential", credential["kind"])
        self.assertTrue(credential["status"]["token"].startswith("k8s-aws-v1."))
        self.assertRegex(credential["status"]["expirationTimestamp"], r"^\d{4}-.*Z$")

    def test_a_change_of_the_file_changes_the_stack_it_concerns(self):
        self.succeed("apply")
        self.change("  desired: 2\n  max: 4", "  desired: 3\n  max: 5")
        plan = self.succeed("plan")
        self.assertIn("~ parameter MaxSize: 4 -> 5", plan)
        said = self.succeed("apply")
        self.assertIn("nodegroup: updated", said)
        self.assertIn("gateway: unchanged", said)

    def test_what_replaces_something_is_shown_and_needs_yes(self):
        self.succeed("apply")
        before = self.statuses()
        self.change("architecture: arm64", "architecture: x86-64")
        self.change("instanceTypes: [c7g.medium]", "instanceTypes: [c7i.large]")
        self.change("serviceCidr: 10.100.0.0/16", "serviceCidr: 10.101.0.0/16")
        said = self.fail_with_next("apply")
        self.assertIn("REPLACE", said)
        self.assertIn("--yes", said)
        self.assertEqual(before, self.statuses())

    def test_a_policy_that_was_pushed_is_written_over_with_yes_only(self):
        self.succeed("apply")
        gateway = self.aws.cloudformation.stack("EKSdemo-gateway")
        name = gateway.resources["Policy"].physical
        mine = self.aws.ssm.value(name)
        self.change("  - api.github.com\n", "  - api.github.com\n  - first.example\n")
        self.assertIn("gateway: updated", self.succeed("apply"))  # nobody has pushed anything
        self.assertIn("first.example", self.aws.ssm.value(name))
        self.assertNotEqual(mine, self.aws.ssm.value(name))
        self.aws.ssm.put(name, "pushed: later")
        self.assertIn("nothing has changed", self.succeed("apply"))
        self.change("- first.example", "- second.example")
        self.assertIn("written over", self.succeed("plan"))
        said = self.fail_with_next("apply")
        self.assertIn(f"pushed to {name}", said)
        self.assertEqual("pushed: later", self.aws.ssm.value(name))
        self.assertIn("gateway: updated", self.succeed("apply", "--yes"))
        self.assertIn("second.example", self.aws.ssm.value(name))

    def test_json_is_for_programs(self):
        done = self.run_eks("apply", "--format", "json")
        self.assertEqual(0, done.returncode, done.stderr)
        out = json.loads(done.stdout)
        self.assertTrue(out["succeeded"])
        self.assertEqual(list(STEPS), [step["id"] for step in out["steps"]])
        self.assertEqual({"created"}, {step["end"] for step in out["steps"]})
        plan = json.loads(self.succeed("plan", "--format", "json"))
        self.assertEqual({"unchanged"}, {step["state"] for step in plan["steps"]})


class Asking(EksCase):
    """`gateway: {kube: true}`: gateways that are told of a cluster are not ready before it has the
    types and rights that they need there, and nodes are not before gateways are."""

    def setUp(self):
        super().setUp()
        self.kube = self.enter(Cluster())
        self.change("gateway:\n", "gateway:\n  kube: true\n")
        self.said = self.succeed("apply")
        join(self.aws, self.kube, "EKSdemo")

    def let_in(self):
        """Whoever runs the command administers the cluster."""
        eks = self.aws.eks
        entry = eks.entry(eks.clusters["EKSdemo"], self.aws.credentials.principal.arn)
        entry["associated"].append({"policyArn": "arn:aws:eks::aws:cluster-access-policy/"
                                                 "AmazonEKSClusterAdminPolicy"})

    def told(self):
        stack = self.aws.cloudformation.stack("EKSdemo-gateway")
        return stack.parameters["KubeCluster"], "ClusterAccess" in stack.resources

    def prepare(self, kinds=None):
        """What `kubectl apply -f gateway-access.yaml` does."""
        for each in yaml.safe_load_all((self.folder / "EKSdemo/gateway-access.yaml").read_text()):
            if each and (kinds is None) != (each["kind"] == "CustomResourceDefinition"):
                self.kube.create(each)

    def test_the_fleet_is_told_of_the_cluster_once_that_is_prepared(self):
        said = self.said
        self.assert_stands()
        self.assertEqual(("", False), self.told())
        self.assertIn("Gateways do not ask the cluster yet: it is new", said)
        self.assertRegex(said, r"kubectl .* -f \S*/gateway-access\.yaml")
        self.assertRegex(said, r"(?m)^next: run `ebbgate eks apply --config \S+` there once more")
        self.assertIn("Unauthorized", self.succeed("apply"))  # nobody has let us in
        self.let_in()
        self.assertIn("it has no type egresspolicies.ebbgate.dev", self.succeed("apply"))
        self.prepare(kinds="types")
        self.assertIn("the group ebbgate-gateways may not list pods", self.succeed("apply"))
        self.assertEqual(("", False), self.told())
        self.prepare()
        self.assertIn("~ parameter KubeCluster: nothing -> EKSdemo", self.succeed("plan"))
        said = self.succeed("apply")
        self.assertIn("gateway: updated", said)
        self.assertNotIn("do not ask the cluster", said)
        self.assertEqual(("EKSdemo", True), self.told())
        self.kube.down()  # what was told stays so
        self.assertIn("nothing has changed", self.succeed("apply"))
        self.change("  kube: true\n", "")
        said = self.fail_with_next("apply")
        self.assertIn("REMOVE ClusterAccess", said)
        self.assertIn("gateway: updated", self.succeed("apply", "--yes"))
        self.assertEqual(("", False), self.told())

    def test_gateways_are_let_in_and_may_read_what_they_need(self):
        self.let_in()
        self.prepare(kinds="types")
        self.prepare()
        self.succeed("apply")
        fleet = next(iter(self.aws.autoscaling.groups.values())).instances[-1]
        config = base64.b64decode(str(fleet.user_data)).decode()
        self.assertIn('kube: "eks:EKSdemo"\n', config)
        who = self.aws.iam.session(fleet.role, fleet.id)
        environment = {**os.environ, **self.aws.environment(who)}
        token = json.loads(subprocess.run(
            [BINARY, "eks", "token", "--cluster", "EKSdemo", "--region", "eu-west-2"],
            env=environment, capture_output=True, text=True, timeout=PATIENCE).stdout)
        api = Api(self.kube, token=token["status"]["token"])
        for path, code in (("/apis/ebbgate.dev/v1alpha1/egresspolicies", 200),
                           ("/apis/ebbgate.dev/v1alpha1/clusteregresspolicies", 200),
                           ("/api/v1/pods", 200), ("/api/v1/secrets", 403),
                           ("/api/v1/namespaces", 403)):
            self.assertEqual(code, api.get(path).status, path)
        control_plane = self.outputs("cluster")["ControlPlaneSecurityGroupId"]
        gateways = self.outputs("gateway")["GatewaySecurityGroupId"]
        self.assertIn(gateways, str(self.aws.ec2.security_groups[control_plane]))
        role = self.outputs("gateway")["GatewayRoleArn"]
        self.assertEqual(["ebbgate-gateways"], self.aws.eks.clusters["EKSdemo"]
                         .access_entries[role]["kubernetesGroups"])

    def test_an_api_that_is_out_of_reach_stops_nothing(self):
        self.kube.down()
        said = self.succeed("apply")
        self.assertIn("Gateways do not ask the cluster yet: ", said)
        self.assertIn("note: gateways do not ask the cluster yet", self.succeed("plan"))
        self.assertEqual(("", False), self.told())


class Planning(EksCase):
    def test_it_changes_nothing(self):
        plan = self.succeed("plan")
        self.assertIn("state: new", plan)
        self.assertIn("USD a month", plan)
        self.assertEqual([], self.writes())
        self.assertEqual({}, self.statuses())

    def test_it_works_without_credentials(self):
        done = subprocess.run(
            [BINARY, "eks", "plan", "--config", str(self.config), "--call-timeout", "200ms"],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder),
                 "AWS_EC2_METADATA_DISABLED": "true"},
            capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("Not compared with what stands", done.stdout)

    def test_an_unknown_zone_is_refused_by_what_the_account_has(self):
        self.change("eu-west-2b]", "eu-west-2z]")
        for command in ("plan", "apply"):
            done = self.run_eks(command)
            self.assertEqual(3, done.returncode, done.stdout)
            self.assertRegex(done.stderr, r"eks.yaml:9:\d+: error: this account has no zone "
                                          r'"eu-west-2z"; it has eu-west-2a')
        self.assertEqual([], self.writes())

    BAD = {
        "a public block": ("cidr: 10.64.0.0/16", "cidr: 172.32.0.0/16", 8, "as in 10.64.0.0/16"),
        "an overlap": ("serviceCidr: 10.100.0.0/16", "serviceCidr: 10.64.0.0/16", 10,
                       "choose another block"),
        "too small": ("cidr: 10.64.0.0/16", "cidr: 10.64.0.0/26", 8, "from /16 to /21"),
        "another region's zone": ("eu-west-2b]", "us-east-1b]", 9, "as in eu-west-2a"),
        "a URL": ("- api.github.com", "- https://api.github.com/", 21, "write "),
        "a bundle that is none": ("[eks-node,", "[eks-nodes,", 19, "write eks-node"),
        "a key that is none": ("nodes:", "node:", 34, "write `nodes`"),
        "a version that is a number": ('version: "1.35"', "version: 1.35", 5, 'write "1.35"'),
        "no YAML": ("tags: {", "tags: {{{", 44, ""),
    }

    def test_a_bad_file_is_refused_with_line_and_fix_before_any_call(self):
        good = self.text
        for what, (old, new, line, fix) in self.BAD.items():
            with self.subTest(what):
                self.assertIn(old, good)
                self.write(good.replace(old, new))
                for command in ("plan", "apply", "verify", "destroy"):
                    done = self.run_eks(command)
                    self.assertEqual(3, done.returncode, done.stdout)
                    self.assertRegex(done.stderr, rf"(?m)^\S*eks\.yaml:{line}:\d+: error: ")
                    self.assertIn(fix, done.stderr)
                    self.assertEqual([], self.aws.requests)

    def test_the_script_is_clean(self):
        if not shutil.which("shellcheck"):
            self.skipTest("shellcheck is not installed")
        texts = {"as it is": self.text,
                 "aws-auth": self.text.replace("version:", "access: configmap\nversion:"),
                 "no endpoints": self.text.replace("[ec2, eks-auth]", "[]"),
                 "zones by id": self.text.replace("eu-west-2a, eu-west-2b", "euw2-az1, euw2-az2"),
                 "a cluster that is asked": self.text.replace("gateway:\n",
                                                              "gateway:\n  kube: true\n"),
                 "a quote": self.text.replace("team: platform", "team: it's ours")}
        for what, text in texts.items():
            with self.subTest(what):
                self.write(text)
                script = self.succeed("plan", "--bastion-script")
                self.assertEqual([], self.aws.requests)
                done = subprocess.run(["shellcheck", "-"], input=script, capture_output=True,
                                      text=True, timeout=PATIENCE)
                self.assertEqual("", done.stdout)

    # Stands in for the aws program: keeps what is deployed, and answers with what was asked for.
    AWS = """#!/usr/bin/python3
import json, sys
words = sys.argv[1:]
def value(flag):
    return words[words.index(flag) + 1]
if words[:2] == ["cloudformation", "deploy"]:
    given = words[words.index("--parameter-overrides") + 1:] if "--parameter-overrides" in words else []
    print(json.dumps([value("--stack-name"), value("--template-file"), given]),
          file=open(LOG, "a"))
elif words[:2] == ["cloudformation", "describe-stacks"]:
    print("output", value("--query").split("'")[1], "of", value("--stack-name"))
elif words[:2] == ["logs", "describe-log-groups"]:
    print(0)
elif words[:2] == ["ec2", "describe-availability-zones"]:
    print("id of", value("--zone-names"))
"""

    def test_the_script_passes_what_apply_would(self):
        script, log, tools = self.folder / "apply.sh", self.folder / "log", self.folder / "bin"
        script.write_text(self.succeed("plan", "--bastion-script"))
        plan = json.loads(self.succeed("plan", "--offline", "--format", "json"))
        tools.mkdir()
        (tools / "aws").write_text(self.AWS.replace("LOG", repr(str(log))))
        for name in ("kubectl", "curl"):  # what comes after the stacks
            (tools / name).write_text("#!/bin/sh\ncat > /dev/null < /dev/null\n")
        for tool in tools.iterdir():
            tool.chmod(0o755)
        done = subprocess.run(["sh", str(script), "the-templates"], capture_output=True, text=True,
                              timeout=PATIENCE, env={"PATH": f"{tools}:/usr/bin:/bin"})
        self.assertEqual(0, done.returncode, done.stderr[-2000:])
        deployed = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual(STACKS, [stack for stack, _, _ in deployed])
        for (stack, template, given), step in zip(deployed, plan["steps"]):
            self.assertEqual(f"the-templates/{step['id']}.yaml", template)
            passed = dict(each.split("=", 1) for each in given)
            self.assertEqual(set(step["parameters"]), set(passed), stack)
            for name, value in step["parameters"].items():
                if isinstance(value, str):
                    self.assertEqual(value, passed[name], f"{stack} {name}")
        no_proxy = dict(each.split("=", 1) for each in deployed[-1][2])["NoProxy"]
        self.assertIn(",output ClusterEndpointHost of EKSdemo-cluster,", no_proxy)
        self.assertIn(",10.100.0.0/16,", no_proxy)

    def test_the_templates_can_be_had(self):
        self.succeed("plan", "--offline", "--write-templates", str(self.folder / "templates"))
        for step in STEPS:
            ours = SAMPLE.parent / "cloudformation" / f"{step}.yaml"
            self.assertEqual(ours.read_text(), (self.folder / f"templates/{step}.yaml").read_text())
        self.assertIn("state: new", self.succeed("plan", "--templates",
                                                 str(self.folder / "templates")))
        self.change("gateway:\n", "gateway:\n  kube: true\n")
        self.succeed("plan", "--offline", "--write-templates", str(self.folder / "templates"))
        self.assertIn("name: ebbgate-gateways\n",
                      (self.folder / "templates/gateway-access.yaml").read_text())


class Again(EksCase):
    def test_what_an_earlier_deployment_retained_is_in_nobodys_way(self):
        self.aws.ec2.address_quota = 20
        self.succeed("apply")
        self.succeed("destroy", "--yes")
        self.succeed("apply")
        self.assert_stands()
        self.assertIn("nothing has changed", self.succeed("apply"))


class Failing(EksCase):
    VICTIMS = {"vpc": "PrivateSubnet2", "peering": "Connection", "service-role": "ServiceRole",
               "cluster": "Cluster", "gateway": "Fleet", "monitoring": "PolicyAgeAlarm",
               "nodegroup": "NodeGroup"}

    def victim(self, step):
        text = (SAMPLE.parent / "cloudformation" / f"{step}.yaml").read_text()
        names = re.findall(r"(?m)^  (\w+):\n    Type: AWS::", text)
        wanted = self.VICTIMS[step]
        return wanted if wanted in names else names[0]

    def test_a_failure_in_each_stack_says_what_next_and_a_later_apply_recovers(self):
        for step in STEPS:
            self.engine.fail(self.victim(step), reason="Resource handler returned message: \"no\"")
            said = self.fail_with_next("apply")
            self.assertIn(self.victim(step), said)
            self.assertEqual("ROLLBACK_COMPLETE", self.statuses()[f"EKSdemo-{step}"])
        self.succeed("apply")
        self.assert_stands()

    def test_a_rollback_that_fails_needs_yes(self):
        self.engine.fail(self.victim("vpc"))
        self.engine.fail("PrivateSubnet1", during="DELETE")
        self.fail_with_next("apply")
        self.assertEqual("ROLLBACK_FAILED", self.statuses()["EKSdemo-vpc"])
        said = self.fail_with_next("apply")
        self.assertIn("--yes", said)
        self.assertIn("PrivateSubnet1", said)
        self.succeed("apply", "--yes")
        self.assert_stands()

    def test_a_failed_change_is_taken_back_and_can_be_tried_again(self):
        self.succeed("apply")
        self.change("  desired: 2\n  max: 4", "  desired: 3\n  max: 5")
        self.engine.fail(self.victim("nodegroup"), during="UPDATE")
        said = self.fail_with_next("apply")
        self.assertIn("taken back", said)
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", self.statuses()["EKSdemo-nodegroup"])
        self.assertIn("nodegroup: updated", self.succeed("apply"))

    def test_who_may_not_is_told_what_is_missing(self):
        nobody = self.aws.iam.user("nobody", [{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}])
        done = subprocess.run(
            [BINARY, "eks", "apply", "--config", str(self.config)],
            env={**os.environ, **self.aws.environment(nobody)}, capture_output=True, text=True,
            timeout=PATIENCE)
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, r"(?m)^next: let whoever runs this have the permission")

    def test_destroying_needs_yes_and_lists_what_is_retained(self):
        self.succeed("apply")
        self.fail_with_next("destroy")
        self.assert_stands()
        said = self.succeed("destroy", "--yes")
        self.assertEqual({}, self.statuses())
        self.assertIn("Retained", said)
        self.assertIn("AWS::Logs::LogGroup", said)
        self.assertIn("nodegroup: unchanged", self.succeed("destroy", "--yes"))

    def test_a_deletion_that_fails_says_what_holds_it(self):
        self.succeed("apply")
        self.engine.fail("Cluster", during="DELETE", reason="something is in it")
        said = self.fail_with_next("destroy", "--yes")
        self.assertIn("something is in it", said)
        self.succeed("destroy", "--yes")
        self.assertEqual({}, self.statuses())


class Verifying(EksCase):
    """A gateway stands behind the load balancer's name (--proxy), and kubectl is a script."""

    NODES = "ip-10-64-32-7 True\nip-10-64-64-9 True\n"
    PODS = "aws-node-a Running\ncoredns-b Running\nkube-proxy-c Running\n"
    LEASES = "ebbgate-ip-10-64-0-7 sha256:1a\nebbgate-ip-10-64-1-9 sha256:1a\n"
    CHECKS = ["stacks", "private-endpoint", "endpoint-answers", "nodes-ready", "system-pods",
              "gateways-healthy", "allowed-request", "refused-request", "egress-address",
              "alert-raised"]

    def setUp(self):
        super().setUp()
        self.api = self.enter(socket.create_server(("127.0.0.1", 0)))
        self.origin = self.enter(HttpOrigin(self.echo))
        self.gateway = self.enter(Gateway(allow=["127.0.0.1/32"]))
        self.succeed("apply")
        cluster = next(iter(self.aws.eks.clusters.values())).told
        cluster["endpoint"] = f"https://127.0.0.1:{self.api.getsockname()[1]}"
        self.address = self.outputs("gateway")["EgressAddresses"].split(",")[0]
        self.kubectl(self.NODES, self.PODS)
        self.aws.cloudwatch.evaluate = lambda: None  # no metric comes from this gateway
        self.set_alarm("ALARM")

    def set_alarm(self, state):
        for name, alarm in self.aws.cloudwatch.alarms.items():
            if "DeniedAlarm" in name:
                alarm["StateValue"] = state

    def echo(self, _):
        return self.address.encode()

    def kubectl(self, nodes, pods, code=0):
        tools = self.folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "kubectl").write_text(
            f"#!/bin/sh\ncase \"$*\" in *\" get nodes \"*) printf '%s' '{nodes}';; "
            f"*\" get leases \"*) printf '%s' '{self.LEASES}';; "
            f"*) printf '%s' '{pods}';; esac\nexit {code}\n")
        (tools / "kubectl").chmod(0o755)

    def verify(self, *flags, path="/usr/bin:/bin"):
        """The findings by name, and the whole answer."""
        origin = f"127.0.0.1:{self.origin.port}"
        done = subprocess.run(
            [BINARY, "eks", "verify", "--config", str(self.config), "--format", "json", "--proxy",
             f"{self.gateway.address}:{self.gateway.port}", "--allowed", origin, "--echo",
             f"http://{origin}/", "--poll-interval", "5ms", "--wait", "50ms", *flags],
            env={**os.environ, **self.aws.environment(),
                 "PATH": f"{self.folder / 'bin'}:{path}"},
            capture_output=True, text=True, timeout=PATIENCE)
        out = json.loads(done.stdout)
        self.assertEqual(1 if out["failed"] else 0, done.returncode)
        for check in out["checks"]:
            if check["finding"] != "ok":
                self.assertTrue(check.get("next") or "--skip" in check["detail"], check)
        return {check["name"]: check["finding"] for check in out["checks"]}, out["checks"]

    def assert_fails(self, name, *flags):
        """That check fails, and no other does. Out: what it said."""
        findings, checks = self.verify(*flags)
        self.assertEqual({name}, {each for each, found in findings.items() if found == "failed"},
                         checks)
        return next(f"{each['detail']}; {each['next']}" for each in checks if each["name"] == name)

    def test_a_deployment_in_order_passes_every_check(self):
        findings, checks = self.verify()
        self.assertEqual(dict.fromkeys(self.CHECKS, "ok"), findings, checks)

    def test_a_public_endpoint_fails(self):
        cluster = next(iter(self.aws.eks.clusters.values())).told
        cluster["resourcesVpcConfig"]["endpointPublicAccess"] = True
        self.assertIn("aws eks update-cluster-config", self.assert_fails("private-endpoint"))

    def test_an_endpoint_that_does_not_answer_fails(self):
        self.api.close()
        self.assertIn("peering", self.assert_fails("endpoint-answers"))

    def test_a_node_that_is_not_ready_fails(self):
        self.kubectl("a True\nb False\n", self.PODS)
        self.assertIn("b (False)", self.assert_fails("nodes-ready"))

    def test_a_pod_that_waits_fails(self):
        self.kubectl(self.NODES, self.PODS + "coredns-d Pending\n")
        self.assertIn("coredns-d (Pending)", self.assert_fails("system-pods"))

    def test_without_kubectl_it_says_what_to_run(self):
        (self.folder / "bin" / "kubectl").unlink()
        findings, checks = self.verify(path=str(self.folder))
        self.assertEqual("skipped", findings["nodes-ready"])
        self.assertIn("kubectl get nodes", checks[3]["next"])

    def test_a_gateway_that_is_not_in_service_fails(self):
        group = next(iter(self.aws.autoscaling.groups.values()))
        group.instances[0].health = "Unhealthy"
        self.assertIn("journalctl", self.assert_fails("gateways-healthy"))

    def test_a_gateway_that_does_not_go_by_the_cluster_fails(self):
        self.change("gateway:\n", "gateway:\n  kube: true\n")
        findings, _ = self.verify()
        self.assertEqual("ok", findings["gateways-in-cluster"])
        self.LEASES = self.LEASES.replace("9 sha256:1a", "9 ")
        self.kubectl(self.NODES, self.PODS)
        self.assertIn("1 of at least 2 do", self.assert_fails("gateways-in-cluster"))

    def test_what_is_allowed_and_is_refused_fails(self):
        self.assertIn("ebbgate explain", self.assert_fails(
            "allowed-request", "--allowed", "other.invalid:443"))

    def test_what_is_not_allowed_and_passes_fails(self):
        said = self.assert_fails("refused-request", "--refused", f"127.0.0.1:{self.origin.port}")
        self.assertIn("wider than it should be", said)

    def test_another_egress_address_fails(self):
        self.address = "198.51.100.77"
        self.assertIn("is none of", self.assert_fails("egress-address"))

    def test_an_alarm_that_stays_silent_fails(self):
        self.set_alarm("OK")
        self.assertIn("metric filter", self.assert_fails("alert-raised"))

    def test_a_missing_stack_fails(self):
        self.aws.cloudformation.stack("EKSdemo-peering").status = "DELETE_COMPLETE"
        self.assertIn("EKSdemo-peering", self.assert_fails("stacks"))

    def test_a_check_can_be_left_out(self):
        self.api.close()
        findings, _ = self.verify("--skip", "endpoint-answers")
        self.assertEqual("skipped", findings["endpoint-answers"])


if __name__ == "__main__":
    main()
