"""An admission webhook of the tests' own: a server with a certificate of the cluster's authority,
its registration, and answers that a test chooses."""

import base64
import json
import ssl

from ..wire import HttpServer, Response


class Webhook:
    """`answer` is a function of an AdmissionReview (with the `path` that it was sent to), which
    gives a document, octets, or a status code; `requests` is what it was asked."""

    def __init__(self, cluster, namespace="ebbgate-system", service="ebbgate-webhook"):
        self.cluster, self.namespace, self.service = cluster, namespace, service
        self.requests, self.answer = [], self.allow
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*cluster.pki.serving(f"DNS:{service}.{namespace}.svc"))
        self._server = HttpServer(self._serve, context=context)
        cluster.services[namespace, service] = ("127.0.0.1", self._server.port)

    def close(self):
        self._server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _serve(self, request):
        review = {**json.loads(request.body), "path": request.path}
        self.requests.append(review)
        said = self.answer(review)
        if isinstance(said, int):
            return Response(said, body=b"no")
        if isinstance(said, dict):
            said = json.dumps(said).encode()
        return Response(200, [("Content-Type", "application/json")], said)

    @staticmethod
    def allow(review, patch=None, warnings=()):
        response = {"uid": review["request"]["uid"], "allowed": True}
        if patch:
            response.update(patchType="JSONPatch", patch=base64.b64encode(
                json.dumps(patch).encode()).decode())
        if warnings:
            response["warnings"] = list(warnings)
        return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
                "response": response}

    @staticmethod
    def deny(review, message, code=403):
        return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": {
            "uid": review["request"]["uid"], "allowed": False,
            "status": {"message": message, "code": code}}}

    def register(self, kind="Mutating", name="tests", resources=("pods",), operations=("CREATE",),
                 ca=None, service=None, path="/", **more):
        """Writes its configuration, in place of one of that name."""
        plural = f"{kind.lower()}webhookconfigurations"
        if self.cluster.get(plural, name):
            self.cluster.delete(plural, name)
        bundle = self.cluster.pki.ca.read_bytes() if ca is None else ca
        return self.cluster.create({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": name}, "webhooks": [{
                "name": "hook.ebbgate.dev", "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "rules": [{"apiGroups": ["*"], "apiVersions": ["*"],
                           "resources": list(resources), "operations": list(operations)}],
                "clientConfig": {"caBundle": base64.b64encode(bundle).decode(), "service": {
                    "namespace": self.namespace, "name": service or self.service, "path": path}},
                **more}]})
