"""What an update changes: resource by resource and property by property."""

from ..protocols import AwsError
from .functions import Scope, text
from .types import TYPES

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"


class Change:
    """`action` is Add, Modify, Remove; `replaces` is True, False or "Conditional"."""

    def __init__(self, action, logical, definition, resource=None):
        self.action, self.logical, self.definition = action, logical, definition
        self.resource, self.replaces, self.scope, self.details = resource, False, set(), []

    def told(self):
        out = {"Action": self.action, "LogicalResourceId": self.logical,
               "PhysicalResourceId": self.resource.physical if self.resource else None,
               "ResourceType": self.definition["Type"]}
        if self.action == "Modify":
            out["Replacement"] = {True: "True", False: "False"}.get(self.replaces, self.replaces)
        if self.action == "Remove":
            policy = self.definition.get("DeletionPolicy", "Delete")
            out["PolicyAction"] = "Delete" if policy == "Delete" else "Retain"
        out["Scope"] = sorted(self.scope)
        out["Details"] = self.details
        return {"Type": "Resource", "ResourceChange": out}


# What a change in place may change with it. The service suspects every attribute of a resource that
# is modified; so does the emulator where `cloudformation.is_pessimistic`.
VOLATILE = {"LatestVersionNumber", "Value", "LoadBalancerArns"}


def scope_of(stack, template, meanings, unknown=(), modified=()):
    """The names of `template` with the stack's present resources; those in `unknown`, and what may
    change of those in `modified`, are known after the change only."""
    def ref(name):
        resource = stack.resources.get(name)
        return LATER if resource is None or name in unknown else resource.physical

    def attribute(name, key):
        resource = stack.resources.get(name)
        if resource is None or name in unknown or name in modified and (
                key in VOLATILE or stack.emulator.cloudformation.is_pessimistic):
            return LATER
        return resource.attribute(key)
    return Scope(stack.emulator, stack, template, meanings, ref, attribute)


def canonical(value):
    """Values that differ only in how a template may write them are equal."""
    if isinstance(value, dict):
        return {key: canonical(each) for key, each in value.items()}
    if isinstance(value, list):
        return [canonical(each) for each in value]
    return text(value)


def compare(stack, template, meanings, tags):
    """The changes that bring the stack to the template, in the order of need."""
    chosen = scope_of(stack, template, meanings)
    names = [name for name in ordered(template, chosen) if chosen.exists(name)]
    changes, replaced, modified = [], {}, set()
    for name in names:
        definition, resource = template.resources[name], stack.resources.get(name)
        if resource is None:
            replaced[name] = True
            # Every function is tried now, so that what cannot be evaluated fails the change set.
            try:
                scope_of(stack, template, meanings, replaced).resolve(
                    definition.get("Properties", {}))
            except AwsError as error:
                if LATER not in str(error) and not _waits(definition, template, name, replaced):
                    raise
            changes.append(Change("Add", name, definition))
            continue
        if resource.type != definition["Type"]:
            raise AwsError("ValidationError", f"Update of resource type is not permitted. The new "
                           f"template modifies resource type of the following resources: [{name}]")
        change = _modified(stack, template, meanings, tags, name, replaced, modified)
        if change:
            changes.append(change)
            modified.add(name)
            if change.replaces:
                replaced[name] = change.replaces
    for name in reversed(list(stack.resources)):
        if name not in names:
            changes.append(Change("Remove", name, stack.resources[name].definition,
                                  stack.resources[name]))
    return changes


def _waits(definition, template, name, replaced):
    """Whether the resource needs something that is not there yet."""
    return bool(template.needs(name) & set(replaced) - {name})


def _modified(stack, template, meanings, tags, name, replaced, modified):
    definition, resource = template.resources[name], stack.resources[name]
    always = TYPES[resource.type].always
    certain = {each for each, how in replaced.items() if how is True}
    scope = scope_of(stack, template, meanings, set(replaced), modified)
    try:
        new = scope.resolve(definition.get("Properties", {}))
    except AwsError:
        if not _waits(definition, template, name, replaced):
            raise
        new = {**resource.properties, **{key: LATER for key in definition.get("Properties", {})}}
    change = Change("Modify", name, definition, resource)
    for key in sorted(set(new) | set(resource.properties)):
        before, after = canonical(resource.properties.get(key)), canonical(new.get(key))
        if before == after:
            continue
        dynamic = LATER in str(after)
        recreation = "Never"
        if key in always:
            recreation = "Conditionally" if dynamic and not certain & template.needs(name) else (
                "Always")
            if change.replaces is not True:
                change.replaces = True if recreation == "Always" else "Conditional"
        change.scope.add("Tags" if key == "Tags" else "Properties")
        change.details.append({
            "Target": {"Attribute": "Tags" if key == "Tags" else "Properties",
                       "Name": None if key == "Tags" else key, "RequiresRecreation": recreation},
            "Evaluation": "Dynamic" if dynamic else "Static",
            "ChangeSource": "ResourceReference" if dynamic else "DirectModification"})
    for key in ("Metadata", "CreationPolicy", "UpdatePolicy", "DeletionPolicy",
                "UpdateReplacePolicy"):
        if canonical(resource.definition.get(key)) != canonical(definition.get(key)):
            change.scope.add(key)
            change.details.append({"Target": {"Attribute": key, "RequiresRecreation": "Never"},
                                   "Evaluation": "Static", "ChangeSource": "DirectModification"})
    if tags != stack.tags:
        change.scope.add("Tags")
        change.details.append({"Target": {"Attribute": "Tags", "RequiresRecreation": "Never"},
                               "Evaluation": "Static", "ChangeSource": "DirectModification"})
    return change if change.scope else None


def ordered(template, scope):
    """The resources' names, each after what it needs."""
    left = {name: template.needs(name, scope.condition) for name in template.resources}
    out = []
    while left:
        free = [name for name, needs in left.items() if not needs & set(left)]
        out += free
        for name in free:
            del left[name]
    return out
