# labels: peers
"""The tests' Kubernetes API server against what Kubernetes documents: patches, server-side apply
and who owns what, custom types by their schema, and admission webhooks."""

import base64
import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.kube import cel  # noqa: E402
from harness.kube.api import Api  # noqa: E402
from harness.kube.case import MAPS, PODS, KubeCase, config_map, pod  # noqa: E402
from harness.kube.webhook import Webhook  # noqa: E402
from harness.testing import main  # noqa: E402

SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
THINGS = "/apis/example.com/v1/namespaces/default/things"


def daemon_set(env, name="aws-node", **container):
    return {"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": {"k8s-app": name}}, "template": {
                "metadata": {"labels": {"k8s-app": name}},
                "spec": {"containers": [{"name": name, "image": "cni:1", "env": env, **container},
                                        {"name": "agent", "image": "agent:1"}]}}}}


def variables(document, container=0):
    return {each["name"]: each.get("value") for each in document["spec"]["template"]["spec"][
        "containers"][container].get("env", [])}


class Patches(KubeCase):
    def test_json_patch(self):
        made = config_map(c="2")
        made["metadata"]["annotations"] = {"a.b/c": "1"}
        self.api.post(MAPS, made)
        reply = self.api.patch(MAPS + "/a", [
            {"op": "test", "path": "/data/c", "value": "2"},
            {"op": "replace", "path": "/metadata/annotations/a.b~1c", "value": "3"},
            {"op": "move", "from": "/data/c", "path": "/data/d"},
            {"op": "add", "path": "/metadata/labels", "value": {"x": "y"}}], "json")
        self.assertEqual(({"a.b/c": "3"}, {"d": "2"}), (
            reply.json["metadata"]["annotations"], reply.json["data"]))
        for operation in ({"op": "test", "path": "/data/d", "value": "no"},
                          {"op": "remove", "path": "/data/none"},
                          {"op": "add", "path": "/data/none/deep", "value": ""}):
            with self.subTest(str(operation)):
                self.refused(self.api.patch(MAPS + "/a", [operation], "json"), 422, "Invalid")
        self.refused(self.api.patch(MAPS + "/a", {"op": "add"}, "json"), 400, "BadRequest")

    def test_merge_patch(self):
        self.api.post(MAPS, config_map(x="1", y="2"))
        reply = self.api.patch(MAPS + "/a", {"data": {"x": None, "z": "3"}})
        self.assertEqual({"y": "2", "z": "3"}, reply.json["data"])
        self.refused(self.api.patch(MAPS + "/a", {"metadata": {"resourceVersion": "1"}}), 409,
                     "Conflict")

    def test_strategic_merge_knows_lists_by_their_keys(self):
        self.api.post(SETS, daemon_set([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                                       envFrom=[{"configMapRef": {"name": "old"}}]))
        reply = self.api.patch(SETS + "/aws-node", {"spec": {"template": {"spec": {"containers": [
            {"name": "aws-node", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"},
                                         {"name": "A", "$patch": "delete"}],
             "envFrom": [{"configMapRef": {"name": "proxy-environment-variables"}}]}]}}}},
            "strategic-merge")
        self.assertEqual({"B": "3", "C": "4"}, variables(reply.json))
        containers = reply.json["spec"]["template"]["spec"]["containers"]
        self.assertEqual(["aws-node", "agent"], [each["name"] for each in containers])
        self.assertEqual([{"configMapRef": {"name": "proxy-environment-variables"}}],
                         containers[0]["envFrom"])  # replaced: it has no key
        self.assertEqual(2, reply.json["metadata"]["generation"])

    def test_a_type_of_patch_that_is_not_known(self):
        self.api.post(MAPS, config_map())
        self.refused(self.api.ask("PATCH", MAPS + "/a", {}), 415, "UnsupportedMediaType")


