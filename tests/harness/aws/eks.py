"""EKS: clusters, their access entries, add-ons and node groups, by REST and JSON."""

import base64
import json
import re
import secrets
from urllib.parse import unquote

from .protocols import AwsError
from .service import Service

_ROUTES = [  # method, path, operation
    ("GET", "/clusters", "ListClusters"),
    ("GET", "/clusters/{name}", "DescribeCluster"),
    ("GET", "/clusters/{name}/access-entries", "ListAccessEntries"),
    ("POST", "/clusters/{name}/access-entries", "CreateAccessEntry"),
    ("GET", "/clusters/{name}/access-entries/{principalArn}", "DescribeAccessEntry"),
    ("DELETE", "/clusters/{name}/access-entries/{principalArn}", "DeleteAccessEntry"),
    ("POST", "/clusters/{name}/access-entries/{principalArn}/access-policies",
     "AssociateAccessPolicy"),
    ("GET", "/clusters/{name}/access-entries/{principalArn}/access-policies",
     "ListAssociatedAccessPolicies"),
    ("GET", "/clusters/{name}/addons", "ListAddons"),
    ("GET", "/clusters/{name}/addons/{addonName}", "DescribeAddon"),
    ("GET", "/clusters/{name}/node-groups", "ListNodegroups"),
    ("GET", "/clusters/{name}/node-groups/{nodegroupName}", "DescribeNodegroup"),
    ("GET", "/addons/supported-versions", "DescribeAddonVersions"),
    ("GET", "/cluster-versions", "DescribeClusterVersions"),
]
_PATTERNS = [(method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), operation)
             for method, path, operation in _ROUTES]
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIBemulated\n-----END CERTIFICATE-----\n"


class Cluster:
    """`told` is what DescribeCluster says; the rest by name, as their Describe operations say."""

    def __init__(self, told):
        self.told, self.access_entries, self.addons, self.nodegroups = told, {}, {}, {}


