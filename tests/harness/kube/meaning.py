"""What manifests mean together: who may reach whom by their NetworkPolicies, and whether the parts
that name each other agree."""

import ipaddress


def labels_of(document):
    return document.get("metadata", {}).get("labels", {})


def selects(selector, labels):
    """Whether a label selector (meta/v1, LabelSelector) selects what has those labels."""
    if selector.get("matchExpressions"):
        raise NotImplementedError("matchExpressions")
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


class Pod:
    def __init__(self, namespace, labels=None, address="10.64.9.9", ports=None, namespace_labels=None):
        self.namespace, self.labels, self.address = namespace, labels or {}, address
        self.ports = ports or {}  # names to numbers
        self.namespace_labels = {"kubernetes.io/metadata.name": namespace, **(namespace_labels or {})}


class Network:
    """NetworkPolicies as networking.k8s.io/v1 defines them. A peer is a Pod or an address."""

    def __init__(self, documents):
        self.policies = [each for each in documents if each["kind"] == "NetworkPolicy"]

    def _of(self, pod, direction):
        for policy in self.policies:
            spec = policy["spec"]
            if (policy["metadata"].get("namespace") == pod.namespace
                    and direction in spec["policyTypes"]
                    and selects(spec["podSelector"], pod.labels)):
                yield spec

    @staticmethod
    def _is_peer(rule, namespace, peer):
        if "ipBlock" in rule:
            address = ipaddress.ip_address(peer.address if isinstance(peer, Pod) else peer)
            block = rule["ipBlock"]
            return (address in ipaddress.ip_network(block["cidr"])
                    and not any(address in ipaddress.ip_network(each)
                                for each in block.get("except", [])))
        if not isinstance(peer, Pod):
            return False
        if "namespaceSelector" in rule:
            if not selects(rule["namespaceSelector"], peer.namespace_labels):
                return False
        elif peer.namespace != namespace:
            return False
        return selects(rule.get("podSelector", {}), peer.labels)

    @staticmethod
    def _is_port(rules, port, protocol, of):
        if not rules:
            return True
        for rule in rules:
            number = rule.get("port")
            if isinstance(number, str):
                number = of.ports.get(number, -1) if isinstance(of, Pod) else -1  # -1: no such
            if rule.get("protocol", "TCP") == protocol and (
                    number is None or number <= port <= rule.get("endPort", number)):
                return True
        return False

    def _lets(self, pod, direction, peer, port, protocol, target):
        specs = list(self._of(pod, direction))
        key, side = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        return not specs or any(
            self._is_port(rule.get("ports"), port, protocol, target)
            and (not rule.get(side)
                 or any(self._is_peer(each, pod.namespace, peer) for each in rule[side]))
            for spec in specs for rule in spec.get(key, []))

    def reaches(self, source, target, port, protocol="TCP"):
        """Whether both ends, as far as they are pods, let the connection be."""
        if isinstance(source, Pod) and not self._lets(source, "Egress", target, port, protocol, target):
            return False
        return (not isinstance(target, Pod)
                or self._lets(target, "Ingress", source, port, protocol, target))


