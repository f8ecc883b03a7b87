"""CloudWatch: metrics and the alarms that watch them. An alarm is evaluated over periods that end
now, so that a test need not wait for a minute to be full; what it does is published to its
topics."""

import json
import math

from .protocols import AwsError
from .service import Service, paged
from .sts import iso

_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": lambda value, bar: value >= bar,
    "GreaterThanThreshold": lambda value, bar: value > bar,
    "LessThanThreshold": lambda value, bar: value < bar,
    "LessThanOrEqualToThreshold": lambda value, bar: value <= bar,
}
_STATISTICS = {
    "Sum": math.fsum, "Minimum": min, "Maximum": max, "SampleCount": len,
    "Average": lambda values: math.fsum(values) / len(values),
}


class CloudWatch(Service):
    scope, prefix, protocol, version = "monitoring", "cloudwatch", "query", "2010-08-01"
    namespace = "http://monitoring.amazonaws.com/doc/2010-08-01/"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.metrics = {}  # (namespace, name, frozenset of dimensions) -> [(time, value)]
        self.alarms = {}   # name -> as PutMetricAlarm has it, with StateValue and the like

    def arn(self, resource):
        at = self.emulator
        return f"arn:{at.partition}:cloudwatch:{at.region}:{at.account}:{resource}"

    def demands(self, operation, p):
        context = {"cloudwatch:namespace": p["Namespace"]} if "Namespace" in p else {}
        resource = self.arn(f"alarm:{p['AlarmName']}") if "AlarmName" in p else "*"
        return [(f"cloudwatch:{operation}", resource, context)]

    def add(self, namespace, name, value, at=None, dimensions=None):
        """For tests and other services: one datapoint."""
        key = (namespace, name, frozenset((dimensions or {}).items()))
        now = self.emulator.clock.now()
        self.metrics.setdefault(key, []).append((now if at is None else at, value))

    def values(self, namespace, name, dimensions=None):
        """For tests: all values of a metric, in the order of arrival."""
        key = (namespace, name, frozenset((dimensions or {}).items()))
        return [value for _, value in self.metrics.get(key, [])]

    def PutMetricData(self, p):
        namespace, data = self.need(p, "Namespace", "MetricData")
        if namespace.startswith("AWS/"):
            raise AwsError("InvalidParameterValue", "The value AWS/ for parameter Namespace is "
                           "invalid.")
        if len(data) > 1000:
            raise AwsError("InvalidParameterValue", "The collection MetricData must not have a "
                           "size greater than 1000.")
        for datum in data:
            self.need(datum, "MetricName")
            pairs = datum.get("Dimensions", [])
            if len(pairs) > 30:
                raise AwsError("InvalidParameterValue", "The collection Dimensions must not have a "
                               "size greater than 30.")
            dimensions = {each["Name"]: each["Value"] for each in pairs}
            if "StatisticValues" in datum:
                stats = datum["StatisticValues"]
                count = int(float(stats["SampleCount"]))
                values = [float(stats["Sum"]) / count] * count
            elif "Values" in datum:
                counts = datum.get("Counts", ["1"] * len(datum["Values"]))
                values = [float(value) for value, count in zip(datum["Values"], counts)
                          for _ in range(int(float(count)))]
            else:
                values = [float(self.need(datum, "Value"))]
            for value in values:
                if math.isnan(value) or math.isinf(value):
                    raise AwsError("InvalidParameterValue", "The value NaN for parameter "
                                   "MetricData.member.1.Value is invalid.")
                self.add(namespace, datum["MetricName"], value, None, dimensions)
        self.evaluate()

    def put_alarm(self, alarm):
        """For tests and stacks: `alarm` as PutMetricAlarm has it."""
        if alarm.get("ComparisonOperator") not in _COMPARISONS:
            raise AwsError("ValidationError", f"no such comparison: "
                           f"{alarm.get('ComparisonOperator')}")
        now = self.emulator.clock.now()
        self.alarms[alarm["AlarmName"]] = {
            "AlarmArn": self.arn(f"alarm:{alarm['AlarmName']}"), "ActionsEnabled": True,
            "StateValue": "INSUFFICIENT_DATA", "StateReason": "Unchecked: Initial alarm creation",
            "StateUpdatedTimestamp": now, **alarm}
        self.evaluate()

    def PutMetricAlarm(self, p):
        self.need(p, "AlarmName")
        self.put_alarm(p)

    def evaluate(self):
        """Every alarm, at the clock's time."""
        for alarm in list(self.alarms.values()):
            state, reason = self._state(alarm)
            if state != alarm["StateValue"]:
                self._turn(alarm, state, reason)

    def _state(self, alarm):
        if "MetricName" not in alarm:
            return alarm["StateValue"], alarm["StateReason"]  # an expression: nothing is computed
        key = (alarm["Namespace"], alarm["MetricName"], frozenset(
            (each["Name"], each["Value"]) for each in alarm.get("Dimensions", [])))
        points, now = self.metrics.get(key, []), self.emulator.clock.now()
        period, periods = int(alarm["Period"]), int(alarm["EvaluationPeriods"])
        compare, bar = _COMPARISONS[alarm["ComparisonOperator"]], float(alarm["Threshold"])
        missing = alarm.get("TreatMissingData", "missing")
        breaches, good, absent = 0, 0, 0
        for back in range(periods):
            values = [value for at, value in points
                      if now - (back + 1) * period < at <= now - back * period]
            if values:
                statistic = _STATISTICS.get(alarm.get("Statistic", "Average"), max)
                if compare(statistic(values), bar):
                    breaches += 1
                else:
                    good += 1
            elif missing == "breaching":
                breaches += 1
            elif missing == "notBreaching":
                good += 1
            else:
                absent += 1
        if breaches >= int(alarm.get("DatapointsToAlarm") or periods):
            return "ALARM", (f"Threshold Crossed: {breaches} datapoints were not within the "
                             f"threshold ({bar})")
        if absent == periods:
            if missing == "ignore":
                return alarm["StateValue"], alarm["StateReason"]
            return "INSUFFICIENT_DATA", "Insufficient Data"
        return "OK", f"Threshold Crossed: {good} datapoints were within the threshold ({bar})"

    def _turn(self, alarm, state, reason):
        was = alarm["StateValue"]
        alarm.update(StateValue=state, StateReason=reason,
                     StateUpdatedTimestamp=self.emulator.clock.now())
        if str(alarm["ActionsEnabled"]).lower() != "true":
            return
        actions = alarm.get({"ALARM": "AlarmActions", "OK": "OKActions",
                             "INSUFFICIENT_DATA": "InsufficientDataActions"}[state]) or []
        for arn in actions:
            self.emulator.sns.deliver(
                arn, f'{state}: "{alarm["AlarmName"]}" in {self.emulator.region}'[:100],
                json.dumps({"AlarmName": alarm["AlarmName"], "NewStateValue": state,
                            "OldStateValue": was, "NewStateReason": reason,
                            "AlarmArn": alarm["AlarmArn"]}), "cloudwatch.amazonaws.com")

    def DescribeAlarms(self, p):
        self.evaluate()
        found = [alarm for name, alarm in sorted(self.alarms.items())
                 if name in p.get("AlarmNames", [name])
                 and name.startswith(p.get("AlarmNamePrefix", ""))
                 and alarm["StateValue"] == p.get("StateValue", alarm["StateValue"])]
        page, token = paged(found, p, 100)
        return {"MetricAlarms": [{**alarm, "StateUpdatedTimestamp": iso(
            alarm["StateUpdatedTimestamp"])} for alarm in page], "CompositeAlarms": [],
            "NextToken": token}

    def SetAlarmState(self, p):
        name, state, reason = self.need(p, "AlarmName", "StateValue", "StateReason")
        if name not in self.alarms:
            raise AwsError("ResourceNotFound", f"Alarm {name} does not exist", 404)
        self._turn(self.alarms[name], state, reason)

    def ListMetrics(self, p):
        return {"Metrics": [
            {"Namespace": namespace, "MetricName": name,
             "Dimensions": [{"Name": k, "Value": v} for k, v in sorted(dimensions)]}
            for namespace, name, dimensions in self.metrics
            if namespace == p.get("Namespace", namespace)
            and name == p.get("MetricName", name)]}

    def GetMetricStatistics(self, p):
        key = (p["Namespace"], p["MetricName"], frozenset(
            (each["Name"], each["Value"]) for each in p.get("Dimensions", [])))
        period, out = int(p["Period"]), {}
        for at, value in self.metrics.get(key, []):
            out.setdefault(at // period * period, []).append(value)
        return {"Label": p["MetricName"], "Datapoints": [
            {"Timestamp": iso(at), "Unit": "None",
             **{name: _STATISTICS[name](values) for name in p.get("Statistics", [])}}
            for at, values in sorted(out.items())]}
