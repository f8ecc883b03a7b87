"""Resource types of logs, metrics, alarms, topics, parameters, keys, buckets and Route 53."""

import json

from ..protocols import AwsError
from ..s3 import Bucket
from . import types as t

_RETENTIONS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
               2557, 2922, 3288, 3653}


def _exists(r, key):
    raise AwsError("AlreadyExists", f"Resource of type '{r.type}' with identifier "
                   f"'{json.dumps({'/properties/' + key: r.physical})}' already exists.")


def _log_group(r):
    if r.physical in r.emulator.logs.groups:
        _exists(r, "LogGroupName")
    _key_of(r, r.properties.get("KmsKeyId"), f"logs.{r.emulator.region}.amazonaws.com")
    r.emulator.logs.add(r.physical, _retention(r), r.properties.get("KmsKeyId"))


def _key_of(r, key, service):
    """A key of this account has to admit the service that is to use it."""
    if not key or key.startswith("alias/"):
        return
    policy = r.emulator.cloudformation.keys.get(key.rsplit("/", 1)[-1])
    if policy is not None and service not in json.dumps(policy):
        raise AwsError("AccessDeniedException", f"The specified KMS key does not exist or is not "
                       f"allowed to be used with {r.emulator.logs.arn('log-group:' + r.physical)}")


def _retention(r):
    days = r.properties.get("RetentionInDays")
    if days is None:
        return None
    if int(days) not in _RETENTIONS:
        raise AwsError("InvalidRequest", f"{days} is no valid RetentionInDays")
    return int(days)


def _change_log_group(r, old):
    group = r.emulator.logs.groups[r.physical]
    group.retention, group.key = _retention(r), r.properties.get("KmsKeyId")


def _metric_filter(r):
    p = r.properties
    names = {"MetricName": "metricName", "MetricNamespace": "metricNamespace",
             "MetricValue": "metricValue", "DefaultValue": "defaultValue", "Unit": "unit"}
    made = []
    for each in p["MetricTransformations"]:
        one = {names[key]: value for key, value in each.items() if key in names}
        if "Dimensions" in each:
            one["dimensions"] = {d["Key"]: d["Value"] for d in each["Dimensions"]}
        made.append(one)
    r.emulator.logs.PutMetricFilter({
        "logGroupName": p["LogGroupName"], "filterName": r.physical,
        "filterPattern": p["FilterPattern"], "metricTransformations": made})


def _drop_metric_filter(r):
    group = r.emulator.logs.groups.get(r.properties["LogGroupName"])
    if group:
        group.filters.pop(r.physical, None)


def _alarm(r):
    p = r.properties
    if ("MetricName" in p) == ("Metrics" in p):
        raise AwsError("ValidationError", "exactly one of MetricName and Metrics is needed")
    if "MetricName" in p:
        if ("Statistic" in p) == ("ExtendedStatistic" in p):
            raise AwsError("ValidationError", "exactly one of Statistic and ExtendedStatistic is "
                           "needed")
        if int(p["Period"]) % 60 and int(p["Period"]) not in (10, 20, 30):
            raise AwsError("ValidationError", "Period must be 10, 20, 30 or a multiple of 60")
    if p.get("TreatMissingData", "missing") not in ("missing", "ignore", "breaching",
                                                    "notBreaching"):
        raise AwsError("ValidationError", "TreatMissingData is invalid")
    for arn in p.get("AlarmActions", []) + p.get("OKActions", []):
        # Stricter than the service, which takes any ARN and never delivers.
        if arn.startswith(r.emulator.sns.arn("")) and arn not in r.emulator.sns.topics:
            raise AwsError("ValidationError", f"Invalid SNS topic ARN: {arn}")
    r.emulator.cloudwatch.put_alarm({**p, "AlarmName": r.physical})


def _dashboard(r):
    try:
        body = json.loads(r.properties["DashboardBody"])
    except ValueError as error:
        raise AwsError("InvalidParameterInput", "The field DashboardBody must be a valid JSON "
                       f"object: {error}") from None
    if not isinstance(body.get("widgets"), list):
        raise AwsError("InvalidParameterInput", "The dashboard body has no widgets")


