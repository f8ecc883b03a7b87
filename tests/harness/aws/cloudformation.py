"""CloudFormation's API: change sets and stacks, told as the service tells them."""

import re
import uuid

from .cfn.changes import compare, scope_of
from .cfn.engine import Engine
from .cfn.functions import check_rules, read_parameters
from .cfn.stack import Stack, stamp
from .cfn.template import Template, invalid
from .protocols import AwsError
from .service import Service, paged

_INLINE, _BY_URL = 51_200, 1_048_576  # octets of a template
NO_CHANGES = ("The submitted information didn't contain changes. Submit different information to "
              "create a change set.")


class ChangeSet:
    def __init__(self, stack, name, kind, now):
        self.stack, self.name, self.kind, self.created = stack, name, kind, now
        self.id = stack.id.replace(":stack/" + stack.name, ":changeSet/" + name).rsplit("/", 1)[0]
        self.id += f"/{uuid.uuid4()}"
        self.template, self.parameters, self.meanings, self.tags = None, {}, {}, {}
        self.changes, self.capabilities, self.ready = [], [], now
        self.status, self.reason, self.execution = "CREATE_PENDING", None, "UNAVAILABLE"
        self.description = None

    def settle(self, now):
        """A change set is made in the background; a little later it is complete."""
        if self.status == "CREATE_PENDING" and now >= self.ready:
            outputs = self.template.outputs
            if self.kind == "UPDATE" and not self.changes and (
                    outputs == self.stack.template.outputs):
                self.status, self.reason = "FAILED", NO_CHANGES
            else:
                self.status, self.execution = "CREATE_COMPLETE", "AVAILABLE"

    def summary(self):
        return {"ChangeSetName": self.name, "ChangeSetId": self.id, "StackId": self.stack.id,
                "StackName": self.stack.name, "CreationTime": stamp(self.created),
                "ExecutionStatus": self.execution, "Status": self.status,
                "StatusReason": self.reason, "Description": self.description}


