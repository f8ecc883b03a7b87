"""Brings stacks up, over and down: in the order of need, over some time, with events, and back
again when something fails."""

import re
import threading
import time

from ..protocols import AwsError
from .changes import canonical, ordered, scope_of
from .stack import Resource
from .types import TYPES


class Failed(Exception):
    """`names` are the resources that failed."""

    def __init__(self, names, verb):
        super().__init__(f"The following resource(s) failed to {verb}: [{', '.join(names)}]. ")
        self.names = names


class Stopped(Exception):
    """The emulator is being closed."""


def _seconds(duration):
    """PT1H15M30S in seconds."""
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", duration)
    if not found:
        raise AwsError("ValidationError", f"{duration} is no duration")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


class Engine:
    """`seconds` is how long a resource takes (by type in `slow`); `auto_signal` says that instances
    tell of their success by themselves; fail() orders failures."""

    def __init__(self, emulator):
        self.emulator, self.seconds, self.slow, self.auto_signal = emulator, 0.005, {}, True
        self._failures, self._stop, self._threads = [], threading.Event(), []

    def fail(self, logical, reason="Resource handler returned message: \"it was ordered to fail\"",
             during="CREATE", stack=None, count=1):
        """The next `count` times that `logical` is under CREATE, UPDATE or DELETE, it fails."""
        self._failures.append([logical, during, stack, reason, count])

    def _ordered_failure(self, resource, during):
        for order in self._failures:
            logical, when, stack, reason, count = order
            if logical == resource.logical and when == during and (
                    stack in (None, resource.stack.name)) and count:
                order[4] -= 1
                return reason
        return None

    def start(self, work, *arguments):
        thread = threading.Thread(target=self._run, args=(work, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work, *arguments):
        try:
            work(*arguments)
        except Stopped:
            pass

    def close(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self, stack, patience=30):
        """For tests: until nothing is under way; the stack's status."""
        until = time.monotonic() + patience
        while stack.is_busy() and time.monotonic() < until:
            time.sleep(0.002)
        return stack.status

    # The three things that are done to a stack; each runs in a thread of its own.

    def create(self, stack, change_set):
        made = {}
        try:
            self._forward(stack, change_set, made)
            self._outputs(stack, change_set)
            stack.event("CREATE_COMPLETE")
        except (Failed, AwsError) as error:
            why = str(error) if isinstance(error, Failed) else error.message
            if stack.on_failure == "DO_NOTHING":
                stack.event("CREATE_FAILED", why)
            else:
                stack.event("ROLLBACK_IN_PROGRESS", why + " Rollback requested by user.")
                ok = self._backward(stack, list(stack.resources.values()), creating=True)
                stack.event("ROLLBACK_COMPLETE" if ok else "ROLLBACK_FAILED")
                if ok and stack.on_failure == "DELETE":
                    self.delete(stack)

    def update(self, stack, change_set):
        before = (stack.template, stack.parameters, stack.meanings, stack.tags, stack.outputs)
        made, changed, replaced = {}, [], []
        try:
            self._forward(stack, change_set, made, changed, replaced)
            self._outputs(stack, change_set)
        except (Failed, AwsError) as error:
            why = str(error) if isinstance(error, Failed) else error.message
            stack.event("UPDATE_ROLLBACK_IN_PROGRESS", why)
            self._restore(stack, before, made, changed, replaced)
            return
        stack.event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        gone = [change.resource for change in change_set.changes if change.action == "Remove"]
        for each in gone:
            stack.resources.pop(each.logical, None)
        self._backward(stack, gone + replaced, replacing=replaced)
        stack.event("UPDATE_COMPLETE")

    def _restore(self, stack, before, made, changed, replaced):
        stack.template, stack.parameters, stack.meanings, stack.tags, stack.outputs = before
        for resource, old, definition in reversed(changed):
            stack.event("UPDATE_IN_PROGRESS", None, resource)
            self._pause(resource)
            reason = self._ordered_failure(resource, "ROLLBACK")
            if reason:
                stack.event("UPDATE_FAILED", reason, resource)
                stack.event("UPDATE_ROLLBACK_FAILED",
                            f"The following resource(s) failed to update: [{resource.logical}].")
                stack.pending = (before, made, changed, replaced)
                return
            new, resource.properties, resource.definition = resource.properties, old, definition
            try:
                with self.emulator.lock:
                    TYPES[resource.type].change(resource, new)
            except AwsError:
                pass  # it was never changed
            stack.event("UPDATE_COMPLETE", None, resource)
        stack.event("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        for each in replaced:
            stack.resources[each.logical] = each
        new = [each for each in made.values()]
        for each in new:
            if stack.resources.get(each.logical) is each:
                del stack.resources[each.logical]
        self._backward(stack, new, creating=True)
        stack.event("UPDATE_ROLLBACK_COMPLETE")

    def continue_rollback(self, stack):
        self._restore(stack, *stack.pending)

    def delete(self, stack):
        stack.event("DELETE_IN_PROGRESS", "User Initiated")
        if self._backward(stack, list(stack.resources.values())):
            stack.deleted = self.emulator.clock.now()
            stack.event("DELETE_COMPLETE")
        else:
            names = [r.logical for r in stack.resources.values() if r.status == "DELETE_FAILED"]
            stack.event("DELETE_FAILED", "The following resource(s) failed to delete: "
                        f"[{', '.join(names)}]. ")

    # Forward.

    def _forward(self, stack, change_set, made, changed=None, replaced=None):
        """Everything that is added or modified, each as soon as what it needs is complete."""
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack.meanings, stack.tags = change_set.meanings, change_set.tags
        scope = self._scope(stack)
        todo = {change.logical: change for change in change_set.changes if change.action != "Remove"}
        waiting = {name: stack.template.needs(name, scope.condition) & set(todo)
                   for name in ordered(stack.template, scope) if name in todo}
        running, failed = {}, []
        while (waiting and not failed) or running:
            if not failed:
                for name in [n for n, needs in waiting.items()
                             if not needs & (set(waiting) | set(running))]:
                    del waiting[name]
                    begun = self._begin(stack, todo[name], made, changed, replaced)
                    if begun:
                        running[name] = (time.monotonic() + self._time(todo[name]), *begun)
            for name, (until, resource, verb, work) in list(running.items()):
                outcome = self._look(stack, until, resource, verb, work, bool(failed))
                if outcome is not None:
                    del running[name]
                    if outcome == "failed":
                        failed.append(name)
            if self._stop.wait(0.001):
                raise Stopped
        if failed:
            raise Failed(failed, "create" if stack.status.startswith("CREATE") else "update")
        stack.imports = set(scope.imports)

    def _scope(self, stack):
        scope = scope_of(stack, stack.template, stack.meanings)
        return scope

    def _time(self, change):
        return self.slow.get(change.definition["Type"], self.seconds)

    def _pause(self, resource):
        if self._stop.wait(self.slow.get(resource.type, self.seconds)):
            raise Stopped

    def _begin(self, stack, change, made, changed, replaced):
        """(resource, verb, work): `work` is done when the resource's time has passed. None where
        nothing has changed in the end."""
        scope = self._scope(stack)
        old = change.resource and (change.resource.properties, change.resource.definition)
        try:
            with self.emulator.lock:
                new = scope.resolve(change.definition.get("Properties", {}))
                creation = scope.resolve(change.definition.get("CreationPolicy"))
        except AwsError as error:
            resource = change.resource or Resource(stack, change.logical, change.definition)
            verb = "UPDATE" if change.resource else "CREATE"
            stack.resources.setdefault(change.logical, resource)
            made.setdefault(change.logical, resource) if not change.resource else None
            stack.event(f"{verb}_IN_PROGRESS", None, resource)
            return resource, verb, lambda: self._raise(error)
        needs = stack.template.needs(change.logical, scope.condition)
        kind = TYPES[change.definition["Type"]]
        replaces = change.action == "Modify" and any(
            _differs(old[0].get(key), new.get(key)) for key in kind.always)
        if change.action == "Add" or replaces:
            resource = Resource(stack, change.logical, change.definition)
            resource.properties, resource.needs, resource.creation = new, needs, creation
            resource.physical_before = change.resource.physical if replaces else ""
            if replaces:
                replaced.append(change.resource)
                stack.event("UPDATE_IN_PROGRESS", "Requested update requires the creation of a new "
                            "physical resource; hence creating one.", change.resource)
            made[change.logical] = stack.resources[change.logical] = resource
            verb = "UPDATE" if replaces else "CREATE"
            if not replaces:
                stack.event("CREATE_IN_PROGRESS", None, resource)
            return resource, verb, lambda: self._make(resource, kind, verb)
        resource = change.resource
        if not _differs(old[0], new) and not change.scope - {"Properties"}:
            return None
        changed.append((resource, *old))
        resource.properties, resource.definition, resource.needs = new, change.definition, needs
        resource.creation = creation
        stack.event("UPDATE_IN_PROGRESS", None, resource)
        return resource, "UPDATE", lambda: kind.change(resource, old[0])

    @staticmethod
    def _raise(error):
        raise error

    @staticmethod
    def _make(resource, kind, verb):
        resource.physical = kind.ident(resource)
        try:
            wanted = kind.make(resource)
        except Exception:
            resource.physical = ""
            raise
        resource.stack.event(f"{verb}_IN_PROGRESS", "Resource creation Initiated", resource)
        return wanted

    def _look(self, stack, until, resource, verb, work, cancelled):
        """None while the resource is under way, else "done" or "failed"."""
        if cancelled:
            stack.event(f"{verb}_FAILED", f"Resource {verb.lower().rstrip('e')}ion cancelled"
                        if verb == "CREATE" else "Resource update cancelled", resource)
            return "failed"
        if time.monotonic() < until:
            return None
        reason = None
        if resource.wanted is None:
            reason = self._ordered_failure(resource, verb)
            try:
                with self.emulator.lock:
                    wanted = None if reason else work()
            except AwsError as error:
                reason = (f'Resource handler returned message: "{error.message} (Service: '
                          f'{resource.type.split("::")[1]}, Status Code: {error.status})" '
                          f"(HandlerErrorCode: {error.code})")
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                reason = (f"Properties validation failed for resource {resource.logical} with "
                          f"message: {type(error).__name__}: {error}")
            if reason is None and wanted:
                self._await_signals(resource, wanted)
        if reason is None and resource.wanted is not None:
            good = sum(resource.signals.values())
            bad = len(resource.signals) - good
            if bad or self.emulator.clock.now() > resource.until:
                what = f"{bad} FAILURE" if bad else f"{good} SUCCESS"
                reason = (f"Received {what} signal(s) out of {resource.wanted}.  Unable to satisfy "
                          "100% MinSuccessfulInstancesPercent requirement")
            elif good < resource.wanted:
                return None
        resource.wanted = None
        if reason:
            stack.event(f"{verb}_FAILED", reason, resource)
            return "failed"
        stack.event(f"{verb}_COMPLETE", None, resource)
        return "done"

    def _await_signals(self, resource, wanted):
        policy = (resource.creation or {}).get("ResourceSignal", {})
        rolling = resource.definition.get("UpdatePolicy", {}).get("AutoScalingRollingUpdate", {})
        timeout = policy.get("Timeout") or rolling.get("PauseTime") or "PT5M"
        resource.until = self.emulator.clock.now() + _seconds(timeout)
        resource.signals, resource.wanted = {}, wanted
        if self.auto_signal:
            resource.signals = {f"i-{number}": True for number in range(wanted)}

    def _outputs(self, stack, change_set):
        scope, outputs = self._scope(stack), {}
        exports = self.emulator.cloudformation.exports(but=stack)
        with self.emulator.lock:
            for name, output in stack.template.outputs.items():
                if "Condition" in output and not scope.condition(output["Condition"]):
                    continue
                value = scope.resolve(output["Value"])
                if not isinstance(value, (str, int, float)):
                    raise AwsError("ValidationError", f"Template format error: The Value field of "
                                   f"output {name} must evaluate to a string.")
                outputs[name] = {"OutputValue": value, "Description": output.get("Description")}
                if "Export" in output:
                    export = scope.resolve(output["Export"]["Name"])
                    if export in exports:
                        raise AwsError("ValidationError", f"Export with name {export} is already "
                                       f"exported by stack {exports[export]}.")
                    outputs[name]["ExportName"] = export
        stack.outputs = outputs
        stack.capabilities = change_set.capabilities

    # Backward.

    def _backward(self, stack, resources, creating=False, replacing=()):
        """Deletes, the needy before the needed; whether all went well."""
        left, ok = {id(r): r for r in resources}, True
        while left:
            needed = {name for r in left.values() for name in r.needs}
            free = [r for r in left.values() if r.logical not in needed] or list(left.values())
            for resource in free:
                del left[id(resource)]
                ok = self._delete(stack, resource, creating, resource in replacing) and ok
        return ok

    def _delete(self, stack, resource, creating, replaced):
        policy = resource.policy("UpdateReplacePolicy" if replaced else "DeletionPolicy")
        keeps = policy in ("Retain", "Snapshot") or (
            policy == "RetainExceptOnCreate" and not creating)
        forget = stack.resources.get(resource.logical) is resource
        if not resource.physical:
            if forget:
                del stack.resources[resource.logical]
            return True
        if keeps:
            stack.event("DELETE_SKIPPED", None, resource)
        else:
            stack.event("DELETE_IN_PROGRESS", None, resource)
            self._pause(resource)
            reason = self._ordered_failure(resource, "DELETE")
            if reason is None:
                try:
                    with self.emulator.lock:
                        TYPES[resource.type].drop(resource)
                except AwsError as error:
                    reason = (f'Resource handler returned message: "{error.message}" '
                              f"(HandlerErrorCode: {error.code})")
            if reason:
                stack.event("DELETE_FAILED", reason, resource)
                return False
            stack.event("DELETE_COMPLETE", None, resource)
        if forget:
            del stack.resources[resource.logical]
        return True


def _differs(old, new):
    return canonical(old) != canonical(new)
