"""What instances are told at their start: scripts that shellcheck, systemd and the schemas of
NodeConfig and Bottlerocket accept, and that change nothing when they run again."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from common import HERE, NO_PROXY, ROOT, heredoc, load, parts, problems, user_data  # noqa: E402
from harness.testing import Case, main  # noqa: E402
import yaml  # noqa: E402

BINARY = os.environ.get("EBBGATE_BINARY", "")
PROXY = "http://demo-1a2b.elb.eu-west-2.amazonaws.com:3128"
VARIABLES = sorted(["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
                    "no_proxy"])
SECRET = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:squid/allowed-domains-a1B2c3"
PUBLIC_KEY = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="  # of RFC 8410, 10.1
GATEWAYS = {
    "addresses of its own": {},
    "behind a NAT": {"AddressMode": "nat", "NatAddresses": "203.0.113.1,203.0.113.2"},
    "addresses that exist": {"AddressMode": "existing", "AddressPool": "partners"},
    "PROXY protocol, DNS, peer": {"ProxyProtocol": "v2", "DnsServers": "10.64.0.2,10.1.0.2",
                                  "PeerVpcCidr": "172.31.0.0/16"},
    "a version of the program": {"ArtifactVersionId": "3HL4kqtJvjVBH40N"},
    "an image with the program": {"ArtifactBucket": "", "ImageId": "ami-0a1b"},
    "the list that Squid had": {"PolicySecretArn": SECRET},
    "signed policies": {"PolicyDocument": "signed", "PolicyPublicKey": PUBLIC_KEY},
    "a topic that exists": {"AlertTopicArn": "arn:aws:sns:eu-west-2:123456789012:alerts"},
    "a cluster to ask": {"KubeCluster": "EKS-demo_1", "ControlPlaneSecurityGroupId": "sg-0a1b",
                         "PeerVpcCidr": "172.31.0.0/16"},
}
NODES = {"managed": {}, "self-managed": {"Management": "self-managed"}}
MOUNTS = ["unshare", "--mount", "--map-root-user"]


def may_mount():
    return subprocess.run([*MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt"],
                          capture_output=True).returncode == 0


def scripts():
    """(name, text) of every shell script in user data."""
    for name, given in GATEWAYS.items():
        yield f"gateway: {name}", user_data("gateway", **given)
    for name, given in NODES.items():
        for kind, text in parts(user_data("nodegroup", **given)):
            if kind == "text/x-shellscript":
                yield f"node: {name}", text


class Scripts(unittest.TestCase):
    def test_bash_can_read_them(self):
        for name, text in scripts():
            done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
            self.assertEqual((0, ""), (done.returncode, done.stderr), name)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck_finds_nothing(self):
        for name, text in scripts():
            done = subprocess.run(["shellcheck", "-"], input=text, text=True, capture_output=True)
            self.assertEqual((0, ""), (done.returncode, done.stdout), name)

    def test_they_are_small_enough(self):
        for name, text in scripts():
            self.assertLess(len(text), 16384, name)  # octets of user data, by EC2

    def test_no_intrinsic_is_left(self):
        for name, text in scripts():
            self.assertNotRegex(text, r"\$\{[A-Z]", name)


class Settings(unittest.TestCase):
    def config(self, **given):
        return yaml.safe_load(heredoc(user_data("gateway", **given), "/etc/ebbgate/config.yaml"))

    def test_each_key_is_documented(self):
        text = (ROOT / "docs/configuration.md").read_text()
        known = set(re.findall(r"`--([a-z0-9-]+)", text))
        for name, given in GATEWAYS.items():
            self.assertLessEqual(set(self.config(**given)), known, name)

    def test_they_say_what_the_parameters_said(self):
        config = self.config()
        expected = {
            "listen": "0.0.0.0:3128", "health": "0.0.0.0:8080", "proxy-protocol": "off",
            "clients": ["10.64.32.0/19", "10.64.64.0/19"], "inside": ["10.64.0.0/16"],
            "drain-timeout": "300s", "log-format": "json", "aws": True, "aws-stack": "demo",
            "aws-stack-resource": "Fleet", "aws-group": "demo-gateways",
            "aws-deregistration-delay": "300s", "aws-lifecycle-hook": "drain", "aws-address-tag": "ebbgate:address-pool=demo",
            "aws-metric-namespace": "Ebbgate/demo"}
        self.assertEqual(expected, {key: config[key] for key in expected})
        self.assertRegex(config["policy-source"], r"^ssm:///ebbgate/demo-[0-9a-f]+/policy$")

    def test_the_proxy_protocol_is_believed_of_the_balancers_subnets_only(self):
        config = self.config(ProxyProtocol="v2", PeerVpcCidr="172.31.0.0/16")
        self.assertEqual("required", config["proxy-protocol"])
        self.assertEqual(["10.64.0.0/24", "10.64.1.0/24"], config["trusted"])
        self.assertEqual(["10.64.32.0/19", "10.64.64.0/19", "172.31.0.0/16"], config["clients"])

    def test_behind_a_nat_nothing_is_claimed_and_the_nats_are_no_destination(self):
        config = self.config(**GATEWAYS["behind a NAT"])
        self.assertNotIn("aws-address-tag", config)
        self.assertEqual(["10.64.0.0/16", "203.0.113.1", "203.0.113.2"], config["inside"])

    def test_policies_come_from_the_parameter_or_a_secret_signed_or_not(self):
        self.assertNotIn("policy-key", self.config())
        config = self.config(**GATEWAYS["the list that Squid had"])
        self.assertEqual(f"secretsmanager://{SECRET}", config["policy-source"])
        script = user_data("gateway", **GATEWAYS["signed policies"])
        config = yaml.safe_load(heredoc(script, "/etc/ebbgate/config.yaml"))
        self.assertEqual(f"-----BEGIN PUBLIC KEY-----\n{PUBLIC_KEY}\n-----END PUBLIC KEY-----\n",
                         heredoc(script, config["policy-key"]))

    def test_a_cluster_is_asked_where_one_is_named_and_pods_are_not_where_others_are(self):
        self.assertNotIn("kube", self.config())
        config = self.config(**GATEWAYS["a cluster to ask"])
        self.assertEqual("eks:EKS-demo_1", config["kube"])
        self.assertEqual(["10.64.32.0/19", "10.64.64.0/19"], config["pod-cidr"])
        self.assertEqual([*config["pod-cidr"], "172.31.0.0/16"], config["clients"])

    def test_dns_servers_and_topic_are_passed_on(self):
        config = self.config(DnsServers="10.64.0.2,10.1.0.2")
        self.assertEqual(["10.64.0.2", "10.1.0.2"], config["dns"])
        config = self.config(**GATEWAYS["a topic that exists"])
        self.assertEqual("arn:aws:sns:eu-west-2:123456789012:alerts", config["aws-alert-topic"])


@unittest.skipUnless(BINARY, "the gateway is not built")
class Accepted(Case):
    """What the template writes, the gateway takes: a setting that it refuses stops the whole fleet."""

    def test_the_gateway_takes_every_form_of_the_settings(self):
        for name, given in GATEWAYS.items():
            script = user_data("gateway", **given)
            folder = self.scratch()
            text = heredoc(script, "/etc/ebbgate/config.yaml")
            for file in re.findall(r"^cat >(/etc/ebbgate/\S+) <<'END'$", script, re.M):
                copy = folder / pathlib.Path(file).name
                copy.write_text(heredoc(script, file))
                text = text.replace(file, str(copy))
            config = folder / "config.yaml"
            config.write_text(text)
            done = subprocess.run([BINARY, "check", "--config", config], capture_output=True,
                                  text=True, timeout=30)
            self.assertEqual(0, done.returncode, f"{name}: {done.stdout}{done.stderr}")


class Nodes(unittest.TestCase):
    def setUp(self):
        self.schema = json.loads((HERE / "nodeconfig.schema.json").read_text())

    def node_config(self, **given):
        (text,) = [text for kind, text in parts(user_data("nodegroup", **given))
                   if kind == "application/node.eks.aws"]
        return yaml.safe_load(text)

    def test_the_node_config_is_one(self):
        for name, given in NODES.items():
            self.assertEqual([], problems(self.node_config(**given), self.schema), name)

    def test_the_validator_finds_what_is_wrong(self):
        config = self.node_config(Management="self-managed")
        config["spec"]["instance"]["environement"] = config["spec"]["instance"].pop("environment")
        config["spec"]["cluster"]["cidr"] = 172
        del config["spec"]["cluster"]["name"]
        self.assertEqual({"$.spec.instance: environement is not known", "$.spec.cluster: no name",
                          "$.spec.cluster.cidr: 172 is no string"},
                         set(problems(config, self.schema)))

    def test_all_six_variables_are_set_alike(self):
        environment = self.node_config()["spec"]["instance"]["environment"]["default"]
        self.assertEqual(VARIABLES, sorted(environment))
        self.assertEqual({PROXY}, {environment[each] for each in VARIABLES
                                   if not each.upper().startswith("NO")})
        self.assertEqual({NO_PROXY}, {environment["NO_PROXY"], environment["no_proxy"]})

    def test_eks_tells_managed_nodes_of_their_cluster_and_the_template_the_others(self):
        self.assertNotIn("cluster", self.node_config()["spec"])
        self.assertEqual("EKSdemo", self.node_config(Management="self-managed")
                         ["spec"]["cluster"]["name"])

    def test_bottlerocket_is_told_by_its_settings(self):
        schema = json.loads((HERE / "bottlerocket.schema.json").read_text())
        for name, given in NODES.items():
            text = user_data("nodegroup", OperatingSystem="BOTTLEROCKET", **given)
            settings = tomllib.loads(text)
            self.assertEqual([], problems(settings, schema), name)
            self.assertEqual(PROXY, settings["settings"]["network"]["https-proxy"])
            self.assertEqual(NO_PROXY.split(","), settings["settings"]["network"]["no-proxy"])
            self.assertEqual(name == "self-managed", "kubernetes" in settings["settings"])


class Units(Case):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_accepts_the_unit_with_the_drop_in_of_the_fleet(self):
        folder = self.scratch()
        unit = (ROOT / "deploy/systemd/ebbgate.service").read_text()
        program = folder / "ebbgate"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        (folder / "ebbgate.service").write_text(unit.replace("/usr/local/bin/ebbgate", str(program))
                                                .replace("/usr/bin/ebbgate", str(program)))
        (folder / "ebbgate.service.d").mkdir()
        drop_in = "/etc/systemd/system/ebbgate.service.d/10-fleet.conf"
        (folder / "ebbgate.service.d/10-fleet.conf").write_text(
            heredoc(user_data("gateway"), drop_in))
        done = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no",
                               folder / "ebbgate.service"],
                              capture_output=True, text=True, timeout=60)
        own = [line for line in done.stderr.splitlines() if "ebbgate" in line]
        self.assertEqual((0, []), (done.returncode, own))

    def test_the_instance_is_given_longer_than_the_drain_whatever_that_is(self):
        spans = {"s": 1, "min": 60}
        for seconds in load("gateway").parameters["DrainSeconds"]["AllowedValues"]:
            script = user_data("gateway", DrainSeconds=seconds)
            config = yaml.safe_load(heredoc(script, "/etc/ebbgate/config.yaml"))
            self.assertEqual(f"{seconds}s", config["drain-timeout"])
            said = re.search(r"TimeoutStopSec=(.*)", heredoc(
                script, "/etc/systemd/system/ebbgate.service.d/10-fleet.conf"))[1]
            given = sum(int(number) * spans[unit]
                        for number, unit in re.findall(r"(\d+)(s|min)\b", said))
            # --drain-delay before it, and the last events and alerts after it.
            self.assertGreaterEqual(given, int(seconds) + 5 + 10 + 5)


@unittest.skipUnless(may_mount(), "no mount namespace of its own is to be had")
class Runs(Case):
    """The scripts run for real, with an /etc and a /usr/local of their own, and with programs of
    AWS and systemd that only write down how they were called."""

    def setUp(self):
        self.root = self.scratch()
        for folder in ("etc/dnf", "local", "bin"):
            (self.root / folder).mkdir(parents=True)
        self.calls = self.root / "calls"
        (self.root / "etc/dnf/dnf.conf").write_text("[main]\ngpgcheck=1\nproxy=http://old:1\n")
        (self.root / "etc/environment").write_text("LANG=C.UTF-8\n")
        for name in ("systemctl", "sysctl", "aws", "curl"):
            self.stub(name, "")
        self.archive = self.make_archive(b"#!/bin/sh\necho ebbgate\n")
        self.digest = hashlib.sha256(self.archive.read_bytes()).hexdigest()
        self.stub("aws", f'case "$*" in *get-object*) cp {self.archive} "${{@: -1}}";; esac')
        self.stub("curl", 'case "$*" in *instance-id) echo i-0a1b;; *token) echo token;; esac')

    def stub(self, name, body):
        path = self.root / "bin" / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>{self.calls}\n{body}\n')
        path.chmod(0o755)

    def make_archive(self, program):
        folder = self.root / "ebbgate-1.0.0-linux-arm64"
        folder.mkdir()
        (folder / "ebbgate").write_bytes(program)
        (folder / "ebbgate.service").write_bytes(
            (ROOT / "deploy/systemd/ebbgate.service").read_bytes())
        archive = self.root / "archive.tar.gz"
        with tarfile.open(archive, "w:gz") as files:
            files.add(folder, folder.name)
        return archive

    def run_script(self, text):
        (self.root / "script").write_text(text)
        inside = (f"mount --bind {self.root}/etc /etc && mount --bind {self.root}/local /usr/local "
                  f"&& PATH={self.root}/bin:$PATH exec bash {self.root}/script")
        return subprocess.run([*MOUNTS, "sh", "-c", inside], capture_output=True, text=True,
                              timeout=60)

    def files(self):
        return {str(file.relative_to(self.root)): (file.read_bytes(), file.stat().st_mode)
                for top in ("etc", "local") for file in (self.root / top).rglob("*")
                if file.is_file()}

    def run_twice(self, text):
        states = []
        for _ in range(2):
            done = self.run_script(text)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            states.append(self.files())
        self.assertEqual(*states)
        return states[0]

    def test_a_gateway_is_set_up_and_a_second_run_changes_nothing(self):
        files = self.run_twice(user_data("gateway", ArtifactSha256=self.digest))
        self.assertEqual((b"#!/bin/sh\necho ebbgate\n", 0o100755), files["local/bin/ebbgate"])
        for file in ("etc/ebbgate/config.yaml", "etc/systemd/system/ebbgate.service",
                     "etc/systemd/system/ebbgate.service.d/10-fleet.conf"):
            self.assertEqual(0o100644, files[file][1], file)
        calls = self.calls.read_text()
        self.assertIn("systemctl restart ebbgate.service", calls)
        self.assertNotIn("signal-resource", calls)  # success is the gateway's to tell

    def test_another_program_than_the_digest_says_is_not_installed_and_cloudformation_learns(self):
        done = self.run_script(user_data("gateway", ArtifactSha256="0" * 64))
        self.assertEqual(1, done.returncode)
        self.assertEqual([], list((self.root / "local").rglob("*")))
        calls = self.calls.read_text()
        self.assertNotIn("systemctl", calls)
        self.assertRegex(calls, r"aws cloudformation signal-resource .*--logical-resource-id Fleet "
                                r"--unique-id i-0a1b --status FAILURE")

    def test_where_the_image_has_the_program_nothing_is_fetched(self):
        self.run_twice(user_data("gateway", **GATEWAYS["an image with the program"]))
        self.assertNotIn("aws", self.calls.read_text())

    def test_a_node_is_set_up_and_a_second_run_changes_nothing(self):
        (_, script), = [part for part in parts(user_data("nodegroup"))
                        if part[0] == "text/x-shellscript"]
        files = self.run_twice(script)
        environment = files["etc/environment"][0].decode()
        self.assertTrue(environment.startswith("LANG=C.UTF-8\n# BEGIN ebbgate\n"))
        names = re.findall(r"^(\w*proxy\w*)=", environment, re.M | re.I)
        self.assertEqual(VARIABLES, sorted(names))
        self.assertEqual(f"[main]\nproxy={PROXY}\ngpgcheck=1\n",
                         files["etc/dnf/dnf.conf"][0].decode())

    def test_a_node_whose_proxy_moved_has_the_new_one_alone(self):
        for proxy in (PROXY, "http://other.elb.eu-west-2.amazonaws.com:8080"):
            (_, script), = [part for part in parts(user_data("nodegroup", ProxyUrl=proxy))
                            if part[0] == "text/x-shellscript"]
            self.assertEqual(0, self.run_script(script).returncode)
        for file in ("etc/environment", "etc/dnf/dnf.conf"):
            self.assertNotIn(PROXY.encode(), self.files()[file][0])


if __name__ == "__main__":
    main()