class CloudFormation(Service):
    """`engine` runs the stacks; `change_set_seconds` is how long a change set takes, `page_size`
    how many events or changes one answer holds."""

    scope, protocol, version = "cloudformation", "query", "2010-05-15"
    namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.engine = Engine(emulator)
        self.stacks = []  # the newest last; deleted ones stay
        self.keys, self.managed_policies = {}, {}  # KMS key id, policy's ARN -> document
        self.change_set_seconds, self.page_size, self.is_pessimistic = 0.0, 100, False

    def close(self):
        self.engine.close()

    # For tests.

    def stack(self, name):
        """The stack of that name that is not deleted, or the one of that id; or None."""
        return next((s for s in reversed(self.stacks) if s.id == name or (
            s.name == name and s.status != "DELETE_COMPLETE")), None)

    def exports(self, but=None):
        return {output["ExportName"]: output["OutputValue"] for stack in self.stacks
                if stack is not but and stack.status != "DELETE_COMPLETE"
                for output in stack.outputs.values() if "ExportName" in output}

    # Finding.

    def demands(self, operation, p):
        stack = self.stack(p.get("StackName", ""))
        name = p.get("StackName")
        resource = stack.id if stack else self.arn(f"stack/{name}/*") if name else "*"
        return [(f"cloudformation:{operation}", resource, {})]

    def _stack(self, p, name="StackName"):
        wanted = self.need(p, name)
        stack = self.stack(wanted)
        if stack is None:
            raise invalid(f"Stack with id {wanted} does not exist")
        return stack

    def _change_set(self, p):
        name, now = self.need(p, "ChangeSetName"), self.emulator.clock.now()
        if name.startswith("arn:"):
            found = [c for s in self.stacks for c in s.change_sets.values() if c.id == name]
        else:
            stack = self.stack(self.need(p, "StackName"))
            if stack is None:
                raise invalid(f"Stack [{p['StackName']}] does not exist")
            found = [stack.change_sets[name]] if name in stack.change_sets else []
        if not found:
            raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
        found[0].settle(now)
        return found[0]

    def _template(self, p, stack=None):
        if str(p.get("UsePreviousTemplate", "")).lower() == "true" and stack:
            return stack.template
        if "TemplateBody" in p:
            if len(p["TemplateBody"].encode()) > _INLINE:
                raise invalid("1 validation error detected: Value at 'templateBody' failed to "
                              "satisfy constraint: Member must have length less than or equal to "
                              f"{_INLINE}")
            return Template(p["TemplateBody"])
        if "TemplateURL" not in p:
            raise invalid("Either Template URL or Template Body must be specified.")
        found = re.fullmatch(r"https?://(?:([a-z0-9.-]+)\.s3[a-z0-9.-]*|[^/]+)/([^?]+)(?:\?.*)?",
                             p["TemplateURL"])
        bucket, key = (found[1], found[2]) if found and found[1] else (
            found[2].split("/", 1) if found and "/" in found[2] else (None, None))
        if bucket not in self.emulator.s3.buckets:
            raise invalid("S3 error: The specified bucket does not exist" if bucket else
                          "TemplateURL must be a supported URL.")
        versions = self.emulator.s3.buckets[bucket].objects.get(key)
        if not versions:
            raise invalid("S3 error: The specified key does not exist.")
        if len(versions[-1].body) > _BY_URL:
            raise invalid("Template may not exceed 1048576 bytes in size.")
        return Template(versions[-1].body.decode())

    # Change sets.

    def CreateChangeSet(self, p):
        name, label = self.need(p, "StackName", "ChangeSetName")
        kind = p.get("ChangeSetType", "UPDATE")
        for what, value in (("stackName", name), ("changeSetName", label)):
            if not re.fullmatch("[a-zA-Z][-a-zA-Z0-9]{0,127}", value) and not (
                    value.startswith("arn:")):
                raise invalid(f"1 validation error detected: Value '{value}' at '{what}' failed to "
                              "satisfy constraint: Member must satisfy regular expression pattern: "
                              "[a-zA-Z][-a-zA-Z0-9]*")
        stack = self.stack(name)
        if kind == "CREATE":
            if stack and stack.status != "REVIEW_IN_PROGRESS":
                raise invalid(f"Stack [{name}] already exists and cannot be created again with the "
                              f"changeSet [{label}].")
        elif stack is None or stack.status == "REVIEW_IN_PROGRESS":
            raise invalid(f"Stack [{name}] does not exist")
        else:
            self._may_update(stack)
        new = stack or Stack(self.emulator, name)
        if label in new.change_sets:
            raise AwsError("AlreadyExistsException", f"ChangeSet {label} cannot be created due to "
                           "a mismatch with existing attribute Template")
        change_set = self._prepare(new, label, kind, p)
        if stack is None:
            self.stacks.append(new)
            new.event("REVIEW_IN_PROGRESS", "User Initiated")
        new.change_sets[label] = change_set
        return {"Id": change_set.id, "StackId": new.id}

    def _may_update(self, stack):
        if stack.is_busy() or stack.status not in (
                "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE",
                "IMPORT_COMPLETE"):
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def _prepare(self, stack, label, kind, p):
        now = self.emulator.clock.now()
        change_set = ChangeSet(stack, label, kind, now)
        template = change_set.template = self._template(p, stack)
        given = {}
        for each in p.get("Parameters", []):
            key = each["ParameterKey"]
            if str(each.get("UsePreviousValue", "")).lower() == "true":
                if key not in stack.parameters:
                    raise invalid(f"Invalid input for parameter key {key}. Cannot specify "
                                  "usePreviousValue as true for a parameter key not in the "
                                  "previous template")
                given[key] = stack.parameters[key]
            else:
                given[key] = each.get("ParameterValue", "")
        change_set.parameters, change_set.meanings = read_parameters(
            self.emulator, template, given)
        change_set.capabilities = p.get("Capabilities", [])
        wanted = template.capabilities()
        if wanted and not set(change_set.capabilities) & (
                {"CAPABILITY_NAMED_IAM"} | set(wanted)):
            raise AwsError("InsufficientCapabilitiesException",
                           f"Requires capabilities : [{wanted[0]}]")
        change_set.tags = {each["Key"]: each["Value"] for each in p["Tags"]} if "Tags" in p else (
            dict(stack.tags))
        change_set.description = p.get("Description")
        check_rules(scope_of(stack, template, change_set.meanings))
        change_set.changes = compare(stack, template, change_set.meanings, change_set.tags)
        change_set.on_failure = p.get("OnStackFailure", p.get("OnFailure", "ROLLBACK"))
        change_set.ready = now + self.change_set_seconds
        return change_set

    def DescribeChangeSet(self, p):
        found = self._change_set(p)
        done = found.status == "CREATE_COMPLETE"
        page, token = paged(found.changes if done else [], p, self.page_size, limit="none")
        return {**found.summary(), "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in found.parameters.items()], "NotificationARNs": [],
            "RollbackConfiguration": {}, "Capabilities": found.capabilities,
            "Tags": [{"Key": k, "Value": v} for k, v in found.tags.items()],
            "Changes": [change.told() for change in page], "NextToken": token,
            "IncludeNestedStacks": False}

    def ListChangeSets(self, p):
        stack = self._stack(p)
        for each in stack.change_sets.values():
            each.settle(self.emulator.clock.now())
        return {"Summaries": [each.summary() for each in stack.change_sets.values()]}

    def DeleteChangeSet(self, p):
        try:
            found = self._change_set(p)
        except AwsError as error:
            if error.code == "ChangeSetNotFound":
                return {}  # the service minds only that the stack is there
            raise
        if found.execution == "EXECUTE_IN_PROGRESS":
            raise AwsError("InvalidChangeSetStatus", f"ChangeSet [{found.id}] cannot be deleted in "
                           "its current execution status of [EXECUTE_IN_PROGRESS]")
        del found.stack.change_sets[found.name]
        return {}

    def ExecuteChangeSet(self, p):
        found = self._change_set(p)
        if found.execution != "AVAILABLE":
            raise AwsError("InvalidChangeSetStatus", f"ChangeSet [{found.id}] cannot be executed "
                           f"in its current status of [{found.status}]")
        if found.stack.is_busy():
            raise AwsError("InvalidChangeSetStatus", f"Stack [{found.stack.name}] is in "
                           f"{found.stack.status} state")
        if str(p.get("DisableRollback", "")).lower() == "true":
            found.on_failure = "DO_NOTHING"
        found.execution = "EXECUTE_IN_PROGRESS"
        self._begin(found, p)
        return {}

    def _begin(self, found, p):
        stack = found.stack
        stack.token, stack.change_set = p.get("ClientRequestToken"), found.id
        stack.on_failure = found.on_failure
        if found.kind == "CREATE":
            stack.event("CREATE_IN_PROGRESS", "User Initiated")
        else:
            stack.updated = self.emulator.clock.now()
            stack.event("UPDATE_IN_PROGRESS", "User Initiated")
        # What was prepared for the state before is of no use after.
        stack.change_sets = {found.name: found} if found.name else {}
        self.engine.start(self._execute, stack, found)

    def _execute(self, stack, found):
        (self.engine.create if found.kind == "CREATE" else self.engine.update)(stack, found)
        found.execution = "EXECUTE_COMPLETE" if stack.status in (
            "CREATE_COMPLETE", "UPDATE_COMPLETE") else "EXECUTE_FAILED"

    # Stacks without change sets.

    def CreateStack(self, p):
        name = self.need(p, "StackName")
        if self.stack(name):
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = Stack(self.emulator, name)
        found = self._prepare(stack, "", "CREATE", p)
        stack.protected = str(p.get("EnableTerminationProtection", "")).lower() == "true"
        self.stacks.append(stack)
        self._begin(found, p)
        return {"StackId": stack.id}

    def UpdateStack(self, p):
        stack = self._stack(p)
        self._may_update(stack)
        found = self._prepare(stack, "", "UPDATE", p)
        found.settle(found.ready)
        if found.status == "FAILED":
            raise invalid("No updates are to be performed.")
        self._begin(found, p)
        return {"StackId": stack.id}

    def DeleteStack(self, p):
        stack = self.stack(self.need(p, "StackName"))
        if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return None
        if stack.protected:
            raise invalid(f"Stack [{stack.id}] cannot be deleted while TerminationProtection is "
                          "enabled")
        if stack.is_busy():
            raise invalid(f"Stack [{stack.name}] cannot be deleted while in status {stack.status}")
        mine = {o["ExportName"] for o in stack.outputs.values() if "ExportName" in o}
        for other in self.stacks:
            if other is not stack and other.status != "DELETE_COMPLETE" and mine & other.imports:
                raise invalid(f"Export {sorted(mine & other.imports)[0]} cannot be deleted as it is "
                              f"in use by {other.name}")
        stack.token = p.get("ClientRequestToken")
        stack.status = "DELETE_IN_PROGRESS"  # seen at once, though it begins a moment later
        stack.change_sets.clear()
        self.engine.start(self.engine.delete, stack)
        return None

    def ContinueUpdateRollback(self, p):
        stack = self._stack(p)
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not continue "
                          "rollback.")
        stack.event("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        self.engine.start(self.engine.continue_rollback, stack)
        return {}

    def UpdateTerminationProtection(self, p):
        stack = self._stack(p)
        stack.protected = str(self.need(p, "EnableTerminationProtection")).lower() == "true"
        return {"StackId": stack.id}

    def SignalResource(self, p):
        stack, logical = self._stack(p), self.need(p, "LogicalResourceId")
        unique, status = self.need(p, "UniqueId", "Status")
        if status not in ("SUCCESS", "FAILURE"):
            raise invalid("Status must be SUCCESS or FAILURE")
        resource = stack.resources.get(logical)
        if resource is None:
            raise invalid(f"Resource {logical} does not exist for stack {stack.name}")
        if resource.wanted is None:
            raise invalid(f"Resource {logical} is in {resource.status} state and cannot be "
                          "signaled")
        if unique in resource.signals:
            raise invalid(f"Signal with ID {unique} for resource {logical} already exists. "
                          "Signals may only be updated with a FAILURE status.")
        resource.signals[unique] = status == "SUCCESS"
        return None

    # What there is.

    def DescribeStacks(self, p):
        if "StackName" in p:
            return {"Stacks": [self._stack(p).told()]}
        page, token = paged([s for s in reversed(self.stacks) if s.status != "DELETE_COMPLETE"], p,
                            self.page_size, limit="none")
        return {"Stacks": [stack.told() for stack in page], "NextToken": token}

    def ListStacks(self, p):
        wanted = p.get("StackStatusFilter")
        return {"StackSummaries": [
            {"StackId": s.id, "StackName": s.name, "CreationTime": stamp(s.created),
             "StackStatus": s.status} for s in reversed(self.stacks)
            if wanted is None or s.status in wanted]}

    def DescribeStackEvents(self, p):
        """The newest first. A page's token names the event after which the next one begins, so
        that events that come in between move nothing."""
        events, start = self._stack(p).events, 0
        if "NextToken" in p:
            ids = [event["EventId"] for event in events]
            if p["NextToken"] not in ids:
                raise invalid("Invalid NextToken")
            start = ids.index(p["NextToken"]) + 1
        page = events[start:start + self.page_size]
        more = start + self.page_size < len(events)
        return {"StackEvents": page, "NextToken": page[-1]["EventId"] if more else None}

    def DescribeStackResources(self, p):
        if "StackName" not in p:
            owner = [s for s in self.stacks for r in s.resources.values()
                     if r.physical == p.get("PhysicalResourceId")]
            if not owner:
                raise invalid(f"Stack for {p.get('PhysicalResourceId')} does not exist")
            p = {**p, "StackName": owner[0].id}
        return {"StackResources": [
            r.told() for r in self._stack(p).resources.values()
            if r.logical == p.get("LogicalResourceId", r.logical)]}

    def DescribeStackResource(self, p):
        stack, logical = self._stack(p), self.need(p, "LogicalResourceId")
        if logical not in stack.resources:
            raise invalid(f"Resource {logical} does not exist for stack {stack.name}")
        return {"StackResourceDetail": stack.resources[logical].told()}

    def ListStackResources(self, p):
        return {"StackResourceSummaries": [r.told() for r in self._stack(p).resources.values()]}

    def GetTemplate(self, p):
        found = self._change_set(p) if "ChangeSetName" in p else self._stack(p)
        if found.template is None:
            raise invalid(f"Stack [{p.get('StackName')}] has no template")
        return {"TemplateBody": found.template.text, "StagesAvailable": ["Original", "Processed"]}

    def ValidateTemplate(self, p):
        template = self._template(p)
        needed = template.capabilities()
        return {"Description": template.description, "Capabilities": needed,
                "CapabilitiesReason": f"The following resource(s) require capabilities: {needed}"
                if needed else None,
                "Parameters": [{"ParameterKey": name, "DefaultValue": each.get("Default"),
                                "NoEcho": each.get("NoEcho", False),
                                "Description": each.get("Description")}
                               for name, each in template.parameters.items()]}

    def GetTemplateSummary(self, p):
        template = self._stack(p).template if "StackName" in p else self._template(p)
        return {"Parameters": [{"ParameterKey": name, "DefaultValue": each.get("Default"),
                                "ParameterType": each.get("Type", "String"),
                                "NoEcho": each.get("NoEcho", False)}
                               for name, each in template.parameters.items()],
                "Description": template.description, "Capabilities": template.capabilities(),
                "ResourceTypes": sorted({r["Type"] for r in template.resources.values()})}

    def ListExports(self, p):
        return {"Exports": [{"ExportingStackId": stack.id, "Name": output["ExportName"],
                             "Value": output["OutputValue"]} for stack in self.stacks
                            if stack.status != "DELETE_COMPLETE"
                            for output in stack.outputs.values() if "ExportName" in output]}
