"""The way from a line of the log to somebody who reads it has no gap."""

from ..template import branches, intrinsic, items, line_of, walk


def _dump(value):
    return str(value)


def _metric(properties, namespace="Namespace"):
    return _dump(properties.get(namespace)), _dump(properties.get("MetricName"))


def denials_reach_somebody(template):
    """Where a fleet serves, its log has a filter of denials, and that an alarm."""
    serves = any(properties.get("TargetGroupARNs") for _, properties, _ in
                 template.of_type("AWS::AutoScaling::AutoScalingGroup"))
    filters = list(template.of_type("AWS::Logs::MetricFilter"))
    if serves and not any("DENY" in str(properties.get("FilterPattern"))
                          for _, properties, _ in filters):
        yield 1, "nobody learns of denied requests", \
            "a metric filter { $.verdict = \"DENY\" } on the log group"
    alarms = {_metric(properties)
              for _, properties, _ in template.of_type("AWS::CloudWatch::Alarm")}
    for name, properties, _ in filters:
        for each in items(properties.get("MetricTransformations", [])):
            if _metric(each, "MetricNamespace") not in alarms:
                yield line_of(each), f"no alarm looks at what {name} counts", \
                    "an AWS::CloudWatch::Alarm of that namespace and name"


def denials_counted(template):
    """Identical refusals are one line with their number, and quiet minutes are zeros."""
    for name, properties, _ in template.of_type("AWS::Logs::MetricFilter"):
        for each in items(properties.get("MetricTransformations", [])):
            if "DENY" in str(properties.get("FilterPattern")) and \
                    each.get("MetricValue") != "$.count":
                yield line_of(each), f"{name} counts lines, which may stand for many refusals", \
                    "MetricValue: $.count"
            if each.get("DefaultValue") != "0":
                yield line_of(each), f"{name} says nothing in a quiet minute", "DefaultValue: 0"
        group = intrinsic(properties.get("LogGroupName"))[1]
        if group not in template.resources:
            yield line_of(properties), f"{name} reads a log group of others", "Ref the log group"


def alarms_go_somewhere(template):
    topics = {name for name, _, _ in template.of_type("AWS::SNS::Topic")}
    for name, properties, _ in template.of_type("AWS::CloudWatch::Alarm"):
        actions = list(items(properties.get("AlarmActions", [])))
        if not actions:
            yield line_of(properties), f"{name} tells nobody", "AlarmActions with the topic"
        for action in actions:
            target = intrinsic(action)[1]
            if target not in topics and target not in template.parameters:
                yield line_of(action), f"{name} goes to what is no topic", "Ref the topic"
        if "TreatMissingData" not in properties:
            yield line_of(properties), f"{name} does not say what silence means", "TreatMissingData"


def fleet_watched(template):
    """Hosts that serve, hosts that do not, the age of the list, and a log that has stopped: alarms of
    the fleet's own template, or of one with a dashboard that is told the fleet's names."""
    serves = any(properties.get("TargetGroupARNs") for _, properties, _ in
                 template.of_type("AWS::AutoScaling::AutoScalingGroup"))
    tells = {"FleetName", "LogGroupName", "LoadBalancerFullName", "TargetGroupFullName",
             "AlertTopicArn"} <= set(template.outputs)
    shows = any(template.of_type("AWS::CloudWatch::Dashboard"))
    if not shows and (tells or not serves):
        return
    watched = {str(properties.get("MetricName"))
               for _, properties, _ in template.of_type("AWS::CloudWatch::Alarm")}
    for metric in ("HealthyHostCount", "UnHealthyHostCount", "PolicyAgeSeconds",
                   "IncomingLogEvents"):
        if metric not in watched:
            yield 1, f"no alarm looks at {metric}", "add one"


def topic_key_admits_alarms(template):
    keys = {name: properties for name, properties, _ in template.of_type("AWS::KMS::Key")}
    for name, properties, _ in template.of_type("AWS::SNS::Topic"):
        for key in branches(properties.get("KmsMasterKeyId", {})):
            if not key:
                continue
            if "alias/aws/sns" in str(key):
                yield line_of(properties), f"{name} deploys, and alarms never arrive", \
                    "no key, or one of this account whose policy admits cloudwatch.amazonaws.com"
                continue
            target = intrinsic(key)[1]
            target = target[0] if isinstance(target, list) else target
            policy = str(keys.get(target, {}).get("KeyPolicy", ""))
            if target in keys and not ("cloudwatch.amazonaws.com" in policy
                                       and "kms:GenerateDataKey" in policy):
                yield line_of(properties), f"alarms may not use the key of {name}", \
                    "let cloudwatch.amazonaws.com kms:Decrypt and kms:GenerateDataKey*"


def logs_end(template):
    for name, properties, _ in template.of_type("AWS::Logs::LogGroup"):
        if "RetentionInDays" not in properties:
            yield line_of(properties), f"{name} keeps everything for ever", "RetentionInDays"


def control_plane_logged(template):
    for name, properties, _ in template.of_type("AWS::EKS::Cluster"):
        types = {value for path, value in walk(properties.get("Logging", {}))
                 if path[-1:] == ("Type",)}
        missing = {"api", "audit", "authenticator"} - types
        if missing:
            yield line_of(properties), f"{name} does not log {', '.join(sorted(missing))}", \
                "Logging.ClusterLogging.EnabledTypes"
