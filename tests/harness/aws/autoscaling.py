"""Auto Scaling: groups and their instances, and lifecycle hooks that hold an instance until
somebody completes them."""

import uuid

from .protocols import AwsError
from .service import Service, paged
from .sts import iso

_TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
_LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"


class Group:
    """`options` go to ec2.launch() for each new instance; `zones` are filled in turn."""

    def __init__(self, name, arn, least, most, desired, zones, options=None, subnets=None):
        self.name, self.arn, self.least, self.most, self.desired = name, arn, least, most, desired
        self.zones, self.options, self.subnets = zones, options or {}, subnets or {}
        self.instances, self.hooks, self.tags, self.refreshes = [], {}, {}, []
        self.target_groups, self.created = [], 0

    def alive(self):
        return [i for i in self.instances if not i.lifecycle.startswith("Terminat")]


class AutoScaling(Service):
    scope, protocol, version = "autoscaling", "query", "2011-01-01"
    namespace = "http://autoscaling.amazonaws.com/doc/2011-01-01/"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.groups = {}
        self._actions = {}  # instance id -> (hook's name, token, when it times out)

    # For tests and stacks.

    def add(self, name, least=2, most=4, desired=None, zones=None, hooks=(), **options):
        """A group with its instances running; `hooks` as PutLifecycleHook has them."""
        ident = uuid.uuid4()
        group = self.groups[name] = Group(
            name, self.arn(f"autoScalingGroup:{ident}:autoScalingGroupName/{name}"), least, most,
            least if desired is None else desired, zones or self.emulator.ec2.zones, options)
        group.created = self.emulator.clock.now()
        for hook in hooks:
            self.put_hook(group, hook)
        self.fill(group)
        return group

    def put_hook(self, group, hook):
        group.hooks[hook["LifecycleHookName"]] = {
            "AutoScalingGroupName": group.name, "HeartbeatTimeout": 3600, "GlobalTimeout": 172800,
            "DefaultResult": "ABANDON", **hook}

    def _hook(self, group, transition):
        return next((hook for hook in group.hooks.values()
                     if hook["LifecycleTransition"] == transition), None)

    def fill(self, group):
        """Launches what is missing; the new instances."""
        new = []
        while len(group.alive()) < group.desired:
            counts = {zone: sum(i.zone == zone for i in group.alive()) for zone in group.zones}
            zone = min(group.zones, key=lambda each: counts[each])
            options = {**group.options, "group": group.name}
            if zone in group.subnets:
                options["subnet"] = group.subnets[zone]
            instance = self.emulator.ec2.launch(zone, **options)
            instance.tags.update({"aws:autoscaling:groupName": group.name, **group.tags})
            hook = self._hook(group, _LAUNCHING)
            if hook:
                self._hold(instance, hook, "Pending:Wait")
            group.instances.append(instance)
            new.append(instance)
        return new

    def _hold(self, instance, hook, state):
        instance.lifecycle = state
        self._actions[instance.id] = (hook["LifecycleHookName"], str(uuid.uuid4()),
                                      self.emulator.clock.now() + int(hook["HeartbeatTimeout"]))

    def terminate(self, instance, decrement=False):
        """The group ends an instance: through its hook, where it has one."""
        group = self.groups[instance.group]
        if instance.lifecycle.startswith("Terminat"):
            return
        if decrement:
            group.desired -= 1
        instance.target_lifecycle_state = "Terminated"
        hook = self._hook(group, _TERMINATING)
        if hook:
            self._hold(instance, hook, "Terminating:Wait")
        else:
            self._end(group, instance)
        self.fill(group)

    def _end(self, group, instance):
        instance.lifecycle = "Terminated"
        self.emulator.ec2.terminate(instance)
        group.instances.remove(instance)

    def _proceed(self, instance, result):
        group = self.groups[instance.group]
        self._actions.pop(instance.id, None)
        if instance.lifecycle == "Pending:Wait" and result == "CONTINUE":
            instance.lifecycle = "InService"
        else:
            self._end(group, instance)
            self.fill(group)

    def tick(self):
        """Hooks that have timed out do what their default says."""
        now = self.emulator.clock.now()
        for group in self.groups.values():
            for instance in list(group.instances):
                name, _, until = self._actions.get(instance.id, (None, None, now + 1))
                if until <= now:
                    self._proceed(instance, group.hooks[name]["DefaultResult"])

    def remove(self, name):
        group = self.groups.pop(name)
        for instance in group.instances:
            self.emulator.ec2.terminate(instance)

    # The API.

    def demands(self, operation, p):
        name = p.get("AutoScalingGroupName")
        if operation == "TerminateInstanceInAutoScalingGroup":
            instance = self.emulator.ec2.instances.get(p.get("InstanceId"))
            name = instance.group if instance else None
        if operation.startswith("Describe"):
            return [(f"autoscaling:{operation}", "*", {})]
        group = self.groups.get(name)
        arn = group.arn if group else self.arn(f"autoScalingGroup:*:autoScalingGroupName/{name}")
        tags = {f"{prefix}:ResourceTag/{key}": value for key, value in
                (group.tags if group else {}).items() for prefix in ("autoscaling", "aws")}
        return [(f"autoscaling:{operation}", arn, tags)]

    def _group(self, p):
        name = self.need(p, "AutoScalingGroupName")
        if name not in self.groups:
            raise AwsError("ValidationError", f"AutoScalingGroup name not found - "
                           f"AutoScalingGroup '{name}' not found")
        return self.groups[name]

    def _instance(self, p):
        instance = self.emulator.ec2.instances.get(p.get("InstanceId"))
        if instance is None or instance.group is None or instance.state == "terminated":
            raise AwsError("ValidationError", "Instance Id not found - No managed instance found "
                           f"for instance ID: {p.get('InstanceId')}")
        return instance

    def _told(self, instance):
        return {"InstanceId": instance.id, "AvailabilityZone": instance.zone,
                "LifecycleState": instance.lifecycle, "InstanceType": instance.type,
                "ProtectedFromScaleIn": False}

    def DescribeAutoScalingGroups(self, p):
        self.tick()
        names = p.get("AutoScalingGroupNames")
        found = [group for name, group in self.groups.items() if names is None or name in names]
        page, token = paged(found, p, 100)
        return {"AutoScalingGroups": [
            {"AutoScalingGroupName": group.name, "AutoScalingGroupARN": group.arn,
             "MinSize": group.least, "MaxSize": group.most, "DesiredCapacity": group.desired,
             "DefaultCooldown": 300, "AvailabilityZones": group.zones, "HealthCheckType": "ELB",
             "HealthCheckGracePeriod": 300, "CreatedTime": iso(group.created),
             "TargetGroupARNs": group.target_groups,
             "VPCZoneIdentifier": ",".join(group.subnets.values()),
             "Instances": [{**self._told(i), "HealthStatus": i.health} for i in group.instances],
             "Tags": [{"ResourceId": group.name, "ResourceType": "auto-scaling-group", "Key": key,
                       "Value": value, "PropagateAtLaunch": True}
                      for key, value in group.tags.items()]}
            for group in page], "NextToken": token}

    def DescribeAutoScalingInstances(self, p):
        self.tick()
        ids = p.get("InstanceIds")
        return {"AutoScalingInstances": [
            {**self._told(instance), "AutoScalingGroupName": group.name,
             "HealthStatus": instance.health.upper()}
            for group in self.groups.values() for instance in group.instances
            if ids is None or instance.id in ids]}

    def PutLifecycleHook(self, p):
        self.need(p, "LifecycleHookName")
        self.put_hook(self._group(p), p)
        return {}

    def DescribeLifecycleHooks(self, p):
        return {"LifecycleHooks": [
            hook for name, hook in self._group(p).hooks.items()
            if name in p.get("LifecycleHookNames", [name])]}

    def _action(self, p):
        """The instance that a hook holds, by its id or by the action's token."""
        group, hook = self._group(p), self.need(p, "LifecycleHookName")
        self.tick()
        for instance in group.instances:
            held = self._actions.get(instance.id)
            if held and held[0] == hook and (p.get("InstanceId") == instance.id
                                             or p.get("LifecycleActionToken") == held[1]):
                return group, instance
        raise AwsError("ValidationError", "No active Lifecycle Action found with "
                       + (f"instance ID {p['InstanceId']}" if "InstanceId" in p else
                          f"token {p.get('LifecycleActionToken')}"))

    def CompleteLifecycleAction(self, p):
        result = self.need(p, "LifecycleActionResult")
        if result not in ("CONTINUE", "ABANDON"):
            raise AwsError("ValidationError", "LifecycleActionResult must be CONTINUE or ABANDON")
        self._proceed(self._action(p)[1], result)
        return {}

    def RecordLifecycleActionHeartbeat(self, p):
        group, instance = self._action(p)
        name, token, _ = self._actions[instance.id]
        self._actions[instance.id] = (name, token, self.emulator.clock.now()
                                      + int(group.hooks[name]["HeartbeatTimeout"]))
        return {}

    def TerminateInstanceInAutoScalingGroup(self, p):
        instance = self._instance(p)
        group = self.groups[instance.group]
        decrement = self.need(p, "ShouldDecrementDesiredCapacity") == "true"
        if decrement and group.desired <= group.least:
            raise AwsError("ValidationError", "Currently, desiredSize equals minSize "
                           f"({group.least}). Terminating instance without replacement will "
                           "violate group's min size constraint.")
        self.terminate(instance, decrement)
        return {"Activity": {
            "ActivityId": str(uuid.uuid4()), "AutoScalingGroupName": instance.group,
            "Cause": "instance was taken out of service in response to a user request",
            "StartTime": iso(self.emulator.clock.now()), "StatusCode": "InProgress"}}

    def SetDesiredCapacity(self, p):
        group, wanted = self._group(p), int(self.need(p, "DesiredCapacity"))
        if not group.least <= wanted <= group.most:
            raise AwsError("ValidationError", f"New SetDesiredCapacity value {wanted} is outside "
                           f"of [{group.least}, {group.most}] for the AutoScalingGroup.")
        self.resize(group, wanted)

    def resize(self, group, wanted):
        """For tests too: to `wanted` instances, the oldest go first."""
        while group.desired > wanted:
            self.terminate(group.alive()[0], decrement=True)
        group.desired = wanted
        self.fill(group)

    def UpdateAutoScalingGroup(self, p):
        group = self._group(p)
        group.least = int(p.get("MinSize", group.least))
        group.most = int(p.get("MaxSize", group.most))
        self.resize(group, int(p.get("DesiredCapacity", group.desired)))

    def SetInstanceHealth(self, p):
        instance = self._instance(p)
        instance.health = self.need(p, "HealthStatus")
        if instance.health == "Unhealthy":
            self.terminate(instance)

    def StartInstanceRefresh(self, p):
        group = self._group(p)
        ident = str(uuid.uuid4())
        group.refreshes.insert(0, {"InstanceRefreshId": ident, "Status": "Successful",
                                   "AutoScalingGroupName": group.name, "PercentageComplete": 100,
                                   "StartTime": iso(self.emulator.clock.now())})
        for instance in list(group.alive()):
            self.terminate(instance)
        return {"InstanceRefreshId": ident}

    def DescribeInstanceRefreshes(self, p):
        return {"InstanceRefreshes": self._group(p).refreshes}

    def DescribeScalingActivities(self, p):
        return {"Activities": []}
