# labels: peers
"""Signatures, compared with botocore's (Debian's python3-botocore) on generated requests: every
service that is used, paths, queries, headers and bodies of all kinds, and presigned URLs."""

import base64
import datetime
import pathlib
import random
import subprocess
import sys
import json
import os
from unittest import mock
from urllib.parse import quote

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.testing import Case, main  # noqa: E402

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import botocore.signers
except ImportError:
    botocore = None

CASES = 4000
SERVICES = ("ssm", "secretsmanager", "logs", "sns", "sts", "cloudformation", "autoscaling", "ec2",
            "monitoring", "eks", "s3")
TEXT = "abcXYZ019-._~!$&'()*+,;=:@/?% \"<>[]{}|\\^`#éß漢\U0001f600"


def answers(cases):
    text = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([os.environ["EBBGATE_AWS_PROBE"]], input=text, capture_output=True,
                          text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def word(self, most, alphabet=TEXT, least=0):
        return "".join(self.random.choices(alphabet, k=self.random.randint(least, most)))

    def path(self, service):
        if service == "eks":  # an ARN in the path is encoded, and then encoded again
            return "/clusters/" + quote(self.word(8, least=1), safe="-_.~") + "/access-entries/" + (
                quote("arn:aws:iam::111122223333:role/" + self.word(8), safe="-_.~"))
        segments = [quote(self.word(6), safe="-_.~") for _ in range(self.random.randint(0, 4))]
        if self.random.random() < 0.2:  # what is normalised everywhere but in S3
            segments.insert(self.random.randint(0, len(segments)),
                            self.random.choice(["..", ".", "", "%2E%2E", "a%2Fb"]))
        return "/" + "/".join(segments)

    def query(self):
        if self.random.random() < 0.3:
            return ""
        names = ["a", "a-b", "a.b", "A", "a1", "versionId", "X-b", "uploads", "é", "a b"]
        pairs = []
        for _ in range(self.random.randint(1, 6)):
            name = quote(self.random.choice([*names, self.word(4, least=1)]), safe="-_.~")
            value = quote(self.word(6), safe="-_.~")
            pairs.append(name if self.random.random() < 0.2 else f"{name}={value}")
        return "?" + "&".join(pairs)

    def headers(self):
        names = ["X-Amz-Target", "Content-Type", "x-k8s-aws-id", "X-amz-meta-A", "Range",
                 "If-None-Match", "User-Agent", "Accept", "X-Amzn-Trace-Id", "Expect"]
        self.random.shuffle(names)
        visible = "aA0-/;,=\"  \t"
        return [[name, self.word(12, visible).strip("\t ") if self.random.random() < 0.5
                 else self.word(12, visible)] for name in names[:self.random.randint(0, 5)]]

    def case(self):
        service = self.random.choice(SERVICES)
        region = self.random.choice(["eu-west-2", "us-gov-west-1", "cn-north-1", "us-east-1"])
        port = self.random.choice(["", "", "", ":443", ":8443"])
        host = self.random.choice(["", "Bucket.", "a-b."]) + f"{service}.{region}.amazonaws.com"
        return {
            "do": "sign", "service": service, "region": region,
            "method": self.random.choice(["GET", "POST", "PUT", "HEAD", "DELETE"]),
            "url": "https://" + host + port + self.path(service) + self.query(),
            "headers": self.headers(), "body": self.word(40) if self.random.random() < 0.6 else "",
            "key": "AKIA" + self.word(16, "ABCDEFGHIJ234567", 16),
            "secret": self.word(40, "abcXYZ/+09", 40),
            "token": self.word(60, "abcXYZ/+=09", 20) if self.random.random() < 0.5 else "",
            "time": self.random.randrange(1_000_000_000, 4_000_000_000)}


def judged(case, presigned=None):
    """What botocore makes of the same case: the signed request."""
    request = botocore.awsrequest.AWSRequest(
        method=case["method"], url=case["url"], data=case["body"].encode(),
        headers=dict(case["headers"]))
    request.context["payload_signing_enabled"] = True
    credentials = botocore.credentials.Credentials(
        case["key"], case["secret"], case["token"] or None)
    arguments = (credentials, case["service"], case["region"])
    if presigned:
        signer = botocore.auth.SigV4QueryAuth(*arguments, expires=presigned)
    elif case["service"] == "s3":
        signer = botocore.auth.S3SigV4Auth(*arguments)
    else:
        signer = botocore.auth.SigV4Auth(*arguments)
    at = datetime.datetime.fromtimestamp(case["time"], datetime.timezone.utc).replace(tzinfo=None)
    with mock.patch("botocore.auth.datetime") as clock:
        clock.datetime.utcnow.return_value = at
        signer.add_auth(request)
    return request


class Signing(Case):
    def setUp(self):
        if botocore is None:
            self.skipTest("botocore is not installed (python3-botocore)")

    def test_headers_are_signed_as_botocore_signs_them(self):
        generate = Generator(seed=4)
        cases = [generate.case() for _ in range(CASES)]
        said = answers(cases)
        self.assertEqual(len(cases), len(said))
        for case, ours in zip(cases, said):
            theirs = judged(case)
            self.assertNotIn("failure", ours, case)
            for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
                self.assertEqual(theirs.headers.get(name), ours["headers"].get(name), case)
            if case["service"] == "s3":
                self.assertEqual(theirs.headers["X-Amz-Content-SHA256"],
                                 ours["headers"]["X-Amz-Content-Sha256"])

    def test_urls_are_presigned_as_botocore_presigns_them(self):
        generate = Generator(seed=5)
        cases = []
        while len(cases) < 500:
            case = generate.case()
            if case["service"] == "s3":
                continue  # its presigned payload is another, and is not used
            host = case["url"].split("/")[2].lower().removesuffix(":443")
            pairs = [(quote(generate.word(4, least=1), safe="-_.~"),
                      quote(generate.word(6), safe="-_.~")) for _ in range(2)]
            case.update({"do": "presign", "validity": generate.random.randint(1, 604800),
                         "method": "GET", "body": "", "headers": [["x-k8s-aws-id", "prod"]],
                         "url": f"https://{host}/?" + "&".join(f"{n}={v}" for n, v in
                                                               dict(pairs).items())})
            cases.append(case)
        for case, ours in zip(cases, answers(cases), strict=True):
            self.assertEqual(judged(case, case["validity"]).url, ours["url"], case)

    def test_the_token_for_eks_is_the_one_that_the_aws_program_makes(self):
        """aws eks get-token presigns GetCallerIdentity with botocore's RequestSigner so."""
        generate = Generator(seed=6)
        cases = []
        for _ in range(100):
            case = generate.case()
            case.update({"do": "eks-token", "service": "sts", "region": "eu-west-2",
                         "cluster": generate.word(20, "abc-XYZ_019", 1)})
            cases.append(case)
        for case, ours in zip(cases, answers(cases), strict=True):
            case.update({
                "method": "GET", "body": "", "headers": [["x-k8s-aws-id", case["cluster"]]],
                "url": "https://sts.eu-west-2.amazonaws.com/"
                       "?Action=GetCallerIdentity&Version=2011-06-15"})
            url = judged(case, 60).url
            token = "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
            self.assertEqual(token, ours["token"])


if __name__ == "__main__":
    main()