RESTRICTED = {  # Pod Security "restricted", per container
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def seconds(text):
    number, unit = text[:-1], text[-1]
    return int(number) * {"s": 1, "m": 60, "h": 3600}[unit]


def gateway_faults(documents, settings):
    """What is wrong with the Deployment and all that names it. `settings`: its config.yaml."""
    def only(kind, name="ebbgate"):
        return next(each for each in documents
                    if each["kind"] == kind and each["metadata"]["name"] == name)
    deployment, service = only("Deployment"), only("Service")
    budget, scaler = only("PodDisruptionBudget"), only("HorizontalPodAutoscaler")
    spec = deployment["spec"]
    pod, labels = spec["template"]["spec"], spec["template"]["metadata"]["labels"]
    container = pod["containers"][0]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}

    selectors = {"deployment": spec["selector"], "budget": budget["spec"]["selector"],
                 "service": {"matchLabels": service["spec"]["selector"]}}
    for i, spread in enumerate(pod.get("topologySpreadConstraints", [])):
        selectors[f"spread {i}"] = spread["labelSelector"]
    for name, selector in selectors.items():
        if not selector.get("matchLabels") or not selects(selector, labels):
            yield f"the selector of the {name} does not select the gateways"
    topologies = {each["topologyKey"] for each in pod.get("topologySpreadConstraints", [])}
    if "topology.kubernetes.io/zone" not in topologies:
        yield "gateways are not spread over zones"

    target = scaler["spec"]["scaleTargetRef"]
    if (target["kind"], target["name"]) != ("Deployment", deployment["metadata"]["name"]):
        yield "the autoscaler scales something else"
    if "replicas" in spec:
        yield "an apply would undo what the autoscaler does"
    if scaler["spec"]["minReplicas"] < 2:
        yield "there may be one gateway only"

    for port in service["spec"]["ports"]:
        if port["targetPort"] not in ports:
            yield f"the service's port {port['targetPort']} is none of the container's"
    listens = {int(each.rpartition(":")[2])
               for each in (*settings["listen"], settings["health"])}
    if listens != set(ports.values()):
        yield "the container's ports are not those that the settings listen on"
    if not settings["admin"].startswith("127.0.0.1:"):
        yield "whoever reaches a gateway's pod reads what policies allow"
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"),
                        ("readinessProbe", "/readyz")):
        get = container.get(probe, {}).get("httpGet", {})
        if get.get("path") != path or ports.get(get.get("port")) != int(
                settings["health"].rpartition(":")[2]):
            yield f"the {probe} does not ask {path} of the health listener"

    drain = (container["lifecycle"]["preStop"]["sleep"]["seconds"] + seconds(settings["drain-delay"])
             + seconds(settings["drain-timeout"]))
    if drain + 10 > pod["terminationGracePeriodSeconds"]:
        yield f"draining takes {drain} s, and the kubelet kills before"

    for key, value in RESTRICTED.items():
        if container.get("securityContext", {}).get(key) != value:
            yield f"the container's {key} is not {value}"
    security = pod.get("securityContext", {})
    if not security.get("runAsNonRoot") or not security.get("runAsUser"):
        yield "it may run as root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "it has no seccomp profile"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"it has the node's {key}"
    if "memory" not in container.get("resources", {}).get("limits", {}):
        yield "its memory has no limit"

    mounted = {each["name"] for each in container["volumeMounts"]}
    for volume in pod["volumes"]:
        if volume["name"] not in mounted:
            yield f"the volume {volume['name']} is not mounted"
        if "configMap" in volume and not any(
                each["kind"] == "ConfigMap" and each["metadata"]["name"] == volume["configMap"]["name"]
                for each in documents):
            yield f"there is no ConfigMap {volume['configMap']['name']}"
    if settings.get("kube") == "in-cluster":
        yield from _token_faults(pod)


SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def _token_faults(pod):
    """Of a pod whose first container asks the API: it has a token that is renewed, the authorities
    and its namespace where clients look for them, and nobody else has."""
    if pod.get("automountServiceAccountToken") is not False:
        yield "every container has the token"
    holders = {}
    for container in pod["containers"]:
        for mount in container.get("volumeMounts", []):
            if mount["mountPath"] == SERVICE_ACCOUNT and mount.get("readOnly"):
                holders[container["name"]] = mount["name"]
    if list(holders) != [pod["containers"][0]["name"]]:
        yield "the gateway alone has to have the token"
        return
    volume = next(each for each in pod["volumes"] if each["name"] in holders.values())
    files = {}
    for source in volume.get("projected", {}).get("sources", []):
        if "serviceAccountToken" in source:
            files[source["serviceAccountToken"]["path"]] = "token"
            if not 600 <= source["serviceAccountToken"].get("expirationSeconds", 0) <= 86400:
                yield "the token does not expire soon"
        for item in source.get("configMap", {}).get("items", []):
            files[item["path"]] = f"{source['configMap']['name']}/{item['key']}"
        for item in source.get("downwardAPI", {}).get("items", []):
            files[item["path"]] = item["fieldRef"]["fieldPath"]
    if files != {"token": "token", "ca.crt": "kube-root-ca.crt/ca.crt",
                 "namespace": "metadata.namespace"}:
        yield f"what the token's volume holds is {files}"


