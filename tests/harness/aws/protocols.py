"""The five protocols of AWS as octets: JSON 1.1, query, EC2's query, REST-XML and REST-JSON; how
each words a result and an error. What an error is called differs from protocol to protocol, so that
faults are named by what they mean and worded here."""

import json
import uuid
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from ..wire import Response


class AwsError(Exception):
    """An answer that is an error: `code` and `status` as documented for the operation; `extra`
    are further members (or elements) of its body."""

    def __init__(self, code, message, status=400, **extra):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.extra = code, message, status, extra


# meaning: {protocol: (code, status)}; `*` stands for the protocols that are not named.
COMMON = {
    "missing": {"json": ("MissingAuthenticationTokenException", 400),
                "s3": ("AccessDenied", 403), "ec2": ("MissingParameter", 400),
                "rest-json": ("MissingAuthenticationTokenException", 403),
                "*": ("MissingAuthenticationToken", 403)},
    "incomplete": {"json": ("IncompleteSignatureException", 400),
                   "s3": ("AuthorizationHeaderMalformed", 400), "ec2": ("AuthFailure", 401),
                   "rest-json": ("IncompleteSignatureException", 403),
                   "*": ("IncompleteSignature", 400)},
    "unknown-key": {"json": ("UnrecognizedClientException", 400),
                    "s3": ("InvalidAccessKeyId", 403), "ec2": ("AuthFailure", 401),
                    "rest-json": ("UnrecognizedClientException", 403),
                    "*": ("InvalidClientTokenId", 403)},
    "mismatch": {"json": ("InvalidSignatureException", 400),
                 "s3": ("SignatureDoesNotMatch", 403), "ec2": ("AuthFailure", 401),
                 "rest-json": ("InvalidSignatureException", 403),
                 "*": ("SignatureDoesNotMatch", 403)},
    "skewed": {"json": ("InvalidSignatureException", 400),
               "s3": ("RequestTimeTooSkewed", 403), "ec2": ("RequestExpired", 400),
               "rest-json": ("InvalidSignatureException", 403),
               "*": ("SignatureDoesNotMatch", 403)},
    "expired": {"json": ("ExpiredTokenException", 400),
                "s3": ("ExpiredToken", 400), "ec2": ("RequestExpired", 400),
                "rest-json": ("ExpiredTokenException", 403),
                "*": ("ExpiredToken", 403)},
    "denied": {"json": ("AccessDeniedException", 400),
               "s3": ("AccessDenied", 403), "ec2": ("UnauthorizedOperation", 403),
               "rest-json": ("AccessDeniedException", 403), "sns": ("AuthorizationError", 403),
               "*": ("AccessDenied", 403)},
    "throttle": {"json": ("ThrottlingException", 400),
                 "s3": ("SlowDown", 503), "ec2": ("RequestLimitExceeded", 503),
                 "rest-json": ("ThrottlingException", 429), "sns": ("Throttled", 429),
                 "*": ("Throttling", 400)},
    "500": {"json": ("InternalServerError", 500), "s3": ("InternalError", 500),
            "ec2": ("InternalError", 500), "rest-json": ("ServerException", 500),
            "*": ("InternalFailure", 500)},
    "503": {"json": ("ServiceUnavailableException", 503), "s3": ("ServiceUnavailable", 503),
            "ec2": ("Unavailable", 503), "rest-json": ("ServiceUnavailableException", 503),
            "*": ("ServiceUnavailable", 503)},
}


def common(meaning, service, message):
    """The error that `service` answers with to say `meaning`."""
    table = COMMON[meaning]
    code, status = table.get(service.scope) or table.get(service.protocol) or table["*"]
    return AwsError(code, message, status)


def nested(pairs):
    """The parameters of a query request as they were meant: `A.member.1.B=c` is
    {"A": [{"B": "c"}]}, and so is EC2's `A.1.B=c`."""
    root = {}
    for name, value in pairs:
        at = root
        parts = name.split(".")
        for part in parts[:-1]:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise AwsError("MalformedInput", f"{name} stands beside a shorter name")
        at[parts[-1]] = value
    return {key: _lists(value) for key, value in root.items()}


def _lists(value):
    if not isinstance(value, dict):
        return value
    if set(value) == {"member"} and isinstance(value["member"], dict):
        value = value["member"]
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(each) for key, each in value.items()}


