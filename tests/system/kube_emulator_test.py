# labels: peers
"""The tests' Kubernetes API server against what Kubernetes documents: objects and their versions,
lists and watches."""

import http.client
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.kube.api import Api  # noqa: E402
from harness.kube.case import MAPS, PODS, KubeCase, config_map, pod  # noqa: E402
from harness.process import wait_until  # noqa: E402
from harness.testing import main  # noqa: E402


class Objects(KubeCase):
    def test_an_object_has_what_the_server_gives_it_and_a_version_that_guards_it(self):
        made = self.api.post(MAPS, config_map(x="1"))
        self.assertEqual(201, made.status)
        metadata = made.json["metadata"]
        self.assertEqual("default", metadata["namespace"])
        for name in ("uid", "creationTimestamp", "resourceVersion", "managedFields"):
            self.assertIn(name, metadata)
        self.refused(self.api.post(MAPS, config_map()), 409, "AlreadyExists",
                     'configmaps "a" already exists')
        first = made.json
        changed = self.api.put(MAPS + "/a", {**first, "data": {"x": "2"}})
        self.assertEqual(200, changed.status)
        self.assertLess(int(metadata["resourceVersion"]),
                        int(changed.json["metadata"]["resourceVersion"]))
        self.refused(self.api.put(MAPS + "/a", {**first, "data": {"x": "3"}}), 409, "Conflict",
                     "the object has been modified")
        same = self.api.put(MAPS + "/a", changed.json)
        self.assertEqual(changed.json["metadata"]["resourceVersion"],
                         same.json["metadata"]["resourceVersion"])
        other = {**changed.json, "metadata": {**changed.json["metadata"], "uid": "another"}}
        self.refused(self.api.put(MAPS + "/a", other), 409, "Conflict", "Precondition failed: UID")
        self.assertEqual("Success", self.api.delete(MAPS + "/a").json["status"])
        self.refused(self.api.get(MAPS + "/a"), 404, "NotFound", 'configmaps "a" not found')

    def test_what_cannot_be_is_refused_with_the_status_that_kubernetes_has_for_it(self):
        cases = [
            ("POST", "/api/v1/namespaces/none/configmaps", config_map(), 404, "NotFound"),
            ("POST", MAPS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}},
             400, "BadRequest"),
            ("POST", MAPS, b"{", 400, "BadRequest"),
            ("POST", MAPS, config_map("Bad_Name"), 422, "Invalid"),
            ("POST", MAPS, config_map(x=1), 400, "BadRequest"),
            ("GET", "/api/v1/nothing", None, 404, "NotFound"),
            ("GET", "/apis/none.example/v1/things", None, 404, "NotFound"),
            ("POST", MAPS + "/a", config_map(), 405, "MethodNotAllowed"),
            ("POST", PODS, pod(serviceAccountName="nobody"), 403, "Forbidden"),
            ("POST", PODS, {**pod(), "spec": {}}, 422, "Invalid"),
            ("GET", MAPS + "?labelSelector=a%20b%20c", None, 400, "BadRequest"),
            ("GET", MAPS + "?fieldSelector=data.x%3D1", None, 400, "BadRequest"),
            ("POST", MAPS + "?dryRun=Some", config_map(), 422, "Invalid"),
        ]
        for method, path, body, code, reason in cases:
            with self.subTest(f"{method} {path} {body}"):
                self.refused(self.api.ask(method, path, body), code, reason)

    def test_unknown_fields_are_told_or_refused(self):
        body = {**config_map(), "extra": 1}
        warned = self.api.post(MAPS, body)
        self.assertEqual(['299 - "unknown field \\"extra\\""'], warned.warnings())
        self.assertNotIn("extra", warned.json)
        self.refused(self.api.post(MAPS + "?fieldValidation=Strict", body), 400, "BadRequest",
                     'strict decoding error: unknown field "extra"')
        self.assertEqual([], self.api.post(MAPS + "?fieldValidation=Ignore",
                                           {**body, "metadata": {"name": "b"}}).warnings())

    def test_a_dry_run_changes_nothing(self):
        before = self.cluster.store.revision
        self.assertEqual(201, self.api.post(MAPS + "?dryRun=All", config_map()).status)
        self.assertEqual(201, self.api.patch(
            MAPS + "/z?fieldManager=m&dryRun=All", config_map("z"), "apply").status)
        self.assertEqual(before, self.cluster.store.revision)

    def test_a_status_is_written_by_its_own_path_and_the_generation_counts_the_spec(self):
        base = "/apis/apps/v1/namespaces/default/deployments"
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
        made = self.api.post(base, {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
            "status": {"replicas": 7}}).json
        self.assertEqual((1, None, 1), (made["metadata"]["generation"], made.get("status"),
                                        made["spec"]["replicas"]))
        status = self.api.patch(base + "/d/status", {"status": {"replicas": 2},
                                                     "spec": {"replicas": 9}}).json
        self.assertEqual((1, 2, 1), (status["metadata"]["generation"], status["status"]["replicas"],
                                     status["spec"]["replicas"]))
        spec = self.api.patch(base + "/d", {"spec": {"replicas": 3},
                                            "status": {"replicas": 0}}).json
        self.assertEqual((2, 2), (spec["metadata"]["generation"], spec["status"]["replicas"]))
        self.refused(self.api.patch(base + "/d", {"spec": {"selector": {"matchLabels": {
            "c": "d"}}}}), 422, "Invalid", "spec.selector: Invalid value")

    def test_pods_end_gracefully_and_objects_wait_for_their_finalizers(self):
        self.api.post(PODS, pod())
        self.cluster.assign("p", "10.64.0.9")
        going = self.api.delete(PODS + "/p").json
        self.assertEqual(30, going["metadata"]["deletionGracePeriodSeconds"])
        self.assertEqual(200, self.api.get(PODS + "/p").status)
        self.api.delete(PODS + "/p?gracePeriodSeconds=0")
        self.assertEqual(404, self.api.get(PODS + "/p").status)

        made = config_map("f")
        made["metadata"]["finalizers"] = ["example.com/wait"]
        self.api.post(MAPS, made)
        self.api.delete(MAPS + "/f")
        held = self.api.get(MAPS + "/f").json
        self.assertIn("deletionTimestamp", held["metadata"])
        self.api.patch(MAPS + "/f", {"metadata": {"finalizers": None}})
        self.assertEqual(404, self.api.get(MAPS + "/f").status)

    def test_many_at_once_and_evictions(self):
        for name in ("a", "b", "c"):
            self.cluster.run_pod(name, labels={"t": "x" if name != "c" else "y"})
        gone = self.api.delete(PODS + "?labelSelector=t%3Dx")
        self.assertEqual(["a", "b"], [each["metadata"]["name"] for each in gone.json["items"]])
        self.assertEqual(201, self.api.post(PODS + "/c/eviction", {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "c"}}).status)
        for each in self.cluster.list("pods", "default"):  # the kubelet has 30 s for each
            self.assertIn("deletionTimestamp", each["metadata"])
            self.cluster.delete("pods", each["metadata"]["name"], "default")
        self.assertEqual([], self.api.get(PODS).json["items"])

    def test_a_namespace_takes_along_what_is_in_it(self):
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
        self.assertEqual({"default"}, {each["metadata"]["name"] for each in self.cluster.list(
            "serviceaccounts", "team")})
        held = config_map("f")
        held["metadata"].update(namespace="team", finalizers=["example.com/wait"])
        self.cluster.create(held)
        self.cluster.run_pod("p", "team")
        self.assertEqual("Terminating", self.api.delete("/api/v1/namespaces/team").json["status"][
            "phase"])
        self.assertEqual([], self.cluster.list("pods", "team"))
        self.refused(self.api.post("/api/v1/namespaces/team/configmaps", config_map()), 403,
                     "Forbidden", "because it is being terminated")
        self.api.patch("/api/v1/namespaces/team/configmaps/f", {"metadata": {"finalizers": None}})
        self.assertEqual(404, self.api.get("/api/v1/namespaces/team").status)

    def test_events_have_two_faces(self):
        self.assertEqual(201, self.api.post("/apis/events.k8s.io/v1/namespaces/default/events", {
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"},
            "regarding": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "Denied", "note": "no",
            "type": "Warning", "action": "Deny", "reportingController": "ebbgate.dev/gateway",
            "reportingInstance": "g", "eventTime": "2026-01-01T00:00:00.000000Z"}).status)
        core = self.api.get("/api/v1/namespaces/default/events/e").json
        self.assertEqual(("no", "p"), (core["message"], core["involvedObject"]["name"]))
        new = self.api.get("/apis/events.k8s.io/v1/events").json["items"][0]
        self.assertEqual(("no", "p"), (new["note"], new["regarding"]["name"]))
        for field, value in (("eventTime", None), ("action", ""), ("type", "Bad"),
                             ("note", "x" * 1025), ("regarding", {"namespace": "other"})):
            with self.subTest(field):
                bad = {**new, "apiVersion": "events.k8s.io/v1", "kind": "Event", field: value,
                       "metadata": {"name": "bad"}}
                self.refused(self.api.post("/apis/events.k8s.io/v1/namespaces/default/events", bad),
                             422, "Invalid")

    def test_secrets(self):
        path = "/api/v1/namespaces/default/secrets"
        made = self.api.post(path, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
                                    "stringData": {"a": "text"}}).json
        self.assertEqual(({"a": "dGV4dA=="}, "Opaque"), (made["data"], made["type"]))
        self.assertNotIn("stringData", made)
        self.refused(self.api.patch(path + "/s", {"type": "kubernetes.io/tls"}), 422, "Invalid",
                     "type: Invalid value")
        self.refused(self.api.post(path, {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "t"},
            "type": "kubernetes.io/tls"}), 422, "Invalid", "data[tls.crt]: Required value")