def monitor_faults(documents):
    """Of what Prometheus is told to look at: it leads to a listener of a pod that serves /metrics."""
    deployments = [each for each in documents if each["kind"] == "Deployment"]
    services = [each for each in documents if each["kind"] == "Service"]
    for monitor in (each for each in documents if each["kind"] == "ServiceMonitor"):
        name = monitor["metadata"]["name"]
        found = [each for each in services if selects(monitor["spec"]["selector"], labels_of(each))]
        endpoint, = monitor["spec"]["endpoints"]
        ports = [port for each in found for port in each["spec"]["ports"]
                 if port["name"] == endpoint["port"]]
        pods = [each["spec"]["template"] for each in deployments for service in found
                if selects({"matchLabels": service["spec"]["selector"]},
                           each["spec"]["template"]["metadata"]["labels"])]
        if len(ports) != 1 or len(pods) != 1:
            yield f"{name} leads to {len(ports)} ports of {len(pods)} deployments"
            continue
        if ports[0]["targetPort"] != "health":
            yield f"{name} asks a listener that has no metrics"
        arguments = pods[0]["spec"]["containers"][0]["args"]
        if arguments[0] == "run" and "--health-metrics" not in arguments:
            yield f"{name} asks gateways whose health listener has no metrics"


def family_faults(documents, settings, hosts, services):
    """What a cluster with those blocks, of nodes and pods and of services, would miss of the families
    of its addresses. `settings`: the gateways', if they are in it."""
    blocks = [ipaddress.ip_network(each) for each in (*hosts, *services)]
    wanted = "[::]" if any(each.version == 6 for each in blocks) else "0.0.0.0"
    listeners = []
    if settings:
        listeners = [*settings["listen"], settings["health"]]
        clients = [ipaddress.ip_network(each) for each in settings["clients"]]
        for each in hosts:
            own = ipaddress.ip_network(each)
            if not any(own.version == client.version and own.subnet_of(client) for client in clients):
                yield f"{each} is none of the clients"
    for deployment in (each for each in documents if each["kind"] == "Deployment"):
        listeners += [each.partition("=")[2]
                      for each in deployment["spec"]["template"]["spec"]["containers"][0]["args"]
                      if each.startswith(("--listen=", "--health="))]
    for each in listeners:
        if each.rpartition(":")[0] != wanted:
            yield f"{each} is not on {wanted}"
    for service in (each for each in documents if each["kind"] == "Service"):
        if service["spec"].get("ipFamilyPolicy") != "PreferDualStack":
            yield f"the service {service['metadata']['name']} has one family"


READING, ALL = {"list", "watch"}, "*"


def rights_faults(documents):
    """What is too much, or leads nowhere, in the rights of the gateways."""
    roles = {each["metadata"]["name"]: each for each in documents if each["kind"] == "ClusterRole"}
    own = {each["metadata"]["name"]: each for each in documents if each["kind"] == "Role"}
    bound = set()
    for document in documents:
        for kind, known in (("ClusterRole", roles), ("Role", own)):
            if document["kind"] != kind + "Binding":
                continue
            role = known.get(document["roleRef"]["name"])
            if document["roleRef"]["kind"] != kind or role is None:
                yield f"there is no role {document['roleRef']['name']}"
            elif role["metadata"].get("namespace") != document["metadata"].get("namespace"):
                yield f"{kind} {document['metadata']['name']} is bound in another namespace"
            bound.add((kind, document["roleRef"]["name"],
                       document["subjects"][0]["kind"], document["subjects"][0]["name"]))
    holders = {each[2:] for each in bound if each[1] == "ebbgate-gateway"}
    if len(holders) != 1 or len([each for each in bound if each[1] == "ebbgate-gateway"]) != 2:
        yield "one and the same has to have both roles of a gateway"
    for name, role in [*roles.items(), *own.items()]:
        for rule in role["rules"]:
            if ALL in rule["verbs"] + rule["resources"] + rule["apiGroups"]:
                yield f"{name} has a wildcard"
    if [(rule["apiGroups"], rule["resources"]) for rule in own["ebbgate-gateway"]["rules"]] != [
            (["coordination.k8s.io"], ["leases"])]:
        yield "in its own namespace a gateway has more than its Leases"
    if set(own["ebbgate-gateway"]["rules"][0]["verbs"]) != READING | {"create", "patch", "delete"}:
        yield "a gateway keeps its Lease otherwise"
    for rule in roles["ebbgate-gateway"]["rules"]:
        for resource in rule["resources"]:
            if resource in ("secrets", "configmaps"):
                yield f"a gateway reads {resource}"
            extra = set(rule["verbs"]) - READING
            if extra and not (resource.endswith("/status") and extra == {"patch"}
                              or resource == "events" and extra == {"create"}):
                yield f"a gateway may {'/'.join(sorted(extra))} {resource}"