def form(body):
    pairs = []
    for each in body.decode("utf-8", "replace").split("&"):
        name, _, value = each.partition("=")
        if name:
            pairs.append((unquote_plus(name), unquote_plus(value)))
    return pairs


def xml(value, item="member"):
    """The inside of an element: a dict is elements, a list is elements named `item`; None is left
    out. `Flat` is a list without its wrapping element."""
    if isinstance(value, dict):
        out = []
        for name, each in value.items():
            if each is None:
                continue
            if isinstance(each, Flat):
                out += [f"<{name}>{xml(one, item)}</{name}>" for one in each]
            else:
                out.append(f"<{name}>{xml(each, item)}</{name}>")
        return "".join(out)
    if isinstance(value, (list, tuple)):
        return "".join(f"<{item}>{xml(each, item)}</{item}>" for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value))


class Flat(list):
    """A list whose elements stand beside each other without a wrapping element (S3)."""


HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Protocol:
    """Words results and errors; `request_id` is new for each answer."""

    content_type = "text/xml"

    def result(self, service, operation, value, request_id):
        raise NotImplementedError

    def error(self, service, error, request_id):
        raise NotImplementedError

    def _response(self, status, body, request_id, headers=()):
        return Response(status, [("x-amzn-RequestId", request_id),
                                 ("Content-Type", self.content_type), *headers], body)


class Json(Protocol):
    content_type = "application/x-amz-json-1.1"

    def result(self, service, operation, value, request_id):
        body = json.dumps(value, ensure_ascii=False) if value is not None else ""
        return self._response(200, body, request_id)

    def error(self, service, error, request_id):
        message = "Message" if service.scope == "secretsmanager" else "message"
        body = {"__type": service.error_prefix + error.code, message: error.message, **error.extra}
        return self._response(error.status, json.dumps(body), request_id)


class RestJson(Protocol):
    content_type = "application/json"

    def result(self, service, operation, value, request_id):
        return self._response(200, json.dumps(value, ensure_ascii=False), request_id)

    def error(self, service, error, request_id):
        body = {**error.extra, "message": error.message}
        return self._response(error.status, json.dumps(body), request_id,
                              [("x-amzn-ErrorType", error.code + ":http://internal.amazon.com/")])


class Query(Protocol):
    def result(self, service, operation, value, request_id):
        result = "" if value is None else f"<{operation}Result>{xml(value)}</{operation}Result>"
        return self._response(200, (
            f'<{operation}Response xmlns="{service.namespace}">{result}<ResponseMetadata>'
            f"<RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"),
            request_id)

    def error(self, service, error, request_id):
        kind = "Sender" if error.status < 500 else "Receiver"
        return self._response(error.status, (
            f'<ErrorResponse xmlns="{service.namespace}"><Error><Type>{kind}</Type>'
            f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"), request_id)


class Ec2(Protocol):
    content_type = "text/xml;charset=UTF-8"

    def result(self, service, operation, value, request_id):
        return self._response(200, (
            f'{HEADER}<{operation}Response xmlns="{service.namespace}">'
            f"<requestId>{request_id}</requestId>{xml(value, 'item')}</{operation}Response>"),
            request_id)

    def error(self, service, error, request_id):
        return self._response(error.status, (
            f"{HEADER}<Response><Errors><Error><Code>{error.code}</Code>"
            f"<Message>{escape(error.message)}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"), request_id)


class S3(Protocol):
    content_type = "application/xml"

    def result(self, service, operation, value, request_id):
        assert isinstance(value, Response), "S3's operations word their answers themselves"
        value.set("x-amz-request-id", request_id)
        value.set("x-amz-id-2", request_id[::-1])
        return value

    def error(self, service, error, request_id):
        body = "" if error.status == 304 else (
            f"{HEADER}<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
            f"{xml(error.extra)}<RequestId>{request_id}</RequestId><HostId>{request_id[::-1]}"
            "</HostId></Error>")
        return Response(error.status, [("x-amz-request-id", request_id),
                                       ("Content-Type", self.content_type)], body)


PROTOCOLS = {"json": Json(), "query": Query(), "ec2": Ec2(), "s3": S3(), "rest-json": RestJson()}


def request_id():
    return str(uuid.uuid4())
