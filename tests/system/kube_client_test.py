# labels: kube
"""The Kubernetes client against the tests' own API server: every way to say who is there, lists of
any length, watches that survive what happens to them. Where KUBECONFIG names a cluster, what only
reads is asked of that one, too."""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws import Emulator  # noqa: E402
from harness.kube.cluster import Cluster  # noqa: E402
from harness.kube.errors import expired  # noqa: E402
from harness.testing import Case, main  # noqa: E402

PODS = {"plural": "pods"}
MAPS = {"plural": "configmaps", "namespace": "default"}
POD, AMBIGUOUS, NODE, AWAITED, UNKNOWN, STALE = range(6)


class Probe:
    """The client as a process that is asked one thing after another."""

    def __init__(self, environment):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith("KUBE")}
        self.process = subprocess.Popen(
            [os.environ["EBBGATE_KUBE_PROBE"]], env={**clean, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def said(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, what, **arguments):
        self.process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self.process.stdin.flush()
        return self.said()

    def value(self, what, **arguments):
        said = self.ask(what, **arguments)
        assert "value" in said, f"{what}: {said}"
        return said["value"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class ClientCase(Case):
    def setUp(self):
        self.cluster = self.enter(Cluster())

    def probe(self, environment=None, **kubeconfig):
        return self.enter(Probe(environment or
                                {"KUBECONFIG": str(self.cluster.kubeconfig(**kubeconfig))}))

    def config_map(self, name, **data):
        return self.cluster.create({"apiVersion": "v1", "kind": "ConfigMap",
                                    "metadata": {"name": name, "namespace": "default"},
                                    "data": data})

    def until(self, probe, what, holds, seconds=15, **arguments):
        """Asks until the answer is as wanted; gives it, and how long that took."""
        begin = time.monotonic()
        while True:
            value = probe.value(what, **arguments)
            if holds(value):
                return value, time.monotonic() - begin
            self.assertLess(time.monotonic() - begin, seconds, value)
            time.sleep(0.01)


class Access(ClientCase):
    def works(self, **kubeconfig):
        probe = self.probe(**kubeconfig)
        self.assertEqual("default", probe.value("get", plural="namespaces",
                                                name="default")["metadata"]["name"])
        return probe

    def refuses(self, environment):
        process = self.enter(Probe(environment))
        return process.said()["failure"]

    def test_token_certificate_file_and_program(self):
        self.works()
        self.works(certificate=self.cluster.pki.client("admin", ["system:masters"]))
        self.works(certificate=self.cluster.pki.client("admin", ["system:masters"]), inline=False)
        token = self.scratch() / "token"
        token.write_text(self.cluster.admin + "\n")
        self.works(token_file=token)
        plugin = self.cluster.plugin()
        self.works(plugin=plugin)
        call = plugin.calls()[0]
        self.assertEqual(["token"], call["arguments"])
        self.assertEqual({"PLUGIN_SETTING": "set"}, call["variables"])
        info = json.loads(call["info"])
        self.assertEqual("client.authentication.k8s.io/v1", info["apiVersion"])
        self.assertEqual(self.cluster.url, info["spec"]["cluster"]["server"])

    def test_a_program_may_give_a_certificate(self):
        plugin = self.cluster.plugin()
        plugin.give(certificate=self.cluster.pki.client("admin", ["system:masters"]))
        self.works(plugin=plugin)

    def test_a_program_is_asked_again_when_its_token_is_refused(self):
        plugin = self.cluster.plugin()
        plugin.give("nonsense")
        probe = self.probe(plugin=plugin)
        self.assertEqual(401, probe.ask("get", plural="namespaces",
                                        name="default")["failure"]["status"])
        before = len(plugin.calls())
        plugin.give(self.cluster.admin)
        self.assertTrue(probe.value("get", plural="namespaces", name="default"))
        probe.value("get", plural="namespaces", name="default")
        self.assertEqual(before + 1, len(plugin.calls()))

    def test_what_a_program_says_when_it_fails_is_told(self):
        plugin = self.cluster.plugin()
        plugin.fail("log in first")
        said = self.probe(plugin=plugin).ask("get", plural="namespaces", name="default")
        self.assertIn("log in first", said["failure"]["said"])

    def test_a_pod_uses_its_service_account_and_its_renewed_token(self):
        cluster = self.cluster
        cluster.create({"apiVersion": "v1", "kind": "Namespace",
                        "metadata": {"name": "ebbgate-system"}})
        cluster.create({"apiVersion": "v1", "kind": "ServiceAccount",
                        "metadata": {"name": "ebbgate", "namespace": "ebbgate-system"}})
        environment, folder = cluster.in_cluster()
        probe = self.probe({**environment, "EBBGATE_PROBE_ACCOUNT": str(folder)})
        self.assertEqual("ebbgate-system", probe.value("home"))
        said = probe.ask("get", plural="secrets", namespace="default", name="x")["failure"]
        self.assertEqual(403, said["status"])
        self.assertIn("system:serviceaccount:ebbgate-system:ebbgate", said["said"])
        # The token has expired for the API, and the file has another: it is read at once.
        cluster.clock.advance(2 * 3600)
        self.cluster.renew(folder)
        said = probe.ask("get", plural="secrets", namespace="default", name="x")["failure"]
        self.assertEqual(403, said["status"])

    def test_a_role_of_aws_is_enough_for_eks(self):
        aws = self.enter(Emulator())
        role = aws.iam.role("gateway")
        self.cluster.trust_eks(aws, "prod", {role.arn: (None, ["system:masters"])})
        aws.eks.api_endpoint = self.cluster.url
        aws.eks.certificate = self.cluster.pki.ca.read_text()
        aws.eks.add("prod")
        aws.eks.add("strange")
        probe = self.probe({**aws.environment(aws.iam.session(role)), "EBBGATE_PROBE_EKS": "prod"})
        self.assertTrue(probe.value("get", plural="namespaces", name="default"))
        # Another cluster's token is none.
        probe = self.probe({**aws.environment(aws.iam.session(role)),
                            "EBBGATE_PROBE_EKS": "strange"})
        said = probe.ask("get", plural="namespaces", name="default")
        self.assertEqual(401, said["failure"]["status"])
        self.assertIn("none is not there", self.refuses(
            {**aws.environment(aws.iam.session(role)), "EBBGATE_PROBE_EKS": "none"}))

    def test_who_answers_is_verified(self):
        other = self.enter(Cluster())
        config = self.cluster.kubeconfig(server=other.url)
        said = self.enter(Probe({"KUBECONFIG": str(config)})).ask("get", plural="pods", name="x")
        self.assertIn("certificate", said["failure"]["said"])
        said = self.probe(tls_server_name="elsewhere.example").ask("get", plural="pods", name="x")
        self.assertIn("elsewhere.example", said["failure"]["said"])
        self.assertEqual([], other.calls())

    def test_a_renewed_authority_is_trusted(self):
        config = self.cluster.kubeconfig(inline=False)
        authority = self.scratch() / "ca.pem"
        authority.write_text(self.enter(Cluster()).pki.ca.read_text())
        config.write_text(config.read_text().replace(str(self.cluster.pki.ca), str(authority)))
        probe = self.enter(Probe({"KUBECONFIG": str(config)}))
        self.assertIn("failure", probe.ask("get", plural="namespaces", name="default"))
        authority.write_text(self.cluster.pki.ca.read_text())
        self.assertTrue(probe.value("get", plural="namespaces", name="default"))

    def test_the_name_to_verify_may_be_another_than_the_servers(self):
        self.works(tls_server_name="kubernetes.default.svc")

    def test_a_check_that_is_turned_off_is_refused(self):
        config = self.cluster.kubeconfig()
        config.write_text(config.read_text().replace(
            "server:", "insecure-skip-tls-verify: true\n    server:"))
        self.assertIn("insecure-skip-tls-verify", self.refuses({"KUBECONFIG": str(config)}))


class Calls(ClientCase):
    def test_objects_are_written_and_read(self):
        probe = self.probe()
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                "data": {"x": "1"}}
        created = probe.value("apply", **MAPS, name="a", object=body)
        self.assertEqual({"x": "1"}, created["data"])
        again = probe.value("apply", **MAPS, name="a", object=body)
        self.assertEqual(created["metadata"]["resourceVersion"],
                         again["metadata"]["resourceVersion"])
        body["data"]["x"] = "2"
        conflict = probe.ask("apply", **MAPS, name="a", object=body, manager="other")["failure"]
        self.assertEqual((409, "Conflict"), (conflict["status"], conflict["reason"]))
        self.assertEqual("2", probe.value("apply", **MAPS, name="a", object=body, manager="other",
                                          force=True)["data"]["x"])
        self.assertEqual({"x": "2", "y": "3"}, probe.value(
            "patch", **MAPS, name="a", object={"data": {"y": "3"}})["data"])
        probe.value("remove", **MAPS, name="a")
        probe.value("remove", **MAPS, name="a")
        self.assertEqual("NotFound", probe.ask("get", **MAPS, name="a")["failure"]["reason"])

    def test_what_is_served_is_known(self):
        probe = self.probe()
        self.assertTrue(probe.value("serves", plural="pods"))
        self.assertFalse(probe.value("serves", plural="nothings"))
        self.assertFalse(probe.value("serves", group="none.example", plural="nothings"))

    def test_calls_survive_faults(self):
        self.config_map("a", x="1")
        probe = self.probe()
        for kind in ("429", "500", "503", "reset", "truncated"):
            self.cluster.faults.next("get", "configmaps", kind, retry_after=0)
            self.assertTrue(probe.value("get", **MAPS, name="a"), kind)
        for kind in ("html", "malformed"):
            self.cluster.faults.next("get", "configmaps", kind)
            self.assertIn("failure", probe.ask("get", **MAPS, name="a"), kind)
        self.assertEqual(0, self.cluster.faults.pending())


class Lists(ClientCase):
    def test_all_pages_come(self):
        self.cluster.populate(1234)
        probe = self.probe()
        self.assertEqual(1234, probe.value("list", **PODS))
        self.assertEqual(3, len(self.cluster.calls("list", "pods")))
        self.assertEqual(0, probe.value("list", **PODS, labels="app=other"))

    def test_a_list_begins_anew_where_its_pages_expire(self):
        self.cluster.populate(600)
        probe = self.probe()
        pages = iter((None, "gone"))
        original = self.cluster.reader.list

        def answer(call, resource):
            if next(pages, None):
                raise expired("the continue parameter is too old")
            return original(call, resource)

        self.cluster.reader.list = answer
        self.assertEqual(600, probe.value("list", **PODS))

    def test_memory_does_not_grow_with_the_list(self):
        if b"__tsan_init" in pathlib.Path(os.environ["EBBGATE_KUBE_PROBE"]).read_bytes():
            self.skipTest("a sanitizer's memory is not ours")
        # Another keeps what was freed, for a while.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0"
        probe = self.probe({"KUBECONFIG": str(self.cluster.kubeconfig()), "ASAN_OPTIONS": options})
        self.assertEqual(0, probe.value("list", **PODS))
        before = probe.value("memory")
        self.cluster.populate(20_000)
        self.assertEqual(20_000, probe.value("list", **PODS))
        # In KiB; the list itself has about 20 MiB.
        self.assertLess(probe.value("memory") - before, 4096)


class Watches(ClientCase):
    def setUp(self):
        super().setUp()
        self.cluster.delete("configmaps", "kube-root-ca.crt", "default")
        self.config_map("a")

    def watching(self, **options):
        probe = self.probe()
        probe.value("watch", **MAPS, **options)
        self.until(probe, "objects", lambda names: "default/a" in names)
        self.until(probe, "state", lambda state: state["streams"] > 0)
        return probe

    def sees(self, probe, name, seconds=15):
        self.config_map(name)
        return self.until(probe, "objects", lambda names: f"default/{name}" in names, seconds)[1]

    def test_changes_come_at_once(self):
        probe = self.watching()
        self.assertLess(self.sees(probe, "b"), 1)
        self.cluster.delete("configmaps", "a", "default")
        self.until(probe, "objects", lambda names: names == ["default/b"])
        state = probe.value("state")
        self.assertEqual((1, 0), (state["lists"], state["failures"]))
        self.assertFalse(state["lost"])

    def test_every_fault_of_a_watch_is_overcome(self):
        for number, kind in enumerate(("close", "torn", "gone", "gone-status", "error", "garbage",
                                       "unknown-event", "slow", "429", "500", "503", "401", "reset",
                                       "html", "malformed", "truncated")):
            with self.subTest(kind):
                options = {"retry_after": 0} if kind in ("429", "503") else {}
                self.cluster.faults.next("watch", "configmaps", kind, **options)
                probe = self.watching()
                self.sees(probe, f"one-{number}")
                self.sees(probe, f"two-{number}")
                self.until(probe, "state", lambda state: not state["lost"])
                self.assertEqual(0, self.cluster.faults.pending())

    def test_a_stream_that_is_silent_is_given_up(self):
        self.cluster.faults.next("watch", "configmaps", "silent")
        probe = self.watching(quiet=300)
        self.sees(probe, "b", 5)
        state = probe.value("state")
        self.assertGreaterEqual(state["failures"], 1)
        self.assertEqual(1, state["lists"])

    def test_what_happened_in_a_gap_is_made_up_for(self):
        probe = self.watching()
        self.cluster.down()
        self.until(probe, "state", lambda state: state["lost"])
        self.assertEqual(["default/a"], probe.value("objects"))
        self.config_map("b")
        self.cluster.delete("configmaps", "a", "default")
        self.cluster.up()
        self.until(probe, "objects", lambda names: names == ["default/b"])
        self.assertFalse(probe.value("state")["lost"])
        self.assertEqual(1, probe.value("state")["lists"])

    def test_a_gap_that_is_too_long_for_the_api_is_listed(self):
        probe = self.watching()
        self.cluster.down()
        self.until(probe, "state", lambda state: state["lost"])
        self.config_map("b")
        self.cluster.delete("configmaps", "a", "default")
        self.cluster.compact()
        self.cluster.up()
        self.until(probe, "objects", lambda names: names == ["default/b"])
        self.assertEqual(2, probe.value("state")["lists"])

    def test_the_api_ends_streams_and_nothing_is_lost(self):
        probe = self.watching(stream=1)
        self.until(probe, "state", lambda state: state["streams"] >= 3)
        self.sees(probe, "b")
        state = probe.value("state")
        self.assertEqual((1, 0), (state["lists"], state["failures"]))

    def test_a_kind_that_comes_later_is_waited_for(self):
        probe = self.probe()
        probe.value("watch", group="ebbgate.dev", plural="egresspolicies")
        state, _ = self.until(probe, "state", lambda state: state["failures"] > 1)
        self.assertIn("404", state["error"])
        self.assertTrue(state["lost"])

    def test_under_a_hail_of_faults_it_ends_up_with_the_truth(self):
        probe = self.watching(quiet=500)
        self.cluster.faults.random(7, 0.5, resources=["configmaps"])
        for number in range(60):
            self.config_map(f"m-{number}")
            if number % 3 == 0:
                self.cluster.delete("configmaps", f"m-{number}", "default")
            time.sleep(0.02)
        self.cluster.faults.clear()
        wanted = sorted(["default/a"] + [f"default/m-{n}" for n in range(60) if n % 3])
        self.until(probe, "objects", lambda names: sorted(names) == wanted, 40)
        self.until(probe, "state", lambda state: not state["lost"])


class Pods(ClientCase):
    def test_a_pod_is_known_within_a_second(self):
        self.cluster.populate(1000)
        probe = self.probe()
        probe.value("watch-pods", **PODS)
        self.until(probe, "pods", lambda count: count == 1000)
        self.cluster.run_pod("new", ip="10.99.0.1", account="front")
        found, took = self.until(probe, "pod", lambda found: found["presence"] == POD,
                                 address="10.99.0.1")
        self.assertEqual(("default/new", "front"), (found["pod"], found["account"]))
        self.assertLess(took, 1)
        self.cluster.finish_pod("new")
        self.until(probe, "pod", lambda found: found["presence"] == AWAITED, address="10.99.0.1")

    def test_a_pod_that_goes_while_nobody_watches_is_forgotten(self):
        self.cluster.run_pod("a", ip="10.99.0.1")
        self.cluster.run_pod("b", ip="10.99.0.2")
        probe = self.probe()
        probe.value("watch-pods", **PODS)
        self.until(probe, "pods", lambda count: count == 2)
        self.cluster.down()
        self.until(probe, "state", lambda state: state["lost"])
        self.cluster.delete("pods", "a", "default")
        self.cluster.compact()
        self.cluster.up()
        self.until(probe, "pod", lambda found: found["presence"] == AWAITED, address="10.99.0.1")
        self.assertEqual(POD, probe.value("pod", address="10.99.0.2")["presence"])


class RealCluster(Case):
    """Of the cluster that KUBECONFIG names, if it does; nothing is written to it."""

    def setUp(self):
        if not os.environ.get("KUBECONFIG"):
            self.skipTest("KUBECONFIG names no cluster")
        self.probe = self.enter(Probe({"KUBECONFIG": os.environ["KUBECONFIG"]}))

    def test_it_is_read(self):
        self.assertIn("gitVersion", self.probe.value("path", path="/version"))
        self.assertTrue(self.probe.value("serves", plural="pods"))
        self.assertGreater(self.probe.value("list", plural="namespaces"), 0)

    def test_it_is_watched(self):
        self.probe.value("watch", plural="namespaces")
        end = time.monotonic() + 20
        while not (state := self.probe.value("state"))["synced"] or not state["streams"]:
            self.assertLess(time.monotonic(), end, state)
            time.sleep(0.1)
        self.assertIn("/default", self.probe.value("objects"))


if __name__ == "__main__":
    main(at_once=4)