class Lists(KubeCase):
    def names(self, query=""):
        reply = self.api.get(f"/api/v1/pods{query}")
        self.assertEqual(200, reply.status, reply.body)
        return [each["metadata"]["name"] for each in reply.json["items"]]

    def test_selectors(self):
        for name, labels, ip in (("a", {"t": "x"}, "10.0.0.1"), ("b", {"t": "y", "u": "z"},
                                                                 "10.0.0.2"), ("c", {}, None)):
            self.cluster.run_pod(name, labels=labels or {"none": ""}, ip=ip, node="n-" + name)
        for selector, expected in {
                "labelSelector=t%3Dx": ["a"], "labelSelector=t!%3Dx": ["b", "c"],
                "labelSelector=t": ["a", "b"], "labelSelector=!t": ["c"],
                "labelSelector=t%20in%20(x,y),u": ["b"],
                "labelSelector=t%20notin%20(x)": ["b", "c"],
                "fieldSelector=spec.nodeName%3Dn-b": ["b"], "fieldSelector=metadata.name!%3Da":
                ["b", "c"], "fieldSelector=status.phase%3DPending": []}.items():
            with self.subTest(selector):
                self.assertEqual(expected, self.names("?" + selector))

    def test_pages_show_one_moment_until_it_is_compacted(self):
        self.cluster.populate(10, first="10.0.0.1")
        first = self.api.get(PODS + "?limit=4").json
        self.assertEqual((4, 6), (len(first["items"]), first["metadata"]["remainingItemCount"]))
        self.cluster.delete("pods", "pod-000007", "default")
        self.cluster.run_pod("pod-9")
        token = first["metadata"]["continue"]
        rest = self.api.get(f"{PODS}?limit=100&continue={token}").json
        self.assertEqual([f"pod-{n:06d}" for n in range(4, 10)],
                         [each["metadata"]["name"] for each in rest["items"]])
        self.assertEqual(first["metadata"]["resourceVersion"], rest["metadata"]["resourceVersion"])
        self.cluster.compact()
        gone = self.api.get(f"{PODS}?limit=100&continue={token}")
        self.refused(gone, 410, "Expired", "The provided continue parameter is too old")
        again = self.api.get(f"{PODS}?continue={gone.json['metadata']['continue']}").json
        self.assertEqual(["pod-000004", "pod-000005", "pod-000006", "pod-000008", "pod-000009",
                          "pod-9"], [each["metadata"]["name"] for each in again["items"]])

    def test_versions_of_lists(self):
        self.cluster.run_pod("a")
        then = self.cluster.store.revision
        self.cluster.run_pod("b")
        exact = f"?resourceVersion={then}&resourceVersionMatch=Exact"
        self.assertEqual(["a"], self.names(exact))
        self.assertEqual(["a", "b"], self.names("?resourceVersion=0"))
        self.assertEqual(["a", "b"], self.names("?resourceVersion=0&limit=1"))  # without pages
        self.assertEqual(["a", "b"], self.names(f"?resourceVersion={then}"))
        self.refused(self.api.get("/api/v1/pods?resourceVersion=99999999"), 504, "Timeout",
                     "Too large resource version")
        self.cluster.compact()
        self.refused(self.api.get("/api/v1/pods" + exact), 410, "Expired")
        self.refused(self.api.get("/api/v1/pods?resourceVersionMatch=Exact"), 422, "Invalid")

    def test_a_hundred_thousand_pods(self):
        began = time.monotonic()
        self.cluster.populate(100_000)
        body = self.api.get("/api/v1/pods").body
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(100_000, body.count(b'"podIP":'))
        self.assertNotIn(b'"kind":"Pod",', body)  # items of built-in types do not say what they are

    def test_tables_and_metadata_alone(self):
        self.cluster.run_pod("a")
        table = self.api.get(PODS, Accept="application/json;as=Table;v=v1;g=meta.k8s.io").json
        self.assertEqual(("Table", "a"), (table["kind"], table["rows"][0]["cells"][0]))
        partial = self.api.get(
            PODS, Accept="application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").json
        self.assertEqual(("PartialObjectMetadataList", {"kind", "apiVersion", "metadata"}),
                         (partial["kind"], set(partial["items"][0])))
        self.refused(self.api.get(PODS, Accept="application/vnd.kubernetes.protobuf"), 406,
                     "NotAcceptable")


