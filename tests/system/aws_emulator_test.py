# labels: peers
"""The tests' AWS, judged by Debian's botocore as its client: what it signs is accepted, what it is
answered it can read, and errors are those that it knows."""

import contextlib
import http.client
import json
import os
import pathlib
import sys
import time
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws import Emulator  # noqa: E402
from harness.aws.oracle import botocore, client, complaints  # noqa: E402
from harness.testing import Case, main  # noqa: E402

if botocore:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import botocore.exceptions
    import botocore.signers


class AwsCase(Case):
    def setUp(self):
        if botocore is None:
            self.skipTest("botocore is not installed (python3-botocore)")
        self.aws = self.enter(Emulator())

    def client(self, service, credentials=None, **options):
        return client(self.aws, service, credentials, **options)

    @contextlib.contextmanager
    def refused(self, code, status=None):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            yield caught
        response = caught.exception.response
        self.assertEqual(code, response["Error"]["Code"])
        if status:
            self.assertEqual(status, response["ResponseMetadata"]["HTTPStatusCode"])


class Signatures(AwsCase):
    def test_every_service_takes_a_good_signature_and_words_a_bad_one_in_its_own_way(self):
        self.aws.ssm.put("/x", "1")
        self.aws.s3.put("bucket", "key", "x")
        calls = [  # service, call, unknown key, wrong secret, clock, expired token
            ("ssm", lambda c: c.get_parameter(Name="/x"), "UnrecognizedClientException",
             "InvalidSignatureException", "InvalidSignatureException", "ExpiredTokenException"),
            ("sts", lambda c: c.get_caller_identity(), "InvalidClientTokenId",
             "SignatureDoesNotMatch", "SignatureDoesNotMatch", "ExpiredToken"),
            ("s3", lambda c: c.get_object(Bucket="bucket", Key="key"), "InvalidAccessKeyId",
             "SignatureDoesNotMatch", "RequestTimeTooSkewed", "ExpiredToken"),
            ("ec2", lambda c: c.describe_addresses(), "AuthFailure", "AuthFailure",
             "RequestExpired", "RequestExpired"),
            ("eks", lambda c: c.list_clusters(), "UnrecognizedClientException",
             "InvalidSignatureException", "InvalidSignatureException", "ExpiredTokenException"),
        ]
        for service, call, unknown, wrong, clock, expired in calls:
            with self.subTest(service):
                call(self.client(service))
                stranger = self.aws.iam.user("stranger")
                self.aws.iam.revoke(stranger)
                with self.refused(unknown):
                    call(self.client(service, stranger))
                liar = self.aws.iam.user("liar")
                sending = self.client(service, liar)
                liar.secret = "another"
                with self.refused(wrong):
                    call(sending)
                self.aws.clock.offset = 16 * 60
                with self.refused(clock):
                    call(self.client(service))
                self.aws.clock.offset = 0
                role = self.aws.iam.role("role")
                with self.refused(expired):
                    call(self.client(service, self.aws.iam.session(role, seconds=-1)))

    def test_each_single_change_to_a_signed_request_is_found(self):
        self.aws.s3.put("bucket", "a key/ü+%~", "x")
        changes = {
            "path": lambda r: setattr(r, "url", r.url.replace("a%20key", "b%20key")),
            "query": lambda r: setattr(r, "url", r.url + "&extra=1"),
            "signed header": lambda r: r.headers.replace_header("X-Amz-Meta", "2"),
            "unsigned x-amz header": lambda r: r.headers.add_header("X-Amz-Acl", "private"),
            "body": lambda r: setattr(r, "data", b"other"),
            "signature": lambda r: r.headers.replace_header(
                "Authorization", r.headers["Authorization"][:-1] + "_"),
            "nothing": lambda r: None,
        }
        for name, change in changes.items():
            with self.subTest(name):
                request = botocore.awsrequest.AWSRequest(
                    "PUT", self.aws.url + "/bucket/a%20key/%C3%BC%2B%25~?b=2&a=%20x&a=1&empty=",
                    {"X-Amz-Meta": " 1  2 "}, b"body")
                who = self.aws.credentials
                botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(who.key, who.secret),
                                          "s3", self.aws.region).add_auth(request)
                change(request)
                self.assertEqual(200 if name == "nothing" else 403, self._send(request)[0])

    def _send(self, request):
        connection = http.client.HTTPConnection("127.0.0.1", self.aws.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request(request.method, request.url[len(self.aws.url):], request.data,
                           dict(request.headers.items()))
        response = connection.getresponse()
        return response.status, response.read()

    def test_presigned_requests(self):
        url = self.client("sts").generate_presigned_url(
            "get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        request = botocore.awsrequest.AWSRequest("GET", url, {"Host": f"127.0.0.1:{self.aws.port}"})
        self.assertEqual(200, self._send(request)[0])
        self.aws.clock.advance(61)
        self.assertEqual(403, self._send(request)[0])
        self.aws.clock.offset = 0
        request.url = url.replace("Expires=60", "Expires=61")
        self.assertEqual(403, self._send(request)[0])

    def test_without_a_signature_only_a_web_identity_is_heard(self):
        role = self.aws.iam.role("pod")
        sts = self.client("sts", signature_version=botocore.UNSIGNED)
        token = self.aws.sts.web_identity()
        out = sts.assume_role_with_web_identity(RoleArn=role.arn, RoleSessionName="session",
                                                WebIdentityToken=token)
        self.assertTrue(out["Credentials"]["SessionToken"])
        with self.refused("InvalidIdentityToken"):
            sts.assume_role_with_web_identity(RoleArn=role.arn, RoleSessionName="session",
                                              WebIdentityToken="x" * 10)
        with self.refused("MissingAuthenticationToken", 403):
            sts.get_caller_identity()

    def test_a_role_may_do_what_its_policy_says(self):
        role = self.aws.iam.role("gateway", [{"Statement": [
            {"Effect": "Allow", "Action": "ssm:Get*",
             "Resource": self.aws.ssm.arn("parameter/allowlist")},
            {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
             "Condition": {"StringEquals": {"cloudwatch:namespace": "Ebbgate"}}},
            {"Effect": "Deny", "Action": "ssm:GetParameterHistory", "Resource": "*"}]}])
        session = self.aws.iam.session(role)
        self.aws.ssm.put("/allowlist", "x")
        ssm = self.client("ssm", session)
        ssm.get_parameter(Name="/allowlist")
        with self.refused("AccessDeniedException"):
            ssm.get_parameter(Name="/other")
        with self.refused("AccessDeniedException"):
            ssm.get_parameter_history(Name="/allowlist")
        metrics = self.client("cloudwatch", session)
        metrics.put_metric_data(Namespace="Ebbgate", MetricData=[{"MetricName": "m", "Value": 1}])
        with self.refused("AccessDenied"):
            metrics.put_metric_data(Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1}])
        self.assertEqual(3, len(self.aws.iam.denials))


