"""What test cases of the API server and of its clients share."""

from ..testing import Case
from .api import Api
from .cluster import Cluster

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


def config_map(name="a", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name="p", **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "main", "image": "i:1"}], **spec}}


class KubeCase(Case):
    """Has a cluster, and its administrator's client."""

    def setUp(self):
        self.cluster = self.enter(Cluster())
        self.api = Api(self.cluster)

    def refused(self, reply, code, reason, message=""):
        self.assertEqual((code, reason), (reply.status, reply.json.get("reason")), reply.body)
        self.assertEqual(("Status", "Failure", code), (
            reply.json["kind"], reply.json["status"], reply.json["code"]))
        self.assertIn(message, reply.json["message"])