class Watches(KubeCase):
    def watch(self, query, count=None, path=PODS):
        """The events of a watch: (type, name or message)."""
        out = []
        for kind, each in self.api.watch(f"{path}?watch=1&{query}"):
            out.append((kind, each.get("metadata", {}).get("name") or each.get("message", "")))
            if len(out) == count:
                break
        return out

    def test_a_watch_begins_behind_its_version(self):
        self.cluster.run_pod("a")
        then = self.cluster.store.revision
        self.cluster.run_pod("b")
        self.cluster.set_status("pods", "a", "default", phase="Failed")
        self.cluster.create(config_map())
        self.cluster.delete("pods", "a", "default")
        self.assertEqual([("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a")],
                         self.watch(f"resourceVersion={then}&timeoutSeconds=0"))
        for query in ("", "resourceVersion=0"):
            self.assertEqual([("ADDED", "b")], self.watch(query + "&timeoutSeconds=0"))

    def test_an_object_that_leaves_the_selection_is_deleted(self):
        self.cluster.run_pod("a", labels={"t": "x"})
        then = self.cluster.store.revision
        for labels in ({"t": "y"}, {"t": "x"}):
            self.cluster.change("pods", "a", "default", lambda pod: pod["metadata"].update(
                labels=labels))
        events = list(self.api.watch(
            f"{PODS}?watch=1&resourceVersion={then}&labelSelector=t%3Dx&timeoutSeconds=0"))
        self.assertEqual(["DELETED", "ADDED"], [kind for kind, _ in events])
        self.assertEqual({"t": "x"}, events[0][1]["metadata"]["labels"])  # as it was last in it
        self.assertEqual(str(then + 1), events[0][1]["metadata"]["resourceVersion"])

    def test_a_version_that_is_compacted_is_gone(self):
        self.cluster.run_pod("a")
        then = self.cluster.store.revision
        self.cluster.run_pod("b")
        self.cluster.compact()
        (kind, status), = self.api.watch(f"{PODS}?watch=1&resourceVersion={then}")
        self.assertEqual(("ERROR", 410, "Expired"), (kind, status["code"], status["reason"]))

    def test_bookmarks_and_initial_events(self):
        self.cluster.run_pod("a")
        events = self.api.watch(f"{PODS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true"
                                "&resourceVersionMatch=NotOlderThan")
        self.assertEqual("ADDED", next(events)[0])
        kind, mark = next(events)
        self.assertEqual(("BOOKMARK", {"k8s.io/initial-events-end": "true"}),
                         (kind, mark["metadata"]["annotations"]))
        self.cluster.create(config_map())
        self.cluster.watches[0].bookmark()
        kind, mark = next(events)
        self.assertEqual(("BOOKMARK", "Pod", str(self.cluster.store.revision)),
                         (kind, mark["kind"], mark["metadata"]["resourceVersion"]))
        self.assertNotIn("annotations", mark["metadata"])
        events.close()

    def test_every_end_that_a_watch_can_have(self):
        self.cluster.run_pod("a")
        for kind, expected in {
                "gone": [("ERROR", "too old resource version: 1 (2)")], "close": [],
                "error": [("ERROR", "etcdserver: no leader")]}.items():
            with self.subTest(kind):
                self.cluster.faults.next("watch", "pods", kind)
                self.assertEqual(expected, self.watch(""))
        self.cluster.faults.next("watch", "pods", "gone-status")
        self.refused(self.api.get(PODS + "?watch=1"), 410, "Expired")
        self.cluster.faults.next("watch", "pods", "torn")
        with self.assertRaises((ValueError, http.client.IncompleteRead)):
            self.watch("")
        self.cluster.faults.next("watch", "pods", "garbage")
        with self.assertRaises(ValueError):
            self.watch("")
        self.cluster.faults.next("watch", "pods", "slow")
        self.assertEqual([("ADDED", "a")], self.watch("timeoutSeconds=0"))
        self.assertEqual(0, self.cluster.faults.pending())

    def test_a_half_open_watch_neither_speaks_nor_ends(self):
        self.cluster.faults.next("watch", "pods", "silent")
        silent = Api(self.cluster, patience=0.4).watch(PODS + "?watch=1")
        with self.assertRaises(TimeoutError):
            next(silent)
        live = self.api.watch(PODS + "?watch=1")
        self.cluster.run_pod("a")
        self.assertEqual("ADDED", next(live)[0])
        self.cluster.watches[-1].fail("gone")
        self.assertEqual("ERROR", next(live)[0])

    def test_a_fault_may_come_after_some_events(self):
        then = self.cluster.store.revision
        self.cluster.populate(5)
        self.cluster.faults.next("watch", "pods", "gone", after=2)
        self.assertEqual(["ADDED", "ADDED", "ERROR"], [kind for kind, _ in self.watch(
            f"resourceVersion={then}")])

    def test_a_client_that_leaves_ends_its_watch(self):
        events = self.api.watch(PODS + "?watch=1")
        self.cluster.run_pod("a")
        next(events)
        events.close()
        del events
        wait_until(lambda: not self.cluster.watches, what="the end of the watch")


if __name__ == "__main__":
    main()