class Faults(AwsCase):
    def test_every_kind_is_an_error_and_the_next_call_is_none(self):
        self.aws.ssm.put("/x", "1" * 100)
        for kind in ("throttle", "500", "503", "reset", "expired", "skewed", "truncated", "html",
                     "malformed", "lost", "wrong-length"):
            with self.subTest(kind):
                self.aws.faults.next("ssm", "GetParameter", kind)
                ssm = self.client("ssm", read_timeout=5)
                with contextlib.suppress(botocore.exceptions.BotoCoreError, ValueError,
                                         botocore.exceptions.ClientError):
                    out = ssm.get_parameter(Name="/x")  # botocore takes broken JSON for an answer
                    self.assertNotIn("Parameter", out)
                self.assertEqual(kind, self.aws.requests[-1].fault)
                self.assertEqual("1" * 100, self.client("ssm").get_parameter(
                    Name="/x")["Parameter"]["Value"])

    def test_botocore_tries_again_after_throttling_and_errors_of_the_server(self):
        self.aws.ssm.put("/x", "1")
        for kind in ("throttle", "500"):
            self.aws.faults.next("ssm", "*", kind)
        self.client("ssm", attempts=3).get_parameter(Name="/x")
        self.assertEqual(["throttle", "500", None],
                         [call.fault for call in self.aws.calls("ssm", "GetParameter")])

    def test_a_slow_answer_arrives_and_a_hanging_one_does_not(self):
        self.aws.ssm.put("/x", "1")
        self.aws.faults.next("ssm", "*", "slow")
        self.assertTrue(self.client("ssm").get_parameter(Name="/x"))
        self.aws.faults.next("ssm", "*", "hang")
        with self.assertRaises(botocore.exceptions.ReadTimeoutError):
            self.client("ssm", read_timeout=0.2).get_parameter(Name="/x")

    def test_the_same_seed_gives_the_same_faults(self):
        self.aws.ssm.put("/x", "1")
        seen = []
        for _ in range(2):
            self.aws.faults.random(7, 0.5, ("throttle", "500"))
            before, ssm = len(self.aws.requests), self.client("ssm")
            for _ in range(20):
                with contextlib.suppress(botocore.exceptions.ClientError):
                    ssm.get_parameter(Name="/x")
            seen.append([call.fault for call in self.aws.requests[before:]])
        self.assertEqual(*seen)
        self.assertEqual({None, "throttle", "500"}, set(seen[0]))


