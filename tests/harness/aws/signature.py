"""Checks AWS Signature Version 4, in the Authorization header and in presigned URLs, as the
services document it ("Create a signed AWS API request"). Written from that text alone: it is the
judge of the program's own signing."""

import calendar
import hashlib
import hmac
import re
import time
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = 15 * 60  # seconds
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_UNSIGNED = ("UNSIGNED-PAYLOAD",)


class Rejected(Exception):
    """`meaning` is a key of protocols.COMMON."""

    def __init__(self, meaning, message):
        super().__init__(message)
        self.meaning, self.message = meaning, message


class Claim:
    """What a request says of its own signature, before anything is checked."""

    def __init__(self, request):
        self.request = request
        self.presigned = request.query_value("X-Amz-Algorithm") is not None
        fields = self._from_query() if self.presigned else self._from_header()
        credential = fields.get("Credential", "").split("/")
        if len(credential) < 5 or not fields.get("SignedHeaders") or not fields.get("Signature"):
            raise Rejected("incomplete", "Authorization header requires 'Credential', "
                           "'Signature' and 'SignedHeaders' parameters.")
        # A key id has no slash, but be as lenient as the services: count from the end.
        *key, self.date, self.region, self.service, self.terminator = credential
        self.key = "/".join(key)
        self.signed_headers = fields["SignedHeaders"].split(";")
        self.signature = fields["Signature"]
        if not _STAMP.fullmatch(self.stamp or ""):
            raise Rejected("incomplete", "Date in request must be in ISO-8601 'basic format'. "
                           f"Got '{self.stamp}'.")
        self.time = calendar.timegm(time.strptime(self.stamp, "%Y%m%dT%H%M%SZ"))

    def _from_header(self):
        value = self.request.header("authorization")
        if value is None:
            raise Rejected("missing", "Missing Authentication Token")
        algorithm, _, rest = value.partition(" ")
        if algorithm != ALGORITHM:
            raise Rejected("incomplete", f"Unsupported AWS 'algorithm': '{algorithm}'.")
        self.stamp = self.request.header("x-amz-date")
        self.token = self.request.header("x-amz-security-token")
        self.expires = None
        pairs = (part.strip().partition("=") for part in rest.split(","))
        return {name: each for name, _, each in pairs}

    def _from_query(self):
        query = dict(self.request.query_pairs())
        if query["X-Amz-Algorithm"] != ALGORITHM:
            raise Rejected("incomplete", "Unsupported AWS 'algorithm'.")
        self.stamp = query.get("X-Amz-Date")
        self.token = query.get("X-Amz-Security-Token")
        self.expires = query.get("X-Amz-Expires", "")
        if not self.expires.isdigit() or not 1 <= int(self.expires) <= 7 * 86400:
            raise Rejected("incomplete", "X-Amz-Expires must be a number between 1 and 604800.")
        return {name: query.get("X-Amz-" + name, "")
                for name in ("Credential", "SignedHeaders", "Signature")}


def _path(request, service):
    if service == "s3":  # encoded once, and nothing is normalised: a//b is a key
        return quote(unquote(request.path), safe="/-_.~")
    out = []
    for part in request.path.split("/"):
        if part == "..":
            out and out.pop()
        elif part not in ("", "."):
            out.append(part)
    path = "/" + "/".join(out) + ("/" if out and request.path.endswith("/") else "")
    return quote(path, safe="/-_.~")  # what came is encoded already: this is the second time


def _query(request):
    pairs = [(quote(name, safe="-_.~"), quote(value, safe="-_.~"))
             for name, value in request.query_pairs() if name != "X-Amz-Signature"]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _headers(request, names):
    lines = []
    for name in names:
        values = [" ".join(value.split()) for key, value in request.headers if key == name]
        if not values:
            raise Rejected("mismatch", f"The signed header '{name}' is not in the request.")
        lines.append(f"{name}:{','.join(values)}\n")
    return "".join(lines)


def _payload(claim, service):
    request = claim.request
    digest = hashlib.sha256(request.body).hexdigest()
    said = request.header("x-amz-content-sha256")
    if service != "s3":
        return digest
    if claim.presigned:
        return said or "UNSIGNED-PAYLOAD"
    if said is None:
        raise Rejected("incomplete", "Missing required header for this request: "
                       "x-amz-content-sha256")
    if said not in _UNSIGNED and said != digest:
        raise Rejected("mismatch", "The provided 'x-amz-content-sha256' header does not match "
                       "what was computed.")
    return said


def canonical_request(claim, service):
    request = claim.request
    return "\n".join([request.method, _path(request, service), _query(request),
                      _headers(request, claim.signed_headers), ";".join(claim.signed_headers),
                      _payload(claim, service)])


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def sign(secret, claim, service):
    scope = f"{claim.date}/{claim.region}/{claim.service}/{claim.terminator}"
    hashed = hashlib.sha256(
        canonical_request(claim, service).encode("utf-8", "surrogateescape")).hexdigest()
    key = ("AWS4" + secret).encode()
    for part in (claim.date, claim.region, claim.service, claim.terminator):
        key = _hmac(key, part)
    return _hmac(key, "\n".join([ALGORITHM, claim.stamp, scope, hashed])).hex()


def verify(claim, credentials, regions, now):
    """Raises Rejected unless the request was signed with `credentials` (None: there is no such
    key) for one of `regions` around `now`, seconds since the epoch."""
    if credentials is None:
        raise Rejected("unknown-key", "The security token included in the request is invalid.")
    if claim.terminator != "aws4_request" or claim.date != claim.stamp[:8]:
        raise Rejected("mismatch", "Credential should be scoped with a valid terminator and date.")
    if claim.region not in regions:
        raise Rejected("mismatch", "Credential should be scoped to a valid region, "
                       f"not '{claim.region}'.")
    if claim.presigned:
        if claim.time > now + SKEW or now > claim.time + int(claim.expires):
            raise Rejected("skewed", "Request has expired.")
    elif abs(now - claim.time) > SKEW:
        def stamp(at):
            return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        if claim.time < now:
            raise Rejected("skewed", f"Signature expired: {claim.stamp} is now earlier than "
                           f"{stamp(now - SKEW)} ({stamp(now)} - 15 min.)")
        raise Rejected("skewed", f"Signature not yet current: {claim.stamp} is still later than "
                       f"{stamp(now + SKEW)} ({stamp(now)} + 15 min.)")
    if claim.token != credentials.token:
        raise Rejected("unknown-key", "The security token included in the request is invalid.")
    if claim.signed_headers != sorted(claim.signed_headers) or "host" not in claim.signed_headers:
        raise Rejected("mismatch", "'Host' or ':authority' must be a 'SignedHeader' in the AWS "
                       "Authorization.")
    unsigned = [name for name, _ in claim.request.headers
                if name.startswith("x-amz-") and name not in claim.signed_headers]
    if unsigned and not claim.presigned:
        raise Rejected("mismatch", "There were headers present in the request which were not "
                       "signed: " + ", ".join(unsigned))
    if not hmac.compare_digest(sign(credentials.secret, claim, claim.service), claim.signature):
        raise Rejected("mismatch", "The request signature we calculated does not match the "
                       "signature you provided. Check your AWS Secret Access Key and signing "
                       "method.")
    if credentials.expires is not None and credentials.expires <= now:
        raise Rejected("expired", "The security token included in the request is expired")
