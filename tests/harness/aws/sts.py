"""STS: who the caller is, and sessions of roles, by a web identity's token or by another's right."""

import base64
import json
import time

from .protocols import AwsError
from .service import Service


def iso(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


class Sts(Service):
    scope, protocol, version = "sts", "query", "2011-06-15"
    namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
    public = ("AssumeRoleWithWebIdentity",)

    def __init__(self, emulator):
        super().__init__(emulator)
        self.web_identities = {}  # token -> its subject
        self.session_seconds = 3600

    def web_identity(self, subject="system:serviceaccount:ebbgate:gateway"):
        """For tests: a token as a projected service account's file holds it."""
        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
        token = ".".join([part({"alg": "RS256"}), part({"sub": subject, "iat": len(
            self.web_identities)}), "c2lnbmF0dXJl"])
        self.web_identities[token] = subject
        return token

    def demands(self, operation, parameters):
        if operation in ("GetCallerIdentity", *self.public):
            return []  # needs no permission, and no Deny forbids it
        return super().demands(operation, parameters)

    def resource(self, operation, parameters):
        return parameters.get("RoleArn")

    def GetCallerIdentity(self, p):
        return {"Arn": self.caller.arn, "UserId": self.caller.user_id,
                "Account": self.emulator.account}

    def _role(self, arn):
        for role in self.emulator.iam.roles.values():
            if role.arn == arn:
                return role
        raise AwsError("AccessDenied", "Not authorized to perform sts:AssumeRole", 403)

    def _session(self, p):
        session = self.emulator.iam.session(
            self._role(p["RoleArn"]), p["RoleSessionName"],
            int(p.get("DurationSeconds", self.session_seconds)))
        return {"Credentials": {"AccessKeyId": session.key, "SecretAccessKey": session.secret,
                                "SessionToken": session.token, "Expiration": iso(session.expires)},
                "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn}}

    def AssumeRole(self, p):
        self.need(p, "RoleArn", "RoleSessionName")
        return self._session(p)

    def AssumeRoleWithWebIdentity(self, p):
        self.need(p, "RoleArn", "RoleSessionName", "WebIdentityToken")
        subject = self.web_identities.get(p["WebIdentityToken"])
        if subject is None:
            raise AwsError("InvalidIdentityToken", "Couldn't retrieve verification key from your "
                           "identity provider")
        return {"SubjectFromWebIdentityToken": subject, **self._session(p),
                "Provider": "arn:aws:iam::111122223333:oidc-provider/oidc.example",
                "Audience": "sts.amazonaws.com"}
