"""The templates keep to AWS's schema and to our rules, each rule catches a template that breaks it,
and none of the faults of the templates that these succeed is there."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from common import FILES, HERE, NAMES, ROOT, Template, load, walk  # noqa: E402
from check_templates import rules  # noqa: E402
from check_templates.cli import check  # noqa: E402
from harness.testing import main  # noqa: E402

BROKEN = sorted((HERE / "broken").glob("*.yaml"))
CHECKER = ROOT / "tools/check-templates"
BINARY = os.environ.get("EBBGATE_BINARY", "")

# What was wrong with the templates of the text, and the rule that would say so today.
FAULTS = {
    "launch configurations": "no-launch-configuration",
    "a version without quotes": "versions-quoted",
    "Amazon Linux 2": "images-supported",
    "drop-ins for docker": "no-docker",
    "bootstrap.sh": "no-bootstrap-script",
    "nodes with room for 4 pods": "room-for-pods",
    "a boothook": "no-boothook",
    "files appended to at each boot": "writes-are-repeatable",
    "cfn-signal -e $? after an if": "no-late-exit-code",
    "error_exit never defined": "stops-at-errors",
    "a key pair that cannot be left empty": "no-key-pair",
    "a port that never reaches the proxy": "everything-used",
    "an output that is a literal word": "no-literal-output",
    "public address space as the VPC's block": "private-blocks-only",
    "nodes with public addresses": "no-public-instances",
    "subnets that give public addresses": "no-public-subnet-addresses",
    "IMDSv1": "metadata-needs-token",
    "writing on every resource": "no-wildcard-writes",
    "no filter, alarm or topic": "denials-reach-somebody",
    "at least one instance": "one-for-each-zone",
    "health checks of EC2": "health-by-balancer",
    "health checks of TCP": "health-by-http",
    "tunnels cut by scaling in": "tunnels-drain",
    "a restart every five minutes": "no-restart-for-a-list",
    "an error that empties the list": "no-secrets-cli",
    "--allow-reassociation": "addresses-claimed",
    "fixed names": "no-fixed-name",
    "S3 in NO_PROXY without an endpoint": "no-proxy-has-endpoints",
    "a public API": "endpoint-private",
}


def rules_found(file):
    return {each.rule for each in check(file.read_text(), file.name)}


class Ours(unittest.TestCase):
    def test_they_are_the_seven(self):
        self.assertEqual(NAMES, [file.stem for file in FILES])

    def test_nothing_is_found(self):
        for file in FILES:
            with self.subTest(file.name):
                self.assertEqual([], check(file.read_text(), file.name))

    def test_they_are_written_in_the_long_form(self):
        for file in FILES:
            self.assertIsNone(re.search(r"(?:^|[\s\[{,])!\w", file.read_text(), re.M), file.name)

    def test_what_a_stack_takes_from_another_is_an_output_of_the_same_name(self):
        for file in FILES:
            for name, parameter in load(file.stem).parameters.items():
                found = re.search(r"Output of the stack ([\w-]+)", parameter.get("Description", ""))
                if found:
                    with self.subTest(f"{file.stem}.{name}"):
                        self.assertIn(name, load(found.group(1)).outputs)

    def test_nothing_is_exported(self):
        for file in FILES:
            self.assertNotIn("Export:", file.read_text(), file.name)

    def test_the_outputs_of_the_text_are_there(self):
        expected = {"gateway": ["ProxyDomain", "ProxyPort", "ProxyUrl", "EgressAddresses",
                                "LogGroupName", "ShellLine"],
                    "cluster": ["ClusterEndpoint", "ClusterName", "KubeconfigCommand"],
                    "nodegroup": ["NodeRoleArn", "ShellLine"], "service-role": ["ServiceRoleArn"],
                    "vpc": ["VpcId", "PrivateSubnetIds", "PublicSubnetIds"]}
        for name, outputs in expected.items():
            self.assertLessEqual(set(outputs), set(load(name).outputs), name)

    def test_blocks_are_private_ones(self):
        fine = ["10.0.0.0/16", "10.64.0.0/24", "172.16.0.0/16", "172.31.0.0/20", "192.168.4.0/22",
                "100.64.0.0/16", "100.127.0.0/16"]
        wrong = ["172.32.0.0/16", "172.15.0.0/16", "11.0.0.0/16", "8.8.8.0/24", "192.169.0.0/16",
                 "100.128.0.0/16", "100.63.0.0/16", "10.0.0.0/8", "10.0.0.0", "10.0.0.0/16 "]
        for stack, name in (("vpc", "VpcCidr"), ("vpc", "PrivateSubnet1Cidr"),
                            ("peering", "PeerVpcCidr"), ("cluster", "VpcCidr"),
                            ("gateway", "PeerVpcCidr")):
            pattern = load(stack).parameters[name]["AllowedPattern"]
            for text in fine:
                self.assertRegex(text, f"\\A(?:{pattern})\\Z", name)
            for text in wrong:
                self.assertNotRegex(text, f"\\A(?:{pattern})\\Z", name)

    def test_releases_of_images_know_the_environment(self):
        pattern = load("nodegroup").parameters["ReleaseVersion"]["AllowedPattern"]
        for text in ("", "1.35.0-20251120", "1.35.0-20251209", "1.34.2-20260114",
                     "1.52.0-6ef1139f"):
            self.assertRegex(text, pattern)
        for text in ("1.35.0-20251119", "1.35.0-20251007", "1.35.0-20251023", "1.34.2-20240625",
                     "latest", "1.35.0"):
            self.assertNotRegex(text, pattern)

    def test_the_clusters_version_keeps_its_digits(self):
        for stack in ("cluster", "nodegroup"):
            self.assertTrue(load(stack).default("KubernetesVersion").is_quoted)

    def test_there_is_an_address_more_than_gateways_and_it_is_told(self):
        """One that drains has its own still when its successor claims one."""
        gateway = load("gateway")
        rule, = gateway.section("Rules")["AddressesSuffice"]["Assertions"]
        sizes = rule["Assert"]["Fn::Contains"][0]
        for mode, size in [*(("eip", size) for size in sizes), ("existing", "4"), ("nat", "4")]:
            values = gateway.values({"AddressMode": mode, "MaxSize": size, "AddressPool": "a"})
            exist = [name for name, _, resource in gateway.of_type("AWS::EC2::EIP")
                     if gateway.condition(resource["Condition"], values)]
            self.assertEqual(int(size) + 1 if mode == "eip" else 0, len(exist), f"{mode} {size}")
            told = gateway.resolve(gateway.outputs["EgressAddresses"]["Value"], values)
            self.assertEqual(exist, [name for name, _, _ in gateway.of_type("AWS::EC2::EIP")
                                     if f"{name.lower()}-" in told], f"{mode} {size}")

    WATCHED = {"FleetName": "demo-gateways", "MetricNamespace": "Ebbgate/demo",
               "LogGroupName": "demo-LogGroup-1A", "LoadBalancerFullName": "net/demo-lb/1a",
               "TargetGroupFullName": "targetgroup/demo-tg/1a", "AlertTopicArn": "arn:aws:sns:a"}

    def test_the_dashboard_is_json_and_asks_for_fields_that_events_have(self):
        monitoring = load("monitoring")
        body = monitoring.resources["Dashboard"]["Properties"]["DashboardBody"]
        text = monitoring.resolve(body, monitoring.values(self.WATCHED))
        widgets = json.loads(text)["widgets"]
        for name, value in self.WATCHED.items():
            self.assertEqual(name != "AlertTopicArn", value in text, name)
        metrics = {each["properties"]["metrics"][0][1] for each in widgets
                   if each["type"] == "metric"}
        self.assertEqual({"DeniedRequests", "HealthyHostCount", "ActiveTunnels",
                          "PolicyAgeSeconds"}, metrics)
        query, = [each["properties"]["query"] for each in widgets if each["type"] == "log"]
        fields = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/events.md").read_text(), re.M))
        self.assertLessEqual(set(re.findall(r"(?:ispresent|latest)\((\w+)\)", query)), fields)
        self.assertIn("policyVersion", query)

    def test_alarms_of_the_fleet_look_where_the_fleet_reports(self):
        """The gateway's stack hands over names, and the other stack's alarms have those."""
        gateway, monitoring = load("gateway"), load("monitoring")
        config = str(gateway.resources["LaunchTemplate"])
        namespace = gateway.outputs["MetricNamespace"]["Value"]["Fn::Sub"]
        self.assertIn(f"aws-metric-namespace: {namespace}", config)
        values = monitoring.values(self.WATCHED)
        alarms = {name: monitoring.resolve(properties, values)
                  for name, properties, _ in monitoring.of_type("AWS::CloudWatch::Alarm")}
        self.assertEqual({"HealthyHostsAlarm", "UnhealthyHostsAlarm", "PolicyAgeAlarm",
                          "LogGapAlarm"}, set(alarms))
        for name, alarm in alarms.items():
            self.assertEqual(["arn:aws:sns:a"], alarm["AlarmActions"], name)
            for each in alarm["Dimensions"]:
                self.assertIn(each["Value"], self.WATCHED.values(), name)

    def test_a_fleet_that_is_told_a_cluster_is_let_in_there_and_only_then(self):
        gateway = load("gateway")
        told = {"KubeCluster": "EKSdemo", "ControlPlaneSecurityGroupId": "sg-0a1b"}
        for given, expected in (({}, set()), (told, {"ClusterAccess", "ClusterIngress"})):
            values = gateway.values(given)
            made = {name for name in ("ClusterAccess", "ClusterIngress")
                    if gateway.condition(gateway.resources[name]["Condition"], values)}
            self.assertEqual(expected, made)
        entry = gateway.resources["ClusterAccess"]["Properties"]
        self.assertNotIn("AccessPolicies", entry)
        self.assertEqual("GatewayRole", entry["PrincipalArn"]["Fn::GetAtt"][0])
        binding = ROOT / "deploy/kubernetes/overlays/eks-ec2-fleet/binding.yaml"
        for group in entry["KubernetesGroups"]:  # which has no rights but those
            self.assertRegex(binding.read_text(), rf"(?m)^    name: {group}$")
        self.assertEqual("GatewaySecurityGroup", gateway.resources["ClusterIngress"]["Properties"]
                         ["SourceSecurityGroupId"]["Ref"])
        # Without a word of DependsOn, since a condition may take away what is depended on.
        self.assertIn("ClusterAccess", str(gateway.resources["Fleet"]["Properties"]["Tags"]))
        self.assertEqual("ClusterIngress", gateway.resources["ClusterAccess"]["DependsOn"])

    def test_what_waits_for_a_drain_waits_longer_whatever_the_drain(self):
        gateway = load("gateway")
        fleet = gateway.resources["Fleet"]["Properties"]
        hook, = fleet["LifecycleHookSpecificationList"]
        for seconds in gateway.parameters["DrainSeconds"]["AllowedValues"]:
            values = gateway.values({"DrainSeconds": seconds})
            for value in (fleet["HealthCheckGracePeriod"], hook["HeartbeatTimeout"]):
                self.assertGreaterEqual(int(gateway.resolve(value, values)), int(seconds) + 60)

    def test_only_the_gateways_subnets_have_a_nat(self):
        vpc = load("vpc")
        for mode, made in (("eip", 0), ("nat", 2)):
            values = vpc.values({"AddressMode": mode})
            nats = [name for name, _, resource in vpc.of_type("AWS::EC2::NatGateway")
                    if vpc.condition(resource["Condition"], values)]
            self.assertEqual(made, len(nats), mode)

    def test_no_policy_of_identity_is_open(self):
        """Actions that write on `*`: but for the one that has no resource, there are none."""
        for file in FILES:
            for path, value in walk(load(file.stem).resources):
                if isinstance(value, dict) and value.get("Resource") == "*" and "Policies" in path:
                    self.assertEqual("ec2:DescribeAddresses", value["Action"], file.name)

    def test_a_gateway_may_call_what_it_calls_and_nothing_else(self):
        gateway = load("gateway")
        role = gateway.resources["GatewayRole"]["Properties"]["Policies"][0]["PolicyDocument"]
        claims = {"ec2:DescribeAddresses", "ec2:AssociateAddress"}
        always = {"ssm:GetParameter", "s3:GetObject", "s3:GetObjectVersion", "logs:PutLogEvents",
                  "logs:CreateLogStream", "sns:Publish", "kms:Decrypt", "kms:GenerateDataKey",
                  "autoscaling:CompleteLifecycleAction", "cloudformation:SignalResource",
                  "autoscaling:RecordLifecycleActionHeartbeat"}
        arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:list-a1B2c3"
        for given, expected in (
                ({}, always | claims), ({"AddressMode": "existing"}, always | claims),
                ({"AddressMode": "nat"}, always),
                ({"AddressMode": "nat", "PolicySecretArn": arn},
                 always | {"secretsmanager:GetSecretValue"}),
                ({"AddressMode": "nat", "KubeCluster": "EKSdemo"},
                 always | {"eks:DescribeCluster"})):
            values = gateway.values({"AddressPool": "a", "ArtifactBucket": "artifacts", **given})
            allowed = {action for each in gateway.resolve(role, values)["Statement"]
                       if each["Effect"] == "Allow"
                       for action in ([each["Action"]] if isinstance(each["Action"], str)
                                      else each["Action"])}
            self.assertEqual(expected, allowed, given)


class Documents(unittest.TestCase):
    """What the documents say of the templates is there."""

    def test_parameters_that_are_named_exist(self):
        known = {name for file in FILES for name in load(file.stem).parameters}
        for page in ("aws", "eks", "fleet", "migrating-from-squid", "packaging"):
            text = (ROOT / f"docs/{page}.md").read_text()
            named = set(re.findall(r"`((?:Address|Alert|Artifact|Image|Kube|Policy|Readable|Bastion)"
                                   r"[A-Z]\w+)\b", text)) - {"PolicyAgeSeconds"}
            self.assertLessEqual(named, known, page)

    def test_endpoints_that_a_gateway_without_a_way_needs_can_be_made(self):
        line, = [each for each in (ROOT / "docs/fleet.md").read_text().splitlines()
                 if "the endpoints `ec2`" in each]
        named = re.findall(r"`([a-z0-9]+)`", line[line.index("endpoints"):line.index("which stack")])
        self.assertGreaterEqual(len(named), 5)
        for each in named:
            self.assertIn(f"Endpoint{each.capitalize()}", load("vpc").parameters)


class Rules(unittest.TestCase):
    def test_each_has_a_template_that_it_catches(self):
        known = {rules.name_of(rule) for rule in rules.ALL} | {"schema"}
        self.assertEqual(known - {"small-enough"}, {file.stem for file in BROKEN})

    def test_each_catches_its_template_and_finds_nothing_else_in_it(self):
        for file in BROKEN:
            with self.subTest(file.stem):
                self.assertEqual({file.stem}, rules_found(file))

    def test_an_alarm_that_is_missing_is_found_beside_the_dashboard_as_beside_the_fleet(self):
        text = (ROOT / "deploy/cloudformation/monitoring.yaml").read_text()
        for metric in ("HealthyHostCount", "UnHealthyHostCount", "PolicyAgeSeconds",
                       "IncomingLogEvents"):
            found = check(text.replace(f"MetricName: {metric}\n", "MetricName: Other\n"))
            self.assertEqual(["fleet-watched"], [each.rule for each in found], metric)
        text = (ROOT / "deploy/cloudformation/gateway.yaml").read_text()
        found = check(text.replace("  TargetGroupFullName:\n", "  TargetGroupName:\n"))
        self.assertEqual({"fleet-watched"}, {each.rule for each in found}, "nobody can watch it")

    def test_a_template_too_large_for_a_call_is_found(self):
        text = (ROOT / "deploy/cloudformation/service-role.yaml").read_text()
        found = check(text + "# " + "x" * 51200 + "\n")
        self.assertEqual(["small-enough"], [each.rule for each in found])

    def test_each_fault_of_the_originals_is_found(self):
        for fault, rule in FAULTS.items():
            with self.subTest(fault):
                self.assertIn(rule, rules_found(HERE / f"broken/{rule}.yaml"))

    def test_findings_have_a_line_within_the_file(self):
        for file in BROKEN:
            lines = file.read_text().count("\n")
            for each in check(file.read_text()):
                self.assertTrue(1 <= each.line <= lines, f"{file.stem}: {each}")
                self.assertTrue(each.message and each.fix)

    def test_the_short_form_is_read_too(self):
        text = """Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      Tags: [{Key: Name, Value: !Sub '${AWS::StackName}-x'}]