def _topic(r):
    topic = r.emulator.sns.add(r.physical.rsplit(":", 1)[-1], r.properties.get("KmsMasterKeyId"))
    for each in r.properties.get("Subscription", []):
        topic.subscriptions.append((each["Protocol"], each["Endpoint"]))


def _topic_policy(r):
    for arn in r.properties["Topics"]:
        if arn not in r.emulator.sns.topics:
            raise AwsError("NotFound", "Topic does not exist")


def _subscription(r):
    r.emulator.sns.Subscribe(r.properties)


def _parameter(r):
    if r.physical in r.emulator.ssm.parameters:
        _exists(r, "Name")
    r.emulator.ssm.PutParameter({**_put(r)})


def _put(r):
    p = r.properties
    return {"Name": r.physical, "Value": p["Value"], "Type": p["Type"],
            **{key: p[key] for key in ("Tier", "Description", "DataType") if key in p}}


def _change_parameter(r, old):
    if any(old.get(key) != r.properties.get(key) for key in ("Value", "Type", "Tier")):
        r.emulator.ssm.PutParameter({**_put(r), "Overwrite": True})


def _key(r):
    if "KeyPolicy" in r.properties and "Statement" not in r.properties["KeyPolicy"]:
        raise AwsError("MalformedPolicyDocumentException", "The key policy has no statement")
    r.emulator.cloudformation.keys[r.physical] = r.properties.get("KeyPolicy", {})


def _alias(r):
    if not r.physical.startswith("alias/"):
        raise AwsError("InvalidAliasNameException", "Alias must start with alias/")


def _bucket(r):
    if r.physical in r.emulator.s3.buckets:
        raise AwsError("BucketAlreadyOwnedByYou", f"{r.physical} already exists")
    r.emulator.s3.buckets[r.physical] = Bucket(
        r.properties.get("VersioningConfiguration", {}).get("Status") == "Enabled")


def _drop_bucket(r):
    r.emulator.s3.DeleteBucket({"Bucket": r.physical})


def _secret(r):
    r.emulator.secretsmanager.CreateSecret({"Name": r.kept["name"], "SecretString":
                                            r.properties.get("SecretString", "")})
    r.physical = r.emulator.secretsmanager.secrets[r.kept["name"]]["arn"]


def _secret_ident(r):
    r.kept["name"] = t.named("Name", 512)(r)
    return r.kept["name"]


def _plain(prefix, *attributes, always=""):
    return t.Kind(lambda r: f"{prefix}-{t.hexadecimal()}", {
        name: t.physical if name.endswith("Id") else t.arn(
            "route53resolver", lambda r: f"{prefix}/{r.physical}") for name in attributes}, always)


def _domain(at):
    return "amazonaws.com" + (".cn" if at.partition == "aws-cn" else "")