class Values(AwsCase):
    def test_parameters_have_versions_and_limits(self):
        ssm = self.client("ssm")
        with self.refused("ParameterNotFound"):
            ssm.get_parameter(Name="/a")
        put = dict(Name="/a", Type="String")
        self.assertEqual(1, ssm.put_parameter(Value="1", **put)["Version"])
        with self.refused("ParameterAlreadyExists"):
            ssm.put_parameter(Value="2", **put)
        self.assertEqual(2, ssm.put_parameter(Value="2", Overwrite=True, **put)["Version"])
        self.assertEqual("1", ssm.get_parameter(Name="/a:1")["Parameter"]["Value"])
        with self.refused("ParameterVersionNotFound"):
            ssm.get_parameter(Name="/a:3")
        self.assertEqual(["1", "2"], [each["Value"] for each in ssm.get_parameter_history(
            Name="/a")["Parameters"]])
        for tier, size in (("Standard", 4096), ("Advanced", 8192)):
            ssm.put_parameter(Value="x" * size, Overwrite=True, Tier=tier, **put)
            with self.refused("ValidationException"):
                ssm.put_parameter(Value="x" * (size + 1), Overwrite=True, Tier=tier, **put)

    def test_secrets(self):
        first = self.aws.secretsmanager.put("list", "a.example")
        self.aws.secretsmanager.put("list", "b.example")
        secrets = self.client("secretsmanager")
        self.assertEqual("b.example", secrets.get_secret_value(SecretId="list")["SecretString"])
        self.assertEqual(["AWSPREVIOUS"], secrets.get_secret_value(
            SecretId="list", VersionId=first)["VersionStages"])
        with self.refused("ResourceNotFoundException"):
            secrets.get_secret_value(SecretId="other")

    def test_objects_have_versions_and_conditions(self):
        s3 = self.client("s3")
        where = dict(Bucket="policies", Key="a b/ü+%.yaml")
        with self.refused("NoSuchBucket", 404):
            s3.get_object(**where)
        s3.create_bucket(Bucket="policies",
                         CreateBucketConfiguration={"LocationConstraint": self.aws.region})
        s3.put_bucket_versioning(Bucket="policies",
                                 VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Body=b"one", **where)
        second = s3.put_object(Body=b"two", **where)
        self.assertEqual(b"two", s3.get_object(**where)["Body"].read())
        self.assertEqual(b"one", s3.get_object(VersionId=first["VersionId"], **where)["Body"].read())
        with self.refused("304", 304):
            s3.get_object(IfNoneMatch=second["ETag"], **where)
        with self.refused("PreconditionFailed", 412):
            s3.get_object(IfMatch=first["ETag"], **where)
        self.assertEqual(3, s3.head_object(**where)["ContentLength"])
        with self.refused("NoSuchVersion", 404):
            s3.get_object(VersionId="none", **where)
        with self.refused("NoSuchKey", 404):
            s3.get_object(Bucket="policies", Key="none")
        reader = self.aws.iam.user("reader", [{"Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject*", "Resource": "arn:aws:s3:::policies/*"}]}])
        with self.refused("AccessDenied", 403):  # whoever may not list is not told
            self.client("s3", reader).get_object(Bucket="policies", Key="none")


