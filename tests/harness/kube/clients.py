"""How clients find the cluster and prove who they are: kubeconfig files, and what a pod has in its
environment and its files."""

import base64
import json
import pathlib
import tempfile
import time

import yaml

from .authentication import User

_PLUGIN = """#!/usr/bin/python3
# Gives the credential that stands in a file beside it, fails if it is told to, counts its calls.
import json, os, pathlib, sys, time
folder = pathlib.Path(__file__).parent
with open(folder / "calls", "a") as calls:
    calls.write(json.dumps({"arguments": sys.argv[1:], "info": os.environ.get(
        "KUBERNETES_EXEC_INFO"), "variables": {key: value for key, value in os.environ.items()
        if key.startswith("PLUGIN_")}}) + "\\n")
order = json.loads((folder / "order").read_text())
time.sleep(order.get("delay", 0))
if order.get("stderr"):
    print(order["stderr"], file=sys.stderr)
if order.get("stdout") is not None:
    print(order["stdout"])
sys.exit(order.get("exit", 0))
"""
EXEC_API = "client.authentication.k8s.io/v1"


class ExecPlugin:
    """A credential plugin as a program; what it gives is set here, and may change at any time."""

    def __init__(self, folder, api=EXEC_API):
        self.folder, self.api = pathlib.Path(folder), api
        self.command = self.folder / "credential-plugin"
        self.command.write_text(_PLUGIN)
        self.command.chmod(0o755)

    def give(self, token=None, expires=None, certificate=None, delay=0):
        """`expires`: seconds since the epoch; `certificate`: a pair of files."""
        status = {}
        if token is not None:
            status["token"] = token
        if expires is not None:
            status["expirationTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                          time.gmtime(expires))
        if certificate:
            status["clientCertificateData"] = pathlib.Path(certificate[0]).read_text()
            status["clientKeyData"] = pathlib.Path(certificate[1]).read_text()
        self.say(json.dumps({"kind": "ExecCredential", "apiVersion": self.api, "spec": {
            "interactive": False}, "status": status}), delay=delay)

    def say(self, stdout, exit=0, stderr="", delay=0):
        """Any output and any end."""
        (self.folder / "order").write_text(json.dumps(
            {"stdout": stdout, "exit": exit, "stderr": stderr, "delay": delay}))

    def fail(self, stderr="the credential process says no", exit=1):
        self.say(None, exit, stderr)

    def calls(self):
        """How it was called: a list of {arguments, info, variables}."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


class Clients:
    """Part of Cluster."""

    def folder(self):
        """A directory that goes with the cluster."""
        folder = tempfile.TemporaryDirectory(prefix="ebbgate-kube-")
        self._folders.append(folder)
        return pathlib.Path(folder.name)

    def kubeconfig(self, folder=None, token=None, certificate=None, plugin=None, user=None,
                   namespace=None, server=None, inline=True, token_file=None, name="config",
                   tls_server_name=None):
        """Writes a kubeconfig and gives its path: with a token (of the administrator, where nothing
        is said), a client certificate (a pair of files), an ExecPlugin, a file of a token, or a
        whole `user` entry. `inline`: whether certificates are in it or beside it."""
        folder = folder or self.folder()
        if user is None:
            user = {"token": token or self.admin}
            if token_file:
                user = {"tokenFile": str(token_file)}
            elif certificate:
                user = ({"client-certificate-data": _base64(certificate[0]),
                         "client-key-data": _base64(certificate[1])} if inline else
                        {"client-certificate": str(certificate[0]),
                         "client-key": str(certificate[1])})
            elif plugin:
                user = {"exec": {"apiVersion": plugin.api, "command": str(plugin.command),
                                 "args": ["token"], "env": [{"name": "PLUGIN_SETTING",
                                                             "value": "set"}],
                                 "interactiveMode": "Never", "provideClusterInfo": True}}
        cluster = {"server": server or self.url}
        if inline:
            cluster["certificate-authority-data"] = _base64(self.pki.ca)
        else:
            cluster["certificate-authority"] = str(self.pki.ca)
        if tls_server_name:
            cluster["tls-server-name"] = tls_server_name
        context = {"cluster": "tests", "user": "somebody"}
        if namespace:
            context["namespace"] = namespace
        file = pathlib.Path(folder) / name
        file.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests", "preferences": {},
            "clusters": [{"name": "tests", "cluster": cluster}],
            "contexts": [{"name": "tests", "context": context}],
            "users": [{"name": "somebody", "user": user}]}))
        file.chmod(0o600)
        return file

    def plugin(self, api=EXEC_API):
        """A credential plugin, which gives the administrator's token until it is told otherwise."""
        plugin = ExecPlugin(self.folder(), api)
        plugin.give(self.admin)
        return plugin

    def in_cluster(self, account="ebbgate", namespace="ebbgate-system", seconds=3600):
        """What a pod of the account has: (environment, the directory that stands for
        /var/run/secrets/kubernetes.io/serviceaccount). The account has to be there."""
        folder = self.folder()
        (folder / "ca.crt").write_text(self.pki.ca.read_text())
        (folder / "namespace").write_text(namespace)
        self.renew(folder, account, namespace, seconds)
        return {"KUBERNETES_SERVICE_HOST": self.address,
                "KUBERNETES_SERVICE_PORT": str(self.port),
                "KUBERNETES_SERVICE_PORT_HTTPS": str(self.port)}, folder

    def renew(self, folder, account="ebbgate", namespace="ebbgate-system", seconds=3600):
        """A new token in a pod's directory, as the kubelet writes it; gives the token."""
        token, _ = self.authentication.service_account_token(namespace, account, seconds)
        part = folder / "token.new"
        part.write_text(token)
        part.rename(folder / "token")
        return token

    def user(self, name, groups=(), role=None, rules=None, namespace=None, seconds=None):
        """A token of a user who has a ClusterRole, or `rules` of his own, in the cluster or in a
        namespace."""
        if rules is not None:
            role = f"tests:{name}"
            self.lifecycle.make({"apiVersion": "rbac.authorization.k8s.io/v1",
                                 "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules})
        if role:
            kind = "RoleBinding" if namespace else "ClusterRoleBinding"
            metadata = {"name": f"tests:{name}", **({"namespace": namespace} if namespace else {})}
            self.lifecycle.make({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                            "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
                              "name": name}]})
        return self.authentication.token(User(name, groups), seconds)

    def trust_eks(self, aws, name, entries):
        """Takes EKS's tokens of the cluster `name`: `entries` are its access entries, {role's ARN:
        (user name or None, groups)}, and `aws` is the tests' AWS."""
        self.authentication.eks = (aws, name, entries)


def _base64(file):
    return base64.b64encode(pathlib.Path(file).read_bytes()).decode()
