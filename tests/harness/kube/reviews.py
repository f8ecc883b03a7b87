"""Questions that are asked by creating an object which nobody keeps: who am I, may I, may they; and
tokens of service accounts."""

from .errors import ApiError
from .rbac import Attributes
from .writing import stamp


def _attributes(spec):
    if "nonResourceAttributes" in spec:
        what = spec["nonResourceAttributes"]
        return Attributes(what.get("verb", ""), path=what.get("path", ""))
    what = spec.get("resourceAttributes") or {}
    return Attributes(what.get("verb", ""), what.get("group", ""), what.get("resource", ""),
                      what.get("subresource", ""), what.get("namespace") or None,
                      what.get("name") or None)


class Reviews:
    def __init__(self, authentication, authorization, clock, user_type):
        self._authentication, self._authorization = authentication, authorization
        self._clock, self._user = clock, user_type

    def answer(self, resource, document, user):
        """The document with its status."""
        status = getattr(self, "_" + resource.plural)(document.get("spec") or {}, user)
        return {**document, "metadata": document.get("metadata") or {}, "status": status}

    def _selfsubjectaccessreviews(self, spec, user):
        allowed = self._authorization.allows(user, _attributes(spec))
        return {"allowed": True, "reason": "RBAC: allowed"} if allowed else {"allowed": False}

    def _subjectaccessreviews(self, spec, _):
        return self._selfsubjectaccessreviews(spec, self._user(spec.get("user", ""),
                                                               spec.get("groups", [])))

    _localsubjectaccessreviews = _subjectaccessreviews

    def _selfsubjectrulesreviews(self, spec, user):
        rules = list(self._authorization.rules(user, spec.get("namespace")))
        return {"resourceRules": [each for each in rules if "resources" in each],
                "nonResourceRules": [each for each in rules if "nonResourceURLs" in each],
                "incomplete": False}

    def _selfsubjectreviews(self, _, user):
        return {"userInfo": user.info()}

    def _tokenreviews(self, spec, _):
        try:
            user = self._authentication.of_token(spec.get("token", ""))
        except ApiError:
            return {"authenticated": False, "error": "invalid bearer token"}
        return {"authenticated": True, "user": user.info(),
                "audiences": ["https://kubernetes.default.svc"]}

    def token(self, call, document):
        """TokenRequest of a service account."""
        spec = document.setdefault("spec", {})
        seconds = spec.setdefault("expirationSeconds", 3600)
        if seconds < 600:
            raise ApiError(422, 'TokenRequest.authentication.k8s.io "" is invalid: '
                           f"spec.expirationSeconds: Invalid value: {seconds}: may not specify a "
                           "duration less than 10 minutes")
        token, expires = self._authentication.service_account_token(
            call.namespace, call.name, seconds, spec.get("audiences") or [])
        return {**document, "status": {"token": token, "expirationTimestamp": stamp(expires)}}