class Alerts(AwsCase):
    def _lines(self, *messages, at=0):
        now = int(time.time() * 1000)
        return [{"timestamp": now + at, "message": message} for message in messages]

    def test_a_denied_line_raises_an_alarm_that_reaches_the_topic(self):
        logs, cloudwatch = self.client("logs"), self.client("cloudwatch")
        topic = self.aws.sns.add("alerts")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        logs.put_metric_filter(
            logGroupName="g", filterName="f", filterPattern='{ $.verdict = "DENY" }',
            metricTransformations=[dict(metricName="Denied", metricNamespace="E",
                                        metricValue="$.count", defaultValue=0)])
        cloudwatch.put_metric_alarm(
            AlarmName="denied", Namespace="E", MetricName="Denied", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, TreatMissingData="notBreaching",
            ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[topic.arn])
        put = dict(logGroupName="g", logStreamName="s")
        logs.put_log_events(logEvents=self._lines('{"verdict":"ALLOW","count":1}'), **put)

        def state():
            return cloudwatch.describe_alarms(AlarmNames=["denied"])["MetricAlarms"][0]["StateValue"]
        self.assertEqual("OK", state())
        logs.put_log_events(logEvents=self._lines('{"verdict":"DENY","count":3}'), **put)
        self.assertEqual([0, 3], self.aws.cloudwatch.values("E", "Denied"))
        self.assertEqual("ALARM", state())
        self.assertEqual(["ALARM"], [json.loads(m["Message"])["NewStateValue"]
                                     for m in topic.messages])
        self.aws.clock.advance(61)
        self.assertEqual("OK", state())

    def test_an_alarm_delivers_nothing_through_the_key_of_aws(self):
        topic = self.aws.sns.add("alerts", "alias/aws/sns")
        self.assertFalse(self.aws.sns.deliver(topic.arn, "s", "m", "cloudwatch.amazonaws.com"))
        self.assertEqual(1, len(topic.undelivered))

    def test_the_limits_of_a_batch(self):
        logs, group = self.client("logs"), self.aws.logs.add("g")
        with self.refused("ResourceNotFoundException"):
            logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=self._lines("x"))
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        with self.refused("ResourceAlreadyExistsException"):
            logs.create_log_stream(logGroupName="g", logStreamName="s")

        def put(events):
            return logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
        put(self._lines(*["x"] * 10_000))
        put(self._lines("x" * (1_048_576 - 26)))
        day = 24 * 3_600_000
        for bad in (self._lines(*["x"] * 10_001), self._lines("x" * (1_048_576 - 25)),
                    self._lines("x") + self._lines("y", at=-1000),
                    self._lines("x", at=-day - 1000) + self._lines("y")):
            with self.refused("InvalidParameterException"):
                put(bad)
        old = put(self._lines("x", at=-15 * day))["rejectedLogEventsInfo"]
        self.assertEqual(1, old["tooOldLogEventEndIndex"])
        self.assertEqual(10_001, len(group.messages()))

    def test_embedded_metrics_and_patterns(self):
        from harness.aws.pattern import Pattern
        self.aws.logs.add("g").streams["s"] = []
        self.client("logs").put_log_events(
            logGroupName="g", logStreamName="s", logEvents=self._lines(json.dumps({
                "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [
                    {"Namespace": "E", "Dimensions": [["Group"]],
                     "Metrics": [{"Name": "ActiveTunnels", "Unit": "Count"}]}]},
                "Group": "fleet", "ActiveTunnels": 12})))
        self.assertEqual([12], self.aws.cloudwatch.values("E", "ActiveTunnels", {"Group": "fleet"}))
        for pattern, expected in (
                ('{ $.a = "x" }', True), ('{ $.a = "y" }', False), ('{ $.a = x* }', True),
                ('{ $.n > 1 && $.n <= 2 }', True), ('{ ($.a = "y") || ($.n = 2) }', True),
                ('{ $.b.c != "d" }', False), ('{ $.none = "x" }', False), ('"x"', True)):
            with self.subTest(pattern):
                self.assertEqual(expected, Pattern(pattern).matches(
                    '{"a":"x","n":2,"b":{"c":"d"}}'))

    def test_a_topic_takes_what_it_may(self):
        sns, topic = self.client("sns"), self.aws.sns.add("alerts")
        sns.publish(TopicArn=topic.arn, Subject="s", Message="m")
        self.assertEqual("m", topic.messages[0]["Message"])
        with self.refused("NotFound", 404):
            sns.publish(TopicArn=topic.arn + "x", Message="m")
        with self.refused("InvalidParameter"):
            sns.publish(TopicArn=topic.arn, Subject="x" * 101, Message="m")


