"""--aws: gateways on instances of the tests' own AWS. They share no address, drain when their group
ends them, tell their stack, and lose no event of a refusal while CloudWatch is out of reach."""

import json
import os
import pathlib
import re
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws import Emulator  # noqa: E402
from harness.dns import Answer, DnsServer  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.origins import TcpOrigin  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

HOOK = {"LifecycleHookName": "drain", "HeartbeatTimeout": 600,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}


class Fleet(Case):
    def setUp(self):
        self.aws = self.enter(Emulator())
        self.group = self.aws.autoscaling.add("fleet", least=0, most=20, hooks=[HOOK],
                                              role="gateway")
        self.dns = self.enter(DnsServer({".test": Answer("127.0.0.1")}))

    def launch(self, count=1):
        """New instances of the group, and their metadata servers."""
        self.group.desired += count
        return [self.aws.metadata(instance) for instance in self.aws.autoscaling.fill(self.group)]

    def gateway(self, metadata, *flags, **options):
        return self.enter(Gateway(
            "--aws", "--aws-region", self.aws.region, *flags, "--health", "127.0.0.1:0",
            **{"allow": [".test"], "dns": self.dns, "admin": "127.0.0.1:0", **options},
            environment=metadata.environment()))

    def readiness(self, gateway):
        page = gateway.page("/readyz", "health")
        return page.status, page.body.decode()

    def refused(self, gateway, *names):
        """Asks for what is not allowed; the ids of the requests."""
        for name in names:
            with gateway.client() as client:
                self.assertEqual(403, client.connect(f"{name}:443").status)


class Addresses(Fleet):
    TAG = {"ebbgate:addresses": "fleet"}
    FLAG = ("--aws-address-tag", "ebbgate:addresses=fleet")

    def claimed(self):
        return [a["publicIp"] for a in self.aws.ec2.addresses.values() if a.get("associationId")]

    def test_two_gateways_share_no_address(self):
        for _ in range(2):
            self.aws.ec2.allocate(self.TAG)
        others = self.aws.ec2.allocate({"ebbgate:addresses": "another"})
        one, two = (self.gateway(each, *self.FLAG) for each in self.launch(2))
        for gateway in (one, two):
            wait_until(lambda gateway=gateway: self.readiness(gateway)[0] == 200)
            self.assertEqual(1, gateway.metric("ebbgate_fleet_address_claimed"))
        self.assertEqual(2, len(set(self.claimed())))
        self.assertIsNone(others.get("associationId"))
        self.assertFalse([call for call in self.aws.calls("ec2", "AssociateAddress")
                          if call.parameters.get("AllowReassociation") != "false"])

    def test_of_ten_gateways_as_many_are_ready_as_there_are_addresses(self):
        for _ in range(8):
            self.aws.ec2.allocate(self.TAG)
        gateways = [self.gateway(each, *self.FLAG) for each in self.launch(10)]
        wait_until(lambda: len(self.claimed()) == 8)

        def ready():
            return sum(self.readiness(gateway)[0] == 200 for gateway in gateways)
        wait_until(lambda: ready() == 8)
        holders = [a["instanceId"] for a in self.aws.ec2.addresses.values()]
        self.assertEqual(8, len(set(holders)))
        waiting = [self.readiness(each) for each in gateways if self.readiness(each)[0] != 200]
        self.assertEqual([(503, "not ready\naddress-unclaimed\n")] * 2, waiting)
        # One more address, and one more gateway is ready.
        self.aws.ec2.allocate(self.TAG)
        wait_until(lambda: ready() == 9)

    def test_who_starts_again_has_its_address_still(self):
        self.aws.ec2.allocate(self.TAG)
        metadata, = self.launch()
        first = self.gateway(metadata, *self.FLAG)
        wait_until(lambda: self.readiness(first)[0] == 200)
        self.assertEqual(0, first.stop())
        second = self.gateway(metadata, *self.FLAG)
        wait_until(lambda: self.readiness(second)[0] == 200)
        self.assertEqual(1, len(self.aws.calls("ec2", "AssociateAddress")))

    def test_throttling_and_lost_answers_are_survived(self):
        self.aws.ec2.allocate(self.TAG)
        self.aws.faults.next("ec2", "DescribeAddresses", "throttle", 2)
        self.aws.faults.next("ec2", "AssociateAddress", "lost", 1)
        self.aws.faults.next("imds", "/latest/api/token", "503", 1)
        metadata, = self.launch()
        gateway = self.gateway(metadata, *self.FLAG)
        wait_until(lambda: self.readiness(gateway)[0] == 200)
        self.assertEqual(1, len(self.claimed()))