class Apply(KubeCase):
    def apply(self, path, body, manager="ebbgate", **query):
        more = "".join(f"&{key}={value}" for key, value in query.items())
        return self.api.patch(f"{path}?fieldManager={manager}{more}", body, "apply")

    def test_applying_creates_changes_and_takes_back(self):
        self.assertEqual(201, self.apply(MAPS + "/a", config_map(x="1", y="2")).status)
        self.api.patch(MAPS + "/a?fieldManager=other", {"data": {"z": "3"}})
        second = self.apply(MAPS + "/a", config_map(x="1"))
        self.assertEqual((200, {"x": "1", "z": "3"}), (second.status, second.json["data"]))
        again = self.apply(MAPS + "/a", config_map(x="1"))
        self.assertEqual(second.json["metadata"]["resourceVersion"],
                         again.json["metadata"]["resourceVersion"])
        owners = {each["manager"]: (each["operation"], each["fieldsV1"])
                  for each in again.json["metadata"]["managedFields"]}
        self.assertEqual({"ebbgate": ("Apply", {"f:data": {"f:x": {}}}),
                          "other": ("Update", {"f:data": {"f:z": {}}})}, owners)

    def test_a_conflict_names_who_owns_what_and_force_takes_it(self):
        self.api.post(SETS + "?fieldManager=eksctl", daemon_set([{"name": "A", "value": "1"}]))
        wanted = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "aws-node"},
                  "spec": {"template": {"spec": {"containers": [
                      {"name": "aws-node", "env": [{"name": "A", "value": "2"},
                                                   {"name": "B", "value": "3"}]}]}}}}
        reply = self.apply(SETS + "/aws-node", wanted)
        path = '.spec.template.spec.containers[name="aws-node"].env[name="A"].value'
        self.refused(reply, 409, "Conflict", "Apply failed with 1 conflict: conflict with "
                     '"eksctl" using apps/v1 at ')
        self.assertEqual(("FieldManagerConflict", path), (
            reply.json["details"]["causes"][0]["reason"],
            reply.json["details"]["causes"][0]["field"]))
        forced = self.apply(SETS + "/aws-node", wanted, force="true").json
        self.assertEqual({"A": "2", "B": "3"}, variables(forced))
        self.assertEqual("cni:1", forced["spec"]["template"]["spec"]["containers"][0]["image"])
        self.api.patch(SETS + "/aws-node?fieldManager=kubectl-set", {"spec": {"template": {"spec": {
            "containers": [{"name": "aws-node", "env": [{"name": "B", "value": "9"}]}]}}}},
            "strategic-merge")
        self.refused(self.apply(SETS + "/aws-node", wanted), 409, "Conflict", "kubectl-set")
        wanted["spec"]["template"]["spec"]["containers"][0]["env"].pop()
        less = self.apply(SETS + "/aws-node", wanted).json
        self.assertEqual({"A": "2", "B": "9"}, variables(less))  # it is the other's by now

    def test_what_an_apply_has_to_say(self):
        self.refused(self.api.patch(MAPS + "/a", config_map(), "apply"), 422, "Invalid",
                     "fieldManager: Required value")
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n"
        self.assertEqual(201, self.apply(MAPS + "/a", text).status)
        self.refused(self.apply(MAPS + "/b", text), 400, "BadRequest", "does not match the name")

    def test_a_status_is_applied_by_itself(self):
        self.cluster.create(definition())
        self.api.post(THINGS, thing())
        body = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}}
        for manager, kind in (("gateway", "Accepted"), ("other", "Programmed")):
            reply = self.apply(THINGS + "/t/status", {**body, "status": {"conditions": [
                {"type": kind, "status": "True"}]}}, manager)
            self.assertEqual(200, reply.status, reply.body)
        self.assertEqual(["Accepted", "Programmed"], [
            each["type"] for each in reply.json["status"]["conditions"]])
        self.assertEqual(1, reply.json["metadata"]["generation"])
        self.assertEqual({"status"}, {each.get("subresource", "") for each in reply.json[
            "metadata"]["managedFields"] if each["operation"] == "Apply"})