class Instances(AwsCase):
    def test_an_address_goes_to_one_instance_only(self):
        ec2, one, two = self.client("ec2"), self.aws.ec2.launch(public=True), self.aws.ec2.launch()
        address = self.aws.ec2.allocate({"pool": "x"})
        found = ec2.describe_addresses(Filters=[{"Name": "tag:pool", "Values": ["x"]}])["Addresses"]
        self.assertEqual([address["allocationId"]], [each["AllocationId"] for each in found])
        claim = dict(AllocationId=address["allocationId"], AllowReassociation=False)
        with self.aws.metadata(one) as metadata:
            before = self._imds(metadata, "public-ipv4")
            ec2.associate_address(InstanceId=one.id, **claim)
            self.assertNotEqual(before, self._imds(metadata, "public-ipv4"))
            self.assertEqual(address["publicIp"].encode(), self._imds(metadata, "public-ipv4"))
        ec2.associate_address(InstanceId=one.id, **claim)  # again is as good as once
        with self.refused("Resource.AlreadyAssociated"):
            ec2.associate_address(InstanceId=two.id, **claim)
        ec2.terminate_instances(InstanceIds=[one.id])
        ec2.associate_address(InstanceId=two.id, **claim)

    def _imds(self, metadata, path, token=True):
        connection = http.client.HTTPConnection(*metadata.server.server_address, timeout=20)
        self.addCleanup(connection.close)
        headers = {}
        if token:
            connection.request("PUT", "/latest/api/token", headers={
                "X-aws-ec2-metadata-token-ttl-seconds": "60"})
            headers = {"X-aws-ec2-metadata-token": connection.getresponse().read().decode()}
        connection.request("GET", "/latest/meta-data/" + path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        return body if response.status == 200 else response.status

    def test_a_terminating_instance_waits_for_its_hook(self):
        group = self.aws.autoscaling.add("fleet", hooks=[{
            "LifecycleHookName": "drain", "HeartbeatTimeout": 300, "DefaultResult": "CONTINUE",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}])
        scaling, instance = self.client("autoscaling"), group.instances[0]
        metadata = self.aws.metadata(instance)
        path = "autoscaling/target-lifecycle-state"
        self.assertEqual(b"InService", self._imds(metadata, path))
        complete = dict(AutoScalingGroupName="fleet", LifecycleHookName="drain",
                        LifecycleActionResult="CONTINUE", InstanceId=instance.id)
        with self.refused("ValidationError"):
            scaling.complete_lifecycle_action(**complete)
        scaling.terminate_instance_in_auto_scaling_group(
            InstanceId=instance.id, ShouldDecrementDesiredCapacity=False)
        self.assertEqual(b"Terminated", self._imds(metadata, path))
        self.assertEqual(("Terminating:Wait", "running"), (instance.lifecycle, instance.state))
        scaling.record_lifecycle_action_heartbeat(
            AutoScalingGroupName="fleet", LifecycleHookName="drain", InstanceId=instance.id)
        scaling.complete_lifecycle_action(**complete)
        self.assertEqual("terminated", instance.state)
        told = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
        self.assertEqual(2, len(told), "another has taken its place")
        late = group.instances[0]
        self.aws.autoscaling.terminate(late)
        self.aws.clock.advance(301)
        scaling.describe_auto_scaling_groups()
        self.assertEqual("terminated", late.state, "the hook has timed out")

    def test_metadata_needs_a_token_and_gives_credentials_that_work(self):
        metadata = self.aws.metadata(self.aws.ec2.launch(role="gateway"))
        self.assertEqual(401, self._imds(metadata, "instance-id", token=False))
        self.assertEqual(404, self._imds(metadata, "spot/instance-action"))
        self.assertEqual(self.aws.region.encode(), self._imds(metadata, "placement/region"))
        with mock.patch.dict(os.environ, metadata.environment()):
            session = botocore.session.Session()
            session.set_config_variable("region", self.aws.region)
            sts = session.create_client("sts", endpoint_url=self.aws.url)
            arn = sts.get_caller_identity()["Arn"]
        self.assertIn(f"assumed-role/gateway/{metadata.instance.id}", arn)

    def test_a_container_has_its_credentials_by_its_token(self):
        metadata = self.aws.metadata(self.aws.ec2.launch(role="pod"))
        with mock.patch.dict(os.environ, {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": metadata.container_uri,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": metadata.container_token}):
            found = botocore.session.Session().get_credentials().get_frozen_credentials()
        self.assertEqual("pod", self.aws.iam.find(found.access_key).principal.name)
        connection = http.client.HTTPConnection(*metadata.server.server_address, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/credentials", headers={"Authorization": "x"})
        self.assertEqual(401, connection.getresponse().status)

    def test_clusters(self):
        eks = self.client("eks")
        self.aws.eks.add("demo")
        self.assertEqual(["demo"], eks.list_clusters()["clusters"])
        self.assertTrue(eks.describe_cluster(name="demo")["cluster"]["endpoint"])
        with self.refused("ResourceNotFoundException", 404):
            eks.describe_cluster(name="other")
        with self.refused("ResourceNotFoundException", 404):
            eks.describe_addon(clusterName="demo", addonName="coredns")

    def test_the_models_find_a_request_that_is_none_of_its_operation(self):
        self.client("ec2").describe_availability_zones(ZoneIds=["euc1-az1"])
        self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["x"])
        self.assertEqual([], complaints(self.aws.requests))
        call = self.aws.requests[-1]
        call.parameters = {"AutoScalingGroupName": "x", "MaxRecords": "many"}
        self.assertEqual(["autoscaling:DescribeAutoScalingGroups knows no AutoScalingGroupName",
                          "autoscaling:DescribeAutoScalingGroups.MaxRecords is 'many', no integer"],
                         complaints([call]))


if __name__ == "__main__":
    main()
