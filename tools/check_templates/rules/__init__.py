"""What no schema can say: each rule is a function, template in, findings out. The name of a rule is
that of its function, with dashes; tests/cloudformation/broken has a template for each."""

from . import alerts, boot, compute, identity, network, structure


def _of(module):
    return [value for name, value in vars(module).items()
            if callable(value) and not name.startswith("_")
            and getattr(value, "__module__", "") == module.__name__]


ALL = [rule for module in (structure, network, compute, identity, alerts, boot)
       for rule in _of(module)]


def name_of(rule):
    return rule.__name__.replace("_", "-")


def check(template):
    for rule in ALL:
        for line, message, fix in rule(template):
            yield name_of(rule), line, message, fix
