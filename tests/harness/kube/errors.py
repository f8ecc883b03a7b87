"""Errors as the API words them: a Status object (meta/v1) and its HTTP status."""

_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
            405: "MethodNotAllowed", 406: "NotAcceptable", 409: "Conflict", 410: "Expired",
            415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests",
            500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}


class ApiError(Exception):
    """`details` goes into Status.details, `causes` into its causes: (reason, message, field)."""

    def __init__(self, code, message, reason=None, details=None, causes=(), headers=(),
                 metadata=None):
        super().__init__(message)
        self.code, self.message, self.headers = code, message, list(headers)
        self.reason = _REASONS[code] if reason is None else reason
        self.details, self.metadata = dict(details or {}), metadata or {}
        if causes:
            self.details["causes"] = [
                {key: value for key, value in zip(("reason", "message", "field"), cause) if value}
                for cause in causes]

    def status(self):
        out = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata,
               "status": "Failure", "message": self.message, "reason": self.reason,
               "details": self.details, "code": self.code}
        return {key: value for key, value in out.items()
                if value or key not in ("details", "reason")}


def _naming(resource, name):
    return {key: value for key, value in
            (("name", name), ("group", resource.group), ("kind", resource.plural)) if value}


def not_found(resource, name):
    return ApiError(404, f'{resource.qualified} "{name}" not found',
                    details=_naming(resource, name))


def no_such_path():
    return ApiError(404, "the server could not find the requested resource")


def already_exists(resource, name):
    return ApiError(409, f'{resource.qualified} "{name}" already exists', "AlreadyExists",
                    details=_naming(resource, name))


def conflict(resource, name, why="the object has been modified; please apply your changes to the "
             "latest version and try again"):
    return ApiError(409, f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}',
                    details=_naming(resource, name))


def forbidden(resource, name, why):
    return ApiError(403, f'{resource.qualified} "{name}" is forbidden: {why}',
                    details=_naming(resource, name))


def invalid(resource, name, causes):
    """`causes`: (reason, message, field), as in ("FieldValueInvalid", …, "spec.x")."""
    causes = list(causes)
    lines = [f"{field}: {message}" for _, message, field in causes]
    said = lines[0] if len(lines) == 1 else "[" + ", ".join(lines) + "]"
    kind = resource.kind + (f".{resource.group}" if resource.group else "")
    return ApiError(422, f'{kind} "{name}" is invalid: {said}', causes=causes,
                    details={**_naming(resource, name), "kind": resource.kind})


def expired(message):
    return ApiError(410, message, "Expired")


def too_old(version, oldest):
    return expired(f"too old resource version: {version} ({oldest})")


def too_large(version, current):
    return ApiError(504, f"Timeout: Too large resource version: {version}, current: {current}",
                    details={"retryAfterSeconds": 1},
                    causes=[("ResourceVersionTooLarge", "Too large resource version", None)])


def too_many(seconds=1, message="The server has received too many requests and has asked us to "
             "try again later."):
    return ApiError(429, message, details={"retryAfterSeconds": seconds},
                    headers=[("Retry-After", str(seconds))])
