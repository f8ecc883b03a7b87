"""`ebbgate eks` against the tests' own AWS: the sample's deployment, with a bastion that is there."""

import base64
import os
import pathlib
import re
import subprocess

from .aws import Emulator
from .gateway import BINARY
from .testing import Case

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "eks.yaml"
STEPS = ("vpc", "peering", "service-role", "cluster", "gateway", "monitoring", "nodegroup")
STACKS = [f"EKSdemo-{step}" for step in STEPS]
PATIENCE = 120  # seconds, of one run of the command


class AccessEntries:
    """Those of a cluster of the tests' AWS as the tests' API server asks for them (trust_eks()): {ARN:
    (user name, groups)}, as they are at that moment."""

    def __init__(self, aws, name):
        self._aws, self._name = aws, name

    def _entries(self):
        cluster = self._aws.eks.clusters.get(self._name)
        return cluster.access_entries if cluster else {}

    def __contains__(self, arn):
        return arn in self._entries()

    def __getitem__(self, arn):
        entry = self._entries()[arn]
        administers = any(each["policyArn"].endswith("/AmazonEKSClusterAdminPolicy")
                          for each in entry["associated"])
        return None, [*entry["kubernetesGroups"], *(["system:masters"] if administers else [])]


def join(aws, kube, name):
    """That cluster has `kube` for its API, which takes AWS's word for who asks."""
    told = aws.eks.clusters[name].told
    told["endpoint"] = kube.url
    told["certificateAuthority"]["data"] = base64.b64encode(kube.pki.ca.read_bytes()).decode()
    kube.trust_eks(aws, name, AccessEntries(aws, name))


class EksCase(Case):
    def setUp(self):
        self.aws = self.enter(Emulator(region="eu-west-2"))
        self.engine = self.aws.cloudformation.engine
        self.engine.seconds = 0
        self.folder = self.scratch()
        self.text = SAMPLE.read_text()
        self.config = self.folder / "eks.yaml"
        self.place_bastion()

    def place_bastion(self):
        """The sample's bastion gets a VPC that is there."""
        ec2 = self.aws.ec2
        vpc = ec2.add_vpc("172.31.0.0/16")
        table = next(each["routeTableId"] for each in ec2.route_tables.values()
                     if each["vpcId"] == vpc)
        text = re.sub(r"vpc-\w+", vpc, self.text)
        text = re.sub(r"rtb-\w+", table, text)
        self.text = re.sub(r"  securityGroup: .*\n", "", text)
        self.write(self.text)

    def write(self, text):
        self.config.write_text(text)

    def change(self, old, new):
        self.assertIn(old, self.text)
        self.text = self.text.replace(old, new)
        self.write(self.text)

    def start(self, command, *flags):
        return subprocess.Popen(
            [BINARY, "eks", command, "--config", str(self.config), "--poll-interval", "5ms",
             *flags],
            env={**os.environ, **self.aws.environment(), "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, process):
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.fail("it did not end:\n" + out[-3000:] + err[-3000:])
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run_eks(self, command, *flags):
        return self.finish(self.start(command, *flags))

    def succeed(self, command, *flags):
        done = self.run_eks(command, *flags)
        self.assertEqual(0, done.returncode, done.stdout[-3000:] + done.stderr[-3000:])
        return done.stdout

    def fail_with_next(self, command, *flags):
        """A run that fails says what to do next. Out: everything that it said."""
        done = self.run_eks(command, *flags)
        said = done.stdout + done.stderr
        self.assertEqual(1, done.returncode, said[-3000:])
        self.assertRegex(said, r"(?m)^next: \w", said[-3000:])
        return said

    def statuses(self):
        return {stack.name: stack.status for stack in self.aws.cloudformation.stacks
                if stack.status != "DELETE_COMPLETE"}

    def outputs(self, step):
        stack = self.aws.cloudformation.stack(f"EKSdemo-{step}")
        return {name: each["OutputValue"] for name, each in stack.outputs.items()}

    def assert_stands(self):
        self.assertEqual({name: "CREATE_COMPLETE" for name in STACKS}, self.statuses())

    def writes(self):
        return [call for call in self.aws.requests
                if call.operation and not call.operation.startswith(("Describe", "Get"))]

    def before(self, operation, stack, act, after=False):
        """Calls `act` in the moment in which the operation on the stack arrives, or is done."""
        service, ordered = self.aws.cloudformation, self.aws.cloudformation.call
        pending = [True]

        def call(name, parameters, credentials):
            hit = pending and name == operation and parameters.get("StackName") == stack
            if hit:
                pending.clear()
            if hit and not after:
                act()
            value = ordered(name, parameters, credentials)
            if hit and after:
                act()
            return value
        service.call = call