class Endings(Fleet):
    def tunnel(self, gateway, origin):
        client = self.enter(gateway.client())
        self.assertEqual(200, client.connect(f"a.test:{origin.port}").status)
        server = origin.accept()
        self.addCleanup(server.close)
        return client, server

    def assert_alive(self, tunnel):
        client, server = tunnel
        client.send(b"ping")
        self.assertEqual(b"ping", server.recv(4))

    def start(self, *flags):
        self.origin = self.enter(TcpOrigin())
        self.metadata, = self.launch()
        policy = self.scratch() / "policy.yaml"
        policy.write_text("""apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata: {name: test}
spec:
  allow:
    - {hosts: [a.test], ports: [1-65535], tls: "off"}
""")
        return self.gateway(self.metadata, "--policy", policy, "--drain-timeout", "0s", *flags,
                            allow=())

    def test_scale_in_waits_for_the_tunnels_and_completes_the_action(self):
        gateway = self.start()
        tunnel = self.tunnel(gateway, self.origin)
        self.assertEqual(200, self.readiness(gateway)[0])
        instance = self.metadata.instance
        self.aws.autoscaling.terminate(instance, decrement=True)
        wait_until(lambda: self.readiness(gateway)[0] == 503)
        wait_until(lambda: self.aws.calls("autoscaling", "RecordLifecycleActionHeartbeat"))
        self.assertEqual("Terminating:Wait", instance.lifecycle)
        self.assert_alive(tunnel)
        self.assertEqual(1, gateway.metric("ebbgate_fleet_leaving"))
        tunnel[0].close()
        tunnel[1].close()
        self.assertEqual(0, gateway.wait())
        self.assertEqual("Terminated", instance.lifecycle)
        action, = self.aws.calls("autoscaling", "CompleteLifecycleAction")
        self.assertEqual("CONTINUE", action.parameters["LifecycleActionResult"])

    def test_a_signal_meanwhile_is_heeded(self):
        gateway = self.start()
        tunnel = self.tunnel(gateway, self.origin)
        self.aws.autoscaling.terminate(self.metadata.instance, decrement=True)
        wait_until(lambda: self.readiness(gateway)[0] == 503)
        self.assert_alive(tunnel)
        gateway.signal(signal.SIGTERM)  # --drain-timeout is what this one gives the tunnel
        self.assertEqual(0, gateway.wait())
        self.assertEqual("Terminated", self.metadata.instance.lifecycle)

    def test_tunnels_live_no_longer_than_the_deregistration_delay(self):
        gateway = self.start("--aws-deregistration-delay", "1s")
        self.tunnel(gateway, self.origin)
        self.aws.autoscaling.terminate(self.metadata.instance, decrement=True)
        self.assertEqual(0, gateway.wait())
        self.assertEqual("Terminated", self.metadata.instance.lifecycle)

    def test_a_restart_completes_nothing(self):
        gateway = self.start()
        gateway.signal(signal.SIGTERM)
        self.assertEqual(0, gateway.wait())
        self.assertEqual([], self.aws.calls("autoscaling", "CompleteLifecycleAction"))

    def test_a_spot_notice_is_a_reason_to_drain(self):
        gateway = self.start()
        self.metadata.spot_action = {"action": "terminate", "time": "2020-01-01T00:00:00Z"}
        self.assertEqual(0, gateway.wait())
        self.assertIsNotNone(gateway.err.wait_for("about to be taken away"))


class Signals(Fleet):
    def signals(self):
        return [call.parameters for call in self.aws.calls("cloudformation", "SignalResource")]

    def test_the_stack_is_told_once_that_the_gateway_is_ready(self):
        metadata, = self.launch()
        metadata.instance.tags.update({"aws:cloudformation:stack-name": "egress",
                                       "aws:cloudformation:logical-id": "Fleet"})
        gateway = self.gateway(metadata)
        wait_until(self.signals)
        self.assertEqual(
            ("egress", "Fleet", metadata.instance.id, "SUCCESS"),
            tuple(self.signals()[0][key] for key in ("StackName", "LogicalResourceId", "UniqueId",
                                                     "Status")))
        self.assertEqual(0, gateway.stop())
        self.assertEqual(1, len(self.signals()))

    def test_the_stack_is_told_of_a_gateway_that_does_not_become_ready(self):
        metadata, = self.launch()
        gateway = self.gateway(metadata, *Addresses.FLAG, "--aws-stack", "egress",
                               "--aws-stack-resource", "Fleet", "--aws-ready-timeout", "300ms")
        wait_until(self.signals)
        self.assertEqual("FAILURE", self.signals()[0]["Status"])
        self.assertIsNotNone(gateway.err.wait_for(r"not ready in time \(address-unclaimed\)"))


