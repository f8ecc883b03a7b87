"""Admission webhooks, called as the API server calls them: AdmissionReview v1 over TLS that is
verified against the caBundle."""

import base64
import copy
import http.client
import json
import socket
import ssl
import time
import urllib.parse
import uuid

from . import cel
from .errors import ApiError
from .patching import json_patch
from .selectors import labels_of, selects

_VERSION = "admission.k8s.io/v1"


class Review:
    """One call of a webhook: what it was asked, what it said, or why it did not (`error`)."""

    def __init__(self, webhook, request):
        self.webhook, self.request = webhook, request
        self.response = self.error = None
        self.seconds = 0

    def __repr__(self):
        said = self.error or ("allowed" if self.response["allowed"] else "denied")
        return f"<{self.webhook} {self.request['operation']} {self.request.get('name')}: {said}>"


class _Failed(Exception):
    pass


class Admission:
    """`services` says where a service is reached: {(namespace, name): (address, port)}. `reviews`
    is the journal of calls."""

    def __init__(self, store, catalogue):
        self.store, self.catalogue = store, catalogue
        self.services, self.reviews = {}, []

    def mutate(self, call, resource, user, operation, document, old):
        """(the document as the webhooks leave it, warnings)"""
        hooks = list(self._hooks("mutatingwebhookconfigurations", resource))
        warnings, again = [], []
        for hook in hooks:
            document, changed = self._mutated(hook, call, resource, user, operation, document, old,
                                              warnings)
            if changed:
                again, earlier = [each for each in hooks[:hooks.index(hook)]
                                  if each.get("reinvocationPolicy") == "IfNeeded"], again
                again += [each for each in earlier if each not in again]
        for hook in again:
            document, _ = self._mutated(hook, call, resource, user, operation, document, old,
                                        warnings)
        return document, warnings

    def _mutated(self, hook, call, resource, user, operation, document, old, warnings):
        response = self._ask(hook, call, resource, user, operation, document, old, warnings)
        if not response or not response.get("patch") or document is None:
            return document, False
        try:
            if response.get("patchType") != "JSONPatch":
                raise ValueError(f"unsupported patch type {response.get('patchType')}")
            patched = json_patch(document, json.loads(base64.b64decode(response["patch"],
                                                                       validate=True)))
        except (ApiError, ValueError) as error:
            self._unless_ignored(hook, f"error decoding or applying its patch: {error}")
            return document, False
        return patched, patched != document

    def validate(self, call, resource, user, operation, document, old, warnings=()):
        warnings = list(warnings)
        for hook in self._hooks("validatingwebhookconfigurations", resource):
            self._ask(hook, call, resource, user, operation, document, old, warnings)
        return warnings

    def _hooks(self, plural, resource):
        if resource.plural.endswith("webhookconfigurations"):
            return
        storage = self.catalogue.get(plural).storage
        for entry in self.store.list(storage)[0]:
            yield from entry.object.get("webhooks") or []

    # whether it is asked

    def _concerns(self, hook, call, resource, operation, document, old):
        if not any(self._rule(rule, call, resource, operation) for rule in hook.get("rules") or []):
            return False
        space = self._space(call, resource, document, old)
        if space is not None and not selects(hook.get("namespaceSelector") or {}, space):
            return False
        selector = hook.get("objectSelector") or {}
        return not selector or any(each is not None and selects(selector, labels_of(each))
                                   for each in (document, old))

    @staticmethod
    def _rule(rule, call, resource, operation):
        def names(key, value):
            return "*" in rule.get(key, []) or value in rule.get(key, [])
        scope = rule.get("scope", "*")
        if scope != "*" and scope != ("Namespaced" if resource.namespaced else "Cluster"):
            return False
        wanted = rule.get("resources", [])
        if call.subresource:
            full = f"{resource.plural}/{call.subresource}"
            resources = any(each in (full, "*/*", f"{resource.plural}/*", f"*/{call.subresource}")
                            for each in wanted)
        else:
            resources = any(each in (resource.plural, "*", "*/*") for each in wanted)
        return (resources and names("operations", operation)
                and names("apiGroups", resource.group) and names("apiVersions", resource.version))

    def _space(self, call, resource, document, old):
        """The labels of the namespace that the object is in, or that it is."""
        if resource.plural == "namespaces":
            return labels_of(document or old)
        if not resource.namespaced:
            return None
        entry = self.store.get(self.catalogue.get("namespaces").storage, ("", call.namespace))
        return labels_of(entry.object) if entry else {}

    # how it is asked

    def _ask(self, hook, call, resource, user, operation, document, old, warnings):
        if not self._concerns(hook, call, resource, operation, document, old):
            return None
        request = self._request(call, resource, user, operation, document, old)
        try:
            if not self._conditions(hook, request):
                return None
        except (cel.Unsupported, cel.Failed) as error:
            self._unless_ignored(hook, f"match conditions: {error}")
            return None
        review = Review(hook["name"], request)
        self.reviews.append(review)
        began = time.monotonic()
        try:
            review.response = response = self._post(hook, request)
        except _Failed as failed:
            review.error = str(failed)
            self._unless_ignored(hook, review.error)
            return None
        finally:
            review.seconds = time.monotonic() - began
        warnings += response.get("warnings") or []
        if response.get("allowed") is not True:
            status = response.get("status") or {}
            said = status.get("message") or status.get("reason")
            code = status.get("code") or 400
            raise ApiError(code if code >= 400 else 400, f'admission webhook "{hook["name"]}" denied '
                           f"the request{': ' + said if said else ' without explanation'}",
                           status.get("reason", ""), details=status.get("details"))
        return response

    @staticmethod
    def _conditions(hook, request):
        names = {"object": request["object"], "oldObject": request["oldObject"], "request": request}
        return all(cel.compile_(each["expression"])(names) is True
                   for each in hook.get("matchConditions") or [])

    @staticmethod
    def _request(call, resource, user, operation, document, old):
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        what = {"group": resource.group, "version": resource.version, "resource": resource.plural}
        options = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions",
                   "DELETE": "DeleteOptions"}[operation]
        if operation == "UPDATE" and call.verb == "patch":
            options = "PatchOptions"
        out = {"uid": str(uuid.uuid4()), "kind": kind, "resource": what, "requestKind": kind,
               "requestResource": what, "operation": operation, "userInfo": user.info(),
               "object": copy.deepcopy(document), "oldObject": copy.deepcopy(old),
               "dryRun": call.dry_run(),
               "options": {"kind": options, "apiVersion": "meta.k8s.io/v1"}}
        if call.subresource:
            out["subResource"] = out["requestSubResource"] = call.subresource
        if call.namespace and (resource.namespaced or resource.plural == "namespaces"):
            out["namespace"] = call.namespace
        if call.name:
            out["name"] = call.name
        return out

    @staticmethod
    def _unless_ignored(hook, why):
        if hook.get("failurePolicy", "Fail") != "Ignore":
            raise ApiError(500, "Internal error occurred: failed calling webhook "
                           f'"{hook["name"]}": {why}')

    def _target(self, config):
        """(address, port, name in the certificate, path)"""
        if "url" in config:
            url = urllib.parse.urlsplit(config["url"])
            return url.hostname, url.port or 443, url.hostname, url.path or "/"
        service = config["service"]
        name, space = service["name"], service["namespace"]
        if (space, name) not in self.services:
            raise _Failed(f'failed to call webhook: Post "https://{name}.{space}.svc:'
                          f'{service.get("port", 443)}{service.get("path", "")}": service "{name}" '
                          "not found")
        address, port = self.services[space, name]
        return address, port, f"{name}.{space}.svc", service.get("path") or "/"

    def _post(self, hook, request):
        config, seconds = hook["clientConfig"], hook.get("timeoutSeconds", 10)
        address, port, name, path = self._target(config)
        what = f'failed to call webhook: Post "https://{name}:{port}{path}?timeout={seconds}s": '
        body = json.dumps({"kind": "AdmissionReview", "apiVersion": _VERSION, "request": request})
        until = time.monotonic() + seconds
        connection = http.client.HTTPConnection(name, port)
        try:
            context = ssl.create_default_context(cadata=base64.b64decode(
                config["caBundle"]).decode() if config.get("caBundle") else None)
            plain = socket.create_connection((address, port), timeout=seconds)
            plain.settimeout(max(until - time.monotonic(), 0.001))
            connection.sock = context.wrap_socket(plain, server_hostname=name)
            connection.request("POST", f"{path}?timeout={seconds}s", body.encode(), {
                "Content-Type": "application/json", "Accept": "application/json",
                "User-Agent": "kube-apiserver-admission"})
            answer = connection.getresponse()
            octets = b""
            while piece := answer.read1(65536):
                octets += piece
                connection.sock and connection.sock.settimeout(
                    max(until - time.monotonic(), 0.001))
        except TimeoutError:
            raise _Failed(what + "context deadline exceeded") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _Failed(what + str(error)) from None
        finally:
            connection.close()
        if answer.status != 200:
            raise _Failed(f"failed to call webhook: the server responded with the status code "
                          f"{answer.status}: {octets[:200].decode('utf-8', 'replace')}")
        return self._checked(request, octets)

    @staticmethod
    def _checked(request, octets):
        try:
            review = json.loads(octets)
        except ValueError as error:
            raise _Failed(f"failed to call webhook: couldn't get object from the answer: {error}"
                          ) from None
        if not isinstance(review, dict) or (review.get("kind"), review.get("apiVersion")) != (
                "AdmissionReview", _VERSION):
            raise _Failed(f"expected webhook response of {_VERSION}, Kind=AdmissionReview")
        response = review.get("response")
        if not isinstance(response, dict):
            raise _Failed("webhook response was absent")
        if response.get("uid") != request["uid"]:
            raise _Failed(f'expected response.uid="{request["uid"]}", got '
                          f'"{response.get("uid")}"')
        if bool(response.get("patch")) != bool(response.get("patchType")):
            raise _Failed("response.patch and response.patchType go together")
        return response
