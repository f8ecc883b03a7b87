"""Who calls, and whether they may: principals, their keys and sessions, and the evaluation of their
policies (an explicit Deny wins, what nothing allows is denied)."""

import fnmatch
import re
import secrets
import string
import threading

from .protocols import AwsError, common

_UPPER = string.ascii_uppercase + "234567"


def new_id(prefix, length=16):
    return prefix + "".join(secrets.choice(_UPPER) for _ in range(length))


class Credentials:
    """A key; `expires` in seconds since the epoch, with a session's `token`."""

    def __init__(self, principal, prefix="AKIA", token=None, expires=None, session=None):
        self.principal, self.token, self.expires, self.session = principal, token, expires, session
        self.key, self.secret = new_id(prefix), secrets.token_urlsafe(30)

    @property
    def arn(self):
        if self.session is None:
            return self.principal.arn
        head, _, name = self.principal.arn.partition(":role/")
        return f"{head.replace(':iam:', ':sts:')}:assumed-role/{name.split('/')[-1]}/{self.session}"

    @property
    def user_id(self):
        return self.principal.id + (f":{self.session}" if self.session else "")

    def environment(self):
        """As a program's environment."""
        out = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return {**out, "AWS_SESSION_TOKEN": self.token} if self.token else out


class Principal:
    """`policies` is a list of policy documents, or None for one who may do everything; `trust` is a
    role's own policy, of who may assume it."""

    def __init__(self, arn, identifier, policies=None, trust=None):
        self.arn, self.id, self.policies, self.trust = arn, identifier, policies, trust

    @property
    def name(self):
        return self.arn.rsplit("/", 1)[-1]


class Iam:
    def __init__(self, emulator):
        self._emulator, self._lock = emulator, threading.Lock()
        self._keys, self.roles, self.profiles = {}, {}, {}  # profiles: name -> role's name
        self.denials = []  # (arn of the caller, action, resource) of each refusal

    def user(self, name="tester", policies=None):
        """A new user's credentials."""
        arn = f"arn:{self._emulator.partition}:iam::{self._emulator.account}:user/{name}"
        return self._add(Credentials(Principal(arn, new_id("AIDA"), policies)))

    def role(self, name, policies=None, trust=None):
        arn = f"arn:{self._emulator.partition}:iam::{self._emulator.account}:role/{name}"
        self.roles[name] = Principal(arn, new_id("AROA"), policies, trust)
        return self.roles[name]

    def session(self, role, name="session", seconds=3600):
        """Temporary credentials of a role (a Principal or its name)."""
        role = self.roles[role] if isinstance(role, str) else role
        return self._add(Credentials(role, "ASIA", "IQoJ" + secrets.token_urlsafe(120),
                                     self._emulator.clock.now() + seconds, name))

    def _add(self, credentials):
        with self._lock:
            self._keys[credentials.key] = credentials
        return credentials

    def find(self, key):
        return self._keys.get(key)

    def revoke(self, credentials):
        with self._lock:
            self._keys.pop(credentials.key, None)

    def allows(self, principal, action, resource, context=None):
        policies = principal.policies
        return policies is None or decide(policies, action, resource, context or {})

    def authorize(self, service, credentials, action, resource, context=None):
        """Raises what `service` answers with, unless the caller may."""
        if credentials is None or self.allows(credentials.principal, action, resource, context):
            return
        self.denials.append((credentials.arn, action, resource))
        raise common("denied", service, f"User: {credentials.arn} is not authorized to perform: "
                     f"{action} on resource: {resource} because no identity-based policy allows "
                     f"the {action} action")


def decide(policies, action, resource, context):
    allowed = False
    for policy in policies:
        for statement in _list(policy.get("Statement", [])):
            if not _applies(statement, action, resource, context):
                continue
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed


def _list(value):
    return value if isinstance(value, list) else [value]


def like(pattern, value, fold=False):
    pattern, value = str(pattern), str(value)
    if fold:
        pattern, value = pattern.lower(), value.lower()
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def _applies(statement, action, resource, context):
    if "Action" in statement:
        if not any(like(each, action, fold=True) for each in _list(statement["Action"])):
            return False
    elif any(like(each, action, fold=True) for each in _list(statement["NotAction"])):
        return False
    if "Resource" in statement:
        if not any(like(_variables(each, context), resource)
                   for each in _list(statement["Resource"])):
            return False
    elif any(like(each, resource) for each in _list(statement.get("NotResource", []))):
        return False
    return all(_holds(operator, key, _list(values), context)
               for operator, keys in statement.get("Condition", {}).items()
               for key, values in keys.items())


def _variables(pattern, context):
    return re.sub(r"\$\{([^}]+)\}", lambda m: str(context.get(m.group(1), m.group(0))), pattern)


_TESTS = {
    "StringEquals": lambda want, have: want == have,
    "StringEqualsIgnoreCase": lambda want, have: want.lower() == have.lower(),
    "StringLike": like, "ArnLike": like, "ArnEquals": like,
    "Bool": lambda want, have: want.lower() == have.lower(),
    "NumericEquals": lambda want, have: float(want) == float(have),
    "NumericLessThanEquals": lambda want, have: float(have) <= float(want),
}
_NEGATIONS = {"StringNotEquals": "StringEquals", "StringNotLike": "StringLike",
              "ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike"}


def _holds(operator, key, wanted, context):
    context = {name.lower(): value for name, value in context.items()}
    have = context.get(key.lower())
    operator = operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:")
    if operator == "Null":
        return (have is None) == (str(wanted[0]).lower() == "true")
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    if have is None:
        return if_exists or operator in _NEGATIONS
    if operator not in _TESTS and operator not in _NEGATIONS:
        raise AwsError("MalformedPolicyDocument", f"the emulator knows no {operator}")
    test = _TESTS[_NEGATIONS.get(operator, operator)]
    met = any(test(str(want), str(each)) for want in wanted for each in _list(have))
    return not met if operator in _NEGATIONS else met
