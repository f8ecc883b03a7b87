"""A stack and its resources, as they are now, and how they are told of."""

import json
import time
import uuid

from ..iam import new_id as random_name


def stamp(at):
    """2026-01-02T03:04:05.678Z"""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"


class Resource:
    """`properties` are resolved; `kept` has what its kind remembers of it."""

    def __init__(self, stack, logical, definition):
        self.stack, self.emulator, self.logical = stack, stack.emulator, logical
        self.definition, self.type = definition, definition["Type"]
        self.properties, self.physical, self.kept = {}, "", {}
        self.status, self.reason, self.time = None, None, stack.emulator.clock.now()
        self.needs = set()       # logical ids, for the order of deletion
        self.wanted = None       # signals that are waited for
        self.until = None        # when waiting for them ends
        self.signals = {}        # unique id -> whether it was a success

    def policy(self, name="DeletionPolicy"):
        return self.definition.get(name, "Delete")

    def attribute(self, name):
        from .types import TYPES
        return TYPES[self.type].attributes[name](self)

    def signals_wanted(self):
        signal = (self.creation or {}).get("ResourceSignal")
        return int(signal.get("Count", 1)) if signal else None

    creation = None  # the resolved CreationPolicy

    def told(self):
        return {"StackName": self.stack.name, "StackId": self.stack.id,
                "LogicalResourceId": self.logical, "PhysicalResourceId": self.physical or None,
                "ResourceType": self.type, "Timestamp": stamp(self.time),
                "LastUpdatedTimestamp": stamp(self.time),
                "ResourceStatus": self.status, "ResourceStatusReason": self.reason,
                "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"}}


class Stack:
    def __init__(self, emulator, name):
        self.emulator, self.name = emulator, name
        at = emulator
        self.id = (f"arn:{at.partition}:cloudformation:{at.region}:{at.account}:stack/{name}/"
                   f"{uuid.uuid4()}")
        self.template, self.parameters, self.meanings, self.tags = None, {}, {}, {}
        self.status, self.reason = "REVIEW_IN_PROGRESS", None
        self.resources, self.outputs, self.change_sets, self.events = {}, {}, {}, []
        self.capabilities, self.protected, self.imports = [], False, set()
        self.created, self.updated, self.deleted = at.clock.now(), None, None
        self.token = self.change_set = None
        self.on_failure = "ROLLBACK"

    def event(self, status, reason=None, resource=None):
        """A line of the stack's history; of the stack itself without a resource."""
        now = self.emulator.clock.now()
        if resource is None:
            self.status, self.reason = status, reason
            subject = {"LogicalResourceId": self.name, "PhysicalResourceId": self.id,
                       "ResourceType": "AWS::CloudFormation::Stack"}
            ident = str(uuid.uuid4())
        else:
            resource.status, resource.reason, resource.time = status, reason, now
            subject = {"LogicalResourceId": resource.logical,
                       "PhysicalResourceId": resource.physical, "ResourceType": resource.type,
                       "ResourceProperties": json.dumps(resource.properties)}
            ident = f"{resource.logical}-{status}-{stamp(now)}-{random_name('', 4)}"
        self.events.insert(0, {
            "StackId": self.id, "EventId": ident, "StackName": self.name, **subject,
            "Timestamp": stamp(now), "ResourceStatus": status, "ResourceStatusReason": reason,
            "ClientRequestToken": self.token})

    def is_busy(self):
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def told(self):
        hidden = {name for name, each in (self.template.parameters if self.template else {}).items()
                  if str(each.get("NoEcho", "")).lower() == "true"}
        return {
            "StackId": self.id, "StackName": self.name, "ChangeSetId": self.change_set,
            "Description": self.template.description if self.template else None,
            "Parameters": [{"ParameterKey": key, "ParameterValue": "****" if key in hidden else
                            value, "ResolvedValue": self.meanings[key]
                            if isinstance(self.meanings[key], str)
                            and self.meanings[key] != value else None}
                           for key, value in self.parameters.items()],
            "CreationTime": stamp(self.created),
            "LastUpdatedTime": self.updated and stamp(self.updated),
            "DeletionTime": self.deleted and stamp(self.deleted),
            "RollbackConfiguration": {}, "StackStatus": self.status,
            "StackStatusReason": self.reason, "DisableRollback": False, "NotificationARNs": [],
            "Capabilities": self.capabilities,
            "Outputs": [{"OutputKey": key, **each} for key, each in self.outputs.items()],
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
            "EnableTerminationProtection": self.protected,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"}}
