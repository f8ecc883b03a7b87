# labels: peers
"""The tests' Kubernetes API server against what Kubernetes documents: who may what; and every fault
that can be ordered."""

import base64
import concurrent.futures
import http.client
import pathlib
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness.aws import Emulator  # noqa: E402
from harness.kube.api import Api  # noqa: E402
from harness.kube.case import MAPS, PODS, KubeCase, config_map  # noqa: E402
from harness.kube.cluster import Cluster  # noqa: E402
from harness.testing import main  # noqa: E402


class Access(KubeCase):
    def whoami(self, api):
        reply = api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
        return reply.json["status"]["userInfo"] if reply.status == 201 else reply.status

    def test_each_kind_of_credential(self):
        authentication = self.cluster.authentication
        token = authentication.token("ann", seconds=60, groups=["team"])
        self.assertEqual({"username": "ann", "groups": ["team", "system:authenticated"]},
                         self.whoami(Api(self.cluster, token)))
        self.cluster.clock.advance(61)
        self.assertEqual(401, self.whoami(Api(self.cluster, token)))
        self.assertEqual(401, self.whoami(Api(self.cluster, "unknown")))
        files = self.cluster.pki.client("bob", ["dev", "ops"])
        self.assertEqual({"username": "bob", "groups": ["dev", "ops", "system:authenticated"]},
                         self.whoami(Api(self.cluster, certificate=files)))
        self.assertEqual(403, Api(self.cluster, "").get("/api/v1/pods").status)
        self.assertEqual("ok", Api(self.cluster, "").get("/healthz").body.decode())

        account, _ = authentication.service_account_token("default", "default", 600)
        self.assertEqual("system:serviceaccount:default:default",
                         self.whoami(Api(self.cluster, account))["username"])
        asked = self.api.post("/api/v1/namespaces/default/serviceaccounts/default/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 600}}).json["status"]
        self.assertEqual("system:serviceaccount:default:default",
                         self.whoami(Api(self.cluster, asked["token"]))["username"])
        self.cluster.delete("serviceaccounts", "default", "default")
        self.assertEqual(401, self.whoami(Api(self.cluster, account)))

    def test_a_server_that_is_somebody_else_is_not_believed(self):
        stranger = self.enter(Cluster())
        api = Api(stranger)
        api._cluster = self.cluster  # its certificate is of another authority
        with self.assertRaises(ssl.SSLError):
            api.get("/version")

    def test_tokens_of_eks(self):
        aws = self.enter(Emulator())
        role = aws.iam.role("gateway")
        self.cluster.trust_eks(aws, "prod", {role.arn: (None, ["ebbgate-gateways"])})
        for cluster, who, seconds, expected in (
                ("prod", role, 60, ["ebbgate-gateways", "system:authenticated"]),
                ("other", role, 60, 401), ("prod", role, 901, 401),
                ("prod", aws.iam.role("stranger"), 60, 401)):
            with self.subTest(f"{cluster} {who.arn} {seconds}"):
                token = eks_token(self, aws, aws.iam.session(who), cluster, seconds)
                said = self.whoami(Api(self.cluster, token))
                self.assertEqual(expected, said if said == 401 else said["groups"])

    def test_rules_are_kept_to_the_letter(self):
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
                 {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
                 {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"],
                  "verbs": ["get", "list"]}]
        self.cluster.run_pod("p")
        everywhere = Api(self.cluster, self.cluster.user("all", rules=rules))
        inside = Api(self.cluster, self.cluster.user("one", rules=rules, namespace="default"))
        for path, method, of_all, of_one in (
                ("/api/v1/pods", "GET", 200, 403), (PODS, "GET", 200, 200),
                (PODS + "/p", "GET", 403, 403), (PODS + "/p/status", "PATCH", 200, 200),
                (PODS + "/p", "PATCH", 403, 403), (MAPS + "/mine", "GET", 404, 404),
                (MAPS + "/kube-root-ca.crt", "GET", 403, 403),
                (MAPS, "GET", 403, 403),
                (MAPS + "?fieldSelector=metadata.name%3Dmine", "GET", 200, 200),
                ("/api/v1/namespaces/kube-system/pods", "GET", 200, 403),
                ("/apis/apps/v1/deployments", "GET", 403, 403), ("/apis", "GET", 200, 200)):
            with self.subTest(f"{method} {path}"):
                for api, expected in ((everywhere, of_all), (inside, of_one)):
                    reply = (api.patch(path, {"status": {"phase": "Running"}}) if method == "PATCH"
                             else api.get(path))
                    self.assertEqual(expected, reply.status, reply.body)
        self.refused(inside.get("/api/v1/pods"), 403, "Forbidden", 'pods is forbidden: User "one" '
                     'cannot list resource "pods" in API group "" at the cluster scope')
        for namespace, allowed in (("default", True), ("", False)):
            review = inside.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {"verb": "list", "resource": "pods",
                                                "namespace": namespace}}}).json
            self.assertIs(allowed, review["status"]["allowed"])

    def test_the_default_roles_gather_what_is_labelled_for_them(self):
        editor = Api(self.cluster, self.cluster.user("ed", role="edit", namespace="default"))
        self.assertEqual(201, editor.post(MAPS, config_map()).status)
        path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
        viewer = Api(self.cluster, self.cluster.user("vi", role="view", namespace="default"))
        self.assertEqual((200, 403), (viewer.get(path).status, viewer.post(
            MAPS, config_map("b")).status))


    def test_somebody_may_ask_in_the_name_of_another(self):
        ann = {"Impersonate-User": "ann"}
        self.refused(self.api.get("/api/v1/pods", **ann), 403, "Forbidden", 'User "ann" cannot list')
        self.cluster.user("ann", role="view")
        self.assertEqual(200, self.api.get("/api/v1/pods", **ann).status)
        self.assertEqual("ann", self.cluster.calls("list", "pods")[-1].user)
        bob = Api(self.cluster, self.cluster.user("bob", role="view"))
        self.refused(bob.get("/api/v1/pods", **ann), 403, "Forbidden", "cannot impersonate")

    def test_nobody_grants_what_he_has_not_got(self):
        base = "/apis/rbac.authorization.k8s.io/v1/"
        rules = [{"apiGroups": ["rbac.authorization.k8s.io"], "verbs": ["create"],
                  "resources": ["clusterroles", "clusterrolebindings"]},
                 {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
        api = Api(self.cluster, self.cluster.user("ann", rules=rules))
        for name, verbs, status in (("held", ["list"], 201), ("more", ["list", "watch"], 403)):
            role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                    "metadata": {"name": name},
                    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]}
            with self.subTest(name):
                reply = api.post(base + "clusterroles", role)
                self.assertEqual(status, reply.status, reply.body)
        for name, status in (("held", 201), ("cluster-admin", 403)):
            with self.subTest(name):
                reply = api.post(base + "clusterrolebindings", {
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                    "metadata": {"name": name + "-x"}, "roleRef": {
                        "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": name}})
                self.assertEqual(status, reply.status, reply.body)

    def test_what_a_pod_has(self):
        environment, folder = self.cluster.in_cluster("default", "default", seconds=600)
        token = (folder / "token").read_text()
        self.assertEqual("default", (folder / "namespace").read_text())
        self.assertEqual(str(self.cluster.port), environment["KUBERNETES_SERVICE_PORT"])
        self.assertEqual(self.cluster.pki.ca.read_text(), (folder / "ca.crt").read_text())
        self.cluster.clock.advance(601)
        self.assertEqual(401, self.whoami(Api(self.cluster, token)))
        self.cluster.renew(folder, "default", "default")
        self.assertEqual("system:serviceaccount:default:default", self.whoami(
            Api(self.cluster, (folder / "token").read_text()))["username"])


