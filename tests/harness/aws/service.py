"""What the emulated services have in common: an operation is a method of the name that the API
gives it; it takes the parameters as they were sent and gives the members of the result."""

import json

from .protocols import AwsError, form, nested


class Service:
    scope = ""       # the name in the credential scope, by which a request finds its service
    prefix = None    # the name in IAM actions, where it is another
    protocol = "json"
    namespace = ""   # of the XML
    version = ""     # of a query request
    target = ""      # of a JSON request
    error_prefix = ""
    public = ()      # the operations that need no signature

    def __init__(self, emulator):
        self.emulator = emulator

    def arn(self, resource):
        at = self.emulator
        return f"arn:{at.partition}:{self.scope}:{at.region}:{at.account}:{resource}"

    def parse(self, request):
        """(operation, parameters) of a request."""
        if self.protocol == "json":
            return self._parse_json(request)
        pairs = form(request.body) if request.method == "POST" else []
        pairs += request.query_pairs()
        pairs = [(n, v) for n, v in pairs if not n.startswith("X-Amz-")]
        parameters = nested(pairs)
        operation = parameters.pop("Action", None)
        if operation is None:
            raise AwsError("MissingAction", "Missing Action")
        if (version := parameters.pop("Version", None)) != self.version:
            raise AwsError("InvalidAction", f"Could not find operation {operation} for version "
                           f"{version}")
        return operation, parameters

    def _parse_json(self, request):
        target, _, operation = request.header("x-amz-target", "").rpartition(".")
        if target != self.target or request.method != "POST":
            raise AwsError("UnknownOperationException", "")
        if not request.header("content-type", "").startswith("application/x-amz-json-1."):
            raise AwsError("UnknownOperationException", "the content type is another protocol's")
        try:
            parameters = json.loads(request.body)
        except ValueError as error:
            raise AwsError("SerializationException", str(error)) from None
        if not isinstance(parameters, dict):
            raise AwsError("SerializationException", "the body is no structure")
        return operation, parameters

    def demands(self, operation, parameters):
        """What the caller must be allowed: a list of (IAM action, resource, context)."""
        return [(f"{self.prefix or self.scope}:{operation}",
                 self.resource(operation, parameters) or "*", {})]

    def resource(self, operation, parameters):
        """The ARN that the operation is about; None where it knows none."""
        return None

    def call(self, operation, parameters, caller):
        method = getattr(self, operation, None) if operation[:1].isupper() else None
        if method is None:
            code = {"json": "UnknownOperationException"}.get(self.protocol, "InvalidAction")
            raise AwsError(code, f"The action {operation} is not valid for this web service.")
        self.caller = caller
        return method(parameters)

    @staticmethod
    def need(parameters, *names):
        """The named parameters; an error where one is missing."""
        values = []
        for name in names:
            if parameters.get(name) in (None, ""):
                raise AwsError("ValidationException" if name[:1].isupper() else "ValidationError",
                               f"1 validation error detected: Value null at '{name}' failed to "
                               "satisfy constraint: Member must not be null")
            values.append(parameters[name])
        return values[0] if len(names) == 1 else values


def paged(items, parameters, size, token="NextToken", limit="MaxRecords"):
    """One page of `items` and the token of the next one, or None."""
    start = parameters.get(token)
    if start is not None and not str(start).isdigit():
        raise AwsError("ValidationError", f"Invalid value for {token}")
    start, size = int(start or 0), min(int(parameters.get(limit, size)), size)
    after = start + size
    return items[start:after], str(after) if after < len(items) else None
