"""The resource types that templates may use: what Ref and GetAtt give, which properties replace a
resource when they change, and what making one does to the other services."""

import secrets
import uuid

from ..ec2 import new_id
from ..iam import new_id as random_name


class Kind:
    """`ident(resource)` gives the physical id, which is what Ref stands for. `make` may raise
    AwsError and may return how many signals are to be waited for; `change(resource, old)` has the
    old properties; `always` are the properties whose change replaces the resource."""

    def __init__(self, ident, attributes=None, always="", make=None, change=None, drop=None):
        self.ident, self.attributes, self.always = ident, attributes or {}, set(always.split())
        self._make, self._change, self._drop = make, change, drop

    def make(self, resource):
        return self._make(resource) if self._make else None

    def change(self, resource, old):
        return self._change(resource, old) if self._change else None

    def drop(self, resource):
        if self._drop:
            self._drop(resource)


# Physical ids.

def ident(prefix):
    return lambda r: new_id(prefix)


def named(key=None, limit=64, lower=False):
    """The property, or a name that CloudFormation makes up."""
    def name(r):
        if key and r.properties.get(key):
            return str(r.properties[key])
        tail = "-" + random_name("", 12)
        made = f"{r.stack.name}-{r.logical}"[:limit - len(tail)] + tail
        return made.lower() if lower else made
    return name


def arn(service, resource, region=True):
    def made(r):
        at = r.emulator
        return (f"arn:{at.partition}:{service}:{at.region if region else ''}:{at.account}:"
                f"{resource(r)}")
    return made


def joined(*keys, separator="|"):
    return lambda r: separator.join(str(r.properties[key]) for key in keys)


# Attributes.

def prop(key):
    return lambda r: r.properties.get(key)


def physical(r):
    return r.physical


def once(key, factory):
    """A value that is made up at the first look, and kept."""
    return lambda r: r.kept.setdefault(key, factory())


def guid():
    return str(uuid.uuid4())


def hexadecimal(octets=8):
    return secrets.token_hex(octets)


# Every module below adds the types of some services; a type that no module names is an error.
TYPES = {}

from . import computing, networks, records  # noqa: E402

for module in (networks, computing, records):
    TYPES.update(module.TYPES)
