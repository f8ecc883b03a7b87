# labels: peers
"""The AWS client against moto, where the machine has it: an emulation by others, made to enforce
signatures and permissions, so that our own emulator is not the only judge of our signing."""

import pathlib
import shutil
import socket
import subprocess
import sys
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from aws_client_test import ClientCase, Probe  # noqa: E402
from harness.process import Process, wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

try:
    import botocore.session
except ImportError:
    botocore = None

REGION = "eu-west-2"
POLICY = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", "Action":
["ssm:*", "s3:*", "secretsmanager:GetSecretValue", "logs:*", "sts:*"]}]}"""


def works(program):
    """A program may be there by name and not by deed."""
    found = shutil.which(program)
    return found and subprocess.run([found, "--help"], capture_output=True, check=False,
                                    timeout=60).returncode == 0


@unittest.skipUnless(botocore, "there is no botocore")
@unittest.skipUnless(works("moto_server"), "there is no moto_server")
class Moto(Case):
    value, code = ClientCase.value, ClientCase.code

    def setUp(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.enter(Process([shutil.which("moto_server"), "-H", "127.0.0.1", "-p", port]))
        wait_until(self.answers, 60, "moto")
        iam = self.client("iam")
        iam.create_user(UserName="gateway")
        iam.put_user_policy(UserName="gateway", PolicyName="p", PolicyDocument=POLICY)
        key = iam.create_access_key(UserName="gateway")["AccessKey"]
        self.topic = self.client("sns").create_topic(Name="t")["TopicArn"]
        self.client("secretsmanager").create_secret(Name="proxy/list", SecretString="a.test,b.test")
        s3 = self.client("s3")
        s3.create_bucket(Bucket="policies",
                         CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket="policies", VersioningConfiguration={"Status": "Enabled"})
        self.client("logs").create_log_group(logGroupName="g")
        # From now on every call has to be signed rightly, by somebody who may.
        urllib.request.urlopen(urllib.request.Request(
            self.url + "/moto-api/reset-auth", data=b"0", method="POST",
            headers={"Content-Type": "text/plain"}), timeout=10).close()
        self.keys = {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION,
                     "AWS_EC2_METADATA_DISABLED": "true",
                     "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                     "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def answers(self):
        try:
            urllib.request.urlopen(self.url + "/moto-api/", timeout=1).close()
            return True
        except OSError:
            return False

    def client(self, service):
        return botocore.session.get_session().create_client(
            service, region_name=REGION, endpoint_url=self.url, aws_access_key_id="x",
            aws_secret_access_key="x")

    def test_takes_our_signatures(self):
        probe = self.enter(Probe(self.keys))
        self.assertTrue(self.value(probe, "identity").endswith(":user/gateway"))
        self.assertEqual(1, self.value(probe, "put-parameter", name="/a/list", value="a, é+ %\n"))
        self.assertEqual(["a, é+ %\n", 1], self.value(probe, "get-parameter", name="/a/list"))
        self.assertEqual("a.test,b.test", self.value(probe, "get-secret", id="proxy/list"))
        key = "a b/c//x~y"  # of `+` and `é` moto refuses botocore's signature too
        version = self.value(probe, "put-object", bucket="policies", key=key, body="text")
        self.assertEqual("text", self.value(probe, "get-object", bucket="policies", key=key,
                                            version=version)[0])
        probe.ask("create-stream", group="g", stream="s")
        self.assertIn("value", probe.ask("streams", group="g"))

    def test_refuses_what_is_not_ours_to_do_or_not_signed_by_us(self):
        probe = self.enter(Probe(self.keys))
        self.assertIn("Denied", self.code(probe, "publish", topic=self.topic, subject="s", text="t"))
        forger = self.enter(Probe({**self.keys, "AWS_SECRET_ACCESS_KEY": "x" * 40}))
        # moto words this one in XML, which is no answer of that service: the status is the code.
        self.assertEqual("403", self.code(forger, "get-parameter", name="/a/list"))
        self.assertIn("Signature", self.code(forger, "get-object", bucket="policies", key="k"))


if __name__ == "__main__":
    main()