TYPES = {
    "AWS::Logs::LogGroup": t.Kind(t.named("LogGroupName", 512), {
        "Arn": t.arn("logs", lambda r: f"log-group:{r.physical}:*")}, "LogGroupName",
        _log_group, _change_log_group, lambda r: r.emulator.logs.groups.pop(r.physical, None)),
    "AWS::Logs::MetricFilter": t.Kind(t.named("FilterName", 512), {}, "FilterName LogGroupName",
                                      _metric_filter, lambda r, old: _metric_filter(r),
                                      _drop_metric_filter),
    "AWS::Logs::ResourcePolicy": t.Kind(t.named("PolicyName"), {}, "PolicyName"),
    "AWS::CloudWatch::Alarm": t.Kind(t.named("AlarmName", 255), {
        "Arn": t.arn("cloudwatch", lambda r: f"alarm:{r.physical}")}, "AlarmName", _alarm,
        lambda r, old: _alarm(r),
        lambda r: r.emulator.cloudwatch.alarms.pop(r.physical, None)),
    "AWS::CloudWatch::CompositeAlarm": t.Kind(t.named("AlarmName", 255), {
        "Arn": t.arn("cloudwatch", lambda r: f"alarm:{r.physical}")}, "AlarmName"),
    "AWS::CloudWatch::Dashboard": t.Kind(t.named("DashboardName", 255), {}, "DashboardName",
                                         _dashboard, lambda r, old: _dashboard(r)),
    "AWS::SNS::Topic": t.Kind(t.arn("sns", t.named("TopicName", 256)), {
        "TopicArn": t.physical, "TopicName": lambda r: r.physical.rsplit(":", 1)[-1]},
        "TopicName FifoTopic", _topic, None,
        lambda r: r.emulator.sns.topics.pop(r.physical, None)),
    "AWS::SNS::TopicPolicy": t.Kind(t.named(), {"Id": t.physical}, "", _topic_policy),
    "AWS::SNS::Subscription": t.Kind(
        lambda r: f"{r.properties['TopicArn']}:{t.guid()}", {"Arn": t.physical},
        "TopicArn Protocol Endpoint", _subscription),
    "AWS::SSM::Parameter": t.Kind(t.named("Name", 1011), {
        "Type": t.prop("Type"), "Value": t.prop("Value")}, "Name", _parameter, _change_parameter,
        lambda r: r.emulator.ssm.parameters.pop(r.physical, None)),
    "AWS::SecretsManager::Secret": t.Kind(_secret_ident, {"Id": t.physical}, "Name", _secret, None,
                                          lambda r: r.emulator.secretsmanager.secrets[
                                              r.kept["name"]].update(deleted=True)),
    "AWS::KMS::Key": t.Kind(lambda r: t.guid(), {
        "Arn": t.arn("kms", lambda r: f"key/{r.physical}"), "KeyId": t.physical},
        "KeySpec KeyUsage MultiRegion Origin", _key, lambda r, old: _key(r),
        lambda r: r.emulator.cloudformation.keys.pop(r.physical, None)),
    "AWS::KMS::Alias": t.Kind(t.named("AliasName"), {}, "AliasName", _alias),
    "AWS::S3::Bucket": t.Kind(t.named("BucketName", 63, lower=True), {
        "Arn": lambda r: f"arn:{r.emulator.partition}:s3:::{r.physical}",
        "DomainName": lambda r: f"{r.physical}.s3.{_domain(r.emulator)}",
        "RegionalDomainName": lambda r: f"{r.physical}.s3.{r.emulator.region}."
        f"{_domain(r.emulator)}"}, "BucketName", _bucket, None, _drop_bucket),
    "AWS::S3::BucketPolicy": t.Kind(t.prop("Bucket"), {}, "Bucket"),
    "AWS::Route53::HostedZone": t.Kind(lambda r: "Z" + t.hexadecimal(10).upper(), {
        "Id": t.physical, "NameServers": lambda r: ["ns-1.awsdns-00.com"]}, "Name"),
    "AWS::Route53::RecordSet": t.Kind(t.prop("Name"), {}, "Name HostedZoneId HostedZoneName"),
    "AWS::Route53Resolver::FirewallDomainList": _plain("rslvr-fdl", "Arn", "Id", always="Name"),
    "AWS::Route53Resolver::FirewallRuleGroup": _plain("rslvr-frg", "Arn", "Id", always="Name"),
    "AWS::Route53Resolver::FirewallRuleGroupAssociation": _plain(
        "rslvr-frgassoc", "Arn", "Id", always="VpcId FirewallRuleGroupId"),
    "AWS::Route53Resolver::ResolverEndpoint": _plain(
        "rslvr-out", "Arn", "ResolverEndpointId", always="Direction SecurityGroupIds"),
    "AWS::Route53Resolver::ResolverRule": _plain("rslvr-rr", "Arn", "ResolverRuleId",
                                                 always="RuleType"),
    "AWS::Route53Resolver::ResolverRuleAssociation": _plain(
        "rslvr-rrassoc", "ResolverRuleAssociationId", always="VPCId ResolverRuleId"),
    "AWS::CloudFormation::WaitConditionHandle": t.Kind(
        lambda r: f"https://cloudformation-waitcondition-{r.emulator.region}.s3.amazonaws.com/"
        + t.hexadecimal()),
}