Outputs:
  Name: {Value: !GetAtt Topic.TopicName}
  Broken: {Value: !GetAtt [Topic, Nothing]}
"""
        self.assertEqual([(8, "target-exists")], [(e.line, e.rule) for e in check(text)])

    def test_what_is_no_template_is_said_with_its_line(self):
        for text, line in (("Resources: [", 1), ("A: 1\nA: 2\n", 2), ("- 1\n", 1), ("", 1)):
            found = check(text)
            self.assertTrue(all(each.rule in ("yaml", "schema") for each in found), text)
            self.assertTrue(text == "" or found[0].line == line, f"{text!r}: {found}")


class Program(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run([CHECKER, *arguments], capture_output=True, text=True, timeout=60)

    def test_it_says_that_all_is_fine(self):
        done = self.run_it(*FILES)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertRegex(done.stdout, r"^fine: 7 templates, \d+ rules\n$")

    def test_it_says_where_and_what_to_do(self):
        file = HERE / "broken/no-ingress-from-everywhere.yaml"
        done = self.run_it(file)
        self.assertEqual(1, done.returncode)
        self.assertEqual(f"{file}:9: no-ingress-from-everywhere: Group lets in the internet; "
                         "name a group or a private block\n", done.stdout)

    def test_without_files_it_says_how_to_call_it(self):
        self.assertEqual(2, self.run_it().returncode)

    def test_a_file_that_cannot_be_read_is_no_success(self):
        done = self.run_it("/nonexistent.yaml")
        self.assertEqual(1, done.returncode)
        self.assertIn("/nonexistent.yaml", done.stderr)


class Others(unittest.TestCase):
    @unittest.skipUnless(shutil.which("cfn-lint"), "cfn-lint is not installed")
    def test_cfn_lint_has_no_warning(self):
        done = subprocess.run(["cfn-lint", *FILES], capture_output=True, text=True, timeout=300)
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))

    @unittest.skipUnless(BINARY, "the gateway is not built")
    def test_no_proxy_of_what_is_made_is_a_value_that_nodes_take(self):
        vpc, nodes = load("vpc"), load("nodegroup")
        every = {name: "true" for name in vpc.parameters if name.startswith("Endpoint")}
        for switches in ({}, every):
            made = vpc.resolve(vpc.outputs["VpcEndpoints"]["Value"], vpc.values(switches))
            done = subprocess.run(
                [BINARY, "noproxy", "--region", "eu-west-2", "--vpc-cidr", "10.64.0.0/16",
                 "--service-cidr", "172.20.0.0/16", "--vpc-endpoint", made, "--endpoint",
                 "https://A1B2.gr7.eu-west-2.eks.amazonaws.com"],
                capture_output=True, text=True, timeout=30)
            self.assertEqual(0, done.returncode, done.stderr)
            value = done.stdout.strip()
            self.assertRegex(value, nodes.parameters["NoProxy"]["AllowedPattern"])
            self.assertLess(len(value), 4096)  # of a parameter of CloudFormation

    @unittest.skipUnless(BINARY, "the gateway is not built")
    def test_the_first_policy_is_one(self):
        gateway = load("gateway")
        for domains in ("", ".example.com,registry-1.docker.io"):
            values = gateway.values({"AllowedDomains": domains})
            text = gateway.resolve(gateway.resources["Policy"]["Properties"]["Value"], values)
            done = subprocess.run([BINARY, "check", "/dev/stdin"], input=text, text=True,
                                  capture_output=True, timeout=30)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)


if __name__ == "__main__":
    main()
