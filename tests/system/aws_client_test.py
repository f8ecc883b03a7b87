# labels: aws
"""The AWS client against the tests' own AWS, which checks each signature and permission: every
operation that is used, every place that credentials come from, and what goes wrong on the way."""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws import Emulator  # noqa: E402
from harness.aws.faults import KINDS  # noqa: E402
from harness.testing import Case, main  # noqa: E402

TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


class Probe:
    """The client as a process that is asked one thing after another."""

    def __init__(self, environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.process = subprocess.Popen(
            [os.environ["EBBGATE_AWS_PROBE"]], env={**clean, "HOME": "/nonexistent", **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what, **arguments):
        self.process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class ClientCase(Case):
    def setUp(self):
        self.aws = self.enter(Emulator())

    def probe(self, environment=None):
        return self.enter(Probe(environment or self.aws.environment()))

    def value(self, probe, what, **arguments):
        said = probe.ask(what, **arguments)
        self.assertIn("value", said, what)
        return said["value"]

    def code(self, probe, what, **arguments):
        said = probe.ask(what, **arguments)
        self.assertIn("failure", said, what)
        return said["failure"]["code"]


class Services(ClientCase):
    def test_parameters_and_secrets(self):
        probe = self.probe()
        self.assertEqual(1, self.value(probe, "put-parameter", name="/list", value="a, é+\n"))
        self.assertEqual(2, self.value(probe, "put-parameter", name="/list", value="b"))
        self.assertEqual(["b", 2], self.value(probe, "get-parameter", name="/list"))
        self.assertEqual(["a, é+\n", 1], self.value(probe, "get-parameter", name="/list:1"))
        self.assertEqual("ParameterNotFound", self.code(probe, "get-parameter", name="/none"))
        self.aws.secretsmanager.put("list", "x,y")
        self.assertEqual("x,y", self.value(probe, "get-secret", id="list"))
        self.assertEqual("ResourceNotFoundException", self.code(probe, "get-secret", id="none"))

    def test_objects_in_their_versions(self):
        probe = self.probe()
        first = self.aws.s3.put("bucket", "a b/c+d/é//x", "1")
        second = self.value(probe, "put-object", bucket="bucket", key="a b/c+d/é//x", body="22")
        self.assertNotEqual(first, second)
        body, etag, version = self.value(probe, "get-object", bucket="bucket", key="a b/c+d/é//x")
        self.assertEqual(["22", second], [body, version])
        self.assertIsNone(self.value(probe, "get-object", bucket="bucket", key="a b/c+d/é//x",
                                     etag=etag))
        self.assertEqual("1", self.value(probe, "get-object", bucket="bucket", key="a b/c+d/é//x",
                                         version=first)[0])
        self.assertEqual(2, self.value(probe, "head-object", bucket="bucket", key="a b/c+d/é//x"))
        self.assertIsNone(self.value(probe, "head-object", bucket="bucket", key="none"))
        self.assertEqual("NoSuchKey", self.code(probe, "get-object", bucket="bucket", key="none"))
        self.assertEqual("NoSuchBucket", self.code(probe, "get-object", bucket="other", key="x"))
        self.aws.s3.put("bucket.with.dots", "k", "3")
        self.assertEqual("3", self.value(probe, "get-object", bucket="bucket.with.dots", key="k")[0])
        said = probe.ask("get-object", bucket="bucket", key="a b/c+d/é//x", max=1)
        self.assertIn("failure", said)

    def test_alerts_and_logs(self):
        probe = self.probe()
        topic = self.aws.sns.add("alerts")
        self.assertTrue(self.value(probe, "publish", topic=getattr(topic, "arn", topic),
                                   subject="denied", text="a&b = c\n+é"))
        self.aws.logs.add("/ebbgate")
        self.assertIsNone(self.value(probe, "create-stream", group="/ebbgate", stream="i-1"))
        self.assertIsNone(self.value(probe, "create-stream", group="/ebbgate", stream="i-1"))
        now = int(time.time() * 1000)
        self.assertEqual([0, 0], self.value(
            probe, "put-events", group="/ebbgate", stream="i-1",
            events=[[now - 5, '{"verdict":"DENY"}'], [now, "é\u2028"]]))
        self.assertEqual([1, 0], self.value(
            probe, "put-events", group="/ebbgate", stream="i-1",
            events=[[now - 30 * 86400 * 1000, "old"]]))
        self.assertEqual("ResourceNotFoundException", self.code(
            probe, "put-events", group="/ebbgate", stream="i-2", events=[[now, "x"]]))
        self.assertEqual(["i-1"], self.value(probe, "streams", group="/ebbgate"))
        self.assertEqual(['{"verdict":"DENY"}'], self.value(
            probe, "filter-events", group="/ebbgate", pattern='{ $.verdict = "DENY" }'))
        self.assertEqual([], self.value(probe, "alarms"))

    def test_addresses_and_networks(self):
        probe = self.probe()
        address = self.aws.ec2.allocate({"fleet": "a"})["allocationId"]
        self.aws.ec2.allocate({"fleet": "b"})
        one, other = self.aws.ec2.launch(), self.aws.ec2.launch()
        self.assertEqual([address], self.value(probe, "addresses", tag="fleet", value="a"))
        self.assertTrue(self.value(probe, "associate", address=address, instance=one.id))
        self.assertEqual("Resource.AlreadyAssociated",
                         self.code(probe, "associate", address=address, instance=other.id))
        self.assertEqual(3, len(self.value(probe, "zones")))
        self.aws.ec2.add_vpc("10.64.0.0/16")
        self.assertIn(["10.64.0.0/16"], self.value(probe, "vpcs"))
        self.assertIn(True, self.value(probe, "route-tables"))
        self.assertEqual([], self.value(probe, "vpc-endpoints"))
        self.assertEqual([], self.value(probe, "groups"))

    def test_clusters_and_identities(self):
        probe = self.probe()
        self.aws.eks.add("prod")
        self.assertEqual(["ACTIVE", "172.20.0.0/16"], self.value(probe, "cluster", name="prod"))
        self.assertIsNone(self.value(probe, "cluster", name="none"))
        role = self.aws.iam.role("gateway").arn
        entry = {"cluster": "prod", "principal": role}
        self.assertIsNone(self.value(probe, "create-entry", **entry))
        self.assertIsNone(self.value(probe, "create-entry", **entry))
        self.assertIn(role, self.value(probe, "entries", cluster="prod"))
        self.assertIsNone(self.value(
            probe, "associate-policy", **entry,
            policy="arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"))
        self.assertEqual(self.aws.credentials.arn, self.value(probe, "identity"))

    def test_stacks(self):
        probe = self.probe()
        self.assertIsNone(self.value(probe, "stack", stack="s"))
        self.value(probe, "create-change-set", stack="s", name="c1", create=True, template=TEMPLATE)
        self.assertEqual(["Topic"], self.settled(probe, "c1")[2])
        self.assertIsNone(self.value(probe, "execute-change-set", stack="s", name="c1"))
        self.until(probe, "CREATE_COMPLETE")
        self.assertEqual(["Topic"], self.value(probe, "resources", stack="s"))
        self.assertEqual(TEMPLATE, self.value(probe, "template", stack="s"))
        events = self.value(probe, "events", stack="s", after="")
        self.assertEqual("CREATE_COMPLETE", events[0])
        self.value(probe, "create-change-set", stack="s", name="c2", create=False,
                   template=TEMPLATE)
        self.assertEqual(["FAILED", True, []], self.settled(probe, "c2"))
        self.assertIsNone(self.value(probe, "delete-stack", stack="s"))
        self.until(probe, None)

    def settled(self, probe, name):
        for _ in range(200):
            said = self.value(probe, "change-set", stack="s", name=name)
            if not said[0].startswith("CREATE_PENDING") and said[0] != "CREATE_IN_PROGRESS":
                return said
            time.sleep(0.05)
        self.fail("the change set is not made")

    def until(self, probe, status):
        for _ in range(200):
            if self.value(probe, "stack", stack="s") == status:
                return
            time.sleep(0.05)
        self.fail(f"the stack is not {status}")


class Credentials(ClientCase):
    def setUp(self):
        super().setUp()
        self.region = {"AWS_REGION": self.aws.region, "AWS_ENDPOINT_URL": self.aws.url}

    def arn(self, environment):
        return self.value(self.probe({**self.region, **environment}), "identity")

    def test_of_a_profile(self):
        user = self.aws.iam.user("person")
        path = self.scratch() / "credentials"
        path.write_text(f"[work]\naws_access_key_id = {user.key}\n"
                        f"aws_secret_access_key = {user.secret}\n")
        self.assertEqual(user.arn, self.arn({"AWS_SHARED_CREDENTIALS_FILE": str(path),
                                             "AWS_PROFILE": "work"}))

    def test_of_a_web_identity(self):
        role = self.aws.iam.role("pod")
        path = self.scratch() / "token"
        path.write_text(self.aws.sts.web_identity() + "\n")
        self.assertIn("assumed-role/pod/ebbgate", self.arn({
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": role.arn}))

    def test_of_an_instance_and_of_a_container(self):
        server = self.aws.metadata(self.aws.ec2.launch(role="fleet"))
        self.assertIn("assumed-role/fleet/", self.arn(server.environment()))
        path = self.scratch() / "token"
        path.write_text(server.container_token)
        self.assertIn("assumed-role/fleet/", self.arn({
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.container_uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path)}))

    def test_that_expire_are_renewed(self):
        server = self.aws.metadata(self.aws.ec2.launch(role="fleet"))
        probe = self.probe({**self.region, **server.environment()})
        self.aws.ssm.put("/x", "1")
        self.value(probe, "get-parameter", name="/x")
        self.aws.faults.next("ssm", "GetParameter", "expired")
        server.rotate()
        self.assertEqual(["1", 1], self.value(probe, "get-parameter", name="/x"))
        server.forget_tokens()
        self.assertIsNotNone(self.value(probe, "metadata", path="latest/meta-data/instance-id"))
        self.assertIsNone(self.value(probe, "metadata", path="latest/meta-data/none"))

    def test_that_may_not_are_told_so(self):
        user = self.aws.iam.user("nobody", policies=[])
        probe = self.probe(self.aws.environment(user))
        self.aws.ssm.put("/x", "1")
        self.assertEqual("AccessDeniedException", self.code(probe, "get-parameter", name="/x"))


class Faults(ClientCase):
    def test_each_one_alone_is_got_over(self):
        probe = self.probe()
        self.aws.ssm.put("/x", "1")
        topic = self.aws.sns.add("alerts")
        for kind in KINDS:
            if kind == "expired":  # a user's own keys do not expire: nothing could be done
                continue
            for service, operation, what, arguments in (
                    ("ssm", "GetParameter", "get-parameter", {"name": "/x"}),
                    ("sns", "Publish", "publish", {"topic": getattr(topic, "arn", topic),
                                                   "subject": "s", "text": "t"})):
                with self.subTest(kind=kind, operation=operation):
                    self.aws.faults.next(service, operation, kind)
                    self.assertIn("value", probe.ask(what, **arguments))
                    self.assertEqual(0, self.aws.faults.pending())

    def test_a_clock_that_is_an_hour_off_is_corrected_once(self):
        probe = self.probe()
        self.aws.ssm.put("/x", "1")
        self.aws.clock.offset = 3600
        for _ in range(3):
            self.assertEqual(["1", 1], self.value(probe, "get-parameter", name="/x"))
        self.assertEqual(4, len(self.aws.calls("ssm", "GetParameter")))

    def test_any_mixture_ends_in_a_value_or_in_a_failure_that_says_something(self):
        probe = self.probe()
        self.aws.ssm.put("/x", "1")
        self.aws.faults.random(seed=7, rate=0.5, kinds=[k for k in KINDS if k not in ("hang", "slow")])
        values = 0
        for _ in range(150):
            said = probe.ask("get-parameter", name="/x")
            if "value" in said:
                self.assertEqual(["1", 1], said["value"])
                values += 1
            else:
                self.assertNotEqual("", said["failure"]["said"])
        self.assertGreater(values, 100)


if __name__ == "__main__":
    main()