class Records(Fleet):
    def setUp(self):
        super().setUp()
        self.log = self.aws.logs.add("fleet")
        self.topic = self.aws.sns.add("alerts")
        self.spool = self.scratch()
        self.metadata, = self.launch()

    def start(self, *flags):
        return self.gateway(self.metadata, "--aws-log-group", "fleet", "--aws-log-spool",
                            self.spool, *flags)

    def shipped(self):
        """Names of the refused, as CloudWatch has them."""
        events = map(json.loads, self.log.messages())
        return [e["host"] for e in events if e.get("verdict") == "DENY" for _ in range(e["count"])]

    def test_no_event_is_lost_in_an_outage_nor_at_the_end(self):
        gateway = self.start()
        self.refused(gateway, "before.example")
        wait_until(lambda: "before.example" in self.shipped())
        self.aws.faults.next("logs", "PutLogEvents", "503", None)
        names = [f"n{number}.example" for number in range(30)]
        self.refused(gateway, *names)
        wait_until(lambda: gateway.metric("ebbgate_ship_failures_total") > 0)
        self.assertEqual(["before.example"], self.shipped())
        self.aws.faults.clear()
        self.refused(gateway, "last.example")
        self.assertEqual(0, gateway.stop())  # which sends what is left
        self.assertEqual(sorted(["before.example", "last.example", *names]), sorted(self.shipped()))
        self.assertEqual([], list(self.spool.iterdir()))

    def test_who_starts_again_ships_what_a_killed_one_left(self):
        self.aws.faults.next("logs", "*", "reset", None)
        killed = self.start()
        self.refused(killed, "a.example", "b.example")
        wait_until(lambda: killed.metric("ebbgate_ship_spool_bytes") > 0)
        wait_until(lambda: b"b.example" in b"".join(
            path.read_bytes() for path in self.spool.rglob("*.refused")))
        killed.kill()
        self.aws.faults.clear()
        self.start()
        wait_until(lambda: len(self.shipped()) == 2)
        self.assertEqual(["a.example", "b.example"], sorted(self.shipped()))

    def test_metrics_come_for_the_target_tracking_and_the_alarms(self):
        gateway = self.start()
        wait_until(lambda: f"{self.metadata.instance.id}/metrics" in self.log.streams and
                   self.log.streams[f"{self.metadata.instance.id}/metrics"])
        record = json.loads(self.log.streams[f"{self.metadata.instance.id}/metrics"][0]["message"])
        self.assertEqual("fleet", record["AutoScalingGroupName"])
        self.assertEqual(0, record["ActiveTunnels"])
        self.assertEqual(1, record["GatewayUp"])
        self.assertGreaterEqual(record["PolicyAgeSeconds"], 0)
        directive, = record["_aws"]["CloudWatchMetrics"]
        self.assertEqual([["AutoScalingGroupName"]], directive["Dimensions"])
        self.assertLessEqual({metric["Name"] for metric in directive["Metrics"]}, record.keys())
        self.assertTrue(gateway.is_running())

    def test_people_are_told_of_refusals_once_a_group(self):
        gateway = self.start("--aws-alert-topic", self.topic.arn)
        self.aws.faults.next("sns", "Publish", "throttle", 1)
        self.refused(gateway, "a.one.example", "b.one.example", "two.example")
        wait_until(lambda: len(self.topic.messages) == 2)
        first, second = self.topic.messages
        self.assertEqual("Ebbgate refused: 127.0.0.1 -> one.example", first["Subject"])
        self.assertIn("CONNECT a.one.example:443", first["Message"])
        event = gateway.wait_for_event(host="a.one.example")
        self.assertIn(f"ebbgate explain --id {event['id']}", first["Message"])
        self.assertEqual("two.example", json.loads(
            second["Attributes"]["ebbgate.alert"])["groups"][0]["domain"])
        self.assertEqual(0, gateway.stop())  # the hour ends early: what was not told is summed up
        summary = json.loads(self.topic.messages[-1]["Attributes"]["ebbgate.alert"])
        self.assertEqual(("denied-summary", 1), (summary["alert"], summary["count"]))

    def test_credentials_that_expire_are_replaced_and_none_is_ever_shown(self):
        self.metadata.credential_seconds = 900
        gateway = self.start("--aws-alert-topic", self.topic.arn)
        self.refused(gateway, "a.example")
        wait_until(lambda: "a.example" in self.shipped() and self.topic.messages)
        for each in list(self.aws.iam._keys.values()):
            each.expires = self.aws.clock.now() - 1
        self.metadata.rotate()
        self.refused(gateway, "b.example")
        wait_until(lambda: "b.example" in self.shipped() and len(self.topic.messages) == 2)
        said = "\n".join(gateway.err.all() + gateway.out.all() + self.log.messages() +
                         [json.dumps(message) for message in self.topic.messages] +
                         [gateway.page("/metrics").body.decode()])
        for each in self.aws.iam._keys.values():
            for secret in filter(None, (each.secret, each.token)):
                self.assertNotIn(secret, said)

    def test_an_upgrade_loses_no_event_and_claims_nothing_again(self):
        self.aws.ec2.allocate(Addresses.TAG)
        gateway = self.start(*Addresses.FLAG)
        wait_until(lambda: self.readiness(gateway)[0] == 200)
        self.aws.faults.next("logs", "PutLogEvents", "503", None)
        self.refused(gateway, "old.example")
        gateway.signal(signal.SIGUSR2)
        taken_over = gateway.err.wait_for(r"process \d+ has taken over")
        successor = int(re.search(r"\d+", taken_over)[0])
        try:
            wait_until(lambda: self.readiness(gateway)[0] == 200)  # the successor's page
            self.refused(gateway, "new.example")
            self.aws.faults.clear()
            self.assertEqual(0, gateway.wait())
            wait_until(lambda: len(self.shipped()) == 2)
            self.assertEqual(["new.example", "old.example"], sorted(self.shipped()))
            self.assertEqual(1, len(self.aws.calls("ec2", "AssociateAddress")))
            self.assertEqual([], self.aws.calls("autoscaling", "CompleteLifecycleAction"))
        finally:
            os.kill(successor, signal.SIGTERM)
        wait_until(lambda: not list(self.spool.iterdir()))  # its farewell

    def test_of_what_may_go_wrong_at_aws_nothing_is_lasting(self):
        self.aws.ec2.allocate(Addresses.TAG)
        kinds = ("throttle", "500", "503", "reset", "expired", "skewed", "truncated", "empty",
                 "html", "malformed", "lost", "skewed-date")
        self.aws.faults.random(4, 0.3, kinds)
        gateway = self.start(*Addresses.FLAG, "--aws-alert-topic", self.topic.arn)
        names = [f"n{number}.example" for number in range(40)]
        for name in names:
            self.refused(gateway, name)
        wait_until(lambda: self.readiness(gateway)[0] == 200)
        wait_until(lambda: set(names) <= set(self.shipped()))  # some perhaps twice
        wait_until(lambda: self.topic.messages)
        self.aws.faults.clear()
        wait_until(lambda: len({each["Subject"] for each in self.topic.messages}) == 20)
        self.aws.autoscaling.terminate(self.metadata.instance, decrement=True)
        self.assertEqual(0, gateway.wait())
        self.assertEqual("Terminated", self.metadata.instance.lifecycle)

    def test_a_log_group_that_is_not_there_is_said_and_waited_for(self):
        del self.aws.logs.groups["fleet"]
        gateway = self.start()
        self.refused(gateway, "a.example")
        self.assertIsNotNone(gateway.err.wait_for("log group fleet: .*ResourceNotFound"))
        self.log = self.aws.logs.add("fleet")
        wait_until(lambda: self.shipped() == ["a.example"])


class Refusals(unittest.TestCase):
    def test_a_spool_that_cannot_be_used_is_said_at_the_start(self):
        with self.assertRaisesRegex(AssertionError, "the log's spool /proc/nothing"):
            Gateway("--aws", "--aws-log-group", "fleet", "--aws-log-spool", "/proc/nothing",
                    allow=[".test"])


if __name__ == "__main__":
    main()
