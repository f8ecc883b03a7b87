# labels: peers
"""CloudFormation of the tests' AWS, by Debian's botocore and the aws program; and our own
templates, deployed there one after the other, changed, and taken down."""

import json
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws import AwsError, Emulator  # noqa: E402
from harness.aws.cfn.template import Template  # noqa: E402
from harness.aws.oracle import botocore, client, complaints  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import Case, main  # noqa: E402

if botocore:
    import botocore.exceptions

TEMPLATES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "cloudformation"
AWS = "/usr/bin/aws"  # Debian's, whose version is known

SMALL = """
Parameters:
  Name: {Type: String, Default: first, AllowedPattern: '[a-z]+', ConstraintDescription: small letters}
  Big: {Type: String, Default: 'no', AllowedValues: ['yes', 'no']}
  Days: {Type: Number, Default: 30}
Conditions:
  IsBig: !Equals [!Ref Big, 'yes']
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Log:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Retain
    Properties: {RetentionInDays: !Ref Days}
  List:
    Type: AWS::SSM::Parameter
    DependsOn: Log
    Properties: {Name: !Sub '/${AWS::StackName}/${Name}', Type: String, Value: !Ref Topic}
  Extra:
    Type: AWS::SSM::Parameter
    Condition: IsBig
    Properties: {Name: !Sub '/${AWS::StackName}/extra', Type: String, Value: !GetAtt List.Value}
Outputs:
  ListName: {Value: !Ref List, Description: the list}
  Parts: {Value: !Join ['-', [!Select [1, !Split ['.', a.b.c]], !If [IsBig, big, small]]]}
"""


class StackCase(Case):
    def setUp(self):
        if botocore is None:
            self.skipTest("botocore is not installed (python3-botocore)")
        self.aws = self.enter(Emulator())
        self.engine, self.count = self.aws.cloudformation.engine, 0
        self.cfn = client(self.aws, "cloudformation")

    def prepare(self, name, body, **parameters):
        """A change set; what DescribeChangeSet says of it."""
        self.count += 1
        label, stack = f"change-{self.count}", self.aws.cloudformation.stack(name)
        self.cfn.create_change_set(
            StackName=name, ChangeSetName=label, TemplateBody=body,
            ChangeSetType="UPDATE" if stack else "CREATE",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value}
                        for key, value in parameters.items()])
        return self.cfn.describe_change_set(StackName=name, ChangeSetName=label)

    def execute(self, change_set):
        """The stack's status at the end."""
        self.cfn.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
        return self.engine.wait(self.aws.cloudformation.stack(change_set["StackId"]))

    def deploy(self, name, body, **parameters):
        return self.execute(self.prepare(name, body, **parameters))

    def stack(self, name):
        return self.cfn.describe_stacks(StackName=name)["Stacks"][0]

    def outputs(self, name):
        return {each["OutputKey"]: each["OutputValue"]
                for each in self.stack(name).get("Outputs", [])}

    def events(self, name):
        """(logical id, status) of all events, the oldest first."""
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=name)
        return [(each["LogicalResourceId"], each["ResourceStatus"])
                for page in pages for each in page["StackEvents"]][::-1]

    def refused(self, text, call):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call()
        self.assertIn(text, str(caught.exception))


