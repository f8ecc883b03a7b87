"""Many pods in little time, and the life of single ones."""

import gc
import ipaddress
import json
import uuid

from .writing import stamp


class Population:
    """Part of Cluster."""

    def populate(self, count, namespace="default", prefix="pod", first="10.64.0.1",
                 account="default", labels=None, ip=True):
        """`count` running pods at consecutive addresses, written past all checks: some microseconds
        each. The namespace has to be there."""
        now = stamp(self.clock.now())
        text = json.dumps(self._pod(
            namespace, "\1", "\2" if ip else None, account, labels or {"app": prefix}, now, "\3",
            "\4"), separators=(",", ":"))
        parts = _template(text)
        start = int(ipaddress.ip_address(first))
        make = ipaddress.IPv6Address if ":" in first else ipaddress.IPv4Address
        with self.store.changed:
            unique = uuid.uuid4().hex[:20]
            for index in range(count):
                name = f"{prefix}-{index:06d}"
                values = {"\1": name, "\2": str(make(start + index)), "\4": str(
                    self.store.next_revision()),
                    "\3": f"{unique[:8]}-{unique[8:12]}-4{unique[12:15]}-8{unique[15:18]}-"
                          f"{index:012x}"}
                octets = "".join(values.get(part, part) for part in parts).encode()
                self.store.put_octets(("", "pods"), (namespace, name), octets)
        gc.freeze()  # else every collection goes through all of them

    @staticmethod
    def _pod(namespace, name, ip, account, labels, now, uid, version, node="node-1",
             host_network=False):
        addresses = [] if ip is None else [{"ip": ip}]
        pod = {
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace, "uid": uid,
                         "resourceVersion": version, "generation": 1, "creationTimestamp": now,
                         "labels": labels},
            "spec": {"containers": [{
                "name": "main", "image": "registry.example/main:1", "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent"}],
                "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst", "serviceAccountName": account,
                "serviceAccount": account, "nodeName": node, "securityContext": {},
                "schedulerName": "default-scheduler"},
            "status": {"phase": "Running", "startTime": now, "hostIP": "10.0.0.1",
                       "hostIPs": [{"ip": "10.0.0.1"}], "qosClass": "BestEffort",
                       "conditions": [{"type": "Ready", "status": "True",
                                       "lastTransitionTime": now}]}}
        if host_network:
            pod["spec"]["hostNetwork"] = True
        if addresses:
            pod["status"].update(podIP=ip, podIPs=addresses)
        return pod

    def run_pod(self, name, namespace="default", ip="10.64.0.1", account="default", labels=None,
                node="node-1", host_network=False, ips=None):
        """One running pod, written past all checks; `ips` where it has several addresses."""
        with self.store.lock:
            pod = self._pod(namespace, name, ip, account, labels or {"app": name},
                            stamp(self.clock.now()), str(uuid.uuid4()),
                            str(self.store.next_revision()), node, host_network)
            if ips:
                pod["status"].update(podIP=ips[0], podIPs=[{"ip": each} for each in ips])
            self.store.put(("", "pods"), (namespace, name), pod)
        return pod

    def assign(self, name, ip, namespace="default", node="node-1"):
        """What scheduler and kubelet make of a pod that was created: it runs, at an address."""
        def update(pod):
            pod["spec"]["nodeName"] = node
            pod.setdefault("status", {}).update(
                phase="Running", podIP=ip, podIPs=[{"ip": ip}], hostIP="10.0.0.1",
                startTime=stamp(self.clock.now()))
        return self.change("pods", name, namespace, update)

    def finish_pod(self, name, namespace="default", phase="Succeeded"):
        """Its containers have ended; the object stays."""
        return self.set_status("pods", name, namespace, phase=phase)


def _template(text):
    """The text in pieces, those to be replaced alone."""
    parts, piece = [], ""
    at = 0
    while at < len(text):
        if text.startswith("\\u000", at):
            parts += [piece, chr(int(text[at + 2:at + 6], 16))]
            piece, at = "", at + 6
        else:
            piece += text[at]
            at += 1
    return parts + [piece]