def definition(**more):
    schema = {"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "properties": {
            "mode": {"type": "string", "enum": ["enforce", "report"], "default": "enforce"},
            "hosts": {"type": "array", "maxItems": 3, "x-kubernetes-list-type": "set", "items": {
                "type": "string", "pattern": "^[a-z.]+$", "maxLength": 20}},
            "port": {"x-kubernetes-int-or-string": True, "minimum": 1, "maximum": 65535},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "count": {"type": "integer", "minimum": 1}},
            "x-kubernetes-validations": [
                {"rule": "!has(self.port) || has(self.hosts)", "message": "port needs hosts"},
                {"rule": "has(self.nothing()) && unknown", "message": "not evaluated"}]},
        "status": {"type": "object", "properties": {"conditions": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
            "items": {"type": "object", "properties": {"type": {"type": "string"},
                                                       "status": {"type": "string"}}}}}}}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.com"}, "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"kind": "Thing", "plural": "things", "shortNames": ["th"]},
                "versions": [{"name": "v1", "served": True, "storage": True,
                              "subresources": {"status": {}},
                              "additionalPrinterColumns": [
                                  {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
                                  {"name": "Accepted", "type": "string", "jsonPath":
                                   ".status.conditions[?(@.type==\"Accepted\")].status"}],
                              "schema": {"openAPIV3Schema": schema}, **more}]}}


def thing(name="t", **spec):
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name},
            "spec": spec}