class Stacks(StackCase):
    def test_a_stack_comes_up_in_the_order_of_need(self):
        self.aws.cloudformation.page_size = 3
        self.assertEqual("CREATE_COMPLETE", self.deploy("demo", SMALL))
        self.assertEqual({"ListName": "/demo/first", "Parts": "b-small"}, self.outputs("demo"))
        events = self.events("demo")
        self.assertEqual([("demo", "REVIEW_IN_PROGRESS"), ("demo", "CREATE_IN_PROGRESS")],
                         events[:2])
        self.assertEqual(("demo", "CREATE_COMPLETE"), events[-1])
        begins = events.index(("List", "CREATE_IN_PROGRESS"))
        for needed in ("Topic", "Log"):
            self.assertLess(events.index((needed, "CREATE_COMPLETE")), begins)
        self.assertNotIn("Extra", [name for name, _ in events])
        self.assertIn(self.aws.ssm.value("/demo/first"), self.aws.sns.topics)

    def test_the_same_again_is_no_change(self):
        self.deploy("demo", SMALL)
        again = self.prepare("demo", SMALL)
        self.assertEqual(("FAILED", "UNAVAILABLE"), (again["Status"], again["ExecutionStatus"]))
        self.assertIn("didn't contain changes", again["StatusReason"])

    def test_an_update_says_what_it_changes(self):
        self.deploy("demo", SMALL)
        change = self.prepare("demo", SMALL, Name="second", Big="yes", Days="60")
        told = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"]
                for each in change["Changes"]}
        self.assertEqual({"Log": "Modify", "List": "Modify", "Extra": "Add"},
                         {name: each["Action"] for name, each in told.items()})
        self.assertEqual(("False", "True"), (told["Log"]["Replacement"], told["List"]["Replacement"]))
        self.assertEqual("RetentionInDays", told["Log"]["Details"][0]["Target"]["Name"])
        self.assertEqual("UPDATE_COMPLETE", self.execute(change))
        self.assertEqual({"/demo/second", "/demo/extra"},
                         {name for name in self.aws.ssm.parameters if name.startswith("/demo")})

    def test_a_failure_takes_everything_back(self):
        self.engine.fail("List", "no luck")
        self.assertEqual("ROLLBACK_COMPLETE", self.deploy("demo", SMALL))
        self.assertIn(("List", "CREATE_FAILED"), self.events("demo"))
        self.assertEqual({}, self.aws.sns.topics)
        self.assertEqual(1, len(self.aws.logs.groups), "which the template retains")
        self.refused("can not be updated", lambda: self.prepare("demo", SMALL))
        self.cfn.delete_stack(StackName="demo")
        wait_until(lambda: self.aws.cloudformation.stack("demo") is None, what="the deletion")
        self.assertEqual("CREATE_COMPLETE", self.deploy("demo", SMALL))

    def test_a_failing_update_restores_what_was(self):
        self.deploy("demo", SMALL)
        self.engine.fail("Extra", "no luck")
        status = self.deploy("demo", SMALL, Name="second", Big="yes", Days="60")
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", status)
        self.assertEqual(["/demo/first"],
                         [name for name in self.aws.ssm.parameters if name.startswith("/demo")])
        self.assertEqual(30, next(iter(self.aws.logs.groups.values())).retention)
        self.assertEqual("first", {p["ParameterKey"]: p["ParameterValue"] for p in
                                   self.stack("demo")["Parameters"]}["Name"])
        self.assertEqual("UPDATE_COMPLETE", self.deploy("demo", SMALL, Days="60"))

    def test_deletion_keeps_what_is_to_be_kept(self):
        self.deploy("demo", SMALL)
        ident = self.stack("demo")["StackId"]
        self.cfn.update_termination_protection(StackName="demo", EnableTerminationProtection=True)
        self.refused("TerminationProtection", lambda: self.cfn.delete_stack(StackName="demo"))
        self.cfn.update_termination_protection(StackName="demo", EnableTerminationProtection=False)
        self.cfn.delete_stack(StackName="demo")
        wait_until(lambda: self.aws.cloudformation.stack("demo") is None, what="the deletion")
        self.refused("Stack with id demo does not exist", lambda: self.stack("demo"))
        self.assertEqual("DELETE_COMPLETE", self.stack(ident)["StackStatus"])
        self.assertIn(("Log", "DELETE_SKIPPED"), self.events(ident))
        self.assertEqual((1, {}), (len(self.aws.logs.groups), self.aws.sns.topics))

    def test_bad_parameters_and_templates_are_refused(self):
        for text, parameters in (("small letters", {"Name": "UPPER"}),
                                 ("AllowedValues", {"Big": "maybe"}),
                                 ("must be a number", {"Days": "x"}),
                                 ("do not exist in the template", {"Other": "x"})):
            self.refused(text, lambda p=parameters: self.prepare("demo", SMALL, **p))
        self.assertIsNone(self.aws.cloudformation.stack("demo"))
        topic = {"Type": "AWS::SNS::Topic"}
        for text, resources in (
                ("Unresolved resource dependencies [X]", {"A": {**topic, "DependsOn": "X"}}),
                ("does not support attribute type Color", {"A": topic, "B": {
                    **topic, "Properties": {"TopicName": {"Fn::GetAtt": ["A", "Color"]}}}}),
                ("Circular dependency", {"A": {**topic, "DependsOn": "B"},
                                         "B": {**topic, "DependsOn": "A"}}),
                ("Unrecognized resource types", {"A": {"Type": "AWS::Nothing::Atall"}}),
                ("length less than or equal to 51200", {"A": {**topic, "Metadata": "x" * 51200}})):
            self.refused(text, lambda r=resources: self.prepare("demo", json.dumps(
                {"Resources": r})))
        with self.assertRaises(AwsError):
            Template("Resources: {A: {Type: AWS::SNS::Topic}, A: {Type: AWS::SNS::Topic}}")

    def test_capabilities_have_to_be_given(self):
        body = (TEMPLATES / "service-role.yaml").read_text()
        self.refused("InsufficientCapabilities", lambda: self.cfn.create_change_set(
            StackName="demo", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body))


