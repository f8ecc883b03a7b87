"""CloudWatch Logs: groups, streams and events within the documented limits; metric filters and the
embedded metric format make metrics of what is put."""

import json

from .pattern import Pattern, select
from .protocols import AwsError
from .service import Service

MAX_EVENTS, MAX_BATCH, OVERHEAD = 10_000, 1_048_576, 26
_HOUR = 3_600_000  # milliseconds


class Group:
    def __init__(self, name, arn, now, retention=None, key=None):
        self.name, self.arn, self.created, self.retention, self.key = name, arn, now, retention, key
        self.streams = {}  # name -> its events, {"timestamp", "message", "ingestionTime"}
        self.filters = {}  # name -> (Pattern, transformations as PutMetricFilter has them)

    def messages(self):
        """For tests: all messages, by time."""
        events = [event for stream in self.streams.values() for event in stream]
        return [event["message"] for event in sorted(events, key=lambda e: e["timestamp"])]


class Logs(Service):
    scope, target = "logs", "Logs_20140328"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.groups = {}

    def add(self, name, retention=None, key=None):
        """For tests: a log group."""
        self.groups[name] = Group(name, self.arn(f"log-group:{name}:*"), self._now(), retention, key)
        return self.groups[name]

    def _now(self):
        return int(self.emulator.clock.now() * 1000)

    def resource(self, operation, p):
        group = p.get("logGroupName")
        if group is None:
            return None
        if operation in ("PutLogEvents", "CreateLogStream", "DescribeLogStreams", "GetLogEvents"):
            return self.arn(f"log-group:{group}:log-stream:{p.get('logStreamName', '')}")
        return self.arn(f"log-group:{group}")

    def _group(self, p):
        name = self.need(p, "logGroupName")
        if name not in self.groups:
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        return self.groups[name]

    def CreateLogGroup(self, p):
        if p["logGroupName"] in self.groups:
            raise AwsError("ResourceAlreadyExistsException",
                           "The specified log group already exists")
        self.add(p["logGroupName"], key=p.get("kmsKeyId"))

    def CreateLogStream(self, p):
        group, name = self._group(p), self.need(p, "logStreamName")
        if not 0 < len(name) <= 512 or ":" in name or "*" in name:
            raise AwsError("InvalidParameterException", "1 validation error detected: Value "
                           f"'{name}' at 'logStreamName' failed to satisfy constraint: Member must "
                           "satisfy regular expression pattern: [^:*]*")
        if name in group.streams:
            raise AwsError("ResourceAlreadyExistsException",
                           "The specified log stream already exists")
        group.streams[name] = []

    def PutLogEvents(self, p):
        group = self._group(p)
        stream = group.streams.get(self.need(p, "logStreamName"))
        if stream is None:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        events = self.need(p, "logEvents")
        self._check(events)
        now = self._now()
        oldest = now - min(14 * 24, 24 * (group.retention or 14)) * _HOUR
        rejected = {}
        old = [n for n, event in enumerate(events) if event["timestamp"] < oldest]
        new = [n for n, event in enumerate(events) if event["timestamp"] > now + 2 * _HOUR]
        if old:
            rejected["tooOldLogEventEndIndex"] = old[-1] + 1
        if new:
            rejected["tooNewLogEventStartIndex"] = new[0]
        for number, event in enumerate(events):
            if number not in old and number not in new:
                stream.append({**event, "ingestionTime": now})
                self._measure(group, event)
        self.emulator.cloudwatch.evaluate()
        return {"nextSequenceToken": f"{now:056d}",
                **({"rejectedLogEventsInfo": rejected} if rejected else {})}

    @staticmethod
    def _check(events):
        def refuse(why):
            raise AwsError("InvalidParameterException", why)
        if not 1 <= len(events) <= MAX_EVENTS:
            refuse("1 validation error detected: Value at 'logEvents' failed to satisfy "
                   f"constraint: Member must have length less than or equal to {MAX_EVENTS}")
        size = 0
        for event in events:
            if not isinstance(event.get("timestamp"), int) or isinstance(
                    event["timestamp"], bool) or event["timestamp"] < 0:
                refuse("1 validation error detected: Value at 'logEvents.member.timestamp' failed "
                       "to satisfy constraint: Member must be a number of milliseconds")
            if not isinstance(event.get("message"), str) or not event["message"]:
                refuse("1 validation error detected: Value at 'logEvents.member.message' failed to "
                       "satisfy constraint: Member must have length greater than or equal to 1")
            size += len(event["message"].encode()) + OVERHEAD
        if size > MAX_BATCH:
            refuse(f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH}")
        times = [event["timestamp"] for event in events]
        if times != sorted(times):
            refuse("Log events in a single PutLogEvents request must be in chronological order.")
        if times[-1] - times[0] > 24 * _HOUR:
            refuse("The batch of log events in a single PutLogEvents request cannot span more than "
                   "24 hours.")

    def _measure(self, group, event):
        metrics, at = self.emulator.cloudwatch, event["timestamp"] / 1000
        for pattern, transformations in group.filters.values():
            matched = pattern.matches(event["message"])
            for each in transformations:
                value = each.get("defaultValue")
                if matched:
                    value = each["metricValue"]
                    if str(value).startswith("$"):
                        value = select(json.loads(event["message"]), value)
                if value is not None and not isinstance(value, (dict, list, bool)):
                    dimensions = {name: str(select(json.loads(event["message"]), selector))
                                  for name, selector in each.get("dimensions", {}).items()
                                  } if matched else {}
                    metrics.add(each["metricNamespace"], each["metricName"], float(value), at,
                                dimensions)
        self._embedded(event["message"], at)

    def _embedded(self, message, at):
        """The embedded metric format (EMF)."""
        if '"_aws"' not in message:
            return
        try:
            document = json.loads(message)
            about = document["_aws"]
            for directive in about["CloudWatchMetrics"]:
                for names in directive["Dimensions"] or [[]]:
                    dimensions = {name: str(document[name]) for name in names}
                    for metric in directive["Metrics"]:
                        values = document[metric["Name"]]
                        for value in values if isinstance(values, list) else [values]:
                            self.emulator.cloudwatch.add(
                                directive["Namespace"], metric["Name"], float(value),
                                about.get("Timestamp", at * 1000) / 1000, dimensions)
        except (ValueError, KeyError, TypeError):
            pass  # the service ignores what is not in the format

    def PutMetricFilter(self, p):
        group = self._group(p)
        transformations = self.need(p, "metricTransformations")
        for each in transformations:
            self.need(each, "metricName", "metricNamespace", "metricValue")
            if "dimensions" in each and "defaultValue" in each:
                raise AwsError("InvalidParameterException", "Invalid metric transformation: "
                               "dimensions and default value are mutually exclusive")
        group.filters[self.need(p, "filterName")] = (Pattern(p["filterPattern"]), transformations)

    def DescribeMetricFilters(self, p):
        groups = [self._group(p)] if "logGroupName" in p else self.groups.values()
        return {"metricFilters": [
            {"filterName": name, "filterPattern": pattern.text, "metricTransformations": made,
             "logGroupName": group.name} for group in groups
            for name, (pattern, made) in group.filters.items()]}

    def PutRetentionPolicy(self, p):
        self._group(p).retention = p["retentionInDays"]

    def DescribeLogGroups(self, p):
        found = [group for name, group in sorted(self.groups.items())
                 if name.startswith(p.get("logGroupNamePrefix", ""))]
        return {"logGroups": [
            {"logGroupName": group.name, "arn": group.arn, "creationTime": group.created,
             "metricFilterCount": len(group.filters), "storedBytes": 0,
             **({"retentionInDays": group.retention} if group.retention else {}),
             **({"kmsKeyId": group.key} if group.key else {})} for group in found]}

    def DescribeLogStreams(self, p):
        return {"logStreams": [
            {"logStreamName": name, "storedBytes": 0}
            for name in sorted(self._group(p).streams)
            if name.startswith(p.get("logStreamNamePrefix", ""))]}

    def GetLogEvents(self, p):
        stream = self._group(p).streams.get(p["logStreamName"])
        if stream is None:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        return {"events": stream, "nextForwardToken": "f/0", "nextBackwardToken": "b/0"}

    def FilterLogEvents(self, p):
        group, pattern = self._group(p), Pattern(p.get("filterPattern", ""))
        events = [{**event, "logStreamName": name, "eventId": f"{name}/{number}"}
                  for name, stream in group.streams.items() for number, event in enumerate(stream)
                  if p.get("startTime", 0) <= event["timestamp"] <= p.get("endTime", 1 << 62)
                  and pattern.matches(event["message"])]
        events.sort(key=lambda event: event["timestamp"])
        start, size = int(p.get("nextToken", 0)), p.get("limit", 10_000)
        out = {"events": events[start:start + size], "searchedLogStreams": []}
        return {**out, "nextToken": str(start + size)} if start + size < len(events) else out