class CustomTypes(KubeCase):
    def setUp(self):
        super().setUp()
        self.assertEqual(201, self.api.post(CRDS, definition()).status)

    def test_a_definition_brings_a_type_and_takes_it_away(self):
        conditions = self.api.get(CRDS + "/things.example.com").json["status"]["conditions"]
        self.assertIn(("Established", "True"), [(each["type"], each["status"])
                                                for each in conditions])
        made = self.api.post(THINGS, thing(hosts=["a.b"]))
        self.assertEqual((201, "enforce", 1), (made.status, made.json["spec"]["mode"],
                                               made.json["metadata"]["generation"]))
        watch = self.api.watch(THINGS + "?watch=1")
        self.assertEqual("ADDED", next(watch)[0])
        self.api.delete(CRDS + "/things.example.com")
        self.assertEqual("DELETED", next(watch)[0])
        watch.close()
        self.assertEqual(404, self.api.get(THINGS).status)

    def test_the_schema_prunes_and_judges(self):
        cases = [
            (thing(mode="off"), 'spec.mode: Unsupported value: "off": supported values: "enforce", '
             '"report"'),
            (thing(hosts="a"), 'spec.hosts in body must be of type array: "string"'),
            (thing(hosts=["A"]), "spec.hosts[0] in body should match '^[a-z.]+$'"),
            (thing(hosts=["a", "b", "c", "d"]), "spec.hosts: Too many: 4: must have at most 3 items"),
            (thing(hosts=["a", "a"]), "spec.hosts[1]: Duplicate value"),
            (thing(count=0), "spec.count in body should be greater than or equal to 1"),
            (thing(port=[]), "spec.port in body must be of type integer,string"),
            (thing(labels={"a": 1}), 'spec.labels.a in body must be of type string: "integer"'),
            (thing(port=1), "spec: Invalid value: \"object\": port needs hosts"),
            ({**thing(), "spec": None}, "spec"),
        ]
        for body, message in cases:
            with self.subTest(message):
                self.refused(self.api.post(THINGS, body), 422, "Invalid", message)
        self.assertEqual({"has(self.nothing()) && unknown"}, self.cluster.types.skipped)
        loose = self.api.post(THINGS, thing(extra=1, free={"any": [1]}))
        self.assertEqual((['299 - "unknown field \\"spec.extra\\""'], {"free": {"any": [1]},
                                                                       "mode": "enforce"}),
                         (loose.warnings(), loose.json["spec"]))
        self.refused(self.api.post(THINGS + "?fieldValidation=Strict", thing("u", extra=1)), 400,
                     "BadRequest", 'strict decoding error: unknown field "spec.extra"')
        self.refused(self.api.patch(THINGS + "/t", {}, "strategic-merge"), 415,
                     "UnsupportedMediaType")

    def test_a_stricter_schema_lets_be_what_an_update_does_not_touch(self):
        self.api.post(THINGS, thing(mode="report", hosts=["a"]))
        stricter = definition()
        shape = stricter["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        shape["properties"]["mode"]["enum"] = ["enforce"]
        self.assertEqual(200, self.api.patch(CRDS + "/things.example.com", {
            "spec": stricter["spec"]}).status)
        self.assertEqual(200, self.api.patch(THINGS + "/t", {"spec": {"hosts": ["b"]}}).status)
        self.refused(self.api.patch(THINGS + "/t", {"spec": {"mode": "other"}}), 422, "Invalid",
                     "spec.mode")
        self.refused(self.api.post(THINGS, thing("u", mode="report")), 422, "Invalid", "spec.mode")

    def test_its_columns(self):
        self.api.post(THINGS, thing())
        self.api.patch(THINGS + "/t/status", {"status": {"conditions": [
            {"type": "Accepted", "status": "True"}]}})
        table = self.api.get(THINGS, Accept="application/json;as=Table;v=v1;g=meta.k8s.io").json
        self.assertEqual(["Name", "Mode", "Accepted"], [
            each["name"] for each in table["columnDefinitions"]])
        self.assertEqual(["t", "enforce", "True"], table["rows"][0]["cells"])

    def test_a_definition_that_is_not_structural(self):
        broken = definition()
        broken["metadata"]["name"] = "others.example.com"
        self.refused(self.api.post(CRDS, broken), 422, "Invalid", "metadata.name")
        broken["spec"]["names"]["plural"] = "others"
        schema = broken["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        del schema["properties"]["spec"]["properties"]["count"]["type"]
        self.refused(self.api.post(CRDS, broken), 422, "Invalid",
                     "properties[spec].properties[count].type: Required value")

    def test_expressions(self):
        value = {"a": 1, "b": ["x", "yy"], "c": {"d": "text"}, "m": "report"}
        for text, expected in {
                "has(self.a) && !has(self.z)": True, "self.a + 1 == 2 ? 'y' : 'n'": "y",
                "self.b.all(x, x.size() < 3)": True, "self.b.exists(x, x == 'z')": False,
                "size(self.b) == 2 && 'x' in self.b": True, "self.c.d.startsWith('te')": True,
                "self.c.d.matches(r'^t\\w+$')": True, "self.z == 1 || true": True,
                "self.b[1] == \"yy\"": True, "self.m in ['report', 'enforce']": True,
                "self.b.map(x, size(x))": [1, 2]}.items():
            with self.subTest(text):
                self.assertEqual(expected, cel.compile_(text)({"self": value}))
        for text, error in (("self.z", cel.Failed), ("now()", cel.Unsupported),
                            ("self.a &", cel.Unsupported), ("other", cel.Unsupported)):
            with self.subTest(text), self.assertRaises(error):
                cel.compile_(text)({"self": value})


class Webhooks(KubeCase):
    def setUp(self):
        super().setUp()
        self.webhook = self.enter(Webhook(self.cluster))

    def hook(self, kind="Mutating", **more):
        return self.webhook.register(kind, **more)

    def test_a_mutating_webhook_changes_pods_and_sees_what_they_are(self):
        self.hook()
        self.webhook.answer = lambda review: self.webhook.allow(review, patch=[
            {"op": "add", "path": "/spec/containers/0/env", "value": [
                {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}], warnings=["injected"])
        made = self.api.post(PODS, {**pod(), "metadata": {"generateName": "p-"}})
        self.assertEqual((201, ['299 - "injected"']), (made.status, made.warnings()))
        self.assertEqual("HTTPS_PROXY", made.json["spec"]["containers"][0]["env"][0]["name"])
        request = self.webhook.requests[0]["request"]
        self.assertEqual(("CREATE", "default", "pods", "kubernetes-admin", False), (
            request["operation"], request["namespace"], request["resource"]["resource"],
            request["userInfo"]["username"], request["dryRun"]))
        self.assertNotIn("name", request)  # it has none yet
        self.assertIn("kube-api-access", request["object"]["spec"]["volumes"][0]["name"])
        self.api.post(PODS + "?dryRun=All", pod())
        self.assertIs(True, self.webhook.requests[1]["request"]["dryRun"])

    def test_a_validating_webhook_refuses(self):
        self.hook("Validating", resources=["configmaps"], operations=["*"])
        self.webhook.answer = lambda review: self.webhook.deny(review, "line 3: no such host", 422)
        self.refused(self.api.post(MAPS, config_map()), 422, None,
                     'admission webhook "hook.ebbgate.dev" denied the request: line 3: no such host')
        self.assertIsNone(self.cluster.get("configmaps", "a", "default"))
        self.webhook.answer = self.webhook.allow
        self.api.post(MAPS, config_map())
        self.api.patch(MAPS + "/a", {"data": {"x": "1"}})
        self.api.delete(MAPS + "/a")
        self.assertEqual(["CREATE", "UPDATE", "DELETE"], [
            each["request"]["operation"] for each in self.webhook.requests[1:]])
        self.assertEqual({"x": "1"}, self.webhook.requests[-1]["request"]["oldObject"]["data"])

    def test_selectors_and_conditions_say_what_it_is_asked_about(self):
        for more, labels, annotations, asked in (
                ({"namespaceSelector": {"matchLabels": {"inject": "true"}}}, {}, {}, False),
                ({"namespaceSelector": {"matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "NotIn",
                     "values": ["kube-system"]}]}}, {}, {}, True),
                ({"objectSelector": {"matchLabels": {"in": "yes"}}}, {"in": "yes"}, {}, True),
                ({"objectSelector": {"matchLabels": {"in": "yes"}}}, {}, {}, False),
                ({"matchConditions": [{"name": "out", "expression":
                                       "!has(object.metadata.annotations) || "
                                       "!('skip' in object.metadata.annotations)"}]}, {},
                 {"skip": "1"}, False)):
            with self.subTest(f"{more} {labels}"):
                self.hook(**more)
                count = len(self.webhook.requests)
                body = pod()
                body["metadata"].update(labels=labels, annotations=annotations)
                self.assertEqual(201, self.api.post(PODS, body).status)
                self.assertEqual(asked, len(self.webhook.requests) > count)
                self.api.delete(PODS + "/p?gracePeriodSeconds=0")

    def test_a_webhook_that_fails_blocks_or_not_by_its_policy(self):
        wrong = [
            ("another uid", lambda review: {**self.webhook.allow(review), "response": {
                "uid": "x", "allowed": True}}, "expected response.uid"),
            ("no response", lambda review: {"kind": "AdmissionReview",
                                            "apiVersion": "admission.k8s.io/v1"}, "was absent"),
            ("another version", lambda review: {**self.webhook.allow(review),
                                                "apiVersion": "v1"}, "expected webhook response"),
            ("no JSON", lambda review: b"<html>", "couldn't get object"),
            ("a bad patch", lambda review: self.webhook.allow(review, patch=[
                {"op": "remove", "path": "/nothing"}]), "applying its patch"),
            ("500", lambda review: 500, "status code 500"),
            ("too slow", lambda review: threading.Event().wait(1.3) or self.webhook.allow(review),
             "context deadline exceeded"),
        ]
        for policy, status in (("Fail", 500), ("Ignore", 201)):
            for name, answer, message in wrong:
                with self.subTest(f"{policy} {name}"):
                    self.hook(failurePolicy=policy, timeoutSeconds=1 if name == "too slow" else 20)
                    self.webhook.answer = answer
                    reply = self.api.post(PODS + "?dryRun=All", pod())
                    self.assertEqual(status, reply.status, reply.body)
                    if status == 500:
                        self.assertIn(message, reply.json["message"])
                        self.assertIn('failed calling webhook "hook.ebbgate.dev"',
                                      reply.json["message"])

    def test_its_certificate_has_to_be_of_the_bundle(self):
        self.hook(ca=b"")
        self.refused(self.api.post(PODS, pod()), 500, "InternalError", "CERTIFICATE_VERIFY_FAILED")
        self.hook(service="elsewhere")
        self.refused(self.api.post(PODS, pod()), 500, "InternalError", 'service "elsewhere" not found')
        self.hook()
        self.webhook.close()
        self.refused(self.api.post(PODS, pod()), 500, "InternalError", "failed to call webhook")

    def test_a_webhook_is_asked_again_after_another_has_changed_something(self):
        def mark(review):
            labels = review["request"]["object"]["metadata"].get("labels", {})
            name = "first" if review["path"] == "/first" else "second"
            return self.webhook.allow(review, patch=[] if name in labels else [
                {"op": "add", "path": "/metadata/labels", "value": {**labels, name: "x"}}])
        self.webhook.answer = mark
        self.hook(name="a", path="/first", reinvocationPolicy="IfNeeded")
        self.hook(name="b", path="/second")
        made = self.api.post(PODS, pod()).json
        self.assertEqual({"first": "x", "second": "x"}, made["metadata"]["labels"])
        self.assertEqual(["/first", "/second", "/first"], [
            each["path"] for each in self.webhook.requests])

    def test_ephemeral_containers_come_by_their_own_path(self):
        self.hook(resources=["pods/ephemeralcontainers"], operations=["UPDATE"])
        self.api.post(PODS, pod())
        self.assertEqual([], self.webhook.requests)
        reply = self.api.patch(PODS + "/p/ephemeralcontainers", {"spec": {"ephemeralContainers": [
            {"name": "debug", "image": "busybox:1"}]}}, "strategic-merge")
        self.assertEqual((200, "debug"), (reply.status, reply.json["spec"]["ephemeralContainers"][0][
            "name"]))
        self.assertEqual("ephemeralcontainers", self.webhook.requests[0]["request"]["subResource"])

    def test_a_user_sees_what_it_said_of_him(self):
        self.hook("Validating", resources=["configmaps"])
        self.webhook.answer = lambda review: self.webhook.deny(
            review, f"not {review['request']['userInfo']['username']}")
        ann = Api(self.cluster, self.cluster.user("ann", role="edit", namespace="default"))
        self.refused(ann.post(MAPS, config_map()), 403, None, "not ann")
        self.webhook.answer = lambda review: {**self.webhook.allow(review), "response": {
            "uid": review["request"]["uid"], "allowed": False}}
        self.refused(ann.post(MAPS, config_map()), 400, None, "without explanation")


class PodSecurity(KubeCase):
    SAFE = {"securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True,
                                "capabilities": {"drop": ["ALL"]},
                                "seccompProfile": {"type": "RuntimeDefault"}}}

    def test_a_namespace_refuses_pods_and_warns_of_what_makes_them(self):
        level = "pod-security.kubernetes.io/"
        self.cluster.change("namespaces", "default", "", lambda space: space["metadata"][
            "labels"].update({level + "enforce": "restricted", level + "warn": "restricted"}))
        safe = pod()
        safe["spec"]["containers"][0].update(self.SAFE)
        self.assertEqual(201, self.api.post(PODS, safe).status)
        for message, spec in (
                ("host namespaces (hostNetwork=true)", {**safe["spec"], "hostNetwork": True}),
                ('allowPrivilegeEscalation != false (container "main" must set', pod()["spec"]),
                ("hostPath volumes", {**safe["spec"], "volumes": [
                    {"name": "v", "hostPath": {"path": "/"}}]})):
            with self.subTest(message):
                self.refused(self.api.post(PODS, {**pod("q"), "spec": spec}), 403, "Forbidden",
                             'violates PodSecurity "restricted:latest": ')
                self.assertIn(message, self.api.post(PODS, {**pod("q"), "spec": spec}).json[
                    "message"])
        made = self.api.post("/apis/apps/v1/namespaces/default/daemonsets", {
            **daemon_set([]), "metadata": {"name": "d"}})
        self.assertIn("would violate PodSecurity", made.warnings()[0])


class Encoding(KubeCase):
    def test_what_is_too_large(self):
        self.refused(self.api.post(MAPS, config_map(x="x" * (3 << 20))), 413,
                     "RequestEntityTooLarge")
        self.assertEqual(500, self.api.post(MAPS, config_map(x="x" * (2 << 20))).status)
        made = config_map()
        made["metadata"]["annotations"] = {"a": "x" * (256 << 10)}
        self.refused(self.api.post(MAPS, made), 422, "Invalid", "metadata.annotations: Too long")

    def test_what_is_written_is_what_is_read(self):
        data = {"text": "ü\n\"\\", "empty": ""}
        self.api.post(MAPS, config_map(**data))
        self.assertEqual(data, self.api.get(MAPS + "/a").json["data"])
        binary = base64.b64encode(bytes(range(256))).decode()
        reply = self.api.patch(MAPS + "/a", json.dumps({"binaryData": {"b": binary}}))
        self.assertEqual(binary, reply.json["binaryData"]["b"])


if __name__ == "__main__":
    main()
