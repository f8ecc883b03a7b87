"""Who asks: bearer tokens, client certificates, tokens of service accounts, EKS's signed ones, and
impersonation."""

import base64
import json
import re
import secrets
import urllib.parse

from ..wire import Request
from .errors import ApiError

ALL, NOBODY = "system:authenticated", "system:unauthenticated"
EKS = "k8s-aws-v1."


class User:
    def __init__(self, name, groups=(), uid=None, extra=None):
        self.name, self.uid, self.extra = name, uid, extra or {}
        self.groups = list(dict.fromkeys([*groups, *([] if NOBODY in groups else [ALL])]))

    def info(self):
        """As a UserInfo (authentication/v1)."""
        out = {"username": self.name, "groups": self.groups}
        if self.uid:
            out["uid"] = self.uid
        if self.extra:
            out["extra"] = self.extra
        return out

    def __repr__(self):
        return f"<{self.name}>"


def unauthorized():
    return ApiError(401, "Unauthorized")


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Authentication:
    """`clock` has now(); `eks` is (emulator of AWS, cluster's name, {role's ARN: (user name,
    groups)}), or None."""

    def __init__(self, clock):
        self.clock, self.tokens, self.eks = clock, {}, None
        self.accounts = None  # (namespace, name) -> the ServiceAccount's uid, or None

    def token(self, user, seconds=None, groups=()):
        """For tests: a bearer token of somebody, good for `seconds` (for ever)."""
        token = secrets.token_urlsafe(24)
        user = user if isinstance(user, User) else User(user, groups)
        self.tokens[token] = (user, seconds and self.clock.now() + seconds)
        return token

    def service_account_token(self, namespace, name, seconds=3600, audiences=(), pod=None):
        """A token as TokenRequest gives it, and the moment it expires."""
        now = self.clock.now()
        user = User(f"system:serviceaccount:{namespace}:{name}",
                    ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
                    uid=self.accounts and self.accounts(namespace, name),
                    extra={"authentication.kubernetes.io/pod-name": [pod]} if pod else None)
        claims = {"aud": list(audiences) or ["https://kubernetes.default.svc"], "sub": user.name,
                  "iat": int(now), "nbf": int(now), "exp": int(now + seconds),
                  "iss": "https://kubernetes.default.svc",
                  "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name}}}
        token = ".".join([_part({"alg": "RS256", "kid": "tests"}), _part(claims),
                          secrets.token_urlsafe(32)])
        self.tokens[token] = (user, now + seconds)
        return token, now + seconds

    def expire(self, token):
        """From now on the token is an expired one."""
        user, _ = self.tokens[token]
        self.tokens[token] = (user, 0)

    def user(self, request):
        """Who sent the request; 401 where a credential is there and is not good."""
        value = request.header("authorization")
        if value:
            kind, _, token = value.partition(" ")
            if kind.lower() != "bearer":
                raise unauthorized()
            return self.of_token(token.strip())
        return self._certified(request) or User("system:anonymous", [NOBODY])

    def of_token(self, token):
        if token.startswith(EKS):
            return self._eks(token)
        user, expires = self.tokens.get(token, (None, None))
        if user is None or (expires is not None and self.clock.now() >= expires):
            raise unauthorized()
        parts = user.name.split(":")
        if parts[:2] == ["system", "serviceaccount"] and self.accounts:
            uid = self.accounts(*parts[2:])
            if uid is None or uid != user.uid:
                raise unauthorized()  # the account is gone, or is another of that name
        return user

    @staticmethod
    def _certified(request):
        get = getattr(request.connection, "getpeercert", None)
        certificate = get() if get else None
        if not certificate:
            return None
        names = [pair for part in certificate["subject"] for pair in part]
        return User(next(value for key, value in names if key == "commonName"),
                    [value for key, value in names if key == "organizationName"])

    def _eks(self, token):
        """As aws-iam-authenticator checks it: a presigned GetCallerIdentity, which names the
        cluster in a signed header and is not older than 15 minutes."""
        if not self.eks:
            raise unauthorized()
        aws, cluster, entries = self.eks
        text = token[len(EKS):]
        try:
            url = urllib.parse.urlsplit(base64.urlsafe_b64decode(
                text + "=" * (-len(text) % 4)).decode())
        except ValueError:
            raise unauthorized() from None
        query = {key.lower(): value for key, value in urllib.parse.parse_qsl(url.query)}
        signed = query.get("x-amz-signedheaders", "").split(";")
        if (query.get("action") != "GetCallerIdentity" or "=" in text
                or sorted(signed) != ["host", "x-k8s-aws-id"]
                or not query.get("x-amz-expires", "").isdigit()
                or not 0 < int(query["x-amz-expires"]) <= 900):
            raise unauthorized()
        response = aws.server.answer(Request(
            "GET", f"{url.path}?{url.query}", [("host", url.netloc), ("x-k8s-aws-id", cluster),
                                               ("accept", "application/json")]))
        found = re.search(r"arn:[\w-]+:\w+::\d+:[^<\"]+", response.body.decode())
        if response.status != 200 or not found:
            raise unauthorized()
        arn = found[0]
        role = re.sub(r":sts::(\d+):assumed-role/([^/]+)/.*", r":iam::\1:role/\2", arn)
        if role not in entries:
            raise unauthorized()
        name, groups = entries[role]
        return User(name or arn, groups, extra={"arn": [arn], "canonicalArn": [role]})


def impersonated(request):
    """The User that the request wants to be seen as, or None."""
    name = request.header("impersonate-user")
    if not name:
        return None
    return User(name, [value for key, value in request.headers if key == "impersonate-group"])