class AwsProgram(StackCase):
    def test_it_deploys(self):
        if not pathlib.Path(AWS).exists():
            self.skipTest("the aws program is not installed (awscli)")
        self.engine.seconds = 0
        path = self.scratch() / "small.yaml"
        path.write_text(SMALL)
        for said in ("Successfully created/updated stack - demo", "No changes to deploy"):
            done = subprocess.run(
                [AWS, "cloudformation", "deploy", "--endpoint-url", self.aws.url, "--stack-name",
                 "demo", "--template-file", str(path), "--no-fail-on-empty-changeset"],
                env={**self.aws.environment(), "HOME": str(path.parent), "PATH": "/usr/bin:/bin"},
                capture_output=True, text=True, timeout=120)
            self.assertIn(said, done.stdout + done.stderr)


@unittest.skipUnless((TEMPLATES / "gateway.yaml").exists(), "the templates are not there")
class OurTemplates(StackCase):
    """As `ebbgate eks apply` orders them."""

    ORDER = ("vpc", "peering", "service-role", "cluster", "gateway", "monitoring", "nodegroup")

    def setUp(self):
        super().setUp()
        ec2 = self.aws.ec2
        bastion = ec2.add_vpc("172.31.0.0/16")
        table = next(each["routeTableId"] for each in ec2.route_tables.values()
                     if each["vpcId"] == bastion)
        self.given = {"peering": {"PeerVpcId": bastion, "PeerRouteTableIds": table},
                      "cluster": {"ClusterName": "demo"}, "gateway": {"KubeCluster": "demo"},
                      "nodegroup": {"NoProxy": ".svc,.cluster.local,10.64.0.0/16"}}

    def parameters(self, part):
        """What was given, and the outputs of the parts before it that have a parameter's name."""
        template, out = Template((TEMPLATES / f"{part}.yaml").read_text()), {}
        for before in self.ORDER[:self.ORDER.index(part)]:
            out.update(self.outputs(f"demo-{before}"))
        return {**{name: value for name, value in out.items() if name in template.parameters},
                **self.given.get(part, {})}

    def part(self, part):
        return self.prepare(f"demo-{part}", (TEMPLATES / f"{part}.yaml").read_text(),
                            **self.parameters(part))

    def bring_up(self):
        for part in self.ORDER:
            status = self.execute(self.part(part))
            why = [(e["LogicalResourceId"], e["ResourceStatusReason"])
                   for e in self.aws.cloudformation.stack(f"demo-{part}").events
                   if "FAILED" in e["ResourceStatus"]]
            self.assertEqual(("CREATE_COMPLETE", []), (status, why), part)

    def test_all_come_up_and_the_second_time_changes_nothing(self):
        self.bring_up()
        for part in self.ORDER:
            again = self.part(part)
            self.assertEqual(("FAILED", []), (again["Status"], again["Changes"]), part)
        self.assertEqual([], complaints(self.aws.requests))

    def test_a_fleet_may_do_what_it_does_and_no_more(self):
        self.bring_up()
        out, aws = self.outputs("demo-gateway"), self.aws
        group = aws.autoscaling.groups[out["FleetName"]]
        instance = group.instances[0]
        who = aws.iam.session(instance.role, instance.id)
        client(aws, "ssm", who).get_parameter(Name=out["PolicyParameter"])
        client(aws, "ssm").put_parameter(Name=out["PolicyParameter"] + ".sig", Value="c2ln",
                                         Type="String")
        client(aws, "ssm", who).get_parameter(Name=out["PolicyParameter"] + ".sig")
        logs = client(aws, "logs", who)
        where = dict(logGroupName=out["LogGroupName"], logStreamName=instance.id)
        logs.create_log_stream(**where)
        logs.put_log_events(logEvents=[{"timestamp": int(time.time() * 1000), "message":
                                        '{"verdict":"DENY","count":1000}'}], **where)
        client(aws, "sns", who).publish(TopicArn=out["AlertTopicArn"], Message="m")
        ec2 = client(aws, "ec2", who)
        addresses = ec2.describe_addresses(Filters=[
            {"Name": "tag:ebbgate:address-pool", "Values": ["demo-gateway"]}])["Addresses"]
        ec2.associate_address(AllocationId=addresses[0]["AllocationId"], InstanceId=instance.id,
                              AllowReassociation=False)
        client(aws, "eks", who).describe_cluster(name="demo")
        aws.autoscaling.terminate(instance)
        hook = next(iter(group.hooks))
        client(aws, "autoscaling", who).complete_lifecycle_action(
            AutoScalingGroupName=group.name, LifecycleHookName=hook,
            LifecycleActionResult="CONTINUE", InstanceId=instance.id)
        self.assertEqual([], aws.iam.denials)
        alarms = client(aws, "cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
        self.assertIn("DeniedAlarm", " ".join(each["AlarmName"] for each in alarms))
        topic = aws.sns.topics[out["AlertTopicArn"]]
        self.assertEqual([], topic.undelivered)
        self.assertIn("cloudwatch.amazonaws.com", [m["Caller"] for m in topic.messages])
        stranger = aws.ec2.launch(role=instance.role)
        for service, call in (
                ("ssm", lambda c: c.get_parameter(Name="/other")),
                ("eks", lambda c: c.describe_cluster(name="other")),
                ("eks", lambda c: c.list_clusters()),
                ("ssm", lambda c: c.put_parameter(Name=out["PolicyParameter"], Value="x")),
                ("ec2", lambda c: c.associate_address(
                    AllocationId=aws.ec2.allocate()["allocationId"], InstanceId=stranger.id)),
                ("ec2", lambda c: c.associate_address(
                    AllocationId=addresses[1]["AllocationId"], InstanceId=stranger.id)),
                ("autoscaling", lambda c: c.set_desired_capacity(
                    AutoScalingGroupName=group.name, DesiredCapacity=2)),
                ("cloudwatch", lambda c: c.put_metric_data(
                    Namespace=out["MetricNamespace"], MetricData=[{"MetricName": "m", "Value": 1}]))):
            before = len(aws.iam.denials)
            with self.assertRaises(botocore.exceptions.ClientError):
                call(client(aws, service, who))
            self.assertEqual(before + 1, len(aws.iam.denials))

    def test_the_fleet_is_complete_when_its_instances_have_signalled(self):
        for part in self.ORDER[:4]:
            self.execute(self.part(part))
        self.engine.auto_signal = False
        self.cfn.execute_change_set(ChangeSetName=self.part("gateway")["ChangeSetId"])
        stack = self.aws.cloudformation.stack("demo-gateway")
        wait_until(lambda: "Fleet" in stack.resources and stack.resources["Fleet"].wanted,
                   what="the fleet's instances")
        for instance in next(iter(self.aws.autoscaling.groups.values())).instances:
            self.assertEqual("CREATE_IN_PROGRESS", stack.status)
            who = self.aws.iam.session(instance.role, instance.id)
            client(self.aws, "cloudformation", who).signal_resource(
                StackName="demo-gateway", LogicalResourceId="Fleet", UniqueId=instance.id,
                Status="SUCCESS")
        self.assertEqual("CREATE_COMPLETE", self.engine.wait(stack))

    def test_all_go_down_in_the_other_order_and_not_before(self):
        self.bring_up()
        vpc = self.aws.cloudformation.stack("demo-vpc")
        self.cfn.delete_stack(StackName="demo-vpc")
        self.assertEqual("DELETE_FAILED", self.engine.wait(vpc), "others are in it")
        for part in reversed(self.ORDER):
            stack = self.aws.cloudformation.stack(f"demo-{part}")
            self.cfn.delete_stack(StackName=stack.name)
            self.assertEqual("DELETE_COMPLETE", self.engine.wait(stack),
                             [e for e in stack.events if "FAILED" in e["ResourceStatus"]])


if __name__ == "__main__":
    main()