def eks_token(case, aws, credentials, cluster, seconds):
    """What `aws eks get-token` makes, by botocore's signer."""
    try:
        from botocore import auth, awsrequest
        from botocore.credentials import Credentials
    except ImportError:
        case.skipTest("botocore is not installed (python3-botocore)")
    request = awsrequest.AWSRequest(
        "GET", f"{aws.url}/?Action=GetCallerIdentity&Version=2011-06-15",
        headers={"x-k8s-aws-id": cluster})
    auth.SigV4QueryAuth(Credentials(credentials.key, credentials.secret, credentials.token), "sts",
                        aws.region, expires=seconds).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(request.url.encode()).decode().rstrip("=")


class Faults(KubeCase):
    def test_each_refusal_comes_as_ordered_and_is_in_the_journal(self):
        for kind, code in {"429": 429, "500": 500, "503": 503, "504": 504, "401": 401,
                           "403": 403}.items():
            with self.subTest(kind):
                self.cluster.faults.next("list", "pods", kind, retry_after=3)
                reply = self.api.get("/api/v1/pods")
                self.assertEqual(code, reply.status)
                if kind in ("429", "503"):
                    self.assertIn(("Retry-After", "3"), reply.headers)
                call = self.cluster.calls("list", "pods")[-1]
                self.assertEqual((kind, code), (call.fault, call.status))
        self.assertEqual(200, self.api.get("/api/v1/pods").status)

    def test_answers_that_break(self):
        self.cluster.populate(100)
        whole = len(self.api.get("/api/v1/pods").body)
        for kind, errors in (("truncated", http.client.IncompleteRead), ("lost", OSError),
                             ("reset", OSError), ("hang", TimeoutError), ("malformed", ValueError),
                             ("html", ValueError)):
            with self.subTest(kind):
                self.cluster.faults.next("list", "pods", kind)
                with self.assertRaises(errors):
                    Api(self.cluster, patience=0.5 if kind == "hang" else 20).get(
                        "/api/v1/pods").json
        self.cluster.faults.next("get", "pods", "slow")
        self.assertEqual(200, self.api.get(PODS + "/pod-000001").status)
        self.assertEqual(whole, len(self.api.get("/api/v1/pods").body))

    def test_a_server_goes_and_comes_back_with_what_it_had(self):
        self.cluster.run_pod("a")
        watch = self.api.watch(PODS + "?watch=1&resourceVersion=0")
        next(watch)
        self.cluster.down()
        with self.assertRaises((OSError, ValueError, http.client.HTTPException, StopIteration)):
            next(watch)
        with self.assertRaises(OSError):
            self.api.get(PODS)
        self.cluster.up()
        self.assertEqual(1, len(self.api.get(PODS).json["items"]))

    def test_random_faults_are_drawn_from_a_seed(self):
        def run():
            self.cluster.faults.random(7, 0.5, kinds=("429", "503"), resources=("pods",))
            return [self.api.get("/api/v1/pods").status for _ in range(12)]
        first = run()
        self.assertEqual(first, run())
        self.assertEqual({200, 429, 503}, set(first))

    def test_writers_at_once_lose_nothing(self):
        self.api.post(MAPS, config_map(first="0"))

        def write(n):
            return [self.api.patch(MAPS + "/a", {"data": {f"{n}-{i}": "1"}}).status
                    for i in range(5)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual([[200] * 5] * 4, list(pool.map(write, range(4))))
        self.assertEqual(21, len(self.api.get(MAPS + "/a").json["data"]))


if __name__ == "__main__":
    main()