class Eks(Service):
    scope, protocol = "eks", "rest-json"

    def __init__(self, emulator):
        super().__init__(emulator)
        self.clusters = {}
        self.versions = ["1.35", "1.34", "1.33"]
        self.api_endpoint = None  # what new clusters name as theirs, where a test has one
        self.certificate = CERTIFICATE

    def add(self, name, version="1.35", service_cidr="172.20.0.0/16", vpc=None, role=None,
            mode="API", private=True, public=False, subnets=(), **more):
        """For tests and stacks: an active cluster."""
        at, ident = self.emulator, secrets.token_hex(16).upper()
        issuer = f"https://oidc.eks.{at.region}.amazonaws.com/id/{ident}"
        endpoint = self.api_endpoint or (
            f"https://{ident}.gr7.{at.region}.eks.amazonaws.com")
        self.clusters[name] = Cluster({
            "name": name, "arn": self.arn(f"cluster/{name}"), "createdAt": at.clock.now(),
            "version": version, "endpoint": endpoint, "roleArn": role,
            "resourcesVpcConfig": {
                "subnetIds": list(subnets), "securityGroupIds": [],
                "clusterSecurityGroupId": "sg-0" + secrets.token_hex(8), "vpcId": vpc,
                "endpointPublicAccess": public, "endpointPrivateAccess": private,
                "publicAccessCidrs": ["0.0.0.0/0"] if public else []},
            "kubernetesNetworkConfig": {"serviceIpv4Cidr": service_cidr, "ipFamily": "ipv4"},
            "identity": {"oidc": {"issuer": issuer}}, "status": "ACTIVE",
            "certificateAuthority": {"data": base64.b64encode(
                self.certificate.encode()).decode()},
            "platformVersion": "eks.1", "tags": {}, "health": {"issues": []},
            "accessConfig": {"authenticationMode": mode}, **more})
        return self.clusters[name]

    def parse(self, request):
        for method, pattern, operation in _PATTERNS:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                parameters = dict(request.query_pairs())
                if request.body:
                    try:
                        parameters.update(json.loads(request.body))
                    except ValueError:
                        raise AwsError("SerializationException", "not JSON") from None
                parameters.update({k: unquote(v) for k, v in found.groupdict().items()})
                return operation, parameters
        raise AwsError("UnknownOperationException", "", 404)

    def resource(self, operation, p):
        if "name" not in p:
            return None
        for kind, key in (("access-entry", "principalArn"), ("addon", "addonName"),
                          ("nodegroup", "nodegroupName")):
            if key in p and kind != "access-entry":
                return self.arn(f"{kind}/{p['name']}/{p[key]}/*")
        return self.arn(f"cluster/{p['name']}")

    def _cluster(self, p):
        if p["name"] not in self.clusters:
            raise AwsError("ResourceNotFoundException", f"No cluster found for name: {p['name']}.",
                           404)
        return self.clusters[p["name"]]

    @staticmethod
    def _one(table, name, message):
        if name not in table:
            raise AwsError("ResourceNotFoundException", message, 404)
        return table[name]

    def ListClusters(self, p):
        return {"clusters": sorted(self.clusters)}

    def DescribeCluster(self, p):
        return {"cluster": self._cluster(p).told}

    @staticmethod
    def check_groups(groups):
        """Of an entry that somebody orders: EKS's own names are for its own entries."""
        for group in groups:
            if re.match(r"(system|eks|aws|amazon|iam):", group):
                raise AwsError("InvalidParameterException", f"The kubernetes group name {group} is "
                               "invalid, it cannot start with a reserved prefix")

    def entry(self, cluster, principal, kind="STANDARD", groups=(), user=None):
        """For stacks: a new access entry."""
        name = principal.rsplit("/", 1)[-1]
        if ":role/" in principal:
            user = user or re.sub(r":iam::(\d+):role/.*", rf":sts::\1:assumed-role/{name}/"
                                  "{{SessionName}}", principal)
        cluster.access_entries[principal] = {
            "clusterName": cluster.told["name"], "principalArn": principal, "type": kind,
            "kubernetesGroups": list(groups), "username": user or principal, "tags": {},
            "accessEntryArn": self.arn(f"access-entry/{cluster.told['name']}/role/"
                                       f"{self.emulator.account}/{name}/{secrets.token_hex(8)}"),
            "createdAt": self.emulator.clock.now(), "modifiedAt": self.emulator.clock.now()}
        cluster.access_entries[principal]["associated"] = []
        return cluster.access_entries[principal]

    def _entry(self, p):
        return self._one(self._cluster(p).access_entries, p["principalArn"],
                         "The specified principalArn could not be found. You can view your "
                         "available access entries with 'list-access-entries'.")

    @staticmethod
    def _plain(entry):
        return {key: value for key, value in entry.items() if key != "associated"}

    def ListAccessEntries(self, p):
        return {"accessEntries": sorted(self._cluster(p).access_entries)}

    def CreateAccessEntry(self, p):
        cluster = self._cluster(p)
        if p["principalArn"] in cluster.access_entries:
            raise AwsError("ResourceInUseException", "The specified access entry resource is "
                           "already in use on this cluster.", 409)
        self.check_groups(p.get("kubernetesGroups", ()))
        return {"accessEntry": self._plain(self.entry(
            cluster, p["principalArn"], p.get("type", "STANDARD"), p.get("kubernetesGroups", ()),
            p.get("username")))}

    def DescribeAccessEntry(self, p):
        return {"accessEntry": self._plain(self._entry(p))}

    def DeleteAccessEntry(self, p):
        self._entry(p)
        del self._cluster(p).access_entries[p["principalArn"]]
        return {}

    def AssociateAccessPolicy(self, p):
        policy = {"policyArn": p["policyArn"], "accessScope": p["accessScope"],
                  "associatedAt": self.emulator.clock.now(),
                  "modifiedAt": self.emulator.clock.now()}
        self._entry(p)["associated"].append(policy)
        return {"clusterName": p["name"], "principalArn": p["principalArn"],
                "associatedAccessPolicy": policy}

    def ListAssociatedAccessPolicies(self, p):
        return {"clusterName": p["name"], "principalArn": p["principalArn"],
                "associatedAccessPolicies": self._entry(p)["associated"]}

    def ListAddons(self, p):
        return {"addons": sorted(self._cluster(p).addons)}

    def DescribeAddon(self, p):
        return {"addon": self._one(self._cluster(p).addons, p["addonName"],
                                   f"No addon: {p['addonName']} found in cluster: {p['name']}")}

    def ListNodegroups(self, p):
        return {"nodegroups": sorted(self._cluster(p).nodegroups)}

    def DescribeNodegroup(self, p):
        return {"nodegroup": self._one(
            self._cluster(p).nodegroups, p["nodegroupName"],
            f"No node group found for name: {p['nodegroupName']}.")}

    def DescribeAddonVersions(self, p):
        names = [p["addonName"]] if "addonName" in p else [
            "vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent"]
        return {"addons": [{"addonName": name, "type": "networking", "addonVersions": [
            {"addonVersion": "v1.21.1-eksbuild.1", "architecture": ["amd64", "arm64"],
             "compatibilities": [{"clusterVersion": version, "defaultVersion": True}
                                 for version in self.versions]}]} for name in names]}

    def DescribeClusterVersions(self, p):
        return {"clusterVersions": [
            {"clusterVersion": version, "defaultVersion": version == self.versions[0],
             "status": "STANDARD_SUPPORT", "clusterType": "eks"} for version in self.versions]}
